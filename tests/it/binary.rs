//! The real binary under a service manager that is played: signals, reloads, exit codes, a second one beside it.

use std::time::Duration;

use crate::support::faulty_leaf::{Fault, Scope, When};
use crate::support::smtp::{Act, At};
use crate::support::world::{Setup, World};

/// How long anything may take before the test is said to be stuck.
const PATIENCE: Duration = Duration::from_secs(30);

async fn world() -> World {
    World::in_real_time(Setup::quick(&["Hillside Farms", "Blue Silo Dairy"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_of_start_watchdog_reload_and_stop() {
    let world = world().await;
    let systemd = world.systemd();
    let mut process = world.starts_binary_under(&systemd);
    let ready = systemd.hears("READY=1").pop().unwrap();
    assert!(ready.contains("STATUS=watching 2 credentials"), "{ready:?}");
    systemd.hears("WATCHDOG=1");
    systemd.hears("WATCHDOG=1");
    process.signal("HUP");
    let reloading = systemd.hears("RELOADING=1").pop().unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    systemd.hears("READY=1");
    process.signal("TERM");
    systemd.hears("STOPPING=1");
    let (status, _) = process.ended();
    assert_eq!(status.code(), Some(0), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_without_leaf_and_stops_in_time_while_everything_hangs() {
    let mut world = world().await;
    world.may_end_untold();
    world.smtp.always(At::Data, Act::Tarpit);
    let systemd = world.systemd();
    let mut process = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    world.revokes_access("Hillside Farms");
    let trying = async {
        while world.smtp.connections() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.unwrap();
    world.leaf.fault(Scope::All, Fault::Hang, When::always());
    world.leaf.forget_requests();
    let hanging = world.leaf.until(|asked| asked.total > 0);
    tokio::time::timeout(PATIENCE, hanging).await.unwrap();
    process.signal("TERM");
    let (status, took) = process.ended();
    assert_eq!(status.code(), Some(0), "{}", process.log());
    // Beyond that systemd kills it: the TimeoutStopSec of our units.
    assert!(took < Duration::from_secs(25), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_config_is_refused_and_told_and_the_old_one_runs_on() {
    let mut world = world().await;
    let systemd = world.systemd();
    let mut process = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    let file = world.config_file();
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        good.replace("[alerts]", "[alerts]\ngruop_wait = \"1s\""),
    )
    .unwrap();
    process.signal("HUP");
    systemd.hears("RELOADING=1");
    let told = systemd.hears("READY=1").pop().unwrap();
    assert!(told.contains("refused"), "{told}");
    world.smtp.wait_for(1);
    let mail = world.one_mail_says("WARNING: new config rejected");
    assert!(
        mail.says("gruop_wait") && mail.readers() == ["ops@example.com"],
        "{mail:#?}"
    );
    // The old one runs on.
    let swept = world.leaf.until(|asked| asked.readings >= 4);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    world.revokes_access("Hillside Farms");
    world.smtp.wait_for(2);
    world.one_mail_says("INVALID: Hillside Farms");
    std::fs::write(&file, good).unwrap();
    process.signal("HUP");
    world.smtp.wait_for(3);
    world.one_mail_says("RESOLVED: new config rejected");
    assert!(process.is_running());
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_the_unit_whether_a_restart_can_help() {
    let world = world().await;
    let systemd = world.systemd();
    let file = world.config_file();
    let first = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    let mut second = world.starts_binary();
    assert_eq!(second.ended().0.code(), Some(75), "{}", second.log());
    assert!(second.log().contains("held by another"), "{}", second.log());
    first.kill();

    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("sweep = \"1s\"", "sweep = \"often\"")).unwrap();
    let mut faulty = world.run_on(&file, &[]);
    assert_eq!(faulty.ended().0.code(), Some(78), "{}", faulty.log());
    assert!(faulty.log().contains("schedule.sweep"), "{}", faulty.log());

    let newer = rusqlite::Connection::open(world.database()).unwrap();
    let version: i64 = newer
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    let mut refused = world.starts_binary();
    assert_eq!(refused.ended().0.code(), Some(78), "{}", refused.log());
    assert!(refused.log().contains("newer"), "{}", refused.log());
    newer.pragma_update(None, "user_version", version).unwrap();
    drop(newer);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_that_notifies_says_by_its_code_whether_the_mails_were_taken() {
    let mut world = world().await;
    world.revokes_access("Hillside Farms");
    world.smtp.go_away();
    let out = world.runs(&["check", "--notify"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(69), "{said}");
    assert!(said.contains("1 mail is not accepted yet"), "{said}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("invalid"));
    // It waits in the database, and leaves with the next.
    world.smtp.come_back();
    let out = world.runs(&["check", "--notify"]);
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    world.one_mail_says("First look: 1 of 2 credentials needs attention: 1 invalid");
    let out = world.runs(&["check", "--notify"]);
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    world.nothing_more();
    // Beside a daemon it is refused: two that mail would tell twice.
    let systemd = world.systemd();
    let _daemon = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    assert_eq!(world.runs(&["check", "--notify"]).status.code(), Some(75));
    assert_eq!(world.runs(&["check"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_and_silences_typed_beside_the_daemon_hold_within_a_second() {
    let mut world = world().await;
    let systemd = world.systemd();
    let mut process = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    let out = world.runs(&[
        "silence",
        "--problem",
        "invalid",
        "--for",
        "1h",
        "--reason",
        "a new app",
    ]);
    assert!(out.status.success(), "{out:?}");
    world.revokes_access("Hillside Farms");
    let opened = async {
        while world.open_incidents().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap();
    let out = world.runs(&["ack", "1", "--reason", "I call them"]);
    assert!(out.status.success(), "{out:?}");
    let out = world.runs(&["incidents", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let incident = &shown["incidents"][0];
    assert_eq!(incident["acks"][0]["actor"], "anna");
    assert_eq!(incident["silences"][0]["actor"], "anna");
    // Several sweeps and packings later nobody was told.
    world.leaf.forget_requests();
    let swept = world.leaf.until(|asked| asked.readings >= 6);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    world.nothing_more();
    let out = world.runs(&["silence", "--end", "1"]);
    assert!(out.status.success(), "{out:?}");
    let watch = leafwatch::clock::Clock::system();
    world.smtp.wait_for(1);
    let took = watch.monotonic();
    println!("from the end of the silence to the server's 250: {took:?}");
    world.one_mail_says("INVALID: Hillside Farms");
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
}
