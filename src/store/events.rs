//! Leaf's events, kept past Leaf's own 30 days.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::row::At;
use super::{Result, Tx};
use crate::model::{Answer, Cause, CredentialId, Environment, Event, EventVerdict, Kind, Policy};
use crate::rules::diagnose::{self, Findings};
use crate::rules::failing::Sign;
use crate::rules::incidents::Epoch;

/// Events that a diagnosis is made from.
const TELLING: u32 = 20;

/// Why a credential is in trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The likely cause; none for trouble that has none.
    pub cause: Option<Cause>,
    /// The events that may say so, newest first, those that failed before the others.
    pub events: Vec<Event>,
}

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
        let is_new = added > 0;
        if is_new && event.verdict() == EventVerdict::Success {
            self.execute(
                "INSERT INTO logs_success SELECT provider FROM credential WHERE id = ?1 ON CONFLICT DO NOTHING",
                [credential.0],
            )?;
        }
        Ok(is_new)
    }

    /// Whether Leaf ever logged a success of the credential's provider.
    pub(super) fn logs_success(&self, credential: CredentialId) -> Result<bool> {
        let sql = "SELECT 1 FROM credential JOIN logs_success USING (provider) WHERE id = ?1";
        Ok(self.conn.prepare_cached(sql)?.exists([credential.0])?)
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
        // Some fail every few seconds: the bound is far above what a spread of an hour takes.
        let mut statement = self.conn.prepare_cached(
            "SELECT identity, at, status_code, body, '' FROM event WHERE credential = ?1 AND at BETWEEN ?2 AND ?3
               AND (status_code BETWEEN 200 AND 299 OR status_code IN (400, 401, 403))
             ORDER BY at DESC LIMIT 5000",
        )?;
        let mut rows = statement.query(params![credential.0, At(since), At(until)])?;
        let mut signs = Vec::new();
        while let Some(row) = rows.next()? {
            signs.extend(Sign::of(&event(row)?));
        }
        Ok(signs)
    }

    /// Why a credential is in trouble of `kind` that began at `began_at` (by our clock), as far as what Leaf says of it
    /// now and its events tell: the only way to a cause, for whoever names one.
    pub fn diagnosis(
        &self,
        credential: CredentialId,
        (kind, began_at): (Kind, Timestamp),
        expected: Option<Environment>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Diagnosis> {
        let (standing, epoch) = self.standing(credential)?;
        let reading = match standing.map(|standing| standing.answer) {
            Some(Answer::Reading(reading)) => Some(reading),
            _ => None,
        };
        let events = match diagnose::asks_events(kind) {
            true => self.telling_events(credential, began_at, &epoch, policy, now)?,
            false => Vec::new(),
        };
        let cause = diagnose::diagnose(&Findings {
            kind,
            reading: reading.as_ref(),
            events: &events,
            expected,
        });
        Ok(Diagnosis { cause, events })
    }

    /// The events that may say why there is trouble that began at `began_at`, newest first, those that failed before the
    /// others: of this life and this client key, not after Leaf's now, inside the window or since the last healthy look
    /// before the trouble, and after the last success.
    fn telling_events(
        &self,
        credential: CredentialId,
        began_at: Timestamp,
        epoch: &Epoch,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Vec<Event>> {
        let ahead = self.leaf_ahead()?;
        let leaf_now = now + ahead;
        let window = leaf_now - policy.thresholds.failing_events_window;
        let healthy = self.last_healthy(credential, began_at, &policy.status_words)?;
        let key_since = self.named_key(credential)?.and_then(|key| key.since);
        let since = healthy.map_or(window, |at| window.min(at + ahead));
        let since = since
            .max(epoch.since.unwrap_or(since))
            .max(key_since.map_or(since, |at| at + ahead));
        let mut statement = self.conn.prepare_cached(
            "WITH it AS (SELECT * FROM event WHERE credential = ?1 AND at BETWEEN ?2 AND ?3)
             SELECT identity, at, status_code, body, headers FROM it
             WHERE (status_code IS NULL OR status_code IN (400, 401, 403))
               AND at > coalesce((SELECT max(at) FROM it WHERE status_code BETWEEN 200 AND 299), ?2 - 1)
             ORDER BY status_code IS NULL, at DESC, id DESC LIMIT ?4",
        )?;
        let rows = statement.query_map(
            params![credential.0, At(since), At(leaf_now), TELLING],
            event,
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether the provider refuses a client key: of what all its credentials told of it inside the window, the newest
    /// is a refusal of the key, and no success. A credential speaks of it since it was connected, and since it names it.
    pub fn key_is_refused(&self, key: &[u8; 16], policy: &Policy, now: Timestamp) -> Result<bool> {
        let ahead = self.leaf_ahead()?;
        let leaf_now = now + ahead;
        let window = leaf_now - policy.thresholds.failing_events_window;
        let mut statement = self.conn.prepare_cached(
            "WITH named AS (SELECT s.credential, s.from_sweep, s.from_at, r.key_print
               FROM span s JOIN reading r ON r.id = s.reading WHERE r.key_print IS NOT NULL),
             member AS (SELECT s.credential, max(?2, coalesce(s.epoch_since, ?2), coalesce((
                 SELECT min(n.from_at) + ?4 FROM named n WHERE n.credential = s.credential AND n.from_sweep >
                   (SELECT max(o.from_sweep) FROM named o WHERE o.credential = s.credential AND o.key_print <> ?1)), ?2))
                 AS since
               FROM span s JOIN reading r ON r.id = s.reading WHERE s.to_sweep IS NULL AND r.key_print = ?1)
             SELECT coalesce(e.status_code, 0) NOT BETWEEN 200 AND 299 AS refused
             FROM member m CROSS JOIN event e ON e.credential = m.credential AND e.at BETWEEN m.since AND ?3
             WHERE e.status_code BETWEEN 200 AND 299
               OR coalesce(e.status_code, 400) IN (400, 401, 403) AND e.body LIKE '%invalid_client%'
             ORDER BY e.at DESC, refused LIMIT 1",
        )?;
        let ahead = i64::try_from(ahead.as_millis()).unwrap_or(0);
        let refused = statement
            .query_row(params![&key[..], At(window), At(leaf_now), ahead], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(refused.unwrap_or(false))
    }

    /// Notes how far Leaf's clock is ahead of ours; its answers are dated to the second.
    pub fn note_leaf_clock(&self, now: Timestamp, leaf_now: Timestamp) -> Result<()> {
        let ahead = leaf_now.duration_since(now);
        if (ahead - self.leaf_ahead()?).abs() > SignedDuration::from_secs(2) {
            let millis = i64::try_from(ahead.as_millis()).unwrap_or(0);
            self.execute(
                "INSERT INTO leaf_clock (id, ahead_ms) VALUES (1, ?1)
                 ON CONFLICT DO UPDATE SET ahead_ms = excluded.ahead_ms",
                [millis],
            )?;
        }
        Ok(())
    }

    /// How far Leaf's clock is ahead of ours, as last told.
    pub fn leaf_ahead(&self) -> Result<SignedDuration> {
        let sql = "SELECT coalesce(max(ahead_ms), 0) FROM leaf_clock";
        let millis = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(SignedDuration::from_millis(millis))
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
