//! Account and own trouble: conditions that are asked anew each time, and are true or not.

use std::time::Duration;

use super::{Known, Moment, Plan, SuspectChange};
use crate::model::{Kind, Origin, Suspect, Track, Transition};
use crate::rules::needs;

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

/// Decides about one `track` and the subject of `known`: `condition` is what is true of it now, `elapsed` the time
/// watched since it was last asked.
pub fn settle(
    known: &Known,
    track: Track,
    condition: Option<&Condition>,
    elapsed: Duration,
    moment: &Moment<'_>,
) -> Plan {
    let mut plan = Plan::default();
    match (condition, known.open(track)) {
        (Some(condition), Some(incident)) if incident.kind == condition.kind => {
            plan.drop_all(&known.suspects);
            plan.bad_look(incident)
        }
        (Some(condition), _) => suspect_or_tell(known, condition, elapsed, moment, &mut plan),
        (None, open) => {
            plan.drop_all(&known.suspects);
            if let Some(incident) = open {
                plan.good_look(incident, moment, "it is no longer true");
                plan.end_if_proved(incident, moment);
            }
        }
    }
    plan
}

fn suspect_or_tell(
    known: &Known,
    condition: &Condition,
    elapsed: Duration,
    moment: &Moment<'_>,
    plan: &mut Plan,
) {
    let kind = condition.kind;
    // What we see of ourselves and the account begins when we see it.
    let while_off = false;
    let counted = counted(known, condition, elapsed, moment);
    let (open, ended) = (known.open(kind.track()), known.ended(kind.track()));
    let again = ended.is_some_and(|ended| ended.kind == kind);
    let told = match again {
        true => Some(kind),
        false => true_by_now(&counted, open.is_none(), kind, moment),
    };
    let Some(told) = told else {
        for suspect in &known.suspects {
            plan.suspects.push(if suspect.kind == kind {
                SuspectChange::Again(kind, elapsed)
            } else if counted.iter().any(|counted| counted.kind == suspect.kind) {
                SuspectChange::Held(suspect.kind, elapsed)
            } else {
                SuspectChange::Drop(suspect.kind)
            });
        }
        if !known.suspects.iter().any(|suspect| suspect.kind == kind) {
            plan.suspects.push(SuspectChange::Begin { kind, while_off });
        }
        return;
    };
    plan.drop_all(&known.suspects);
    let transition = match (open, ended) {
        (Some(open), _) => Transition::Changed {
            id: open.id,
            kind: told,
            config_changed: false,
            while_off,
        },
        (None, Some(ended)) => Transition::Reopened {
            id: ended.id,
            kind: told,
            config_changed: false,
            while_off,
        },
        (None, None) => Transition::Opened {
            kind: told,
            subject: condition.subject.clone(),
            began_at: counted
                .iter()
                .map(|suspect| suspect.began_at)
                .min()
                .unwrap_or(moment.now),
            origin: Origin::default(),
        },
    };
    let looks = |of: Option<Kind>| -> u32 {
        let all = counted.iter();
        all.filter(|suspect| of.is_none_or(|kind| kind == suspect.kind))
            .map(|suspect| suspect.looks)
            .sum()
    };
    let why = match looks(Some(told)) == looks(None) || again {
        true => condition.why.clone(),
        false => format!(
            "{} of {} looks found this; the last: {}",
            looks(Some(told)),
            looks(None),
            condition.why
        ),
    };
    plan.take(transition, why);
}

/// What is suspected, this look counted in. Blindness is one, whatever it shows itself as: until it is told its kinds are
/// counted side by side, each from its own first look on.
fn counted(
    known: &Known,
    condition: &Condition,
    elapsed: Duration,
    moment: &Moment<'_>,
) -> Vec<Suspect> {
    let kind = condition.kind;
    let side_by_side = kind.track() == Track::Account && known.open(kind.track()).is_none();
    let mut counted: Vec<Suspect> = known
        .suspects
        .iter()
        .filter(|suspect| suspect.kind == kind || side_by_side)
        .map(|suspect| Suspect {
            looks: suspect.looks + u32::from(suspect.kind == kind),
            held: suspect.held + elapsed,
            ..suspect.clone()
        })
        .collect();
    if !counted.iter().any(|suspect| suspect.kind == kind) {
        counted.push(Suspect {
            kind,
            subject: condition.subject.clone(),
            began_at: moment.now,
            looks: 1,
            held: Duration::ZERO,
            while_off: false,
        });
    }
    counted
}

/// The kind that is told now: the one that this look found, by its own rule; else, where blindness of any kind lasts too
/// long, the one of most looks.
fn true_by_now(
    counted: &[Suspect],
    untold: bool,
    found: Kind,
    moment: &Moment<'_>,
) -> Option<Kind> {
    let thresholds = &moment.policy.thresholds;
    let needed = needs::to_open(found, thresholds);
    let by_itself =
        |suspect: &Suspect| suspect.kind == found && needed.is_met(suspect.looks, suspect.held);
    if counted.iter().any(by_itself) {
        return Some(found);
    }
    let blind = counted.iter().map(|suspect| suspect.held).max()?;
    let too_long =
        untold && found.track() == Track::Account && blind >= thresholds.leaf_unreachable_hold;
    let most = counted
        .iter()
        .max_by_key(|suspect| (suspect.looks, suspect.kind == found, suspect.kind))?;
    too_long.then_some(most.kind)
}
