//! The parsed policy that the rules read: thresholds, status words, who is told, when.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{self, Weekday};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Daemon, Kind, Provider, Schedule, Severity};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

/// An e-mail address that was parsed and can be put into an envelope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Address(Box<str>);

impl Address {
    /// The address as text: `anna@example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text is no plain e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address: {0:?}")]
pub struct NotAnAddress(pub String);

impl FromStr for Address {
    type Err = NotAnAddress;

    /// Takes a bare address. Those that differ only in case are one reader, so that it is kept in lower case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let parsed: lettre::Address = text.parse().map_err(|_| NotAnAddress(text.to_owned()))?;
        Ok(Address(
            format!("{}@{}", parsed.user(), parsed.domain())
                .to_lowercase()
                .into(),
        ))
    }
}

/// What a status word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusClass {
    /// The credential works.
    Healthy,
    /// It no longer works.
    Invalid,
    /// It lacks permissions.
    LimitedPermission,
    /// The provider has trouble; says nothing about the grower.
    ProviderUnavailable,
}

/// The status words and what they mean; case and surrounding blanks aside. A word not in it is *unknown*, never healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusWords(HashMap<String, StatusClass>);

/// The built-in words. `OK`, `UNAUTHENTICATED`, `MISSING_PERMISSION` and `TEMPORARILY_UNAVAILABLE` are from
/// Leaf's docs history (2022); the others are tolerated spellings.
const BUILT_IN: [(&str, StatusClass); 9] = [
    ("OK", StatusClass::Healthy),
    ("UNAUTHENTICATED", StatusClass::Invalid),
    ("INVALID", StatusClass::Invalid),
    ("EXPIRED", StatusClass::Invalid),
    ("REVOKED", StatusClass::Invalid),
    ("UNAUTHORIZED", StatusClass::Invalid),
    ("MISSING_PERMISSION", StatusClass::LimitedPermission),
    ("LIMITED_PERMISSION", StatusClass::LimitedPermission),
    ("TEMPORARILY_UNAVAILABLE", StatusClass::ProviderUnavailable),
];

impl Default for StatusWords {
    fn default() -> Self {
        StatusWords(
            BUILT_IN
                .iter()
                .map(|(word, class)| ((*word).to_owned(), *class))
                .collect(),
        )
    }
}

impl StatusWords {
    /// What stands for `word` wherever case and blanks do not count.
    pub fn key(word: &str) -> String {
        word.trim().to_uppercase()
    }

    /// Adds a word; one that is there already changes its meaning and its old one is returned.
    pub fn add(&mut self, word: &str, class: StatusClass) -> Option<StatusClass> {
        self.0.insert(StatusWords::key(word), class)
    }

    /// What `word` means, where it is mapped.
    pub fn class(&self, word: &str) -> Option<StatusClass> {
        let word = word.trim();
        // Nearly every look asks this: Leaf's words come in upper case and need no copy.
        self.0
            .get(word)
            .or_else(|| self.0.get(&word.to_uppercase()))
            .copied()
    }
}

/// Looks, and time in which every look said the same, that something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// Looks.
    pub looks: u32,
    /// Time.
    pub held: Duration,
}

impl Needed {
    /// The first look is enough.
    pub const ONE_LOOK: Needed = Needed {
        looks: 1,
        held: Duration::ZERO,
    };

    /// Whether so many looks over so long are enough.
    pub fn is_met(self, looks: u32, held: Duration) -> bool {
        looks >= self.looks && held >= self.held
    }
}

