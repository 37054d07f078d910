//! What tables call states, ends and steps.

use jiff::Timestamp;

use super::{between, duration};
use crate::model::{EventVerdict, SweepEnd, WhyUnseen};
use crate::view::availability::Unseen;
use crate::view::events::Unusable;

/// Why nobody saw, as the beginning of a sentence that says when.
pub fn unseen(why: WhyUnseen) -> &'static str {
    match why {
        WhyUnseen::NoAnswer => "no answer about it",
        WhyUnseen::Blind => "Leaf could not be asked",
        WhyUnseen::Off => "Leafwatch was off",
        WhyUnseen::NotLooked => "no sweep came to its end",
    }
}

/// Above the times in which nobody saw.
pub const NOT_SEEN: &str = "Not seen, and nobody's downtime";

/// Why nobody saw, from when and for how long: `Leafwatch was off from … for 3 h`. `from` as the reader wants times.
pub fn not_seen(unseen: &Unseen, from: &str) -> String {
    let length = duration(between(unseen.from, unseen.until));
    format!("{} from {from} for {length}", self::unseen(unseen.why))
}

/// How a sweep ended, as the end of a sentence.
pub fn sweep_end(end: Option<SweepEnd>) -> &'static str {
    match end {
        None => "not ended",
        Some(SweepEnd::Whole) => "whole",
        Some(SweepEnd::Denied) => "given up: Leaf denied access",
        Some(SweepEnd::Unreachable) => "given up: no usable answers from Leaf",
        Some(SweepEnd::Stopped) => "stopped",
    }
}

/// What an event says about the credential.
pub fn says(verdict: EventVerdict, unusable: Option<Unusable>) -> &'static str {
    match (verdict, unusable) {
        (EventVerdict::Neither, _) => "says nothing of the access",
        (EventVerdict::Success, None) => "accepted",
        (EventVerdict::Failure, None) => "refused",
        (EventVerdict::Success, Some(_)) => "accepted, not counted",
        (EventVerdict::Failure, Some(_)) => "refused, not counted",
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
