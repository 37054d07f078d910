//! What there was, beside what there would have been under other settings.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{About, Incident};
use crate::model::{Kind, Track};

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
    pub incidents: Vec<IncidentPair>,
    /// How many mails each address got, and would have got.
    pub addresses: Vec<AddressCount>,
    /// Every mail that there was, the oldest first.
    pub mails_were: Vec<PackedMail>,
    /// Every mail that there would have been.
    pub mails_would_be: Vec<PackedMail>,
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
pub struct IncidentPair {
    /// Whose.
    #[serde(flatten)]
    pub about: About,
    /// Its track.
    pub track: Track,
    /// As it was.
    pub was: Option<Incident>,
    /// As it would have been.
    pub would_be: Option<Incident>,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressCount {
    /// Which.
    pub address: String,
    /// Mails that it got.
    pub were: u64,
    /// Mails that it would have got.
    pub would_be: u64,
}

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackedMail {
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

impl IncidentPair {
    /// Whether it would have been another one, or none.
    pub fn differs(&self) -> bool {
        match (&self.was, &self.would_be) {
            (Some(was), Some(would_be)) => {
                let of = |one: &Incident| (one.kind, one.opened_at, one.ended_at, one.reopened);
                of(was) != of(would_be)
            }
            _ => true,
        }
    }

    fn began_at(&self) -> Option<Timestamp> {
        let lives = [&self.was, &self.would_be];
        lives.into_iter().flatten().map(|one| one.began_at).min()
    }
}

fn overlap(one: &Incident, other: &Incident) -> bool {
    let ends_after = |one: &Incident, at| one.ended_at.is_none_or(|ended| ended >= at);
    ends_after(one, other.began_at) && ends_after(other, one.began_at)
}

/// Puts side by side what was and what would have been: the same credential and track at the same time.
pub fn pairs(were: Vec<Incident>, would_be: Vec<Incident>) -> Vec<IncidentPair> {
    let key = |incident: &Incident| format!("{:?} {:?}", incident.about, incident.track);
    let pair = |was: Option<Incident>, would_be: Option<Incident>| {
        let either = was.as_ref().or(would_be.as_ref())?;
        Some(IncidentPair {
            about: either.about.clone(),
            track: either.track,
            was,
            would_be,
        })
    };
    let mut open: BTreeMap<String, Vec<Incident>> = BTreeMap::new();
    for was in were {
        open.entry(key(&was)).or_default().push(was);
    }
    let mut pairs = Vec::new();
    for one in would_be {
        let others = open.entry(key(&one)).or_default();
        let same = others.iter().position(|other| overlap(other, &one));
        pairs.extend(pair(same.map(|at| others.remove(at)), Some(one)));
    }
    for was in open.into_values().flatten() {
        pairs.extend(pair(Some(was), None));
    }
    pairs.sort_by_key(IncidentPair::began_at);
    pairs
}

/// Counts the mails of each address.
pub fn by_address(were: &[PackedMail], would_be: &[PackedMail]) -> Vec<AddressCount> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for to in were.iter().flat_map(|mail| &mail.to) {
        counts.entry(to).or_default().0 += 1;
    }
    for to in would_be.iter().flat_map(|mail| &mail.to) {
        counts.entry(to).or_default().1 += 1;
    }
    let address = |(address, (were, would_be)): (&str, _)| AddressCount {
        address: address.to_owned(),
        were,
        would_be,
    };
    counts.into_iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IncidentId;

    fn incident(number: i64, subject: &str, began: &str, ended: Option<&str>) -> Incident {
        let at = |time: &str| format!("2026-03-01T{time}:00Z").parse().unwrap();
        let about = About::Leafwatch {
            subject: subject.to_owned(),
        };
        Incident {
            ended_at: ended.map(at),
            ..Incident::begun(IncidentId(number), about, Kind::UnknownStatus, at(began))
        }
    }

    fn numbers(pairs: &[IncidentPair]) -> Vec<(Option<i64>, Option<i64>, bool)> {
        let number = |one: &Option<Incident>| one.as_ref().map(|one| one.number.0);
        let of = |pair: &IncidentPair| (number(&pair.was), number(&pair.would_be), pair.differs());
        pairs.iter().map(of).collect()
    }

    #[test]
    fn the_same_trouble_at_the_same_time_is_one_pair() {
        let were = vec![
            incident(1, "A", "08:00", Some("09:00")),
            incident(2, "A", "10:00", None),
            incident(3, "B", "11:00", Some("12:00")),
        ];
        let would_be = vec![
            incident(7, "A", "08:30", Some("08:40")),
            incident(8, "A", "10:00", None),
            incident(9, "C", "11:00", Some("12:00")),
        ];
        assert_eq!(
            numbers(&pairs(were, would_be)),
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
        let mail = |to: &[&str]| PackedMail {
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
