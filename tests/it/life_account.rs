//! Trouble of the account and our own, and the doubts about a fleet that turns at once.

use leafwatch::model::*;
use leafwatch::rules::incidents::Condition;

use crate::support::desk::*;

fn settled(count: u128) -> Desk {
    let mut desk = Desk::new(count);
    assert_eq!(desk.sweep(), SweepEnd::Whole);
    desk
}

fn denied() -> Outcome {
    Outcome::None(NoAnswer::Denied, "forbidden".to_owned())
}

fn all(desk: &mut Desk, outcome: &Outcome) {
    for said in desk.truth.values_mut() {
        *said = outcome.clone();
    }
}

#[test]
fn a_refused_login_takes_two_tries_and_ten_minutes() {
    let mut desk = settled(30);
    all(&mut desk, &denied());
    assert_eq!(desk.sweep_after(15 * MINUTE), SweepEnd::Denied);
    assert!(desk.steps().is_empty());
    desk.sweep_after(5 * MINUTE);
    assert!(desk.steps().is_empty());
    desk.sweep_after(5 * MINUTE);
    assert_eq!(desk.steps(), ["opened leaf_login"]);
}

#[test]
fn an_account_incident_changes_its_name_by_the_other_kinds_own_rule() {
    let mut desk = settled(30);
    all(&mut desk, &later());
    desk.sweeps(3);
    all(&mut desk, &denied());
    desk.sweeps(1);
    assert_eq!(desk.steps(), ["opened leaf_unreachable"]);
    desk.sweeps(1);
    all(&mut desk, &ok());
    desk.sweeps(1);
    assert_eq!(
        desk.steps(),
        [
            "opened leaf_unreachable",
            "changed leaf_login",
            "resolved leaf_login"
        ]
    );
}

#[test]
fn an_account_that_flaps_is_told_at_once_and_ends_after_a_quiet_window() {
    let mut desk = settled(30);
    for outcome in [later(), later(), later(), ok(), later(), ok()] {
        all(&mut desk, &outcome);
        desk.sweeps(1);
    }
    assert_eq!(
        desk.steps(),
        [
            "opened leaf_unreachable",
            "resolved leaf_unreachable",
            "reopened leaf_unreachable",
            "well leaf_unreachable"
        ]
    );
    desk.sweeps(23);
    assert_eq!(desk.open(), ["leaf_unreachable"]);
    desk.sweeps(1);
    assert!(desk.open().is_empty());
}

/// Everything gives no answer, each time for the reason that is named: so many minutes after the time before.
fn outage(desk: &mut Desk, course: &[(u32, NoAnswer)]) {
    for (minutes, reason) in course {
        all(desk, &Outcome::None(*reason, format!("{reason:?}")));
        desk.sweep_after(*minutes * MINUTE);
    }
}

#[test]
fn an_outage_that_shows_itself_as_this_and_that_is_told_all_the_same() {
    use NoAnswer::{Denied, Later};
    // Two refusals of the login, ten minutes after the first.
    let mut desk = settled(30);
    outage(&mut desk, &[(15, Denied), (5, Later), (4, Later)]);
    assert!(desk.steps().is_empty());
    outage(&mut desk, &[(1, Denied)]);
    assert_eq!(desk.steps(), ["opened leaf_login"]);
    let began = desk.column("SELECT opened_at - began_at FROM incident");
    assert_eq!(began, ["600000"]);
    let why = &desk.column("SELECT why FROM step")[0];
    assert!(why.starts_with("2 of 4 looks found this"), "{why}");
    // Half an hour of whatever kind: under the kind of most of its sweeps.
    let mut desk = settled(30);
    let course = [(15, Later), (10, Later), (10, Later), (9, Later)];
    outage(&mut desk, &course);
    assert!(desk.steps().is_empty());
    outage(&mut desk, &[(1, Denied)]);
    assert_eq!(desk.steps(), ["opened leaf_unreachable"]);
    // It goes on to and fro, and nobody is told of each turn.
    for _ in 0..12 {
        outage(&mut desk, &[(15, Later), (15, Denied)]);
    }
    assert_eq!(desk.steps(), ["opened leaf_unreachable"]);
    all(&mut desk, &ok());
    desk.sweeps(1);
    assert_eq!(
        desk.steps(),
        ["opened leaf_unreachable", "resolved leaf_unreachable"]
    );
}

