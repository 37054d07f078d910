//! One request with all that belongs to it: a token, a place in the line, the try itself, and what it means.

use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::client::{Fault, Halt};
use super::counters::{Counts, count};
use super::decode;
use super::gate::{Gate, Lane, Limits};
use super::session::Session;
use super::settings::{Base, BuildError, Settings};
use super::wire::{self, Answer, MOST_BYTES, Sent};
use crate::clock::Clock;
use crate::model::{self, NoAnswer, Outcome};
use crate::rules::pace::{self, RETRIES, Wait};

const API: &str = "/services/usermanagement/api";

/// What all clones of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    live: RwLock<Arc<Live>>,
    pub(super) gate: Gate,
    pub(super) session: Session,
    pub(super) counts: Counts,
    pub(super) fingerprint_key: hmac::Key,
    random: SystemRandom,
    pub(super) clock: Clock,
}

/// The settings in use, and the connections that belong to them.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) settings: Settings,
    pub(super) base: Base,
    pub(super) http: reqwest::Client,
}

impl Live {
    pub(super) fn new(settings: Settings) -> Result<Self, BuildError> {
        let base = Base::parse(&settings.base_url)?;
        let http = wire::pool(&settings, &base)?;
        Ok(Live {
            settings,
            base,
            http,
        })
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            per_second: self.settings.max_requests_per_second,
            in_flight: self.settings.max_in_flight,
        }
    }
}

/// What one try came to.
pub(super) enum Attempt {
    /// A 200 that was received whole, or a 404.
    Answer(Answer),
    /// No answer, and no use to try again now.
    Nothing { why: NoAnswer, words: String },
    /// A fault that may pass.
    Again { pause: Duration },
}

impl Shared {
    pub(super) fn new(live: Live, fingerprint_key: [u8; 32], clock: Clock) -> Self {
        Shared {
            gate: Gate::new(live.limits(), clock.clone()),
            session: Session::new(clock.clone()),
            live: RwLock::new(Arc::new(live)),
            counts: Counts::default(),
            fingerprint_key: hmac::Key::new(hmac::HMAC_SHA256, &fingerprint_key),
            random: SystemRandom::new(),
            clock,
        }
    }

