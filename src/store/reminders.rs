//! What reminders, caps and stragglers need to know of the mails that were sent.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::row::At;
use super::{Result, Tx};
use crate::model::{Cause, Incident, IncidentId, SweepId};
use crate::rules::notify::Mailed;
use crate::rules::waits::CauseTold;

impl Tx<'_> {
    /// The open incidents that some address was told of, with the mails about them; but for those of which something waits
    /// to be told anyway.
    pub fn told_and_open(&self) -> Result<Vec<(Incident, Mailed)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM incident i WHERE ended_at IS NULL AND EXISTS
               (SELECT 1 FROM entry e JOIN delivery d ON d.message = e.message WHERE e.incident = i.id AND d.state = 1)
             AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.incident = i.id AND n.done_at IS NULL)",
        )?;
        let ids = statement
            .query_map([], |row| Ok(IncidentId(row.get(0)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut told = Vec::with_capacity(ids.len());
        for id in ids {
            if let (Some(incident), Some(mailed)) = (self.incident(id)?, self.mailed(id)?) {
                told.push((incident, mailed));
            }
        }
        Ok(told)
    }

    /// The last mail about an incident that somebody accepted, and how many reminders running it was.
    pub fn mailed(&self, incident: IncidentId) -> Result<Option<Mailed>> {
        let mut statement = self.conn.prepare_cached(
            // A mail that waited for the mail server counts from when it got through.
            "SELECT (SELECT max(done_at) FROM delivery d WHERE d.message = e.message AND d.state = 1) AS last,
               e.telling = 'reminder'
             FROM entry e WHERE e.incident = ?1 AND last IS NOT NULL ORDER BY e.message DESC",
        )?;
        let mut rows = statement.query([incident.0])?;
        let mut mailed: Option<Mailed> = None;
        while let Some(row) = rows.next()? {
            let (At(at), reminder): (At, bool) = (row.get(0)?, row.get(1)?);
            let known = mailed.get_or_insert(Mailed {
                last: at,
                reminders: 0,
            });
            if !reminder {
                break;
            }
            known.reminders += 1;
        }
        Ok(mailed)
    }

    /// Adds a reminder for an incident, due at once.
    pub fn remind(&self, incident: IncidentId, now: Timestamp) -> Result<()> {
        self.execute(
            "INSERT INTO notice (incident, kind, at, due_at) VALUES (?1, 'reminder', ?2, ?2)",
            params![incident.0, At(now)],
        )?;
        Ok(())
    }

    /// When `address` may have one more mail, where it had `most` within the hour before `now`.
    pub(super) fn limited_until(
        &self,
        address: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        const HOUR: SignedDuration = SignedDuration::from_hours(1);
        let sql = "SELECT min(at), count(*) FROM
                     (SELECT m.at FROM delivery d JOIN message m ON m.id = d.message
                      WHERE d.address = ?1 ORDER BY d.id DESC LIMIT ?4)
                   WHERE at > ?2 AND at <= ?3";
        let most = most.max(1);
        let row = params![address, At(now - HOUR), At(now), most];
        let (oldest, packed): (Option<At>, u32) = self
            .conn
            .prepare_cached(sql)?
            .query_row(row, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let full = oldest.filter(|_| packed >= most);
        Ok(full.map(|At(at)| at + HOUR))
    }

    /// Keeps that the newest message said `key` to be a shared cause, as far as the newest sweep showed.
    pub(super) fn keep_cause(&self, message: i64, key: &str, cause: &Cause) -> Result<()> {
        let text = serde_json::to_string(cause).unwrap_or_default();
        let sweep = self.newest_sweep()?;
        let sql = "INSERT INTO cause (message, key, cause, sweep) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.execute(sql, params![message, key, text, sweep.0])?;
        Ok(())
    }

    /// Whether `address` was ever told of a shared cause.
    pub fn knows_causes(&self, address: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM cause c CROSS JOIN delivery d ON d.message = c.message AND d.address = ?1 AND d.state = 1";
        Ok(self.conn.prepare_cached(sql)?.exists([address])?)
    }

    /// When `address` was last told of the shared cause `key`, how often, and what it is; none where nothing that was
    /// told of it is open any more. What one sweep showed may take several mails, and is told once.
    pub fn cause_told(&self, key: &str, address: &str) -> Result<Option<(CauseTold, Cause)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT max(m.at), count(DISTINCT c.sweep), max(c.sweep), c.cause FROM cause c JOIN message m ON m.id = c.message
             JOIN delivery d ON d.message = c.message AND d.address = ?2 AND d.state = 1
             WHERE c.key = ?1 AND EXISTS (SELECT 1 FROM entry e JOIN incident i ON i.id = e.incident
               WHERE e.message = c.message AND i.ended_at IS NULL)",
        )?;
        let found = statement.query_row(params![key, address], |row| {
            let (at, cause): (Option<At>, Option<String>) = (row.get(0)?, row.get(3)?);
            let (times, sweep): (u32, Option<i64>) = (row.get(1)?, row.get(2)?);
            Ok((at, times, SweepId(sweep.unwrap_or_default()), cause))
        });
        let Some((Some(At(last)), times, sweep, Some(cause))) = found.optional()? else {
            return Ok(None);
        };
        let told = CauseTold { last, times, sweep };
        Ok(serde_json::from_str(&cause).ok().map(|cause| (told, cause)))
    }
}
