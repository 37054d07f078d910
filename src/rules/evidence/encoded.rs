//! Texts that were encoded on their way: undone before anything is looked for, so that one set of rules knows all forms.

use std::borrow::Cow;

/// Encoded twice is common (JSON in a form in a log line), more often is not.
const ROUNDS: usize = 3;

/// `text` without percent-encoding, character references and unicode escapes, where it has any of the characters in them
/// that give a text its structure.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..ROUNDS {
        let next = round(&text);
        if next == text {
            break;
        }
        text = Cow::Owned(next);
    }
    text
}

fn round(text: &str) -> String {
    // A link with an encoded link in it is fine as it is; quotes, colons before them, equal signs and braces are not.
    let percent = [
        "%22", "%27", "%3d", "%7b", "%25", "%0a", "%0d", "%3c", "%26",
    ];
    let lower = text.to_ascii_lowercase();
    let by_percent = percent.iter().any(|code| lower.contains(code));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let found = match first {
            b'%' if by_percent => percent_code(rest),
            b'&' => reference(rest),
            b'\\' => escape(rest),
            _ => None,
        };
        match found {
            Some((length, character)) => {
                match character {
                    Code::Byte(byte) => out.push(byte),
                    Code::Char(c) => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
                }
                rest = &rest[length..];
            }
            None => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                out.extend_from_slice(&rest.as_bytes()[..length]);
                rest = &rest[length..];
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

enum Code {
    Byte(u8),
    Char(char),
}

fn percent_code(text: &str) -> Option<(usize, Code)> {
    let digits = text.get(1..3)?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    Some((3, Code::Byte(byte)))
}

/// `&quot;`, `&#34;`, `&#x22;`.
fn reference(text: &str) -> Option<(usize, Code)> {
    let end = text.bytes().take(10).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let c = match name {
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "equals" => '=',
        "colon" => ':',
        "nbsp" => ' ',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((end + 1, Code::Char(c)))
}

/// `\u0022`, `\x22`.
fn escape(text: &str) -> Option<(usize, Code)> {
    let length = match text.as_bytes().get(1)? {
        b'u' => 6,
        b'x' => 4,
        _ => return None,
    };
    let code = u32::from_str_radix(text.get(2..length)?, 16).ok()?;
    Some((length, Code::Char(char::from_u32(code)?)))
}