    /// Uses `live` from the next request on.
    pub(super) fn replace_live(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    /// Asks for `path` under the API until there is an answer or no more use in asking.
    pub(super) async fn get(
        &self,
        path: &(impl Display + Sync),
        lane: Lane,
        limit: usize,
    ) -> Result<Answer, Fault> {
        let mut tries = 0;
        loop {
            match self.attempt(path, lane, limit, tries).await? {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Nothing { why, words } => return Err(Fault::NoAnswer(why, words)),
                Attempt::Again { pause } => tokio::time::sleep(pause).await,
            }
            tries += 1;
        }
    }

    /// One try, with what belongs to it: a new login after a 401, and a second request at once where the server closed
    /// a kept connection just as the first went out.
    pub(super) async fn attempt(
        &self,
        path: &(impl Display + Sync),
        lane: Lane,
        limit: usize,
        tries_before: u32,
    ) -> Result<Attempt, Halt> {
        let mut live = self.live();
        let mut token = self.session.token(self).await?;
        let mut logged_in_again = false;
        let mut reconnected = tries_before > 0;
        if tries_before > 0 {
            count(&self.counts.retries);
        }
        loop {
            let sent = {
                let _permit = self.gate.enter(lane).await?;
                let newest = self.live();
                if !Arc::ptr_eq(&newest, &live) {
                    live = newest;
                    None
                } else {
                    let url = format!("{}{API}/{path}", live.base.text);
                    let request = live.http.get(url);
                    let request = request.header(AUTHORIZATION, token.header.clone());
                    Some(wire::send(request, limit, live.settings.timeout).await)
                }
            };
            let Some(sent) = sent else {
                // New settings came while this request waited.
                token = self.session.token(self).await?;
                continue;
            };
            if let Sent::Closed = sent
                && !reconnected
            {
                reconnected = true;
                count(&self.counts.later);
                count(&self.counts.retries);
                continue;
            }
            let refused = matches!(&sent, Sent::Answer(answer) if answer.status == 401);
            if !refused {
                if let Sent::Answer(_) = sent {
                    token.prove();
                }
                return self.judge(sent, &live, tries_before);
            }
            count(&self.counts.denied);
            let next = if logged_in_again {
                self.session.note_unhelpful();
                None
            } else {
                self.session.after_refusal(&token, self).await?
            };
            let Some(next) = next else {
                return Ok(nothing(NoAnswer::Denied, "HTTP 401 with a fresh token"));
            };
            token = next;
            logged_in_again = true;
        }
    }

    /// What `sent`, which is no 401, means for this try.
    fn judge(&self, sent: Sent, live: &Live, tries_before: u32) -> Result<Attempt, Halt> {
        let counts = &self.counts;
        let (words, answer) = match sent {
            Sent::Answer(answer) => match answer.status {
                200 | 404 => {
                    count(&counts.answered);
                    return Ok(Attempt::Answer(answer));
                }
                403 => {
                    count(&counts.denied);
                    return Ok(nothing(NoAnswer::Denied, "HTTP 403"));
                }
                429 => {
                    count(&counts.limited);
                    ("HTTP 429".to_owned(), Some(answer))
                }
                408 | 500.. => {
                    count(&counts.later);
                    (format!("HTTP {}", answer.status), Some(answer))
                }
                300..400 => {
                    count(&counts.broken);
                    let words = format!("HTTP {}, a redirect, is not followed", answer.status);
                    return Ok(nothing(NoAnswer::Broken, words));
                }
                status => {
                    count(&counts.broken);
                    return Ok(nothing(NoAnswer::Broken, format!("HTTP {status}")));
                }
            },
            Sent::TooLong { limit } => {
                count(&counts.broken);
                let words = format!("the answer is longer than {} MiB", limit / MOST_BYTES);
                return Ok(nothing(NoAnswer::Broken, words));
            }
            Sent::Garbage => {
                count(&counts.broken);
                return Ok(nothing(NoAnswer::Broken, "the answer is no HTTP"));
            }
            Sent::Closed => {
                count(&counts.later);
                (
                    "the connection was closed before an answer".to_owned(),
                    None,
                )
            }
            Sent::Fault(words) => {
                count(&counts.later);
                (words, None)
            }
        };
        match self.wait_after(answer.as_ref(), live, tries_before)? {
            Some(pause) => Ok(Attempt::Again { pause }),
            None => Ok(nothing(NoAnswer::Later, words)),
        }
    }

    /// How long to wait after a fault that may pass; `None` if that was the last try. A 429 pauses everybody.
    pub(super) fn wait_after(
        &self,
        answer: Option<&Answer>,
        live: &Live,
        tries_before: u32,
    ) -> Result<Option<Duration>, Halt> {
        let backoff = pace::backoff(live.settings.first_pause, tries_before, self.random());
        // A server that is no longer asked anything holds nobody up.
        let answer = answer.filter(|_| self.live().base == live.base);
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

    pub(super) fn outcome(&self, answer: &Answer) -> Outcome {
        if answer.status == 404 {
            return Outcome::Answer(model::Answer::Missing);
        }
        match decode::credential(&answer.body, &self.fingerprint_key) {
            Ok(answer) => Outcome::Answer(answer),
            Err(error) => Outcome::None(NoAnswer::Broken, error.to_string()),
        }
    }

    pub(super) fn live(&self) -> Arc<Live> {
        let live = self.live.read();
        live.unwrap_or_else(PoisonError::into_inner).clone()
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

fn nothing(why: NoAnswer, words: impl Into<String>) -> Attempt {
    Attempt::Nothing {
        why,
        words: words.into(),
    }
}
