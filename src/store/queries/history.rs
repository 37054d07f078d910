//! What happened to one user's credentials, put together from spans, gaps, steps, events, sweeps and runs.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::{Filter, Scene};
use crate::model::{CredentialId, IncidentId, Provider, WhyUnseen};
use crate::rules::availability::Period;
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::User;
use crate::view::history::{Happening, History, HistoryEntry};

impl Tx<'_> {
    /// The history of `user` since `filter.since`, the oldest first: what lasted into that time is part of it.
    pub fn history_of(&self, scene: &Scene<'_>, user: User, filter: Filter) -> Result<History> {
        let mut entries = Vec::new();
        for (id, provider) in self.credentials_of(user.user)? {
            if filter.takes(provider) {
                self.added_into(&mut entries, id, provider)?;
                self.answers_into(&mut entries, id, provider)?;
                self.silences_into(&mut entries, id, provider)?;
                self.steps_into(&mut entries, id, provider)?;
                self.breakages_into(&mut entries, id, provider)?;
            }
        }
        if let Some(first) = entries.iter().map(|entry: &HistoryEntry| entry.at).min() {
            self.unseen_into(&mut entries, first, scene)?;
        }
        if let Some(since) = filter.since {
            entries.retain(|entry| {
                let lasting = matches!(
                    entry.what,
                    Happening::Answer { .. }
                        | Happening::Missing
                        | Happening::NoAnswer { .. }
                        | Happening::Blind { .. }
                        | Happening::Off { .. }
                        | Happening::NotLooked
                );
                let end = entry
                    .until
                    .unwrap_or(if lasting { scene.now } else { entry.at });
                end >= since
            });
        }
        // A stable order: what was found out in one moment stays as it was put together.
        entries.sort_by_key(|entry| entry.at);
        Ok(History {
            user,
            since: filter.since,
            entries,
        })
    }

    fn added_into(
        &self,
        entries: &mut Vec<HistoryEntry>,
        id: CredentialId,
        provider: Provider,
    ) -> Result<()> {
        let sql = "SELECT added_at FROM credential WHERE id = ?1";
        let At(at) = self
            .conn
            .prepare_cached(sql)?
            .query_row([id.0], |row| row.get(0))?;
        entries.push(HistoryEntry {
            at,
            until: None,
            provider: Some(provider),
            what: Happening::Watched,
        });
        Ok(())
    }

    fn answers_into(
        &self,
        entries: &mut Vec<HistoryEntry>,
        id: CredentialId,
        provider: Provider,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT s.from_at, s.to_at, s.reading, r.status, r.environment, r.scopes, s.epoch
             FROM span s LEFT JOIN reading r ON r.id = s.reading WHERE s.credential = ?1 ORDER BY s.from_sweep",
        )?;
        let mut rows = statement.query([id.0])?;
        let mut epoch_before = 0;
        while let Some(row) = rows.next()? {
            let epoch: u32 = row.get(6)?;
            let what = match row.get::<_, Option<i64>>(2)? {
                None => Happening::Missing,
                Some(_) => Happening::Answer {
                    status: row.get(3)?,
                    environment: row.get(4)?,
                    scopes: row
                        .get::<_, String>(5)?
                        .split_whitespace()
                        .map(str::to_owned)
                        .collect(),
                    epoch,
                    reconnected: epoch_before > 0 && epoch > epoch_before,
                },
            };
            epoch_before = epoch;
            entries.push(lasting(row, Some(provider), what)?);
        }
        Ok(())
    }

    fn silences_into(
        &self,
        entries: &mut Vec<HistoryEntry>,
        id: CredentialId,
        provider: Provider,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT from_at, to_at, reason, detail FROM gap WHERE credential = ?1 ORDER BY from_sweep",
        )?;
        let mut rows = statement.query([id.0])?;
        while let Some(row) = rows.next()? {
            let what = Happening::NoAnswer {
                reason: row.get(2)?,
                detail: row.get(3)?,
            };
            entries.push(lasting(row, Some(provider), what)?);
        }
        Ok(())
    }

    fn steps_into(
        &self,
        entries: &mut Vec<HistoryEntry>,
        id: CredentialId,
        provider: Provider,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT s.at, s.incident, s.what, s.kind, s.why FROM incident i JOIN step s ON s.incident = i.id
             WHERE i.credential = ?1 ORDER BY s.id",
        )?;
        let mut rows = statement.query([id.0])?;
        while let Some(row) = rows.next()? {
            let (At(at), Word(step), Word(kind)) = (row.get(0)?, row.get(2)?, row.get(3)?);
            entries.push(HistoryEntry {
                at,
                until: None,
                provider: Some(provider),
                what: Happening::Incident {
                    incident: IncidentId(row.get(1)?),
                    step,
                    kind,
                    why: row.get(4)?,
                },
            });
        }
        Ok(())
    }

    /// Events marked as brief that were read at one time are one breakage, from the first to the last of their own times.
    fn breakages_into(
        &self,
        entries: &mut Vec<HistoryEntry>,
        id: CredentialId,
        provider: Provider,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT min(at), max(at), count(*) FROM event WHERE credential = ?1 AND brief = 1 AND at IS NOT NULL
             GROUP BY seen_at ORDER BY seen_at",
        )?;
        let mut rows = statement.query([id.0])?;
        while let Some(row) = rows.next()? {
            let failures = row.get(2)?;
            entries.push(lasting(
                row,
                Some(provider),
                Happening::BriefBreakage { failures },
            )?);
        }
        Ok(())
    }

    /// The times in which nobody saw, from `first` on.
    fn unseen_into(
        &self,
        entries: &mut Vec<HistoryEntry>,
        first: Timestamp,
        scene: &Scene<'_>,
    ) -> Result<()> {
        let until = scene.now;
        let timeline = self.timeline(Period { from: first, until })?;
        let stops = self.stops(until)?;
        let mut given_up = self.conn.prepare_cached(
            "SELECT sight FROM sweep WHERE second = 0 AND blind = 1 AND finished_at <= ?1 ORDER BY id DESC LIMIT 1",
        )?;
        for stretch in timeline.stretches() {
            let Period { from, until } = stretch.during;
            let what = match stretch.unseen {
                None | Some(WhyUnseen::NoAnswer) => continue,
                Some(WhyUnseen::Off) => Happening::Off {
                    killed: stops.iter().any(|stop| {
                        stop.killed && stop.off.during.from <= from && from < stop.off.during.until
                    }),
                },
                Some(WhyUnseen::Blind) => {
                    let end = given_up.query_row([At(from)], |row| row.get(0));
                    Happening::Blind {
                        sweep: end.optional()?,
                    }
                }
                Some(WhyUnseen::NotLooked) => Happening::NotLooked,
            };
            entries.push(HistoryEntry {
                at: from,
                until: (until < scene.now).then_some(until),
                provider: None,
                what,
            });
        }
        Ok(())
    }
}

/// An entry whose first two columns say from when and until when.
fn lasting(
    row: &Row<'_>,
    provider: Option<Provider>,
    what: Happening,
) -> rusqlite::Result<HistoryEntry> {
    let At(at) = row.get(0)?;
    Ok(HistoryEntry {
        at,
        until: row.get::<_, Option<At>>(1)?.map(|At(until)| until),
        provider,
        what,
    })
}
