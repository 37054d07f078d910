//! What is asked and tidied once in a while.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::row::At;
use super::{Result, Tx};

/// Rows that one call prunes at most of a table, so that no transaction is long.
const AT_ONCE: u32 = 5_000;

impl Tx<'_> {
    /// When this run began.
    pub fn run_began(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT started_at FROM run ORDER BY id DESC LIMIT 1";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(at.map(|At(at)| at))
    }

    /// How many watched credentials had no events read since `since`, of providers that have any.
    pub fn events_unread_since(&self, since: Timestamp) -> Result<u32> {
        let sql = "SELECT count(*) FROM credential WHERE watched = 1 AND coalesce(events_looked_at, added_at) < ?1
                     AND provider <> 'claas'";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([At(since)], |row| row.get(0))?)
    }

    /// Forgets events older than `events`, and all else that ended before `history`, a piece at a time.
    pub fn prune(&self, events: Timestamp, history: Timestamp) -> Result<()> {
        let by_seen = format!(
            "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE seen_at < ?1 LIMIT {AT_ONCE})"
        );
        self.execute(&by_seen, [At(events)])?;
        let old = format!(
            "SELECT id FROM message WHERE at < ?1 AND NOT EXISTS
              (SELECT 1 FROM delivery WHERE message = message.id AND state = 0) LIMIT {AT_ONCE}"
        );
        let ended = format!(
            "SELECT id FROM incident WHERE ended_at < ?1 AND NOT EXISTS
              (SELECT 1 FROM entry WHERE incident = incident.id) LIMIT {AT_ONCE}"
        );
        for sql in [
            format!("DELETE FROM attempt WHERE delivery IN (SELECT id FROM delivery WHERE message IN ({old}))"),
            format!("DELETE FROM entry WHERE message IN ({old})"),
            format!("DELETE FROM cause WHERE message IN ({old})"),
            format!("UPDATE addressee SET message = NULL, folded = 1 WHERE message IN ({old})"),
            format!("DELETE FROM delivery WHERE message IN ({old})"),
            format!("DELETE FROM message WHERE id IN (SELECT id FROM message WHERE at < ?1 AND NOT EXISTS
              (SELECT 1 FROM delivery WHERE message = message.id) LIMIT {AT_ONCE})"),
            format!("DELETE FROM addressee WHERE notice IN (SELECT id FROM notice WHERE incident IN ({ended}))"),
            format!("DELETE FROM notice WHERE incident IN ({ended})"),
            format!("DELETE FROM step WHERE incident IN ({ended})"),
            format!("DELETE FROM ack WHERE incident IN ({ended})"),
            format!("DELETE FROM incident WHERE id IN ({ended})"),
            format!("DELETE FROM silence WHERE settled = 1 AND until_at < ?1 AND id IN (SELECT id FROM silence LIMIT {AT_ONCE})"),
            format!("DELETE FROM gap WHERE (credential, from_sweep) IN
              (SELECT credential, from_sweep FROM gap WHERE to_at < ?1 LIMIT {AT_ONCE})"),
            format!("DELETE FROM span WHERE (credential, from_sweep) IN
              (SELECT credential, from_sweep FROM span WHERE to_at < ?1 LIMIT {AT_ONCE})"),
            format!("DELETE FROM sweep WHERE id IN (SELECT id FROM sweep WHERE finished_at < ?1
              AND id < coalesce((SELECT min(from_sweep) FROM span), 0)
              AND id < coalesce((SELECT min(from_sweep) FROM gap), 1 << 60) LIMIT {AT_ONCE})"),
        ] {
            self.execute(&sql, params![At(history)])?;
        }
        Ok(())
    }
}
