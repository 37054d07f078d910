//! The typed values of a section: text, numbers, durations, lists, names of secret files.
//!
//! Each reads as left out or as its default once its fault is told, so that reading goes on. Values are quoted in a
//! fault only where a key cannot hold a secret.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use figment::value::Value;

use super::duration::{parse_duration, written_duration};
use super::fault::{nearest, quoted};
use super::reader::Section;
use super::secret::SecretFile;

impl<'r> Section<'r> {
    /// Text that is not blank, without the blanks around it.
    pub(super) fn text(&self, key: &str) -> Option<&'r str> {
        self.text_or(key, "write it in double quotes")
    }

    /// The same, where only some texts are understood, so that quotes alone would not help: `write` says which.
    pub(super) fn text_or(&self, key: &str, write: &str) -> Option<&'r str> {
        let value = self.value(key)?;
        let Some(text) = value.as_str() else {
            self.wrong_type(key, value, "text", write);
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            self.fault(key, "it is empty", "write a value, or leave the key out");
            return None;
        }
        Some(text)
    }

    /// One word of a closed set.
    pub(super) fn choice<T: Copy>(&self, key: &str, known: &[(&str, T)], write: &str) -> Option<T> {
        let word = self.text_or(key, write)?;
        let found = known.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let write = match nearest(word, known.iter().map(|(name, _)| *name)) {
                Some(near) => format!("did you mean {}?", quoted(near)),
                None => write.to_owned(),
            };
            self.fault(key, &format!("{} is not known", quoted(word)), &write);
        }
        found.map(|(_, value)| *value)
    }

    /// True or false; left out, `default`.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Bool(_, flag)) => *flag,
            Some(Value::String(_, text))
                if self.is_variable(key) && text.parse::<bool>().is_ok() =>
            {
                text == "true"
            }
            Some(value) => {
                self.wrong_type(
                    key,
                    value,
                    "true or false",
                    "write true or false, without quotes",
                );
                default
            }
        }
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
            if value.as_str().is_some_and(|text| text.trim().is_empty()) {
                self.fault(key, "it is empty", &write);
                return default;
            }
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
        let wrong = match parse_duration(text) {
            Ok(duration) if range.contains(&duration) => return Some(duration),
            Ok(_) => format!("{} is out of range", quoted(text)),
            Err(reason) => format!("{} is no duration: {reason}", quoted(text)),
        };
        self.fault_in(key, text, &wrong, write);
        None
    }

    /// A list of texts; none where it is left out or not understood. A variable separates them by commas.
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
            return None;
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
        let words: Vec<&str> = words.collect();
        // A list of nothing but faults is not an empty one: that would be a second fault.
        (list.is_empty() || !words.is_empty()).then_some(words)
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
                Err(reason) => {
                    let apart = apart(text);
                    let write = apart.as_deref().unwrap_or(write);
                    self.fault_in(key, text, &reason.to_string(), write);
                }
            }
        }
        Some(parsed)
    }

    /// A text parsed.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &str, write: &str) -> Option<T> {
        match self.text_or(key, write)?.parse::<T>() {
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
        let source = &self.reader().source;
        Some(SecretFile::named(
            name,
            source.folder(),
            source.variables.instance(),
            source.variables.credentials(),
        ))
    }
}

/// What to write where several entries of a list stand in one pair of quotes.
fn apart(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split([',', ';'])
        .map(|word| quoted(word.trim()))
        .collect();
    (words.len() > 1).then(|| format!("write [{}]: each in quotes of its own", words.join(", ")))
}

fn between(range: &RangeInclusive<Duration>, example: Duration) -> String {
    format!(
        "write a duration from {} to {}, such as \"{}\" (units: ms, s, m, h, d, w, y)",
        written_duration(*range.start()),
        written_duration(*range.end()),
        written_duration(example),
    )
}
