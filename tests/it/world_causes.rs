//! One cause, one mail: stragglers, what a long sweep finds late, the first look, and doubt of a whole fleet.

use std::time::Duration;

use leafwatch::sim::{Consent, ProviderAnswer};

use crate::support::faulty_leaf::{Fault, Scope, When};
use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: Duration = MINUTE.saturating_mul(16);
const DEALER: &str = "0oaDEALERapp77Qk3";

/// So many growers, of whom the first few are connected by one dealer's app; its key is refused, and six tell it.
async fn dealers_key_is_refused(all: u64, dealers: u64) -> World {
    let mut world = World::of(all).await;
    for nth in 0..dealers {
        let farm = world.grower(&format!("Farm {nth}"));
        world.leaf.connect(farm, Consent::to_app(DEALER));
    }
    world.time_passes(SWEEP).await;
    for nth in 0..6 {
        refused(&world, nth);
    }
    world.time_passes(SWEEP).await;
    let first = world.one_mail_says("6 credentials need attention: 6 invalid");
    assert!(first.says("invalid_client"), "{}", first.text);
    world
}

/// Leaf tried the app's key for this grower, and noticed.
fn refused(world: &World, nth: u64) {
    let farm = world.grower(&format!("Farm {nth}"));
    let at = world.clock.now();
    let event = ProviderAnswer::invalid_client().at(at);
    world.leaf.push_event(farm, event);
    world.leaf.set_status(farm, Some("UNAUTHENTICATED"));
}

#[tokio::test]
async fn stragglers_of_a_told_cause_are_told_after_15_minutes_1_and_4_hours_then_with_the_reminders()
 {
    let mut world = dealers_key_is_refused(20, 16).await;
    let told_at = world.clock.now();
    let mut told = Vec::new();
    // One more with every sweep.
    for nth in 6..16 {
        refused(&world, nth);
        world.time_passes(45 * MINUTE).await;
        for mail in world.mails() {
            told.push((
                mail.clone(),
                world.clock.now().duration_since(told_at).as_mins(),
            ));
        }
    }
    world.passes_until("2026-03-03T07:59:00Z").await;
    told.extend(world.mails().into_iter().map(|mail| (mail, 0)));
    world.time_passes(5 * MINUTE).await;
    told.extend(world.mails().into_iter().map(|mail| (mail, 0)));
    let at =
        world.asks("SELECT strftime('%d %H:%M', at / 1000, 'unixepoch') FROM message ORDER BY id");
    let subjects: Vec<&str> = told.iter().map(|(mail, _)| mail.subject.as_str()).collect();
    assert_eq!(at.len(), 5, "{at:?} {subjects:#?}");
    println!("told at {at:?}: {subjects:#?}");
    for (mail, _) in &told[..3] {
        assert!(mail.says("more"), "{mail:#?}");
    }
    let steps =
        world.asks("SELECT (at - lag(at) OVER (ORDER BY id)) / 60000 FROM message ORDER BY id");
    let minutes: Vec<u64> = steps[1..4]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    for (minutes, least) in minutes.iter().zip([15, 60, 240]) {
        assert!(
            (least..least + 46).contains(minutes),
            "{minutes:?} after {least}"
        );
    }
    assert_eq!(at[4], "03 08:00", "the rest leaves with the reminders");
    assert_eq!(told[3].0.to.len(), 1);
    // Every one was told, and nobody twice.
    let opened = world.asks(
        "SELECT count(DISTINCT incident) || ' of ' || count(*) FROM entry WHERE telling = 'opened'",
    );
    assert_eq!(opened, ["16 of 16"]);
}

#[tokio::test]
async fn a_straggler_that_is_mended_while_it_waits_is_one_line() {
    let mut world = dealers_key_is_refused(20, 16).await;
    for nth in [6, 7] {
        refused(&world, nth);
    }
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    world.nothing_more();
    world.connects_again("Farm 6");
    world.sweep().await;
    world.time_passes(20 * MINUTE).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(
        mails[0].says("Farm 6 (John Deere) was invalid from"),
        "{mails:#?}"
    );
    assert!(mails[1].says("INVALID: Farm 7"), "{mails:#?}");
    assert!(mails[1].says("1 more credential"), "{mails:#?}");
    assert!(!mails[1].says("Farm 6"), "{mails:#?}");
}

