//! What is said of a credential: how it is, what is known of it and what is suspected; and of all of them together.

use jiff::Timestamp;

use super::{counted, duration, label, listed, number};
use crate::model::{Answer, Kind};
use crate::view::Credential;
use crate::view::explain::{Explained, Lacking};
use crate::view::incidents::Ending;
use crate::view::status::{CredentialCounts, CredentialState, Mails, Sweep};

/// How a credential is, in a few words: `invalid, environment mismatch`.
pub fn state(credential: &Credential) -> String {
    let kinds = |kinds: &mut dyn Iterator<Item = String>| kinds.collect::<Vec<_>>().join(", ");
    let mut words = match credential.state {
        CredentialState::Trouble => {
            kinds(
                &mut credential
                    .problems
                    .iter()
                    .map(|problem| match problem.recovering {
                        true => format!("{} (recovering)", label(problem.kind)),
                        false => label(problem.kind).to_owned(),
                    }),
            )
        }
        CredentialState::UnknownStatus => "unknown status word".to_owned(),
        CredentialState::Suspected if credential.suspects.is_empty() => {
            "not healthy, not judged yet".to_owned()
        }
        CredentialState::Suspected => format!(
            "not sure yet: {}",
            kinds(
                &mut credential
                    .suspects
                    .iter()
                    .map(|kind| label(*kind).to_owned())
            )
        ),
        CredentialState::NeverLooked => "not looked at yet".to_owned(),
        CredentialState::NotConnected => "not connected".to_owned(),
        CredentialState::Healthy => "healthy".to_owned(),
    };
    if credential.stale {
        words.push_str(", stale");
    } else if credential.no_answer_since.is_some() && credential.state != CredentialState::Suspected
    {
        words.push_str(", no answer now");
    }
    words
}

/// The same of one that may be no longer watched.
pub fn state_explained(explained: &Explained) -> String {
    match explained.watched {
        true => state(&explained.credential),
        false => "no longer watched".to_owned(),
    }
}

