use std::time::Duration;

use jiff::SignedDuration;
use reqwest::header::DATE;
use serde_json::Value;

use super::asker::{Asker, events, john_deere, one_grower, reading};
use crate::clock::Clock;
use crate::sim::{Consent, DateHeader, Leaf, RawAnswer, RequestKind, nth_user};

#[tokio::test]
async fn a_credential_answers_with_its_secrets_as_the_real_one_does() {
    let (leaf, asker, hillside) = one_grower().await;
    let text = asker.get(&reading(hillside)).await.text().await.unwrap();
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seen["status"], "OK");
    assert_eq!(seen["clientEnvironment"], "PRODUCTION");
    for secret in ["clientSecret", "accessToken", "refreshToken"] {
        assert!(seen[secret].as_str().unwrap().starts_with("SECRET-"));
        assert!(
            leaf.secrets()
                .contains(&seen[secret].as_str().unwrap().to_owned())
        );
    }
    assert!(leaf.secrets().contains(&asker.token));
    assert_eq!(text, leaf.right_answer(hillside));
}

#[tokio::test]
async fn without_a_good_token_everything_is_401_and_what_is_not_there_is_404() {
    let (leaf, mut asker, hillside) = one_grower().await;
    assert_eq!(asker.status(&reading(john_deere(7))).await, 404);
    assert_eq!(asker.status(&events(john_deere(7))).await, 404);
    assert_eq!(asker.status(&format!("/{}", nth_user(7))).await, 404);
    assert_eq!(asker.status("/nonsense").await, 404);
    let problem = asker.get(&reading(john_deere(7))).await;
    assert_eq!(
        problem.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(problem.json::<Value>().await.unwrap()["status"], 404);

    leaf.expire_tokens();
    for path in [
        reading(hillside),
        events(hillside),
        String::new(),
        "/nonsense".into(),
    ] {
        assert_eq!(asker.status(&path).await, 401, "{path}");
    }
    asker.token = asker.log_in(&leaf).await.unwrap();
    assert_eq!(asker.status(&reading(hillside)).await, 200);
    leaf.accept_token("configured");
    asker.token = "configured".into();
    assert_eq!(asker.status(&reading(hillside)).await, 200);
}

#[tokio::test]
async fn other_verbs_are_refused_and_counted() {
    let (leaf, asker, hillside) = one_grower().await;
    let url = asker
        .request(&reading(hillside))
        .build()
        .unwrap()
        .url()
        .clone();
    let delete = asker
        .http
        .delete(url)
        .bearer_auth(&asker.token)
        .send()
        .await
        .unwrap();
    assert_eq!(delete.status(), 405);
    assert_eq!(delete.headers()["allow"], "GET");
    let login = asker
        .http
        .get(format!("{}/api/authenticate", leaf.base_url()));
    assert_eq!(login.send().await.unwrap().status(), 405);
    assert_eq!(leaf.requests().other_verbs, 1);
    assert_eq!(leaf.requests().answered(405), 2);
}

#[tokio::test]
async fn events_tell_earlier_than_the_status_by_the_lag() {
    let clock = Clock::movable("2026-03-01T00:00:00Z".parse().unwrap());
    let leaf = Leaf::start_on(([127, 0, 0, 1], 0).into(), clock.clone())
        .await
        .unwrap();
    let asker = Asker::logged_in(&leaf).await;
    leaf.connect(john_deere(0), Consent::default());
    leaf.connect(john_deere(1), Consent::default());
    leaf.set_lag(Duration::from_secs(3600));
    leaf.revoke(john_deere(0));
    assert_eq!(asker.json(&reading(john_deere(0))).await["status"], "OK");
    assert_eq!(
        asker.json(&events(john_deere(0))).await[0]["statusCode"],
        400
    );
    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        asker.json(&reading(john_deere(0))).await["status"],
        "UNAUTHENTICATED"
    );
    assert_eq!(asker.json(&reading(john_deere(1))).await["status"], "OK");

    let before = asker.json(&reading(john_deere(0))).await;
    leaf.reconnect(john_deere(0), None);
    let after = asker.json(&reading(john_deere(0))).await;
    assert_eq!(after["status"], "OK");
    for field in ["id", "createdTime", "refreshToken"] {
        assert_ne!(before[field], after[field], "{field}");
    }
    assert_eq!(before["clientKey"], after["clientKey"]);
    assert_eq!(
        asker
            .json(&events(john_deere(0)))
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_rotated_secret_breaks_every_grower_on_that_key_and_no_other() {
    let leaf = Leaf::start().await.unwrap();
    for (nth, key) in [(0, "key-a"), (1, "key-b"), (2, "key-a")] {
        leaf.connect(john_deere(nth), Consent::to_app(key));
    }
    let asker = Asker::logged_in(&leaf).await;
    leaf.rotate_app_secret("key-a");
    let mut words = Vec::new();
    for nth in 0..3 {
        words.push(asker.json(&reading(john_deere(nth))).await["status"].clone());
    }
    assert_eq!(words, ["UNAUTHENTICATED", "OK", "UNAUTHENTICATED"]);
    let event = &asker.json(&events(john_deere(2))).await[0];
    assert!(event["body"].as_str().unwrap().contains("invalid_client"));
    leaf.revoke_all();
    assert_eq!(
        asker.json(&reading(john_deere(1))).await["status"],
        "UNAUTHENTICATED"
    );
    leaf.set_status_of_all("OK");
    assert_eq!(asker.json(&reading(john_deere(1))).await["status"], "OK");
}

#[tokio::test]
async fn words_and_whole_answers_can_be_as_odd_as_wanted() {
    let (leaf, asker, hillside) = one_grower().await;
    leaf.set_status(hillside, None);
    leaf.set_environment(hillside, Some(" stage\u{202e} "));
    let seen = asker.json(&reading(hillside)).await;
    assert!(seen.get("status").is_none());
    assert_eq!(seen["clientEnvironment"], " stage\u{202e} ");
    leaf.set_raw_answer(
        hillside,
        Some(RawAnswer::new(418, "text/plain", "tea").with("X-Odd", "1")),
    );
    let odd = asker.get(&reading(hillside)).await;
    assert_eq!(
        (odd.status().as_u16(), &odd.headers()["x-odd"]),
        (418, &"1".parse().unwrap())
    );
    assert_eq!(odd.text().await.unwrap(), "tea");
    leaf.set_raw_answer(hillside, None);
    assert_eq!(asker.status(&reading(hillside)).await, 200);
}

#[tokio::test]
async fn the_date_header_follows_leafs_clock_or_what_it_is_set_to() {
    let clock = Clock::movable("2026-03-01T10:20:30Z".parse().unwrap());
    let leaf = Leaf::start_on(([127, 0, 0, 1], 0).into(), clock)
        .await
        .unwrap();
    let asker = Asker::logged_in(&leaf).await;
    let date = async || {
        asker.get("").await.headers()[DATE]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(date().await, "Sun, 01 Mar 2026 10:20:30 GMT");
    leaf.set_date(DateHeader::Off(SignedDuration::from_hours(-2)));
    assert_eq!(date().await, "Sun, 01 Mar 2026 08:20:30 GMT");
    leaf.set_date(DateHeader::Text("soon".into()));
    assert_eq!(date().await, "soon");
}

#[tokio::test]
async fn logins_can_be_opaque_and_wrong() {
    let leaf = Leaf::start().await.unwrap();
    leaf.change_login(|rules| rules.opaque = true);
    let asker = Asker::logged_in(&leaf).await;
    assert_eq!(asker.token, "SECRET-token-1");
    assert_eq!(asker.status("").await, 200);
    let body = serde_json::json!({"username": "ops@example.com", "password": "wrong"});
    let login = asker
        .http
        .post(format!("{}/api/authenticate", leaf.base_url()));
    assert_eq!(login.json(&body).send().await.unwrap().status(), 401);
    let requests = leaf.requests();
    assert_eq!(requests.of(RequestKind::Login), 2);
    assert_eq!((requests.answered(401), requests.answered(200)), (1, 2));
}

#[tokio::test]
async fn what_was_asked_is_counted_until_it_is_forgotten() {
    let (leaf, asker, hillside) = one_grower().await;
    for _ in 0..3 {
        asker.get(&reading(hillside)).await;
    }
    asker.get(&events(hillside)).await;
    asker.get(&reading(john_deere(9))).await;
    let requests = leaf.requests();
    assert_eq!(
        (
            requests.asked(hillside).readings,
            requests.asked(hillside).events
        ),
        (3, 1)
    );
    assert_eq!(requests.asked(john_deere(9)).readings, 1);
    assert_eq!(
        (requests.total, requests.connections, requests.max_in_flight),
        (6, 1, 1)
    );
    assert_eq!((requests.starts.len(), requests.in_flight), (6, 0));
    leaf.forget_requests();
    assert_eq!(leaf.requests().total, 0);
}

#[tokio::test]
async fn it_speaks_http_2_to_those_who_know_beforehand() {
    let leaf = Leaf::start().await.unwrap();
    let asker = Asker::logged_in(&leaf).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = asker.request("").build().unwrap().url().clone();
    let answer = http
        .get(url)
        .bearer_auth(&asker.token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.version(), answer.status().as_u16()),
        (reqwest::Version::HTTP_2, 200)
    );
}
