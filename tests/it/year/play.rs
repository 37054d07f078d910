//! Plays the year: drives the real judge, store, packer and reminders through what happens, and keeps what the mail server
//! took.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use leafwatch::daemon::judge::{Look, Swept};
use leafwatch::daemon::player::{Player, accepts_all};
use leafwatch::daemon::settings::Settings;
use leafwatch::model::*;
use leafwatch::rules::fleet::Sight;
use leafwatch::rules::notify::{Silenced, gives_up, retry_after};
use leafwatch::store::{Attempt, Counts, Db, Error, Tx, Waiting};

use super::truth::{Dice, HOUR, Minute, Trouble, Truth, within};
use crate::support::desk::{self, Desk, deere, event, reading, user};

/// A mail that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    pub at: Minute,
    pub message_id: String,
    pub address: String,
    /// The daemon was killed before it could note the server's yes.
    pub unmarked: bool,
}

pub struct Play {
    pub truth: Truth,
    pub player: Player,
    pub ids: Vec<CredentialId>,
    /// When all were asked and Leaf answered about all.
    pub whole_looks: Vec<Minute>,
    /// When some were asked, before the daemon was killed, or a second time.
    pub other_looks: Vec<Minute>,
    /// When Leaf could not be asked.
    pub failed_looks: Vec<Minute>,
    pub handed: Vec<Handed>,
    pub looks: u64,
    pub killed: Vec<Minute>,
    dice: Dice,
    began: Timestamp,
    jumped: SignedDuration,
    committed: Vec<Option<Option<Trouble>>>,
    unread: BTreeSet<(Minute, usize, bool)>,
    last_sweep: Option<Minute>,
    last_try: Option<Minute>,
}

/// Local times with both clock changes inside the year.
const ZONE: &str = "America/Chicago";

impl Play {
    pub fn new(seed: u64, growers: usize, days: Minute) -> Play {
        let mut dice = Dice(seed);
        let truth = Truth::new(&mut dice, growers, days);
        let mut settings = settings(growers);
        settings.policy.schedules.zone = jiff::tz::TimeZone::get(ZONE).unwrap();
        let began: Timestamp = "2026-02-01T06:00:00Z".parse().unwrap();
        let mut player = Player::start(Db::in_memory().unwrap(), settings, began).unwrap();
        let ids = player
            .db()
            .write(|tx| {
                (0..growers)
                    .map(|n| tx.watch(deere(n as u128), began))
                    .collect()
            })
            .unwrap();
        let mut unread = BTreeSet::new();
        for (grower, lives) in truth.growers.iter().enumerate() {
            for life in lives {
                if let Some(at) = life.events_at {
                    unread.extend([(at, grower, true), (at + 1, grower, true)]);
                    unread.insert((life.whole().end, grower, false));
                }
            }
        }
        Play {
            truth,
            player,
            ids,
            whole_looks: Vec::new(),
            other_looks: Vec::new(),
            failed_looks: Vec::new(),
            handed: Vec::new(),
            looks: 0,
            killed: Vec::new(),
            dice,
            began,
            jumped: SignedDuration::ZERO,
            committed: vec![None; growers],
            unread,
            last_sweep: None,
            last_try: None,
        }
    }

    /// To the end, an hour at a time.
    pub fn through(&mut self) {
        let mut was_off = false;
        for minute in (0..=self.truth.minutes).step_by(HOUR as usize) {
            if within(&self.truth.off, minute) {
                was_off = true;
                continue;
            }
            self.clock_jumps(minute);
            if std::mem::take(&mut was_off) {
                self.restart(minute);
            }
            self.pass(minute);
            if self.dice.once_in(400) {
                // A reload: every answer is looked at anew.
                self.player.reload(self.player.settings().clone());
                self.committed.fill(None);
            }
            self.silences_begin(minute);
            self.sweep(minute);
            self.second_look(minute + 5);
        }
        self.pass(self.truth.minutes + 1);
    }

    /// When the year began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// Whether the daemon was killed, or stopped, in `span`.
    pub fn kills_within(&self, span: &std::ops::Range<Minute>) -> bool {
        self.killed.iter().any(|at| span.contains(at))
            || self
                .truth
                .off
                .iter()
                .any(|off| off.start < span.end && span.start < off.end)
    }

    /// Our clock at a minute of the year.
    fn now(&self, minute: Minute) -> Timestamp {
        self.leaf_now(minute) + self.jumped
    }

    /// Leaf's, which is right.
    fn leaf_now(&self, minute: Minute) -> Timestamp {
        self.began + SignedDuration::from_mins(minute)
    }

    fn clock_jumps(&mut self, minute: Minute) {
        if self.dice.once_in(600) {
            let wrong = self.dice.between(-90..90);
            self.jumped = match self.jumped.is_zero() {
                true => SignedDuration::from_mins(wrong),
                false => SignedDuration::ZERO,
            };
        }
        if minute > self.truth.minutes - super::truth::CALM {
            self.jumped = SignedDuration::ZERO;
        }
    }

