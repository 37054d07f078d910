//! Tries of the password: from the fifth on, each from the same address waits longer before it is even looked at.
//!
//! A try counts when it comes, not when it was found wrong: so many at once are no way round.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::doors::household;
use crate::clock::Clock;

/// So many tries are looked at without a pause.
const FREE: u32 = 4;
/// The pause before the next one; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// Who would wait longer is sent away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tries are forgotten after so long.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// Addresses remembered; beyond, all newcomers count as one.
const MOST: usize = 1000;

/// Tries by address, since the last right one from there.
#[derive(Debug)]
pub(super) struct Tries {
    clock: Clock,
    by: Mutex<HashMap<Option<IpAddr>, Tried>>,
}

#[derive(Debug, Clone, Copy)]
struct Tried {
    count: u32,
    /// Monotonic time at which the last of them is looked at.
    last: Duration,
    sent_away: u32,
}

/// A try that may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// How long it has to wait for that.
    pub(super) wait: Duration,
    /// The how manieth it is since the last right one.
    pub(super) nth: u32,
    /// How many were sent away between the one before and this.
    pub(super) sent_away: u32,
}

/// Too many tries wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentAway;

impl Tries {
    pub(super) fn new(clock: Clock) -> Tries {
        Tries {
            clock,
            by: Mutex::default(),
        }
    }

    /// A try comes from there. Those that have to wait queue up.
    pub(super) fn begin(&self, from: IpAddr) -> Result<Turn, SentAway> {
        let now = self.clock.monotonic();
        let is_over = |tried: &Tried| now.saturating_sub(tried.last) > FORGET;
        let mut by = self.by();
        if by.len() >= MOST {
            by.retain(|_, tried| !is_over(tried));
        }
        let fresh = Tried {
            count: 0,
            last: now,
            sent_away: 0,
        };
        let key = key(&by, from);
        let tried = by.entry(key).or_insert(fresh);
        if is_over(tried) {
            *tried = fresh;
        }
        let at = match tried.count.checked_sub(FREE) {
            None => now,
            Some(beyond) => tried.last.max(now) + pause(beyond),
        };
        let wait = at.saturating_sub(now);
        if wait > PATIENCE {
            tried.sent_away = tried.sent_away.saturating_add(1);
            return Err(SentAway);
        }
        tried.count = tried.count.saturating_add(1);
        tried.last = tried.last.max(at);
        Ok(Turn {
            wait,
            nth: tried.count,
            sent_away: std::mem::take(&mut tried.sent_away),
        })
    }

    /// A try from there was right.
    pub(super) fn right(&self, from: IpAddr) {
        let mut by = self.by();
        if by.remove(&Some(household(from))).is_none()
            && let Some(newcomers) = by.get_mut(&None)
        {
            newcomers.count = newcomers.count.saturating_sub(1);
        }
    }

    fn by(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Tried>> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(by: &HashMap<Option<IpAddr>, Tried>, from: IpAddr) -> Option<IpAddr> {
    let own = Some(household(from));
    if by.contains_key(&own) || by.len() < MOST {
        own
    } else {
        None
    }
}

fn pause(beyond: u32) -> Duration {
    FIRST.saturating_mul(1 << beyond.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries() -> (Tries, Clock) {
        let clock = Clock::movable("2026-03-01T00:00:00Z".parse().unwrap());
        (Tries::new(clock.clone()), clock)
    }

    #[test]
    fn each_wrong_try_from_the_fifth_on_waits_longer_and_a_right_one_ends_it() {
        let (tries, clock) = tries();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let mut waits = Vec::new();
        for _ in 0..11 {
            let turn = tries.begin(one).unwrap();
            clock.advance(turn.wait + Duration::from_secs(60));
            waits.push(turn.wait.as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(
            tries.begin(other).unwrap().wait,
            Duration::ZERO,
            "its neighbour"
        );
        tries.right(one);
        let turn = tries.begin(one).unwrap();
        assert_eq!((turn.wait, turn.nth), (Duration::ZERO, 1));
    }

    #[test]
    fn sixty_tries_at_once_are_not_sixty_looks() {
        let (tries, clock) = tries();
        let from = [192, 0, 2, 1].into();
        let burst: Vec<_> = (0..60).map(|_| tries.begin(from)).collect();
        let waits: Vec<_> = burst.iter().flatten().map(|turn| turn.wait).collect();
        assert_eq!(waits.len(), 9, "{waits:?}");
        assert!(waits.is_sorted() && waits[3].is_zero() && !waits[4].is_zero());
        clock.advance(PATIENCE);
        let next = tries.begin(from).unwrap();
        assert_eq!((next.nth, next.sent_away), (10, 51));
        clock.advance(FORGET + LONGEST + PATIENCE);
        assert_eq!(tries.begin(from).unwrap().nth, 1, "forgotten");
    }

    #[test]
    fn many_addresses_take_no_more_memory() {
        let (tries, _clock) = tries();
        for n in 0..5000_u32 {
            // Most of them are sent away.
            let _ = tries.begin(IpAddr::from(n.to_be_bytes()));
        }
        assert!(tries.by().len() <= MOST + 1);
        assert_eq!(tries.begin([203, 0, 113, 9].into()), Err(SentAway));
    }
}
