//! The role of the other side: the simulated Leaf, and the mail server.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use leafwatch::clock::Clock;
use leafwatch::model::{Credential, Provider};
use leafwatch::sim::{PASSWORD, Question, SimulatedLeaf, nth_user};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::helper::{commands, say};
use crate::postbox::{self, Accepted};

/// Where the other side is reached.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OtherSide {
    pub(crate) base_url: String,
    pub(crate) password: String,
    pub(crate) smtp_port: u16,
}

/// How often a look is taken at what was asked; a measured time may be short by this much.
pub(crate) const BLINK: Duration = Duration::from_millis(10);

/// Pretends, with `fleet` credentials, until its starter is gone. Commands:
///
/// - `requests`: how many there were;
/// - `forget` and then `first reading`: waits for the first look at a credential since;
/// - `revoke all`;
/// - `revoke N`: the grower with this number; answers with the seconds from the answer that says so to the next
///   accepted mail.
pub(crate) fn play(fleet: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let asked = watch::Sender::default();
        let counting = from_fn_with_state(asked.clone(), count);
        let clock = Clock::system();
        let leaf =
            SimulatedLeaf::start_behind(|leaf| leaf.layer(counting), move || clock.now()).await;
        let leaf = leaf.unwrap();
        leaf.fill(fleet, Provider::JOHN_DEERE);
        let (smtp_port, mut accepted) = postbox::open().await.unwrap();
        say(&OtherSide {
            base_url: leaf.base_url(),
            password: PASSWORD.to_owned(),
            smtp_port,
        });
        // Nothing else runs on this thread, so that reading may block it.
        for command in commands() {
            match command.as_str() {
                "requests" => say(&asked.borrow().total),
                "forget" => {
                    asked.send_replace(Asked::default());
                    say(&());
                }
                "first reading" => {
                    let mut asked = asked.subscribe();
                    asked
                        .wait_for(|asked| !asked.readings.is_empty())
                        .await
                        .unwrap();
                    say(&());
                }
                "revoke all" => {
                    leaf.revoke_all();
                    say(&());
                }
                revoke => {
                    let nth = revoke.strip_prefix("revoke ").unwrap().parse().unwrap();
                    say(&seconds_to_mail(&leaf, &asked, nth, &mut accepted).await);
                }
            }
        }
    });
}

/// What was asked since this was forgotten.
#[derive(Debug, Default)]
struct Asked {
    total: u64,
    /// How often for which credential.
    readings: HashMap<Credential, u64>,
}

impl Asked {
    fn readings(&self, credential: Credential) -> u64 {
        self.readings.get(&credential).copied().unwrap_or(0)
    }
}

async fn count(
    State(asked): State<watch::Sender<Asked>>,
    request: Request,
    next: Next,
) -> Response {
    let question = Question::of(request.uri().path());
    asked.send_modify(|asked| {
        asked.total += 1;
        if let Question::Reading(credential) = question {
            *asked.readings.entry(credential).or_default() += 1;
        }
    });
    next.run(request).await
}

async fn seconds_to_mail(
    leaf: &SimulatedLeaf,
    asked: &watch::Sender<Asked>,
    nth: u64,
    accepted: &mut Accepted,
) -> f64 {
    let credential = Credential {
        user: nth_user(nth),
        provider: Provider::JOHN_DEERE,
    };
    while accepted.try_recv().is_ok() {}
    let before = asked.borrow().readings(credential);
    leaf.revoke(credential);
    while asked.borrow().readings(credential) == before {
        tokio::time::sleep(BLINK).await;
    }
    let answered = Clock::system();
    accepted.recv().await.unwrap();
    answered.monotonic().as_secs_f64()
}
