//! The real binary under a wall clock that is set while it runs. Monotonic time stays the machine's.

use std::time::Duration;

use leafwatch::clock::Clock;

use crate::support::world::{FakeClock, Process, Setup, World};

/// How long anything may take before the test is said to be stuck.
/// A scheduler that waits for the wall clock stands still for as long as it was set back.
const SMALLEST_STEP: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(60);

fn setup() -> Setup {
    let mut setup = Setup::quick(&["Hillside Farms", "Blue Silo Dairy"]);
    // Times of the wall, which a length would not be.
    setup.schedule = "sweep = \"* * * * * *\"\nevents = \"1h\"".to_owned();
    setup.alerts = setup
        .alerts
        .replace("group_wait = \"0s\"", "group_wait = \"2s\"");
    setup
}

/// A world beside a clock that can be set; none, and a word, where libfaketime is not installed.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
async fn world() -> Option<(World, FakeClock)> {
    let world = World::in_real_time(setup()).await;
    let clock = world.fake_clock();
    if clock.is_none() {
        println!("skipped: libfaketime is not installed (Debian: apt-get install libfaketime)");
    }
    clock.map(|clock| (world, clock))
}

impl World {
    /// Two sweeps begin and end, without waiting out the smallest of the steps.
    async fn reads_go_on(&self, process: &Process) {
        self.leaf.forget_requests();
        let watch = Clock::system();
        let swept = self.leaf.until(|asked| asked.readings >= 4);
        let swept = tokio::time::timeout(PATIENCE, swept).await;
        let took = watch.monotonic();
        assert!(
            swept.is_ok() && took < SMALLEST_STEP,
            "reads took {took:?}: {}",
            process.log()
        );
    }

    /// The next mail comes within a minute, and says these words.
    fn next_mail_says(&mut self, words: &str, taken: usize) {
        self.smtp.wait_for(taken);
        self.one_mail_says(words);
    }

    async fn is_quiet(&mut self, process: &Process) {
        for _ in 0..2 {
            self.reads_go_on(process).await;
        }
        self.nothing_more();
        let own = self.asks("SELECT kind FROM incident WHERE credential = 0");
        assert_eq!(own, [""; 0], "{}", process.log());
    }
}

async fn is_set_by(step: &str) {
    let Some((mut world, clock)) = world().await else {
        return;
    };
    let mut process = world.starts_binary_beside(&clock);
    world.reads_go_on(&process).await;
    clock.set(step);
    world.reads_go_on(&process).await;
    world.revokes_access("Hillside Farms");
    world.next_mail_says("INVALID: Hillside Farms", 1);
    world.is_quiet(&process).await;
    let log = process.log();
    assert_eq!(log.matches("the clock was set").count(), 1, "{log}");
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_by_40_seconds_stops_nothing() {
    is_set_by("-40").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_by_an_hour_stops_nothing() {
    is_set_by("-1h").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_by_a_day_stops_nothing() {
    is_set_by("-1d").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_forward_by_a_day_stops_nothing_and_raises_no_alarm() {
    is_set_by("+1d").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_a_day_ahead_that_is_put_right_stops_nothing() {
    let Some((mut world, clock)) = world().await else {
        return;
    };
    clock.set("+1d");
    let process = world.starts_binary_beside(&clock);
    world.revokes_access("Hillside Farms");
    world.next_mail_says("1 invalid", 1);
    clock.set("+0");
    world.reads_go_on(&process).await;
    world.revokes_access("Blue Silo Dairy");
    world.next_mail_says("INVALID: Blue Silo Dairy", 2);
    world.is_quiet(&process).await;
    process.kill();
    let process = world.starts_binary_beside(&clock);
    world.is_quiet(&process).await;
    world.connects_again("Hillside Farms");
    world.next_mail_says("RESOLVED: Hillside Farms", 3);
    world.is_quiet(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_days_ahead_with_the_mail_server_down_no_mail_is_given_up() {
    let Some((mut world, clock)) = world().await else {
        return;
    };
    world.smtp.go_away();
    let process = world.starts_binary_beside(&clock);
    world.reads_go_on(&process).await;
    world.revokes_access("Hillside Farms");
    tried(&world, 1).await;
    clock.set("+10d");
    // A start tries at once, where one that runs would wait for half a minute.
    process.kill();
    let process = world.starts_binary_beside(&clock);
    tried(&world, 2).await;
    world.reads_go_on(&process).await;
    world.smtp.come_back();
    process.kill();
    let process = world.starts_binary_beside(&clock);
    world.next_mail_says("INVALID: Hillside Farms", 1);
    world.is_quiet(&process).await;
}

/// Waits until so many tries of mails failed.
async fn tried(world: &World, times: usize) {
    let failed = async {
        while world.asks("SELECT at FROM attempt").len() < times {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_waits_leaves_though_the_clock_goes_back_and_the_daemon_restarts() {
    let Some((mut world, clock)) = world().await else {
        return;
    };
    let process = world.starts_binary_beside(&clock);
    world.reads_go_on(&process).await;
    world.revokes_access("Hillside Farms");
    let opened = async {
        while world.open_incidents().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap();
    process.kill();
    clock.set("-2h");
    let process = world.starts_binary_beside(&clock);
    world.next_mail_says("INVALID: Hillside Farms", 1);
    world.is_quiet(&process).await;
}
