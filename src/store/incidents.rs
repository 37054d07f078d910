//! Incidents, suspects and notices: what is known of a credential, and how a plan is written down.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::row::{At, Whose, Word, duration, millis};
use super::{Result, Tx};
use crate::model::{
    Answer, CredentialId, EndedBy, Incident, IncidentId, Kind, NoticeKind, Origin, Policy, Suspect,
    SweepId, Track, Transition, TransitionKind, Well,
};
use crate::rules::incidents::{Known, Plan, SuspectChange};

/// A notice whose addressees are to be chosen. Light: there may be a hundred thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueNotice {
    /// Its number.
    pub id: i64,
    /// What it wants told.
    pub kind: NoticeKind,
    /// Of which incident.
    pub incident: IncidentId,
    /// When it has waited long enough for company.
    pub due: Timestamp,
}

pub(super) const COLUMNS: &str = "i.id, i.credential, i.track, i.subject, i.kind, i.began_at, i.opened_at, i.opened_sweep, i.kind_at,
  i.ended_at, i.ended_by, i.reopened, i.well_sweep, i.well_at, i.first_look, i.while_off, i.config_changed, i.doubted,
  i.well_while_off, i.well_config_changed";

/// When and in which sweep something is written.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The sweep it belongs to.
    pub sweep: SweepId,
    /// Now.
    pub now: Timestamp,
    /// When a notice written now is due.
    pub due: Timestamp,
}

