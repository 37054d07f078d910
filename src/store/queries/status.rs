//! The credentials as last known: one pass over the spans that stand, however many there are.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::incidents::shown;
use super::{Filter, Scene};
use crate::model::{self, Answer, Credential, CredentialId, Kind};
use crate::rules::due;
use crate::rules::judge::{self, Access};
use crate::store::incidents::{COLUMNS, incident};
use crate::store::row::{self, At, Word};
use crate::store::{Result, Tx};
use crate::view::status::{CredentialState, Mails, Sweep, Unwritten, Watch};
use crate::view::{self, About, Incident};

/// What was read before the pass, and holds for every credential.
pub(super) struct Pass {
    pub(super) open: HashMap<CredentialId, Vec<model::Incident>>,
    pub(super) suspects: HashMap<CredentialId, Vec<Kind>>,
    /// When the last whole sweep began: who gave an answer in it was not looked at earlier.
    last_whole: Option<Timestamp>,
    /// While blind: what was not seen since then is stale.
    seen_until: Option<Timestamp>,
}

pub(super) const CREDENTIALS: &str = "SELECT c.id, c.leaf_user, c.provider, c.leaf_name, s.from_at, s.reading,
    r.status, r.environment, r.scopes, r.key_print, r.key_tail, s.epoch, g.from_at,
    CASE WHEN g.from_sweep IS NOT NULL THEN
      (SELECT started_at FROM sweep WHERE id < g.from_sweep AND sight = 0 AND second = 0 ORDER BY id DESC LIMIT 1) END
  FROM credential c
  LEFT JOIN span s ON s.credential = c.id AND s.to_sweep IS NULL
  LEFT JOIN reading r ON r.id = s.reading
  LEFT JOIN gap g ON g.credential = c.id AND g.to_sweep IS NULL";

/// A sweep that was due may be so late before anybody is told.
const LATE: SignedDuration = SignedDuration::from_secs(60);

