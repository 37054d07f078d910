//! The wall clock is set, forward and back, at the defaults: looks go on, mails leave when they would have, nobody is told
//! twice, and no alarm is false.

use std::time::Duration;

use jiff::SignedDuration;

use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: Duration = MINUTE.saturating_mul(16);
const SECOND: Duration = Duration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What an administrator, a time server or a machine that slept does to the wall clock.
const STEPS: [SignedDuration; 6] = [
    SignedDuration::from_secs(-40),
    SignedDuration::from_hours(-1),
    SignedDuration::from_hours(-24),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(-24 * 40),
    SignedDuration::from_hours(24 * 40),
];

fn setup(sweep: &str) -> Setup {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.schedule =
        format!("sweep = \"{sweep}\"\nevents = \"0 7 * * * *\"\nreminders = \"0 0 8 * * *\"");
    setup
}

/// By a cron line, which names times of the wall, and by a length.
fn setups() -> [Setup; 2] {
    [setup("0 */15 * * * *"), setup("15m")]
}

impl World {
    /// Ours; Leaf's stays right.
    fn clock_is_set(&self, by: SignedDuration) {
        self.clock.jump_to(self.clock.now() + by);
        self.leaf.runs_ahead(-by);
    }

    fn readings(&self) -> u64 {
        self.leaf.requests().readings
    }
}

#[tokio::test]
async fn looks_and_mails_go_on_after_any_step_of_the_clock() {
    for setup in setups() {
        for step in STEPS {
            let mut world = World::with(setup.clone()).await;
            world.time_passes(20 * MINUTE).await;
            world.clock_is_set(step);
            let before = world.readings();
            world.time_passes(5 * SECOND).await;
            assert_eq!(world.readings() - before, 2, "{step}: nobody looked");
            world.revokes_access("Hillside Farms");
            world.time_passes(SWEEP + MINUTE).await;
            world.one_mail_says("INVALID: Hillside Farms");
            world.time_passes(2 * HOUR).await;
            world.connects_again("Hillside Farms");
            world.time_passes(SWEEP + MINUTE).await;
            world.one_mail_says("RESOLVED: Hillside Farms");
            world.days_pass(1).await;
            world.nothing_more();
            assert_eq!(
                world.steps(),
                ["opened invalid", "resolved invalid"],
                "{step}"
            );
            let told = world.log.text();
            assert_eq!(told.matches("the clock was set").count(), 1, "{step}");
        }
    }
}

#[tokio::test]
async fn a_rhythm_of_looks_is_kept_while_the_clock_is_set_again_and_again() {
    for setup in setups() {
        let mut world = World::with(setup).await;
        for hours in [-3, 2, -1, 5, -30, 27] {
            world.time_passes(20 * MINUTE).await;
            world.clock_is_set(SignedDuration::from_hours(hours));
            let before = world.readings();
            world.time_passes(HOUR).await;
            let looks = (world.readings() - before) / 2;
            assert!((4..=5).contains(&looks), "{hours}: {looks} in an hour");
        }
        assert_eq!(world.steps(), [""; 0]);
    }
}

#[tokio::test]
async fn a_clock_that_is_never_right_makes_no_more_sweeps_than_the_schedule_does() {
    for setup in setups() {
        let mut world = World::with(setup).await;
        world.time_passes(20 * MINUTE).await;
        let before = world.readings();
        for nth in 0..360 {
            world.time_passes(10 * SECOND).await;
            let by = SignedDuration::from_secs(if nth % 2 == 0 { -5 } else { 5 });
            world.clock_is_set(by);
        }
        let looks = (world.readings() - before) / 2;
        // One for the first step, and then as often as ever, and once more for steps in each interval.
        assert!((4..=9).contains(&looks), "{looks} in an hour");
        assert_eq!(world.steps(), [""; 0]);
    }
}

