//! What a decision is made of: data that another function writes down.

use std::time::Duration;

use jiff::Timestamp;

use super::{Known, Moment};
use crate::model::{Answer, EndedBy, Incident, Kind, Origin, Suspect, Transition};
use crate::rules::needs;

/// What to write. Empty where nothing is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The span that begins with this answer, in place of the one that stands.
    pub span: Option<NewSpan>,
    /// Whether this answer ends a gap.
    pub ends_gap: bool,
    /// Suspects that begin or are dropped.
    pub suspects: Vec<SuspectChange>,
    /// What happens to incidents, each with its why in a few plain words.
    pub transitions: Vec<(Transition, String)>,
}

/// When something began, as far as looks tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    /// The first look that said so.
    pub(super) at: Timestamp,
    /// Nobody looked between the look before that one and that one: the program was off.
    pub(super) while_off: bool,
}

impl Began {
    pub(super) fn now(moment: &Moment<'_>) -> Began {
        Began {
            at: moment.now,
            while_off: moment.after_off,
        }
    }

    pub(super) fn of(suspect: &Suspect) -> Began {
        Began {
            at: suspect.began_at,
            while_off: suspect.while_off,
        }
    }
}

/// One life of a credential at Leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Epoch {
    /// Counts from 1; 0 while Leaf never described the credential.
    pub number: u32,
    /// Events before this belong to an earlier life; none where that is not known.
    pub since: Option<Timestamp>,
    /// Leaf's id, as last told.
    pub leaf_id: Option<String>,
    /// Leaf's created time, as last told.
    pub leaf_created: Option<String>,
}

/// A span to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSpan {
    /// The life it belongs to.
    pub epoch: Epoch,
    /// Whether that life begins with it: the credential was connected anew.
    pub reconnected: bool,
}

/// A suspect that begins or is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspectChange {
    /// From now on it is looked at whether it holds.
    Begin {
        /// What.
        kind: Kind,
        /// Whether it began while the program was off.
        while_off: bool,
    },
    /// It holds on: one look more, and so much more time. Only account and own trouble is counted like this; that of
    /// credentials is counted by the numbers of the sweeps.
    Again(Kind, Duration),
    /// It holds on for so much more time, in which something else was found.
    Held(Kind, Duration),
    /// It no longer holds.
    Drop(Kind),
}

impl NewSpan {
    /// The span that `answer` begins; none where it is what stands already.
    /// `leaf_now` is Leaf's clock: events and created times are dated by it.
    pub(super) fn after(known: &Known, answer: &Answer, leaf_now: Timestamp) -> Option<NewSpan> {
        if known.says(answer) {
            return None;
        }
        let before = known.epoch.clone();
        let Answer::Reading(reading) = answer else {
            return Some(NewSpan {
                epoch: before,
                reconnected: false,
            });
        };
        let first = before.number == 0;
        let new_id = differs(&before.leaf_id, &reading.leaf_id);
        let new_created = differs(&before.leaf_created, &reading.leaf_created);
        let reconnected = !first && (new_id || new_created);
        let created = || {
            reading
                .leaf_created
                .as_deref()
                .and_then(created_time)
                .filter(|created| *created <= leaf_now)
        };
        // A created time that was told before is the earlier life's, whatever the new id says.
        let created_then = before.leaf_created == reading.leaf_created;
        let epoch = Epoch {
            number: before.number + u32::from(first || reconnected),
            since: match (first, reconnected) {
                (true, _) => created(),
                (_, true) => created().filter(|_| !created_then).or(Some(leaf_now)),
                _ => before.since,
            },
            leaf_id: reading.leaf_id.clone().or(before.leaf_id),
            leaf_created: reading.leaf_created.clone().or(before.leaf_created),
        };
        Some(NewSpan { epoch, reconnected })
    }
}

/// Only what is present in both looks can differ.
fn differs(before: &Option<String>, now: &Option<String>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if before != now)
}

/// Leaf's created time; without a zone it is UTC.
fn created_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })
}

impl Plan {
    pub(super) fn drop_suspect(&mut self, kind: Kind) {
        self.suspects.push(SuspectChange::Drop(kind));
    }

    pub(super) fn drop_all(&mut self, suspects: &[Suspect]) {
        let drop = |suspect: &Suspect| SuspectChange::Drop(suspect.kind);
        self.suspects.extend(suspects.iter().map(drop));
    }

    pub(super) fn take(&mut self, transition: Transition, why: impl Into<String>) {
        self.transitions.push((transition, why.into()));
    }

