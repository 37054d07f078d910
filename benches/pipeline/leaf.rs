//! The role of the other side: the simulated Leaf, and the mail server.

use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::model::{Credential, Provider};
use leafwatch::sim::{Leaf, RequestKind, nth_user};
use serde::{Deserialize, Serialize};

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
        let leaf = Leaf::start().await.unwrap();
        leaf.fill(fleet, Provider::JOHN_DEERE);
        let (smtp_port, mut accepted) = postbox::open().await.unwrap();
        say(&OtherSide {
            base_url: leaf.base_url(),
            password: leaf.login_rules().password,
            smtp_port,
        });
        // Nothing else runs on this thread, so that reading may block it.
        for command in commands() {
            match command.as_str() {
                "requests" => say(&leaf.requests().total),
                "forget" => {
                    leaf.forget_requests();
                    say(&());
                }
                "first reading" => {
                    leaf.until(|seen| seen.of(RequestKind::Reading) > 0).await;
                    say(&());
                }
                "revoke all" => {
                    leaf.revoke_all();
                    say(&());
                }
                revoke => {
                    let nth = revoke.strip_prefix("revoke ").unwrap().parse().unwrap();
                    say(&seconds_to_mail(&leaf, nth, &mut accepted).await);
                }
            }
        }
    });
}

async fn seconds_to_mail(leaf: &Leaf, nth: u64, accepted: &mut Accepted) -> f64 {
    let credential = Credential {
        user: nth_user(nth),
        provider: Provider::JOHN_DEERE,
    };
    while accepted.try_recv().is_ok() {}
    let before = leaf.requests().asked(credential).readings;
    leaf.revoke(credential);
    while leaf.requests().asked(credential).readings == before {
        tokio::time::sleep(BLINK).await;
    }
    let answered = Clock::system();
    accepted.recv().await.unwrap();
    answered.monotonic().as_secs_f64()
}
