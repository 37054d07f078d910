//! Reads typed values out of the settings and collects every fault on the way, so that all are told at once.
//!
//! A key is known because it was asked for. Values are quoted in a fault only where a key cannot hold a secret.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use figment::value::{Dict, Value};

use super::duration::{parse_duration, written_duration};
use super::fault::{Fault, Place, Warning, quoted};
use super::secret::SecretFile;
use super::source::Source;

/// The settings under inspection, and what was found so far.
pub(super) struct Reader {
    pub(super) source: Source,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Warning>>,
    /// Dotted keys without the numbers of list entries; `key.*` stands for keys that are free.
    known: RefCell<BTreeSet<String>>,
}

/// One table of the settings; reads as empty where it is left out.
pub(super) struct Section<'r> {
    reader: &'r Reader,
    table: Option<&'r Dict>,
    /// Dotted, without the number of the entry; empty at the top.
    path: String,
    /// Which entry of a list of tables this is, from 1.
    entry: Option<usize>,
}

impl Reader {
    pub(super) fn new(source: Source) -> Self {
        Reader {
            source,
            faults: RefCell::default(),
            warnings: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// The table that holds all others.
    pub(super) fn top(&self) -> Section<'_> {
        Section {
            reader: self,
            table: Some(&self.source.root),
            path: String::new(),
            entry: None,
        }
    }

    pub(super) fn add(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    pub(super) fn warn(&self, warning: Warning) {
        self.warnings.borrow_mut().push(warning);
    }

    /// How many faults were found until now.
    pub(super) fn faults_so_far(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Every key that was asked for.
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    pub(super) fn into_findings(self) -> (Vec<Fault>, Vec<Warning>) {
        (self.faults.into_inner(), self.warnings.into_inner())
    }
}

impl<'r> Section<'r> {
    /// The table `key` in this one.
    pub(super) fn section(&self, key: &str) -> Section<'r> {
        let table = self.value(key).and_then(|value| match value {
            Value::Dict(..) if !is_date(value) => value.as_dict(),
            other => {
                self.wrong_type(
                    key,
                    other,
                    "a table",
                    &format!("write its keys below a line [{}]", self.path_of(key)),
                );
                None
            }
        });
        Section {
            reader: self.reader,
            table,
            path: self.path_of(key),
            entry: None,
        }
    }

    /// The entries of the list of tables `key`.
    pub(super) fn entries(&self, key: &str) -> Vec<Section<'r>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let list = value
            .as_array()
            .filter(|list| list.iter().all(|entry| entry.as_dict().is_some()));
        let Some(list) = list else {
            let write = format!("write a line [[{}]] above each entry", self.path_of(key));
            self.wrong_type(key, value, "a list of tables", &write);
            return Vec::new();
        };
        list.iter()
            .enumerate()
            .map(|(at, entry)| Section {
                reader: self.reader,
                table: entry.as_dict(),
                path: self.path_of(key),
                entry: Some(at + 1),
            })
            .collect()
    }

    /// Whether the table stands in the settings at all.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// Whether `key` is set.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The value of `key`, whose own keys are free.
    pub(super) fn free(&self, key: &str) -> Option<&'r Value> {
        self.reader
            .known
            .borrow_mut()
            .insert(format!("{}.*", self.path_of(key)));
        self.value(key)
    }

