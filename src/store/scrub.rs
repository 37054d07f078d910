//! Takes out of an older database what would not be kept of upstream's texts today.

use std::sync::atomic::{AtomicU64, Ordering};

use ring::hmac;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::rules::evidence::{self, Echo};

/// How many rows are looked at one by one.
pub(super) fn rows(conn: &Connection) -> rusqlite::Result<u64> {
    let mut rows: i64 = 0;
    for table in ["event", "attempt", "reading", "step", "message"] {
        let sql = format!("SELECT count(*) FROM {table}");
        rows += conn.query_row(&sql, [], |row| row.get::<_, i64>(0))?;
    }
    Ok(rows.unsigned_abs())
}

/// Rewrites events, what mail servers said, the words of readings and what was made of them. What is as it would be kept
/// now stays untouched; mails that wait to be sent stay as they were written.
pub(super) fn what_was_kept(conn: &Connection, seen: &AtomicU64) -> rusqlite::Result<()> {
    let word = |text: &str| evidence::word(text).into_owned();
    let each = (conn, seen);
    each_text(each, "event", ["body", "headers"], |[body, headers]| {
        [evidence::body(body), evidence::headers(headers)]
    })?;
    each_text(each, "attempt", ["reply"], |[reply]| {
        [evidence::reply(reply, &Echo::default())]
    })?;
    each_text(
        each,
        "reading",
        ["status", "environment", "scopes"],
        |[status, environment, scopes]| {
            let scopes: Vec<_> = scopes.split(' ').map(word).collect();
            [word(status), word(environment), scopes.join(" ")]
        },
    )?;
    each_text(each, "step", ["why"], |[why]| [evidence::words(why)])?;
    each_text(each, "message", ["subject"], |[subject]| {
        [evidence::words(subject)]
    })?;
    subjects(conn)?;
    spans(conn)?;
    odd_identities(conn)
}

/// Rewrites `columns` of the rows of which any changes, a piece at a time: there may be millions.
fn each_text<const N: usize>(
    (conn, seen): (&Connection, &AtomicU64),
    table: &str,
    columns: [&str; N],
    kept: impl Fn([&str; N]) -> [String; N],
) -> rusqlite::Result<()> {
    let read = columns.map(|column| format!("coalesce({column}, '')"));
    let set = columns.map(|column| format!("{column} = iif({column} IS NULL, NULL, ?)"));
    let mut write = conn.prepare(&format!(
        "UPDATE {table} SET {} WHERE rowid = ?",
        set.join(", ")
    ))?;
    let sql = format!("SELECT rowid, {} FROM {table}", read.join(", "));
    by_pages(
        conn,
        &sql,
        |row| {
            seen.fetch_add(1, Ordering::Relaxed);
            let mut texts = [const { String::new() }; N];
            for (at, text) in texts.iter_mut().enumerate() {
                *text = row.get(at + 1)?;
            }
            let kept = kept(texts.each_ref().map(String::as_str));
            Ok((kept != texts).then_some(kept))
        },
        |row, kept| {
            let values = kept.iter().map(|text| text as &dyn ToSql);
            write.execute(params_from_iter(values.chain([&row as &dyn ToSql])))?;
            Ok(())
        },
    )
}

/// Reads all that `sql` finds, by rowid, and writes what `changed` makes of it between two pages.
fn by_pages<T>(
    conn: &Connection,
    sql: &str,
    changed: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<Option<T>>,
    mut write: impl FnMut(i64, T) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    const PAGE: usize = 500;
    let mut read = conn.prepare(&format!(
        "{sql} WHERE rowid > ?1 ORDER BY rowid LIMIT {PAGE}"
    ))?;
    let mut last = i64::MIN;
    loop {
        let rows = read.query_map([last], |row| Ok((row.get(0)?, changed(row)?)))?;
        let rows: Vec<(i64, Option<T>)> = rows.collect::<rusqlite::Result<_>>()?;
        let Some((newest, _)) = rows.last() else {
            return Ok(());
        };
        last = *newest;
        for (row, kept) in rows {
            if let Some(kept) = kept {
                write(row, kept)?;
            }
        }
    }
}

