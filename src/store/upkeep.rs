//! What is asked and tidied once in a while.

use jiff::Timestamp;
use rusqlite::params;

use super::row::At;
use super::{Result, Tx};

/// Rows that one call prunes at most of a table, so that no transaction is long.
const AT_ONCE: u32 = 5_000;

impl Tx<'_> {
    /// How many watched credentials had no events read since `since`, of providers that have any.
    pub fn events_unread_since(&self, since: Timestamp) -> Result<u32> {
        let sql = "SELECT count(*) FROM credential WHERE watched = 1 AND coalesce(events_looked_at, added_at) < ?1
                     AND provider <> 'claas'";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([At(since)], |row| row.get(0))?)
    }

    /// Forgets events and the bytes of mails older than `events`, and all else that ended before `history`, a piece at a
    /// time. Says whether more is left to forget.
    pub fn prune(&self, events: Timestamp, history: Timestamp) -> Result<bool> {
        let by_seen = format!(
            "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE seen_at < ?1 LIMIT {AT_ONCE})"
        );
        let mut most = self.execute(&by_seen, [At(events)])?;
        let bytes = format!(
            "UPDATE message SET bytes = NULL WHERE id IN (SELECT id FROM message WHERE at < ?1 AND bytes IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = message.id AND state = 0) LIMIT {AT_ONCE})"
        );
        most = most.max(self.execute(&bytes, [At(events)])?);
        // Who was told of what is open is to hear of its end, however long it takes.
        let old = format!(
            "SELECT id FROM message WHERE at < ?1
              AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = message.id AND state = 0)
              AND NOT EXISTS (SELECT 1 FROM entry e JOIN incident i ON i.id = e.incident
                WHERE e.message = message.id AND i.ended_at IS NULL) LIMIT {AT_ONCE}"
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
            format!("DELETE FROM silence WHERE settled > 0 AND until_at < ?1 AND id IN (SELECT id FROM silence LIMIT {AT_ONCE})"),
            format!("DELETE FROM gap WHERE (credential, from_sweep) IN
              (SELECT credential, from_sweep FROM gap WHERE to_at < ?1 LIMIT {AT_ONCE})"),
            format!("DELETE FROM span WHERE (credential, from_sweep) IN
              (SELECT credential, from_sweep FROM span WHERE to_at < ?1 LIMIT {AT_ONCE})"),
            format!("DELETE FROM sweep WHERE id IN (SELECT id FROM sweep WHERE finished_at < ?1
              AND id < coalesce((SELECT min(from_sweep) FROM span), 0)
              AND id < coalesce((SELECT min(from_sweep) FROM gap), 1 << 60) LIMIT {AT_ONCE})"),
        ] {
            most = most.max(self.execute(&sql, params![At(history)])?);
        }
        Ok(most >= AT_ONCE as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Db, NewMessage};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn old_mails_lose_their_bytes_but_none_that_still_has_to_go_out() {
        let mut db = Db::in_memory().unwrap();
        let kept = db.write(|tx| {
            for (message_id, day) in [("<waiting@x>", "01"), ("<sent@x>", "01"), ("<new@x>", "03")]
            {
                let new = NewMessage {
                    message_id,
                    subject: "still open",
                    bytes: b"To: anna",
                    entries: &[],
                    causes: &[],
                    addresses: &[format!("{message_id}.anna@example.com")],
                    give_up_at: at("2026-03-09T00:00:00Z"),
                };
                tx.keep_message(&new, at(&format!("2026-03-{day}T00:00:00Z")))?;
            }
            tx.execute(
                "UPDATE delivery SET state = 1 WHERE address NOT LIKE '<waiting%'",
                [],
            )?;
            let more = tx.prune(at("2026-03-02T00:00:00Z"), at("2026-01-01T00:00:00Z"))?;
            assert!(!more, "all is forgotten that is to be");
            let mut statement = tx
                .conn
                .prepare("SELECT message_id FROM message WHERE bytes IS NOT NULL")?;
            let kept = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok::<_, crate::store::Error>(kept.collect::<rusqlite::Result<Vec<_>>>()?)
        });
        assert_eq!(kept.unwrap(), ["<waiting@x>", "<new@x>"]);
    }

    #[test]
    fn what_is_more_than_one_piece_is_forgotten_in_several() {
        let mut db = Db::in_memory().unwrap();
        let rounds = db.write(|tx| {
            tx.execute("INSERT INTO credential (id, leaf_user, provider, watched, added_at) VALUES (1, x'00', 'cnhi', 1, 0)", [])?;
            let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= ?1)
                        INSERT INTO event (credential, identity, seen_at, body, headers) SELECT 1, CAST(i AS BLOB), 0, '', '' FROM n";
            tx.execute(many, [AT_ONCE])?;
            let until = at("2026-03-02T00:00:00Z");
            Ok::<_, crate::store::Error>([tx.prune(until, until)?, tx.prune(until, until)?])
        });
        assert_eq!(rounds.unwrap(), [true, false]);
    }
}
