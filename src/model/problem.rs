//! The kinds of trouble: their tracks, severities and who is told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Provider;

/// What an incident is about. Incidents of different tracks of one credential stand side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// Whether the credential works.
    Access,
    /// Whether it is in the environment that is expected of it.
    Environment,
    /// Whether Leaf answers about it.
    Sight,
    /// Whether Leaf answers us at all.
    Account,
    /// Our own set-up.
    Own,
}

impl Track {
    const ALL: [Track; 5] = [
        Track::Access,
        Track::Environment,
        Track::Sight,
        Track::Account,
        Track::Own,
    ];

    /// The word kept in the database.
    pub fn name(self) -> &'static str {
        match self {
            Track::Access => "access",
            Track::Environment => "environment",
            Track::Sight => "sight",
            Track::Account => "account",
            Track::Own => "own",
        }
    }

    /// The one with that word.
    pub fn from_name(name: &str) -> Option<Track> {
        Track::ALL.into_iter().find(|track| track.name() == name)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Soon a problem, or one that mends itself.
    Warning,
    /// Data has stopped, or cannot be judged.
    Critical,
}

impl Severity {
    /// `critical` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Who is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// `alerts.to` and the user's own `notify`: what a grower or an integrator mends.
    Support,
    /// `alerts.operators` alone.
    Operators,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $track:ident $severity:ident $audience:ident #[$doc:meta];)*) => {
        /// A kind of trouble.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[$doc] $variant,)* }

        impl Kind {
            /// Every kind, access kinds first.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// The name used in config, tables and the database: `failing_events`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// The track it belongs to.
            pub fn track(self) -> Track {
                match self { $(Kind::$variant => Track::$track,)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Kind::$variant => Severity::$severity,)* }
            }

            /// Who is told of it.
            pub fn audience(self) -> Audience {
                match self { $(Kind::$variant => Audience::$audience,)* }
            }
        }
    };
}

kinds! {
    Invalid "invalid" Access Critical Support #[doc = "The status word says that the credential no longer works."];
    Missing "missing" Access Critical Support #[doc = "A credential seen before, or asked for by name, is not there."];
    LimitedPermission "limited_permission" Access Warning Support #[doc = "The status word says that permissions are lacking."];
    ProviderUnavailable "provider_unavailable" Access Warning Operators #[doc = "The status word says that the provider has trouble."];
    FailingEvents "failing_events" Access Warning Support #[doc = "Status healthy, but its events have failed since the last success: the early warning."];
    EnvironmentMismatch "environment_mismatch" Environment Critical Support #[doc = "Another environment than the one expected."];
    Unreadable "unreadable" Sight Warning Operators #[doc = "This credential gives no answer while others do."];
    LeafLogin "leaf_login" Account Critical Operators #[doc = "Leaf refuses our login."];
    LeafUnreachable "leaf_unreachable" Account Critical Operators #[doc = "Leaf cannot be reached, or answers nothing of use."];
    WrongAccount "wrong_account" Account Critical Operators #[doc = "Most credentials are missing at once: looks like another API owner's login."];
    EnvironmentContradiction "environment_contradiction" Own Critical Operators #[doc = "One client key was read as STAGE and as PRODUCTION."];
    UnknownStatus "unknown_status" Own Warning Operators #[doc = "Leaf sent a status word that nobody mapped."];
    SharedCredential "shared_credential" Own Warning Operators #[doc = "Several watched users carry the same credential of Leaf's."];
    ConfigRejected "config_rejected" Own Warning Operators #[doc = "A reload was refused; the old settings run on."];
    DeliveryFailed "delivery_failed" Own Warning Operators #[doc = "Mail to an address failed for good."];
    SweepOverdue "sweep_overdue" Own Warning Operators #[doc = "No whole sweep for three intervals."];
    EventsUnread "events_unread" Own Warning Operators #[doc = "Events of some credential unread for seven days."];
    TokenExpiring "token_expiring" Own Warning Operators #[doc = "The configured Leaf token expires within seven days."];
    WatchShrank "watch_shrank" Own Warning Operators #[doc = "More than a tenth of the watch list vanished at once."];
    Storage "storage" Own Warning Operators #[doc = "The database cannot be written."];
}

impl Kind {
    /// Whether it is told by the status word alone, so that only a healthy word is its proof of ending.
    pub fn told_by_status(self) -> bool {
        matches!(
            self,
            Kind::Invalid | Kind::LimitedPermission | Kind::ProviderUnavailable
        )
    }

    /// Whether one answer is enough to open it; the others have held over several sweeps by then.
    pub fn told_by_one_look(self) -> bool {
        matches!(
            self,
            Kind::Invalid
                | Kind::LimitedPermission
                | Kind::FailingEvents
                | Kind::EnvironmentMismatch
        )
    }

    /// Whether it is asked only when something happens (a reload, a delivery), so that there are no later looks which a
    /// quiet time could be counted by.
    pub fn is_asked_at_events(self) -> bool {
        matches!(
            self,
            Kind::ConfigRejected | Kind::DeliveryFailed | Kind::WatchShrank | Kind::Storage
        )
    }

    /// Whether it is trouble of one credential, and not of the account or our own.
    pub fn is_of_a_credential(self) -> bool {
        !matches!(self.track(), Track::Account | Track::Own)
    }

    /// Whether answers about credentials show it: while blind nobody sees whether it still stands. Of the account and the
    /// rest of our own every try tells, a failed one too.
    pub fn is_seen_in_answers(self) -> bool {
        self.is_of_a_credential()
            || matches!(
                self,
                Kind::EnvironmentContradiction | Kind::UnknownStatus | Kind::SharedCredential
            )
    }

    /// Whether it can be seen at a credential of `provider`.
    pub fn can_be_of(self, provider: Provider) -> bool {
        match self {
            Kind::EnvironmentMismatch => provider.has_environment(),
            Kind::FailingEvents => provider.has_events(),
            kind => kind.is_of_a_credential(),
        }
    }

    /// How kinds are ordered in a mail: the worst first.
    pub fn rank(self) -> (std::cmp::Reverse<Severity>, Kind) {
        (std::cmp::Reverse(self.severity()), self)
    }
}

/// The word given is not a severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown severity {0:?}")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Severity::Critical, Severity::Warning]
            .into_iter()
            .find(|severity| severity.name() == text)
            .ok_or_else(|| UnknownSeverity(text.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name given is not a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown problem {0:?}")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Kind::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
