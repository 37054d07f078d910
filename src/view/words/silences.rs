//! What people said about an incident, and when mails wait.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{label, time};
use crate::model::{Severity, Silenced};
use crate::view::silences::{Ack, Said, Silence};

/// What holds mails about an incident back now, for a table: `acknowledged, silenced`.
pub fn held_back(said: &Said, now: Timestamp) -> Option<String> {
    let said = said.holding(now);
    let words = [
        (!said.acks.is_empty(), "acknowledged"),
        (!said.silences.is_empty(), "silenced"),
    ];
    let true_now: Vec<&str> = words
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| *word)
        .collect();
    (!true_now.is_empty()).then(|| true_now.join(", "))
}

/// All that was said, each in one line behind its label.
pub fn said(said: &Said, zone: &TimeZone, now: Timestamp) -> Vec<(&'static str, String)> {
    let acks = said
        .acks
        .iter()
        .map(|one| ("acknowledged ", ack(one, zone, now)));
    let silences = said.silences.iter();
    acks.chain(silences.map(|one| ("silenced ", silence(one, zone, now))))
        .collect()
}

/// What a silence matches: `Hillside Farms, John Deere, invalid`.
pub fn silenced(silence: &Silence) -> String {
    let Silenced {
        user,
        provider,
        kind,
    } = silence.what;
    let user = silence.name.clone().or(user.map(|user| user.to_string()));
    let provider = provider.map(|provider| provider.display_name().to_owned());
    let kind = kind.map(|kind| label(kind).to_owned());
    let parts: Vec<String> = [user, provider, kind].into_iter().flatten().collect();
    match parts.is_empty() {
        true => "all growers".to_owned(),
        false => parts.join(", "),
    }
}

/// An ack in one line, after `acknowledged`.
fn ack(ack: &Ack, zone: &TimeZone, now: Timestamp) -> String {
    let times = times(
        (ack.at, ack.end()),
        ack.holds(now),
        ack.ended_by.as_deref(),
        zone,
    );
    format!("by {}, {times}: {}", ack.actor, ack.reason)
}

/// A silence in one line, after `silenced`.
fn silence(silence: &Silence, zone: &TimeZone, now: Timestamp) -> String {
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
