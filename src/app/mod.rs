//! The only place that wires: config to store, Leaf, mail and clock, to tasks, to an orderly stop.

mod lifecycle;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::context::Context;
use crate::daemon::judge::Bench;
use crate::daemon::schedule::{self, Timetable};
use crate::daemon::sweep::Urgent;
use crate::daemon::{alarm, deliver, gather, guard, start};
use crate::leaf::{Client, Endpoint};
use crate::mail::send::Deadlines;
use crate::model::{CredentialId, Kind};
use crate::rules::incidents::Condition;
use crate::store::{self, Db, Displaced, Lock, Writer};
use crate::view::words;
use crate::vitals::Fault;
use crate::web::{NoPassword, Password, Site};

pub use lifecycle::{Fatal, run};

/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(12);

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The HTTP client.
    #[error("cannot set up the client of Leaf")]
    Leaf(#[from] reqwest::Error),
    /// The page has no password.
    #[error(transparent)]
    Password(#[from] NoPassword),
    /// A thread or random numbers could not be had.
    #[error("cannot get what a daemon needs from the system: {0}")]
    System(String),
}

/// How long others are waited for; less in the demo and in tests, where time is scaled.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The pause before the first retry of a request to Leaf.
    pub first_pause: Duration,
    /// How long each phase of handing over a mail may take.
    pub deadlines: Deadlines,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            first_pause: Client::FIRST_PAUSE,
            deadlines: Deadlines::default(),
        }
    }
}

/// All that is open and shared, before any loop runs.
#[derive(Debug)]
pub struct Station {
    /// The handles of all loops.
    pub context: Context,
    config: watch::Sender<Arc<Config>>,
    deadlines: Deadlines,
    lock: Option<Arc<Lock>>,
    urgent: Urgent,
    wanted: mpsc::UnboundedReceiver<(CredentialId, crate::model::Credential)>,
    writer: std::thread::JoinHandle<()>,
    page: Option<Site>,
}

impl Station {
    /// Opens everything: the roster is in line with the config, and a new run has begun.
    ///
    /// # Errors
    /// Where the database or the client cannot be had.
    pub async fn open(
        db: Db,
        config: Arc<Config>,
        clock: Clock,
        patience: Patience,
    ) -> Result<Station, StartError> {
        let lock = db.lock();
        let (writer, thread) =
            Writer::start(db).map_err(|error| StartError::System(error.to_string()))?;
        let now = clock.now();
        let mut fresh = [0; 32];
        let random = SystemRandom::new();
        random
            .fill(&mut fresh)
            .map_err(|_| StartError::System("no random numbers".to_owned()))?;
        let opening = config.clone();
        let begun = writer
            .write(move |tx| start::begin(tx, &opening, fresh, now))
            .await?;
        let (leaf, first_pause) = (&config.leaf, patience.first_pause);
        let client = Client::new(leaf, begun.key, clock.clone(), first_pause)?;
        let (config, in_force) = watch::channel(config);
        let (urgent, wanted) = mpsc::unbounded_channel();
        let mark = begun.mark.clone();
        let context = Context::new(clock, client, writer, in_force, begun);
        let page = Site::open(
            config.subscribe(),
            context.clock.clone(),
            context.vitals.clone(),
            context.client.clone(),
            mark,
        );
        Ok(Station {
            page: page.await?,
            context,
            config,
            deadlines: patience.deadlines,
            lock,
            urgent,
            wanted,
            writer: thread,
        })
    }

    /// Starts the loops.
    pub fn start(self) -> Daemon {
        let Station {
            context,
            config,
            deadlines,
            lock,
            urgent,
            wanted,
            writer,
            page,
        } = self;
        let tracker = TaskTracker::new();
        let broken = Arc::new(Notify::new());
        let timetable = Arc::new(Timetable::new(
            context.clone(),
            urgent,
            tracker.clone(),
            broken.clone(),
        ));
        let mut loops = JoinSet::new();
        loops.spawn(deliver::pack_loop(context.clone()));
        loops.spawn(deliver::send_loop(context.clone(), deadlines));
        loops.spawn(gather::urgent(context.clone(), wanted));
        if let Some(lock) = &lock {
            loops.spawn(alarm::watch(
                context.clone(),
                lock.path().to_owned(),
                deadlines,
            ));
            loops.spawn(guard::watch(context.clone(), lock.clone(), deadlines));
        }
        // The first sweep begins now, not with the scheduler's first second.
        timetable.tick();
        loops.spawn(async move {
            if let Err(error) = schedule::run(timetable).await {
                tracing::error!("the schedule cannot run: {error:#}");
            }
        });
        if let Some(site) = &page {
            loops.spawn(site.clone().run(context.stop.clone()));
        }
        let names = context.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = names.stop.cancelled() => {}
                () = gather::names(&names) => {}
            }
        });
        Daemon {
            context,
            config,
            loops,
            tracker,
            broken,
            lock,
            writer,
            page,
        }
    }

    /// What a sweep hands the credentials to whose events are wanted at once.
    pub fn urgent(&self) -> &Urgent {
        &self.urgent
    }

    /// Ends the run without any loop having been started.
    pub async fn close(self) {
        let Station {
            context,
            lock,
            urgent,
            wanted,
            writer,
            ..
        } = self;
        drop((urgent, wanted));
        end_run(context, lock, writer).await;
    }
}

