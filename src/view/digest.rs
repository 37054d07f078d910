//! What operators read once a week: what is open, what was mended, what nobody saw.

use jiff::Timestamp;
use serde::Serialize;

use super::availability::{Availability, OfProvider, Unseen};
use super::{Delivery, Incident, Who};

/// The digest of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Digest {
    /// Its beginning.
    pub since: Timestamp,
    /// Its end: now.
    pub until: Timestamp,
    /// How many credentials are watched now.
    pub watched: u64,
    /// Open now, the worst first; what is acknowledged or silenced too.
    pub open: Few<Incident>,
    /// Ended in the period by their own proof, the newest first.
    pub mended: Few<Incident>,
    /// Taken out of the config while open, and so not known to be mended.
    pub closed: u64,
    /// Breakages between two healthy looks, the newest first.
    pub brief: Few<Brief>,
    /// Never connected, and nobody asked for them by name.
    pub not_connected: Few<Who>,
    /// All credentials together.
    pub overall: Availability,
    /// Each provider.
    pub providers: Vec<OfProvider>,
    /// When nobody saw.
    pub unseen: Few<Unseen>,
    /// Deliveries that failed for good in the period, the newest first.
    pub failed: Few<Delivery>,
}

impl Digest {
    /// Nothing is open, and every mail reached its reader.
    pub fn is_all_well(&self) -> bool {
        self.open.total == 0 && self.failed.total == 0
    }
}

/// The first of a list, and how many it has in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Few<T> {
    /// As many as fit a mail.
    pub first: Vec<T>,
    /// All of them.
    pub total: u64,
}

impl<T> Few<T> {
    /// The first `most` of `all`.
    pub fn of(all: Vec<T>, most: usize) -> Self {
        let total = all.len() as u64;
        let mut first = all;
        first.truncate(most);
        Few { first, total }
    }
}

/// A breakage between two healthy looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Brief {
    /// Whose.
    #[serde(flatten)]
    pub who: Who,
    /// The first failure.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
    /// How many.
    pub failures: u32,
}
