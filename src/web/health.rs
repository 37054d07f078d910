//! `/healthz`: the truth about the loops. Well only if sweeps come as they should, commits hold, and no notice is overdue.
//!
//! Says nothing of growers; Leaf being down is not our being unwell.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::model::Schedules;
use crate::rules::due;
use crate::view::words;
use crate::vitals::{Fault, Limits, Loop, Vitals};

/// How long a notice may be overdue.
pub(crate) const OVERDUE: SignedDuration = SignedDuration::from_mins(30);

/// The verdict, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Each thing that is looked at.
    pub checks: Vec<Check>,
}

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Why it is not well; none where it is.
    pub wrong: Option<String>,
}

impl Health {
    /// Whether all is well.
    pub fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.wrong.is_none())
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.is_well() { "ok" } else { "not well" })?;
        for check in &self.checks {
            writeln!(
                f,
                "{}: {}",
                check.name,
                check.wrong.as_deref().unwrap_or("ok")
            )?;
        }
        Ok(())
    }
}

/// Notices due before this are overdue.
pub(super) fn overdue_since(now: Timestamp) -> Timestamp {
    now - OVERDUE
}

/// Looks at the loops, which began at `started` on the monotonic clock. `overdue` is how many notices are, or why that cannot be told;
/// `request_timeout` is for one request to Leaf.
pub fn look(
    vitals: &Vitals,
    clock: &Clock,
    started: Duration,
    schedules: &Schedules,
    request_timeout: Duration,
    overdue: Result<u32, String>,
) -> Health {
    let pulse = vitals.pulse();
    let stuck = vitals.stuck(
        clock.monotonic(),
        &Limits::with_request_timeout(request_timeout),
    );
    let now = clock.now();
    let last = pulse.last_sweep.map(|sweep| sweep.ended_mono);
    let sweep = if pulse.sweeping_since.is_some() && !stuck.contains(&Loop::Sweep) {
        None
    } else {
        too_old(last, started, schedules, clock)
    };
    let displaced = pulse.faults.get(&Fault::Displaced);
    let unwritten = pulse.faults.get(&Fault::Storage).map(|standing| {
        let length = words::duration(words::between(standing.since, now));
        format!("the database cannot be written for {length}")
    });
    let storage = displaced
        .map(|standing| standing.text.clone())
        .or(unwritten);
    let notices = match overdue {
        Ok(0) => None,
        Ok(count) => Some(format!(
            "{} overdue for more than {}",
            words::counted(u64::from(count), "notice"),
            words::duration(OVERDUE.unsigned_abs())
        )),
        Err(why) => Some(why),
    };
    let stuck: Vec<String> = stuck.iter().map(ToString::to_string).collect();
    let loops = (!stuck.is_empty()).then(|| format!("stuck: {}", stuck.join(", ")));
    let check = |name, wrong| Check { name, wrong };
    Health {
        checks: vec![
            check("sweep", sweep),
            check("commit", storage),
            check("notices", notices),
            check("loops", loops),
        ],
    }
}

