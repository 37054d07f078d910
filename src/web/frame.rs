//! What every page has around it: its title, the way to the others, the time; and the short pages that only say no.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::site::Asked;
use crate::model::{Credential, EventVerdict, Severity};
use crate::rules::availability::Period;
use crate::view::deliveries::DeliveryState;
use crate::view::status::CredentialState;
use crate::view::{self, Incident, words};

/// Around every page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) brand: String,
    pub(super) here: Here,
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

/// Which entry of the navigation is the page's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Overview,
    Incidents,
    Elsewhere,
}

impl Frame {
    pub(super) fn new(asked: &Asked<'_>, here: Here, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            brand: match &asked.config.instance {
                Some(instance) => format!("Leafwatch {instance}"),
                None => "Leafwatch".to_owned(),
            },
            here,
            now: asked.scene.now,
            zone: asked.scene.policy.schedules.zone.clone(),
        }
    }

    /// With the zone's name and UTC beside.
    pub(super) fn exact(&self, at: &Timestamp) -> Moment {
        Moment::exact(*at, &self.zone)
    }

    /// How long ago.
    pub(super) fn ago(&self, at: &Timestamp) -> Moment {
        Moment::ago(*at, self.now)
    }

    /// How long something lasted; what lasts until now goes on.
    pub(super) fn lasted(&self, during: &Period) -> String {
        let until = Some(during.until).filter(|until| *until < self.now);
        words::so_far(during.from, until, self.now)
    }

    /// The address of a credential's page.
    pub(super) fn href(&self, credential: &Credential) -> String {
        href(*credential)
    }

    /// Short, for tables.
    pub(super) fn short(&self, at: &Timestamp) -> Moment {
        Moment::short(*at, &self.zone)
    }
}

/// A time on a page: for people in their zone, for programs as ISO in the markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    iso: String,
    text: String,
}

impl Moment {
    /// With the zone's name and UTC beside.
    pub(super) fn exact(at: Timestamp, zone: &TimeZone) -> Moment {
        Moment {
            iso: at.to_string(),
            text: words::time(at, zone),
        }
    }

    /// How long ago.
    pub(super) fn ago(at: Timestamp, now: Timestamp) -> Moment {
        Moment {
            iso: at.to_string(),
            text: words::ago(at, now),
        }
    }

    /// Short, for tables.
    pub(super) fn short(at: Timestamp, zone: &TimeZone) -> Moment {
        Moment {
            iso: at.to_string(),
            text: words::short_time(at, zone),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.replace('&', "&amp;").replace('<', "&lt;");
        write!(f, "<time datetime=\"{}\">{text}</time>", self.iso)
    }
}

/// The markup is its own, and its text escaped above.
impl HtmlSafe for Moment {}

/// How a word is set off: by its mark and colour, never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Critical,
    Warning,
    Doubt,
    Well,
    Quiet,
}

impl Tone {
    /// What has ended is quiet.
    pub(super) fn of(incident: &Incident) -> Tone {
        match incident.is_open() {
            true => incident.severity.into(),
            false => Tone::Quiet,
        }
    }

    /// By how a delivery stands.
    pub(super) fn of_mail(state: &DeliveryState) -> Tone {
        match state {
            DeliveryState::Waiting => Tone::Warning,
            DeliveryState::Accepted => Tone::Well,
            DeliveryState::Failed => Tone::Critical,
        }
    }

    /// How a credential is set off.
    pub(super) fn of_credential(credential: &view::Credential) -> Tone {
        match credential.state {
            CredentialState::Trouble => credential
                .problems
                .first()
                .map_or(Tone::Warning, |worst| worst.severity.into()),
            CredentialState::UnknownStatus | CredentialState::Suspected => Tone::Doubt,
            CredentialState::Healthy if credential.stale => Tone::Doubt,
            CredentialState::Healthy => Tone::Well,
            CredentialState::NeverLooked | CredentialState::NotConnected => Tone::Quiet,
        }
    }

    /// By what an event says about the credential.
    pub(super) fn of_event(says: &EventVerdict) -> Tone {
        match says {
            EventVerdict::Success => Tone::Well,
            EventVerdict::Failure => Tone::Critical,
            EventVerdict::Neither => Tone::Quiet,
        }
    }

    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Critical => "critical",
            Tone::Warning => "warning",
            Tone::Doubt => "doubt",
            Tone::Well => "well",
            Tone::Quiet => "quiet",
        }
    }

    /// The mark before the word.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Tone::Critical => "✕",
            Tone::Warning => "▲",
            Tone::Doubt => "?",
            Tone::Well => "✓",
            Tone::Quiet => "–",
        }
    }
}

impl From<Severity> for Tone {
    fn from(severity: Severity) -> Tone {
        match severity {
            Severity::Critical => Tone::Critical,
            Severity::Warning => Tone::Warning,
        }
    }
}

/// The address of a credential's page.
pub(super) fn href(credential: Credential) -> String {
    format!("/credentials/{}/{}", credential.user, credential.provider)
}

/// A page as an answer.
pub(super) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!("a page cannot be made: {error}");
            refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "This page cannot be made; the log says why.",
            )
        }
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal<'a> {
    title: &'a str,
    say: &'a str,
}

/// A short page that says why there is no other.
pub(super) fn refusal(status: StatusCode, say: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("No");
    let text = Refusal { title, say }.render().unwrap_or_default();
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}
