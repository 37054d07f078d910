//! Who is watched: Leaf users, providers, and the pair of both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::UnknownWord;

/// A Leaf user's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub Uuid);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(UserId)
    }
}

/// What Leaf's documentation says of one provider (see [`Provider::ALL`]).
struct ProviderFacts {
    name: &'static str,
    display: &'static str,
    user_key: &'static str,
    has_environment: bool,
    has_events: bool,
}

const fn facts(
    name: &'static str,
    display: &'static str,
    user_key: &'static str,
    has_environment: bool,
    has_events: bool,
) -> ProviderFacts {
    ProviderFacts {
        name,
        display,
        user_key,
        has_environment,
        has_events,
    }
}

/// One row a provider: name, display name, key on the Leaf user object, has `clientEnvironment`, has events.
///
/// Source: Leaf's `docs/credentials_*.md` and its API reference. Where no key on the user object is
/// documented, the one that follows the pattern of the others is tried; a wrong guess only costs a request.
const FACTS: [ProviderFacts; 16] = [
    facts(
        "john-deere",
        "John Deere",
        "johnDeereCredentials",
        true,
        true,
    ),
    facts(
        "climate-field-view",
        "Climate FieldView",
        "climateFieldViewCredentials",
        false,
        true,
    ),
    facts("cnhi", "CNHi AFS Connect", "cnhiCredentials", true, true),
    facts(
        "cnhi-field-ops",
        "CNHI FieldOps",
        "cnhiFieldOpsCredentials",
        true,
        true,
    ),
    facts("claas", "CLAAS", "claasCredentials", true, false),
    facts("trimble", "Trimble", "trimbleCredentials", false, true),
    facts("ag-leader", "AgLeader", "agLeaderCredentials", false, true),
    facts("stara", "Stara", "staraCredentials", false, true),
    facts("raven", "Raven", "ravenCredentials", false, true),
    facts(
        "raven-slingshot",
        "Raven Slingshot",
        "ravenSlingshotCredentials",
        false,
        true,
    ),
    facts("sentera", "Sentera", "senteraCredentials", false, true),
    facts("agvance", "Agvance", "agvanceCredentials", true, true),
    facts("panorama", "Panorama", "panoramaCredentials", true, true),
    facts("lindsay", "Lindsay", "lindsayCredentials", true, true),
    facts("valley", "Valley", "valleyCredentials", false, true),
    facts(
        "agrimatics",
        "Agrimatics",
        "agrimaticsCredentials",
        true,
        true,
    ),
];

/// A provider that Leaf connects to; the name is the first part of Leaf's path (`john-deere`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider(u8);

impl Provider {
    /// John Deere, the provider that this program began with.
    pub const JOHN_DEERE: Provider = Provider(0);

    /// Every provider known.
    pub fn all() -> impl Iterator<Item = Provider> + Clone {
        (0..FACTS.len() as u8).map(Provider)
    }

    fn facts(self) -> &'static ProviderFacts {
        &FACTS[usize::from(self.0)]
    }

    /// The name used in config, tables and Leaf's path: `john-deere`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The name that people read: `John Deere`.
    pub fn display_name(self) -> &'static str {
        self.facts().display
    }

    /// The last part of Leaf's path for its credential: `john-deere-credentials`.
    pub fn path(self) -> String {
        format!("{}-credentials", self.name())
    }

    /// The key under which a Leaf user object may carry this credential.
    pub fn user_key(self) -> &'static str {
        self.facts().user_key
    }

    /// Whether its credential carries `clientEnvironment`; without one the environment is never judged.
    pub fn has_environment(self) -> bool {
        self.facts().has_environment
    }

    /// Whether Leaf keeps an events log for its credentials.
    pub fn has_events(self) -> bool {
        self.facts().has_events
    }
}

impl From<Provider> for &'static str {
    fn from(provider: Provider) -> Self {
        provider.name()
    }
}

impl FromStr for Provider {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim();
        Provider::all()
            .find(|provider| provider.name().eq_ignore_ascii_case(wanted))
            .ok_or_else(|| UnknownWord::new("provider", wanted))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Provider {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One (Leaf user, provider) pair that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Credential {
    /// The Leaf user it belongs to.
    pub user: UserId,
    /// The provider it opens.
    pub provider: Provider,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.provider)
    }
}

/// A credential's number in the database. Never shown to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(pub i64);

/// The environment a credential is expected to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Environment {
    /// Leaf's word for the provider's sandbox.
    Stage,
    /// The provider's production environment.
    Production,
}

impl Environment {
    /// Leaf's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Environment::Stage => "STAGE",
            Environment::Production => "PRODUCTION",
        }
    }

    /// Whether `word`, as Leaf sent it, means this environment; case and surrounding blanks aside.
    pub fn is(self, word: &str) -> bool {
        word.trim().eq_ignore_ascii_case(self.word())
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Environment {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Environment::Stage, Environment::Production]
            .into_iter()
            .find(|environment| environment.is(text))
            .ok_or_else(|| UnknownWord::new("environment", text.trim()))
    }
}
