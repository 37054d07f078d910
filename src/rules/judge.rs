//! What one answer says by itself: about access, and about the environment. Knows nothing of before or after.

use crate::model::{Answer, Environment, Kind, Reading, StatusClass, StatusWords};

/// What an answer says about access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A healthy status word.
    Healthy,
    /// A status word that is trouble by itself.
    Bad(Kind),
    /// The provider has trouble; says nothing about the grower.
    Unavailable,
    /// A word that nobody mapped, or none; says nothing about the grower.
    Unmapped,
    /// No such credential.
    Missing,
}

/// What an answer says about the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InEnvironment {
    /// The expected one.
    Right,
    /// Another word than the one expected.
    Wrong,
    /// Leaf told none: proves nothing.
    NotTold,
    /// Nothing is expected.
    NotExpected,
}

/// Judges the status word.
pub fn access(answer: &Answer, words: &StatusWords) -> Access {
    let Answer::Reading(reading) = answer else {
        return Access::Missing;
    };
    match reading.status.as_deref().and_then(|word| words.class(word)) {
        Some(StatusClass::Healthy) => Access::Healthy,
        Some(StatusClass::Invalid) => Access::Bad(Kind::Invalid),
        Some(StatusClass::LimitedPermission) => Access::Bad(Kind::LimitedPermission),
        Some(StatusClass::ProviderUnavailable) => Access::Unavailable,
        None => Access::Unmapped,
    }
}

/// Judges `clientEnvironment` against the one expected.
pub fn environment(reading: &Reading, expected: Option<Environment>) -> InEnvironment {
    let told = reading
        .environment
        .as_deref()
        .filter(|word| !word.trim().is_empty());
    match (expected, told) {
        (None, _) => InEnvironment::NotExpected,
        (Some(_), None) => InEnvironment::NotTold,
        (Some(expected), Some(word)) if expected.is(word) => InEnvironment::Right,
        _ => InEnvironment::Wrong,
    }
}

/// Whether `answer` by itself says that trouble of `kind` is there; the early warning needs no more of it than health.
pub fn says(
    answer: &Answer,
    kind: Kind,
    expected: Option<Environment>,
    words: &StatusWords,
) -> bool {
    match (kind, answer) {
        (Kind::EnvironmentMismatch, Answer::Reading(reading)) => {
            environment(reading, expected) == InEnvironment::Wrong
        }
        (Kind::EnvironmentMismatch, Answer::Missing) => false,
        _ => match access(answer, words) {
            Access::Bad(told) => told == kind,
            Access::Missing => kind == Kind::Missing,
            Access::Unavailable => kind == Kind::ProviderUnavailable,
            Access::Healthy => kind == Kind::FailingEvents,
            Access::Unmapped => false,
        },
    }
}
