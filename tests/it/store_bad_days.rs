//! The database on bad days: held by another, damaged, foreign, newer, locked, full.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leafwatch::model::{Answer, Credential};
use leafwatch::store::{Access, Db, Error, Tx};
use rusqlite::Connection;

use crate::support::desk::{deere, reading};
use crate::support::world::{Setup, World};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leafwatch.db");
    (folder, path)
}

fn now() -> jiff::Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn watch(db: &mut Db, number: u128) -> Result<(), Error> {
    db.write(|tx| tx.watch(deere(number), now()).map(drop))
}

fn watched(db: &mut Db) -> Vec<Credential> {
    let mut all = Vec::new();
    let each = |tx: &Tx<'_>| tx.each_credential(|one, _| all.push(one.credential));
    db.read(each).unwrap();
    all
}

fn refusal(path: &Path) -> String {
    let before = fs::read(path).unwrap();
    let mode = fs::metadata(path).unwrap().permissions().mode();
    let error = Db::open(path).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(fs::read(path).unwrap() == before, "touched: {error}");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode(), mode);
    error.to_string()
}

#[test]
fn what_was_written_is_there_after_the_next_open() {
    let (_folder, path) = folder();
    for number in 0..3 {
        let mut db = Db::open(&path).unwrap();
        watch(&mut db, number).unwrap();
        assert_eq!(watched(&mut db).len() as u128, number + 1);
    }
}

#[test]
fn it_is_for_its_user_alone_and_safe_on_disk() {
    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut db = Db::open(&path).unwrap();
    watch(&mut db, 1).unwrap();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
    let pragma = |name: &str| -> String {
        let value = db
            .reader()
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        format!("{:?}", value.unwrap())
    };
    assert_eq!(pragma("journal_mode"), r#"Text("wal")"#);
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("foreign_keys"), "Integer(1)");
    assert_eq!(pragma("auto_vacuum"), "Integer(2)");
}

#[test]
fn a_row_that_points_nowhere_is_refused() {
    let (_folder, path) = folder();
    let disk = Db::open(&path).unwrap();
    for db in [disk, Db::in_memory().unwrap()] {
        let orphan = "INSERT INTO step (incident, at, what, kind, why) VALUES (99, 0, 'opened', 'invalid', '')";
        let error = db.reader().execute(orphan, []).unwrap_err();
        assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    }
}

#[test]
fn a_second_daemon_is_told_who_has_it() {
    let (_folder, path) = folder();
    let first = Db::open(&path).unwrap();
    let error = Db::open(&path).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("leafwatch.db.lock"), "{error}");
    drop(first);
    Db::open(&path).unwrap();
}

#[test]
fn a_second_daemon_is_kept_out_where_the_lock_file_was_deleted() {
    let (folder, path) = folder();
    let _first = Db::open(&path).unwrap();
    fs::remove_file(folder.path().join("leafwatch.db.lock")).unwrap();
    let error = Db::open(&path).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
}

#[test]
fn a_rescue_has_all_that_was_committed_and_no_files_beside_it() {
    let (folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    let lock = db.lock().unwrap();
    assert_eq!(lock.displaced(), None);
    watch(&mut db, 1).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(lock.displaced().unwrap().is_database());
    let first = db.rescue(&lock, now()).unwrap();
    // What is written after it is in the next one, which has the same name.
    watch(&mut db, 2).unwrap();
    let later = now() + jiff::SignedDuration::from_secs(60);
    assert_eq!(db.rescue(&lock, later).unwrap(), first);
    db.let_go(&lock).unwrap();
    drop(db);
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["leafwatch.db.lock", "leafwatch.db.rescued-20260302T080000Z"]
    );
    drop(lock);
    let refused = Db::open(&path).unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    assert!(refused.to_string().contains(first.to_str().unwrap()));
    fs::rename(&first, &path).unwrap();
    assert_eq!(watched(&mut Db::open(&path).unwrap()), [deere(1), deere(2)]);
}

