use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::LINK;
use serde_json::Value;

use super::asker::{Asker, events, john_deere, one_grower};
use crate::clock::Clock;
use crate::model::Provider;
use crate::sim::{Consent, Embedding, Leaf, Links, LogEntry, nth_user};

#[tokio::test]
async fn users_come_in_pages_that_together_hold_each_once() {
    let leaf = Leaf::start().await.unwrap();
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
    let named = asker.json("?name=Grower%207").await;
    assert_eq!(named[0]["id"], nth_user(7).to_string());
    leaf.remove_user(nth_user(7));
    assert_eq!(asker.json("?name=Grower%207").await, Value::Array(vec![]));

    leaf.change_lists(|lists| (lists.links, lists.total_count) = (Links::Absent, false));
    let bare = asker.get("?size=20").await;
    assert!(!bare.headers().contains_key(LINK) && !bare.headers().contains_key("x-total-count"));
    leaf.change_lists(|lists| lists.paged = false);
    assert_eq!(asker.json("?size=20").await.as_array().unwrap().len(), 44);
}

#[tokio::test]
async fn a_user_object_tells_of_its_credentials_what_it_is_set_to() {
    let (leaf, asker, hillside) = one_grower().await;
    let path = format!("/{}", hillside.user);
    let expected = |embedding| match embedding {
        Embedding::Empty => Some(serde_json::json!({})),
        Embedding::Null => Some(Value::Null),
        Embedding::Absent => None,
        Embedding::Full => Some(serde_json::from_str(&leaf.right_answer(hillside)).unwrap()),
    };
    for embedding in [
        Embedding::Empty,
        Embedding::Null,
        Embedding::Absent,
        Embedding::Full,
    ] {
        leaf.set_embedding(embedding);
        let user = asker.json(&path).await;
        assert_eq!(user["name"], "Hillside Farms");
        let told = user.get("johnDeereCredentials").cloned();
        assert_eq!(told, expected(embedding), "{embedding:?}");
    }
}

#[tokio::test]
async fn events_page_in_the_order_set_and_are_kept_thirty_days() {
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let clock = Clock::movable(start);
    let leaf = Leaf::start_on(([127, 0, 0, 1], 0).into(), clock.clone())
        .await
        .unwrap();
    let asker = Asker::logged_in(&leaf).await;
    leaf.connect(john_deere(0), Consent::default());
    for hour in [1, 0, 2] {
        let at = start + SignedDuration::from_hours(hour);
        leaf.push_event(john_deere(0), LogEntry::success().at(at));
    }
    leaf.push_event(john_deere(0), LogEntry::raw("\"odd\"").at(start));
    let dates = |list: Value| -> Vec<String> {
        let list = list.as_array().unwrap().clone();
        list.iter()
            .filter_map(|entry| Some(entry["createdDate"].as_str()?[11..16].to_owned()))
            .collect()
    };
    let path = events(john_deere(0));
    assert_eq!(dates(asker.json(&path).await), ["02:00", "01:00", "00:00"]);
    leaf.change_lists(|lists| (lists.newest_first, lists.links) = (false, Links::Absolute));
    assert_eq!(dates(asker.json(&path).await), ["00:00", "01:00", "02:00"]);

    let first = asker.get(&format!("{path}?size=3")).await;
    let link = first.headers()[LINK].to_str().unwrap().to_owned();
    let next = link.split(',').find(|part| part.contains("next")).unwrap();
    let next = next.trim_start_matches('<').split('>').next().unwrap();
    let rest = asker
        .http
        .get(next)
        .bearer_auth(&asker.token)
        .send()
        .await
        .unwrap();
    assert_eq!(dates(rest.json().await.unwrap()), ["02:00"]);

    // The token of the first login is as old as the events.
    clock.advance(Duration::from_secs(30 * 86_400 + 5400));
    let asker = Asker::logged_in(&leaf).await;
    assert_eq!(dates(asker.json(&path).await), ["02:00"]);
    leaf.disconnect(john_deere(0));
    leaf.connect(john_deere(0), Consent::default());
    assert_eq!(dates(asker.json(&path).await).len(), 0);
}
