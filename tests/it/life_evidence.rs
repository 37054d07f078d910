//! What counts as evidence about one credential, and what does not.

use jiff::SignedDuration;
use leafwatch::model::*;

use crate::support::desk::*;

const GRANT: &str = r#"{"error":"invalid_grant"}"#;

fn settled(count: u128) -> Desk {
    let mut desk = Desk::new(count);
    desk.sweep();
    desk
}

fn answer(reading: Reading) -> Outcome {
    Outcome::Answer(Answer::Reading(reading))
}

fn stage(word: &str) -> Outcome {
    answer(Reading {
        environment: Some("STAGE".to_owned()),
        ..reading(word)
    })
}

/// Connected anew: another id and created time.
fn anew(word: &str, created: &str) -> Outcome {
    answer(Reading {
        leaf_id: Some("two".to_owned()),
        leaf_created: Some(created.to_owned()),
        ..reading(word)
    })
}

#[test]
fn two_proofs_may_be_asked_for() {
    let mut desk = settled(30);
    desk.policy.thresholds.resolve_after = 2;
    desk.says(3, status("INVALID"));
    desk.sweeps(1);
    desk.says(3, ok());
    desk.sweeps(1);
    assert_eq!(desk.steps(), ["opened invalid", "well invalid"]);
    desk.sweeps(1);
    assert_eq!(
        desk.steps(),
        ["opened invalid", "well invalid", "resolved invalid"]
    );
}

#[test]
fn a_look_that_proves_nothing_breaks_a_run_of_good_ones() {
    for neutral in ["SOMETHING_NEW", "TEMPORARILY_UNAVAILABLE"] {
        let mut desk = settled(30);
        desk.policy.thresholds.resolve_after = 3;
        desk.says(3, status("INVALID"));
        desk.sweeps(1);
        desk.says(3, ok());
        desk.sweeps(2);
        desk.says(3, status(neutral));
        desk.sweeps(20);
        assert_eq!(desk.open()[0], "invalid", "{neutral}");
        desk.says(3, ok());
        desk.sweeps(2);
        assert_eq!(desk.open()[0], "invalid", "{neutral}");
        desk.sweeps(1);
        assert!(!desk.open().contains(&"invalid".to_owned()), "{neutral}");
    }
}

#[test]
fn an_environment_that_is_not_told_is_no_proof_either() {
    let mut desk = settled(30);
    desk.says(3, stage("OK"));
    desk.sweeps(1);
    let untold = answer(Reading {
        environment: None,
        ..reading("OK")
    });
    for silent in [untold, missing()] {
        desk.says(3, silent);
        desk.sweeps(1);
    }
    assert_eq!(desk.open(), ["environment_mismatch"]);
    desk.policy.thresholds.resolve_after = 2;
    desk.says(3, ok());
    desk.sweeps(1);
    desk.says(3, missing());
    desk.sweeps(1);
    desk.says(3, ok());
    desk.sweeps(1);
    assert_eq!(desk.open(), ["environment_mismatch"]);
    desk.sweeps(1);
    assert!(desk.open().is_empty());
}

#[test]
fn the_environment_track_flaps_by_itself() {
    let mut desk = settled(30);
    for outcome in [stage("OK"), ok(), stage("OK"), ok()] {
        desk.says(3, outcome);
        desk.sweeps(1);
    }
    desk.says(3, status("INVALID"));
    desk.sweeps(23);
    assert_eq!(desk.open(), ["environment_mismatch", "invalid"]);
    desk.sweeps(1);
    assert_eq!(desk.open(), ["invalid"]);
}

#[test]
fn silence_that_comes_back_is_told_at_once_and_ends_after_a_quiet_window() {
    let mut desk = settled(30);
    desk.says(3, later());
    desk.sweeps(9);
    desk.says(3, ok());
    desk.sweeps(1);
    desk.says(3, later());
    desk.sweeps(1);
    desk.says(3, ok());
    desk.sweeps(24);
    assert_eq!(
        desk.steps(),
        [
            "opened unreadable",
            "resolved unreadable",
            "reopened unreadable",
            "well unreadable"
        ]
    );
    desk.sweeps(1);
    assert_eq!(desk.steps().last().unwrap(), "resolved unreadable");
}

