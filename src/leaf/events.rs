//! Reads the events log of one credential. Of every body and header only the evidence gets past here.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;
use ring::hmac;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::client::{Class, Client, CredentialPath};
use super::date;
use super::halt::Fault;
use super::loose::scalars_are;
use super::wire::MOST_EVENT_BYTES;
use crate::model::{Credential, Event, NoAnswer};
use crate::rules::evidence;

/// What is asked for, and the most that Leaf gives; it may give less.
const EVENTS_A_PAGE: usize = 100;

/// No more events than this are read of a credential at a time, whatever new ones a server makes up.
const MOST_EVENTS: usize = 2_000;

/// Nor more pages: these are enough at 20 a page, which is what Leaf gives where nobody asks for more.
const MOST_PAGES: usize = MOST_EVENTS / 20;

/// A longer query in a `Link` is not followed.
const LONGEST_QUERY: usize = 1000;

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
        let mut asked = HashSet::new();
        let mut query = page_query(0);
        let (mut link, mut by_link) = (None, false);
        for page in 1..=MOST_PAGES {
            let path = format!("{}/events?{query}", CredentialPath(credential));
            let answer = shared.get(&path, class.into(), MOST_EVENT_BYTES).await?;
            asked.insert(query);
            log.leaf_time = answer.leaf_time().or(log.leaf_time);
            if answer.status == 404 {
                // Of a later page it only says that there is none.
                log.credential_found = page > 1;
                log.complete = true;
                break;
            }
            let total = answer.total_count();
            let next = answer.link().and_then(query_of_next);
            let entries = self.parsed(answer.body).await?;
            if !entries.is_empty() {
                link = next;
            }
            let before = log.events.len();
            let new = entries
                .into_iter()
                .filter(|event| seen.insert(event.identity.clone()));
            log.events.extend(new.take(MOST_EVENTS - before));
            let count = log.events.len();
            if count == MOST_EVENTS {
                break;
            }
            let nothing_new = count == before;
            // A total below what came already is none.
            if total == Some(count) || nothing_new && (by_link || count == 0) {
                log.complete = true;
                break;
            }
            // Where our own page numbers lead no further, Leaf may have named another way.
            by_link |= nothing_new;
            let next = if by_link {
                link.take().filter(|link| !asked.contains(link))
            } else {
                Some(page_query(page))
            };
            match next {
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

    /// The events of one page. A page may be long, and what is evidence in it takes a while to find: not on a thread that
    /// others wait for.
    async fn parsed(&self, body: Vec<u8>) -> Result<Vec<Event>, Fault> {
        let shared = self.shared.clone();
        let parsed = spawn_blocking(move || parse(&body, &shared.fingerprint_key));
        parsed
            .await
            .unwrap_or_else(|failed| Err(broken(&failed.to_string())))
    }
}

fn page_query(page: usize) -> String {
    format!("page={page}&size={EVENTS_A_PAGE}")
}

/// The query of the address that a `Link` header calls `next`. The path stays ours, so that no answer can send our token
/// elsewhere.
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

fn broken(words: &str) -> Fault {
    Fault::NoAnswer(NoAnswer::Broken, words.to_owned())
}

/// The events in one answer: a list, or an object with the list under `content`, as Spring pages. What is no object is
/// left out; a wrong type in a field costs that field only.
fn parse(body: &[u8], key: &hmac::Key) -> Result<Vec<Event>, Fault> {
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
        Some(id) if evidence::is_id(&id) => id.into_bytes(),
        Some(id) if !id.trim().is_empty() => evidence::digest(key, &[id.as_bytes()]),
        _ => evidence::digest(
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
        body: evidence::body(&body),
        headers: evidence::headers(&headers),
    })
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
