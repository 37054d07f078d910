//! What is stored under a clock that is set back. Nothing moves when it is set forward.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::row::At;
use super::{Result, Tx};
use crate::rules::notify;

/// Where it is written down when something happened, by our clock.
const HAPPENED: &[(&str, &[&str])] = &[
    ("run", &["started_at", "stopped_at"]),
    ("sweep", &["started_at", "finished_at"]),
    ("credential", &["added_at", "events_looked_at"]),
    ("span", &["from_at", "to_at"]),
    ("gap", &["from_at", "to_at"]),
    ("event", &["seen_at"]),
    ("suspect", &["began_at"]),
    (
        "incident",
        &["began_at", "opened_at", "kind_at", "well_at", "ended_at"],
    ),
    ("step", &["at"]),
    ("ack", &["at", "ended_at"]),
    ("silence", &["at", "ended_at", "settled"]),
    ("notice", &["at", "done_at"]),
    ("message", &["at"]),
    ("delivery", &["done_at"]),
    ("attempt", &["at"]),
];

impl Tx<'_> {
    /// Nothing that happened lies ahead of `now`, whatever a clock that was wrong wrote down. Only for who knows that the
    /// clock is right *now*: under one that is years slow, this would make one moment of the whole past.
    pub fn nothing_happened_after(&self, now: Timestamp) -> Result<()> {
        self.execute(
            "UPDATE ack SET until_at = ?1 + until_at - at WHERE ended_at IS NULL AND at > ?1",
            [At(now)],
        )?;
        for (table, columns) in HAPPENED {
            for column in *columns {
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {column} > ?1");
                self.execute(&sql, [At(now)])?;
            }
        }
        Ok(())
    }

    /// Nothing waits longer than it ever would, whichever clock was wrong; asked at the start and when the clock was set
    /// back. What is wanted for a time of the calendar (silences) keeps it. `wait` is how long a notice waits.
    pub fn shorten_waits(&self, wait: Duration, now: Timestamp) -> Result<()> {
        let most = |length: Duration| At(now + length);
        self.execute(
            "UPDATE notice SET due_at = CASE WHEN at > ?1 THEN min(?1 + due_at - at, ?2) ELSE ?2 END
             WHERE done_at IS NULL AND done_as IS NULL AND (at > ?1 OR due_at > ?2)",
            params![At(now), most(wait)],
        )?;
        self.execute(
            "UPDATE notice SET due_at = ?1 WHERE done_at IS NULL AND done_as = 'untold' AND due_at > ?1",
            [most(notify::UNTOLD_AGAIN)],
        )?;
        // Nobody can tell how much of a retry's wait is left; one try more hurts nobody.
        self.path_is_open(now)?;
        self.execute(
            "UPDATE delivery SET give_up_at = ?1 WHERE state = 0 AND give_up_at > ?1",
            [At(notify::give_up_at(now))],
        )?;
        Ok(())
    }
}