impl Tx<'_> {
    /// Calls `each` for every watched credential, in the order in which they were first watched.
    pub fn each_status(
        &self,
        scene: &Scene<'_>,
        filter: Filter,
        mut each: impl FnMut(view::Credential),
    ) -> Result<()> {
        let pass = self.pass(scene.now)?;
        let sql = format!("{CREDENTIALS} WHERE c.watched = 1 ORDER BY c.id");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Word(provider) = row.get(2)?;
            if filter.takes(provider) {
                each(pass.credential(scene, row)?);
            }
        }
        Ok(())
    }

    /// One credential, watched or not.
    pub(super) fn status_of(
        &self,
        scene: &Scene<'_>,
        id: CredentialId,
    ) -> Result<view::Credential> {
        let pass = self.pass(scene.now)?;
        let sql = format!("{CREDENTIALS} WHERE c.id = ?1");
        let mut statement = self.conn.prepare_cached(&sql)?;
        Ok(statement.query_row([id.0], |row| pass.credential(scene, row))?)
    }

    pub(super) fn pass(&self, now: Timestamp) -> Result<Pass> {
        let mut open: HashMap<CredentialId, Vec<model::Incident>> = HashMap::new();
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM incident i WHERE i.ended_at IS NULL AND i.credential > 0"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let found = incident(row)?;
            let of_one = open.entry(CredentialId(row.get(1)?)).or_default();
            of_one.push(found);
            of_one.sort_by_key(|incident| incident.kind.rank());
        }
        let mut suspects: HashMap<CredentialId, Vec<Kind>> = HashMap::new();
        let mut statement = self
            .conn
            .prepare_cached("SELECT credential, kind FROM suspect WHERE credential > 0")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Word(kind) = row.get(1)?;
            suspects
                .entry(CredentialId(row.get(0)?))
                .or_default()
                .push(kind);
        }
        let seen_until = match self.is_blind()? {
            // Leaf told us to wait: nobody is seen, whatever the last sweep saw.
            true if self.paused_until(now)?.is_some() => Some(now),
            true => self
                .conn
                .query_row(
                    "SELECT started_at FROM sweep WHERE second = 0 AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1",
                    [],
                    |row| row.get::<_, At>(0),
                )
                .optional()?
                .map(|At(at)| at),
            false => None,
        };
        Ok(Pass {
            open,
            suspects,
            last_whole: self.last_whole_sweep()?.map(|lasted| lasted.from),
            seen_until,
        })
    }

    /// Whether we see, and whether mails leave.
    pub fn watch_state(&self, scene: &Scene<'_>) -> Result<Watch> {
        let run = "SELECT started_at, stopped_at FROM run ORDER BY id DESC LIMIT 1";
        let (started_at, stopped_at) = self
            .conn
            .query_row(run, [], |row| {
                let At(started) = row.get(0)?;
                Ok((Some(started), row.get::<_, Option<At>>(1)?.map(|At(at)| at)))
            })
            .optional()?
            .unwrap_or_default();
        let newest =
            "SELECT started_at, finished_at, sight, asked, answered FROM sweep WHERE second = 0
                      ORDER BY id DESC LIMIT 1";
        let last_sweep = self.conn.query_row(newest, [], sweep).optional()?;
        let schedules = &scene.policy.schedules;
        // Where the clock was set back, it began no later than now.
        let began = last_sweep
            .as_ref()
            .map(|sweep| sweep.started_at.min(scene.now));
        let due = began
            .and_then(|began| due::next_after(&schedules.sweep, &schedules.zone, began, began));
        let finished = last_sweep
            .as_ref()
            .is_none_or(|sweep| sweep.finished_at.is_some());
        // By the schedule, and not to the second: the one that is due now may be about to begin.
        let late = began.is_some_and(|began| {
            let until = scene.now - LATE;
            due::firings_between(&schedules.sweep, &schedules.zone, began, until, 2) == 2
        });
        let paused_until = self.paused_until(scene.now)?;
        let next_sweep = match (stopped_at, paused_until) {
            (Some(_), _) => None,
            (None, Some(until)) => Some(until),
            (None, None) => due.map(|due| due.max(scene.now)),
        };
        let blind = self.is_blind()?;
        Ok(Watch {
            blind,
            blind_since: if blind { self.blind_since()? } else { None },
            paused_until,
            started_at,
            stopped_at,
            last_sweep,
            last_whole_sweep: self.last_whole_sweep()?.map(|lasted| lasted.until),
            next_sweep,
            overdue: stopped_at.is_none() && finished && late && paused_until.is_none(),
            troubles: self.own_troubles()?,
            mails: self.mails(scene)?,
        })
    }

    /// When the first sweep of the blindness that stands ended, or Leaf told us to wait, whichever came first.
    fn blind_since(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT min(at) FROM (
              SELECT min(coalesce(finished_at, started_at)) AS at FROM sweep WHERE blind = 1 AND id >
                coalesce((SELECT max(id) FROM sweep WHERE blind = 0 AND finished_at IS NOT NULL AND second = 0), 0)
            UNION ALL SELECT min(began_at) FROM suspect
              WHERE credential = 0 AND kind IN ('leaf_login', 'leaf_unreachable', 'wrong_account'))";
        let at: Option<At> = self.conn.query_row(sql, [], |row| row.get(0))?;
        if at.is_some() {
            return Ok(at.map(|At(at)| at));
        }
        let sql = "SELECT min(began_at) FROM incident WHERE credential = 0 AND track = 'account' AND ended_at IS NULL";
        let at: Option<At> = self.conn.query_row(sql, [], |row| row.get(0))?;
        Ok(at.map(|At(at)| at))
    }

    fn own_troubles(&self) -> Result<Vec<Incident>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM incident i WHERE i.credential = 0 AND i.ended_at IS NULL"
        ))?;
        let rows = statement.query_map([], |row| {
            let found = incident(row)?;
            let subject = found.subject.clone();
            Ok(shown(&found, About::Leafwatch { subject }))
        })?;
        let mut troubles: Vec<Incident> = rows.collect::<rusqlite::Result<_>>()?;
        troubles.sort_by_key(|trouble| (trouble.kind.rank(), trouble.number));
        Ok(troubles)
    }

    fn mails(&self, scene: &Scene<'_>) -> Result<Mails> {
        let week_ago = scene.now - SignedDuration::from_hours(7 * 24);
        let mut counts = BTreeMap::new();
        for notice in self.waiting_notices(scene, None)? {
            let same = (notice.address, notice.waits_for, notice.due_at);
            *counts.entry(same).or_insert(0) += 1;
        }
        let unwritten = counts
            .into_iter()
            .map(|((address, waits_for, until), notices)| Unwritten {
                address,
                waits_for,
                until,
                notices,
            });
        let unwritten: Vec<Unwritten> = unwritten.collect();
        let sql = "SELECT
            (SELECT count(*) FROM notice WHERE done_at IS NULL AND routed = 0)
              + (SELECT count(DISTINCT notice) FROM addressee WHERE message IS NULL AND folded = 0),
            (SELECT count(*) FROM delivery WHERE state = 0),
            (SELECT count(*) FROM delivery WHERE state = 0 AND tries > 0),
            (SELECT count(*) FROM delivery WHERE state = 2 AND done_at >= ?1)";
        Ok(self.conn.query_row(sql, params![At(week_ago)], |row| {
            Ok(Mails {
                unwritten: unwritten.clone(),
                notices_waiting: row.get(0)?,
                waiting: row.get(1)?,
                retrying: row.get(2)?,
                failed: row.get(3)?,
            })
        })?)
    }
}

