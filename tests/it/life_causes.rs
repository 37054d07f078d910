//! Which events may name a cause, and which make the early warning.

use leafwatch::model::*;

use crate::support::desk::*;

const GRANT: &str = r#"{"error":"invalid_grant"}"#;
const CLIENT: &str = r#"{"error":"invalid_client"}"#;
const DAY: u64 = 24 * 60;

fn settled(count: u128) -> Desk {
    let mut desk = Desk::new(count);
    desk.sweep();
    desk
}

fn answer(reading: Reading) -> Outcome {
    Outcome::Answer(Answer::Reading(reading))
}

fn with_key(word: &str, key: u8) -> Outcome {
    let key = KeyPrint {
        print: [key; 16],
        tail: "9f3c".to_owned(),
    };
    answer(Reading {
        key: Some(key),
        ..reading(word)
    })
}

fn refused() -> Option<Cause> {
    let key_tail = Some("9f3c".to_owned());
    Some(Cause::AppSecretWrong { key_tail })
}

/// What the open access incident of the credential is put down to.
fn cause(desk: &mut Desk, number: u128) -> Option<Cause> {
    let (id, policy, now) = (desk.id(number), desk.policy.clone(), desk.now);
    desk.db
        .read(|tx| {
            let open = tx.open_of(id)?;
            let access = open.iter().find(|it| it.track == Track::Access).unwrap();
            let trouble = (access.kind, access.began_at);
            Ok::<_, leafwatch::store::Error>(tx.diagnosis(id, trouble, None, &policy, now)?.cause)
        })
        .unwrap()
}

fn key_is_refused(desk: &mut Desk, key: u8) -> bool {
    let (policy, now) = (desk.policy.clone(), desk.now);
    let refused: leafwatch::store::Result<bool> =
        (desk.db).read(|tx| tx.key_is_refused(&[key; 16], &policy, now));
    refused.unwrap()
}

#[test]
fn an_event_of_an_earlier_life_names_no_cause() {
    let mut desk = settled(30);
    desk.says(3, status("INVALID"));
    desk.sweeps(1);
    desk.events(3, &[(20, 401, CLIENT), (10, 401, CLIENT)]);
    let key_tail = None;
    assert_eq!(
        cause(&mut desk, 3),
        Some(Cause::AppSecretWrong { key_tail })
    );
    desk.now += 5 * MINUTE;
    let anew = |word: &str| Reading {
        leaf_id: Some("two".to_owned()),
        ..reading(word)
    };
    desk.says(3, answer(anew("OK")));
    desk.sweep();
    desk.says(3, answer(anew("INVALID")));
    desk.sweeps(1);
    assert_eq!(cause(&mut desk, 3), Some(Cause::Unexplained));
}

#[test]
fn an_event_of_another_client_key_names_no_cause_and_no_key() {
    let mut desk = settled(30);
    for number in 0..6 {
        desk.says(number, with_key("OK", 1));
    }
    desk.sweeps(1);
    desk.says(3, with_key("INVALID", 1));
    desk.sweeps(1);
    desk.events(3, &[(20, 401, CLIENT), (10, 401, CLIENT)]);
    assert_eq!(cause(&mut desk, 3), refused());
    assert!(key_is_refused(&mut desk, 1));
    // The app has a new key, and Leaf still calls the grower dead: its events were the old key's.
    desk.says(3, with_key("INVALID", 2));
    desk.sweeps(1);
    assert_eq!(cause(&mut desk, 3), Some(Cause::Unexplained));
    assert!(!key_is_refused(&mut desk, 1) && !key_is_refused(&mut desk, 2));
    desk.now += 5 * MINUTE;
    desk.events(3, &[(1, 401, CLIENT)]);
    assert_eq!(cause(&mut desk, 3), refused());
    assert!(key_is_refused(&mut desk, 2));
}

#[test]
fn a_key_is_refused_only_while_the_newest_that_was_tried_with_it_says_so() {
    let mut desk = settled(30);
    for number in 0..6 {
        desk.says(number, with_key("OK", 1));
    }
    desk.says(9, with_key("OK", 2));
    desk.sweeps(1);
    desk.now += 72 * HOUR;
    // An idle grower met the old secret two days ago.
    desk.events(3, &[(2 * DAY, 401, CLIENT)]);
    assert!(key_is_refused(&mut desk, 1));
    // Neither another key's success, nor an older one, nor one that is still to come, nor another refusal says otherwise.
    desk.events(9, &[(10, 200, "")]);
    desk.events(
        4,
        &[(2 * DAY + 60, 200, ""), (30, 400, GRANT), (20, 503, "")],
    );
    let to_come = desk.leaf_now() + HOUR;
    desk.log(5, &[event(Some(to_come), 200, "")]);
    assert!(key_is_refused(&mut desk, 1) && !key_is_refused(&mut desk, 2));
    desk.events(4, &[(DAY, 200, "")]);
    assert!(!key_is_refused(&mut desk, 1));
    desk.events(5, &[(60, 401, CLIENT)]);
    assert!(key_is_refused(&mut desk, 1));
}

