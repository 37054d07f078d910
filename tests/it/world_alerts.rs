//! From an answer of Leaf to what people read: the acts of the demo, and what may happen between them.

use jiff::SignedDuration;
use leafwatch::sim::{Consent, ProviderAnswer};

use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

#[tokio::test]
async fn a_revoked_access_is_told_once_and_its_end_once() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.nothing_more();
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms (John Deere)");
    assert_eq!(mail.readers(), ["support@example.com"]);
    assert!(mail.says("invalid_grant"), "{}", mail.text);
    world.time_passes(HOUR).await;
    world.nothing_more();
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms (John Deere) after");
    assert_eq!(end.references, mail.message_id);
    world.time_passes(HOUR).await;
    world.nothing_more();
}

#[tokio::test]
async fn the_early_warning_becomes_the_status_in_one_thread() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    let hillside = world.grower("Hillside Farms");
    for minutes in [65, 0] {
        let at = world.clock.now() - SignedDuration::from_mins(minutes);
        let event = ProviderAnswer::invalid_grant().at(at);
        world.leaf.push_event(hillside, event);
    }
    world.gather().await;
    world.time_passes(2 * MINUTE).await;
    let warning = world.one_mail_says("EARLY WARNING: Hillside Farms");
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    let change = world.one_mail_says("CHANGED: Hillside Farms");
    assert_eq!(change.references, warning.message_id);
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms");
    let thread = format!("{} {}", warning.message_id, change.message_id);
    assert_eq!(end.references, thread);
    assert_eq!(
        world.steps(),
        [
            "opened failing_events",
            "changed invalid",
            "resolved invalid"
        ]
    );
}

#[tokio::test]
async fn the_wrong_environment_is_told_whatever_the_status_says() {
    let mut world = World::new(&["Prairie Rose", "Blue Silo Dairy"]).await;
    let prairie = world.grower("Prairie Rose");
    let stage = Consent::default().in_environment("STAGE");
    world.leaf.reconnect(prairie, Some(stage));
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("ENVIRONMENT MISMATCH: Prairie Rose");
    assert!(mail.says("STAGE") && mail.says("PRODUCTION"));
    world.revokes_access("Prairie Rose");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Prairie Rose");
    // The environment alone is corrected: nobody may read that all is well.
    world.leaf.set_environment(prairie, Some("PRODUCTION"));
    world.time_passes(SWEEP).await;
    world.one_mail_says("STILL INVALID: Prairie Rose (John Deere), environment corrected");
    world.connects_again("Prairie Rose");
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Prairie Rose");
}

#[tokio::test]
async fn an_app_key_that_breaks_five_growers_is_one_mail_with_one_cause() {
    let mut world = World::of(12).await;
    for nth in 0..5 {
        let grower = world.grower(&format!("Farm {nth}"));
        let dealer = Consent::to_app("0oaDEALERapp77Qk3");
        world.leaf.connect(grower, dealer);
    }
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.leaf.rotate_app_secret("0oaDEALERapp77Qk3");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("5 credentials need attention: 5 invalid");
    assert!(mail.says("invalid_client"), "{}", mail.text);
    for nth in 0..5 {
        world.connects_again(&format!("Farm {nth}"));
    }
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: 5 credentials");
}

#[tokio::test]
async fn what_connected_again_does_not_inherit_its_old_failures() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.connects_again("Hillside Farms");
    world.sweep().await;
    world.gather().await;
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test]
async fn what_opened_and_ended_before_any_mail_is_one_line() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.sweep().await;
    world.clock.advance(20 * MINUTE / 60);
    world.status("Hillside Farms", "OK");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("Hillside Farms (John Deere), was invalid for");
    assert!(mail.says("was invalid from"), "{}", mail.text);
}

#[tokio::test]
async fn what_comes_back_soon_is_reopened_in_the_same_thread() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    let mut thread = Vec::new();
    for (word, told) in [
        ("UNAUTHENTICATED", "INVALID: Hillside Farms"),
        ("OK", "RESOLVED: Hillside Farms"),
        ("UNAUTHENTICATED", "REOPENED: Hillside Farms"),
    ] {
        world.status("Hillside Farms", word);
        world.time_passes(SWEEP).await;
        let mail = world.one_mail_says(told);
        assert_eq!(mail.references, thread.join(" "));
        thread.push(mail.message_id);
    }
    // From now on only a quiet flap window ends it.
    world.status("Hillside Farms", "OK");
    world.time_passes(5 * HOUR).await;
    world.nothing_more();
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test]
async fn a_second_failure_while_the_first_is_open_has_a_mail_of_its_own() {
    let mut world = World::of(6).await;
    world.revokes_access("Farm 1");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Farm 1 (John Deere)");
    world.revokes_access("Farm 2");
    world.time_passes(SWEEP).await;
    let second = world.one_mail_says("INVALID: Farm 2 (John Deere)");
    assert!(second.says("Farm 1"), "what else is open: {}", second.text);
    world.connects_again("Farm 1");
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Farm 1 (John Deere)");
    assert!(end.says("Farm 2"), "what else is open: {}", end.text);
    world.connects_again("Farm 2");
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Farm 2 (John Deere)");
}