#[tokio::test]
async fn a_notice_that_waits_leaves_in_its_time_when_the_clock_goes_back() {
    for restart in [false, true] {
        for step in STEPS {
            let mut world = World::with(setup("15m")).await;
            world.revokes_access("Hillside Farms");
            world.sweep().await;
            world.time_passes(15 * SECOND).await;
            world.clock_is_set(step);
            if restart {
                world.restarts().await;
            }
            world.time_passes(MINUTE + 15 * SECOND).await;
            world.one_mail_says("INVALID: Hillside Farms");
            world.restarts().await;
            world.time_passes(2 * HOUR).await;
            world.nothing_more();
        }
    }
}

#[tokio::test]
async fn a_start_a_day_ahead_that_is_put_right_holds_nothing_up() {
    for restart in [false, true] {
        let mut setup = setup("15m");
        setup.alerts = "max_emails_per_hour = 2".to_owned();
        let mut world = World::before_start(setup).await;
        world.clock_is_set(DAY);
        world.starts().await;
        world.what_is_due().await;
        world.revokes_access("Hillside Farms");
        world.time_passes(SWEEP + MINUTE).await;
        world.one_mail_says("INVALID: Hillside Farms");
        world.clock_is_set(-DAY);
        if restart {
            world.restarts().await;
        }
        world.revokes_access("Blue Silo Dairy");
        world.time_passes(SWEEP + MINUTE).await;
        world.one_mail_says("INVALID: Blue Silo Dairy");
        // The third within the hour waits for the cap, and no longer than that.
        world.connects_again("Blue Silo Dairy");
        world.time_passes(HOUR + 2 * MINUTE).await;
        world.one_mail_says("RESOLVED: Blue Silo Dairy");
        // The reminder comes a day or two after the mail, as if nothing had been.
        world.days_pass(2).await;
        world.one_mail_says("REMINDER: Hillside Farms");
        world.connects_again("Hillside Farms");
        world.time_passes(SWEEP + MINUTE).await;
        world.one_mail_says("RESOLVED: Hillside Farms");
        world.days_pass(1).await;
        world.nothing_more();
        let future =
            "SELECT count(*) FROM sweep, run WHERE max(sweep.started_at, run.started_at) > ";
        let now = world.clock.now().as_millisecond();
        assert_eq!(world.asks(&format!("{future}{now}")), ["0"]);
    }
}

#[tokio::test]
async fn an_ack_keeps_its_length_and_a_silence_its_end() {
    let mut world = World::with(setup("15m")).await;
    world.clock_is_set(DAY);
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP + MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.types("ack 1 --reason 'on it'");
    world.types("silence --problem missing --for 5d --reason 'known'");
    let end = world.asks("SELECT until_at FROM silence");
    world.clock_is_set(-DAY);
    world.time_passes(15 * SECOND).await;
    let days = "SELECT (until_at - at) / 86400000 FROM ack WHERE at <= ";
    let now = world.clock.now().as_millisecond();
    assert_eq!(world.asks(&format!("{days}{now}")), ["14"]);
    assert_eq!(world.asks("SELECT until_at FROM silence"), end);
    world.days_pass(3).await;
    world.nothing_more();
}

#[tokio::test]
async fn reminders_are_looked_for_on_though_this_run_began_later_than_it_is() {
    let mut world = World::with(setup("15m")).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP + MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.clock_is_set(-3 * DAY);
    world.days_pass(2).await;
    world.one_mail_says("REMINDER: Hillside Farms");
    world.time_passes(6 * HOUR).await;
    world.nothing_more();
}

#[tokio::test]
async fn a_digest_that_left_is_not_sent_again_when_the_clock_goes_back_over_its_hour() {
    let mut setup = setup("15m");
    setup.schedule.push_str("\ndigest = \"0 0 9 * * Mon\"");
    let mut world = World::with(setup).await;
    world.time_passes(HOUR + 20 * MINUTE).await;
    world.one_mail_says("Digest: all well");
    world.clock_is_set(SignedDuration::from_hours(-1));
    world.days_pass(1).await;
    world.nothing_more();
}

