//! The pulse of the running daemon, in memory only: the last sweep, the last commit, faults of our own, which loops move.
//!
//! The loops write it; `/healthz`, `/metrics`, systemd's watchdog and the heartbeat read it. It reads no clock, decides
//! nothing about growers, and holds nothing that must survive a restart: that is the database's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use strum::Display;

use crate::model::SweepEnd;

/// A handle on the pulse; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Vitals(Arc<Mutex<State>>);

/// One of the daemon's loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display)]
#[strum(serialize_all = "lowercase")]
pub enum Loop {
    /// Asks once a second what is due; it never rests.
    Schedule,
    /// Reads the status of every watched credential.
    Sweep,
    /// Reads the events.
    Gather,
    /// Packs the mails, through the writer; it never rests, so that a writer that hangs shows here.
    Pack,
    /// Sends the mails.
    Deliver,
}

/// A sweep that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSweep {
    /// When it began, by the wall clock.
    pub began: Timestamp,
    /// When it ended, by the wall clock.
    pub ended: Timestamp,
    /// When it ended, by the monotonic clock: how long ago that was, even if the wall clock was set meanwhile.
    pub ended_mono: Duration,
    /// How long it took, by the monotonic clock: right even if the wall clock was set meanwhile.
    pub took: Duration,
    /// How it ended.
    pub end: SweepEnd,
}

/// What can be wrong with Leafwatch itself, as against Leaf or a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The database cannot be written.
    Storage,
    /// A file of the database is no longer the one that is open.
    Displaced,
    /// The mail server refuses our set-up: login, certificate, a missing extension.
    Mail,
    /// The last reload was refused; the settings before it are in force.
    Config,
    /// The page cannot be served at its address.
    Page,
}

/// A fault that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When it was first seen.
    pub since: Timestamp,
    /// What was last said of it; the one who reports it has taken out every secret.
    pub text: String,
}

/// How a try of a mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryEnd {
    /// The server took it.
    Accepted,
    /// It is tried again.
    Deferred,
    /// Refused for good, or trying ended.
    Failed,
}

/// What was done since the start; every number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Sweeps in which every credential was asked.
    pub sweeps_whole: u64,
    /// Sweeps given up, since Leaf did not answer.
    pub sweeps_given_up: u64,
    /// Sweeps stopped from our side.
    pub sweeps_stopped: u64,
    /// Mails that a server took.
    pub mails_accepted: u64,
    /// Tries of mails that are made again.
    pub mails_deferred: u64,
    /// Mails refused for good, or given up.
    pub mails_failed: u64,
}

/// All there is to see at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pulse {
    /// What was done since the start.
    pub tally: Tally,
    /// The sweep that ended last.
    pub last_sweep: Option<LastSweep>,
    /// When the last whole sweep ended, which may be an older one.
    pub last_whole: Option<Timestamp>,
    /// When the sweep that runs now began.
    pub sweeping_since: Option<Timestamp>,
    /// When the next sweep is due.
    pub next_sweep: Option<Timestamp>,
    /// How often a sweep was due while one still ran, and was left out.
    pub sweeps_skipped: u64,
    /// The last commit that the database took.
    pub last_commit: Option<Timestamp>,
    /// Faults of our own that last.
    pub faults: BTreeMap<Fault, Standing>,
}

/// How long each loop may be busy without a step forward before it counts as stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For [`Loop::Schedule`].
    pub schedule: Duration,
    /// For [`Loop::Sweep`].
    pub sweep: Duration,
    /// For [`Loop::Gather`].
    pub gather: Duration,
    /// For [`Loop::Pack`].
    pub pack: Duration,
    /// For [`Loop::Deliver`].
    pub deliver: Duration,
}

#[derive(Debug, Default)]
struct State {
    pulse: Pulse,
    /// Monotonic time of the last step of every busy loop; a loop at rest is not in it.
    busy: BTreeMap<Loop, Duration>,
}

impl Vitals {
    /// A pulse of which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of what is known now.
    pub fn pulse(&self) -> Pulse {
        self.state().pulse.clone()
    }

    /// A sweep began.
    pub fn sweep_began(&self, at: Timestamp) {
        self.state().pulse.sweeping_since = Some(at);
    }

