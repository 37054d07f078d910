//! Why, and what to do next: for a support agent who can pass the sentences on.

use serde::Serialize;

use super::commands::{command, unit};
use crate::model::{Cause, Daemon, GONE, Kind, Provider};

/// A likely cause, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The likely cause, where one is known.
    pub cause: Option<Cause>,
    /// The same in words; empty where what happened already says all.
    pub why: String,
    /// What to do.
    #[serde(rename = "next_step")]
    pub next: String,
    /// Who mends it.
    pub who: &'static str,
}

fn advice_of(who: &'static str, why: impl Into<String>, next: impl Into<String>) -> Advice {
    Advice {
        cause: None,
        why: why.into(),
        next: next.into(),
        who,
    }
}

const GROWER: &str = "the grower";
const DEVELOPERS: &str = "whoever looks after the app and its connections at Leaf";
const OPERATOR: &str = "whoever runs Leafwatch";
const NOBODY: &str = "nobody here: wait";

/// Whose trouble advice is given on.
#[derive(Debug, Clone, Copy)]
pub enum Matter<'a> {
    /// A connection to this provider.
    Connection(Provider),
    /// The account's or our own, with its subject: a status word, an address; or nothing.
    Own(&'a str),
}

/// Why this kind of trouble is likely there, and what to do about it. Commands to be typed are for `daemon`.
pub fn advice(kind: Kind, cause: Option<&Cause>, matter: Matter<'_>, daemon: &Daemon) -> Advice {
    let (p, subject) = match matter {
        Matter::Connection(provider) => (provider.display_name(), ""),
        Matter::Own(subject) => ("the provider", subject),
    };
    let advice = match (kind, cause) {
        (_, Some(cause)) if *cause != Cause::Unexplained => of_cause(cause, p),
        (Kind::Invalid, _) => advice_of(
            GROWER,
            "Leaf says that the connection is no longer valid; no event says why. Most often the grower withdrew the access, or it expired.",
            format!(
                "Ask the grower to connect {p} again. If several growers fail at once, have the app's key and secret checked first."
            ),
        ),
        (Kind::Missing, _) => of_cause(&Cause::CredentialGone, p),
        (Kind::LimitedPermission, _) => Advice {
            why: "Leaf says that permissions are lacking; no event says why. Most often the organization is not connected to the app, or the person who connected it may not share it.".to_owned(),
            ..of_cause(&Cause::PermissionLacking, p)
        },
        (Kind::ProviderUnavailable, _) => of_cause(&Cause::ProviderTrouble, p),
        (Kind::FailingEvents, _) => advice_of(
            GROWER,
            format!("{p} refused requests that Leaf made with this connection; no event says why."),
            format!("Look at its events in Leaf. If they speak of access or consent, ask the grower to connect {p} again before data stops."),
        ),
        (Kind::EnvironmentMismatch, _) => advice_of(
            DEVELOPERS,
            "It was made in another environment than the one that is expected of it. Real accounts usually bring no data in STAGE, test accounts none in PRODUCTION.",
            format!("Connect {p} again with the environment that is expected."),
        ),
        (Kind::Unreadable, _) => advice_of(
            OPERATOR,
            "Leaf fails at this one connection, or sends an answer that Leafwatch does not understand.",
            "Look it up in Leaf by hand; if it fails there too, report it to Leaf.",
        ),
        (own, _) => of_own(own, subject, daemon),
    };
    Advice {
        cause: cause.cloned(),
        ..advice
    }
}

