//! Bad days of Leaf: silence, refusals and nonsense prove nothing about a grower.

use std::time::Duration;

use leafwatch::model::SweepEnd;

use crate::support::faulty_leaf::{Fault, RawAnswer, Scope, When};
use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: Duration = MINUTE.saturating_mul(16);

/// A fleet that is big enough to tell the whole from a part, and a Leaf client that does not wait for long.
async fn fleet() -> World {
    let names: Vec<String> = (0..30).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.timeout = "250ms";
    World::with(setup).await
}

/// Every way in which Leaf can fail to answer.
fn faults() -> Vec<Fault> {
    let text = |text: &str| Some(text.to_owned());
    vec![
        Fault::Status(401),
        Fault::Status(403),
        Fault::TooMany {
            retry_after: text("0"),
        },
        Fault::TooMany { retry_after: None },
        Fault::TooMany {
            retry_after: text("soon"),
        },
        Fault::Unavailable {
            retry_after: text("0"),
        },
        Fault::Status(500),
        Fault::Spring(502),
        Fault::Html(503),
        Fault::Html(200),
        Fault::Redirect("https://elsewhere.example/".to_owned()),
        Fault::Slow(Duration::from_secs(2)),
        Fault::Drip {
            bytes: 1,
            pause: Duration::from_millis(100),
        },
        Fault::Hang,
        Fault::HangMidBody,
        Fault::Cut,
        Fault::CutMidBody,
        Fault::HugeBody {
            bytes: 2 << 20,
            announced: true,
        },
        Fault::HugeBody {
            bytes: 2 << 20,
            announced: false,
        },
        Fault::Garbage,
        Fault::HalfJson,
    ]
}

