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
    let trouble = |event: &Event| matches!(event.status_code, Some(429 | 500..=599));
    match findings.events.iter().find_map(says) {
        Some(cause) => cause,
        None if findings.events.iter().any(trouble) => Cause::ProviderTrouble,
        None => Cause::Unexplained,
    }
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
    if body.contains("invalid_grant") || body.contains("invalid_token") {
        return Some(Cause::GrowerMustReconnect);
    }
    match event.status_code {
        Some(403) => Some(forbidden(event, &body, stage)),
        Some(401) if stage => Some(Cause::EnvironmentOrApproval),
        Some(401) => Some(Cause::AppNotApproved),
        // A token call answers 400 for a refresh token that is no longer good.
        Some(400) => Some(Cause::GrowerMustReconnect),
        _ => None,
    }
}

fn forbidden(event: &Event, body: &str, stage: bool) -> Cause {
    if let Some(url) = terms_location(&event.headers) {
        return Cause::TermsToAccept { url };
    }
    if stage || body.contains("<html") {
        Cause::EnvironmentOrApproval
    } else if body.contains("proper access for this api") || body.contains("scope") {
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
    let end = value
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ']' | '}' | ',' | '<' | '>'));
    let url = &value[..end.unwrap_or(value.len())];
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
    fn the_newest_that_failed_speaks_and_trouble_of_the_provider_only_where_none_did() {
        let [busy, grant] = [event(503, "", ""), event(400, "invalid_grant", "")];
        assert_eq!(
            cause(&[busy.clone(), grant], "INVALID", "PRODUCTION"),
            Cause::GrowerMustReconnect
        );
        assert_eq!(
            cause(&[busy], "INVALID", "PRODUCTION"),
            Cause::ProviderTrouble
        );
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
