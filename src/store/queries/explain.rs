//! What is known of one user, what would open or end next and why, and who would be told by which rule.

use jiff::Timestamp;

use super::incidents::{Filler, shown};
use super::{Filter, IncidentPart, Scene};
use crate::model::{
    self, Credential, CredentialId, Environment, Expectation, Kind, Provider, Reading, Track,
};
use crate::rules::incidents::Known;
use crate::rules::{failing, needs, notify, quiet};
use crate::store::row::At;
use crate::store::{Result, Tx};
use crate::view::deliveries::WaitingNotice;
use crate::view::explain::{
    Audience, EventSummary, Explained, Explanation, Lacking, Opening, Quiet, Recipient, WouldOpen,
};
use crate::view::incidents::Ending;
use crate::view::{About, Incident, User, Who, words};

/// How many times ahead a quiet window is told.
const OPENINGS: usize = 3;

/// What is told of open incidents, beside what ends them and what waits.
const PARTS: &[IncidentPart] = &[IncidentPart::Told, IncidentPart::Said, IncidentPart::Advice];

/// All that the explanation of one credential is made from.
struct Facts<'a> {
    scene: &'a Scene<'a>,
    id: CredentialId,
    provider: Provider,
    expectation: Expectation,
    about: notify::About<'a>,
    known: Known,
    filler: &'a Filler<'a>,
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
        let filler = self.filler(scene, PARTS)?;
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
                provider,
                expectation: scene.watch.expectation(credential),
                about: notify::About {
                    provider: Some(credential.provider),
                    tags: own.map_or(&[], |own| &own.tags),
                    notify: own.map_or(&[], |own| &own.notify),
                },
                known: self.known(id, scene.policy, scene.now, leaf_now)?,
                filler: &filler,
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
        let credential = self.status_of(facts.scene, facts.id)?;
        let mut open = Vec::new();
        for incident in facts.open() {
            open.push(facts.open_incident(&credential.who, incident)?);
        }
        open.sort_by_key(|incident: &Incident| incident.kind.rank());
        Ok(Explained {
            credential,
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
    fn open_incident(&self, whose: &Who, found: &model::Incident) -> Result<Incident> {
        let mut incident = shown(found, About::Credential(whose.clone()));
        self.filler.fill(&mut incident)?;
        let thresholds = &self.scene.policy.thresholds;
        let needed = needs::to_end(found, thresholds);
        let well = found.well;
        incident.ends = Some(Ending {
            proof: words::ends(found.kind, thresholds),
            well_since: well.map(|well| well.since),
            good_looks: well.map_or(0, |well| well.looks),
            good_looks_needed: needed.looks,
            good_for: well.map_or_else(Default::default, |well| well.held),
            good_for_needed: needed.held,
        });
        let of_it = |notice: &&WaitingNotice| notice.incident == found.id;
        incident.waiting = Some(self.waiting.iter().filter(of_it).cloned().collect());
        Ok(incident)
    }

    fn open(&self) -> impl Iterator<Item = &model::Incident> {
        self.known
            .incidents
            .iter()
            .filter(|incident| incident.is_open())
    }

    fn reading(&self) -> Option<&Reading> {
        self.known.standing.as_ref()?.answer.reading()
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
