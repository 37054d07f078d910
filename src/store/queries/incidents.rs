//! Incidents as they are shown, each with as much of it as was asked for.

use rusqlite::{Params, Row, params};

use super::{Filter, Scene};
use crate::model::{self, Credential, CredentialId, IncidentId, Kind, Provider};
use crate::rules::availability::Period;
use crate::store::incidents::{COLUMNS, incident};
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::incidents::{PastTransition, Told};
use crate::view::silences::Silence;
use crate::view::words::{self, Matter};
use crate::view::{About, Incident};

/// A part of an incident that takes reads of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentPart {
    /// When a mail server first accepted a mail about it.
    ToldAt,
    /// Whom its mails reached.
    Told,
    /// Every step of its life.
    Transitions,
    /// Who acknowledged or silenced it.
    Said,
    /// While it is open: why it is there, and what to do.
    Advice,
}

impl IncidentPart {
    /// What lists of incidents have as JSON.
    pub const LISTED: &[IncidentPart] = &[
        IncidentPart::ToldAt,
        IncidentPart::Told,
        IncidentPart::Transitions,
        IncidentPart::Said,
    ];
}

/// Adds to incidents the parts that are asked for.
pub(super) struct Filler<'a> {
    tx: &'a Tx<'a>,
    scene: &'a Scene<'a>,
    parts: &'a [IncidentPart],
    /// All there ever were, where they are needed.
    silences: Vec<Silence>,
}

