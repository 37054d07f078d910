//! `doctor`, against the simulated Leaf and the scripted mail server: what is well, what is wrong, and what to do.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;
use jiff::SignedDuration;
use leafwatch::app::Patience;
use leafwatch::cli::doctor::{Examiner, judge_unit, unit_name};
use leafwatch::config::{Config, Heartbeat, Transport};
use leafwatch::mail::send::Deadlines;
use leafwatch::sim::SECRET_MARK;
use leafwatch::store::Db;
use leafwatch::view::doctor::{Finding, Verdict};

use crate::support::faulty_leaf::{Fault, Scope, When};
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
    let patience = Patience {
        first_pause: MINUTE / 60_000,
        deadlines: Deadlines {
            connect: short,
            command: short,
            body: short,
        },
    };
    let to = send_to.map(|to| to.parse().unwrap());
    let mut examiner = Examiner::new(config, &world.clock, patience);
    let mut findings = Vec::new();
    while let Some(finding) = examiner.next(to.as_ref()).await {
        findings.push(finding);
    }
    let told = format!("{findings:?}");
    assert!(!told.contains(SECRET_MARK), "{told}");
    for key in world.leaf.client_keys() {
        assert!(!told.contains(&key), "{told}");
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
        .map(|finding| (finding.check.as_ref(), finding.verdict))
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
        "page",
        "heartbeat",
    ];
    let verdict = |check| match check {
        // The daemon has not run yet, and neither page nor heartbeat is set.
        "database" | "page" | "heartbeat" => Verdict::Skipped,
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
    let refused = Fault::Status(401);
    world.leaf.fault(Scope::Logins, refused, When::always());
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
        world.leaf.runs_ahead(off);
        let findings = examined(&world, None).await;
        assert_eq!(wrong(&findings, "clock"), said);
        world.leaf.runs_ahead(-off);
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
        judge_unit("leafwatch.service", &shown, None)
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
    let named = |config: &str, instance| unit_name(config.as_ref(), instance);
    let usual = "/etc/leafwatch/leafwatch.toml";
    assert_eq!(named(usual, None).unwrap(), "leafwatch.service");
    assert_eq!(
        named("/etc/leafwatch/production.toml", Some("production")).unwrap(),
        "leafwatch@production.service"
    );
    assert_eq!(named("/tmp/leafwatch.toml", None), None);
}

#[test]
fn a_unit_that_ends_again_and_again_is_no_unit_that_starts() {
    let uptime = Some(HOUR * 10);
    let judged = |active: &str, sub: &str, restarts: u32, since: std::time::Duration| {
        let shown = format!(
            "LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState=enabled\nResult=exit-code\n\
             NRestarts={restarts}\nExecMainStatus=70\nActiveEnterTimestampMonotonic={}\n",
            (HOUR * 10 - since).as_micros()
        );
        judge_unit("leafwatch.service", &shown, uptime)
    };
    let looping = judged("activating", "auto-restart", 41, MINUTE);
    assert_eq!(looping.verdict, Verdict::Wrong);
    assert_eq!(
        looping.found,
        "leafwatch.service ends again and again, and was started anew 41 times; its last run ended with 70, a loop that \
         ended by itself"
    );
    // Up at this very moment, between two ends.
    let between = judged("active", "running", 41, MINUTE);
    assert!(
        between
            .found
            .contains("41 times by systemd, the last time 1 min ago"),
        "{between:?}"
    );
    assert_eq!(
        judged("active", "running", 41, 2 * HOUR).verdict,
        Verdict::Ok
    );
    assert_eq!(judged("active", "running", 1, MINUTE).verdict, Verdict::Ok);
}

#[tokio::test]
async fn a_link_in_place_of_the_database_is_not_followed() {
    let world = world().await;
    let elsewhere = world.config_file().with_file_name("elsewhere.db");
    drop(Db::open(&elsewhere).unwrap());
    std::os::unix::fs::symlink(&elsewhere, world.database()).unwrap();
    let findings = examined(&world, None).await;
    let linked = wrong(&findings, "database");
    assert!(
        linked.ends_with("is a link, and doctor follows none"),
        "{linked}"
    );
}

