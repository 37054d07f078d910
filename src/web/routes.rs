//! The addresses of the site, and how what is written in them is read.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::frame::{html, refusal};
use super::guard::{self, Sight};
use super::readers::NoAnswer;
use super::site::{Asked, Shared};
use super::{api, credential, health, incident, incidents, metrics, metrics_text, overview};
use crate::config::Config;
use crate::model::{Credential, CredentialId, IncidentId, Kind, Provider};
use crate::store::{self, Pick, Wanted};

const STYLE: &str = include_str!("templates/style.css");
const SCRIPT: &str = include_str!("templates/page.js");
const ICON: &str = include_str!("templates/icon.svg");

/// Everything that can be asked for.
pub(super) fn all(shared: Arc<Shared>) -> Router {
    let open = Router::new()
        .route("/healthz", get(healthz))
        .route("/style.css", get(|| async { file("text/css", STYLE) }))
        .route(
            "/page.js",
            get(|| async { file("text/javascript", SCRIPT) }),
        )
        .route("/icon.svg", get(|| async { file("image/svg+xml", ICON) }));
    let counts = Router::new()
        .route("/", get(first_page))
        .route("/metrics", get(scrape))
        .route("/api/v1/status", get(status))
        .route_layer(middleware::from_fn(needs_counts));
    let whole = Router::new()
        .route("/login", get(|| async { Redirect::to("/") }))
        .route("/incidents", get(incidents_page))
        .route("/incidents/{number}", get(incident_page))
        .route("/credentials/{user}/{provider}", get(credential_page))
        .route("/api/v1/credentials", get(credentials))
        .route("/api/v1/credentials/{user}/{provider}", get(explanation))
        .route("/api/v1/incidents", get(incident_list))
        .route("/api/v1/deliveries", get(delivery_list))
        .route_layer(middleware::from_fn(needs_all));
    open.merge(counts)
        .merge(whole)
        .fallback(|| async { nowhere() })
        .layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}

/// What a handler gets from the guard.
type Seen = (State<Arc<Shared>>, Extension<Arc<Config>>);

async fn needs_counts(
    Extension(sight): Extension<Sight>,
    request: axum::extract::Request,
    next: middleware::Next,
) -> Response {
    match sight {
        Sight::Nothing => guard::ask_password(),
        Sight::All | Sight::Counts => next.run(request).await,
    }
}

async fn needs_all(
    Extension(sight): Extension<Sight>,
    Extension(config): Extension<Arc<Config>>,
    request: axum::extract::Request,
    next: middleware::Next,
) -> Response {
    match sight {
        Sight::All => next.run(request).await,
        _ if config.web.password.is_some() => guard::ask_password(),
        _ => refusal(
            StatusCode::FORBIDDEN,
            "Only counts are shown here; names need web.password_file in the config.",
        ),
    }
}

/// What is asked for in the address of the overview and of `/api/v1/credentials`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    name: String,
    provider: String,
    kind: String,
    tag: String,
    after: String,
    limit: String,
}

impl Search {
    /// What is not understood is told, and not left out: a filter that filters nothing misleads.
    fn query(&self) -> Result<overview::CredentialsQuery, String> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let provider = match some(&self.provider) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| format!("no provider {text:?}"))?),
        };
        let pick = match some(&self.kind).as_deref() {
            None => None,
            Some("trouble") => Some(Pick::Trouble),
            Some("suspected") => Some(Pick::Suspected),
            Some(text) => match text.parse::<Kind>() {
                Ok(kind) if kind.is_of_a_credential() => Some(Pick::Kind(kind)),
                _ => return Err(format!("no kind of trouble {text:?}")),
            },
        };
        let after = match some(&self.after) {
            None => None,
            Some(text) => match text.parse() {
                Ok(number) => Some(CredentialId(number)),
                Err(_) => return Err(format!("no page after {text:?}")),
            },
        };
        let wanted = Wanted {
            name: some(&self.name).unwrap_or_default(),
            provider,
            pick,
            tag: some(&self.tag),
        };
        Ok(overview::CredentialsQuery { wanted, after })
    }
}

async fn first_page(
    seen: Seen,
    Extension(sight): Extension<Sight>,
    Query(search): Query<Search>,
) -> Response {
    if sight == Sight::Counts {
        return page(seen, |asked| overview::summary(asked).map(Some)).await;
    }
    match search.query() {
        Ok(query) => page(seen, move |asked| overview::page(asked, &query).map(Some)).await,
        Err(why) => refusal(StatusCode::BAD_REQUEST, &format!("There is {why}.")),
    }
}

#[derive(Debug, Deserialize)]
struct Before {
    before: Option<i64>,
}

async fn incidents_page(seen: Seen, Query(Before { before }): Query<Before>) -> Response {
    page(seen, move |asked| {
        incidents::page(asked, before.map(IncidentId)).map(Some)
    })
    .await
}

