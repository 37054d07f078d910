//! The kinds of trouble: their tracks, severities and who is told.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Provider, UnknownWord};

/// What an incident is about. Incidents of different tracks of one credential stand side by side.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, Serialize,
)]
#[strum(serialize_all = "snake_case")]
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

/// How bad it is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = unknown_severity)]
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
        self.into()
    }
}

fn unknown_severity(word: &str) -> UnknownWord {
    UnknownWord::new("severity", word)
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
    ($($variant:ident $track:ident $severity:ident $audience:ident #[$doc:meta];)*) => {
        /// A kind of trouble. Its word is used in config, tables and the database: `failing_events`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Display, EnumString, IntoStaticStr, VariantArray, Serialize)]
        #[strum(serialize_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum Kind { $(#[$doc] $variant,)* }

        impl Kind {
            /// Every kind, access kinds first.
            pub const ALL: &'static [Kind] = Kind::VARIANTS;

            /// Its word.
            pub fn name(self) -> &'static str {
                self.into()
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
    Invalid Access Critical Support #[doc = "The status word says that the credential no longer works."];
    Missing Access Critical Support #[doc = "A credential seen before, or asked for by name, is not there."];
    LimitedPermission Access Warning Support #[doc = "The status word says that permissions are lacking."];
    ProviderUnavailable Access Warning Operators #[doc = "The status word says that the provider has trouble."];
    FailingEvents Access Warning Support #[doc = "Status healthy, but its events have failed since the last success: the early warning."];
    EnvironmentMismatch Environment Critical Support #[doc = "Another environment than the one expected."];
    Unreadable Sight Warning Operators #[doc = "This credential gives no answer while others do."];
    LeafLogin Account Critical Operators #[doc = "Leaf refuses our login."];
    LeafUnreachable Account Critical Operators #[doc = "Leaf cannot be reached, or answers nothing of use."];
    WrongAccount Account Critical Operators #[doc = "Most credentials are missing at once: looks like another API owner's login."];
    EnvironmentContradiction Own Critical Operators #[doc = "One client key was read as STAGE and as PRODUCTION."];
    UnknownStatus Own Warning Operators #[doc = "Leaf sent a status word that nobody mapped."];
    SharedCredential Own Warning Operators #[doc = "Several watched users carry the same credential of Leaf's."];
    ConfigRejected Own Warning Operators #[doc = "A reload was refused; the old settings run on."];
    DeliveryFailed Own Warning Operators #[doc = "Mail to an address failed for good."];
    SweepOverdue Own Warning Operators #[doc = "No whole sweep for three intervals."];
    EventsUnread Own Warning Operators #[doc = "Events of some credential unread for seven days."];
    TokenExpiring Own Warning Operators #[doc = "The configured Leaf token expires within seven days."];
    WatchShrank Own Warning Operators #[doc = "More than a tenth of the watch list vanished at once."];
    Storage Own Warning Operators #[doc = "The database cannot be written."];
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
