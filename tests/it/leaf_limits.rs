//! How hard Leaf is asked: rate, requests in flight, pauses, retries; over real sockets.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use leafwatch::leaf::{Class, Client, Fault, Halt, Step};
use leafwatch::model::{Answer, NoAnswer, Outcome};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::leaf::{Act, Asked, Peer, clock, grower, json, with_headers};

const OK: &str = r#"{"id":"1","status":"OK"}"#;

async fn read_all(client: &Client, callers: u32, each: u32) -> Vec<Outcome> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let client = client.clone();
        tasks.spawn(async move {
            let mut outcomes = Vec::new();
            for n in 0..each {
                let look = client.read(grower(caller * each + n), Class::Status).await;
                outcomes.push(look.unwrap().outcome);
            }
            outcomes
        });
    }
    tasks.join_all().await.concat()
}

/// No request came sooner than one that kept to the limit from the beginning on. On a busy machine requests come later than
/// they were let go, several at once: only a moved clock (`leaf::gate`'s tests) shows each second by itself.
fn none_came_before_its_time(asked: &[Asked], began: Instant, per_second: usize) {
    for (nth, asked) in asked.iter().enumerate() {
        let least = Duration::from_secs((nth / per_second) as u64);
        let after = asked.at - began;
        assert!(after >= least, "request {nth} came after {after:?}");
    }
}

