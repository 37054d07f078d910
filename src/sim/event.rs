//! What stands in a credential's events log: answers of the provider. The texts are those that public notes on John
//! Deere's API show; no event of Leaf was ever published, so none of them may be relied on.

use jiff::Timestamp;
use serde_json::{Value, json};

const OKTA_HEADERS: &str = r#"{"Content-Type":"application/json;charset=UTF-8","X-Okta-Request-Id":"Zp8mC1tV3s2hZ1dC0YxDqAAAB9s","Set-Cookie":"DT=SECRET-event-cookie; Path=/; Secure"}"#;

/// An answer of the provider, to come into the log.
#[derive(Debug, Clone, Copy)]
pub struct ProviderAnswer {
    status_code: u16,
    body: &'static str,
    headers: &'static str,
    at: Option<Timestamp>,
}

impl ProviderAnswer {
    /// Dated when it is written into the log, without headers.
    pub fn new(status_code: u16, body: &'static str) -> Self {
        ProviderAnswer {
            status_code,
            body,
            headers: "{}",
            at: None,
        }
    }

    /// 200 on an API call: the organizations that the grower shares.
    pub fn success() -> Self {
        let body = r#"{"links":[],"total":1,"values":[{"@type":"Organization","id":"463153","name":"Home Farm","type":"customer"}]}"#;
        let headers = r#"{"Content-Type":"application/vnd.deere.axiom.v3+json","Set-Cookie":"JSESSIONID=SECRET-event-cookie; Secure"}"#;
        ProviderAnswer {
            headers,
            ..Self::new(200, body)
        }
    }

    /// 200 on a token call: the tokens stand in the body.
    pub fn token_refreshed() -> Self {
        Self::okta(
            200,
            r#"{"token_type":"Bearer","expires_in":43200,"access_token":"SECRET-event-access","refresh_token":"SECRET-event-refresh","scope":"ag1 offline_access"}"#,
        )
    }

    /// 400 on a token call: access revoked, or the refresh token expired.
    pub fn invalid_grant() -> Self {
        Self::okta(
            400,
            r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#,
        )
    }

    /// 401 on a token call in OAuth's shape: the app's secret is wrong.
    pub fn invalid_client() -> Self {
        Self::okta(
            401,
            r#"{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}"#,
        )
    }

    fn okta(status_code: u16, body: &'static str) -> Self {
        ProviderAnswer {
            headers: OKTA_HEADERS,
            ..Self::new(status_code, body)
        }
    }

    /// Dates it.
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    pub(super) fn written(self, serial: u64, now: Timestamp) -> LoggedAnswer {
        LoggedAnswer {
            at: self.at.unwrap_or(now),
            serial,
            answer: self,
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedAnswer {
    pub(super) at: Timestamp,
    pub(super) serial: u64,
    answer: ProviderAnswer,
}

impl LoggedAnswer {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": format!("5e7e0000-0000-4000-8000-{:012x}", self.serial),
            "statusCode": self.answer.status_code,
            "body": self.answer.body,
            "headers": self.answer.headers,
            "createdDate": format!("{:.6}", self.at),
        })
    }
}