#[tokio::test]
async fn a_sweep_is_late_by_the_schedule_and_not_by_the_second() {
    let mut world = world().await;
    world.starts().await;
    world.what_is_due().await;
    // The next one is due in this second, and just begins.
    world.clock.advance(15 * MINUTE);
    let findings = examined(&world, None).await;
    assert_eq!(of(&findings, "last sweep").verdict, Verdict::Ok);
    world.is_killed();
    world.clock.advance(14 * MINUTE);
    let findings = examined(&world, None).await;
    assert_eq!(of(&findings, "last sweep").verdict, Verdict::Ok);
    world.clock.advance(20 * MINUTE);
    wrong(&examined(&world, None).await, "last sweep");
}

#[tokio::test]
async fn a_folder_of_mails_that_cannot_be_written_is_told_and_none_is_made() {
    let world = world().await;
    let mut config = world.config();
    let folder = world.config_file().with_file_name("mails");
    config.email.transport = Transport::File {
        directory: folder.clone(),
    };
    let findings = examined_with(&config, &world, None).await;
    assert_eq!(of(&findings, "mail server").verdict, Verdict::Ok);
    assert!(!folder.exists());
    // Root may write everywhere but where no folder is.
    std::fs::write(&folder, "").unwrap();
    let findings = examined_with(&config, &world, None).await;
    let shut = wrong(&findings, "mail server");
    assert!(shut.contains("cannot write mails"), "{shut}");
}

#[tokio::test]
async fn the_heartbeat_is_tried_and_its_address_never_shown() {
    let world = world().await;
    let mut config = world.config();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    config.heartbeat = Some(Heartbeat {
        url: format!("http://{address}/ping/hunter2"),
    });
    let asked = std::thread::spawn(move || {
        for answer in ["200 OK", "404 Not Found"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let findings = examined_with(&config, &world, None).await;
    assert_eq!(of(&findings, "heartbeat").verdict, Verdict::Ok);
    let findings = examined_with(&config, &world, None).await;
    let refused = wrong(&findings, "heartbeat");
    assert!(
        refused.contains("404") && !refused.contains("hunter2"),
        "{refused}"
    );
    asked.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_program_has_is_told_and_one_that_the_daemon_has_is_well() {
    let world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let page =
        async |config: &Config| of(&examined_with(config, &world, None).await, "page").clone();
    let mut config = world.config();
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = foreign.local_addr().unwrap();
    config.web.listen = Some(address);
    // It may answer as it likes, and not at all.
    let mut told = page(&config).await;
    assert_eq!(told.verdict, Verdict::Wrong);
    assert!(told.found.contains(&address.to_string()), "{told:?}");
    assert!(told.advice.unwrap().contains("web.listen"));
    drop(foreign);
    told = page(&config).await;
    assert_eq!(told.verdict, Verdict::Ok, "{told:?}");
    assert!(told.found.contains("free"), "{told:?}");
    let listen = [("LEAFWATCH_WEB__LISTEN", address.to_string())];
    let listen = listen
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mut process = world.run_on(&world.config_file(), &listen);
    process.page();
    told = page(&config).await;
    assert_eq!(told.verdict, Verdict::Ok, "{told:?}");
    assert!(told.found.contains("the daemon serves it"), "{told:?}");
    // A daemon with another database is another program.
    config.database.path = world.database().with_file_name("other.db");
    drop(Db::open(&config.database.path).unwrap());
    told = page(&config).await;
    assert_eq!(told.verdict, Verdict::Wrong, "{told:?}");
    process.signal("TERM");
    process.ended();
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
    // Nobody shall think that this is how the service fares.
    assert!(
        text.contains("-      as the service: not tried: "),
        "{text}"
    );
    assert!(text.contains("ok     Leaf login: "), "{text}");
    assert!(text.contains("ok     mail server: "), "{text}");
    // As the service it prints what the doctor outside reads, and nothing else.
    let (_, text) = run(&["--relay"]);
    let relayed: Vec<Finding> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(of(&relayed, "Leaf login").verdict, Verdict::Ok);
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
        text.contains("WRONG  config: ") && text.contains("leafwatch config check"),
        "{text}"
    );
    std::fs::write(&file, "[watch]\nusers_file = \"none.csv\"\n").unwrap();
    let (_, text) = run(&[]);
    assert!(text.contains("none.csv"), "{text}");
}