fn of_cause(cause: &Cause, p: &str) -> Advice {
    match cause {
        Cause::GrowerMustReconnect => advice_of(
            GROWER,
            format!(
                "{p} no longer accepts the stored access: the grower withdrew it, or it expired."
            ),
            format!("Ask the grower to connect {p} again."),
        ),
        Cause::AppSecretWrong { key_tail } => {
            let key = match key_tail {
                Some(tail) => format!("the key that ends in {tail}"),
                None => "your app's key".to_owned(),
            };
            advice_of(
                DEVELOPERS,
                format!(
                    "{p} rejects the app itself (“invalid_client”): {key} or its secret is wrong or was changed. Every grower on that key is hit."
                ),
                "Have the app's key and secret checked and the right ones entered at Leaf. Growers cannot mend this: do not ask them to connect again.",
            )
        }
        Cause::TermsToAccept { url } => advice_of(
            GROWER,
            format!("{p} has new terms, and gives no data until the grower accepts them."),
            match url {
                Some(url) => format!("Ask the grower to accept the new terms: {url}"),
                None => {
                    format!("Ask the grower to sign in at {p} and accept the new terms there.")
                }
            },
        ),
        Cause::EnvironmentOrApproval => advice_of(
            DEVELOPERS,
            format!(
                "{p} refuses to give data in the environment in which this connection was made, or has not approved the app for it."
            ),
            format!(
                "Check the environment of this connection (a real account needs PRODUCTION) and the approval of the app at {p}."
            ),
        ),
        Cause::AppNotApproved => advice_of(
            DEVELOPERS,
            format!("{p} refuses the requests for data: the app has no licence for them, or the stored access has expired."),
            format!("Check for which data the app is approved at {p}. If it is approved for all that it asks for, ask the grower to connect {p} again."),
        ),
        Cause::PermissionLacking => advice_of(
            GROWER,
            format!(
                "{p} denies access to the grower's data: the organization is not connected to the app, or the person who connected it may not share it."
            ),
            match p {
                "John Deere" => "Ask the grower to open Connections in John Deere Operations Center and give the app access to the organization.".to_owned(),
                _ => format!("Ask the grower to give the app access to the organization at {p}."),
            },
        ),
        Cause::ScopesLacking => advice_of(
            GROWER,
            "When the grower connected, fewer permissions were granted than the app needs.",
            format!("Ask the grower to connect {p} again and to agree to every permission asked for."),
        ),
        Cause::ProviderTrouble => advice_of(
            NOBODY,
            format!("{p} has trouble of its own. It says nothing about the grower."),
            format!("Wait; the grower has nothing to do. If it lasts for more than a day, ask Leaf or {p}."),
        ),
        Cause::CredentialGone => advice_of(
            DEVELOPERS,
            "Somebody deleted the connection at Leaf, or it was never made.",
            format!(
                "Find out whether it was removed on purpose. If so, have it taken out of Leafwatch's list; if not, the grower must connect {p} again."
            ),
        ),
        Cause::WrongEnvironment { expected } => advice_of(
            DEVELOPERS,
            format!("It was not made in {expected}, the environment that is expected of it. Real accounts usually bring no data in STAGE, test accounts none in PRODUCTION."),
            format!("Connect {p} again with clientEnvironment {expected}."),
        ),
        Cause::Unexplained => advice_of(DEVELOPERS, "", "Look at the evidence below."),
    }
}

