//! `doctor`, against the simulated Leaf and the scripted mail server: what is well, what is wrong, and what to do.

use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;
use jiff::SignedDuration;
use leafwatch::app::Pace;
use leafwatch::cli::doctor::{Examiner, judge_unit, unit_name};
use leafwatch::config::Config;
use leafwatch::mail::send::Deadlines;
use leafwatch::sim::{DateHeader, SECRET_MARK};
use leafwatch::store::Db;
use leafwatch::view::doctor::{Finding, Verdict};

use crate::support::mail::Opened;
use crate::support::smtp::{Act, At};
use crate::support::world::{HOUR, MINUTE, Setup, World};

async fn world() -> World {
    World::before_start(Setup::of(&["Hillside Farms"])).await
}

async fn examined(world: &World, send_to: Option<&str>) -> Vec<Finding> {
    examined_with(&world.config(), world, send_to).await
}

/// The same where config and secrets are left as they are.
async fn examined_with(config: &Config, world: &World, send_to: Option<&str>) -> Vec<Finding> {
    let short = MINUTE / 300;
    let pace = Pace {
        first_pause: Some(MINUTE / 60_000),
        deadlines: Some(Deadlines {
            connect: short,
            command: short,
            body: short,
        }),
    };
    let to = send_to.map(|to| to.parse().unwrap());
    let mut examiner = Examiner::new(config, &world.clock, pace);
    let mut findings = Vec::new();
    while let Some(finding) = examiner.next(to.as_ref()).await {
        findings.push(finding);
    }
    let told = format!("{findings:?}");
    assert!(!told.contains(SECRET_MARK), "{told}");
    for secret in world.leaf.secrets() {
        assert!(!told.contains(&secret), "{told}");
    }
    findings
}

fn of<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    let mut found = findings.iter().filter(|finding| finding.check == check);
    let finding = found
        .next()
        .unwrap_or_else(|| panic!("no {check}: {findings:#?}"));
    assert!(found.next().is_none(), "{check} stands twice");
    finding
}

/// What is wrong, and that it says what to do.
fn wrong<'a>(findings: &'a [Finding], check: &str) -> &'a str {
    let finding = of(findings, check);
    assert_eq!(finding.verdict, Verdict::Wrong, "{finding:?}");
    assert!(
        finding
            .advice
            .as_ref()
            .is_some_and(|advice| !advice.is_empty())
    );
    &finding.found
}

#[tokio::test]
async fn where_all_is_well_every_part_says_so_and_nothing_is_changed() {
    let world = world().await;
    let findings = examined(&world, None).await;
    let told: Vec<_> = findings
        .iter()
        .map(|finding| (finding.check, finding.verdict))
        .collect();
    let expected = [
        "config",
        "secrets",
        "database",
        "disk",
        "Leaf login",
        "one credential",
        "clock",
        "mail server",
    ];
    let verdict = |check| match check {
        // The daemon has not run yet.
        "database" => Verdict::Skipped,
        _ => Verdict::Ok,
    };
    assert_eq!(told, expected.map(|check| (check, verdict(check))));
    assert!(!world.database().exists());
    assert!(world.smtp.accepted().is_empty());
    let credential = of(&findings, "one credential");
    assert_eq!(
        credential.found,
        "Hillside Farms (John Deere): Leaf says OK"
    );
}

#[tokio::test]
async fn a_login_that_leaf_refuses_and_a_leaf_that_is_away() {
    let world = world().await;
    let config = world.config();
    world
        .leaf
        .change_login(|rules| rules.password = "another".to_owned());
    let findings = examined_with(&config, &world, None).await;
    let refused = wrong(&findings, "Leaf login");
    assert!(refused.contains("refuses the login"), "{refused}");
    assert_eq!(of(&findings, "one credential").verdict, Verdict::Skipped);
    assert_eq!(of(&findings, "mail server").verdict, Verdict::Ok);

    world.leaf.go_away();
    let findings = examined(&world, None).await;
    let away = wrong(&findings, "Leaf login");
    assert!(away.contains("cannot log in"), "{away}");
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_with_its_side() {
    let world = world().await;
    for (off, said) in [
        (SignedDuration::from_mins(5), "ours is 5 min behind Leaf's"),
        (
            SignedDuration::from_hours(-3),
            "ours is 3 h ahead of Leaf's",
        ),
    ] {
        world.leaf.set_date(DateHeader::Off(off));
        let findings = examined(&world, None).await;
        assert_eq!(wrong(&findings, "clock"), said);
    }
}

#[tokio::test]
async fn every_phase_of_the_mail_servers_no_has_its_advice() {
    let world = world().await;
    for (at, said) in [
        (At::Greeting, "greeting"),
        (At::Ehlo, "ehlo"),
        (At::Auth, "auth"),
    ] {
        world
            .smtp
            .always(at, Act::Reply("554 5.7.1 go away".to_owned()));
        let findings = examined(&world, None).await;
        let fault = wrong(&findings, "mail server");
        assert!(fault.contains(said) && fault.contains("go away"), "{fault}");
        world.smtp.heal();
    }
    world.smtp.always(At::Greeting, Act::Tarpit);
    wrong(&examined(&world, None).await, "mail server");
    world.smtp.heal();
    world.smtp.go_away();
    wrong(&examined(&world, None).await, "mail server");
}

#[tokio::test]
async fn a_test_mail_takes_the_path_of_every_alert() {
    let world = world().await;
    let findings = examined(&world, Some("anna@example.com")).await;
    assert_eq!(of(&findings, "test mail").verdict, Verdict::Ok);
    let [mail] = world.smtp.accepted().try_into().unwrap();
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        (
            "leafwatch@example.com",
            &["anna@example.com".to_owned()][..]
        )
    );
    let opened = Opened::new(&mail.bytes);
    insta::assert_snapshot!(format!(
        "Subject: {}\n\n{}",
        opened.header("Subject").unwrap(),
        opened.text
    ));
    assert!(opened.html_words().contains("Test mail"));
    assert_eq!(opened.header("Auto-Submitted").unwrap(), "auto-generated");

    world
        .smtp
        .always(At::RcptTo, Act::Reply("550 no such user".to_owned()));
    let findings = examined(&world, Some("gone@example.com")).await;
    let refused = wrong(&findings, "test mail");
    assert!(
        refused.contains("550") && refused.contains("no such user"),
        "{refused}"
    );
    assert_eq!(of(&findings, "mail server").verdict, Verdict::Ok);
}