    /// The running sweep ended.
    pub fn sweep_ended(&self, sweep: LastSweep) {
        let mut state = self.state();
        state.pulse.sweeping_since = None;
        let tally = &mut state.pulse.tally;
        *match sweep.end {
            SweepEnd::Whole => &mut tally.sweeps_whole,
            SweepEnd::Denied | SweepEnd::Unreachable => &mut tally.sweeps_given_up,
            SweepEnd::Stopped => &mut tally.sweeps_stopped,
        } += 1;
        state.pulse.last_sweep = Some(sweep);
        if sweep.end == SweepEnd::Whole {
            state.pulse.last_whole = Some(sweep.ended);
        }
    }

    /// A sweep was due, and left out because one still ran.
    pub fn sweep_skipped(&self) {
        self.state().pulse.sweeps_skipped += 1;
    }

    /// A try of a mail ended.
    pub fn mail_tried(&self, end: TryEnd) {
        let tally = &mut self.state().pulse.tally;
        *match end {
            TryEnd::Accepted => &mut tally.mails_accepted,
            TryEnd::Deferred => &mut tally.mails_deferred,
            TryEnd::Failed => &mut tally.mails_failed,
        } += 1;
    }

    /// The next sweep is due then; `None` where no further one ever will be.
    pub fn next_sweep(&self, due: Option<Timestamp>) {
        self.state().pulse.next_sweep = due;
    }

    /// The database took a commit.
    pub fn committed(&self, at: Timestamp) {
        self.state().pulse.last_commit = Some(at);
    }

    /// Notes that `fault` was seen at `at`. True where it was not standing already: then it is time to log it.
    pub fn fault_seen(&self, fault: Fault, text: impl Into<String>, at: Timestamp) -> bool {
        let mut state = self.state();
        let text = text.into();
        match state.pulse.faults.get_mut(&fault) {
            Some(standing) => {
                standing.text = text;
                false
            }
            None => {
                let standing = Standing { since: at, text };
                state.pulse.faults.insert(fault, standing);
                true
            }
        }
    }

    /// How `fault` stands, if it does.
    pub fn fault(&self, fault: Fault) -> Option<Standing> {
        self.state().pulse.faults.get(&fault).cloned()
    }

    /// Notes that `fault` is over, and returns how it stood, if it did.
    pub fn fault_over(&self, fault: Fault) -> Option<Standing> {
        self.state().pulse.faults.remove(&fault)
    }

    /// The loop works, and made a step forward at this monotonic time. Steps that arrive late from another thread do
    /// not turn its time back.
    pub fn moved(&self, which: Loop, now: Duration) {
        let mut state = self.state();
        let last = state.busy.entry(which).or_insert(now);
        *last = (*last).max(now);
    }

    /// The loop has nothing to do, and waits; it cannot be stuck until it moves again.
    pub fn rests(&self, which: Loop) {
        self.state().busy.remove(&which);
    }

    /// The loops that work, but made no step forward for longer than their limit, at this monotonic time.
    pub fn stuck(&self, now: Duration, limits: &Limits) -> Vec<Loop> {
        let overdue = |which: Loop, last: Duration| now.saturating_sub(last) > limits.of(which);
        self.state()
            .busy
            .iter()
            .filter(|&(&which, &last)| overdue(which, last))
            .map(|(&which, _)| which)
            .collect()
    }