    /// Opens an incident of `kind`; or reopens the one of its track that ended within the flap window.
    pub(super) fn begin(
        &mut self,
        known: &Known,
        kind: Kind,
        began: Began,
        answer: Option<&Answer>,
        why: String,
    ) {
        let while_off = began.while_off && known.standing.is_some();
        let config_changed = answer.is_some_and(|answer| known.says(answer));
        if let Some(ended) = known.ended(kind.track()) {
            let id = ended.id;
            let reopened = Transition::Reopened {
                id,
                kind,
                config_changed,
                while_off,
            };
            self.take(reopened, why);
            return;
        }
        let origin = Origin {
            first_look: known.standing.is_none() && known.epoch.number == 0,
            while_off,
            config_changed,
        };
        self.take(
            Transition::Opened {
                kind,
                subject: String::new(),
                began_at: began.at,
                origin,
            },
            why,
        );
    }

    /// From now on it is looked at whether trouble of `kind` holds.
    pub(super) fn suspect(&mut self, known: &Known, kind: Kind, moment: &Moment<'_>) {
        let while_off = moment.after_off && known.standing.is_some();
        self.suspects.push(SuspectChange::Begin { kind, while_off });
    }

    /// Whether the credential was connected anew: counts and holds of its life before are not inherited.
    pub(super) fn reconnects(&self) -> bool {
        self.span.as_ref().is_some_and(|span| span.reconnected)
    }

    /// A look that says nothing of the trouble either way: a run of good looks is one only if every look says so.
    pub(super) fn neutral_look(&mut self, incident: &Incident) {
        if incident.well.is_some() {
            self.take(
                Transition::Relapsed { id: incident.id },
                "a look that proves nothing breaks the run of good ones",
            );
        }
    }

    pub(super) fn bad_look(&mut self, incident: &Incident) {
        if incident.well.is_some() {
            self.take(
                Transition::Relapsed { id: incident.id },
                "a bad look after good ones",
            );
        }
    }

    /// Counts a good look: the end where one is proof enough, else the first of a run.
    pub(super) fn good_look(&mut self, incident: &Incident, moment: &Moment<'_>, why: &str) {
        self.count_good(incident, moment, why, false);
    }

    /// The same, where it may be that nothing but our config changed.
    pub(super) fn good_look_after(
        &mut self,
        known: &Known,
        incident: &Incident,
        answer: &Answer,
        moment: &Moment<'_>,
        why: &str,
    ) {
        self.count_good(
            incident,
            moment,
            why,
            known.says(answer) && incident.well.is_none(),
        );
    }

    fn count_good(
        &mut self,
        incident: &Incident,
        moment: &Moment<'_>,
        why: &str,
        config_changed: bool,
    ) {
        // What is asked only when something happens is mended when that happens.
        let while_off = moment.after_off && !incident.kind.is_asked_at_events();
        let needed = needs::to_end(incident, &moment.policy.thresholds);
        let one_look = incident.reopened == 0 && needed.looks <= 1;
        if one_look || incident.kind.is_asked_at_events() {
            self.take(
                Transition::Resolved {
                    id: incident.id,
                    config_changed,
                    while_off,
                },
                why,
            );
        } else if incident.well.is_none() || self.reconnects() {
            let well = Transition::Well {
                id: incident.id,
                config_changed,
                while_off,
            };
            self.take(well, why);
        }
    }

    /// Ends an incident whose run of good looks has become proof.
    pub(super) fn end_if_proved(&mut self, incident: &Incident, moment: &Moment<'_>) {
        let Some(well) = incident.well else { return };
        let needed = needs::to_end(incident, &moment.policy.thresholds);
        let handled = self
            .transitions
            .iter()
            .any(|(transition, _)| transition.incident() == Some(incident.id));
        if needed.is_met(well.looks, well.held) && !handled {
            let why = match incident.reopened {
                0 => format!("{} good looks running", well.looks),
                _ => "quiet for a whole flap window".to_owned(),
            };
            self.take(
                Transition::Resolved {
                    id: incident.id,
                    config_changed: well.config_changed,
                    while_off: well.while_off,
                },
                why,
            );
        }
    }

    pub(super) fn close(&mut self, incident: &Incident, by: EndedBy, why: &str) {
        self.take(
            Transition::Closed {
                id: incident.id,
                by,
            },
            why,
        );
    }
}

impl Known {
    /// Whether `answer` is what stands already. An id or created time that Leaf left out this time is no difference.
    pub(super) fn says(&self, answer: &Answer) -> bool {
        match (
            self.standing.as_ref().map(|standing| &standing.answer),
            answer,
        ) {
            (Some(Answer::Reading(before)), Answer::Reading(now)) => {
                before.same_words(now)
                    && now
                        .leaf_id
                        .as_ref()
                        .is_none_or(|id| before.leaf_id.as_ref() == Some(id))
                    && (now.leaf_created.as_ref())
                        .is_none_or(|created| before.leaf_created.as_ref() == Some(created))
            }
            (before, now) => before == Some(now),
        }
    }
}
