//! Reads Leaf's description of one credential, taking only what is watched.
//!
//! The same answer holds long-lived secrets: they are skipped by the parser and never land in a value of ours. A client
//! key becomes a [`KeyPrint`] the moment it is read.

use std::fmt;

use ring::hmac;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::loose::{Scalar, Word, Words, scalars_are};
use crate::model::{Answer, KeyPrint, Reading};

/// A key shorter than this is not shown by its last characters, which would say too much of it.
const SHORTEST_WITH_TAIL: usize = 12;

const TAIL: usize = 4;

/// Why a body is no answer about a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotUnderstood {
    #[error("the answer is no JSON")]
    NotJson,
    #[error("the answer is JSON, but not a credential")]
    NotACredential,
    #[error("the answer is an error report sent as a success")]
    ErrorReport,
}

/// Reads the body of a 200. Nothing, `null`, `{}` and `[]` mean that there is no credential. A list of one object is
/// read as that object: it can mean nothing else; of two, nobody could say which is meant.
pub(super) fn credential(body: &[u8], key: &hmac::Key) -> Result<Answer, NotUnderstood> {
    if body.trim_ascii().is_empty() {
        return Ok(Answer::Missing);
    }
    let mut parser = serde_json::Deserializer::from_slice(body);
    let found = parser
        .deserialize_any(Top { key })
        .and_then(|found| parser.end().map(|()| found))
        .map_err(|_| NotUnderstood::NotJson)?;
    match found {
        Found::Nothing => Ok(Answer::Missing),
        Found::Other => Err(NotUnderstood::NotACredential),
        Found::Object(parts) => parts.into_answer(),
    }
}

/// The fingerprint of a client key: equal keys have equal ones, and nobody without `key` can try keys against it.
pub(super) fn fingerprint(client_key: &str, key: &hmac::Key) -> Option<KeyPrint> {
    let client_key = client_key.trim();
    if client_key.is_empty() {
        return None;
    }
    let mut print = [0; 16];
    print.copy_from_slice(&hmac::sign(key, client_key.as_bytes()).as_ref()[..16]);
    let length = client_key.chars().count();
    let tail = if length >= SHORTEST_WITH_TAIL {
        let tail = client_key.chars().skip(length - TAIL);
        // A key is text from upstream as well.
        tail.filter(char::is_ascii_graphic).collect()
    } else {
        String::new()
    };
    Some(KeyPrint { print, tail })
}

#[expect(
    clippy::large_enum_variant,
    reason = "one of it lives, on the stack, while one answer is read"
)]
enum Found {
    Nothing,
    Object(Parts),
    Other,
}

#[derive(Default)]
struct Parts {
    reading: Reading,
    /// From the best-named field that had one.
    key_rank: u8,
    top_level_scopes: Vec<String>,
    fields: usize,
    known_fields: usize,
    status_is_number: bool,
}

impl Parts {
    fn into_answer(self) -> Result<Answer, NotUnderstood> {
        let mut reading = self.reading;
        if self.fields == 0 {
            return Ok(Answer::Missing);
        }
        let only_status = self.known_fields == 1;
        if only_status && self.status_is_number {
            return Err(NotUnderstood::ErrorReport);
        }
        if self.known_fields == 0 {
            return Err(NotUnderstood::NotACredential);
        }
        if reading.scopes.is_empty() {
            reading.scopes = self.top_level_scopes;
        }
        reading.scopes.sort_unstable();
        reading.scopes.dedup();
        Ok(Answer::Reading(reading))
    }

    fn offer_key(&mut self, rank: u8, print: Option<KeyPrint>) {
        if let Some(print) = print
            && rank > self.key_rank
        {
            self.key_rank = rank;
            self.reading.key = Some(print);
        }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "createdTime")]
    Created,
    #[serde(rename = "clientEnvironment")]
    Environment,
    #[serde(rename = "tokenMetadata")]
    TokenMetadata,
    #[serde(rename = "scopes")]
    Scopes,
    #[serde(rename = "clientKey")]
    ClientKey,
    #[serde(rename = "clientId")]
    ClientId,
    #[serde(rename = "publicKey")]
    PublicKey,
    #[serde(other)]
    Other,
}

struct Top<'k> {
    key: &'k hmac::Key,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut parts = Parts::default();
        while let Some(field) = map.next_key::<Field>()? {
            parts.fields += 1;
            parts.known_fields += 1;
            match field {
                Field::Id => parts.reading.leaf_id = map.next_value::<Word>()?.0,
                Field::Status => {
                    let status = map.next_value::<Word>()?.0;
                    parts.status_is_number = status
                        .as_deref()
                        .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
                    parts.reading.status = status;
                }
                Field::Created => parts.reading.leaf_created = map.next_value::<Word>()?.0,
                Field::Environment => parts.reading.environment = map.next_value::<Word>()?.0,
                Field::TokenMetadata => {
                    parts.reading.scopes = map.next_value_seed(TokenMetadata)?;
                }
                Field::Scopes => parts.top_level_scopes = map.next_value::<Words>()?.0,
                Field::ClientKey => parts.offer_key(3, self.print(&mut map)?),
                Field::ClientId => parts.offer_key(2, self.print(&mut map)?),
                Field::PublicKey => parts.offer_key(1, self.print(&mut map)?),
                Field::Other => {
                    parts.known_fields -= 1;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Found::Object(parts))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let Some(only) = list.next_element_seed(Top { key: self.key })? else {
            return Ok(Found::Nothing);
        };
        if list.next_element::<IgnoredAny>()?.is_none() {
            return Ok(match only {
                Found::Object(parts) if parts.fields > 0 => Found::Object(parts),
                _ => Found::Other,
            });
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Nothing)
    }

    scalars_are!(Found::Other, Found, [visit_str(&str)]);
}

impl Top<'_> {
    fn print<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<Option<KeyPrint>, A::Error> {
        let print = map.next_value_seed(Scalar(|text: &str| fingerprint(text, self.key)))?;
        Ok(print.flatten())
    }
}

/// `tokenMetadata`, of which only the scopes are taken; whatever is no object has none.
struct TokenMetadata;

impl<'de> DeserializeSeed<'de> for TokenMetadata {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TokenMetadata {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
        let mut scopes = Vec::new();
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Scopes => scopes = map.next_value::<Words>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(scopes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Vec<String>, E> {
        Ok(Vec::new())
    }

    scalars_are!(Vec::new(), Vec<String>, [visit_str(&str)]);
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
