//! The last 90 days of one credential as a bar: a tick a day, its height and colour by the worst of that day. Pure.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::{Severity, StatusWords};
use crate::rules::availability::Period;
use crate::rules::judge::{self, Access};
use crate::store::Lifeline;
use crate::view::words;

/// Days shown.
pub(super) const DAYS: usize = 90;
/// Width of a day in the picture, its gap included.
const STEP: usize = 4;

/// A day, by the worst that was seen of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Day {
    /// Nobody looked for most of it, or it was not watched yet.
    #[default]
    Unseen,
    /// Seen, and neither well nor in trouble: never connected, an unknown word.
    Unsure,
    Well,
    Warning,
    Critical,
}

/// The days of the bar, by the calendar of the zone; the same for all credentials.
#[derive(Debug)]
pub(super) struct Calendar(Vec<Period>);

impl Calendar {
    /// The last [`DAYS`] days; today ends now.
    pub(super) fn new(now: Timestamp, zone: &TimeZone) -> Calendar {
        let today = now.to_zoned_datetime(zone.clone()).date();
        let begins = |back: i64| {
            let date = today.saturating_sub(SignedDuration::from_hours(24 * back));
            zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(now)
        };
        let mut until = now;
        let mut days: Vec<Period> = (0..DAYS as i64)
            .map(|back| {
                let from = begins(back).min(until);
                let day = Period { from, until };
                until = from;
                day
            })
            .collect();
        days.reverse();
        Calendar(days)
    }

    /// When the first of them begins.
    pub(super) fn begins(&self) -> Timestamp {
        self.0[0].from
    }

    /// The numbers of the days of which `period` has something, each with how much.
    fn of(&self, period: Period) -> impl Iterator<Item = (usize, Duration)> {
        let first = self.0.partition_point(|day| day.until <= period.from);
        let days = self.0.iter().enumerate().skip(first);
        days.map(move |(at, day)| (at, day.within(period).length()))
            .take_while(|(_, length)| !length.is_zero())
    }
}

/// The bar, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strip {
    /// One path for each look: its class, and where it goes.
    pub(super) paths: Vec<(&'static str, String)>,
    /// The same in words.
    pub(super) label: String,
}

/// The bar of what is known.
pub(super) fn strip(lifeline: &Lifeline, words: &StatusWords, calendar: &Calendar) -> Strip {
    let days = days(lifeline, words, calendar);
    let mut paths = Vec::new();
    for (day, class, height) in [
        (Day::Critical, "critical", 20),
        (Day::Warning, "warning", 14),
        (Day::Well, "well", 8),
        (Day::Unsure, "unsure", 5),
        (Day::Unseen, "unseen", 2),
    ] {
        let middle = 20 - height / 2;
        let mut path = String::new();
        let mut at = 0;
        for run in days.chunk_by(|one, next| one == next) {
            if run[0] == day {
                let (from, to) = (at * STEP, (at + run.len()) * STEP);
                path.push_str(&format!("M{from} {middle}H{to}"));
            }
            at += run.len();
        }
        if !path.is_empty() {
            paths.push((class, path));
        }
    }
    Strip {
        paths,
        label: label(&days),
    }
}

fn label(days: &[Day]) -> String {
    let count = |day: Day| days.iter().filter(|&&one| one == day).count() as u64;
    let mut parts = Vec::new();
    for (number, what) in [
        (count(Day::Critical), "with critical trouble"),
        (count(Day::Warning), "with a warning"),
        (count(Day::Well), "well"),
        (count(Day::Unsure), "not judged"),
        (count(Day::Unseen), "not seen"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", words::counted(number, "day")));
        }
    }
    format!("Last {DAYS} days: {}", parts.join(", "))
}

