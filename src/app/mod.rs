//! The only place that wires: config to store, Leaf, mail and clock, to tasks, to an orderly stop.

mod lifecycle;
mod wiring;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::context::{Context, SightState};
use crate::daemon::judge::Bench;
use crate::daemon::roster::{Changes, Roster};
use crate::daemon::schedule::{self, Timetable};
use crate::daemon::settings::{InForce, Settings};
use crate::daemon::sweep::{self, Urgent};
use crate::daemon::{alarm, deliver, gather, guard};
use crate::leaf::{self, Client};
use crate::mail::send::Deadlines;
use crate::model::{CredentialId, Kind};
use crate::rules::due;
use crate::rules::incidents::Condition;
use crate::store::{self, Db, Displaced, Lock, RunId, Tx, Writer};
use crate::vitals::{Fault, Vitals};
use crate::web;

pub use lifecycle::{Fatal, run};
pub use wiring::{leaf as leaf_settings, settings as settings_at};

/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(12);

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Leaf's settings, or the HTTP client.
    #[error("cannot set up the client of Leaf")]
    Leaf(#[from] leaf::BuildError),
    /// The page has no password.
    #[error(transparent)]
    Password(#[from] web::NoPassword),
    /// A thread or random numbers could not be had.
    #[error("cannot get what a daemon needs from the system: {0}")]
    System(String),
}

/// All that is open and shared, before any loop runs.
#[derive(Debug)]
pub struct Station {
    /// The handles of all loops.
    pub context: Context,
    lock: Option<Arc<Lock>>,
    urgent: Urgent,
    wanted: mpsc::UnboundedReceiver<(CredentialId, crate::model::Credential)>,
    writer: std::thread::JoinHandle<()>,
    /// With the address taken, where it could be.
    page: Option<(web::Site, Option<TcpListener>)>,
}

/// How time is scaled, where it is: in the demo and in tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// The pause before the first retry of a request.
    pub first_pause: Option<Duration>,
    /// How long each phase of handing over a mail may take.
    pub deadlines: Option<Deadlines>,
}

impl Station {
    /// Opens everything: the roster is in line with the config, and a new run has begun.
    ///
    /// # Errors
    /// Where the database or the client cannot be had.
    pub async fn open(
        db: Db,
        config: &Config,
        clock: Clock,
        pace: Pace,
    ) -> Result<Station, StartError> {
        let lock = db.lock();
        let (writer, thread) =
            Writer::start(db).map_err(|error| StartError::System(error.to_string()))?;
        let settings = wiring::settings(config, pace);
        let (now, began) = (clock.now(), clock.monotonic());
        let mut fresh = [0; 32];
        let random = SystemRandom::new();
        random
            .fill(&mut fresh)
            .map_err(|_| StartError::System("no random numbers".to_owned()))?;
        let opening = settings.clone();
        let opened = writer
            .write(move |tx| begin(tx, &opening, fresh, now))
            .await?;
        let client = Client::new(wiring::leaf(config, pace), opened.key, clock.clone())?;
        let stop = CancellationToken::new();
        let work = stop.child_token();
        let (urgent, wanted) = mpsc::unbounded_channel();
        let context = Context {
            clock,
            client,
            writer,
            settings: InForce::new(settings),
            roster: Arc::new(Mutex::new(opened.roster)),
            backlog: Arc::default(),
            vitals: Vitals::new(),
            run: opened.run,
            sight: Arc::new(Mutex::new(SightState {
                blind: opened.blind,
                after_off: opened.after_off,
                last_whole: began,
                steady_since: began,
                ..SightState::default()
            })),
            committed: Arc::new(Notify::new()),
            packed: Arc::new(Notify::new()),
            swept: Arc::new(Notify::new()),
            recalled: Arc::new(Mutex::new(work.child_token())),
            work,
            stop,
        };
        let page = match config.web.listen {
            None => None,
            Some(wanted) => {
                let (listener, listen) = match listen(&context, wanted).await {
                    Some((listener, address)) => (Some(listener), address),
                    None => (None, wanted),
                };
                let parts = web::Parts {
                    clock: context.clock.clone(),
                    vitals: context.vitals.clone(),
                    client: context.client.clone(),
                    database: config.database.path.clone(),
                    listen,
                    mark: opened.mark,
                };
                Some((web::Site::new(parts, wiring::web(config))?, listener))
            }
        };
        Ok(Station {
            context,
            lock,
            urgent,
            wanted,
            writer: thread,
            page,
        })
    }

