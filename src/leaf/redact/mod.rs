//! The edge at which event bodies and headers lose their secrets, before anything else sees them.
//!
//! What is sent may be JSON, JSON inside a string, a form, header lines, Java's map text, XML, HTML or prose, cut off
//! anywhere. Where it cannot be told whether something is a secret, it is one: too much is taken rather than too little.
//! What diagnosis needs stays: error words and texts, links, ids of users and events.

mod json;
mod keys;
mod scan;
mod shapes;
mod value;

use super::text::{clean_block, cut};

/// Stands for a secret.
const MASK: &str = "***";

/// The longest body that is kept, in bytes.
pub const LONGEST_BODY: usize = 4 * 1024;

/// The longest headers that are kept, in bytes.
pub const LONGEST_HEADERS: usize = 2 * 1024;

/// What is longer is cut before it is looked at.
const LONGEST_INPUT: usize = 64 * 1024;

/// Redacting what is redacted changes nothing; a text that does not come to rest in this many rounds is given up.
const ROUNDS: usize = 8;

/// An event's body without its secrets, at most [`LONGEST_BODY`] bytes.
///
/// ```
/// let kept = leafwatch::leaf::redact::body(r#"{"error":"invalid_grant","refresh_token":"c3ecre7"}"#);
/// assert_eq!(kept, r#"{"error":"invalid_grant","refresh_token":"***"}"#);
/// ```
pub fn body(text: &str) -> String {
    redact(text, LONGEST_BODY)
}

/// An event's headers without their secrets, at most [`LONGEST_HEADERS`] bytes.
pub fn headers(text: &str) -> String {
    redact(text, LONGEST_HEADERS)
}

fn redact(text: &str, longest: usize) -> String {
    let mut text = clean_block(without_half_a_word(text));
    for _ in 0..ROUNDS {
        let next = shorten(pass(&text), longest);
        if next == text {
            return next;
        }
        text = next;
    }
    MASK.to_owned()
}

/// One look over a text, in whichever form it is; also over the strings inside JSON.
fn pass(text: &str) -> String {
    json::redact(text).unwrap_or_else(|| scan::redact(text))
}

/// Cuts an overlong text where no secret is cut in two, whose first half nothing would know again.
fn without_half_a_word(text: &str) -> &str {
    if text.len() <= LONGEST_INPUT {
        return text;
    }
    let kept = cut(text, LONGEST_INPUT);
    let end = kept.rfind(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '<'));
    &kept[..end.unwrap_or(0)]
}

fn shorten(text: String, longest: usize) -> String {
    const MORE: &str = "…";
    if text.len() <= longest {
        return text;
    }
    format!("{}{MORE}", cut(&text, longest - MORE.len()))
}

#[cfg(test)]
mod tests;
