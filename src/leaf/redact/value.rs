//! Where the value after a name ends, in each of the forms it may be written in, and what is put in its place.

use super::MASK;
use super::keys::Rank;
use super::shapes::{is_perhaps_secret, run};

/// How a value is written, which says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Between tags: to the next `<`.
    Element,
    /// In a query or form: to the next `&`.
    Query,
    /// A header line, with the lines folded under it.
    Line,
    /// One of several pairs, as in Java's map text: to the next pair, or the end of what holds them.
    Pairs,
    /// A word in a sentence.
    Word,
}

/// What to put in the place of `value`; `None` where it may stay.
pub(super) fn stand_in(rank: Rank, value: &str) -> Option<String> {
    let word = value.trim();
    let is_masked = word == MASK || (word.starts_with('…') && word.chars().count() <= 5);
    if word.is_empty() || is_masked || is_literal(word) {
        return None;
    }
    match rank {
        Rank::Plain => None,
        Rank::Perhaps if !is_perhaps_secret(word) => None,
        Rank::ClientId => Some(tail(word)),
        Rank::Secret | Rank::WideSecret | Rank::Perhaps => Some(MASK.to_owned()),
    }
}

/// A client id by its last characters, where it is long enough to keep the rest to itself.
pub(super) fn tail(word: &str) -> String {
    let length = word.chars().count();
    let tail: String = word.chars().skip(length.saturating_sub(4)).collect();
    if length >= 12 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        format!("…{tail}")
    } else {
        MASK.to_owned()
    }
}

fn is_literal(word: &str) -> bool {
    matches!(word, "null" | "true" | "false" | "None" | "True" | "False")
}

/// A quote at the start of a text: `"`, `'`, either behind backslashes, or its spelling in HTML or a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quote<'a> {
    /// The quote as it is written.
    pub(super) text: &'a str,
    backslashes: usize,
}

impl<'a> Quote<'a> {
    pub(super) fn at(text: &'a str) -> Option<Self> {
        const SPELLED: [&str; 8] = [
            "&quot;", "&#34;", "&#x22;", "&apos;", "&#39;", "&#x27;", "%22", "%27",
        ];
        if let Some(spelled) = SPELLED.iter().find(|spelled| text.starts_with(**spelled)) {
            return Some(Quote {
                text: &text[..spelled.len()],
                backslashes: 0,
            });
        }
        let backslashes = run(text, |c| c == '\\');
        text[backslashes..].starts_with(['"', '\'']).then(|| Quote {
            text: &text[..=backslashes],
            backslashes,
        })
    }

    /// The length of what is quoted, given the text behind this quote; all of it where no quote ends it.
    pub(super) fn inner_length(self, behind: &str) -> usize {
        self.end(behind).0
    }

    /// The length of this quote, what is quoted, and the quote that ends it.
    fn whole_length(self, behind: &str) -> usize {
        self.text.len() + self.end(behind).1
    }

    /// Where the ending quote begins and ends behind this one.
    fn end(self, behind: &str) -> (usize, usize) {
        let mark = self.text.trim_start_matches('\\');
        let mut from = 0;
        while let Some(at) = behind[from..].find(mark) {
            let at = from + at;
            let before = &behind[..at];
            let backslashes = before.len() - before.trim_end_matches('\\').len();
            // JSON n times in a string has 2^n - 1 backslashes before its quotes, twice that and one more before quotes
            // inside those, and fewer where an outer string ends.
            let own = self.backslashes;
            if mark.len() > 1 || backslashes < own || backslashes % (2 * (own + 1)) == own {
                return (at - backslashes.min(own), at + mark.len());
            }
            from = at + mark.len();
        }
        (behind.len(), behind.len())
    }
}

/// The length of the value that `text` begins with.
pub(super) fn length(text: &str, form: Form, rank: Rank, separator_is_equals: bool) -> usize {
    match form {
        Form::Line => line_length(text),
        Form::Element => text.find('<').unwrap_or(text.len()),
        _ if text.starts_with('[') => list_length(text),
        _ if text.starts_with('{') => object_length(text),
        Form::Query => run(text, |c| {
            !c.is_whitespace() && !matches!(c, '&' | '"' | '\'' | '<' | '>' | '\\')
        }),
        Form::Pairs => pairs_length(text, rank, separator_is_equals),
        Form::Word => word_length(text),
    }
}

/// To the end of the line, and of the lines folded under it, which begin with a blank.
fn line_length(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find('\n') {
        let end = from + at;
        if !text[end + 1..].starts_with([' ', '\t']) {
            return end;
        }
        from = end + 1;
    }
    text.len()
}

