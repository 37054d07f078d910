//! What happened to one user's credentials, in the order of time.

use jiff::Timestamp;
use serde::Serialize;

use super::User;
use super::status::or_unfinished;
use crate::model::{IncidentId, Kind, NoAnswer, Provider, SweepEnd, TransitionKind};

/// The history of one user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// Whose.
    #[serde(flatten)]
    pub user: User,
    /// From when on; none for all that is kept.
    pub since: Option<Timestamp>,
    /// What happened, the oldest first.
    pub entries: Vec<HistoryEntry>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// When, or from when on.
    pub at: Timestamp,
    /// Until when, for what lasts; none while it does, and for what is a moment.
    pub until: Option<Timestamp>,
    /// Which credential; none for what concerns all.
    pub provider: Option<Provider>,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Happening {
    /// It was put on the watch list.
    Watched,
    /// Leaf described it like this.
    Answer {
        /// The status word as Leaf sent it.
        status: Option<String>,
        /// The environment as Leaf sent it.
        environment: Option<String>,
        /// The scopes granted.
        scopes: Vec<String>,
        /// Which life of the credential it is, counted from 1.
        epoch: u32,
        /// That life began with this answer: it was connected anew.
        reconnected: bool,
    },
    /// Leaf had no such credential.
    Missing,
    /// It alone gave no answer.
    NoAnswer {
        /// Of which sort.
        reason: NoAnswer,
        /// Why, in a few words.
        detail: String,
    },
    /// A step of an incident.
    Incident {
        /// Which.
        incident: IncidentId,
        /// What happened to it.
        step: TransitionKind,
        /// What it was from then on.
        kind: Kind,
        /// Why.
        why: String,
    },
    /// Failures between two healthy looks; recorded and never mailed.
    BriefBreakage {
        /// How many events.
        failures: u32,
    },
    /// We could not see: Leaf, the network or our own login failed.
    Blind {
        /// How the first sweep of it ended; none for one that was cut off.
        #[serde(serialize_with = "or_unfinished")]
        sweep: Option<SweepEnd>,
    },
    /// The daemon was not running.
    Off {
        /// It was killed, or the machine went down.
        killed: bool,
    },
    /// It ran, and no sweep came to its end for too long.
    NotLooked,
}
