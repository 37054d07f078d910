//! The annotated sample, and what tests of single sections would repeat.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Alerts, StatusWords, Thresholds};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/leafwatch.toml")
}

/// The keys that stand in the sample, set or commented out, as the reader names them.
fn keys_in(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut section = String::new();
    for line in text.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            keys.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.insert(match section.as_str() {
                "" => key.to_owned(),
                section => format!("{section}.{key}"),
            });
        }
    }
    keys
}

#[test]
fn the_sample_shows_every_key() {
    let reader = Reader::new(Source::read(&sample(), &Variables::default()).unwrap());
    assert!(read(&reader).is_some());
    let shown = keys_in(&std::fs::read_to_string(sample()).unwrap());
    let known = reader.known();
    let missing: Vec<&String> = known
        .iter()
        .filter(|key| !key.ends_with(".*") && !shown.contains(*key))
        .collect();
    assert!(missing.is_empty(), "not in the sample: {missing:?}");
    let unheard: Vec<&String> = shown.iter().filter(|key| !known.contains(*key)).collect();
    assert!(
        unheard.is_empty(),
        "in the sample but not known: {unheard:?}"
    );
}

#[test]
fn the_sample_shows_the_defaults() {
    let sample = load(&sample(), &Variables::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("least.toml");
    let least = "[leaf]\ntoken_file = \"t\"\n[alerts]\nto = [\"a@example.com\"]\n\
                 [email]\nfrom = \"a@example.com\"\nsmtp.host = \"mail\"\n\
                 [[watch.users]]\nid = \"3c9d2f1e-1111-4222-8333-444455556666\"\n";
    std::fs::write(&file, least).unwrap();
    let least = load(&file, &Variables::default()).unwrap();

    assert_eq!(sample.policy.thresholds, Thresholds::default());
    assert_eq!(sample.policy.status_words, StatusWords::default());
    assert_eq!(
        Alerts {
            to: Vec::new(),
            operators: Vec::new(),
            ..sample.policy.alerts.clone()
        },
        Alerts::default()
    );
    for (shown, default) in [(&sample, &least)] {
        assert_eq!(shown.leaf.base_url, default.leaf.base_url);
        assert_eq!(
            shown.leaf.max_requests_per_second,
            default.leaf.max_requests_per_second
        );
        assert_eq!(shown.leaf.max_in_flight, default.leaf.max_in_flight);
        assert_eq!(shown.leaf.timeout, default.leaf.timeout);
        assert_eq!(shown.database, default.database);
        assert_eq!(shown.policy.schedules.sweep, default.policy.schedules.sweep);
        assert_eq!(
            shown.policy.schedules.events,
            default.policy.schedules.events
        );
        assert_eq!(
            shown.policy.schedules.reminders,
            default.policy.schedules.reminders
        );
        assert_eq!(
            shown.policy.schedules.digest,
            default.policy.schedules.digest
        );
    }
    let (Transport::Smtp(shown), Transport::Smtp(default)) =
        (&sample.email.transport, &least.email.transport)
    else {
        panic!("both are smtp");
    };
    assert_eq!((shown.port, shown.tls), (default.port, default.tls));
    assert_eq!(least.policy.alerts.operators, least.policy.alerts.to);
    assert_eq!(sample.watch.users().len(), 4);
    assert_eq!(sample.warnings, []);
}