#[tokio::test]
async fn no_fault_in_the_middle_of_a_sweep_opens_anything_of_a_grower() {
    for fault in faults() {
        let mut world = fleet().await;
        // The first few still answer.
        let middle = When::always().after(7);
        world.leaf.fault(Scope::AllButLogin, fault.clone(), middle);
        let ended = world.sweep().await;
        assert_ne!(ended.end, SweepEnd::Whole, "{fault:?}");
        assert!(ended.blind, "{fault:?}");
        world.leaf.heal();
        world.clock.advance(2 * MINUTE);
        let ended = world.sweep().await;
        assert_eq!(ended.end, SweepEnd::Whole, "{fault:?}");
        assert!(!ended.blind, "{fault:?}");
        world.time_passes(SWEEP).await;
        world.nothing_more();
        assert_eq!(world.steps(), [""; 0], "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_that_meets_every_third_request_is_outlived() {
    for fault in [Fault::Status(503), Fault::Cut, Fault::Status(401)] {
        let mut world = fleet().await;
        world
            .leaf
            .fault(Scope::AllButLogin, fault.clone(), When::every(3));
        world.revokes_access("Farm 3");
        world.time_passes(3 * HOUR).await;
        world.one_mail_says("INVALID: Farm 3");
        assert_eq!(world.credential_steps(), ["opened invalid"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_login_is_one_mail_to_the_operators_and_one_when_it_is_over() {
    let mut world = fleet().await;
    world
        .leaf
        .fault(Scope::All, Fault::Status(401), When::always());
    world.time_passes(2 * HOUR).await;
    let mail = world.one_mail_says("CRITICAL: Leaf login refused");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    world.leaf.heal();
    world.revokes_access("Farm 9");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(
        mails
            .iter()
            .any(|mail| mail.says("RESOLVED: Leaf login refused"))
    );
    assert!(mails.iter().any(|mail| mail.says("INVALID: Farm 9")));
    assert_eq!(world.credential_steps(), ["opened invalid"]);
}

#[tokio::test]
async fn while_blind_one_credential_is_tried_a_minute_and_the_first_answer_starts_a_sweep() {
    let mut world = fleet().await;
    world.leaf.go_away();
    world.time_passes(SWEEP).await;
    world.leaf.come_back().unwrap();
    world.leaf.forget_requests();
    world.revokes_access("Farm 9");
    world.time_passes(4 * MINUTE).await;
    world.one_mail_says("INVALID: Farm 9");
    let asked = world.leaf.requests().readings;
    assert_eq!(asked, 31, "one try and one sweep");
}

#[tokio::test]
async fn a_long_pause_gives_the_sweep_up_and_holds_the_next() {
    let mut world = fleet().await;
    let slow_down = Fault::TooMany {
        retry_after: Some("2400".to_owned()),
    };
    world
        .leaf
        .fault(Scope::AllButLogin, slow_down, When::next(1).after(5));
    let ended = world.sweep().await;
    assert_eq!(ended.end, SweepEnd::Unreachable);
    world.leaf.forget_requests();
    world.time_passes(39 * MINUTE).await;
    assert_eq!(world.leaf.requests().total, 0, "Leaf asked for 40 minutes");
    world.time_passes(2 * MINUTE).await;
    assert_eq!(world.leaf.requests().readings, 30);
    assert!(world.credential_steps().is_empty());
}

fn wait(seconds: &str) -> Fault {
    Fault::TooMany {
        retry_after: Some(seconds.to_owned()),
    }
}

/// Leaf asked for three hours at about 08:20.
async fn three_hours_are_told(world: &mut World) {
    world.leaf.forget_requests();
    world.time_passes(15 * MINUTE).await;
    world.nothing_more();
    let said = world.types("status");
    assert!(said.contains("Leaf asked us to wait until"), "{said}");
    assert!(said.contains("(30 stale)"), "{said}");
    world.time_passes(20 * MINUTE).await;
    let mail = world.one_mail_says("CRITICAL: Leaf unreachable");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    let until = "Leaf asked us to wait until Mon 2 Mar 2026, 11:";
    assert!(mail.says(until), "{mail:#?}");
    world.time_passes(2 * HOUR + 10 * MINUTE).await;
    assert_eq!(world.leaf.requests().total, 0, "Leaf asked for three hours");
    world.time_passes(SWEEP).await;
    assert_eq!(world.leaf.requests().readings, 30);
    let mail = world.one_mail_says("RESOLVED: Leaf unreachable");
    assert!(!mail.says("wait until"), "{mail:#?}");
    let said = world.types("status");
    assert!(
        !said.contains("wait until") && !said.contains("stale"),
        "{said}"
    );
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    let told = ["opened leaf_unreachable", "resolved leaf_unreachable"];
    assert_eq!(world.steps(), told);
}

#[tokio::test]
async fn a_pause_of_hours_is_told_and_all_is_stale_meanwhile() {
    let mut world = fleet().await;
    let once = When::next(1).after(5);
    world.leaf.fault(Scope::AllButLogin, wait("10800"), once);
    world.time_passes(SWEEP).await;
    three_hours_are_told(&mut world).await;
}

#[tokio::test]
async fn a_pause_of_hours_that_the_events_met_is_told_alike() {
    let mut world = fleet().await;
    let events = Scope::Events;
    world.leaf.fault(events, wait("10800"), When::next(1));
    world.time_passes(SWEEP).await;
    assert!(!world.types("status").contains("stale"));
    world.gather().await;
    three_hours_are_told(&mut world).await;
}

#[tokio::test]
async fn a_pause_that_leaf_renews_for_a_day_is_one_trouble_and_no_check_overdue() {
    let mut world = fleet().await;
    world
        .leaf
        .fault(Scope::AllButLogin, wait("14400"), When::always());
    world.time_passes(24 * HOUR).await;
    world.one_mail_says("CRITICAL: Leaf unreachable");
    assert_eq!(world.steps(), ["opened leaf_unreachable"]);
    world.leaf.heal();
    world.time_passes(5 * HOUR).await;
    world.one_mail_says("RESOLVED: Leaf unreachable");
}

#[tokio::test]
async fn a_pause_shorter_than_the_hold_is_kept_and_told_to_nobody() {
    let mut world = fleet().await;
    let once = When::next(1).after(5);
    world.leaf.fault(Scope::AllButLogin, wait("1200"), once);
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    assert_eq!(world.steps(), [""; 0]);
}

#[tokio::test]
async fn a_short_pause_is_waited_for() {
    let mut world = fleet().await;
    let slow_down = Fault::TooMany {
        retry_after: Some("1".to_owned()),
    };
    world
        .leaf
        .fault(Scope::AllButLogin, slow_down, When::next(1).after(5));
    let ended = world.sweep().await;
    assert_eq!(ended.end, SweepEnd::Whole);
    assert!(world.steps().is_empty());
}

#[tokio::test]
async fn a_fleet_that_vanishes_is_another_account_and_no_growers() {
    let mut world = fleet().await;
    world
        .leaf
        .fault(Scope::AllButLogin, Fault::Status(404), When::always());
    world.time_passes(3 * HOUR).await;
    let mail = world.one_mail_says("CRITICAL: wrong Leaf account");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    // Leaf answers: there is nothing to be found out between the sweeps.
    world.leaf.forget_requests();
    world.time_passes(2 * HOUR).await;
    assert_eq!(world.leaf.requests().readings, 8 * 30);
    world.leaf.heal();
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: wrong Leaf account");
    assert!(world.credential_steps().is_empty());
}

#[tokio::test]
async fn one_that_gives_no_answer_is_told_after_its_hold_as_unreadable() {
    let mut world = fleet().await;
    let silent = Scope::Credential(world.grower("Farm 4"));
    world.leaf.fault(silent, Fault::Garbage, When::always());
    world.time_passes(100 * MINUTE).await;
    world.nothing_more();
    world.time_passes(HOUR).await;
    let mail = world.one_mail_says("UNREADABLE: Farm 4");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    world.leaf.heal();
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Farm 4");
}

#[tokio::test]
async fn most_of_a_fleet_turning_at_once_is_doubted_and_spares_the_growers_people() {
    let names: Vec<String> = (0..30).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.grower_mut("Farm 3").notify = vec!["anna@example.com".into()];
    let mut world = World::with(setup).await;
    world.leaf.set_status_of_all("UNAUTHENTICATED");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("30 credentials need attention: 30 invalid");
    assert_eq!(mail.readers(), ["support@example.com"]);
    // A second sweep says the same: now it is the growers' business too.
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("INVALID: Farm 3");
    assert_eq!(mail.readers(), ["anna@example.com"]);
    world.leaf.set_status_of_all("OK");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(mails.iter().all(|mail| mail.says("RESOLVED")), "{mails:#?}");
}

#[tokio::test]
async fn an_answer_that_is_about_another_user_is_asked_for_again_and_blames_nobody() {
    let mut world = World::new(&["Hillside Farms", "Prairie Wind", "Red Barn"]).await;
    world.sweep().await;
    world.status("Hillside Farms", "UNAUTHENTICATED");
    let mixed_up = Fault::AnswerAbout(world.grower("Hillside Farms"));
    let prairie = world.grower("Prairie Wind");
    let of = Scope::ReadingsOf(prairie);
    for _ in 0..2 {
        world.leaf.fault(of, mixed_up.clone(), When::next(1));
        world.leaf.forget_requests();
        let ended = world.sweep().await;
        assert_eq!(ended.end, SweepEnd::Whole);
        // Both of them once more.
        assert_eq!(world.leaf.requests().readings, 5);
        assert_eq!(world.open_incidents(), ["invalid"]);
    }
    world.time_passes(2 * MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world.leaf.forget_requests();
    world.sweep().await;
    assert_eq!(world.leaf.requests().readings, 3);
}

#[tokio::test]
async fn users_who_share_a_credential_are_both_judged_and_operators_are_told_once() {
    let mut world = World::new(&["Hillside Farms", "Prairie Wind", "Red Barn"]).await;
    world.sweep().await;
    world.status("Hillside Farms", "UNAUTHENTICATED");
    let of = Scope::ReadingsOf(world.grower("Prairie Wind"));
    let shared = Fault::AnswerAbout(world.grower("Hillside Farms"));
    let shared = world.leaf.fault(of, shared, When::always());
    world.sweep().await;
    assert_eq!(
        world.open_incidents(),
        ["invalid", "invalid", "shared_credential"]
    );
    world.time_passes(2 * MINUTE).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let told = mails
        .iter()
        .find(|mail| mail.says("one credential, several users"));
    let told = told.unwrap_or_else(|| panic!("{mails:#?}"));
    assert_eq!(told.readers(), ["ops@example.com"]);
    assert!(told.says("Hillside Farms and Prairie Wind"), "{told:#?}");
    // What is known of them is no reason to ask again, nor to tell again, over restarts too.
    for _ in 0..2 {
        world.leaf.forget_requests();
        world.sweep().await;
        assert_eq!(world.leaf.requests().readings, 3);
        world.restarts().await;
    }
    world.time_passes(2 * MINUTE).await;
    world.nothing_more();
    world.leaf.lift(shared);
    world.sweep().await;
    assert_eq!(world.open_incidents(), ["invalid"]);
    world.time_passes(2 * MINUTE).await;
    assert!(
        world
            .mails()
            .iter()
            .any(|mail| mail.says("RESOLVED: one credential, several users"))
    );
}

#[tokio::test]
async fn a_gateways_report_sent_as_a_success_blames_no_grower() {
    let mut world = fleet().await;
    let report =
        RawAnswer::json(r#"{"status":"UNAUTHORIZED","message":"Full authentication is required"}"#);
    let of = Scope::Readings;
    world.leaf.fault(of, Fault::Answer(report), When::always());
    let ended = world.sweep().await;
    assert_eq!(ended.end, SweepEnd::Unreachable);
    assert!(world.credential_steps().is_empty());
}
