//! What the name of a field says of its value, and which values are no secret whatever they are called.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::GONE;

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It says what went wrong.
    Evidence,
    /// It says which organization is meant: an id of one is evidence too.
    Organization,
    /// A secret, unless it is a plain word.
    Secret,
    /// A text beside the name of a secret, which may repeat it: plain words alone stay.
    BesideSecret,
    /// It explains nothing.
    Other,
}

/// Names that say what went wrong, by their last word: `errorMessage`, `x-fault-code`.
const EVIDENCE: &[&str] = &[
    "category",
    "cause",
    "causes",
    "code",
    "codes",
    "description",
    "detail",
    "details",
    "err",
    "error",
    "errors",
    "exception",
    "fault",
    "faultcode",
    "faultstring",
    "hint",
    "instance",
    "message",
    "messages",
    "msg",
    "path",
    "reason",
    "scope",
    "scopes",
    "severity",
    "state",
    "status",
    "summary",
    "timestamp",
    "title",
    "type",
    "warning",
    "warnings",
];

/// The same by their first word: `errorSummary`, `error_uri`.
const ABOUT_ERRORS: &[&str] = &["err", "error", "errors", "fault"];

const ORGANIZATION: &[&str] = &[
    "org",
    "organisation",
    "organisations",
    "organization",
    "organizations",
    "orgs",
];

/// A code of these says what went wrong; any other (`user_code`, `auth-code`) lets somebody in.
const CODE_OF: &[&str] = &[
    "code",
    "err",
    "error",
    "exception",
    "fault",
    "http",
    "internal",
    "message",
    "org",
    "reason",
    "response",
    "result",
    "status",
    "sub",
];

/// Names that hold one of these anywhere are a secret's, in the languages of those whose servers answer.
pub(super) const SECRET_PARTS: &[&str] = &[
    "adgangskode",
    "apikey",
    "assertion",
    "authoris",
    "authoriz",
    "bearer",
    "clientid",
    "contrasen",
    "contraseñ",
    "cookie",
    "credential",
    "geheim",
    "heslo",
    "jelsz",
    "jwt",
    "kennwort",
    "kodeord",
    "lösenord",
    "motdepasse",
    "passcode",
    "passord",
    "passphrase",
    "passw",
    "privatekey",
    "salasana",
    "schlüssel",
    "secret",
    "senha",
    "session",
    "sessid",
    "signature",
    "ticket",
    "token",
    "verifier",
    "wachtwoord",
    "пароль",
];

/// Names that have one of these as a word are a secret's; `value` is whatever a name beside it says.
const SECRET_WORDS: &[&str] = &[
    "apid", "auth", "cert", "chave", "clave", "content", "cred", "creds", "csrf", "haslo", "hasło",
    "hmac", "jeton", "key", "keys", "mac", "nonce", "otp", "parola", "pass", "passe", "passwd",
    "pin", "pwd", "salt", "saml", "sid", "sig", "totp", "val", "value", "xsrf", "şifre",
];

/// Names whose value is the name of the field that the fields beside it speak of, by their last word.
const NAMES_A_FIELD: &[&str] = &[
    "argument",
    "attribute",
    "field",
    "fields",
    "key",
    "loc",
    "location",
    "name",
    "param",
    "parameter",
    "path",
    "pointer",
    "property",
];

/// Whether what stands under `name` says which field the texts beside it speak of.
pub(super) fn names_a_field(name: &str) -> bool {
    let words = words(name);
    words
        .last()
        .is_some_and(|last| NAMES_A_FIELD.contains(&last.as_str()))
}

/// Whether `path` (`password`, `$.user.password`, `/user/password`) leads to a secret.
pub(super) fn leads_to_secret(path: &str) -> bool {
    let last = path.rsplit(['/', '.']).find(|part| !part.is_empty());
    path.len() <= 200 && last.is_some_and(|last| role(last) == Role::Secret)
}

/// Of these even a whole text about a secret is evidence: `tokenError`, `password_reason`.
const TELLING: &[&str] = &[
    "description",
    "error",
    "errors",
    "exception",
    "failure",
    "message",
    "reason",
];

