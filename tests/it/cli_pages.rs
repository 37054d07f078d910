//! What the query commands show, as a person sees it at 80 and at 120 columns, and as programs read it.

use clap::Parser as _;
use leafwatch::cli::args::{Cli, Command};
use leafwatch::cli::exit::{Exit, Failure};
use leafwatch::cli::simulate;
use leafwatch::cli::table::Look;
use leafwatch::model::*;
use leafwatch::store::Scene;
use serde_json::Value;

use crate::support::desk::*;
use crate::support::story::*;

pub(crate) fn page(desk: &mut Desk, line: &str, look: Look) -> Result<String, Failure> {
    let cli = Cli::try_parse_from(std::iter::once("leafwatch").chain(line.split(' '))).unwrap();
    let scene = Scene {
        watch: &desk.watch,
        policy: &desk.policy,
        now: desk.now,
    };
    leafwatch::cli::page(&cli.command, &mut desk.db, &scene, look).map(|page| page.into_text())
}

pub(crate) fn shown(desk: &mut Desk, line: &str, width: usize) -> String {
    let look = Look {
        width: Some(width),
        ..Look::default()
    };
    let text = page(desk, line, look).unwrap();
    let widest = text
        .lines()
        .map(unicode_width::UnicodeWidthStr::width)
        .max();
    assert!(widest <= Some(width), "{line} at {width}:\n{text}");
    text
}

pub(crate) fn json(desk: &mut Desk, line: &str) -> Value {
    let look = Look {
        json: true,
        ..Look::default()
    };
    let text = page(desk, line, look).unwrap();
    let value: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{line}: {e}\n{text}"));
    assert_eq!(value["schema"], 1, "{line}");
    value
}

#[test]
fn every_page_at_80_and_120_columns() {
    let mut desk = story();
    for (name, line) in [
        ("status", "status"),
        ("status_all", "status --all"),
        ("history", "history hillside"),
        ("history_flapping", "history hilltop"),
        ("history_reconnected", "history north --since 12h"),
        ("events", "events hillside"),
        ("events_verbose", "events -v two"),
        ("incidents", "incidents"),
        ("incidents_verbose", "incidents -v --open"),
        ("deliveries", "deliveries"),
        ("explain", "explain hillside"),
        ("explain_suspect", "explain riverbend"),
        ("explain_flapping", "explain hilltop"),
        ("explain_environment", "explain green"),
        ("explain_healthy", "explain 大豆"),
        (
            "explain_not_connected",
            "explain 10000000-0000-4000-8000-00000000000b",
        ),
    ] {
        for width in [80, 120] {
            let text = shown(&mut desk, line, width);
            insta::assert_snapshot!(format!("{name}_{width}"), text);
        }
    }
}

#[test]
fn every_document() {
    let mut desk = story();
    for (name, line) in [
        ("status", "status --json"),
        ("history", "history hillside --json"),
        ("events", "events two --json"),
        ("incidents", "incidents --json --open"),
        ("deliveries", "deliveries --json --address anna@example.com"),
        ("explain", "explain hilltop --json"),
    ] {
        let value = json(&mut desk, line);
        let text = serde_json::to_string_pretty(&value).unwrap();
        insta::assert_snapshot!(format!("{name}_json"), text);
    }
}