fn of_own(kind: Kind, subject: &str, daemon: &Daemon) -> Advice {
    let (run, unit) = (|what| command(daemon, what), unit(daemon));
    let (why, next) = match kind {
        Kind::LeafLogin => (
            "The password or token in Leafwatch's config is wrong or was changed, or the Leaf account is locked. Growers are not concerned.",
            format!("Check [leaf] username and password_file (or token_file) in the config, then run: {}", run("doctor")),
        ),
        Kind::LeafUnreachable => (
            "Leaf has an outage, or the network of this machine has. Growers are not concerned.",
            format!("Run {} to see on which side it is. If it is Leaf's, wait; checks go on by themselves.", run("doctor")),
        ),
        Kind::WrongAccount => (
            "Leaf shows each account only its own users, and calls those of others missing.",
            "Check [leaf] username in the config: is it the account that owns these users (production, not test)?".to_owned(),
        ),
        Kind::EnvironmentContradiction => (
            "Nothing in the config says which environment is right.",
            "Declare expected_environment under [watch], or for single users; then each connection on the wrong side is told by name.".to_owned(),
        ),
        Kind::UnknownStatus => (
            "Leaf does not document its status words, and may add new ones at any time.",
            // No line of config can name what was not sent or not kept.
            match subject {
                "" => "Ask Leaf why it sends none.".to_owned(),
                gone if gone.contains(GONE) => "Ask Leaf what it sends as the status, and why.".to_owned(),
                _ => "Find out from Leaf what the word means, and add it to the config under [rules.status_words].".to_owned(),
            },
        ),
        Kind::SharedCredential => (
            "Leaf said so twice in a row of each of them: either they share it on purpose, or it was attached to a user too many.",
            "If they share it on purpose there is nothing to do: acknowledge this. If not, let the grower connect each user anew.".to_owned(),
        ),
        Kind::ConfigRejected => (
            "",
            format!("Run {}, mend what it names, then: systemctl reload {unit}", run("config check")),
        ),
        Kind::DeliveryFailed => (
            "The mail server refused the address or the mail for good.",
            format!("Check the address in the config. Every attempt is listed by: {}", run("deliveries")),
        ),
        Kind::SweepOverdue => (
            "Leaf answers too slowly, the limits are too low for so many connections, or Leafwatch is stuck.",
            format!("Run {}, and look at the log: journalctl -u {unit}", run("doctor")),
        ),
        Kind::EventsUnread => (
            "Reading events is given what requests are left over; the limits are too low, or Leaf refuses them.",
            format!("Raise max_requests_per_second under [leaf], if Leaf agrees, and look at the log: journalctl -u {unit}"),
        ),
        Kind::TokenExpiring => (
            "",
            format!("Put a new token into the file named by token_file before then, and run: systemctl reload {unit}"),
        ),
        Kind::WatchShrank => (
            "The list of users was cut short, or many were taken out on purpose.",
            format!("If it was meant, there is nothing to do. If not, restore the list and run: systemctl reload {unit}"),
        ),
        Kind::Storage => (
            "The disk is full, the file is locked, its permissions changed, or somebody deleted or replaced it.",
            format!("Run {}; it says which, and what to do.", run("doctor")),
        ),
        // Told by `advice`; named so that a new kind cannot be forgotten.
        Kind::Invalid
        | Kind::Missing
        | Kind::LimitedPermission
        | Kind::ProviderUnavailable
        | Kind::FailingEvents
        | Kind::EnvironmentMismatch
        | Kind::Unreadable => ("", "Look at the evidence below.".to_owned()),
    };
    advice_of(OPERATOR, why, next)
}

/// A few sentences to a grower, ready to be passed on; none where the grower has nothing to do.
pub fn for_the_grower(
    kind: Kind,
    cause: Option<&Cause>,
    provider: Provider,
    link: Option<&str>,
) -> Option<String> {
    let p = provider.display_name();
    let step = match cause {
        Some(Cause::GrowerMustReconnect | Cause::ScopesLacking) => reconnect(p, link),
        Some(Cause::TermsToAccept { url: Some(url) }) => {
            format!("{p} has new terms. Please accept them here: {url}")
        }
        Some(Cause::TermsToAccept { url: None }) => {
            format!("{p} has new terms. Please sign in there and accept them.")
        }
        Some(Cause::PermissionLacking) => connect_organization(p),
        Some(Cause::Unexplained | Cause::CredentialGone) | None
            if matches!(kind, Kind::Invalid | Kind::Missing) =>
        {
            reconnect(p, link)
        }
        Some(Cause::Unexplained) | None if kind == Kind::LimitedPermission => {
            connect_organization(p)
        }
        _ => return None,
    };
    let happened = match kind {
        Kind::FailingEvents => format!("your connection to {p} is about to stop working."),
        Kind::Missing => {
            format!("your connection to {p} is gone, so your newest data does not reach us.")
        }
        Kind::LimitedPermission => {
            format!("your connection to {p} does not let us see all the data we need.")
        }
        _ => format!(
            "your connection to {p} has stopped working, so your newest data does not reach us."
        ),
    };
    Some(format!("Hello, {happened} {step} Thank you!"))
}

