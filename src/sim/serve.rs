//! The HTTP side: takes a request, lets a fault meet it or the world answer it, and sends the answer its way.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::answer::RawAnswer;
use super::count::{Requests, Traffic};
use super::fault::Fault;
use super::played::{Course, Played};
use super::port::{Calls, Port, Scissors};
use super::question::{Question, Target};
use super::world::World;
use crate::clock::Clock;

/// A login's body is read up to this many bytes.
const LOGIN_LIMIT: usize = 64 * 1024;

/// What the `Date` header says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DateHeader {
    /// The time on Leaf's clock.
    #[default]
    True,
    /// That time, off by this much.
    Off(SignedDuration),
    /// This text.
    Text(String),
}

/// What the handle and every connection share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) traffic: Traffic,
    pub(super) port: Arc<Port>,
    /// Leaf's own clock.
    pub(super) clock: Clock,
    /// How far it is ahead of that one.
    pub(super) ahead: Mutex<SignedDuration>,
    /// Never moved: when requests came.
    pub(super) stopwatch: Clock,
    /// Rung after each request that was decided.
    pub(super) asked: Notify,
    pub(super) base_url: String,
}

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time it is at Leaf.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn requests(&self) -> Requests {
        let world = self.world();
        world.tally.report(&self.traffic, self.port.connections())
    }
}

/// Serves until it is dropped.
pub(super) async fn serve(shared: Arc<Shared>) {
    let calls = Calls(Arc::clone(&shared.port));
    let app = Router::new().fallback(handle).with_state(shared);
    let service = app.into_make_service_with_connect_info::<Scissors>();
    // It ends with its future, never with an error.
    let _ = axum::serve(calls, service).await;
}

/// A request under way.
struct Flight(Arc<Shared>);

impl Flight {
    fn begin(shared: Arc<Shared>) -> Self {
        shared.traffic.began();
        Flight(shared)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.traffic.ended();
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let flight = Flight::begin(Arc::clone(&shared));
    let (head, body) = request.into_parts();
    let target = Target::of(head.uri.path());
    let body = match target {
        Target::Login => to_bytes(body, LOGIN_LIMIT).await.unwrap_or_default(),
        _ => Bytes::new(),
    };
    let token = head.headers.get(AUTHORIZATION);
    let question = Question {
        target,
        method: &head.method,
        uri: &head.uri,
        token: token
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer ")),
        body: &body,
        base_url: &shared.base_url,
    };
    let (answer, date, course) = decide(&shared, &question);
    shared.asked.notify_waiters();
    if let Course::After(pause) = course {
        tokio::time::sleep(pause).await;
    }
    if course == Course::Never {
        pending::<()>().await;
    }
    if course == Course::Cut {
        line.cut();
    }
    if line.is_cut() {
        return Response::new(Body::empty());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = answer.content_type.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(kind)) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    if let Some(date) = date {
        response.headers_mut().insert(DATE, date);
    }
    for (name, value) in &answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    let body = Bytes::from(answer.body);
    *response.body_mut() = match course {
        Course::Whole | Course::After(_) => Body::from(body),
        _ => Body::new(Played::new(body, course, flight)),
    };
    response
}

/// Counts the request and finds its answer, the `Date` header where it is not the web server's own, and the manner.
fn decide(shared: &Shared, question: &Question<'_>) -> (RawAnswer, Option<HeaderValue>, Course) {
    let (kind, credential) = (question.target.kind(), question.target.credential());
    let now = shared.now();
    let mut world = shared.world();
    // Read under the lock, so that the starts stand in order.
    let arrived = shared.stopwatch.monotonic();
    world.tally.asked(kind, credential, arrived);
    if *question.method != Method::GET && question.target != Target::Login {
        world.tally.other_verb();
    }
    let (answer, course) = match world.faults.meet(kind, credential) {
        None => (world.answer(question, now), Course::Whole),
        Some(fault) => meet(&mut world, fault, question, now),
    };
    if !matches!(course, Course::Never | Course::Cut) {
        world.tally.answered(answer.status);
    }
    let date = match (&world.date, &shared.clock) {
        (DateHeader::True, Clock::System { .. }) => None,
        (DateHeader::True, Clock::Movable(_)) => Some(http_date(now)),
        (DateHeader::Off(off), _) => Some(http_date(now + *off)),
        (DateHeader::Text(text), _) => Some(text.clone()),
    };
    let date = date.and_then(|date| HeaderValue::from_str(&date).ok());
    (answer, date, course)
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn meet(
    world: &mut World,
    fault: Fault,
    question: &Question<'_>,
    now: Timestamp,
) -> (RawAnswer, Course) {
    let path = question.uri.path();
    let problem = |status| {
        let title = StatusCode::from_u16(status).ok();
        let title = title.and_then(|status| status.canonical_reason());
        let title = title.unwrap_or("Error");
        RawAnswer::problem(status, title, title, path)
    };
    let waiting = |answer: RawAnswer, retry_after: Option<String>| match retry_after {
        Some(text) => answer.with("Retry-After", text),
        None => answer,
    };
    let answer = match fault {
        Fault::Unauthorized => RawAnswer::unauthorized(path),
        Fault::Forbidden => problem(403),
        Fault::NotFound => RawAnswer::not_found(path),
        Fault::TooMany { retry_after } => {
            let body = r#"{"error":"Request limit exceeded","message":"You have exceeded the limit of requests","status_code":429}"#;
            waiting(RawAnswer::new(429, "application/json", body), retry_after)
        }
        Fault::Unavailable { retry_after } => waiting(problem(503), retry_after),
        Fault::Status(status) => problem(status),
        Fault::Spring(status) => RawAnswer::new(
            status,
            "application/json",
            format!(
                r#"{{"timestamp":"{now:.3}","status":{status},"error":"Error","message":"No message available","path":"{path}"}}"#
            ),
        ),
        Fault::Html(status) => RawAnswer::new(
            status,
            "text/html",
            "<html><head><title>Gateway</title></head><body><h1>Please stand by</h1></body></html>",
        ),
        Fault::Redirect(location) => problem(302).with("Location", location),
        Fault::Garbage => {
            RawAnswer::new(200, "application/json", vec![0, 159, 146, 150, 255, b'{'])
        }
        Fault::EmptyBody => RawAnswer::json(""),
        Fault::Null => RawAnswer::json("null"),
        Fault::EmptyObject => RawAnswer::json("{}"),
        Fault::EmptyArray => RawAnswer::json("[]"),
        Fault::Answer(answer) => answer,
        Fault::HalfJson => {
            let mut answer = world.answer(question, now);
            answer.body.truncate(answer.body.len() / 2);
            answer
        }
        Fault::Slow(pause) => return (world.answer(question, now), Course::After(pause)),
        Fault::Drip { bytes, pause } => {
            return (world.answer(question, now), Course::Drip { bytes, pause });
        }
        Fault::Hang => return (problem(503), Course::Never),
        Fault::Cut => return (problem(503), Course::Cut),
        Fault::HangMidBody => return (world.answer(question, now), Course::HangMidBody),
        Fault::CutMidBody => return (world.answer(question, now), Course::CutMidBody),
        Fault::HugeBody { bytes, announced } => {
            let course = Course::Padded { bytes, announced };
            return (RawAnswer::json(""), course);
        }
    };
    (answer, Course::Whole)
}
