//! What Leaf may answer to a look, whole, broken or never; over real sockets.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use leafwatch::leaf::{Class, Client, Look, Step};
use leafwatch::model::{Answer, NoAnswer, Outcome};

use crate::support::leaf::{Act, Peer, clock, grower, json, raw, with_headers};

const OK: &str = r#"{"id":"1","status":"OK"}"#;

async fn look_at(acts: Vec<Act>) -> (Look, usize) {
    let peer = Peer::leaf(move |_| acts.clone()).await;
    let mut config = peer.config();
    config.timeout = Duration::from_millis(150);
    let client = peer.client_with(&config, &clock());
    let look = client.read(grower(0), Class::Status).await.unwrap();
    (look, peer.reads().len())
}

async fn no_answer(acts: Vec<Act>) -> (NoAnswer, String, usize) {
    match look_at(acts.clone()).await {
        (
            Look {
                outcome: Outcome::None(why, words),
                ..
            },
            tries,
        ) => (why, words, tries),
        (look, _) => panic!("{look:?} from {acts:?}"),
    }
}

fn status(look: &Look) -> Option<&str> {
    match &look.outcome {
        Outcome::Answer(Answer::Reading(reading)) => reading.status.as_deref(),
        _ => None,
    }
}

#[tokio::test]
async fn an_answer_comes_with_leafs_own_time() {
    let date = "Date: Sun, 01 Mar 2026 11:59:58 GMT\r\n";
    let (look, tries) = look_at(with_headers(200, date, OK)).await;
    assert_eq!(status(&look), Some("OK"));
    assert_eq!(look.leaf_time.unwrap().to_string(), "2026-03-01T11:59:58Z");
    assert_eq!(tries, 1);
    let (look, _) = look_at(with_headers(200, "Date: tomorrow\r\n", OK)).await;
    assert_eq!(look.leaf_time, None);
}

