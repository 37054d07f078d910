//! What programs read: JSON in the shapes of the commands, metrics, health.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use leafwatch::config::Web;
use leafwatch::vitals::Fault;
use serde_json::Value;

use crate::support::desk::user;
use crate::support::site::{Served, open, say_skipped};
use crate::support::story::story_in;

async fn json(site: &Served, path: &str) -> Value {
    let answer = site.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    let value = answer.json();
    assert_eq!(value["schema"], 1, "{path}");
    value
}

#[tokio::test]
async fn the_json_of_the_page() {
    let site = Served::with(story_in, open()).await;
    let one = format!("/api/v1/credentials/{}/john-deere", user(0));
    for (name, path) in [
        ("status", "/api/v1/status"),
        ("credentials", "/api/v1/credentials?limit=3"),
        ("credential", &one),
        ("incidents", "/api/v1/incidents?open=true"),
        ("deliveries", "/api/v1/deliveries?address=anna@example.com"),
    ] {
        let value = json(&site, path).await;
        let text = serde_json::to_string_pretty(&value).unwrap();
        insta::assert_snapshot!(format!("api_{name}"), text);
    }
}

#[tokio::test]
async fn credentials_are_read_a_page_at_a_time() {
    let site = Served::with(story_in, open()).await;
    let mut seen = BTreeSet::new();
    let mut path = "/api/v1/credentials?limit=5".to_owned();
    loop {
        let page = json(&site, &path).await;
        for line in page["credentials"].as_array().unwrap() {
            assert!(seen.insert(line["user"].as_str().unwrap().to_owned()));
        }
        match page["next"].as_i64() {
            Some(next) => path = format!("/api/v1/credentials?limit=5&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 12);
    for path in ["?limit=0", "?limit=1001", "?kind=leaf_login"] {
        let answer = site.get(&format!("/api/v1/credentials{path}")).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn metrics_in_both_forms_and_names_only_where_they_are_asked_for() {
    let site = Served::with(story_in, open()).await;
    let plain = site.get("/metrics").await;
    assert!(plain.header("content-type").starts_with("text/plain"));
    for line in [
        "leafwatch_credentials{provider=\"john-deere\",state=\"healthy\"} 5",
        "leafwatch_incidents_open{kind=\"environment_mismatch\",severity=\"critical\"} 1",
        "leafwatch_last_sweep_duration_seconds 1.5",
        "# TYPE leafwatch_leaf_requests_total counter",
        "leafwatch_blind 0",
    ] {
        assert!(plain.body.contains(line), "{line}\n{}", plain.body);
    }
    assert!(!plain.body.contains("Hillside"));
    let request = site.client().get(site.url("/metrics")).header(
        "accept",
        "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
    );
    let open_metrics = site.send(request).await;
    assert!(open_metrics.body.ends_with("# EOF\n"));
    assert!(
        open_metrics
            .body
            .contains("# TYPE leafwatch_leaf_requests counter")
    );
    site.reload(Web {
        metrics_per_user: true,
        ..Web::default()
    });
    let each = site.get("/metrics").await.body;
    assert!(each.contains("name=\"Hillside Farms\""), "{each}");
}

/// Every metric that an alert rule, its test or the dashboard names is one that there is.
#[tokio::test]
async fn what_is_watched_is_what_is_served() {
    let site = Served::with(story_in, open()).await;
    let served = site.get("/metrics").await.body;
    let served: BTreeSet<&str> = served
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for file in [
        "leafwatch-alerts.yml",
        "leafwatch-alerts.test.yml",
        "leafwatch-dashboard.json",
    ] {
        let text = std::fs::read_to_string(config.join(file)).unwrap();
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let named: BTreeSet<&str> = text
            .split(word)
            .filter(|name| name.starts_with("leafwatch_"))
            .collect();
        assert!(named.len() > 3, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&served).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

/// Prometheus's own tool has nothing to say about metrics, rules and the tests of the rules. Skipped where it is not
/// installed; `.ci/run` installs it.
#[tokio::test]
async fn promtool_finds_nothing_wrong() {
    let promtool = |args: &[&str]| {
        let mut command = std::process::Command::new("promtool");
        command.args(args).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config"));
        command.spawn()
    };
    if promtool(&["--version"]).is_err() {
        say_skipped("no promtool here; apt-get install prometheus");
        return;
    }
    let site = Served::with(story_in, open()).await;
    let metrics = site.get("/metrics").await.body;
    for (args, input) in [
        (&["check", "metrics"][..], metrics.as_str()),
        (&["check", "rules", "leafwatch-alerts.yml"], ""),
        (&["test", "rules", "leafwatch-alerts.test.yml"], ""),
    ] {
        let mut running = promtool(args).unwrap();
        let mut stdin = running.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
        drop(stdin);
        let done = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{args:?}: {said}");
        assert_eq!(said, "", "{args:?}");
    }
}

#[tokio::test]
async fn health_says_which_loop_is_not_well() {
    let site = Served::with(story_in, open()).await;
    let well = site.get("/healthz").await;
    assert_eq!((well.status, well.body.lines().next()), (200, Some("ok")));
    let now = site.desk.now;
    site.vitals.fault_seen(Fault::Storage, "disk is full", now);
    let sick = site.get("/healthz").await;
    assert_eq!(sick.status, 503);
    assert!(sick.body.contains("commit: the database cannot be written"));
    site.vitals.fault_over(Fault::Storage);
    site.clock.advance(Duration::from_secs(46 * 60));
    let late = site.get("/healthz").await;
    assert_eq!(late.status, 503);
    assert!(late.body.contains("sweep: none has ended"), "{}", late.body);
}
