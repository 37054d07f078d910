//! Reads the events log of one credential. Every body and header passes redaction here, before anything else sees it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;
use ring::hmac;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::client::{Class, Client, CredentialPath, Fault};
use super::loose::scalars_are;
use super::wire::{Answer, MOST_EVENT_BYTES};
use super::{date, redact};
use crate::model::{Credential, Event, NoAnswer};

/// What is asked for, and the most that Leaf gives.
const EVENTS_A_PAGE: usize = 100;

/// No more pages than this are read at a time.
const MOST_PAGES: usize = 20;

/// A longer query in a `Link` is not followed.
const LONGEST_QUERY: usize = 1000;

/// The length of an [`Event::identity`] that is a digest, in bytes; ids up to four times as long are taken as they are.
const DIGEST: usize = 16;

/// What Leaf's events log says of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    /// Every event once: the oldest first, those without a readable date last.
    pub events: Vec<Event>,
    /// Whether Leaf has such a credential; without one (404) there are no events.
    pub credential_found: bool,
    /// Whether that is all that Leaf has, and not only its first pages.
    pub complete: bool,
    /// Leaf's clock when it answered last, where it said so.
    pub leaf_time: Option<Timestamp>,
}

impl Client {
    /// Reads all events of `credential`, page by page.
    ///
    /// # Errors
    ///
    /// Where one page got no answer, or none that could be understood. Nothing of the other pages is kept, since a gap
    /// in the middle could not be told from silence.
    pub async fn events(&self, credential: Credential, class: Class) -> Result<EventLog, Fault> {
        let shared = &self.shared;
        let mut log = EventLog {
            events: Vec::new(),
            credential_found: true,
            complete: false,
            leaf_time: None,
        };
        let mut seen = HashSet::new();
        let mut query = page_query(0);
        for page in 0..MOST_PAGES {
            let path = format!("{}/events?{query}", CredentialPath(credential));
            let answer = shared.get(&path, class.into(), MOST_EVENT_BYTES).await?;
            log.leaf_time = answer.leaf_time().or(log.leaf_time);
            if answer.status == 404 {
                // Of a later page it only says that there is none.
                log.credential_found = page > 0;
                log.complete = true;
                break;
            }
            let entries = parse(&answer.body, &shared.fingerprint_key)?;
            let received = entries.len();
            let before = log.events.len();
            let new = entries
                .into_iter()
                .filter(|event| seen.insert(event.identity.clone()));
            log.events.extend(new);
            // A server that does not page gives the same again and again.
            let nothing_new = log.events.len() == before;
            let next = next_query(&answer, page, received, log.events.len());
            match next.filter(|next| !nothing_new && *next != query) {
                Some(next) => query = next,
                None => {
                    log.complete = true;
                    break;
                }
            }
        }
        log.events
            .sort_by_key(|event| (event.at.is_none(), event.at));
        Ok(log)
    }
}

fn page_query(page: usize) -> String {
    format!("page={page}&size={EVENTS_A_PAGE}")
}

/// The query of the page after this one, or `None` on the last.
///
/// Of a `Link` only the query is taken: the path stays ours, so that no answer can send our token elsewhere. Without
/// one, a full page or a total above what was seen means that there is more.
fn next_query(answer: &Answer, page: usize, received: usize, seen: usize) -> Option<String> {
    if let Some(link) = answer.link() {
        return query_of_next(link);
    }
    let more = match answer.total_count() {
        Some(total) => seen < total && received > 0,
        None => received == EVENTS_A_PAGE,
    };
    more.then(|| page_query(page + 1))
}

/// The query of the address that a `Link` header calls `next`.
fn query_of_next(link: &str) -> Option<String> {
    let mut rest = link;
    while let Some(start) = rest.find('<') {
        let (address, after) = rest[start + 1..].split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let is_next = after[..end].split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else {
                return false;
            };
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel")
                && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            let query = address.split_once('?')?.1.split('#').next()?;
            let plain = query.bytes().all(|byte| byte.is_ascii_graphic());
            return (plain && query.len() <= LONGEST_QUERY).then(|| query.to_owned());
        }
        rest = &after[end..];
    }
    None
}

/// The events in one answer: a list, or an object with the list under `content`, as Spring pages. What is no object is
/// left out; a wrong type in a field costs that field only.
fn parse(body: &[u8], key: &hmac::Key) -> Result<Vec<Event>, Fault> {
    let broken = |words: &str| Fault::NoAnswer(NoAnswer::Broken, words.to_owned());
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let mut parser = serde_json::Deserializer::from_slice(body);
    let list = EventList { key, inner: false }
        .deserialize(&mut parser)
        .and_then(|list| parser.end().map(|()| list))
        .map_err(|_| broken("the events are no JSON"))?;
    list.ok_or_else(|| broken("the answer is JSON, but no list of events"))
}

struct EventList<'k> {
    key: &'k hmac::Key,
    inner: bool,
}

impl<'de> DeserializeSeed<'de> for EventList<'_> {
    type Value = Option<Vec<Event>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EventList<'_> {
    type Value = Option<Vec<Event>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut events = Vec::new();
        while let Some(entry) = list.next_element::<Value>()? {
            events.extend(event(entry, self.key));
        }
        Ok(Some(events))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut events = None;
        let mut fields = 0;
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            fields += 1;
            if field == "content" && !self.inner {
                events = map.next_value_seed(EventList {
                    key: self.key,
                    inner: true,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(if fields == 0 {
            Some(Vec::new())
        } else {
            events
        })
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Vec::new()))
    }

    scalars_are!(None, Option<Vec<Event>>, [visit_str(&str)]);
}

fn event(entry: Value, key: &hmac::Key) -> Option<Event> {
    let Value::Object(mut fields) = entry else {
        return None;
    };
    let created = fields.remove("createdDate");
    let status_code = fields.get("statusCode").and_then(status_code);
    let body = text_of(fields.remove("body"));
    let headers = text_of(fields.remove("headers"));
    let id = fields.remove("id").map(|id| text_of(Some(id)));
    let identity = match id {
        Some(id) if !id.trim().is_empty() && id.len() <= 4 * DIGEST => id.into_bytes(),
        Some(id) if !id.trim().is_empty() => digest(key, &[id.as_bytes()]),
        _ => digest(
            key,
            &[
                text_of(created.clone()).as_bytes(),
                &status_code.unwrap_or(0).to_be_bytes(),
                body.as_bytes(),
                headers.as_bytes(),
            ],
        ),
    };
    Some(Event {
        identity,
        at: created.as_ref().and_then(moment),
        status_code,
        body: redact::body(&body),
        headers: redact::headers(&headers),
    })
}

/// A digest of what came before redaction, so that better redaction does not make an event new; keyed, so that nobody
/// can try secrets against it.
fn digest(key: &hmac::Key, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    context.update(b"event");
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign().as_ref()[..DIGEST].to_vec()
}

/// Text as it is, nothing for `null`, and JSON for the rest.
fn text_of(value: Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    }
}

/// A number, or a text that begins with one: `401`, `"401"`, `"401 UNAUTHORIZED"`.
fn status_code(value: &Value) -> Option<u16> {
    let code = match value {
        Value::Number(number) => number.as_f64().map(|code| code as u16)?,
        Value::String(text) => {
            let text = text.trim();
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            text[..end].parse().ok()?
        }
        _ => return None,
    };
    (100..1000).contains(&code).then_some(code)
}

fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => date::parse(text),
        Value::Number(number) => date::from_epoch(number.as_i64()?),
        _ => None,
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
