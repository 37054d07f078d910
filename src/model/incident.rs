//! Incidents: what happens to them, and what is said of them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use strum::{Display, EnumDiscriminants, EnumString, FromRepr, IntoStaticStr};

use super::{CredentialId, Kind, Provider, Track, UserId};

/// An incident's number, shown to operators (`ack 12`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct IncidentId(pub i64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sweep's number. Numbers only grow, over restarts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SweepId(pub i64);

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRepr, Serialize)]
#[repr(i64)]
#[serde(rename_all = "snake_case")]
pub enum SweepEnd {
    /// Everybody was asked.
    Whole = 0,
    /// Given up, because the login or most answers were denied.
    Denied = 1,
    /// Given up, because Leaf did not answer.
    Unreachable = 2,
    /// Stopped from our side, before its end.
    Stopped = 3,
}

/// Why an incident is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Its own proof: it is well again.
    Proof,
    /// It was taken out of the config while open; not known to be mended.
    Unwatched,
    /// The config no longer expects an environment of it; not known to be mended.
    NotExpected,
}

/// Trouble of one track of one credential, of the account, or of our own, from opened to ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// The credential; none for account and own incidents.
    pub credential: Option<CredentialId>,
    /// Its track; together with credential and subject it is unique among those not ended.
    pub track: Track,
    /// What an account or own incident is about (a client key's print, a status word, an address), else empty.
    pub subject: String,
    /// What kind it is now; may change on the way.
    pub kind: Kind,
    /// When the trouble was first seen (before it had held long enough to open).
    pub began_at: Timestamp,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The sweep in which it opened, or last came back.
    pub opened_sweep: SweepId,
    /// When the kind it has now became true.
    pub kind_at: Timestamp,
    /// When it ended, while it has.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// It ended while the program was off.
    pub ended_while_off: bool,
    /// It ended because our config changed, not the credential.
    pub ended_by_config: bool,
    /// How often it came back within the flap window; above 0 it ends only after a quiet window.
    pub reopened: u32,
    /// The good looks since the last bad one, while they are no complete proof yet.
    pub well: Option<Well>,
    /// What is to be said of how it came to be as it is now.
    pub origin: Origin,
    /// The sweep that opened it turned more than half of the fleet alike; a second sweep has not confirmed it yet.
    pub doubted: bool,
}

/// A run of good looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Well {
    /// When it began.
    pub since: Timestamp,
    /// How many looks so far.
    pub looks: u32,
    /// For how long every look was good.
    pub held: Duration,
    /// The credential did not change: our config did.
    pub config_changed: bool,
    /// It began while the program was off.
    pub while_off: bool,
}

/// What is special about how an incident came to be as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// It was so when the credential was looked at for the first time.
    pub first_look: bool,
    /// It became so while the program was off.
    pub while_off: bool,
    /// The credential did not change: our config did.
    pub config_changed: bool,
}

/// Trouble that is not told yet: it takes a second look, or must hold for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What it would be.
    pub kind: Kind,
    /// What it is about, for account and own trouble.
    pub subject: String,
    /// The first look that said so.
    pub began_at: Timestamp,
    /// Looks that said so, the first one included.
    pub looks: u32,
    /// For how long every look said so; time in which nobody looked does not count.
    pub held: Duration,
    /// It began while the program was off.
    pub while_off: bool,
}

