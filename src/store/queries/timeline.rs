//! What was so of one credential, from when until when. Reads no further back than it is asked.

use jiff::Timestamp;
use rusqlite::params;

use super::Scene;
use super::availability::{GAPS, OVERLAPS, lasting};
use crate::model::{Answer, CredentialId, Kind, Track, TransitionKind, WhyUnseen};
use crate::rules::availability::{Part, Period, Stood, Timeline, each_part};
use crate::store::row::{self, At, Word};
use crate::store::{Result, Tx};

/// All that is known of one credential in a period; each list the oldest first.
#[derive(Debug, Clone)]
pub struct Lifeline {
    /// From when to when: from its first look, where that was later than what was asked for.
    pub period: Period,
    /// The parts in which it was watched, with the place of the last answer.
    pub parts: Vec<Part<usize>>,
    /// What Leaf said; the first of it may have begun before the period.
    pub answers: Vec<Stood<AnswerOfLife>>,
    troubles: Vec<Stood<Kind>>,
}

/// An answer of Leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerOfLife {
    /// What it said.
    pub answer: Answer,
    /// Which life of the credential it is, counted from 1; 0 while Leaf never described it.
    pub epoch: u32,
}

impl Lifeline {
    /// Put together from what is known; `troubles` from when until when each was open.
    pub fn new(
        period: Period,
        parts: Vec<Part<usize>>,
        answers: Vec<Stood<AnswerOfLife>>,
        troubles: Vec<Stood<Kind>>,
    ) -> Lifeline {
        Lifeline {
            period,
            parts,
            answers,
            troubles,
        }
    }

    /// What was judged, in the time in which somebody saw it; that it gives no answer is seen by there being none.
    pub fn troubles(&self) -> impl Iterator<Item = Stood<Kind>> {
        self.troubles.iter().flat_map(|trouble| {
            let seen = |part: &&Part<usize>| match part.unseen {
                None => true,
                Some(WhyUnseen::NoAnswer) => trouble.what.track() == Track::Sight,
                Some(_) => false,
            };
            let parts = self.parts.iter().filter(seen);
            parts
                .map(|part| part.during.within(trouble.during))
                .filter(|during| !during.is_empty())
                .map(|during| Stood { during, ..*trouble })
        })
    }
}

impl Tx<'_> {
    /// What Leafwatch as a whole saw since `from`: the same for all credentials.
    pub fn seen_since(&self, scene: &Scene<'_>, from: Timestamp) -> Result<Timeline> {
        self.timeline(Period {
            from,
            until: scene.now,
        })
    }

    /// What is known of a credential in the time of `seen`.
    pub fn lifeline(&self, id: CredentialId, seen: &Timeline) -> Result<Lifeline> {
        let mut period = seen.period();
        let answers = self.answers_of(id, period)?;
        let gaps = self.gaps_of(id, period)?;
        let placed = answers.iter().enumerate().map(|(what, answer)| Stood {
            during: answer.during,
            what,
        });
        let mut parts = Vec::new();
        each_part(seen, placed, &gaps, |part| parts.push(part));
        if let Some(first) = parts.first() {
            period.from = first.during.from;
        }
        let troubles = self.troubles_of(id, period)?;
        Ok(Lifeline::new(period, parts, answers, troubles))
    }

    fn answers_of(&self, id: CredentialId, period: Period) -> Result<Vec<Stood<AnswerOfLife>>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT s.credential, s.from_at, s.to_at, s.epoch, s.reading, r.status, r.environment, r.scopes, r.key_print,
               r.key_tail
             FROM span s LEFT JOIN reading r ON r.id = s.reading
             {OVERLAPS} AND s.credential = ?3 ORDER BY s.from_sweep"
        ))?;
        let key = params![At(period.from), At(period.until), id.0];
        let rows = statement.query_map(key, |row| {
            let answer = match row.get::<_, Option<i64>>(4)? {
                None => Answer::Missing,
                Some(_) => Answer::Reading(row::reading(row, 5)?),
            };
            let epoch = row.get(3)?;
            Ok(Stood {
                during: lasting(row, period)?,
                what: AnswerOfLife { answer, epoch },
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn gaps_of(&self, id: CredentialId, period: Period) -> Result<Vec<Period>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "{GAPS} {OVERLAPS} AND credential = ?3 ORDER BY from_sweep"
        ))?;
        let key = params![At(period.from), At(period.until), id.0];
        let rows = statement.query_map(key, |row| lasting(row, period))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// From the steps of its incidents: an incident that changes its kind, or ends and comes back, is several stretches.
    fn troubles_of(&self, id: CredentialId, period: Period) -> Result<Vec<Stood<Kind>>> {
        use TransitionKind::*;
        let mut statement = self.conn.prepare_cached(
            "SELECT i.id, i.began_at, s.at, s.what, s.kind FROM incident i JOIN step s ON s.incident = i.id
             WHERE i.credential = ?1 AND (i.ended_at IS NULL OR i.ended_at >= ?2) ORDER BY i.id, s.id",
        )?;
        let mut rows = statement.query(params![id.0, At(period.from)])?;
        let mut troubles: Vec<Stood<Kind>> = Vec::new();
        let mut open: Option<(i64, Stood<Kind>)> = None;
        while let Some(row) = rows.next()? {
            let incident: i64 = row.get(0)?;
            let (At(began), At(at)) = (row.get(1)?, row.get(2)?);
            let (Word(step), Word(kind)) = (row.get(3)?, row.get(4)?);
            if let Some((of, mut trouble)) = open.take() {
                match (of == incident, step) {
                    (false, _) => troubles.push(trouble),
                    (true, Changed | Resolved | Closed) => {
                        trouble.during.until = at;
                        troubles.push(trouble);
                    }
                    (true, _) => open = Some((of, trouble)),
                }
            }
            let begins = match step {
                Opened => Some(began),
                Changed | Reopened => Some(at),
                Well | Relapsed | Resolved | Closed => None,
            };
            if let (Some(from), None) = (begins, &open) {
                let during = Period { from, ..period };
                let what = kind;
                open = Some((incident, Stood { during, what }));
            }
        }
        troubles.extend(open.map(|(_, trouble)| trouble));
        troubles.sort_by_key(|trouble| trouble.during.from);
        Ok(troubles)
    }
}