#[test]
fn a_newer_schema_is_refused_untouched_by_daemon_and_reader() {
    let (_folder, path) = folder();
    drop(Db::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let text = refusal(&path);
    assert!(text.contains("schema 99 is newer"), "{text}");
    let beside = Db::beside(&path, Access::Read).unwrap_err();
    assert!(beside.to_string().contains("schema 99"), "{beside}");
}

#[test]
fn what_a_newer_daemon_left_in_its_log_stays_there() {
    let (folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    watch(&mut db, 1).unwrap();
    db.reader().pragma_update(None, "user_version", 99).unwrap();
    // As a kill leaves it: the log beside the database, not folded in.
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(
        folder.path().join("leafwatch.db-wal"),
        folder.path().join("copy.db-wal"),
    )
    .unwrap();
    let wal = fs::read(folder.path().join("copy.db-wal")).unwrap();
    refusal(&copy);
    assert!(fs::read(folder.path().join("copy.db-wal")).unwrap() == wal);
}

#[test]
fn a_damaged_file_is_refused_untouched() {
    let (_folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    (0..200).for_each(|number| watch(&mut db, number).unwrap());
    drop(db);
    let whole = fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn[4096 * 3..4096 * 4].fill(0xa5);
    let half_a_page = whole[..whole.len() - 2048].to_vec();
    let half = whole[..(whole.len() / 2 / 4096) * 4096].to_vec();
    let no_database =
        b"this is a diary, and no database at all; it goes on for a while".repeat(100);
    for (what, bytes) in [
        ("torn", torn),
        ("half a page", half_a_page),
        ("half", half),
        ("first page", whole[..4096].to_vec()),
        ("a diary", no_database),
        ("a short diary", b"dear diary".to_vec()),
    ] {
        fs::write(&path, bytes).unwrap();
        let text = refusal(&path);
        assert!(
            text.contains("damaged") || text.contains("not an SQLite"),
            "{what}: {text}"
        );
        assert!(text.contains("restore a backup"), "{what}: {text}");
    }
}

#[test]
fn another_programs_database_is_refused_untouched() {
    let (_folder, path) = folder();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE recipe (title TEXT); INSERT INTO recipe VALUES ('soup')")
        .unwrap();
    drop(conn);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let text = refusal(&path);
    assert!(text.contains("another program"), "{text}");
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "application_id", 77).unwrap();
    conn.execute_batch("DROP TABLE recipe").unwrap();
    drop(conn);
    assert!(refusal(&path).contains("another program"));
}

#[test]
fn what_cannot_be_opened_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no such folder/leafwatch.db");
    for path in [folder.path(), &nowhere] {
        for error in [
            Db::open(path).unwrap_err(),
            Db::beside(path, Access::Read).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(matches!(error, Error::Unopened { .. }), "{error:?}");
            assert!(text.contains(path.to_str().unwrap()), "{text}");
        }
    }
}

/// For root nothing is read-only by its mode, and these tests may run as root.
fn modes_bind(folder: &Path) -> bool {
    let probe = folder.join("probe");
    fs::write(&probe, "").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o400)).unwrap();
    fs::OpenOptions::new().write(true).open(&probe).is_err()
}

