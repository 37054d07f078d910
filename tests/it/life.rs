//! The life of incidents, case by case, as product rules have it.

use leafwatch::model::*;

use crate::support::desk::*;

fn settled(count: u128) -> Desk {
    let mut desk = Desk::new(count);
    assert_eq!(desk.sweep(), SweepEnd::Whole);
    desk
}

#[test]
fn an_invalid_word_opens_at_once_and_a_healthy_word_ends_it() {
    let mut desk = settled(30);
    desk.says(3, status("UNAUTHENTICATED"));
    desk.sweep_after(15 * MINUTE);
    desk.sweep_after(15 * MINUTE);
    desk.says(3, ok());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened invalid", "resolved invalid"]);
}

#[test]
fn another_kind_changes_the_incident_and_an_unmapped_word_does_not() {
    let mut desk = settled(30);
    for word in [
        "MISSING_PERMISSION",
        "SOMETHING_NEW",
        "TEMPORARILY_UNAVAILABLE",
        "REVOKED",
    ] {
        desk.says(3, status(word));
        desk.sweep_after(15 * MINUTE);
    }
    assert_eq!(
        desk.steps(),
        ["opened limited_permission", "changed invalid"]
    );
}

#[test]
fn missing_takes_two_looks_and_half_an_hour() {
    let mut desk = settled(30);
    desk.says(3, missing());
    desk.sweep_after(15 * MINUTE);
    desk.sweep_after(15 * MINUTE);
    assert!(desk.steps().is_empty());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened missing"]);
}

#[test]
fn time_in_which_nobody_looked_is_not_held() {
    let mut desk = settled(30);
    desk.says(3, missing());
    desk.sweep_after(15 * MINUTE);
    desk.off(5 * HOUR);
    desk.sweep();
    desk.sweep_after(15 * MINUTE);
    assert!(desk.steps().is_empty());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened missing"]);
}

#[test]
fn one_silent_credential_becomes_unreadable_and_any_answer_ends_it() {
    let mut desk = settled(30);
    desk.says(3, later());
    for _ in 0..8 {
        desk.sweep_after(15 * MINUTE);
    }
    assert!(desk.steps().is_empty());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened unreadable"]);
    desk.says(3, ok());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened unreadable", "resolved unreadable"]);
}

#[test]
fn a_silent_leaf_is_an_account_incident_and_no_growers() {
    let mut desk = settled(30);
    for n in 0..30 {
        desk.says(n, later());
    }
    for _ in 0..3 {
        assert_eq!(desk.sweep_after(15 * MINUTE), SweepEnd::Unreachable);
    }
    assert_eq!(desk.steps(), ["opened leaf_unreachable"]);
    for n in 0..30 {
        desk.says(n, ok());
    }
    desk.sweep_after(15 * MINUTE);
    assert_eq!(
        desk.steps(),
        ["opened leaf_unreachable", "resolved leaf_unreachable"]
    );
}

#[test]
fn a_fleet_that_vanishes_is_another_account() {
    let mut desk = settled(30);
    for n in 0..20 {
        desk.says(n, missing());
    }
    for _ in 0..6 {
        desk.sweep_after(15 * MINUTE);
    }
    assert_eq!(desk.steps(), ["opened wrong_account"]);
    for n in 0..19 {
        desk.says(n, ok());
    }
    for _ in 0..2 {
        desk.sweep_after(15 * MINUTE);
    }
    assert_eq!(
        desk.steps(),
        ["opened wrong_account", "resolved wrong_account"]
    );
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps()[2..], ["opened missing"]);
}

#[test]
fn what_comes_back_soon_is_the_same_incident_and_ends_after_a_quiet_window() {
    let mut desk = settled(30);
    for word in ["INVALID", "OK", "INVALID", "OK", "INVALID", "OK"] {
        desk.says(3, status(word));
        desk.sweep_after(15 * MINUTE);
    }
    let steps = [
        "opened invalid",
        "resolved invalid",
        "reopened invalid",
        "well invalid",
        "relapsed invalid",
        "well invalid",
    ];
    assert_eq!(desk.steps(), steps);
    for _ in 0..24 {
        desk.sweep_after(15 * MINUTE);
    }
    assert_eq!(desk.steps().last().unwrap(), "resolved invalid");
}

#[test]
fn a_wrong_environment_stands_beside_a_bad_status() {
    let mut desk = settled(30);
    let stage = |word| Reading {
        environment: Some("stage ".to_owned()),
        ..reading(word)
    };
    desk.says(3, Outcome::Answer(Answer::Reading(stage("OK"))));
    desk.sweep_after(15 * MINUTE);
    desk.says(3, Outcome::Answer(Answer::Reading(stage("EXPIRED"))));
    desk.sweep_after(15 * MINUTE);
    desk.says(3, status("EXPIRED"));
    desk.sweep_after(15 * MINUTE);
    assert_eq!(
        desk.steps(),
        [
            "opened environment_mismatch",
            "opened invalid",
            "resolved environment_mismatch"
        ]
    );
    assert_eq!(desk.open(), ["invalid"]);
}