#[test]
fn a_look_that_sees_begins_the_count_of_an_outage_anew() {
    use NoAnswer::{Denied, Later};
    let mut desk = settled(30);
    outage(&mut desk, &[(15, Later), (20, Later)]);
    all(&mut desk, &ok());
    desk.sweep_after(5 * MINUTE);
    outage(&mut desk, &[(5, Later), (20, Denied)]);
    assert!(desk.steps().is_empty());
    outage(&mut desk, &[(10, Later)]);
    assert_eq!(desk.steps(), ["opened leaf_unreachable"]);
}

#[test]
fn another_kind_soon_after_still_takes_its_own_rule() {
    let mut desk = settled(30);
    for outcome in [later(), later(), later(), ok(), denied()] {
        all(&mut desk, &outcome);
        desk.sweeps(1);
    }
    assert!(desk.open().is_empty());
    desk.sweeps(1);
    assert_eq!(desk.steps().last().unwrap(), "reopened leaf_login");
}

#[test]
fn a_first_start_with_anothers_login_is_told() {
    let mut desk = Desk::new(30);
    all(&mut desk, &missing());
    desk.sweep();
    assert!(desk.steps().is_empty());
    desk.sweeps(1);
    assert_eq!(desk.steps(), ["opened wrong_account"]);
    desk.says(3, ok());
    desk.sweeps(1);
    assert!(desk.open().is_empty());
}

#[test]
fn a_small_fleet_must_vanish_wholly() {
    let mut desk = settled(5);
    for n in 0..4 {
        desk.says(n, missing());
    }
    desk.sweeps(3);
    assert_eq!(desk.open(), ["missing"; 4]);
    desk.says(4, missing());
    desk.sweeps(2);
    assert_eq!(desk.open()[4..], ["wrong_account"]);
}

#[test]
fn unmapped_words_wait_while_blind() {
    let mut desk = settled(30);
    for n in 0..20 {
        desk.says(n, missing());
    }
    for n in 20..30 {
        desk.says(n, status("ODD"));
    }
    desk.sweeps(5);
    assert_eq!(desk.open(), ["wrong_account"]);
    for n in 0..20 {
        desk.says(n, ok());
    }
    desk.sweeps(2);
    assert_eq!(desk.open(), ["unknown_status"]);
    let why = "SELECT why FROM step WHERE kind = 'unknown_status'";
    assert!(desk.column(why)[0].contains("10"));
}

#[test]
fn own_troubles_of_different_kinds_stand_side_by_side() {
    let mut desk = settled(3);
    let (policy, watch) = desk.bench();
    let bench = leafwatch::daemon::judge::Bench {
        policy: &policy,
        watch: &watch,
        after_off: false,
    };
    let now = desk.now;
    let own = |desk: &mut Desk, kind, there: bool| {
        let condition = Condition {
            kind,
            subject: String::new(),
            why: "so it is".to_owned(),
        };
        let conditions = Some(condition).filter(|_| there);
        desk.db
            .write(|tx| bench.own(tx, kind, conditions.as_slice(), now))
            .unwrap();
    };
    own(&mut desk, Kind::TokenExpiring, true);
    own(&mut desk, Kind::Storage, true);
    assert_eq!(desk.open(), ["token_expiring", "storage"]);
    own(&mut desk, Kind::TokenExpiring, false);
    assert_eq!(desk.open(), ["storage"]);
}