/// A few sentences to a grower whose trouble is over; none where the grower had nothing to do with it.
pub fn over_for_the_grower(kind: Kind, provider: Provider) -> Option<String> {
    let p = provider.display_name();
    let happened = match kind {
        Kind::Invalid => format!("your connection to {p} works again."),
        Kind::Missing => format!("your connection to {p} is there again, and works."),
        Kind::LimitedPermission => {
            format!("your connection to {p} has the permissions that it needs again.")
        }
        _ => return None,
    };
    Some(format!(
        "Hello, {happened} There is nothing left for you to do. Thank you!"
    ))
}

fn connect_organization(p: &str) -> String {
    format!("Please sign in at {p} and check that your organization is connected to our app.")
}

fn reconnect(p: &str, link: Option<&str>) -> String {
    match link {
        Some(link) => format!(
            "Please connect it again, it takes a minute: {link} (sign in at {p} and agree to what is asked)."
        ),
        None => format!("Please open our app, connect {p} again, and agree to what is asked."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Environment;

    #[test]
    fn every_kind_and_cause_has_a_next_step() {
        let causes = [
            Cause::GrowerMustReconnect,
            Cause::AppSecretWrong {
                key_tail: Some("9f3c".to_owned()),
            },
            Cause::TermsToAccept { url: None },
            Cause::EnvironmentOrApproval,
            Cause::AppNotApproved,
            Cause::PermissionLacking,
            Cause::ScopesLacking,
            Cause::ProviderTrouble,
            Cause::CredentialGone,
            Cause::WrongEnvironment {
                expected: Environment::Production,
            },
        ];
        let (deere, one) = (Matter::Connection(Provider::JOHN_DEERE), Daemon::default());
        for &kind in Kind::ALL {
            let without = advice(kind, None, deere, &one);
            assert!(!without.next.is_empty());
            let unexplained = Some(Cause::Unexplained);
            let with = advice(kind, unexplained.as_ref(), deere, &one);
            assert_eq!(
                with,
                Advice {
                    cause: unexplained,
                    ..without
                }
            );
            for cause in &causes {
                let told = advice(kind, Some(cause), deere, &one);
                assert!(!told.why.is_empty() && !told.next.is_empty(), "{told:?}");
            }
        }
    }

    #[test]
    fn no_word_is_to_be_added_to_the_config_that_cannot_be_named_there() {
        let next = |word| {
            advice(
                Kind::UnknownStatus,
                None,
                Matter::Own(word),
                &Daemon::default(),
            )
            .next
        };
        assert!(next("SUSPENDED").contains("[rules.status_words]"));
        for word in ["", "\u{2026}", "TOKEN \u{2026}"] {
            assert!(next(word).starts_with("Ask Leaf"), "{word}");
            assert!(!next(word).contains("config"), "{word}");
        }
    }

    #[test]
    fn a_grower_is_asked_only_for_what_a_grower_can_do() {
        let ask = |kind, cause: Cause| {
            for_the_grower(kind, Some(&cause), Provider::JOHN_DEERE, None).is_some()
        };
        assert!(ask(Kind::Invalid, Cause::GrowerMustReconnect));
        assert!(ask(Kind::LimitedPermission, Cause::PermissionLacking));
        assert!(!ask(
            Kind::Invalid,
            Cause::AppSecretWrong { key_tail: None }
        ));
        assert!(!ask(Kind::ProviderUnavailable, Cause::ProviderTrouble));
        assert!(!ask(
            Kind::EnvironmentMismatch,
            Cause::EnvironmentOrApproval
        ));
        for &kind in Kind::ALL {
            let told = for_the_grower(kind, None, Provider::JOHN_DEERE, None);
            let asked = [Kind::Invalid, Kind::Missing, Kind::LimitedPermission];
            assert_eq!(told.is_some(), asked.contains(&kind), "{kind}");
            let over = over_for_the_grower(kind, Provider::JOHN_DEERE);
            assert_eq!(over.is_some(), asked.contains(&kind), "{kind}");
        }
    }
}