#[tokio::test]
async fn trouble_of_another_cause_does_not_wait_with_the_stragglers() {
    let mut world = dealers_key_is_refused(20, 16).await;
    world.revokes_access("Farm 9");
    world.status("Farm 18", "MISSING_PERMISSION");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    // One's own consent was withdrawn; the other has no such key.
    let mail = world.one_mail_says("2 credentials need attention");
    assert!(
        mail.says("Farm 9 (John Deere)") && mail.says("Farm 18 (John Deere)"),
        "{}",
        mail.text
    );
}

/// The mails of a sweep that takes forty minutes and finds every third of forty broken.
async fn told_in_a_long_sweep(interval: &str) -> Vec<String> {
    let names: Vec<String> = (0..40).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.alerts = format!("group_wait = \"0s\"\ngroup_interval = \"{interval}\"");
    setup.max_in_flight = 1;
    let mut world = World::with(setup).await;
    for (nth, word) in (0..40).step_by(3).zip(
        ["UNAUTHENTICATED", "MISSING_PERMISSION"]
            .into_iter()
            .cycle(),
    ) {
        // Of two kinds, so that nothing looks like one cause.
        world.status(&format!("Farm {nth}"), word);
    }
    let slow = Fault::Slow(Duration::from_millis(25));
    world.leaf.fault(Scope::AllButLogin, slow, When::always());
    world.long_sweep(MINUTE).await;
    world.mails_go_out().await;
    let told = world.asks("SELECT count(*) FROM entry WHERE telling = 'opened'");
    assert_eq!(told, ["14"], "each is told once");
    world.mails().into_iter().map(|mail| mail.subject).collect()
}

#[tokio::test]
async fn in_a_long_sweep_further_news_waits_for_its_end_at_most_group_interval() {
    let waiting = told_in_a_long_sweep("3h").await;
    assert_eq!(
        waiting.len(),
        2,
        "the first, and the rest at the end: {waiting:#?}"
    );
    let every = told_in_a_long_sweep("10m").await;
    assert!(
        (3..=6).contains(&every.len()),
        "every ten minutes of forty: {every:#?}"
    );
}

