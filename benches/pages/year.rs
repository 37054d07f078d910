//! A year in a database: sweeps every quarter of an hour, credentials that broke and were mended, their events and mails.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use leafwatch::model::{Provider, UserId, WatchList, WatchedUser};
use leafwatch::store::Db;
use rusqlite::Connection;

/// Sweeps of a year.
const SWEEPS: i64 = 365 * 96;
/// One of those in trouble at the end.
pub(crate) const IN_TROUBLE: u32 = 499;

/// The user with that number.
pub(crate) fn user(number: u32) -> UserId {
    let number = u128::from(number);
    UserId(uuid::Uuid::from_u128(
        0x1000_0000_0000_4000_8000_0000_0000_0000 + number,
    ))
}

/// Fills a new database; returns who is watched.
///
/// One credential in 5 broke once in the year for a day, one in 500 is broken now, one in 1000 is suspected. One in 100 has
/// 400 events. There were two blind days, and a restart a week.
pub(crate) fn fill(database: &Path, fleet: u32, now: Timestamp) -> WatchList {
    drop(Db::open(database).unwrap());
    let conn = Connection::open(database).unwrap();
    let ms = now.as_millisecond();
    let start = (now - SignedDuration::from_hours(24 * 365)).as_millisecond();
    conn.execute_batch("PRAGMA synchronous = OFF; BEGIN;")
        .unwrap();
    let mut add = conn
        .prepare("INSERT INTO credential (id, leaf_user, provider, watched, added_at, leaf_name) VALUES (?1, ?2, 'john-deere', 1, ?3, ?4)")
        .unwrap();
    for number in 0..fleet {
        let bytes = user(number).0.into_bytes();
        let name = format!("Grower {number}");
        add.execute(rusqlite::params![number + 1, &bytes[..], start, name])
            .unwrap();
    }
    drop(add);
    conn.execute_batch(&format!(
        "INSERT INTO run (id, started_at, stopped_at, version)
           WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 51)
           SELECT i + 1, {start} + i * 604800000, CASE WHEN i < 51 THEN {start} + (i + 1) * 604800000 - 5000 END, '0.1.0' FROM n;
         INSERT INTO sweep (id, run, started_at, finished_at, sight, blind, asked, answered, looks, watched_ms, interval_ms)
           WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {SWEEPS})
           SELECT i, min(52, 1 + i / 672), {start} + i * 900000 - 60000, {start} + i * 900000,
             CASE WHEN i BETWEEN 20000 AND 20190 THEN 2 ELSE 0 END, i BETWEEN 20000 AND 20190, {fleet}, {fleet}, i, i * 900000, 900000 FROM n;
         INSERT INTO reading (id, digest, status, environment, scopes) VALUES
           (1, x'01', 'OK', 'PRODUCTION', 'ag1 offline_access'), (2, x'02', 'UNAUTHENTICATED', 'PRODUCTION', 'ag1 offline_access');
         -- Who broke once: in the sweep 100 * (id / 5 % 300) + 1000, mended 96 sweeps later.
         CREATE TEMP TABLE broke AS SELECT id, 100 * (id / 5 % 300) + 1000 AS at FROM credential WHERE id % 5 = 0 AND id % 500 <> 0;
         INSERT INTO span (credential, from_sweep, from_at, to_sweep, to_at, reading, epoch)
           SELECT c.id, 1, {start} + 900000, b.at, {start} + b.at * 900000, 1, 1 FROM credential c LEFT JOIN broke b ON b.id = c.id
             WHERE c.id % 500 <> 0;
         INSERT INTO span (credential, from_sweep, from_at, to_sweep, to_at, reading, epoch)
           SELECT id, at, {start} + at * 900000, at + 96, {start} + (at + 96) * 900000, 2, 1 FROM broke;
         INSERT INTO span (credential, from_sweep, from_at, to_sweep, to_at, reading, epoch)
           SELECT id, at + 96, {start} + (at + 96) * 900000, NULL, NULL, 1, 1 FROM broke;
         INSERT INTO span (credential, from_sweep, from_at, to_sweep, to_at, reading, epoch)
           SELECT id, 1, {start} + 900000, {SWEEPS} - 200, {ms} - 180000000, 1, 1 FROM credential WHERE id % 500 = 0;
         INSERT INTO span (credential, from_sweep, from_at, to_sweep, to_at, reading, epoch)
           SELECT id, {SWEEPS} - 200, {ms} - 180000000, NULL, NULL, 2, 1 FROM credential WHERE id % 500 = 0;
         INSERT INTO incident (id, credential, track, subject, kind, began_at, opened_at, opened_sweep, kind_at, ended_at, ended_by)
           SELECT id, id, 'access', '', 'invalid', {start} + at * 900000, {start} + at * 900000, at, {start} + at * 900000,
             {start} + (at + 96) * 900000, 'proof' FROM broke;
         INSERT INTO incident (id, credential, track, subject, kind, began_at, opened_at, opened_sweep, kind_at)
           SELECT id, id, 'access', '', 'invalid', {ms} - 180000000, {ms} - 180000000, {SWEEPS} - 200, {ms} - 180000000
             FROM credential WHERE id % 500 = 0;
         INSERT INTO step (incident, at, sweep, what, kind, why) SELECT id, opened_at, opened_sweep, 'opened', kind, 'Leaf said so' FROM incident;
         INSERT INTO step (incident, at, what, kind, why) SELECT id, ended_at, 'resolved', kind, 'healthy again' FROM incident WHERE ended_at IS NOT NULL;
         INSERT INTO suspect (credential, kind, subject, began_at, began_sweep)
           SELECT id, 'missing', '', {ms}, {SWEEPS} FROM credential WHERE id % 1000 = 1;
         INSERT INTO message (id, message_id, subject, at) SELECT id, id || '@example.com', 'INVALID', opened_at FROM incident;
         INSERT INTO entry (message, incident, telling, kind, open, turn) SELECT id, id, 'opened', 'invalid', 1, 0 FROM incident;
         INSERT INTO delivery (message, address, state, tries, next_try_at, give_up_at, done_at)
           SELECT id, 'support@example.com', CASE WHEN id % 1000 = 5 THEN 2 ELSE 1 END, 1, at, at + 432000000, at FROM message;
         INSERT INTO attempt (delivery, at, server, phase, code, reply) SELECT id, done_at, 'smtp.example.com', 'accepted', 250, 'ok' FROM delivery;
         INSERT INTO event (credential, identity, at, seen_at, status_code, body, headers)
           WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
           SELECT c.id, CAST(i AS BLOB), {ms} - i * 78000000, {ms} - i * 78000000, 200 + 200 * (i < 4), '{{\"error\":\"invalid_grant\"}}', '{{}}'
             FROM credential c, n WHERE c.id % 100 = 0;
         COMMIT;"
    ))
    .unwrap();
    let users = (0..fleet).map(|number| WatchedUser {
        id: user(number),
        name: Some(format!("Grower {number}").into()),
        own: None,
    });
    WatchList::new(users.collect(), vec![Provider::JOHN_DEERE])
}
