//! Takes out of an older database what would not be kept of upstream's texts today.

use std::borrow::Cow;

use rusqlite::{Connection, params};

use crate::rules::evidence::{self, Echo};

/// Rewrites events, what mail servers said, and the words of readings. What is as it would be kept now stays untouched.
pub(super) fn what_was_kept(conn: &Connection) -> rusqlite::Result<()> {
    events(conn)?;
    each_text(conn, "attempt", "reply", |reply| {
        evidence::reply(reply, &Echo::default()).into()
    })?;
    for column in ["status", "environment"] {
        each_text(conn, "reading", column, evidence::word)?;
    }
    each_text(conn, "reading", "scopes", |scopes| {
        let kept: Vec<_> = scopes.split(' ').map(evidence::word).collect();
        kept.join(" ").into()
    })?;
    odd_ids(conn)
}

fn events(conn: &Connection) -> rusqlite::Result<()> {
    each_text(conn, "event", "body", |body| evidence::body(body).into())?;
    each_text(conn, "event", "headers", |headers| {
        evidence::headers(headers).into()
    })
}

fn each_text(
    conn: &Connection,
    table: &str,
    column: &str,
    kept: impl Fn(&str) -> Cow<'_, str>,
) -> rusqlite::Result<()> {
    let mut read = conn.prepare(&format!(
        "SELECT rowid, {column} FROM {table} WHERE {column} <> '' AND rowid > ?1 ORDER BY rowid LIMIT 500"
    ))?;
    let mut write = conn.prepare(&format!(
        "UPDATE {table} SET {column} = ?2 WHERE rowid = ?1"
    ))?;
    let mut last = i64::MIN;
    loop {
        let rows = read.query_map([last], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let rows: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
        let Some((newest, _)) = rows.last() else {
            return Ok(());
        };
        last = *newest;
        for (row, text) in rows {
            let kept = kept(&text);
            if kept != text {
                write.execute(params![row, kept])?;
            }
        }
    }
}

/// What stands where an id belongs, and looks like none: of a credential it is forgotten, of an event it only has to be
/// another than all others.
fn odd_ids(conn: &Connection) -> rusqlite::Result<()> {
    let mut ids = conn.prepare("SELECT DISTINCT leaf_id FROM span WHERE leaf_id IS NOT NULL")?;
    let ids: Vec<String> = ids
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in ids.iter().filter(|id| !evidence::is_id(id.trim())) {
        conn.execute("UPDATE span SET leaf_id = NULL WHERE leaf_id = ?1", [id])?;
    }
    let mut ids = conn.prepare("SELECT id, identity FROM event")?;
    let ids = ids.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ids: Vec<(i64, Vec<u8>)> = ids.collect::<rusqlite::Result<_>>()?;
    for (row, identity) in ids {
        // A digest is no text.
        let odd = str::from_utf8(&identity).is_ok_and(|id| !evidence::is_id(id));
        if odd {
            conn.execute(
                "UPDATE event SET identity = randomblob(16) WHERE id = ?1",
                [row],
            )?;
        }
    }
    Ok(())
}
