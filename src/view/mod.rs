//! What people and programs see: one serde struct for each thing shown, and the only wording of times, durations,
//! problems and providers. Decides nothing.
//!
//! The structs are the versioned JSON of the commands and the page: a key may be added, never renamed or dropped without
//! a new [`SCHEMA`]. Times are RFC 3339 in UTC, lengths of time whole seconds.

pub mod availability;
pub mod deliveries;
pub mod digest;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod history;
pub mod incidents;
pub mod report;
pub mod silences;
pub mod simulate;
pub mod status;
pub mod words;

use serde::Serialize;

use crate::model::{self, Provider, Track, UserId};

pub use deliveries::Delivery;
pub use events::Event;
pub use incidents::Incident;
pub use status::Credential;

/// The version of the JSON, told as `"schema"` in every document.
pub const SCHEMA: u32 = 1;

/// One document: what is shown, under the version of its form.
#[derive(Debug, Clone, Serialize)]
pub struct Document<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

impl<T> Document<T> {
    /// `content` as it is shown today.
    pub fn new(content: T) -> Self {
        Document {
            schema: SCHEMA,
            content,
        }
    }
}

/// A Leaf user, with the name it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Leaf's id.
    pub user: UserId,
    /// From the config, else Leaf's own; fit to be shown.
    pub name: Option<String>,
}

impl User {
    /// The name, else the id.
    pub fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.user.to_string())
    }
}

/// One credential, with the name of its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Whose.
    #[serde(flatten)]
    pub user: User,
    /// Which.
    pub provider: Provider,
}

impl Who {
    /// `Hillside Farms (John Deere)`.
    pub fn shown(&self) -> String {
        words::credential(&self.user.shown(), self.provider)
    }

    /// The credential itself.
    pub fn credential(&self) -> model::Credential {
        model::Credential {
            user: self.user.user,
            provider: self.provider,
        }
    }
}

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "about")]
pub enum About {
    /// A credential.
    Credential(Who),
    /// The account at Leaf, or our own set-up.
    Leafwatch {
        /// A status word, an address, the end of a key; or nothing.
        subject: String,
    },
}

impl About {
    /// Whose; none for the account and ourselves.
    pub fn credential(&self) -> Option<model::Credential> {
        match self {
            About::Credential(who) => Some(who.credential()),
            About::Leafwatch { .. } => None,
        }
    }

    /// In a table, beside the kind: `Hillside Farms (John Deere)`.
    pub fn shown(&self, track: Track) -> String {
        match self {
            About::Credential(who) => who.shown(),
            About::Leafwatch { subject } if !subject.is_empty() => subject.clone(),
            About::Leafwatch { .. } if track == Track::Account => "the Leaf account".to_owned(),
            About::Leafwatch { .. } => "Leafwatch itself".to_owned(),
        }
    }
}
