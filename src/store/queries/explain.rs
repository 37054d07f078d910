//! What is known of one user, what would open or end next and why, and who would be told by which rule.

use jiff::Timestamp;

use super::{Filter, Scene};
use crate::model::{
    Answer, Credential, CredentialId, Environment, Expectation, Incident, Kind, Provider, Reading,
    Track,
};
use crate::rules::incidents::Known;
use crate::rules::{failing, needs, notify, quiet};
use crate::store::row::At;
use crate::store::{Result, Silence, Tx};
use crate::view::deliveries::WaitingNotice;
use crate::view::explain::{
    Audience, Ending, EventSummary, Explained, Explanation, Lacking, OpenIncident, Opening, Quiet,
    Recipient, WouldOpen,
};
use crate::view::words::Matter;
use crate::view::{User, words};

/// How many times ahead a quiet window is told.
const OPENINGS: usize = 3;

/// All that the explanation of one credential is made from.
struct Facts<'a> {
    scene: &'a Scene<'a>,
    id: CredentialId,
    credential: Credential,
    provider: Provider,
    expectation: Expectation,
    about: notify::About<'a>,
    known: Known,
    silences: &'a [Silence],
    waiting: &'a [WaitingNotice],
    leaf_now: Timestamp,
    blind: bool,
}

impl Tx<'_> {
    /// Explains `user`: every credential, those no longer watched too.
    pub fn explanation_of(
        &self,
        scene: &Scene<'_>,
        user: User,
        filter: Filter,
    ) -> Result<Explanation> {
        let blind = self.is_blind()?;
        let leaf_now = scene.now + self.leaf_ahead()?;
        let silences = self.silences(scene.now, true)?;
        let waiting = self.waiting_notices(scene, None)?;
        let watched = scene.watch.user(user.user);
        let own = watched.and_then(|user| user.own.as_deref());
        let mut credentials = Vec::new();
        for (id, provider) in self.credentials_of(user.user)? {
            if !filter.takes(provider) {
                continue;
            }
            let credential = Credential {
                user: user.user,
                provider,
            };
            let facts = Facts {
                scene,
                id,
                credential,
                provider,
                expectation: scene.watch.expectation(credential),
                about: notify::About {
                    provider: Some(credential.provider),
                    tags: own.map_or(&[], |own| &own.tags),
                    notify: own.map_or(&[], |own| &own.notify),
                },
                known: self.known(id, scene.policy, scene.now, leaf_now)?,
                silences: &silences,
                waiting: &waiting,
                leaf_now,
                blind,
            };
            credentials.push(self.explained(&facts)?);
        }
        Ok(Explanation {
            user,
            at: scene.now,
            blind,
            credentials,
            quiet: quiet(scene),
            cannot_see: words::CANNOT_SEE,
        })
    }

    /// What to do about trouble of `kind` of a credential that began at `began_at`.
    pub fn advice_on(
        &self,
        scene: &Scene<'_>,
        credential: Credential,
        trouble: (Kind, Timestamp),
    ) -> Result<words::Advice> {
        let expected = scene.watch.expectation(credential).environment;
        let cause = match self.number_of(credential)? {
            Some(id) => {
                self.diagnosis(id, trouble, expected, scene.policy, scene.now)?
                    .cause
            }
            None => None,
        };
        Ok(words::advice(
            trouble.0,
            cause.as_ref(),
            Matter::Connection(credential.provider),
            &scene.policy.daemon,
        ))
    }

    fn explained(&self, facts: &Facts<'_>) -> Result<Explained> {
        let sql = "SELECT watched, events_looked_at FROM credential WHERE id = ?1";
        let (watched, events_read_at) = self
            .conn
            .prepare_cached(sql)?
            .query_row([facts.id.0], |row| {
                Ok((row.get(0)?, row.get::<_, Option<At>>(1)?.map(|At(at)| at)))
            })?;
        let reading = facts.reading().cloned().unwrap_or_default();
        let epoch = facts.known.epoch.clone();
        let mut open = Vec::new();
        for incident in facts.open() {
            open.push(self.open_incident(facts, incident)?);
        }
        open.sort_by_key(|incident: &OpenIncident| incident.kind.rank());
        Ok(Explained {
            line: self.status_of(facts.scene, facts.id)?,
            watched,
            epoch: epoch.number,
            epoch_since: epoch.since,
            leaf_created: epoch.leaf_created,
            key_tail: reading
                .key
                .and_then(|key| key.shown_tail().map(str::to_owned)),
            scopes: reading.scopes,
            events_read_at,
            events: facts.event_summary(),
            open,
            lacking: facts.lacking(),
            would_open: if watched {
                facts.would_open()
            } else {
                Vec::new()
            },
            would_tell: if watched {
                facts.would_tell()
            } else {
                Vec::new()
            },
        })
    }

    fn open_incident(&self, facts: &Facts<'_>, incident: &Incident) -> Result<OpenIncident> {
        let (scene, trouble) = (facts.scene, (incident.kind, incident.began_at));
        let cause = self
            .diagnosis(facts.id, trouble, facts.expected(), scene.policy, scene.now)?
            .cause;
        let advice = words::advice(
            incident.kind,
            cause.as_ref(),
            Matter::Connection(facts.provider),
            &scene.policy.daemon,
        );
        let thresholds = &facts.scene.policy.thresholds;
        let needed = needs::to_end(incident, thresholds);
        let well = incident.well;
        Ok(OpenIncident {
            incident: incident.id,
            kind: incident.kind,
            since: incident.began_at,
            cause,
            why: advice.why,
            next_step: advice.next,
            who: advice.who.to_owned(),
            reopened: incident.reopened,
            doubted: incident.doubted,
            ends: Ending {
                proof: words::ends(incident.kind, thresholds),
                well_since: well.map(|well| well.since),
                good_looks: well.map_or(0, |well| well.looks),
                good_looks_needed: needed.looks,
                good_for: well.map_or_else(Default::default, |well| well.held),
                good_for_needed: needed.held,
            },
            told: self.reached(incident.id)?,
            waiting: facts
                .waiting
                .iter()
                .filter(|notice| notice.incident == incident.id)
                .cloned()
                .collect(),
            said: self.said(incident, Some(facts.credential), facts.silences)?,
        })
    }
}

