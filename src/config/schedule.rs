//! `[schedule]`: when what is done, and in whose local time.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::duration::parse_duration;
use super::fault::{nearest, quoted};
use super::reader::Section;
use crate::model::{Schedule, Schedules};

/// Key and default of each schedule; public so that a report can name them.
const SWEEP: (&str, &str) = ("sweep", "0 */15 * * * *");
const EVENTS: (&str, &str) = ("events", "0 7 * * * *");
const REMINDERS: (&str, &str) = ("reminders", "0 0 8 * * *");
const DIGEST: (&str, &str) = ("digest", "0 0 8 * * Mon");

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

/// What is not understood reads as its default, once that is told.
pub(super) fn read(schedule: &Section<'_>) -> Schedules {
    let one = |(key, default)| {
        one(schedule, (key, default))
            .or_else(|| Schedule::cron(default).ok())
            .unwrap_or(Schedule::Every(LONGEST))
    };
    let schedules = Schedules {
        zone: zone(schedule).unwrap_or(TimeZone::UTC),
        sweep: one(SWEEP),
        events: one(EVENTS),
        reminders: one(REMINDERS),
        digest: one(DIGEST),
    };
    if schedules.sweep.typical_interval() < Duration::from_secs(60) {
        schedule.warn(
            "sweep",
            "credentials are asked for more than once a minute",
            "Leaf itself may take a day to notice that a credential died; 15 minutes lose nothing",
        );
    }
    schedules
}

pub(super) fn zone(schedule: &Section<'_>) -> Option<TimeZone> {
    if !schedule.has("timezone") {
        return Some(TimeZone::UTC);
    }
    let example = "write a name such as \"America/Chicago\" or \"UTC\"";
    let name = schedule.text_or("timezone", example)?;
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let known: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    let write = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => {
            "no time zones are installed on this machine: install the package tzdata".to_owned()
        }
        None => {
            "write a name from the IANA time zone database, such as \"America/Chicago\" or \"UTC\""
                .to_owned()
        }
    };
    schedule.fault(
        "timezone",
        &format!("there is no time zone {}", quoted(name)),
        &write,
    );
    None
}

fn one(schedule: &Section<'_>, (key, default): (&str, &str)) -> Option<Schedule> {
    let write = format!(
        "write a cron line of six fields, seconds first, such as \"{default}\", or a duration such as \"15m\""
    );
    let text = match schedule.has(key) {
        true => schedule.text_or(key, &write)?,
        false => default,
    };
    // A cron line has blanks between digits, stars and names; a duration is one word or two.
    if text.split_whitespace().count() < 3 {
        return match parse_duration(text) {
            Ok(interval) if (SHORTEST..=LONGEST).contains(&interval) => {
                Some(Schedule::Every(interval))
            }
            Ok(_) => {
                let wrong = format!("{} is out of range", quoted(text));
                schedule.fault(key, &wrong, "write a duration from 1s to 31d");
                None
            }
            Err(reason) => {
                let wrong = format!(
                    "{} is neither a cron line nor a duration: {reason}",
                    quoted(text)
                );
                schedule.fault(key, &wrong, &write);
                None
            }
        };
    }
    match Schedule::cron(text) {
        Ok(cron) => Some(cron),
        Err(reason) => {
            schedule.fault(
                key,
                &format!("{} cannot be followed: {reason}", quoted(text)),
                &write,
            );
            None
        }
    }
}
