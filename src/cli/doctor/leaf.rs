//! Leaf: the login, one credential, and how far our clock is off.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::Patience;
use crate::clock::Clock;
use crate::config::Config;
use crate::leaf::{Class, Client, Halt};
use crate::model::{Answer, NoAnswer, Outcome};
use crate::view::doctor::Finding;
use crate::view::words;

/// Clocks may differ by this much: ages of events and waits are measured in minutes.
const SKEW: Duration = Duration::from_secs(60);

pub(super) struct Leaf<'a> {
    config: &'a Config,
    clock: &'a Clock,
    /// Logged in.
    client: Option<Client>,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(config: &'a Config, clock: &'a Clock) -> Self {
        Leaf {
            config,
            clock,
            client: None,
        }
    }

    pub(super) async fn login(&mut self, patience: Patience) -> Finding {
        const CHECK: &str = "Leaf login";
        let base = &self.config.leaf.base_url;
        if super::lacks_secret(self.config, "leaf.") {
            return Finding::skipped(CHECK, "not tried without its secret");
        }
        // The prints of client keys are not kept, so any key does.
        let (leaf, clock) = (&self.config.leaf, self.clock.clone());
        let client = match Client::new(leaf, [0; 32], clock, patience.first_pause) {
            Ok(client) => client,
            Err(error) => {
                let found = format!("cannot set up the HTTP client: {error}");
                return Finding::wrong(CHECK, found, "check the certificates of this machine");
            }
        };
        match client.login().await {
            Ok(()) => {
                self.client = Some(client);
                Finding::ok(CHECK, format!("there is a token for {base}"))
            }
            Err(halt) => Finding::wrong(CHECK, self.said(&halt), advice(&halt)),
        }
    }

    fn said(&self, halt: &Halt) -> String {
        match halt {
            Halt::Paused { until, .. } => {
                let zone = &self.config.policy.schedules.zone;
                format!("Leaf asked us to wait until {}", words::time(*until, zone))
            }
            other => other.to_string(),
        }
    }

    /// One credential, and what its answer says of our clock.
    pub(super) async fn credential(&self) -> Vec<Finding> {
        const CHECK: &str = "one credential";
        let Some(client) = &self.client else {
            return vec![Finding::skipped(CHECK, "not asked without a login")];
        };
        let Some(credential) = self.config.watch.credentials().next() else {
            return vec![Finding::wrong(
                CHECK,
                "nobody is watched",
                "write users into [[watch.users]] or watch.users_file",
            )];
        };
        let user = self.config.watch.user(credential.user);
        let name = user.and_then(|user| user.name.as_deref().map(str::to_owned));
        let name = name.unwrap_or_else(|| credential.user.to_string());
        let who = words::credential(&name, credential.provider);
        let look = match client.read(credential, Class::Status).await {
            Ok(look) => look,
            Err(halt) => {
                return vec![Finding::wrong(
                    CHECK,
                    format!("{who}: {}", self.said(&halt)),
                    advice(&halt),
                )];
            }
        };
        let mut findings = vec![match look.outcome {
            Outcome::Answer(Answer::Reading(reading)) => {
                let word = reading.status.as_deref().unwrap_or("no status word");
                Finding::ok(CHECK, format!("{who}: Leaf says {word}"))
            }
            Outcome::Answer(Answer::Missing) => Finding::ok(
                CHECK,
                format!("{who}: Leaf answers, and has no such connection"),
            ),
            Outcome::None(why, detail) => Finding::wrong(
                CHECK,
                format!("{who}: {detail}"),
                match why {
                    NoAnswer::Denied => "ask Leaf whether this login may see that user",
                    NoAnswer::Later => "try again later; where it stays so, ask Leaf",
                    NoAnswer::Broken => "ask Leaf: this is no answer that its documentation has",
                },
            ),
        }];
        findings.extend(look.leaf_time.map(|leaf| clock(leaf, self.clock.now())));
        findings
    }
}

fn advice(halt: &Halt) -> &'static str {
    match halt {
        Halt::LoginRefused(_) => {
            "check leaf.username and what is in leaf.password_file (or leaf.token_file)"
        }
        Halt::LoginUnreachable(_) => {
            "check leaf.base_url, DNS and the firewall; where they are right, Leaf itself is away"
        }
        Halt::Paused { .. } => "wait until then",
    }
}

/// Leaf's `Date` header has whole seconds.
fn clock(leaf: Timestamp, ours: Timestamp) -> Finding {
    const CHECK: &str = "clock";
    let off = ours.duration_since(leaf);
    let length = off.unsigned_abs();
    if length <= SKEW {
        return Finding::ok(CHECK, "agrees with Leaf's to a minute");
    }
    let side = if off.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    Finding::wrong(
        CHECK,
        format!("ours is {} {side} Leaf's", words::duration(length)),
        "set it and keep it set: timedatectl set-ntp true",
    )
}
