//! Reading events and users page by page; over real sockets.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::collections::HashMap;

use leafwatch::leaf::{Class, Client, Fault};
use leafwatch::model::NoAnswer;

use crate::support::leaf::{Act, Asked, Peer, grower, json, with_headers};

fn event(n: usize) -> String {
    let (minute, second) = (n / 60, n % 60);
    format!(
        r#"{{"id":"e{n}","statusCode":400,"createdDate":"2026-03-01T12:{minute:02}:{second:02}.000001Z","body":"{{}}"}}"#
    )
}

fn list(events: impl Iterator<Item = usize>) -> String {
    let events: Vec<_> = events.map(event).collect();
    format!("[{}]", events.join(","))
}

fn query(asked: &Asked) -> HashMap<String, String> {
    let query = asked.path.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn number(asked: &Asked, name: &str) -> usize {
    query(asked)
        .get(name)
        .map_or(0, |value| value.parse().unwrap())
}

async fn log_of(
    play: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
) -> (Vec<String>, bool, Peer) {
    let peer = Peer::leaf(play).await;
    let log = peer
        .client()
        .events(grower(0), Class::Events)
        .await
        .unwrap();
    let ids = log
        .events
        .iter()
        .map(|event| String::from_utf8(event.identity.clone()).unwrap());
    (ids.collect(), log.complete, peer)
}

#[tokio::test]
async fn links_are_followed_by_their_query_and_never_to_another_host() {
    let elsewhere = Peer::leaf(|_| json(200, "[]")).await;
    let url = elsewhere.url.clone();
    let (ids, complete, peer) = log_of(move |asked| {
        let page = number(asked, "page");
        let events = list((page * 3..page * 3 + 3).rev());
        let next = format!(
            "Link: <{url}/evil?page={}&size=3>; rel=\"next\"\r\n",
            page + 1
        );
        with_headers(200, if page < 4 { &next } else { "" }, &events)
    })
    .await;
    assert_eq!(ids.len(), 15);
    assert_eq!(
        (ids[0].as_str(), ids[14].as_str()),
        ("e0", "e14"),
        "sorted by date"
    );
    assert!(complete);
    assert!(elsewhere.asked().is_empty());
    let reads = peer.reads();
    assert_eq!(reads.len(), 5);
    assert!(
        reads[0]
            .path
            .ends_with("/john-deere-credentials/events?page=0&size=100")
    );
    assert!(
        reads[4]
            .path
            .ends_with("/john-deere-credentials/events?page=4&size=3")
    );
}

#[tokio::test]
async fn without_links_full_pages_and_totals_lead_on() {
    let (ids, complete, peer) = log_of(|asked| {
        let from = number(asked, "page") * 100;
        json(200, &list(from..(from + 100).min(230)))
    })
    .await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (230, true, 3));

    // A server that gives 20 at a time whatever it is asked for, and says how many there are.
    let (ids, complete, peer) = log_of(|asked| {
        let from = number(asked, "page") * 20;
        with_headers(
            200,
            "X-Total-Count: 50\r\n",
            &list(from..(from + 20).min(50)),
        )
    })
    .await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (50, true, 3));
}

#[tokio::test]
async fn a_server_that_does_not_page_is_asked_once_or_twice() {
    let (ids, complete, peer) = log_of(|_| json(200, &list(0..30))).await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (30, true, 1));
    let (ids, complete, peer) = log_of(|_| json(200, &list(0..100))).await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (100, true, 2));
    let (ids, complete, peer) = log_of(|_| json(200, &list(0..250))).await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (250, true, 1));
}

#[tokio::test]
async fn an_endless_log_is_left_after_some_pages() {
    let (ids, complete, peer) = log_of(|asked| {
        let page = number(asked, "page");
        let next = format!("Link: </x?page={}>; rel=\"next\"\r\n", page + 1);
        with_headers(200, &next, &list(page..page + 1))
    })
    .await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (20, false, 20));
    // One that links to itself is left at once.
    let (ids, complete, peer) =
        log_of(|_| with_headers(200, "Link: <?page=0>; rel=next\r\n", &list(0..1))).await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (1, true, 2));
}

#[tokio::test]
async fn a_404_says_that_there_is_no_credential() {
    let peer = Peer::leaf(|_| json(404, "")).await;
    let log = peer
        .client()
        .events(grower(0), Class::Urgent)
        .await
        .unwrap();
    assert!(!log.credential_found && log.events.is_empty() && log.complete);
}

#[tokio::test]
async fn a_page_without_an_answer_costs_the_whole_read() {
    let peer = Peer::leaf(|asked| match number(asked, "page") {
        0 => json(200, &list(0..100)),
        _ => json(500, ""),
    })
    .await;
    let fault = peer
        .client()
        .events(grower(0), Class::Events)
        .await
        .unwrap_err();
    assert_eq!(fault, Fault::NoAnswer(NoAnswer::Later, "HTTP 500".into()));
}

#[tokio::test]
async fn events_may_be_eight_mebibytes_and_no_more() {
    let of_size = |size: usize| format!(r#"[{{"id":"a","body":"{}"}}]"#, "x y ".repeat(size / 4));
    let fits = of_size(8 * 1024 * 1024 - 100);
    let (ids, ..) = log_of(move |_| json(200, &fits)).await;
    assert_eq!(ids, ["a"]);

    let over = of_size(8 * 1024 * 1024);
    let peer = Peer::leaf(move |_| json(200, &over)).await;
    let fault = peer
        .client()
        .events(grower(0), Class::Events)
        .await
        .unwrap_err();
    let words = "the answer is longer than 8 MiB".to_owned();
    assert_eq!(fault, Fault::NoAnswer(NoAnswer::Broken, words));
}

#[tokio::test]
async fn one_user_is_read_by_its_id() {
    let peer = Peer::leaf(|asked| {
        if asked.path.ends_with("000000000001") {
            json(
                200,
                r#"{"id":"odd","name":"Hillside Farms","johnDeereCredentials":{"id":"x"}}"#,
            )
        } else if asked.path.ends_with("000000000002") {
            json(200, "null")
        } else {
            json(404, "")
        }
    })
    .await;
    let client = peer.client();
    let user = |n| {
        let client: Client = client.clone();
        async move { client.user(grower(n).user).await.unwrap() }
    };
    let hillside = user(1).await.unwrap();
    assert_eq!(hillside.id, grower(1).user);
    assert_eq!(hillside.name.as_deref(), Some("Hillside Farms"));
    assert_eq!(user(2).await, None);
    assert_eq!(user(3).await, None);
}

#[tokio::test]
async fn users_are_read_page_by_page() {
    let peer = Peer::leaf(|asked| {
        assert_eq!(query(asked)["sort"], "id,asc");
        assert_eq!(number(asked, "size"), Client::USERS_A_PAGE);
        match number(asked, "page") {
            0 => json(
                200,
                &format!(r#"[{{"id":"{}"}},null,{{"id":5}}]"#, grower(0).user),
            ),
            1 => json(200, ""),
            _ => json(200, r#"{"error":"x"}"#),
        }
    })
    .await;
    let client = peer.client();
    assert_eq!(client.users_page(0).await.unwrap().len(), 1);
    assert!(client.users_page(1).await.unwrap().is_empty());
    let fault = client.users_page(2).await.unwrap_err();
    assert!(matches!(fault, Fault::NoAnswer(NoAnswer::Broken, _)));
}
