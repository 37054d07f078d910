//! What to tell whom: the people a notice goes to, and what is left to say to one of them.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Address, Alerts, Audience, Credential, EndedBy, Incident, Kind, News, NoticeKind, Provider,
    Route, Silenced,
};

/// Somebody who is to hear of a notice, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// The rule that chose it: a config key, or that it was told before.
    pub rule: String,
}

/// Of whom a notice tells, as far as it decides who hears of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The provider; none for account and own trouble.
    pub provider: Option<Provider>,
    /// The user's tags.
    pub tags: &'a [String],
    /// The user's own people.
    pub notify: &'a [Address],
}

/// Everybody that the config names for trouble of `kind`.
///
/// Every route that matches adds its people; one that says `only` takes the place of `alerts.to` and
/// `alerts.operators`.
pub fn configured(kind: Kind, about: About<'_>, alerts: &Alerts) -> Vec<Recipient> {
    let matching: Vec<(usize, &Route)> = (1..)
        .zip(&alerts.routes)
        .filter(|(_, route)| matches(route, kind, about))
        .collect();
    let mut recipients = Vec::new();
    if !matching.iter().any(|(_, route)| route.only) {
        match kind.audience() {
            Audience::Support => choose(&mut recipients, &alerts.to, "alerts.to"),
            Audience::Operators => choose(&mut recipients, &alerts.operators, "alerts.operators"),
        }
    }
    for (number, route) in matching {
        choose(
            &mut recipients,
            &route.to,
            &format!("alerts.routes, entry {number}"),
        );
    }
    if kind.audience() == Audience::Support {
        choose(&mut recipients, about.notify, OWN_PEOPLE);
    }
    recipients
}

/// The rule that names the users' own people: while most of the fleet turned at once, and no second sweep said so, what
/// they are to hear waits.
pub const OWN_PEOPLE: &str = "notify";

/// The rule that names who was told before.
pub const TOLD_BEFORE: &str = "told before";

fn choose(recipients: &mut Vec<Recipient>, addresses: &[Address], rule: &str) {
    for address in addresses {
        if !recipients
            .iter()
            .any(|known| known.address == address.as_str())
        {
            recipients.push(Recipient {
                address: address.as_str().to_owned(),
                rule: rule.to_owned(),
            });
        }
    }
}

fn matches(route: &Route, kind: Kind, about: About<'_>) -> bool {
    let of_provider = match about.provider {
        _ if route.providers.is_empty() => true,
        Some(provider) => route.providers.contains(&provider),
        None => false,
    };
    of_provider
        && (route.problems.is_empty() || route.problems.contains(&kind))
        && route
            .severity
            .is_none_or(|severity| severity == kind.severity())
        && (route.tags.is_empty() || route.tags.iter().any(|tag| about.tags.contains(tag)))
}

