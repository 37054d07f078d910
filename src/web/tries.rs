//! Tries of the password: each wrong one makes the next from the same address wait longer before it is even looked at.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// The pause after the first wrong try; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// Who would wait longer is sent away.
const PATIENCE: Duration = Duration::from_secs(10);
/// A wrong try is forgotten after so long.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// Addresses remembered; beyond, all newcomers count as one.
const MOST: usize = 1000;

/// Wrong tries by address.
#[derive(Debug)]
pub(super) struct Tries {
    clock: Clock,
    by: Mutex<HashMap<Option<IpAddr>, Wrong>>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    /// Monotonic time before which no further try is looked at.
    next: Duration,
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

    /// How long a try from there has to wait before it is looked at; tries that wait queue up.
    pub(super) fn wait(&self, from: IpAddr) -> Result<Duration, SentAway> {
        let now = self.clock.monotonic();
        let mut by = self.by();
        let key = key(&by, from);
        let Some(wrong) = by.get_mut(&key) else {
            return Ok(Duration::ZERO);
        };
        let wait = wrong.next.saturating_sub(now);
        if wait > PATIENCE {
            return Err(SentAway);
        }
        wrong.next = wrong.next.max(now) + pause(wrong.count);
        Ok(wait)
    }

    /// A try from there was wrong.
    pub(super) fn wrong(&self, from: IpAddr) {
        let now = self.clock.monotonic();
        let mut by = self.by();
        if by.len() >= MOST {
            by.retain(|_, wrong| now.saturating_sub(wrong.next) < FORGET);
        }
        let key = key(&by, from);
        let wrong = by.entry(key).or_insert(Wrong {
            count: 0,
            next: now,
        });
        if now.saturating_sub(wrong.next) > FORGET {
            wrong.count = 0;
        }
        wrong.count = wrong.count.saturating_add(1);
        wrong.next = wrong.next.max(now + pause(wrong.count));
    }

    /// A try from there was right.
    pub(super) fn right(&self, from: IpAddr) {
        let mut by = self.by();
        if !by.is_empty() {
            by.remove(&Some(from));
        }
    }

    fn by(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Wrong>> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(by: &HashMap<Option<IpAddr>, Wrong>, from: IpAddr) -> Option<IpAddr> {
    let own = Some(from);
    if by.contains_key(&own) || by.len() < MOST {
        own
    } else {
        None
    }
}

fn pause(count: u32) -> Duration {
    FIRST
        .saturating_mul(1 << count.saturating_sub(1).min(10))
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries() -> (Tries, Clock) {
        let clock = Clock::movable("2026-03-01T00:00:00Z".parse().unwrap());
        (Tries::new(clock.clone()), clock)
    }

    #[test]
    fn each_wrong_try_makes_the_next_wait_longer_and_a_right_one_ends_it() {
        let (tries, clock) = tries();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert_eq!(tries.wait(one), Ok(Duration::ZERO));
        let mut waits = Vec::new();
        for _ in 0..7 {
            tries.wrong(one);
            let wait = tries.wait(one).unwrap();
            clock.advance(wait);
            waits.push(wait.as_millis());
        }
        assert_eq!(waits[0], 250);
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(waits[6] >= 5000, "{waits:?}");
        assert_eq!(tries.wait(other), Ok(Duration::ZERO), "its neighbour");
        tries.right(one);
        assert_eq!(tries.wait(one), Ok(Duration::ZERO));
    }

    #[test]
    fn tries_made_side_by_side_queue_up_until_they_are_sent_away() {
        let (tries, _clock) = tries();
        let from = [192, 0, 2, 1].into();
        for _ in 0..6 {
            tries.wrong(from);
        }
        let waits: Vec<_> = std::iter::repeat_with(|| tries.wait(from))
            .take_while(Result::is_ok)
            .take(100)
            .collect();
        assert!((1..=4).contains(&waits.len()), "{waits:?}");
    }

    #[test]
    fn many_addresses_take_no_more_memory() {
        let (tries, _clock) = tries();
        for n in 0..5000_u32 {
            tries.wrong(IpAddr::from(n.to_be_bytes()));
        }
        assert!(tries.by().len() <= MOST + 1);
        let newcomer = [203, 0, 113, 9].into();
        assert!(tries.wait(newcomer) != Ok(Duration::ZERO));
    }
}