impl Incident {
    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// What happens to an incident. Its words are kept with the incident, and shown.
#[derive(Debug, Clone, PartialEq, EnumDiscriminants)]
#[strum_discriminants(
    name(TransitionKind),
    doc = "The word for what happened to an incident.",
    derive(EnumString, IntoStaticStr, Serialize),
    strum(serialize_all = "snake_case"),
    serde(rename_all = "snake_case")
)]
pub enum Transition {
    /// A new one.
    Opened {
        /// What it is.
        kind: Kind,
        /// What it is about, for account and own trouble.
        subject: String,
        /// When it was first seen.
        began_at: Timestamp,
        /// What is to be said of its beginning.
        origin: Origin,
    },
    /// It is of another kind now.
    Changed {
        /// Which.
        id: IncidentId,
        /// The new kind.
        kind: Kind,
        /// Whether only our config changed.
        config_changed: bool,
        /// Whether it happened while the program was off.
        while_off: bool,
    },
    /// It came back within the flap window.
    Reopened {
        /// Which.
        id: IncidentId,
        /// What it is now.
        kind: Kind,
        /// Whether only our config changed.
        config_changed: bool,
        /// Whether it happened while the program was off.
        while_off: bool,
    },
    /// The first good look of a run that is no complete proof yet.
    Well {
        /// Which.
        id: IncidentId,
        /// Whether only our config changed.
        config_changed: bool,
        /// Whether it happened while the program was off.
        while_off: bool,
    },
    /// A bad look after good ones.
    Relapsed {
        /// Which.
        id: IncidentId,
    },
    /// Its own proof ended it.
    Resolved {
        /// Which.
        id: IncidentId,
        /// Whether only our config changed.
        config_changed: bool,
        /// Whether it happened while the program was off.
        while_off: bool,
    },
    /// Our config ended it; it is not known to be mended.
    Closed {
        /// Which.
        id: IncidentId,
        /// How.
        by: EndedBy,
    },
}

impl Transition {
    /// The incident that it happens to; none where a new one opens.
    pub fn incident(&self) -> Option<IncidentId> {
        match self {
            Transition::Opened { .. } => None,
            Transition::Changed { id, .. }
            | Transition::Reopened { id, .. }
            | Transition::Well { id, .. }
            | Transition::Relapsed { id }
            | Transition::Resolved { id, .. }
            | Transition::Closed { id, .. } => Some(*id),
        }
    }

    /// The notice that tells it, where it is to be told.
    pub fn notice(&self) -> Option<NoticeKind> {
        match self {
            Transition::Opened { .. } => Some(NoticeKind::Opened),
            Transition::Changed { .. } => Some(NoticeKind::Changed),
            Transition::Reopened { .. } => Some(NoticeKind::Reopened),
            Transition::Well { .. } | Transition::Relapsed { .. } => None,
            Transition::Resolved { .. } => Some(NoticeKind::Resolved),
            Transition::Closed { .. } => Some(NoticeKind::Closed),
        }
    }
}

/// What is said of an incident to one address. Its words are kept with notices and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumDiscriminants)]
#[strum_discriminants(
    name(NoticeKind),
    doc = "The word for what is said of an incident.",
    derive(Display, EnumString, IntoStaticStr, Serialize),
    strum(serialize_all = "snake_case"),
    serde(rename_all = "snake_case")
)]
pub enum News {
    /// It began; nothing was told before.
    Opened,
    /// It is another kind than the one told.
    Changed {
        /// The kind that was told.
        from: Kind,
    },
    /// It was told to be over, or well in between, and is open.
    Reopened,
    /// It is still so.
    Reminder {
        /// This address was not told before, though others were.
        new_to_you: bool,
    },
    /// It is well again.
    Resolved {
        /// The kind that was told.
        told: Kind,
    },
    /// It is over by our config, and not known to be mended.
    Closed {
        /// The kind that was told.
        told: Kind,
    },
    /// It began and ended since the last mail: one line.
    Brief,
}

impl News {
    /// Whether somebody has to do something about it now.
    pub fn is_trouble(self) -> bool {
        !matches!(
            self,
            News::Resolved { .. } | News::Closed { .. } | News::Brief
        )
    }
}

/// What a silence matches: what is left out matches everything. One that names nothing spares account and own trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Silenced {
    /// A user.
    pub user: Option<UserId>,
    /// A provider.
    pub provider: Option<Provider>,
    /// A kind of trouble.
    #[serde(rename = "problem")]
    pub kind: Option<Kind>,
}