/// Who hears of a notice: the configured people of what is true now, and those who heard of the incident before and are
/// still in the config. An end goes to the latter alone.
pub fn recipients(
    notice: NoticeKind,
    incident: &Incident,
    about: About<'_>,
    heard: Vec<String>,
    alerts: &Alerts,
) -> Vec<Recipient> {
    let mut recipients = match notice {
        NoticeKind::Resolved | NoticeKind::Closed => Vec::new(),
        _ => configured(incident.kind, about, alerts),
    };
    let routed = alerts.routes.iter().flat_map(|route| &route.to);
    let still: Vec<&Address> = alerts
        .to
        .iter()
        .chain(&alerts.operators)
        .chain(about.notify)
        .chain(routed)
        .collect();
    for address in heard {
        let known = still.iter().any(|one| one.as_str() == address);
        if known
            && !recipients
                .iter()
                .any(|recipient| recipient.address == address)
        {
            recipients.push(Recipient {
                address,
                rule: TOLD_BEFORE.to_owned(),
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

impl Silenced {
    /// Whether it matches trouble of `kind` of `credential` (none for account and own trouble).
    pub fn matches(&self, kind: Kind, credential: Option<Credential>) -> bool {
        let of_kind = self.kind.is_none_or(|wanted| wanted == kind);
        let of_credential = match credential {
            Some(Credential { user, provider }) => {
                self.user.is_none_or(|wanted| wanted == user)
                    && self.provider.is_none_or(|wanted| wanted == provider)
            }
            None => self.kind.is_some() && self.user.is_none() && self.provider.is_none(),
        };
        of_kind && of_credential
    }
}

/// The mails about an incident so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mailed {
    /// When the last one was packed.
    pub last: Timestamp,
    /// How many reminders running it was.
    pub reminders: u32,
}

/// A reminder that would be due within this time after the others leave, leaves with them: mails are packed some
/// seconds after the hour, and must not slip by a day each time.
const SLACK: SignedDuration = SignedDuration::from_mins(30);

/// From when on a reminder may leave, after `mailed`.
pub fn reminder_from(mailed: Mailed, alerts: &Alerts) -> Option<Timestamp> {
    let last = alerts.remind_after.len().checked_sub(1)?;
    let step = alerts
        .remind_after
        .get((mailed.reminders as usize).min(last))?;
    // Where the pauses are shorter than the slack, as in a demo, they hold as they are.
    let step = SignedDuration::try_from(*step).ok()?;
    let slack = if step > SLACK * 2 {
        SLACK
    } else {
        SignedDuration::ZERO
    };
    mailed.last.checked_add(step - slack).ok()
}

/// Whether a reminder may leave after `mailed`. A mail of far ahead was dated by a clock that was wrong: nobody waits for it.
pub fn reminder_is_due(mailed: Mailed, alerts: &Alerts, now: Timestamp) -> bool {
    const FAR: SignedDuration = SignedDuration::from_hours(12);
    mailed.last.duration_since(now) > FAR
        || reminder_from(mailed, alerts).is_some_and(|from| from <= now)
}

/// How long what comes later of a shared cause waits, after the cause was told `times`; then with the reminders.
pub fn straggler_wait(times: u32) -> Option<SignedDuration> {
    const STEPS: [SignedDuration; 3] = [
        SignedDuration::from_mins(15),
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(4),
    ];
    STEPS.get(times.saturating_sub(1) as usize).copied()
}

/// The difference between what an address knows and what is: all that happened meanwhile is folded into it. `None`
/// where it knows already.
pub fn say(incident: &Incident, told: Option<Told>, remind: bool) -> Option<News> {
    let by_proof = matches!(incident.ended_by, None | Some(EndedBy::Proof));
    match (told, incident.is_open()) {
        (None, true) => Some(News::Opened),
        (None, false) => by_proof.then_some(News::Brief),
        (Some(told), true) if !told.open || told.turn != incident.reopened => Some(News::Reopened),
        (Some(told), true) if told.kind != incident.kind => Some(News::Changed { from: told.kind }),
        (Some(_), true) => remind.then_some(News::Reminder { new_to_you: false }),
        (
            Some(Told {
                kind, open: true, ..
            }),
            false,
        ) => Some(match by_proof {
            true => News::Resolved { told: kind },
            false => News::Closed { told: kind },
        }),
        (Some(told), false) => (by_proof && told.turn != incident.reopened).then_some(News::Brief),
    }
}

/// How long to wait before the next try of a delivery that failed `tries` times, in seconds: growing to an hour.
pub fn retry_after(tries: u32) -> std::time::Duration {
    const FIRST: u64 = 30;
    const LONGEST: u64 = 3600;
    std::time::Duration::from_secs((FIRST << tries.min(10)).min(LONGEST))
}

/// A delivery is tried this often at the least: half a day of tries, so that a clock that was set ahead, or a program that
/// was off, gives no mail up.
const FEWEST_TRIES: u32 = 20;

/// Whether a delivery that failed `tries` times, the last time now, is given up: its time is over, and it was truly tried.
pub fn gives_up(tries: u32, give_up_at: Timestamp, now: Timestamp) -> bool {
    tries >= FEWEST_TRIES && now >= give_up_at
}

/// An untold notice is packed anew this long after it failed, at the latest.
pub const UNTOLD_AGAIN: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// When a delivery is given up at the earliest: five days after it was packed, as mail servers do (RFC 5321 section 4.5.4.1).
pub fn give_up_at(packed: Timestamp) -> Timestamp {
    packed + jiff::SignedDuration::from_hours(5 * 24)
}
