//! JSON: the fields that are evidence as they are, every other one as its name alone. Written out while it is read, so
//! that a report that was cut off gives what came of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::names::{self, Role};
use super::{GONE, LONGEST_BODY, report, scrub};

/// More of an array explains nothing that the first ones do not.
const MOST_ELEMENTS: usize = 16;

const LONGEST_NAME: usize = 60;

/// Where JSON begins in `text`, if it does: an object, an array, or a string that is all of it.
pub(super) fn begin(text: &str) -> Option<usize> {
    if text.starts_with('"') {
        return Some(0);
    }
    let mut at = 0;
    while let Some(found) = text[at..].find(['{', '[']) {
        at += found;
        let mut inside = text[at + 1..].chars().filter(|c| !c.is_whitespace());
        let whole = text.as_bytes()[at] == b'[' && at == 0;
        match inside.next() {
            Some('"' | '{') => return Some(at),
            Some('}' | ']' | '[') if at == 0 => return Some(at),
            Some(c) if whole && c.is_ascii_digit() => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// The evidence in the JSON that `text` begins with, and what comes after it. Of JSON that breaks off or goes wrong the
/// part before that counts, and nothing comes after it.
pub(super) fn keep(text: &str, depth: u8) -> (String, &str) {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let whole = matches!(values.next(), Some(Ok(_)));
    let (json, rest) = text.split_at(if whole {
        values.byte_offset()
    } else {
        text.len()
    });
    if let Ok(inner) = serde_json::from_str::<String>(json) {
        // JSON in a string, or a text in quotes.
        return (report(&inner, depth - 1), rest);
    }
    let kept = if whole {
        write(json, Role::Other, depth)
    } else {
        // Cut off inside a text: what came of it counts.
        write(&format!("{json}\""), Role::Other, depth)
    };
    (kept, rest)
}

fn write(json: &str, role: Role, depth: u8) -> String {
    let mut out = String::new();
    let seed = Value {
        out: &mut out,
        role,
        depth,
    };
    // What is wrong with it does not matter: all that was read before has been written.
    let _ = seed.deserialize(&mut serde_json::Deserializer::from_str(json));
    if out.is_empty() { GONE.to_owned() } else { out }
}

/// One value, written to `out` as far as its name allows.
struct Value<'o> {
    out: &'o mut String,
    role: Role,
    depth: u8,
}

impl Value<'_> {
    fn gone(self) {
        self.text(GONE);
    }

    fn text(self, text: &str) {
        self.out.push_str(&quoted(text));
    }

    fn keep(self, text: &str) {
        let depth = self.depth.saturating_sub(1);
        let inner = text.trim_start();
        if names::is_plain(text) || self.role == Role::Organization && is_number_or_uuid(text) {
            self.text(text);
        } else if self.role == Role::BesideSecret {
            self.text(&names::plain_words(text));
        } else if matches!(self.role, Role::Evidence | Role::Organization) {
            let kept = report(text, depth);
            self.text(&kept);
        } else if self.role == Role::Other
            && depth > 0
            && inner.starts_with(['{', '['])
            && begin(inner) == Some(0)
        {
            // A report in a field that says nothing of itself: `body`, `response`.
            let (kept, _) = keep(inner, depth);
            self.text(&kept);
        } else {
            self.gone();
        }
    }

    fn number(self, number: impl fmt::Display) {
        if matches!(
            self.role,
            Role::Evidence | Role::Organization | Role::BesideSecret
        ) {
            self.out.push_str(&number.to_string());
        } else {
            self.gone();
        }
    }

    fn inner(&mut self, role: Role) -> Value<'_> {
        // What stands under a secret's name is not more harmless for a name of its own.
        let role = match self.role {
            Role::Secret | Role::BesideSecret => self.role,
            _ => role,
        };
        Value {
            out: &mut *self.out,
            role,
            depth: self.depth - 1,
        }
    }

    fn is_enough(&self) -> bool {
        self.depth == 0 || self.out.len() > LONGEST_BODY
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    /// Whether it is the name of a secret.
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        self.keep(text);
        Ok(text.len() <= LONGEST_NAME && names::role(text) == Role::Secret)
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        self.out.push_str("null");
        Ok(false)
    }

    fn visit_i64<E>(self, number: i64) -> Result<bool, E> {
        self.number(number);
        Ok(false)
    }

    fn visit_u64<E>(self, number: u64) -> Result<bool, E> {
        self.number(number);
        Ok(false)
    }

    fn visit_f64<E>(self, number: f64) -> Result<bool, E> {
        self.number(number);
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        if self.is_enough() {
            self.gone();
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(false);
        }
        let start = self.out.len();
        self.out.push('{');
        let mut beside_secret = false;
        let mut first = true;
        let read = loop {
            let name = match map.next_key::<String>() {
                Ok(Some(name)) => name,
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            };
            if self.is_enough() {
                if let Err(fault) = map.next_value::<IgnoredAny>() {
                    break Err(fault);
                }
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            let shown = scrub::scrub(name.get(..LONGEST_NAME).unwrap_or(&name));
            let shown = if name.len() > 2 * LONGEST_NAME {
                GONE
            } else {
                &shown
            };
            self.out.push_str(&quoted(shown));
            self.out.push(':');
            let before = self.out.len();
            let inner = self.inner(names::role(&name));
            let read = if names::names_a_field(&name) {
                map.next_value::<serde_json::Value>().map(|field| {
                    beside_secret |= leads_to_secret(&field);
                    // Writing what was read already cannot fail.
                    let _ = inner.deserialize(field);
                })
            } else {
                map.next_value_seed(inner).map(drop)
            };
            if self.out.len() == before {
                self.out.push_str(&quoted(GONE));
            }
            if let Err(fault) = read {
                break Err(fault);
            }
        };
        self.out.push('}');
        if beside_secret && self.role != Role::BesideSecret {
            let kept = self.out.split_off(start);
            self.out
                .push_str(&write(&kept, Role::BesideSecret, self.depth));
        }
        read.map(|()| false)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<bool, A::Error> {
        if self.is_enough() {
            self.gone();
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(false);
        }
        self.out.push('[');
        let mut role = self.role;
        let mut read = Ok(false);
        for element in 0.. {
            let before = self.out.len();
            if element > 0 {
                self.out.push(',');
            }
            let start = self.out.len();
            if element >= MOST_ELEMENTS || self.is_enough() {
                let more = list.next_element::<IgnoredAny>();
                if matches!(more, Ok(Some(_))) {
                    self.out.push_str(&quoted(GONE));
                    while matches!(list.next_element::<IgnoredAny>(), Ok(Some(_))) {}
                } else {
                    self.out.truncate(before);
                }
                read = more.map(|_| false);
                break;
            }
            let more = list.next_element_seed(self.inner(role));
            if self.out.len() == start {
                // Nothing came any more: not of this element, and of none after it.
                self.out.truncate(before);
            }
            match more {
                // A pair: its second one is what its first one names.
                Ok(Some(true)) if role == Role::Other => role = Role::Secret,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(fault) => {
                    read = Err(fault);
                    break;
                }
            }
        }
        self.out.push(']');
        read
    }
}

/// Whether the field that is named here, as a text or as the steps to it, is a secret.
fn leads_to_secret(field: &serde_json::Value) -> bool {
    match field {
        serde_json::Value::String(path) => names::leads_to_secret(path),
        serde_json::Value::Array(steps) => steps.iter().any(leads_to_secret),
        _ => false,
    }
}

fn quoted(text: &str) -> String {
    // Writing a string as JSON cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// As the ids of organizations are.
fn is_number_or_uuid(text: &str) -> bool {
    let number = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    number || uuid::Uuid::try_parse(text).is_ok()
}
