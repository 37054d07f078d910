//! One world for a scenario: a simulated Leaf, a mail server, a clock that only tests move, and the daemon's parts,
//! which run what is due when time passes. No loops, no sleeping. It speaks the domain.
//!
//! When it ends it looks whether everything was told, nobody was told twice, and no secret is left anywhere.

mod command;
mod inspect;
mod mailbox;
mod process;
mod setup;

use std::time::Duration;

use leafwatch::app::{Daemon, Patience, Station};
use leafwatch::clock::Clock;
use leafwatch::daemon::schedule::Timetable;
use leafwatch::daemon::sweep::{self, Ended, Scope, Urgent};
use leafwatch::daemon::{alarm, deliver, gather};
use leafwatch::leaf;
use leafwatch::mail::send::Deadlines;
use leafwatch::model::{Credential, CredentialId};
use leafwatch::store::{Db, Error};
use leafwatch::view::words;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::faulty_leaf::FaultyLeaf;
use super::smtp::Smtp;
use inspect::Log;
pub(crate) use mailbox::Heard;
pub(crate) use process::{FakeClock, Process};
pub(crate) use setup::Setup;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Time passes in steps of this length; what is due is run after each.
const STEP: Duration = Duration::from_secs(15);
/// How long work under way may take in real time before the test is said to be stuck.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) leaf: FaultyLeaf,
    pub(crate) smtp: Smtp,
    pub(crate) clock: Clock,
    pub(crate) setup: Setup,
    pub(crate) log: Log,
    parts: Option<Parts>,
    /// The disk has room for nothing more when the daemon starts.
    pub(crate) disk_is_full: bool,
    /// How many handovers of mails a test has seen.
    seen: usize,
    ending: Ending,
    folder: tempfile::TempDir,
}

/// The daemon without its loops.
struct Parts {
    station: Station,
    timetable: std::sync::Arc<Timetable>,
    tracker: TaskTracker,
    urgent: Urgent,
    wanted: UnboundedReceiver<(CredentialId, Credential)>,
    path: deliver::Path,
    alarm: alarm::Alarm,
}

/// What a test may leave behind, where it says so.
#[derive(Debug, Default)]
struct Ending {
    untold: bool,
    storage_faults: bool,
    told_twice: bool,
}

impl World {
    /// A world in which these growers are connected and well, after the first sweep.
    pub(crate) async fn new(growers: &[&str]) -> World {
        World::with(Setup::of(growers)).await
    }

