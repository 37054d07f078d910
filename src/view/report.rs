//! What a period was like: availability, incidents, and how long it took to tell and to mend.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Incident;
use super::availability::{OfCredential, OfProvider, Unseen};
use crate::model::Provider;
use crate::view::availability::Availability;

/// The report of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Its beginning.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Only this provider's.
    pub provider: Option<Provider>,
    /// All credentials together.
    pub overall: Availability,
    /// Each provider, by name.
    pub providers: Vec<OfProvider>,
    /// Incidents of credentials, counted.
    pub incidents: IncidentCounts,
    /// When nobody saw.
    pub unseen: Vec<Unseen>,
    /// Every credential that was watched at some time, the least available first.
    pub credentials: Vec<OfCredential>,
    /// Every incident that was open at some time, of the account and our own too; the newest first.
    pub incident_list: Vec<Incident>,
}

/// Incidents of credentials that were open at some time in the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct IncidentCounts {
    /// All of them.
    pub total: u64,
    /// Of these, opened in the period.
    pub opened: u64,
    /// Ended in the period, by their own proof.
    pub mended: u64,
    /// Taken out of the config in the period, while they were open.
    pub unwatched: u64,
    /// Open at the period's end.
    pub open: u64,
    /// From the first look that said so to the first mail that a server accepted; of those opened in the period.
    #[serde(rename = "mean_seconds_to_tell", serialize_with = "maybe_seconds")]
    pub mean_to_tell: Option<Duration>,
    /// From the first look that said so to the look that proved the end; of those mended in the period.
    #[serde(rename = "mean_seconds_to_mend", serialize_with = "maybe_seconds")]
    pub mean_to_mend: Option<Duration>,
}

fn maybe_seconds<S: serde::Serializer>(
    length: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match length {
        Some(length) => serializer.serialize_some(&length.as_secs()),
        None => serializer.serialize_none(),
    }
}
