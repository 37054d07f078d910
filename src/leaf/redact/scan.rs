//! Redacts text of any form, well-formed or cut off, by looking at each word: is it the name of a secret, or one itself?

use std::borrow::Cow;

use super::MASK;
use super::keys::{self, Rank};
use super::shapes::{self, run};
use super::value::{self, Form, Quote};

/// How far around a `value` its `name` is looked for, in bytes.
const BESIDE: usize = 500;

/// The text without its secrets.
pub(super) fn redact(text: &str) -> String {
    let text = with_plain_escapes(text);
    let mut scan = Scan {
        text: &text,
        at: 0,
        kept: String::with_capacity(text.len()),
    };
    while scan.at < text.len() {
        scan.step();
    }
    scan.kept
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    kept: String,
}

/// What stands between a name and its value.
struct Separator {
    value_at: usize,
    form: Form,
    is_equals: bool,
}

impl<'a> Scan<'a> {
    fn step(&mut self) {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else {
            return;
        };
        if rest.starts_with("-----BEGIN ") {
            return self.mask(private_block(rest));
        }
        if let Some(behind) = rest.strip_prefix("://") {
            self.keep(3);
            return self.mask(user_info(behind));
        }
        if c == '\\' && rest[1..].starts_with(['n', 'r', 't']) {
            return self.keep(2);
        }
        if c == '%' && rest.len() >= 3 && rest.as_bytes()[1..3].iter().all(u8::is_ascii_hexdigit) {
            return self.keep(3);
        }
        if c.is_alphanumeric() || c == '_' {
            self.word();
        } else {
            self.keep(c.len_utf8());
        }
    }

    fn word(&mut self) {
        let rest = self.rest();
        let length = run(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let word = &rest[..length];
        if self.named_value(word) {
            return;
        }
        if let Some(length) = shapes::jwt(rest) {
            return self.mask(length);
        }
        if let Some((name, whole)) = shapes::mail_address(rest) {
            self.mask(name);
            return self.keep(whole - name);
        }
        if shapes::okta_client_id(word) {
            return self.replace(length, &value::tail(word));
        }
        if let Some(length) = shapes::opaque_run(rest) {
            return self.mask(length);
        }
        self.keep(length);
        match word.to_ascii_lowercase().as_str() {
            "bearer" | "basic" | "negotiate" | "dpop" => self.credentials_after_scheme(),
            // The link with which a grower connects an organization names the app.
            "connections" if self.rest().starts_with('/') => {
                let segment = &self.rest()[1..];
                let id = run(segment, |c| c.is_ascii_alphanumeric() || c == '-');
                let is_id = segment[..id].bytes().any(|byte| byte.is_ascii_digit());
                if id >= 12 && is_id {
                    let tail = value::tail(&segment[..id]);
                    self.keep(1);
                    self.replace(id, &tail);
                }
            }
            _ => {}
        }
    }

    /// Where `word` is a name with a value, keeps the name and redacts the value.
    fn named_value(&mut self, word: &str) -> bool {
        let rank = match keys::rank(word) {
            Rank::Plain if keys::is_value(word) => self.rank_beside(),
            rank => rank,
        };
        // A random string that happens to have `jwt` in it is no name.
        if rank == Rank::Plain || shapes::opaque_run(word).is_some() {
            return false;
        }
        if let Some(value_at) = self.part_of_multipart(word) {
            self.keep(value_at - self.at);
            let length = self.rest().find('\n').unwrap_or(self.rest().len());
            self.put(length, rank);
            return true;
        }
        let Some(separator) = self.separator(word) else {
            return false;
        };
        self.keep(separator.value_at - self.at);
        self.value(rank, &separator);
        true
    }

    fn value(&mut self, rank: Rank, separator: &Separator) {
        let rest = self.rest();
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let length = data.find("]]>").unwrap_or(data.len());
            self.keep(rest.len() - data.len());
            return self.put(length, rank);
        }
        if separator.form != Form::Line
            && let Some(quote) = Quote::at(rest)
        {
            let length = quote.inner_length(&rest[quote.text.len()..]);
            self.keep(quote.text.len());
            return self.put(length, rank);
        }
        let length = value::length(rest, separator.form, rank, separator.is_equals);
        let rank = match (rank, separator.form) {
            // In a query a code is an authorization code, unless it is a short number.
            (Rank::Perhaps, Form::Query) if length >= 8 => Rank::Secret,
            _ => rank,
        };
        self.put(length, rank);
    }

