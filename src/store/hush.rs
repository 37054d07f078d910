//! Acks and silences: what people said about incidents. The only rows that a command writes beside a running daemon.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::row::{At, Word};
use super::{Result, Scene, Tx};
use crate::model::{Credential, CredentialId, Incident, IncidentId, Kind, Provider, UserId};
use crate::rules::notify::Silenced;
use crate::view::{hush, words};

/// A silence: mails about what it matches wait, or are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its number.
    pub id: i64,
    /// What it matches.
    pub what: Silenced,
    /// Since when.
    pub at: Timestamp,
    /// Until when, where nobody ends it.
    pub until: Timestamp,
    /// Who made it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When somebody ended it.
    pub ended_at: Option<Timestamp>,
    /// Who did.
    pub ended_by: Option<String>,
}

impl Silence {
    /// Whether it holds back at `moment` what it matches of `kind`. Over is over, but what only a look can show is held back
    /// until the first look after, for nobody knows before whether it still stands; the caller knows when that was.
    pub(super) fn holds_back(&self, kind: Kind, moment: Timestamp) -> bool {
        kind.is_seen_in_answers() || moment < self.end()
    }

    /// When it ended, or will.
    pub(super) fn end(&self) -> Timestamp {
        self.ended_at
            .map_or(self.until, |ended| ended.min(self.until))
    }
}

/// An ack: somebody is on it, and needs no reminders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Its number.
    pub id: i64,
    /// Of which incident.
    pub incident: IncidentId,
    /// Since when.
    pub at: Timestamp,
    /// Until when, where nothing ends it.
    pub until: Timestamp,
    /// Who made it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who or what ended it.
    pub ended_by: Option<String>,
}

impl From<&Ack> for hush::Ack {
    fn from(ack: &Ack) -> Self {
        let Ack { at, until, .. } = *ack;
        hush::Ack {
            incident: ack.incident.0,
            what: None,
            at,
            until,
            actor: ack.actor.clone(),
            reason: ack.reason.clone(),
            ended_at: ack.ended_at,
            ended_by: ack.ended_by.clone(),
        }
    }
}

impl From<&Silence> for hush::Silence {
    fn from(silence: &Silence) -> Self {
        let Silence {
            id,
            what,
            at,
            until,
            ..
        } = *silence;
        hush::Silence {
            number: id,
            user: what.user,
            name: None,
            provider: what.provider,
            problem: what.kind,
            at,
            until,
            actor: silence.actor.clone(),
            reason: silence.reason.clone(),
            ended_at: silence.ended_at,
            ended_by: silence.ended_by.clone(),
        }
    }
}

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

    /// The silences that hold now as they are shown, each with the name of its user.
    pub fn silences_shown(&self, scene: &Scene<'_>) -> Result<Vec<hush::Silence>> {
        let named = |silence: &Silence| {
            let mut shown = hush::Silence::from(silence);
            if let Some(user) = silence.what.user {
                let leaf_name = self.leaf_name(user)?;
                shown.name = scene.user(user, leaf_name.as_deref()).name;
            }
            Ok(shown)
        };
        self.silences(scene.now, false)?.iter().map(named).collect()
    }

    /// The acks that hold now as they are shown, each with what its incident is about.
    pub fn acks_shown(&self, scene: &Scene<'_>) -> Result<Vec<hush::Ack>> {
        let named = |ack: &Ack| {
            let line = self.incident_shown(scene, ack.incident)?;
            Ok(hush::Ack {
                what: line.map(|line| {
                    let about = line.about.shown(line.track);
                    format!("{about}, {}", words::label(line.kind))
                }),
                ..ack.into()
            })
        };
        self.acks(scene.now, false)?.iter().map(named).collect()
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
            "SELECT id, incident, at, until_at, actor, reason, ended_at, ended_by FROM ack
             WHERE ?2 OR (ended_at IS NULL AND until_at > ?1) ORDER BY id DESC",
        )?;
        let rows = statement.query_map(params![At(now), all], ack)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All acks that an incident ever had, the newest first.
    pub fn acks_of(&self, incident: IncidentId) -> Result<Vec<Ack>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, incident, at, until_at, actor, reason, ended_at, ended_by FROM ack WHERE incident = ?1 ORDER BY id DESC",
        )?;
        let rows = statement.query_map([incident.0], ack)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What people said about `incident`; `silences` are all there ever were ([`Tx::silences`]).
    pub(super) fn said(
        &self,
        incident: &Incident,
        credential: Option<Credential>,
        silences: &[Silence],
    ) -> Result<hush::Said> {
        let acks = self.acks_of(incident.id)?;
        let at_its_time = |silence: &hush::Silence| {
            incident.ended_at.is_none_or(|ended| silence.at <= ended)
                && silence.end() >= incident.opened_at
        };
        let matching = silences
            .iter()
            .filter(|silence| silence.what.matches(incident.kind, credential));
        Ok(hush::Said {
            acks: acks.iter().map(hush::Ack::from).collect(),
            silences: matching
                .map(hush::Silence::from)
                .filter(at_its_time)
                .collect(),
        })
    }
}

fn ack(row: &Row<'_>) -> rusqlite::Result<Ack> {
    let (At(at), At(until)) = (row.get(2)?, row.get(3)?);
    Ok(Ack {
        id: row.get(0)?,
        incident: IncidentId(row.get(1)?),
        at,
        until,
        actor: row.get(4)?,
        reason: row.get(5)?,
        ended_at: row.get::<_, Option<At>>(6)?.map(|At(at)| at),
        ended_by: row.get(7)?,
    })
}

fn silence(row: &Row<'_>) -> rusqlite::Result<Silence> {
    let (At(at), At(until)) = (row.get(4)?, row.get(5)?);
    let user: Option<UserId> = row.get(1)?;
    let provider: Option<Word<Provider>> = row.get(2)?;
    let kind: Option<Word<Kind>> = row.get(3)?;
    Ok(Silence {
        id: row.get(0)?,
        what: Silenced {
            user,
            provider: provider.map(|Word(word)| word),
            kind: kind.map(|Word(word)| word),
        },
        at,
        until,
        actor: row.get(6)?,
        reason: row.get(7)?,
        ended_at: row.get::<_, Option<At>>(8)?.map(|At(at)| at),
        ended_by: row.get(9)?,
    })
}
