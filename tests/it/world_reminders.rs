//! What goes on being told while trouble stands: reminders, and what they say.

use crate::support::world::{HOUR, Heard, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

/// A world that looks once an hour, so that weeks pass quickly.
fn slow(names: &[&str]) -> Setup {
    let mut setup = Setup::of(names);
    setup.schedule = "sweep = \"1h\"\nevents = \"6h\"".to_owned();
    setup
}

async fn hillside() -> World {
    World::with(slow(&["Hillside Farms", "Blue Silo Dairy"])).await
}

/// The local day and hour at which the mails were packed, by their own Message-IDs' time.
fn days(world: &World, telling: &str) -> Vec<String> {
    world.asks(&format!(
        "SELECT strftime('%d %H:%M', m.at / 1000, 'unixepoch') FROM message m JOIN entry e ON e.message = m.id
         WHERE e.telling = '{telling}' ORDER BY m.id"
    ))
}

fn to<'a>(mails: &'a [Heard], reader: &str) -> Vec<&'a Heard> {
    let own = mails.iter().filter(|mail| mail.readers() == [reader]);
    own.collect()
}

#[tokio::test]
async fn reminders_come_after_1_2_4_and_7_days_at_their_hour_until_it_is_over() {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    let opened = world.one_mail_says("INVALID: Hillside Farms");
    assert!(
        opened.says("Next reminder: Wed 4 Mar 2026, 08:00 UTC"),
        "{}",
        opened.text
    );
    world.days_pass(25).await;
    // Told on the 2nd at nine: due on the 3rd at nine, so that it leaves on the 4th at eight; then 2, 4, 7 and 7 days.
    assert_eq!(
        days(&world, "reminder"),
        ["04 08:00", "06 08:00", "10 08:00", "17 08:00", "24 08:00"]
    );
    let mails = world.mails();
    assert_eq!(mails.len(), 5, "{mails:#?}");
    let first = &mails[0];
    assert!(
        first.says("REMINDER: Hillside Farms (John Deere)"),
        "{first:#?}"
    );
    assert!(
        first.says("Next reminder: Fri 6 Mar 2026, 08:00 UTC"),
        "{}",
        first.text
    );
    assert_eq!(first.references, opened.message_id, "one thread");
    world.connects_again("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
    world.days_pass(8).await;
    world.nothing_more();
}

#[tokio::test]
async fn all_reminders_that_are_due_leave_as_one_mail_an_address() {
    let mut world = World::with(slow(&["Farm 0", "Farm 1", "Farm 2", "Farm 3"])).await;
    for farm in ["Farm 0", "Farm 1"] {
        world.revokes_access(farm);
        world.time_passes(2 * HOUR).await;
        world.one_mail_says("INVALID");
    }
    world.passes_until("2026-03-03T10:00:00Z").await;
    world.revokes_access("Farm 2");
    world.passes_until("2026-03-04T07:59:30Z").await;
    world.one_mail_says("INVALID: Farm 2");
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("REMINDER: 2 credentials still need attention: 2 invalid");
    for farm in ["Farm 0", "Farm 1"] {
        assert!(mail.says(&format!("{farm} (John Deere)")), "{}", mail.text);
    }
    // The third was told less than a day ago, and waits for the next morning.
    world.time_passes(24 * HOUR).await;
    world.one_mail_says("REMINDER: Farm 2 (John Deere)");
}

#[tokio::test]
async fn who_joined_later_hears_of_it_in_the_next_reminder_as_new() {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world
        .reloads(|setup| setup.to.push("late@example.com".into()))
        .await;
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    world.days_pass(2).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let late = to(&mails, "late@example.com");
    assert!(late[0].says("REMINDER: Hillside Farms"), "{late:#?}");
    assert!(late[0].says("New to you"), "{}", late[0].text);
    let early = to(&mails, "support@example.com");
    assert!(!early[0].says("New to you"), "{}", early[0].text);
    // From now on both know the same, and share a mail and the end.
    world.connects_again("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms");
    assert_eq!(end.readers(), ["late@example.com", "support@example.com"]);
}

#[tokio::test]
async fn while_blind_or_off_no_reminder_leaves_and_the_missed_one_is_made_up_for() {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.passes_until("2026-03-03T06:00:00Z").await;
    world.leaf.go_away();
    world.passes_until("2026-03-03T10:00:00Z").await;
    let blind = world.one_mail_says("CRITICAL: Leaf unreachable");
    assert_eq!(blind.readers(), ["ops@example.com"]);
    world.leaf.come_back().unwrap();
    world.time_passes(HOUR).await;
    let mails = world.mails();
    assert_eq!(to(&mails, "support@example.com").len(), 1, "{mails:#?}");
    assert!(to(&mails, "support@example.com")[0].says("REMINDER: Hillside Farms"));
    // Off over the next hour of reminders: told after the first whole look, and only if it is still so.
    world.passes_until("2026-03-05T07:00:00Z").await;
    world.is_killed();
    world.clock.advance(5 * HOUR);
    world.connects_again("Hillside Farms");
    world.starts().await;
    world.time_passes(HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test]
async fn what_flaps_is_reminded_of_as_well_in_n_of_m_looks() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.schedule = "sweep = \"30m\"\nevents = \"6h\"".to_owned();
    let mut world = World::with(setup).await;
    // At every sweep another word, for two days.
    let mut subjects = Vec::new();
    for nth in 0..97 {
        let word = if nth % 2 == 0 {
            "UNAUTHENTICATED"
        } else {
            "OK"
        };
        world.status("Hillside Farms", word);
        world.time_passes(30 * MINUTE).await;
        subjects.extend(world.mails());
    }
    let told: Vec<&str> = subjects.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    for (subject, word) in told
        .iter()
        .zip(["INVALID", "RESOLVED", "REOPENED", "REMINDER"])
    {
        assert!(
            subject.contains(&format!("{word}: Hillside Farms")),
            "{told:#?}"
        );
    }
    let reminder = &subjects[3];
    assert!(
        reminder.says("well in 48 of 96 looks since it began"),
        "{}",
        reminder.text
    );
    assert_eq!(
        world
            .steps()
            .iter()
            .filter(|step| step.starts_with("reopened"))
            .count(),
        1
    );
    world.status("Hillside Farms", "OK");
    world.time_passes(7 * HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test]
async fn opened_and_reopened_mails_say_how_often_in_the_last_30_days() {
    let mut world = hillside().await;
    for times in [
        "no other trouble",
        "trouble once before",
        "trouble 2 times before",
    ] {
        world.status("Hillside Farms", "UNAUTHENTICATED");
        world.time_passes(90 * MINUTE).await;
        let mail = world.one_mail_says("INVALID: Hillside Farms");
        assert!(
            mail.says(&format!("Last 30 days: {times}")),
            "{}",
            mail.text
        );
        world.status("Hillside Farms", "OK");
        world.time_passes(90 * MINUTE).await;
        world.one_mail_says("RESOLVED: Hillside Farms");
        world.days_pass(9).await;
    }
    // It comes back 27 days after the first, and soon after that again.
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.time_passes(90 * MINUTE).await;
    world.one_mail_says("Last 30 days: trouble 3 times before");
    world.status("Hillside Farms", "OK");
    world.time_passes(90 * MINUTE).await;
    world.one_mail_says("RESOLVED");
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.time_passes(90 * MINUTE).await;
    let again = world.one_mail_says("REOPENED: Hillside Farms");
    assert!(
        again.says("Last 30 days: trouble 4 times before"),
        "{}",
        again.text
    );
    // What lies back longer is no longer counted.
    world.status("Hillside Farms", "OK");
    world.days_pass(35).await;
    world.mails();
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.time_passes(90 * MINUTE).await;
    world.one_mail_says("Last 30 days: no other trouble");
}

#[tokio::test]
async fn what_is_no_longer_watched_is_reminded_of_no_more() {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world
        .reloads(|setup| setup.grower_mut("Hillside Farms").watched = false)
        .await;
    world.time_passes(SWEEP).await;
    let closed = world.one_mail_says("CLOSED: Hillside Farms (John Deere), no longer watched");
    assert!(closed.says("not known to be mended"));
    world.days_pass(3).await;
    world.nothing_more();
}

#[tokio::test]
async fn an_outage_is_reminded_of_while_it_stands_over_a_restart_too_and_nothing_else_is() {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.leaf.go_away();
    world.time_passes(3 * HOUR).await;
    world.one_mail_says("CRITICAL: Leaf unreachable");
    world.passes_until("2026-03-04T08:05:00Z").await;
    let mail = world.one_mail_says("REMINDER: Leaf unreachable");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    world.passes_until("2026-03-06T07:00:00Z").await;
    world.nothing_more();
    // Off over the hour; the first sweep of the new run says so again.
    world.is_killed();
    world.clock.advance(2 * HOUR);
    world.starts().await;
    world.time_passes(5 * MINUTE).await;
    let mail = world.one_mail_says("REMINDER: Leaf unreachable");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    // And credentials once they are seen again.
    world.leaf.come_back().unwrap();
    world.time_passes(2 * HOUR).await;
    let mails = world.mails();
    assert_eq!(to(&mails, "support@example.com").len(), 1, "{mails:#?}");
    assert!(to(&mails, "support@example.com")[0].says("REMINDER: Hillside Farms"));
}
