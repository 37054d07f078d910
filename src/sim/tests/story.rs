use std::collections::BTreeMap;
use std::time::Duration;

use super::asker::{Asker, events, reading};
use crate::clock::Clock;
use crate::sim::{Leaf, Story};

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
    let leaf = Leaf::start().await.unwrap();
    let story = Story::new(Duration::from_secs(2), Clock::system());
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
    let leaf = Leaf::start().await.unwrap();
    let story = Story::new(Duration::from_secs(2), Clock::system());
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
    let leaf = Leaf::start().await.unwrap();
    let story = Story::new(Duration::from_millis(2), Clock::system());
    story.cast(&leaf);
    let mut said = Vec::new();
    story.play(&leaf, |act| said.push(act.say)).await;
    assert_eq!(
        said,
        story.acts().iter().map(|act| act.say).collect::<Vec<_>>()
    );
}