    /// Starts the loops.
    pub fn start(self) -> Daemon {
        let Station {
            context,
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
        loops.spawn(deliver::send_loop(context.clone()));
        loops.spawn(gather::urgent(context.clone(), wanted));
        if let Some(lock) = &lock {
            loops.spawn(alarm::watch(context.clone(), lock.path().to_owned()));
            loops.spawn(guard::watch(context.clone(), lock.clone()));
        }
        // The first sweep begins now, not with the scheduler's first second.
        timetable.tick();
        let ticking = timetable.clone();
        loops.spawn(async move {
            if let Err(error) = schedule::run(ticking).await {
                tracing::error!("the schedule cannot run: {error:#}");
            }
        });
        let page = page.map(|(site, listener)| {
            loops.spawn(serve(context.clone(), site.clone(), listener));
            site
        });
        let names = context.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = names.stop.cancelled() => {}
                () = gather::names(&names) => {}
            }
        });
        Daemon {
            context,
            timetable,
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

/// Takes the address of the page, and says loudly where it cannot be had: no reason not to watch.
async fn listen(context: &Context, address: SocketAddr) -> Option<(TcpListener, SocketAddr)> {
    let taken = async {
        let listener = TcpListener::bind(address).await?;
        // Where port 0 was asked for, the system chose one.
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    match taken.await {
        Ok((listener, address)) => {
            context.vitals.fault_over(Fault::Page);
            tracing::info!("the page is at http://{address}/");
            Some((listener, address))
        }
        Err(error) => {
            let text = format!(
                "the page, /healthz and /metrics are not served: cannot listen at {address} (web.listen): {error}"
            );
            let now = context.clock.now();
            if context.vitals.fault_seen(Fault::Page, text.clone(), now) {
                tracing::error!("{text}; watching goes on, and it is tried again every 5 s");
            }
            None
        }
    }
}

/// Serves the page until the context's stop; where its address was taken by another program, from when that is gone.
async fn serve(context: Context, site: web::Site, listener: Option<TcpListener>) {
    const TRY_EVERY: Duration = Duration::from_secs(5);
    let listening = async {
        let mut taken = listener;
        loop {
            match taken {
                Some(listener) => return listener,
                None => tokio::time::sleep(TRY_EVERY).await,
            }
            taken = listen(&context, site.address())
                .await
                .map(|(listener, _)| listener);
        }
    };
    tokio::select! {
        () = context.stop.cancelled() => {}
        listener = listening => site.serve(listener, context.stop.clone()).await,
    }
}

/// What the loops, and whoever plays them, need of `config`.
pub fn settings(config: &Config) -> Settings {
    wiring::settings(config, Pace::default())
}

struct Opened {
    key: [u8; 32],
    mark: String,
    run: RunId,
    roster: Roster,
    blind: bool,
    after_off: bool,
}

/// Begins a run: what is no longer in the config is closed, and what is new in it is watched.
fn begin(
    tx: &Tx<'_>,
    settings: &Settings,
    fresh: [u8; 32],
    now: Timestamp,
) -> store::Result<Opened> {
    // The clock may have been set while nobody ran.
    tx.shorten_waits(settings.policy.alerts.group_wait, now)?;
    let last_alive = tx.last_alive(now)?;
    tx.end_pause()?;
    let key = tx.fingerprint_key(fresh, now)?;
    let run = tx.begin_run(env!("CARGO_PKG_VERSION"), now)?;
    let bench = settings.bench(false);
    let (roster, changes) = Roster::load(tx, &settings.watch, &settings.policy, now)?;
    drop_from_watch(tx, &bench, &changes, now)?;
    bench.own_one(tx, Kind::ConfigRejected, "", None, now)?;
    // The config may be another one than before.
    tx.choose_anew(now)?;
    // A delivery that was under way when the last run was killed is tried again now.
    tx.path_is_open(now)?;
    Ok(Opened {
        key,
        mark: tx.mark()?.unwrap_or_default(),
        run,
        roster,
        blind: tx.is_blind()?,
        after_off: due::was_off(&settings.policy.schedules.sweep, last_alive, now),
    })
}

/// Closes what was taken out of the config, and tells the operators where that was a lot.
fn drop_from_watch(
    tx: &Tx<'_>,
    bench: &Bench<'_>,
    changes: &Changes,
    now: Timestamp,
) -> store::Result<()> {
    const MANY: usize = 5;
    let dropped = changes.dropped.len();
    bench.unwatch(tx, &changes.dropped, now)?;
    let many = dropped >= MANY && dropped * 10 > changes.before;
    let condition = many.then(|| Condition {
        kind: Kind::WatchShrank,
        subject: String::new(),
        why: format!(
            "{dropped} of {} watched credentials are no longer in the config",
            changes.before
        ),
    });
    bench.own_one(tx, Kind::WatchShrank, "", condition.as_ref(), now)
}

/// The running loops.
#[derive(Debug)]
pub struct Daemon {
    /// The handles of all loops.
    pub context: Context,
    timetable: Arc<Timetable>,
    loops: JoinSet<()>,
    tracker: TaskTracker,
    broken: Arc<Notify>,
    lock: Option<Arc<Lock>>,
    writer: std::thread::JoinHandle<()>,
    page: Option<web::Site>,
}

impl Daemon {
    /// Where the page is served; none where it is not, or not yet.
    pub fn page_address(&self) -> Option<SocketAddr> {
        let is_served = self.context.vitals.fault(Fault::Page).is_none();
        let site = self.page.as_ref().filter(|_| is_served);
        site.map(web::Site::address)
    }

    /// Puts a new config in force: from the next request, decision and mail on.
    ///
    /// # Errors
    /// Where it cannot be put in force; the old one stays in every part.
    pub async fn reload(&self, config: &Config, pace: Pace) -> Result<(), StartError> {
        let context = &self.context;
        let settings = wiring::settings(config, pace);
        let now = context.clock.now();
        let handed = settings.clone();
        // All that can fail comes before the commit.
        let leaf = Client::prepare(wiring::leaf(config, pace))?;
        let page = match &self.page {
            None => None,
            Some(site) => Some((site, web::Ready::new(wiring::web(config))?)),
        };
        let roster = context
            .write(move |tx| {
                let bench = handed.bench(false);
                let (roster, changes) = Roster::load(tx, &handed.watch, &handed.policy, now)?;
                drop_from_watch(tx, &bench, &changes, now)?;
                bench.own_one(tx, Kind::ConfigRejected, "", None, now)?;
                tx.choose_anew(now)?;
                Ok(roster)
            })
            .await?;
        context.client.reconfigure(leaf);
        context.settings.replace(settings);
        if let Some((site, ready)) = page {
            site.reload(ready);
        }
        context.replace_roster(roster);
        self.timetable.settings_changed();
        context.committed.notify_one();
        Ok(())
    }

    /// A new config was refused: the operators are told, and the old one stays in force.
    pub async fn reload_refused(&self, why: String) {
        let context = &self.context;
        let (settings, now) = (context.settings.now(), context.clock.now());
        context.vitals.fault_seen(Fault::Config, why.clone(), now);
        let told = context
            .write(move |tx| {
                let bench = settings.bench(false);
                let condition = Condition {
                    kind: Kind::ConfigRejected,
                    subject: String::new(),
                    why,
                };
                bench.own_one(tx, Kind::ConfigRejected, "", Some(&condition), now)
            })
            .await;
        if told.is_ok() {
            context.committed.notify_one();
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
            timetable,
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
        drop(timetable);
        end_run(context, lock, writer).await;
    }
}

async fn end_run(context: Context, lock: Option<Arc<Lock>>, writer: std::thread::JoinHandle<()>) {
    let (run, now) = (context.run, context.clock.now());
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
            sweep::chain(error)
        ),
    }
    if saved.is_ok()
        && displaced.is_database()
        && let Err(error) = context.writer.let_go(lock.clone()).await
    {
        tracing::warn!("{}", sweep::chain(&error));
    }
}
