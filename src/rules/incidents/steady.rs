//! Account and own trouble: conditions that are asked anew each time, and are true or not.

use std::time::Duration;

use super::{Moment, Plan, Step, SuspectChange, What};
use crate::model::{Incident, Kind, Origin, Suspect, Thresholds};

/// Trouble that is true now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What.
    pub kind: Kind,
    /// What it is about.
    pub subject: String,
    /// Why it is said, in a few plain words.
    pub why: String,
}

/// What is known of one track and subject.
#[derive(Debug, Clone, Copy, Default)]
pub struct Steady<'a> {
    /// The open incident.
    pub open: Option<&'a Incident>,
    /// The one that ended within the flap window.
    pub ended: Option<&'a Incident>,
    /// What does not hold long enough yet, of any kind of this track and subject.
    pub suspects: &'a [Suspect],
}

/// Decides about one track and subject: `condition` is what is true of it now, `elapsed` the time watched since it was
/// last asked.
pub fn settle(
    known: Steady<'_>,
    condition: Option<&Condition>,
    elapsed: Duration,
    moment: &Moment<'_>,
) -> Plan {
    let mut plan = Plan::default();
    let kind = condition.map(|condition| condition.kind);
    plan.suspects.extend(
        known
            .suspects
            .iter()
            .filter(|suspect| Some(suspect.kind) != kind)
            .map(|suspect| SuspectChange::Drop(suspect.kind)),
    );
    match (condition, known.open) {
        (Some(condition), Some(incident)) if incident.kind == condition.kind => {
            plan.bad_look(incident)
        }
        (Some(condition), _) => suspect_or_tell(known, condition, elapsed, moment, &mut plan),
        (None, Some(incident)) => {
            plan.good_look(incident, moment, "it is no longer true");
            plan.end_if_proved(incident, moment);
        }
        (None, None) => {}
    }
    plan
}

fn suspect_or_tell(
    known: Steady<'_>,
    condition: &Condition,
    elapsed: Duration,
    moment: &Moment<'_>,
    plan: &mut Plan,
) {
    let kind = condition.kind;
    let suspect = known.suspects.iter().find(|suspect| suspect.kind == kind);
    let (looks, held) = suspect.map_or((1, Duration::ZERO), |suspect| {
        (suspect.looks + 1, suspect.held + elapsed)
    });
    // What we see of ourselves and the account begins when we see it.
    let while_off = false;
    let (looks_needed, hold) = needs(kind, &moment.policy.thresholds);
    let what = match (known.open, known.ended) {
        (None, Some(ended)) if ended.kind == kind => What::Reopen {
            id: ended.id,
            kind,
            while_off,
        },
        _ if looks < looks_needed || held < hold => {
            plan.suspects.push(match suspect {
                Some(_) => SuspectChange::Again(kind, elapsed),
                None => SuspectChange::Begin { kind, while_off },
            });
            return;
        }
        (Some(open), _) => What::Change {
            id: open.id,
            kind,
            config_changed: false,
            while_off,
        },
        (None, Some(ended)) => What::Reopen {
            id: ended.id,
            kind,
            while_off,
        },
        (None, None) => What::Open {
            kind,
            subject: condition.subject.clone(),
            began_at: suspect.map_or(moment.now, |suspect| suspect.began_at),
            origin: Origin::default(),
        },
    };
    if suspect.is_some() {
        plan.drop_suspect(kind);
    }
    plan.steps.push(Step {
        what,
        why: condition.why.clone(),
    });
}

/// How many looks and how long a hold it takes until `kind` is told.
fn needs(kind: Kind, thresholds: &Thresholds) -> (u32, Duration) {
    match kind {
        Kind::LeafLogin => (2, thresholds.leaf_login_hold),
        Kind::LeafUnreachable => (1, thresholds.leaf_unreachable_hold),
        Kind::WrongAccount | Kind::EnvironmentContradiction => (2, Duration::ZERO),
        Kind::UnknownStatus => (thresholds.second_look, Duration::ZERO),
        _ => (1, Duration::ZERO),
    }
}
