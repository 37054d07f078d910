//! What only the whole shows: when to give a sweep up, whether we are blind, what many have in common.

use std::collections::BTreeMap;

use crate::model::{Environment, Kind, NoAnswer, SweepEnd, Thresholds};
use crate::rules::incidents::Condition;

/// The running account of one sweep: counts credentials, not tries, of those that answered when last asked.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    asked: u32,
    silent: u32,
    denied: u32,
    in_a_row: u32,
    expected: u32,
}

/// This many without an answer running, and the sweep is given up.
const IN_A_ROW: u32 = 10;
/// From this many on, more than half without an answer give it up.
const ENOUGH: u32 = 20;

impl Outlook {
    /// For a sweep over `expected` credentials that answered when last asked in a whole sweep.
    pub fn new(expected: u32) -> Self {
        Outlook {
            expected,
            ..Outlook::default()
        }
    }

    /// Takes one credential's result; only of those that answered when last asked. `None` is an answer.
    pub fn record(&mut self, no_answer: Option<NoAnswer>) {
        self.asked += 1;
        match no_answer {
            None => self.in_a_row = 0,
            Some(reason) => {
                self.silent += 1;
                self.in_a_row += 1;
                self.denied += u32::from(reason == NoAnswer::Denied);
            }
        }
    }

    /// Whether the sweep is to be given up now, and as what.
    pub fn gives_up(&self) -> Option<SweepEnd> {
        let row = IN_A_ROW.min(self.expected).max(1);
        let hopeless =
            self.in_a_row >= row || (self.asked >= ENOUGH && self.silent * 2 > self.asked);
        hopeless.then(|| {
            if self.denied * 2 > self.silent {
                SweepEnd::Denied
            } else {
                SweepEnd::Unreachable
            }
        })
    }
}

/// How many of the credentials that Leaf once described are not there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Credentials seen before; where there are none, all of them.
    pub known: u32,
    /// Of these, the missing ones.
    pub missing: u32,
    /// Leaf never described any of them: as at the first sweep, and at those after it that find nobody either.
    pub nobody_seen: bool,
}

impl Census {
    /// Whether it looks like another API owner's login: more than half, of fewer than 6 or where nobody was seen yet all.
    fn looks_foreign(self) -> bool {
        match self {
            Census { known: 0, .. } => false,
            Census {
                known,
                missing,
                nobody_seen,
            } if nobody_seen || known < 6 => missing == known,
            Census { known, missing, .. } => missing * 2 > known,
        }
    }
}

/// What is true of the account after a sweep (or a try) that ended as `sight`; `None` where that says nothing.
pub fn account(end: SweepEnd, reason: &str, census: Census) -> Option<Option<Condition>> {
    let condition = |kind, why: String| {
        Some(Condition {
            kind,
            subject: String::new(),
            why,
        })
    };
    match end {
        SweepEnd::Stopped => None,
        SweepEnd::Denied => Some(condition(Kind::LeafLogin, reason.to_owned())),
        SweepEnd::Unreachable => Some(condition(Kind::LeafUnreachable, reason.to_owned())),
        SweepEnd::Whole if census.looks_foreign() => {
            let why = format!(
                "{} of {} credentials seen before are not there",
                census.missing, census.known
            );
            Some(condition(Kind::WrongAccount, why))
        }
        SweepEnd::Whole => Some(None),
    }
}

/// A credential of a client key that was read in more than one environment, none of them expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Provider and key, as shown.
    pub subject: String,
    /// The environment it is in.
    pub environment: String,
}

/// The client keys that stand in `STAGE` and in `PRODUCTION` at once; the smaller side is the likelier mistake.
pub fn contradictions(sides: &[Side]) -> Vec<Condition> {
    let mut counts: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for side in sides {
        let count = counts.entry(&side.subject).or_default();
        let environments = [Environment::Stage, Environment::Production];
        if let Some(at) = environments
            .iter()
            .position(|environment| environment.is(&side.environment))
        {
            count[at] += 1;
        }
    }
    let torn = counts
        .into_iter()
        .filter(|(_, [stage, production])| *stage > 0 && *production > 0);
    torn.map(|(subject, [stage, production])| Condition {
        kind: Kind::EnvironmentContradiction,
        subject: subject.to_owned(),
        why: format!("{stage} credentials of this key are in STAGE and {production} in PRODUCTION"),
    })
    .collect()
}

/// Whether so many healthy credentials turned to one kind in one sweep that Leaf itself is to be doubted.
pub fn doubtful(turned: u32, were_healthy: u32) -> bool {
    were_healthy >= ENOUGH && turned * 2 > were_healthy
}

/// Whether `alike` of `all` credentials of one key or provider, turned within the window, are a shared cause by their
/// number alone.
pub fn shared_by_number(alike: u32, all: u32, thresholds: &Thresholds) -> bool {
    alike >= thresholds.shared_cause_count && alike * 5 >= all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook(expected: u32, results: &[Option<NoAnswer>]) -> Option<SweepEnd> {
        let mut outlook = Outlook::new(expected);
        results.iter().find_map(|result| {
            outlook.record(*result);
            outlook.gives_up()
        })
    }

    #[test]
    fn ten_silent_in_a_row_give_a_sweep_up() {
        assert_eq!(outlook(100, &[Some(NoAnswer::Later); 9]), None);
        assert_eq!(
            outlook(100, &[Some(NoAnswer::Later); 10]),
            Some(SweepEnd::Unreachable)
        );
        assert_eq!(
            outlook(3, &[Some(NoAnswer::Denied); 3]),
            Some(SweepEnd::Denied)
        );
    }

    #[test]
    fn one_silent_credential_among_many_is_its_own_trouble() {
        let mut results = vec![None; 50];
        results.splice(20..29, [Some(NoAnswer::Later); 9]);
        assert_eq!(outlook(50, &results), None);
    }

    #[test]
    fn more_than_half_of_twenty_give_a_sweep_up() {
        let results: Vec<_> = (0..21)
            .map(|n| (n % 2 == 0).then_some(NoAnswer::Broken))
            .collect();
        assert_eq!(outlook(100, &results), Some(SweepEnd::Unreachable));
    }

    #[test]
    fn a_foreign_account_is_a_majority_missing() {
        let census = |known, missing, nobody_seen| {
            Census {
                known,
                missing,
                nobody_seen,
            }
            .looks_foreign()
        };
        assert!(census(10, 6, false) && !census(10, 5, false));
        assert!(census(5, 5, false) && !census(5, 4, false));
        assert!(census(300, 300, true) && !census(300, 299, true));
        assert!(!census(0, 0, true));
    }
}
