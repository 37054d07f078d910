//! What all loops share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::judge::Bench;
use super::roster::Roster;
use super::start::Begun;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::leaf::{Client, Halt};
use crate::model::SweepId;
use crate::store::{Counts, Error, RunId, Tx, Writer};
use crate::view::words;
use crate::vitals::{Fault, Vitals};

/// Handles that every loop has; cloning shares them.
#[derive(Debug, Clone)]
pub struct Context {
    /// The clock.
    pub clock: Clock,
    /// Leaf.
    pub client: Client,
    /// The one writer of the database.
    pub writer: Writer,
    /// What the loops tell of themselves.
    pub vitals: Vitals,
    /// Stops taking work.
    pub stop: CancellationToken,
    /// Takes no new work, nor packs or sends, once this is over: the daemon stops, or what it writes is saved elsewhere and
    /// would be lost here.
    pub work: CancellationToken,
    in_force: watch::Receiver<Arc<Config>>,
    run: RunId,
    roster: Arc<Mutex<Roster>>,
    backlog: Arc<Mutex<Backlog>>,
    sight: Arc<Mutex<SightState>>,
    to_pack: Arc<Notify>,
    to_send: Arc<Notify>,
    swept: Arc<Notify>,
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
    /// Monotonic time until which Leaf asked us to wait.
    pub paused_until: Duration,
    /// Monotonic time at which a sweep was last whole, or this run began.
    pub last_whole: Duration,
    /// Monotonic time since which nobody set the wall clock.
    pub steady_since: Duration,
    /// The last full sweep was whole: Leaf answers, whatever it says.
    pub answers: bool,
    /// How far Leaf's clock is ahead of ours; none before an answer of this run that was dated.
    pub skew: Option<SignedDuration>,
    /// What the newest sweep has counted so far.
    pub progress: Option<(SweepId, Counts)>,
}

impl SightState {
    /// How much is left of the pause that Leaf asked for.
    pub fn pause_left(&self, mono: Duration) -> Option<Duration> {
        let left = self.paused_until.saturating_sub(mono);
        (!left.is_zero()).then_some(left)
    }

    /// Whether Leaf's clock says the same as ours: only then is ours a judge of what was written down before.
    pub fn clock_is_right(&self) -> bool {
        self.skew.is_some_and(clock::agree)
    }
}

impl Context {
    /// What the loops of one run share; nothing has been done in it yet.
    pub fn new(
        clock: Clock,
        client: Client,
        writer: Writer,
        in_force: watch::Receiver<Arc<Config>>,
        begun: Begun,
    ) -> Context {
        let now = clock.monotonic();
        let stop = CancellationToken::new();
        Context {
            clock,
            client,
            writer,
            vitals: Vitals::new(),
            work: stop.child_token(),
            stop,
            in_force,
            run: begun.run,
            roster: Arc::new(Mutex::new(begun.roster)),
            backlog: Arc::default(),
            sight: Arc::new(Mutex::new(SightState {
                blind: begun.blind,
                after_off: begun.after_off,
                last_whole: now,
                steady_since: now,
                ..SightState::default()
            })),
            to_pack: Arc::default(),
            to_send: Arc::default(),
            swept: Arc::default(),
        }
    }

    /// This run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Wakes the packer: something was committed that people may have to hear of.
    pub fn pack_soon(&self) {
        self.to_pack.notify_one();
    }

    /// Waits until the packer is woken.
    pub(super) async fn until_to_pack(&self) {
        self.to_pack.notified().await;
    }

    /// Wakes the sender: something was packed, or may be due by a clock that was set.
    pub(super) fn send_soon(&self) {
        self.to_send.notify_one();
    }

    /// Waits until the sender is woken.
    pub(super) async fn until_to_send(&self) {
        self.to_send.notified().await;
    }

    /// Tells that a sweep ended, however.
    pub(super) fn sweep_ended(&self) {
        self.swept.notify_one();
    }

    /// Waits for the end of a sweep; one that ended since the last call counts.
    pub async fn next_sweep_end(&self) {
        self.swept.notified().await;
    }

    /// The config in force now: one for each piece of work.
    pub fn config(&self) -> Arc<Config> {
        self.in_force.borrow().clone()
    }

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

    /// Resolves when work begun now is to stop: all work is over, or another config and roster are in force.
    pub fn recall(&self) -> impl Future<Output = ()> + Send + use<> {
        let (work, mut in_force) = (self.work.clone(), self.in_force.clone());
        in_force.mark_unchanged();
        async move {
            tokio::select! {
                () = work.cancelled() => {}
                _ = in_force.changed() => {}
            }
        }
    }

    /// Takes to heart that nothing can be asked now: a pause that Leaf asked for holds for sweeps, whoever met it.
    pub fn heed(&self, halt: &Halt) {
        if let Halt::Paused { left, .. } = halt {
            self.sight().paused_until = self.clock.monotonic() + *left;
        }
    }

    /// Leaf's clock now, as far as its answers told.
    pub fn leaf_now(&self) -> Timestamp {
        self.by_leaf(self.clock.now())
    }

    /// A time of ours by Leaf's clock.
    pub fn by_leaf(&self, at: Timestamp) -> Timestamp {
        let skew = self.sight().skew.unwrap_or_default();
        at.saturating_add(skew).unwrap_or(at)
    }

    /// Writes, and keeps the vitals true about it.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let counted = move |tx: &Tx<'_>| {
            let before = tx.written();
            let done = work(tx)?;
            Ok((done, tx.written() > before))
        };
        let result = self.writer.write(counted).await;
        let now = self.clock.now();
        match &result {
            // What wrote nothing proves nothing: on a full disk it succeeds as well.
            Ok((_, false)) => {}
            Ok((_, true)) => {
                self.vitals.committed(now);
                let is_well = !self.backlog().is_owed();
                let over = is_well.then(|| self.vitals.fault_over(Fault::Storage));
                if let Some(standing) = over.flatten() {
                    tracing::info!("the database can be written again, after {}", standing.text);
                }
            }
            Err(error) => {
                let text = words::with_causes(error);
                if self.vitals.fault_seen(Fault::Storage, text.clone(), now) {
                    tracing::error!(
                        "the database cannot be written: {text}; polling goes on, changes wait in memory"
                    );
                }
            }
        }
        result.map(|(done, _)| done)
    }

    /// Lets the judge write, under the config in force.
    pub async fn judge<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Bench<'_>, &Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (config, after_off) = (self.config(), self.sight().after_off);
        self.write(move |tx| {
            let bench = Bench {
                after_off,
                ..Bench::of(&config)
            };
            work(&bench, tx)
        })
        .await
    }

    /// Reads; says nothing about whether the database can be written.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.read(work).await
    }
}
