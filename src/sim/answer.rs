//! Which answer a request gets: token, verb, what is there.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::Json;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, DATE, LINK};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use httpdate::fmt_http_date;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::accounts::Accounts;
use super::event::LoggedAnswer;
use super::grant::GrantAnswer;
use super::login::LoginError;
use super::question::Question;
use crate::model::{Credential, Provider, UserId};

/// A login's body is read up to this many bytes.
const LOGIN_LIMIT: usize = 64 * 1024;

pub(super) async fn answer(
    State(accounts): State<Arc<Mutex<Accounts>>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let question = Question::of(head.uri.path());
    let body = match question {
        Question::Login => to_bytes(body, LOGIN_LIMIT).await.unwrap_or_default(),
        _ => Bytes::new(),
    };
    let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
    let now = accounts.now();
    let mut answer = accounts.answer(question, &head, &body, now);
    if let Ok(time) = SystemTime::try_from(now)
        && let Ok(date) = HeaderValue::from_str(&fmt_http_date(time))
    {
        answer.headers_mut().insert(DATE, date);
    }
    answer
}

impl Accounts {
    fn answer(
        &mut self,
        question: Question,
        head: &Parts,
        body: &[u8],
        now: Timestamp,
    ) -> Response {
        let verb = match question {
            Question::Login => Method::POST,
            _ => Method::GET,
        };
        let token = bearer(head).is_some_and(|token| self.logins.accepts(token, now));
        if !token && question != Question::Login {
            return problem(StatusCode::UNAUTHORIZED, "Not Authenticated");
        }
        if head.method != verb && question != Question::Nothing {
            let problem = problem(StatusCode::METHOD_NOT_ALLOWED, "not served here");
            return ([(ALLOW, verb.as_str())], problem).into_response();
        }
        let found = match question {
            Question::Login => Some(self.log_in(body, now)),
            Question::Users => Some(page_of(&head.uri, self.users.len(), |part| {
                let users = self.users.iter().skip(part.start).take(part.len());
                users.map(|(id, name)| self.user(*id, name)).collect()
            })),
            Question::User(id) => {
                let user = self.users.get(&id).map(|name| self.user(id, name));
                user.map(|user| Json(user).into_response())
            }
            Question::Reading(credential) => self
                .grants
                .get(&credential)
                .map(|grant| Json(GrantAnswer(credential, grant)).into_response()),
            Question::Events(credential) => self.grants.get(&credential).map(|grant| {
                let log = grant.kept_log(now);
                page_of(&head.uri, log.len(), |part| {
                    log[part].iter().map(LoggedAnswer::json).collect()
                })
            }),
            Question::Nothing => None,
        };
        found.unwrap_or_else(|| problem(StatusCode::NOT_FOUND, "404 NOT_FOUND"))
    }

    fn log_in(&mut self, body: &[u8], now: Timestamp) -> Response {
        match self.logins.login(body, now) {
            Ok(token) => Json(json!({ "id_token": token })).into_response(),
            Err(LoginError::WrongPassword) => problem(StatusCode::UNAUTHORIZED, "Bad credentials"),
            Err(LoginError::Malformed) => problem(StatusCode::BAD_REQUEST, "malformed login"),
        }
    }

    /// What the docs show of a user: an empty object for each credential.
    fn user(&self, id: UserId, name: &str) -> Value {
        let of_user = |provider| Credential { user: id, provider };
        let connected =
            Provider::all().filter(|provider| self.grants.contains_key(&of_user(*provider)));
        let mut user: Map<String, Value> = connected
            .map(|provider| (provider.user_key().to_owned(), json!({})))
            .collect();
        user.insert("id".to_owned(), json!(id.0));
        user.insert("name".to_owned(), json!(name));
        let email = format!("{}@growers.example", id.0.as_simple());
        user.insert("email".to_owned(), json!(email));
        for unset in ["phone", "address", "externalId"] {
            user.insert(unset.to_owned(), Value::Null);
        }
        Value::Object(user)
    }
}

/// What stands after `Bearer`.
fn bearer(head: &Parts) -> Option<&str> {
    let authorization = head.headers.get(AUTHORIZATION)?;
    authorization.to_str().ok()?.strip_prefix("Bearer ")
}

/// An error in the form of Leaf's framework: the keys of the one example that its docs ever showed, but the path.
fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({
        "type": "https://www.jhipster.tech/problem/problem-with-message",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "message": format!("error.http.{}", status.as_u16()),
    });
    let kind = [(CONTENT_TYPE, "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

#[derive(Debug, Default, Deserialize)]
struct AskedPage {
    page: Option<usize>,
    size: Option<usize>,
}

/// The part that is asked for of a list of `total`, with the headers that tell of the rest, as in the docs' sample.
fn page_of(uri: &Uri, total: usize, part: impl FnOnce(Range<usize>) -> Vec<Value>) -> Response {
    let Query(asked) = Query::<AskedPage>::try_from_uri(uri).unwrap_or_default();
    let number = asked.page.unwrap_or(0);
    let size = asked.size.unwrap_or(20).clamp(1, 100);
    let first = number.saturating_mul(size).min(total);
    let last_page = total.saturating_sub(1) / size;
    let mut others = Vec::new();
    if number < last_page {
        others.push(("next", number + 1));
    }
    if number > 0 {
        others.push(("prev", number - 1));
    }
    others.extend([("last", last_page), ("first", 0)]);
    let path = uri.path();
    let links: Vec<_> = others
        .into_iter()
        .map(|(rel, page)| format!("<{path}?page={page}&size={size}>; rel=\"{rel}\""))
        .collect();
    let links = [(LINK, links.join(","))];
    let count = [("X-Total-Count", total.to_string())];
    let list = Json(part(first..(first + size).min(total)));
    (links, count, list).into_response()
}