    fn restart(&mut self, minute: Minute) {
        let now = self.now(minute);
        self.player.restart(None, now).unwrap();
        self.committed.fill(None);
        (self.last_sweep, self.last_try) = (None, None);
    }

    fn kill(&mut self, minute: Minute) {
        self.killed.push(minute);
        self.restart(minute);
    }

    /// Time passes; the mail server takes what it is given while it is up.
    fn pass(&mut self, minute: Minute) {
        let until = self.now(minute);
        loop {
            let (handed, dice) = (&mut self.handed, &mut self.dice);
            let (began, jumped, down) = (self.began, self.jumped, &self.truth.mail_down);
            let mut postman = |tx: &Tx<'_>, delivery: &Waiting, now: Timestamp| {
                let at = (now - jumped).duration_since(began).as_mins();
                if within(down, at) {
                    return refuse(tx, delivery, now);
                }
                let unmarked = dice.once_in(150);
                handed.push(Handed {
                    at,
                    message_id: delivery.message_id.clone(),
                    address: delivery.address.clone(),
                    unmarked,
                });
                match unmarked {
                    true => Err(Error::Stopped),
                    false => accepts_all(tx, delivery, now),
                }
            };
            match self.player.pass(until, &mut postman) {
                Ok(()) => break,
                Err(_) => {
                    let at = (self.player.now() - jumped).duration_since(began).as_mins();
                    self.kill(at);
                }
            }
        }
    }

    fn silences_begin(&mut self, minute: Minute) {
        let now = self.now(minute);
        let begins = |span: &std::ops::Range<Minute>| (minute - HOUR..minute).contains(&span.start);
        for (grower, span) in self.truth.silences.iter().filter(|(_, span)| begins(span)) {
            let what = Silenced {
                user: Some(user(*grower as u128)),
                provider: None,
                kind: None,
            };
            let until = now + SignedDuration::from_mins(span.end - minute);
            self.player
                .db()
                .write(|tx| tx.add_silence(&what, now, until, "ops", "known"))
                .unwrap();
        }
    }

    fn state(&self, grower: usize, minute: Minute) -> Option<Trouble> {
        let mut lives = self.truth.growers[grower].iter();
        lives
            .find(|life| life.is_bad(minute))
            .map(|life| life.trouble)
    }

    fn look(&self, grower: usize, minute: Minute) -> Look {
        let answer = match self.state(grower, minute) {
            None => Answer::Reading(reading("OK")),
            Some(Trouble::Revoked) => Answer::Reading(reading("INVALID")),
            Some(Trouble::Limited) => Answer::Reading(reading("LIMITED_PERMISSION")),
            Some(Trouble::Away) => Answer::Reading(reading("TEMPORARILY_UNAVAILABLE")),
            Some(Trouble::Gone) => Answer::Missing,
            Some(Trouble::Stage) => Answer::Reading(Reading {
                environment: Some("STAGE".to_owned()),
                ..reading("OK")
            }),
        };
        Look {
            id: self.ids[grower],
            credential: deere(grower as u128),
            answer,
            at: self.now(minute),
            leaf_at: self.leaf_now(minute),
        }
    }

    fn sweep(&mut self, minute: Minute) {
        let outage = self
            .truth
            .outages
            .iter()
            .find(|(span, _)| span.contains(&minute));
        let sight = match outage {
            None => Sight::Whole,
            Some((_, true)) => Sight::Denied,
            Some((_, false)) => Sight::Unreachable,
        };
        let (run, now) = (self.player.run(), self.now(minute));
        let sweep = self
            .player
            .db()
            .write(|tx| tx.begin_sweep(run, false, now))
            .unwrap();
        if sight != Sight::Whole {
            self.failed_looks.push(minute);
            return self.end_sweep(sweep, sight, minute, Counts::default());
        }
        let growers = self.ids.len();
        let killed_after = self
            .dice
            .once_in(250)
            .then(|| self.dice.between(0..growers as i64));
        let mut looks = Vec::new();
        for grower in 0..killed_after.map_or(growers, |after| after as usize) {
            self.looks += 1;
            let state = self.state(grower, minute);
            if self.committed[grower] != Some(state) {
                self.committed[grower] = Some(state);
                looks.push(self.look(grower, minute));
            }
        }
        let counts = Counts {
            asked: growers as u32,
            answered: growers as u32,
            were_healthy: growers as u32,
            ..Counts::default()
        };
        self.player
            .judge(|bench, tx| bench.answers(tx, sweep, counts, &looks))
            .unwrap();
        if killed_after.is_some() {
            // The next run begins with a sweep of its own.
            self.other_looks.push(minute);
            self.kill(minute);
            return self.sweep(minute);
        }
        self.read_events(minute);
        self.whole_looks.push(minute);
        self.end_sweep(sweep, sight, minute, counts);
    }

    fn end_sweep(&mut self, sweep: SweepId, sight: Sight, minute: Minute, counts: Counts) {
        let since = |then: Option<Minute>| {
            desk::MINUTE * then.map_or(0, |then| u32::try_from(minute - then).unwrap())
        };
        let swept = Swept {
            sweep,
            sight,
            reason: "no answer".to_owned(),
            counts,
            gaps: Vec::new(),
            elapsed: since(self.last_sweep),
            since_last_try: since(self.last_try),
            at: self.now(minute),
            leaf_at: self.leaf_now(minute),
        };
        self.player
            .judge(|bench, tx| bench.swept(tx, &swept))
            .unwrap();
        if sight == Sight::Whole {
            self.player.looked();
        }
        (self.last_sweep, self.last_try) = (Some(minute), Some(minute));
    }

    /// A round of events: what is new of some, nothing new of those whose events warn.
    fn read_events(&mut self, minute: Minute) {
        let (now, leaf_now) = (self.now(minute), self.leaf_now(minute));
        let due: Vec<_> = self.unread.range(..(minute, 0, false)).copied().collect();
        let mut logs: BTreeMap<usize, Vec<Event>> = BTreeMap::new();
        for new in due {
            self.unread.remove(&new);
            let (at, grower, failed) = new;
            let dated = Some(self.leaf_now(at));
            logs.entry(grower).or_default().push(match failed {
                true => event(dated, 400, "invalid_grant"),
                false => event(dated, 200, "{}"),
            });
        }
        for (grower, log) in logs {
            let whose = (self.ids[grower], deere(grower as u128));
            self.player
                .judge(|bench, tx| bench.events(tx, whose, &log, now, leaf_now))
                .unwrap();
        }
        let since = now
            - self
                .player
                .settings()
                .policy
                .thresholds
                .failing_events_window;
        let telling = self
            .player
            .db()
            .read(|tx| tx.with_telling_events(since))
            .unwrap();
        for whose in telling {
            self.player
                .judge(|bench, tx| bench.events(tx, whose, &[], now, leaf_now))
                .unwrap();
        }
    }

    fn second_look(&mut self, minute: Minute) {
        let wanted: Vec<_> = self
            .player
            .db()
            .read(|tx| tx.wanting_second_look())
            .unwrap();
        let outage = self
            .truth
            .outages
            .iter()
            .any(|(span, _)| span.contains(&minute));
        if wanted.is_empty() || outage || within(&self.truth.off, minute) {
            return;
        }
        self.pass(minute);
        let growers: Vec<usize> = (0..self.ids.len())
            .filter(|grower| wanted.contains(&self.ids[*grower]))
            .collect();
        let looks: Vec<_> = growers.iter().map(|n| self.look(*n, minute)).collect();
        for grower in growers {
            self.committed[grower] = Some(self.state(grower, minute));
        }
        self.other_looks.push(minute);
        let (run, at, leaf_at) = (self.player.run(), self.now(minute), self.leaf_now(minute));
        self.player
            .judge(|bench, tx| {
                let sweep = tx.begin_sweep(run, true, at)?;
                let swept = Swept {
                    sweep,
                    sight: Sight::Whole,
                    reason: String::new(),
                    counts: Counts::default(),
                    gaps: Vec::new(),
                    elapsed: std::time::Duration::ZERO,
                    since_last_try: std::time::Duration::ZERO,
                    at,
                    leaf_at,
                };
                bench.answers(tx, sweep, Counts::default(), &looks)?;
                bench.second_looked(tx, &swept, &wanted)
            })
            .unwrap();
    }
}

/// As the sender does while the mail server is away.
fn refuse(tx: &Tx<'_>, delivery: &Waiting, now: Timestamp) -> Result<(), Error> {
    let attempt = Attempt {
        server: "mail.example.com".to_owned(),
        phase: "connect".to_owned(),
        code: None,
        reply: "refused".to_owned(),
    };
    match gives_up(delivery.tries + 1, delivery.give_up_at, now) {
        true => tx.failed(
            delivery.id,
            &attempt,
            now,
            now + SignedDuration::from_hours(24),
        ),
        false => tx.deferred(
            delivery.id,
            &attempt,
            now,
            now + retry_after(delivery.tries),
        ),
    }
}

fn settings(growers: usize) -> Settings {
    let users = (0..growers as u128)
        .map(|n| desk::plain_user(n, None))
        .collect();
    let watch = WatchList::new(users, vec![Provider::JOHN_DEERE])
        .expect_of_all(Some(Environment::Production));
    let desk = Desk::new(0);
    let mut settings = desk.settings();
    settings.watch = Arc::new(watch);
    settings.policy.schedules.sweep = Schedule::Every(desk::HOUR);
    settings.policy.schedules.reminders = Schedule::cron("0 0 8 * * *").unwrap();
    settings
}