/// The environment, and beside it the one expected where that is another: `STAGE, expected PRODUCTION`.
pub fn environment(credential: &Credential) -> String {
    match (&credential.environment, credential.expected_environment) {
        (Some(word), Some(expected)) if !expected.is(word) => {
            format!("{word}, expected {expected}")
        }
        (Some(word), _) => word.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// What Leaf said last: its status word, or what stands in the place of one.
pub fn leaf_says(credential: &Credential) -> &str {
    match (&credential.status, credential.missing, credential.last_look) {
        (Some(word), ..) => word,
        (None, true, _) => "no such connection",
        (None, false, Some(_)) => "no status word",
        (None, false, None) => "not asked yet",
    }
}

/// What Leaf said: its status word, or what stands in the place of one.
pub fn answer(answer: &Answer) -> &str {
    match answer.reading() {
        Some(reading) => reading.status.as_deref().unwrap_or("no status word"),
        None => "no such connection",
    }
}

/// What differs between two answers, each of a life of the credential: `connected anew, status`.
pub fn changed(was: (&Answer, u32), is: (&Answer, u32)) -> String {
    fn environment(answer: &Answer) -> Option<&str> {
        answer.reading()?.environment.as_deref()
    }
    fn scopes(answer: &Answer) -> &[String] {
        answer.reading().map_or(&[], |reading| &reading.scopes)
    }
    let anew = is.1 > was.1 && was.1 > 0;
    let (was, is) = (was.0, is.0);
    let keys = was.reading().zip(is.reading());
    let parts: Vec<&str> = [
        (anew, "connected anew"),
        (answer(was) != answer(is), "status"),
        (environment(was) != environment(is), "environment"),
        (scopes(was) != scopes(is), "scopes"),
        (keys.is_some_and(|(was, is)| was.key != is.key), "app key"),
    ]
    .into_iter()
    .filter_map(|(differs, what)| differs.then_some(what))
    .collect();
    parts.join(", ")
}

/// Something known of a credential, with the time that its words end in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFact {
    /// What it is about: `Last look`.
    pub name: &'static str,
    /// What is known; may be empty where the time is all.
    pub words: String,
    /// When, or since when.
    pub at: Option<Timestamp>,
}

/// What is known of a credential.
pub fn known(explained: &Explained) -> Vec<KnownFact> {
    let credential = &explained.credential;
    let mut facts = Vec::new();
    let mut add = |name, words: String, at| facts.push(KnownFact { name, words, at });
    let mut says = leaf_says(credential).to_owned();
    if credential.missing && explained.epoch == 0 {
        says.push_str("; it never had one");
    }
    add("Leaf says", says, None);
    if credential.environment.is_some() || credential.expected_environment.is_some() {
        let expected = match credential.expected_environment {
            Some(expected) if !credential.in_wrong_environment() => {
                format!(" (expected: {expected})")
            }
            Some(_) => String::new(),
            None => " (none expected: not judged)".to_owned(),
        };
        add("Environment", environment(credential) + &expected, None);
    }
    if let Some(at) = credential.last_look {
        let stale = match credential.stale {
            true => "stale, not seen since",
            false => "",
        };
        add("Last look", stale.to_owned(), Some(at));
    }
    if let Some(at) = credential.no_answer_since {
        add("No answer", "since".to_owned(), Some(at));
    }
    if explained.epoch > 1 {
        let since = explained.epoch_since.map_or("", |_| ", since");
        let times = format!("{} times{since}", explained.epoch);
        add("Connected", times, explained.epoch_since);
    } else if let Some(created) = &explained.leaf_created {
        // As a time where it is one; else what Leaf wrote.
        match created.parse() {
            Ok(at) => add("Connected", String::new(), Some(at)),
            Err(_) => add("Connected", created.clone(), None),
        }
    }
    if !explained.scopes.is_empty() {
        add("Scopes", explained.scopes.join(" "), None);
    }
    if let Some(tail) = &explained.key_tail {
        add("App key", format!("ends in {tail}"), None);
    }
    facts
}

/// What a suspicion has so far: `1 of 2 looks, held 5 min of 10 min in which somebody looked`.
pub fn suspected(lacking: &Lacking) -> String {
    let looks = counted(u64::from(lacking.looks_needed), "look");
    let mut so_far = format!("{} of {looks}", lacking.looks);
    if !lacking.held_needed.is_zero() {
        so_far.push_str(&format!(
            ", held {} of {} in which somebody looked",
            duration(lacking.held),
            duration(lacking.held_needed)
        ));
    }
    so_far
}

/// What makes it an incident, or drops it.
pub fn settles(lacking: &Lacking) -> String {
    let done = lacking.looks >= lacking.looks_needed && lacking.held >= lacking.held_needed;
    match (lacking.waits_for, done) {
        (Some(waits), _) => format!("waits {waits}"),
        (None, true) => "opens when the next sweep that still says so has ended whole".to_owned(),
        (None, false) => "any look that says otherwise drops it".to_owned(),
    }
}

/// What ends an open incident, and how far that is.
pub fn ending(ends: &Ending) -> String {
    let mut words = ends.proof.clone();
    if ends.good_looks_needed > 1 {
        words.push_str(&format!(
            "; {} good looks running of {} needed",
            ends.good_looks, ends.good_looks_needed
        ));
    }
    if !ends.good_for_needed.is_zero() {
        words.push_str(&format!(
            "; as it came back, only after {} without a bad look ({} so far)",
            duration(ends.good_for_needed),
            duration(ends.good_for)
        ));
    }
    words
}

/// Several kinds of trouble: `invalid, missing and unreadable`.
pub fn kinds(kinds: &[Kind]) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| label(*kind)).collect();
    listed(&kinds)
}

/// How many credentials are how, the worst first.
pub fn by_state(counts: &CredentialCounts) -> [(u32, &'static str); 6] {
    [
        (counts.trouble, "in trouble"),
        (counts.unknown_status, "with an unknown status word"),
        (counts.suspected, "not sure yet"),
        (counts.never_looked, "not looked at yet"),
        (counts.not_connected, "not connected"),
        (counts.healthy, "healthy"),
    ]
}

/// Those counts that are not zero: `3 in trouble`, `9 healthy`.
pub fn counts(counts: &[(u32, &str)]) -> Vec<String> {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{} {what}", number(u64::from(*count))))
        .collect()
}

/// Mails on their way, counted: `2 to be sent`; empty where there are none.
pub fn mails(mails: &Mails) -> Vec<String> {
    counts(&[
        (mails.notices_waiting, "to be written"),
        (mails.waiting.saturating_sub(mails.retrying), "to be sent"),
        (mails.retrying, "waiting for another try"),
        (mails.failed, "refused for good in the last 7 days"),
    ])
}

/// How many a sweep heard of: `9 of 10 answered`.
pub fn answered(sweep: &Sweep) -> String {
    format!(
        "{} of {} answered",
        number(u64::from(sweep.answered)),
        number(u64::from(sweep.asked))
    )
}