#[tokio::test]
async fn ten_days_ahead_while_the_mail_server_is_down_gives_no_mail_up() {
    for back in [false, true] {
        let mut world = World::with(setup("15m")).await;
        world.smtp.go_away();
        world.revokes_access("Hillside Farms");
        world.time_passes(SWEEP + 2 * MINUTE).await;
        world.clock_is_set(10 * DAY);
        world.time_passes(10 * MINUTE).await;
        if back {
            world.clock_is_set(-10 * DAY);
            world.time_passes(10 * MINUTE).await;
        }
        world.smtp.come_back();
        // As long as the pause between two tries has grown by now.
        world.time_passes(17 * MINUTE).await;
        world.one_mail_says("INVALID: Hillside Farms");
        world.days_pass(1).await;
        world.nothing_more();
        assert_eq!(world.steps(), ["opened invalid"]);
    }
}

#[tokio::test]
async fn a_retry_that_waits_is_no_further_off_when_the_clock_goes_back() {
    let mut world = World::with(setup("15m")).await;
    world.smtp.go_away();
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP + 2 * MINUTE).await;
    world.clock_is_set(-DAY);
    world.smtp.come_back();
    world.time_passes(3 * MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
}

#[tokio::test]
async fn time_in_which_the_machine_slept_is_not_watched() {
    let names: Vec<String> = (0..12).map(|n| format!("Farm {n}")).collect();
    let mut world = World::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.leaf.disconnect(world.grower("Farm 3"));
    world.time_passes(SWEEP).await;
    world.clock_is_set(SignedDuration::from_hours(9));
    world.time_passes(10 * MINUTE).await;
    assert_eq!(world.steps(), [""; 0], "held for no half hour yet");
    world.time_passes(HOUR).await;
    world.one_mail_says("MISSING: Farm 3");
}

#[tokio::test]
async fn nothing_is_forgotten_while_the_clock_is_years_ahead() {
    let mut world = World::with(setup("15m")).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP + HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    let events = world.asks("SELECT count(*) FROM event");
    assert_ne!(events, ["0"]);
    // Pruned for today; what the clock says next is another day.
    let years = SignedDuration::from_hours(24 * 365 * 12);
    world.clock_is_set(years);
    world.time_passes(10 * MINUTE).await;
    world.clock_is_set(-years);
    world.time_passes(10 * MINUTE).await;
    assert_eq!(world.asks("SELECT count(*) FROM event"), events);
    // By the calendar reminder and digest were due; they come once.
    assert_eq!(world.mails().len(), 2);
    world.days_pass(3).await;
    world.one_mail_says("REMINDER: Hillside Farms");
}

#[tokio::test]
async fn causes_are_known_at_once_when_the_clock_was_put_right() {
    let mut world = World::with(setup("15m")).await;
    world.clock_is_set(-10 * DAY);
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP + MINUTE).await;
    let cause = "no longer accepts the stored access";
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert!(mail.says(cause), "{}", mail.text);
    world.clock_is_set(10 * DAY);
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("REMINDER: Hillside Farms");
    assert!(mail.says(cause), "{}", mail.text);
}

/// A machine that wakes with the clock years back, as one without a battery does: what is stored is later than "now", and
/// right all the same.
#[tokio::test]
async fn a_start_years_too_early_leaves_the_past_as_it_was() {
    let mut world = World::with(setup("15m")).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP + HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    let past = "SELECT 'incident ' || opened_at FROM incident UNION ALL SELECT 'span ' || from_at FROM span
                UNION ALL SELECT 'event ' || seen_at FROM event UNION ALL SELECT 'mail ' || at FROM message";
    let before = world.asks(past);
    let sweeps = world.asks("SELECT started_at FROM sweep ORDER BY id");
    let years = SignedDuration::from_hours(24 * 365 * 12);
    world.clock_is_set(-years);
    world.restarts().await;
    world.time_passes(2 * HOUR).await;
    world.clock_is_set(years);
    world.time_passes(2 * HOUR).await;
    let after = world.asks(past);
    for row in before {
        assert!(after.contains(&row), "{row} is gone: {after:?}");
    }
    let kept = world.asks("SELECT started_at FROM sweep ORDER BY id");
    assert_eq!(kept[..sweeps.len()], sweeps);
    // By the calendar it was due; nobody is told anew of what stands.
    world.one_mail_says("Digest: 1 open");
    world.nothing_more();
}