pub(super) fn role(name: &str) -> Role {
    let words = words(name);
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return Role::Other;
    };
    let (first, last) = (first.as_str(), last.as_str());
    if is_secret(&words) && !TELLING.contains(&last) {
        Role::Secret
    } else if words
        .iter()
        .any(|word| ORGANIZATION.contains(&word.as_str()))
    {
        Role::Organization
    } else if last == "code" && !CODE_OF.contains(&first) {
        Role::Secret
    } else if EVIDENCE.contains(&last) || ABOUT_ERRORS.contains(&first) {
        Role::Evidence
    } else {
        Role::Other
    }
}

fn is_secret(words: &[String]) -> bool {
    let joined = words.concat();
    SECRET_PARTS.iter().any(|part| joined.contains(part))
        || words
            .iter()
            .any(|word| SECRET_WORDS.contains(&word.as_str()) || word.ends_with("key"))
}

/// Words that say in what state something is, and those between them. A value made of these alone is no secret.
const PLAIN: &[&str] = &[
    "a",
    "absent",
    "accept",
    "accepted",
    "access",
    "account",
    "active",
    "again",
    "already",
    "an",
    "and",
    "api",
    "app",
    "application",
    "are",
    "at",
    "auth",
    "authenticate",
    "authenticated",
    "authentication",
    "authorization",
    "authorized",
    "available",
    "bad",
    "basic",
    "bearer",
    "be",
    "been",
    "before",
    "blank",
    "blocked",
    "but",
    "by",
    "can",
    "cancelled",
    "cannot",
    "changed",
    "check",
    "client",
    "closed",
    "code",
    "configured",
    "connect",
    "connected",
    "connection",
    "consent",
    "could",
    "created",
    "credential",
    "credentials",
    "customer",
    "deactivated",
    "decoded",
    "deleted",
    "denied",
    "deprecated",
    "did",
    "digest",
    "disabled",
    "disconnected",
    "does",
    "empty",
    "enabled",
    "ended",
    "environment",
    "error",
    "exceeded",
    "exist",
    "exists",
    "expire",
    "expired",
    "expires",
    "failed",
    "failure",
    "false",
    "farm",
    "field",
    "fields",
    "for",
    "forbidden",
    "format",
    "found",
    "from",
    "full",
    "granted",
    "grant",
    "grower",
    "had",
    "has",
    "have",
    "header",
    "id",
    "in",
    "inactive",
    "incorrect",
    "insufficient",
    "internal",
    "invalid",
    "invalidated",
    "is",
    "issued",
    "issuer",
    "it",
    "its",
    "jwt",
    "key",
    "limit",
    "limited",
    "locked",
    "long",
    "login",
    "logout",
    "longer",
    "malformed",
    "match",
    "matched",
    "may",
    "mismatch",
    "missing",
    "must",
    "new",
    "no",
    "none",
    "not",
    "null",
    "of",
    "offline",
    "ok",
    "old",
    "on",
    "one",
    "or",
    "org",
    "organization",
    "out",
    "owner",
    "parameter",
    "partner",
    "password",
    "pending",
    "permission",
    "permissions",
    "please",
    "present",
    "production",
    "provided",
    "provider",
    "read",
    "realm",
    "reached",
    "reauthorize",
    "received",
    "reconnect",
    "recognized",
    "redacted",
    "refresh",
    "refused",
    "rejected",
    "removed",
    "renew",
    "renewed",
    "request",
    "required",
    "reset",
    "resource",
    "restricted",
    "retry",
    "revoked",
    "rotated",
    "scheme",
    "scope",
    "scopes",
    "secret",
    "sent",
    "server",
    "service",
    "session",
    "short",
    "signature",
    "signed",
    "since",
    "stage",
    "stale",
    "state",
    "status",
    "still",
    "stored",
    "success",
    "supplied",
    "suspended",
    "temporarily",
    "terms",
    "than",
    "that",
    "the",
    "this",
    "time",
    "timeout",
    "to",
    "token",
    "tokens",
    "too",
    "true",
    "type",
    "unable",
    "unauthenticated",
    "unauthorized",
    "unavailable",
    "unknown",
    "unsupported",
    "updated",
    "use",
    "used",
    "user",
    "valid",
    "validation",
    "value",
    "verification",
    "verified",
    "verify",
    "was",
    "we",
    "were",
    "while",
    "with",
    "without",
    "write",
    "wrong",
    "yes",
    "yet",
    "you",
    "your",
];

/// Characters in a row that are neither letters nor digits, where words stand beside them.
const MOST_MARKS: usize = 3;

