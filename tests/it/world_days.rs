//! Days that nobody wants which have no better place: many at once, and many that are slow.

use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::model::SweepEnd;

use crate::support::faulty_leaf::{Fault, Scope, When};
use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: Duration = MINUTE.saturating_mul(16);

fn thousand() -> Setup {
    let names: Vec<String> = (0..1000).map(|n| format!("Farm {n}")).collect();
    Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_thousand_credentials_that_take_200_ms_each() {
    const IN_FLIGHT: usize = 50;
    const SLOW: Duration = Duration::from_millis(200);
    let mut setup = thousand();
    setup.max_in_flight = IN_FLIGHT;
    let mut world = World::with(setup).await;
    world
        .leaf
        .fault(Scope::AllButLogin, Fault::Slow(SLOW), When::always());
    world.leaf.forget_requests();
    world.revokes_access("Farm 500");
    let watch = Clock::system();
    let ended = world.sweep().await;
    let took = watch.monotonic();
    let least = SLOW * (1000 / IN_FLIGHT) as u32;
    println!(
        "1,000 credentials at 200 ms, {IN_FLIGHT} at a time: {took:.1?}; at least {least:.1?}"
    );
    assert_eq!(ended.end, SweepEnd::Whole);
    assert!(!ended.blind);
    assert_eq!(
        world.leaf.requests().max_in_flight,
        IN_FLIGHT,
        "the limit holds and is used"
    );
    world.time_passes(2 * MINUTE).await;
    world.one_mail_says("INVALID: Farm 500");
}

#[tokio::test]
async fn a_thousand_failures_at_once_are_one_mail_and_one_when_they_are_over() {
    let mut setup = thousand();
    for nth in 0..3 {
        setup.growers[nth].notify = vec!["anna@example.com".into()];
    }
    let mut world = World::with(setup).await;
    world.leaf.revoke_all();
    world.time_passes(SWEEP).await;
    let first = world.one_mail_says("1,000 credentials need attention: 1,000 invalid");
    assert_eq!(
        first.readers(),
        ["support@example.com"],
        "in doubt, the growers' own people are spared"
    );
    world.time_passes(SWEEP).await;
    let own = world.one_mail_says("3 credentials need attention: 3 invalid");
    assert_eq!(own.readers(), ["anna@example.com"]);
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    world.leaf.set_status_of_all("OK");
    world.time_passes(SWEEP).await;
    let ends = world.mails();
    assert_eq!(ends.len(), 2, "{ends:#?}");
    assert!(
        ends.iter()
            .any(|mail| mail.says("RESOLVED: 1,000 credentials")),
        "{ends:#?}"
    );
    let handed_over = world.smtp.accepted();
    let bytes: Vec<usize> = handed_over.iter().map(|mail| mail.bytes.len()).collect();
    println!(
        "1,000 failures at once, and their end: {} mails to 2 addresses, {} bytes in all, the largest {}",
        handed_over.len(),
        bytes.iter().sum::<usize>(),
        bytes.iter().max().unwrap()
    );
    assert_eq!(handed_over.len(), 4);
    assert!(bytes.iter().all(|bytes| *bytes <= 90_000), "{bytes:?}");
}

/// The table in README.md names tests that there are.
#[test]
fn every_day_that_nobody_wants_has_its_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, section) = readme.split_once("## The days nobody wants").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("::"))
        .collect();
    assert!(rows.len() >= 13, "{rows:#?}");
    for named in rows.iter().flat_map(|row| row.split('`')) {
        let Some((module, test)) = named.split_once("::") else {
            continue;
        };
        let file = root.join("tests/it").join(module).with_extension("rs");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            text.contains(&format!("fn {test}(")),
            "there is no test {named}"
        );
    }
}
