//! What was seen, in the order in which it was seen: for a replay under other settings. Decides nothing.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row;

use crate::model::{
    Answer, Credential, CredentialId, Event, IncidentId, Reading, SweepEnd, SweepId,
};
use crate::store::row::{self, At, Whose, Word, duration};
use crate::store::{Counts, Gap, Result, Tx};
use crate::view::silences::{Ack, Silence};

/// Everything that was seen and is still kept.
#[derive(Debug, Default)]
pub struct Past {
    /// Who was ever watched.
    pub credentials: HashMap<CredentialId, Credential>,
    /// When the daemon started.
    pub runs: Vec<Timestamp>,
    /// Every sweep, the oldest first.
    pub sweeps: Vec<PastSweep>,
    /// Every answer that was another than the one before it, the oldest first.
    pub answers: Vec<PastAnswer>,
    /// Looks without an answer, in rows, the oldest first.
    pub gaps: Vec<PastGap>,
    /// Every silence.
    pub silences: Vec<Silence>,
    /// Every ack, with what it was about.
    pub acks: Vec<(Ack, About)>,
    readings: HashMap<i64, Reading>,
}

/// What an ack was about: numbers of incidents mean nothing in a replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct About {
    /// Whose; none where it is the account or ourselves.
    pub credential: Option<CredentialId>,
    /// The track's name.
    pub track: String,
    /// What it is about beside.
    pub subject: String,
}

/// A sweep as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct PastSweep {
    /// Its number.
    pub id: SweepId,
    /// The number of its run.
    pub run: i64,
    /// A second look at suspects.
    pub second: bool,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; none where it was cut off.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub end: SweepEnd,
    /// What it counted.
    pub counts: Counts,
    /// The time watched before it, as it was counted then.
    pub watched: Duration,
    /// How far apart sweeps were to be then.
    pub interval: Duration,
}

/// An answer, from the look that brought it to the look that said otherwise, or to the end of the watch.
#[derive(Debug, Clone, PartialEq)]
pub struct PastAnswer {
    /// Whose.
    pub credential: CredentialId,
    /// In which sweep it came.
    pub sweep: SweepId,
    /// When.
    pub at: Timestamp,
    /// When another one came, or the watch ended.
    pub until: Option<Timestamp>,
    reading: Option<i64>,
    leaf_id: Option<Box<str>>,
    leaf_created: Option<Box<str>>,
}

/// Looks without an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct PastGap {
    /// The first of them.
    pub gap: Gap,
    /// In which sweep.
    pub sweep: SweepId,
    /// When.
    pub at: Timestamp,
    /// When an answer came again, or the watch ended.
    pub until: Option<Timestamp>,
}

/// Events that were read in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct PastEvents {
    /// Whose.
    pub credential: CredentialId,
    /// When.
    pub at: Timestamp,
    /// Which were new then.
    pub events: Vec<Event>,
}

impl Past {
    /// What the answer said.
    pub fn answer(&self, answer: &PastAnswer) -> Answer {
        let Some(reading) = answer.reading.and_then(|id| self.readings.get(&id)) else {
            return Answer::Missing;
        };
        Answer::Reading(Reading {
            leaf_id: answer.leaf_id.as_deref().map(str::to_owned),
            leaf_created: answer.leaf_created.as_deref().map(str::to_owned),
            ..reading.clone()
        })
    }
}