/// A sweep should have begun two intervals ago or earlier, and none has ended since. By the monotonic clock: the wall's may
/// have been set since.
fn too_old(
    last: Option<Duration>,
    started: Duration,
    schedules: &Schedules,
    clock: &Clock,
) -> Option<String> {
    let age = clock
        .monotonic()
        .saturating_sub(last.unwrap_or(started).max(started));
    let now = clock.now();
    let since = now.checked_sub(age).ok()?;
    let due = due::next_after(&schedules.sweep, &schedules.zone, since, since)?;
    let patience = schedules.sweep.typical_interval() * 2;
    if words::between(due, now) <= patience {
        return None;
    }
    let age = words::duration(age);
    Some(match last {
        Some(_) => format!("none has ended for {age}"),
        None => format!("none has ended since the start {age} ago"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Schedule;
    use crate::model::SweepEnd;
    use crate::vitals::LastSweep;

    const MINUTE: Duration = Duration::from_secs(60);

    struct Daemon {
        vitals: Vitals,
        clock: Clock,
        started: Duration,
    }

    impl Daemon {
        fn new() -> Daemon {
            let clock = Clock::movable("2026-03-01T10:00:00Z".parse().unwrap());
            Daemon {
                vitals: Vitals::new(),
                started: clock.monotonic(),
                clock,
            }
        }

        fn swept(&self, end: SweepEnd) {
            let now = self.clock.now();
            self.vitals.sweep_ended(LastSweep {
                began: now,
                ended: now,
                ended_mono: self.clock.monotonic(),
                took: MINUTE,
                end,
            });
        }

        fn health(&self, overdue: Result<u32, String>) -> Health {
            let every = Schedule::Every(15 * MINUTE);
            let schedules = Schedules {
                zone: jiff::tz::TimeZone::UTC,
                sweep: every.clone(),
                events: every.clone(),
                reminders: every.clone(),
                digest: every,
            };
            look(
                &self.vitals,
                &self.clock,
                self.started,
                &schedules,
                MINUTE / 2,
                overdue,
            )
        }

        fn wrong(&self, overdue: Result<u32, String>) -> Vec<&'static str> {
            let health = self.health(overdue);
            let wrong = health.checks.iter().filter(|check| check.wrong.is_some());
            wrong.map(|check| check.name).collect()
        }
    }

    #[test]
    fn sweeps_that_stop_are_told_and_one_that_runs_is_fresh() {
        let daemon = Daemon::new();
        assert!(daemon.health(Ok(0)).is_well(), "just started");
        daemon.clock.advance(46 * MINUTE);
        assert_eq!(daemon.wrong(Ok(0)), ["sweep"], "never swept");
        daemon.swept(SweepEnd::Unreachable);
        assert!(daemon.health(Ok(0)).is_well(), "Leaf is down, we are not");
        daemon.clock.advance(45 * MINUTE);
        assert!(daemon.health(Ok(0)).is_well());
        daemon.clock.advance(MINUTE);
        assert_eq!(
            daemon.health(Ok(0)).to_string(),
            "not well\nsweep: none has ended for 46 min\ncommit: ok\nnotices: ok\nloops: ok\n"
        );
        daemon.vitals.sweep_began(daemon.clock.now());
        daemon.vitals.moved(Loop::Sweep, daemon.clock.monotonic());
        assert!(daemon.health(Ok(0)).is_well(), "a long one runs");
        daemon.clock.advance(13 * MINUTE);
        assert_eq!(daemon.wrong(Ok(0)), ["sweep", "loops"], "it is stuck");
    }

    #[test]
    fn a_clock_that_is_set_makes_no_sweep_older_or_younger() {
        let year = SignedDuration::from_hours(24 * 365);
        for by in [year, -year] {
            let daemon = Daemon::new();
            daemon.clock.advance(MINUTE);
            daemon.swept(SweepEnd::Whole);
            daemon.clock.jump_to(daemon.clock.now() + by);
            assert!(daemon.health(Ok(0)).is_well(), "{by}");
            daemon.clock.advance(46 * MINUTE);
            assert_eq!(daemon.wrong(Ok(0)), ["sweep"], "{by}");
        }
    }

    #[test]
    fn what_cannot_be_written_or_told_is_told() {
        let daemon = Daemon::new();
        assert_eq!(daemon.wrong(Ok(1)), ["notices"]);
        assert_eq!(daemon.wrong(Err("no answer".to_owned())), ["notices"]);
        let now = daemon.clock.now();
        daemon
            .vitals
            .fault_seen(Fault::Storage, "disk is full", now);
        assert_eq!(daemon.wrong(Ok(0)), ["commit"]);
        daemon.vitals.fault_over(Fault::Storage);
        daemon
            .vitals
            .fault_seen(Fault::Displaced, "the database was deleted", now);
        assert!(
            daemon
                .health(Ok(0))
                .to_string()
                .contains("commit: the database was deleted")
        );
        daemon.vitals.fault_over(Fault::Displaced);
        daemon.vitals.fault_seen(Fault::Mail, "no login", now);
        assert!(
            daemon.health(Ok(0)).is_well(),
            "until a notice is overdue for it"
        );
    }
}
