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
    // All is asked for before anything is judged: every fault at once, and no key unknown.
    let zone = match entry.has("timezone") {
        true => schedule::zone(entry),
        false => Some(zone.clone()),
    };
    let weekdays = weekdays(entry);
    let (from, to) = (time(entry, "from"), time(entry, "to"));
    let faults = entry.reader().faults_so_far();
    let severities = match entry.has("severities") {
        true => entry
            .parsed_list(
                "severities",
                "write [\"warning\"], or [\"warning\", \"critical\"]",
            )
            .unwrap_or_default(),
        false => vec![Severity::Warning],
    };
    let understood = entry.reader().faults_so_far() == faults;
    if severities.is_empty() && understood {
        let write = "name severities, or leave the key out for warnings";
        entry.fault("severities", "nothing waits in this window", write);
    }
    let (zone, weekdays, from, to) = (zone?, weekdays?, from?, to?);
    if severities.is_empty() {
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
                let write = "write days such as [\"Sat\", \"Sun\"]";
                entry.fault_in("weekdays", word, &wrong, write);
                return None;
            }
        }
    }
    Some(days)
}

fn time(entry: &Section<'_>, key: &str) -> Option<Time> {
    let write = "write a time of day, such as \"22:00\"";
    let Some(text) = entry.text_or(key, write) else {
        if !entry.has(key) {
            entry.fault(key, "it is left out", write);
        }
        return None;
    };
    match text.trim().parse::<Time>() {
        Ok(time) => Some(time),
        Err(_) => {
            let meant = meant(text);
            let write = meant.as_deref().unwrap_or(write);
            entry.fault(key, &format!("{} is no time of day", quoted(text)), write);
            None
        }
    }
}

/// What to write for a time as clocks of twelve hours have it, or without its minutes: `8pm`, `8:30 am`, `20`, `20h`.
fn meant(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (number, twelve) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(number), _) => (number, Some(0)),
        (_, Some(number)) => (number, Some(12)),
        _ => (
            text.trim_end_matches(" o'clock").trim_end_matches('h'),
            None,
        ),
    };
    let number = number.trim();
    let (hours, minutes) = number.split_once([':', '.', 'h']).unwrap_or((number, "0"));
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let hours = match twelve {
        Some(later) if (1..=12).contains(&hours) => hours % 12 + later,
        Some(_) => return None,
        None => hours % 24,
    };
    let time = Time::new(hours, minutes, 0, 0).ok()?;
    Some(format!("write \"{}\"", time.strftime("%H:%M")))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn times_as_people_say_them_are_told_as_they_are_written() {
        for (said, written) in [
            ("8pm", "20:00"),
            ("8:30 PM", "20:30"),
            ("12am", "00:00"),
            ("12 pm", "12:00"),
            ("20", "20:00"),
            ("20h", "20:00"),
            ("20.15", "20:15"),
            ("24:00", "00:00"),
        ] {
            assert_eq!(meant(said), Some(format!("write \"{written}\"")), "{said}");
        }
        for said in ["evening", "13pm", "20:99", ""] {
            assert_eq!(meant(said), None, "{said}");
        }
    }
}