impl Tx<'_> {
    /// Everything that was seen, but for the events.
    pub fn past(&self) -> Result<Past> {
        Ok(Past {
            credentials: self
                .all("SELECT id, leaf_user, provider FROM credential", credential)?
                .into_iter()
                .collect(),
            runs: self.all("SELECT started_at FROM run ORDER BY id", |row| at(row, 0))?,
            sweeps: self.all(
                "SELECT id, run, second, started_at, finished_at, sight, asked, answered, denied, later, broken,
                   were_healthy, watched_ms - coalesce(lag(watched_ms) OVER (ORDER BY id), 0), interval_ms FROM sweep ORDER BY id",
                sweep,
            )?,
            answers: self.all(
                "SELECT credential, from_sweep, from_at, to_at, reading, leaf_id, leaf_created FROM span
                 ORDER BY from_sweep, from_at",
                answer,
            )?,
            gaps: self.all(
                "SELECT credential, from_sweep, from_at, to_at, reason, detail FROM gap ORDER BY from_sweep",
                gap,
            )?,
            silences: self.silences(Timestamp::MIN, true)?,
            acks: self.acks_with_subjects()?,
            readings: self
                .all(
                    "SELECT id, status, environment, scopes, key_print, key_tail FROM reading",
                    |row| Ok((row.get(0)?, row::reading(row, 1)?)),
                )?
                .into_iter()
                .collect(),
        })
    }

    /// Calls `each` for all events, in the order in which they were read.
    pub fn each_past_events(&self, mut each: impl FnMut(PastEvents)) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT credential, seen_at, identity, at, status_code, body, headers FROM event ORDER BY seen_at, credential, id",
        )?;
        let mut rows = statement.query([])?;
        let mut piece: Option<PastEvents> = None;
        while let Some(row) = rows.next()? {
            let (credential, seen_at) = (CredentialId(row.get(0)?), at(row, 1)?);
            let event = Event {
                identity: row.get(2)?,
                at: row.get::<_, Option<At>>(3)?.map(|At(at)| at),
                status_code: row.get(4)?,
                body: row.get(5)?,
                headers: row.get(6)?,
            };
            match &mut piece {
                Some(piece) if (piece.credential, piece.at) == (credential, seen_at) => {
                    piece.events.push(event);
                }
                _ => {
                    let next = PastEvents {
                        credential,
                        at: seen_at,
                        events: vec![event],
                    };
                    if let Some(done) = piece.replace(next) {
                        each(done);
                    }
                }
            }
        }
        if let Some(last) = piece {
            each(last);
        }
        Ok(())
    }

    fn acks_with_subjects(&self) -> Result<Vec<(Ack, About)>> {
        let acks = self.acks(Timestamp::MIN, true)?;
        let about = |ack: Ack| Ok((self.about(ack.incident)?, ack));
        let acks = acks.into_iter().map(about).collect::<Result<Vec<_>>>()?;
        Ok(acks.into_iter().map(|(about, ack)| (ack, about)).collect())
    }

    fn about(&self, incident: IncidentId) -> Result<About> {
        let sql = "SELECT credential, track, subject FROM incident WHERE id = ?1";
        let about = |row: &Row<'_>| {
            Ok(About {
                credential: Some(CredentialId(row.get(0)?)).filter(|id| id.0 > 0),
                track: row.get(1)?,
                subject: row.get(2)?,
            })
        };
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([incident.0], about)?)
    }

    /// Whose events may say something now: those with an open warning, and those with events since `since`.
    pub fn with_telling_events(&self, since: Timestamp) -> Result<Vec<(CredentialId, Credential)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, leaf_user, provider FROM credential WHERE watched = 1 AND id IN (
               SELECT credential FROM incident WHERE ended_at IS NULL AND kind = 'failing_events'
               UNION SELECT credential FROM event WHERE seen_at >= ?1)",
        )?;
        let rows = statement.query_map([At(since)], credential)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The open incident that is about the same, if there is one.
    pub fn open_about(&self, about: &About) -> Result<Option<IncidentId>> {
        let sql = "SELECT id FROM incident WHERE credential = ?1 AND track = ?2 AND subject = ?3 AND ended_at IS NULL";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query((Whose(about.credential), &about.track, &about.subject))?;
        Ok(match rows.next()? {
            Some(row) => Some(IncidentId(row.get(0)?)),
            None => None,
        })
    }

    fn all<T>(&self, sql: &str, of: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map([], of)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn credential(row: &Row<'_>) -> rusqlite::Result<(CredentialId, Credential)> {
    let (user, Word(provider)) = (row.get(1)?, row.get(2)?);
    Ok((CredentialId(row.get(0)?), Credential { user, provider }))
}

fn at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(|At(at)| at)
}

fn end(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<At>>(column)?.map(|At(at)| at))
}

fn sweep(row: &Row<'_>) -> rusqlite::Result<PastSweep> {
    Ok(PastSweep {
        id: SweepId(row.get(0)?),
        run: row.get(1)?,
        second: row.get(2)?,
        began: at(row, 3)?,
        ended: end(row, 4)?,
        end: row.get(5)?,
        counts: Counts {
            asked: row.get(6)?,
            answered: row.get(7)?,
            denied: row.get(8)?,
            later: row.get(9)?,
            broken: row.get(10)?,
            were_healthy: row.get(11)?,
        },
        watched: duration(row.get(12)?),
        interval: duration(row.get(13)?),
    })
}

fn answer(row: &Row<'_>) -> rusqlite::Result<PastAnswer> {
    Ok(PastAnswer {
        credential: CredentialId(row.get(0)?),
        sweep: SweepId(row.get(1)?),
        at: at(row, 2)?,
        until: end(row, 3)?,
        reading: row.get(4)?,
        leaf_id: row.get::<_, Option<String>>(5)?.map(String::into_boxed_str),
        leaf_created: row.get::<_, Option<String>>(6)?.map(String::into_boxed_str),
    })
}

fn gap(row: &Row<'_>) -> rusqlite::Result<PastGap> {
    Ok(PastGap {
        gap: Gap {
            credential: CredentialId(row.get(0)?),
            reason: row.get(4)?,
            detail: row.get(5)?,
        },
        sweep: SweepId(row.get(1)?),
        at: at(row, 2)?,
        until: end(row, 3)?,
    })
}
