//! Plain numbers about the talk with Leaf, counted since the start.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What was asked of Leaf since the start; every number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Tries that brought an answer (200 that was received whole, or 404).
    pub answered: u64,
    /// Tries that were refused: 401 or 403.
    pub denied: u64,
    /// Tries that ended in 429.
    pub limited: u64,
    /// Tries that ended in 5xx, a time-out, or a fault of the network.
    pub later: u64,
    /// Tries that ended in anything else: a redirect, another status, an answer over its size limit.
    pub broken: u64,
    /// Tries that were made again after one that brought no answer.
    pub retries: u64,
    /// Times that the rate limit, or a pause that Leaf asked for, held up whoever was next.
    pub waits: u64,
    /// Login requests sent.
    pub logins: u64,
    /// Login requests that brought no token.
    pub logins_failed: u64,
}

/// The same numbers, as they are counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) answered: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) limited: AtomicU64,
    pub(super) later: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) logins: AtomicU64,
    pub(super) logins_failed: AtomicU64,
}

impl Counts {
    /// The numbers now; `waits` is the gate's own count.
    pub(super) fn snapshot(&self, waits: u64) -> Counters {
        Counters {
            answered: self.answered.load(Relaxed),
            denied: self.denied.load(Relaxed),
            limited: self.limited.load(Relaxed),
            later: self.later.load(Relaxed),
            broken: self.broken.load(Relaxed),
            retries: self.retries.load(Relaxed),
            waits,
            logins: self.logins.load(Relaxed),
            logins_failed: self.logins_failed.load(Relaxed),
        }
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
