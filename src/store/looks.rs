//! What Leaf said: readings, the spans over which they stood, and the gaps beside them.

use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use rusqlite::{OptionalExtension, params};

use super::row::{self, At};
use super::{Result, Tx};
use crate::model::{
    Answer, CredentialId, NoAnswer, Provider, Reading, StatusClass, StatusWords, SweepId,
};
use crate::rules::incidents::{Epoch, NamedKey, NewSpan, Standing};

/// A look without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub credential: CredentialId,
    /// Why.
    pub reason: NoAnswer,
    /// Why, in a few words.
    pub detail: String,
}

/// A credential whose client key stands in more than one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The key's print.
    pub print: [u8; 16],
    /// The key's last characters.
    pub tail: String,
    /// Whose.
    pub credential: CredentialId,
    /// The environment it is in.
    pub environment: String,
}

impl Torn {
    /// What an incident about the key is about.
    pub fn subject(&self, provider: Provider) -> String {
        let print = format!("{:02x}{:02x}", self.print[0], self.print[1]);
        match self.tail.as_str() {
            "" => format!("of your app ({provider}, {print})"),
            tail => format!("{provider} …{tail} ({print})"),
        }
    }
}

impl Tx<'_> {
    /// The answer that stands, and the life it belongs to (the last one known where nothing stands).
    pub fn standing(&self, credential: CredentialId) -> Result<(Option<Standing>, Epoch)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT s.from_at, s.to_sweep IS NULL, s.epoch, s.epoch_since, s.leaf_id, s.leaf_created, s.reading,
               r.status, r.environment, r.scopes, r.key_print, r.key_tail
             FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 ORDER BY s.from_sweep DESC LIMIT 1",
        )?;
        let found = statement
            .query_row([credential.0], |row| {
                let epoch = Epoch {
                    number: row.get(2)?,
                    since: row.get::<_, Option<At>>(3)?.map(|At(at)| at),
                    leaf_id: row.get(4)?,
                    leaf_created: row.get(5)?,
                };
                let answer = match row.get::<_, Option<i64>>(6)? {
                    None => Answer::Missing,
                    Some(_) => Answer::Reading(Reading {
                        leaf_id: epoch.leaf_id.clone(),
                        leaf_created: epoch.leaf_created.clone(),
                        ..row::reading(row, 7)?
                    }),
                };
                let At(since) = row.get(0)?;
                let open: bool = row.get(1)?;
                Ok((open.then_some(Standing { answer, since }), epoch))
            })
            .optional()?;
        Ok(found.unwrap_or_default())
    }

    /// Whether the credential gave no answer when last asked in a whole sweep.
    pub fn in_gap(&self, credential: CredentialId) -> Result<bool> {
        let sql = "SELECT 1 FROM gap WHERE credential = ?1 AND to_sweep IS NULL";
        Ok(self.conn.prepare_cached(sql)?.exists([credential.0])?)
    }

    /// Until when Leaf last told a word that is trouble by itself, before the answer that stands and not before `since`.
    pub(super) fn last_bad_word(
        &self,
        credential: CredentialId,
        words: &StatusWords,
        since: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.status, s.to_at FROM span s JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 AND s.to_at >= ?2 ORDER BY s.from_sweep DESC",
        )?;
        let mut rows = statement.query(params![credential.0, At(since)])?;
        while let Some(row) = rows.next()? {
            let status: Option<String> = row.get(0)?;
            let class = status.and_then(|status| words.class(&status));
            if matches!(
                class,
                Some(StatusClass::Invalid | StatusClass::LimitedPermission)
            ) {
                return Ok(row.get::<_, Option<At>>(1)?.map(|At(at)| at));
            }
        }
        Ok(None)
    }

    /// Since when, by our clock, every answer had a healthy word; none where the one that stands has not.
    pub fn healthy_since(
        &self,
        credential: CredentialId,
        words: &StatusWords,
    ) -> Result<Option<Timestamp>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.status, s.from_at FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 ORDER BY s.from_sweep DESC",
        )?;
        let mut rows = statement.query([credential.0])?;
        let mut since = None;
        while let Some(row) = rows.next()? {
            let status: Option<String> = row.get(0)?;
            if status.and_then(|status| words.class(&status)) != Some(StatusClass::Healthy) {
                break;
            }
            let At(from) = row.get(1)?;
            since = Some(from);
        }
        Ok(since)
    }

    /// The client key that a credential last named, and since when, where it named another one before.
    pub(super) fn named_key(&self, credential: CredentialId) -> Result<Option<NamedKey>> {
        let mut statement = self.conn.prepare_cached(
            "WITH named AS (SELECT s.from_sweep, s.from_at, r.key_print FROM span s JOIN reading r ON r.id = s.reading
               WHERE s.credential = ?1 AND r.key_print IS NOT NULL),
             last AS (SELECT key_print FROM named ORDER BY from_sweep DESC LIMIT 1)
             SELECT key_print, (SELECT min(from_at) FROM named WHERE from_sweep >
                 (SELECT max(from_sweep) FROM named WHERE key_print <> last.key_print)) FROM last",
        )?;
        let found = statement.query_row([credential.0], |row| {
            Ok(NamedKey {
                print: row.get(0)?,
                since: row.get::<_, Option<At>>(1)?.map(|At(at)| at),
            })
        });
        Ok(found.optional()?)
    }

    /// Ends the answer that stands, and begins the next; one that stood for no sweep at all (taken out of the config and
    /// put back within one) is replaced.
    pub(super) fn begin_span(
        &self,
        credential: CredentialId,
        answer: &Answer,
        span: &NewSpan,
        sweep: SweepId,
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "UPDATE span SET to_sweep = ?2, to_at = ?3 WHERE credential = ?1 AND to_sweep IS NULL",
            params![credential.0, sweep.0, At(now)],
        )?;
        let reading = match answer {
            Answer::Missing => None,
            Answer::Reading(reading) => Some(self.reading_id(reading)?),
        };
        let Epoch {
            number,
            since,
            leaf_id,
            leaf_created,
        } = &span.epoch;
        self.execute(
            "INSERT INTO span (credential, from_sweep, from_at, reading, epoch, epoch_since, leaf_id, leaf_created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET to_sweep = NULL, to_at = NULL, reading = excluded.reading, epoch = excluded.epoch,
               epoch_since = excluded.epoch_since, leaf_id = excluded.leaf_id, leaf_created = excluded.leaf_created",
            params![credential.0, sweep.0, At(now), reading, number, since.map(At), leaf_id, leaf_created],
        )?;
        Ok(())
    }

    fn reading_id(&self, reading: &Reading) -> Result<i64> {
        let scopes = reading.scopes.join(" ");
        let digest = digest(reading, &scopes);
        let known = self
            .conn
            .prepare_cached("SELECT id FROM reading WHERE digest = ?1")?
            .query_row([&digest[..]], |row| row.get(0))
            .optional()?;
        if let Some(id) = known {
            return Ok(id);
        }
        let (print, tail) = reading
            .key
            .as_ref()
            .map(|key| (&key.print[..], &key.tail))
            .unzip();
        self.insert(
            "INSERT INTO reading (digest, status, environment, scopes, key_print, key_tail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                &digest[..],
                reading.status,
                reading.environment,
                scopes,
                print,
                tail
            ],
        )
    }

    /// Notes a look without an answer in a whole sweep; one that follows another adds nothing. Says whether it is the
    /// first of a row.
    pub fn note_gap(&self, gap: &Gap, sweep: SweepId, now: Timestamp) -> Result<bool> {
        if self.in_gap(gap.credential)? {
            return Ok(false);
        }
        self.execute(
            "INSERT INTO gap (credential, from_sweep, from_at, reason, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![gap.credential.0, sweep.0, At(now), gap.reason, gap.detail],
        )?;
        Ok(true)
    }

    pub(super) fn end_gap(
        &self,
        credential: CredentialId,
        sweep: SweepId,
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "UPDATE gap SET to_sweep = ?2, to_at = ?3 WHERE credential = ?1 AND to_sweep IS NULL",
            params![credential.0, sweep.0, At(now)],
        )?;
        Ok(())
    }

    /// How many watched credentials Leaf ever described, and how many of these are missing now.
    pub fn census(&self) -> Result<(u32, u32)> {
        let described = "SELECT count(*) FROM span WHERE to_sweep IS NULL AND reading IS NOT NULL";
        let missing =
            "SELECT count(*) FROM span WHERE to_sweep IS NULL AND reading IS NULL AND epoch > 0";
        let count = |sql| -> Result<u32> {
            Ok(self
                .conn
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))?)
        };
        let missing = count(missing)?;
        Ok((count(described)? + missing, missing))
    }

    /// How many answers stand, and how many of them are `missing`.
    pub fn standing_answers(&self) -> Result<(u32, u32)> {
        let sql =
            "SELECT count(*), coalesce(sum(reading IS NULL), 0) FROM span WHERE to_sweep IS NULL";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// The status words that stand now, each with the number of credentials; no word is `None`.
    pub fn standing_words(&self) -> Result<Vec<(Option<String>, u32)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.status, sum(n) FROM
               (SELECT reading, count(*) AS n FROM span WHERE to_sweep IS NULL AND reading IS NOT NULL GROUP BY reading)
             JOIN reading r ON r.id = reading GROUP BY r.status",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The newest status words that are `word`, case and blanks aside, as Leaf sent them.
    pub fn raw_words(&self, word: &str) -> Result<Vec<String>> {
        // From each word to the next: readings are many, words few.
        let mut statement = self.conn.prepare_cached(
            "WITH RECURSIVE word (status) AS (SELECT min(status) FROM reading UNION ALL
               SELECT (SELECT min(status) FROM reading WHERE status > word.status) FROM word WHERE status IS NOT NULL)
             SELECT status, (SELECT max(id) FROM reading WHERE reading.status = word.status) FROM word
             WHERE status IS NOT NULL",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut words: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        words.retain(|(raw, _)| StatusWords::key(raw) == word);
        words.sort_by_key(|(_, newest)| std::cmp::Reverse(*newest));
        Ok(words.into_iter().map(|(raw, _)| raw).collect())
    }

    /// Credentials whose client key stands in more than one environment now.
    pub fn contradicted_keys(&self) -> Result<Vec<Torn>> {
        let mut statement = self.conn.prepare_cached(
            "WITH live AS (
               SELECT DISTINCT r.id, r.key_print, r.key_tail, upper(trim(r.environment)) AS environment FROM reading r
               WHERE r.key_print IS NOT NULL AND trim(coalesce(r.environment, '')) <> ''
                 AND EXISTS (SELECT 1 FROM span WHERE reading = r.id AND to_sweep IS NULL)),
             torn AS (SELECT key_print FROM live GROUP BY key_print HAVING count(DISTINCT environment) > 1)
             SELECT live.key_print, live.key_tail, s.credential, live.environment
             FROM torn JOIN live ON live.key_print = torn.key_print
             JOIN span s ON s.reading = live.id AND s.to_sweep IS NULL",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Torn {
                print: row.get(0)?,
                tail: row.get(1)?,
                credential: CredentialId(row.get(2)?),
                environment: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Tells readings apart. Each part is led by its length, so that no two readings run together.
fn digest(reading: &Reading, scopes: &str) -> [u8; 16] {
    let mut context = Context::new(&SHA256);
    let print = reading.key.as_ref().map(|key| &key.print[..]);
    let parts = [
        reading.status.as_deref().map(str::as_bytes),
        reading.environment.as_deref().map(str::as_bytes),
    ];
    for part in parts.into_iter().chain([Some(scopes.as_bytes()), print]) {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        context.update(&length.to_le_bytes());
        context.update(part.unwrap_or_default());
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&context.finish().as_ref()[..16]);
    digest
}
