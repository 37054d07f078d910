//! Headers: those that explain, each by its own grammar, looked up in whatever form they were written down.

use std::sync::LazyLock;

use regex::Regex;

use super::{GONE, LONGEST_HEADERS, cut, encoded, scrub, within};
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
    /// A link that a person is to follow: nothing of it may be missing, unless it names a secret. That there is one at all
    /// explains too.
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
            Value::Link => r#"([^\s"'\\\]}<>|]+)"#,
            Value::Number => r"([A-Za-z0-9._:=;-]{1,100})",
            Value::Challenge => r"([^\r\n]{1,600})",
            // What a warning warns of is in quotes: 299 - "New terms".
            Value::Text => r#"(\d{3} [\w.:-]{1,60} \\*"[^\r\n"\\]{1,300}|[^\r\n"\\\]}|]{1,300})"#,
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
    let input_is_cut = text.len() > LONGEST_INPUT;
    let text = clean_lines(&encoded::decoded(cut(text, LONGEST_INPUT)));
    // A line end that was written as an escape, in JSON in a string.
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
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
        let rest = &text[whole.end()..];
        let behind = cut(rest, LONGEST_VALUE);
        let is_cut = input_is_cut || behind.len() < rest.len();
        let told = grammar.and_then(|(_, grammar)| grammar.captures(behind)?.get(1));
        let kept = match told {
            // What ends where the cut is may go on behind it.
            Some(link) if *value == Value::Link && is_cut && link.end() == behind.len() => None,
            told => told.and_then(|told| explained(*value, told.as_str())),
        };
        // Names alone stand in lists of names, with commas between them.
        let has_value = whole.as_str().contains([':', '=']);
        let kept = kept.or((*value == Value::Link && has_value).then(|| GONE.to_owned()));
        if let Some(kept) = kept {
            seen.push(name);
            // Half a link leads nowhere.
            let room = LONGEST_HEADERS.saturating_sub(out.len() + name.len() + 3);
            let kept = if *value == Value::Link && kept.len() > room {
                GONE
            } else {
                &kept
            };
            out.push_str(if out.is_empty() { "" } else { "\n" });
            out.push_str(&format!("{name}: {kept}"));
        }
    }
    within(out, LONGEST_HEADERS)
}

fn explained(value: Value, found: &str) -> Option<String> {
    let found = found.trim();
    match value {
        Value::Moment | Value::MediaType => Some(found.to_owned()),
        Value::Link => {
            let link = scrub::link(until_next_header(found).trim_end_matches([',', ';', ')']));
            let host = link.strip_prefix("https://")?;
            host.starts_with(char::is_alphanumeric).then_some(link)
        }
        Value::Number => (!scrub::is_a_token(found)).then(|| scrub::link(found)),
        Value::Text => {
            let text = until_next_name(found).replace('\\', "");
            let end = if text.contains('"') { "\"" } else { "" };
            Some(format!("{}{end}", scrub::scrub(&text)))
        }
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

/// A link may have commas of its own: it ends at one with a header that is known.
fn until_next_header(text: &str) -> &str {
    let mut commas = text.match_indices(',').map(|(at, _)| at);
    let ends = |at: &usize| {
        KEPT.iter().any(|(name, _)| {
            let next = text.get(at + 1..at + 1 + name.len());
            next.is_some_and(|next| next.eq_ignore_ascii_case(name))
        })
    };
    commas.find(ends).map_or(text, |end| &text[..end])
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
