//! When something is due, as the config says it; `rules::due` lays it over a time zone.

use std::fmt;
use std::time::Duration;

use chrono::Datelike;
use croner::parser::{CronParser, Seconds, Year};

/// When something is due: a cron line in local time, or every so often.
#[derive(Clone)]
pub enum Schedule {
    /// This long after it last began.
    Every(Duration),
    /// Six fields, seconds first; day-of-month *and* day-of-week where both are given.
    Cron(Box<croner::Cron>),
}

/// The text is no cron line; says why in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotACronLine(String);

/// The six fields, each with its largest number: a step beyond that can only be a slip.
const FIELDS: [(&str, u32); 6] = [
    ("second", 59),
    ("minute", 59),
    ("hour", 23),
    ("day-of-month", 31),
    ("month", 12),
    ("day-of-week", 7),
];

impl Schedule {
    /// Parses a cron line of six fields: second, minute, hour, day of month, month, day of week.
    ///
    /// # Errors
    /// Names the faulty field; a line that never comes true (30 February) is refused too.
    pub fn cron(line: &str) -> Result<Schedule, NotACronLine> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(NotACronLine(wrong_count(line.trim(), fields.len())));
        }
        for (at, (name, largest)) in FIELDS.into_iter().enumerate() {
            let mut alone = ["*"; FIELDS.len()];
            alone[at] = fields[at];
            if let Err(reason) = parser().parse(&alone.join(" ")) {
                return Err(NotACronLine(format!(
                    "the {name} field {:?} is not valid: {}",
                    fields[at],
                    in_lower_case(&reason)
                )));
            }
            if fields[at].split(',').any(str::is_empty) {
                return Err(NotACronLine(format!(
                    "the {name} field {:?} has a comma with nothing beside it",
                    fields[at]
                )));
            }
            let steps = fields[at]
                .split(',')
                .filter_map(|part| part.split_once('/'));
            let mut steps = steps.filter_map(|(_, step)| step.parse::<u32>().ok());
            if let Some(step) = steps.find(|step| *step > largest) {
                return Err(NotACronLine(format!(
                    "the {name} field {:?} steps by {step}, and {largest} is the largest {name}",
                    fields[at]
                )));
            }
        }
        let cron = parser()
            .parse(line)
            .map_err(|reason| NotACronLine(in_lower_case(&reason)))?;
        if !has_a_date(&cron) {
            return Err(NotACronLine(
                "it never comes true: no date fits all of its fields".to_owned(),
            ));
        }
        Ok(Schedule::Cron(Box::new(cron)))
    }

    /// The usual distance between two firings: the middle one of the next thirty.
    /// Clock changes are left out of it, so that it needs neither a zone nor the time.
    pub fn typical_interval(&self) -> Duration {
        let cron = match self {
            Schedule::Every(interval) => return *interval,
            Schedule::Cron(cron) => cron,
        };
        let mut gaps = Vec::with_capacity(30);
        let mut last = next_civil(cron, 0, true);
        while let Some(at) = last
            && gaps.len() < 30
        {
            last = next_civil(cron, at, false);
            gaps.extend(last.map(|next| next.abs_diff(at)));
        }
        gaps.sort_unstable();
        Duration::from_secs(gaps.get(gaps.len() / 2).copied().unwrap_or(u64::MAX))
    }
}

/// The next wall-clock second that `cron` names: after `civil`, or at it where `inclusive`.
///
/// Wall-clock seconds count from 1970-01-01 00:00:00 on the local clock, as if it had never been put forward or back:
/// croner is only asked which wall-clock times match, because its own stepping over a real zone goes back in
/// time in the hour that a clock change repeats.
pub fn next_civil(cron: &croner::Cron, civil: i64, inclusive: bool) -> Option<i64> {
    let start = chrono::DateTime::from_timestamp(civil, 0)?;
    cron.find_next_occurrence(&start, inclusive)
        .ok()
        .map(|next| next.timestamp())
}

fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .dom_and_dow(true)
        .build()
}

