//! The simulated Leaf behind its faults, over real HTTP: what each says is what it does.

use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::model::Provider;
use reqwest::header::{LOCATION, RETRY_AFTER};
use tokio::time::timeout;

use crate::support::asker::{Asker, events, john_deere, one_grower, reading};
use crate::support::faulty_leaf::{Fault, FaultyLeaf, RawAnswer, Scope, When};

#[tokio::test]
async fn faults_that_are_answers_look_as_they_say() {
    let (leaf, asker, hillside) = one_grower().await;
    let right = asker.text(&reading(hillside)).await;
    let cases = [
        (Fault::Status(401), 401, "Unauthorized"),
        (Fault::Status(403), 403, "\"status\":403"),
        (Fault::Status(502), 502, "Bad Gateway"),
        (Fault::Spring(500), 500, "\"timestamp\""),
        (Fault::Html(200), 200, "<html>"),
        (Fault::Garbage, 200, "\u{fffd}"),
        (Fault::HalfJson, 200, &right[..right.len() / 2]),
        (Fault::Answer(RawAnswer::json("7")), 200, "7"),
    ];
    for (fault, status, part) in cases {
        leaf.fault(Scope::Credential(hillside), fault.clone(), When::next(1));
        let answer = asker.get(&reading(hillside)).await;
        assert_eq!(answer.status(), status, "{fault:?}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(part) && text != right, "{fault:?}: {text}");
    }
    assert_eq!(
        asker.get(&reading(hillside)).await.text().await.unwrap(),
        right
    );
}

#[tokio::test]
async fn waits_and_redirects_carry_their_headers_as_given() {
    let (leaf, asker, _) = one_grower().await;
    let retry_after = Some("Wed, 21 Oct 2026 07:28:00 GMT".to_owned());
    leaf.fault(
        Scope::All,
        Fault::TooMany {
            retry_after: retry_after.clone(),
        },
        When::next(1),
    );
    let answer = asker.get("").await;
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers()[RETRY_AFTER].to_str().ok()
        ),
        (429, retry_after.as_deref())
    );
    leaf.fault(
        Scope::All,
        Fault::Unavailable { retry_after: None },
        When::next(1),
    );
    let answer = asker.get("").await;
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers().contains_key(RETRY_AFTER)
        ),
        (503, false)
    );
    leaf.fault(
        Scope::All,
        Fault::Redirect("http://elsewhere.example/".into()),
        When::next(1),
    );
    let answer = asker.get("").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[LOCATION]),
        (302, &"http://elsewhere.example/".parse().unwrap())
    );
}

#[tokio::test]
async fn a_late_and_a_dripping_answer_are_right_in_the_end() {
    let (leaf, asker, hillside) = one_grower().await;
    let right = asker.text(&reading(hillside)).await;
    for fault in [
        Fault::Slow(Duration::from_millis(30)),
        Fault::Drip {
            bytes: right.len() / 3,
            pause: Duration::from_millis(10),
        },
    ] {
        leaf.fault(Scope::All, fault.clone(), When::next(1));
        let clock = Clock::system();
        let answer = asker.get(&reading(hillside)).await;
        assert_eq!(answer.text().await.unwrap(), right, "{fault:?}");
        let asked = clock.monotonic();
        assert!(
            asked >= Duration::from_millis(30),
            "{fault:?} took {asked:?}"
        );
    }
    assert_eq!(leaf.requests().in_flight, 0);
}

#[tokio::test]
async fn what_hangs_hangs_until_its_client_gives_up() {
    let (leaf, asker, hillside) = one_grower().await;
    let a_while = Duration::from_millis(40);
    leaf.fault(Scope::All, Fault::Hang, When::next(1));
    let mut hanging = tokio::spawn(asker.request(&reading(hillside)).send());
    leaf.until(|asked| asked.readings == 1).await;
    assert!(timeout(a_while, &mut hanging).await.is_err());
    assert_eq!(leaf.requests().in_flight, 1);
    hanging.abort();

    leaf.fault(Scope::All, Fault::HangMidBody, When::next(1));
    let mut half = asker.get(&reading(hillside)).await;
    let right = asker.text(&reading(hillside)).await;
    assert_eq!(
        half.chunk().await.unwrap().unwrap(),
        right[..right.len() / 2]
    );
    assert!(timeout(a_while, half.chunk()).await.is_err());
}

