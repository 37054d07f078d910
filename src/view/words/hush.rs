//! What people said about an incident, and when mails wait.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::time;
use crate::model::Severity;
use crate::view::hush::{Ack, Said, Silence};

/// What holds mails about an incident back now, for a table: `acknowledged, silenced`.
pub fn held_back(said: &Said, now: Timestamp) -> Option<String> {
    let acknowledged = said.acks.iter().any(|ack| ack.holds(now));
    let silenced = said.silences.iter().any(|silence| silence.holds(now));
    let words = [(acknowledged, "acknowledged"), (silenced, "silenced")];
    let true_now: Vec<&str> = words
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| *word)
        .collect();
    (!true_now.is_empty()).then(|| true_now.join(", "))
}

/// An ack in one line, after `acknowledged`.
pub fn ack(ack: &Ack, zone: &TimeZone, now: Timestamp) -> String {
    let end = ack.ended_at.map_or(ack.until, |ended| ended.min(ack.until));
    let times = times((ack.at, end), ack.holds(now), ack.ended_by.as_deref(), zone);
    format!("by {}, {times}: {}", ack.actor, ack.reason)
}

/// A silence in one line, after `silenced`.
pub fn silence(silence: &Silence, zone: &TimeZone, now: Timestamp) -> String {
    let ended_by = silence
        .ended_by
        .as_ref()
        .map(|who| format!("ended by {who}"));
    let times = times(
        (silence.at, silence.end()),
        silence.holds(now),
        ended_by.as_deref(),
        zone,
    );
    let Silence {
        number,
        actor,
        reason,
        ..
    } = silence;
    format!("by {actor} (silence {number}), {times}: {reason}")
}

fn times(
    (from, to): (Timestamp, Timestamp),
    holds: bool,
    why: Option<&str>,
    zone: &TimeZone,
) -> String {
    let (from, to) = (time(from, zone), time(to, zone));
    match (holds, why) {
        (true, _) => format!("since {from}, until {to}"),
        (false, Some(why)) => format!("from {from} to {to} ({why})"),
        (false, None) => format!("from {from} to {to}"),
    }
}

/// One time at which mails wait: `critical and warning mails wait from … to …`.
pub fn quiet(
    severities: &[Severity],
    (from, to): (Timestamp, Timestamp),
    zone: &TimeZone,
    now: Timestamp,
) -> String {
    let names: Vec<&str> = severities.iter().map(|severity| severity.name()).collect();
    let names = super::listed(&names);
    match from <= now {
        true => format!("now, {names} mails, until {}", time(to, zone)),
        false => format!(
            "{names} mails, from {} to {}",
            time(from, zone),
            time(to, zone)
        ),
    }
}