/// The subject of an unknown status is the word that Leaf sent. A suspicion of one begins anew.
fn subjects(conn: &Connection) -> rusqlite::Result<()> {
    for (id, subject) in subjects_in(conn, "SELECT id, subject FROM incident")? {
        let sql = "UPDATE OR IGNORE incident SET subject = ?2 WHERE id = ?1";
        // Two that are open have subjects of their own.
        if conn.execute(sql, params![id, evidence::word(&subject)])? == 0 {
            conn.execute(sql, params![id, format!("… {id}")])?;
        }
    }
    for (credential, subject) in subjects_in(conn, "SELECT credential, subject FROM suspect")? {
        conn.execute(
            "DELETE FROM suspect WHERE credential = ?1 AND kind = 'unknown_status' AND subject = ?2",
            params![credential, subject],
        )?;
    }
    Ok(())
}

fn subjects_in(conn: &Connection, select: &str) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut read = conn.prepare(&format!("{select} WHERE kind = 'unknown_status'"))?;
    let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
    let odd = |(_, subject): &(i64, String)| evidence::word(subject) != *subject;
    Ok(rows.into_iter().filter(odd).collect())
}

/// Of a credential an id that looks like none is forgotten. One pass: of the spans there may be many, of odd ones few.
fn spans(conn: &Connection) -> rusqlite::Result<()> {
    let mut read =
        conn.prepare("SELECT credential, from_sweep, leaf_id, leaf_created FROM span")?;
    let mut rows = read.query([])?;
    let mut odd = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, created): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        let kept_id = id.clone().filter(|id| evidence::is_id(id.trim()));
        let kept_created = created.as_deref().map(|at| evidence::word(at).into_owned());
        if kept_id != id || kept_created != created {
            let key: (i64, i64) = (row.get(0)?, row.get(1)?);
            odd.push((key, kept_id, kept_created));
        }
    }
    for ((credential, sweep), id, created) in odd {
        conn.execute(
            "UPDATE span SET leaf_id = ?3, leaf_created = ?4 WHERE credential = ?1 AND from_sweep = ?2",
            params![credential, sweep, id, created],
        )?;
    }
    let mut read = conn.prepare("SELECT credential, from_sweep, detail FROM gap")?;
    let mut rows = read.query([])?;
    let mut odd = Vec::new();
    while let Some(row) = rows.next()? {
        let detail: String = row.get(2)?;
        let kept = evidence::words(&detail);
        if kept != detail {
            odd.push((row.get(0)?, row.get(1)?, kept));
        }
    }
    for (credential, sweep, detail) in odd {
        let (credential, sweep): (i64, i64) = (credential, sweep);
        conn.execute(
            "UPDATE gap SET detail = ?3 WHERE credential = ?1 AND from_sweep = ?2",
            params![credential, sweep, detail],
        )?;
    }
    Ok(())
}

/// What stands where an event's id belongs and looks like none is known by the digest that it would have when read again.
fn odd_identities(conn: &Connection) -> rusqlite::Result<()> {
    let key: Option<Vec<u8>> = conn
        .query_row("SELECT fingerprint_key FROM meta", [], |row| row.get(0))
        .optional()?;
    // Whoever has read events has a key.
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.unwrap_or_default());
    let mut write = conn.prepare("UPDATE OR REPLACE event SET identity = ?2 WHERE id = ?1")?;
    by_pages(
        conn,
        "SELECT rowid, identity FROM event",
        |row| {
            let identity: Vec<u8> = row.get(1)?;
            // A digest is no text.
            let odd = str::from_utf8(&identity).is_ok_and(|id| !evidence::is_id(id));
            Ok(odd.then(|| evidence::digest(&key, &[&identity])))
        },
        |row, identity| write.execute(params![row, identity]).map(drop),
    )
}
