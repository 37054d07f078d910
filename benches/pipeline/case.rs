//! One fleet, measured from the first sweep to the day on which everything breaks.

use std::time::Duration;

use leafwatch::clock::Clock;

use crate::helper::Helper;
use crate::leaf::{BLINK, OtherSide};
use crate::meter::Took;
use crate::site::{Pace, Site};

/// What was measured with one fleet.
pub(crate) struct Case {
    pub(crate) fleet: u64,
    /// Pairs of an unchanged sweep and a bare pass, in turn.
    pub(crate) pairs: u32,
    /// All unchanged sweeps of the pairs.
    pub(crate) unchanged: Took,
    /// All bare passes of the pairs.
    pub(crate) bare: Took,
    /// The first sweep, and the mean of the bare passes before and after it.
    pub(crate) first: Took,
    pub(crate) bare_beside_first: Took,
    /// The sweep that finds everything invalid, its mails packed.
    pub(crate) turned: Took,
    pub(crate) peak_kib: u64,
    pub(crate) peak_turned_kib: u64,
    pub(crate) bytes_first: u64,
    pub(crate) bytes_after_ten: u64,
    /// Seconds from the start of the process to the first look, with an empty database and with a filled one.
    pub(crate) start: f64,
    pub(crate) start_again: f64,
    /// The daemon between sweeps, for [`IDLE`].
    pub(crate) idle_cpu: f64,
}

/// How long an idle daemon is watched: its upkeep runs once a minute.
pub(crate) const IDLE: Duration = Duration::from_secs(60);
/// A daemon that asked nothing for so long has nothing to do.
const QUIET: Duration = Duration::from_secs(3);

impl Case {
    pub(crate) fn measure(fleet: u64, pairs: u32) -> Self {
        assert!(pairs >= 10, "ten unchanged sweeps are asked for");
        let (mut leaf, other): (_, OtherSide) =
            Helper::start_and_hear(&["leaf", &fleet.to_string()]);
        let (start, start_again, idle_cpu) = rest(fleet, &mut leaf, &other);
        let site = Site::new(fleet, &other, &Pace::OPEN);
        let mut bare = Helper::start(&["bare", &fleet.to_string(), &other.base_url]);
        let () = bare.ask(&other.password);
        let mut sweeper = Helper::start(&["sweeper", &site.config()]);
        let before: Took = bare.ask("pass");
        let first = sweeper.ask("sweep");
        let after: Took = bare.ask("pass");
        let mut case = Case {
            fleet,
            pairs,
            unchanged: Took::default(),
            bare: Took::default(),
            first,
            bare_beside_first: (before + after).halved(),
            turned: Took::default(),
            peak_kib: 0,
            peak_turned_kib: 0,
            bytes_first: sweeper.ask("bytes"),
            bytes_after_ten: 0,
            start,
            start_again,
            idle_cpu,
        };
        for pair in 1..=pairs {
            case.unchanged += sweeper.ask("sweep");
            case.bare += bare.ask("pass");
            if pair == 10 {
                case.bytes_after_ten = sweeper.ask("bytes");
            }
        }
        case.peak_kib = sweeper.ask("peak");
        let () = leaf.ask("revoke all");
        case.turned = sweeper.ask("sweep and pack");
        case.peak_turned_kib = sweeper.ask("peak");
        case
    }

    /// What one unchanged sweep took.
    pub(crate) fn one_unchanged(&self) -> Took {
        let pairs = f64::from(self.pairs);
        Took {
            wall: self.unchanged.wall / pairs,
            cpu: self.unchanged.cpu / pairs,
        }
    }

    /// Processor seconds for 10,000 credentials in `sweeps` sweeps.
    pub(crate) fn cpu_of_10_000(&self, took: Took, sweeps: u32) -> f64 {
        took.cpu * 10_000.0 / (self.fleet as f64 * f64::from(sweeps))
    }
}

/// Starts a daemon twice, and watches it while it has nothing to do.
fn rest(fleet: u64, leaf: &mut Helper, other: &OtherSide) -> (f64, f64, f64) {
    let site = Site::new(fleet, other, &Pace::OPEN);
    let (mut daemon, start) = start(leaf, &site);
    until_quiet(leaf);
    // The first minute has the tidying of the day in it.
    std::thread::sleep(IDLE);
    let before: f64 = daemon.ask("cpu");
    std::thread::sleep(IDLE);
    let after: f64 = daemon.ask("cpu");
    drop(daemon);
    let (daemon, start_again) = self::start(leaf, &site);
    // What is under way when it is killed would be counted to who comes next.
    drop(daemon);
    until_quiet(leaf);
    (start, start_again, after - before)
}

fn start(leaf: &mut Helper, site: &Site) -> (Helper, f64) {
    let () = leaf.ask("forget");
    let clock = Clock::system();
    let daemon = Helper::start(&["daemon", &site.config()]);
    let () = leaf.ask("first reading");
    (daemon, clock.monotonic().as_secs_f64())
}

fn until_quiet(leaf: &mut Helper) {
    let mut asked: u64 = leaf.ask("requests");
    loop {
        std::thread::sleep(QUIET);
        let now = leaf.ask("requests");
        if asked == now {
            return;
        }
        asked = now;
    }
}

/// How long a mail takes, from the answer that says `UNAUTHENTICATED` to the mail server's 250.
pub(crate) struct Latency {
    pub(crate) fleet: u64,
    /// Seconds beyond `group_wait`, one for each sweep.
    pub(crate) beyond: Vec<f64>,
}

impl Latency {
    /// So many sweeps, in each of which one credential breaks.
    const SWEEPS: u64 = 5;
    const GROUP_WAIT: f64 = 1.0;
    /// A sweep takes several times `group_wait`, and the next begins soon after it.
    const PACE: Pace = Pace {
        sweep: "5s",
        group_wait: "1s",
        max_requests_per_second: 2_500,
    };

    pub(crate) fn measure(fleet: u64) -> Self {
        let (mut leaf, other): (_, OtherSide) =
            Helper::start_and_hear(&["leaf", &fleet.to_string()]);
        let site = Site::new(fleet, &other, &Latency::PACE);
        let (_daemon, _) = start(&mut leaf, &site);
        // The first sweep has to end: until then everything is a first look.
        while leaf.ask::<u64>("requests") < fleet * 2 {
            std::thread::sleep(BLINK * 10);
        }
        let beyond = (0..Latency::SWEEPS).map(|nth| {
            let took: f64 = leaf.ask(&format!("revoke {}", nth * fleet / Latency::SWEEPS));
            took + BLINK.as_secs_f64() - Latency::GROUP_WAIT
        });
        Latency {
            fleet,
            beyond: beyond.collect(),
        }
    }

    pub(crate) fn worst(&self) -> f64 {
        self.beyond.iter().copied().fold(f64::MIN, f64::max)
    }
}
