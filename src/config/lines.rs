//! Which line of the file a key stands on. Asked only when somebody has to be told.

use std::collections::BTreeMap;

use toml_edit::{ImDocument, Item, TableLike, Value};

/// By dotted key, list entries counted from 1: `leaf.timeout`, `watch.users[2].notify[1]`.
pub(super) struct Lines(BTreeMap<String, u64>);

impl Lines {
    /// Those of `text`; none where it is no TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut walk = Walk {
            starts: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            lines: BTreeMap::new(),
        };
        if let Ok(document) = ImDocument::parse(text) {
            walk.table("", document.as_table());
        }
        Lines(walk.lines)
    }

    /// The line of `key`; where it is left out, that of the section or entry it is missing from.
    pub(super) fn of_key(&self, key: &str) -> Option<u64> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = key.rfind(['.', '[']).map(|end| &key[..end])?;
        }
    }
}

struct Walk {
    /// Where each line begins.
    starts: Vec<usize>,
    lines: BTreeMap<String, u64>,
}

impl Walk {
    fn table(&mut self, path: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let key = match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            let span = table.key(name).and_then(toml_edit::Key::span);
            self.note(&key, span.or_else(|| item.span()));
            match item {
                Item::ArrayOfTables(entries) => {
                    for (at, entry) in entries.iter().enumerate() {
                        let key = format!("{key}[{}]", at + 1);
                        self.note(&key, entry.span());
                        self.table(&key, entry);
                    }
                }
                Item::Table(inner) => self.table(&key, inner),
                Item::Value(value) => self.value(&key, value),
                Item::None => {}
            }
        }
    }

    fn value(&mut self, key: &str, value: &Value) {
        match value {
            Value::InlineTable(inner) => self.table(key, inner),
            Value::Array(entries) => {
                for (at, entry) in entries.iter().enumerate() {
                    let key = format!("{key}[{}]", at + 1);
                    self.note(&key, entry.span());
                    self.value(&key, entry);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, key: &str, span: Option<std::ops::Range<usize>>) {
        if let Some(span) = span {
            let line = self.starts.partition_point(|start| *start <= span.start);
            self.lines.insert(key.to_owned(), line as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line_and_what_is_left_out_that_of_its_section() {
        let lines = Lines::of(
            "instance = \"a\"\n\n[email]\nsmtp.host = \"mail\"\n[alerts]\nto = [\n  \"a\",\n  \"b\",\n]\n\
             [[watch.users]]\nid = \"1\"\n[[watch.users]]\nname = \"x\"\ntags = { a = 1 }\n[email.more]\n",
        );
        for (key, line) in [
            ("instance", 1),
            ("email", 3),
            ("email.from", 3),
            ("email.smtp.host", 4),
            ("email.smtp.port", 4),
            ("alerts.to", 6),
            ("alerts.to[2]", 8),
            ("watch.users[1].id", 11),
            ("watch.users[2].id", 12),
            ("watch.users[2].name", 13),
            ("watch.users[2].tags.a", 14),
            ("email.more", 15),
        ] {
            assert_eq!(lines.of_key(key), Some(line), "{key}");
        }
        assert_eq!(lines.of_key("leaf.timeout"), None);
    }
}
