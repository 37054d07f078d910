//! The last 90 days of one credential as a bar: a tick a day, its height and colour by the worst of that day. Pure.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::{Severity, StatusWords};
use crate::rules::judge::{self, Access};
use crate::view::timeline::Timeline;
use crate::view::words;

/// Days shown.
pub(super) const DAYS: usize = 90;
/// Width of a day in the picture, its gap included.
const STEP: usize = 4;

/// A day, by the worst of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Day {
    /// Nobody looked, or it was not watched yet.
    Unseen,
    /// Seen, and neither well nor in trouble: never connected, an unknown word.
    Unsure,
    Well,
    Warning,
    Critical,
}

/// The bar, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strip {
    /// One path for each look: its class, and where it goes.
    pub(super) paths: Vec<(&'static str, String)>,
    /// The same in words.
    pub(super) label: String,
}

/// When the first day of the bar begins.
pub(super) fn begins(now: Timestamp, zone: &TimeZone) -> Timestamp {
    let back = now - SignedDuration::from_hours(24 * (DAYS as i64 - 1));
    let day = back.to_zoned_datetime(zone.clone()).start_of_day();
    day.map_or(back, |day| day.timestamp())
}

/// The bar of what is known since [`begins`].
pub(super) fn strip(timeline: &Timeline, words: &StatusWords, zone: &TimeZone) -> Strip {
    let days = days(timeline, words, zone);
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

fn days(timeline: &Timeline, words: &StatusWords, zone: &TimeZone) -> Vec<Day> {
    let mut days = vec![Day::Unseen; DAYS];
    let place = Place {
        first: timeline.from,
        zone,
    };
    let mut mark = |parts: &[(Timestamp, Timestamp)], day: Day| {
        for &(from, to) in parts {
            for seen in &mut days[place.day_of(from)..=place.day_of(to)] {
                *seen = (*seen).max(day);
            }
        }
    };
    for answer in &timeline.answers {
        let day = match judge::access(&answer.what.answer, words) {
            Access::Healthy => Day::Well,
            _ => Day::Unsure,
        };
        mark(&timeline.seen(answer), day);
    }
    for trouble in &timeline.troubles {
        let day = match trouble.what.severity() {
            Severity::Critical => Day::Critical,
            Severity::Warning => Day::Warning,
        };
        mark(trouble.within(timeline.from, timeline.to).as_slice(), day);
    }
    days
}

struct Place<'a> {
    first: Timestamp,
    zone: &'a TimeZone,
}

impl Place<'_> {
    /// The number of the day, by the calendar of the zone.
    fn day_of(&self, at: Timestamp) -> usize {
        let date = |at: Timestamp| at.to_zoned_datetime(self.zone.clone()).date();
        let days = date(self.first).duration_until(date(at)).as_hours() / 24;
        usize::try_from(days).unwrap_or(0).min(DAYS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Kind, Reading};
    use crate::view::timeline::{Said, Stretch, Unseen};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timeline() -> Timeline {
        let to = at("2026-06-30T12:00:00Z");
        let healthy = Answer::Reading(Reading {
            status: Some("OK".to_owned()),
            ..Reading::default()
        });
        Timeline {
            from: begins(to, &TimeZone::UTC),
            to,
            answers: vec![Stretch {
                from: at("2026-06-01T06:00:00Z"),
                until: None,
                what: Said {
                    answer: healthy,
                    epoch: 1,
                },
            }],
            gaps: Vec::new(),
            troubles: Vec::new(),
            unseen: Vec::new(),
        }
    }

    fn shown(timeline: &Timeline) -> String {
        let days = days(timeline, &StatusWords::default(), &TimeZone::UTC);
        assert_eq!(days.len(), DAYS);
        let letter = |day: &Day| match day {
            Day::Unseen => '.',
            Day::Unsure => '?',
            Day::Well => 'w',
            Day::Warning => 'W',
            Day::Critical => 'C',
        };
        // June alone: all before is not watched yet.
        let text: String = days.iter().map(letter).collect();
        let (before, june) = text.split_at(DAYS - 30);
        assert!(before.chars().all(|day| day == '.'), "{before}");
        june.to_owned()
    }

    #[test]
    fn a_day_is_as_bad_as_the_worst_of_it() {
        let mut timeline = timeline();
        assert_eq!(shown(&timeline), "w".repeat(30));
        let trouble = |from: &str, until: Option<&str>, what| Stretch {
            from: at(from),
            until: until.map(at),
            what,
        };
        timeline.troubles = vec![
            trouble(
                "2026-06-10T23:59:00Z",
                Some("2026-06-12T00:01:00Z"),
                Kind::Invalid,
            ),
            trouble("2026-06-29T00:00:00Z", None, Kind::FailingEvents),
        ];
        assert_eq!(shown(&timeline), "wwwwwwwwwCCCwwwwwwwwwwwwwwwwWW");
        let strip = strip(&timeline, &StatusWords::default(), &TimeZone::UTC);
        assert_eq!(
            strip.label,
            "Last 90 days: 3 days with critical trouble, 2 days with a warning, 25 days well, 60 days not seen"
        );
        assert_eq!(strip.paths[0], ("critical", "M276 10H288".to_owned()));
    }

    #[test]
    fn time_in_which_nobody_could_look_is_nobodys() {
        let mut timeline = timeline();
        timeline.unseen = vec![
            Stretch {
                from: at("2026-06-05T12:00:00Z"),
                until: Some(at("2026-06-08T12:00:00Z")),
                what: Unseen::Off,
            },
            Stretch {
                from: at("2026-06-28T12:00:00Z"),
                until: None,
                what: Unseen::Blind,
            },
        ];
        assert_eq!(shown(&timeline), "wwwww..wwwwwwwwwwwwwwwwwwwww..");
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        let mut timeline = timeline();
        timeline.from = begins(timeline.to, &chicago);
        assert_eq!(timeline.from.to_string(), "2026-04-02T05:00:00Z");
        timeline.troubles = vec![Stretch {
            from: at("2026-06-10T02:00:00Z"),
            until: Some(at("2026-06-10T03:00:00Z")),
            what: Kind::Invalid,
        }];
        let days = days(&timeline, &StatusWords::default(), &chicago);
        let day = days.iter().position(|day| *day == Day::Critical);
        assert_eq!(day, Some(DAYS - 30 + 8), "the ninth of June in Chicago");
    }
}
