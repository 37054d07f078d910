//! `[[alerts.quiet]]`: times of the week at which mails wait.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::fault::quoted;
use super::reader::Section;
use super::schedule;
use crate::model::{QuietWindow, Severity};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub(super) fn read(alerts: &Section<'_>, zone: &TimeZone) -> Vec<QuietWindow> {
    alerts
        .entries("quiet")
        .iter()
        .filter_map(|entry| window(entry, zone))
        .collect()
}

fn window(entry: &Section<'_>, zone: &TimeZone) -> Option<QuietWindow> {
    let zone = if entry.has("timezone") {
        schedule::zone(entry)?
    } else {
        zone.clone()
    };
    let weekdays = weekdays(entry)?;
    let (from, to) = (time(entry, "from")?, time(entry, "to")?);
    let severities = match entry.has("severities") {
        true => entry.parsed_list(
            "severities",
            "write [\"warning\"], or [\"warning\", \"critical\"]",
        )?,
        false => vec![Severity::Warning],
    };
    if severities.is_empty() {
        let write = "name severities, or leave the key out for warnings";
        entry.fault("severities", "nothing waits in this window", write);
        return None;
    }
    if from == to {
        entry.fault(
            "to",
            "the window ends when it begins",
            "write another time; a whole day is 00:00 to 23:59",
        );
        return None;
    }
    if severities.contains(&Severity::Critical) {
        let what = "critical alerts wait too";
        entry.warn(
            "severities",
            what,
            "a dead credential is told only when the window ends; is that meant?",
        );
    }
    Some(QuietWindow {
        weekdays,
        from,
        to,
        zone,
        severities,
    })
}

fn weekdays(entry: &Section<'_>) -> Option<Vec<Weekday>> {
    let Some(words) = entry.list("weekdays") else {
        return Some(DAYS.iter().map(|(_, day)| *day).collect());
    };
    let mut days = Vec::new();
    if words.is_empty() {
        let write = "name days, or leave the key out for every day";
        entry.fault("weekdays", "the window is open on no day", write);
        return None;
    }
    for word in words {
        let short: String = word.trim().to_lowercase().chars().take(3).collect();
        match DAYS.iter().find(|(name, _)| *name == short) {
            Some((_, day)) => days.push(*day),
            None => {
                let wrong = format!("{} is no weekday", quoted(word));
                entry.fault("weekdays", &wrong, "write days such as [\"Sat\", \"Sun\"]");
                return None;
            }
        }
    }
    Some(days)
}

fn time(entry: &Section<'_>, key: &str) -> Option<Time> {
    let write = "write a time of day, such as \"22:00\"";
    let Some(text) = entry.text(key) else {
        if !entry.has(key) {
            entry.fault(key, "it is left out", write);
        }
        return None;
    };
    match text.trim().parse::<Time>() {
        Ok(time) => Some(time),
        Err(_) => {
            entry.fault(key, &format!("{} is no time of day", quoted(text)), write);
            None
        }
    }
}
