//! Reads Leaf's description of one credential, taking only what is watched.
//!
//! The same answer holds long-lived secrets: they are skipped by the parser and never land in a value of ours. A client
//! key becomes a [`KeyPrint`] the moment it is read.

use std::borrow::Cow;
use std::fmt;

use ring::hmac;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::loose::{Scalar, Word, Words, scalars_are};
use crate::model::{Answer, KeyPrint, Reading};
use crate::rules::evidence;

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
    /// That only a credential has, besides the status.
    own_fields: usize,
    /// Of a credential, which a gateway repeats from a request or has itself.
    echoed_fields: usize,
    /// That a report of an error has.
    report_fields: usize,
    /// That a credential would not have beside what a gateway repeats.
    telling_fields: usize,
    has_status: bool,
    status_is_number: bool,
}

impl Parts {
    fn into_answer(self) -> Result<Answer, NotUnderstood> {
        let mut reading = self.reading;
        if self.fields == 0 {
            return Ok(Answer::Missing);
        }
        if self.own_fields == 0 {
            // Beside a message a status word is a gateway's, and says nothing of any grower.
            let only_echoed = self.echoed_fields > 0;
            let is_report = self.report_fields > 0 || self.status_is_number;
            if self.telling_fields > 0 || is_report && !only_echoed {
                return Err(NotUnderstood::ErrorReport);
            }
            if !self.has_status && !only_echoed {
                return Err(NotUnderstood::NotACredential);
            }
        }
        if reading.scopes.is_empty() {
            reading.scopes = self.top_level_scopes;
        }
        reading.scopes.sort_unstable();
        reading.scopes.dedup();
        Ok(Answer::Reading(reading))
    }

    /// Says whether there is one.
    fn offer_key(&mut self, rank: u8, print: Option<KeyPrint>) -> bool {
        let Some(print) = print else {
            return false;
        };
        if rank > self.key_rank {
            self.key_rank = rank;
            self.reading.key = Some(print);
        }
        true
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
    /// What else a credential of some provider has; most of it secret, and none of it read.
    #[serde(
        rename = "accessToken",
        alias = "accessKey",
        alias = "accessTokenClient",
        alias = "apiKey",
        alias = "apiOwnerUsername",
        alias = "apid",
        alias = "authToken",
        alias = "clientSecret",
        alias = "databaseId",
        alias = "initializationVector",
        alias = "organizationCode",
        alias = "organizationId",
        alias = "organizationName",
        alias = "password",
        alias = "privateKey",
        alias = "refreshToken",
        alias = "sessionId",
        alias = "sharedSecret",
        alias = "subscriptionKey",
        alias = "tokenId",
        alias = "tokenSecretKey",
        alias = "username"
    )]
    Own,
    /// What a report of an error has, and no credential beside an id alone.
    #[serde(
        rename = "error",
        alias = "errors",
        alias = "message",
        alias = "path",
        alias = "timestamp",
        alias = "title"
    )]
    Telling,
    /// What else a report of an error has.
    #[serde(
        rename = "code",
        alias = "detail",
        alias = "details",
        alias = "errorCode",
        alias = "errorMessage",
        alias = "errorSummary",
        alias = "error_description",
        alias = "exception",
        alias = "fault",
        alias = "instance",
        alias = "reason",
        alias = "statusCode",
        alias = "status_code",
        alias = "trace",
        alias = "type",
        alias = "violations"
    )]
    Report,
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
            let is_echoed = matches!(
                field,
                Field::Id | Field::ClientKey | Field::ClientId | Field::Scopes
            );
            let reading = &mut parts.reading;
            let told = match field {
                Field::Status => {
                    reading.status = word(map.next_value()?);
                    parts.has_status = true;
                    let status = reading.status.as_deref();
                    parts.status_is_number =
                        status.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
                    continue;
                }
                Field::Report | Field::Telling => {
                    parts.report_fields += 1;
                    parts.telling_fields += usize::from(matches!(field, Field::Telling));
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Field::Id => {
                    let id = map.next_value::<Word>()?.0;
                    reading.leaf_id = id.map(|id| self.id(id));
                    reading.leaf_id.is_some()
                }
                Field::Created => {
                    reading.leaf_created = word(map.next_value()?);
                    reading.leaf_created.is_some()
                }
                Field::Environment => {
                    reading.environment = word(map.next_value()?);
                    reading.environment.is_some()
                }
                Field::TokenMetadata => {
                    reading.scopes = map.next_value_seed(TokenMetadata)?;
                    true
                }
                Field::Scopes => {
                    parts.top_level_scopes = words(map.next_value()?);
                    true
                }
                Field::ClientKey => parts.offer_key(3, self.print(&mut map)?),
                Field::ClientId => parts.offer_key(2, self.print(&mut map)?),
                Field::PublicKey => parts.offer_key(1, self.print(&mut map)?),
                Field::Own => map.next_value::<Option<IgnoredAny>>()?.is_some(),
            };
            if is_echoed {
                parts.echoed_fields += usize::from(told);
            } else {
                parts.own_fields += usize::from(told);
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

    /// An id that looks like one is kept; anything else, which may hold a token, as a digest that tells it from others.
    fn id(&self, id: String) -> String {
        if evidence::is_id(id.trim()) {
            return id;
        }
        let digest = hmac::sign(self.key, id.as_bytes());
        let digest = &digest.as_ref()[..8];
        digest
            .iter()
            .fold("#".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
    }
}

/// A word as it came, unless there is a credential in it.
fn word(word: Word) -> Option<String> {
    word.0.map(kept)
}

fn words(words: Words) -> Vec<String> {
    words.0.into_iter().map(kept).collect()
}

fn kept(word: String) -> String {
    match evidence::word(&word) {
        Cow::Borrowed(kept) if kept.len() == word.len() => word,
        kept => kept.into_owned(),
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
                Field::Scopes => scopes = words(map.next_value()?),
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
