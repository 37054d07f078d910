//! The database read, deleted and replaced by somebody else while the real daemon has it open. The test's own process
//! is the foreign one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::support::site::say_skipped;
use crate::support::world::{Process, Setup, World};

/// How long anything may take before the test is said to be stuck.
const PATIENCE: Duration = Duration::from_secs(60);

async fn world() -> World {
    World::in_real_time(Setup::quick(&["Hillside Farms", "Blue Silo Dairy"])).await
}

/// The files of the database that the daemon holds open though nobody else can reach them.
fn unreachable(process: &Process) -> Vec<PathBuf> {
    let all = process.open_files();
    let lost = |file: &&PathBuf| file.to_string_lossy().contains("leafwatch.db");
    let lost = all.iter().filter(lost);
    lost.filter(|file| file.to_string_lossy().ends_with(" (deleted)"))
        .cloned()
        .collect()
}

const SELECT: &str = "SELECT count(*) FROM credential";

/// Reads a table and lets go of the database: with this SQLite, and with that of the system, where its command is
/// installed.
fn foreign_select(database: &Path) {
    let foreign = Connection::open(database).unwrap();
    let count = foreign.query_row(SELECT, [], |row| row.get::<_, u32>(0));
    assert_eq!(count.unwrap(), 2);
    drop(foreign);
    let command = Command::new("sqlite3").arg(database).arg(SELECT).output();
    match command {
        Ok(said) => assert_eq!(String::from_utf8_lossy(&said.stdout), "2\n", "{said:?}"),
        Err(_) => say_skipped("no sqlite3 here; apt-get install sqlite3"),
    }
}

