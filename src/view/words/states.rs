//! What tables call states, ends and steps.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{between, duration, label, listed};
use crate::view::events::{Says, Unusable};
use crate::view::status::{Line, State, SweepEnd};

/// How a credential is, in a few words: `invalid, environment mismatch`.
pub fn state(line: &Line) -> String {
    let kinds = |kinds: &mut dyn Iterator<Item = String>| kinds.collect::<Vec<_>>().join(", ");
    let mut words = match line.state {
        State::Trouble => kinds(&mut line.problems.iter().map(
            |problem| match problem.recovering {
                true => format!("{} (recovering)", label(problem.kind)),
                false => label(problem.kind).to_owned(),
            },
        )),
        State::UnknownStatus => "unknown status word".to_owned(),
        State::Suspected if line.suspects.is_empty() => "not healthy, not judged yet".to_owned(),
        State::Suspected => format!(
            "not sure yet: {}",
            kinds(&mut line.suspects.iter().map(|kind| label(*kind).to_owned()))
        ),
        State::NeverLooked => "not looked at yet".to_owned(),
        State::NotConnected => "not connected".to_owned(),
        State::Healthy => "healthy".to_owned(),
    };
    if line.stale {
        words.push_str(", stale");
    } else if line.no_answer_since.is_some() && line.state != State::Suspected {
        words.push_str(", no answer now");
    }
    words
}

/// The environment, and beside it the one expected where that is another: `STAGE, expected PRODUCTION`.
pub fn environment(line: &Line) -> String {
    match (&line.environment, line.expected_environment) {
        (Some(word), Some(expected)) if !expected.is(word) => {
            format!("{word}, expected {expected}")
        }
        (Some(word), _) => word.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// How a sweep ended, as the end of a sentence.
pub fn sweep_end(end: SweepEnd) -> &'static str {
    match end {
        SweepEnd::Unfinished => "not ended",
        SweepEnd::Whole => "whole",
        SweepEnd::Denied => "given up: Leaf denied access",
        SweepEnd::Unreachable => "given up: no usable answers from Leaf",
        SweepEnd::Stopped => "stopped",
    }
}

/// What an event says about the credential.
pub fn says(says: Says, unusable: Option<Unusable>) -> &'static str {
    match (says, unusable) {
        (Says::Nothing, _) => "says nothing of the access",
        (Says::Accepted, None) => "accepted",
        (Says::Refused, None) => "refused",
        (Says::Accepted, Some(_)) => "accepted, not counted",
        (Says::Refused, Some(_)) => "refused, not counted",
    }
}

/// Why an event is kept and judges nothing.
pub fn unusable(why: Unusable) -> &'static str {
    match why {
        Unusable::Undated => "its date cannot be read",
        Unusable::InTheFuture => "it is dated in the future",
        Unusable::BeforeThisConnection => "it is older than this connection",
    }
}

/// How long ago: `4 min ago`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", duration(between(at, now)))
}

/// From when to when, as short as the day allows: `2026-11-24 08:15 CST`, and `to 09:30 CST` where it ended.
pub fn until(at: Timestamp, end: Timestamp, zone: &TimeZone) -> String {
    let (from, to) = (
        at.to_zoned_datetime(zone.clone()),
        end.to_zoned_datetime(zone.clone()),
    );
    match from.date() == to.date() {
        true => to.strftime("%H:%M %Z").to_string(),
        false => to.strftime("%Y-%m-%d %H:%M %Z").to_string(),
    }
}

/// Who was told: `2 accepted, 1 waiting`.
pub fn told(told: &crate::view::incidents::Told) -> String {
    let mut parts = Vec::new();
    for (addresses, word) in [
        (&told.accepted, "told"),
        (&told.waiting, "waiting"),
        (&told.failed, "failed"),
    ] {
        if !addresses.is_empty() {
            parts.push(format!("{} {word}", addresses.len()));
        }
    }
    if told.undecided && told.waiting.is_empty() {
        parts.push("about to be told".to_owned());
    }
    match parts.is_empty() {
        true => "nobody".to_owned(),
        false => listed(&parts),
    }
}
