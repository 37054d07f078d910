//! The credentials as last known, and whether we see at all.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use strum::IntoStaticStr;

use super::{Incident, Who};
use crate::model::{Environment, Kind, SweepEnd, WaitsFor};

/// What stands above the list of credentials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// When this was true.
    pub at: Timestamp,
    /// Whether we see, and whether mails leave.
    pub watch: Watch,
    /// How many credentials are how.
    pub counts: CredentialCounts,
}

/// Whether we see, and whether mails leave.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Watch {
    /// An account condition is true: what Leaf does not answer about is stale.
    pub blind: bool,
    /// The first sweep in which it was.
    pub blind_since: Option<Timestamp>,
    /// Leaf asked us to wait until then; nobody is asked before.
    pub paused_until: Option<Timestamp>,
    /// The daemon's newest run began.
    pub started_at: Option<Timestamp>,
    /// It stopped in order; none while it runs, or where it was killed.
    pub stopped_at: Option<Timestamp>,
    /// The newest sweep.
    pub last_sweep: Option<Sweep>,
    /// The end of the last sweep that was whole.
    pub last_whole_sweep: Option<Timestamp>,
    /// When the next one is due; none while the daemon is stopped.
    pub next_sweep: Option<Timestamp>,
    /// No sweep has begun although one was due: the daemon is likely not running.
    pub overdue: bool,
    /// Open incidents of the account and of Leafwatch itself, the worst first.
    pub troubles: Vec<Incident>,
    /// Mails on their way.
    pub mails: Mails,
}

/// One sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How; none while it runs, and where it was cut off.
    #[serde(serialize_with = "or_unfinished")]
    pub ended: Option<SweepEnd>,
    /// Credentials asked.
    pub asked: u32,
    /// Of these, those that Leaf answered about.
    pub answered: u32,
}

/// A sweep that runs, or was cut off, has a word of its own.
pub(super) fn or_unfinished<S: Serializer>(
    end: &Option<SweepEnd>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match end {
        Some(end) => end.serialize(serializer),
        None => serializer.serialize_str("unfinished"),
    }
}

/// Notices that wait for the same, to one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    /// To whom; none where that is not chosen yet.
    pub address: Option<String>,
    /// Why they wait.
    pub waits_for: WaitsFor,
    /// Until then at the latest; none where no time is set.
    pub until: Option<Timestamp>,
    /// How many.
    pub notices: u32,
}

/// Mails on their way.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Mails {
    /// Why notices wait, for each address.
    pub unwritten: Vec<Unwritten>,
    /// Notices that no mail tells yet.
    pub notices_waiting: u32,
    /// Deliveries that wait for their next try.
    pub waiting: u32,
    /// Of these, tried at least once.
    pub retrying: u32,
    /// Deliveries that failed for good in the last 7 days.
    pub failed: u32,
}

/// How many watched credentials are how.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CredentialCounts {
    /// All that are watched.
    pub watched: u32,
    /// With an open incident.
    pub trouble: u32,
    /// With a status word that nobody mapped.
    pub unknown_status: u32,
    /// With trouble that takes a second look, or must hold for a while.
    pub suspected: u32,
    /// Never looked at since they are watched.
    pub never_looked: u32,
    /// Leaf never had them, and nobody asked for them by name.
    pub not_connected: u32,
    /// Well.
    pub healthy: u32,
    /// Not seen since we are blind, whatever they were.
    pub stale: u32,
    /// In the config that was read for this answer; differs where the daemon has not taken it up yet.
    pub configured: u32,
}

impl CredentialCounts {
    /// Whether any credential is in trouble, or looks like it.
    pub fn is_trouble(&self) -> bool {
        self.trouble > 0 || self.suspected > 0
    }

    /// Whether it is known of every credential how it is.
    pub fn is_known(&self) -> bool {
        self.unknown_status == 0 && self.never_looked == 0 && self.stale == 0
    }
}

/// How a credential is. The worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CredentialState {
    /// An incident is open.
    Trouble,
    /// Leaf's status word is one that nobody mapped.
    UnknownStatus,
    /// Trouble that takes a second look, or must hold for a while.
    Suspected,
    /// Not looked at since it is watched.
    NeverLooked,
    /// Leaf never had it, and nobody asked for it by name.
    NotConnected,
    /// Well.
    Healthy,
}

/// One credential as last known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Credential {
    /// Which.
    #[serde(flatten)]
    pub who: Who,
    /// How it is.
    pub state: CredentialState,
    /// Its open incidents, the worst first.
    pub problems: Vec<Incident>,
    /// What is suspected, and not told.
    pub suspects: Vec<Kind>,
    /// The status word as Leaf sent it.
    pub status: Option<String>,
    /// Leaf has no such credential.
    pub missing: bool,
    /// The environment as Leaf sent it.
    pub environment: Option<String>,
    /// The environment that the config expects.
    pub expected_environment: Option<Environment>,
    /// Since when it is as it is.
    pub since: Option<Timestamp>,
    /// The last look that brought an answer; never later than it was.
    pub last_look: Option<Timestamp>,
    /// Not seen since we are blind.
    pub stale: bool,
    /// It alone gives no answer since then.
    pub no_answer_since: Option<Timestamp>,
}

impl Credential {
    /// What is listed first: worse, then longer; what recovers after what does not.
    pub fn rank(&self) -> impl Ord + use<> {
        let recovers = self.problems.iter().all(|problem| problem.recovering);
        let kind = self.problems.first().map(|problem| problem.kind.rank());
        (
            self.state,
            recovers,
            kind,
            self.since,
            self.who.user.name.clone(),
        )
    }

    /// Whether the environment is another one than the one expected.
    pub fn in_wrong_environment(&self) -> bool {
        match (&self.environment, self.expected_environment) {
            (Some(word), Some(expected)) => !expected.is(word),
            _ => false,
        }
    }
}

impl CredentialCounts {
    /// Counts one more.
    pub fn add(&mut self, credential: &Credential) {
        self.watched += 1;
        self.stale += u32::from(credential.stale);
        let place = match credential.state {
            CredentialState::Trouble => &mut self.trouble,
            CredentialState::UnknownStatus => &mut self.unknown_status,
            CredentialState::Suspected => &mut self.suspected,
            CredentialState::NeverLooked => &mut self.never_looked,
            CredentialState::NotConnected => &mut self.not_connected,
            CredentialState::Healthy => &mut self.healthy,
        };
        *place += 1;
    }
}

/// A length of time as whole seconds.
pub(super) fn seconds<S: serde::Serializer>(
    length: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(length.as_secs())
}