/// Whether `value` says no more than in what state something is: `expired`, `REVOKED`, `not yet valid`, `invalidGrant`;
/// or is a code that says what went wrong: `E0000011`, `ACCESS_DENIED_ORG_4711`.
pub(super) fn is_plain(value: &str) -> bool {
    // Marks around and between words are few, and the usual ones; a secret of nothing but marks has others.
    let usual = |c: char| c.is_ascii() || "…“”„‘’«»–—".contains(c);
    let marks = |run: &str| run.trim().chars().count() > MOST_MARKS || !run.chars().all(usual);
    if value.split(char::is_alphanumeric).any(marks) {
        return false;
    }
    let value = value.trim_matches(|c: char| !c.is_alphanumeric());
    is_state(value) || is_code(value)
}

fn is_state(value: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphabetic() || " _-.,:;!'\"()/\n".contains(c);
    if value.is_empty() || value.len() > 300 || !value.chars().all(harmless) {
        return false;
    }
    let words = words(value);
    !words.is_empty() && words.iter().all(|word| is_word(word))
}

/// `text` with only those of its words that say in what state something is, and moments.
pub(super) fn plain_words(text: &str) -> String {
    let moment = |word: &str| {
        word.contains(':') && {
            let moment = |c: char| c.is_ascii_digit() || "TZ:.,+-".contains(c);
            word.len() <= 40 && word.chars().all(moment)
        }
    };
    let kept = text.split_inclusive(char::is_whitespace).map(|piece| {
        let word = piece.trim_end();
        if word.is_empty() || is_plain(word) || moment(word) {
            piece.to_owned()
        } else {
            format!("{GONE}{}", &piece[word.len()..])
        }
    });
    kept.collect()
}

/// Whether a text begins like a sentence about a state, whatever comes later in it: `has expired at 12:00`.
pub(super) fn begins_plain(value: &str) -> bool {
    let mut words = value
        .split([' ', ',', ':', '_'])
        .filter(|word| !word.is_empty());
    let mut next = || {
        words
            .next()
            .is_some_and(|word| is_word(&word.to_ascii_lowercase()))
    };
    next() && next()
}

fn is_word(word: &str) -> bool {
    debug_assert!(
        PLAIN
            .iter()
            .all(|plain| plain.bytes().all(|byte| byte.is_ascii_lowercase()))
    );
    PLAIN.contains(&word)
}

/// Whether most letters of `run` that stand side by side do so in a plain word too; of random ones a few do.
pub(super) fn sounds_like_words(run: &[u8]) -> bool {
    static PAIRS: LazyLock<HashSet<[u8; 2]>> = LazyLock::new(|| {
        let words = PLAIN.iter().chain(EVIDENCE).map(|word| word.as_bytes());
        words
            .flat_map(|word| word.array_windows().copied())
            .collect()
    });
    let lower = run.to_ascii_lowercase();
    let pairs = lower
        .array_windows::<2>()
        .filter(|pair| pair.iter().all(u8::is_ascii_lowercase));
    let (known, all) = pairs.fold((0, 0), |(known, all), pair| {
        (known + usize::from(PAIRS.contains(pair)), all + 1)
    });
    known * 3 >= all * 2
}

/// A code of Okta's, or words in capitals with numbers of their own.
fn is_code(value: &str) -> bool {
    let okta = value.strip_prefix('E').is_some_and(|digits| {
        digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let mut pieces = value.split('_');
    let whole = |piece: &str| {
        !piece.is_empty()
            && (piece.bytes().all(|byte| byte.is_ascii_uppercase())
                || piece.len() <= 6 && piece.bytes().all(|byte| byte.is_ascii_digit()))
    };
    okta || value.contains('_')
        && value.len() <= 60
        && pieces.clone().all(whole)
        && pieces.any(|piece| is_word(&piece.to_ascii_lowercase()))
}

/// The words of a name in lower case, however they are joined: `X-Api-Key`, `refreshTokenState`, `JSESSIONID`.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut chars = name.chars().take(400).peekable();
    while let Some(c) = chars.next() {
        let ends_capitals = before.is_uppercase() && chars.peek().is_some_and(|c| c.is_lowercase());
        let starts = c.is_uppercase() && (before.is_lowercase() || ends_capitals);
        if (starts || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
