//! The client: what may be asked of Leaf. Only GETs; the login that they need is in `login`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::ask::{Attempt, Live, Shared};
use super::counters::Counters;
use super::gate::{Closed, Lane};
use super::settings::{BuildError, Settings};
use super::wire::MOST_BYTES;
use crate::clock::Clock;
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
    #[error("Leaf asked us to wait until {until}")]
    Paused {
        /// When it is over, for people; six hours from now at the latest.
        until: Timestamp,
        /// How long that is, whatever becomes of the wall clock.
        left: Duration,
    },
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Halt::Paused {
            until: closed.until,
            left: closed.left,
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

/// Settings that are known to be usable: putting them in force cannot fail.
#[derive(Debug)]
pub struct Prepared(Live);

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
        let shared = Shared::new(Live::new(settings)?, fingerprint_key, clock);
        Ok(Client {
            shared: Arc::new(shared),
        })
    }

    /// Makes ready to work with `settings`; nothing changes until they are [taken](Client::reconfigure).
    ///
    /// # Errors
    ///
    /// Where the settings cannot be used.
    pub fn prepare(settings: Settings) -> Result<Prepared, BuildError> {
        Live::new(settings).map(Prepared)
    }

    /// Uses other settings from the next request on. A login's token is kept where address and user name stay; a
    /// configured token is read again.
    pub fn reconfigure(&self, Prepared(new): Prepared) {
        let shared = &self.shared;
        let old = shared.live();
        let limits = new.limits();
        let same_place = old.base == new.base;
        let keep_token = same_place && old.settings.auth.is_same_login(&new.settings.auth);
        shared.replace_live(new);
        shared.session.reset(keep_token);
        if !same_place {
            shared.gate.reopen();
        }
        shared.gate.allow(limits);
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
