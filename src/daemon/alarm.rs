//! The one mail that does not come from the database: that the database cannot be written, or is no longer where it was.
//!
//! At most one a day for each, over restarts too: a marker file beside the database remembers, or, where not even that
//! can be written, this process does. Once the database can be written again, the trouble is kept in it as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::context::Context;
use super::judge::Bench;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::letter::{About, Entry, Letter, Letterhead, Occasion, Tally, Thread, Told};
use crate::mail::send::{Deadlines, Mailer, Verdict};
use crate::mail::{self, NotComposed};
use crate::model::{Audience, Kind, News};
use crate::rules::incidents::Condition;
use crate::store::Error;
use crate::view::words;
use crate::vitals::{Fault, Standing};

/// How long the fault must stand: a lock of another program that goes by is no trouble.
const HOLD: Duration = Duration::from_secs(60);
const ONCE_IN: Duration = Duration::from_secs(24 * 3600);
const TRY_EVERY: Duration = Duration::from_secs(10 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks after the fault until the context says stop. `database` is where the marker goes beside.
pub async fn watch(context: Context, database: PathBuf, deadlines: Deadlines) {
    let mut alarm = Alarm::new(&database, deadlines);
    loop {
        tokio::select! {
            () = context.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        tokio::select! {
            () = context.stop.cancelled() => return,
            () = alarm.look(&context) => {}
        }
    }
}

/// What is remembered of the fault.
#[derive(Debug)]
pub struct Alarm {
    marker: PathBuf,
    deadlines: Deadlines,
    /// Monotonic, as all that this process remembers of times.
    told: Option<Duration>,
    tried: Option<Duration>,
    /// The fault, and when it was first seen.
    standing: Option<(Standing, Duration)>,
}

impl Alarm {
    /// For the database at `path`, where it cannot be written.
    pub fn new(path: &Path, deadlines: Deadlines) -> Self {
        Self::beside(path, ".told", deadlines)
    }

    /// The same for another fault, whose marker's name ends in `end`.
    pub(super) fn beside(path: &Path, end: &str, deadlines: Deadlines) -> Self {
        let mut marker = path.as_os_str().to_owned();
        marker.push(end);
        Alarm {
            marker: marker.into(),
            deadlines,
            told: None,
            tried: None,
            standing: None,
        }
    }

    /// Looks once: tells a fault that stands, and keeps one that is over.
    pub async fn look(&mut self, context: &Context) {
        let (now, mono) = (context.clock.now(), context.clock.monotonic());
        let standing = context.vitals.fault(Fault::Storage);
        let holds = |seen: Duration| mono.saturating_sub(seen) >= HOLD;
        self.standing = match (standing, self.standing.take()) {
            (Some(fault), before) => {
                let seen = before.map_or(mono, |(_, seen)| seen);
                if holds(seen) && self.is_due(&context.clock) {
                    self.tell(context, &fault, now).await;
                }
                Some((fault, seen))
            }
            (None, Some((past, seen))) if holds(seen) => {
                keep(context, &past, now).await;
                None
            }
            (None, _) => None,
        };
    }

    pub(super) fn is_due(&self, clock: &Clock) -> bool {
        let tried = self.tried.is_some_and(|at| is_within(TRY_EVERY, at, clock));
        !tried && !self.is_told(clock)
    }

    pub(super) fn is_told(&self, clock: &Clock) -> bool {
        let written = fs::read_to_string(&self.marker)
            .ok()
            .and_then(|text| text.trim().parse::<Timestamp>().ok());
        let now = clock.now();
        // A marker from the future is a clock that was wrong; it must not silence us.
        written.is_some_and(|at| at <= now && words::between(at, now) < ONCE_IN)
            || self.told.is_some_and(|at| is_within(ONCE_IN, at, clock))
    }

    /// Says whether a server took it.
    pub(super) async fn tell(
        &mut self,
        context: &Context,
        fault: &Standing,
        now: Timestamp,
    ) -> bool {
        let config = context.config();
        let mail = match compose(&config, fault, now) {
            Ok(mail) => mail,
            Err(error) => {
                tracing::error!(
                    "the mail about the database cannot be composed: {}",
                    words::with_causes(&error)
                );
                return false;
            }
        };
        self.tried = Some(context.clock.monotonic());
        let mut mailer = Mailer::new(self.deadlines);
        let mut accepted = false;
        for to in &config.policy.alerts.operators {
            let verdict = mailer.deliver(&config.email, to, &mail.bytes).await;
            accepted |= matches!(verdict, Verdict::Accepted { .. });
        }
        mailer.finish().await;
        if accepted {
            self.told = Some(context.clock.monotonic());
            if let Err(error) = fs::write(&self.marker, now.to_string()) {
                tracing::debug!(
                    "the marker of the mail about the database was not written: {error}"
                );
            }
        }
        accepted
    }
}

fn is_within(length: Duration, at: Duration, clock: &Clock) -> bool {
    clock.monotonic().saturating_sub(at) < length
}

/// Keeps what is over, from its true beginning on; who was mailed of it from memory reads how long it lasted.
async fn keep(context: &Context, past: &Standing, now: Timestamp) {
    let (config, past) = (context.config(), past.clone());
    let kept = context
        .write(move |tx| {
            let bench = Bench::of(&config);
            let condition = Condition {
                kind: Kind::Storage,
                subject: String::new(),
                why: past.text,
            };
            // The clock may have been set back meanwhile.
            let since = past.since.min(now);
            bench.own_one(tx, Kind::Storage, "", Some(&condition), since)?;
            bench.own_one(tx, Kind::Storage, "", None, now)?;
            Ok::<_, Error>(())
        })
        .await;
    if kept.is_ok() {
        context.pack_soon();
    }
}

fn compose(config: &Config, fault: &Standing, now: Timestamp) -> Result<mail::Mail, NotComposed> {
    let about = About::Own {
        subject: String::new(),
        details: fault.text.lines().map(str::to_owned).collect(),
    };
    let entries = vec![Entry {
        about,
        told: vec![Told::new(News::Opened, Kind::Storage, fault.since)],
    }];
    let head = Letterhead::of(config);
    mail::compose(&Letter {
        to: config.policy.alerts.operators.clone(),
        reader: Audience::Operators,
        message_id: head.message_id(now, "storage"),
        head,
        date: now,
        thread: Thread::default(),
        zone: config.policy.schedules.zone.clone(),
        occasion: Occasion::Notices,
        tally: Tally::of(&entries),
        entries,
        shared: Vec::new(),
        doubt: None,
        also_open: Vec::new(),
        also_open_more: 0,
    })
}
