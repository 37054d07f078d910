//! The simulated Leaf over real HTTP: what its heads say is what it does; and its story.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leafwatch::clock::Clock;
use leafwatch::model::{Credential, Provider};
use leafwatch::sim::{
    Consent, PASSWORD, ProviderAnswer, SECRET_MARK, SimulatedLeaf, Story, USERNAME, nth_user,
};
use reqwest::header::{DATE, LINK};
use serde_json::{Value, json};

use crate::support::asker::{Asker, events, john_deere, one_grower, reading};
use crate::support::faulty_leaf::{Fault, FaultyLeaf, Scope, When};

#[tokio::test]
async fn a_credential_answers_with_its_secrets_as_the_real_one_does() {
    let (leaf, asker, hillside) = one_grower().await;
    let seen = asker.json(&reading(hillside)).await;
    assert_eq!(seen["status"], "OK");
    assert_eq!(seen["clientEnvironment"], "PRODUCTION");
    for secret in ["clientSecret", "accessToken", "refreshToken"] {
        assert!(seen[secret].as_str().unwrap().starts_with(SECRET_MARK));
    }
    assert!(asker.token.contains(SECRET_MARK) && PASSWORD.contains(SECRET_MARK));
    let key = seen["clientKey"].as_str().unwrap().to_owned();
    assert_eq!(leaf.client_keys(), [key]);
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

    let good = std::mem::replace(&mut asker.token, "of another Leaf".to_owned());
    for path in [
        reading(hillside),
        events(hillside),
        String::new(),
        "/nonsense".into(),
    ] {
        assert_eq!(asker.status(&path).await, 401, "{path}");
    }
    asker.token = good;
    assert_eq!(asker.status(&reading(hillside)).await, 200);
    let body = json!({"username": USERNAME, "password": "wrong"});
    let login = asker
        .http
        .post(format!("{}/api/authenticate", leaf.base_url()));
    assert_eq!(login.json(&body).send().await.unwrap().status(), 401);
    assert_eq!(leaf.requests().logins, 2);
}

#[tokio::test]
async fn other_verbs_are_refused() {
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
}

