//! One credential at Leaf, and its answer with the secrets in it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;

use super::SECRET_MARK;
use super::event::LoggedAnswer;
use crate::model::{Credential, Provider};

/// Leaf keeps events this long.
const EVENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a grower agreed to when connecting.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The key of the app that asked.
    pub client_key: Arc<str>,
    /// `clientEnvironment`, for a provider that has environments; left out, the answer has none.
    pub environment: Option<Cow<'static, str>>,
    /// Left out: when it is given.
    pub since: Option<Timestamp>,
}

impl Consent {
    /// To the app with this key, in `PRODUCTION`, now.
    pub fn to_app(client_key: &str) -> Self {
        Consent {
            client_key: client_key.into(),
            environment: Some(Cow::Borrowed("PRODUCTION")),
            since: None,
        }
    }

    /// In another environment.
    pub fn in_environment(mut self, word: &'static str) -> Self {
        self.environment = Some(Cow::Borrowed(word));
        self
    }

    /// At another time.
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }
}

impl Default for Consent {
    fn default() -> Self {
        Consent::to_app("0oa5leafSimulatedKey7")
    }
}

/// One credential.
#[derive(Debug)]
pub struct Grant {
    /// Numbers every grant of this Leaf: its id and its secrets follow from it.
    serial: u64,
    created: Timestamp,
    /// What the grower agreed to.
    pub consent: Consent,
    /// The status word; none is left out of the answer.
    pub status: Option<Cow<'static, str>>,
    pub(super) log: Vec<LoggedAnswer>,
}

impl Grant {
    pub(super) fn new(serial: u64, consent: Consent, now: Timestamp) -> Self {
        Grant {
            serial,
            created: consent.since.unwrap_or(now),
            consent,
            status: Some(Cow::Borrowed("OK")),
            log: Vec::new(),
        }
    }

    /// The events that Leaf still keeps at `now`, newest first.
    pub(super) fn kept_log(&self, now: Timestamp) -> Vec<LoggedAnswer> {
        let oldest = now - EVENTS_KEPT;
        let mut kept = self.log.clone();
        kept.retain(|event| event.at >= oldest);
        kept.sort_by_key(|event| std::cmp::Reverse((event.at, event.serial)));
        kept
    }
}

/// A credential as Leaf answers with it. Source: Leaf's `docs/credentials_*.md` of John Deere and Climate FieldView;
/// whoever else has the latter's fields here.
pub(super) struct GrantAnswer<'a>(pub(super) Credential, pub(super) &'a Grant);

// Written straight into the answer: those of a hundred thousand credentials should cost little.
impl Serialize for GrantAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let GrantAnswer(Credential { user, provider }, grant) = *self;
        let (key, secrets): (_, &[&str]) = match provider {
            Provider::JOHN_DEERE => (
                "clientKey",
                &["clientSecret", "accessToken", "refreshToken"],
            ),
            _ => (
                "clientId",
                &["clientSecret", "apiKey", "accessToken", "refreshToken"],
            ),
        };
        let id = Uuid::from_u64_pair(0x1eaf_0000_0000_4000, (1 << 63) | grant.serial);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &id)?;
        map.serialize_entry("createdTime", &format_args!("{:.6}", grant.created))?;
        if let Some(status) = &grant.status {
            map.serialize_entry("status", status)?;
        }
        map.serialize_entry(key, &*grant.consent.client_key)?;
        for field in secrets {
            let (user, serial) = (user.0.as_simple(), grant.serial);
            let secret = format_args!("{SECRET_MARK}{field}-{user}-{serial}");
            map.serialize_entry(field, &secret)?;
        }
        if let Some(word) = &grant.consent.environment
            && provider.has_environment()
        {
            map.serialize_entry("clientEnvironment", word)?;
        }
        let scopes = serde_json::json!({ "scopes": ["ag1", "ag2", "offline_access"] });
        map.serialize_entry("tokenMetadata", &scopes)?;
        map.end()
    }
}
