//! The only reader of the wall clock: the system's, or one that tests move.
//!
//! Everything else takes the time as a value.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The wall clock was set where it went this much further or less far than the monotonic one between two looks a second
/// apart; less is slewing, or a look that came late.
const A_STEP: SignedDuration = SignedDuration::from_secs(2);

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clocks.
    System {
        /// What [`Clock::monotonic`] counts from.
        started: Instant,
    },
    /// Hands that a test or a simulation moves.
    Movable(Arc<Mutex<Hands>>),
}

/// The two hands of a movable clock.
#[derive(Debug, Clone, Copy)]
pub struct Hands {
    wall: Timestamp,
    monotonic: Duration,
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one home of now()")]
    pub fn system() -> Self {
        Clock::System {
            started: Instant::now(),
        }
    }

    /// A clock that stands at `wall` until it is moved.
    pub fn movable(wall: Timestamp) -> Self {
        Clock::Movable(Arc::new(Mutex::new(Hands {
            wall,
            monotonic: Duration::ZERO,
        })))
    }

    /// The wall clock, cut to milliseconds as the database keeps it.
    #[expect(clippy::disallowed_methods, reason = "the one home of now()")]
    pub fn now(&self) -> Timestamp {
        let exact = match self {
            Clock::System { .. } => Timestamp::now(),
            Clock::Movable(hands) => hands.lock().unwrap_or_else(PoisonError::into_inner).wall,
        };
        Timestamp::from_millisecond(exact.as_millisecond()).unwrap_or(exact)
    }

    /// Time since some fixed point, which neither jumps nor counts the time in which the machine slept.
    pub fn monotonic(&self) -> Duration {
        match self {
            Clock::System { started } => started.elapsed(),
            Clock::Movable(hands) => {
                hands
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .monotonic
            }
        }
    }

    /// Lets `step` pass on a movable clock; the system's clock is not ours to move, and stays.
    pub fn advance(&self, step: Duration) {
        if let Clock::Movable(hands) = self {
            let mut hands = hands.lock().unwrap_or_else(PoisonError::into_inner);
            hands.wall += step;
            hands.monotonic += step;
        }
    }

    /// Sets the wall clock of a movable clock, as an administrator or a wrong time server would: no time passes.
    pub fn jump_to(&self, wall: Timestamp) {
        if let Clock::Movable(hands) = self {
            hands.lock().unwrap_or_else(PoisonError::into_inner).wall = wall;
        }
    }
}

/// Both clocks as they stood when they were last compared.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    wall: Timestamp,
    monotonic: Duration,
}

impl Compared {
    /// Both as they stand now.
    pub fn new(clock: &Clock) -> Self {
        Compared {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    /// By how far the wall clock was set since the last look, if it was. A machine that slept looks like a clock that was
    /// set forward: monotonic time does not count sleep.
    pub fn set_by(&mut self, clock: &Clock) -> Option<SignedDuration> {
        let before = *self;
        *self = Compared::new(clock);
        let passed = SignedDuration::try_from(self.monotonic.saturating_sub(before.monotonic));
        let by = self.wall.duration_since(before.wall) - passed.ok()?;
        (by.abs() > A_STEP).then_some(by)
    }
}

/// Whether two clocks that are so far apart are both right, as far as anybody can tell.
pub fn agree(skew: SignedDuration) -> bool {
    skew.abs() < SignedDuration::from_mins(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_either_way_is_told_from_time_that_passes() {
        let clock = Clock::movable("2026-03-01T00:00:00Z".parse().unwrap());
        let mut compared = Compared::new(&clock);
        let hour = SignedDuration::from_hours(1);
        for (passes, set) in [(0, 0), (9000, 0), (1, 2), (1, -2), (86_400, 1)] {
            clock.advance(Duration::from_secs(passes));
            clock.jump_to(clock.now() + SignedDuration::from_secs(set));
            assert_eq!(compared.set_by(&clock), None, "{passes} {set}");
        }
        for by in [hour, -hour] {
            clock.advance(Duration::from_secs(1));
            clock.jump_to(clock.now() + by);
            assert_eq!(compared.set_by(&clock), Some(by));
            assert_eq!(compared.set_by(&clock), None, "told once");
        }
    }

    #[test]
    fn a_jump_of_the_wall_clock_is_no_passing_of_time() {
        let clock = Clock::movable("2026-03-01T00:00:00Z".parse().unwrap());
        clock.advance(Duration::from_secs(60));
        clock.jump_to("2027-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(clock.monotonic(), Duration::from_secs(60));
        assert_eq!(clock.now().to_string(), "2027-01-01T00:00:00Z");
    }
}
