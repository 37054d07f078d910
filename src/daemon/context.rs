//! What all loops share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::judge::Bench;
use super::roster::Roster;
use super::settings::{InForce, Settings};
use crate::clock::Clock;
use crate::leaf::Client;
use crate::store::{RunId, Writer};
use crate::vitals::Vitals;

/// Handles that every loop has; cloning shares them.
#[derive(Debug, Clone)]
pub struct Context {
    /// The clock.
    pub clock: Clock,
    /// Leaf.
    pub client: Client,
    /// The one writer of the database.
    pub writer: Writer,
    /// The settings in force.
    pub settings: InForce,
    /// The watched credentials.
    pub roster: Arc<Mutex<Roster>>,
    /// What could not be written yet.
    pub backlog: Arc<Mutex<Backlog>>,
    /// What the loops tell of themselves.
    pub vitals: Vitals,
    /// This run.
    pub run: RunId,
    /// What the sweeps know of time and sight.
    pub sight: Arc<Mutex<SightState>>,
    /// Wakes the packer: something was committed.
    pub committed: Arc<Notify>,
    /// Wakes the sender: something was packed.
    pub packed: Arc<Notify>,
    /// Tells that a sweep ended.
    pub swept: Arc<Notify>,
    /// Stops taking work.
    pub stop: CancellationToken,
    /// Stops the sweep and the round of events that run now: the daemon stops, or the roster changed.
    pub recalled: Arc<Mutex<CancellationToken>>,
}

/// What the sweeps of this run know; lost with it, and then begun anew.
#[derive(Debug, Clone, Default)]
pub struct SightState {
    /// An account condition was true when it was last asked for.
    pub blind: bool,
    /// Monotonic time at which the last full sweep ended.
    pub last_sweep: Option<Duration>,
    /// Monotonic time at which Leaf was last tried.
    pub last_try: Option<Duration>,
    /// The program was off for longer than a sweep interval, and no sweep was whole since.
    pub after_off: bool,
    /// Leaf asked for a pause until then.
    pub paused_until: Option<Timestamp>,
    /// How far Leaf's clock is ahead of ours.
    pub skew: SignedDuration,
}

impl Context {
    /// The roster, locked; never held over a wait.
    pub fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the sweeps know, locked; never held over a wait.
    pub fn sight(&self) -> MutexGuard<'_, SightState> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could not be written yet, locked; never held over a wait.
    pub fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token that stops work on the roster as it is now.
    pub fn recall(&self) -> CancellationToken {
        self.recalled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts another roster in place; work on the old one stops.
    pub fn replace_roster(&self, roster: Roster) {
        let mut token = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        token.cancel();
        *token = self.stop.child_token();
        *self.roster() = roster;
    }

    /// The judge under `settings`.
    pub fn bench<'a>(&self, settings: &'a Settings) -> Bench<'a> {
        Bench {
            policy: &settings.policy,
            watch: &settings.watch,
            after_off: self.sight().after_off,
        }
    }

    /// Leaf's clock now, as far as its answers told.
    pub fn leaf_now(&self) -> Timestamp {
        let skew = self.sight().skew;
        self.clock
            .now()
            .saturating_add(skew)
            .unwrap_or(self.clock.now())
    }
}
