//! What tables call states, ends and steps.

use jiff::Timestamp;

use super::{between, duration, label};
use crate::model::{EndedBy, Kind, SweepEnd, TransitionKind, WhyUnseen};
use crate::view::events::{Says, Unusable};
use crate::view::status::{Line, State};

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

/// Why nobody saw, as the beginning of a sentence that says when.
pub fn unseen(why: WhyUnseen) -> &'static str {
    match why {
        WhyUnseen::NoAnswer => "no answer about it",
        WhyUnseen::Blind => "Leaf could not be asked",
        WhyUnseen::Off => "Leafwatch was off",
        WhyUnseen::NotLooked => "no sweep came to its end",
    }
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

/// How an incident ended that is not known to be mended; none where it was.
pub fn unproved(by: EndedBy) -> Option<&'static str> {
    match by {
        EndedBy::Proof => None,
        EndedBy::Unwatched => Some("no longer watched"),
        EndedBy::NotExpected => Some("our config no longer expects an environment"),
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

/// What Leaf said last: its status word, or what stands in the place of one.
pub fn leaf_says(line: &Line) -> &str {
    match (&line.status, line.missing, line.last_look) {
        (Some(word), ..) => word,
        (None, true, _) => "no such connection",
        (None, false, Some(_)) => "no status word",
        (None, false, None) => "not asked yet",
    }
}

/// What a step of an incident did: `opened as invalid`.
pub fn step(step: TransitionKind, kind: Kind) -> String {
    match step {
        TransitionKind::Opened => format!("opened as {}", label(kind)),
        TransitionKind::Changed => format!("became {}", label(kind)),
        TransitionKind::Reopened => format!("came back as {}", label(kind)),
        TransitionKind::Well => "a good look, no proof yet".to_owned(),
        TransitionKind::Relapsed => "a bad look again".to_owned(),
        TransitionKind::Resolved => "resolved".to_owned(),
        TransitionKind::Closed => "closed".to_owned(),
    }
}

/// Who was told: `2 told, 1 waiting`.
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
    match (parts.is_empty(), told.undecided) {
        (true, true) => return "not told yet".to_owned(),
        (true, false) => return "nobody".to_owned(),
        (false, true) => parts.push("news to be told".to_owned()),
        (false, false) => {}
    }
    parts.join(", ")
}
