//! What looks like a secret, whatever its name: JWTs, long random strings; and mail addresses and Okta's client ids.

/// A random-looking run of fewer characters is left alone where no name announces it.
const SHORTEST_OPAQUE: usize = 24;

/// From this length on less of a random look is enough.
const LONG_OPAQUE: usize = 40;

/// The length of a JWT or its first part at the start of `text`, which begins with `{"` in base64url.
pub(super) fn jwt(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let length = run(text, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=')
    });
    (length >= 16).then_some(length)
}

/// A mail address at the start of `text`: the lengths of its name and of all of it.
pub(super) fn mail_address(text: &str) -> Option<(usize, usize)> {
    let name = run(text, |c| {
        c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '\'')
    });
    let rest = &text[name..];
    let at = ["@", "%40"].iter().find(|at| rest.starts_with(**at))?;
    let domain = run(&rest[at.len()..], |c| {
        c.is_alphanumeric() || matches!(c, '.' | '-')
    });
    let is_domain = rest[at.len()..][..domain]
        .trim_end_matches('.')
        .contains('.');
    (name > 0 && is_domain).then_some((name, name + at.len() + domain))
}

/// How much at the start of `text` is a random-looking string: base64, base64url or hex.
pub(super) fn opaque_run(text: &str) -> Option<usize> {
    let piece = run(text, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+')
    });
    let whole = run(text, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/')
    });
    let padded = |length: usize| length + run(&text[length..], |c| c == '=').min(2);
    if whole > piece && is_base64_with_slashes(&text[..whole]) {
        return Some(padded(whole));
    }
    is_opaque(&text[..piece]).then(|| padded(piece))
}

/// Whether `word` is random-looking, and so long that it says something.
fn is_opaque(word: &str) -> bool {
    if word.len() < SHORTEST_OPAQUE || is_uuid(word) {
        return false;
    }
    let mix = Mix::of(word);
    if mix.digits > 0 && mix.is_hex && mix.separators == 0 {
        return true;
    }
    (mix.digits >= 2 && (mix.changes >= 0.25 || mix.digit_groups >= 3) && mix.words_are_short)
        || ((0.32..=0.68).contains(&mix.upper_share) && mix.changes >= 0.4)
        || (word.len() >= LONG_OPAQUE && mix.upper_share > 0.1 && mix.changes >= 0.32)
}

fn is_base64_with_slashes(run: &str) -> bool {
    if run.len() < SHORTEST_OPAQUE || run.split('/').any(is_uuid) {
        return false;
    }
    let mix = Mix::of(run);
    mix.changes >= 0.35 && mix.upper_share >= 0.2 && mix.words_are_short
}

/// Whether an ambiguous value is no plain word: `"code": "E0000011"` and `"code": 401` are, an authorization code is not.
pub(super) fn is_perhaps_secret(value: &str) -> bool {
    let letters = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    let value = value.trim();
    let blanks = value.contains(' ');
    (value.len() >= 10 && letters && digits && !blanks && !is_uuid(value))
        || (value.len() >= 16 && !blanks && Mix::of(value).changes >= 0.25)
}

/// Okta's ids of apps begin so and have 20 characters; Deere's client keys are such.
pub(super) fn okta_client_id(word: &str) -> bool {
    word.len() == 20
        && word.starts_with("0oa")
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether `word`, after `Bearer` or `Basic`, goes on with a sentence.
pub(super) fn is_prose(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ':', ';', '!']);
    let tail = word.get(1..).unwrap_or("");
    word.len() < 20
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (tail.bytes().all(|byte| byte.is_ascii_lowercase())
            || word.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36 && uuid::Uuid::try_parse(word).is_ok()
}

/// The number of bytes at the start of `text` whose characters all are `of` the kind.
pub(super) fn run(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

/// How the kinds of characters are mixed. In words and names made of words they change seldom; in random text often.
struct Mix {
    digits: usize,
    /// Places where a digit follows a letter directly.
    digit_groups: usize,
    separators: usize,
    /// Share of neighbours of different kind: lower case, upper case, digit.
    changes: f64,
    /// Share of upper case among letters.
    upper_share: f64,
    is_hex: bool,
    /// Whether no run of lower-case letters is as long as a word in a name (12 or more).
    words_are_short: bool,
}

impl Mix {
    fn of(text: &str) -> Self {
        let kind = |byte: u8| match byte {
            b'a'..=b'z' => 1u8,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => 3,
            _ => 0,
        };
        let count = |wanted: u8| text.bytes().filter(|&byte| kind(byte) == wanted).count();
        let (mut changes, mut digit_groups) = (0, 0);
        let (mut lower_run, mut longest_run) = (0, 0);
        for (before, after) in text.bytes().zip(text.bytes().skip(1)) {
            let (before, after) = (kind(before), kind(after));
            changes += usize::from(before != after && before != 0 && after != 0);
            digit_groups += usize::from(after == 3 && (before == 1 || before == 2));
            lower_run = if after == 1 { lower_run + 1 } else { 0 };
            longest_run = longest_run.max(lower_run);
        }
        let (lower, upper, digits) = (count(1), count(2), count(3));
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        Mix {
            digits,
            digit_groups,
            separators: count(0),
            changes: share(changes, text.len().saturating_sub(1)),
            upper_share: share(upper, lower + upper),
            is_hex: text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            words_are_short: longest_run < 12,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_strings_are_told_from_names() {
        for secret in [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "dGhpcyBpcyBhIHZlcnkgc2VjcmV0IHN0cmluZw",
            "Zm9vYmFy/c2VjcmV0+QUJDREVGR0hJSktMTU5P==",
            "aB3dE5gH7jK9mN1pQ3sT5vW7",
            "1/fFAGRNJru1FTz70BzhT3Zg8kLmN",
        ] {
            assert_eq!(opaque_run(secret), Some(secret.len()), "{secret}");
        }
        for name in [
            "3c9d2f1e-1111-4222-8333-444455556666",
            "climate-field-view-credentials-2024",
            "com/platform/organizations/1234567/fields",
            "OAuth2AuthenticationProcessingFilter",
            "getUserByIdFromDatabaseOrCache",
            "TEMPORARILY_UNAVAILABLE_BECAUSE_OF_2",
            "invalid_grant",
        ] {
            assert_eq!(opaque_run(name), None, "{name}");
        }
    }

    #[test]
    fn addresses_end_where_they_end() {
        assert_eq!(mail_address("anna.b+x@example.com>"), Some((8, 20)));
        assert_eq!(mail_address("anna%40example.com&a"), Some((4, 18)));
        assert_eq!(mail_address("@example.com"), None);
        assert_eq!(mail_address("root@localhost"), None);
    }
}
