//! Incidents with their steps, and whom their mails reached.

use rusqlite::{Row, params};

use super::{Filter, Scene};
use crate::model::{Credential, CredentialId, IncidentId, Kind};
use crate::store::incidents::{COLUMNS, incident};
use crate::store::row::{At, Word};
use crate::store::{Result, Silence, Tx};
use crate::view::About;
use crate::view::incidents::{Line, Step, Told};

/// A query for [`COLUMNS`], then whose it is.
fn shown(which: &str) -> String {
    format!(
        "SELECT {COLUMNS}, c.leaf_user, c.provider, c.leaf_name
         FROM incident i LEFT JOIN credential c ON c.id = i.credential {which}"
    )
}

impl Tx<'_> {
    /// Calls `each` for every incident that was open at some time since `filter.since`: those still open first, then the
    /// newest.
    pub fn each_incident(
        &self,
        scene: &Scene<'_>,
        filter: Filter,
        open_only: bool,
        mut each: impl FnMut(Line),
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(&shown(
            "WHERE (i.ended_at IS NULL OR (?1 = 0 AND i.ended_at >= ?2)) AND (?3 IS NULL OR c.provider = ?3)
             ORDER BY i.ended_at IS NOT NULL, i.opened_at DESC, i.id DESC"
        ))?;
        let silences = self.silences(scene.now, true)?;
        let since = filter
            .since
            .map_or(i64::MIN, |since| since.as_millisecond());
        let mut rows = statement.query(params![open_only, since, filter.provider.map(Word)])?;
        while let Some(row) = rows.next()? {
            each(self.incident_line(scene, row, &silences)?);
        }
        Ok(())
    }

    /// One incident, open or ended.
    pub fn incident_shown(&self, scene: &Scene<'_>, id: IncidentId) -> Result<Option<Line>> {
        let silences = self.silences(scene.now, true)?;
        let mut statement = self.conn.prepare_cached(&shown("WHERE i.id = ?1"))?;
        let mut rows = statement.query([id.0])?;
        match rows.next()? {
            Some(row) => Ok(Some(self.incident_line(scene, row, &silences)?)),
            None => Ok(None),
        }
    }

    /// The newest incidents of one credential, at most `limit`, and how many it had: those still open first.
    pub fn newest_incidents(
        &self,
        scene: &Scene<'_>,
        credential: CredentialId,
        limit: u32,
    ) -> Result<(Vec<Line>, u64)> {
        let silences = self.silences(scene.now, true)?;
        let mut statement = self.conn.prepare_cached(&shown(
            "WHERE i.credential = ?1 ORDER BY i.ended_at IS NOT NULL, i.opened_at DESC, i.id DESC LIMIT ?2"
        ))?;
        let mut rows = statement.query(params![credential.0, limit])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(self.incident_line(scene, row, &silences)?);
        }
        let all = "SELECT count(*) FROM incident WHERE credential = ?1";
        let all: u32 = self
            .conn
            .prepare_cached(all)?
            .query_row([credential.0], |row| row.get(0))?;
        Ok((lines, u64::from(all)))
    }

    /// The worst open incidents, at most `limit`, and how many are open: what recovers after what does not, then worse,
    /// then longer.
    pub fn worst_open(&self, scene: &Scene<'_>, limit: usize) -> Result<(Vec<Line>, u64)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, kind, began_at, well_sweep IS NOT NULL FROM incident WHERE ended_at IS NULL",
        )?;
        let rows = statement.query_map([], |row| {
            let (Word(kind), At(began)) = (row.get::<_, Word<Kind>>(1)?, row.get(2)?);
            let recovers: bool = row.get(3)?;
            Ok((recovers, kind.rank(), began, IncidentId(row.get(0)?)))
        })?;
        let mut open: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        open.sort_unstable();
        let mut lines = Vec::new();
        for (.., id) in open.iter().take(limit) {
            lines.extend(self.incident_shown(scene, *id)?);
        }
        Ok((lines, open.len() as u64))
    }

    /// How many are open, by kind.
    pub fn open_by_kind(&self) -> Result<Vec<(Kind, u32)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, count(*) FROM incident WHERE ended_at IS NULL GROUP BY kind",
        )?;
        let rows = statement.query_map([], |row| {
            let Word(kind) = row.get(0)?;
            Ok((kind, row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Incidents that have ended, those that opened last first: at most `limit` that opened before the one numbered
    /// `before`.
    pub fn newest_ended(
        &self,
        scene: &Scene<'_>,
        before: Option<IncidentId>,
        limit: u32,
    ) -> Result<Vec<Line>> {
        let silences = self.silences(scene.now, true)?;
        let mut statement = self.conn.prepare_cached(&shown(
            "WHERE i.ended_at IS NOT NULL AND (?1 IS NULL OR (i.opened_at, i.id) <
               ((SELECT opened_at FROM incident WHERE id = ?1), ?1))
             ORDER BY i.opened_at DESC, i.id DESC LIMIT ?2",
        ))?;
        let mut rows = statement.query(params![before.map(|before| before.0), limit])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(self.incident_line(scene, row, &silences)?);
        }
        Ok(lines)
    }

    /// A row of [`shown`].
    fn incident_line(
        &self,
        scene: &Scene<'_>,
        row: &Row<'_>,
        silences: &[Silence],
    ) -> Result<Line> {
        let found = incident(row)?;
        let (about, credential) = match row.get("leaf_user")? {
            Some(user) => {
                let Word(provider) = row.get("provider")?;
                let leaf_name: Option<String> = row.get("leaf_name")?;
                let credential = Credential { user, provider };
                let who = scene.who(credential, leaf_name.as_deref());
                (About::Credential(who), Some(credential))
            }
            None => {
                let subject = found.subject.clone();
                (About::Leafwatch { subject }, None)
            }
        };
        Ok(Line {
            said: self.said(&found, credential, silences)?,
            incident: found.id,
            about,
            track: found.track,
            kind: found.kind,
            severity: found.kind.severity(),
            began_at: found.began_at,
            opened_at: found.opened_at,
            ended_at: found.ended_at,
            ended_by: found.ended_by,
            reopened: found.reopened,
            told: self.reached(found.id)?,
            steps: self.steps_of(found.id)?,
        })
    }

    /// Whom the mails about an incident reached: each address under the state of its newest mail.
    pub(super) fn reached(&self, id: IncidentId) -> Result<Told> {
        let mut statement = self.conn.prepare_cached(
            "SELECT d.address, d.state, max(d.message) FROM entry e JOIN delivery d ON d.message = e.message
             WHERE e.incident = ?1 GROUP BY d.address
             UNION ALL
             SELECT a.address, 0, NULL FROM notice n JOIN addressee a ON a.notice = n.id
             WHERE n.incident = ?1 AND a.message IS NULL AND a.folded = 0",
        )?;
        let mut rows = statement.query([id.0])?;
        let mut told = Told::default();
        while let Some(row) = rows.next()? {
            let address: String = row.get(0)?;
            let list = match row.get::<_, i64>(1)? {
                0 => &mut told.waiting,
                1 => &mut told.accepted,
                _ => &mut told.failed,
            };
            if !list.contains(&address) {
                list.push(address);
            }
        }
        let undecided =
            "SELECT 1 FROM notice WHERE incident = ?1 AND done_at IS NULL AND routed = 0";
        told.undecided = self.conn.prepare_cached(undecided)?.exists([id.0])?;
        Ok(told)
    }

    fn steps_of(&self, id: IncidentId) -> Result<Vec<Step>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT at, what, kind, why FROM step WHERE incident = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([id.0], |row| {
            let (At(at), Word(step), Word(kind)) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Step {
                at,
                step,
                kind,
                why: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
