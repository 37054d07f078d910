//! Killed with -9 at any moment, again and again, while somebody else reads the database: what the mail server accepted is
//! the ledger. Nothing is lost, and nothing is told twice but for the documented window, between the server's 250 and our
//! mark.
//!
//! A few kills in every run; many by `LEAFWATCH_KILLS=300 cargo test --test it kill_ledger -- --nocapture`. A run is
//! repeated by its seed: `LEAFWATCH_SEED=…`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use leafwatch::clock::Clock;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::support::mail::Opened;
use crate::support::world::{Process, Setup, World};

const FARMS: usize = 6;
const READERS: [&str; 2] = ["one@example.com", "two@example.com"];
/// How long the telling of one change may take in all, kills not counted.
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(
    clippy::disallowed_methods,
    reason = "not a setting of the program, but how long this test runs"
)]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Numbers that look random and follow from a seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What happened at Leaf, and what must have been told: kept apart from all that the program knows.
#[derive(Default)]
struct Ledger {
    broken: BTreeMap<usize, bool>,
    /// What every reader must have heard, farm by farm, in order.
    expected: BTreeMap<usize, Vec<&'static str>>,
    /// How many handovers there were when each run had ended.
    ends: Vec<usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_ledger() {
    let (kills, seed) = (
        number("LEAFWATCH_KILLS", 5),
        number("LEAFWATCH_SEED", 20_260_302),
    );
    println!("kill ledger: {kills} kills, LEAFWATCH_SEED={seed}");
    let names: Vec<String> = (0..FARMS).map(farm).collect();
    let mut setup = Setup::quick(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.to = READERS.map(str::to_owned).to_vec();
    // As near to the defaults as the machine's clock allows: requests at their pace, mails that wait for each other.
    setup.requests_per_second = 5;
    setup.alerts =
        "group_wait = \"500ms\"\ngroup_interval = \"2s\"\nmax_emails_per_hour = 10000".to_owned();
    // Each farm is told by itself: what many have in common would be told once, and what follows it later.
    setup.rules += "\nshared_cause_count = 1000";
    let mut world = World::in_real_time(setup).await;
    world.may_tell_twice();
    let (mut dice, mut ledger) = (Dice(seed), Ledger::default());
    let stranger = Stranger::reads(world.database(), Dice(seed + 1));
    let mut killed = 0;
    while killed < kills {
        // What is not told to everybody yet would be folded with what comes: the ledger keeps them apart.
        if ledger.is_told(&world) {
            ledger.something_happens(&world, &mut dice);
        }
        for _ in 0..=dice.below(3) {
            let process = world.starts_binary();
            tokio::time::sleep(Duration::from_millis(dice.below(1_800))).await;
            dies(process);
            ledger.run_ended(&world);
            killed += 1;
        }
        // Now it may live until the change is told, and dies around then; or as the server takes the first mail.
        let told = world.smtp.taken();
        let process = world.starts_binary();
        if dice.below(2) == 0 && !ledger.is_told(&world) {
            ledger.wait_for_handover(&world, told + 1);
        } else {
            ledger.wait_until_told(&world).await;
            tokio::time::sleep(Duration::from_micros(dice.below(30_000))).await;
        }
        dies(process);
        ledger.run_ended(&world);
        killed += 1;
    }
    // In the end it may finish.
    let mut process = world.starts_binary();
    for (farm, broken) in ledger.broken.clone() {
        if broken {
            ledger.mend(&world, farm);
        }
    }
    ledger.wait_until_told(&world).await;
    ledger.wait_until_nothing_waits(&world).await;
    let reads = stranger.leaves();
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
    ledger.run_ended(&world);
    let again = ledger.check(&world);
    println!(
        "kill ledger: {killed} kills, {reads} reads beside, {} handovers, lost 0, told again within the window {again}",
        world.smtp.accepted().len()
    );
}

/// Somebody who opens the database, reads and closes it, as `sqlite3 leafwatch.db "SELECT …"` does, at any moment.
struct Stranger {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Stranger {
    fn reads(database: PathBuf, mut dice: Dice) -> Stranger {
        let enough = Arc::new(AtomicBool::new(false));
        let heard = enough.clone();
        let thread = std::thread::spawn(move || {
            let mut reads = 0;
            while !heard.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(dice.below(150)));
                if ask(&database, "SELECT count(*) FROM incident") {
                    reads += 1;
                    close_as_the_last(&database);
                }
            }
            reads
        });
        Stranger { enough, thread }
    }

    /// Stops, and says how often it read.
    fn leaves(self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Opens it, asks, and closes it. It may write, as the one of the shell may; it makes no database where there is none.
/// While the daemon is just making or mending it, it is told to come again.
fn ask(database: &Path, sql: &str) -> bool {
    let opened = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE);
    opened.is_ok_and(|database| database.query_row(sql, [], |_| Ok(())).is_ok())
}

/// The SQLite of Debian 12 looks, when it closes, whether anybody else holds a lock, and takes the log away where nobody
/// does; the one that is built in here is more careful, so that it has to be played.
fn close_as_the_last(database: &Path) {
    let beside = |end: &str| PathBuf::from(format!("{}{end}", database.display()));
    let is_alone = |file: &File| fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
    let Ok(file) = File::options().read(true).write(true).open(database) else {
        return;
    };
    if !beside("-wal").exists() || !is_alone(&file) {
        return;
    }
    drop(file);
    if !ask(database, "PRAGMA wal_checkpoint(TRUNCATE)") {
        return;
    }
    let Ok(file) = File::options().read(true).write(true).open(database) else {
        return;
    };
    if is_alone(&file) {
        for end in ["-wal", "-shm"] {
            // It may have gone with the last to close it.
            let _ = std::fs::remove_file(beside(end));
        }
    }
}

/// What it wrote until now is in the database, not in a file that somebody else's closing has taken away.
fn dies(process: Process) {
    let open = process.open_files().into_iter();
    let lost: Vec<PathBuf> = open
        .filter(|file| file.to_string_lossy().ends_with(" (deleted)"))
        .collect();
    assert!(lost.is_empty(), "it writes into {lost:?}");
    process.kill();
}

fn farm(nth: usize) -> String {
    format!("Farm {nth}")
}

impl Ledger {
    /// One to three farms break, or are mended.
    fn something_happens(&mut self, world: &World, dice: &mut Dice) {
        let first = dice.below(FARMS as u64) as usize;
        for nth in 0..=dice.below(3) as usize {
            let farm = (first + nth) % FARMS;
            match self.broken.get(&farm) {
                Some(true) => self.mend(world, farm),
                _ => {
                    world.status(&self::farm(farm), "UNAUTHENTICATED");
                    self.broken.insert(farm, true);
                    self.expected.entry(farm).or_default().push("broken");
                }
            }
        }
    }

    fn mend(&mut self, world: &World, farm: usize) {
        world.connects_again(&self::farm(farm));
        self.broken.insert(farm, false);
        self.expected.entry(farm).or_default().push("mended");
    }

    /// A run is over: nothing more can come from it.
    fn run_ended(&mut self, world: &World) {
        world.smtp.wait_until_alone();
        self.ends.push(world.smtp.accepted().len());
    }

    async fn wait_until_told(&self, world: &World) {
        let told = async {
            while !self.is_told(world) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        assert!(told.is_ok(), "{}", self.lost(world));
    }

    /// The moment in which the server has taken so many mails, and has not said so yet.
    fn wait_for_handover(&self, world: &World, count: usize) {
        let watch = Clock::system();
        while world.smtp.taken() < count {
            assert!(watch.monotonic() < PATIENCE, "{}", self.lost(world));
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn lost(&self, world: &World) -> String {
        let states = READERS.map(|reader| heard(world, reader));
        let steps = world.steps();
        let deliveries = world.asks(
            "SELECT d.address || ' ' || d.state || ' ' || m.subject FROM delivery d
             JOIN message m ON m.id = d.message ORDER BY d.id",
        );
        let untold = world.untold();
        format!(
            "lost: {:?} was to be told, and was heard: {states:#?}; {steps:#?} {deliveries:#?} {untold:#?}",
            self.expected
        )
    }

    fn is_told(&self, world: &World) -> bool {
        READERS.iter().all(|reader| self.has_heard(world, reader))
    }

    fn has_heard(&self, world: &World, reader: &str) -> bool {
        let heard = heard(world, reader);
        self.expected.iter().all(|(farm, expected)| {
            heard
                .get(farm)
                .is_some_and(|heard| heard.len() >= expected.len())
        })
    }

    /// What the server took last may not be marked yet.
    async fn wait_until_nothing_waits(&self, world: &World) {
        let waiting = "SELECT count(*) FROM delivery WHERE state = 0";
        let done = async {
            while world.asks(waiting) != ["0"] {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, done).await.unwrap();
    }

    /// Every reader heard of every change once and in order; the server and the database agree on what was accepted;
    /// and what was handed over again was the last that a killed run handed over. Returns how often that was.
    fn check(&self, world: &World) -> usize {
        for reader in READERS {
            let heard = heard(world, reader);
            assert_eq!(heard, self.expected, "{reader} heard, and was to hear");
        }
        let accepted = world.smtp.accepted();
        let mut first_of: HashMap<(String, String), usize> = HashMap::new();
        let mut again = 0;
        for (at, mail) in accepted.iter().enumerate() {
            let key = (mail.header("Message-ID").unwrap(), mail.to.join(","));
            if let Some(before) = first_of.insert(key, at) {
                again += 1;
                assert!(
                    self.ends.contains(&(before + 1)),
                    "handover {before} came again as {at}, and no run was killed after it: {:?}",
                    self.ends
                );
            }
        }
        let told = world.asks(
            "SELECT m.message_id || ' ' || d.address FROM delivery d JOIN message m ON m.id = d.message
             WHERE d.state = 1 ORDER BY 1",
        );
        let mut taken: Vec<String> = first_of
            .into_keys()
            .map(|(id, reader)| format!("{id} {reader}"))
            .collect();
        taken.sort();
        assert_eq!(told, taken, "what we marked, and what the server took");
        again
    }
}

/// What a reader heard of each farm, in order; a mail that came twice was read once.
fn heard(world: &World, reader: &str) -> BTreeMap<usize, Vec<&'static str>> {
    let mut heard: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    let mut read = std::collections::HashSet::new();
    for mail in world.smtp.accepted() {
        if !mail.to.iter().any(|to| to == reader) || !read.insert(mail.header("Message-ID")) {
            continue;
        }
        let text = Opened::new(&mail.bytes).text;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for nth in 0..FARMS {
            let stem = format!("connection of {} ", farm(nth));
            for (words, what) in [("no longer works.", "broken"), ("works again.", "mended")] {
                if text.contains(&format!("{stem}{words}")) {
                    heard.entry(nth).or_default().push(what);
                }
            }
        }
    }
    heard
}
