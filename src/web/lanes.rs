//! The time of one credential, drawn: one lane for each thing that was so, each with its name and how long in all. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::frame::Tone;
use crate::model::{Kind, StatusWords};
use crate::rules::judge::{self, Access};
use crate::view::timeline::{Stretch, Timeline, Unseen};
use crate::view::words;

/// How wide the picture is.
const WIDE: f64 = 1000.0;
/// What is short is drawn so wide, to be seen at all.
const LEAST: f64 = 3.0;

/// One lane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    /// What it is.
    pub(super) name: String,
    /// How it is drawn.
    pub(super) class: &'static str,
    /// Where, from 0 to 1000: beginning and width.
    pub(super) bars: Vec<(f64, f64)>,
    /// How long in all.
    pub(super) total: String,
    /// The same in words.
    pub(super) label: String,
}

/// What a lane is about. In the order in which lanes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Healthy,
    Trouble(Kind),
    Unmapped,
    NotThere,
    NoAnswer,
    Unseen(Unseen),
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Healthy => "Leaf says healthy",
            What::Trouble(kind) => words::label(kind),
            What::Unmapped => "unknown status word",
            What::NotThere => "not at Leaf",
            What::NoAnswer => "no answer about it",
            What::Unseen(Unseen::Blind) => "Leafwatch was blind",
            What::Unseen(Unseen::Off) => "Leafwatch was off",
        }
    }

    fn class(self) -> &'static str {
        match self {
            What::Healthy => "well",
            What::Trouble(kind) => Tone::from(kind.severity()).class(),
            What::Unmapped | What::NotThere | What::NoAnswer => "doubt",
            What::Unseen(_) => "unseen",
        }
    }
}

/// The lanes of all that was so; those in which nothing was are left out.
pub(super) fn lanes(timeline: &Timeline, words: &StatusWords) -> Vec<Lane> {
    let mut found: BTreeMap<What, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    let mut add = |what: What, parts: &[(Timestamp, Timestamp)]| {
        found.entry(what).or_default().extend_from_slice(parts);
    };
    let (from, to) = (timeline.from, timeline.to);
    for answer in &timeline.answers {
        let seen = timeline.seen(answer);
        match judge::access(&answer.what.answer, words) {
            Access::Healthy => add(What::Healthy, &seen),
            Access::Unmapped => add(What::Unmapped, &seen),
            Access::Missing => add(What::NotThere, &seen),
            // What the word means is judged, and stands in the lane of its incident.
            Access::Bad(_) | Access::Unavailable => {}
        }
    }
    for trouble in &timeline.troubles {
        add(
            What::Trouble(trouble.what),
            trouble.within(from, to).as_slice(),
        );
    }
    for gap in &timeline.gaps {
        add(What::NoAnswer, gap.within(from, to).as_slice());
    }
    for unseen in &timeline.unseen {
        add(
            What::Unseen(unseen.what),
            unseen.within(from, to).as_slice(),
        );
    }
    found
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(what, parts)| lane(what, &parts, from, to))
        .collect()
}

fn lane(what: What, parts: &[(Timestamp, Timestamp)], from: Timestamp, to: Timestamp) -> Lane {
    let whole = words::between(from, to).as_secs_f64().max(1.0);
    let place = |at: Timestamp| words::between(from, at).as_secs_f64() / whole * WIDE;
    let mut bars: Vec<(f64, f64)> = Vec::new();
    let mut total = Duration::ZERO;
    for &(begin, end) in parts {
        total += words::between(begin, end);
        let width = (place(end) - place(begin)).max(LEAST);
        let left = place(begin).min(WIDE - width);
        match bars.last_mut() {
            // What would be drawn over the one before is drawn as one with it.
            Some((at, wide)) if left <= *at + *wide => *wide = (left + width - *at).max(*wide),
            _ => bars.push((left, width)),
        }
    }
    let total = words::duration(total);
    let times = words::counted(parts.len() as u64, "time");
    Lane {
        name: what.name().to_owned(),
        class: what.class(),
        bars,
        label: format!("{}: {times}, {total} in all", what.name()),
        total,
    }
}

/// How much of a stretch there is, in words: `3 h`, `since then`.
pub(super) fn length<T>(stretch: &Stretch<T>, now: Timestamp) -> String {
    let end = stretch.until.unwrap_or(now);
    let length = words::duration(words::between(stretch.from, end));
    match stretch.until {
        Some(_) => length,
        None => format!("{length} so far"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Reading};
    use crate::view::timeline::Said;

    #[test]
    fn each_thing_that_was_so_has_a_lane_and_nothing_else_does() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let stretch = |from, until: Option<i64>| (at(from), until.map(at));
        let said = |from, until, status: Option<&str>| {
            let (from, until) = stretch(from, until);
            let answer = match status {
                Some(word) => Answer::Reading(Reading {
                    status: Some(word.to_owned()),
                    ..Reading::default()
                }),
                None => Answer::Missing,
            };
            let what = Said { answer, epoch: 1 };
            Stretch { from, until, what }
        };
        let timeline = Timeline {
            from: at(100),
            to: at(200),
            answers: vec![
                said(0, Some(120), Some("OK")),
                said(120, Some(130), Some("INVALID")),
                said(130, Some(150), Some("OK")),
                said(150, None, Some("RECONNECTING")),
            ],
            gaps: Vec::new(),
            troubles: vec![Stretch {
                from: at(120),
                until: Some(at(130)),
                what: Kind::Invalid,
            }],
            unseen: vec![Stretch {
                from: at(50),
                until: Some(at(110)),
                what: Unseen::Off,
            }],
        };
        let lanes = lanes(&timeline, &StatusWords::default());
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Leaf says healthy",
                "invalid",
                "unknown status word",
                "Leafwatch was off"
            ]
        );
        assert_eq!(lanes[0].bars, [(100.0, 100.0), (300.0, 200.0)]);
        assert_eq!(lanes[0].label, "Leaf says healthy: 2 times, 1 d 6 h in all");
        assert_eq!(lanes[1].bars, [(200.0, 100.0)]);
        assert_eq!(lanes[1].class, "critical");
    }

    #[test]
    fn a_moment_can_be_seen_and_stays_inside() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lane = lane(
            What::NoAnswer,
            &[(at(99_999), at(100_000))],
            at(0),
            at(100_000),
        );
        assert_eq!(lane.bars, [(WIDE - LEAST, LEAST)]);
    }
}
