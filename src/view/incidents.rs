//! Incidents, and how they were told.

use jiff::Timestamp;
use serde::Serialize;

use super::About;
use super::hush::Said;
use crate::model::{EndedBy, IncidentId, Kind, Severity, Track, TransitionKind};

/// What stands above the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heading {
    /// Those that ended before are left out.
    pub since: Option<Timestamp>,
    /// Only those that are open.
    pub open_only: bool,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Its number.
    pub incident: IncidentId,
    /// Whose.
    #[serde(flatten)]
    pub about: About,
    /// Its track.
    pub track: Track,
    /// What it is, or was at its end.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// When it was first seen.
    pub began_at: Timestamp,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// How often it came back.
    pub reopened: u32,
    /// How it was told.
    pub told: Told,
    /// Every step of its life.
    pub steps: Vec<Step>,
    /// Who acknowledged or silenced it, and why.
    #[serde(flatten)]
    pub said: Said,
}

/// Whom the mails about an incident reached, counted by address: each under the state of the newest one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The mail server took it.
    pub accepted: Vec<String>,
    /// On its way, or not packed yet.
    pub waiting: Vec<String>,
    /// Refused for good.
    pub failed: Vec<String>,
    /// A notice waits whose addressees are not chosen yet.
    pub undecided: bool,
}

/// A step of an incident's life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub step: TransitionKind,
    /// What it was from then on.
    pub kind: Kind,
    /// Why.
    pub why: String,
}