#[test]
fn a_file_that_may_not_be_written_is_told_at_once() {
    let (folder, path) = folder();
    drop(Db::open(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    match Db::open(&path) {
        Err(error) => {
            assert!(modes_bind(folder.path()));
            assert!(matches!(error, Error::Unopened { .. }), "{error:?}");
        }
        Ok(_) => assert!(!modes_bind(folder.path())),
    }
    // A connection that may only read finds out at its first write, whoever runs it.
    let mut reader = Db::beside(&path, Access::Read).unwrap();
    let error = watch(&mut reader, 1).unwrap_err();
    assert!(matches!(error, Error::Unwritable(_)), "{error:?}");
}

#[test]
fn a_write_waits_for_anothers_lock_and_then_says_so() {
    let (_folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    db.reader().busy_timeout(Duration::from_millis(5)).unwrap();
    let error = watch(&mut db, 1).unwrap_err();
    assert!(matches!(error, Error::Unwritable(_)), "{error:?}");
    // Reading goes on, and the write is done once the other is.
    assert!(watched(&mut db).is_empty());
    other.execute_batch("COMMIT").unwrap();
    watch(&mut db, 1).unwrap();
    assert_eq!(watched(&mut db).len(), 1);
}

#[test]
fn a_full_disk_takes_nothing_by_halves() {
    let (_folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    let pages: u32 = (db.reader())
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let most = |db: &Db, pages: u32| {
        let set = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
        (db.reader()).pragma_update_and_check(None, "max_page_count", pages, set)
    };
    most(&db, pages + 2).unwrap();
    let many =
        |tx: &Tx<'_>| (0..10_000).try_for_each(|number| tx.watch(deere(number), now()).map(drop));
    let error = db.write(many).unwrap_err();
    assert!(matches!(error, Error::Unwritable(_)), "{error:?}");
    assert!(watched(&mut db).is_empty());
    most(&db, 1_000_000).unwrap();
    db.write(many).unwrap();
    assert_eq!(watched(&mut db).len(), 10_000);
}

#[test]
fn a_reader_beside_sees_what_is_committed_and_holds_nobody_up() {
    let (_folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    watch(&mut db, 1).unwrap();
    let mut reader = Db::beside(&path, Access::Read).unwrap();
    reader
        .read(|tx| {
            let count = |tx: &Tx<'_>| {
                let mut count = 0;
                tx.each_credential(|_, _| count += 1).map(|()| count)
            };
            assert_eq!(count(tx)?, 1);
            watch(&mut db, 2)?;
            assert_eq!(count(tx)?, 1, "one consistent state");
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(watched(&mut reader).len(), 2);
    let mut annotator = Db::beside(&path, Access::Annotate).unwrap();
    watch(&mut annotator, 3).unwrap();
    assert_eq!(watched(&mut db).len(), 3);
}

#[test]
fn an_older_schema_is_for_the_daemon_to_bring_up_to_date() {
    let (_folder, path) = folder();
    let mut db = Db::open(&path).unwrap();
    watch(&mut db, 1).unwrap();
    let newest: u32 = (db.reader())
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    db.reader()
        .pragma_update(None, "user_version", newest - 1)
        .unwrap();
    let error = Db::beside(&path, Access::Read).unwrap_err();
    assert!(
        error.to_string().contains("older than this program's"),
        "{error}"
    );
}

/// It may take minutes, and nobody shall take it for stuck.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_brings_an_older_database_up_to_date_says_so() {
    let world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    fs::create_dir_all(world.database().parent().unwrap()).unwrap();
    let conn = Connection::open(world.database()).unwrap();
    conn.execute_batch(&format!(
        "{} {} PRAGMA application_id = {}; PRAGMA user_version = 2;
         INSERT INTO run VALUES (1, 0, NULL, '0.1.0');
         INSERT INTO message (id, message_id, subject, at) VALUES (1, '<a@b>', 's', 0);",
        include_str!("../../src/store/schema_1.sql"),
        include_str!("../../src/store/schema_2.sql"),
        0x4c65_6157,
    ))
    .unwrap();
    drop(conn);
    let mut process = world.run_on(&world.config_file(), &[]);
    process.logs("from schema 2 to 3: 1 rows are looked at");
    process.logs("has schema 3 now; that took");
    process.signal("TERM");
    process.ended();
}

/// What an older version kept of texts from outside is scrubbed by the step that brings its database up to date.
#[test]
fn events_of_an_older_version_are_scrubbed_on_the_way_up() {
    const TOKEN: &str = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl";
    let (_folder, path) = folder();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "{} {} PRAGMA application_id = {}; PRAGMA user_version = 2;
         INSERT INTO run VALUES (1, 0, NULL, '0.1.0');
         INSERT INTO sweep (id, run, started_at, finished_at, sight, looks, watched_ms) VALUES (1, 1, 0, 1, 0, 1, 0);
         INSERT INTO credential VALUES (1, x'10000000000040008000000000000001', 'john-deere', 1, 0, NULL, NULL);
         INSERT INTO reading VALUES (1, x'00', 'INVALID {TOKEN}', '{TOKEN}', 'ag1 {TOKEN}', NULL, NULL);
         INSERT INTO span VALUES (1, 1, 0, NULL, NULL, 1, 1, NULL, '{TOKEN}', NULL);
         INSERT INTO message (id, message_id, subject, at) VALUES (1, '<a@b>', 's', 0);
         INSERT INTO delivery (id, message, address, state, next_try_at, give_up_at) VALUES (1, 1, 'a@b', 0, 0, 0);
         INSERT INTO attempt VALUES (1, 0, 'mail:25', 'auth', 535, '5.7.8 no: {TOKEN}');
         INSERT INTO meta VALUES (1, x'07', 0);
         INSERT INTO gap VALUES (1, 1, 0, NULL, NULL, 2, 'odd {TOKEN}');
         INSERT INTO suspect (credential, kind, subject, began_at, began_sweep) VALUES (0, 'unknown_status', '{TOKEN}', 0, 1);
         INSERT INTO incident (id, credential, track, subject, kind, began_at, opened_at, opened_sweep, kind_at)
           VALUES (1, 0, 'own', '{TOKEN}', 'unknown_status', 0, 0, 1, 0);
         INSERT INTO step (incident, at, what, kind, why) VALUES (1, 0, 'opened', 'unknown_status', 'says {TOKEN}');
         INSERT INTO message (id, message_id, subject, at) VALUES (2, '<b@b>', 'Leaf says {TOKEN}', 0);
         INSERT INTO notice (id, incident, kind, at, due_at, routed) VALUES (1, 1, 'opened', 0, 0, 1);
         INSERT INTO addressee VALUES (1, 'Anna@b', 'r', 2, 0), (1, 'anna@b', 'r', NULL, 0);",
        include_str!("../../src/store/schema_1.sql"),
        include_str!("../../src/store/schema_2.sql"),
        0x4c65_6157,
    ))
    .unwrap();
    for n in 0..1_200 {
        let body =
            format!(r#"{{"error":"invalid_grant","session":"pw-{n}","refresh_token":"{TOKEN}"}}"#);
        let headers = format!("{{Set-Cookie=[sid=pw-{n}], Retry-After=[5]}}");
        conn.execute(
            "INSERT INTO event (credential, identity, at, seen_at, status_code, body, headers) VALUES (1, ?1, 0, 0, 400, ?2, ?3)",
            rusqlite::params![format!("e{n}").into_bytes(), body, headers],
        )
        .unwrap();
    }
    conn.execute(
        "UPDATE event SET identity = ?1 WHERE id = 1",
        [TOKEN.as_bytes()],
    )
    .unwrap();
    drop(conn);
    let mut db = Db::open(&path).unwrap();
    let events = db
        .read(|tx| tx.newest_events(leafwatch::model::CredentialId(1), 5_000))
        .unwrap();
    assert_eq!(events.len(), 1_200);
    for event in &events {
        assert_eq!(
            event.body,
            r#"{"error":"invalid_grant","session":"…","refresh_token":"…"}"#
        );
        assert_eq!(event.headers, "Retry-After: 5");
    }
    let kept = |identity: &str| {
        events
            .iter()
            .any(|event| event.identity == identity.as_bytes())
    };
    assert!(kept("e7") && !kept(TOKEN));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7]);
    let read_again = leafwatch::rules::evidence::digest(&key, &[TOKEN.as_bytes()]);
    assert!(events.iter().any(|event| event.identity == read_again));
    drop(db);
    let twins = Connection::open(&path).unwrap();
    let twins: (String, i64) = twins
        .query_row("SELECT address, message FROM addressee", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(twins, ("anna@b".to_owned(), 2));
    let bytes = std::fs::read(&path).unwrap();
    let leaked = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(!leaked("eyJhbGci") && !leaked("pw-7"));
    assert!(leaked("5.7.8 no: "));
}

/// The schema as it was first released, with a row in each table that later steps may touch.
#[test]
fn rows_of_the_first_schema_live_through_all_later_steps() {
    let (_folder, path) = folder();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "{} PRAGMA application_id = {}; PRAGMA user_version = 1;
         INSERT INTO run VALUES (1, 0, NULL, '0.1.0');
         INSERT INTO sweep (id, run, started_at, finished_at, sight, looks, watched_ms) VALUES (1, 1, 0, 1, 0, 1, 0);
         INSERT INTO credential VALUES (1, x'10000000000040008000000000000001', 'john-deere', 1, 0, NULL, NULL);
         INSERT INTO reading VALUES (1, x'00', 'INVALID', 'PRODUCTION', '', NULL, NULL);
         INSERT INTO span VALUES (1, 1, 0, NULL, NULL, 1, 1, NULL, 'one', NULL);
         INSERT INTO incident (id, credential, track, subject, kind, began_at, opened_at, opened_sweep, kind_at)
           VALUES (1, 1, 'access', '', 'invalid', 0, 0, 1, 0);
         INSERT INTO suspect (credential, kind, subject, began_at, began_sweep) VALUES (1, 'missing', '', 0, 1);
         INSERT INTO event (id, credential, identity, at, seen_at, status_code, body, headers)
           VALUES (1, 1, x'01', 0, 0, 200, '', '');
         INSERT INTO step VALUES (1, 1, 0, 1, 'opened', 'invalid', 'so Leaf says');
         INSERT INTO notice (id, incident, kind, at, due_at) VALUES (1, 1, 'opened', 0, 60000);",
        include_str!("../../src/store/schema_1.sql"),
        0x4c65_6157,
    ))
    .unwrap();
    drop(conn);
    for _ in 0..2 {
        let mut db = Db::open(&path).unwrap();
        assert_eq!(watched(&mut db), [deere(1)]);
        let policy = crate::support::desk::policy();
        let id = leafwatch::model::CredentialId(1);
        let known = db.read(|tx| tx.known(id, &policy, now(), now())).unwrap();
        assert_eq!(known.incidents.len(), 1);
        assert_eq!(
            known.standing.map(|standing| standing.answer),
            Some(Answer::Reading(reading("INVALID")))
        );
        assert_eq!(known.suspects.len(), 1);
        let logged = "SELECT provider FROM logs_success";
        let logged: String = (db.reader())
            .query_row(logged, [], |row| row.get(0))
            .unwrap();
        assert_eq!(logged, "john-deere");
        assert_eq!(db.read(|tx| tx.due_notices(now())).unwrap().len(), 1);
    }
}

/// What the second schema kept otherwise: notices set aside by a silence, doubt without its addressees, addresses as they
/// were spelt, and causes without the sweep that was told.
#[test]
fn what_waited_under_the_second_schema_waits_on() {
    let (_folder, path) = folder();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "{} {} PRAGMA application_id = {}; PRAGMA user_version = 2;
         INSERT INTO run VALUES (1, 0, NULL, '0.1.0');
         INSERT INTO sweep (id, run, started_at, finished_at, sight, looks, watched_ms)
           VALUES (1, 1, 0, 1, 0, 1, 0), (2, 1, 900, 901, 0, 2, 900), (3, 1, 1800, 1801, 0, 3, 1800);
         INSERT INTO credential VALUES (1, x'10000000000040008000000000000001', 'john-deere', 1, 0, NULL, NULL);
         INSERT INTO incident (id, credential, track, subject, kind, began_at, opened_at, opened_sweep, kind_at, doubted)
           VALUES (1, 1, 'access', '', 'invalid', 900, 900, 2, 900, 1),
                  (2, 0, 'own', 'Anna@Example.com', 'delivery_failed', 900, 900, 2, 900, 0);
         INSERT INTO notice (id, incident, kind, at, due_at, routed, done_at, done_as)
           VALUES (1, 1, 'opened', 900, 900, 1, 950, 'told'),
                  (2, 1, 'changed', 1000, 253402207200000, 0, NULL, 'silenced');
         INSERT INTO message (id, message_id, subject, at) VALUES (1, '<1>', 'INVALID', 950);
         INSERT INTO addressee VALUES (1, 'Anna@Example.com', 'alerts.to', 1, 0), (1, 'bob@example.com', 'notify', 1, 0);
         INSERT INTO delivery VALUES (1, 1, 'Anna@Example.com', 1, 1, 950, 9999, 951), (2, 1, 'bob@example.com', 1, 1, 950, 9999, 951);
         INSERT INTO cause VALUES (1, 'invalid/john-deere/', '{{\"cause\":\"grower_must_reconnect\"}}'),
                                  (1, 'missing/john-deere/', '{{\"cause\":\"unexplained\"}}');",
        include_str!("../../src/store/schema_1.sql"),
        include_str!("../../src/store/schema_2.sql"),
        0x4c65_6157,
    ))
    .unwrap();
    drop(conn);
    let db = Db::open(&path).unwrap();
    let column = |sql: &str| -> Vec<String> {
        let mut statement = db.reader().prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let waiting = "SELECT incident || ' ' || kind || ' ' || due_at FROM notice WHERE done_at IS NULL ORDER BY id";
    assert_eq!(column(waiting), ["1 changed 1000", "1 opened 900"]);
    for table in ["addressee", "delivery"] {
        let addresses = column(&format!("SELECT address FROM {table} ORDER BY 1"));
        assert_eq!(
            addresses,
            ["anna@example.com", "bob@example.com"],
            "{table}"
        );
    }
    assert_eq!(
        column("SELECT subject FROM incident WHERE id = 2"),
        ["anna@example.com"]
    );
    let swept = column("SELECT CAST(sweep AS TEXT) FROM cause");
    assert_eq!(swept, ["2"], "the newest sweep when it was told");
}

