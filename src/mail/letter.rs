//! One mail before it is rendered: plain data, everything already decided.

use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{Config, Email, Sender};
use crate::model::{
    Address, Audience, Cause, Daemon, EndedBy, Environment, IncidentId, Kind, News, Provider,
    UserId,
};
use crate::view::words;

pub use super::tally::Tally;

/// One mail to everybody who is due exactly the same.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Who sends, and where links lead.
    pub head: Letterhead,
    /// Everybody it goes to; all are named in `To`.
    pub to: Vec<Address>,
    /// Operators also get incident numbers with the commands to `ack` and `silence`.
    pub reader: Audience,
    /// The Message-ID with its angle brackets: the same over resends.
    pub message_id: String,
    /// The `Date` header, and the now of "for 3 h".
    pub date: Timestamp,
    /// Earlier mails about the same incidents.
    pub thread: Thread,
    /// The zone in which its readers read times.
    pub zone: TimeZone,
    /// Why it is sent.
    pub occasion: Occasion,
    /// What it tells, the worst first. Where there are very many, the first thousand do: no more fit a mail.
    pub entries: Vec<Entry>,
    /// What it tells, counted; includes what `entries` leaves out.
    pub tally: Tally,
    /// Causes that several entries share.
    pub shared: Vec<Shared>,
    /// Most of the fleet turned at once.
    pub doubt: Option<Doubt>,
    /// What else is open that these readers were told of, the worst first.
    pub also_open: Vec<OpenElsewhere>,
    /// How many more are open than `also_open` names.
    pub also_open_more: u64,
}

/// What every mail of one daemon bears: who sends it, and what links lead to.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// `instance`, shown in subject and List-Id.
    pub instance: Option<String>,
    /// Which daemon it is, to command lines.
    pub daemon: Daemon,
    /// `email.from`.
    pub from: Sender,
    /// Where answers go, if elsewhere.
    pub reply_to: Option<Sender>,
    /// `web.public_url`, for links.
    pub public_url: Option<String>,
}

impl Letterhead {
    /// As `config` has it.
    pub fn of(config: &Config) -> Letterhead {
        let Email { from, reply_to, .. } = &config.email;
        Letterhead {
            instance: config.instance.clone(),
            daemon: config.policy.daemon.clone(),
            from: from.clone(),
            reply_to: reply_to.clone(),
            public_url: config.web.public_url.clone(),
        }
    }

    /// A Message-ID with its angle brackets, in the sender's domain; `unique` tells it from all others.
    pub fn message_id(&self, date: Timestamp, unique: impl Display) -> String {
        let domain = self.from.address.domain();
        format!("<leafwatch.{}.{unique}@{domain}>", date.as_millisecond())
    }
}

/// The Message-IDs of earlier mails, with their angle brackets.
#[derive(Debug, Clone, Default)]
pub struct Thread {
    /// All of them, oldest first; the newest 20 are used.
    pub references: Vec<String>,
    /// The one about the worst incident.
    pub in_reply_to: Option<String>,
}

/// Why a letter is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Something happened.
    Notices,
    /// The very first sweep.
    FirstLook {
        /// How many credentials are watched.
        watched: u64,
        /// How many of them were read so far.
        read: u64,
    },
}

/// One credential, or one account or own trouble, and all that is told of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is about.
    pub about: About,
    /// What is told of it, the worst first. Never empty.
    pub told: Vec<Told>,
}

/// What an entry is about.
#[derive(Debug, Clone)]
pub enum About {
    /// A credential, as last read.
    Connection(Box<Connection>),
    /// An account or own trouble.
    Own {
        /// The incident's subject (a status word, an address, the end of a key), or empty.
        subject: String,
        /// Lines of detail: both sides of a contradiction, the faults of a rejected config, the line to add.
        details: Vec<String>,
    },
}

/// A credential, as last read.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The user's name; else its id is shown.
    pub name: Option<String>,
    /// The Leaf user.
    pub user: UserId,
    /// The provider.
    pub provider: Provider,
    /// The raw status word, where the newest answer had one.
    pub status: Option<String>,
    /// The raw environment, where the newest answer had one.
    pub environment: Option<String>,
    /// The environment that the config expects.
    pub expected: Option<Environment>,
    /// When that was read; none where Leaf never answered about it.
    pub read_at: Option<Timestamp>,
    /// The link with which the grower connects again.
    pub reconnect_url: Option<String>,
}