/// Whether somebody else could have the file to himself. SQLite below 3.51 then takes itself for the last one who has
/// the database open, and removes the log; newer ones look twice.
fn is_unlocked(database: &Path) -> bool {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(database)
        .unwrap();
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_reader_takes_nothing_from_the_daemon() {
    let mut world = world().await;
    let systemd = world.systemd();
    let mut process = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    world.leaf.until(|asked| asked.total > 4).await;
    for _ in 0..3 {
        assert!(!is_unlocked(&world.database()), "SQLite's locks are gone");
        foreign_select(&world.database());
        assert_eq!(unreachable(&process), Vec::<PathBuf>::new());
    }
    // What is told after it is in the file, for whoever reads it.
    world.revokes_access("Hillside Farms");
    world.smtp.wait_for(1);
    world.one_mail_says("INVALID: Hillside Farms");
    let foreign = Connection::open(world.database()).unwrap();
    let open: u32 = foreign
        .query_row(
            "SELECT count(*) FROM incident WHERE ended_at IS NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(open, 1);
    drop(foreign);
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
    // And it is told once.
    let _again = world.starts_binary_under(&systemd);
    systemd.hears("READY=1");
    world.leaf.forget_requests();
    let swept = world.leaf.until(|asked| asked.total > 6);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    world.nothing_more();
}

/// A daemon with a page, which has told that Hillside Farms is invalid.
async fn after_a_mail(world: &mut World) -> (Process, String) {
    let page = [("LEAFWATCH_WEB__LISTEN", "127.0.0.1:0")];
    let process = world.run_on(&world.config_file(), &page);
    let address = process.page();
    world.leaf.until(|asked| asked.total > 4).await;
    world.revokes_access("Hillside Farms");
    world.smtp.wait_for(1);
    world.one_mail_says("INVALID: Hillside Farms");
    (process, address)
}

/// Asks until it is not well, and says so in these words.
async fn sick(page: &str, words: &str) {
    let client = reqwest::Client::new();
    let asking = async {
        loop {
            let asked = client.get(format!("{page}healthz")).send().await;
            let answer = asked.unwrap_or_else(|_| panic!("it ended before it said {words:?}"));
            let status = answer.status();
            if answer.text().await.unwrap().contains(words) {
                return assert_eq!(status, 503);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
}

fn rescues(world: &World) -> Vec<PathBuf> {
    let folder = world.database().parent().unwrap().to_owned();
    let all = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all
        .filter(|path| path.to_string_lossy().contains("leafwatch.db.rescued-"))
        .collect();
    all.sort();
    all
}

fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Nothing more is told by another run, though it looks again and again.
async fn tells_nothing_twice(world: &mut World) {
    let mut again = world.starts_binary();
    world.leaf.forget_requests();
    let swept = world.leaf.until(|asked| asked.total > 6);
    tokio::time::timeout(PATIENCE, swept).await.unwrap();
    world.nothing_more();
    world.connects_again("Hillside Farms");
    world.smtp.wait_for(3);
    world.one_mail_says("RESOLVED: Hillside Farms");
    again.signal("TERM");
    assert_eq!(again.ended().0.code(), Some(0), "{}", again.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_database_is_saved_told_and_never_begun_anew_beside_what_was_saved() {
    let mut world = world().await;
    world.may_see_storage_faults();
    let database = world.database();
    let (mut process, page) = after_a_mail(&mut world).await;
    // With its log, its lock file and its folder.
    std::fs::remove_dir_all(database.parent().unwrap()).unwrap();
    let gone = format!("commit: the database {} was deleted", database.display());
    sick(&page, &gone).await;
    let (status, _) = process.ended();
    assert_eq!(status.code(), Some(74), "{}", process.log());
    let saved = rescues(&world);
    let [rescue] = &saved[..] else {
        panic!("{saved:?}")
    };
    let mail = world.one_mail_says("WARNING: database not writable");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    let words = mail.text.split_whitespace().collect::<String>();
    assert!(words.contains(rescue.to_str().unwrap()), "{}", mail.text);
    assert!(process.log().contains(rescue.to_str().unwrap()));
    let mode = std::fs::metadata(rescue).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    // Whoever starts it again is told what to do, and finds no empty database in the place of the lost one.
    for touched in [false, true] {
        if touched {
            std::fs::write(&database, "").unwrap();
        }
        let mut refused = world.starts_binary();
        assert_eq!(refused.ended().0.code(), Some(78), "{}", refused.log());
        let log = refused.log();
        assert!(
            log.contains(rescue.to_str().unwrap()) && log.contains("move it"),
            "{log}"
        );
        assert_eq!(database.exists(), touched);
    }
    std::fs::rename(rescue, &database).unwrap();
    tells_nothing_twice(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_lost_database_cannot_be_saved_the_daemon_lives_on() {
    let mut world = world().await;
    world.may_see_storage_faults();
    let folder = world.database().parent().unwrap().to_owned();
    let (mut process, page) = after_a_mail(&mut world).await;
    // A file where the folder was: nothing can be written there.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    process.logs("What is open cannot be saved beside it");
    world.smtp.wait_for(2);
    let mail = world.one_mail_says("WARNING: database not writable");
    assert!(
        mail.says("would be lost if Leafwatch stopped"),
        "{}",
        mail.text
    );
    sick(&page, "commit: the database").await;
    assert!(process.is_running());
    std::fs::remove_file(&folder).unwrap();
    let (status, _) = process.ended();
    assert_eq!(status.code(), Some(74), "{}", process.log());
    let saved = rescues(&world);
    std::fs::rename(&saved[0], world.database()).unwrap();
    tells_nothing_twice(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_database_is_saved_and_what_stands_in_its_place_is_left_alone() {
    let mut world = world().await;
    world.may_see_storage_faults();
    let database = world.database();
    let (mut process, page) = after_a_mail(&mut world).await;
    // Somebody moves another database there, and is at work on it.
    let other = database.with_file_name("other.db");
    let foreign = Connection::open(&other).unwrap();
    foreign
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE recipe (title TEXT)")
        .unwrap();
    drop(foreign);
    std::fs::rename(&other, &database).unwrap();
    let before = std::fs::read(&database).unwrap();
    sick(&page, "was replaced by another file").await;
    let (status, _) = process.ended();
    assert_eq!(status.code(), Some(74), "{}", process.log());
    assert!(std::fs::read(&database).unwrap() == before, "touched");
    // The log of the lost one would be taken for that of the other.
    for end in ["-wal", "-shm"] {
        assert!(!beside(&database, end).exists(), "{end}");
    }
    world.one_mail_says("WARNING: database not writable");
    let mut refused = world.starts_binary();
    assert_eq!(refused.ended().0.code(), Some(78), "{}", refused.log());
    let saved = rescues(&world);
    std::fs::rename(&saved[0], &database).unwrap();
    tells_nothing_twice(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_log_loses_nothing() {
    let mut world = world().await;
    world.may_see_storage_faults();
    let (mut process, _) = after_a_mail(&mut world).await;
    std::fs::remove_file(beside(&world.database(), "-wal")).unwrap();
    let (status, _) = process.ended();
    assert_eq!(status.code(), Some(74), "{}", process.log());
    world.one_mail_says("WARNING: database not writable");
    assert_eq!(rescues(&world).len(), 1);
    tells_nothing_twice(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_lock_file_lets_no_second_daemon_in_and_is_told() {
    let mut world = world().await;
    world.may_see_storage_faults();
    let (mut process, page) = after_a_mail(&mut world).await;
    std::fs::remove_file(beside(&world.database(), ".lock")).unwrap();
    let mut second = world.starts_binary();
    assert_eq!(second.ended().0.code(), Some(75), "{}", second.log());
    assert!(process.is_running());
    sick(&page, "commit: the lock file").await;
    let (status, _) = process.ended();
    assert_eq!(status.code(), Some(74), "{}", process.log());
    world.one_mail_says("WARNING: database not writable");
    assert_eq!(rescues(&world), Vec::<PathBuf>::new(), "nothing was lost");
    tells_nothing_twice(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_moved_away_and_back_is_no_loss() {
    let mut world = world().await;
    world.may_see_storage_faults();
    let database = world.database();
    let (mut process, page) = after_a_mail(&mut world).await;
    let away = database.with_file_name("away.db");
    std::fs::rename(&database, &away).unwrap();
    sick(&page, "commit: the database").await;
    std::fs::rename(&away, &database).unwrap();
    process.logs("it is back in its place");
    assert!(process.is_running());
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
    assert_eq!(rescues(&world), Vec::<PathBuf>::new());
}
