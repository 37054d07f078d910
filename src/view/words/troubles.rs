//! What a kind of trouble is called, and what happened, in one plain sentence.

use crate::model::{Kind, NoticeKind, Provider, Track};

/// Where in its life an incident is when it is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It has begun.
    Begun,
    /// It is back within the flap window.
    Again,
    /// It goes on.
    Still,
    /// It is over.
    Over,
}

/// What a kind is called in a sentence or a count: `45 invalid, 2 environment mismatch`.
pub fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "invalid",
        Kind::Missing => "missing",
        Kind::LimitedPermission => "limited permission",
        Kind::ProviderUnavailable => "provider unavailable",
        Kind::FailingEvents => "early warning",
        Kind::EnvironmentMismatch => "environment mismatch",
        Kind::Unreadable => "unreadable",
        Kind::LeafLogin => "Leaf login refused",
        Kind::LeafUnreachable => "Leaf unreachable",
        Kind::WrongAccount => "wrong Leaf account",
        Kind::EnvironmentContradiction => "contradicting environments",
        Kind::UnknownStatus => "unknown status word",
        Kind::SharedCredential => "one credential, several users",
        Kind::ConfigRejected => "new config rejected",
        Kind::DeliveryFailed => "mail not deliverable",
        Kind::SweepOverdue => "check overdue",
        Kind::EventsUnread => "events unread",
        Kind::TokenExpiring => "Leaf token expires soon",
        Kind::WatchShrank => "watch list shrank",
        Kind::Storage => "database not writable",
    }
}

/// The kind that somebody means by what is shown, or by its name in the config; case, `_` and `-` aside.
pub fn kind(said: &str) -> Option<Kind> {
    let plain = |text: &str| text.trim().to_lowercase().replace(['_', '-'], " ");
    let said = plain(said);
    let mut all = Kind::ALL.iter().copied();
    all.find(|kind| said == plain(kind.name()) || said == plain(label(*kind)))
}

/// What it was, once it is over, as the middle of a sentence: `was invalid`, from when to when.
pub fn was(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "was invalid",
        Kind::Missing => "was missing",
        Kind::LimitedPermission => "had limited permission",
        Kind::ProviderUnavailable => "had its provider unavailable",
        Kind::FailingEvents => "had an early warning",
        Kind::EnvironmentMismatch => "was in the wrong environment",
        Kind::Unreadable => "was unreadable",
        // The trouble is itself what the sentence is about.
        _ => "lasted",
    }
}

/// The first word of a subject: `ENVIRONMENT MISMATCH` for a credential, the severity for the rest.
pub fn shout(kind: Kind) -> String {
    match kind.track() {
        Track::Access | Track::Environment | Track::Sight => label(kind).to_uppercase(),
        Track::Account | Track::Own => kind.severity().name().to_uppercase(),
    }
}

/// The first word of a subject that goes on with what was told before. What has opened is called by its kind
/// ([`shout`]).
pub fn verb(notice: NoticeKind) -> &'static str {
    match notice {
        NoticeKind::Opened => "OPENED",
        NoticeKind::Changed => "CHANGED",
        NoticeKind::Reopened => "REOPENED",
        NoticeKind::Reminder => "REMINDER",
        NoticeKind::Resolved | NoticeKind::Brief => "RESOLVED",
        NoticeKind::Closed => "CLOSED",
    }
}

/// What stands in every subject of an account or own incident from opened to resolved. `subject` is what it is
/// about: a status word, an address, the end of a key.
pub fn stem(kind: Kind, subject: &str) -> String {
    match (kind, subject) {
        (Kind::UnknownStatus, "") => "Leaf sends an unknown status word".to_owned(),
        (_, "") => label(kind).to_owned(),
        (Kind::EnvironmentContradiction, key) => format!("{} under key {key}", label(kind)),
        (Kind::UnknownStatus, word) => format!("{} “{word}”", stem(kind, "")),
        (_, about) => format!("{}: {about}", label(kind)),
    }
}

/// Who and what: `Hillside Farms (John Deere)`. The stem of every subject about a credential.
pub fn credential(name: &str, provider: Provider) -> String {
    format!("{name} ({})", provider.display_name())
}

/// What happened, in one sentence for somebody who is no programmer. `whose` is the name and the provider of a
/// credential; account and own kinds have none.
pub fn sentence(kind: Kind, stage: Stage, whose: Option<(&str, Provider)>) -> String {
    let [begun, again, still, over] = endings(kind);
    let words = match stage {
        Stage::Begun => begun,
        Stage::Again => again,
        Stage::Still => still,
        Stage::Over => over,
    };
    let (name, provider) = whose.map_or(("a user", "provider's"), |(name, provider)| {
        (name, provider.display_name())
    });
    // The name last: it is foreign text, and may itself look like a blank.
    words
        .replace("{it}", "The {provider} connection of {name}")
        .replace("{provider}", provider)
        .replace("{name}", name)
}

