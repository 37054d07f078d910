//! What was so, from when until when: of one credential, and of our own sight. Reads no further back than it is asked.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::Scene;
use crate::model::{Answer, CredentialId, Kind};
use crate::store::row::{self, At, Word};
use crate::store::{Result, Tx};
use crate::view::timeline::{Said, Stretch, Timeline, Unseen};

impl Tx<'_> {
    /// What is known of a credential from `from` until now. `unseen` is [`Tx::unseen_since`] that time: it is the same
    /// for all credentials.
    pub fn timeline_of(
        &self,
        scene: &Scene<'_>,
        id: CredentialId,
        from: Timestamp,
        unseen: &[Stretch<Unseen>],
    ) -> Result<Timeline> {
        let first_sweep = self.newest_sweep_at(from)?;
        Ok(Timeline {
            from,
            to: scene.now,
            answers: self.answers_since(id, first_sweep)?,
            gaps: self.gaps_since(id, first_sweep)?,
            troubles: self.troubles_since(id, from)?,
            unseen: unseen.to_vec(),
        })
    }

    /// Blind and off time since `from`, the oldest first.
    pub fn unseen_since(&self, scene: &Scene<'_>, from: Timestamp) -> Result<Vec<Stretch<Unseen>>> {
        let mut unseen = self.blind_since_then(from)?;
        unseen.extend(self.off_since(scene, from)?);
        unseen.sort_by_key(|stretch| stretch.from);
        Ok(unseen)
    }

    /// The newest sweep that had begun by then; 0 where there was none.
    fn newest_sweep_at(&self, at: Timestamp) -> Result<i64> {
        let sql = "SELECT id FROM sweep WHERE started_at <= ?1 ORDER BY started_at DESC LIMIT 1";
        let id = self
            .conn
            .prepare_cached(sql)?
            .query_row([At(at)], |row| row.get(0));
        Ok(id.optional()?.unwrap_or(0))
    }

    fn answers_since(&self, id: CredentialId, first_sweep: i64) -> Result<Vec<Stretch<Said>>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT s.from_at, s.to_at, s.epoch, s.reading, r.status, r.environment, r.scopes, r.key_print, r.key_tail
             FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 AND s.from_sweep >= coalesce(
               (SELECT max(from_sweep) FROM span WHERE credential = ?1 AND from_sweep <= ?2), 0)
             ORDER BY s.from_sweep",
        )?;
        let rows = statement.query_map(params![id.0, first_sweep], |row| {
            let (At(from), until) = (row.get(0)?, row.get::<_, Option<At>>(1)?);
            let answer = match row.get::<_, Option<i64>>(3)? {
                None => Answer::Missing,
                Some(_) => Answer::Reading(row::reading(row, 4)?),
            };
            Ok(Stretch {
                from,
                until: until.map(|At(at)| at),
                what: Said {
                    answer,
                    epoch: row.get(2)?,
                },
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn gaps_since(&self, id: CredentialId, first_sweep: i64) -> Result<Vec<Stretch<String>>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT from_at, to_at, detail FROM gap WHERE credential = ?1 AND from_sweep >= coalesce(
               (SELECT max(from_sweep) FROM gap WHERE credential = ?1 AND from_sweep <= ?2), 0)
             ORDER BY from_sweep",
        )?;
        let rows = statement.query_map(params![id.0, first_sweep], |row| {
            let (At(from), until) = (row.get(0)?, row.get::<_, Option<At>>(1)?);
            Ok(Stretch {
                from,
                until: until.map(|At(at)| at),
                what: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// From the steps of its incidents: an incident that changes its kind, or ends and comes back, is several stretches.
    fn troubles_since(&self, id: CredentialId, from: Timestamp) -> Result<Vec<Stretch<Kind>>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT i.id, i.began_at, s.at, s.what, s.kind FROM incident i JOIN step s ON s.incident = i.id
             WHERE i.credential = ?1 AND (i.ended_at IS NULL OR i.ended_at >= ?2) ORDER BY i.id, s.id",
        )?;
        let mut rows = statement.query(params![id.0, At(from)])?;
        let mut troubles: Vec<Stretch<Kind>> = Vec::new();
        let mut open: Option<(i64, Stretch<Kind>)> = None;
        while let Some(row) = rows.next()? {
            let incident: i64 = row.get(0)?;
            let (At(began), At(at), Word(kind)) = (row.get(1)?, row.get(2)?, row.get(4)?);
            let what: String = row.get(3)?;
            if let Some((of, stretch)) = open.take() {
                match (of == incident, what.as_str()) {
                    (false, _) => troubles.push(stretch),
                    (true, "changed" | "resolved" | "closed") => troubles.push(Stretch {
                        until: Some(at),
                        ..stretch
                    }),
                    (true, _) => open = Some((of, stretch)),
                }
            }
            let begins = match what.as_str() {
                "opened" => Some(began),
                "changed" | "reopened" => Some(at),
                _ => None,
            };
            if let (Some(from), None) = (begins, &open) {
                let stretch = Stretch {
                    from,
                    until: None,
                    what: kind,
                };
                open = Some((incident, stretch));
            }
        }
        troubles.extend(open.map(|(_, stretch)| stretch));
        troubles.sort_by_key(|stretch| stretch.from);
        Ok(troubles)
    }

    /// Each time from the first sweep that was blind to the next one that was not.
    fn blind_since_then(&self, from: Timestamp) -> Result<Vec<Stretch<Unseen>>> {
        let mut first = self.conn.prepare_cached(
            "SELECT id, coalesce(finished_at, started_at) FROM sweep
             WHERE blind = 1 AND second = 0 AND id > ?1 ORDER BY id LIMIT 1",
        )?;
        let mut end = self.conn.prepare_cached(
            "SELECT id, finished_at FROM sweep
             WHERE blind = 0 AND second = 0 AND finished_at IS NOT NULL AND id > ?1 ORDER BY id LIMIT 1",
        )?;
        // What began before that time and lasted into it belongs to it.
        let before = self.newest_sweep_at(from)?;
        let last_clear = "SELECT id FROM sweep WHERE blind = 0 AND second = 0 AND finished_at IS NOT NULL AND id <= ?1
             ORDER BY id DESC LIMIT 1";
        let mut at: i64 = self
            .conn
            .prepare_cached(last_clear)?
            .query_row([before], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let mut blind = Vec::new();
        loop {
            let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, At>(1)?));
            let Some((began, At(from))) = first.query_row([at], pair).optional()? else {
                return Ok(blind);
            };
            let ended = end.query_row([began], pair).optional()?;
            blind.push(Stretch {
                from,
                until: ended.map(|(_, At(until))| until),
                what: Unseen::Blind,
            });
            match ended {
                Some((id, _)) => at = id,
                None => return Ok(blind),
            }
        }
    }

    /// Times between runs, where they were longer than the usual time between two sweeps.
    fn off_since(&self, scene: &Scene<'_>, from: Timestamp) -> Result<Vec<Stretch<Unseen>>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT r.started_at, r.stopped_at, (SELECT started_at FROM run WHERE id > r.id ORDER BY id LIMIT 1)
             FROM run r ORDER BY r.id",
        )?;
        let mut last_sign = self.conn.prepare_cached(
            "SELECT coalesce(finished_at, started_at) FROM sweep WHERE started_at < ?1 ORDER BY started_at DESC LIMIT 1",
        )?;
        let usual = scene.policy.schedules.sweep.typical_interval();
        let mut off = Vec::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let At(started) = row.get(0)?;
            let stopped = row.get::<_, Option<At>>(1)?.map(|At(at)| at);
            let next = row.get::<_, Option<At>>(2)?.map(|At(at)| at);
            if next.is_some_and(|next| next < from) {
                continue;
            }
            let began = match (stopped, next) {
                (Some(stopped), _) => stopped,
                // Killed: it was last heard of in its last sweep.
                (None, Some(next)) => {
                    let sign = last_sign.query_row([At(next)], |row| row.get::<_, At>(0));
                    sign.optional()?
                        .map_or(started, |At(at)| at.max(started).min(next))
                }
                // The newest run, not stopped in order, is taken to go on.
                (None, None) => continue,
            };
            let length = next.unwrap_or(scene.now).duration_since(began);
            if !length.is_negative() && length.unsigned_abs() > usual {
                off.push(Stretch {
                    from: began,
                    until: next,
                    what: Unseen::Off,
                });
            }
        }
        Ok(off)
    }
}
