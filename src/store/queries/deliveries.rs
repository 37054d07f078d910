//! Every message to every address, with what the mail server said.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{Filter, Scene};
use crate::model::{IncidentId, NoticeKind, WaitsFor, clean};
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::deliveries::{Attempt, Line, State, WaitingNotice};

/// The longest reply that is shown; servers say a lot.
const REPLY: usize = 1000;

fn shown(which: &str) -> String {
    format!(
        "SELECT d.id, m.id, m.at, m.subject, m.message_id, d.address, d.state, d.done_at, d.next_try_at, d.give_up_at
         FROM delivery d JOIN message m ON m.id = d.message {which}"
    )
}

impl Tx<'_> {
    /// Calls `each` for every delivery of a message packed since `filter.since`, and for every one that still waits:
    /// the newest message first. `filter.provider` picks the messages that tell of one of its credentials.
    pub fn each_delivery(
        &self,
        now: Timestamp,
        filter: Filter,
        address: Option<&str>,
        mut each: impl FnMut(Line),
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(&shown(
            "WHERE (m.at >= ?1 OR d.state = 0) AND (?2 IS NULL OR d.address = ?2 COLLATE NOCASE)
               AND (?3 IS NULL OR EXISTS (SELECT 1 FROM entry e JOIN incident i ON i.id = e.incident
                 JOIN credential c ON c.id = i.credential WHERE e.message = m.id AND c.provider = ?3))
             ORDER BY m.id DESC, d.id",
        ))?;
        let since = filter
            .since
            .map_or(i64::MIN, |since| since.as_millisecond());
        let mut rows = statement.query(params![since, address, filter.provider.map(Word)])?;
        while let Some(row) = rows.next()? {
            each(self.delivery_line(now, row)?);
        }
        Ok(())
    }

    /// All that no mail tells yet, or `only` what one address is to hear: to whom, and why it waits. What is not addressed yet is addressed as soon as the daemon
    /// comes to it.
    pub fn waiting_notices(
        &self,
        scene: &Scene<'_>,
        only: Option<&str>,
    ) -> Result<Vec<WaitingNotice>> {
        let mut notices = Vec::new();
        self.each_waiting(scene, only, |address, item, wait| {
            notices.push(WaitingNotice {
                incident: item.incident,
                notice: match item.news.into() {
                    // It is over, whoever was told before.
                    NoticeKind::Brief => NoticeKind::Resolved,
                    notice => notice,
                },
                address: Some(address.to_owned()),
                waits_for: wait.waits_for,
                due_at: wait.until,
            });
        })?;
        let sql = "SELECT incident, kind, due_at FROM notice WHERE done_at IS NULL AND routed = 0 ORDER BY id";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (Word(notice), At(due)) = (row.get(1)?, row.get(2)?);
            let due = Some(due).filter(|due| *due > scene.now);
            notices.push(WaitingNotice {
                incident: IncidentId(row.get(0)?),
                notice,
                address: None,
                waits_for: due.map_or(WaitsFor::Packing, |_| WaitsFor::Company),
                due_at: due,
            });
        }
        Ok(notices)
    }

    /// Every mail that tells of an incident, to every address: the oldest first.
    pub fn deliveries_about(&self, now: Timestamp, incident: IncidentId) -> Result<Vec<Line>> {
        let mut statement = self.conn.prepare_cached(&shown(
            "JOIN entry e ON e.message = m.id WHERE e.incident = ?1 ORDER BY m.id, d.id",
        ))?;
        let mut rows = statement.query([incident.0])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(self.delivery_line(now, row)?);
        }
        Ok(lines)
    }

    /// A row of [`shown`].
    fn delivery_line(&self, now: Timestamp, row: &Row<'_>) -> Result<Line> {
        let mut line = delivery(row)?;
        // What is due is tried as soon as the daemon comes to it.
        line.next_try_at = line.next_try_at.map(|next| next.max(now));
        line.attempts = self.attempts_of(row.get(0)?)?;
        line.incidents = self.incidents_told(row.get(1)?)?;
        Ok(line)
    }

    fn attempts_of(&self, delivery: i64) -> Result<Vec<Attempt>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT at, server, phase, code, reply FROM attempt WHERE delivery = ?1 ORDER BY at, rowid",
        )?;
        let rows = statement.query_map([delivery], |row| {
            let At(at) = row.get(0)?;
            Ok(Attempt {
                at,
                server: row.get(1)?,
                phase: row.get(2)?,
                code: row.get(3)?,
                reply: clean(&row.get::<_, String>(4)?, REPLY),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn incidents_told(&self, message: i64) -> Result<Vec<IncidentId>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT incident FROM entry WHERE message = ?1 ORDER BY incident")?;
        let rows = statement.query_map([message], |row| Ok(IncidentId(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Line> {
    let At(packed_at) = row.get(2)?;
    let state = match row.get::<_, i64>(6)? {
        0 => State::Waiting,
        1 => State::Accepted,
        _ => State::Failed,
    };
    let waiting = state == State::Waiting;
    let (At(next_try), At(give_up)) = (row.get(8)?, row.get(9)?);
    Ok(Line {
        packed_at,
        subject: row.get(3)?,
        message_id: row.get(4)?,
        address: row.get(5)?,
        state,
        done_at: row.get::<_, Option<At>>(7)?.map(|At(at)| at),
        next_try_at: waiting.then_some(next_try),
        give_up_at: waiting.then_some(give_up),
        incidents: Vec::new(),
        attempts: Vec::new(),
    })
}
