//! Feeds `rules::availability` from sweeps, runs, spans and gaps: one pass in the order of credentials, however many.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Row, Rows, params};

use super::{Filter, Scene};
use crate::model::{Credential, StatusClass};
use crate::rules::availability::{Health, Off, Period, Shares, Stood, Stretch, Sweep, Timeline};
use crate::store::row::{At, Word, duration};
use crate::store::{Result, Tx};
use crate::view::availability::{Availability, NotSeen, OfCredential, OfProvider, Unseen};

/// Availability of everything that was asked for, added up.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// All credentials together.
    pub overall: Availability,
    /// Each provider, by name.
    pub providers: Vec<OfProvider>,
    /// When nobody saw.
    pub unseen: Vec<Unseen>,
}

/// A time between two runs, and how it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) off: Off,
    /// Not in order.
    pub(super) killed: bool,
}

impl Tx<'_> {
    /// Calls `each` for every credential that was watched at some time of `period` and that `filter` takes, in the order
    /// in which they were first watched; returns what they come to. `filter.since` is not asked.
    pub fn each_availability(
        &self,
        scene: &Scene<'_>,
        period: Period,
        filter: Filter,
        mut each: impl FnMut(OfCredential),
    ) -> Result<Added> {
        let timeline = self.timeline(period)?;
        let mut overall = Shares::default();
        let mut providers: BTreeMap<&str, (OfProvider, Shares)> = BTreeMap::new();
        let mut passing = self.conn.prepare_cached(
            "SELECT id, leaf_user, provider, leaf_name FROM credential ORDER BY id",
        )?;
        let mut spans = self
            .conn
            .prepare_cached(&format!("{SPANS} {OVERLAPS} {IN_ORDER}"))?;
        let mut gaps = self
            .conn
            .prepare_cached(&format!("{GAPS} {OVERLAPS} {IN_ORDER}"))?;
        let times = params![At(period.from), At(period.until)];
        let mut spans = Walk::begin(spans.query(times)?, period, Span::read)?;
        let mut gaps = Walk::begin(gaps.query(times)?, period, lasting)?;
        let healthy = self.healthy_readings(scene)?;
        let mut rows = passing.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let Word(provider) = row.get(2)?;
            let credential = Credential {
                user: row.get(1)?,
                provider,
            };
            let (spans, silent) = (spans.of(id)?, gaps.of(id)?);
            if !filter.takes(provider) || (spans.is_empty() && silent.is_empty()) {
                continue;
            }
            let named = scene.watch.expectation(credential).named;
            let answers = spans.iter().map(|span| span.judge(named, &healthy));
            let shares = Shares::of(&timeline, answers, &silent);
            if shares.unwatched >= period.length() {
                continue;
            }
            overall += shares;
            let (line, added) = providers.entry(provider.name()).or_insert_with(|| {
                let line = OfProvider {
                    provider,
                    credentials: 0,
                    availability: Availability::default(),
                };
                (line, Shares::default())
            });
            line.credentials += 1;
            *added += shares;
            let leaf_name: Option<String> = row.get(3)?;
            each(OfCredential {
                who: scene.who(credential, leaf_name.as_deref()),
                availability: availability(shares),
            });
        }
        Ok(Added {
            overall: availability(overall),
            providers: providers
                .into_values()
                .map(|(line, shares)| OfProvider {
                    availability: availability(shares),
                    ..line
                })
                .collect(),
            unseen: self.unseen(&timeline)?,
        })
    }

    /// When nobody saw, from the first start on.
    fn unseen(&self, timeline: &Timeline) -> Result<Vec<Unseen>> {
        let first: Option<At> =
            self.conn
                .query_row("SELECT min(started_at) FROM run", [], |row| row.get(0))?;
        let Some(At(first)) = first else {
            return Ok(Vec::new());
        };
        let mut all: Vec<Unseen> = timeline.stretches().iter().filter_map(unseen).collect();
        all.retain(|unseen| unseen.until > first);
        for unseen in &mut all {
            unseen.from = unseen.from.max(first);
        }
        Ok(all)
    }

    /// What Leafwatch as a whole did in `period`.
    pub(super) fn timeline(&self, period: Period) -> Result<Timeline> {
        // From the last clear sweep before it: that one holds into it, and says that nobody was blind then. Before it in
        // number, not only in time: clocks were set back and forth.
        let mut statement = self.conn.prepare_cached(
            "SELECT started_at, finished_at, sight = 0, blind, interval_ms FROM sweep
             WHERE second = 0 AND finished_at IS NOT NULL AND started_at < ?2 AND id >= coalesce(
               (SELECT id FROM sweep WHERE second = 0 AND sight = 0 AND blind = 0 AND finished_at <= ?1
                  AND id < coalesce((SELECT min(id) FROM sweep INDEXED BY sweep_at WHERE started_at > ?1), 1 << 62)
                ORDER BY id DESC LIMIT 1), 0)
             ORDER BY id",
        )?;
        let sweeps = statement
            .query_map(params![At(period.from), At(period.until)], |row| {
                let (At(from), At(until)) = (row.get(0)?, row.get(1)?);
                Ok(Sweep {
                    lasted: Period { from, until },
                    whole: row.get(2)?,
                    blind: row.get(3)?,
                    interval: duration(row.get(4)?),
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let off = self.stops(period.until)?;
        Ok(Timeline::new(
            period,
            &sweeps,
            off.into_iter().map(|stop| stop.off),
        ))
    }

    /// The times after each run until `now`, the oldest first. The newest run, where it did not stop in order, is taken
    /// to go on.
    pub(super) fn stops(&self, now: Timestamp) -> Result<Vec<Stop>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT coalesce(r.stopped_at,
                (SELECT coalesce(finished_at, started_at) FROM sweep WHERE run = r.id ORDER BY id DESC LIMIT 1), r.started_at),
               lead(r.started_at) OVER (ORDER BY r.id), r.stopped_at IS NULL,
               (SELECT interval_ms FROM sweep WHERE run <= r.id AND interval_ms > 0 ORDER BY run DESC, id DESC LIMIT 1)
             FROM run r ORDER BY r.id",
        )?;
        let rows = statement.query_map([], |row| {
            let (At(from), killed) = (row.get(0)?, row.get(2)?);
            let next: Option<At> = row.get(1)?;
            if killed && next.is_none() {
                return Ok(None);
            }
            let until = next.map_or(now, |At(next)| next);
            let interval: Option<i64> = row.get(3)?;
            Ok(Some(Stop {
                off: Off {
                    during: Period { from, until },
                    interval: duration(interval.unwrap_or(0)),
                },
                killed,
            }))
        })?;
        let all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The readings with a healthy word: there are few, however many answers.
    fn healthy_readings(&self, scene: &Scene<'_>) -> Result<HashSet<i64>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id, status FROM reading WHERE status IS NOT NULL")?;
        let mut rows = statement.query([])?;
        let mut healthy = HashSet::new();
        while let Some(row) = rows.next()? {
            let status: String = row.get(1)?;
            if scene.policy.status_words.class(&status) == Some(StatusClass::Healthy) {
                healthy.insert(row.get(0)?);
            }
        }
        Ok(healthy)
    }
}

const SPANS: &str = "SELECT credential, from_at, to_at, reading, epoch FROM span";
pub(super) const GAPS: &str = "SELECT credential, from_at, to_at FROM gap";
/// What has something in common with the period from `?1` to `?2`.
pub(super) const OVERLAPS: &str = "WHERE from_at < ?2 AND (to_at IS NULL OR to_at > ?1)";
const IN_ORDER: &str = "ORDER BY credential, from_sweep";

/// Rows whose first column is a credential, in the order of credentials; read once, beside another such walk.
struct Walk<'a, T> {
    rows: Rows<'a>,
    read: fn(&Row<'_>, Period) -> rusqlite::Result<T>,
    period: Period,
    next: Option<(i64, T)>,
}

impl<'a, T> Walk<'a, T> {
    fn begin(
        rows: Rows<'a>,
        period: Period,
        read: fn(&Row<'_>, Period) -> rusqlite::Result<T>,
    ) -> Result<Self> {
        let mut walk = Walk {
            rows,
            read,
            period,
            next: None,
        };
        walk.step()?;
        Ok(walk)
    }

    fn step(&mut self) -> Result<Option<(i64, T)>> {
        let next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, (self.read)(row, self.period)?)),
            None => None,
        };
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// All of credential `id`; what stands before it is passed over.
    fn of(&mut self, id: i64) -> Result<Vec<T>> {
        let mut found = Vec::new();
        while self.next.as_ref().is_some_and(|(next, _)| *next <= id) {
            let here = self.step()?;
            found.extend(here.filter(|(of, _)| *of == id).map(|(_, item)| item));
        }
        Ok(found)
    }
}

/// An answer that stood.
struct Span {
    during: Period,
    reading: Option<i64>,
    epoch: u32,
}

impl Span {
    /// A row of [`SPANS`].
    fn read(row: &Row<'_>, period: Period) -> rusqlite::Result<Span> {
        Ok(Span {
            during: lasting(row, period)?,
            reading: row.get(3)?,
            epoch: row.get(4)?,
        })
    }

    fn judge(&self, named: bool, healthy: &HashSet<i64>) -> Stood<Health> {
        let what = match self.reading {
            Some(reading) if healthy.contains(&reading) => Health::Healthy,
            None if self.epoch == 0 && !named => Health::NotConnected,
            _ => Health::Trouble,
        };
        Stood {
            during: self.during,
            what,
        }
    }
}

/// The second and third column; what is not over lasts to the period's end.
pub(super) fn lasting(row: &Row<'_>, period: Period) -> rusqlite::Result<Period> {
    let At(from) = row.get(1)?;
    let until = row.get::<_, Option<At>>(2)?.map(|At(until)| until);
    Ok(Period {
        from,
        until: until.unwrap_or(period.until),
    })
}

fn availability(shares: Shares) -> Availability {
    Availability {
        availability: shares.availability(),
        healthy: shares.healthy,
        trouble: shares.trouble,
        not_seen: NotSeen {
            no_answer: shares.no_answer,
            not_looked: shares.not_looked,
            blind: shares.blind,
            off: shares.off,
        },
        unwatched: shares.unwatched,
    }
}

fn unseen(stretch: &Stretch) -> Option<Unseen> {
    Some(Unseen {
        from: stretch.during.from,
        until: stretch.during.until,
        why: stretch.unseen?,
    })
}