fn word_length(text: &str) -> usize {
    let is_inside = |c: char| {
        !c.is_whitespace()
            && !matches!(
                c,
                '&' | ',' | ';' | '"' | '\'' | '<' | '>' | ')' | '}' | ']' | '\\'
            )
    };
    let first = run(text, is_inside);
    let scheme = ["bearer", "basic", "digest", "negotiate", "dpop", "mac"];
    if scheme.contains(&text[..first].to_ascii_lowercase().as_str()) {
        let blanks = run(&text[first..], |c| c == ' ' || c == '\t');
        return first + blanks + run(&text[first + blanks..], is_inside);
    }
    first
}

/// `[…]` to the bracket that ends it: quoted items are skipped as wholes; else it is one that something follows which
/// could not follow inside a value.
fn list_length(text: &str) -> usize {
    let mut at = 1;
    loop {
        at += run(&text[at..], |c| c.is_whitespace() || c == ',');
        let Some(quote) = Quote::at(&text[at..]) else {
            break;
        };
        at += quote.whole_length(&text[at + quote.text.len()..]);
    }
    for (offset, _) in text[at..].match_indices(']') {
        let end = at + offset + 1;
        if ends_a_holder(&text[end..]) {
            return end;
        }
    }
    text.len()
}

/// `{…}` to the brace that balances it, braces in quotes aside.
fn object_length(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(quote) = Quote::at(&text[at..]) {
            at += quote.whole_length(&text[at + quote.text.len()..]);
            continue;
        }
        at += c.len_utf8();
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// To the next pair, the end of the line, or the bracket or quote that ends what holds the pairs.
fn pairs_length(text: &str, rank: Rank, separator_is_equals: bool) -> usize {
    for (at, c) in text.char_indices() {
        let behind = &text[at + c.len_utf8()..];
        let ends = match c {
            '\n' => true,
            '\\' => behind.starts_with(['n', 'r', '"', '\'']),
            '"' | '\'' => at > 0 && ends_a_holder(behind),
            '}' | ')' | ']' => ends_a_holder(behind),
            ',' => is_pair(behind),
            // A cookie has pairs of its own.
            ';' | '&' => rank != Rank::WideSecret && is_pair(behind),
            ' ' | '\t' => separator_is_equals && rank != Rank::WideSecret && is_pair(behind),
            '<' => behind.starts_with('/'),
            _ => false,
        };
        if ends {
            return at;
        }
    }
    text.len()
}

/// Whether what follows a bracket or quote says that it ended a list, map or string, and was not inside a value.
fn ends_a_holder(behind: &str) -> bool {
    behind.is_empty()
        || behind.starts_with([
            ',', '}', ']', ')', '"', '\'', '\\', '\n', ':', '<', ' ', '\t', ';', '&',
        ])
}

/// Whether `text` begins with a name and a sign that its value follows.
fn is_pair(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t']);
    let name = run(text, |c| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'')
    });
    name > 0 && text[name..].trim_start_matches(' ').starts_with(['=', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> &str {
        let quote = Quote::at(text).unwrap();
        let behind = &text[quote.text.len()..];
        &behind[..quote.inner_length(behind)]
    }

    #[test]
    fn quotes_end_at_their_own_depth() {
        assert_eq!(quoted(r#""a\"b" c"#), r#"a\"b"#);
        assert_eq!(quoted(r#""a\\" c"#), r#"a\\"#);
        assert_eq!(quoted(r#"\"a\\\"b\" c"#), r#"a\\\"b"#);
        assert_eq!(quoted(r#"\"a" c"#), "a");
        assert_eq!(quoted(r#"'a"b' c"#), r#"a"b"#);
        assert_eq!(quoted("&quot;ab&quot; c"), "ab");
        assert_eq!(quoted("\"cut off"), "cut off");
    }

    #[test]
    fn lists_and_objects_end_at_their_own_bracket() {
        let length = |text| length(text, Form::Pairs, Rank::Secret, true);
        assert_eq!(length("[a]b, c], x=1"), "[a]b, c]".len());
        assert_eq!(length(r#"["a]","b"],"x":1"#), r#"["a]","b"]"#.len());
        assert_eq!(length(r#"{"a":"}","b":{}} x"#), r#"{"a":"}","b":{}}"#.len());
        assert_eq!(length("a b; c, d=1"), "a b; c".len());
    }
}
