//! The JSON of the site: the same shapes as the commands' `--json`, so that a program reads either.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::guard::Sight;
use super::overview::CredentialsQuery;
use super::site::Asked;
use crate::model;
use crate::store::{self, Filter, IncidentPart, Pick, Roll, Wanted};
use crate::view::deliveries::DeliveriesHeading;
use crate::view::incidents::IncidentsHeading;
use crate::view::status::Overview;
use crate::view::{About, Credential, Delivery, Document, Incident, User};

/// Credentials in an answer unless another number is asked for.
pub(super) const USUAL: usize = 100;
/// The most in one answer.
pub(super) const MOST: usize = 1000;
/// Incidents and deliveries in one answer.
const LISTED: usize = 10_000;

#[derive(Serialize)]
struct CredentialsAnswer {
    credentials: Vec<Credential>,
    /// To be asked for as `after`, where there are more.
    next: Option<i64>,
}

#[derive(Serialize)]
struct StatusAnswer {
    #[serde(flatten)]
    overview: Overview,
    /// Those in trouble, the worst first; as `status` lists them.
    credentials: Vec<Credential>,
    /// How many more are.
    left_off: u64,
}

#[derive(Serialize)]
struct IncidentsAnswer {
    #[serde(flatten)]
    heading: IncidentsHeading,
    incidents: Vec<Incident>,
    /// How many more there are in that time.
    left_off: u64,
}

#[derive(Serialize)]
struct DeliveriesAnswer {
    #[serde(flatten)]
    heading: DeliveriesHeading,
    deliveries: Vec<Delivery>,
    /// How many more there are in that time.
    left_off: u64,
}

#[derive(Serialize)]
struct Refused<'a> {
    error: &'a str,
}

/// How far back a list goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Period {
    /// RFC 3339; left out, as far as the command goes back.
    since: Option<Timestamp>,
    /// Incidents: those that are open alone.
    open: bool,
    /// Deliveries: to this address alone.
    address: Option<String>,
}

/// As `leafwatch status --json`; whoever may see counts alone gets no names.
pub(super) fn status(asked: &Asked<'_>, sight: Sight) -> store::Result<Response> {
    let mut watch = asked.tx.watch_state(&asked.scene)?;
    let counts = asked.fleet()?.counts;
    let (credentials, left_off) = match sight {
        Sight::All => {
            let wanted = Wanted {
                pick: Some(Pick::Trouble),
                ..Wanted::default()
            };
            let Roll { credentials, next } = asked.tx.roll(&asked.scene, &wanted, None, MOST)?;
            let listed: Vec<Credential> = credentials.into_iter().map(|(_, one)| one).collect();
            let left_off = next.map_or(0, |_| {
                u64::from(counts.trouble).saturating_sub(listed.len() as u64)
            });
            (listed, left_off)
        }
        Sight::Counts | Sight::Nothing => {
            // Its subject may be an address or the end of a key.
            for trouble in &mut watch.troubles {
                trouble.about = About::Leafwatch {
                    subject: String::new(),
                };
            }
            (Vec::new(), 0)
        }
    };
    Ok(document(StatusAnswer {
        overview: Overview {
            at: asked.scene.now,
            watch,
            counts,
        },
        credentials,
        left_off,
    }))
}

/// The credentials a page at a time, each as `leafwatch status --json` has it.
pub(super) fn credentials(
    asked: &Asked<'_>,
    query: &CredentialsQuery,
    limit: usize,
) -> store::Result<Response> {
    let Roll { credentials, next } =
        asked
            .tx
            .roll(&asked.scene, &query.wanted, query.after, limit)?;
    Ok(document(CredentialsAnswer {
        credentials: credentials.into_iter().map(|(_, one)| one).collect(),
        next: next.map(|after| after.0),
    }))
}

/// As `leafwatch explain --json`; none where it was never watched.
pub(super) fn credential(
    asked: &Asked<'_>,
    credential: model::Credential,
) -> store::Result<Option<Response>> {
    if asked.tx.number_of(credential)?.is_none() {
        return Ok(None);
    }
    let leaf_name = asked.tx.leaf_name(credential.user)?;
    let user: User = asked.scene.user(credential.user, leaf_name.as_deref());
    let filter = Filter {
        provider: Some(credential.provider),
        since: None,
    };
    let explanation = asked.tx.explanation_of(&asked.scene, user, filter)?;
    Ok(Some(document(explanation)))
}

/// As `leafwatch incidents --json`.
pub(super) fn incidents(asked: &Asked<'_>, period: &Period) -> store::Result<Response> {
    let since = asked.since(period, 30);
    let filter = Filter {
        since: Some(since),
        ..Filter::default()
    };
    let (mut incidents, mut left_off) = (Vec::new(), 0);
    asked.tx.each_incident(
        &asked.scene,
        filter,
        period.open,
        IncidentPart::LISTED,
        |incident| match incidents.len() < LISTED {
            true => incidents.push(incident),
            false => left_off += 1,
        },
    )?;
    Ok(document(IncidentsAnswer {
        heading: IncidentsHeading {
            since: (!period.open).then_some(since),
            open_only: period.open,
        },
        incidents,
        left_off,
    }))
}

/// As `leafwatch deliveries --json`.
pub(super) fn deliveries(asked: &Asked<'_>, period: &Period) -> store::Result<Response> {
    let since = asked.since(period, 7);
    let filter = Filter {
        since: Some(since),
        ..Filter::default()
    };
    let (mut deliveries, mut left_off) = (Vec::new(), 0);
    asked
        .tx
        .each_delivery(
            asked.scene.now,
            filter,
            period.address.as_deref(),
            |line| match deliveries.len() < LISTED {
                true => deliveries.push(line),
                false => left_off += 1,
            },
        )?;
    Ok(document(DeliveriesAnswer {
        heading: DeliveriesHeading {
            unwritten: asked
                .tx
                .waiting_notices(&asked.scene, period.address.as_deref())?,
            since: Some(since),
            address: period.address.clone(),
        },
        deliveries,
        left_off,
    }))
}

impl Asked<'_> {
    fn since(&self, period: &Period, days: i64) -> Timestamp {
        let usual = self.scene.now - SignedDuration::from_hours(24 * days);
        period.since.unwrap_or(usual)
    }
}

/// A document as an answer.
fn document(content: impl Serialize) -> Response {
    match serde_json::to_string(&Document::new(content)) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => {
            tracing::error!("a document cannot be written: {error}");
            refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this cannot be written as JSON",
            )
        }
    }
}

/// A question that has no answer, in the same form.
pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    let text = serde_json::to_string(&Document::new(Refused { error: why })).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], text + "\n").into_response()
}