#[test]
fn failing_events_warn_early_and_become_the_status() {
    let mut desk = settled(30);
    desk.events(
        3,
        &[
            (50, 200, ""),
            (40, 400, r#"{"error":"invalid_grant"}"#),
            (10, 400, r#"{"error":"invalid_grant"}"#),
        ],
    );
    assert_eq!(desk.steps(), ["opened failing_events"]);
    desk.says(3, status("UNAUTHENTICATED"));
    desk.sweep_after(15 * MINUTE);
    desk.says(3, ok());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(
        desk.steps(),
        [
            "opened failing_events",
            "changed invalid",
            "resolved invalid"
        ]
    );
}

#[test]
fn failing_events_need_an_hour_unless_they_name_the_credential() {
    let mut desk = settled(30);
    desk.events(9, &[(5, 200, "")]);
    desk.events(3, &[(50, 403, "no"), (40, 403, "no"), (10, 403, "no")]);
    assert!(desk.steps().is_empty());
    desk.events(
        4,
        &[
            (90, 403, "no"),
            (40, 403, "no"),
            (10, 403, "no"),
            (5, 429, ""),
            (4, 404, ""),
        ],
    );
    assert_eq!(desk.steps(), ["opened failing_events"]);
    desk.events(4, &[(1, 200, "")]);
    assert_eq!(desk.steps().last().unwrap(), "resolved failing_events");
}

#[test]
fn unmapped_words_are_our_own_trouble_after_two_looks() {
    let mut desk = settled(30);
    desk.says(3, status("Odd"));
    desk.says(4, status("odd "));
    desk.sweep_after(15 * MINUTE);
    assert!(desk.steps().is_empty());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened unknown_status"]);
    desk.policy.status_words.add("odd", StatusClass::Healthy);
    desk.sweep_after(15 * MINUTE);
    assert_eq!(
        desk.steps(),
        ["opened unknown_status", "resolved unknown_status"]
    );
}

#[test]
fn a_key_in_two_environments_contradicts_itself() {
    let mut desk = settled(30);
    desk.watch = std::mem::take(&mut desk.watch).expect_of_all(None);
    let key = |environment: &str| {
        let key = Some(KeyPrint {
            print: [7; 16],
            tail: "ab12".to_owned(),
        });
        let environment = Some(environment.to_owned());
        Outcome::Answer(Answer::Reading(Reading {
            key,
            environment,
            ..reading("OK")
        }))
    };
    desk.says(3, key("STAGE"));
    desk.says(4, key("PRODUCTION"));
    desk.sweep_after(15 * MINUTE);
    assert!(desk.steps().is_empty());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened environment_contradiction"]);
    desk.says(3, key("PRODUCTION"));
    desk.sweep_after(15 * MINUTE);
    assert_eq!(
        desk.steps().last().unwrap(),
        "resolved environment_contradiction"
    );
}

#[test]
fn a_new_expectation_is_our_config_that_changed() {
    let mut desk = settled(30);
    desk.watch = std::mem::take(&mut desk.watch).expect_of_all(Some(Environment::Stage));
    desk.sweep_after(15 * MINUTE);
    let sql =
        "SELECT count(*), sum(config_changed) FROM incident WHERE kind = 'environment_mismatch'";
    let counts: (u32, u32) = desk
        .db
        .reader()
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(counts, (30, 30));
}

#[test]
fn the_provider_being_away_is_told_after_six_hours() {
    let mut desk = settled(30);
    desk.says(3, status("TEMPORARILY_UNAVAILABLE"));
    for _ in 0..24 {
        desk.sweep_after(15 * MINUTE);
    }
    assert!(desk.steps().is_empty());
    desk.sweep_after(15 * MINUTE);
    assert_eq!(desk.steps(), ["opened provider_unavailable"]);
}

#[test]
fn a_reconnected_credential_does_not_inherit_its_failures() {
    let mut desk = settled(30);
    let anew = Reading {
        leaf_id: Some("two".to_owned()),
        leaf_created: Some("2026-03-02T08:20:00.000000Z".to_owned()),
        ..reading("OK")
    };
    desk.now += 30 * MINUTE;
    desk.says(3, Outcome::Answer(Answer::Reading(anew)));
    desk.sweep();
    desk.events(3, &[(29, 400, "invalid_grant"), (28, 400, "invalid_grant")]);
    assert!(desk.steps().is_empty());
}
