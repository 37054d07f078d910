//! What one look at a credential said.

use std::fmt;

use serde::Serialize;
use strum::FromRepr;

/// A client key as far as it is ever known here: a keyed fingerprint and its last characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPrint {
    /// HMAC of the key under a secret of this database, shortened: equal keys have equal prints.
    pub print: [u8; 16],
    /// The last 4 characters; empty where the key has fewer than 12, since 4 would say too much of it.
    pub tail: String,
}

impl KeyPrint {
    /// The last characters, where they are shown.
    pub fn shown_tail(&self) -> Option<&str> {
        (!self.tail.is_empty()).then_some(self.tail.as_str())
    }
}

impl fmt::Display for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", self.tail)
    }
}

/// One credential as Leaf described it in one answer. Every word is as Leaf sent it, sanitised and cut to a sane length.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reading {
    /// The raw status word; absent where Leaf sent none.
    pub status: Option<String>,
    /// The raw `clientEnvironment`; absent or null is `None`.
    pub environment: Option<String>,
    /// `tokenMetadata.scopes`, sorted. Shown and compared, never judged.
    pub scopes: Vec<String>,
    /// Leaf's id of the credential, where the answer has one.
    pub leaf_id: Option<String>,
    /// Leaf's `createdTime`, as text.
    pub leaf_created: Option<String>,
    /// The client key's print, where the answer has one.
    pub key: Option<KeyPrint>,
}

impl Reading {
    /// Whether all that is kept of what Leaf told of the credential is the same; its id and created time aside.
    pub fn same_words(&self, other: &Reading) -> bool {
        self.status == other.status
            && self.environment == other.environment
            && self.scopes == other.scopes
            && self.key == other.key
    }
}

/// What Leaf said about the credential itself: the only thing that opens, changes or ends its incidents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The credential, described.
    Reading(Reading),
    /// Leaf has no such credential: 404, or 200 with an empty body, `null`, `{}` or `[]`.
    Missing,
}

impl Answer {
    /// What the credential is described as; none where there is none.
    pub fn reading(&self) -> Option<&Reading> {
        match self {
            Answer::Reading(reading) => Some(reading),
            Answer::Missing => None,
        }
    }
}

/// Why a look brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromRepr, Serialize)]
#[repr(i64)]
#[serde(rename_all = "snake_case")]
pub enum NoAnswer {
    /// 403, or 401 again after a fresh login.
    Denied = 0,
    /// 429, 5xx, a time-out or the network, after all retries.
    Later = 1,
    /// An answer that was not understood.
    Broken = 2,
}

/// What one look said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Leaf answered about the credential.
    Answer(Answer),
    /// No answer, and in a few words why (never a body, never a URL).
    None(NoAnswer, String),
}

/// Why nobody knows how a credential was at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyUnseen {
    /// It alone gave no answer.
    NoAnswer,
    /// Leaf could not be asked at all.
    Blind,
    /// Leafwatch was off.
    Off,
    /// It ran, and the last whole sweep was too long ago.
    NotLooked,
}
