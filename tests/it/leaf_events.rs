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
async fn an_odd_link_loses_no_page_and_leads_to_no_other_host() {
    let elsewhere = Peer::leaf(|_| json(200, "[]")).await;
    let links = [
        String::new(),
        format!("<{}/evil?page=7&size=3>; rel=\"next\"", elsewhere.url),
        "</x?page=0&size=100>; rel=\"last\"".to_owned(),
        "<?page=0&size=100>; rel=next".to_owned(),
        "page=1; rel=next, garbage <<>>".to_owned(),
        "<https://h/x?page=1&size=100>; rel=\"prev next\"".to_owned(),
    ];
    for link in links {
        let header = match link.as_str() {
            "" => String::new(),
            link => format!("Link: {link}\r\n"),
        };
        // Three at a time, however many are asked for.
        let (ids, complete, peer) = log_of(move |asked| {
            let page = number(asked, "page");
            let from = if page < 5 { page * 3 } else { 15 };
            let to = (from + 3).min(15);
            with_headers(200, &header, &list((from..to).rev()))
        })
        .await;
        assert_eq!(ids.len(), 15, "{link}");
        assert_eq!(
            (ids[0].as_str(), ids[14].as_str()),
            ("e0", "e14"),
            "sorted by date"
        );
        assert!(complete, "{link}");
        let reads = peer.reads();
        for (page, asked) in reads.iter().take(6).enumerate() {
            let expected = format!("/john-deere-credentials/events?page={page}&size=100");
            assert!(asked.path.ends_with(&expected), "{}", asked.path);
        }
        assert!(reads.len() <= 7, "{link}: {}", reads.len());
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_link_leads_on_where_page_numbers_do_not() {
    let (ids, complete, peer) = log_of(|asked| {
        let from = number(asked, "cursor");
        let next = format!("Link: </x?cursor={}>; rel=\"next\"\r\n", from + 20);
        with_headers(
            200,
            if from < 60 { &next } else { "" },
            &list(from..from + 20),
        )
    })
    .await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (80, true, 5));
}

#[tokio::test]
async fn pages_and_totals_lead_on_until_there_is_no_more() {
    let (ids, complete, peer) = log_of(|asked| {
        let from = number(asked, "page") * 100;
        json(200, &list(from.min(230)..(from + 100).min(230)))
    })
    .await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (230, true, 4));

    // A server that gives 20 at a time whatever it is asked for, and says how many there are, or is wrong about it.
    for (total, reads) in [
        ("X-Total-Count: 50\r\n", 3),
        ("X-Total-Count: 7\r\n", 4),
        ("", 4),
    ] {
        let (ids, complete, peer) = log_of(move |asked| {
            let from = number(asked, "page") * 20;
            with_headers(200, total, &list(from.min(50)..(from + 20).min(50)))
        })
        .await;
        assert_eq!(
            (ids.len(), complete, peer.reads().len()),
            (50, true, reads),
            "{total}"
        );
    }
    let (ids, complete, peer) =
        log_of(|_| with_headers(200, "X-Total-Count: 3\r\n", &list(0..3))).await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (3, true, 1));
}

#[tokio::test]
async fn a_server_that_does_not_page_is_asked_twice() {
    for count in [30, 100, 250] {
        let (ids, complete, peer) = log_of(move |_| json(200, &list(0..count))).await;
        assert_eq!((ids.len(), complete, peer.reads().len()), (count, true, 2));
    }
    let (ids, complete, peer) = log_of(|_| json(200, "[]")).await;
    assert_eq!((ids.len(), complete, peer.reads().len()), (0, true, 1));
}

#[tokio::test]
async fn new_events_without_end_are_left_after_two_thousand() {
    for (size, events, reads) in [
        (100, 2_000, 20),
        (20, 2_000, 100),
        (1, 100, 100),
        (2_500, 2_000, 1),
    ] {
        let (ids, complete, peer) = log_of(move |asked| {
            let from = number(asked, "page") * size;
            json(200, &list(from..from + size))
        })
        .await;
        assert_eq!(
            (ids.len(), complete, peer.reads().len()),
            (events, false, reads),
            "{size} a page"
        );
    }
}

/// What a provider sent reaches nobody but as evidence, whatever the size of the page.
#[tokio::test]
async fn a_page_of_huge_bodies_keeps_other_tasks_running() {
    let body = "a/".repeat(32 * 1024);
    let entries: Vec<_> = (0..100)
        .map(|n| format!(r#"{{"id":"e{n}","statusCode":400,"body":"{body}","headers":"{body}"}}"#))
        .collect();
    let page = format!("[{}]", entries[..60].join(","));
    let peer = Peer::leaf(move |_| json(200, &page)).await;
    let client = peer.client();
    let read = tokio::spawn(async move { client.events(grower(0), Class::Events).await });
    let mut turns = 0_u64;
    while !read.is_finished() {
        // This thread is the only one that tasks have: it would not come by while bodies were looked at on it.
        tokio::task::yield_now().await;
        turns += 1;
    }
    let log = read.await.unwrap().unwrap();
    assert_eq!(log.events.len(), 60);
    assert!(turns > 1_000, "{turns}");
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