fn days(lifeline: &Lifeline, words: &StatusWords, calendar: &Calendar) -> Vec<Day> {
    let mut days = vec![Day::default(); DAYS];
    let mut unseen = vec![SignedDuration::ZERO; DAYS];
    for part in &lifeline.parts {
        let answer = part.answer.map(|at| &lifeline.answers[at].what.answer);
        let day = match answer.map(|answer| judge::access(answer, words)) {
            Some(Access::Healthy) => Day::Well,
            _ => Day::Unsure,
        };
        for (at, length) in calendar.of(part.during) {
            let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
            match part.unseen {
                Some(_) => unseen[at] += length,
                None => {
                    unseen[at] -= length;
                    days[at] = days[at].max(day);
                }
            }
        }
    }
    for (day, unseen) in days.iter_mut().zip(unseen) {
        if unseen.is_positive() {
            *day = Day::Unseen;
        }
    }
    for trouble in lifeline.troubles() {
        let day = match trouble.what.severity() {
            Severity::Critical => Day::Critical,
            Severity::Warning => Day::Warning,
        };
        for (at, _) in calendar.of(trouble.during) {
            days[at] = days[at].max(day);
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Kind, Reading, WhyUnseen};
    use crate::rules::availability::{Part, Stood};
    use crate::store::AnswerOfLife;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn period(from: &str, until: &str) -> Period {
        Period {
            from: at(from),
            until: at(until),
        }
    }

    /// Healthy from the first of June on; not seen in `unseen`.
    fn lifeline(unseen: &[Period], troubles: &[(Period, Kind)]) -> Lifeline {
        let whole = period("2026-06-01T06:00:00Z", "2026-06-30T12:00:00Z");
        let part = |during, unseen| Part {
            during,
            answer: Some(0),
            unseen,
        };
        let mut parts = Vec::new();
        let mut from = whole.from;
        for dark in unseen {
            let until = dark.from;
            parts.push(part(Period { from, until }, None));
            parts.push(part(*dark, Some(WhyUnseen::Off)));
            from = dark.until;
        }
        parts.push(part(Period { from, ..whole }, None));
        let answer = Answer::Reading(Reading {
            status: Some("OK".to_owned()),
            ..Reading::default()
        });
        let answers = vec![Stood {
            during: whole,
            what: AnswerOfLife { answer, epoch: 1 },
        }];
        let troubles = troubles
            .iter()
            .map(|&(during, what)| Stood { during, what });
        Lifeline::new(whole, parts, answers, troubles.collect())
    }

    fn drawn(lifeline: &Lifeline, zone: &TimeZone) -> Vec<Day> {
        let calendar = Calendar::new(lifeline.period.until, zone);
        let days = days(lifeline, &StatusWords::default(), &calendar);
        assert_eq!(days.len(), DAYS);
        days
    }

    fn shown(lifeline: &Lifeline) -> String {
        let letter = |day: Day| match day {
            Day::Unseen => '.',
            Day::Unsure => '?',
            Day::Well => 'w',
            Day::Warning => 'W',
            Day::Critical => 'C',
        };
        // June alone: all before is not watched yet.
        let days = drawn(lifeline, &TimeZone::UTC);
        let text: String = days.into_iter().map(letter).collect();
        let (before, june) = text.split_at(DAYS - 30);
        assert!(before.chars().all(|day| day == '.'), "{before}");
        june.to_owned()
    }

    #[test]
    fn a_day_is_as_bad_as_the_worst_of_it() {
        assert_eq!(shown(&lifeline(&[], &[])), "w".repeat(30));
        let lifeline = lifeline(
            &[],
            &[
                (
                    period("2026-06-10T23:59:00Z", "2026-06-12T00:01:00Z"),
                    Kind::Invalid,
                ),
                (
                    period("2026-06-29T00:00:00Z", "2026-06-30T12:00:00Z"),
                    Kind::FailingEvents,
                ),
            ],
        );
        assert_eq!(shown(&lifeline), "wwwwwwwwwCCCwwwwwwwwwwwwwwwwWW");
        let calendar = Calendar::new(lifeline.period.until, &TimeZone::UTC);
        let strip = strip(&lifeline, &StatusWords::default(), &calendar);
        assert_eq!(
            strip.label,
            "Last 90 days: 3 days with critical trouble, 2 days with a warning, 25 days well, 60 days not seen"
        );
        assert_eq!(strip.paths[0], ("critical", "M276 10H288".to_owned()));
    }

    #[test]
    fn a_day_in_which_nobody_looked_is_neither_well_nor_in_trouble() {
        // The trouble was open all the time, and seen at its beginning alone.
        let lifeline = lifeline(
            &[
                period("2026-06-05T11:00:00Z", "2026-06-08T10:00:00Z"),
                period("2026-06-20T01:00:00Z", "2026-06-30T12:00:00Z"),
            ],
            &[(
                period("2026-06-20T00:30:00Z", "2026-06-30T12:00:00Z"),
                Kind::Invalid,
            )],
        );
        assert_eq!(shown(&lifeline), "wwww...wwwwwwwwwwwwC..........");
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        let lifeline = lifeline(
            &[],
            &[(
                period("2026-06-10T02:00:00Z", "2026-06-10T03:00:00Z"),
                Kind::Invalid,
            )],
        );
        let calendar = Calendar::new(lifeline.period.until, &chicago);
        assert_eq!(calendar.begins().to_string(), "2026-04-02T05:00:00Z");
        let days = drawn(&lifeline, &chicago);
        let day = days.iter().position(|day| *day == Day::Critical);
        assert_eq!(day, Some(DAYS - 30 + 8), "the ninth of June in Chicago");
    }
}