    /// What stands between `word`, which begins here, and its value; `None` where it is no name with a value.
    fn separator(&self, word: &str) -> Option<Separator> {
        let before = &self.text[..self.at];
        let mut at = self.at + word.len();
        let skip = |at: &mut usize, what: &str| {
            let found = self.text[*at..].starts_with(what);
            *at += if found { what.len() } else { 0 };
            found
        };
        if let Some(value_at) = self.element(word) {
            return Some(Separator {
                value_at,
                form: Form::Element,
                is_equals: false,
            });
        }
        let _ = skip(&mut at, "[]") || skip(&mut at, "%5B%5D") || skip(&mut at, "%5b%5d");
        let closing = Quote::at(&self.text[at..]);
        at += closing.map_or(0, |quote| quote.text.len());
        skip(&mut at, "]");
        at += run(&self.text[at..], |c| c == ' ' || c == '\t');
        let is_equals = ["=", "%3D", "%3d", "&#61;"]
            .iter()
            .any(|sign| skip(&mut at, sign));
        if is_equals {
            at += run(&self.text[at..], |c| matches!(c, '=' | '>'));
        } else {
            let rest = &self.text[at..];
            if rest.starts_with("::") || rest.starts_with("://") {
                return None;
            }
            if ![":", "%3A", "%3a"].iter().any(|sign| skip(&mut at, sign)) {
                return None;
            }
            skip(&mut at, "=");
        }
        at += run(&self.text[at..], |c| {
            c == ' ' || c == '\t' || (c == '\n' && closing.is_some())
        });
        Some(Separator {
            value_at: at,
            form: form_after(before, closing.is_some(), is_equals, word),
            is_equals,
        })
    }