#[test]
fn what_never_answered_becomes_unreadable_too() {
    let mut desk = Desk::new(30);
    desk.says(3, later());
    desk.sweep();
    desk.sweeps(8);
    assert_eq!(desk.open(), ["unreadable"]);
    desk.says(3, ok());
    desk.sweeps(1);
    assert!(desk.open().is_empty());
    let open_gaps = "SELECT count(*) FROM gap WHERE to_sweep IS NULL";
    assert_eq!(desk.column(open_gaps), ["0"]);
}

#[test]
fn it_changes_for_the_better_too() {
    let mut desk = settled(30);
    for word in ["EXPIRED", "LIMITED_PERMISSION"] {
        desk.says(3, status(word));
        desk.sweeps(1);
    }
    assert_eq!(
        desk.steps(),
        ["opened invalid", "changed limited_permission"]
    );
}

#[test]
fn missing_becomes_invalid_by_one_look_and_invalid_missing_by_its_own_rule() {
    let mut desk = settled(30);
    desk.says(3, missing());
    desk.sweeps(3);
    desk.says(3, status("INVALID"));
    desk.sweeps(1);
    desk.says(3, missing());
    desk.sweeps(2);
    assert_eq!(desk.open(), ["invalid"]);
    desk.sweeps(1);
    assert_eq!(
        desk.steps(),
        ["opened missing", "changed invalid", "changed missing"]
    );
}

#[test]
fn a_second_look_counts_but_is_no_held_time() {
    let mut desk = settled(30);
    desk.policy.thresholds.missing_hold = 10 * MINUTE;
    desk.says(3, missing());
    desk.sweeps(1);
    desk.now += 5 * MINUTE;
    desk.second_look(&[3]);
    assert!(desk.open().is_empty());
    desk.policy.thresholds.missing_hold = std::time::Duration::ZERO;
    desk.now += 5 * MINUTE;
    desk.second_look(&[3]);
    assert_eq!(desk.open(), ["missing"]);
}

#[test]
fn time_in_which_the_credential_gave_no_answer_is_not_held() {
    let mut desk = settled(30);
    desk.says(3, status("TEMPORARILY_UNAVAILABLE"));
    desk.sweeps(13);
    desk.says(3, later());
    desk.sweeps(4);
    desk.says(3, status("TEMPORARILY_UNAVAILABLE"));
    // Three hours before the gap, three hours from the first answer after it.
    desk.sweeps(12);
    assert!(desk.open().is_empty());
    desk.sweeps(1);
    assert_eq!(desk.open(), ["provider_unavailable"]);
}

#[test]
fn blind_time_is_not_held() {
    let mut desk = settled(30);
    desk.says(3, status("TEMPORARILY_UNAVAILABLE"));
    desk.sweeps(13);
    for n in 10..30 {
        desk.says(n, missing());
    }
    desk.sweeps(20);
    for n in 10..30 {
        desk.says(n, ok());
    }
    // The first clear sweep ends the blind time; three hours are left from there.
    desk.sweeps(12);
    assert_eq!(desk.open(), Vec::<String>::new());
    desk.sweeps(1);
    assert_eq!(desk.open(), ["provider_unavailable"]);
}

#[test]
fn a_credential_connected_anew_inherits_its_incident_but_no_hold() {
    let mut desk = settled(30);
    desk.says(3, status("TEMPORARILY_UNAVAILABLE"));
    desk.sweeps(20);
    desk.says(4, status("INVALID"));
    desk.sweeps(1);
    let created = "2026-03-02T13:20:00Z";
    desk.says(3, anew("TEMPORARILY_UNAVAILABLE", created));
    desk.says(4, anew("INVALID", created));
    desk.sweeps(24);
    assert_eq!(desk.open(), ["invalid"]);
    desk.sweeps(1);
    assert_eq!(desk.open(), ["invalid", "provider_unavailable"]);
}

#[test]
fn an_id_that_leaf_leaves_out_is_no_news() {
    let mut desk = settled(30);
    let rows = |desk: &Desk| desk.column("SELECT count(*) FROM span");
    desk.says(
        3,
        answer(Reading {
            leaf_id: None,
            ..reading("OK")
        }),
    );
    desk.sweeps(3);
    assert_eq!(rows(&desk), ["30"]);
    desk.says(3, ok());
    desk.sweeps(1);
    assert_eq!(rows(&desk), ["30"]);
}