/// Begun, again, still, over.
fn endings(kind: Kind) -> [&'static str; 4] {
    match kind {
        Kind::Invalid => [
            "{it} no longer works. No new data comes in through it until it is mended.",
            "{it} has stopped working again. No new data comes in through it.",
            "{it} still does not work. No new data comes in through it.",
            "{it} works again.",
        ],
        Kind::Missing => [
            "{it} is gone: Leaf no longer has it.",
            "{it} is gone again.",
            "{it} is still gone.",
            "{it} is there again.",
        ],
        Kind::LimitedPermission => [
            "{it} lacks permissions.",
            "{it} lacks permissions again.",
            "{it} still lacks permissions.",
            "{it} has the permissions it needs again.",
        ],
        Kind::ProviderUnavailable => [
            "{provider} cannot be reached for {name}.",
            "{provider} cannot be reached for {name} once more.",
            "{provider} still cannot be reached for {name}.",
            "{provider} can be reached for {name} again.",
        ],
        Kind::FailingEvents => [
            "{it} is about to fail: Leaf still calls it healthy, but {provider} refuses it.",
            "{it} is being refused by {provider} again, though Leaf calls it healthy.",
            "{it} is still being refused by {provider}, though Leaf calls it healthy.",
            "{it}: no more failures seen.",
        ],
        Kind::EnvironmentMismatch => [
            "{it} is in the wrong environment.",
            "{it} is in the wrong environment again.",
            "{it} is still in the wrong environment.",
            "{it} is in the right environment now.",
        ],
        Kind::Unreadable => [
            "Leaf gives no answer about the {provider} connection of {name}, though it does about others.",
            "Leaf once more gives no answer about the {provider} connection of {name}.",
            "Leaf still gives no answer about the {provider} connection of {name}.",
            "Leaf answers about the {provider} connection of {name} again.",
        ],
        Kind::LeafLogin => [
            "Leaf refuses Leafwatch's own login. Until that is mended no connection can be checked.",
            "Leaf refuses Leafwatch's own login again.",
            "Leaf still refuses Leafwatch's own login; no connection is being checked.",
            "Leaf accepts Leafwatch's login again; checks go on.",
        ],
        Kind::LeafUnreachable => [
            "Leaf gives no usable answers. Until it does no connection can be checked.",
            "Leaf gives no usable answers again.",
            "Leaf still gives no usable answers; no connection is being checked.",
            "Leaf answers again; checks go on.",
        ],
        Kind::WrongAccount => [
            "Most connections have vanished from Leaf at once. That looks like the login of another Leaf account, not like growers leaving.",
            "Most connections have vanished from Leaf again.",
            "Most connections are still not to be found at Leaf.",
            "The connections are to be found at Leaf again.",
        ],
        Kind::EnvironmentContradiction => [
            "Connections under one app key are in STAGE and in PRODUCTION. An app is in one of them, so one side is likely a mistake.",
            "Connections under one app key are in STAGE and in PRODUCTION again.",
            "Connections under one app key are still in STAGE and in PRODUCTION.",
            "The connections under this app key agree on their environment now.",
        ],
        Kind::UnknownStatus => [
            "Leaf sends a status word that Leafwatch does not know. Such connections count neither as healthy nor as broken.",
            "Leaf sends a status word that Leafwatch does not know again.",
            "Leaf still sends a status word that Leafwatch does not know.",
            "The unknown status word is gone, or was given a meaning.",
        ],
        Kind::SharedCredential => [
            "Several Leaf users carry the same credential. Each is judged by it as if it were its own.",
            "Several Leaf users carry the same credential again.",
            "Several Leaf users still carry the same credential.",
            "These Leaf users no longer carry the same credential.",
        ],
        Kind::ConfigRejected => [
            "A changed config was not taken: it has faults. The settings from before stay in force.",
            "A changed config was again not taken.",
            "The changed config is still not taken; the settings from before stay in force.",
            "The config was taken.",
        ],
        Kind::DeliveryFailed => [
            "Alert mails to an address are refused for good. Nobody there is being told.",
            "Alert mails to an address are refused again.",
            "Alert mails to an address are still refused.",
            "Alert mails are accepted again.",
        ],
        Kind::SweepOverdue => [
            "It has been too long since all connections were last checked.",
            "The check of all connections is late again.",
            "The check of all connections is still late.",
            "All connections were checked again.",
        ],
        Kind::EventsUnread => [
            "The events of some connections have not been read for a long time. Leaf keeps them for 30 days only.",
            "The events of some connections are going unread again.",
            "The events of some connections still go unread.",
            "The events of all connections are being read again.",
        ],
        Kind::TokenExpiring => [
            "The token with which Leafwatch logs in at Leaf expires soon.",
            "The token with which Leafwatch logs in at Leaf expires soon.",
            "The token with which Leafwatch logs in at Leaf still is about to expire.",
            "There is a fresh token for Leaf.",
        ],
        Kind::WatchShrank => [
            "Many users have vanished from the watch list at once. Nobody is told of trouble with those left out.",
            "Many users have vanished from the watch list again.",
            "The watch list is still much shorter than it was.",
            "The watch list is as long as before, or the change was confirmed.",
        ],
        Kind::Storage => [
            "Leafwatch cannot keep what it sees in its database. What it cannot keep it can neither judge nor tell.",
            "Leafwatch once more cannot write its database.",
            "Leafwatch still cannot write its database.",
            "The database can be written again.",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_sentence_for_every_stage_with_nothing_left_open() {
        for &kind in Kind::ALL {
            for stage in [Stage::Begun, Stage::Again, Stage::Still, Stage::Over] {
                let words = sentence(kind, stage, Some(("Hillside Farms", Provider::JOHN_DEERE)));
                assert!(!words.contains(['{', '}']), "{words}");
                assert!(words.ends_with('.'), "{words}");
                assert_eq!(
                    words.contains("Hillside Farms"),
                    matches!(
                        kind.track(),
                        Track::Access | Track::Environment | Track::Sight
                    ),
                    "{words}"
                );
            }
        }
    }

    #[test]
    fn a_name_that_looks_like_a_blank_stays_a_name() {
        let words = sentence(
            Kind::Invalid,
            Stage::Begun,
            Some(("{provider}", Provider::JOHN_DEERE)),
        );
        assert_eq!(
            words,
            "The John Deere connection of {provider} no longer works. No new data comes in through it until it is mended."
        );
    }
}