impl Tx<'_> {
    /// All that is known of a credential. `now` is by our clock, `leaf_now` by Leaf's, by which events are dated.
    pub fn known(
        &self,
        credential: CredentialId,
        policy: &Policy,
        now: Timestamp,
        leaf_now: Timestamp,
    ) -> Result<Known> {
        let (standing, epoch) = self.standing(credential)?;
        let in_gap = self.in_gap(credential)?;
        if standing.is_none() && epoch.number == 0 && !in_gap {
            return Ok(Known::default());
        }
        let window = policy.thresholds.failing_events_window;
        let signs = self.signs(credential, leaf_now - window, leaf_now)?;
        let (mut last_bad_word, mut key, mut logs_success) = (None, None, false);
        if !signs.is_empty() {
            last_bad_word = self.last_bad_word(credential, &policy.status_words, now - window)?;
            key = self.named_key(credential)?;
            logs_success = self.logs_success(credential)?;
        }
        Ok(Known {
            in_gap,
            incidents: self.incidents_of(Some(credential), policy, now)?,
            suspects: self.suspects_of(credential)?,
            standing,
            epoch,
            signs,
            last_bad_word,
            key,
            logs_success,
        })
    }

    /// What is known of the account, whose kinds follow each other in one incident, or of one kind of own trouble.
    pub fn known_own(
        &self,
        (track, own): (Track, Option<Kind>),
        subject: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Known> {
        let mut incidents = self.incidents_of(None, policy, now)?;
        incidents.retain(|incident| {
            incident.track == track
                && incident.subject == subject
                && own.is_none_or(|kind| kind == incident.kind)
        });
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, subject, began_at, 1 + more_looks, held_ms, while_off FROM suspect WHERE credential = 0 AND subject = ?1",
        )?;
        let rows = statement.query_map([subject], suspect)?;
        let mut suspects: Vec<Suspect> = rows.collect::<rusqlite::Result<_>>()?;
        suspects.retain(|suspect| {
            suspect.kind.track() == track && own.is_none_or(|kind| kind == suspect.kind)
        });
        Ok(Known {
            incidents,
            suspects,
            ..Known::default()
        })
    }

    fn incidents_of(
        &self,
        credential: Option<CredentialId>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Vec<Incident>> {
        let flapping_since = now - policy.thresholds.flap_window;
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM incident i WHERE i.credential = ?1
               AND (i.ended_at IS NULL OR (i.ended_at >= ?2 AND i.ended_by = 'proof')) ORDER BY i.id DESC"
        ))?;
        let rows = statement.query_map(params![Whose(credential), At(flapping_since)], incident)?;
        let mut incidents = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        for incident in incidents
            .iter_mut()
            .filter(|incident| incident.well.is_some())
        {
            self.count_well(incident)?;
        }
        Ok(incidents)
    }

    fn count_well(&self, incident: &mut Incident) -> Result<()> {
        let Some(well) = &mut incident.well else {
            return Ok(());
        };
        let sql = "SELECT well_sweep FROM incident WHERE id = ?1";
        let from: i64 = self
            .conn
            .prepare_cached(sql)?
            .query_row([incident.id.0], |row| row.get(0))?;
        (well.looks, well.held) = self.looks_since(incident.credential, SweepId(from))?;
        Ok(())
    }

    fn suspects_of(&self, credential: CredentialId) -> Result<Vec<Suspect>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, subject, began_at, more_looks, held_ms, while_off, began_sweep FROM suspect WHERE credential = ?1",
        )?;
        let rows = statement.query_map([credential.0], |row| {
            Ok((suspect(row)?, SweepId(row.get(6)?)))
        })?;
        let mut suspects = Vec::new();
        for row in rows {
            let (mut suspect, from) = row?;
            let (looks, held) = match suspect.kind {
                Kind::Unreadable => self.sweeps_since(from)?,
                _ => self.looks_since(Some(credential), from)?,
            };
            suspect.looks += looks;
            suspect.held += held;
            suspects.push(suspect);
        }
        Ok(suspects)
    }

    /// Whole sweeps from `from` (included, where it was whole) to the newest, and the time watched between them. From a
    /// second look time counts only after the next full sweep: the counters stand still in between.
    fn sweeps_since(&self, from: SweepId) -> Result<(u32, Duration)> {
        let mut statement = self.conn.prepare_cached(
            "SELECT newest.looks - first.looks + (first.second = 1 OR first.sight = 0),
               newest.watched_ms - CASE first.second WHEN 0 THEN first.watched_ms
                 ELSE (SELECT coalesce(max(watched_ms), newest.watched_ms) FROM
                   (SELECT watched_ms FROM sweep WHERE id > first.id AND second = 0 ORDER BY id LIMIT 1)) END
             FROM sweep first, (SELECT looks, watched_ms FROM sweep ORDER BY id DESC LIMIT 1) newest WHERE first.id = ?1",
        )?;
        let counted = statement
            .query_row([from.0], |row| Ok((row.get(0)?, duration(row.get(1)?))))
            .optional()?;
        Ok(counted.unwrap_or((1, Duration::ZERO)))
    }

    /// The same, less the sweeps in which this credential gave no answer.
    fn looks_since(
        &self,
        credential: Option<CredentialId>,
        from: SweepId,
    ) -> Result<(u32, Duration)> {
        let (mut looks, mut held) = self.sweeps_since(from)?;
        let mut statement = self.conn.prepare_cached(
            "SELECT (SELECT looks FROM sweep WHERE id < coalesce(g.to_sweep, 1 << 60) ORDER BY id DESC LIMIT 1)
                  - (SELECT looks FROM sweep WHERE id < max(g.from_sweep, ?2) ORDER BY id DESC LIMIT 1),
                    coalesce((SELECT watched_ms FROM sweep WHERE id >= g.to_sweep AND second = 0 ORDER BY id LIMIT 1),
                      (SELECT watched_ms FROM sweep ORDER BY id DESC LIMIT 1))
                  - (SELECT watched_ms FROM sweep WHERE id < max(g.from_sweep, ?2 + 1) ORDER BY id DESC LIMIT 1)
             FROM gap g WHERE g.credential = ?1 AND coalesce(g.to_sweep, 1 << 60) > ?2",
        )?;
        let mut rows = statement.query(params![Whose(credential), from.0])?;
        while let Some(row) = rows.next()? {
            looks = looks.saturating_sub(row.get(0)?);
            held = held.saturating_sub(duration(row.get(1)?));
        }
        Ok((looks, held))
    }

    /// Writes down what was decided about a credential.
    pub fn apply(
        &self,
        credential: CredentialId,
        answer: Option<&Answer>,
        plan: &Plan,
        stamp: Stamp,
    ) -> Result<()> {
        if let (Some(span), Some(answer)) = (&plan.span, answer) {
            self.begin_span(credential, answer, span, stamp.sweep, stamp.now)?;
            if span.reconnected {
                self.end_acks_of(credential, stamp.now, "connected again")?;
            }
        }
        if plan.ends_gap {
            self.end_gap(credential, stamp.sweep, stamp.now)?;
        }
        self.apply_all(Some(credential), "", plan, stamp)
    }

    /// Writes down what was decided about the account or our own `subject`.
    pub fn apply_own(&self, subject: &str, plan: &Plan, stamp: Stamp) -> Result<()> {
        self.apply_all(None, subject, plan, stamp)
    }

    fn apply_all(
        &self,
        credential: Option<CredentialId>,
        subject: &str,
        plan: &Plan,
        stamp: Stamp,
    ) -> Result<()> {
        for change in &plan.suspects {
            self.apply_suspect(credential, subject, *change, stamp)?;
        }
        for (transition, why) in &plan.transitions {
            let (id, kind) = self.apply_transition(credential, transition, stamp)?;
            self.execute(
                "INSERT INTO step (incident, at, sweep, what, kind, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id.0, At(stamp.now), stamp.sweep.0, Word(TransitionKind::from(transition)), Word(kind), why],
            )?;
            if let Some(notice) = transition.notice() {
                self.add_notice(id, notice, stamp.now, stamp.due)?;
            }
        }
        Ok(())
    }

    fn apply_suspect(
        &self,
        credential: Option<CredentialId>,
        subject: &str,
        change: SuspectChange,
        stamp: Stamp,
    ) -> Result<()> {
        let changed = match change {
            SuspectChange::Begin { kind, while_off } => self.execute(
                "INSERT INTO suspect (credential, kind, subject, began_at, began_sweep, while_off)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                params![
                    Whose(credential),
                    Word(kind),
                    subject,
                    At(stamp.now),
                    stamp.sweep.0,
                    while_off
                ],
            ),
            SuspectChange::Again(kind, held) => self.execute(
                "UPDATE suspect SET more_looks = more_looks + 1, held_ms = held_ms + ?4
                 WHERE credential = ?1 AND kind = ?2 AND subject = ?3",
                params![Whose(credential), Word(kind), subject, millis(held)],
            ),
            SuspectChange::Held(kind, held) => self.execute(
                "UPDATE suspect SET held_ms = held_ms + ?4 WHERE credential = ?1 AND kind = ?2 AND subject = ?3",
                params![Whose(credential), Word(kind), subject, millis(held)],
            ),
            SuspectChange::Drop(kind) => self.execute(
                "DELETE FROM suspect WHERE credential = ?1 AND kind = ?2 AND subject = ?3",
                params![Whose(credential), Word(kind), subject],
            ),
        };
        changed.map(drop)
    }

    fn apply_transition(
        &self,
        credential: Option<CredentialId>,
        transition: &Transition,
        stamp: Stamp,
    ) -> Result<(IncidentId, Kind)> {
        let now = At(stamp.now);
        self.end_ack_by(transition, stamp.now)?;
        let id = match transition {
            Transition::Opened {
                kind,
                subject,
                began_at,
                origin,
            } => {
                let id = self.insert(
                    "INSERT INTO incident (credential, track, subject, kind, began_at, opened_at, opened_sweep, kind_at,
                       first_look, while_off, config_changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, ?9, ?10)",
                    params![
                        Whose(credential),
                        Word(kind.track()),
                        subject,
                        Word(*kind),
                        At(*began_at),
                        now,
                        stamp.sweep.0,
                        origin.first_look,
                        origin.while_off,
                        origin.config_changed
                    ],
                )?;
                return Ok((IncidentId(id), *kind));
            }
            Transition::Changed {
                id,
                kind,
                config_changed,
                while_off,
            } => {
                self.execute(
                    "UPDATE incident SET kind = ?2, kind_at = ?3, well_sweep = NULL, well_at = NULL, config_changed = ?4,
                       while_off = ?5 WHERE id = ?1",
                    params![id.0, Word(*kind), now, config_changed, while_off],
                )?;
                id
            }
            Transition::Reopened {
                id,
                kind,
                config_changed,
                while_off,
            } => {
                self.execute(
                    "UPDATE incident SET ended_at = NULL, ended_by = NULL, kind = ?2, kind_at = ?3, reopened = reopened + 1,
                       well_sweep = NULL, well_at = NULL, config_changed = ?6, opened_sweep = ?4, doubted = 0, while_off = ?5
                     WHERE id = ?1",
                    params![id.0, Word(*kind), now, stamp.sweep.0, while_off, config_changed],
                )?;
                id
            }
            Transition::Well {
                id,
                config_changed,
                while_off,
            } => {
                self.execute(
                    "UPDATE incident SET well_sweep = ?2, well_at = ?3, well_while_off = ?4, well_config_changed = ?5 WHERE id = ?1",
                    params![id.0, stamp.sweep.0, now, while_off, config_changed],
                )?;
                id
            }
            Transition::Relapsed { id } => {
                self.execute(
                    "UPDATE incident SET well_sweep = NULL, well_at = NULL WHERE id = ?1",
                    [id.0],
                )?;
                id
            }
            Transition::Resolved {
                id,
                config_changed,
                while_off,
            } => {
                self.end(*id, EndedBy::Proof, *config_changed, *while_off, stamp.now)?;
                id
            }
            Transition::Closed { id, by } => {
                self.end(*id, *by, true, false, stamp.now)?;
                id
            }
        };
        let sql = "SELECT kind FROM incident WHERE id = ?1";
        let Word(kind) = self
            .conn
            .prepare_cached(sql)?
            .query_row([id.0], |row| row.get(0))?;
        Ok((*id, kind))
    }

    fn end(
        &self,
        id: IncidentId,
        by: EndedBy,
        config_changed: bool,
        while_off: bool,
        now: Timestamp,
    ) -> Result<usize> {
        self.execute(
            // What ends in doubt stays so: those who were spared need not hear of it.
            "UPDATE incident SET ended_at = ?2, ended_by = ?3, well_sweep = NULL, well_at = NULL,
               well_config_changed = ?4, well_while_off = ?5 WHERE id = ?1",
            params![id.0, At(now), Word(by), config_changed, while_off],
        )
    }

    /// An ack ends with what it was about: when the incident changes for the worse, comes back, or is over.
    fn end_ack_by(&self, transition: &Transition, now: Timestamp) -> Result<()> {
        let (id, by) = match transition {
            Transition::Reopened { id, .. } => (*id, "it came back"),
            Transition::Resolved { id, .. } | Transition::Closed { id, .. } => (*id, "it is over"),
            Transition::Changed { id, kind, .. } => {
                let before = self.incident(*id)?;
                if before.is_none_or(|before| before.kind.rank() <= kind.rank()) {
                    return Ok(());
                }
                (*id, "it changed for the worse")
            }
            _ => return Ok(()),
        };
        self.end_ack(id, now, by).map(drop)
    }

    fn add_notice(
        &self,
        incident: IncidentId,
        kind: NoticeKind,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<()> {
        self.execute(
            "INSERT INTO notice (incident, kind, at, due_at) VALUES (?1, ?2, ?3, ?4)",
            params![incident.0, Word(kind), At(now), At(due)],
        )?;
        Ok(())
    }

    /// Credentials of which something is to be settled at the end of a sweep: suspects and runs of good looks.
    pub fn unsettled(&self) -> Result<Vec<CredentialId>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT credential FROM suspect WHERE credential > 0
             UNION SELECT credential FROM incident WHERE well_sweep IS NOT NULL AND ended_at IS NULL AND credential > 0",
        )?;
        let rows = statement.query_map([], |row| Ok(CredentialId(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Credentials with open trouble.
    pub fn troubled(&self) -> Result<Vec<CredentialId>> {
        let sql =
            "SELECT DISTINCT credential FROM incident WHERE ended_at IS NULL AND credential > 0";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok(CredentialId(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Credentials whose suspicion takes a second look.
    pub fn wanting_second_look(&self) -> Result<Vec<CredentialId>> {
        let sql = "SELECT DISTINCT credential FROM suspect WHERE kind = 'missing' AND credential > 0 AND more_looks = 0";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok(CredentialId(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Counts a look beyond the numbered sweeps for what is still suspected of these credentials.
    pub fn count_second_look(&self, credentials: &[CredentialId]) -> Result<()> {
        for credential in credentials {
            let sql = "UPDATE suspect SET more_looks = more_looks + 1 WHERE credential = ?1 AND kind = 'missing'";
            self.execute(sql, [credential.0])?;
        }
        Ok(())
    }

    /// The subjects of own trouble of `kind` that is open or suspected.
    pub fn own_subjects(&self, kind: Kind) -> Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT subject FROM incident WHERE credential = 0 AND kind = ?1 AND ended_at IS NULL
             UNION SELECT subject FROM suspect WHERE credential = 0 AND kind = ?1",
        )?;
        let rows = statement.query_map([Word(kind)], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether an account condition was true when it was last asked for: since then we are blind.
    pub fn is_blind(&self) -> Result<bool> {
        let suspected = "SELECT 1 FROM suspect WHERE credential = 0 AND kind IN ('leaf_login', 'leaf_unreachable', 'wrong_account')";
        let open = "SELECT 1 FROM incident WHERE credential = 0 AND track = 'account' AND ended_at IS NULL AND well_sweep IS NULL";
        Ok(self.conn.prepare_cached(suspected)?.exists([])?
            || self.conn.prepare_cached(open)?.exists([])?)
    }

    /// How many incidents of each kind opened or came back in `sweep` of credentials that were well before.
    pub fn opened_in(&self, sweep: SweepId) -> Result<Vec<(Kind, u32)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, count(*) FROM incident WHERE opened_sweep = ?1 AND ended_at IS NULL AND credential > 0
               AND first_look = 0 GROUP BY kind",
        )?;
        let rows = statement.query_map([sweep.0], |row| {
            let Word(kind) = row.get(0)?;
            Ok((kind, row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Marks whether the incidents of `kind` that opened in `sweep` are doubtful: most of the fleet turned alike.
    pub fn doubt(&self, sweep: SweepId, kind: Kind, doubted: bool) -> Result<()> {
        self.execute(
            "UPDATE incident SET doubted = ?3 WHERE opened_sweep = ?1 AND kind = ?2 AND ended_at IS NULL AND credential > 0
               AND doubted <> ?3",
            params![sweep.0, Word(kind), doubted],
        )?;
        Ok(())
    }

    /// Doubtful incidents of earlier sweeps.
    pub fn doubted_before(&self, sweep: SweepId) -> Result<Vec<(IncidentId, CredentialId, Kind)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, credential, kind FROM incident WHERE doubted = 1 AND ended_at IS NULL AND opened_sweep < ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([sweep.0], |row| {
            let Word(kind) = row.get(2)?;
            Ok((IncidentId(row.get(0)?), CredentialId(row.get(1)?), kind))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Ends the doubt about an incident: a second sweep said the same, and those who were spared are told.
    pub fn end_doubt(&self, id: IncidentId) -> Result<()> {
        self.execute("UPDATE incident SET doubted = 0 WHERE id = ?1", [id.0])?;
        Ok(())
    }

    /// One incident.
    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        let sql = format!("SELECT {COLUMNS} FROM incident i WHERE i.id = ?1");
        Ok(self
            .conn
            .prepare_cached(&sql)?
            .query_row([id.0], incident)
            .optional()?)
    }

    /// Notices that are due by `then` and whose addressees are not chosen yet.
    pub fn due_notices(&self, then: Timestamp) -> Result<Vec<DueNotice>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, kind, incident, due_at FROM notice INDEXED BY notice_due WHERE due_at <= ?1 AND done_at IS NULL AND routed = 0 ORDER BY id",
        )?;
        let rows = statement.query_map([At(then)], |row| {
            let (Word(kind), At(due)) = (row.get(1)?, row.get(3)?);
            Ok(DueNotice {
                id: row.get(0)?,
                kind,
                incident: IncidentId(row.get(2)?),
                due,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn suspect(row: &Row<'_>) -> rusqlite::Result<Suspect> {
    let Word(kind) = row.get(0)?;
    let At(began_at) = row.get(2)?;
    Ok(Suspect {
        kind,
        subject: row.get(1)?,
        began_at,
        looks: row.get(3)?,
        held: duration(row.get(4)?),
        while_off: row.get(5)?,
    })
}

/// An incident from [`COLUMNS`]. A run of good looks is counted apart.
pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let Whose(credential) = row.get(1)?;
    let (Word(track), Word(kind)) = (row.get(2)?, row.get(4)?);
    let time = |column| row.get::<_, At>(column).map(|At(at)| at);
    let maybe = |column| {
        row.get::<_, Option<At>>(column)
            .map(|at| at.map(|At(at)| at))
    };
    let (ended_at, well_while_off, well_config_changed) = (maybe(9)?, row.get(18)?, row.get(19)?);
    Ok(Incident {
        id: IncidentId(row.get(0)?),
        credential,
        track,
        subject: row.get(3)?,
        kind,
        began_at: time(5)?,
        opened_at: time(6)?,
        opened_sweep: SweepId(row.get(7)?),
        kind_at: time(8)?,
        ended_at,
        ended_while_off: ended_at.is_some() && well_while_off,
        ended_by_config: ended_at.is_some() && well_config_changed,
        ended_by: row.get::<_, Option<Word<EndedBy>>>(10)?.map(|Word(by)| by),
        reopened: row.get(11)?,
        well: maybe(13)?.map(|since| Well {
            since,
            looks: 0,
            held: Duration::ZERO,
            config_changed: well_config_changed,
            while_off: well_while_off,
        }),
        origin: Origin {
            first_look: row.get(14)?,
            while_off: row.get(15)?,
            config_changed: row.get(16)?,
        },
        doubted: row.get(17)?,
    })
}
