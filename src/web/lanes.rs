//! The time of one credential, drawn: one lane for each thing that was so, each with its name and how long in all. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::frame::Tone;
use crate::model::{Kind, StatusWords, WhyUnseen};
use crate::rules::availability::Period;
use crate::rules::judge::{self, Access};
use crate::store::Lifeline;
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
    Unseen(WhyUnseen),
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Healthy => "Leaf says healthy",
            What::Trouble(kind) => words::label(kind),
            What::Unmapped => "unknown status word",
            What::NotThere => "not at Leaf",
            What::Unseen(WhyUnseen::Blind) => "Leafwatch was blind",
            What::Unseen(why) => words::unseen(why),
        }
    }

    fn class(self) -> &'static str {
        match self {
            What::Healthy => "well",
            What::Trouble(kind) => Tone::from(kind.severity()).class(),
            What::Unmapped | What::NotThere | What::Unseen(WhyUnseen::NoAnswer) => "doubt",
            What::Unseen(_) => "unseen",
        }
    }
}

/// The lanes of all that was so; those in which nothing was are left out.
pub(super) fn lanes(lifeline: &Lifeline, words: &StatusWords) -> Vec<Lane> {
    let mut found: BTreeMap<What, Vec<Period>> = BTreeMap::new();
    let mut add = |what: What, part: Period| {
        let parts = found.entry(what).or_default();
        match parts.last_mut() {
            Some(last) if last.until == part.from => last.until = part.until,
            _ => parts.push(part),
        }
    };
    for part in &lifeline.parts {
        let answer = part.answer.map(|at| &lifeline.answers[at].what.answer);
        let what = match (part.unseen, answer) {
            (Some(why), _) => What::Unseen(why),
            (None, None) => continue,
            (None, Some(answer)) => match judge::access(answer, words) {
                Access::Healthy => What::Healthy,
                Access::Unmapped => What::Unmapped,
                Access::Missing => What::NotThere,
                // What the word means is judged, and stands in the lane of its incident.
                Access::Bad(_) | Access::Unavailable => continue,
            },
        };
        add(what, part.during);
    }
    for trouble in lifeline.troubles() {
        add(What::Trouble(trouble.what), trouble.during);
    }
    found
        .into_iter()
        .map(|(what, parts)| lane(what, &parts, lifeline.period))
        .collect()
}

fn lane(what: What, parts: &[Period], whole: Period) -> Lane {
    let seconds = whole.length().as_secs_f64().max(1.0);
    let place = |at: Timestamp| words::between(whole.from, at).as_secs_f64() / seconds * WIDE;
    let mut bars: Vec<(f64, f64)> = Vec::new();
    let mut total = Duration::ZERO;
    for part in parts {
        total += part.length();
        let width = (place(part.until) - place(part.from)).max(LEAST);
        let left = place(part.from).min(WIDE - width);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Reading};
    use crate::rules::availability::{Part, Stood};
    use crate::store::AnswerOfLife;

    fn hours(from: i64, until: i64) -> Period {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        Period {
            from: at(from),
            until: at(until),
        }
    }

    fn of_100_to_200(
        parts: &[(i64, i64, Option<&str>, Option<WhyUnseen>)],
        troubles: &[(i64, i64, Kind)],
    ) -> Lifeline {
        let answers = parts.iter().map(|&(from, until, status, _)| {
            let answer = match status {
                Some(word) => Answer::Reading(Reading {
                    status: Some(word.to_owned()),
                    ..Reading::default()
                }),
                None => Answer::Missing,
            };
            let during = hours(from, until);
            Stood {
                during,
                what: AnswerOfLife { answer, epoch: 1 },
            }
        });
        let places = parts.iter().enumerate();
        let places = places.map(|(at, &(from, until, _, unseen))| Part {
            during: hours(from, until),
            answer: Some(at),
            unseen,
        });
        let troubles = troubles.iter().map(|&(from, until, what)| Stood {
            during: hours(from, until),
            what,
        });
        Lifeline::new(
            hours(100, 200),
            places.collect(),
            answers.collect(),
            troubles.collect(),
        )
    }

    #[test]
    fn each_thing_that_was_so_has_a_lane_and_nothing_else_does() {
        let lifeline = of_100_to_200(
            &[
                (100, 110, Some("OK"), Some(WhyUnseen::Off)),
                (110, 115, Some("OK"), None),
                (115, 120, Some("ok"), None),
                (120, 130, Some("INVALID"), None),
                (130, 150, Some("OK"), None),
                (150, 200, Some("RECONNECTING"), None),
            ],
            &[(120, 130, Kind::Invalid)],
        );
        let lanes = lanes(&lifeline, &StatusWords::default());
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
    fn what_nobody_saw_is_painted_as_that_alone() {
        let lifeline = of_100_to_200(
            &[
                (100, 110, Some("OK"), None),
                (110, 140, Some("OK"), Some(WhyUnseen::NotLooked)),
                (140, 150, Some("INVALID"), None),
                (150, 160, Some("INVALID"), Some(WhyUnseen::NoAnswer)),
                (160, 200, Some("INVALID"), Some(WhyUnseen::Blind)),
            ],
            &[(140, 200, Kind::Invalid), (155, 200, Kind::Unreadable)],
        );
        let lanes = lanes(&lifeline, &StatusWords::default());
        let shown = lanes
            .iter()
            .map(|lane| (lane.name.as_str(), lane.total.as_str(), &lane.bars[..]));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                ("Leaf says healthy", "10 h", &[(0.0, 100.0)][..]),
                ("invalid", "10 h", &[(400.0, 100.0)]),
                ("unreadable", "5 h", &[(550.0, 50.0)]),
                ("no answer about it", "10 h", &[(500.0, 100.0)]),
                ("Leafwatch was blind", "1 d 16 h", &[(600.0, 400.0)]),
                ("no sweep came to its end", "1 d 6 h", &[(100.0, 300.0)]),
            ]
        );
    }

    #[test]
    fn a_moment_can_be_seen_and_stays_inside() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let period = |from, until| Period {
            from: at(from),
            until: at(until),
        };
        let unseen = What::Unseen(WhyUnseen::NoAnswer);
        let lane = lane(unseen, &[period(99_999, 100_000)], period(0, 100_000));
        assert_eq!(lane.bars, [(WIDE - LEAST, LEAST)]);
    }
}
