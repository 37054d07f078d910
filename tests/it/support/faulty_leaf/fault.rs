//! Faults on command: what goes wrong, for which requests, and how often.

use std::future::pending;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use leafwatch::model::Credential;
use leafwatch::sim::Question;
use serde_json::json;
use tokio::time::sleep;

use super::Flight;
use super::body::Played;
use crate::support::leaf::Act;

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    All,
    AllButLogin,
    Logins,
    Readings,
    ReadingsOf(Credential),
    Events,
    EventsOf(Credential),
    /// Both readings and events of one credential.
    Credential(Credential),
}

impl Scope {
    fn meets(self, asked: Question) -> bool {
        match self {
            Scope::All => true,
            Scope::AllButLogin => asked != Question::Login,
            Scope::Logins => asked == Question::Login,
            Scope::Readings => matches!(asked, Question::Reading(_)),
            Scope::ReadingsOf(credential) => asked == Question::Reading(credential),
            Scope::Events => matches!(asked, Question::Events(_)),
            Scope::EventsOf(credential) => asked == Question::Events(credential),
            Scope::Credential(credential) => {
                Scope::ReadingsOf(credential).meets(asked)
                    || Scope::EventsOf(credential).meets(asked)
            }
        }
    }
}

/// Which of the requests met go wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    skip: u32,
    every: u32,
    times: u32,
}

impl When {
    /// All, until lifted.
    pub(crate) fn always() -> Self {
        When {
            skip: 0,
            every: 1,
            times: u32::MAX,
        }
    }

    pub(crate) fn next(times: u32) -> Self {
        When {
            times,
            ..When::always()
        }
    }

    /// The `k`-th, the `2k`-th and so on, until lifted.
    pub(crate) fn every(k: u32) -> Self {
        When {
            every: k,
            ..When::always()
        }
    }

    /// Lets `skip` requests through first: in the middle of a sweep.
    pub(crate) fn after(self, skip: u32) -> Self {
        When { skip, ..self }
    }
}

/// An answer that replaces the right one.
#[derive(Debug, Clone)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Vec<u8>,
}

