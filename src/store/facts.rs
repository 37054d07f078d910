//! What a mail, a page or a table says of one credential beyond its incident: read when it is rendered.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::incidents::{COLUMNS, incident};
use super::row::{self, At, Whose, Word};
use super::{Result, Tx};
use crate::model::{
    Answer, CredentialId, Incident, IncidentId, Kind, StatusWords, SweepId, TransitionKind, UserId,
};
use crate::rules::judge::{self, Access};

/// What one answer says of the trouble that is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// That it is so.
    So,
    /// That all is well in this.
    Well,
    /// Neither.
    Else,
}

/// How many looks since something began found it, of how many that brought an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookCount {
    /// Looks that said so.
    pub so: u64,
    /// Looks that found all well in this.
    pub well: u64,
    /// Looks that brought an answer.
    pub of: u64,
    /// Looks that brought none.
    pub silent: u64,
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
    /// When the last of them did.
    pub newest: Timestamp,
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

/// The number of the sweep that ended what stands still.
const STANDS: i64 = 1 << 60;

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

    /// Looks from `since` on: what each answer that stood in that time says, weighed by the whole sweeps that it stood
    /// through. One that began in a sweep that still runs counts as one look.
    pub fn looks_since_then(
        &self,
        credential: CredentialId,
        since: Timestamp,
        says: impl Fn(&Answer) -> Finding,
    ) -> Result<LookCount> {
        let from =
            "SELECT id FROM sweep WHERE started_at <= ?1 ORDER BY started_at DESC, id DESC LIMIT 1";
        let from: Option<i64> = self
            .conn
            .prepare_cached(from)?
            .query_row([At(since)], |row| row.get(0))
            .optional()?;
        let from = from.unwrap_or(0);
        let mut gaps = Vec::new();
        let mut statement = self.conn.prepare_cached(
            "SELECT from_sweep, coalesce(to_sweep, 1 << 60) FROM gap
             WHERE credential = ?1 AND coalesce(to_sweep, 1 << 60) > ?2",
        )?;
        let mut rows = statement.query(params![credential.0, from])?;
        while let Some(row) = rows.next()? {
            let (began, ended): (i64, i64) = (row.get(0)?, row.get(1)?);
            gaps.push((began.max(from), ended));
        }
        let silent_now = gaps.iter().any(|(_, ended)| *ended == STANDS);
        let mut count = LookCount::default();
        for &(began, ended) in &gaps {
            count.silent += self.whole_sweeps(began, ended)?;
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT s.from_sweep, coalesce(s.to_sweep, 1 << 60), s.reading IS NULL, r.status, r.environment, r.scopes,
               r.key_print, r.key_tail FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 AND coalesce(s.to_sweep, 1 << 60) > ?2 ORDER BY s.from_sweep",
        )?;
        let mut rows = statement.query(params![credential.0, from])?;
        while let Some(row) = rows.next()? {
            let (first, ended): (i64, i64) = (row.get(0)?, row.get(1)?);
            let began = first.max(from);
            let mut looks = self.whole_sweeps(began, ended)?;
            let within = |gap: &&(i64, i64)| gap.0 < ended && gap.1 > began;
            for &(silent, until) in gaps.iter().filter(within) {
                let silent = self.whole_sweeps(silent.max(began), until.min(ended))?;
                looks = looks.saturating_sub(silent);
            }
            let answer = match row.get(2)? {
                true => Answer::Missing,
                false => Answer::Reading(row::reading(row, 3)?),
            };
            // Its first look, or the one that is spoken of, may be of a sweep that has not ended.
            let asked_now = count.of == 0 && ended == STANDS && !silent_now;
            let looks = looks.max(u64::from(first >= from || asked_now));
            count.of += looks;
            match says(&answer) {
                Finding::So => count.so += looks,
                Finding::Well => count.well += looks,
                Finding::Else => {}
            }
        }
        Ok(count)
    }

    /// How many whole sweeps there were from sweep `from` to before sweep `to`.
    fn whole_sweeps(&self, from: i64, to: i64) -> Result<u64> {
        let sql =
            "SELECT coalesce((SELECT looks FROM sweep WHERE id < ?2 ORDER BY id DESC LIMIT 1), 0)
                   - coalesce((SELECT looks FROM sweep WHERE id < ?1 ORDER BY id DESC LIMIT 1), 0)";
        let looks: i64 = self
            .conn
            .prepare_cached(sql)?
            .query_row([from, to.max(from)], |row| row.get(0))?;
        Ok(u64::try_from(looks).unwrap_or(0))
    }

    /// The last look before `before` that found a healthy word.
    pub fn last_healthy(
        &self,
        credential: CredentialId,
        before: Timestamp,
        words: &StatusWords,
    ) -> Result<Option<Timestamp>> {
        self.last_look(credential, before, |answer| {
            judge::access(answer, words) == Access::Healthy
        })
    }

    /// The last look before `before` with an answer that is `wanted`. Only the first look that brought an answer has a time
    /// of its own; a later one counts from the beginning of its sweep, which is never later than anybody looked. A look
    /// at which the credential gave none is no look at it.
    pub fn last_look(
        &self,
        credential: CredentialId,
        before: Timestamp,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Option<Timestamp>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT s.from_sweep, coalesce(s.to_sweep, 1 << 60), s.from_at, s.reading IS NULL, r.status, r.environment,
               r.scopes, r.key_print, r.key_tail FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 AND s.from_at < ?2 ORDER BY s.from_sweep DESC",
        )?;
        let mut last = self.conn.prepare_cached(
            "SELECT w.started_at FROM sweep w WHERE w.id >= ?2 AND w.id < ?3 AND w.sight = 0 AND w.second = 0
               AND w.finished_at < ?4 AND NOT EXISTS (SELECT 1 FROM gap g WHERE g.credential = ?1
                 AND g.from_sweep <= w.id AND coalesce(g.to_sweep, 1 << 60) > w.id)
             ORDER BY w.id DESC LIMIT 1",
        )?;
        let mut rows = statement.query(params![credential.0, At(before)])?;
        while let Some(row) = rows.next()? {
            let answer = match row.get(3)? {
                true => Answer::Missing,
                false => Answer::Reading(row::reading(row, 4)?),
            };
            if wanted(&answer) {
                let (first, ended): (i64, i64) = (row.get(0)?, row.get(1)?);
                let At(from) = row.get(2)?;
                let sweep: Option<At> = last
                    .query_row(params![credential.0, first, ended, At(before)], |row| {
                        row.get(0)
                    })
                    .optional()?;
                return Ok(Some(sweep.map_or(from, |At(sweep)| sweep.max(from))));
            }
        }
        Ok(None)
    }

    /// How often this track of a credential had trouble since `since`, this incident aside.
    pub fn times_before(&self, this: &Incident, since: Timestamp) -> Result<u64> {
        let sql = "SELECT coalesce(sum(1 + reopened), 0) FROM incident
                   WHERE credential = ?1 AND track = ?2 AND opened_at >= ?3 AND id <> ?4";
        let row = params![
            Whose(this.credential),
            Word(this.track),
            At(since),
            this.id.0
        ];
        let others: u32 = self
            .conn
            .prepare_cached(sql)?
            .query_row(row, |row| row.get(0))?;
        Ok(u64::from(others + this.reopened))
    }

    /// Since when an incident was well before it last came back: the first look of the run of good ones.
    pub fn was_well_since(&self, incident: IncidentId) -> Result<Option<Timestamp>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT what, at FROM step WHERE incident = ?1
               AND id < (SELECT max(id) FROM step WHERE incident = ?1 AND what = 'reopened') ORDER BY id DESC LIMIT 2",
        )?;
        let rows = statement.query_map([incident.0], |row| {
            let (Word(what), At(at)) = (row.get(0)?, row.get(1)?);
            Ok((what, at))
        })?;
        let steps: Vec<(TransitionKind, Timestamp)> = rows.collect::<rusqlite::Result<_>>()?;
        let first = steps
            .get(1)
            .filter(|(what, _)| *what == TransitionKind::Well);
        Ok(first.or(steps.first()).map(|(_, at)| *at))
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
            "SELECT i.id, i.kind, i.began_at FROM incident i WHERE i.ended_at IS NULL AND EXISTS
               (SELECT 1 FROM entry e CROSS JOIN delivery d ON d.message = e.message AND d.address = ?1
                WHERE e.incident = i.id AND d.state = 1) ORDER BY +i.id",
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
               SELECT i.kind, c.provider, r.key_print, r.key_tail, i.opened_at FROM incident i JOIN credential c ON c.id = i.credential
               LEFT JOIN span s ON s.credential = c.id AND s.to_sweep IS NULL LEFT JOIN reading r ON r.id = s.reading
               WHERE i.opened_at >= ?1 AND i.ended_at IS NULL AND i.track = 'access')
             SELECT kind, provider, key_print, key_tail, count(*), max(opened_at) FROM turned
             WHERE key_print IS NOT NULL GROUP BY kind, provider, key_print
             UNION ALL SELECT kind, provider, NULL, NULL, count(*), max(opened_at) FROM turned GROUP BY kind, provider",
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
            let At(newest) = row.get(5)?;
            let all = self.population(provider, print)?;
            alike.push(Alike {
                kind,
                provider,
                key,
                turned: row.get(4)?,
                newest,
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
}
