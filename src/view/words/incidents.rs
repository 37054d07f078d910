//! What is said of an incident: what it is called, how long it lasted, how it ended and how it was told.

use jiff::Timestamp;

use super::{Stage, between, counted, duration, label, sentence, stem};
use crate::model::{EndedBy, Kind, TransitionKind};
use crate::view::incidents::{Incident, PastTransition, Told};
use crate::view::{About, words};

/// What it is, and how often it came back: `invalid, came back once`.
pub fn called(incident: &Incident) -> String {
    format!("{}{}", label(incident.kind), came_back(incident.reopened))
}

/// How often it came back, after what it is; empty where it never did: `, came back 3 times`.
pub fn came_back(times: u32) -> String {
    match times {
        0 => String::new(),
        1 => ", came back once".to_owned(),
        _ => format!(", came back {}", counted(u64::from(times), "time")),
    }
}

/// What an incident of the account or our own is about: `unknown status word “SUSPENDED”`.
pub fn own(incident: &Incident) -> String {
    match &incident.about {
        About::Leafwatch { subject } => stem(incident.kind, subject),
        About::Credential(_) => incident.whose(),
    }
}

/// How it ended, and how long it took: `after 2 d`, `no longer watched, after 2 d`; else `open for 3 h`.
pub fn lasted(incident: &Incident, now: Timestamp) -> String {
    lasted_until(incident, incident.ended_at, now)
}

/// The same as of the end of a period: what ended later was open.
pub fn lasted_in(incident: &Incident, until: Timestamp) -> String {
    lasted_until(incident, incident.ended_before(until), until)
}

fn lasted_until(incident: &Incident, ended: Option<Timestamp>, now: Timestamp) -> String {
    let after = |end| duration(between(incident.began_at, end));
    match (ended, incident.ended_by.and_then(unproved)) {
        (None, _) => format!("open for {}", after(now)),
        (Some(end), Some(unproved)) => format!("{unproved}, after {}", after(end)),
        (Some(end), None) => format!("after {}", after(end)),
    }
}

/// How it ended; none while it is open.
pub fn outcome(incident: &Incident) -> Option<&'static str> {
    let by = incident.ended_by?;
    Some(unproved(by).unwrap_or("mended"))
}

/// How an incident ended that is not known to be mended; none where it was.
pub fn unproved(by: EndedBy) -> Option<&'static str> {
    match by {
        EndedBy::Proof => None,
        EndedBy::Unwatched => Some("no longer watched"),
        EndedBy::NotExpected => Some("our config no longer expects an environment"),
    }
}

/// How long something lasted: `3 h`, `3 h so far`.
pub fn so_far(from: Timestamp, until: Option<Timestamp>, now: Timestamp) -> String {
    let length = duration(between(from, until.unwrap_or(now)));
    match until {
        Some(_) => length,
        None => format!("{length} so far"),
    }
}

/// What happened, or how it ended, in one sentence.
pub fn happened(incident: &Incident) -> String {
    if let Some(unproved) = incident.ended_by.and_then(unproved) {
        return format!("Closed: {unproved}. It is not known to be mended.");
    }
    let stage = match incident.is_open() {
        true => Stage::Still,
        false => Stage::Over,
    };
    match &incident.about {
        About::Credential(who) => {
            let whose = (who.user.shown(), who.provider);
            sentence(incident.kind, stage, Some((&whose.0, whose.1)))
        }
        About::Leafwatch { .. } => sentence(incident.kind, stage, None),
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

/// The same of a step that is known: `opened as invalid`.
pub fn transition(transition: &PastTransition) -> String {
    step(transition.step, transition.kind)
}

/// Who was told: `2 told, 1 waiting`.
pub fn told(told: &Told) -> String {
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

/// Who was told, and while it is open what holds mails about it back: `2 told; acknowledged`.
pub fn told_and_held(incident: &Incident, now: Timestamp) -> String {
    let told = incident.told.as_ref().map(told).unwrap_or_default();
    let said = incident.said.as_ref().filter(|_| incident.is_open());
    match said.and_then(|said| words::held_back(said, now)) {
        Some(back) => format!("{told}; {back}"),
        None => told,
    }
}

/// Under what its addresses stand, each list with the words before it.
pub fn told_by_address(told: &Told) -> impl Iterator<Item = (&'static str, &[String])> {
    [
        ("told: ", told.accepted.as_slice()),
        ("waiting to be told: ", &told.waiting),
        ("not told, refused: ", &told.failed),
    ]
    .into_iter()
    .filter(|(_, addresses)| !addresses.is_empty())
}

/// How long after it was first seen the first mail about it was accepted; `-` where none was.
pub fn told_after(incident: &Incident) -> String {
    match incident.told_at.flatten() {
        Some(at) => duration(between(incident.began_at, at)),
        None => "-".to_owned(),
    }
}
