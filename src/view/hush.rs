//! Acks and silences, as commands show them.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Kind, Provider, UserId};

/// A list of them.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// The newest first.
    pub list: Vec<T>,
}

/// Somebody is on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// Of which incident.
    pub incident: i64,
    /// What that is about, where it is asked for.
    pub what: Option<String>,
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

/// Mails about it wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its number.
    pub number: i64,
    /// Of this user alone.
    pub user: Option<UserId>,
    /// The name of that user, where it is asked for and known.
    pub name: Option<String>,
    /// Of this provider alone.
    pub provider: Option<Provider>,
    /// Of this kind alone.
    pub problem: Option<Kind>,
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

impl Ack {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.until
    }
}

impl Silence {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.until
    }

    /// When it ended, or will.
    pub fn end(&self) -> Timestamp {
        self.ended_at
            .map_or(self.until, |ended| ended.min(self.until))
    }
}