#[tokio::test]
async fn who_connects_again_has_a_new_credential_and_the_old_log() {
    let (leaf, asker, hillside) = one_grower().await;
    leaf.connect(john_deere(1), Consent::default());
    leaf.revoke(hillside);
    let before = asker.json(&reading(hillside)).await;
    assert_eq!(before["status"], "UNAUTHENTICATED");
    assert_eq!(asker.json(&events(hillside)).await[0]["statusCode"], 400);
    assert_eq!(asker.json(&reading(john_deere(1))).await["status"], "OK");
    // Created times are cut to milliseconds.
    tokio::time::sleep(Duration::from_millis(2)).await;
    leaf.reconnect(hillside, None);
    let after = asker.json(&reading(hillside)).await;
    assert_eq!(after["status"], "OK");
    for field in ["id", "createdTime", "refreshToken"] {
        assert_ne!(before[field], after[field], "{field}");
    }
    assert_eq!(before["clientKey"], after["clientKey"]);
    let log = asker.json(&events(hillside)).await;
    assert_eq!(log.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_rotated_secret_breaks_every_grower_on_that_key_and_no_other() {
    let leaf = FaultyLeaf::start(Clock::system()).await;
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
async fn words_can_be_as_odd_as_wanted() {
    let (leaf, asker, hillside) = one_grower().await;
    leaf.set_status(hillside, None);
    leaf.set_environment(hillside, Some(" stage\u{202e} "));
    let seen = asker.json(&reading(hillside)).await;
    assert!(seen.get("status").is_none());
    assert_eq!(seen["clientEnvironment"], " stage\u{202e} ");
}

#[tokio::test]
async fn only_who_has_environments_tells_of_one() {
    let (leaf, asker, hillside) = one_grower().await;
    for provider in Provider::all() {
        let credential = Credential {
            provider,
            ..hillside
        };
        leaf.connect(credential, Consent::to_app("key \"quoted\""));
        let seen = asker.json(&reading(credential)).await;
        assert_eq!(seen["status"], "OK", "{provider}");
        let told = seen.get("clientEnvironment").is_some();
        assert_eq!(told, provider.has_environment(), "{provider}");
    }
}

#[tokio::test]
async fn the_date_header_follows_leafs_clock() {
    let clock = Clock::movable("2026-03-01T10:20:30Z".parse().unwrap());
    let leaf = FaultyLeaf::start(clock).await;
    let asker = Asker::logged_in(&leaf).await;
    let date = async || {
        asker.get("").await.headers()[DATE]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(date().await, "Sun, 01 Mar 2026 10:20:30 GMT");
    leaf.runs_ahead(SignedDuration::from_hours(-2));
    assert_eq!(date().await, "Sun, 01 Mar 2026 08:20:30 GMT");
    leaf.fault(Scope::All, Fault::Status(503), When::next(1));
    assert_eq!(date().await, "Sun, 01 Mar 2026 08:20:30 GMT");
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
    assert_eq!((requests.readings, requests.events), (4, 1));
    assert_eq!((requests.total, requests.max_in_flight), (6, 1));
    assert_eq!(requests.in_flight, 0);
    leaf.forget_requests();
    assert_eq!(leaf.requests().total, 0);
}

#[tokio::test]
async fn users_come_in_pages_that_together_hold_each_once() {
    let leaf = SimulatedLeaf::start().await.unwrap();
    leaf.fill(45, Provider::JOHN_DEERE);
    let asker = Asker::logged_in(&leaf).await;
    let mut seen = Vec::new();
    for page in 0..4 {
        let answer = asker
            .get(&format!("?page={page}&size=20&sort=id,asc"))
            .await;
        assert_eq!(answer.headers()["x-total-count"], "45");
        let link = answer.headers()[LINK].to_str().unwrap().to_owned();
        assert_eq!(link.contains("rel=\"next\""), page < 2, "{link}");
        let users: Vec<Value> = answer.json().await.unwrap();
        seen.extend(
            users
                .iter()
                .map(|user| user["id"].as_str().unwrap().to_owned()),
        );
    }
    let expected: Vec<String> = (0..45).map(|nth| nth_user(nth).to_string()).collect();
    assert_eq!(seen, expected);

    assert_eq!(asker.json("?size=1000").await.as_array().unwrap().len(), 45);
    assert_eq!(asker.json("").await.as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_user_object_has_an_empty_one_for_each_credential() {
    let (_leaf, asker, hillside) = one_grower().await;
    let user = asker.json(&format!("/{}", hillside.user)).await;
    assert_eq!(user["name"], "Hillside Farms");
    assert_eq!(user["johnDeereCredentials"], json!({}));
    assert!(user.get("climateFieldViewCredentials").is_none(), "{user}");
}

#[tokio::test]
async fn events_come_newest_first_and_are_kept_thirty_days() {
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let clock = Clock::movable(start);
    let leaf = FaultyLeaf::start(clock.clone()).await;
    let asker = Asker::logged_in(&leaf).await;
    leaf.connect(john_deere(0), Consent::default());
    for hour in [1, 0, 2] {
        let at = start + SignedDuration::from_hours(hour);
        leaf.push_event(john_deere(0), ProviderAnswer::success().at(at));
    }
    let dates = |list: Value| -> Vec<String> {
        let list = list.as_array().unwrap().clone();
        let dates = list.iter().map(|entry| entry["createdDate"].as_str());
        dates.map(|date| date.unwrap()[11..16].to_owned()).collect()
    };
    let path = events(john_deere(0));
    assert_eq!(dates(asker.json(&path).await), ["02:00", "01:00", "00:00"]);

    let first = asker.get(&format!("{path}?size=2")).await;
    let link = first.headers()[LINK].to_str().unwrap().to_owned();
    let next = link.split(',').find(|part| part.contains("next")).unwrap();
    let (_, next) = next.split_once("/users").unwrap();
    let (next, _) = next.split_once('>').unwrap();
    assert_eq!(dates(asker.json(next).await), ["00:00"]);

    // The token of the first login is as old as the events.
    clock.advance(Duration::from_secs(30 * 86_400 + 5400));
    assert_eq!(asker.status(&path).await, 401);
    let asker = Asker::logged_in(&leaf).await;
    assert_eq!(dates(asker.json(&path).await), ["02:00"]);
    leaf.disconnect(john_deere(0));
    leaf.connect(john_deere(0), Consent::default());
    assert_eq!(dates(asker.json(&path).await).len(), 0);
}

/// How many growers show which (status, environment).
async fn words(story: &Story, asker: &Asker) -> BTreeMap<(String, String), usize> {
    let mut words = BTreeMap::new();
    for grower in story.growers() {
        let seen = asker.json(&reading(grower.credential)).await;
        let word = |field: &str| seen[field].as_str().unwrap().to_owned();
        *words
            .entry((word("status"), word("clientEnvironment")))
            .or_default() += 1;
    }
    words
}

fn told(list: &[(&str, &str, usize)]) -> BTreeMap<(String, String), usize> {
    list.iter()
        .map(|&(status, environment, count)| ((status.to_owned(), environment.to_owned()), count))
        .collect()
}

#[tokio::test]
async fn the_story_breaks_and_mends_what_it_says() {
    let leaf = SimulatedLeaf::start().await.unwrap();
    let story = Story::new(Duration::from_secs(2));
    story.cast(&leaf);
    let asker = Asker::logged_in(&leaf).await;
    let acts = story.acts();
    assert!(acts.is_sorted_by_key(|act| act.at));
    assert!(acts.last().unwrap().at < story.length());
    let (ok, bad) = (("OK", "PRODUCTION"), ("UNAUTHENTICATED", "PRODUCTION"));
    let well = told(&[(ok.0, ok.1, 12)]);
    let stage_and_invalid = told(&[(ok.0, ok.1, 10), (bad.0, bad.1, 1), ("OK", "STAGE", 1)]);
    let broken = told(&[(ok.0, ok.1, 5), (bad.0, bad.1, 6), ("OK", "STAGE", 1)]);
    let expected = [
        Some(well.clone()),
        Some(well.clone()),
        Some(told(&[(ok.0, ok.1, 11), (bad.0, bad.1, 1)])),
        Some(stage_and_invalid),
        Some(broken.clone()),
        None,
        Some(broken),
        Some(well),
    ];
    assert_eq!(acts.len(), expected.len());
    for (act, expected) in acts.iter().zip(expected) {
        story.run(act, &leaf);
        match expected {
            Some(expected) => assert_eq!(words(&story, &asker).await, expected, "{}", act.say),
            None => assert!(asker.request("").send().await.is_err(), "{}", act.say),
        }
    }
}

#[tokio::test]
async fn the_early_warning_stands_in_the_two_newest_events() {
    let leaf = SimulatedLeaf::start().await.unwrap();
    let story = Story::new(Duration::from_secs(2));
    story.cast(&leaf);
    let asker = Asker::logged_in(&leaf).await;
    let hillside = story
        .growers()
        .iter()
        .find(|grower| grower.name == "Hillside Farms")
        .unwrap();
    for act in &story.acts()[..2] {
        story.run(act, &leaf);
    }
    let log = asker.json(&events(hillside.credential)).await;
    let grants = |nth: usize| log[nth]["body"].as_str().unwrap().contains("invalid_grant");
    assert!(grants(0) && grants(1) && !grants(2));
    let created = asker.json(&reading(hillside.credential)).await["createdTime"].clone();
    assert!(
        created.as_str() < log[4]["createdDate"].as_str(),
        "connected before its first event"
    );
}

#[tokio::test]
async fn the_driver_plays_every_act_in_order_and_ends() {
    let leaf = SimulatedLeaf::start().await.unwrap();
    let story = Story::new(Duration::from_millis(2));
    story.cast(&leaf);
    let mut said = Vec::new();
    story.play(&leaf, |act| said.push(act.say)).await;
    assert_eq!(
        said,
        story.acts().iter().map(|act| act.say).collect::<Vec<_>>()
    );
}
