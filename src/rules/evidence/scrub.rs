//! One list of rules for what is left of a text: what looks like a credential, and what follows a word for one.
//!
//! All patterns are of the `regex` crate, which takes linear time whatever it is given.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::GONE;
use super::names::{self, Role};

/// One thing to look for, and what stays of it.
struct Rule {
    finds: Regex,
    keeps: fn(&Captures<'_>) -> String,
}

impl Rule {
    fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.finds.replace_all(text, self.keeps)
    }
}

fn rule((pattern, keeps): &(String, fn(&Captures<'_>) -> String)) -> Option<Rule> {
    // That every pattern is one, a test says.
    let finds = Regex::new(pattern).ok()?;
    Some(Rule {
        finds,
        keeps: *keeps,
    })
}

type Pattern = (String, fn(&Captures<'_>) -> String);

/// The rules in the order in which they are applied: the structure of the text first, single words last.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| patterns().iter().filter_map(rule).collect());

/// Those that also hold in a link that a person is to follow.
static LINKS: LazyLock<Vec<Rule>> =
    LazyLock::new(|| link_patterns().iter().filter_map(rule).collect());

fn patterns() -> Vec<Pattern> {
    let parts = names::SECRET_PARTS.join("|");
    // `api key`, `pass-word`: a name may be split where words are.
    let name = format!(
        r"[\w.$-]{{0,40}}(?:{parts}|api[ _-]?key|pass|pwd|key|pin|otp|sid|sig|auth|nonce|salt|saml|csrf|xsrf|cred|cert|mac|code)[\w.$-]{{0,40}}"
    );
    let mut patterns: Vec<Pattern> = vec![
        // Keys and certificates.
        (
            r"(?s)-----BEGIN [A-Z ]{3,40}-----.*?(?:-----END [A-Z ]{3,40}-----|\z)".into(),
            |_| GONE.into(),
        ),
        // Every part of a multipart form, whatever it is called.
        (
            r"(?is)(form-data;[^\n]*\n(?:[\w-]+:[^\n]*\n)*\s*\n).*?(\n--|\z)".into(),
            |found| format!("{}{GONE}{}", &found[1], &found[2]),
        ),
        // An element: <password type="x">…</password>, CDATA too.
        (
            r"(?s)<([A-Za-z][\w:.-]{0,60})((?:\s[^<>]*)?)>(\s*<!\[CDATA\[.*?(?:\]\]>|\z)|[^<]+)"
                .into(),
            |found| {
                if is_secret(&found[1]) && !names::is_plain(&found[3]) {
                    format!("<{}>{GONE}", &found[1])
                } else {
                    found[0].to_owned()
                }
            },
        ),
        // Attributes of a tag that speaks of a secret: <input name="password" value="…">, in any order.
        (
            format!(
                r"(?i)<([A-Za-z][\w:.-]{{0,60}})\s[^<>]*(?:{name}|value|content)\s*['=][^<>]*(>|\z)"
            ),
            |found| format!("<{} {GONE}{}", &found[1], &found[2]),
        ),
        // Cells: a secret's name in one, the secret in the next; of a table, a list of definitions, a line with bars or tabs.
        (
            format!(
                r#"(?i)\b({name})\\*["']?\s*:?\s*(?:((?:</?[A-Za-z][^<>]{{0,100}}>\s*)+)([^<]+)|(\|\s*)([^|\n]+)|(\t+)([^\t\n]+)|(["']\s*,\s*\\*["'])([^"'\n]+))"#
            ),
            |found| {
                let mut groups = found.iter().skip(2).flatten();
                let (between, value) = (groups.next(), groups.next());
                let (between, value) = (
                    between.map_or("", |m| m.as_str()),
                    value.map_or("", |m| m.as_str()),
                );
                if is_secret(&found[1]) && !names::is_plain(value) {
                    format!("{}{between}{GONE}", &found[1])
                } else {
                    found[0].to_owned()
                }
            },
        ),
        // curl -u name:password
        (
            r#"(^|\s)(-u|--user|--proxy-user|-U)(?:\s+|=)(?:"[^"]*"|'[^']*'|\S+)"#.into(),
            |found| format!("{}{} {GONE}", &found[1], &found[2]),
        ),
    ];
    patterns.extend(link_patterns());
    patterns.extend([
        // People: the part before the @ of an address.
        (
            r"[\w.+%'-]{1,64}@((?:[\w-]{1,63}\.)+[A-Za-z]{2,})".into(),
            (|found| format!("{GONE}@{}", &found[1])) as fn(&Captures<'_>) -> String,
        ),
        // Runs without a blank that look like nothing a person wrote.
        (r"[A-Za-z0-9][A-Za-z0-9+/_=.~%-]{7,}".into(), |found| {
            run(&found[0])
        }),
    ]);
    patterns
}

fn link_patterns() -> Vec<Pattern> {
    vec![
        // https://name:password@host
        (r#"(://)[^\s/?#"'<>]*@"#.into(), |found| format!("{}{GONE}@", &found[1])),
        (r"\beyJ[A-Za-z0-9_-]{4,}[A-Za-z0-9_.=-]*".into(), |_| GONE.into()),
        (
            r"\b(?:sk|pk|rk|ghp|gho|ghs|ghu|github_pat|glpat|xox[abprs]|npm|pypi|dop_v1|shpat|whsec|tok|key|AKIA|ASIA|AIza|ya29|SG|hvs|EAAC)[A-Z0-9]{0,4}[_.-][A-Za-z0-9_.=/-]{6,}|\b(?:AKIA|ASIA)[A-Z0-9]{8,}|\bAIza[\w-]{10,}".into(),
            |found| if found[0].bytes().any(|byte| byte.is_ascii_digit()) { GONE.into() } else { found[0].to_owned() },
        ),
    ]
}

/// `text` without what looks like a credential or follows a word for one; plain words and codes stay.
pub(super) fn scrub(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    let (last, first) = RULES
        .split_last_chunk::<2>()
        .map_or((&[][..], &RULES[..]), |(first, last)| (&last[..], first));
    for rule in first {
        text = Cow::Owned(rule.apply(&text).into_owned());
    }
    let mut text = followers(&assignments(&text));
    for rule in last {
        text = rule.apply(&text).into_owned();
    }
    text
}

/// A link that a person is to follow, without secrets that it names; an id in it stays, or it would lead nowhere.
pub(super) fn link(text: &str) -> String {
    let mut text = assignments(text);
    for rule in LINKS.iter() {
        text = rule.apply(&text).into_owned();
    }
    text
}

/// What a mail server said. The number under which it took a mail stays: an admin finds the mail in its log by it.
pub(super) fn reply(text: &str) -> String {
    static QUEUED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?:queued as |id=)([A-Za-z0-9-]{6,20})(?:\s|$)").ok());
    let queued = QUEUED
        .as_ref()
        .and_then(|queued| queued.captures(text)?.get(1));
    match queued {
        Some(id) => format!(
            "{}{}{}",
            scrub(&text[..id.start()]),
            id.as_str(),
            scrub(&text[id.end()..])
        ),
        None => scrub(text),
    }
}

/// Whether a single word is a token by its form alone.
pub(super) fn is_a_token(word: &str) -> bool {
    // Most words are of letters alone, and the patterns want more than letters but for these beginnings.
    let letters = word.bytes().all(|byte| byte.is_ascii_alphabetic());
    if letters
        && !["eyJ", "AKIA", "ASIA", "AIza"]
            .iter()
            .any(|begin| word.contains(begin))
    {
        return false;
    }
    LINKS.iter().any(|rule| rule.finds.is_match(word))
}

/// What says what went wrong elsewhere lets somebody in where a login comes back to its link.
fn is_secret_in_query(name: &str) -> bool {
    name.eq_ignore_ascii_case("code") || name.eq_ignore_ascii_case("state")
}

fn is_secret(name: &str) -> bool {
    names::role(name) == Role::Secret
}

/// `name=value`, `"name": "value"`, `name => value`: a secret's value goes up to its closing quote, the next name, or the
/// end of the line.
fn assignments(text: &str) -> String {
    static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:\A|[\s,;&?#{\[(<|"'\\>])([\p{L}_$@][\w.$@-]{0,63})[\\"'\]]*\s*(?:=>|:=|[:=])[ \t]*\n?[ \t]*"#).ok()
    });
    let Some(pattern) = NAME.as_ref() else {
        return GONE.to_owned();
    };
    let mut names: Vec<_> = pattern
        .captures_iter(text)
        .filter_map(|found| Some((found.get(0)?, found.get(1)?.as_str())))
        .filter(|(whole, _)| !text[whole.end()..].starts_with("//"))
        .map(|(whole, name)| (whole, name, names::role(name), text.len()))
        .collect();
    // Where the value of each ends at the latest, from behind. A secret may have an `&` of its own: only what is surely a
    // name ends it there.
    let mut next = text.len();
    for (whole, _, role, end) in names.iter_mut().rev() {
        *end = next;
        if !whole.as_str().starts_with(['&', ';', ',']) || *role == Role::Evidence {
            next = whole.start();
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (whole, name, role, next) in names {
        let in_query = whole.as_str().starts_with(['?', '&']) && is_secret_in_query(name);
        if whole.start() < done || !in_query && role != Role::Secret {
            continue;
        }
        let line_end = text[whole.end()..]
            .find('\n')
            .map_or(text.len(), |end| whole.end() + end);
        let lower = name.to_ascii_lowercase();
        let end = if let Some(end) = closing_quote(text, whole.end()) {
            end
        } else if lower.contains("cookie") || lower.contains("auth") {
            // These have names of their own inside.
            line_end
        } else {
            line_end.min(next)
        };
        let value = text[whole.end()..end.max(whole.end())].trim_end_matches([' ', ',', ';', '&']);
        let spaced = whole.as_str().ends_with([' ', '\n']);
        if value.is_empty() || names::is_plain(value) || in_query && is_small_number(value) {
            continue;
        }
        out.push_str(&text[done..whole.end()]);
        if spaced && names::begins_plain(value) {
            out.push_str(&names::plain_words(value));
        } else {
            out.push_str(GONE);
        }
        done = whole.end() + value.len();
    }
    out.push_str(&text[done..]);
    out
}

/// Where a value ends that begins with a quote: behind the same quote, where something else than more of it follows.
fn closing_quote(text: &str, start: usize) -> Option<usize> {
    let value = &text[start..];
    let slashes = value.len() - value.trim_start_matches('\\').len();
    let quote = value[slashes..]
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let quote = format!("{}{quote}", &value[..slashes]);
    let mut at = start + quote.len();
    while let Some(found) = text[at..].find(&quote) {
        let end = at + found + quote.len();
        let escaped = slashes == 0 && text[..at + found].ends_with('\\');
        let ends = text[end..]
            .chars()
            .next()
            .is_none_or(|c| c.is_whitespace() || ",;&}])>\\/|'\"".contains(c));
        if ends && !escaped {
            return Some(end);
        }
        at = end;
    }
    // Cut off before its end: nothing more follows that could be told from it.
    Some(text.len())
}

/// Words in a sentence: `the token 3f9a-x was refused`, `Bearer abc`, `password is hunter2`. Words of letters alone are
/// prose and stay.
fn followers(text: &str) -> String {
    #[derive(Clone, Copy, PartialEq)]
    enum After {
        Nothing,
        Secret,
        Scheme,
        Login,
    }
    let mut out = String::with_capacity(text.len());
    let mut after = After::Nothing;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let keeps = match after {
            After::Nothing => true,
            _ if bare.is_empty() || bare.contains("://") => true,
            After::Secret => {
                let quoted = word.starts_with(['"', '\'', '`', '(', '[']);
                let prose = !quoted
                    && bare
                        .chars()
                        .all(|c| c.is_alphabetic() || "-_'/.".contains(c));
                prose || names::is_plain(bare) || is_small_number(bare) || is_assignment(word)
            }
            After::Scheme => names::is_plain(bare) || is_assignment(word),
            After::Login => names::is_plain(bare) || !is_pair(bare),
        };
        if keeps {
            out.push_str(word);
        } else {
            out.push_str(GONE);
            out.push_str(&word[word.trim_end().len()..]);
        }
        let glue = matches!(
            bare,
            "is" | "was" | "of" | "are" | "were" | "value" | "number"
        );
        after = match bare.to_ascii_lowercase().as_str() {
            "bearer" | "basic" | "negotiate" | "ntlm" | "digest" => After::Scheme,
            _ if !keeps => After::Nothing,
            "login" | "logon" | "signin" | "user" | "username" | "credentials" => After::Login,
            "as" | "by" | "for" | "with" if after == After::Login => after,
            _ if glue || bare.is_empty() => after,
            name if name.len() <= 64 && is_secret(bare) => After::Secret,
            _ => After::Nothing,
        };
    }
    out
}

/// `anna/hunter2`: a name and a password in one word.
fn is_pair(word: &str) -> bool {
    let mut parts = word.split(['/', ':']);
    let (name, password) = (parts.next(), parts.next());
    let no_path = parts.next().is_none();
    let named = name.is_some_and(|name| name.contains(char::is_alphabetic));
    named && no_path && password.is_some_and(|password| !names::is_plain(password))
}

fn is_small_number(word: &str) -> bool {
    word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `error="invalid_token"`: looked at as one, and kept as one.
fn is_assignment(word: &str) -> bool {
    word.split_once(['=', ':']).is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && !is_secret(name)
    })
}

/// A run of characters, its pieces between slashes looked at one by one: a path keeps what a person can read.
fn run(text: &str) -> String {
    let pieces: Vec<&str> = text.split('/').collect();
    let mut bad: Vec<bool> = pieces.iter().copied().map(is_like_a_credential).collect();
    if !bad.contains(&true) {
        return text.to_owned();
    }
    // A piece of base64 beside another one goes with it; words of a path are in lower case.
    let part = |piece: &str| {
        piece.is_empty()
            || !piece
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    for at in 1..pieces.len() {
        bad[at] |= bad[at - 1] && part(pieces[at]);
    }
    for at in (1..pieces.len()).rev() {
        bad[at - 1] |= bad[at] && part(pieces[at - 1]);
    }
    let kept = pieces
        .iter()
        .zip(bad)
        .map(|(piece, bad)| if bad { GONE } else { *piece });
    kept.collect::<Vec<_>>().join("/")
}

/// Whether a run looks like nothing that a person wrote: letters and digits, or capitals and small letters, that change
/// more often than in words with numbers at their ends.
pub(super) fn is_like_a_credential(run: &str) -> bool {
    let core: Vec<u8> = run.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let length = core.len();
    if length < 8 || is_a_token(run) {
        return length >= 8;
    }
    if is_uuid(run) {
        return true;
    }
    let digits = core.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = length - digits;
    let turns = core
        .windows(2)
        .filter(|pair| turns(pair[0], pair[1]))
        .count();
    let separated = run.contains(['_', '-', '.']);
    let foreign = turns >= 2 && length >= 10 && !separated && !names::sounds_like_words(&core);
    let hex = core.iter().all(u8::is_ascii_hexdigit);
    if letters == 0 {
        return length >= 16 && !separated;
    }
    let has = |class: fn(&u8) -> bool| core.iter().any(class);
    let mixed = digits > 0 && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    foreign
        || turns >= 3 && turns * 4 >= length
        || mixed && turns >= 6 && turns * 6 >= length && length >= 20
        || hex && digits > 0 && length >= 16
        || !separated && digits >= 3 && letters >= 3 && turns >= 3 && length >= 16
        || !separated && length >= 40
}

fn turns(first: u8, second: u8) -> bool {
    let class = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    // A capital before small letters begins a word.
    class(first) != class(second) && !(first.is_ascii_uppercase() && second.is_ascii_lowercase())
}

fn is_uuid(run: &str) -> bool {
    static UUID: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").ok()
    });
    UUID.as_ref().is_some_and(|uuid| uuid.is_match(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        assert_eq!(RULES.len(), patterns().len());
        assert_eq!(LINKS.len(), link_patterns().len());
    }
}
