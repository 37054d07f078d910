//! What every request to Leaf needs, with a token or for one: where to, a place in the line, and when to try again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::counters::Counts;
use super::endpoint::Endpoint;
use super::gate::Gate;
use super::halt::Halt;
use super::wire::Answer;
use crate::clock::Clock;
use crate::rules::pace::{self, RETRIES, Wait};

/// Leaf, and how hard it may be asked.
#[derive(Debug)]
pub(super) struct Upstream {
    endpoint: RwLock<Arc<Endpoint>>,
    pub(super) gate: Gate,
    pub(super) counts: Counts,
    pub(super) clock: Clock,
    random: SystemRandom,
    /// The longest pause before the first retry.
    first_pause: Duration,
}

impl Upstream {
    pub(super) fn new(endpoint: Endpoint, clock: Clock, first_pause: Duration) -> Self {
        Upstream {
            gate: Gate::new(endpoint.limits, clock.clone()),
            endpoint: RwLock::new(Arc::new(endpoint)),
            counts: Counts::default(),
            clock,
            random: SystemRandom::new(),
            first_pause,
        }
    }

    pub(super) fn endpoint(&self) -> Arc<Endpoint> {
        let endpoint = self.endpoint.read();
        endpoint.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks there from the next request on.
    pub(super) fn replace_endpoint(&self, new: Endpoint) {
        let endpoint = self.endpoint.write();
        *endpoint.unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
    }

    /// How long to wait after a fault that may pass; `None` if that was the last try. A 429 pauses everybody.
    pub(super) fn wait_after(
        &self,
        answer: Option<&Answer>,
        endpoint: &Endpoint,
        tries_before: u32,
    ) -> Result<Option<Duration>, Halt> {
        let backoff = pace::backoff(self.first_pause, tries_before, self.random());
        // A server that is no longer asked anything holds nobody up.
        let answer = answer.filter(|_| self.endpoint().base_url == endpoint.base_url);
        let asked = answer.and_then(|answer| {
            let now = answer.leaf_time().unwrap_or_else(|| self.clock.now());
            pace::retry_after(answer.retry_after()?, now)
        });
        let wait = if answer.is_some_and(|answer| answer.status == 429) {
            match pace::after_too_many(asked, backoff) {
                Wait::GiveUp(pause) => return Err(self.gate.close(pause).into()),
                Wait::For(pause) => self.gate.pause(pause),
            }
            Wait::For(backoff)
        } else {
            pace::after_fault(asked, backoff)
        };
        Ok(match wait {
            Wait::For(pause) if tries_before < RETRIES => Some(pause),
            _ => None,
        })
    }

    /// A random number of at least 0 and below 1.
    fn random(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.random.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / 2f64.powi(32),
            // Jitter is a courtesy: without entropy, wait the longest.
            Err(_) => 1.0 - f64::EPSILON,
        }
    }
}
