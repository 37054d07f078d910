//! What the sample config says in place of the operator's own: legal, and never meant.

use figment::value::{Dict, Value};

use super::fault::Warning;
use super::reader::{Reader, entry_label, join};
use crate::model::{UserId, WatchedUser};

/// Domains that belong to nobody (RFC 2606).
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// The users of the samples, by id.
const USERS: [&str; 4] = [
    "3c9d2f1e-1111-4222-8333-444455556666",
    "7a1b0c2d-2222-4333-8444-555566667777",
    "8b2c1d3e-3333-4444-8555-666677778888",
    "9c3d2e4f-4444-4555-8666-777788889999",
];

/// The users of the samples.
pub(super) fn users() -> Vec<UserId> {
    USERS.iter().filter_map(|id| id.parse().ok()).collect()
}

/// Whether a user is one of `samples`, or would be told at nobody's address.
pub(super) fn is_of_a_sample(user: &WatchedUser, samples: &[UserId]) -> bool {
    let own = user.own.as_deref();
    samples.contains(&user.id)
        || own.is_some_and(|own| {
            own.notify.iter().any(|to| in_text(to.as_str()).is_some())
                || own.reconnect_url.as_deref().and_then(in_text).is_some()
        })
}

/// Warns of each value that still stands as in the sample; the value itself may be a ping address, and is not shown.
pub(super) fn warn(reader: &Reader) {
    let mut search = Search {
        reader,
        told: Vec::new(),
    };
    search.table(&reader.source.root, "", "", None);
    for warning in search.told {
        reader.warn(warning);
    }
}

struct Search<'r> {
    reader: &'r Reader,
    told: Vec<Warning>,
}

impl Search<'_> {
    fn table(&mut self, table: &Dict, path: &str, spot: &str, entry: Option<usize>) {
        for (key, value) in table {
            let label = match entry {
                Some(entry) => entry_label(path, entry, key),
                None => join(path, key),
            };
            self.value(value, &join(path, key), &join(spot, key), &label);
        }
    }

    fn value(&mut self, value: &Value, path: &str, spot: &str, label: &str) {
        match value {
            Value::String(_, text) => {
                if let Some(sample) = in_text(text) {
                    self.tell(path, spot, label, sample);
                }
            }
            Value::Dict(_, table) => self.table(table, path, spot, None),
            Value::Array(_, entries) => {
                for (at, value) in entries.iter().enumerate() {
                    let spot = format!("{spot}[{}]", at + 1);
                    match value {
                        Value::Dict(_, table) => self.table(table, path, &spot, Some(at + 1)),
                        value => self.value(value, path, &spot, label),
                    }
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, path: &str, spot: &str, label: &str, sample: &str) {
        let warning = Warning {
            place: self.reader.source.place_of(path, spot),
            key: label.to_owned(),
            what: format!("{sample} stands here, as in the sample"),
            advice: "write your own, or leave the key out where it is optional".to_owned(),
        };
        // Several in one line of a list are one thing to mend.
        if !self.told.contains(&warning) {
            self.told.push(warning);
        }
    }
}

/// The part of the text that only a sample says.
fn in_text(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let ends = |after: &str| {
        !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.')
    };
    let begins = |before: &str| !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let domain = DOMAINS.into_iter().find(|domain| {
        text.match_indices(domain)
            .any(|(at, _)| begins(&text[..at]) && ends(&text[at + domain.len()..]))
    });
    domain.or_else(|| USERS.into_iter().find(|user| text == *user))
}

#[cfg(test)]
mod tests {
    use super::in_text;

    #[test]
    fn only_names_that_belong_to_nobody_are_placeholders() {
        for sample in [
            "ops@example.com",
            "Leafwatch <leafwatch@Example.COM>",
            "https://hc.example.org/ping/x",
            "smtp.example.net",
            "3C9D2F1E-1111-4222-8333-444455556666",
        ] {
            assert!(in_text(sample).is_some(), "{sample}");
        }
        for own in [
            "ops@myexample.com",
            "example.com.au",
            "https://example.community",
            "x",
        ] {
            assert!(in_text(own).is_none(), "{own}");
        }
    }
}