#[test]
fn at_the_first_look_events_of_before_it_speak_for_no_other_key_was_seen() {
    let mut desk = Desk::new(30);
    desk.says(3, with_key("INVALID", 1));
    desk.sweep();
    desk.events(3, &[(90, 400, GRANT)]);
    assert_eq!(cause(&mut desk, 3), Some(Cause::GrowerMustReconnect));
}

#[test]
fn events_of_the_future_of_weeks_ago_and_of_before_a_success_name_no_cause() {
    let logs: [&[(i64, u16)]; 3] = [
        &[(-60, 401)],
        &[(20 * DAY as i64, 401)],
        &[(10, 200), (20, 401)],
    ];
    for log in logs {
        let mut desk = settled(30);
        desk.says(3, with_key("INVALID", 1));
        desk.sweeps(1);
        let leaf_now = desk.leaf_now();
        let events = log.iter().map(|(ago, code)| {
            let at = leaf_now - jiff::SignedDuration::from_mins(*ago);
            event(Some(at), *code, CLIENT)
        });
        desk.log(3, &events.collect::<Vec<_>>());
        assert_eq!(cause(&mut desk, 3), Some(Cause::Unexplained), "{log:?}");
        assert!(!key_is_refused(&mut desk, 1), "{log:?}");
    }
}

#[test]
fn what_failed_between_the_last_healthy_look_and_the_trouble_speaks_however_old() {
    let mut desk = settled(30);
    desk.off(10 * 24 * HOUR);
    desk.says(3, status("INVALID"));
    desk.sweep();
    desk.events(3, &[(8 * DAY, 400, GRANT)]);
    assert_eq!(cause(&mut desk, 3), Some(Cause::GrowerMustReconnect));
    // One from before that look is another story.
    desk.events(4, &[(11 * DAY, 400, GRANT)]);
    desk.says(4, status("INVALID"));
    desk.sweeps(1);
    assert_eq!(cause(&mut desk, 4), Some(Cause::Unexplained));
}

#[test]
fn an_event_of_this_minute_speaks_where_leafs_clock_is_ahead() {
    let mut desk = Desk::new(30);
    desk.leaf_ahead = jiff::SignedDuration::from_mins(30);
    desk.sweep();
    desk.says(3, status("INVALID"));
    desk.sweeps(1);
    desk.events(3, &[(1, 400, GRANT)]);
    assert_eq!(cause(&mut desk, 3), Some(Cause::GrowerMustReconnect));
}

/// What is open after the events, in a fleet of which Leaf logged a success.
fn opened_by(events: &[(u64, u16, &str)]) -> Vec<String> {
    let mut desk = settled(30);
    desk.events(9, &[(5, 200, "")]);
    desk.events(3, events);
    desk.open()
}

#[test]
fn a_credential_that_fails_every_ten_minutes_is_warned_of() {
    let failing = |from: u64, until: u64| -> Vec<(u64, u16, &str)> {
        (from..=until).map(|n| (n * 10, 401, "")).collect()
    };
    assert!(opened_by(&failing(0, 5)).is_empty());
    assert_eq!(opened_by(&failing(0, 6)), ["failing_events"]);
    // What failed before the last success counts for nothing.
    let mut mended = failing(1, 5);
    mended.push((55, 200, ""));
    mended.extend(failing(6, 12));
    assert!(opened_by(&mended).is_empty());
}

#[test]
fn one_that_fails_every_few_seconds_is_warned_of_too() {
    let mut desk = settled(30);
    let leaf_now = desk.leaf_now();
    let failing = (0..700u32).map(|n| event(Some(leaf_now - n * MINUTE / 10), 401, ""));
    desk.log(3, &failing.collect::<Vec<_>>());
    assert_eq!(desk.open(), ["failing_events"]);
}

#[test]
fn failures_of_another_key_warn_of_nothing() {
    let mut desk = settled(30);
    desk.says(3, with_key("OK", 1));
    desk.sweeps(1);
    desk.says(3, with_key("OK", 2));
    desk.sweeps(1);
    let failing = [(20, 401, ""), (60, 401, ""), (100, 401, "")];
    desk.events(3, &failing);
    assert!(desk.open().is_empty());
    desk.now += 3 * HOUR;
    desk.events(3, &failing);
    assert_eq!(desk.open(), ["failing_events"]);
}

#[test]
fn where_leaf_never_logged_a_success_403_alone_is_no_sign() {
    let forbidden = [(0, 403, ""), (40, 403, ""), (80, 403, "")];
    let mut desk = settled(30);
    desk.events(3, &forbidden);
    assert!(desk.open().is_empty());
    // With a failure that speaks of the token beside them it is one.
    desk.events(4, &[(0, 403, ""), (40, 403, ""), (80, 401, "")]);
    assert_eq!(desk.open(), ["failing_events"]);
    // Leaf logs successes of this provider, only never of this one.
    assert_eq!(opened_by(&forbidden), ["failing_events"]);
}
