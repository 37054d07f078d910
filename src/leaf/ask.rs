//! One request with all that belongs to it: a token, a place in the line, the try itself, and what it means.

use std::fmt::{Display, Write as _};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use ring::hmac;

use super::counters::count;
use super::decode;
use super::endpoint::Endpoint;
use super::gate::Lane;
use super::halt::{Fault, Halt};
use super::session::Session;
use super::upstream::Upstream;
use super::wire::{self, Answer, MOST_BYTES, Sent};
use crate::model::{self, NoAnswer, Outcome};

const API: &str = "/services/usermanagement/api";

/// Room for most URLs, in bytes.
const URL: usize = 160;

/// What all clones of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: Upstream,
    pub(super) session: Session,
    pub(super) fingerprint_key: hmac::Key,
    bodies: RandomState,
}

/// Tells the bytes of one answer from those of others, keyed anew in each process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest(u64);

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
    pub(super) fn new(upstream: Upstream, fingerprint_key: [u8; 32]) -> Self {
        Shared {
            session: Session::new(upstream.clock.clone()),
            upstream,
            fingerprint_key: hmac::Key::new(hmac::HMAC_SHA256, &fingerprint_key),
            bodies: RandomState::new(),
        }
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
        let upstream = &self.upstream;
        let mut endpoint = upstream.endpoint();
        let mut token = self.session.token(upstream).await?;
        let mut logged_in_again = false;
        let mut reconnected = tries_before > 0;
        if tries_before > 0 {
            count(&upstream.counts.retries);
        }
        loop {
            let sent = {
                let _permit = upstream.gate.enter(lane).await?;
                let newest = upstream.endpoint();
                if !Arc::ptr_eq(&newest, &endpoint) {
                    endpoint = newest;
                    None
                } else {
                    let mut url = String::with_capacity(URL);
                    // Writing to a string cannot fail.
                    let _ = write!(url, "{}{API}/{path}", endpoint.base_url);
                    let request = endpoint.http.get(url);
                    let request = request.header(AUTHORIZATION, token.header.clone());
                    Some(wire::send(request, limit, endpoint.timeout).await)
                }
            };
            let Some(sent) = sent else {
                // A new config came while this request waited.
                token = self.session.token(upstream).await?;
                continue;
            };
            if let Sent::Closed = sent
                && !reconnected
            {
                reconnected = true;
                count(&upstream.counts.later);
                count(&upstream.counts.retries);
                continue;
            }
            let refused = matches!(&sent, Sent::Answer(answer) if answer.status == 401);
            if !refused {
                if let Sent::Answer(_) = sent {
                    token.prove();
                }
                return self.judge(sent, &endpoint, tries_before);
            }
            count(&upstream.counts.denied);
            let next = if logged_in_again {
                self.session.note_unhelpful();
                None
            } else {
                self.session.after_refusal(&token, upstream).await?
            };
            let Some(next) = next else {
                return Ok(nothing(NoAnswer::Denied, "HTTP 401 with a fresh token"));
            };
            token = next;
            logged_in_again = true;
        }
    }

    /// What `sent`, which is no 401, means for this try.
    fn judge(&self, sent: Sent, endpoint: &Endpoint, tries_before: u32) -> Result<Attempt, Halt> {
        let counts = &self.upstream.counts;
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
        match self
            .upstream
            .wait_after(answer.as_ref(), endpoint, tries_before)?
        {
            Some(pause) => Ok(Attempt::Again { pause }),
            None => Ok(nothing(NoAnswer::Later, words)),
        }
    }

    pub(super) fn body_digest(&self, answer: &Answer) -> Option<BodyDigest> {
        (answer.status == 200).then(|| BodyDigest(self.bodies.hash_one(&answer.body)))
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
}

fn nothing(why: NoAnswer, words: impl Into<String>) -> Attempt {
    Attempt::Nothing {
        why,
        words: words.into(),
    }
}
