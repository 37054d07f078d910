//! Acks and silences: what people said about incidents.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{IncidentId, Silenced};

/// Acks or silences in a list.
#[derive(Debug, Serialize)]
pub struct Annotations<T> {
    /// The newest first.
    pub list: Vec<T>,
}

/// Somebody is on it, and needs no reminders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// Of which incident.
    pub incident: IncidentId,
    /// What that is about, where it is asked for.
    pub what: Option<String>,
    /// Since when.
    pub at: Timestamp,
    /// Until when, where nothing ends it before.
    pub until: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it ended before its time.
    pub ended_at: Option<Timestamp>,
    /// Who or what ended it.
    pub ended_by: Option<String>,
}

/// Mails about what it matches wait, or are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its number.
    pub number: i64,
    /// What it matches.
    #[serde(flatten)]
    pub what: Silenced,
    /// The name of its user, where it is asked for and known.
    pub name: Option<String>,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it ended before its time.
    pub ended_at: Option<Timestamp>,
    /// Who or what ended it.
    pub ended_by: Option<String>,
}

/// What people said about one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its acks, the newest first.
    pub acks: Vec<Ack>,
    /// The silences that matched it while it was open, the newest first.
    pub silences: Vec<Silence>,
}

impl Said {
    /// What of it holds at `now`.
    pub fn holding(&self, now: Timestamp) -> Said {
        let mut said = self.clone();
        said.acks.retain(|ack| ack.holds(now));
        said.silences.retain(|silence| silence.holds(now));
        said
    }
}

impl Ack {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.until
    }

    /// When it ended, or will.
    pub fn end(&self) -> Timestamp {
        end(self.until, self.ended_at)
    }
}

impl Silence {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.until
    }

    /// When it ended, or will.
    pub fn end(&self) -> Timestamp {
        end(self.until, self.ended_at)
    }
}

fn end(until: Timestamp, ended_at: Option<Timestamp>) -> Timestamp {
    ended_at.map_or(until, |ended| ended.min(until))
}
