//! Why, as far as events and the status word tell. Never guesses beyond what they say; which events may speak at all
//! is the caller's query.

use crate::model::{Cause, Environment, Event, EventVerdict, Kind, Reading};

/// What a diagnosis is made from.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a> {
    /// The kind of trouble.
    pub kind: Kind,
    /// What Leaf says of the credential now; none while it is missing.
    pub reading: Option<&'a Reading>,
    /// The events that may say why, newest first: none of before the last success is among them.
    pub events: &'a [Event],
    /// The environment expected of it.
    pub expected: Option<Environment>,
}

/// Whether the cause of trouble of `kind` is asked of events at all.
pub fn asks_events(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Invalid | Kind::LimitedPermission | Kind::FailingEvents
    )
}

/// The likely cause; none for trouble that is no credential's.
pub fn diagnose(findings: &Findings<'_>) -> Option<Cause> {
    match findings.kind {
        kind if asks_events(kind) => Some(from_events(findings)),
        Kind::EnvironmentMismatch => Some(
            findings
                .expected
                .map_or(Cause::Unexplained, |expected| Cause::WrongEnvironment {
                    expected,
                }),
        ),
        Kind::Missing => Some(Cause::CredentialGone),
        Kind::ProviderUnavailable => Some(Cause::ProviderTrouble),
        _ => None,
    }
}

fn from_events(findings: &Findings<'_>) -> Cause {
    let key = findings.reading.and_then(|reading| reading.key.as_ref());
    let key_tail = key.and_then(|key| key.shown_tail());
    let environment = findings
        .reading
        .and_then(|reading| reading.environment.as_deref());
    let stage = environment.is_some_and(|word| Environment::Stage.is(word));
    let says = |event| from_event(event, stage, key_tail);
    let said = findings.events.iter().find_map(says);
    said.unwrap_or(Cause::Unexplained)
}

/// What one failed event says. Classified on OAuth's error word; the text beside it is unstable (RFC 6749 section 5.2).
fn from_event(event: &Event, stage: bool, key_tail: Option<&str>) -> Option<Cause> {
    if event.status_code.is_some() && event.verdict() != EventVerdict::Failure {
        return None;
    }
    let body = event.body.to_ascii_lowercase();
    if body.contains("invalid_client") {
        return Some(Cause::AppSecretWrong {
            key_tail: key_tail.map(str::to_owned),
        });
    }
    // The second is of the requests for data (RFC 6750 section 3.1): it is the stored token that is refused.
    if body.contains("invalid_grant") || body.contains("invalid_token") || token_refused(event) {
        return Some(Cause::GrowerMustReconnect);
    }
    match event.status_code {
        Some(403) => Some(forbidden(event, &body, stage)),
        Some(401) if stage => Some(Cause::EnvironmentOrApproval),
        Some(401) => Some(Cause::AppNotApproved),
        // A 400 without those words is of the request, not of what the grower consented to.
        _ => None,
    }
}

/// Whether the challenge beside a refusal says so of the token; its body may be empty.
fn token_refused(event: &Event) -> bool {
    event.headers.lines().any(|line| {
        let line = line.to_ascii_lowercase();
        line.contains("www-authenticate") && line.contains("invalid_token")
    })
}

fn forbidden(event: &Event, body: &str, stage: bool) -> Cause {
    if let Some(url) = terms_location(&event.headers) {
        return Cause::TermsToAccept { url };
    }
    if stage || body.contains("<html") {
        Cause::EnvironmentOrApproval
    } else if body.contains("proper access for this api") {
        Cause::ScopesLacking
    } else {
        Cause::PermissionLacking
    }
}