    /// Nothing here is left half changed by a panic, so a poisoned lock is as good as a sound one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    /// The longest time in which a loop that is well may show no step, where one request to Leaf may take `request`.
    ///
    /// Leaf may hold all requests for 5 min (`Retry-After`; for longer ones the sweep is given up), and each is tried
    /// up to 4 times with pauses between.
    pub fn with_request_timeout(request: Duration) -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let asking = minutes(10).saturating_add(request.saturating_mul(4));
        Limits {
            schedule: minutes(1),
            sweep: asking,
            gather: asking,
            pack: minutes(5),
            deliver: minutes(30),
        }
    }

    fn of(&self, which: Loop) -> Duration {
        match which {
            Loop::Schedule => self.schedule,
            Loop::Sweep => self.sweep,
            Loop::Gather => self.gather,
            Loop::Pack => self.pack,
            Loop::Deliver => self.deliver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn limits() -> Limits {
        Limits::with_request_timeout(Duration::from_secs(30))
    }

    #[test]
    fn a_sweep_of_six_hours_that_moves_is_not_stuck() {
        let vitals = Vitals::new();
        for step in 0..360 {
            vitals.moved(Loop::Sweep, MINUTE * step);
            assert_eq!(vitals.stuck(MINUTE * (step + 1), &limits()), []);
        }
    }

    #[test]
    fn a_loop_without_a_step_is_stuck_past_its_limit_and_no_sooner() {
        let vitals = Vitals::new();
        vitals.moved(Loop::Pack, MINUTE);
        vitals.moved(Loop::Schedule, MINUTE * 6);
        assert_eq!(vitals.stuck(MINUTE * 6, &limits()), []);
        assert_eq!(
            vitals.stuck(MINUTE * 6 + Duration::from_millis(1), &limits()),
            [Loop::Pack]
        );
        assert_eq!(
            vitals.stuck(MINUTE * 8, &limits()),
            [Loop::Schedule, Loop::Pack]
        );
    }

    #[test]
    fn an_idle_loop_is_never_stuck() {
        let vitals = Vitals::new();
        vitals.moved(Loop::Gather, Duration::ZERO);
        vitals.rests(Loop::Gather);
        assert_eq!(vitals.stuck(Duration::MAX, &limits()), []);
    }

    #[test]
    fn a_late_step_of_a_second_worker_does_not_turn_time_back() {
        let vitals = Vitals::new();
        vitals.moved(Loop::Sweep, MINUTE * 30);
        vitals.moved(Loop::Sweep, MINUTE);
        assert_eq!(vitals.stuck(MINUTE * 31, &limits()), []);
    }

    #[test]
    fn a_long_request_timeout_lengthens_what_a_sweep_may_take() {
        let limits = Limits::with_request_timeout(MINUTE * 10);
        let vitals = Vitals::new();
        vitals.moved(Loop::Sweep, Duration::ZERO);
        assert_eq!(vitals.stuck(MINUTE * 50, &limits), []);
        assert_eq!(vitals.stuck(MINUTE * 51, &limits), [Loop::Sweep]);
    }

    #[test]
    fn only_a_whole_sweep_counts_as_whole() {
        let vitals = Vitals::new();
        let sweep = |began, ended, end| LastSweep {
            began: at(began),
            ended: at(ended),
            ended_mono: MINUTE,
            took: MINUTE,
            end,
        };
        vitals.sweep_began(at("2026-03-01T10:00:00Z"));
        assert_eq!(
            vitals.pulse().sweeping_since,
            Some(at("2026-03-01T10:00:00Z"))
        );
        vitals.sweep_ended(sweep(
            "2026-03-01T10:00:00Z",
            "2026-03-01T10:01:00Z",
            SweepEnd::Whole,
        ));
        let given_up = sweep(
            "2026-03-01T10:15:00Z",
            "2026-03-01T10:16:00Z",
            SweepEnd::Unreachable,
        );
        vitals.sweep_ended(given_up);
        let pulse = vitals.pulse();
        assert_eq!(pulse.sweeping_since, None);
        assert_eq!(pulse.last_sweep, Some(given_up));
        assert_eq!(pulse.last_whole, Some(at("2026-03-01T10:01:00Z")));
    }

    #[test]
    fn a_fault_keeps_the_time_it_began_and_says_its_newest_text() {
        let vitals = Vitals::new();
        let began = at("2026-03-01T10:00:00Z");
        let later = at("2026-03-01T10:05:00Z");
        assert!(vitals.fault_seen(Fault::Storage, "database is locked", began));
        assert!(
            !vitals
                .clone()
                .fault_seen(Fault::Storage, "disk is full", later)
        );
        let standing = Standing {
            since: began,
            text: "disk is full".to_owned(),
        };
        assert_eq!(vitals.pulse().faults[&Fault::Storage], standing);
        assert_eq!(vitals.fault_over(Fault::Storage), Some(standing));
        assert_eq!(vitals.fault_over(Fault::Storage), None);
        assert!(vitals.fault_seen(Fault::Storage, "disk is full", later));
    }
}