fn reading(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answer(Answer::Reading(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_holds_more_requests_than_allowed_logins_and_retries_included() {
    let failed = Mutex::new(HashSet::new());
    let peer = Peer::leaf(move |asked| {
        // Every second grower's first try fails.
        let even = asked.path.contains("0/") || asked.path.contains("2/");
        if even && failed.lock().unwrap().insert(asked.path.clone()) {
            json(500, "")
        } else {
            json(200, OK)
        }
    })
    .await;
    let mut config = peer.config();
    config.max_requests_per_second = 40;
    let client = peer.client_with(&config, &clock());
    let began = Instant::now();
    let outcomes = read_all(&client, 64, 1).await;
    assert!(outcomes.iter().all(reading));
    let asked = peer.asked();
    none_came_before_its_time(&asked, began, 40);
    assert_eq!(asked.len(), 65 + 14);
    assert_eq!(client.counters().retries, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_in_flight_than_allowed() {
    let peer = Peer::leaf(|_| {
        let mut acts = vec![Act::Wait(Duration::from_millis(2))];
        acts.extend(json(200, OK));
        acts
    })
    .await;
    let mut config = peer.config();
    config.max_in_flight = 5;
    let client = peer.client_with(&config, &clock());
    let outcomes = read_all(&client, 64, 10).await;
    assert_eq!(outcomes.len(), 640);
    assert!(outcomes.iter().all(reading));
    assert_eq!(peer.most_in_flight(), 5);
    let connections = peer.reads().iter().map(|asked| asked.connection).max();
    assert!(
        connections <= Some(5),
        "connections are reused: {connections:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_retry_holds_no_slot() {
    let peer = Peer::leaf(|asked| {
        if asked.path.contains("000000000000/") {
            with_headers(503, "Retry-After: 200\r\n", "")
        } else {
            json(200, OK)
        }
    })
    .await;
    let mut config = peer.config();
    config.max_in_flight = 1;
    let client = peer.client_with(&config, &clock());
    let stuck = tokio::spawn({
        let client = client.clone();
        async move { client.read(grower(0), Class::Status).await }
    });
    // A 503 pauses its own request only, so the others go on meanwhile.
    for n in 1..20 {
        let look = client.read(grower(n), Class::Status).await.unwrap();
        assert!(reading(&look.outcome));
    }
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_pauses_the_whole_client_for_as_long_as_leaf_says() {
    let limited = AtomicUsize::new(0);
    let peer = Peer::leaf(move |_| match limited.fetch_add(1, SeqCst) {
        0 => with_headers(429, "Retry-After: 1\r\n", ""),
        _ => json(200, OK),
    })
    .await;
    let client = peer.client();
    let first = client.read(grower(0), Class::Status).await.unwrap();
    assert!(reading(&first.outcome));
    let reads = peer.reads();
    assert!(reads[1].at - reads[0].at >= Duration::from_millis(990));
    assert_eq!(client.counters().limited, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_during_a_pause_holds_requests_that_have_not_begun() {
    let peer = Peer::leaf(|asked| {
        if asked.path.contains("000000000000/") {
            // As a date, an hour and a second after the one that the answer itself has.
            let dates = "Date: Sun, 01 Mar 2026 10:00:00 GMT\r\nRetry-After: Sun, 01 Mar 2026 10:00:01 GMT\r\n";
            with_headers(429, dates, "")
        } else {
            json(200, OK)
        }
    })
    .await;
    let client = peer.client();
    let step = client.try_read(grower(0), Class::Status, 0).await.unwrap();
    assert!(matches!(step, Step::Again { .. }));
    let began = Instant::now();
    client.read(grower(1), Class::Urgent).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900));
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "read against Leaf's own clock"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_stops_everything_until_it_is_over() {
    let limited = AtomicUsize::new(0);
    let peer = Peer::leaf(move |_| match limited.fetch_add(1, SeqCst) {
        0 => with_headers(429, "Retry-After: 86400\r\n", ""),
        _ => json(200, OK),
    })
    .await;
    let clock = clock();
    let client = peer.client_with(&peer.config(), &clock);
    let until = "2026-03-01T18:00:00Z".parse().unwrap();
    let left = Duration::from_secs(6 * 3600);
    let paused = Halt::Paused { until, left };
    for n in 0..3 {
        let halt = client.read(grower(n), Class::Status).await.unwrap_err();
        assert_eq!(halt, paused, "six hours at the most");
    }
    let fault = client.events(grower(1), Class::Urgent).await.unwrap_err();
    assert_eq!(fault, Fault::Halt(paused));
    assert_eq!(peer.reads().len(), 1);

    clock.advance(Duration::from_secs(6 * 3600));
    let look = client.read(grower(0), Class::Status).await.unwrap();
    assert!(reading(&look.outcome));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_may_pass_is_tried_three_times_more() {
    for status in [429, 500, 502, 503, 504, 408] {
        let peer = Peer::leaf(move |_| json(status, "<html>busy</html>")).await;
        let client = peer.client();
        let look = client.read(grower(0), Class::Status).await.unwrap();
        let expected = Outcome::None(NoAnswer::Later, format!("HTTP {status}"));
        assert_eq!(look.outcome, expected);
        assert_eq!(peer.reads().len(), 4);
        assert_eq!(client.counters().retries, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_503_with_a_long_retry_after_is_not_waited_for() {
    let peer = Peer::leaf(|_| with_headers(503, "Retry-After: 3600\r\n", "")).await;
    let client = peer.client();
    let look = client.read(grower(0), Class::Status).await.unwrap();
    assert!(matches!(look.outcome, Outcome::None(NoAnswer::Later, _)));
    assert_eq!(peer.reads().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_limits_and_a_new_address_hold_from_the_next_request_on() {
    let old = Peer::leaf(|_| with_headers(429, "Retry-After: 3600\r\n", "")).await;
    let new = Peer::leaf(|_| json(200, OK)).await;
    let client = old.client();
    let halt = client.read(grower(0), Class::Status).await.unwrap_err();
    assert!(matches!(halt, Halt::Paused { .. }));
    client.reconfigure(new.endpoint());
    // The pause was the other server's.
    client.read(grower(0), Class::Status).await.unwrap();
    assert_eq!((new.logins(), new.reads().len()), (1, 1));
    client.read(grower(1), Class::Status).await.unwrap();
    assert_eq!((new.logins(), new.reads().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_old_address_asks_for_too_late_holds_nobody_up() {
    let old = Peer::leaf(|_| {
        let mut acts = vec![Act::Wait(Duration::from_millis(200))];
        acts.extend(with_headers(429, "Retry-After: 3600\r\n", ""));
        acts
    })
    .await;
    let new = Peer::leaf(|_| json(200, OK)).await;
    let client = old.client();
    let under_way = tokio::spawn({
        let client = client.clone();
        async move { client.read(grower(0), Class::Status).await }
    });
    while old.reads().is_empty() {
        tokio::task::yield_now().await;
    }
    client.reconfigure(new.endpoint());
    for look in [
        under_way.await.unwrap(),
        client.read(grower(1), Class::Status).await,
    ] {
        let outcome = look.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
    }
    assert_eq!(new.reads().len(), 2);
}
