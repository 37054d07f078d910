//! What of a text that others wrote is evidence, and is kept; all else goes before anything stores, logs or shows it.
//!
//! Turned this way round because secrets have no shape of their own, while what explains a refusal has a name: of JSON
//! the fields that say what went wrong, of headers those that explain, of any other text its beginning. What is kept is
//! scrubbed once more of what looks like a credential or follows a word for one. Where it cannot be told, it goes.
//!
//! The work is bounded before it begins and linear in what is left, whatever is sent.

mod encoded;
mod headers;
mod json;
mod names;
mod scrub;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use ring::hmac;

use crate::model::{GONE, clean, clean_lines};

pub use headers::headers;

/// The longest body that is kept, in bytes.
pub const LONGEST_BODY: usize = 4 * 1024;

/// The longest headers that are kept, in bytes.
pub const LONGEST_HEADERS: usize = 2 * 1024;

/// JSON is read so far, in bytes: enough for any report of an error.
const LONGEST_JSON: usize = 64 * 1024;

/// Any other text is looked at so far, in bytes: a few times what is kept of it, since scrubbing makes it shorter.
const LONGEST_TEXT: usize = 2 * 1024;

/// Characters that are kept of a text.
const TEXT: usize = 300;

/// Characters that are kept of what a mail server says.
const REPLY: usize = 200;

/// Reports inside reports are followed so deep.
const DEEPEST: u8 = 6;

/// The evidence in the body of a provider's answer, at most [`LONGEST_BODY`] bytes.
///
/// ```
/// let kept = leafwatch::rules::evidence::body(r#"{"error":"invalid_grant","refresh_token":"c3ecre7"}"#);
/// assert_eq!(kept, r#"{"error":"invalid_grant","refresh_token":"…"}"#);
/// ```
pub fn body(text: &str) -> String {
    within(report(text, DEEPEST), LONGEST_BODY)
}

/// A word that Leaf sent (a status, an environment, a scope), as it came unless it looks like a credential.
pub fn word(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| c.is_alphabetic() || matches!(c, ' ' | '_' | '-' | ':' | '.');
    let moment = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z' | ':' | '.' | '-' | '+');
    if text.len() < 8 || text.chars().all(moment) && text.len() <= 40 {
        return Cow::Borrowed(text);
    }
    if text.chars().all(harmless) && !scrub::is_like_a_credential(text) {
        return Cow::Borrowed(text);
    }
    let odd = |c: char| c.is_ascii_punctuation() && !"_-:./,'()".contains(c);
    if text.contains(odd) {
        return Cow::Borrowed(GONE);
    }
    // One run from end to end, whatever stands between its pieces.
    if text
        .split(' ')
        .any(|run| scrub::is_like_a_credential(&run.replace('/', "")))
    {
        return Cow::Borrowed(GONE);
    }
    Cow::Owned(scrub::scrub(text))
}

/// Whether `text` is an id as ids are, and can be kept as it is: a number, a UUID, a short word.
pub fn is_id(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(plain)
        && (text.len() <= 36 && text.bytes().all(hex) || !scrub::is_like_a_credential(text))
}

/// What we wrote ourselves around words from outside.
pub fn words(text: &str) -> String {
    scrub::scrub(text)
}

/// Bytes of a [`digest`].
pub const DIGEST: usize = 16;

/// What tells an event from others where it has no id: of all that it says, so that keeping more or less of it does not
/// make it new; keyed, so that nobody can try secrets against it.
pub fn digest(key: &hmac::Key, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    context.update(b"event");
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign().as_ref()[..DIGEST].to_vec()
}

/// What a mail server said: its first 200 characters without anything of `login`, plain, reversed, in hex, base64 or in
/// part, and scrubbed like all else.
pub fn reply(text: &str, login: &Echo) -> String {
    let text = login.withhold(&clean(cut(text, LONGEST_TEXT), LONGEST_TEXT));
    clean(&scrub::reply(&text), REPLY)
}

