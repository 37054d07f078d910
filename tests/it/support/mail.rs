//! Reads a mail as a mail program would: headers unfolded and decoded, both bodies decoded.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A mail taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Opened {
    /// Takes a multipart/alternative of two quoted-printable parts apart; fails the test on anything else.
    pub(crate) fn new(bytes: &[u8]) -> Opened {
        let mail = std::str::from_utf8(bytes).unwrap();
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let headers = headers(head);
        let kind = &value(&headers, "Content-Type").unwrap();
        assert!(kind.starts_with("multipart/alternative"), "{kind}");
        let boundary = kind.split('"').nth(1).unwrap();
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4, "text, html and the two ends");
        assert!(parts[3].starts_with("--"));
        Opened {
            text: part(parts[1], "text/plain"),
            html: part(parts[2], "text/html"),
            headers,
        }
    }

    /// A header, decoded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        value(&self.headers, name).map(|raw| decode_words(&raw))
    }

    /// All headers as lines, as they are.
    pub(crate) fn head(&self) -> String {
        let lines = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What a reader of the HTML sees, without its head, one line a block.
    pub(crate) fn html_words(&self) -> String {
        let body = self
            .html
            .split_once("<body")
            .unwrap()
            .1
            .split_once('>')
            .unwrap()
            .1;
        let mut words = String::new();
        let mut inside = false;
        for letter in body.chars() {
            match letter {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    words.push(' ');
                }
                _ if !inside => words.push(letter),
                _ => {}
            }
        }
        for (entity, letter) in [
            ("&#34;", "\""),
            ("&#39;", "'"),
            ("&#60;", "<"),
            ("&#62;", ">"),
            ("&#38;", "&"),
        ] {
            words = words.replace(entity, letter);
        }
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn headers(head: &str) -> Vec<(String, String)> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded.split("\r\n").map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_owned(), value.trim().to_owned())
    });
    lines.collect()
}

fn value(headers: &[(String, String)], name: &str) -> Option<String> {
    let mut found = headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let value = found.next().map(|(_, value)| value.clone());
    assert!(found.next().is_none(), "{name} stands twice");
    value
}

fn part(part: &str, kind: &str) -> String {
    let (head, body) = part.trim_start().split_once("\r\n\r\n").unwrap();
    let headers = headers(head);
    assert!(value(&headers, "Content-Type").unwrap().starts_with(kind));
    let encoding = value(&headers, "Content-Transfer-Encoding").unwrap();
    assert_eq!(encoding, "quoted-printable");
    let decoded = quoted_printable(body.strip_suffix("\r\n").unwrap(), '=');
    decoded.replace("\r\n", "\n")
}

/// Quoted-printable of a body, or of the Q form of an encoded word.
fn quoted_printable(body: &str, mark: char) -> String {
    let body = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_str();
    while let Some((plain, coded)) = rest.split_once(mark) {
        bytes.extend(plain.as_bytes());
        bytes.push(u8::from_str_radix(&coded[..2], 16).unwrap());
        rest = &coded[2..];
    }
    bytes.extend(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

/// RFC 2047 words; blanks between two of them do not count.
fn decode_words(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some((before, coded)) = rest.split_once("=?utf-8?b?") {
        if !before.trim().is_empty() || out.is_empty() {
            out.push_str(before);
        }
        let (word, after) = coded.split_once("?=").unwrap();
        out.push_str(&String::from_utf8(BASE64_STANDARD.decode(word).unwrap()).unwrap());
        rest = after;
    }
    out.push_str(rest);
    out
}