#[tokio::test]
async fn the_first_look_at_a_broken_fleet_is_one_mail_and_no_doubt() {
    let mut world = World::before_start(Setup::of(
        &(0..60)
            .map(|n| format!("Farm {n}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    ))
    .await;
    for nth in 0..40 {
        world.status(&format!("Farm {nth}"), "UNAUTHENTICATED");
    }
    let stage = Consent::default().in_environment("STAGE");
    world.leaf.reconnect(world.grower("Farm 50"), Some(stage));
    world.starts().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says(
        "First look: 41 of 60 credentials need attention: 40 invalid, 1 environment mismatch",
    );
    assert!(mail.says("already so at the first look"), "{}", mail.text);
    assert!(!mail.says("Leaf itself"), "{}", mail.text);
    world.time_passes(HOUR).await;
    world.nothing_more();
}

#[tokio::test]
async fn a_fleet_that_turns_is_told_at_once_with_doubt_and_its_own_people_after_a_second_sweep() {
    let names: Vec<String> = (0..30).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.grower_mut("Farm 3").notify = vec!["anna@example.com".into()];
    let mut world = World::with(setup).await;
    world.leaf.set_status_of_all("UNAUTHENTICATED");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("30 credentials need attention: 30 invalid");
    assert_eq!(mail.readers(), ["support@example.com"]);
    println!("{}", mail.text);
    assert!(mail.says("30 of 30"), "it doubts Leaf: {}", mail.text);
    // Leaf was wrong: nobody of the growers ever hears of it.
    world.leaf.set_status_of_all("OK");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let end = world.one_mail_says("RESOLVED: 30 credentials");
    assert_eq!(end.readers(), ["support@example.com"]);
}

#[tokio::test]
async fn a_mail_names_only_what_is_routed_to_its_reader() {
    let mut setup = Setup::of(&["Farm 0", "Farm 1", "Farm 2", "Farm 3", "Farm 4", "Farm 5"]);
    for (nth, grower) in setup.growers.iter_mut().enumerate() {
        grower.notify = vec![format!("people-{}@example.com", nth % 2)];
    }
    let mut world = World::with(setup).await;
    for nth in 0..6 {
        world.revokes_access(&format!("Farm {nth}"));
    }
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 3, "{mails:#?}");
    for mail in &mails {
        let named: Vec<u64> = (0..6)
            .filter(|nth| mail.says(&format!("Farm {nth} (John Deere)")))
            .collect();
        let own = match mail.readers()[0] {
            "people-0@example.com" => vec![0, 2, 4],
            "people-1@example.com" => vec![1, 3, 5],
            _ => vec![0, 1, 2, 3, 4, 5],
        };
        assert_eq!(named, own, "{mail:#?}");
    }
}

#[tokio::test]
async fn a_first_sweep_longer_than_group_wait_is_one_mail_when_it_has_ended() {
    let names: Vec<String> = (0..60).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.max_in_flight = 1;
    let mut world = World::before_start(setup).await;
    for nth in (0..60).step_by(6) {
        world.status(&format!("Farm {nth}"), "UNAUTHENTICATED");
    }
    world.starts().await;
    // Five seconds each: the sweep ends after five minutes.
    let slow = Fault::Slow(Duration::from_millis(25));
    world.leaf.fault(Scope::AllButLogin, slow, When::always());
    world.long_sweep(Duration::from_secs(5)).await;
    world.leaf.heal();
    world.mails_go_out().await;
    world.one_mail_says("First look: 10 of 60 credentials need attention: 10 invalid");
    world.restarts().await;
    world.time_passes(HOUR).await;
    world.nothing_more();
}

#[tokio::test]
async fn what_waits_is_shown_with_its_reason_and_no_time_that_is_past() {
    let mut world = World::of(4).await;
    world.types("silence 'Farm 2' --for 3h --reason 'known'");
    world.revokes_access("Farm 1");
    world.revokes_access("Farm 2");
    world.sweep().await;
    world.mails_go_out().await;
    for (line, words) in [
        (
            "explain 'Farm 1'",
            "opened to support@example.com, waiting for company until 2026-03-02 08:01 UTC",
        ),
        (
            "explain 'Farm 2'",
            "opened to support@example.com, silenced until 2026-03-02 11:00 UTC",
        ),
        (
            "status",
            "support@example.com: 1 notice waiting for company until 2026-03-02 08:01 UTC",
        ),
        (
            "deliveries",
            "support@example.com: incident 1, waiting for company until 2026-03-02 08:01 UTC",
        ),
        (
            "deliveries",
            "support@example.com: incident 2, silenced until 2026-03-02 11:00 UTC",
        ),
    ] {
        let shown = world.types(line);
        let even = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(even.contains(words), "{line}: {words}\n{shown}");
    }
    // An hour later the daemon has not come to it, for it is stopped: nothing is said to come at a time that is past.
    world.clock.advance(HOUR);
    for line in ["explain 'Farm 1'", "status", "deliveries"] {
        let shown = world.types(line);
        assert!(
            shown.contains("to be written next") && !shown.contains("08:01"),
            "{line}\n{shown}"
        );
    }
    let unwritten = &world.json("deliveries --json")["unwritten"];
    assert_eq!(unwritten[0]["waits_for"], "silence");
    assert_eq!(unwritten[0]["due_at"], "2026-03-02T11:00:00Z");
    assert_eq!(unwritten[1]["waits_for"], "packing");
    world.what_is_due().await;
    world.one_mail_says("INVALID: Farm 1");
    world.types("silence --end 1");
    world.what_is_due().await;
    world.one_mail_says("INVALID: Farm 2");
    world.time_passes(SWEEP).await;
}

#[tokio::test]
async fn a_cause_told_days_ago_neither_holds_back_nor_explains_what_is_new() {
    let mut world = dealers_key_is_refused(20, 16).await;
    // All but one are mended; that one stays open, and is reminded of.
    for nth in 1..6 {
        world.connects_again(&format!("Farm {nth}"));
    }
    world.time_passes(HOUR).await;
    world.passes_until("2026-03-05T10:00:00Z").await;
    drop(world.mails());
    refused(&world, 9);
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("INVALID: Farm 9");
    assert!(!mail.says("1 more credential"), "{}", mail.text);
}

#[tokio::test]
async fn what_nothing_explains_is_no_cause_that_later_trouble_waits_for() {
    let mut world = World::of(30).await;
    for nth in 0..12 {
        world.status(&format!("Farm {nth}"), "UNAUTHENTICATED");
    }
    world.time_passes(SWEEP).await;
    world.one_mail_says("12 credentials need attention: 12 invalid");
    assert!(world.asks("SELECT cause FROM cause").is_empty());
    world.time_passes(SWEEP).await;
    world.status("Farm 20", "UNAUTHENTICATED");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("INVALID: Farm 20");
    assert!(!mail.says("1 more credential"), "{}", mail.text);
}
