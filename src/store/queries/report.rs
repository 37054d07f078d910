//! What a period was like: availability and incidents put together.

use std::time::Duration;

use rusqlite::{Row, params};

use super::{Filter, Scene};
use crate::model::{Credential, EndedBy, Provider};
use crate::rules::availability::Period;
use crate::store::incidents::{COLUMNS, incident};
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::report::{Counts, Line, Report};
use crate::view::{About, words};

impl Tx<'_> {
    /// The report of `period`, of one provider or all.
    pub fn report(
        &self,
        scene: &Scene<'_>,
        period: Period,
        provider: Option<Provider>,
    ) -> Result<Report> {
        let filter = Filter {
            provider,
            since: None,
        };
        let mut credentials = Vec::new();
        let added = self.each_availability(scene, period, filter, |line| credentials.push(line))?;
        credentials.sort_by(|a, b| {
            // What nobody saw stands after what is known.
            let known = |share: Option<f64>| share.unwrap_or(2.0);
            let (first, second) = (&a.availability, &b.availability);
            known(first.availability)
                .total_cmp(&known(second.availability))
                .then_with(|| second.trouble.cmp(&first.trouble))
                .then_with(|| a.who.user.name.cmp(&b.who.user.name))
        });
        let incident_list = self.incidents_in(scene, period, provider)?;
        Ok(Report {
            since: period.from,
            until: period.until,
            provider,
            overall: added.overall,
            providers: added.providers,
            incidents: counts(&incident_list, period),
            unseen: added.unseen,
            credentials,
            incident_list,
        })
    }

    /// The incidents that were open at some time of `period`, the newest first.
    pub(super) fn incidents_in(
        &self,
        scene: &Scene<'_>,
        period: Period,
        provider: Option<Provider>,
    ) -> Result<Vec<Line>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS}, c.leaf_user, c.provider, c.leaf_name,
               (SELECT min(d.done_at) FROM entry e JOIN delivery d ON d.message = e.message
                WHERE e.incident = i.id AND d.state = 1) first_told
             FROM incident i LEFT JOIN credential c ON c.id = i.credential
             WHERE i.opened_at < ?2 AND (i.ended_at IS NULL OR i.ended_at >= ?1) AND (?3 IS NULL OR c.provider = ?3)
             ORDER BY i.opened_at DESC, i.id DESC"
        ))?;
        let key = params![At(period.from), At(period.until), provider.map(Word)];
        let rows = statement.query_map(key, |row| line(scene, row))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn line(scene: &Scene<'_>, row: &Row<'_>) -> rusqlite::Result<Line> {
    let found = incident(row)?;
    let about = match row.get("leaf_user")? {
        Some(user) => {
            let Word(provider) = row.get("provider")?;
            let leaf_name: Option<String> = row.get("leaf_name")?;
            About::Credential(scene.who(Credential { user, provider }, leaf_name.as_deref()))
        }
        None => About::Leafwatch {
            subject: found.subject,
        },
    };
    Ok(Line {
        incident: found.id,
        about,
        track: found.track,
        kind: found.kind,
        severity: found.kind.severity(),
        began_at: found.began_at,
        opened_at: found.opened_at,
        told_at: row.get::<_, Option<At>>("first_told")?.map(|At(at)| at),
        ended_at: found.ended_at,
        ended_by: found.ended_by,
        reopened: found.reopened,
    })
}

/// Trouble of credentials alone; the account's and our own is nobody's to mend for growers.
fn counts(lines: &[Line], period: Period) -> Counts {
    let mut counts = Counts::default();
    let (mut to_tell, mut to_mend) = (Mean::default(), Mean::default());
    let of_credentials = lines
        .iter()
        .filter(|line| matches!(line.about, About::Credential(_)));
    for line in of_credentials {
        counts.total += 1;
        let ended = line.ended_at.filter(|at| *at < period.until);
        match (ended, line.ended_by) {
            (None, _) => counts.open += 1,
            (Some(at), Some(EndedBy::Proof)) => {
                counts.mended += 1;
                to_mend.add(words::between(line.began_at, at));
            }
            (Some(_), _) => counts.unwatched += 1,
        }
        if line.opened_at >= period.from {
            counts.opened += 1;
            if let Some(told) = line.told_at {
                to_tell.add(words::between(line.began_at, told));
            }
        }
    }
    counts.mean_to_tell = to_tell.value();
    counts.mean_to_mend = to_mend.value();
    counts
}

#[derive(Default)]
struct Mean {
    sum: Duration,
    of: u32,
}

impl Mean {
    fn add(&mut self, length: Duration) {
        self.sum += length;
        self.of += 1;
    }

    fn value(&self) -> Option<Duration> {
        self.sum.checked_div(self.of)
    }
}
