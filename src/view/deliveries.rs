//! Mails, to whom they went, and what the mail server said at every try.

use jiff::Timestamp;
use serde::Serialize;
use strum::IntoStaticStr;

use crate::model::{IncidentId, NoticeKind, WaitsFor};

/// News of one incident that no mail tells an address yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingNotice {
    /// Of which incident.
    pub incident: IncidentId,
    /// What it tells.
    pub notice: NoticeKind,
    /// To whom; none where that is not chosen yet.
    pub address: Option<String>,
    /// Why it waits.
    pub waits_for: WaitsFor,
    /// Until then at the latest; none where no time is set.
    pub due_at: Option<Timestamp>,
}

/// What stands above the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveriesHeading {
    /// What waits to be written: no mail tells it yet.
    pub unwritten: Vec<WaitingNotice>,
    /// Mails packed before are left out, unless they still wait.
    pub since: Option<Timestamp>,
    /// Only those to this address.
    pub address: Option<String>,
}

/// One message to one address.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// When the message was packed.
    pub packed_at: Timestamp,
    /// Its subject.
    pub subject: String,
    /// Its Message-ID.
    pub message_id: String,
    /// To whom.
    pub address: String,
    /// How it stands.
    pub state: DeliveryState,
    /// When it was accepted or given up.
    pub done_at: Option<Timestamp>,
    /// While it waits: the next try.
    pub next_try_at: Option<Timestamp>,
    /// While it waits: when trying ends.
    pub give_up_at: Option<Timestamp>,
    /// The incidents that it tells of.
    pub incidents: Vec<IncidentId>,
    /// Every try, the oldest first.
    pub attempts: Vec<Attempt>,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried again.
    Waiting,
    /// The server took it.
    Accepted,
    /// Refused for good, or trying ended.
    Failed,
}

impl DeliveryState {
    /// The word shown.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// The server's name or address, or the folder.
    pub server: String,
    /// How far it came.
    pub phase: String,
    /// The reply's code.
    pub code: Option<u16>,
    /// The reply, or what went wrong.
    pub reply: String,
}