    /// A world in which so many growers are connected and well; the n-th is `Farm n`.
    pub(crate) async fn of(count: u64) -> World {
        let names: Vec<String> = (0..count).map(|n| format!("Farm {n}")).collect();
        World::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// The same with other settings.
    pub(crate) async fn with(setup: Setup) -> World {
        let mut world = World::before_start(setup).await;
        world.starts().await;
        world.what_is_due().await;
        world
    }

    /// A world in which nobody has started the daemon yet.
    pub(crate) async fn before_start(setup: Setup) -> World {
        let start = "2026-03-02T08:00:00Z".parse().unwrap();
        World::on(Clock::movable(start), setup).await
    }

    /// A world for the whole daemon and the real binary, which live by the machine's clock; nobody has started them.
    pub(crate) async fn in_real_time(setup: Setup) -> World {
        World::on(Clock::system(), setup).await
    }

    async fn on(clock: Clock, setup: Setup) -> World {
        leaf::install_tls();
        let log = Log::capture();
        let leaf = FaultyLeaf::start(clock.clone()).await;
        let smtp = Smtp::start();
        setup.connect_growers(&leaf);
        World {
            leaf,
            smtp,
            clock,
            setup,
            log,
            parts: None,
            disk_is_full: false,
            seen: 0,
            ending: Ending::default(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The credential of a grower.
    pub(crate) fn grower(&self, name: &str) -> Credential {
        self.setup.grower(name)
    }

    // What happens at Leaf.

    /// The grower revokes access: the events say so, and the status word does.
    pub(crate) fn revokes_access(&self, name: &str) {
        self.leaf.revoke(self.grower(name));
    }

    /// The grower connects again, and all is well.
    pub(crate) fn connects_again(&self, name: &str) {
        self.leaf.reconnect(self.grower(name), None);
    }

    /// Leaf says this status word of the grower, and nothing else changes.
    pub(crate) fn status(&self, name: &str, word: &str) {
        self.leaf.set_status(self.grower(name), Some(word));
    }

    // What Leafwatch does.

    /// Time passes, and what is due in it happens.
    pub(crate) async fn time_passes(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.clock.advance(step);
            left -= step;
            self.what_is_due().await;
        }
    }

    /// Days pass, looked after every five minutes.
    pub(crate) async fn days_pass(&mut self, days: u32) {
        for _ in 0..days * 24 * 12 {
            self.clock.advance(5 * MINUTE);
            self.what_is_due().await;
        }
    }

    /// Time passes until this moment.
    pub(crate) async fn passes_until(&mut self, moment: &str) {
        let moment: jiff::Timestamp = moment.parse().unwrap();
        let left = Duration::try_from(moment.duration_since(self.clock.now())).unwrap();
        self.time_passes(left).await;
    }

    /// What the loops would do now.
    pub(crate) async fn what_is_due(&mut self) {
        self.parts().timetable.tick();
        self.idle().await;
        self.mails_go_out().await;
        let Parts { station, alarm, .. } = self.parts();
        alarm.look(&station.context).await;
    }

    /// One sweep now, whatever the schedule says; its mails go out when they are due.
    pub(crate) async fn sweep(&mut self) -> Ended {
        let parts = self.parts();
        let context = &parts.station.context;
        let ended = sweep::run(context, Scope::All, &parts.urgent)
            .await
            .unwrap();
        self.idle().await;
        ended
    }

    /// One sweep with mails going out beside it, in which so much time passes with each credential.
    pub(crate) async fn long_sweep(&mut self, each: Duration) -> Ended {
        let (leaf, clock) = (self.leaf.clone(), self.clock.clone());
        let parts = self.parts();
        let context = &parts.station.context;
        let over = CancellationToken::new();
        let sweeping = async {
            let ended = sweep::run(context, Scope::All, &parts.urgent).await;
            over.cancel();
            ended
        };
        let beside = async {
            let mut asked = leaf.requests().readings;
            loop {
                tokio::select! {
                    () = over.cancelled() => return,
                    _ = leaf.until(|requests| requests.readings > asked) => {}
                }
                asked += 1;
                clock.advance(each);
                deliver::pack(context).await.unwrap();
                deliver::send_due(context, &mut parts.path).await.unwrap();
            }
        };
        let (ended, ()) = tokio::join!(sweeping, beside);
        self.idle().await;
        ended.unwrap()
    }

    /// One round through everybody's events now.
    pub(crate) async fn gather(&mut self) {
        gather::round(&self.parts().station.context).await.unwrap();
    }

    /// Packs and sends what is due now, until there is nothing more to do.
    pub(crate) async fn mails_go_out(&mut self) {
        loop {
            let parts = self.parts();
            let context = &parts.station.context;
            let packed = deliver::pack(context).await;
            let sent = deliver::send_due(context, &mut parts.path).await;
            if let Err(error) = &packed {
                tracing::error!("cannot pack mails: {}", words::with_causes(error));
            }
            if let Err(error) = &sent {
                tracing::error!("cannot send mails: {}", words::with_causes(error));
            }
            let busy = packed.map_or(0, |(made, _)| made) + sent.unwrap_or(0);
            if busy == 0 {
                return;
            }
        }
    }

    /// The operator changes the config and reloads.
    pub(crate) async fn reloads(&mut self, change: impl FnOnce(&mut Setup)) {
        change(&mut self.setup);
        let config = self.config();
        // The loops are not wanted: a reload is the daemon's, and is handed what it works on for a moment.
        let Parts { station, .. } = self.parts.take().unwrap();
        let daemon = station.start();
        daemon.reload(config.into()).await.unwrap();
        daemon.stop().await;
        self.starts().await;
        self.what_is_due().await;
    }

    /// Stopped in order, and started again.
    pub(crate) async fn restarts(&mut self) {
        let Parts { station, .. } = self.parts.take().unwrap();
        station.close().await;
        self.starts().await;
        self.what_is_due().await;
    }

    /// Killed: what is in memory is gone, and nothing was said. Not started again.
    pub(crate) fn is_killed(&mut self) {
        self.parts = None;
    }

    /// Starts what is not running.
    pub(crate) async fn starts(&mut self) {
        let (config, patience) = (self.config(), self.patience());
        let db = self.opens_database();
        if self.disk_is_full {
            self.fills_up(&db);
        }
        let station = Station::open(db, config.into(), self.clock.clone(), patience)
            .await
            .unwrap();
        let (urgent, wanted) = unbounded_channel();
        let tracker = TaskTracker::new();
        let timetable = Timetable::new(
            station.context.clone(),
            urgent.clone(),
            tracker.clone(),
            std::sync::Arc::default(),
        );
        self.parts = Some(Parts {
            station,
            timetable: timetable.into(),
            tracker,
            urgent,
            wanted,
            path: deliver::Path::new(patience.deadlines),
            alarm: alarm::Alarm::new(&self.database(), patience.deadlines),
        });
    }

    /// The whole daemon with its loops, in place of the parts.
    pub(crate) async fn starts_loops(&mut self) -> Daemon {
        self.starts().await;
        self.parts.take().unwrap().station.start()
    }

    /// Waits for work under way, and reads the events that are wanted at once.
    async fn idle(&mut self) {
        let Parts {
            station,
            tracker,
            wanted,
            ..
        } = self.parts.as_mut().unwrap();
        tracker.close();
        let ended = tokio::time::timeout(PATIENCE, tracker.wait()).await;
        assert!(ended.is_ok(), "work under way never ends");
        tracker.reopen();
        while let Ok((id, credential)) = wanted.try_recv() {
            gather::at_once(&station.context, id, credential).await;
        }
    }

    fn parts(&mut self) -> &mut Parts {
        self.parts.as_mut().unwrap()
    }

    /// A daemon that was killed lets go of the lock when its writer is through.
    fn opens_database(&self) -> Db {
        let started = Clock::system();
        loop {
            match Db::open(&self.database()) {
                Err(Error::InUse { .. }) if started.monotonic() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                opened => return opened.unwrap(),
            }
        }
    }

    fn patience(&self) -> Patience {
        let short = Duration::from_millis(400);
        Patience {
            first_pause: Duration::from_millis(1),
            deadlines: match self.setup.hurried {
                false => Deadlines::default(),
                true => Deadlines {
                    connect: short,
                    command: short,
                    body: short,
                },
            },
        }
    }
}