impl RawAnswer {
    /// 200 with this text, said to be JSON.
    pub(crate) fn json(body: &str) -> Self {
        RawAnswer::new(200, "application/json", body)
    }

    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        RawAnswer {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An error in the form of Leaf's framework.
    fn problem(status: u16) -> Self {
        let title = StatusCode::from_u16(status).unwrap().canonical_reason();
        let body = json!({ "title": title, "status": status, "detail": title });
        RawAnswer::new(status, "application/problem+json", body.to_string())
    }

    pub(crate) fn with(mut self, name: HeaderName, value: Option<String>) -> Self {
        self.headers.extend(value.map(|value| (name, value)));
        self
    }
}

impl IntoResponse for RawAnswer {
    fn into_response(self) -> Response {
        let mut answer = (
            StatusCode::from_u16(self.status).unwrap(),
            [(CONTENT_TYPE, self.content_type)],
            self.body,
        )
            .into_response();
        for (name, value) in self.headers {
            answer.headers_mut().append(name, value.parse().unwrap());
        }
        answer
    }
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Any status with a problem body.
    Status(u16),
    /// 429 with the body that Leaf once drafted, and `Retry-After` as it is sent: seconds, a date, nonsense.
    TooMany {
        retry_after: Option<String>,
    },
    /// 503 with a problem body.
    Unavailable {
        retry_after: Option<String>,
    },
    /// Any status with Spring's default error body.
    Spring(u16),
    /// Any status with an HTML page for a body, as gateways send it.
    Html(u16),
    /// A redirect to this location.
    Redirect(String),
    /// The right answer, late.
    Slow(Duration),
    /// The right answer, a few bytes at a time, with a pause before each.
    Drip {
        bytes: usize,
        pause: Duration,
    },
    /// No answer, ever, on a connection that stays open.
    Hang,
    /// Half of the right answer, then nothing, on a connection that stays open.
    HangMidBody,
    /// The connection ends before the answer.
    Cut,
    /// The connection ends in the middle of the body.
    CutMidBody,
    /// 200 with a JSON object of about this many bytes; whether `Content-Length` says so beforehand.
    HugeBody {
        bytes: usize,
        announced: bool,
    },
    /// 200 with bytes that are no text.
    Garbage,
    /// 200 with the first half of the right answer, as if it were whole.
    HalfJson,
    Answer(RawAnswer),
    /// The right answer about another credential.
    AnswerAbout(Credential),
}

impl Fault {
    pub(super) async fn meets(self, request: Request, next: Next, flight: Flight) -> Response {
        let path = request.uri().path().to_owned();
        let raw = match self {
            Fault::Status(status) => RawAnswer::problem(status),
            Fault::TooMany { retry_after } => {
                let body = r#"{"error":"Request limit exceeded","message":"You have exceeded the limit of requests","status_code":429}"#;
                RawAnswer::new(429, "application/json", body).with(RETRY_AFTER, retry_after)
            }
            Fault::Unavailable { retry_after } => {
                RawAnswer::problem(503).with(RETRY_AFTER, retry_after)
            }
            Fault::Spring(status) => {
                let body = json!({
                    "timestamp": "2026-03-02T08:00:00.000Z", "status": status, "error": "Error",
                    "message": "No message available", "path": path,
                });
                RawAnswer::new(status, "application/json", body.to_string())
            }
            Fault::Html(status) => RawAnswer::new(
                status,
                "text/html",
                "<html><head><title>Gateway</title></head><body><h1>Please stand by</h1></body></html>",
            ),
            Fault::Redirect(location) => RawAnswer::problem(302).with(LOCATION, Some(location)),
            Fault::Garbage => {
                RawAnswer::new(200, "application/json", [0, 159, 146, 150, 255, b'{'])
            }
            Fault::HugeBody { bytes, announced } => {
                let body = format!(
                    "{{\"status\":\"OK\",\"padding\":\"{}\"}}",
                    "a".repeat(bytes)
                );
                let length = announced.then_some(body.len());
                let answer = RawAnswer::json("").into_response();
                return played(answer, length, [Act::Send(body.into())], flight);
            }
            Fault::Answer(answer) => answer,
            Fault::AnswerAbout(other) => return next.run(about(other, request)).await,
            Fault::Slow(pause) => {
                let right = next.run(request).await;
                sleep(pause).await;
                return right;
            }
            Fault::Hang => pending().await,
            Fault::Cut => return played(Response::default(), None, [Act::Close], flight),
            Fault::Drip { bytes, pause } => {
                let (right, body) = taken_apart(next.run(request).await).await;
                let drops = body.chunks(bytes).map(|drop| Act::Send(drop.to_vec()));
                let acts = drops.flat_map(|drop| [Act::Wait(pause), drop]);
                return played(right, Some(body.len()), acts, flight);
            }
            Fault::HangMidBody => {
                let (right, body) = taken_apart(next.run(request).await).await;
                return played(right, Some(body.len()), [half(&body), Act::Hang], flight);
            }
            Fault::CutMidBody => {
                let (right, body) = taken_apart(next.run(request).await).await;
                // The pause lets what was said go out before the connection ends.
                let breath = Act::Wait(Duration::from_millis(5));
                let acts = [half(&body), breath, Act::Close];
                return played(right, Some(body.len()), acts, flight);
            }
            Fault::HalfJson => {
                let (right, body) = taken_apart(next.run(request).await).await;
                return played(right, Some(body.len() / 2), [half(&body)], flight);
            }
        };
        raw.into_response()
    }
}

/// An answer without its body, and the body.
async fn taken_apart(answer: Response) -> (Response, Bytes) {
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(head, Body::empty()), body)
}

fn half(body: &Bytes) -> Act {
    Act::Send(body[..body.len() / 2].to_vec())
}