    /// Where the text of the element `<word …>` begins, if this is its start tag.
    fn element(&self, word: &str) -> Option<usize> {
        let before = &self.text[..self.at];
        let name_at = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == ':');
        if !name_at.ends_with('<') {
            return None;
        }
        let after = &self.text[self.at + word.len()..];
        let end = after.find(['<', '>'])?;
        let is_open = after[end..].starts_with('>') && !after[..end].ends_with('/');
        let is_name = after.starts_with(|c: char| c.is_whitespace() || c == '>');
        (is_open && is_name).then_some(self.at + word.len() + end + 1)
    }

    /// Where the value begins, if `word` names a part of a multipart form: `name="word"`, an empty line, the value.
    fn part_of_multipart(&self, word: &str) -> Option<usize> {
        if !self.text[..self.at].ends_with("name=\"") {
            return None;
        }
        let after = &self.text[self.at + word.len()..];
        let head = after.strip_prefix('"')?;
        let empty_line = head.find("\n\n")?;
        let is_own_head = !head[..empty_line].contains("--") && empty_line < BESIDE;
        is_own_head.then(|| self.text.len() - head.len() + empty_line + 2)
    }

    /// What `value` is, by the `name` in the same tag or braces: `<input name="password" value="…">`.
    fn rank_beside(&self) -> Rank {
        let from = self
            .text
            .floor_char_boundary(self.at.saturating_sub(BESIDE));
        let to = self.text.floor_char_boundary(self.at + BESIDE);
        let before = &self.text[from..self.at];
        let after = &self.text[self.at..to];
        let opened = before.rfind(['<', '{']).map_or(0, |at| at + 1);
        let closed = after.find(['>', '}']).unwrap_or(after.len());
        names_in(&before[opened..])
            .chain(names_in(&after[..closed]))
            .map(keys::rank)
            .find(|rank| *rank != Rank::Plain)
            .unwrap_or(Rank::Plain)
    }

    /// Behind `Bearer` and its like: what is no sentence and no parameter.
    fn credentials_after_scheme(&mut self) {
        let rest = self.rest();
        let blanks = if rest.starts_with("%20") {
            3
        } else {
            run(rest, |c| matches!(c, ' ' | '\t' | '+' | '\n' | ':' | '='))
        };
        let credentials = &rest[blanks..];
        let length = run(credentials, |c| {
            c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=' | '%' | '|')
        });
        let word = &credentials[..length];
        // `realm="…"`, `error="…"` and the like are words of a challenge.
        let is_parameter = word.ends_with('=') && credentials[length..].starts_with(['"', '\\']);
        if blanks > 0 && length > 0 && !is_parameter && !shapes::is_prose(word) {
            self.keep(blanks);
            self.mask(length);
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn keep(&mut self, length: usize) {
        self.kept.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    fn mask(&mut self, length: usize) {
        if length > 0 {
            self.replace(length, MASK);
        }
    }

    fn replace(&mut self, length: usize, with: &str) {
        self.kept.push_str(with);
        self.at += length;
    }

    /// Puts what stands for a value of `rank` in the place of the next `length` bytes; blanks around it stay. What may
    /// stay is looked at as text of its own.
    fn put(&mut self, length: usize, rank: Rank) {
        let value = &self.text[self.at..self.at + length];
        match value::stand_in(rank, value) {
            Some(stand_in) => {
                let trimmed = value.trim_start();
                self.keep(length - trimmed.len());
                let trimmed = trimmed.trim_end().len();
                self.replace(trimmed, &stand_in);
            }
            // It is text like any other, which the next steps look at.
            None if rank == Rank::Perhaps => {}
            None => self.keep(length),
        }
    }
}

/// How the value of a name is written, by what stands before the name.
fn form_after(before: &str, is_quoted: bool, is_equals: bool, word: &str) -> Form {
    let marks = ["?", "&", "&amp;", "%26", "%3F", "%3f"];
    if is_equals && marks.iter().any(|mark| before.ends_with(mark)) {
        return Form::Query;
    }
    let line = before.rsplit('\n').next().unwrap_or(before);
    let lead = line.trim_matches([' ', '\t', '>', '<', '*', '|', '-']);
    if !is_equals && !is_quoted && lead.is_empty() {
        return Form::Line;
    }
    let held = before.trim_end_matches([' ', '"', '\'', '\\']);
    let is_held = held.ends_with(['{', '[', '(', ',']) || held.is_empty();
    if is_equals || is_held || keys::rank(word) == Rank::WideSecret {
        Form::Pairs
    } else {
        Form::Word
    }
}

/// The values of all `name="…"` in a piece of text.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
    let filled = words.filter(|word| !word.is_empty());
    filled
        .scan(false, |named, word| {
            let is_named = std::mem::replace(named, keys::is_name(word));
            Some(is_named.then_some(word))
        })
        .flatten()
}

/// The length of a PEM block, to the end of its last line; of one cut off, all of it.
fn private_block(text: &str) -> usize {
    const END: &str = "-----END ";
    let Some(end) = text.find(END) else {
        return text.len();
    };
    let behind = &text[end + END.len()..];
    let close = behind.find("-----").map_or(behind.len(), |at| at + 5);
    end + END.len() + close
}

/// The length of the user name and password in a URL, given what is behind its `://`.
fn user_info(behind: &str) -> usize {
    let is_inside =
        |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | ',');
    let all = &behind[..run(behind, is_inside)];
    let authority = &all[..run(all, |c| !matches!(c, '/' | '?' | '#'))];
    if let Some(at) = authority.rfind('@') {
        return at;
    }
    // A password may hold a slash, as little as it should; what looks like a port and is none began one.
    match authority.split_once(':') {
        Some((_, port)) if port.bytes().any(|byte| !byte.is_ascii_digit()) => {
            all.rfind('@').unwrap_or(0)
        }
        _ => 0,
    }
}

/// JSON's escapes of plain characters undone, as in `\u003d`, so that names and separators are known again.
fn with_plain_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u00") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u00") {
        let digits = rest.get(at + 4..at + 6);
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let is_plain = |code: &u8| (b' '..=b'~').contains(code) && !matches!(code, b'"' | b'\\');
        match code.filter(is_plain) {
            Some(code) => {
                plain.push_str(&rest[..at]);
                plain.push(char::from(code));
                rest = &rest[at + 6..];
            }
            None => {
                plain.push_str(&rest[..at + 4]);
                rest = &rest[at + 4..];
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
