//! What is known of one user's credentials, what would open or end next, and who would be told.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::status::seconds;
use super::{Credential, Incident, User};
use crate::model::{Kind, Severity};

/// The explanation for one user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Whose.
    #[serde(flatten)]
    pub user: User,
    /// When this was true.
    pub at: Timestamp,
    /// An account condition is true.
    pub blind: bool,
    /// Each credential.
    pub credentials: Vec<Explained>,
    /// When mails wait, each window of `alerts.quiet` by itself.
    pub quiet: Vec<Quiet>,
    /// What Leafwatch cannot see.
    pub cannot_see: &'static str,
}

/// A window at which mails wait.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quiet {
    /// Mails of which severities.
    pub severities: Vec<Severity>,
    /// The next times that it is open, the one that is open now among them.
    pub openings: Vec<Opening>,
    /// Whose local time it counts in.
    #[serde(skip)]
    pub zone: TimeZone,
}

/// One time at which mails wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// Since when, or from when on.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

/// One credential.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// As last known.
    #[serde(flatten)]
    pub credential: Credential,
    /// Whether it is watched now.
    pub watched: bool,
    /// Which life at Leaf it is in, counted from 1; 0 while Leaf never described it.
    pub epoch: u32,
    /// Events before this belong to an earlier life.
    pub epoch_since: Option<Timestamp>,
    /// Leaf's created time, as text.
    pub leaf_created: Option<String>,
    /// The last characters of the client key.
    pub key_tail: Option<String>,
    /// The scopes granted.
    pub scopes: Vec<String>,
    /// When its events were last read; none where they never were, or the provider has none.
    pub events_read_at: Option<Timestamp>,
    /// What its newest events say.
    pub events: EventSummary,
    /// Its open incidents, the worst first.
    pub open: Vec<Incident>,
    /// What is suspected, and what is lacking until it is told.
    pub lacking: Vec<Lacking>,
    /// What would open, and when: the kinds that can be told of it and are not open.
    pub would_open: Vec<WouldOpen>,
    /// Who would be told if it broke now, and by which rule.
    pub would_tell: Vec<Audience>,
}

/// What the events of this life and of the window say.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EventSummary {
    /// How many speak of the credential.
    pub speaking: u32,
    /// The newest of these that failed, running, without a success among them.
    pub failing_now: u32,
    /// How many running failures make the early warning.
    pub failures_needed: u32,
    /// The newest that speaks of the credential.
    pub newest_at: Option<Timestamp>,
    /// Whether that one failed.
    pub newest_failed: Option<bool>,
}

/// What is lacking until a suspicion is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lacking {
    /// What it would be.
    pub kind: Kind,
    /// The first look that said so.
    pub since: Timestamp,
    /// Looks so far.
    pub looks: u32,
    /// Looks needed.
    pub looks_needed: u32,
    /// For how long every look said so; time in which nobody looked does not count.
    #[serde(rename = "held_seconds", serialize_with = "seconds")]
    pub held: Duration,
    /// For how long every look must say so.
    #[serde(rename = "held_seconds_needed", serialize_with = "seconds")]
    pub held_needed: Duration,
    /// Why it waits though it has held for long enough.
    pub waits_for: Option<&'static str>,
}

/// A kind of trouble that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WouldOpen {
    /// What it would be.
    pub kind: Kind,
    /// When it would open, in words.
    pub when: String,
}

/// Who would be told of some kinds of trouble.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audience {
    /// Of which kinds.
    pub kinds: Vec<Kind>,
    /// Whom, each with the config key that chose it.
    pub recipients: Vec<Recipient>,
}

/// Somebody who would be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// The config key that chose it.
    pub rule: String,
}