/// Every number of the rules of trouble. Durations are *held* time: time in which somebody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// A second look comes after this, or with the next sweep.
    pub confirm_wait: Duration,
    /// Good looks that end an incident.
    pub resolve_after: u32,
    /// What comes back within this after its end is the same incident; and how long it must then be quiet.
    pub flap_window: Duration,
    /// How long `missing` must hold.
    pub missing_hold: Duration,
    /// How long `provider_unavailable` must hold.
    pub provider_unavailable_hold: Duration,
    /// How long `unreadable` must hold.
    pub unreadable_hold: Duration,
    /// How long `leaf_login` must hold.
    pub leaf_login_hold: Duration,
    /// How long `leaf_unreachable` must hold.
    pub leaf_unreachable_hold: Duration,
    /// How far back failing events count, and how long without a new one ends the warning.
    pub failing_events_window: Duration,
    /// How many events must have failed since the last success.
    pub failing_events_count: u32,
    /// How far apart the first and the last of them must be.
    pub failing_events_spread: Duration,
    /// Looks that `missing` and `unknown_status` take.
    pub second_look: u32,
    /// How many alike within `shared_cause_window` make a shared cause (and a fifth of the key's or provider's).
    pub shared_cause_count: u32,
    /// Within which time they must have turned.
    pub shared_cause_window: Duration,
    /// Events of some credential unread for this long open `events_unread`.
    pub events_unread_after: Duration,
    /// A configured token this near to its end opens `token_expiring`.
    pub token_expiring_within: Duration,
    /// This many sweep intervals without a whole sweep open `sweep_overdue`.
    pub sweep_overdue_intervals: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            confirm_wait: 5 * MINUTE,
            resolve_after: 1,
            flap_window: 6 * HOUR,
            missing_hold: 30 * MINUTE,
            provider_unavailable_hold: 6 * HOUR,
            unreadable_hold: 2 * HOUR,
            leaf_login_hold: 10 * MINUTE,
            leaf_unreachable_hold: 30 * MINUTE,
            failing_events_window: 72 * HOUR,
            failing_events_count: 3,
            failing_events_spread: HOUR,
            second_look: 2,
            shared_cause_count: 5,
            shared_cause_window: HOUR,
            events_unread_after: 7 * DAY,
            token_expiring_within: 7 * DAY,
            sweep_overdue_intervals: 3,
        }
    }
}

/// Who is told, and how patiently.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// Everybody who is told of what growers or integrators mend.
    pub to: Vec<Address>,
    /// Who is told of account, own and provider trouble. Never empty once parsed: left out, it is `to`.
    pub operators: Vec<Address>,
    /// How long a notice waits for company.
    pub group_wait: Duration,
    /// How long at most further notices of one sweep wait after a mail.
    pub group_interval: Duration,
    /// Mails an hour to one address, account incidents aside.
    pub max_emails_per_hour: u32,
    /// When reminders come, counted from the last mail about the incident; the last one repeats.
    pub remind_after: Vec<Duration>,
    /// How long an ack holds.
    pub ack_for: Duration,
    /// Who else is told, by what it is about.
    pub routes: Vec<Route>,
    /// When mails wait.
    pub quiet: Vec<QuietWindow>,
}

/// Tells some people of some troubles. What is left empty matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// Of these providers; account and own troubles have none and are matched only where this is empty.
    pub providers: Vec<Provider>,
    /// Of these kinds.
    pub problems: Vec<Kind>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Of users with one of these tags.
    pub tags: Vec<String>,
    /// Who is told.
    pub to: Vec<Address>,
    /// They alone: in place of `alerts.to` and `alerts.operators`; a user's own people are told all the same.
    pub only: bool,
}

/// Times of the week at which mails of some severities wait for its end.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietWindow {
    /// The weekdays on which it begins.
    pub weekdays: Vec<Weekday>,
    /// When it begins, in local time.
    pub from: civil::Time,
    /// When it ends: on the same day where it is later than `from`, else on the next.
    pub to: civil::Time,
    /// Whose local time.
    pub zone: TimeZone,
    /// What waits.
    pub severities: Vec<Severity>,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts {
            to: Vec::new(),
            operators: Vec::new(),
            group_wait: MINUTE,
            group_interval: 15 * MINUTE,
            max_emails_per_hour: 20,
            remind_after: vec![DAY, 2 * DAY, 4 * DAY, 7 * DAY],
            ack_for: 14 * DAY,
            routes: Vec::new(),
            quiet: Vec::new(),
        }
    }
}

/// When the daemon does what.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedules {
    /// The zone that cron lines count in and that people read times in.
    pub zone: TimeZone,
    /// When credentials are read.
    pub sweep: Schedule,
    /// When the events of all credentials begin to be read.
    pub events: Schedule,
    /// When reminders leave.
    pub reminders: Schedule,
    /// When the digest leaves.
    pub digest: Schedule,
}

/// All that the rules need to know of the config, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The numbers of the rules.
    pub thresholds: Thresholds,
    /// What status words mean.
    pub status_words: StatusWords,
    /// Who is told, and when.
    pub alerts: Alerts,
    /// When what is done.
    pub schedules: Schedules,
    /// Whose config it is.
    pub daemon: Daemon,
}
