//! Incidents and the notices that tell them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{CredentialId, Kind, Track};

/// An incident's number, shown to operators (`ack 12`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct IncidentId(pub i64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sweep's number. Numbers only grow, over restarts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SweepId(pub i64);

/// Why an incident is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Its own proof: it is well again.
    Proof,
    /// It was taken out of the config while open; not known to be mended.
    Unwatched,
    /// The config no longer expects an environment of it; not known to be mended.
    NotExpected,
}

impl EndedBy {
    /// The word kept in the database.
    pub fn name(self) -> &'static str {
        match self {
            EndedBy::Proof => "proof",
            EndedBy::Unwatched => "unwatched",
            EndedBy::NotExpected => "not_expected",
        }
    }

    /// The one with that word.
    pub fn from_name(name: &str) -> Option<EndedBy> {
        [EndedBy::Proof, EndedBy::Unwatched, EndedBy::NotExpected]
            .into_iter()
            .find(|by| by.name() == name)
    }
}

/// Trouble of one track of one credential, of the account, or of our own, from opened to ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// The credential; none for account and own incidents.
    pub credential: Option<CredentialId>,
    /// Its track; together with credential and subject it is unique among those not ended.
    pub track: Track,
    /// What an account or own incident is about (a client key's print, a status word, an address), else empty.
    pub subject: String,
    /// What kind it is now; may change on the way.
    pub kind: Kind,
    /// When the trouble was first seen (before it had held long enough to open).
    pub began_at: Timestamp,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The sweep in which it opened, or last came back.
    pub opened_sweep: SweepId,
    /// When the kind it has now became true.
    pub kind_at: Timestamp,
    /// When it ended, while it has.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// It ended while the program was off.
    pub ended_while_off: bool,
    /// It ended because our config changed, not the credential.
    pub ended_by_config: bool,
    /// How often it came back within the flap window; above 0 it ends only after a quiet window.
    pub reopened: u32,
    /// The good looks since the last bad one, while they are no complete proof yet.
    pub well: Option<Well>,
    /// What is to be said of how it came to be as it is now.
    pub origin: Origin,
    /// The sweep that opened it turned more than half of the fleet alike; a second sweep has not confirmed it yet.
    pub doubted: bool,
}

/// A run of good looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Well {
    /// When it began.
    pub since: Timestamp,
    /// How many looks so far.
    pub looks: u32,
    /// For how long every look was good.
    pub held: Duration,
    /// The credential did not change: our config did.
    pub config_changed: bool,
    /// It began while the program was off.
    pub while_off: bool,
}

/// What is special about how an incident came to be as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// It was so when the credential was looked at for the first time.
    pub first_look: bool,
    /// It became so while the program was off.
    pub while_off: bool,
    /// The credential did not change: our config did.
    pub config_changed: bool,
}

/// Trouble that is not told yet: it takes a second look, or must hold for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What it would be.
    pub kind: Kind,
    /// What it is about, for account and own trouble.
    pub subject: String,
    /// The first look that said so.
    pub began_at: Timestamp,
    /// Looks that said so, the first one included.
    pub looks: u32,
    /// For how long every look said so; time in which nobody looked does not count.
    pub held: Duration,
    /// It began while the program was off.
    pub while_off: bool,
}

impl Incident {
    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// What an incident wants told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// It opened.
    Opened,
    /// It is of another kind now.
    Changed,
    /// It came back within the flap window.
    Reopened,
    /// It is still open.
    Reminder,
    /// It is well again.
    Resolved,
    /// It is over by our config, and not known to be mended.
    Closed,
}

impl NoticeKind {
    const ALL: [NoticeKind; 6] = [
        NoticeKind::Opened,
        NoticeKind::Changed,
        NoticeKind::Reopened,
        NoticeKind::Reminder,
        NoticeKind::Resolved,
        NoticeKind::Closed,
    ];

    /// The word kept in the database and shown in tables.
    pub fn name(self) -> &'static str {
        match self {
            NoticeKind::Opened => "opened",
            NoticeKind::Changed => "changed",
            NoticeKind::Reopened => "reopened",
            NoticeKind::Reminder => "reminder",
            NoticeKind::Resolved => "resolved",
            NoticeKind::Closed => "closed",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for NoticeKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The word given is not a notice's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown notice {0:?}")]
pub struct UnknownNotice(pub String);

impl FromStr for NoticeKind {
    type Err = UnknownNotice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NoticeKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownNotice(text.to_owned()))
    }
}