#[test]
fn a_user_is_meant_by_id_name_or_the_beginning_of_one() {
    let mut desk = story();
    let mut who = |asked: &str| match page(
        &mut desk,
        &format!("explain {asked}"),
        Look {
            json: true,
            ..Look::default()
        },
    ) {
        Ok(text) => {
            let value: Value = serde_json::from_str(&text).unwrap();
            value["user"].as_str().unwrap().to_owned()
        }
        Err(failure) => {
            assert_eq!(failure.exit, Exit::NoSingleUser);
            failure.to_string()
        }
    };
    for (asked, number) in [
        ("10000000-0000-4000-8000-000000000002", 2),
        ("RIVERBEND", 2),
        ("hillside", 0),
        ("大豆", 7),
        ("10000000-0000-4000-8000-00000000000b", 11),
    ] {
        assert_eq!(who(asked), user(number).to_string(), "{asked}");
    }
    insta::assert_snapshot!(who("hill"), @r#"
    error: 2 users fit "hill"; say more of the name, or the id; they are:
      10000000-0000-4000-8000-000000000000  Hillside Farms
      10000000-0000-4000-8000-000000000003  Hilltop Dairy
    "#);
    insta::assert_snapshot!(who("farms"), @r#"
    error: no user has an id or a name like "farms"; similar:
      10000000-0000-4000-8000-000000000000  Hillside Farms
    "#);
    assert!(who("10000000").contains("12 users fit"));
    assert!(who("nobody").ends_with("like \"nobody\""));
}

#[test]
fn a_user_no_longer_in_the_config_still_has_its_history() {
    let mut desk = story();
    let id = desk.id(4);
    let now = desk.now;
    desk.db.write(|tx| tx.unwatch(id, now)).unwrap();
    let users: Vec<_> = desk
        .watch
        .users()
        .iter()
        .filter(|u| u.id != user(4))
        .cloned()
        .collect();
    desk.watch = WatchList::new(users, vec![Provider::JOHN_DEERE]);
    let history = shown(&mut desk, &format!("history {}", user(4)), 100);
    assert!(history.contains("incident 2: resolved"), "{history}");
    let explained = json(&mut desk, &format!("explain --json {}", user(4)));
    assert_eq!(explained["credentials"][0]["watched"], false);
    assert!(
        explained["credentials"][0]["would_tell"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(json(&mut desk, "status --json")["counts"]["watched"], 11);
}

#[test]
fn while_blind_what_did_not_answer_is_stale() {
    let mut desk = story();
    for number in 0..12 {
        desk.says(number, later());
    }
    desk.sweep_after(15 * MINUTE);
    desk.sweep_after(30 * MINUTE);
    desk.now += MINUTE;
    let text = shown(&mut desk, "status", 100);
    assert!(
        text.starts_with("BLIND since Mon 2 Mar 2026, 07:06 CST"),
        "{text}"
    );
    assert!(text.contains("CRITICAL: Leaf unreachable"), "{text}");
    assert!(text.contains("(12 stale)"), "{text}");
    assert!(text.contains("invalid, stale"), "{text}");
    let value = json(&mut desk, "status --json --all");
    assert_eq!(value["credentials"].as_array().unwrap().len(), 12);
    assert!(
        value["credentials"]
            .as_array()
            .unwrap()
            .iter()
            .all(|line| line["stale"] == true)
    );
    let history = shown(&mut desk, "history riverbend", 100);
    assert!(
        history.contains("31 min so far") && history.contains("2026-03-02 07:06 CST"),
        "{history}"
    );
}

#[test]
fn a_daemon_that_stopped_or_died_is_told() {
    let mut desk = story();
    desk.now += HOUR;
    let text = shown(&mut desk, "status", 100);
    assert!(
        text.contains("The next sweep is overdue: is the daemon running?"),
        "{text}"
    );
    let now = desk.now;
    desk.stop(now);
    desk.now += HOUR;
    let text = shown(&mut desk, "status", 100);
    assert!(
        text.contains("The daemon was stopped Mon 2 Mar 2026, 07:51 CST"),
        "{text}"
    );
    let history = shown(&mut desk, "history riverbend", 100);
    assert!(history.contains("1 h so far"), "{history}");
}

#[test]
fn only_what_was_asked_for_is_shown() {
    let mut desk = story();
    for line in [
        "status --json --provider cnhi",
        "incidents --json --provider cnhi",
        "deliveries --json --provider cnhi",
    ] {
        let value = json(&mut desk, line);
        let list = ["credentials", "incidents", "deliveries"]
            .iter()
            .find_map(|name| value[name].as_array())
            .unwrap();
        assert!(list.is_empty(), "{line}");
    }
    let count = |value: Value, name: &str| value[name].as_array().unwrap().len();
    let open = count(json(&mut desk, "incidents --json --open"), "incidents");
    let all = count(json(&mut desk, "incidents --json"), "incidents");
    let recent = count(json(&mut desk, "incidents --json --since 1h"), "incidents");
    assert_eq!((open, all, recent), (4, 5, 4));
    assert_eq!(
        count(
            json(&mut desk, "events hillside --json --since 2h"),
            "events"
        ),
        1
    );
    assert_eq!(
        count(json(&mut desk, "events hillside --json"), "events"),
        3
    );
    assert_eq!(
        count(
            json(&mut desk, "deliveries --json --since 1h"),
            "deliveries"
        ),
        2
    );
    let whole = count(json(&mut desk, "history hilltop --json"), "entries");
    let since = count(
        json(&mut desk, "history hilltop --json --since 2h"),
        "entries",
    );
    assert!(since < whole && since > 0, "{since} of {whole}");
}

#[test]
fn colours_are_only_put_round_what_is_shown_without_them_too() {
    let mut desk = story();
    let coloured = Look {
        colour: true,
        ..Look::default()
    };
    for line in [
        "status --all",
        "explain hillside",
        "incidents -v",
        "deliveries",
    ] {
        let with = page(&mut desk, line, coloured).unwrap();
        let without = page(&mut desk, line, Look::default()).unwrap();
        assert!(with.contains("\x1b["), "{line}");
        assert!(!without.contains('\x1b'), "{line}");
        let mut stripped = with;
        for escape in ["0", "1", "2", "32", "33", "1;31"] {
            stripped = stripped.replace(&format!("\x1b[{escape}m"), "");
        }
        assert_eq!(stripped, without, "{line}");
    }
}

#[test]
fn what_is_explained_is_what_then_happens() {
    let mut desk = Desk::new(30);
    desk.sweep();
    desk.says(3, missing());
    desk.says(4, later());
    desk.says(5, status("TEMPORARILY_UNAVAILABLE"));
    let asked: Vec<String> = [3, 4, 5]
        .map(|n| format!("explain --json {}", user(n)))
        .into();
    let mut opened = 0;
    for _ in 0..30 {
        desk.sweep_after(15 * MINUTE);
        for line in &asked {
            let value = json(&mut desk, line);
            let of = &value["credentials"][0];
            for suspect in of["lacking"].as_array().unwrap() {
                let number = |key: &str| suspect[key].as_u64().unwrap();
                // What lacks nothing was told by the sweep that counted it.
                assert!(
                    number("looks") < number("looks_needed")
                        || number("held_seconds") < number("held_seconds_needed"),
                    "{suspect}"
                );
            }
            let kinds = of["open"].as_array().unwrap();
            opened = opened.max(kinds.len());
            assert_eq!(kinds.len(), of["problems"].as_array().unwrap().len());
        }
    }
    assert_eq!(opened, 1);
    assert_eq!(
        desk.open(),
        ["missing", "unreadable", "provider_unavailable"]
    );
}

#[test]
fn no_key_stands_twice_in_one_object() {
    let mut desk = story();
    let look = Look {
        json: true,
        ..Look::default()
    };
    for line in [
        "status --all --json",
        "history hillside --json",
        "events two --json",
        "incidents --json",
        "deliveries --json",
        "explain riverbend --json",
    ] {
        let text = page(&mut desk, line, look).unwrap();
        // A parsed document keeps one of two equal keys, so that written again it would be shorter.
        let squeezed = |text: &str| text.split_whitespace().collect::<String>().len();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(squeezed(&text), squeezed(&value.to_string()), "{line}");
    }
}

#[test]
fn simulate_shows_what_other_settings_would_have_made_of_the_same_history() {
    let mut desk = Desk::new(12);
    desk.sweeps(2);
    // Missing for an hour; and one that turned invalid for good.
    desk.says(1, missing());
    desk.sweeps(4);
    desk.says(1, ok());
    desk.says(2, status("INVALID"));
    desk.sweeps(3);
    desk.now += 2 * MINUTE;
    let mut config = desk.config();
    config.policy.thresholds.missing_hold = 2 * HOUR;
    config.policy.alerts.to = vec!["team@example.com".parse().unwrap()];
    let cli = Cli::try_parse_from(["leafwatch", "simulate", "-v"]).unwrap();
    let Command::Simulate(args) = &cli.command else {
        panic!("another command");
    };
    let mut simulated = |look| {
        let page = simulate::page(&mut desk.db, &config, args, look, desk.now);
        page.unwrap().into_text()
    };
    let wide = Look {
        width: Some(100),
        ..Look::default()
    };
    insta::assert_snapshot!("simulate_100", simulated(wide));
    let json: Value = serde_json::from_str(&simulated(Look {
        json: true,
        ..Look::default()
    }))
    .unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["incidents"][0]["would_be"], Value::Null);
    assert_eq!(json["incidents"][0]["was"]["kind"], "missing");
    assert_eq!(json["addresses"][0]["address"], "team@example.com");
}
