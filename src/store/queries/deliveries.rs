//! Every message to every address, with what the mail server said.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{Filter, Scene};
use crate::model::{IncidentId, NoticeKind, WaitsFor, clean};
use crate::rules::availability::Period;
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::Delivery;
use crate::view::deliveries::{Attempt, DeliveryState, WaitingNotice};
use crate::view::digest::Few;

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
        mut each: impl FnMut(Delivery),
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
            each(self.delivery(now, row)?);
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
    pub fn deliveries_about(&self, now: Timestamp, incident: IncidentId) -> Result<Vec<Delivery>> {
        let mut statement = self.conn.prepare_cached(&shown(
            "JOIN entry e ON e.message = m.id WHERE e.incident = ?1 ORDER BY m.id, d.id",
        ))?;
        let mut rows = statement.query([incident.0])?;
        let mut mails = Vec::new();
        while let Some(row) = rows.next()? {
            mails.push(self.delivery(now, row)?);
        }
        Ok(mails)
    }

    /// The deliveries that failed for good in `period`, the newest first: the first `most`, and how many they are.
    pub(super) fn failed_in(
        &self,
        now: Timestamp,
        period: Period,
        most: usize,
    ) -> Result<Few<Delivery>> {
        let mut statement = self.conn.prepare_cached(&shown(
            "WHERE d.state = 2 AND d.done_at >= ?1 AND d.done_at < ?2 ORDER BY d.done_at DESC, d.id DESC",
        ))?;
        let mut rows = statement.query(params![At(period.from), At(period.until)])?;
        let mut failed = Few::of(Vec::new(), most);
        while let Some(row) = rows.next()? {
            if failed.first.len() < most {
                failed.first.push(self.delivery(now, row)?);
            }
            failed.total += 1;
        }
        Ok(failed)
    }

    /// A row of [`shown`].
    fn delivery(&self, now: Timestamp, row: &Row<'_>) -> Result<Delivery> {
        let At(packed_at) = row.get(2)?;
        let state = match row.get::<_, i64>(6)? {
            0 => DeliveryState::Waiting,
            1 => DeliveryState::Accepted,
            _ => DeliveryState::Failed,
        };
        let waiting = state == DeliveryState::Waiting;
        let (At(next_try), At(give_up)) = (row.get(8)?, row.get(9)?);
        Ok(Delivery {
            packed_at,
            subject: row.get(3)?,
            message_id: row.get(4)?,
            address: row.get(5)?,
            state,
            done_at: row.get::<_, Option<At>>(7)?.map(|At(at)| at),
            // What is due is tried as soon as the daemon comes to it.
            next_try_at: waiting.then_some(next_try.max(now)),
            give_up_at: waiting.then_some(give_up),
            incidents: self.incidents_told(row.get(1)?)?,
            attempts: self.attempts_of(row.get(0)?)?,
        })
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