async fn incident_page(seen: Seen, Path(number): Path<String>) -> Response {
    match number.parse() {
        Ok(number) => page(seen, move |asked| incident::page(asked, IncidentId(number))).await,
        Err(_) => nowhere(),
    }
}

#[derive(Debug, Deserialize)]
struct Days {
    days: Option<i64>,
}

async fn credential_page(
    seen: Seen,
    Path(path): Path<(String, String)>,
    Query(Days { days }): Query<Days>,
) -> Response {
    match named(&path) {
        Some(credential) => {
            page(seen, move |asked| credential::page(asked, credential, days)).await
        }
        None => nowhere(),
    }
}

fn named((user, provider): &(String, String)) -> Option<Credential> {
    Some(Credential {
        user: user.parse().ok()?,
        provider: provider.parse::<Provider>().ok()?,
    })
}

async fn status(seen: Seen, Extension(sight): Extension<Sight>) -> Response {
    json(seen, move |asked| api::status(asked, sight).map(Some)).await
}

async fn credentials(seen: Seen, Query(search): Query<Search>) -> Response {
    let limit = match search.limit.as_str() {
        "" => Some(api::USUAL),
        text => text
            .parse()
            .ok()
            .filter(|limit| (1..=api::MOST).contains(limit)),
    };
    match (search.query(), limit) {
        (Ok(query), Some(limit)) => {
            json(seen, move |asked| {
                api::credentials(asked, &query, limit).map(Some)
            })
            .await
        }
        (Err(why), _) => api::refused(StatusCode::BAD_REQUEST, &why),
        (_, None) => api::refused(
            StatusCode::BAD_REQUEST,
            &format!("limit is a number from 1 to {}", api::MOST),
        ),
    }
}

async fn explanation(seen: Seen, Path(path): Path<(String, String)>) -> Response {
    match named(&path) {
        Some(credential) => json(seen, move |asked| api::credential(asked, credential)).await,
        None => api::refused(StatusCode::NOT_FOUND, "no such credential"),
    }
}

async fn incident_list(seen: Seen, Query(period): Query<api::Period>) -> Response {
    json(seen, move |asked| api::incidents(asked, &period).map(Some)).await
}

async fn delivery_list(seen: Seen, Query(period): Query<api::Period>) -> Response {
    json(seen, move |asked| api::deliveries(asked, &period).map(Some)).await
}

async fn scrape(
    (State(shared), Extension(config)): Seen,
    Extension(sight): Extension<Sight>,
    headers: HeaderMap,
) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let open = accepts.is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let scraped = shared
        .ask_from_reserve(config, move |asked| metrics::scrape(asked, sight))
        .await;
    match scraped {
        Ok(text) if open => file(metrics_text::OPEN_METRICS, text),
        Ok(text) => file(metrics_text::PROMETHEUS, metrics_text::plain(&text)),
        Err(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, &no_answer(&why)),
    }
}

async fn healthz((State(shared), Extension(config)): Seen) -> Response {
    let since = health::overdue_since(shared.clock.now());
    let overdue = shared
        .ask_from_reserve(config.clone(), move |asked| asked.tx.overdue_notices(since))
        .await;
    let health = health::look(
        &shared.vitals,
        &shared.clock,
        shared.started,
        &config.policy.schedules,
        config.leaf.timeout,
        overdue.map_err(|why| no_answer(&why)),
    );
    let status = match health.is_well() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (
        status,
        file("text/plain; charset=utf-8", health.to_string()),
    )
        .into_response()
}

/// Makes a page of HTML; none where there is no such thing.
async fn page<P: askama::Template + Send + 'static>(
    (State(shared), Extension(config)): Seen,
    make: impl FnOnce(&Asked<'_>) -> store::Result<Option<P>> + Send + 'static,
) -> Response {
    // Rendered where it was read, on the threads that give way to everything else.
    let made = shared
        .ask(
            config,
            move |asked| Ok(make(asked)?.map(|page| html(&page))),
        )
        .await;
    match made {
        Ok(Some(page)) => page,
        Ok(None) => nowhere(),
        Err(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, &no_answer(&why)),
    }
}

async fn json(
    (State(shared), Extension(config)): Seen,
    make: impl FnOnce(&Asked<'_>) -> store::Result<Option<Response>> + Send + 'static,
) -> Response {
    match shared.ask(config, make).await {
        Ok(Some(document)) => document,
        Ok(None) => api::refused(StatusCode::NOT_FOUND, "no such credential"),
        Err(why) => api::refused(StatusCode::SERVICE_UNAVAILABLE, &no_answer(&why)),
    }
}

/// What to tell of a failed question; the particulars are the log's.
fn no_answer(why: &NoAnswer) -> String {
    if let NoAnswer::Store(error) = why {
        tracing::warn!("a page could not be answered: {error}");
    }
    format!("No answer: {why}.")
}

fn nowhere() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        "There is no such page. What is no longer kept has none either.",
    )
}

fn file(kind: &'static str, text: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}
