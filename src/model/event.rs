//! Entries of Leaf's credential events log.

use jiff::Timestamp;
use serde::Serialize;

/// One entry of the events log. Of bodies and headers only the evidence is in it, and no secret from the moment it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What tells it from others: Leaf's id, or a digest of its content where it has none that looks like one.
    pub identity: Vec<u8>,
    /// `createdDate`, where it could be read.
    pub at: Option<Timestamp>,
    /// The HTTP status that the provider gave to Leaf, where it could be read.
    pub status_code: Option<u16>,
    /// The evidence in the provider's answer.
    pub body: String,
    /// Those of its headers that explain it, one a line.
    pub headers: String,
}

/// What an event says about the credential, by its status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum EventVerdict {
    /// 2xx: the provider accepted the credential.
    #[serde(rename = "accepted")]
    Success,
    /// 400, 401 or 403: the provider refused it.
    #[serde(rename = "refused")]
    Failure,
    /// 404, 429, 5xx and the rest: says nothing about the credential.
    #[serde(rename = "nothing")]
    Neither,
}

impl Event {
    /// What this event says about the credential.
    pub fn verdict(&self) -> EventVerdict {
        match self.status_code {
            Some(200..=299) => EventVerdict::Success,
            Some(400 | 401 | 403) => EventVerdict::Failure,
            _ => EventVerdict::Neither,
        }
    }
}
