//! Runs and sweeps: one small row each, with counters whose differences tell looks and watched time.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::row::{At, millis};
use super::{Result, Tx};
use crate::model::{SweepEnd, SweepId};
use crate::rules::availability::Period;

/// One run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(pub(super) i64);

/// What a sweep counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Credentials asked.
    pub asked: u32,
    /// Of these, those that Leaf answered about.
    pub answered: u32,
    /// Denied.
    pub denied: u32,
    /// Given up after retries.
    pub later: u32,
    /// Not understood.
    pub broken: u32,
    /// Answered, and healthy when the sweep began.
    pub were_healthy: u32,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Whole, given up or stopped.
    pub end: SweepEnd,
    /// Whether an account condition was true.
    pub blind: bool,
    /// What it counted.
    pub counts: Counts,
    /// Monotonic time since the full sweep before it ended in the same run; zero for the first.
    pub elapsed: Duration,
    /// How far apart full sweeps are to be now.
    pub interval: Duration,
}

impl Tx<'_> {
    /// Notes that the daemon started; a run without an end was killed, and so were its sweeps.
    pub fn begin_run(&self, version: &str, now: Timestamp) -> Result<RunId> {
        let id = self.insert(
            "INSERT INTO run (started_at, version) VALUES (?1, ?2)",
            params![At(now), version],
        )?;
        Ok(RunId(id))
    }

    /// Notes that it stopped in order.
    pub fn end_run(&self, run: RunId, now: Timestamp) -> Result<()> {
        self.execute(
            "UPDATE run SET stopped_at = ?2 WHERE id = ?1",
            params![run.0, At(now)],
        )?;
        Ok(())
    }

    /// Begins a sweep; `second` is a second look at suspects only.
    pub fn begin_sweep(&self, run: RunId, second: bool, now: Timestamp) -> Result<SweepId> {
        let id = self.insert(
            "INSERT INTO sweep (run, second, started_at, looks, watched_ms)
             VALUES (?1, ?2, ?3, coalesce((SELECT looks FROM sweep ORDER BY id DESC LIMIT 1), 0),
               coalesce((SELECT watched_ms FROM sweep ORDER BY id DESC LIMIT 1), 0))",
            params![run.0, second, At(now)],
        )?;
        Ok(SweepId(id))
    }

    /// Writes down how far a sweep is, with something that had to be written anyway.
    pub fn note_progress(&self, sweep: SweepId, counts: Counts) -> Result<()> {
        self.execute(
            "UPDATE sweep SET asked = ?2, answered = ?3, were_healthy = ?4 WHERE id = ?1 AND finished_at IS NULL",
            params![sweep.0, counts.asked, counts.answered, counts.were_healthy],
        )?;
        Ok(())
    }

    /// Ends a sweep. Time counts as watched between two sweeps running that were whole and not blind; a second look moves
    /// no counter.
    pub fn end_sweep(&self, sweep: SweepId, finished: Finished, now: Timestamp) -> Result<()> {
        let clear = finished.end == SweepEnd::Whole && !finished.blind;
        let before_clear = self
            .conn
            .prepare_cached(
                "SELECT before.sight = 0 AND before.blind = 0 AND before.run = this.run
                 FROM sweep this JOIN sweep before ON before.id = (SELECT max(id) FROM sweep WHERE id < this.id AND second = 0)
                 WHERE this.id = ?1",
            )?
            .query_row([sweep.0], |row| row.get(0))
            .optional()?
            .unwrap_or(false);
        let watched = if clear && before_clear {
            finished.elapsed
        } else {
            Duration::ZERO
        };
        let Counts {
            asked,
            answered,
            denied,
            later,
            broken,
            were_healthy,
        } = finished.counts;
        self.execute(
            "UPDATE sweep SET finished_at = ?2, sight = ?3, blind = ?4, asked = ?5, answered = ?6, denied = ?7,
               later = ?8, broken = ?9, were_healthy = ?10,
               watched_ms = watched_ms + CASE WHEN second = 0 THEN ?11 ELSE 0 END,
               looks = looks + CASE WHEN ?3 = 0 AND second = 0 THEN 1 ELSE 0 END, interval_ms = ?12
             WHERE id = ?1",
            params![
                sweep.0,
                At(now),
                finished.end,
                finished.blind,
                asked,
                answered,
                denied,
                later,
                broken,
                were_healthy,
                millis(watched),
                millis(finished.interval)
            ],
        )?;
        Ok(())
    }

    /// From when to when the last whole sweep was, in any run.
    pub fn last_whole_sweep(&self) -> Result<Option<Period>> {
        let sql = "SELECT started_at, finished_at FROM sweep WHERE sight = 0 AND second = 0 ORDER BY id DESC LIMIT 1";
        let lasted = self.conn.prepare_cached(sql)?.query_row([], |row| {
            let (At(from), At(until)) = (row.get(0)?, row.get(1)?);
            Ok(Period { from, until })
        });
        Ok(lasted.optional()?)
    }

    /// The first sweep that was whole, in any run, and when it ended: what opened until then was so at the first look.
    pub fn first_whole_sweep(&self) -> Result<Option<(SweepId, Timestamp)>> {
        let sql = "SELECT id, finished_at FROM sweep WHERE sight = 0 AND second = 0 AND finished_at IS NOT NULL ORDER BY id LIMIT 1";
        let first = self.conn.prepare_cached(sql)?.query_row([], |row| {
            let At(ended) = row.get(1)?;
            Ok((SweepId(row.get(0)?), ended))
        });
        Ok(first.optional()?)
    }

    /// Whether no sweep was whole yet, and the newest was not given up: it runs, or was cut off and is begun anew.
    pub(super) fn is_first_sweep(&self) -> Result<bool> {
        let sql = "SELECT finished_at IS NULL OR sight = 3 FROM sweep WHERE second = 0 ORDER BY id DESC LIMIT 1";
        let goes_on = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(goes_on.unwrap_or(false) && self.first_whole_sweep()?.is_none())
    }

    /// Whether a sweep ended whole from `sweep` on, before `later` began.
    pub(super) fn was_whole_between(&self, sweep: SweepId, later: SweepId) -> Result<bool> {
        let sql = "SELECT 1 FROM sweep WHERE id >= ?1 AND id < ?2 AND sight = 0 AND second = 0 AND finished_at IS NOT NULL";
        Ok(self.conn.prepare_cached(sql)?.exists([sweep.0, later.0])?)
    }

    /// Whether a sweep of this run was whole; asked by its number, since the clock may have been set meanwhile.
    pub fn has_looked(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM sweep WHERE run = (SELECT max(id) FROM run)
                     AND id = (SELECT id FROM sweep WHERE sight = 0 AND second = 0 ORDER BY id DESC LIMIT 1)";
        Ok(self.conn.prepare_cached(sql)?.exists([])?)
    }

    /// When the program last showed that it lived, in any run; `now`, where it waits as long as Leaf asked it to.
    pub fn last_alive(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "SELECT max(at) FROM (
              SELECT max(started_at, coalesce(finished_at, 0)) AS at FROM sweep WHERE id = (SELECT max(id) FROM sweep)
            UNION ALL SELECT stopped_at FROM run WHERE id = (SELECT max(id) FROM run)
            UNION ALL SELECT min(until_at, ?1) FROM pause)";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([At(now)], |row| row.get(0))?;
        Ok(at.map(|At(at)| at.min(now)))
    }

    /// Whether a sweep of this run ended, whole or given up: what stood of the account before was seen anew.
    pub fn has_swept(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM sweep WHERE run = (SELECT max(id) FROM run)
                     AND finished_at IS NOT NULL AND sight <> 3 AND second = 0";
        Ok(self.conn.prepare_cached(sql)?.exists([])?)
    }

    /// When the sweep that runs now began.
    pub fn running_sweep(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT s.started_at FROM sweep s JOIN run r ON r.id = s.run
                   WHERE s.id = (SELECT max(id) FROM sweep) AND s.finished_at IS NULL
                     AND r.id = (SELECT max(id) FROM run) AND r.stopped_at IS NULL";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(at.map(|At(at)| at))
    }

    /// The newest sweep's number, finished or not; incidents that open between sweeps are dated by it.
    pub fn newest_sweep(&self) -> Result<SweepId> {
        let sql = "SELECT coalesce(max(id), 0) FROM sweep";
        Ok(SweepId(
            self.conn
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))?,
        ))
    }

    /// What the newest sweep has counted so far.
    pub fn newest_counts(&self) -> Result<Counts> {
        let sql = "SELECT asked, answered, denied, later, broken, were_healthy FROM sweep ORDER BY id DESC LIMIT 1";
        let counts = self.conn.prepare_cached(sql)?.query_row([], |row| {
            Ok(Counts {
                asked: row.get(0)?,
                answered: row.get(1)?,
                denied: row.get(2)?,
                later: row.get(3)?,
                broken: row.get(4)?,
                were_healthy: row.get(5)?,
            })
        });
        Ok(counts.optional()?.unwrap_or_default())
    }

    /// Notes until when Leaf asked us to wait.
    pub fn keep_pause(&self, until: Timestamp) -> Result<()> {
        let sql = "INSERT INTO pause (id, until_at) VALUES (1, ?1) ON CONFLICT DO UPDATE SET until_at = excluded.until_at";
        self.execute(sql, [At(until)])?;
        Ok(())
    }

    /// The pause is over: Leaf is asked again.
    pub fn end_pause(&self) -> Result<()> {
        self.execute("DELETE FROM pause", [])?;
        Ok(())
    }

    /// Until when Leaf asked us to wait, where that is not over.
    pub fn paused_until(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "SELECT until_at FROM pause WHERE until_at > ?1";
        let until: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([At(now)], |row| row.get(0))
            .optional()?;
        Ok(until.map(|At(until)| until))
    }

    /// When `job` was last done; ahead of now where the clock was set back since.
    pub fn last_done(&self, job: &str) -> Result<Option<Timestamp>> {
        let sql = "SELECT at FROM done WHERE job = ?1";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([job], |row| row.get(0))
            .optional()?;
        Ok(at.map(|At(at)| at))
    }

    /// Notes that `job` was done.
    pub fn mark_done(&self, job: &str, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO done (job, at) VALUES (?1, ?2) ON CONFLICT (job) DO UPDATE SET at = excluded.at";
        self.execute(sql, params![job, At(now)])?;
        Ok(())
    }
}
