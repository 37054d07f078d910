//! An incident, and how it was told.

use std::time::Duration;

use jiff::Timestamp;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::About;
use super::deliveries::WaitingNotice;
use super::silences::Said;
use super::status::seconds;
use super::words::Advice;
use crate::model::{EndedBy, IncidentId, Kind, Severity, Track, TransitionKind};

/// What stands above a list of incidents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentsHeading {
    /// Those that ended before are left out.
    pub since: Option<Timestamp>,
    /// Only those that are open.
    pub open_only: bool,
}

/// One incident. A part that takes reads of its own is none, and no key of the JSON, where nobody asked for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Its number.
    #[serde(rename = "incident")]
    pub number: IncidentId,
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
    #[serde(flatten, serialize_with = "under_both_names")]
    pub began_at: Timestamp,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// How often it came back.
    pub reopened: u32,
    /// It is open, and good looks have begun that are no complete proof yet.
    pub recovering: bool,
    /// Most of the fleet turned alike at once, and no second sweep said so yet.
    pub doubted: bool,
    /// When a mail server first accepted a mail about it; none within where none did yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Option<Timestamp>>,
    /// Whom its newest news went to, or will go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Every step of its life, the oldest first.
    #[serde(rename = "steps", skip_serializing_if = "Option::is_none")]
    pub transitions: Option<Vec<PastTransition>>,
    /// Who acknowledged or silenced it, and why.
    #[serde(flatten)]
    pub said: Option<Said>,
    /// Why it is there, and what to do; while it is open.
    #[serde(flatten)]
    pub advice: Option<Advice>,
    /// What ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ending>,
    /// What waits to be told, to whom, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Vec<WaitingNotice>>,
}

impl Incident {
    /// One that opened when it began, and of which nothing else is known.
    pub fn begun(number: IncidentId, about: About, kind: Kind, began_at: Timestamp) -> Incident {
        Incident {
            number,
            about,
            track: kind.track(),
            kind,
            severity: kind.severity(),
            began_at,
            opened_at: began_at,
            ended_at: None,
            ended_by: None,
            reopened: 0,
            recovering: false,
            doubted: false,
            told_at: None,
            told: None,
            transitions: None,
            said: None,
            advice: None,
            ends: None,
            waiting: None,
        }
    }

    /// Whose it is, in a table beside the kind: `Hillside Farms (John Deere)`.
    pub fn whose(&self) -> String {
        self.about.shown(self.track)
    }

    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// When it ended, where that was before `until`: for a period that may be long over.
    pub fn ended_before(&self, until: Timestamp) -> Option<Timestamp> {
        self.ended_at.filter(|at| *at < until)
    }

    /// What is listed first among those that are open: what recovers after what does not, then worse, then longer.
    pub fn rank(&self) -> impl Ord + use<> {
        (
            self.recovering,
            self.kind.rank(),
            self.began_at,
            self.number,
        )
    }
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

impl Told {
    /// Whether no address was told, nor will be as far as is known.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.waiting.is_empty() && self.failed.is_empty()
    }
}

/// A step of an incident's life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastTransition {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub step: TransitionKind,
    /// What it was from then on.
    pub kind: Kind,
    /// Why.
    pub why: String,
}

/// What ends an open incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ending {
    /// The proof, in words.
    pub proof: String,
    /// Since when every look was good; none while it is as bad as it was.
    pub well_since: Option<Timestamp>,
    /// Good looks so far.
    pub good_looks: u32,
    /// Good looks needed.
    pub good_looks_needed: u32,
    /// For how long every look was good.
    #[serde(rename = "good_for_seconds", serialize_with = "seconds")]
    pub good_for: Duration,
    /// For how long every look must be good.
    #[serde(rename = "good_for_seconds_needed", serialize_with = "seconds")]
    pub good_for_needed: Duration,
}

/// Lists of incidents call it `began_at`, what is known of a credential `since`.
fn under_both_names<S: Serializer>(began_at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("since", began_at)?;
    map.serialize_entry("began_at", began_at)?;
    map.end()
}
