//! The daemon under its service manager: signals, readiness, watchdog, heartbeat.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Daemon, Patience, StartError, Station};
use crate::clock::Clock;
use crate::config::{self, Config, needs_restart};
use crate::daemon::context::Context;
use crate::daemon::heartbeat::Heartbeat;
use crate::daemon::systemd;
use crate::store::Db;
use crate::view::words;
use crate::vitals::{Fault, Limits};
use crate::web::OVERDUE;

/// Why the daemon ended, where that was no orderly stop.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
    /// A loop ended by itself.
    #[error("a loop of the daemon ended by itself; the log says why")]
    LoopEnded,
    /// A file of the database was deleted or replaced while it was open; what was open is saved.
    #[error("{}", .0.replace('\n', "\n  "))]
    Displaced(String),
}

/// Runs the daemon in the foreground until it is told to stop.
///
/// # Errors
/// Where it cannot start, or a loop ends by itself.
pub async fn run(config: Arc<Config>, clock: Clock) -> Result<(), Fatal> {
    let mut signals = Signals::new().map_err(Fatal::Signals)?;
    let db = Db::open(&config.database.path).map_err(StartError::from)?;
    // To the end of the process: readers of the page may close their connections after everything else.
    std::mem::forget(db.lock());
    let station = Station::open(db, config.clone(), clock, Patience::default()).await?;
    log_start(&config);
    let mut daemon = station.start();
    let heart = tokio::spawn(beat(daemon.context.clone(), heartbeat(&config)));
    let dog = tokio::spawn(feed_watchdog(daemon.context.clone()));
    say(systemd::ready(&status(&daemon.context)));
    let ended = loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop => break Ok(()),
                Told::Reload => reload(&daemon).await,
            },
            fatal = daemon.failed() => break Err(fatal),
        }
    };
    say(systemd::stopping("finishing what runs"));
    tracing::info!("stopping");
    dog.abort();
    heart.abort();
    tokio::select! {
        () = daemon.stop() => {}
        () = signals.stop_again() => tracing::warn!("told to stop again: stopping at once"),
    }
    ended
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    async fn stop_again(&mut self) {
        while self.next().await == Told::Reload {}
    }
}

/// What a signal tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

/// Reads everything anew; nothing that runs is touched before the new config is whole.
async fn reload(daemon: &Daemon) {
    say(systemd::reloading());
    let old = daemon.context.config();
    let new = match read_anew(&old) {
        Ok(new) => Arc::new(new),
        Err(faults) => {
            tracing::error!("the new config is refused and the old one runs on: {faults}");
            daemon.reload_refused(faults).await;
            say(systemd::ready(
                "the new config was refused; the old one runs on",
            ));
            return;
        }
    };
    for key in needs_restart(&old, &new) {
        tracing::warn!("{key} changed; that needs a restart, until then the old value holds");
    }
    match daemon.reload(new.clone()).await {
        Ok(()) => {
            daemon.context.vitals.fault_over(Fault::Config);
            log_start(&new);
            say(systemd::ready(&status(&daemon.context)));
        }
        Err(error) => {
            let why = words::with_causes(&error);
            tracing::error!("the new config could not be put in force: {why}");
            daemon.reload_refused(why).await;
            say(systemd::ready(
                "the new config was refused; the old one runs on",
            ));
        }
    }
}

fn read_anew(running: &Config) -> Result<Config, String> {
    let config = running.read_again().map_err(|faults| faults.to_string())?;
    let faults = config.check_secrets();
    if faults.is_empty() {
        return Ok(config);
    }
    Err(config::Faults(faults).to_string())
}

fn log_start(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let pace = config.pace_estimate();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        commit = env!("LEAFWATCH_COMMIT"),
        credentials = pace.credentials,
        sweep_s = pace.sweep.map(|time| time.as_secs()),
        events_round_s = pace.events_round.map(|time| time.as_secs()),
        "watching {} credentials of {} Leaf users",
        pace.credentials,
        config.watch.users().len(),
    );
}

/// A service manager that cannot be told is no reason to stop.
fn say(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}

/// Feeds the watchdog while no loop is stuck.
async fn feed_watchdog(context: Context) {
    let Some(interval) = systemd::watchdog_interval() else {
        return;
    };
    loop {
        let limits = Limits::with_request_timeout(context.config().leaf.timeout);
        let stuck = context.vitals.stuck(context.clock.monotonic(), &limits);
        if stuck.is_empty() {
            say(systemd::feed_watchdog());
        } else {
            let names: Vec<String> = stuck.iter().map(ToString::to_string).collect();
            tracing::error!("stuck: {}; the watchdog is not fed", names.join(", "));
        }
        tokio::time::sleep(interval).await;
    }
}

fn heartbeat(config: &Config) -> Option<Heartbeat> {
    const WITHIN: Duration = Duration::from_secs(10);
    let url = Url::parse(&config.heartbeat.as_ref()?.url).ok()?;
    match Heartbeat::new(url, WITHIN) {
        Ok(heartbeat) => Some(heartbeat),
        Err(error) => {
            tracing::error!("no heartbeat: {}", words::with_causes(&error.without_url()));
            None
        }
    }
}

/// When a sweep ended: tells the service manager how things stand, and pings the heartbeat.
async fn beat(context: Context, heartbeat: Option<Heartbeat>) {
    loop {
        context.next_sweep_end().await;
        say(systemd::status(&status(&context)));
        let Some(heartbeat) = &heartbeat else {
            continue;
        };
        if let Err(error) = heartbeat.ping(is_well(&context).await).await {
            tracing::warn!("{}", words::with_causes(&error));
        }
    }
}

/// The last commit held, and no notice is overdue.
async fn is_well(context: &Context) -> bool {
    let faults = context.vitals.pulse().faults;
    let committed = ![Fault::Storage, Fault::Displaced]
        .iter()
        .any(|fault| faults.contains_key(fault));
    let since = context.clock.now() - OVERDUE;
    let overdue = context.read(move |tx| tx.overdue_notices(since)).await;
    committed && matches!(overdue, Ok(0))
}

fn status(context: &Context) -> String {
    let sight = match context.sight().blind {
        true => "; blind: Leaf gives no answer of use",
        false => "",
    };
    let page = context
        .vitals
        .fault(Fault::Page)
        .map(|fault| format!("; {}", fault.text));
    format!(
        "watching {} credentials{sight}{}",
        context.roster().members().len(),
        page.unwrap_or_default()
    )
}