/// Sweeps of a database that did not keep how far apart they were to be: every quarter of an hour, then once a day, with a
/// restart, an hour in which Leaf was away, two days off and a clock that was set back between them.
#[test]
fn sweeps_of_an_older_schema_get_the_interval_that_they_kept() {
    const MINUTES: i64 = 60_000;
    const DAY: i64 = 24 * 60;
    let (_folder, path) = folder();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "{} {} PRAGMA application_id = {}; PRAGMA user_version = 2; INSERT INTO run VALUES (1, 0, NULL, '0.1.0');",
        include_str!("../../src/store/schema_1.sql"),
        include_str!("../../src/store/schema_2.sql"),
        0x4c65_6157,
    ))
    .unwrap();
    let mut add = conn
        .prepare("INSERT INTO sweep (run, second, started_at, finished_at, sight, looks, watched_ms) VALUES (1, ?1, ?2, ?2, 0, 0, 0)")
        .unwrap();
    // A quarter of an hour apart; in minutes 300 to 305 a restart and a second look, then two days off.
    let often: Vec<i64> = (0..40).map(|n| n * 15).collect();
    let again = (0..40).map(|n| 2 * DAY + 600 + n * 15);
    // The clock is set back by two hours, and then one sweep a day.
    let back = (0..20).map(|n| 2 * DAY + 1080 + n * 15);
    let daily = (0..20).map(|n| 5 * DAY + n * DAY);
    let all: Vec<i64> = often
        .into_iter()
        .chain(again)
        .chain(back)
        .chain(daily)
        .collect();
    for at in &all {
        add.execute([0, at * MINUTES]).unwrap();
        if *at == 300 {
            add.execute([0, 302 * MINUTES]).unwrap();
            add.execute([1, 305 * MINUTES]).unwrap();
        }
    }
    drop(add);
    drop(conn);
    drop(Db::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    let mut kept = conn
        .prepare("SELECT started_at / 60000, interval_ms / 60000 FROM sweep WHERE second = 0 ORDER BY id")
        .unwrap();
    let kept: Vec<(i64, i64)> = kept
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(kept.len(), 121);
    let (before, after) = kept.split_at(kept.iter().position(|(at, _)| *at >= 5 * DAY).unwrap());
    // Around a restart a little less: a look that holds to the next is enough.
    for (at, interval) in before {
        assert!((13..=15).contains(interval), "minute {at}: {interval}");
    }
    assert_eq!(
        before.iter().filter(|(_, interval)| *interval < 15).count(),
        0
    );
    // The first of the daily ones knows of both.
    let slow: Vec<i64> = after.iter().map(|(_, interval)| *interval).collect();
    assert!(
        slow[2..].iter().all(|interval| *interval == DAY),
        "{slow:?}"
    );
    assert!(
        slow.iter()
            .all(|interval| (15..=3 * DAY).contains(interval)),
        "{slow:?}"
    );
}

#[test]
fn a_lone_sweep_of_an_older_schema_holds_for_the_usual_interval() {
    let (_folder, path) = folder();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "{} PRAGMA application_id = {}; PRAGMA user_version = 1; INSERT INTO run VALUES (1, 0, NULL, '0.1.0');
         INSERT INTO sweep (id, run, started_at, finished_at, sight, looks, watched_ms) VALUES (1, 1, 0, 1, 0, 1, 0);",
        include_str!("../../src/store/schema_1.sql"),
        0x4c65_6157,
    ))
    .unwrap();
    drop(conn);
    let db = Db::open(&path).unwrap();
    let sql = "SELECT interval_ms FROM sweep";
    let kept: i64 = db.reader().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 15 * 60_000);
}
