//! What a period was like: availability and incidents put together.

use std::time::Duration;

use super::{Filter, IncidentPart, Scene};
use crate::model::{EndedBy, Provider};
use crate::rules::availability::Period;
use crate::store::{Result, Tx};
use crate::view::report::{IncidentCounts, Report};
use crate::view::{About, Incident, words};

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
        let parts = &[IncidentPart::ToldAt];
        let incident_list = self.incidents_in(scene, period, provider, parts)?;
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
}

/// Trouble of credentials alone; the account's and our own is nobody's to mend for growers.
fn counts(incidents: &[Incident], period: Period) -> IncidentCounts {
    let mut counts = IncidentCounts::default();
    let (mut to_tell, mut to_mend) = (Mean::default(), Mean::default());
    let of_credentials = incidents
        .iter()
        .filter(|incident| matches!(incident.about, About::Credential(_)));
    for incident in of_credentials {
        counts.total += 1;
        let ended = incident.ended_before(period.until);
        match (ended, incident.ended_by) {
            (None, _) => counts.open += 1,
            (Some(at), Some(EndedBy::Proof)) => {
                counts.mended += 1;
                to_mend.add(words::between(incident.began_at, at));
            }
            (Some(_), _) => counts.unwatched += 1,
        }
        if incident.opened_at >= period.from {
            counts.opened += 1;
            if let Some(told) = incident.told_at.flatten() {
                to_tell.add(words::between(incident.began_at, told));
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
