//! One credential at Leaf: what it answers, secrets included, for each provider as its documentation shows it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::answer::RawAnswer;
use super::log_entry::LogEntry;
use super::{SECRET_MARK, json};
use crate::model::{Credential, Provider};

/// Leaf keeps events this long.
const EVENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a grower agreed to when connecting.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    /// The key of the app that asked.
    pub client_key: Arc<str>,
    /// `clientEnvironment`, where the provider has one.
    pub environment: Option<Cow<'static, str>>,
    /// `tokenMetadata.scopes`.
    pub scopes: Arc<[String]>,
    /// When; left out: now.
    pub since: Option<Timestamp>,
}

impl Consent {
    /// To the app with this key, in `PRODUCTION`, now.
    pub fn to_app(client_key: &str) -> Self {
        Consent {
            client_key: client_key.into(),
            environment: Some(Cow::Borrowed("PRODUCTION")),
            scopes: ["ag1", "ag2", "offline_access"].map(String::from).into(),
            since: None,
        }
    }

    /// In another environment.
    pub fn in_environment(mut self, word: impl Into<Cow<'static, str>>) -> Self {
        self.environment = Some(word.into());
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
pub(super) struct Grant {
    /// Numbers every grant of this Leaf: its id and its secrets follow from it.
    pub(super) serial: u64,
    pub(super) created: Timestamp,
    pub(super) consent: Consent,
    status: Option<Cow<'static, str>>,
    turning: Option<(Timestamp, &'static str)>,
    pub(super) log: Vec<Written>,
    pub(super) odd: Option<Box<RawAnswer>>,
}

/// An entry of the log as written; what many credentials share is kept once.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) serial: u64,
    pub(super) at: Timestamp,
    pub(super) entry: Arc<LogEntry>,
}

impl Grant {
    pub(super) fn new(serial: u64, consent: Consent, now: Timestamp) -> Self {
        Grant {
            serial,
            created: consent.since.unwrap_or(now),
            consent,
            status: Some(Cow::Borrowed("OK")),
            turning: None,
            log: Vec::new(),
            odd: None,
        }
    }

    /// The status word at `now`.
    pub(super) fn status(&self, now: Timestamp) -> Option<&str> {
        match self.turning {
            Some((at, word)) if at <= now => Some(word),
            _ => self.status.as_deref(),
        }
    }

    pub(super) fn set_status(&mut self, word: Option<Cow<'static, str>>) {
        self.status = word;
        self.turning = None;
    }

    /// Lets the status word turn at `at`, which may lie ahead; what turns it sooner stays.
    pub(super) fn turn(&mut self, at: Timestamp, word: &'static str) {
        if self.turning.is_none_or(|(sooner, _)| at < sooner) {
            self.turning = Some((at, word));
        }
    }

    /// The entries that Leaf still keeps at `now`, oldest first.
    pub(super) fn kept_log(&self, now: Timestamp) -> Vec<&Written> {
        let oldest = now - EVENTS_KEPT;
        let mut kept: Vec<_> = self.log.iter().filter(|entry| entry.at >= oldest).collect();
        kept.sort_by_key(|entry| (entry.at, entry.serial));
        kept
    }

    /// The secrets in its answers.
    pub(super) fn secrets(&self, credential: Credential) -> impl Iterator<Item = String> + '_ {
        let shape = shape(credential.provider);
        shape.secrets.iter().map(move |field| {
            let mut secret = String::new();
            self.push_secret(&mut secret, field, credential);
            secret
        })
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut String, credential: Credential, now: Timestamp) {
        let shape = shape(credential.provider);
        let id = Uuid::from_u64_pair(0x1eaf_0000_0000_4000, (1 << 63) | self.serial);
        let _ = write!(
            out,
            "{{\"id\":\"{id}\",\"createdTime\":\"{:.6}\"",
            self.created
        );
        if let Some(status) = self.status(now) {
            json::member(out, "status", status);
        }
        if let Some(key) = shape.key {
            json::member(out, key, &self.consent.client_key);
        }
        for field in shape.secrets {
            let _ = write!(out, ",\"{field}\":\"");
            self.push_secret(out, field, credential);
            out.push('"');
        }
        for (field, value) in shape.plain {
            json::member(out, field, value);
        }
        if let Some(word) = &self.consent.environment
            && credential.provider.has_environment()
        {
            json::member(out, "clientEnvironment", word);
        }
        if shape.scopes {
            out.push_str(",\"tokenMetadata\":{\"scopes\":[");
            for (nth, scope) in self.consent.scopes.iter().enumerate() {
                if nth > 0 {
                    out.push(',');
                }
                json::push_string(out, scope);
            }
            out.push_str("]}");
        }
        out.push('}');
    }

    fn push_secret(&self, out: &mut String, field: &str, credential: Credential) {
        let (user, serial) = (credential.user.0.as_simple(), self.serial);
        let _ = write!(out, "{SECRET_MARK}{field}-{user}-{serial}");
    }
}

/// Which fields a provider's credential has.
struct Shape {
    key: Option<&'static str>,
    secrets: &'static [&'static str],
    plain: &'static [(&'static str, &'static str)],
    scopes: bool,
}

