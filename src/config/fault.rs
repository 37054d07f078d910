//! What is wrong or unwise in the settings, in words for the person who wrote them. Never holds a secret.

use std::fmt;
use std::path::PathBuf;

/// Where a setting was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, with the line and column where they are known; both count from 1.
    File {
        /// As given, or resolved against the config file.
        path: PathBuf,
        /// The line.
        line: Option<u64>,
        /// The column in characters.
        column: Option<u64>,
    },
    /// An environment variable, by name.
    Variable(String),
}

impl Place {
    /// A whole file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Place::File {
            path: path.into(),
            line: None,
            column: None,
        }
    }

    /// One line of a file.
    pub fn line(path: impl Into<PathBuf>, line: u64) -> Self {
        Place::File {
            path: path.into(),
            line: Some(line),
            column: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Variable(name) => write!(f, "variable {name}"),
            Place::File { path, line, column } => {
                write!(f, "{}", path.display())?;
                if let Some(line) = line {
                    write!(f, ", line {line}")?;
                }
                if let Some(column) = column {
                    write!(f, ", column {column}")?;
                }
                Ok(())
            }
        }
    }
}

/// One thing that keeps the settings from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// The key it is about: `leaf.timeout`; none where it is about the place as a whole.
    pub key: Option<String>,
    /// What is wrong.
    pub wrong: String,
    /// What to write or do instead.
    pub write: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        entry(f, &self.place, self.key.as_deref(), &self.wrong)?;
        match &self.write {
            Some(write) => write!(f, "\n    {write}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong at once; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the config has 1 fault:")?,
            count => write!(f, "the config has {count} faults:")?,
        }
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Something legal that its author will probably regret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands, or should stand.
    pub place: Place,
    /// The key it is about.
    pub key: String,
    /// What is unwise.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        entry(f, &self.place, Some(&self.key), &self.what)?;
        write!(f, "\n    {}", self.advice)
    }
}

fn entry(f: &mut fmt::Formatter<'_>, place: &Place, key: Option<&str>, text: &str) -> fmt::Result {
    match key {
        Some(key) => write!(f, "{place}: {key}: {text}"),
        None => write!(f, "{place}: {text}"),
    }
}

/// The known word nearest to `given`, if it is near enough to be a slip of the fingers.
pub(super) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&given, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// What somebody wrote, quoted on one line and cut to a length that can be read.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slip_is_guessed_at() {
        let known = ["max_in_flight", "timeout", "base_url"];
        assert_eq!(nearest("max_inflight", known), Some("max_in_flight"));
        assert_eq!(nearest("Timeout", known), Some("timeout"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn what_is_quoted_stays_on_one_line() {
        assert_eq!(quoted("a\nb"), r#""a\nb""#);
        assert_eq!(quoted(&"ä".repeat(100)).chars().count(), 63);
    }
}
