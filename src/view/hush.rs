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
#[derive(Debug, Serialize)]
pub struct Ack {
    /// Of which incident.
    pub incident: i64,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Mails about it wait.
#[derive(Debug, Serialize)]
pub struct Silence {
    /// Its number.
    pub number: i64,
    /// Of this user alone.
    pub user: Option<UserId>,
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
}
