//! What is said of what happened to a credential.

use jiff::Timestamp;

use super::{counted, so_far, step, sweep_end, unseen};
use crate::model::WhyUnseen;
use crate::view::history::{Happening, HistoryEntry};

/// What happened.
pub fn happening(what: &Happening) -> String {
    match what {
        Happening::Watched => "put on the watch list".to_owned(),
        Happening::Answer {
            status,
            environment,
            epoch,
            reconnected,
            ..
        } => {
            let mut words = match status {
                Some(word) => format!("Leaf says {word}"),
                None => "Leaf sends no status word".to_owned(),
            };
            if let Some(environment) = environment {
                words.push_str(&format!(", {environment}"));
            }
            if *reconnected {
                words.push_str(&format!(
                    "; connected anew (connection {epoch} of this user)"
                ));
            }
            words
        }
        Happening::Missing => "Leaf has no such connection".to_owned(),
        Happening::NoAnswer { detail, .. } => format!("no answer: {detail}"),
        Happening::Incident {
            incident,
            step: what,
            kind,
            why,
        } => format!("incident {incident}: {} ({why})", step(*what, *kind)),
        Happening::BriefBreakage { failures } => format!(
            "broken for a moment: {} between two healthy looks",
            counted(u64::from(*failures), "failed event")
        ),
        Happening::Blind { sweep } => format!("Leafwatch was blind; sweep {}", sweep_end(*sweep)),
        Happening::Off { killed: false } => "Leafwatch was off".to_owned(),
        Happening::Off { killed: true } => "Leafwatch was off, without an orderly stop".to_owned(),
        Happening::NotLooked => unseen(WhyUnseen::NotLooked).to_owned(),
    }
}

/// For how long it was so; nothing for a moment.
pub fn lasting(entry: &HistoryEntry, now: Timestamp) -> String {
    match entry.what {
        Happening::Watched | Happening::Incident { .. } => String::new(),
        _ => so_far(entry.at, entry.until, now),
    }
}
