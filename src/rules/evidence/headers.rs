//! Headers: those that explain, each by its own grammar, looked up in whatever form they were written down.

use std::sync::LazyLock;

use regex::Regex;

use super::{LONGEST_HEADERS, cut, encoded, scrub, within};
use crate::model::clean_lines;

/// Headers are looked at so far, in bytes: most servers take no more.
const LONGEST_INPUT: usize = 16 * 1024;

/// The value of one of them.
const LONGEST_VALUE: usize = 600;

/// Between a header's name and its value: lines, JSON, Java's map text, lists of names and values.
const BETWEEN: &str =
    r#"[\\"'\]]*\s*(?:[:=]|=>|,)\s*(?:[\\"']+value[\\"']+\s*[:=]\s*)?[\s\\"'\[(]*"#;

/// How the value of a header looks.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    /// A moment, or a number of seconds.
    Moment,
    /// A media type and its charset.
    MediaType,
    /// A link that a person is to follow: nothing of it may be missing, unless it names a secret.
    Link,
    /// A number by which somebody finds the request in a log.
    Number,
    /// A challenge, of which the error parameters explain.
    Challenge,
    /// Words.
    Text,
}

impl Value {
    const ALL: [Value; 6] = [
        Value::Moment,
        Value::MediaType,
        Value::Link,
        Value::Number,
        Value::Challenge,
        Value::Text,
    ];

    fn grammar(self) -> &'static str {
        match self {
            Value::Moment => r"(\d{1,9}\b|[A-Z][a-z]{2,8}, [\w :+-]{16,32}|\d{4}-[\d:.TZ+-]{6,30})",
            Value::MediaType => {
                r#"([\w.+-]{1,40}/[\w.+-]{1,60}(?:;\s?charset\s?=\s?\\*"?[\w-]{1,20})?)"#
            }
            Value::Link => r#"(https://[^\s"'\\\]}<>,|]{1,500})"#,
            Value::Number => r"([A-Za-z0-9._:=;-]{1,100})",
            Value::Challenge => r"([^\r\n]{1,600})",
            Value::Text => r#"([^\r\n"\\\]}|]{1,300})"#,
        }
    }
}

/// The headers that explain.
const KEPT: &[(&str, Value)] = &[
    ("Date", Value::Moment),
    ("Content-Type", Value::MediaType),
    ("Retry-After", Value::Moment),
    ("WWW-Authenticate", Value::Challenge),
    ("X-Deere-Warning", Value::Text),
    ("X-Deere-Terms-Location", Value::Link),
    ("Server", Value::Text),
    ("X-Request-Id", Value::Number),
    ("Request-Id", Value::Number),
    ("X-Correlation-Id", Value::Number),
    ("Correlation-Id", Value::Number),
    ("X-Trace-Id", Value::Number),
    ("Traceparent", Value::Number),
    ("X-B3-TraceId", Value::Number),
    ("X-Okta-Request-Id", Value::Number),
    ("X-Amzn-RequestId", Value::Number),
    ("X-Amzn-Trace-Id", Value::Number),
    ("CF-Ray", Value::Number),
];

/// Finds the names of [`KEPT`], each with what stands between it and its value.
static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names: Vec<_> = KEPT.iter().map(|(name, _)| *name).collect();
    let names = names.join("|");
    Regex::new(&format!(r#"(?i)(?:\A|[\s\[{{("',;\\])({names}){BETWEEN}"#)).ok()
});

static GRAMMARS: LazyLock<Vec<(Value, Regex)>> = LazyLock::new(|| {
    let grammar =
        |value: &Value| Some((*value, Regex::new(&format!(r"\A{}", value.grammar())).ok()?));
    Value::ALL.iter().filter_map(grammar).collect()
});

static PARAMETER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(error[a-z_]{0,20})\s?=\s?(?:\\*"([^"\\\n]{0,200})|([\w.-]{1,60}))"#).ok()
});

/// The headers of a provider's answer that explain it, one a line, at most [`LONGEST_HEADERS`] bytes.
///
/// ```
/// let kept = leafwatch::rules::evidence::headers("{Set-Cookie=[sid=1; Path=/], Retry-After=[5]}");
/// assert_eq!(kept, "Retry-After: 5");
/// ```
pub fn headers(text: &str) -> String {
    let text = clean_lines(&encoded::decoded(cut(text, LONGEST_INPUT)));
    // A line end that was written as an escape, in JSON in a string.
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let mut seen: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for found in NAMES.iter().flat_map(|names| names.captures_iter(&text)) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let known = KEPT
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_str()));
        let Some((name, value)) = known.filter(|(name, _)| !seen.contains(name)) else {
            continue;
        };
        let grammar = GRAMMARS.iter().find(|(kind, _)| kind == value);
        let behind = cut(&text[whole.end()..], LONGEST_VALUE);
        let told = grammar.and_then(|(_, grammar)| grammar.captures(behind)?.get(1));
        if let Some(kept) = told.and_then(|told| explained(*value, told.as_str())) {
            seen.push(name);
            lines.push(format!("{name}: {kept}"));
        }
    }
    within(lines.join("\n"), LONGEST_HEADERS)
}

fn explained(value: Value, found: &str) -> Option<String> {
    let found = found.trim();
    match value {
        Value::Moment | Value::MediaType => Some(found.to_owned()),
        Value::Link => Some(scrub::link(found)),
        Value::Number => (!scrub::is_a_token(found)).then(|| scrub::link(found)),
        Value::Text => Some(scrub::scrub(until_next_name(found))),
        Value::Challenge => {
            let told: Vec<_> = PARAMETER
                .as_ref()?
                .captures_iter(found)
                .map(|parameter| {
                    let value = parameter
                        .get(2)
                        .or(parameter.get(3))
                        .map_or("", |value| value.as_str());
                    format!("{}=\"{}\"", &parameter[1], scrub::scrub(value))
                })
                .collect();
            (!told.is_empty()).then(|| told.join(", "))
        }
    }
}

/// Words end where the next header of a list in one line begins: `, Date=`, `; Date:`.
fn until_next_name(text: &str) -> &str {
    let mut at = 0;
    while let Some(found) = text[at..].find([',', ';', '&']) {
        at += found + 1;
        let name = text[at..].trim_start();
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        if end.is_some_and(|end| end > 0 && name[end..].starts_with(['=', ':'])) {
            return &text[..at - 1];
        }
    }
    text
}