#[tokio::test]
async fn modes_that_let_others_in_are_told_with_the_command_that_shuts_them_out() {
    let world = world().await;
    let home = world.config_file();
    drop(Db::open(&world.database()).unwrap());
    let config = world.config();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let secret = home.with_file_name("secrets").join("leaf-password");
    open(&home, 0o666);
    open(&secret, 0o644);
    open(&world.database(), 0o640);
    let findings = examined_with(&config, &world, None).await;
    assert_eq!(of(&findings, "Leaf login").verdict, Verdict::Skipped);
    for (check, command) in [
        ("config", format!("run: chmod go-w {}", home.display())),
        ("secrets", format!("run: chmod 600 {}", secret.display())),
        (
            "database",
            format!("run: chmod 600 {}", world.database().display()),
        ),
    ] {
        wrong(&findings, check);
        assert_eq!(of(&findings, check).advice, Some(command), "{check}");
    }
}

#[tokio::test]
async fn a_database_that_nobody_keeps_or_that_is_damaged_is_told() {
    let mut world = world().await;
    world.starts().await;
    world.what_is_due().await;
    let findings = examined(&world, None).await;
    assert_eq!(of(&findings, "database").verdict, Verdict::Ok);
    assert_eq!(of(&findings, "last sweep").verdict, Verdict::Ok);
    world.is_killed();
    world.clock.advance(3 * HOUR);
    let findings = examined(&world, None).await;
    let stale = wrong(&findings, "last sweep");
    assert!(stale.contains("3 h ago"), "{stale}");
    let bytes = std::fs::read(world.database()).unwrap();
    std::fs::write(world.database(), "no database at all").unwrap();
    let findings = examined(&world, None).await;
    wrong(&findings, "database");
    std::fs::write(world.database(), bytes).unwrap();
}

#[test]
fn the_unit_is_judged_by_what_systemd_shows() {
    let judged = |load: &str, active: &str, enabled: &str| {
        let shown = format!(
            "LoadState={load}\nActiveState={active}\nSubState=x\nUnitFileState={enabled}\nResult=exit-code\n"
        );
        judge_unit("leafwatch.service", &shown)
    };
    assert_eq!(judged("loaded", "active", "enabled").verdict, Verdict::Ok);
    for (load, active, enabled, advice) in [
        ("not-found", "inactive", "", "install it"),
        (
            "masked",
            "inactive",
            "masked",
            "systemctl unmask leafwatch.service",
        ),
        (
            "loaded",
            "active",
            "disabled",
            "systemctl enable leafwatch.service",
        ),
        (
            "loaded",
            "failed",
            "enabled",
            "journalctl -u leafwatch.service",
        ),
        (
            "loaded",
            "inactive",
            "enabled",
            "enable --now leafwatch.service",
        ),
        ("bad-setting", "inactive", "", "journalctl"),
    ] {
        let finding = judged(load, active, enabled);
        assert_eq!(finding.verdict, Verdict::Wrong, "{finding:?}");
        assert!(
            finding.advice.as_ref().unwrap().contains(advice),
            "{finding:?}"
        );
    }
    assert_eq!(
        unit_name("/etc/leafwatch/leafwatch.toml".as_ref()),
        "leafwatch.service"
    );
    assert_eq!(
        unit_name("/etc/leafwatch/production.toml".as_ref()),
        "leafwatch@production.service"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_a_line_each_and_its_code_says_whether_anything_is_wrong() {
    let world = World::in_real_time(Setup::of(&["Hillside Farms"])).await;
    let file = world.config_file();
    let run = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("leafwatch").unwrap();
        command.env_clear().arg("doctor").arg("--config").arg(&file);
        let output = command.args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (_, text) = run(&[]);
    assert!(text.contains("ok     Leaf login: "), "{text}");
    assert!(text.contains("ok     mail server: "), "{text}");
    world.smtp.go_away();
    let (code, text) = run(&["--json"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &value["schema"], &value["well"]),
        (1, &1.into(), &false.into())
    );
    std::fs::write(&file, "[leaf]\nusername = 3\n").unwrap();
    let (code, text) = run(&[]);
    assert_eq!(code, 1);
    assert!(
        text.starts_with("WRONG  config: ") && text.contains("leafwatch config check"),
        "{text}"
    );
}
