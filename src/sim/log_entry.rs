//! Entries of a credential's events log, as a provider's answers would fill it. The texts are those that public
//! notes on John Deere's API show; no event of Leaf was ever published, so none of them may be relied on.

use std::borrow::Cow;

use jiff::Timestamp;

use super::json;

type Text = Cow<'static, str>;

/// How the provider's headers are written into the `headers` string; Leaf documents none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderForm {
    /// `{"name":"value"}`.
    #[default]
    Json,
    /// `{"name":["value"]}`.
    JsonLists,
    /// `{name=[value]}`, as Java prints a map.
    JavaMap,
    /// `name: value` lines.
    Lines,
}

/// One entry to come into the log; what is not said is filled in when it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    id: Id,
    at: Option<Timestamp>,
    status_code: u16,
    body: Text,
    headers: Vec<(Text, Text)>,
    form: HeaderForm,
    raw: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Id {
    Given,
    Fixed(String),
    Absent,
}

impl LogEntry {
    /// An answer with `status_code` and `body`, dated now, with an id, without headers.
    pub fn new(status_code: u16, body: impl Into<Text>) -> Self {
        LogEntry {
            id: Id::Given,
            at: None,
            status_code,
            body: body.into(),
            headers: Vec::new(),
            form: HeaderForm::Json,
            raw: None,
        }
    }

    /// An entry that is this JSON text and nothing else; `at` only sorts it.
    pub fn raw(json: impl Into<String>) -> Self {
        LogEntry {
            raw: Some(json.into()),
            ..LogEntry::new(0, "")
        }
    }

    /// 200 on an API call: the organizations that the grower shares.
    pub fn success() -> Self {
        let body = r#"{"links":[],"total":1,"values":[{"@type":"Organization","id":"463153","name":"Home Farm","type":"customer"}]}"#;
        Self::new(200, body)
            .with("Content-Type", "application/vnd.deere.axiom.v3+json")
            .with("Set-Cookie", "JSESSIONID=SECRET-event-cookie; Secure")
    }

    /// 200 on a token call: the tokens stand in the body.
    pub fn token_refreshed() -> Self {
        let body = r#"{"token_type":"Bearer","expires_in":43200,"access_token":"SECRET-event-access","refresh_token":"SECRET-event-refresh","scope":"ag1 offline_access"}"#;
        Self::new(200, body).okta()
    }

    /// 400 on a token call: access revoked, or the refresh token expired.
    pub fn invalid_grant() -> Self {
        let body = r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#;
        Self::new(400, body).okta()
    }

    /// 401 on a token call in OAuth's shape: the app's secret is wrong.
    pub fn invalid_client() -> Self {
        let body = r#"{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}"#;
        Self::new(401, body).okta()
    }

    /// 401 on a token call in Okta's own shape: the app's key is unknown.
    pub fn invalid_client_native() -> Self {
        let body = r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter.","errorLink":"invalid_client","errorId":"oaeJ2mDqYxTSFGlBbxPZ3Yd2Q","errorCauses":[]}"#;
        Self::new(401, body).okta()
    }

    /// 401 on an API call: token expired, or the app has no licence for the endpoint.
    pub fn server_authorization_failed() -> Self {
        Self::new(401, "Server Authorization Failed").with("Content-Type", "text/plain")
    }

    /// 403 on an API call: the grower lacks the resource, or the organization is not connected.
    pub fn access_denied() -> Self {
        Self::new(403, "Access Denied").with("Content-Type", "text/plain")
    }

    /// 403 on an API call: scopes were missing at consent.
    pub fn missing_scopes() -> Self {
        let body =
            "The client does not have a proper access for this API. Needed scopes: [ag2, work1]";
        Self::new(403, body).with("Content-Type", "text/plain")
    }

    /// 403 until new terms are accepted at the link in the headers.
    pub fn terms_to_accept() -> Self {
        let body = r#"{"@type":"Errors","errors":[{"@type":"Error","guid":"5d2c9f0e-6c0a-4f1c-9c53-1f6f7f0a8a11","message":"Requested Org is in a restricted state."}]}"#;
        Self::new(403, body)
            .with("Content-Type", "application/vnd.deere.axiom.v3+json")
            .with("X-Deere-Warning", "Required Customer Action")
            .with(
                "X-Deere-Terms-Location",
                "https://registration.deere.com/terms/accept?ctx=463153",
            )
    }

    /// 403 as a web server's HTML page: wrong host, so wrong environment or a bug.
    pub fn nginx_forbidden() -> Self {
        let body = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
        Self::new(403, body).with("Content-Type", "text/html")
    }

