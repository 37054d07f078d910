//! What to tell whom: the people a notice goes to, and what is left to say to one of them.

use jiff::Timestamp;

use crate::model::{Address, Alerts, Audience, EndedBy, Incident, Kind, NoticeKind};

/// Somebody who is to hear of a notice, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// The config key that chose it.
    pub rule: &'static str,
}

/// Everybody that the config names for trouble of `kind` of a user whose own people are `own`.
///
/// While most of the fleet turned at once and no second sweep said so (`doubted`), the users' own people are spared.
pub fn configured(kind: Kind, own: &[Address], doubted: bool, alerts: &Alerts) -> Vec<Recipient> {
    let lists: &[(&[Address], &'static str)] = match kind.audience() {
        Audience::Operators => &[(&alerts.operators, "alerts.operators")],
        Audience::Support if doubted => &[(&alerts.to, "alerts.to")],
        Audience::Support => &[(&alerts.to, "alerts.to"), (own, "notify")],
    };
    let mut recipients: Vec<Recipient> = Vec::new();
    for (addresses, rule) in lists {
        for address in *addresses {
            if !recipients
                .iter()
                .any(|known| known.address == address.as_str())
            {
                recipients.push(Recipient {
                    address: address.as_str().to_owned(),
                    rule,
                });
            }
        }
    }
    recipients
}

/// Who hears of a notice: the configured people of what is true now, and those who heard of the incident before and are
/// still in the config. An end goes to the latter alone.
pub fn recipients(
    notice: NoticeKind,
    incident: &Incident,
    own: &[Address],
    heard: Vec<String>,
    alerts: &Alerts,
) -> Vec<Recipient> {
    let mut recipients = match notice {
        NoticeKind::Resolved | NoticeKind::Closed => Vec::new(),
        _ => configured(incident.kind, own, incident.doubted, alerts),
    };
    for address in heard {
        let known = |list: &[Address]| list.iter().any(|one| one.as_str() == address);
        let still = known(&alerts.to) || known(&alerts.operators) || known(own);
        if still
            && !recipients
                .iter()
                .any(|recipient| recipient.address == address)
        {
            recipients.push(Recipient {
                address,
                rule: "told before",
            });
        }
    }
    recipients
}

/// What an address knows of an incident: what the last message that its server accepted said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The kind it was said to be.
    pub kind: Kind,
    /// Whether it was said to be open.
    pub open: bool,
    /// How often it had come back by then.
    pub turn: u32,
}

impl Told {
    /// What somebody knows who is told of `incident` now.
    pub fn now(incident: &Incident) -> Told {
        Told {
            kind: incident.kind,
            open: incident.is_open(),
            turn: incident.reopened,
        }
    }
}

/// What is left to say to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Say {
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
    Reminder,
    /// It is over.
    Resolved,
    /// It is no longer watched.
    Closed,
    /// It began and ended since the last mail: one line.
    Brief,
}

impl Say {
    /// The word kept with the message.
    pub fn name(self) -> &'static str {
        match self {
            Say::Opened => "opened",
            Say::Changed { .. } => "changed",
            Say::Reopened => "reopened",
            Say::Reminder => "reminder",
            Say::Resolved => "resolved",
            Say::Closed => "closed",
            Say::Brief => "brief",
        }
    }
}

/// The difference between what an address knows and what is: all that happened meanwhile is folded into it. `None`
/// where it knows already.
pub fn say(incident: &Incident, told: Option<Told>, remind: bool) -> Option<Say> {
    let by_proof = incident.ended_by != Some(EndedBy::Unwatched);
    match (told, incident.is_open()) {
        (None, true) => Some(Say::Opened),
        (None, false) => by_proof.then_some(Say::Brief),
        (Some(told), true) if !told.open || told.turn != incident.reopened => Some(Say::Reopened),
        (Some(told), true) if told.kind != incident.kind => Some(Say::Changed { from: told.kind }),
        (Some(_), true) => remind.then_some(Say::Reminder),
        (Some(told), false) if told.open => {
            Some(if by_proof { Say::Resolved } else { Say::Closed })
        }
        (Some(told), false) => (by_proof && told.turn != incident.reopened).then_some(Say::Brief),
    }
}

/// How long to wait before the next try of a delivery that failed `tries` times, in seconds: growing to an hour.
pub fn retry_after(tries: u32) -> std::time::Duration {
    const FIRST: u64 = 30;
    const LONGEST: u64 = 3600;
    std::time::Duration::from_secs((FIRST << tries.min(10)).min(LONGEST))
}

/// When a delivery is given up: five days after it was packed, as mail servers do (RFC 5321 section 4.5.4.1).
pub fn give_up_at(packed: Timestamp) -> Timestamp {
    packed + jiff::SignedDuration::from_hours(5 * 24)
}