/// Source: Leaf's `docs/credentials_*.md`; `cnhi-field-ops` and `claas` from what their POST takes.
fn shape(provider: Provider) -> Shape {
    let key = match provider.name() {
        "john-deere" | "claas" => Some("clientKey"),
        "climate-field-view" | "cnhi" | "cnhi-field-ops" | "trimble" | "raven" | "panorama"
        | "lindsay" => Some("clientId"),
        "ag-leader" => Some("publicKey"),
        _ => None,
    };
    let secrets: &[&str] = match provider.name() {
        "climate-field-view" => &["clientSecret", "apiKey", "accessToken", "refreshToken"],
        "cnhi" | "cnhi-field-ops" => &["clientSecret", "subscriptionKey", "refreshToken"],
        "claas" => &["clientSecret", "refreshToken"],
        "ag-leader" => &["privateKey", "accessToken", "refreshToken"],
        "stara" => &["apiKey", "accessToken", "accessTokenClient", "refreshToken"],
        "raven-slingshot" => &["apiKey", "accessKey", "sharedSecret"],
        "sentera" => &["authToken"],
        "agvance" => &["password", "apiKey", "sessionId"],
        "panorama" => &["accessToken", "refreshToken"],
        "valley" => &["key", "initializationVector", "apid"],
        "agrimatics" => &["clientSecret", "accessToken"],
        _ => &["clientSecret", "accessToken", "refreshToken"],
    };
    let plain: &[(&str, &str)] = match provider.name() {
        "sentera" => &[
            ("username", "grower@farm.example"),
            ("organizationId", "31"),
            ("organizationName", "Home Farm"),
        ],
        "agvance" => &[("username", "grower"), ("databaseId", "77")],
        "panorama" => &[("username", "grower"), ("organizationCode", "HF")],
        "valley" => &[("username", "grower")],
        _ => &[],
    };
    let scopes = matches!(
        provider.name(),
        "john-deere" | "climate-field-view" | "trimble" | "lindsay"
    );
    Shape {
        key,
        secrets,
        plain,
        scopes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::nth_user;

    #[test]
    fn every_provider_answers_json_with_its_secrets_and_its_environment_where_it_has_one() {
        for provider in Provider::all() {
            let credential = Credential {
                user: nth_user(3),
                provider,
            };
            let grant = Grant::new(9, Consent::to_app("key \"quoted\""), Timestamp::UNIX_EPOCH);
            let mut out = String::new();
            grant.write(&mut out, credential, Timestamp::UNIX_EPOCH);
            let seen: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(seen["status"], "OK", "{provider}");
            assert_eq!(seen["createdTime"], "1970-01-01T00:00:00.000000Z");
            assert_eq!(
                seen.get("clientEnvironment").is_some(),
                provider.has_environment()
            );
            let secrets: Vec<_> = grant.secrets(credential).collect();
            assert!(
                !secrets.is_empty() && secrets.iter().all(|secret| out.contains(secret)),
                "{provider}"
            );
        }
    }

    #[test]
    fn a_status_turns_when_its_time_has_come_and_not_before() {
        let start = Timestamp::UNIX_EPOCH;
        let mut grant = Grant::new(1, Consent::default(), start);
        grant.turn(start + Duration::from_secs(60), "UNAUTHENTICATED");
        assert_eq!(grant.status(start + Duration::from_secs(59)), Some("OK"));
        assert_eq!(
            grant.status(start + Duration::from_secs(60)),
            Some("UNAUTHENTICATED")
        );
        grant.turn(start + Duration::from_secs(120), "UNAUTHENTICATED");
        assert_eq!(
            grant.status(start + Duration::from_secs(61)),
            Some("UNAUTHENTICATED"),
            "refused again, it does not mend for a while"
        );
        grant.set_status(None);
        assert_eq!(grant.status(start + Duration::from_secs(90)), None);
    }
}
