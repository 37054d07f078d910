//! Reads Leaf users: their names, and which providers they are connected to.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::client::Client;
use super::gate::Lane;
use super::halt::Fault;
use super::loose::{Scalar, Word, scalars_are};
use super::wire::MOST_EVENT_BYTES;
use crate::model::{NoAnswer, Provider, UserId};

/// One Leaf user. Who it is, not how its credentials are: what a list says of those is not relied upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafUser {
    /// Leaf's id.
    pub id: UserId,
    /// The name that Leaf has.
    pub name: Option<String>,
    /// The integrator's own id of it.
    pub external_id: Option<String>,
    /// The providers whose credential object is there and not empty. A provider that is not in it may be connected all
    /// the same: Leaf does not promise these objects, least of all in lists.
    pub connected: Vec<Provider>,
}

impl Client {
    /// How many users a full page has, which is Leaf's maximum.
    pub const USERS_A_PAGE: usize = 100;

    /// One user, or `None` where Leaf has no such user, which is also what the login of another API owner sees.
    ///
    /// # Errors
    ///
    /// Where there was no answer, or none that could be understood.
    pub async fn user(&self, id: UserId) -> Result<Option<LeafUser>, Fault> {
        let path = format!("users/{id}");
        let answer = self
            .shared
            .get(&path, Lane::Status, MOST_EVENT_BYTES)
            .await?;
        if answer.status == 404 || answer.body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let record: Record = parse(&answer.body)?;
        Ok(match record {
            Record::Absent => None,
            // The id in the answer adds nothing to the one that was asked for.
            Record::User(parts) => Some(parts.into_user(id)),
        })
    }

    /// One page, from 0, of all users in the order of their ids; a page with fewer than [`Client::USERS_A_PAGE`] is the
    /// last. What has no readable id is left out.
    ///
    /// # Errors
    ///
    /// As [`Client::user`].
    pub async fn users_page(&self, page: u32) -> Result<Vec<LeafUser>, Fault> {
        let path = format!("users?page={page}&size={}&sort=id,asc", Self::USERS_A_PAGE);
        let answer = self
            .shared
            .get(&path, Lane::Status, MOST_EVENT_BYTES)
            .await?;
        if answer.status == 404 {
            return Err(Fault::NoAnswer(NoAnswer::Broken, "HTTP 404".to_owned()));
        }
        if answer.body.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        let records: Option<Vec<Record>> = parse(&answer.body)?;
        let users = records.unwrap_or_default().into_iter();
        Ok(users
            .filter_map(|record| match record {
                Record::User(parts) => parts.id.map(|id| parts.into_user(id)),
                Record::Absent => None,
            })
            .collect())
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    let not_understood =
        |_| Fault::NoAnswer(NoAnswer::Broken, "the answer is no Leaf user".to_owned());
    serde_json::from_slice(body).map_err(not_understood)
}

/// A user object, or something in its place: `null`, `{}`, a scalar.
#[derive(Debug)]
enum Record {
    User(Parts),
    Absent,
}

#[derive(Debug, Default)]
struct Parts {
    id: Option<UserId>,
    name: Option<String>,
    external_id: Option<String>,
    connected: Vec<Provider>,
}

impl Parts {
    fn into_user(self, id: UserId) -> LeafUser {
        LeafUser {
            id,
            name: self.name,
            external_id: self.external_id,
            connected: self.connected,
        }
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut parts = Parts::default();
        let mut fields = 0;
        while let Some(Word(field)) = map.next_key()? {
            fields += 1;
            match field.as_deref() {
                Some("id") => {
                    let id = map.next_value_seed(Scalar(|text: &str| text.parse().ok()))?;
                    parts.id = id.flatten();
                }
                Some("name") => parts.name = map.next_value::<Word>()?.0,
                Some("externalId") => parts.external_id = map.next_value::<Word>()?.0,
                Some(key) => match Provider::all().find(|provider| provider.user_key() == key) {
                    Some(provider) => {
                        if map.next_value::<Filled>()?.0 {
                            parts.connected.push(provider);
                        }
                    }
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(if fields == 0 {
            Record::Absent
        } else {
            Record::User(parts)
        })
    }

    fn visit_unit<E>(self) -> Result<Record, E> {
        Ok(Record::Absent)
    }

    scalars_are!(Record::Absent, Record, [visit_str(&str)]);
}

/// Whether something is an object with anything in it. Its values, among them secrets, are skipped.
struct Filled(bool);

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FilledVisitor)
    }
}

struct FilledVisitor;

impl<'de> Visitor<'de> for FilledVisitor {
    type Value = Filled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Filled, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Filled(false))
    }

    fn visit_unit<E>(self) -> Result<Filled, E> {
        Ok(Filled(false))
    }

    scalars_are!(Filled(false), Filled, [visit_str(&str)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_tells_its_name_and_what_it_is_connected_to() {
        let body = br#"{"id":"3c9d2f1e-1111-4222-8333-444455556666","name":"Hillside \u202eFarms","externalId":7,
            "johnDeereCredentials":{"id":"x","accessToken":"t"},"trimbleCredentials":{},"cnhiCredentials":null,
            "email":["odd"],"staraCredentials":"Object"}"#;
        let Record::User(parts) = parse(body).unwrap() else {
            panic!("a user");
        };
        assert_eq!(
            parts.id.unwrap().to_string(),
            "3c9d2f1e-1111-4222-8333-444455556666"
        );
        assert_eq!(parts.name.as_deref(), Some("Hillside Farms"));
        assert_eq!(parts.external_id.as_deref(), Some("7"));
        assert_eq!(parts.connected, [Provider::JOHN_DEERE]);
    }

    #[test]
    fn odd_entries_of_a_list_do_not_cost_the_others() {
        let body = br#"[null,{},"x",5,{"id":12,"name":"no id"},
            {"id":"3c9d2f1e-1111-4222-8333-444455556666","name":null}]"#;
        let records: Vec<Record> = parse(body).unwrap();
        let ids = records.iter().filter(|record| match record {
            Record::User(parts) => parts.id.is_some(),
            Record::Absent => false,
        });
        assert_eq!(ids.count(), 1);
    }
}