#[test]
fn one_side_that_is_expected_is_no_contradiction() {
    let key = |environment: &str| {
        Outcome::Answer(Answer::Reading(Reading {
            key: Some(KeyPrint {
                print: [7; 16],
                tail: "ab12".to_owned(),
            }),
            environment: Some(environment.to_owned()),
            ..reading("OK")
        }))
    };
    let own = |number| OwnSettings {
        expected_environment: (number == 3).then_some(Environment::Stage),
        ..OwnSettings::default()
    };
    let users = (0..8).map(|n| WatchedUser {
        own: Some(Box::new(own(n))),
        ..plain_user(n, None)
    });
    let mut desk = Desk::over(WatchList::new(users.collect(), vec![Provider::JOHN_DEERE]));
    desk.says(3, key("STAGE"));
    desk.says(4, key("PRODUCTION"));
    desk.sweep();
    desk.sweeps(4);
    assert!(desk.steps().is_empty());
    desk.says(5, key(" stage"));
    desk.sweeps(1);
    assert!(desk.steps().is_empty());
    desk.sweeps(1);
    assert_eq!(desk.open(), ["environment_contradiction"]);
}

fn turn(desk: &mut Desk, word: &str) {
    for n in 0..20 {
        desk.says(n, status(word));
    }
    desk.sweeps(1);
}

fn doubted(desk: &Desk) -> usize {
    let doubted = "SELECT 1 FROM incident WHERE doubted = 1 AND ended_at IS NULL";
    desk.column(doubted).len()
}

fn opened_notices(desk: &Desk) -> usize {
    desk.column("SELECT 1 FROM notice WHERE kind = 'opened'")
        .len()
}

#[test]
fn a_fleet_that_turns_at_once_is_doubted_until_a_second_sweep_says_the_same() {
    let mut desk = settled(30);
    turn(&mut desk, "INVALID");
    assert_eq!((doubted(&desk), opened_notices(&desk)), (20, 20));
    desk.says(0, later());
    desk.sweeps(1);
    assert_eq!((doubted(&desk), opened_notices(&desk)), (1, 20));
    desk.says(0, status("INVALID"));
    desk.sweeps(1);
    assert_eq!((doubted(&desk), opened_notices(&desk)), (0, 20));
}

#[test]
fn a_second_sweep_that_says_something_else_confirms_nothing() {
    for word in ["TEMPORARILY_UNAVAILABLE", "ODD"] {
        let mut desk = settled(30);
        turn(&mut desk, "INVALID");
        turn(&mut desk, word);
        assert_eq!((doubted(&desk), opened_notices(&desk)), (20, 20), "{word}");
    }
}

#[test]
fn a_fleet_that_turns_again_is_doubted_again() {
    let mut desk = settled(30);
    turn(&mut desk, "INVALID");
    turn(&mut desk, "OK");
    turn(&mut desk, "INVALID");
    assert_eq!(desk.open(), ["invalid"; 20]);
    assert_eq!(doubted(&desk), 20);
}

#[test]
fn half_a_fleet_or_a_first_look_or_a_small_one_is_not_doubted() {
    let mut desk = settled(40);
    turn(&mut desk, "INVALID");
    assert_eq!(doubted(&desk), 0);
    let mut desk = Desk::new(30);
    turn(&mut desk, "INVALID");
    assert_eq!(doubted(&desk), 0);
    let mut desk = settled(20);
    desk.says(0, later());
    desk.sweeps(1);
    turn(&mut desk, "INVALID");
    assert_eq!(doubted(&desk), 20);
    // Those that did not answer as healthy when last asked do not count.
    let mut desk = settled(20);
    desk.says(0, status("ODD"));
    desk.sweeps(1);
    turn(&mut desk, "INVALID");
    assert_eq!(doubted(&desk), 0);
}

#[test]
fn what_held_over_several_sweeps_needs_no_doubt() {
    let mut desk = settled(50);
    for n in 0..24 {
        desk.says(n, missing());
    }
    desk.sweeps(3);
    assert_eq!(desk.open(), ["missing"; 24]);
    assert_eq!(doubted(&desk), 0);
}
