//! How much of a period credentials were healthy, and how much of it nobody saw.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::status::seconds;
use super::{Who, words};
use crate::model::{Provider, WhyUnseen};

/// How the time of a period was spent: of one credential, or of several added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Availability {
    /// Healthy time by time seen, from 0 to 1; none where nothing was seen.
    pub availability: Option<f64>,
    /// Seen, and the last answer was a healthy word.
    #[serde(rename = "healthy_seconds", serialize_with = "seconds")]
    pub healthy: Duration,
    /// Seen, and the last answer was another word, or none.
    #[serde(rename = "trouble_seconds", serialize_with = "seconds")]
    pub trouble: Duration,
    /// Watched, and nobody knows how it was.
    pub not_seen: NotSeen,
    /// Not in the config, not answered about yet, or not connected.
    #[serde(rename = "unwatched_seconds", serialize_with = "seconds")]
    pub unwatched: Duration,
}

/// Watched time that was not seen, by its reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotSeen {
    /// This credential gave no answer.
    #[serde(rename = "no_answer_seconds", serialize_with = "seconds")]
    pub no_answer: Duration,
    /// The last look was too long ago.
    #[serde(rename = "not_looked_seconds", serialize_with = "seconds")]
    pub not_looked: Duration,
    /// Leaf could not be asked at all.
    #[serde(rename = "blind_seconds", serialize_with = "seconds")]
    pub blind: Duration,
    /// Leafwatch was off.
    #[serde(rename = "off_seconds", serialize_with = "seconds")]
    pub off: Duration,
}

impl NotSeen {
    /// All of it.
    pub fn total(&self) -> Duration {
        self.no_answer + self.not_looked + self.blind + self.off
    }
}

impl Availability {
    /// Time in which it is known how it was.
    pub fn seen(&self) -> Duration {
        self.healthy + self.trouble
    }

    /// The part of the watched time that was seen, from 0 to 1; none where nothing was watched.
    pub fn seen_share(&self) -> Option<f64> {
        let watched = self.seen() + self.not_seen.total();
        (!watched.is_zero()).then(|| self.seen().as_secs_f64() / watched.as_secs_f64())
    }

    /// The availability for people: `99.97 %`, or `not seen`.
    pub fn shown(&self) -> String {
        self.availability
            .map_or_else(|| "not seen".to_owned(), words::percent)
    }
}

/// One credential's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfCredential {
    /// Whose.
    #[serde(flatten)]
    pub who: Who,
    /// How it was.
    #[serde(flatten)]
    pub availability: Availability,
}

/// All of a provider's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfProvider {
    /// Whose.
    pub provider: Provider,
    /// How many credentials were watched at some time.
    pub credentials: u32,
    /// How they were, added up.
    #[serde(flatten)]
    pub availability: Availability,
}

/// A time in which nobody saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub why: WhyUnseen,
}