impl Connection {
    /// The name, or what stands for it.
    pub fn shown_name(&self) -> String {
        match &self.name {
            Some(name) if !name.trim().is_empty() => name.clone(),
            _ => format!("Leaf user {}", self.user),
        }
    }
}

/// What is told of one incident.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its number; none where it could not be kept, because the database cannot be written.
    pub incident: Option<IncidentId>,
    /// What is said of it.
    pub news: News,
    /// Its kind now; the one that was told, where it is over.
    pub kind: Kind,
    /// Since when it is so.
    pub since: Timestamp,
    /// How long it had been well, where it came back.
    pub well_for: Option<Duration>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// What keeps the same credential in trouble, where this is well again.
    pub still_open: Option<StillOpen>,
    /// It was already so at the first look.
    pub first_look: bool,
    /// It happened while Leafwatch was off.
    pub while_off: bool,
    /// It ended while Leafwatch was off.
    pub ended_while_off: bool,
    /// It ended because our config changed, not the credential.
    pub ended_by_config: bool,
    /// Our config changed, not the credential.
    pub config_changed: bool,
    /// How sure it is.
    pub looks: Option<Looks>,
    /// Why, where known.
    pub cause: Option<Cause>,
    /// Events that show it, newest first, scrubbed.
    pub evidence: Vec<Evidence>,
    /// When the next reminder is due.
    pub next_reminder: Option<Timestamp>,
    /// How often this credential had trouble in the last 30 days before this.
    pub times_before: Option<u64>,
}

/// What keeps a credential in trouble after another of its incidents ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillOpen {
    /// Its kind.
    pub kind: Kind,
    /// Why, where known.
    pub cause: Option<Cause>,
}

impl Told {
    /// The least that can be told.
    pub fn new(news: News, kind: Kind, since: Timestamp) -> Told {
        Told {
            incident: None,
            news,
            kind,
            since,
            well_for: None,
            ended_at: None,
            ended_by: None,
            still_open: None,
            first_look: false,
            while_off: false,
            ended_while_off: false,
            ended_by_config: false,
            config_changed: false,
            looks: None,
            cause: None,
            evidence: Vec::new(),
            next_reminder: None,
            times_before: None,
        }
    }

    /// Whether somebody has to do something about it now.
    pub fn is_trouble(&self) -> bool {
        self.news.is_trouble()
    }

    /// How long it lasted, by `now` where it is not over.
    pub fn lasted(&self, now: Timestamp) -> String {
        words::duration(words::between(self.since, self.ended_at.unwrap_or(now)))
    }
}

/// How many looks since it began said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Looks that said so.
    pub so: u64,
    /// Looks that found it well.
    pub well: u64,
    /// All looks that are counted.
    pub of: u64,
    /// The last look before it began that found it well.
    pub last_well: Option<Timestamp>,
}

/// One event that shows it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// When, where it could be read.
    pub at: Option<Timestamp>,
    /// The HTTP status.
    pub status_code: Option<u16>,
    /// The provider's answer, scrubbed.
    pub text: String,
}

/// A cause that several entries share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The one likely cause.
    pub cause: Cause,
    /// The kind that all of them have.
    pub kind: Kind,
    /// Whose key or outage it is.
    pub provider: Provider,
    /// Which of [`Letter::entries`] it explains.
    pub entries: Vec<usize>,
    /// How many credentials it explains in this mail, those left out of `entries` too.
    pub credentials: u64,
    /// Whether the cause was told before, and these are more.
    pub more: bool,
}

/// More than half of the healthy fleet turned to one kind in one sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// How many turned.
    pub turned: u64,
    /// Of how many that were healthy.
    pub of: u64,
}

/// Something else that is open.
#[derive(Debug, Clone)]
pub struct OpenElsewhere {
    /// `Hillside Farms (John Deere)`, or the stem of an own incident.
    pub what: String,
    /// Its kind.
    pub kind: Kind,
    /// Since when.
    pub since: Timestamp,
    /// What Leaf says of it now, and when that was read.
    pub says: Option<(String, Timestamp)>,
    /// The newest looks are good, and no complete proof yet.
    pub recovering: bool,
    /// Somebody said that they are on it.
    pub acknowledged: bool,
}

impl Entry {
    /// What stands in every subject about it: `Hillside Farms (John Deere)`.
    pub fn stem(&self) -> String {
        match (&self.about, self.told.first()) {
            (About::Connection(connection), _) => {
                words::credential(&connection.shown_name(), connection.provider)
            }
            (About::Own { subject, .. }, Some(told)) => words::stem(told.kind, subject),
            (About::Own { subject, .. }, None) => subject.clone(),
        }
    }
}
