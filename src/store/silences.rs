//! Acks and silences: what people said about incidents. The only rows that a command writes beside a running daemon.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::row::{At, Word};
use super::{Result, Scene, Tx};
use crate::model::{Credential, CredentialId, IncidentId, Kind, Provider, Silenced, UserId};
use crate::view::silences::{Ack, Said, Silence};
use crate::view::{Incident, words};

/// Which silences are asked for.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// All there ever were.
    Ever = 0,
    /// Those that hold now.
    Now = 1,
    /// Those that hold something back, though they may be over.
    Unsettled = 2,
    /// Those that held something back at a moment.
    Then = 3,
}

impl Tx<'_> {
    /// The kinds of all open incidents, each with its credential.
    pub fn open_kinds(&self) -> Result<Vec<(Kind, Option<Credential>)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT i.kind, c.leaf_user, c.provider FROM incident i LEFT JOIN credential c ON c.id = i.credential
             WHERE i.ended_at IS NULL",
        )?;
        let rows = statement.query_map([], |row| {
            let Word(kind) = row.get(0)?;
            let (user, provider): (Option<UserId>, Option<Word<Provider>>) =
                (row.get(1)?, row.get(2)?);
            Ok((
                kind,
                user.zip(provider)
                    .map(|(user, Word(provider))| Credential { user, provider }),
            ))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Silences `what` until a time.
    pub fn add_silence(
        &self,
        what: &Silenced,
        now: Timestamp,
        until: Timestamp,
        actor: &str,
        reason: &str,
    ) -> Result<i64> {
        self.insert(
            "INSERT INTO silence (leaf_user, provider, kind, at, until_at, actor, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                what.user,
                what.provider.map(Word),
                what.kind.map(Word),
                At(now),
                At(until),
                actor,
                reason
            ],
        )
    }

    /// Ends a silence early. Says whether there was one that held.
    pub fn end_silence(&self, id: i64, now: Timestamp, actor: &str) -> Result<bool> {
        let ended = self.execute(
            "UPDATE silence SET ended_at = ?2, ended_by = ?3 WHERE id = ?1 AND ended_at IS NULL AND until_at > ?2",
            params![id, At(now), actor],
        )?;
        Ok(ended > 0)
    }

    /// The silences that hold now; with `all`, those that are over too, the newest first.
    pub fn silences(&self, now: Timestamp, all: bool) -> Result<Vec<Silence>> {
        let which = if all { Held::Ever } else { Held::Now };
        self.some_silences(which, now)
    }

    /// The silences that hold back what is to be told: those that are over too, until they are settled.
    pub(super) fn unsettled_silences(&self, now: Timestamp) -> Result<Vec<Silence>> {
        self.some_silences(Held::Unsettled, now)
    }

    /// The silences that held something back at `moment`.
    pub(super) fn silences_at(&self, moment: Timestamp) -> Result<Vec<Silence>> {
        self.some_silences(Held::Then, moment)
    }

    fn some_silences(&self, which: Held, at: Timestamp) -> Result<Vec<Silence>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, leaf_user, provider, kind, at, until_at, actor, reason, ended_at, ended_by FROM silence
             WHERE CASE ?2 WHEN 0 THEN 1 WHEN 1 THEN settled = 0 AND ended_at IS NULL AND until_at > ?1
               WHEN 2 THEN settled = 0
               ELSE at <= ?1 AND (settled = 0 OR settled >= ?1 OR min(coalesce(ended_at, until_at), until_at) > ?1) END
             ORDER BY id DESC",
        )?;
        let rows = statement.query_map(params![At(at), which as i64], silence)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The silences that hold now, each with the name of its user.
    pub fn silences_shown(&self, scene: &Scene<'_>) -> Result<Vec<Silence>> {
        let mut silences = self.silences(scene.now, false)?;
        for silence in &mut silences {
            if let Some(user) = silence.what.user {
                let leaf_name = self.leaf_name(user)?;
                silence.name = scene.user(user, leaf_name.as_deref()).name;
            }
        }
        Ok(silences)
    }

    /// The acks that hold now, each with what its incident is about.
    pub fn acks_shown(&self, scene: &Scene<'_>) -> Result<Vec<Ack>> {
        let mut acks = self.acks(scene.now, false)?;
        for ack in &mut acks {
            let incident = self.incident_shown(scene, ack.incident, &[])?;
            ack.what = incident
                .map(|incident| format!("{}, {}", incident.whose(), words::label(incident.kind)));
        }
        Ok(acks)
    }

    /// What is open of a user, by number.
    pub fn open_incidents_of(&self, user: UserId) -> Result<Vec<IncidentId>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT i.id FROM incident i JOIN credential c ON c.id = i.credential
             WHERE c.leaf_user = ?1 AND i.ended_at IS NULL ORDER BY i.id",
        )?;
        let rows = statement.query_map([user], |row| row.get(0).map(IncidentId))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Ends the silences that are over by now: what they held back may be told.
    pub fn settle_silences(&self, now: Timestamp) -> Result<()> {
        self.execute(
            "UPDATE silence SET settled = ?1 WHERE settled = 0 AND (until_at <= ?1 OR ended_at IS NOT NULL)",
            [At(now)],
        )?;
        Ok(())
    }

    /// Whether a silence is over that still holds back what is to be told.
    pub fn has_unsettled_silence(&self, now: Timestamp) -> Result<bool> {
        let sql =
            "SELECT 1 FROM silence WHERE settled = 0 AND (until_at <= ?1 OR ended_at IS NOT NULL)";
        Ok(self.conn.prepare_cached(sql)?.exists([At(now)])?)
    }

    /// Acknowledges an open incident; an ack that holds already is replaced. Says whether there is such an incident.
    pub fn add_ack(
        &self,
        incident: IncidentId,
        now: Timestamp,
        until: Timestamp,
        actor: &str,
        reason: &str,
    ) -> Result<bool> {
        let open = "SELECT 1 FROM incident WHERE id = ?1 AND ended_at IS NULL";
        if !self.conn.prepare_cached(open)?.exists([incident.0])? {
            return Ok(false);
        }
        self.end_ack(incident, now, actor)?;
        self.execute(
            "INSERT INTO ack (incident, at, until_at, actor, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![incident.0, At(now), At(until), actor, reason],
        )?;
        Ok(true)
    }

    /// Ends the ack of an incident. Says whether there was one.
    pub fn end_ack(&self, incident: IncidentId, now: Timestamp, by: &str) -> Result<bool> {
        let ended = self.execute(
            "UPDATE ack SET ended_at = ?2, ended_by = ?3 WHERE incident = ?1 AND ended_at IS NULL",
            params![incident.0, At(now), by],
        )?;
        Ok(ended > 0)
    }

    /// Ends the acks of a credential's open incidents: it was connected anew.
    pub(super) fn end_acks_of(
        &self,
        credential: CredentialId,
        now: Timestamp,
        by: &str,
    ) -> Result<()> {
        self.execute(
            "UPDATE ack SET ended_at = ?2, ended_by = ?3 WHERE ended_at IS NULL AND incident IN
               (SELECT id FROM incident WHERE credential = ?1 AND ended_at IS NULL)",
            params![credential.0, At(now), by],
        )?;
        Ok(())
    }

    /// The acks that hold now; with `all`, those that are over too, the newest first.
    pub fn acks(&self, now: Timestamp, all: bool) -> Result<Vec<Ack>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT incident, at, until_at, actor, reason, ended_at, ended_by FROM ack
             WHERE ?2 OR (ended_at IS NULL AND until_at > ?1) ORDER BY id DESC",
        )?;
        let rows = statement.query_map(params![At(now), all], ack)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All acks that an incident ever had, the newest first.
    pub fn acks_of(&self, incident: IncidentId) -> Result<Vec<Ack>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT incident, at, until_at, actor, reason, ended_at, ended_by FROM ack WHERE incident = ?1 ORDER BY id DESC",
        )?;
        let rows = statement.query_map([incident.0], ack)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What people said about `incident`; `silences` are all there ever were ([`Tx::silences`]).
    pub(super) fn said(&self, incident: &Incident, silences: &[Silence]) -> Result<Said> {
        let credential = incident.about.credential();
        let matching = silences.iter().filter(|silence| {
            silence.what.matches(incident.kind, credential)
                && incident.ended_at.is_none_or(|ended| silence.at <= ended)
                && silence.end() >= incident.opened_at
        });
        Ok(Said {
            acks: self.acks_of(incident.number)?,
            silences: matching.cloned().collect(),
        })
    }
}

fn ack(row: &Row<'_>) -> rusqlite::Result<Ack> {
    let (At(at), At(until)) = (row.get(1)?, row.get(2)?);
    Ok(Ack {
        incident: IncidentId(row.get(0)?),
        what: None,
        at,
        until,
        actor: row.get(3)?,
        reason: row.get(4)?,
        ended_at: row.get::<_, Option<At>>(5)?.map(|At(at)| at),
        ended_by: row.get(6)?,
    })
}

fn silence(row: &Row<'_>) -> rusqlite::Result<Silence> {
    let (At(at), At(until)) = (row.get(4)?, row.get(5)?);
    let provider: Option<Word<Provider>> = row.get(2)?;
    let kind: Option<Word<Kind>> = row.get(3)?;
    Ok(Silence {
        number: row.get(0)?,
        what: Silenced {
            user: row.get(1)?,
            provider: provider.map(|Word(word)| word),
            kind: kind.map(|Word(word)| word),
        },
        name: None,
        at,
        until,
        actor: row.get(6)?,
        reason: row.get(7)?,
        ended_at: row.get::<_, Option<At>>(8)?.map(|At(at)| at),
        ended_by: row.get(9)?,
    })
}
