//! A copy made beside a running daemon: it is whole, private, answers questions, and can be put in the place of the
//! database.

use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;
use leafwatch::store::{Access, BackupError, Db};

use crate::support::world::{HOUR, MINUTE, Setup, World};

#[tokio::test]
async fn a_backup_is_restored_and_the_watch_goes_on_without_repeating_itself() {
    let mut world = World::with(Setup::of(&["Hillside Farms", "Blue Silo Dairy"])).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(20 * MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
    let copy = world.config_file().with_file_name("copy.db");
    let beside = Db::beside(&world.database(), Access::Read).unwrap();
    beside.copy_to(&copy).unwrap();
    drop(beside);
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    // The daemon writes on; the copy stays as it was.
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(20 * MINUTE).await;
    world.one_mail_says("INVALID: Blue Silo Dairy");
    let copied = Db::beside(&copy, Access::Read).unwrap();
    let open: u32 = copied
        .reader()
        .query_row(
            "SELECT count(*) FROM incident WHERE ended_at IS NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(open, 1);
    drop(copied);

    // As README says: stopped, the old one moved away with its log, the copy put in its place.
    world.connects_again("Blue Silo Dairy");
    world.time_passes(20 * MINUTE).await;
    world.one_mail_says("RESOLVED: Blue Silo Dairy");
    world.is_killed();
    let database = world.database();
    loop {
        // A daemon that was killed lets go of the lock when its writer is through.
        match Db::open(&database) {
            Ok(old) => break drop(old),
            Err(_) => tokio::task::yield_now().await,
        }
    }
    for end in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    std::fs::copy(&copy, &database).unwrap();
    world.starts().await;
    world.what_is_due().await;
    world.time_passes(HOUR).await;
    world.nothing_more();
    assert_eq!(world.open_incidents(), ["invalid"]);
    world.connects_again("Hillside Farms");
    world.time_passes(20 * MINUTE).await;
    world.one_mail_says("RESOLVED: Hillside Farms");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_copies_refuses_to_overwrite_and_the_copy_answers_questions() {
    let world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let systemd = world.systemd();
    let mut process = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    let file = world.config_file();
    let copy = file.with_file_name("copy.db");
    let run = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::cargo_bin("leafwatch").unwrap();
        command
            .env_clear()
            .args(arguments)
            .arg("--config")
            .arg(&file);
        command.envs(variable.map(|value| ("LEAFWATCH_DATABASE__PATH", value)));
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let target = copy.to_str().unwrap();
    let (code, told) = run(&["backup", target], None);
    assert_eq!(code, Some(0), "{told}");
    let before = std::fs::read(&copy).unwrap();
    let (code, told) = run(&["backup", target], None);
    assert_eq!(code, Some(64), "{told}");
    assert!(told.contains("is there already"), "{told}");
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let (code, told) = run(&["backup", "/nowhere/at/all.db"], None);
    assert_eq!(code, Some(74), "{told}");
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0));
    for question in [
        "status --all",
        "incidents",
        "report --all",
        "history hillside",
    ] {
        let words: Vec<&str> = question.split(' ').collect();
        let (code, told) = run(&words, Some(target));
        assert_eq!(code, Some(0), "{question}: {told}");
    }
    let (_, told) = run(&["status", "--all"], Some(target));
    assert!(told.contains("Hillside Farms"), "{told}");
}

#[test]
fn what_cannot_be_copied_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("leafwatch.db");
    let db = Db::open(&database).unwrap();
    db.reader()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    let copy = folder.path().join("copy.db");
    // What was copied is read again, and this program cannot read it.
    let refused = db.copy_to(&copy).unwrap_err();
    assert!(matches!(refused, BackupError::Store(_)), "{refused:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("copy"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