/// The answer with another body, of this length where it is announced.
fn played(
    mut answer: Response,
    length: Option<usize>,
    acts: impl IntoIterator<Item = Act>,
    flight: Flight,
) -> Response {
    if let Some(length) = length {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *answer.body_mut() = Body::new(Played::new(acts, flight));
    answer
}

/// The same request as if another credential were asked for.
fn about(other: Credential, mut request: Request) -> Request {
    let path = request.uri().path();
    let users = path.find("/users/").unwrap() + "/users/".len();
    let uri = format!("{}{}/{}", &path[..users], other.user, other.provider.path());
    *request.uri_mut() = uri.parse().unwrap();
    request
}

/// Names a fault, to lift it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaultId(u64);

/// The faults that stand.
#[derive(Debug, Default)]
pub(super) struct Faults {
    standing: Vec<Standing>,
    given: u64,
}

#[derive(Debug)]
struct Standing {
    id: FaultId,
    scope: Scope,
    when: When,
    met: u32,
    fault: Fault,
}

impl Faults {
    pub(super) fn add(&mut self, scope: Scope, fault: Fault, when: When) -> FaultId {
        self.given += 1;
        let id = FaultId(self.given);
        self.standing.push(Standing {
            id,
            scope,
            when,
            met: 0,
            fault,
        });
        id
    }

    pub(super) fn lift(&mut self, id: FaultId) {
        self.standing.retain(|standing| standing.id != id);
    }

    pub(super) fn lift_all(&mut self) {
        self.standing.clear();
    }

    /// The fault that meets this request: the newest, where several do. Each counts the requests that reach it.
    pub(super) fn meet(&mut self, asked: Question) -> Option<Fault> {
        let at = self
            .standing
            .iter_mut()
            .rposition(|standing| standing.scope.meets(asked) && standing.strikes())?;
        let struck = &mut self.standing[at];
        let fault = struck.fault.clone();
        struck.when.times -= 1;
        if struck.when.times == 0 {
            self.standing.remove(at);
        }
        Some(fault)
    }
}

impl Standing {
    fn strikes(&mut self) -> bool {
        self.met += 1;
        self.met > self.when.skip && (self.met - self.when.skip).is_multiple_of(self.when.every)
    }
}

mod tests {
    use leafwatch::model::Provider;
    use leafwatch::sim::nth_user;

    use super::*;

    fn met(faults: &mut Faults, requests: usize) -> Vec<bool> {
        (0..requests)
            .map(|_| faults.meet(Question::Users).is_some())
            .collect()
    }

    #[test]
    fn a_fault_strikes_as_often_as_told() {
        let cases = [
            (When::always(), [true, true, true, true, true, true]),
            (When::next(2), [true, true, false, false, false, false]),
            (When::every(3), [false, false, true, false, false, true]),
            (
                When::next(1).after(2),
                [false, false, true, false, false, false],
            ),
            (
                When::every(2).after(1),
                [false, false, true, false, true, false],
            ),
        ];
        for (when, expected) in cases {
            let mut faults = Faults::default();
            faults.add(Scope::All, Fault::Status(403), when);
            assert_eq!(met(&mut faults, 6), expected, "{when:?}");
        }
    }

    #[test]
    fn the_newest_fault_wins_and_lifting_it_shows_the_older() {
        let mut faults = Faults::default();
        faults.add(Scope::All, Fault::Status(403), When::always());
        let newer = faults.add(Scope::All, Fault::Hang, When::always());
        assert!(matches!(faults.meet(Question::Users), Some(Fault::Hang)));
        faults.lift(newer);
        let older = faults.meet(Question::Users);
        assert!(matches!(older, Some(Fault::Status(403))), "{older:?}");
        faults.lift_all();
        assert!(faults.meet(Question::Users).is_none());
    }

    #[test]
    fn a_scope_meets_only_its_own_requests() {
        let ours = Credential {
            user: nth_user(1),
            provider: Provider::JOHN_DEERE,
        };
        let other = Credential {
            user: nth_user(2),
            ..ours
        };
        assert!(Scope::Credential(ours).meets(Question::Events(ours)));
        assert!(!Scope::Credential(ours).meets(Question::Events(other)));
        assert!(!Scope::Credential(ours).meets(Question::Login));
        assert!(!Scope::AllButLogin.meets(Question::Login));
        assert!(Scope::AllButLogin.meets(Question::Nothing));
        assert!(!Scope::EventsOf(ours).meets(Question::Reading(ours)));
    }
}
