//! The schema is an append-only list of steps; `user_version` says how many were taken.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::{Error, Result, scrub};
use crate::clock::Clock;
use crate::view::words;

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
    /// What SQL cannot say of the rows that are there; in the same transaction, after it. Counts the rows it has seen.
    rewrite: fn(&Connection, &AtomicU64) -> rusqlite::Result<()>,
}

impl Step {
    const fn sql(sql: &'static str) -> Step {
        Step {
            sql,
            rewrite: |_, _| Ok(()),
        }
    }
}

/// Marks the file as ours ("LeaW"), so that another program's database is not taken for it.
const APPLICATION_ID: i32 = 0x4c65_6157;

/// Brings the database to the newest schema; each step is its own transaction.
///
/// # Errors
/// [`Error::Refused`] where it is newer than this program, or another program's.
pub(super) fn to_newest(conn: &mut Connection, path: &Path) -> Result<()> {
    let version = refuse_unknown(conn, path)?;
    let seen = Arc::new(AtomicU64::new(0));
    if !(1..STEPS.len()).contains(&version) {
        return take_from(conn, version, &seen);
    }
    let clock = Clock::system();
    let rows = scrub::rows(conn)?;
    tracing::info!(
        "bringing the database {} from schema {version} to {}: {} rows are looked at, which may take a while",
        path.display(),
        STEPS.len(),
        words::number(rows)
    );
    let mut progress = Progress {
        rows,
        told: clock.monotonic(),
    };
    let (counted, ticking) = (seen.clone(), clock.clone());
    let tell = move || {
        let seen = counted.load(Ordering::Relaxed);
        if let Some(line) = progress.line(seen, ticking.monotonic()) {
            tracing::info!("{line}");
        }
        false
    };
    conn.progress_handler(VM_STEPS, Some(tell))?;
    let taken = take_from(conn, version, &seen);
    if taken.is_ok() {
        // What was overwritten shall not lie about in the file's gaps. Without the room for it on the disk, or beside a
        // reader, that is not worth refusing the database for.
        let _ = conn.execute_batch("VACUUM");
    }
    conn.progress_handler(0, None::<fn() -> bool>)?;
    taken?;
    let took = words::duration(clock.monotonic());
    tracing::info!(
        "the database {} has schema {} now; that took {took}",
        path.display(),
        STEPS.len()
    );
    Ok(())
}

/// Steps of SQLite's machine between two looks at the clock: some milliseconds.
const VM_STEPS: std::ffi::c_int = 100_000;

/// Tells now and then how far it is, so that whoever waits for the daemon to start does not take it for stuck.
struct Progress {
    rows: u64,
    told: Duration,
}

impl Progress {
    /// What to tell at `mono`, where it is time to.
    fn line(&mut self, seen: u64, mono: Duration) -> Option<String> {
        const EVERY: Duration = Duration::from_secs(10);
        if mono.saturating_sub(self.told) < EVERY {
            return None;
        }
        self.told = mono;
        Some(format!(
            "bringing the database up to date for {}: {} of {} rows looked at",
            words::duration(mono),
            words::number(seen),
            words::number(self.rows)
        ))
    }
}

fn take_from(conn: &Connection, version: usize, seen: &AtomicU64) -> Result<()> {
    for (number, step) in STEPS.iter().enumerate().skip(version) {
        take(conn, step, number + 1, seen).inspect_err(|_| {
            // The failed step's transaction must not stay open; a second failure adds nothing to the first.
            let _ = conn.execute_batch("ROLLBACK");
        })?;
    }
    Ok(())
}

fn take(conn: &Connection, step: &Step, number: usize, seen: &AtomicU64) -> rusqlite::Result<()> {
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {}", step.sql))?;
    (step.rewrite)(conn, seen)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_every_ten_seconds_how_far_it_is() {
        let mut progress = Progress {
            rows: 5_000_000,
            told: Duration::ZERO,
        };
        let told: Vec<String> = (0..100)
            .filter_map(|n| progress.line(n * 50_000, Duration::from_millis(n * 250)))
            .collect();
        assert_eq!(
            told,
            [
                "bringing the database up to date for 10 s: 2,000,000 of 5,000,000 rows looked at",
                "bringing the database up to date for 20 s: 4,000,000 of 5,000,000 rows looked at",
            ]
        );
    }
}
