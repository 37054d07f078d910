//! Acks and silences, typed beside the running daemon: what they keep back, and what ends them.

use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

async fn hillside() -> World {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.schedule = "sweep = \"1h\"\nevents = \"6h\"".to_owned();
    World::with(setup).await
}

async fn hillside_is_invalid() -> World {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    world
}

#[tokio::test]
async fn an_ack_stops_reminders_for_two_weeks_and_nothing_else() {
    let mut world = hillside_is_invalid().await;
    let said = world.types("ack 1 --reason 'Anna calls the grower'");
    assert!(said.contains("Incident 1 is acknowledged"), "{said}");
    world.days_pass(14).await;
    world.nothing_more();
    // It has run out: the reminder that was due leaves.
    world.days_pass(1).await;
    world.one_mail_says("REMINDER: Hillside Farms");
    world.types("ack 1 --reason 'again'");
    world.status("Hillside Farms", "OK");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
    assert_eq!(
        world.asks("SELECT ended_by FROM ack ORDER BY id DESC LIMIT 1"),
        ["it is over"]
    );
}

#[tokio::test]
async fn an_ack_that_is_ended_by_hand_lets_reminders_come_again() {
    let mut world = hillside_is_invalid().await;
    world.types("ack 1 --reason 'on it'");
    world.types("ack 1 --end");
    world.days_pass(2).await;
    world.one_mail_says("REMINDER: Hillside Farms");
    let refused = world.tries("ack 1 --end").unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("incident 1 is not acknowledged; leafwatch ack --list"),
        "{refused}"
    );
    let refused = world.tries("ack 7 --reason 'x'").unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("there is no incident 7; leafwatch incidents --open")
            && refused.contains("shows what is open"),
        "{refused}"
    );
    let refused = world.tries("ack 1 --reason ' '").unwrap_err();
    assert!(refused.to_string().contains("why?"), "{refused}");
}