/// John Deere's header that says where new terms are to be accepted, in whatever form Leaf wrote the headers down.
/// Outer `None`: no such header; inner: no plain https link in it.
fn terms_location(headers: &str) -> Option<Option<String>> {
    const NAME: &str = "x-deere-terms-location";
    let at = headers.to_ascii_lowercase().find(NAME)?;
    let value = headers
        .get(at + NAME.len()..)?
        .trim_start_matches([' ', ':', '=', '"', '[', '\'']);
    let end =
        value.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ']' | '}' | '<' | '>'));
    let url = value[..end.unwrap_or(value.len())].trim_end_matches(',');
    Some(url.starts_with("https://").then(|| url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyPrint;

    fn event(status_code: u16, body: &str, headers: &str) -> Event {
        let (body, headers) = (body.to_owned(), headers.to_owned());
        Event {
            identity: Vec::new(),
            at: None,
            status_code: Some(status_code),
            body,
            headers,
        }
    }

    fn cause(events: &[Event], status: &str, environment: &str) -> Cause {
        let reading = Reading {
            status: Some(status.to_owned()),
            environment: Some(environment.to_owned()),
            ..Reading::default()
        };
        let findings = Findings {
            kind: Kind::Invalid,
            reading: Some(&reading),
            events,
            expected: None,
        };
        diagnose(&findings).unwrap()
    }

    #[test]
    fn the_error_word_decides() {
        let grant = event(400, r#"{"error":"invalid_grant"}"#, "");
        let client = event(401, r#"{"errorCode":"invalid_client"}"#, "");
        assert_eq!(
            cause(&[grant], "INVALID", "PRODUCTION"),
            Cause::GrowerMustReconnect
        );
        assert_eq!(
            cause(&[client], "INVALID", "PRODUCTION"),
            Cause::AppSecretWrong { key_tail: None }
        );
    }

    #[test]
    fn terms_are_found_in_every_form_of_headers() {
        let url = "https://my.deere.com/terms?x=1";
        let forms = [
            format!(r#"{{"X-Deere-Terms-Location":"{url}"}}"#),
            format!("{{x-deere-terms-location=[{url}], Date=[x]}}"),
            format!("Date: x\nX-Deere-Terms-Location: {url}\n"),
        ];
        for headers in forms {
            let found = cause(&[event(403, "", &headers)], "INVALID", "PRODUCTION");
            assert_eq!(
                found,
                Cause::TermsToAccept {
                    url: Some(url.to_owned())
                },
                "{headers}"
            );
        }
    }

    #[test]
    fn stage_explains_refusals() {
        assert_eq!(
            cause(&[event(403, "Access Denied", "")], "INVALID", "stage"),
            Cause::EnvironmentOrApproval
        );
        assert_eq!(
            cause(&[event(403, "Access Denied", "")], "INVALID", "PRODUCTION"),
            Cause::PermissionLacking
        );
    }

    #[test]
    fn a_refused_token_is_no_accepted_login() {
        let refused = event(401, r#"{"error":"invalid_token"}"#, "");
        for environment in ["PRODUCTION", "STAGE"] {
            let refused = std::slice::from_ref(&refused);
            assert_eq!(
                cause(refused, "INVALID", environment),
                Cause::GrowerMustReconnect
            );
        }
    }

    #[test]
    fn a_challenge_that_names_the_token_says_so_where_the_body_is_empty() {
        let challenge = r#"WWW-Authenticate: error="invalid_token", error_description="expired""#;
        for environment in ["PRODUCTION", "STAGE"] {
            assert_eq!(
                cause(&[event(401, "", challenge)], "INVALID", environment),
                Cause::GrowerMustReconnect
            );
        }
        let bare = event(401, "", "WWW-Authenticate: Bearer\nDate: invalid_token");
        assert_eq!(
            cause(&[bare], "INVALID", "PRODUCTION"),
            Cause::AppNotApproved
        );
    }

    #[test]
    fn a_400_is_of_the_stored_access_only_where_it_says_so() {
        for body in [
            "",
            r#"{"error":"unauthorized_client"}"#,
            r#"{"error":"invalid_scope"}"#,
            r#"{"error":"invalid_request"}"#,
            "startDate malformed",
        ] {
            assert_eq!(
                cause(&[event(400, body, "")], "INVALID", "PRODUCTION"),
                Cause::Unexplained,
                "{body}"
            );
        }
    }

    #[test]
    fn scopes_lack_only_where_the_refusal_says_so() {
        let lacking = "The client does not have a proper access for this API. Needed scopes: [ag2]";
        for (body, expected) in [
            (lacking, Cause::ScopesLacking),
            (
                r#"{"message":"Access Denied","scope":"ag1"}"#,
                Cause::PermissionLacking,
            ),
        ] {
            assert_eq!(
                cause(&[event(403, body, "")], "INVALID", "PRODUCTION"),
                expected
            );
        }
    }

    #[test]
    fn an_hour_of_trouble_at_the_provider_explains_no_refusal() {
        let grant = event(400, "invalid_grant", "");
        for busy in [429, 503].map(|code| event(code, "", "")) {
            for kind in [Kind::Invalid, Kind::LimitedPermission, Kind::FailingEvents] {
                let of = |events| {
                    diagnose(&Findings {
                        kind,
                        reading: None,
                        events,
                        expected: None,
                    })
                };
                let both = [busy.clone(), grant.clone()];
                assert_eq!(of(&both[..1]), Some(Cause::Unexplained));
                assert_eq!(of(&both), Some(Cause::GrowerMustReconnect));
            }
        }
    }

    #[test]
    fn without_an_event_nothing_is_named() {
        for word in ["INVALID", "MISSING_PERMISSION", "TEMPORARILY_UNAVAILABLE"] {
            assert_eq!(cause(&[], word, "PRODUCTION"), Cause::Unexplained);
        }
    }

    #[test]
    fn a_key_too_short_to_be_shown_has_no_tail() {
        let reading = Reading {
            key: Some(KeyPrint {
                print: [1; 16],
                tail: String::new(),
            }),
            ..Reading::default()
        };
        let findings = Findings {
            kind: Kind::Invalid,
            reading: Some(&reading),
            events: &[event(401, "invalid_client", "")],
            expected: None,
        };
        assert_eq!(
            diagnose(&findings),
            Some(Cause::AppSecretWrong { key_tail: None })
        );
    }
}
