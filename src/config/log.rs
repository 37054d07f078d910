//! `[log]`: how the daemon's log is written.

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
    log.choice("format", &FORMATS, "write \"text\" or \"json\"")
        .unwrap_or_default()
}
