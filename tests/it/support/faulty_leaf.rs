//! The simulated Leaf as tests have it: behind the faults that they lay over it, with a count of what was asked.

mod body;
mod fault;

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::DATE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use leafwatch::clock::Clock;
use leafwatch::model::Credential;
use leafwatch::sim::{Question, SimulatedLeaf};
use tokio::sync::watch;

use fault::Faults;
pub(crate) use fault::{Fault, FaultId, RawAnswer, Scope, When};

#[derive(Clone)]
pub(crate) struct FaultyLeaf {
    leaf: SimulatedLeaf,
    front: Arc<Front>,
}

/// What lies over it, and sees every request first.
struct Front {
    faults: Mutex<Faults>,
    requests: watch::Sender<Requests>,
    clock: Clock,
    /// How far Leaf's clock is ahead of that one.
    ahead: Mutex<SignedDuration>,
}

/// What was asked so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    pub(crate) total: u64,
    pub(crate) logins: u64,
    pub(crate) readings: u64,
    pub(crate) events: u64,
    /// One that its client gave up counts until its connection is seen to be closed.
    pub(crate) in_flight: usize,
    pub(crate) max_in_flight: usize,
}

impl Deref for FaultyLeaf {
    type Target = SimulatedLeaf;

    fn deref(&self) -> &SimulatedLeaf {
        &self.leaf
    }
}

impl FaultyLeaf {
    /// One that goes by this clock.
    pub(crate) async fn start(clock: Clock) -> FaultyLeaf {
        let front = Arc::new(Front {
            faults: Mutex::default(),
            requests: watch::Sender::default(),
            clock,
            ahead: Mutex::default(),
        });
        let layer = from_fn_with_state(front.clone(), meet);
        let time = front.clone();
        let leaf = SimulatedLeaf::start_behind(|leaf| leaf.layer(layer), move || time.now()).await;
        FaultyLeaf {
            leaf: leaf.unwrap(),
            front,
        }
    }

    /// Leaf's clock goes further ahead of the one that it goes by.
    pub(crate) fn runs_ahead(&self, by: SignedDuration) {
        *self.front.ahead.lock().unwrap() += by;
    }

    /// Leaf says this status word, or none.
    pub(crate) fn set_status(&self, credential: Credential, word: Option<&str>) {
        let word = word.map(|word| word.to_owned().into());
        self.change(credential, |grant| grant.status = word);
    }

    pub(crate) fn set_status_of_all(&self, word: &str) {
        self.change_all(|grant| grant.status = Some(word.to_owned().into()));
    }

    pub(crate) fn set_environment(&self, credential: Credential, word: Option<&str>) {
        let word = word.map(|word| word.to_owned().into());
        self.change(credential, |grant| grant.consent.environment = word);
    }

    /// What must never be seen whole outside an answer; secrets hold [`leafwatch::sim::SECRET_MARK`], and these do not.
    pub(crate) fn client_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.change_all(|grant| keys.push(grant.consent.client_key.to_string()));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Lets something go wrong. Where several faults meet a request, the newest does.
    pub(crate) fn fault(&self, scope: Scope, fault: Fault, when: When) -> FaultId {
        self.front.faults.lock().unwrap().add(scope, fault, when)
    }

    pub(crate) fn lift(&self, fault: FaultId) {
        self.front.faults.lock().unwrap().lift(fault);
    }

    /// Ends all faults; a Leaf that went away stays away.
    pub(crate) fn heal(&self) {
        self.front.faults.lock().unwrap().lift_all();
    }

    pub(crate) fn requests(&self) -> Requests {
        self.front.requests.borrow().clone()
    }

    /// Begins to count anew; what is under way stays counted as such.
    pub(crate) fn forget_requests(&self) {
        self.front.requests.send_modify(|requests| {
            *requests = Requests {
                in_flight: requests.in_flight,
                max_in_flight: requests.in_flight,
                ..Requests::default()
            };
        });
    }

    /// Waits until what was asked is as `enough` wants it. It waits for ever where that never comes: put a time limit
    /// round it.
    pub(crate) async fn until(&self, enough: impl FnMut(&Requests) -> bool) -> Requests {
        let mut requests = self.front.requests.subscribe();
        requests.wait_for(enough).await.unwrap().clone()
    }
}

impl Front {
    fn now(&self) -> Timestamp {
        self.clock.now() + *self.ahead.lock().unwrap()
    }
}

/// A request under way.
struct Flight(Arc<Front>);

impl Flight {
    fn begins(front: Arc<Front>, question: Question) -> Flight {
        front.requests.send_modify(|requests| {
            requests.total += 1;
            match question {
                Question::Login => requests.logins += 1,
                Question::Reading(_) => requests.readings += 1,
                Question::Events(_) => requests.events += 1,
                Question::Users | Question::User(_) | Question::Nothing => {}
            }
            requests.in_flight += 1;
            requests.max_in_flight = requests.max_in_flight.max(requests.in_flight);
        });
        Flight(front)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let requests = &self.0.requests;
        requests.send_modify(|requests| requests.in_flight -= 1);
    }
}

async fn meet(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let question = Question::of(request.uri().path());
    let flight = Flight::begins(front.clone(), question);
    let fault = front.faults.lock().unwrap().meet(question);
    let Some(fault) = fault else {
        return next.run(request).await;
    };
    let date = front
        .now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let mut answer = fault.meets(request, next, flight).await;
    let date = HeaderValue::from_str(&date).unwrap();
    answer.headers_mut().insert(DATE, date);
    answer
}
