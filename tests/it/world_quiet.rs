//! Maintenance windows: looking goes on, mails wait, and at the end what is still true is told once.

use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

/// Mails of all severities wait from `from` to `to`, local time of `zone`, every day.
fn quiet(zone: &str, from: &str, to: &str) -> Setup {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy", "Prairie Rose"]);
    setup.alerts = format!(
        "quiet = [{{ from = \"{from}\", to = \"{to}\", timezone = \"{zone}\", severities = [\"critical\", \"warning\"] }}]"
    );
    setup
}

#[tokio::test]
async fn in_a_quiet_window_looking_goes_on_and_its_end_tells_what_is_still_true_once() {
    // The world begins at 08:00.
    let mut world = World::with(quiet("UTC", "07:00", "12:00")).await;
    world.leaf.forget_requests();
    world.revokes_access("Hillside Farms");
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(2 * HOUR).await;
    assert!(world.leaf.requests().readings >= 21);
    assert_eq!(world.open_incidents(), ["invalid", "invalid"]);
    // One is mended before anybody heard of it.
    world.connects_again("Blue Silo Dairy");
    world.time_passes(HOUR).await;
    world.nothing_more();
    let explained = world.types("explain hillside");
    let now = "now, critical and warning mails, until Mon 2 Mar 2026, 12:00 UTC";
    assert!(explained.contains(now), "{explained}");
    world.passes_until("2026-03-02T11:59:45Z").await;
    world.nothing_more();
    world.time_passes(MINUTE).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert!(
        mail.says("Since: Mon 2 Mar 2026, 08:15 UTC"),
        "{}",
        mail.text
    );
    let line = "Blue Silo Dairy (John Deere) was invalid from";
    assert!(mail.says(line), "{}", mail.text);
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    // Outside the window all is as ever.
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test]
async fn a_quiet_window_makes_only_its_severities_wait() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.alerts = "quiet = [{ from = \"07:00\", to = \"12:00\" }]".to_owned();
    let mut world = World::with(setup).await;
    world.status("Hillside Farms", "MISSING_PERMISSION");
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Blue Silo Dairy");
    assert!(!mail.says("Hillside"), "{}", mail.text);
    // It becomes what does not wait.
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.passes_until("2026-03-02T12:05:00Z").await;
    world.nothing_more();
}

#[tokio::test]
async fn what_a_quiet_window_holds_does_not_count_as_told() {
    let mut world = World::with(quiet("UTC", "07:00", "12:00")).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(HOUR).await;
    // Killed, and another address named meanwhile.
    world.is_killed();
    world.setup.to.push("late@example.com".into());
    world.starts().await;
    world.status("Hillside Farms", "MISSING_PERMISSION");
    world.passes_until("2026-03-02T12:01:00Z").await;
    // Who was chosen and who came later hear the same: what it is now, as news.
    let mail = world.one_mail_says("LIMITED PERMISSION: Hillside Farms");
    assert_eq!(mail.readers(), ["late@example.com", "support@example.com"]);
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms");
    assert_eq!(end.readers(), ["late@example.com", "support@example.com"]);
}

/// Trouble an hour into a night with a clock change: it is told when the window ends on the wall, and not before.
async fn night_of_a_clock_change(zone: &str, trouble: &str, end: &str) {
    let mut setup = quiet(zone, "00:30", "04:00");
    setup.schedule = "sweep = \"15m\"\nevents = \"6h\"".to_owned();
    let mut world = World::before_start(setup).await;
    world.clock.jump_to(trouble.parse().unwrap());
    world.starts().await;
    world.what_is_due().await;
    world.revokes_access("Hillside Farms");
    let end: jiff::Timestamp = end.parse().unwrap();
    world
        .passes_until(&(end - jiff::SignedDuration::from_secs(30)).to_string())
        .await;
    assert_eq!(world.open_incidents(), ["invalid"]);
    world.nothing_more();
    world.time_passes(MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.time_passes(3 * HOUR).await;
    world.nothing_more();
}

#[tokio::test]
async fn a_clock_change_inside_a_maintenance_window_neither_shortens_nor_repeats_it() {
    // Clocks go back at 02:00 CDT: 04:00 CST is 10:00 UTC, an hour later than on other days.
    night_of_a_clock_change(
        "America/Chicago",
        "2026-11-01T06:00:00Z",
        "2026-11-01T10:00:00Z",
    )
    .await;
    // Clocks go forward at 02:00 CST: 04:00 CDT is 09:00 UTC.
    night_of_a_clock_change(
        "America/Chicago",
        "2026-03-08T07:00:00Z",
        "2026-03-08T09:00:00Z",
    )
    .await;
    night_of_a_clock_change(
        "Europe/Berlin",
        "2026-03-29T00:00:00Z",
        "2026-03-29T02:00:00Z",
    )
    .await;
    night_of_a_clock_change(
        "Europe/Berlin",
        "2026-10-24T23:00:00Z",
        "2026-10-25T03:00:00Z",
    )
    .await;
}

#[tokio::test]
async fn explain_prints_the_next_openings_in_local_time_and_utc() {
    let world = World::with(quiet("America/Chicago", "22:00", "06:00")).await;
    let explained = world.types("explain hillside");
    for words in [
        "now, critical and warning mails, until Mon 2 Mar 2026, 06:00 CST (12:00 UTC)",
        "critical and warning mails, from Mon 2 Mar 2026, 22:00 CST (Tue 04:00 UTC) to Tue 3 Mar 2026, 06:00 CST (12:00 UTC)",
    ] {
        assert!(explained.contains(words), "{words}\n{explained}");
    }
    let quiet = &world.json("explain hillside --json")["quiet"][0];
    assert_eq!(quiet["openings"][1]["from"], "2026-03-03T04:00:00Z");
    assert_eq!(quiet["openings"][1]["to"], "2026-03-03T12:00:00Z");
    assert_eq!(quiet["severities"][0], "critical");
}