#[tokio::test]
async fn a_cut_before_and_in_the_body_ends_the_connection() {
    let (leaf, asker, hillside) = one_grower().await;
    let right = asker.text(&reading(hillside)).await;
    leaf.fault(Scope::All, Fault::Cut, When::next(1));
    let lost = asker.request(&reading(hillside)).send().await.unwrap_err();
    assert!(lost.is_request() && !lost.is_timeout(), "{lost:?}");
    leaf.fault(Scope::All, Fault::CutMidBody, When::next(1));
    let half = asker.get(&reading(hillside)).await;
    let length = half.content_length().unwrap();
    assert_eq!(length as usize, right.len());
    assert!(!half.bytes().await.unwrap_err().is_timeout());
    assert_eq!(asker.status(&reading(hillside)).await, 200);
}

#[tokio::test]
async fn a_huge_body_is_as_huge_as_told_and_announced_or_not() {
    let (leaf, asker, hillside) = one_grower().await;
    for announced in [true, false] {
        let bytes = 300_000;
        leaf.fault(
            Scope::All,
            Fault::HugeBody { bytes, announced },
            When::next(1),
        );
        let answer = asker.get(&reading(hillside)).await;
        assert_eq!(answer.content_length().is_some(), announced);
        let value: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(value["padding"].as_str().unwrap().len(), bytes);
    }
}

#[tokio::test]
async fn a_fault_meets_its_scope_only_and_can_begin_later() {
    let leaf = FaultyLeaf::start(Clock::system()).await;
    leaf.fill(2, Provider::JOHN_DEERE);
    let asker = Asker::logged_in(&leaf).await;
    let (ours, other) = (john_deere(0), john_deere(1));
    let fault = leaf.fault(Scope::EventsOf(ours), Fault::Status(403), When::always());
    assert_eq!(asker.status(&events(ours)).await, 403);
    assert_eq!(asker.status(&reading(ours)).await, 200);
    assert_eq!(asker.status(&events(other)).await, 200);
    leaf.lift(fault);
    assert_eq!(asker.status(&events(ours)).await, 200);

    leaf.fault(Scope::Readings, Fault::Status(500), When::next(1).after(1));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(asker.status(&reading(other)).await);
    }
    assert_eq!(codes, [200, 500, 200]);
    leaf.fault(Scope::Logins, Fault::Status(401), When::always());
    assert_eq!(asker.log_in(&leaf).await.unwrap_err(), 401);
    leaf.heal();
    assert!(asker.log_in(&leaf).await.is_ok());
}

#[tokio::test]
async fn an_answer_about_another_is_the_right_one_about_the_other() {
    let leaf = FaultyLeaf::start(Clock::system()).await;
    leaf.fill(2, Provider::JOHN_DEERE);
    let asker = Asker::logged_in(&leaf).await;
    let (ours, other) = (john_deere(0), john_deere(1));
    leaf.fault(
        Scope::ReadingsOf(ours),
        Fault::AnswerAbout(other),
        When::next(1),
    );
    let about_other = asker.text(&reading(other)).await;
    assert_eq!(asker.text(&reading(ours)).await, about_other);
    assert_ne!(asker.text(&reading(ours)).await, about_other);
}

#[tokio::test]
async fn leaf_goes_away_and_comes_back_on_the_same_port() {
    let (leaf, asker, hillside) = one_grower().await;
    let base_url = leaf.base_url();
    for _ in 0..3 {
        leaf.go_away();
        // The first request may be written to the connection that is left over; the second must connect.
        asker.request("").send().await.unwrap_err();
        assert!(asker.request("").send().await.unwrap_err().is_connect());
        leaf.come_back().unwrap();
        assert_eq!(asker.status(&reading(hillside)).await, 200);
    }
    assert_eq!(leaf.base_url(), base_url);
}

#[tokio::test]
async fn what_is_under_way_when_leaf_goes_away_is_lost() {
    let (leaf, asker, hillside) = one_grower().await;
    leaf.fault(Scope::All, Fault::Hang, When::always());
    let under_way = tokio::spawn(asker.request(&reading(hillside)).send());
    leaf.until(|asked| asked.readings == 1).await;
    leaf.go_away();
    let lost = under_way.await.unwrap().unwrap_err();
    assert!(lost.is_request() && !lost.is_timeout(), "{lost:?}");
}

#[tokio::test]
async fn it_ends_with_its_last_handle() {
    let (leaf, asker, _) = one_grower().await;
    let second = leaf.clone();
    drop(leaf);
    assert_eq!(asker.status("").await, 200);
    drop(second);
    asker.request("").send().await.unwrap_err();
    assert!(asker.request("").send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn requests_under_way_together_are_seen_as_such() {
    let (leaf, asker, hillside) = one_grower().await;
    leaf.fault(Scope::All, Fault::Hang, When::always());
    for _ in 0..5 {
        tokio::spawn(asker.request(&reading(hillside)).send());
    }
    let requests = leaf.until(|requests| requests.in_flight == 5).await;
    assert_eq!((requests.max_in_flight, requests.readings), (5, 5));
}