/// Our own secrets as a hostile or clumsy server may repeat them.
#[derive(Clone, Default)]
pub struct Echo {
    pieces: HashSet<[u8; Echo::PIECE]>,
}

impl Echo {
    /// So many characters of a secret in a row are a part of it.
    const PIECE: usize = 4;

    /// What is to be withheld, in all the forms in which it went over the wire; each is also looked for reversed and in
    /// hex.
    pub fn of<'s>(forms: impl IntoIterator<Item = &'s str>) -> Echo {
        let mut pieces = HashSet::new();
        for form in forms {
            let hex: String = form.bytes().map(|byte| format!("{byte:02x}")).collect();
            for form in [form.to_ascii_lowercase(), hex] {
                let mut bytes = form.into_bytes();
                pieces.extend(bytes.array_windows().copied());
                bytes.reverse();
                pieces.extend(bytes.array_windows().copied());
            }
        }
        Echo { pieces }
    }

    /// `text` without the words that hold a piece of a secret.
    fn withhold(&self, text: &str) -> String {
        // Its bytes one by one, `70:61:73`, `70 61 73`: looked at as one word, and kept as they came.
        static BYTES: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let byte = r"(?:0x|\\x|%)?[0-9a-f]{2}";
            Regex::new(&format!(r"(?i)\b{byte}(?:(?:\s*[:,;.\s_-]\s*|){byte})+\b")).ok()
        });
        let held = |word: &str| {
            let word = word.to_ascii_lowercase().into_bytes();
            word.array_windows()
                .any(|piece| self.pieces.contains(piece))
        };
        let Some(bytes) = BYTES.as_ref() else {
            return GONE.to_owned();
        };
        let text = bytes.replace_all(text, |found: &Captures<'_>| {
            let run = found[0].replace("0x", "");
            let hex: String = run.chars().filter(char::is_ascii_hexdigit).collect();
            if held(&hex) { GONE } else { &found[0] }.to_owned()
        });
        let words = text
            .split(' ')
            .map(|word| if held(word) { GONE } else { word });
        words.collect::<Vec<_>>().join(" ")
    }
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Echo")
    }
}

/// The evidence in a report of whatever form: JSON, JSON in a string, or text with JSON in it.
fn report(text: &str, depth: u8) -> String {
    let text = clean_lines(cut(text, LONGEST_JSON));
    let text = text.trim();
    match json::begin(text).filter(|_| depth > 0) {
        Some(0) => {
            let (kept, rest) = json::keep(text, depth);
            match rest.trim().trim_matches(['"', '\'']) {
                "" => kept,
                rest => format!("{kept} {}", prose(rest, depth)),
            }
        }
        _ => prose(text, depth),
    }
}

/// The beginning of a text that is no JSON, scrubbed; JSON in the middle of it is kept as JSON.
fn prose(text: &str, depth: u8) -> String {
    let text = clean_lines(&encoded::decoded(cut_at_word(text, LONGEST_TEXT)));
    if let Some(at) = json::begin(&text).filter(|_| depth > 0) {
        let (before, json) = text.split_at(at);
        let before = shortened(&scrub::scrub(before));
        return format!("{before}{}", report(json, depth - 1));
    }
    shortened(&scrub::scrub(&text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}{GONE}", text[..end].trim_end_matches(GONE)),
        None => text.to_owned(),
    }
}

fn within(text: String, longest: usize) -> String {
    if text.len() <= longest {
        return text;
    }
    format!(
        "{}{GONE}",
        cut(&text, longest - GONE.len()).trim_end_matches(GONE)
    )
}

/// Cuts `text` to at most `longest` bytes at a character's boundary.
fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// The same where no word is cut in two, whose first half nothing would know again.
fn cut_at_word(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let kept = cut(text, longest);
    let end = kept.rfind(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '<'));
    // A single word of that length explains nothing.
    &kept[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests;
