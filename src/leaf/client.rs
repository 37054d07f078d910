//! The client: what may be asked of Leaf. Only GETs; the login that they need is in `login`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ask::{Attempt, BodyDigest, Shared};
use super::counters::Counters;
use super::endpoint::Endpoint;
use super::gate::Lane;
use super::halt::Halt;
use super::upstream::Upstream;
use super::wire::{Answer, MOST_BYTES};
use crate::clock::Clock;
use crate::config::Leaf;
use crate::model::{Credential, NoAnswer, Outcome};

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

/// What a look brought, not read yet: most answers are those of the look before, byte for byte.
#[derive(Debug)]
pub struct Reply {
    /// As of [`Look`].
    pub leaf_time: Option<Timestamp>,
    /// Of a 200; none of anything else.
    pub body: Option<BodyDigest>,
    brought: Result<Answer, (NoAnswer, String)>,
}

/// What one try to look came to.
#[derive(Debug)]
pub enum Step {
    /// The look is over; [`Client::understand`] reads it.
    Done(Reply),
    /// Worth another try, not before this pause; no permit is held meanwhile.
    Again {
        /// How long to wait before it.
        pause: Duration,
    },
}

/// The client of Leaf's API. Cheap to clone; all clones share connections, limits and the token.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

impl Client {
    /// The longest pause before the first retry, unless time is scaled, as in the demo; each further retry may wait
    /// twice as long.
    pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

    /// Client keys are fingerprinted under `fingerprint_key`; a token's life, and how long a long pause lasts, are
    /// measured on `clock`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::new`].
    pub fn new(
        leaf: &Leaf,
        fingerprint_key: [u8; 32],
        clock: Clock,
        first_pause: Duration,
    ) -> Result<Self, reqwest::Error> {
        let upstream = Upstream::new(Endpoint::new(leaf)?, clock, first_pause);
        Ok(Client {
            shared: Arc::new(Shared::new(upstream, fingerprint_key)),
        })
    }

    /// Asks there from the next request on. A login's token is kept where address and user name stay; a configured
    /// token is read again.
    pub fn reconfigure(&self, new: Endpoint) {
        let Shared {
            upstream, session, ..
        } = &*self.shared;
        let old = upstream.endpoint();
        let (limits, keep_token) = (new.limits, new.shares_login_with(&old));
        let same_place = old.base_url == new.base_url;
        upstream.replace_endpoint(new);
        session.reset(keep_token);
        if !same_place {
            upstream.gate.reopen();
        }
        upstream.gate.allow(limits);
    }

    /// Makes sure that there is a token.
    ///
    /// # Errors
    ///
    /// Where there is none to be had.
    pub async fn login(&self) -> Result<(), Halt> {
        let shared = &self.shared;
        shared.session.token(&shared.upstream).await.map(drop)
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
                Step::Done(reply) => return Ok(self.understand(reply)),
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
        Ok(match attempt {
            Attempt::Again { pause } => Step::Again { pause },
            Attempt::Nothing { why, words } => Step::Done(Reply {
                leaf_time: None,
                body: None,
                brought: Err((why, words)),
            }),
            Attempt::Answer(answer) => Step::Done(Reply {
                leaf_time: answer.leaf_time(),
                body: shared.body_digest(&answer),
                brought: Ok(answer),
            }),
        })
    }

    /// What `reply` says.
    pub fn understand(&self, reply: Reply) -> Look {
        Look {
            outcome: match reply.brought {
                Ok(answer) => self.shared.outcome(&answer),
                Err((why, words)) => Outcome::None(why, words),
            },
            leaf_time: reply.leaf_time,
        }
    }

    /// When the token in use ends by its own word; `None` for an opaque one, or before the first.
    pub fn token_expires(&self) -> Option<Timestamp> {
        self.shared.session.expires()
    }

    /// What was asked so far.
    pub fn counters(&self) -> Counters {
        let upstream = &self.shared.upstream;
        upstream.counts.snapshot(upstream.gate.waits())
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
