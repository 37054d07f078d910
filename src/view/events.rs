//! Entries of Leaf's events log, as far as they are evidence.

use jiff::Timestamp;
use serde::Serialize;

use super::User;
use crate::model::{EventVerdict, Provider};

/// The events of one user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UsersEvents {
    /// Whose.
    #[serde(flatten)]
    pub user: User,
    /// From when on.
    pub since: Option<Timestamp>,
    /// The newest first; those without a date stand where they were first seen.
    pub events: Vec<Event>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// By Leaf's own date; none where it could not be read.
    pub at: Option<Timestamp>,
    /// When it was read first.
    pub seen_at: Timestamp,
    /// Of which credential.
    pub provider: Provider,
    /// The provider's HTTP status.
    pub status_code: Option<u16>,
    /// What it says about the credential.
    pub says: EventVerdict,
    /// Part of a short breakage between two healthy looks.
    pub brief: bool,
    /// Why it judges nothing although it speaks of the credential.
    pub judges_nothing: Option<Unusable>,
    /// The evidence in the provider's answer.
    pub body: String,
    /// Those of its headers that explain it.
    pub headers: String,
}

/// Why an event is kept and shown, and judges nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    /// Its date cannot be read.
    Undated,
    /// It is dated later than it was read.
    InTheFuture,
    /// It is older than this life of the credential.
    BeforeThisConnection,
}