impl Pass {
    /// The row of [`CREDENTIALS`] as it is shown.
    pub(super) fn credential(
        &self,
        scene: &Scene<'_>,
        row: &Row<'_>,
    ) -> rusqlite::Result<view::Credential> {
        let id = CredentialId(row.get(0)?);
        let Word(provider) = row.get(2)?;
        let credential = Credential {
            user: row.get(1)?,
            provider,
        };
        let leaf_name: Option<String> = row.get(3)?;
        let from = row.get::<_, Option<At>>(4)?.map(|At(at)| at);
        let answer = match (from, row.get::<_, Option<i64>>(5)?) {
            (None, _) => None,
            (Some(_), None) => Some(Answer::Missing),
            (Some(_), Some(_)) => Some(Answer::Reading(row::reading(row, 6)?)),
        };
        let epoch: Option<u32> = row.get(11)?;
        let no_answer_since = row.get::<_, Option<At>>(12)?.map(|At(at)| at);
        let before_gap = row.get::<_, Option<At>>(13)?.map(|At(at)| at);
        let last_whole = match no_answer_since {
            Some(_) => before_gap,
            None => self.last_whole,
        };
        let last_look = from.map(|from| last_whole.map_or(from, |whole| whole.max(from)));
        let expectation = scene.watch.expectation(credential);
        let who = scene.who(credential, leaf_name.as_deref());
        let open = self.open.get(&id).into_iter().flatten();
        let problems: Vec<Incident> = open
            .map(|found| shown(found, About::Credential(who.clone())))
            .collect();
        let mut suspects = self.suspects.get(&id).cloned().unwrap_or_default();
        // What was told is no suspicion any more, though its count may go on.
        suspects.retain(|kind| problems.iter().all(|problem| problem.kind != *kind));
        let never_there = epoch == Some(0) && !expectation.named;
        let state = match &answer {
            _ if !problems.is_empty() => CredentialState::Trouble,
            None if suspects.is_empty() => CredentialState::NeverLooked,
            None => CredentialState::Suspected,
            Some(answer) => match judge::access(answer, &scene.policy.status_words) {
                Access::Unmapped => CredentialState::UnknownStatus,
                Access::Missing if never_there => CredentialState::NotConnected,
                Access::Healthy if suspects.is_empty() => CredentialState::Healthy,
                _ => CredentialState::Suspected,
            },
        };
        let missing = answer == Some(Answer::Missing);
        let (status, environment) = match answer {
            Some(Answer::Reading(reading)) => (reading.status, reading.environment),
            _ => (None, None),
        };
        Ok(view::Credential {
            who,
            state,
            since: problems.first().map(|problem| problem.began_at).or(from),
            problems,
            suspects,
            status,
            missing,
            environment,
            expected_environment: expectation.environment,
            last_look,
            stale: self
                .seen_until
                .is_some_and(|until| last_look.is_none_or(|look| look < until)),
            no_answer_since,
        })
    }
}

/// The columns `started_at, finished_at, sight, asked, answered`.
fn sweep(row: &Row<'_>) -> rusqlite::Result<Sweep> {
    let At(started_at) = row.get(0)?;
    let finished_at = row.get::<_, Option<At>>(1)?.map(|At(at)| at);
    Ok(Sweep {
        started_at,
        finished_at,
        ended: match finished_at {
            Some(_) => Some(row.get(2)?),
            None => None,
        },
        asked: row.get(3)?,
        answered: row.get(4)?,
    })
}
