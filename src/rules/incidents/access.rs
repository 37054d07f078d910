//! The access track: one incident a credential, which takes the name of whatever is true of it.

use jiff::Timestamp;

use super::plan::Began;
use super::{Known, Moment, Plan};
use crate::model::{Answer, Kind, Suspect, Track, Transition};
use crate::rules::failing;
use crate::rules::judge::{self, Access};

pub(super) fn on_answer(known: &Known, answer: &Answer, moment: &Moment<'_>, plan: &mut Plan) {
    let verdict = judge::access(answer, &moment.policy.status_words);
    drop_contradicted(known, verdict, plan);
    match verdict {
        Access::Bad(kind) => becomes(
            known,
            kind,
            Began::now(moment),
            Some(answer),
            plan,
            told_by(answer),
        ),
        Access::Healthy => on_healthy(known, answer, moment, plan),
        Access::Unavailable => {
            // Says nothing about the grower: it neither ends nor changes another kind.
            match known.open(Track::Access) {
                Some(incident) if incident.kind == Kind::ProviderUnavailable => {
                    plan.bad_look(incident)
                }
                open => {
                    if let Some(incident) = open {
                        plan.neutral_look(incident);
                    }
                    suspect(known, Kind::ProviderUnavailable, moment, plan);
                }
            }
        }
        Access::Missing => {
            if let Some(incident) = known.open(Track::Access) {
                plan.bad_look(incident);
                if incident.kind == Kind::Missing {
                    return;
                }
            }
            if known.was_seen() || moment.expectation.named {
                suspect(known, Kind::Missing, moment, plan);
            } else if known.suspect(Kind::Missing).is_some() {
                plan.drop_suspect(Kind::Missing);
            }
        }
        Access::Unmapped => {
            if let Some(incident) = known.open(Track::Access) {
                plan.neutral_look(incident);
            }
        }
    }
}

/// A suspicion holds only while every look says so.
fn drop_contradicted(known: &Known, verdict: Access, plan: &mut Plan) {
    if verdict != Access::Missing && known.suspect(Kind::Missing).is_some() {
        plan.drop_suspect(Kind::Missing);
    }
    if verdict != Access::Unavailable && known.suspect(Kind::ProviderUnavailable).is_some() {
        plan.drop_suspect(Kind::ProviderUnavailable);
    }
}

fn on_healthy(known: &Known, answer: &Answer, moment: &Moment<'_>, plan: &mut Plan) {
    let epoch = match &plan.span {
        Some(span) => span.epoch.since,
        None => known.epoch.since,
    };
    let warning = warning(known, answer, epoch, moment);
    match (known.open(Track::Access), warning) {
        (Some(incident), _) if incident.kind == Kind::FailingEvents => {}
        (Some(_), Some(why)) => becomes(
            known,
            Kind::FailingEvents,
            Began::now(moment),
            None,
            plan,
            why,
        ),
        (Some(incident), None) => {
            plan.good_look_after(
                known,
                incident,
                answer,
                moment,
                "the status word is healthy again",
            );
        }
        (None, Some(why)) => becomes(
            known,
            Kind::FailingEvents,
            Began::now(moment),
            None,
            plan,
            why,
        ),
        (None, None) => {}
    }
}

pub(super) fn on_events(known: &Known, moment: &Moment<'_>, plan: &mut Plan) {
    let standing = known.standing.as_ref();
    let warning =
        standing.and_then(|standing| warning(known, &standing.answer, known.epoch.since, moment));
    match (known.open(Track::Access), warning) {
        (Some(incident), Some(_)) if incident.kind == Kind::FailingEvents => {
            plan.bad_look(incident)
        }
        (_, Some(why)) => becomes(
            known,
            Kind::FailingEvents,
            Began::now(moment),
            None,
            plan,
            why,
        ),
        (Some(incident), None) if incident.kind == Kind::FailingEvents => {
            let counting = |since| {
                failing::counting(
                    &known.signs,
                    since,
                    moment.leaf_now,
                    &moment.policy.thresholds,
                )
            };
            // A success of an earlier life proves nothing; a failure of one still has to grow old.
            if failing::recovered(&counting(known.epoch.since)) {
                plan.good_look(
                    incident,
                    moment,
                    "an event newer than the failures succeeded",
                );
            } else if !counting(None).iter().any(|sign| sign.failed) {
                plan.good_look(
                    incident,
                    moment,
                    "no more failures seen; that is no proof that it works",
                );
            } else {
                plan.bad_look(incident);
            }
        }
        (_, None) => {}
    }
}

/// What held long enough becomes true when a sweep has ended whole.
pub(super) fn on_swept(known: &Known, moment: &Moment<'_>, plan: &mut Plan) {
    let held_long_enough = |suspect: &&Suspect| {
        let needed = known.needed(suspect.kind, &moment.policy.thresholds);
        needed.is_met(suspect.looks, suspect.held)
    };
    let missing = known.suspect(Kind::Missing).filter(held_long_enough);
    if let Some(suspect) = missing.filter(|_| !moment.blind) {
        let why = format!("not there in {} looks running", suspect.looks);
        confirmed(known, suspect, plan, why);
    }
    let unavailable = known.suspect(Kind::ProviderUnavailable);
    if let Some(suspect) = unavailable.filter(held_long_enough)
        && known.open(Track::Access).is_none()
    {
        let why = format!(
            "the provider is unavailable in {} looks running",
            suspect.looks
        );
        confirmed(known, suspect, plan, why);
    }
}

fn confirmed(known: &Known, suspect: &Suspect, plan: &mut Plan, why: String) {
    plan.drop_suspect(suspect.kind);
    becomes(known, suspect.kind, Began::of(suspect), None, plan, why);
}

/// `kind` is true by its own rule: the incident of this track takes its name, or one begins.
fn becomes(
    known: &Known,
    kind: Kind,
    began: Began,
    answer: Option<&Answer>,
    plan: &mut Plan,
    why: String,
) {
    match known.open(Track::Access) {
        Some(incident) if incident.kind == kind => plan.bad_look(incident),
        Some(incident) => {
            let config_changed = answer.is_some_and(|answer| known.says(answer));
            plan.take(
                Transition::Changed {
                    id: incident.id,
                    kind,
                    config_changed,
                    while_off: began.while_off,
                },
                why,
            );
        }
        None => plan.begin(known, kind, began, answer, why),
    }
}

fn suspect(known: &Known, kind: Kind, moment: &Moment<'_>, plan: &mut Plan) {
    match known.suspect(kind) {
        Some(_) if plan.reconnects() => {
            plan.drop_suspect(kind);
            plan.suspect(known, kind, moment);
        }
        Some(_) => {}
        None => plan.suspect(known, kind, moment),
    }
}

/// Why the early warning holds, where it does: only beside a status word that is healthy.
fn warning(
    known: &Known,
    answer: &Answer,
    epoch: Option<Timestamp>,
    moment: &Moment<'_>,
) -> Option<String> {
    if judge::access(answer, &moment.policy.status_words) != Access::Healthy {
        return None;
    }
    let clocks = (moment.now, moment.leaf_now);
    let signs = known.counting_signs(answer, epoch, clocks, moment.policy);
    failing::warns(&signs, known.logs_success, &moment.policy.thresholds)
}

fn told_by(answer: &Answer) -> String {
    match answer {
        Answer::Reading(reading) => match &reading.status {
            Some(word) => format!("Leaf's status word is {word}"),
            None => "Leaf sent no status word".to_owned(),
        },
        Answer::Missing => "Leaf has no such credential".to_owned(),
    }
}
