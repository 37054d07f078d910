//! The client: what may be asked of Leaf, and what one try comes to. Only GETs; the login is in [`super::login`].

use std::fmt::{self, Display};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::AUTHORIZATION;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::counters::{Counters, Counts, count};
use super::decode;
use super::gate::{Closed, Gate, Lane, Limits};
use super::session::Session;
use super::settings::{Base, BuildError, Settings};
use super::wire::{self, Answer, MOST_BYTES, Sent};
use crate::clock::Clock;
use crate::model::{self, Credential, NoAnswer, Outcome};
use crate::rules::pace::{self, RETRIES, Wait};

const API: &str = "/services/usermanagement/api";

/// What a request is for; decides who goes first when not all may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Events of a credential whose opened notice waits to be packed: before all others.
    Urgent,
    /// Status reads, and whatever people wait for.
    Status,
    /// All other events: what is left, but one permit in five whenever they wait.
    Events,
}

/// What one look at a credential came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What it said.
    pub outcome: Outcome,
    /// Leaf's clock when it answered, where it said so.
    pub leaf_time: Option<Timestamp>,
}

/// What one try to look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The look is over.
    Done(Look),
    /// Worth another try, not before this pause; no permit is held meanwhile.
    Again {
        /// How long to wait before it.
        pause: Duration,
    },
}

/// Why nothing can be asked now, whichever credential it is about: the sweep is given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Leaf refuses our login, or our secret cannot be read: an operator has to act.
    #[error("Leaf refuses the login: {0}")]
    LoginRefused(String),
    /// The login got no answer that could be used: try again later.
    #[error("cannot log in to Leaf: {0}")]
    LoginUnreachable(String),
    /// Leaf asked for a pause of more than five minutes: nothing is sent before it is over.
    #[error("Leaf asked for a pause until {until}")]
    Paused {
        /// When it is over; six hours from now at the latest.
        until: Timestamp,
    },
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Halt::Paused {
            until: closed.until,
        }
    }
}

/// Why events or users could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// This request got no answer, and in a few words why (never a body, never a URL).
    #[error("{1}")]
    NoAnswer(NoAnswer, String),
    /// Nothing can be asked now.
    #[error(transparent)]
    Halt(#[from] Halt),
}

/// The client of Leaf's API. Cheap to clone; all clones share connections, limits and the token.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

impl Client {
    /// A client with `settings`. Client keys are fingerprinted under `fingerprint_key`; a token's life, and how long a
    /// long pause lasts, are measured on `clock`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// Where the settings cannot be used.
    pub fn new(
        settings: Settings,
        fingerprint_key: [u8; 32],
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let limits = limits(&settings);
        let shared = Shared {
            live: RwLock::new(Arc::new(Live::new(settings)?)),
            gate: Gate::new(limits, clock.clone()),
            session: Session::new(clock.clone()),
            counts: Counts::default(),
            fingerprint_key: hmac::Key::new(hmac::HMAC_SHA256, &fingerprint_key),
            random: SystemRandom::new(),
            clock,
        };
        Ok(Client {
            shared: Arc::new(shared),
        })
    }

    /// Uses `settings` from the next request on. A login's token is kept where address and user name stay; a configured
    /// token is read again.
    ///
    /// # Errors
    ///
    /// Where the settings cannot be used; the old ones stay.
    pub fn reconfigure(&self, settings: Settings) -> Result<(), BuildError> {
        let shared = &self.shared;
        let old = shared.live();
        let limits = limits(&settings);
        let new = Live::new(settings)?;
        let same_place = old.base == new.base;
        let keep_token = same_place && old.settings.auth.is_same_login(&new.settings.auth);
        *shared.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        shared.session.reset(keep_token);
        if !same_place {
            shared.gate.reopen();
        }
        shared.gate.allow(limits);
        Ok(())
    }

    /// Whether `settings` could be used; nothing changes.
    ///
    /// # Errors
    ///
    /// Where they could not.
    pub fn check(&self, settings: &Settings) -> Result<(), BuildError> {
        Base::parse(&settings.base_url).map(drop)
    }

    /// Makes sure that there is a token.
    ///
    /// # Errors
    ///
    /// Where there is none to be had.
    pub async fn login(&self) -> Result<(), Halt> {
        self.shared.session.token(&self.shared).await.map(drop)
    }

    /// Looks at `credential`: the whole thing, with up to three more tries and the pauses between them.
    ///
    /// # Errors
    ///
    /// Where nothing can be asked, of this credential or another.
    pub async fn read(&self, credential: Credential, class: Class) -> Result<Look, Halt> {
        let mut tries = 0;
        loop {
            match self.try_read(credential, class, tries).await? {
                Step::Done(look) => return Ok(look),
                Step::Again { pause } => tokio::time::sleep(pause).await,
            }
            tries += 1;
        }
    }

    /// One try of [`Client::read`], for callers who wait elsewhere; `tries_before` were made already.
    ///
    /// # Errors
    ///
    /// As [`Client::read`].
    pub async fn try_read(
        &self,
        credential: Credential,
        class: Class,
        tries_before: u32,
    ) -> Result<Step, Halt> {
        let path = CredentialPath(credential);
        let shared = &self.shared;
        let attempt = shared
            .attempt(&path, class.into(), MOST_BYTES, tries_before)
            .await?;
        let look = match attempt {
            Attempt::Again { pause } => return Ok(Step::Again { pause }),
            Attempt::Nothing { why, words } => Look {
                outcome: Outcome::None(why, words),
                leaf_time: None,
            },
            Attempt::Answer(answer) => Look {
                leaf_time: answer.leaf_time(),
                outcome: shared.outcome(&answer),
            },
        };
        Ok(Step::Done(look))
    }

    /// When the token in use ends by its own word; `None` for an opaque one, or before the first.
    pub fn token_expires(&self) -> Option<Timestamp> {
        self.shared.session.expires()
    }

    /// What was asked so far.
    pub fn counters(&self) -> Counters {
        self.shared.counts.snapshot(self.shared.gate.waits())
    }
}

/// What all clones of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    live: RwLock<Arc<Live>>,
    pub(super) gate: Gate,
    session: Session,
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
    fn new(settings: Settings) -> Result<Self, BuildError> {
        let base = Base::parse(&settings.base_url)?;
        let http = wire::pool(&settings, &base)?;
        Ok(Live {
            settings,
            base,
            http,
        })
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
    async fn attempt(
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

    fn outcome(&self, answer: &Answer) -> Outcome {
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

fn limits(settings: &Settings) -> Limits {
    Limits {
        per_second: settings.max_requests_per_second,
        in_flight: settings.max_in_flight,
    }
}

impl From<Class> for Lane {
    fn from(class: Class) -> Self {
        match class {
            Class::Urgent => Lane::Urgent,
            Class::Status => Lane::Status,
            Class::Events => Lane::Events,
        }
    }
}

/// Leaf's path of one credential.
pub(super) struct CredentialPath(pub(super) Credential);

impl fmt::Display for CredentialPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Credential { user, provider } = self.0;
        write!(f, "users/{user}/{}-credentials", provider.name())
    }
}
