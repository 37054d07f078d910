//! Incidents and the notices that tell them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;

use super::{CredentialId, Kind, Severity, Track};

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
}

impl EndedBy {
    /// The word kept in the database.
    pub fn name(self) -> &'static str {
        match self {
            EndedBy::Proof => "proof",
            EndedBy::Unwatched => "unwatched",
        }
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
    /// Its severity now.
    pub severity: Severity,
    /// When the trouble was first seen (before it had held long enough to open).
    pub began_at: Timestamp,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The sweep in which it opened.
    pub opened_sweep: SweepId,
    /// When the kind it has now became true.
    pub kind_at: Timestamp,
    /// When it ended, while it has.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// How often it came back within the flap window; above 0 it ends only after a quiet window.
    pub reopened: u32,
    /// The sweep of the first good look since the last bad one, while it waits for its proof to be complete.
    pub well_since: Option<(SweepId, Timestamp)>,
    /// It began while nobody looked.
    pub while_off: bool,
    /// The sweep that opened it turned more than half of the fleet alike; a second sweep has not confirmed it yet.
    pub doubted: bool,
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
    /// It is no longer watched.
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