/// When mails wait.
fn quiet(scene: &Scene<'_>) -> Vec<Quiet> {
    let windows = scene.policy.alerts.quiet.iter();
    let told = windows.map(|window| Quiet {
        severities: window.severities.clone(),
        openings: quiet::openings(window, scene.now, OPENINGS)
            .into_iter()
            .map(|(from, to)| Opening { from, to })
            .collect(),
        zone: window.zone.clone(),
    });
    told.collect()
}

impl Facts<'_> {
    fn open(&self) -> impl Iterator<Item = &Incident> {
        self.known
            .incidents
            .iter()
            .filter(|incident| incident.is_open())
    }

    fn reading(&self) -> Option<&Reading> {
        match &self.known.standing.as_ref()?.answer {
            Answer::Reading(reading) => Some(reading),
            Answer::Missing => None,
        }
    }

    fn expected(&self) -> Option<Environment> {
        self.expectation.environment
    }

    fn event_summary(&self) -> EventSummary {
        let policy = self.scene.policy;
        let signs = self.known.standing.as_ref().map(|standing| {
            let clocks = (self.scene.now, self.leaf_now);
            let epoch = self.known.epoch.since;
            self.known
                .counting_signs(&standing.answer, epoch, clocks, policy)
        });
        let signs = signs.unwrap_or_default();
        let count = |signs: usize| u32::try_from(signs).unwrap_or(u32::MAX);
        EventSummary {
            speaking: count(signs.len()),
            failing_now: count(failing::since_success(&signs).len()),
            failures_needed: policy.thresholds.failing_events_count,
            newest_at: signs.first().map(|sign| sign.at),
            newest_failed: signs.first().map(|sign| sign.failed),
        }
    }

    fn lacking(&self) -> Vec<Lacking> {
        let thresholds = &self.scene.policy.thresholds;
        let told = |kind| self.open().any(|incident| incident.kind == kind);
        let suspects = self.known.suspects.iter();
        let untold = suspects.filter(|suspect| !told(suspect.kind));
        let lacking = untold.map(|suspect| {
            let needed = self.known.needed(suspect.kind, thresholds);
            let waits = suspect.kind == Kind::Missing && self.blind;
            Lacking {
                kind: suspect.kind,
                since: suspect.began_at,
                looks: suspect.looks,
                looks_needed: needed.looks,
                held: suspect.held,
                held_needed: needed.held,
                waits_for: waits.then_some("until Leafwatch is no longer blind"),
            }
        });
        lacking.collect()
    }

    /// The kinds that can be told of this credential at all.
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL.iter().copied().filter(|kind| match kind {
            Kind::EnvironmentMismatch => self.expected().is_some(),
            Kind::FailingEvents => self.provider.has_events(),
            Kind::Missing => self.expectation.named || self.known.epoch.number > 0,
            kind => matches!(kind.track(), Track::Access | Track::Sight),
        })
    }

    fn would_open(&self) -> Vec<WouldOpen> {
        let open: Vec<Kind> = self.open().map(|incident| incident.kind).collect();
        let openings = self
            .kinds()
            .filter(|kind| !open.contains(kind))
            .filter_map(|kind| {
                let thresholds = &self.scene.policy.thresholds;
                let when = words::opens(kind, needs::to_open(kind, thresholds), thresholds)?;
                Some(WouldOpen { kind, when })
            });
        openings.collect()
    }

    fn would_tell(&self) -> Vec<Audience> {
        let mut audiences: Vec<Audience> = Vec::new();
        for kind in self.kinds() {
            let recipients: Vec<Recipient> =
                notify::configured(kind, self.about, &self.scene.policy.alerts)
                    .into_iter()
                    .map(|recipient| Recipient {
                        address: recipient.address,
                        rule: recipient.rule,
                    })
                    .collect();
            match audiences
                .iter_mut()
                .find(|audience| audience.recipients == recipients)
            {
                Some(audience) => audience.kinds.push(kind),
                None => audiences.push(Audience {
                    kinds: vec![kind],
                    recipients,
                }),
            }
        }
        audiences
    }
}