#[tokio::test]
async fn several_incidents_are_acknowledged_at_once_or_all_of_a_user_and_what_cannot_be_says_why() {
    let mut world = hillside().await;
    world.revokes_access("Hillside Farms");
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(HOUR).await;
    drop(world.mails());
    let said = world.types("ack 1 #2 1 --reason 'on it'");
    assert!(
        said.starts_with("Incidents 1 and 2 are acknowledged: no reminders until "),
        "{said}"
    );
    let said = world.types("ack 1 2 --end");
    assert_eq!(
        said,
        "Incidents 1 and 2 are no longer acknowledged; reminders come again.\n"
    );
    let said = world.types("ack hillside --reason 'on it'");
    assert!(said.starts_with("Incident "), "{said}");
    assert_eq!(
        world.json("ack --list --json")["list"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let refused = |line: &str| {
        let failure = world.tries(line).unwrap_err();
        (failure.exit.code(), failure.to_string())
    };
    let (code, nobody) = refused("ack abc --reason x");
    assert_eq!(code, 65);
    assert!(
        nobody.contains("\"abc\" is no number of an incident")
            && nobody.contains("no user has an id or a name"),
        "{nobody}"
    );
    let (code, none) = refused("ack 1 99 --reason x");
    assert_eq!(code, 64);
    assert!(
        none.contains("there is no incident 99; leafwatch incidents --open"),
        "{none}"
    );
    // All or nothing: the one that is there was not acknowledged by it.
    let acks = world.json("ack --list --json")["list"].clone();
    assert!(
        acks.as_array()
            .unwrap()
            .iter()
            .all(|ack| ack["reason"] != "x"),
        "{acks}"
    );

    world.status("Blue Silo Dairy", "OK");
    world.status("Hillside Farms", "OK");
    world.time_passes(2 * HOUR).await;
    drop(world.mails());
    let refused = |line: &str| world.tries(line).unwrap_err().to_string();
    let over = refused("ack 1 --reason x");
    assert!(
        over.contains("incident 1 is over since Mon 2 Mar 2026, "),
        "{over}"
    );
    let nothing = refused("ack hillside --reason x");
    assert!(
        nothing.contains("nothing of Hillside Farms is open"),
        "{nothing}"
    );
}

#[tokio::test]
async fn an_ack_ends_when_it_changes_for_the_worse_but_not_for_the_better() {
    let mut world = hillside().await;
    world.status("Hillside Farms", "MISSING_PERMISSION");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("LIMITED PERMISSION: Hillside Farms");
    world.types("ack 1 --reason 'on it'");
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.time_passes(HOUR + 2 * MINUTE).await;
    world.one_mail_says("CHANGED: Hillside Farms");
    assert_eq!(
        world.asks("SELECT ended_by FROM ack"),
        ["it changed for the worse"]
    );
    world.types("ack 1 --reason 'still on it'");
    world.status("Hillside Farms", "MISSING_PERMISSION");
    world.time_passes(HOUR + 2 * MINUTE).await;
    world.one_mail_says("CHANGED: Hillside Farms");
    world.days_pass(3).await;
    world.nothing_more();
}

#[tokio::test]
async fn an_ack_ends_when_it_comes_back_or_is_connected_anew() {
    let mut world = hillside_is_invalid().await;
    // Connected anew, and still not working.
    world.types("ack 1 --reason 'on it'");
    let hillside = world.grower("Hillside Farms");
    world.leaf.reconnect(hillside, None);
    world.leaf.revoke(hillside);
    world.time_passes(2 * HOUR).await;
    assert_eq!(world.asks("SELECT ended_by FROM ack"), ["connected again"]);
    world.days_pass(2).await;
    world.one_mail_says("REMINDER: Hillside Farms");
    // Mended, back within the flap window: the ack of a turn before is over.
    world.types("ack 1 --reason 'on it'");
    world.status("Hillside Farms", "OK");
    world.time_passes(HOUR + 2 * MINUTE).await;
    world.one_mail_says("RESOLVED");
    world.status("Hillside Farms", "UNAUTHENTICATED");
    world.time_passes(HOUR + 2 * MINUTE).await;
    world.one_mail_says("REOPENED");
    world.days_pass(2).await;
    world.one_mail_says("REMINDER");
}

#[tokio::test]
async fn a_silence_keeps_mails_of_a_user_back_and_its_end_tells_what_stands() {
    let mut world = hillside().await;
    let said = world.types("silence hillside --for 3h --reason 'moving to a new app'");
    assert!(said.contains("Silence 1 holds until"), "{said}");
    world.revokes_access("Hillside Farms");
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(2 * HOUR).await;
    let other = world.one_mail_says("INVALID: Blue Silo Dairy");
    assert!(!other.says("Hillside"), "{}", other.text);
    assert_eq!(
        world.open_incidents(),
        ["invalid", "invalid"],
        "polling goes on"
    );
    let explained = world.types("explain hillside");
    assert!(
        explained.contains("moving to a new app") && !explained.contains("next mail"),
        "{explained}"
    );
    world.time_passes(HOUR + MINUTE).await;
    let told = world.one_mail_says("INVALID: Hillside Farms");
    assert!(
        told.says("Since: Mon 2 Mar 2026, 09:00 UTC"),
        "{}",
        told.text
    );
}

#[tokio::test]
async fn a_silence_ended_by_hand_tells_within_a_second() {
    let mut world = hillside().await;
    world.types("silence --problem invalid --for 3d --reason 'known'");
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    world.types("silence --end 1");
    world.what_is_due().await;
    world.one_mail_says("INVALID: Hillside Farms");
    let refused = world.tries("silence --end 1").unwrap_err();
    assert!(
        refused.to_string().contains("no silence 1 that holds"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_begins_and_ends_in_a_silence_is_kept_and_not_told() {
    let mut world = hillside().await;
    world.types("silence --provider john-deere --for 6h --reason 'migration'");
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.connects_again("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    assert_eq!(world.steps(), ["opened invalid", "resolved invalid"]);
    world.time_passes(4 * HOUR).await;
    world.nothing_more();
    assert!(world.untold().is_empty(), "{:?}", world.untold());
}

#[tokio::test]
async fn the_end_of_what_was_told_is_told_in_a_silence_too() {
    let mut world = hillside_is_invalid().await;
    world.types("silence hillside --for 3d --reason 'known'");
    world.days_pass(2).await;
    world.nothing_more();
    world.connects_again("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
    world.days_pass(2).await;
    world.nothing_more();
}

#[tokio::test]
async fn silence_all_spares_leaf_and_leafwatch() {
    let mut world = World::of(30).await;
    world.types("silence --all --for 1d --reason 'harvest'");
    world.revokes_access("Farm 1");
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.leaf.go_away();
    world.time_passes(2 * HOUR).await;
    let mail = world.one_mail_says("CRITICAL: Leaf unreachable");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    world.leaf.come_back().unwrap();
    world.time_passes(HOUR).await;
    world.one_mail_says("RESOLVED: Leaf unreachable");
    world.types("silence --end 1");
    world.time_passes(MINUTE).await;
    world.one_mail_says("INVALID: Farm 1");
    let refused = world.tries("silence --for 1d --reason 'x'").unwrap_err();
    assert!(
        refused.to_string().contains("what is to be silent?"),
        "{refused}"
    );
}

#[tokio::test]
async fn account_trouble_is_silent_only_where_its_kind_is_named() {
    let mut world = World::of(30).await;
    let said = world.types("silence --problem leaf_unreachable --for 1d --reason 'Leaf told us'");
    assert!(said.contains("matches 0 incidents"), "{said}");
    world.leaf.go_away();
    world.time_passes(3 * HOUR).await;
    world.nothing_more();
    assert_eq!(world.open_incidents(), ["leaf_unreachable"]);
    world.leaf.come_back().unwrap();
    world.time_passes(HOUR).await;
    world.types("silence --end 1");
    world.what_is_due().await;
    world.nothing_more();
}

#[tokio::test]
async fn a_silence_that_ends_while_blind_waits_for_the_first_look_after() {
    let mut world = World::of(30).await;
    world.types("silence 'Farm 1' --for 1h --reason 'known'");
    world.types("silence 'Farm 2' --for 1h --reason 'known'");
    world
        .tries("silence farm --for 1h --reason 'too many'")
        .unwrap_err();
    world.revokes_access("Farm 1");
    world.revokes_access("Farm 2");
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.leaf.go_away();
    world.time_passes(3 * HOUR).await;
    world.one_mail_says("CRITICAL: Leaf unreachable");
    // One of them was mended while nobody could look.
    world.connects_again("Farm 2");
    world.leaf.come_back().unwrap();
    world.time_passes(10 * MINUTE).await;
    let mails = world.mails();
    let support: Vec<_> = mails
        .iter()
        .filter(|mail| mail.readers() == ["support@example.com"])
        .collect();
    assert_eq!(support.len(), 1, "{mails:#?}");
    assert!(support[0].says("INVALID: Farm 1"), "{support:#?}");
    assert!(!support[0].says("Farm 2"), "{support:#?}");
}

#[tokio::test]
async fn a_silence_that_ends_while_off_waits_for_the_first_whole_look() {
    let mut world = hillside().await;
    world.types("silence --all --for 3h --reason 'known'");
    world.revokes_access("Hillside Farms");
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(2 * HOUR).await;
    world.is_killed();
    world.clock.advance(5 * HOUR);
    world.connects_again("Blue Silo Dairy");
    world.leaf.go_away();
    world.starts().await;
    world.time_passes(5 * MINUTE).await;
    world.nothing_more();
    world.leaf.come_back().unwrap();
    world.time_passes(5 * MINUTE).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert!(!mail.says("Blue Silo"), "{}", mail.text);
}

#[tokio::test]
async fn what_waited_for_a_quiet_window_and_ended_in_a_silence_is_not_told() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.alerts =
        "quiet = [{ from = \"07:00\", to = \"12:00\", severities = [\"critical\"] }]".to_owned();
    let mut world = World::with(setup).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.types("silence hillside --for 2h --reason 'known'");
    world.connects_again("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.passes_until("2026-03-02T13:00:00Z").await;
    world.nothing_more();
}

#[tokio::test]
async fn incidents_and_lists_show_who_said_what_and_why() {
    let mut world = hillside_is_invalid().await;
    world.types("ack 1 --reason 'Anna calls the grower'");
    world.types("silence hillside --for 3d --reason 'moving to a new app'");
    for (line, words) in [
        ("ack --list", "Anna calls the grower"),
        ("ack --list", "Hillside Farms (John Deere), invalid"),
        ("silence --list", "moving to a new app"),
        ("silence --list", "Hillside Farms"),
        ("incidents --verbose", "acknowledged by"),
        ("incidents --verbose", "Anna calls the grower"),
        ("incidents --verbose", "silenced by"),
        ("incidents --verbose", "moving to a new app"),
        ("incidents", "acknowledged, silenced"),
        ("explain hillside", "Anna calls the grower"),
    ] {
        let shown = world.types(line);
        assert!(
            shown.contains(words),
            "{line}: {words:?} is not in\n{shown}"
        );
    }
    let incident = &world.json("incidents --json")["incidents"][0];
    assert_eq!(incident["acks"][0]["reason"], "Anna calls the grower");
    assert_eq!(incident["acks"][0]["at"], "2026-03-02T10:00:00Z");
    assert_eq!(incident["silences"][0]["reason"], "moving to a new app");
    let silence = &world.json("silence --list --json")["list"][0];
    assert_eq!(
        (&silence["number"], &silence["name"]),
        (&1.into(), &"Hillside Farms".into())
    );
    // What is over is kept with the incident.
    world.status("Hillside Farms", "OK");
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("RESOLVED");
    let incident = &world.json("incidents --json")["incidents"][0];
    assert_eq!(incident["acks"][0]["ended_by"], "it is over");
    assert!(world.types("ack --list").contains("none"));
}

#[tokio::test]
async fn a_silence_of_account_trouble_that_ends_in_the_outage_tells_it_at_once_and_its_end() {
    for by_hand in [true, false] {
        let mut world = World::of(30).await;
        let length = if by_hand { "1d" } else { "3h" };
        world.types(&format!(
            "silence --problem leaf_unreachable --for {length} --reason 'Leaf told us'"
        ));
        world.leaf.go_away();
        world.time_passes(170 * MINUTE).await;
        world.nothing_more();
        if by_hand {
            world.types("silence --end 1");
            world.what_is_due().await;
        } else {
            world.time_passes(11 * MINUTE).await;
        }
        world.one_mail_says("CRITICAL: Leaf unreachable");
        world.leaf.come_back().unwrap();
        world.time_passes(HOUR).await;
        world.one_mail_says("RESOLVED: Leaf unreachable");
    }
}