    /// Text that is not blank, without the blanks around it.
    pub(super) fn text(&self, key: &str) -> Option<&'r str> {
        let value = self.value(key)?;
        let Some(text) = value.as_str() else {
            self.wrong_type(key, value, "text", "write it in double quotes");
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            self.fault(key, "it is empty", "write a value, or leave the key out");
            return None;
        }
        Some(text)
    }

    /// A whole number within `range`; left out, `default`.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.value(key) else {
            return default;
        };
        let write = format!(
            "write a whole number from {} to {}",
            range.start(),
            range.end()
        );
        let number = match value {
            Value::Num(..) => value.to_i128(),
            Value::String(_, text) if self.is_variable(key) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            let write = match value {
                Value::String(..) if !self.is_variable(key) => format!("{write}, without quotes"),
                _ => write,
            };
            self.wrong_type(key, value, "a whole number", &write);
            return default;
        };
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.fault(key, &format!("{number} is out of range"), &write);
                default
            }
        }
    }

    /// A duration within `range`; left out, `default`.
    pub(super) fn duration(
        &self,
        key: &str,
        range: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let write = between(&range, default);
        self.value(key)
            .and_then(|value| self.duration_in(key, value, &range, &write))
            .unwrap_or(default)
    }

    /// A list of durations within `range`; left out, `default`.
    pub(super) fn durations(
        &self,
        key: &str,
        range: RangeInclusive<Duration>,
        default: &[Duration],
    ) -> Vec<Duration> {
        let example = default.first().copied().unwrap_or(*range.start());
        let write = between(&range, example);
        let Some(list) = self.list(key) else {
            return default.to_vec();
        };
        list.iter()
            .filter_map(|text| self.duration_of(key, text, &range, &write))
            .collect()
    }

    fn duration_in(
        &self,
        key: &str,
        value: &Value,
        range: &RangeInclusive<Duration>,
        write: &str,
    ) -> Option<Duration> {
        match value.as_str() {
            Some(text) => self.duration_of(key, text, range, write),
            None => {
                self.wrong_type(key, value, "a duration", write);
                None
            }
        }
    }

    fn duration_of(
        &self,
        key: &str,
        text: &str,
        range: &RangeInclusive<Duration>,
        write: &str,
    ) -> Option<Duration> {
        match parse_duration(text) {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                self.fault(key, &format!("{} is out of range", quoted(text)), write);
                None
            }
            Err(reason) => {
                let wrong = format!("{} is no duration: {reason}", quoted(text));
                self.fault(key, &wrong, write);
                None
            }
        }
    }

    /// A list of texts; none where it is left out. A variable separates them by commas.
    pub(super) fn list(&self, key: &str) -> Option<Vec<&'r str>> {
        let value = self.value(key)?;
        if let (Some(text), true) = (value.as_str(), self.is_variable(key)) {
            let inner = text
                .trim()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .split(',');
            let words = inner.map(|word| {
                word.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            });
            return Some(words.filter(|word| !word.is_empty()).collect());
        }
        let write = "write a list of texts, such as [\"one\", \"two\"]";
        let Some(list) = value.as_array() else {
            self.wrong_type(key, value, "a list", write);
            return Some(Vec::new());
        };
        let words = list.iter().filter_map(|entry| {
            let word = entry.as_str().map(str::trim);
            if word.is_none() {
                self.wrong_type(key, entry, "text in the list", write);
            }
            if word == Some("") {
                self.fault(key, "an entry is empty", write);
            }
            word.filter(|word| !word.is_empty())
        });
        Some(words.collect())
    }

    /// A list parsed entry by entry; an entry named twice counts once.
    pub(super) fn parsed_list<T: FromStr<Err: Display> + PartialEq>(
        &self,
        key: &str,
        write: &str,
    ) -> Option<Vec<T>> {
        let mut parsed = Vec::new();
        for text in self.list(key)? {
            match text.parse::<T>() {
                Ok(value) if parsed.contains(&value) => {}
                Ok(value) => parsed.push(value),
                Err(reason) => self.fault(key, &reason.to_string(), write),
            }
        }
        Some(parsed)
    }

    /// A text parsed.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &str, write: &str) -> Option<T> {
        match self.text(key)?.parse::<T>() {
            Ok(value) => Some(value),
            Err(reason) => {
                self.fault(key, &reason.to_string(), write);
                None
            }
        }
    }

    /// A file that holds a secret. What it holds is not looked at.
    pub(super) fn secret(&self, key: &str) -> Option<SecretFile> {
        let name = self.text(key)?;
        let source = &self.reader.source;
        Some(SecretFile::named(
            name,
            source.folder(),
            source.variables.credentials(),
        ))
    }

    /// Tells that `key` is wrong.
    pub(super) fn fault(&self, key: &str, wrong: &str, write: &str) {
        self.reader.add(Fault {
            place: self.place_of(key),
            key: Some(self.label_of(key)),
            wrong: wrong.to_owned(),
            write: Some(write.to_owned()),
        });
    }

    /// Tells that `key` is unwise.
    pub(super) fn warn(&self, key: &str, what: &str, advice: &str) {
        self.reader.warn(Warning {
            place: self.place_of(key),
            key: self.label_of(key),
            what: what.to_owned(),
            advice: advice.to_owned(),
        });
    }

    /// The reader this section belongs to.
    pub(super) fn reader(&self) -> &'r Reader {
        self.reader
    }

    fn wrong_type(&self, key: &str, value: &Value, wanted: &str, write: &str) {
        // The value is left out: what stands where a file's name is expected may be the secret itself.
        let wrong = format!("this is {}, not {wanted}", type_of(value));
        self.fault(key, &wrong, write);
    }

    fn value(&self, key: &str) -> Option<&'r Value> {
        self.reader.known.borrow_mut().insert(self.path_of(key));
        self.table?.get(key)
    }

    fn is_variable(&self, key: &str) -> bool {
        self.reader.source.is_variable(&self.path_of(key))
    }

    fn place_of(&self, key: &str) -> Place {
        self.reader.source.place_of(&self.path_of(key))
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    fn label_of(&self, key: &str) -> String {
        match self.entry {
            Some(entry) => entry_label(&self.path, entry, key),
            None => self.path_of(key),
        }
    }
}

/// How a key of one entry in a list of tables is called.
pub(super) fn entry_label(path: &str, entry: usize, key: &str) -> String {
    format!("{path}, entry {entry}: {key}")
}

fn between(range: &RangeInclusive<Duration>, example: Duration) -> String {
    format!(
        "write a duration from {} to {}, such as \"{}\" (units: ms, s, m, h, d, w, y)",
        written_duration(*range.start()),
        written_duration(*range.end()),
        written_duration(example),
    )
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) if value.to_i128().is_some() => "a number",
        Value::Num(..) => "a number with a fraction",
        Value::Empty(..) => "nothing",
        Value::Dict(..) if is_date(value) => "a date",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

/// The TOML parser hands dates over as a table with one key of its own.
fn is_date(value: &Value) -> bool {
    value
        .as_dict()
        .is_some_and(|table| table.keys().any(|key| key.starts_with("$__toml")))
}
