//! The schema is an append-only list of steps; `user_version` says how many were taken.

use std::path::Path;

use rusqlite::Connection;

use super::{Error, Result, scrub};

/// Never edited once released: a change is a new step at the end.
const STEPS: &[Step] = &[
    Step::sql(include_str!("schema_1.sql")),
    Step::sql(include_str!("schema_2.sql")),
    Step {
        sql: include_str!("schema_3.sql"),
        rewrite: scrub::what_was_kept,
    },
];

/// What brings the schema from one version to the next.
struct Step {
    sql: &'static str,
    /// What SQL cannot say of the rows that are there; in the same transaction, after it.
    rewrite: fn(&Connection) -> rusqlite::Result<()>,
}

impl Step {
    const fn sql(sql: &'static str) -> Step {
        Step {
            sql,
            rewrite: |_| Ok(()),
        }
    }
}

/// Marks the file as ours ("LeaW"), so that another program's database is not taken for it.
const APPLICATION_ID: i32 = 0x4c65_6157;

/// Brings the database to the newest schema; each step is its own transaction.
///
/// # Errors
/// [`Error::Refused`] where it is newer than this program, or another program's.
pub(super) fn to_newest(conn: &Connection, path: &Path) -> Result<()> {
    let version = refuse_unknown(conn, path)?;
    for (number, step) in STEPS.iter().enumerate().skip(version) {
        take(conn, step, number + 1).inspect_err(|_| {
            // The failed step's transaction must not stay open; a second failure adds nothing to the first.
            let _ = conn.execute_batch("ROLLBACK");
        })?;
    }
    if (1..STEPS.len()).contains(&version) {
        // What was overwritten shall not lie about in the file's gaps. Without the room for it on the disk, or beside a
        // reader, that is not worth refusing the database for.
        let _ = conn.execute_batch("VACUUM");
    }
    Ok(())
}

fn take(conn: &Connection, step: &Step, number: usize) -> rusqlite::Result<()> {
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {}", step.sql))?;
    (step.rewrite)(conn)?;
    conn.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
    ))
}

/// Makes sure that a reader finds the schema it was built for.
pub(super) fn require_current(conn: &Connection, path: &Path) -> Result<()> {
    let version = refuse_unknown(conn, path)?;
    if version < STEPS.len() {
        return Err(Error::Refused {
            database: path.to_owned(),
            why: format!(
                "its schema {version} is older than this program's {}",
                STEPS.len()
            ),
            advice: "start the daemon of this version once, it brings the schema up to date",
        });
    }
    Ok(())
}

/// Makes sure that the database is ours and not newer than this program, and says how many steps it has taken; only
/// reads.
pub(super) fn refuse_unknown(conn: &Connection, path: &Path) -> Result<usize> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let refused = |why: String, advice| {
        Err(Error::Refused {
            database: path.to_owned(),
            why,
            advice,
        })
    };
    if (tables > 0 || application != 0) && application != APPLICATION_ID {
        return refused(
            "it belongs to another program".to_owned(),
            "set database.path to a file of its own",
        );
    }
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(version),
        _ => refused(
            format!(
                "its schema {version} is newer than this program's {}",
                STEPS.len()
            ),
            "install the newer leafwatch again, or restore a backup made before it",
        ),
    }
}
