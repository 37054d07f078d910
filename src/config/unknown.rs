//! Finds the keys that nobody asked for, and guesses what was meant.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};

use super::fault::{Fault, Place, nearest};
use super::reader::{Reader, entry_label};
use super::source::variable_for;

/// Adds a fault for every key that is set and unknown. To be called when all sections have been read.
pub(super) fn tell(reader: &Reader) {
    let search = Search {
        reader,
        known: reader.known(),
    };
    search.table(&reader.source.root, "", None);
}

struct Search<'r> {
    reader: &'r Reader,
    known: BTreeSet<String>,
}

impl Search<'_> {
    fn table(&self, table: &Dict, path: &str, entry: Option<usize>) {
        for (key, value) in table {
            let full = join(path, key);
            if !self.known.contains(&full) {
                self.unknown(path, key, &full, entry);
                continue;
            }
            if self.known.contains(&format!("{full}.*")) {
                continue;
            }
            match value {
                Value::Dict(_, inner) => self.table(inner, &full, None),
                Value::Array(_, entries) => {
                    for (at, entry) in entries.iter().enumerate() {
                        if let Value::Dict(_, inner) = entry {
                            self.table(inner, &full, Some(at + 1));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn unknown(&self, path: &str, key: &str, full: &str, entry: Option<usize>) {
        let place = self.reader.source.place_of(full);
        let by_variable = matches!(place, Place::Variable(_));
        let write = self.meant(path, key, full, by_variable);
        self.reader.add(Fault {
            place,
            key: Some(match entry {
                Some(entry) => entry_label(path, entry, key),
                None => full.to_owned(),
            }),
            wrong: "unknown key".to_owned(),
            write: Some(write),
        });
    }

    fn meant(&self, path: &str, key: &str, full: &str, by_variable: bool) -> String {
        let name = |known: &str| match by_variable {
            true => variable_for(known),
            false => known.rsplit('.').next().unwrap_or(known).to_owned(),
        };
        let siblings: Vec<&str> = self
            .known
            .iter()
            .filter(|known| parent(known) == path && !known.ends_with('*'))
            .map(String::as_str)
            .collect();
        let last = |known: &&str| known.rsplit('.').next().unwrap_or_default().to_owned();
        if holds_a_secret(key) {
            let file = siblings
                .iter()
                .find(|known| last(known) == format!("{key}_file"));
            let file = file.or_else(|| {
                siblings
                    .iter()
                    .find(|known| known.ends_with("_file") && !known.ends_with("users_file"))
            });
            let file = file.map_or("a key that ends in _file".to_owned(), |known| name(known));
            return format!(
                "a secret never stands in the config: put it into a file of its own and name that file with {file}"
            );
        }
        // A single underscore where a section ends.
        if by_variable
            && let Some(known) = self
                .known
                .iter()
                .find(|known| known.replace('.', "_") == full.replace('.', "_"))
        {
            return format!(
                "write {}: two underscores after each section",
                variable_for(known)
            );
        }
        let names: Vec<String> = siblings.iter().map(last).collect();
        if let Some(near) = nearest(key, names.iter().map(String::as_str)) {
            return format!("did you mean {}?", name(&join(path, near)));
        }
        let elsewhere = self
            .known
            .iter()
            .find(|known| known.rsplit('.').next() == Some(key));
        if let Some(elsewhere) = elsewhere {
            return match (parent(elsewhere), by_variable) {
                (_, true) => format!("did you mean {}?", variable_for(elsewhere)),
                ("", false) => format!("{key} belongs above the first section"),
                (section, false) => format!("{key} belongs to [{section}]"),
            };
        }
        match path {
            "" => format!("the sections and keys here are: {}", names.join(", ")),
            _ => format!("the keys of [{path}] are: {}", names.join(", ")),
        }
    }
}

fn holds_a_secret(key: &str) -> bool {
    ["password", "passwd", "secret", "token", "api_key", "apikey"]
        .iter()
        .any(|word| key.to_lowercase().contains(word))
        && !key.ends_with("_file")
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

fn parent(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(parent, _)| parent)
}