#[tokio::test]
async fn a_404_and_an_empty_200_say_that_there_is_no_credential() {
    for acts in [
        json(404, r#"{"title":"Not Found","status":404}"#),
        json(404, "<html>"),
        json(404, ""),
        json(200, ""),
        json(200, "null"),
        json(200, "{}"),
        json(200, "[]"),
    ] {
        let (look, tries) = look_at(acts).await;
        assert_eq!(look.outcome, Outcome::Answer(Answer::Missing));
        assert_eq!(tries, 1);
    }
}

#[tokio::test]
async fn an_answer_of_the_same_bytes_is_known_again_and_no_other_is() {
    let asked = AtomicUsize::new(0);
    let peer = Peer::leaf(move |_| match asked.fetch_add(1, SeqCst) {
        0 | 1 | 4 => json(200, OK),
        2 => json(200, r#"{"id":"1","status":"OK" }"#),
        _ => json(404, OK),
    })
    .await;
    let client = peer.client();
    let mut bodies = Vec::new();
    for _ in 0..5 {
        match client.try_read(grower(0), Class::Status, 0).await {
            Ok(Step::Done(reply)) => bodies.push(reply.body),
            other => panic!("{other:?}"),
        }
    }
    assert!(bodies[0].is_some());
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[4]);
    assert_ne!(bodies[0], bodies[2], "it may say the same, and is read");
    assert_eq!(bodies[3], None);
}

#[tokio::test]
async fn a_404_whose_body_never_ends_is_a_404() {
    let acts = vec![
        Act::Send(b"HTTP/1.1 404 X\r\nContent-Length: 50\r\n\r\n<ht".to_vec()),
        Act::Hang,
    ];
    let (look, _) = look_at(acts).await;
    assert_eq!(look.outcome, Outcome::Answer(Answer::Missing));
}

#[tokio::test]
async fn a_403_is_denied_at_once() {
    let (why, words, tries) = no_answer(json(403, OK)).await;
    assert_eq!(
        (why, words.as_str(), tries),
        (NoAnswer::Denied, "HTTP 403", 1)
    );
}

#[tokio::test]
async fn what_is_not_understood_is_broken_and_not_tried_again() {
    for acts in [
        json(200, "<html>welcome</html>"),
        json(200, "[1,2]"),
        json(200, "\"OK\""),
        json(204, ""),
        json(400, OK),
        json(418, ""),
        raw("220 mail.example.com ESMTP\r\n"),
        raw("HTTP/1.1 banana\r\n\r\n"),
    ] {
        let (why, words, tries) = no_answer(acts.clone()).await;
        assert_eq!((why, tries), (NoAnswer::Broken, 1), "{words} {acts:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_nothing_follows_it() {
    let elsewhere = Peer::leaf(|_| json(200, OK)).await;
    let location = format!("Location: {}/x\r\n", elsewhere.url);
    for code in [301, 302, 307, 308] {
        let (why, words, tries) = no_answer(with_headers(code, &location, "")).await;
        assert_eq!((why, tries), (NoAnswer::Broken, 1));
        assert!(
            words.contains("redirect") && !words.contains("http:"),
            "{words}"
        );
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_however_it_comes() {
    let long = format!(r#"{{"status":"OK","x":"{}"}}"#, "x".repeat(1024 * 1024));
    let announced = raw("HTTP/1.1 200 X\r\nContent-Length: 9999999999\r\n\r\n{");
    let chunked = |count: usize| {
        let chunk = format!("{:x}\r\n{}\r\n", 1024, "x".repeat(1024)).repeat(count);
        raw(&format!(
            "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
        ))
    };
    for acts in [json(200, &long), announced, chunked(1025)] {
        let (why, words, tries) = no_answer(acts).await;
        assert_eq!((why, tries), (NoAnswer::Broken, 1));
        assert_eq!(words, "the answer is longer than 1 MiB");
    }
    let fits = format!(
        r#"{{"status":"OK","x":"{}"}}"#,
        "x".repeat(1024 * 1024 - 30)
    );
    assert_eq!(status(&look_at(json(200, &fits)).await.0), Some("OK"));
}

#[tokio::test]
async fn a_small_answer_that_unpacks_to_a_huge_one_is_refused() {
    // 2 MiB of zeros under gzip, made once with `head -c 2097152 /dev/zero | gzip -9n`.
    let bomb = include_bytes!("../data/zeros-2m.gz");
    assert!(bomb.len() < 4096);
    let head = format!(
        "HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    let acts = vec![Act::Send([head.as_bytes(), bomb].concat())];
    let (why, words, _) = no_answer(acts).await;
    assert_eq!(
        (why, words.as_str()),
        (NoAnswer::Broken, "the answer is longer than 1 MiB")
    );
}

#[tokio::test]
async fn silence_drips_and_hanging_bodies_end_in_a_time_out() {
    let drip = std::iter::once(Act::Send(
        b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n".to_vec(),
    ));
    let drops = [
        Act::Send(b" ".to_vec()),
        Act::Wait(Duration::from_millis(20)),
    ];
    let drip = drip.chain(drops.into_iter().cycle().take(200)).collect();
    let half = vec![
        Act::Send(b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{\"status\":".to_vec()),
        Act::Hang,
    ];
    for acts in [vec![Act::Hang], half, drip] {
        let (why, words, tries) = no_answer(acts).await;
        assert_eq!((why, tries), (NoAnswer::Later, 4), "{words}");
        assert_eq!(words, "no whole answer within 0.15 s");
    }
}

#[tokio::test]
async fn a_connection_cut_inside_an_answer_is_tried_again() {
    let acts = vec![
        Act::Send(b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{\"status\":".to_vec()),
        Act::Close,
    ];
    let (why, words, tries) = no_answer(acts).await;
    assert_eq!(
        (why, words.as_str(), tries),
        (NoAnswer::Later, "the answer was cut off", 4)
    );
}

#[tokio::test]
async fn nobody_listening_is_a_fault_that_may_pass() {
    let peer = Peer::leaf(|_| json(200, OK)).await;
    let mut config = peer.config();
    config.base_url = "http://127.0.0.1:1".into();
    let client = peer.client_with(&config, &clock());
    let halt = client.read(grower(0), Class::Status).await.unwrap_err();
    let text = halt.to_string();
    assert!(
        text.starts_with("cannot log in to Leaf: cannot connect:"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_the_server_just_closed_costs_nothing() {
    // The peer answers once a connection; what comes next on it finds it closed, at the worst possible moment.
    let peer = Peer::leaf(|asked| match asked.on_connection {
        0 => json(200, OK),
        _ => vec![Act::Close],
    })
    .await;
    let hour = Duration::from_secs(3600);
    let client = Client::new(&peer.config(), [7; 32], clock(), hour).unwrap();
    for n in 0..20 {
        let look = client.read(grower(n), Class::Status).await.unwrap();
        assert_eq!(status(&look), Some("OK"), "without waiting for a retry");
    }
    assert_eq!(client.counters().answered, 20);
    assert!(client.counters().retries >= 10);
}

#[tokio::test]
async fn a_server_that_closes_every_connection_is_asked_once_more_and_then_with_pauses() {
    let tries = AtomicUsize::new(0);
    let peer = Peer::leaf(move |_| {
        tries.fetch_add(1, SeqCst);
        vec![Act::Close]
    })
    .await;
    let client = peer.client();
    let look = client.read(grower(0), Class::Status).await.unwrap();
    assert!(matches!(look.outcome, Outcome::None(NoAnswer::Later, _)));
    assert_eq!(peer.reads().len(), 5);
}
