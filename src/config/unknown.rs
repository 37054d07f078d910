//! Finds the keys that nobody asked for, and guesses what was meant.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};

use super::fault::{Fault, nearest};
use super::reader::{Reader, entry_label, is_date, join};
use super::source::variable_for;

/// What is wrong with each.
pub(super) const WRONG: &str = "unknown key";

/// Adds a fault for every key that is set and unknown. To be called when all sections have been read.
pub(super) fn tell(reader: &Reader) {
    let search = Search {
        reader,
        known: reader.known(),
    };
    search.table(&reader.source.root, "", "", None);
}

struct Search<'r> {
    reader: &'r Reader,
    known: BTreeSet<String>,
}

impl Search<'_> {
    /// `spot` is `path` with the numbers of list entries in it.
    fn table(&self, table: &Dict, path: &str, spot: &str, entry: Option<usize>) {
        for (key, value) in table {
            let (full, spot) = (join(path, key), join(spot, key));
            if !self.known.contains(&full) {
                self.unknown(path, key, &spot, entry);
                continue;
            }
            // What stands where no table belongs is told already.
            if self.known.contains(&format!("{full}.*")) || !self.is_table(&full) {
                continue;
            }
            match value {
                value if is_date(value) => {}
                Value::Dict(_, inner) => self.table(inner, &full, &spot, None),
                Value::Array(_, entries) => {
                    for (at, entry) in entries.iter().enumerate() {
                        if let Value::Dict(_, inner) = entry {
                            let spot = format!("{spot}[{}]", at + 1);
                            self.table(inner, &full, &spot, Some(at + 1));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn unknown(&self, path: &str, key: &str, spot: &str, entry: Option<usize>) {
        let full = &join(path, key);
        let variable = self.reader.source.variable_at(full);
        self.reader.add(Fault {
            place: self.reader.source.place_of(full, spot),
            key: Some(match (entry, variable) {
                (_, Some((set, _))) => set.to_owned(),
                (Some(entry), None) => entry_label(path, entry, key),
                (None, None) => full.clone(),
            }),
            wrong: WRONG.to_owned(),
            write: Some(match variable {
                Some((set, _)) => self.meant_by_variable(set),
                None => self.meant_in_file(path, key),
            }),
        });
    }

    fn meant_by_variable(&self, set: &str) -> String {
        let settings = || {
            self.known
                .iter()
                .map(String::as_str)
                .filter(|known| !self.is_table(known))
        };
        if holds_a_secret(last(set)) {
            let file = self.file_of(parent(set), last(set));
            let file = file.map_or("a variable that ends in _FILE".to_owned(), variable_for);
            return in_a_file(&file);
        }
        // A single underscore where a section ends.
        let flat = |key: &str| key.replace('.', "_");
        if let Some(known) = settings().find(|known| flat(known) == flat(set)) {
            return format!(
                "write {}: two underscores after each section",
                variable_for(known)
            );
        }
        match nearest(set, settings()) {
            Some(near) => format!("did you mean {}?", variable_for(near)),
            None => format!(
                "variables are called LEAFWATCH_SECTION__KEY after the keys of the config, such as {}",
                variable_for("leaf.timeout")
            ),
        }
    }

    fn meant_in_file(&self, path: &str, key: &str) -> String {
        if holds_a_secret(key) {
            let file = match self.file_of(path, key) {
                Some(file) if parent(file) == path => last(file).to_owned(),
                Some(file) => format!("{} in [{}]", last(file), parent(file)),
                None => "a key that ends in _file".to_owned(),
            };
            return in_a_file(&file);
        }
        let siblings: Vec<&str> = self
            .known
            .iter()
            .filter(|known| parent(known) == path && !known.ends_with('*'))
            .map(|known| last(known))
            .collect();
        if let Some(near) = nearest(key, siblings.iter().copied()) {
            return format!("did you mean {near}?");
        }
        match self
            .known
            .iter()
            .find(|known| last(known) == key)
            .map(|known| parent(known))
        {
            Some("") => format!("{key} belongs above the first section"),
            Some(section) => format!("{key} belongs to [{section}]"),
            None if path.is_empty() => {
                format!("the sections and keys here are: {}", siblings.join(", "))
            }
            None => format!("the keys of [{path}] are: {}", siblings.join(", ")),
        }
    }

    /// The key that names a file for the secret `key`: in its own section if possible, else below it.
    fn file_of(&self, path: &str, key: &str) -> Option<&str> {
        let below = |known: &&String| {
            known.ends_with("_file") && last(known) != "users_file" && known.starts_with(path)
        };
        self.known
            .get(&join(path, &format!("{key}_file")))
            .or_else(|| {
                self.known
                    .iter()
                    .filter(below)
                    .min_by_key(|known| known.len())
            })
            .map(String::as_str)
    }

    fn is_table(&self, key: &str) -> bool {
        let within = format!("{key}.");
        key.ends_with('*') || self.known.iter().any(|known| known.starts_with(&within))
    }
}

fn in_a_file(key: &str) -> String {
    format!(
        "a secret never stands in the config: put it into a file of its own and name that file with {key}"
    )
}

fn holds_a_secret(key: &str) -> bool {
    ["password", "passwd", "secret", "token", "api_key", "apikey"]
        .iter()
        .any(|word| key.to_lowercase().contains(word))
        && !key.ends_with("_file")
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn parent(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(parent, _)| parent)
}
