//! `[log]`: how the daemon's log is written.

use super::fault::{nearest, quoted};
use super::reader::Section;

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: the message first.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

/// `log.format`.
pub(super) fn read(log: &Section<'_>) -> LogFormat {
    let Some(word) = log.text("format") else {
        return LogFormat::default();
    };
    let known = FORMATS.into_iter().find(|(name, _)| *name == word);
    if let Some((_, format)) = known {
        return format;
    }
    let write = match nearest(word, FORMATS.map(|(name, _)| name)) {
        Some(name) => format!("did you mean {}?", quoted(name)),
        None => "write \"text\" or \"json\"".to_owned(),
    };
    log.fault(
        "format",
        &format!("{} is no format of the log", quoted(word)),
        &write,
    );
    LogFormat::default()
}
