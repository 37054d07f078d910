//! What there was, beside what there would have been under other settings.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::About;
use super::incidents::Line;
use crate::model::{IncidentId, Kind, Severity, Track};

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// From when on.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What was replayed.
    pub replayed: Replayed,
    /// Every incident that there was or would have been, the oldest first.
    pub incidents: Vec<Pair>,
    /// How many mails each address got, and would have got.
    pub addresses: Vec<Address>,
    /// Every mail that there was, the oldest first.
    pub mails_were: Vec<Mail>,
    /// Every mail that there would have been.
    pub mails_would_be: Vec<Mail>,
    /// What this cannot tell, in plain words.
    pub not_simulated: Vec<String>,
}

/// What was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Sweeps.
    pub sweeps: u64,
    /// Answers that were others than the ones before them.
    pub answers: u64,
    /// Events.
    pub events: u64,
    /// Credentials.
    pub credentials: u64,
}

/// An incident that there was, that there would have been, or both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Whose.
    #[serde(flatten)]
    pub about: About,
    /// Its track.
    pub track: Track,
    /// As it was.
    pub was: Option<Life>,
    /// As it would have been.
    pub would_be: Option<Life>,
}

/// When an incident was open, and as what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Life {
    /// Its number, in the database or in the replay.
    pub incident: IncidentId,
    /// What it is, or was at its end.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// When it was first seen.
    pub began_at: Timestamp,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How often it came back.
    pub reopened: u32,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// Which.
    pub address: String,
    /// Mails that it got.
    pub were: u64,
    /// Mails that it would have got.
    pub would_be: u64,
}

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// When it was packed.
    pub at: Timestamp,
    /// Its subject.
    pub subject: String,
    /// To whom.
    pub to: Vec<String>,
}

/// Trouble of our own that no answer of Leaf tells of; a replay has none of it.
pub fn is_replayed(kind: Kind) -> bool {
    kind.track() != Track::Own
        || matches!(kind, Kind::UnknownStatus | Kind::EnvironmentContradiction)
}

impl Pair {
    /// Whether it would have been another one, or none.
    pub fn differs(&self) -> bool {
        match (&self.was, &self.would_be) {
            (Some(was), Some(would_be)) => {
                let of = |life: &Life| (life.kind, life.opened_at, life.ended_at, life.reopened);
                of(was) != of(would_be)
            }
            _ => true,
        }
    }

    fn began_at(&self) -> Option<Timestamp> {
        let lives = [&self.was, &self.would_be];
        lives.into_iter().flatten().map(|life| life.began_at).min()
    }
}

impl Life {
    fn of(line: &Line) -> Life {
        Life {
            incident: line.incident,
            kind: line.kind,
            severity: line.severity,
            began_at: line.began_at,
            opened_at: line.opened_at,
            ended_at: line.ended_at,
            reopened: line.reopened,
        }
    }

    fn overlaps(&self, other: &Life) -> bool {
        let ends_after = |life: &Life, at| life.ended_at.is_none_or(|ended| ended >= at);
        ends_after(self, other.began_at) && ends_after(other, self.began_at)
    }
}

/// Puts side by side what was and what would have been: the same credential and track at the same time.
pub fn pairs(were: &[Line], would_be: &[Line]) -> Vec<Pair> {
    let key = |line: &Line| format!("{:?} {:?}", line.about, line.track);
    let mut open: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
    for line in were {
        open.entry(key(line)).or_default().push(line);
    }
    let mut pairs = Vec::new();
    for line in would_be {
        let life = Life::of(line);
        let others = open.entry(key(line)).or_default();
        let same = others
            .iter()
            .position(|other| Life::of(other).overlaps(&life));
        pairs.push(Pair {
            about: line.about.clone(),
            track: line.track,
            was: same.map(|at| Life::of(others.remove(at))),
            would_be: Some(life),
        });
    }
    for line in open.into_values().flatten() {
        pairs.push(Pair {
            about: line.about.clone(),
            track: line.track,
            was: Some(Life::of(line)),
            would_be: None,
        });
    }
    pairs.sort_by_key(Pair::began_at);
    pairs
}

/// Counts the mails of each address.
pub fn by_address(were: &[Mail], would_be: &[Mail]) -> Vec<Address> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for to in were.iter().flat_map(|mail| &mail.to) {
        counts.entry(to).or_default().0 += 1;
    }
    for to in would_be.iter().flat_map(|mail| &mail.to) {
        counts.entry(to).or_default().1 += 1;
    }
    let address = |(address, (were, would_be)): (&str, _)| Address {
        address: address.to_owned(),
        were,
        would_be,
    };
    counts.into_iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::hush::Said;
    use crate::view::incidents::Told;

    fn line(number: i64, subject: &str, began: &str, ended: Option<&str>) -> Line {
        let at = |time: &str| format!("2026-03-01T{time}:00Z").parse().unwrap();
        Line {
            incident: IncidentId(number),
            about: About::Leafwatch {
                subject: subject.to_owned(),
            },
            track: Track::Own,
            kind: Kind::UnknownStatus,
            severity: Severity::Warning,
            began_at: at(began),
            opened_at: at(began),
            ended_at: ended.map(at),
            ended_by: None,
            reopened: 0,
            told: Told::default(),
            steps: Vec::new(),
            said: Said::default(),
        }
    }

    fn numbers(pairs: &[Pair]) -> Vec<(Option<i64>, Option<i64>, bool)> {
        let number = |life: &Option<Life>| life.as_ref().map(|life| life.incident.0);
        let of = |pair: &Pair| (number(&pair.was), number(&pair.would_be), pair.differs());
        pairs.iter().map(of).collect()
    }

    #[test]
    fn the_same_trouble_at_the_same_time_is_one_pair() {
        let were = [
            line(1, "A", "08:00", Some("09:00")),
            line(2, "A", "10:00", None),
            line(3, "B", "11:00", Some("12:00")),
        ];
        let would_be = [
            line(7, "A", "08:30", Some("08:40")),
            line(8, "A", "10:00", None),
            line(9, "C", "11:00", Some("12:00")),
        ];
        assert_eq!(
            numbers(&pairs(&were, &would_be)),
            [
                (Some(1), Some(7), true),
                (Some(2), Some(8), false),
                (None, Some(9), true),
                (Some(3), None, true),
            ]
        );
    }

    #[test]
    fn mails_are_counted_by_address() {
        let mail = |to: &[&str]| Mail {
            at: Timestamp::UNIX_EPOCH,
            subject: String::new(),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
        };
        let counted = by_address(&[mail(&["a", "b"]), mail(&["a"])], &[mail(&["c", "a"])]);
        let counted: Vec<_> = counted
            .iter()
            .map(|it| (it.address.as_str(), it.were, it.would_be))
            .collect();
        assert_eq!(counted, [("a", 2, 1), ("b", 1, 0), ("c", 0, 1)]);
    }
}