#[test]
fn what_is_no_longer_watched_is_closed_and_told_anew_when_put_back() {
    let mut desk = settled(30);
    desk.says(3, status("INVALID"));
    desk.says(4, missing());
    desk.sweeps(1);
    desk.unwatch(3);
    desk.unwatch(4);
    desk.sweeps(8);
    assert_eq!(desk.steps(), ["opened invalid", "closed invalid"]);
    desk.put_back(3, status("INVALID"));
    desk.put_back(4, missing());
    desk.sweeps(1);
    assert_eq!(
        desk.steps(),
        ["opened invalid", "closed invalid", "opened invalid"]
    );
    desk.sweeps(2);
    assert_eq!(desk.open(), ["invalid", "missing"]);
    let first_looks = "SELECT sum(first_look) FROM incident";
    assert_eq!(desk.column(first_looks), ["0"]);
}

#[test]
fn an_answer_that_comes_late_about_what_is_no_longer_watched_judges_nothing() {
    let mut desk = settled(3);
    let left = (1..3).map(|number| plain_user(number, None)).collect();
    desk.watch = WatchList::new(left, vec![Provider::JOHN_DEERE]);
    desk.says(0, status("INVALID"));
    desk.says(1, status("INVALID"));
    desk.sweep();
    assert_eq!(desk.steps(), ["opened invalid"]);
    assert_eq!(
        desk.column("SELECT credential FROM incident"),
        [desk.id(1).0.to_string()]
    );
}

#[test]
fn a_pair_that_no_user_names_is_not_connected() {
    let other: Provider = "cnhi-field-ops".parse().unwrap();
    let named = vec![Provider::JOHN_DEERE, other];
    let users = (0..12)
        .map(|n| plain_user(n, (n == 0).then(|| named.clone())))
        .collect();
    let mut desk = Desk::over(WatchList::new(users, vec![Provider::JOHN_DEERE]));
    desk.says(5, missing());
    let pair = Credential {
        user: user(0),
        provider: other,
    };
    desk.truth.insert(pair, missing());
    desk.sweep();
    desk.sweeps(8);
    assert_eq!(desk.steps(), ["opened missing"]);
    let whose = "SELECT provider FROM credential c JOIN incident i ON i.credential = c.id";
    assert_eq!(desk.column(whose), ["cnhi-field-ops"]);
}

#[test]
fn events_without_a_date_of_the_future_or_of_another_life_judge_nothing() {
    let mut desk = Desk::new(30);
    let created = "2026-03-02T07:00:00Z";
    desk.says(
        3,
        answer(Reading {
            leaf_created: Some(created.to_owned()),
            ..reading("OK")
        }),
    );
    desk.sweep();
    let at = |minutes: i64| Some(desk.now + SignedDuration::from_mins(minutes));
    let events = [
        event(None, 400, GRANT),
        event(at(5), 400, GRANT),
        event(at(90), 400, GRANT),
        event(at(-61), 400, GRANT),
        event(at(-120), 400, GRANT),
        event(at(-10), 400, GRANT),
    ];
    desk.log(3, &events);
    assert!(desk.steps().is_empty());
    assert_eq!(desk.column("SELECT count(*) FROM event"), ["6"]);
    // One more of this life, and the newest two say so.
    let one_more = event(Some(desk.now - MINUTE), 400, GRANT);
    desk.log(3, &[one_more]);
    assert_eq!(desk.open(), ["failing_events"]);
}

#[test]
fn events_are_aged_by_leafs_clock() {
    for ahead in [-100, 100] {
        let mut desk = Desk::new(30);
        desk.leaf_ahead = SignedDuration::from_hours(ahead);
        desk.sweep();
        desk.says(3, anew("OK", &desk.leaf_now().to_string()));
        desk.sweeps(1);
        desk.events(3, &[(30, 400, GRANT), (29, 400, GRANT)]);
        assert!(desk.steps().is_empty(), "of the life before, {ahead} h");
        desk.events(3, &[(10, 400, GRANT), (9, 400, GRANT)]);
        assert_eq!(desk.open(), ["failing_events"], "{ahead} h");
        desk.sweeps(4 * 48);
        desk.events(3, &[]);
        assert_eq!(desk.open(), ["failing_events"], "{ahead} h");
        desk.sweeps(4 * 24);
        desk.events(3, &[]);
        assert!(desk.open().is_empty(), "{ahead} h");
    }
}

