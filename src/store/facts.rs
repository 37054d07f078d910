//! What a mail, a page or a table says of one credential beyond its incident: read when it is rendered.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::incidents::{COLUMNS, incident};
use super::row::{At, Word};
use super::{Result, Tx};
use crate::model::{
    CredentialId, Incident, IncidentId, Kind, StatusClass, StatusWords, SweepId, UserId,
};

/// How many looks since something began found it, of how many that brought an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookCount {
    /// Looks at trouble of the status word, or at nothing there.
    pub bad: u64,
    /// All looks with an answer.
    pub of: u64,
}

/// Credentials of one key or provider that turned to one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// The kind they turned to.
    pub kind: Kind,
    /// The provider.
    pub provider: crate::model::Provider,
    /// The client key's print and last characters; none where they are counted by provider.
    pub key: Option<([u8; 16], String)>,
    /// How many turned within the window.
    pub turned: u32,
    /// How many there are of the key or provider.
    pub all: u32,
}

/// An open incident that somebody was told of. Light: there may be a hundred thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTold {
    /// Which.
    pub incident: IncidentId,
    /// What it is.
    pub kind: Kind,
    /// When it was first seen.
    pub began_at: Timestamp,
}

impl Tx<'_> {
    /// The name that Leaf has of a user, where it was read.
    pub fn leaf_name(&self, user: UserId) -> Result<Option<String>> {
        let sql = "SELECT leaf_name FROM credential WHERE leaf_user = ?1 AND leaf_name IS NOT NULL LIMIT 1";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([user], |row| row.get(0))
            .optional()?)
    }

    /// Looks since `since`: the status word of each span that stood in that time, weighed by the whole sweeps it
    /// stood through. A span that began in a sweep that still runs counts as one look.
    pub fn looks_since_then(
        &self,
        credential: CredentialId,
        since: Timestamp,
        words: &StatusWords,
    ) -> Result<LookCount> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.status, s.reading IS NULL, max(1,
               (SELECT looks FROM sweep WHERE id < coalesce(s.to_sweep, 1 << 60) ORDER BY id DESC LIMIT 1)
             - coalesce((SELECT looks FROM sweep WHERE id < s.from_sweep ORDER BY id DESC LIMIT 1), 0)
             - coalesce((SELECT sum(
                  (SELECT looks FROM sweep WHERE id < coalesce(g.to_sweep, 1 << 60) ORDER BY id DESC LIMIT 1)
                - (SELECT looks FROM sweep WHERE id < g.from_sweep ORDER BY id DESC LIMIT 1))
                FROM gap g WHERE g.credential = s.credential AND g.from_sweep > s.from_sweep
                  AND g.from_sweep < coalesce(s.to_sweep, 1 << 60)), 0))
             FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 AND s.from_at >= ?2 ORDER BY s.from_sweep",
        )?;
        let mut rows = statement.query(params![credential.0, At(since)])?;
        let mut count = LookCount::default();
        while let Some(row) = rows.next()? {
            let (status, missing, looks): (Option<String>, bool, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let looks = u64::try_from(looks).unwrap_or(0);
            let healthy = status.and_then(|word| words.class(&word)) == Some(StatusClass::Healthy);
            count.of += looks;
            count.bad += if missing || !healthy { looks } else { 0 };
        }
        Ok(count)
    }

    /// The last look before `before` that found a healthy word.
    pub fn last_healthy(
        &self,
        credential: CredentialId,
        before: Timestamp,
        words: &StatusWords,
    ) -> Result<Option<Timestamp>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.status, s.from_at, s.to_sweep FROM span s JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 AND s.from_at < ?2 ORDER BY s.from_sweep DESC LIMIT 50",
        )?;
        let mut rows = statement.query(params![credential.0, At(before)])?;
        while let Some(row) = rows.next()? {
            let status: Option<String> = row.get(0)?;
            if status.and_then(|word| words.class(&word)) == Some(StatusClass::Healthy) {
                let (At(from), to): (At, Option<i64>) = (row.get(1)?, row.get(2)?);
                let sweep = self.whole_sweep_before(to, before)?;
                return Ok(Some(sweep.map_or(from, |sweep| sweep.max(from))));
            }
        }
        Ok(None)
    }

    fn whole_sweep_before(
        &self,
        sweep: Option<i64>,
        before: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let sql = "SELECT finished_at FROM sweep WHERE id < ?1 AND sight = 0 AND second = 0 AND finished_at < ?2
                   ORDER BY id DESC LIMIT 1";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row(params![sweep.unwrap_or(i64::MAX), At(before)], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(at.map(|At(at)| at))
    }

    /// How often this track of a credential had trouble since `since`, this incident aside.
    pub fn times_before(&self, this: &Incident, since: Timestamp) -> Result<u64> {
        let sql = "SELECT coalesce(sum(1 + reopened), 0) FROM incident
                   WHERE credential = ?1 AND track = ?2 AND opened_at >= ?3 AND id <> ?4";
        let credential = this.credential.map_or(0, |id| id.0);
        let row = params![credential, Word(this.track), At(since), this.id.0];
        let others: u32 = self
            .conn
            .prepare_cached(sql)?
            .query_row(row, |row| row.get(0))?;
        Ok(u64::from(others + this.reopened))
    }

    /// When an incident last ended before it came back.
    pub fn last_end(&self, incident: IncidentId) -> Result<Option<Timestamp>> {
        let sql = "SELECT at FROM step WHERE incident = ?1 AND what IN ('resolved', 'well') ORDER BY id DESC LIMIT 1";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([incident.0], |row| row.get(0))
            .optional()?;
        Ok(at.map(|At(at)| at))
    }

    /// Why the last step of an incident was taken.
    pub fn last_why(&self, incident: IncidentId) -> Result<Option<String>> {
        let sql =
            "SELECT why FROM step WHERE incident = ?1 AND what <> 'well' ORDER BY id DESC LIMIT 1";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([incident.0], |row| row.get(0))
            .optional()?)
    }

    /// The open incidents of a credential.
    pub fn open_of(&self, credential: CredentialId) -> Result<Vec<Incident>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM incident i WHERE i.credential = ?1 AND i.ended_at IS NULL"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map([credential.0], incident)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Open incidents that `address` was told of, the oldest first.
    pub fn open_and_told(&self, address: &str) -> Result<Vec<OpenTold>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT i.id, i.kind, i.began_at FROM incident i WHERE i.ended_at IS NULL AND i.id IN
               (SELECT e.incident FROM delivery d JOIN entry e ON e.message = d.message
                WHERE d.address = ?1 AND d.state = 1) ORDER BY i.id",
        )?;
        let rows = statement.query_map([address], |row| {
            let (Word(kind), At(began_at)) = (row.get(1)?, row.get(2)?);
            Ok(OpenTold {
                incident: IncidentId(row.get(0)?),
                kind,
                began_at,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether an incident has an ack that holds.
    pub fn is_acknowledged(&self, incident: IncidentId, now: Timestamp) -> Result<bool> {
        let sql = "SELECT 1 FROM ack WHERE incident = ?1 AND ended_at IS NULL AND until_at > ?2";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .exists(params![incident.0, At(now)])?)
    }

    /// How many watched credentials there are.
    pub fn watched(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM credential WHERE watched = 1";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?)
    }

    /// Of how many of these Leaf has said something.
    pub fn read_so_far(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM credential c JOIN span s ON s.credential = c.id AND s.to_sweep IS NULL WHERE c.watched = 1";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?)
    }

    /// How many incidents of `kind` a sweep opened.
    pub fn opened_count(&self, sweep: SweepId, kind: Kind) -> Result<u64> {
        let found = self
            .opened_in(sweep)?
            .into_iter()
            .find(|(opened, _)| *opened == kind);
        Ok(found.map_or(0, |(_, count)| u64::from(count)))
    }

    /// Open access incidents since `since`, counted by client key, and by provider.
    pub fn turned_alike(&self, since: Timestamp) -> Result<Vec<Alike>> {
        let mut statement = self.conn.prepare_cached(
            "WITH turned AS (
               SELECT i.kind, c.provider, r.key_print, r.key_tail FROM incident i JOIN credential c ON c.id = i.credential
               LEFT JOIN span s ON s.credential = c.id AND s.to_sweep IS NULL LEFT JOIN reading r ON r.id = s.reading
               WHERE i.opened_at >= ?1 AND i.ended_at IS NULL AND i.track = 'access')
             SELECT kind, provider, key_print, key_tail, count(*) FROM turned
             WHERE key_print IS NOT NULL GROUP BY kind, provider, key_print
             UNION ALL SELECT kind, provider, NULL, NULL, count(*) FROM turned GROUP BY kind, provider",
        )?;
        let mut rows = statement.query([At(since)])?;
        let mut alike = Vec::new();
        while let Some(row) = rows.next()? {
            let (Word(kind), Word(provider)) = (row.get(0)?, row.get(1)?);
            let print: Option<[u8; 16]> = row.get(2)?;
            let key = match print {
                Some(print) => Some((print, row.get::<_, Option<String>>(3)?.unwrap_or_default())),
                None => None,
            };
            let all = self.population(provider, print)?;
            alike.push(Alike {
                kind,
                provider,
                key,
                turned: row.get(4)?,
                all,
            });
        }
        Ok(alike)
    }

    fn population(&self, provider: crate::model::Provider, key: Option<[u8; 16]>) -> Result<u32> {
        let by_key = "SELECT count(*) FROM span s JOIN reading r ON r.id = s.reading
                      WHERE s.to_sweep IS NULL AND r.key_print = ?1";
        let by_provider = "SELECT count(*) FROM credential WHERE watched = 1 AND provider = ?1";
        Ok(match key {
            Some(print) => self
                .conn
                .prepare_cached(by_key)?
                .query_row([&print[..]], |row| row.get(0))?,
            None => self
                .conn
                .prepare_cached(by_provider)?
                .query_row([Word(provider)], |row| row.get(0))?,
        })
    }

    /// Whether an event since `since`, of a credential of this key, says `invalid_client`.
    pub fn key_is_refused(&self, key: &[u8; 16], since: Timestamp) -> Result<bool> {
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM event e WHERE coalesce(e.at, e.seen_at) >= ?2 AND e.body LIKE '%invalid_client%' AND e.credential IN
               (SELECT s.credential FROM span s JOIN reading r ON r.id = s.reading
                WHERE s.to_sweep IS NULL AND r.key_print = ?1)",
        )?;
        Ok(statement.exists(params![&key[..], At(since)])?)
    }
}