#[tokio::test]
async fn who_is_due_the_same_shares_a_message_handed_over_once_each() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.to = vec!["one@example.com".into(), "two@example.com".into()];
    setup.grower_mut("Blue Silo Dairy").notify = vec!["anna@example.com".into()];
    let mut world = World::with(setup).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert_eq!(mail.readers(), ["one@example.com", "two@example.com"]);
    assert_eq!(world.smtp.accepted().len(), 2);
    // The user's own people hear of their own, and of nothing else.
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let anna = mails
        .iter()
        .find(|mail| mail.readers() == ["anna@example.com"]);
    assert!(!anna.unwrap().says("Hillside"), "{anna:#?}");
    assert!(mails.iter().all(|mail| mail.says("INVALID: Blue Silo")));
}

#[tokio::test]
async fn what_is_taken_out_of_the_config_is_closed_and_told_anew_when_put_back() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world
        .reloads(|setup| setup.grower_mut("Hillside Farms").watched = false)
        .await;
    world.time_passes(2 * MINUTE).await;
    let closed = world.one_mail_says("CLOSED: Hillside Farms (John Deere), no longer watched");
    assert!(closed.says("not known to be mended"));
    world.time_passes(HOUR).await;
    world.nothing_more();
    world
        .reloads(|setup| setup.grower_mut("Hillside Farms").watched = true)
        .await;
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside Farms");
    assert_eq!(world.open_incidents(), ["invalid"]);
}

#[tokio::test]
async fn a_new_threshold_or_recipient_sends_nothing_again() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world
        .reloads(|setup| {
            setup.rules = "resolve_after = 2\nflap_window = \"1h\"".into();
            setup.to.push("late@example.com".into());
        })
        .await;
    world.time_passes(HOUR).await;
    world.nothing_more();
    // Two good looks are asked for now, and the end goes to who heard of the beginning.
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms");
    assert_eq!(end.readers(), ["support@example.com"]);
}

#[tokio::test]
async fn who_left_the_config_hears_no_more() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.to.push("gone@example.com".into());
    let mut world = World::with(setup).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert_eq!(mail.readers(), ["gone@example.com", "support@example.com"]);
    world.reloads(|setup| setup.to.truncate(1)).await;
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms");
    assert_eq!(end.readers(), ["support@example.com"]);
}

#[tokio::test]
async fn a_restart_during_an_open_incident_is_silent() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside Farms");
    for _ in 0..3 {
        world.restarts().await;
        world.time_passes(SWEEP).await;
    }
    world.nothing_more();
    world.connects_again("Hillside Farms");
    world.restarts().await;
    world.time_passes(2 * MINUTE).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test]
async fn killed_after_the_commit_it_is_told_once_after_the_start() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.revokes_access("Hillside Farms");
    world.sweep().await;
    world.is_killed();
    world.starts().await;
    world.what_is_due().await;
    world.nothing_more();
    world.time_passes(2 * MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.time_passes(HOUR).await;
    world.nothing_more();
}

#[tokio::test]
async fn what_happened_while_it_was_off_is_told_as_such() {
    let mut world = World::new(&["Hillside Farms", "Blue Silo Dairy"]).await;
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Blue Silo Dairy");
    world.is_killed();
    world.clock.advance(5 * HOUR);
    world.revokes_access("Hillside Farms");
    world.connects_again("Blue Silo Dairy");
    world.starts().await;
    world.what_is_due().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert!(
        mail.says("happened while Leafwatch was off"),
        "{}",
        mail.text
    );
    assert!(mail.says("Blue Silo Dairy (John Deere) works again") || mail.says("1 resolved"));
}

#[tokio::test]
async fn what_is_broken_at_the_first_look_is_told_as_such() {
    let mut world = World::before_start(Setup::of(&["Hillside Farms", "Blue Silo Dairy"])).await;
    world.revokes_access("Hillside Farms");
    world.starts().await;
    world.time_passes(2 * MINUTE).await;
    world.one_mail_says("First look: 1 of 2 credentials needs attention: 1 invalid");
}

#[tokio::test]
async fn what_is_gone_is_told_after_two_looks_and_its_hold() {
    let mut world = World::of(8).await;
    let gone = world.grower("Farm 3");
    world.leaf.disconnect(gone);
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.time_passes(35 * MINUTE).await;
    world.one_mail_says("MISSING: Farm 3 (John Deere)");
    world.leaf.connect(gone, Consent::default());
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Farm 3");
}

#[tokio::test]
async fn a_word_that_nobody_mapped_goes_to_the_operators_until_it_is_mapped() {
    let mut world = World::of(8).await;
    world.status("Farm 3", "HIBERNATING");
    world.time_passes(SWEEP + 6 * MINUTE).await;
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("HIBERNATING");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    world
        .reloads(|setup| setup.rules = "status_words.healthy = [\"hibernating\"]".into())
        .await;
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED");
    assert_eq!(end.readers(), ["ops@example.com"]);
}