/// The running loops.
#[derive(Debug)]
pub struct Daemon {
    /// The handles of all loops.
    pub context: Context,
    config: watch::Sender<Arc<Config>>,
    loops: JoinSet<()>,
    tracker: TaskTracker,
    broken: Arc<Notify>,
    lock: Option<Arc<Lock>>,
    writer: std::thread::JoinHandle<()>,
    page: Option<Site>,
}

impl Daemon {
    /// Where the page is served; none where it is not, or not yet.
    pub fn page_address(&self) -> Option<SocketAddr> {
        let is_served = self.context.vitals.fault(Fault::Page).is_none();
        let site = self.page.as_ref().filter(|_| is_served);
        site.map(Site::address)
    }

    /// Puts a new config in force: from the next request, decision and mail on.
    ///
    /// # Errors
    /// Where it cannot be put in force; the old one stays in every part.
    pub async fn reload(&self, config: Arc<Config>) -> Result<(), StartError> {
        let context = &self.context;
        let (handed, now) = (config.clone(), context.clock.now());
        // All that can fail comes before the commit.
        let endpoint = Endpoint::new(&config.leaf)?;
        let password = Password::read(&config.web)?;
        let roster = context
            .write(move |tx| start::take_over(tx, &handed, now))
            .await?;
        // Nobody sees the one without the others.
        self.config.send_modify(|in_force| {
            *in_force = config;
            *context.roster() = roster;
            context.client.reconfigure(endpoint);
            if let Some(site) = &self.page {
                site.change_password(password);
            }
        });
        context.pack_soon();
        Ok(())
    }

    /// A new config was refused: the operators are told, and the old one stays in force.
    pub async fn reload_refused(&self, why: String) {
        let context = &self.context;
        let (config, now) = (context.config(), context.clock.now());
        context.vitals.fault_seen(Fault::Config, why.clone(), now);
        let told = context
            .write(move |tx| {
                let bench = Bench::of(&config);
                let condition = Condition {
                    kind: Kind::ConfigRejected,
                    subject: String::new(),
                    why,
                };
                bench.own_one(tx, Kind::ConfigRejected, "", Some(&condition), now)
            })
            .await;
        if told.is_ok() {
            context.pack_soon();
        }
    }

    /// Waits until a loop ends by itself, which none should while the database is in its place.
    pub async fn failed(&mut self) -> Fatal {
        let ended = tokio::select! {
            ended = self.loops.join_next() => ended,
            () = self.broken.notified() => return Fatal::LoopEnded,
        };
        match ended {
            Some(Err(panic)) => tracing::error!(%panic, "a loop of the daemon failed"),
            _ => {
                if let Some(displaced) = self.context.vitals.fault(Fault::Displaced) {
                    return Fatal::Displaced(displaced.text);
                }
                tracing::error!("a loop of the daemon ended by itself");
            }
        }
        Fatal::LoopEnded
    }

    /// Stops in order: no new work, what runs ends, everything is committed.
    pub async fn stop(self) {
        let Daemon {
            context,
            mut loops,
            tracker,
            lock,
            writer,
            ..
        } = self;
        context.stop.cancel();
        tracker.close();
        let drained = async {
            tracker.wait().await;
            while loops.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_WITHIN, drained).await.is_err() {
            tracing::warn!(
                "not all work ended in time; what was not committed is done again after the next start"
            );
            loops.shutdown().await;
        }
        end_run(context, lock, writer).await;
    }
}

async fn end_run(context: Context, lock: Option<Arc<Lock>>, writer: std::thread::JoinHandle<()>) {
    let (run, now) = (context.run(), context.clock.now());
    if let Err(error) = context.writer.write(move |tx| tx.end_run(run, now)).await {
        tracing::warn!("the end of the run could not be noted: {error}");
    }
    if let Err(error) = context.writer.checkpoint().await {
        tracing::debug!("the write-ahead log was not folded in: {error}");
    }
    if let Some(lock) = &lock {
        save_displaced(&context, lock, now).await;
    }
    drop(context);
    // The thread ends when the last handle is gone; a task that was cut off may hold one for a moment longer.
    let joined = tokio::task::spawn_blocking(move || writer.join());
    if tokio::time::timeout(Duration::from_secs(2), joined)
        .await
        .is_err()
    {
        tracing::debug!("the writer was still busy at the end");
    }
}

/// Of a database that is no longer at its path all is saved beside it, what was written last too; what stands there now is
/// left alone.
async fn save_displaced(context: &Context, lock: &Arc<Lock>, now: Timestamp) {
    let Some(displaced) = lock.displaced().filter(Displaced::loses_something) else {
        return;
    };
    let saved = context.writer.rescue(lock.clone(), now).await;
    match &saved {
        Ok(rescue) => tracing::warn!(
            "{displaced}; all that was open is saved in {}",
            rescue.display()
        ),
        Err(error) => tracing::error!(
            "{displaced}, and what was open cannot be saved: {}",
            words::with_causes(error)
        ),
    }
    if saved.is_ok()
        && displaced.is_database()
        && let Err(error) = context.writer.let_go(lock.clone()).await
    {
        tracing::warn!("{}", words::with_causes(&error));
    }
}