    /// 429: the provider's flood protection.
    pub fn too_many() -> Self {
        Self::new(429, "Too Many Requests").with("Retry-After", "30")
    }

    /// 503: an outage of the provider.
    pub fn outage() -> Self {
        Self::new(503, "Service Unavailable").with("Content-Type", "text/plain")
    }

    /// Adds a header.
    pub fn with(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Writes the headers in another form.
    pub fn headers_as(mut self, form: HeaderForm) -> Self {
        self.form = form;
        self
    }

    /// Dates it.
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Gives it this id.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Id::Fixed(id.into());
        self
    }

    /// Leaves the id out.
    pub fn without_id(mut self) -> Self {
        self.id = Id::Absent;
        self
    }

    /// When it is dated, where that was said.
    pub(super) fn dated(&self) -> Option<Timestamp> {
        self.at
    }

    fn okta(self) -> Self {
        self.with("Content-Type", "application/json;charset=UTF-8")
            .with("X-Okta-Request-Id", "Zp8mC1tV3s2hZ1dC0YxDqAAAB9s")
            .with("Set-Cookie", "DT=SECRET-event-cookie; Path=/; Secure")
    }

    /// Appends it as JSON, as written at `at` under the number `serial`.
    pub(super) fn write(&self, out: &mut String, serial: u64, at: Timestamp) {
        if let Some(raw) = &self.raw {
            out.push_str(raw);
            return;
        }
        out.push_str(&format!("{{\"statusCode\":{}", self.status_code));
        match &self.id {
            Id::Given => json::member(out, "id", &format!("5e7e0000-0000-4000-8000-{serial:012x}")),
            Id::Fixed(id) => json::member(out, "id", id),
            Id::Absent => {}
        }
        json::member(out, "body", &self.body);
        json::member(out, "headers", &self.header_text());
        json::member(out, "createdDate", &format!("{at:.6}"));
        out.push('}');
    }

    fn header_text(&self) -> String {
        let pairs = self.headers.iter();
        match self.form {
            HeaderForm::Json | HeaderForm::JsonLists => {
                let mut text = String::from("{");
                for (name, value) in pairs {
                    if text.len() > 1 {
                        text.push(',');
                    }
                    json::push_string(&mut text, name);
                    text.push(':');
                    if self.form == HeaderForm::JsonLists {
                        text.push('[');
                        json::push_string(&mut text, value);
                        text.push(']');
                    } else {
                        json::push_string(&mut text, value);
                    }
                }
                text.push('}');
                text
            }
            HeaderForm::JavaMap => {
                let listed: Vec<_> = pairs
                    .map(|(name, value)| format!("{name}=[{value}]"))
                    .collect();
                format!("{{{}}}", listed.join(", "))
            }
            HeaderForm::Lines => pairs
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_catalogue_is_one_json_object_in_every_header_form() {
        let catalogue = [
            LogEntry::success(),
            LogEntry::token_refreshed(),
            LogEntry::invalid_grant(),
            LogEntry::invalid_client(),
            LogEntry::invalid_client_native(),
            LogEntry::server_authorization_failed(),
            LogEntry::access_denied(),
            LogEntry::missing_scopes(),
            LogEntry::terms_to_accept(),
            LogEntry::nginx_forbidden(),
            LogEntry::too_many(),
            LogEntry::outage(),
        ];
        let forms = [
            HeaderForm::Json,
            HeaderForm::JsonLists,
            HeaderForm::JavaMap,
            HeaderForm::Lines,
        ];
        for entry in catalogue {
            for form in forms {
                let mut out = String::new();
                entry
                    .clone()
                    .headers_as(form)
                    .write(&mut out, 7, Timestamp::UNIX_EPOCH);
                let seen: serde_json::Value = serde_json::from_str(&out).unwrap();
                assert_eq!(seen["statusCode"], entry.status_code);
                assert_eq!(seen["body"], *entry.body);
                assert_eq!(seen["createdDate"], "1970-01-01T00:00:00.000000Z");
                let headers = seen["headers"].as_str().unwrap();
                assert!(
                    entry
                        .headers
                        .iter()
                        .all(|(name, _)| headers.contains(&**name))
                );
            }
        }
    }

    #[test]
    fn a_java_map_and_a_json_map_of_lists_look_as_java_would_print_them() {
        let entry = LogEntry::new(403, "").with("A", "b").with("C", "d");
        let text = |form| entry.clone().headers_as(form).header_text();
        assert_eq!(text(HeaderForm::JavaMap), "{A=[b], C=[d]}");
        assert_eq!(text(HeaderForm::JsonLists), r#"{"A":["b"],"C":["d"]}"#);
        assert_eq!(text(HeaderForm::Lines), "A: b\r\nC: d\r\n");
    }
}