impl Tx<'_> {
    /// Calls `each` for every incident that was open at some time since `filter.since`: those still open first, then the
    /// newest.
    pub fn each_incident(
        &self,
        scene: &Scene<'_>,
        filter: Filter,
        open_only: bool,
        parts: &[IncidentPart],
        each: impl FnMut(Incident),
    ) -> Result<()> {
        let since = filter
            .since
            .map_or(i64::MIN, |since| since.as_millisecond());
        self.filler(scene, parts)?.each(
            "WHERE (i.ended_at IS NULL OR (?1 = 0 AND i.ended_at >= ?2)) AND (?3 IS NULL OR c.provider = ?3)
             ORDER BY i.ended_at IS NOT NULL, i.opened_at DESC, i.id DESC",
            params![open_only, since, filter.provider.map(Word)],
            each,
        )
    }

    /// One incident, open or ended.
    pub fn incident_shown(
        &self,
        scene: &Scene<'_>,
        id: IncidentId,
        parts: &[IncidentPart],
    ) -> Result<Option<Incident>> {
        self.filler(scene, parts)?.one(id)
    }

    /// The newest incidents of one credential, at most `limit`, and how many it had: those still open first.
    pub fn newest_incidents(
        &self,
        scene: &Scene<'_>,
        credential: CredentialId,
        limit: u32,
        parts: &[IncidentPart],
    ) -> Result<(Vec<Incident>, u64)> {
        let newest = self.filler(scene, parts)?.all(
            "WHERE i.credential = ?1 ORDER BY i.ended_at IS NOT NULL, i.opened_at DESC, i.id DESC LIMIT ?2",
            params![credential.0, limit],
        )?;
        let all = "SELECT count(*) FROM incident WHERE credential = ?1";
        let all: u32 = self
            .conn
            .prepare_cached(all)?
            .query_row([credential.0], |row| row.get(0))?;
        Ok((newest, u64::from(all)))
    }

    /// The worst open incidents, at most `limit`, and how many are open: what recovers after what does not, then worse,
    /// then longer.
    pub fn worst_open(
        &self,
        scene: &Scene<'_>,
        limit: usize,
        parts: &[IncidentPart],
    ) -> Result<(Vec<Incident>, u64)> {
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
        let filler = self.filler(scene, parts)?;
        let mut worst = Vec::new();
        for (.., id) in open.iter().take(limit) {
            worst.extend(filler.one(*id)?);
        }
        Ok((worst, open.len() as u64))
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
        parts: &[IncidentPart],
    ) -> Result<Vec<Incident>> {
        self.filler(scene, parts)?.all(
            "WHERE i.ended_at IS NOT NULL AND (?1 IS NULL OR (i.opened_at, i.id) <
               ((SELECT opened_at FROM incident WHERE id = ?1), ?1))
             ORDER BY i.opened_at DESC, i.id DESC LIMIT ?2",
            params![before.map(|before| before.0), limit],
        )
    }

    /// The incidents that were open at some time of `period`, the newest first.
    pub(super) fn incidents_in(
        &self,
        scene: &Scene<'_>,
        period: Period,
        provider: Option<Provider>,
        parts: &[IncidentPart],
    ) -> Result<Vec<Incident>> {
        self.filler(scene, parts)?.all(
            "WHERE i.opened_at < ?2 AND (i.ended_at IS NULL OR i.ended_at >= ?1) AND (?3 IS NULL OR c.provider = ?3)
             ORDER BY i.opened_at DESC, i.id DESC",
            params![At(period.from), At(period.until), provider.map(Word)],
        )
    }

    pub(super) fn filler<'a>(
        &'a self,
        scene: &'a Scene<'a>,
        parts: &'a [IncidentPart],
    ) -> Result<Filler<'a>> {
        Ok(Filler {
            tx: self,
            scene,
            parts,
            silences: match parts.contains(&IncidentPart::Said) {
                true => self.silences(scene.now, true)?,
                false => Vec::new(),
            },
        })
    }

    /// Each address under the state of its newest mail.
    fn reached(&self, id: IncidentId) -> Result<Told> {
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

    fn first_accepted(&self, id: IncidentId) -> Result<Option<jiff::Timestamp>> {
        let sql = "SELECT min(d.done_at) FROM entry e JOIN delivery d ON d.message = e.message
                   WHERE e.incident = ?1 AND d.state = 1";
        let at = |row: &Row<'_>| row.get::<_, Option<At>>(0);
        let at = self.conn.prepare_cached(sql)?.query_row([id.0], at)?;
        Ok(at.map(|At(at)| at))
    }

    fn transitions_of(&self, id: IncidentId) -> Result<Vec<PastTransition>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT at, what, kind, why FROM step WHERE incident = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([id.0], |row| {
            let (At(at), Word(step), Word(kind)) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(PastTransition {
                at,
                step,
                kind,
                why: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn advice_on(&self, scene: &Scene<'_>, incident: &Incident) -> Result<words::Advice> {
        let (kind, daemon) = (incident.kind, &scene.policy.daemon);
        let credential = match &incident.about {
            About::Credential(who) => who.credential(),
            About::Leafwatch { subject } => {
                return Ok(words::advice(kind, None, Matter::Own(subject), daemon));
            }
        };
        let expected = scene.watch.expectation(credential).environment;
        let cause = match self.number_of(credential)? {
            Some(id) => {
                let trouble = (kind, incident.began_at);
                self.diagnosis(id, trouble, expected, scene.policy, scene.now)?
                    .cause
            }
            None => None,
        };
        let matter = Matter::Connection(credential.provider);
        Ok(words::advice(kind, cause.as_ref(), matter, daemon))
    }
}

impl Filler<'_> {
    /// Adds what is asked for.
    pub(super) fn fill(&self, incident: &mut Incident) -> Result<()> {
        let (tx, id) = (self.tx, incident.number);
        for part in self.parts {
            match part {
                IncidentPart::ToldAt => incident.told_at = Some(tx.first_accepted(id)?),
                IncidentPart::Told => incident.told = Some(tx.reached(id)?),
                IncidentPart::Transitions => incident.transitions = Some(tx.transitions_of(id)?),
                IncidentPart::Said => incident.said = Some(tx.said(incident, &self.silences)?),
                IncidentPart::Advice if incident.is_open() => {
                    incident.advice = Some(tx.advice_on(self.scene, incident)?);
                }
                IncidentPart::Advice => {}
            }
        }
        Ok(())
    }

    fn one(&self, id: IncidentId) -> Result<Option<Incident>> {
        Ok(self.all("WHERE i.id = ?1", [id.0])?.pop())
    }

    fn all(&self, which: &str, key: impl Params) -> Result<Vec<Incident>> {
        let mut all = Vec::new();
        self.each(which, key, |incident| all.push(incident))?;
        Ok(all)
    }

    fn each(&self, which: &str, key: impl Params, mut each: impl FnMut(Incident)) -> Result<()> {
        let mut statement = self.tx.conn.prepare_cached(&format!(
            "SELECT {COLUMNS}, c.leaf_user, c.provider, c.leaf_name
             FROM incident i LEFT JOIN credential c ON c.id = i.credential {which}"
        ))?;
        let mut rows = statement.query(key)?;
        while let Some(row) = rows.next()? {
            let found = incident(row)?;
            let about = match row.get("leaf_user")? {
                Some(user) => {
                    let Word(provider) = row.get("provider")?;
                    let leaf_name: Option<String> = row.get("leaf_name")?;
                    let credential = Credential { user, provider };
                    About::Credential(self.scene.who(credential, leaf_name.as_deref()))
                }
                None => About::Leafwatch {
                    subject: found.subject.clone(),
                },
            };
            let mut incident = shown(&found, about);
            self.fill(&mut incident)?;
            each(incident);
        }
        Ok(())
    }
}

/// What is shown of every incident.
pub(super) fn shown(found: &model::Incident, about: About) -> Incident {
    Incident {
        track: found.track,
        opened_at: found.opened_at,
        ended_at: found.ended_at,
        ended_by: found.ended_by,
        reopened: found.reopened,
        recovering: found.is_open() && found.well.is_some(),
        doubted: found.doubted,
        ..Incident::begun(found.id, about, found.kind, found.began_at)
    }
}
