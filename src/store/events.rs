//! Leaf's events, kept past Leaf's own 30 days.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::row::At;
use super::{Result, Tx};
use crate::model::{CredentialId, Event};
use crate::rules::failing::Sign;

impl Tx<'_> {
    /// Keeps an event; says whether it was not kept already.
    pub fn keep_event(
        &self,
        credential: CredentialId,
        event: &Event,
        now: Timestamp,
    ) -> Result<bool> {
        let Event {
            identity,
            at,
            status_code,
            body,
            headers,
        } = event;
        let added = self.execute(
            "INSERT INTO event (credential, identity, at, seen_at, status_code, body, headers)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (credential, identity) DO NOTHING",
            params![
                credential.0,
                identity,
                at.map(At),
                At(now),
                status_code,
                body,
                headers
            ],
        )?;
        Ok(added > 0)
    }

    /// Notes that a credential's events were read.
    pub fn events_were_read(&self, credential: CredentialId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE credential SET events_looked_at = ?2 WHERE id = ?1";
        self.execute(sql, params![credential.0, At(now)])?;
        Ok(())
    }

    /// Marks a failure as part of a short breakage between two healthy looks.
    pub fn mark_brief(&self, credential: CredentialId, identity: &[u8]) -> Result<()> {
        let sql = "UPDATE event SET brief = 1 WHERE credential = ?1 AND identity = ?2";
        self.execute(sql, params![credential.0, identity])?;
        Ok(())
    }

    /// What the events of a time (both ends included) say about the credential.
    pub(super) fn signs(
        &self,
        credential: CredentialId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Sign>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT identity, at, status_code, body, '' FROM event WHERE credential = ?1 AND at BETWEEN ?2 AND ?3
             ORDER BY at DESC LIMIT 200",
        )?;
        let mut rows = statement.query(params![credential.0, At(since), At(until)])?;
        let mut signs = Vec::new();
        while let Some(row) = rows.next()? {
            signs.extend(Sign::of(&event(row)?));
        }
        Ok(signs)
    }

    /// The newest events of a credential, newest first; those without a date by when they were seen.
    pub fn newest_events(&self, credential: CredentialId, limit: u32) -> Result<Vec<Event>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT identity, at, status_code, body, headers FROM event WHERE credential = ?1
             ORDER BY coalesce(at, seen_at) DESC, id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![credential.0, limit], event)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        identity: row.get(0)?,
        at: row.get::<_, Option<At>>(1)?.map(|At(at)| at),
        status_code: row.get(2)?,
        body: row.get(3)?,
        headers: row.get(4)?,
    })
}
