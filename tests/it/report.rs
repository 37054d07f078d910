//! The report of a period in all its forms, over a filled store.

use leafwatch::cli::exit::Exit;
use leafwatch::cli::table::Look;
use leafwatch::model::Schedule;
use serde_json::Value;

use crate::cli_pages::{json, page, shown};
use crate::support::desk::*;
use crate::support::story::story;

fn written(desk: &mut Desk, line: &str) -> String {
    page(desk, line, Look::default()).unwrap()
}

#[test]
fn every_form() {
    let mut desk = story();
    for width in [80, 120] {
        let text = shown(&mut desk, "report --since 12h", width);
        insta::assert_snapshot!(format!("report_{width}"), text);
    }
    let all = shown(&mut desk, "report --since 12h --all", 120);
    assert!(all.contains("Prairie Sky (John Deere)"), "{all}");
    insta::assert_snapshot!(
        "report_csv",
        written(&mut desk, "report --since 12h --format csv")
    );
    insta::assert_snapshot!(
        "report_html",
        written(&mut desk, "report --since 12h --format html")
    );
    let value = json(&mut desk, "report --since 12h --json");
    let text = serde_json::to_string_pretty(&value).unwrap();
    insta::assert_snapshot!("report_json", text);
    assert_eq!(json(&mut desk, "report --since 12h --format json"), value);
}

#[test]
fn the_page_needs_nothing_else_and_takes_no_name_for_markup() {
    let mut desk = story();
    let mut users = desk.watch.users().to_vec();
    users[0].name = Some("<script>alert(1)</script>".into());
    users[1].name = Some("=HYPERLINK(\"https://evil.example\")".into());
    let providers = vec![leafwatch::model::Provider::JOHN_DEERE];
    desk.watch = leafwatch::model::WatchList::new(users, providers);
    let html = written(&mut desk, "report --format html");
    assert!(html.contains("&#60;script&#62;alert(1)"), "{html}");
    for outside in ["<script", "http://", "https://", "<link", "<img", "@import"] {
        let told = html.replace("https://evil.example", "");
        assert!(!told.contains(outside), "{outside}: {html}");
    }
    let sheet = written(&mut desk, "report --format csv");
    assert!(sheet.contains("\"'=HYPERLINK("), "{sheet}");
}

#[test]
fn the_credentials_add_up_to_their_provider_and_to_all() {
    let mut desk = story();
    let value = json(&mut desk, "report --json");
    let sum = |lines: &Value, key: &str| -> u64 {
        let lines = lines.as_array().unwrap();
        lines.iter().map(|line| line[key].as_u64().unwrap()).sum()
    };
    for key in ["healthy_seconds", "trouble_seconds", "unwatched_seconds"] {
        let overall = value["overall"][key].as_u64().unwrap();
        assert_eq!(sum(&value["credentials"], key), overall, "{key}");
        assert_eq!(sum(&value["providers"], key), overall, "{key}");
    }
    // The one that was never connected is in nobody's share.
    assert_eq!(value["credentials"].as_array().unwrap().len(), 11);
    let incidents = value["incident_list"].as_array().unwrap();
    let of_credentials = incidents
        .iter()
        .filter(|line| line["about"] == "credential");
    assert_eq!(value["incidents"]["total"], of_credentials.count());
}

#[test]
fn another_schedule_leaves_what_was_seen_as_it_was() {
    let mut desk = Desk::new(3);
    desk.policy.schedules.sweep = Schedule::Every(24 * HOUR);
    for _ in 0..10 {
        desk.sweep_after(24 * HOUR);
    }
    let seen = |desk: &mut Desk| json(desk, "report --since 240h --json")["overall"].clone();
    let before = seen(&mut desk);
    assert_eq!(before["availability"], 1.0);
    assert_eq!(before["not_seen"]["not_looked_seconds"], 0, "{before}");
    // Read by a command, or by a daemon that was reloaded.
    desk.policy.schedules.sweep = Schedule::Every(15 * MINUTE);
    assert_eq!(seen(&mut desk), before);
}

#[test]
fn a_period_is_cut_at_now_and_never_runs_backwards() {
    let mut desk = story();
    let value = json(&mut desk, "report --since 1h --until 2030-01-01 --json");
    assert_eq!(value["until"], desk.now.to_string());
    // In trouble from the first sweep on, and not later than the period.
    let early = json(
        &mut desk,
        "report --since 2026-03-02T08:00:00Z --until 2026-03-02T08:15:00Z --json",
    );
    assert_eq!(early["overall"]["trouble_seconds"], 0);
    assert_eq!(early["incidents"]["total"], 0);
    let failure = page(&mut desk, "report --until 40d --since 1h", Look::default()).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
}

#[test]
fn only_what_was_asked_for_is_counted() {
    let mut desk = story();
    let value = json(&mut desk, "report --provider climate-field-view --json");
    assert_eq!(value["credentials"].as_array().unwrap().len(), 0);
    assert_eq!(value["incidents"]["total"], 0);
    assert_eq!(value["overall"]["availability"], Value::Null);
    let text = written(&mut desk, "report --provider climate-field-view");
    assert!(text.contains("Nothing was seen in this time."), "{text}");
}