/// Whether some date fits. Within 28 years every date falls on every weekday; croner itself would
/// search up to the year 5000, which takes seconds.
fn has_a_date(cron: &croner::Cron) -> bool {
    let Some(first) = chrono::NaiveDate::from_ymd_opt(1970, 1, 1) else {
        return false;
    };
    first.iter_days().take(28 * 366).any(|date| {
        let (year, month, day) = (date.year(), date.month(), date.day());
        cron.pattern.month_match(month).unwrap_or(false)
            && cron.pattern.day_match(year, month, day).unwrap_or(false)
    })
}

fn wrong_count(line: &str, count: usize) -> String {
    let hint = match count {
        5 => format!("; seconds come first: \"0 {line}\""),
        _ => String::new(),
    };
    format!(
        "a cron line has six fields (second minute hour day-of-month month day-of-week), this has {count}{hint}"
    )
}

/// croner's reasons are sentences with a heading; ours are clauses.
fn in_lower_case(reason: &croner::errors::CronError) -> String {
    let text = reason.to_string();
    let text = text.strip_prefix("Component error: ").unwrap_or(&text);
    let text = text
        .strip_prefix("Pattern contains illegal characters: CronPattern ")
        .unwrap_or(text);
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Schedule::Every(a), Schedule::Every(b)) => a == b,
            (Schedule::Cron(a), Schedule::Cron(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl fmt::Debug for Schedule {
    /// As the config has it: croner's own says every second of every field and all years to 5000.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Every(interval) => write!(f, "every {interval:?}"),
            Schedule::Cron(cron) => f.write_str(cron.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(line: &str) -> String {
        Schedule::cron(line).unwrap_err().to_string()
    }

    #[test]
    fn a_faulty_line_is_refused_with_its_reason() {
        assert_eq!(
            reason("*/15 * * * *"),
            "a cron line has six fields (second minute hour day-of-month month day-of-week), this has 5; \
             seconds come first: \"0 */15 * * * *\""
        );
        assert_eq!(
            reason("0 75 * * * *"),
            "the minute field \"75\" is not valid: number out of bounds"
        );
        assert_eq!(
            reason("0 0 8 * * Mo"),
            "the day-of-week field \"Mo\" is not valid: contains illegal character 'M' in part 'MO'"
        );
        assert_eq!(
            reason("0 */61 * * * *"),
            "the minute field \"*/61\" steps by 61, and 59 is the largest minute"
        );
        assert_eq!(
            reason("0 0 8 30 2 *"),
            "it never comes true: no date fits all of its fields"
        );
        assert_eq!(
            reason("0 5, * * * *"),
            "the minute field \"5,\" has a comma with nothing beside it"
        );
        assert!(reason("@daily").contains("this has 1"));
        assert!(reason("").contains("this has 0"));
    }

    #[test]
    fn day_of_month_and_day_of_week_must_both_fit() {
        let Schedule::Cron(cron) = Schedule::cron("0 0 8 13 * Fri").unwrap() else {
            panic!("a cron line");
        };
        // From 1970 on: 13 February was the first Friday the 13th.
        let first = next_civil(&cron, 0, true).unwrap();
        assert_eq!(
            chrono::DateTime::from_timestamp(first, 0)
                .unwrap()
                .to_string(),
            "1970-02-13 08:00:00 UTC"
        );
    }

    #[test]
    fn the_typical_interval_is_that_of_most_firings() {
        let typical = |line| Schedule::cron(line).unwrap().typical_interval().as_secs();
        assert_eq!(typical("0 */15 * * * *"), 15 * 60);
        assert_eq!(typical("0 */15 8-18 * * Mon-Fri"), 15 * 60);
        assert_eq!(typical("0 0 8 * * *"), 24 * 3600);
        assert_eq!(typical("0 0 8 * * Mon"), 7 * 24 * 3600);
        assert_eq!(typical("0 0 8 29 2 *") / (24 * 3600), 1461);
        let every = Schedule::Every(Duration::from_secs(90));
        assert_eq!(every.typical_interval().as_secs(), 90);
    }
}