#[test]
fn a_success_of_the_life_before_does_not_end_the_warning() {
    let mut desk = settled(30);
    desk.events(3, &[(50, 400, GRANT), (40, 400, GRANT)]);
    assert_eq!(desk.open(), ["failing_events"]);
    desk.says(3, anew("OK", "2026-03-02T08:10:00Z"));
    desk.sweeps(1);
    desk.events(3, &[(30, 200, "")]);
    assert_eq!(desk.open(), ["failing_events"]);
    desk.events(3, &[(1, 200, "")]);
    assert!(desk.open().is_empty());
}

#[test]
fn a_new_failure_breaks_the_quiet_time_of_the_warning() {
    let mut desk = settled(30);
    let pair = [(50, 400, GRANT), (40, 400, GRANT)];
    desk.events(3, &pair);
    desk.events(3, &[(30, 200, "")]);
    desk.events(3, &[(20, 400, GRANT), (15, 400, GRANT)]);
    desk.events(3, &[(10, 200, "")]);
    desk.sweeps(20);
    desk.events(3, &[(1, 403, "no")]);
    desk.sweeps(8);
    assert_eq!(
        desk.steps()[2..],
        [
            "reopened failing_events",
            "well failing_events",
            "relapsed failing_events"
        ]
    );
}

#[test]
fn a_short_breakage_is_marked_once_and_never_told() {
    let mut desk = settled(30);
    desk.sweeps(4);
    let brief = "SELECT count(*) FROM event WHERE brief = 1";
    // One is nothing, and what was before our first look nobody can say.
    desk.events(3, &[(200, 403, "no"), (20, 403, "no")]);
    assert_eq!(desk.column(brief), ["0"]);
    desk.events(
        3,
        &[
            (20, 403, "no"),
            (12, 403, "no"),
            (10, 403, "no"),
            (5, 200, ""),
        ],
    );
    assert_eq!(desk.column(brief), ["2"]);
    desk.events(3, &[(12, 403, "no"), (10, 403, "no"), (5, 200, "")]);
    assert_eq!(desk.column(brief), ["2"]);
    assert!(desk.steps().is_empty());
    assert_eq!(desk.column("SELECT count(*) FROM notice"), ["0"]);
}

#[test]
fn the_failures_of_an_incident_are_no_short_breakage() {
    let mut desk = settled(30);
    desk.says(3, status("INVALID"));
    desk.sweeps(2);
    desk.says(3, ok());
    desk.sweeps(1);
    desk.events(3, &[(20, 403, "no"), (12, 403, "no"), (1, 200, "")]);
    assert_eq!(
        desk.column("SELECT count(*) FROM event WHERE brief = 1"),
        ["0"]
    );
}

#[test]
fn a_run_that_begins_while_the_credential_is_silent_counts_from_its_next_answer() {
    let mut desk = settled(30);
    desk.events(3, &[(50, 400, GRANT), (40, 400, GRANT)]);
    desk.says(3, later());
    desk.sweeps(1);
    desk.policy.thresholds.resolve_after = 2;
    desk.events(3, &[(1, 200, "")]);
    desk.says(3, ok());
    desk.sweeps(1);
    assert_eq!(desk.open(), ["failing_events"]);
    desk.sweeps(1);
    assert!(desk.open().is_empty());
}

#[test]
fn the_first_look_and_time_off_are_marked() {
    let flags = "SELECT first_look || '' || while_off FROM incident ORDER BY id";
    let mut desk = Desk::new(30);
    desk.says(3, status("INVALID"));
    desk.sweep();
    desk.says(4, status("INVALID"));
    desk.sweeps(1);
    desk.off(5 * HOUR);
    desk.says(5, status("INVALID"));
    desk.sweep();
    desk.says(6, status("INVALID"));
    desk.sweeps(1);
    assert_eq!(desk.column(flags), ["10", "00", "01", "00"]);
}

#[test]
fn a_name_that_the_config_drops_is_no_longer_missed() {
    let own = |named: bool| {
        let providers = named.then(|| vec![Provider::JOHN_DEERE]);
        let users = (0..12).map(|n| plain_user(n, providers.clone().filter(|_| n == 3)));
        WatchList::new(users.collect(), vec![Provider::JOHN_DEERE])
    };
    let mut desk = Desk::over(own(true));
    desk.says(3, missing());
    desk.sweep();
    desk.sweeps(1);
    desk.watch = own(false);
    desk.sweeps(8);
    assert!(desk.steps().is_empty());
}
