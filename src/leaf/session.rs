//! The token: got when first needed, renewed at half its life, and after a 401 by one login for all who wait.
//!
//! Never shows or logs a token or password, and never logs in more than once a minute after a login that did not help.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;

use super::halt::Halt;
use super::token::Token;
use super::upstream::Upstream;
use crate::clock::Clock;

/// At most one login in this time after one that did not help.
const PATIENCE: Duration = Duration::from_secs(60);

/// The token in use and what is known of the logins before; see the module.
#[derive(Debug)]
pub(super) struct Session {
    current: RwLock<Option<Arc<Token>>>,
    memory: Mutex<Memory>,
    /// Held by the one who logs in.
    turn: tokio::sync::Mutex<()>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Memory {
    /// Raised whenever a token from before must not be taken any more.
    epoch: u64,
    /// When the last login that gave no token began, and what it came to.
    failed: Option<(Duration, Halt)>,
    /// When a fresh token was refused.
    unhelpful: Option<Duration>,
}

impl Session {
    pub(super) fn new(clock: Clock) -> Self {
        Session {
            current: RwLock::new(None),
            memory: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            clock,
        }
    }

    /// The token in use, or one that a login gets.
    ///
    /// # Errors
    ///
    /// What the login came to, or what it came to less than a minute ago.
    pub(super) async fn token(&self, upstream: &Upstream) -> Result<Arc<Token>, Halt> {
        match self.current() {
            None => {
                let _turn = self.turn.lock().await;
                match self.current() {
                    Some(token) => Ok(token),
                    None => self.log_in(upstream).await,
                }
            }
            Some(token) if self.is_due(&token) => Ok(self.renew(token, upstream).await),
            Some(token) => Ok(token),
        }
    }

    /// What to try next after Leaf refused `refused`: a token got since, or one that a login gets now. `None`: a fresh
    /// one did not help, so nothing.
    ///
    /// # Errors
    ///
    /// As [`Session::token`].
    pub(super) async fn after_refusal(
        &self,
        refused: &Arc<Token>,
        upstream: &Upstream,
    ) -> Result<Option<Arc<Token>>, Halt> {
        let _turn = self.turn.lock().await;
        if let Some(current) = self.current()
            && !Arc::ptr_eq(&current, refused)
        {
            return Ok(Some(current));
        }
        let fresh = !refused.is_proven() && self.is_recent(refused.born);
        let unhelpful = self.memory().unhelpful;
        if fresh || unhelpful.is_some_and(|at| self.is_recent(at)) {
            return Ok(None);
        }
        *self.write_current() = None;
        self.log_in(upstream).await.map(Some)
    }

    /// Notes that a request was refused with a token got for it just now.
    pub(super) fn note_unhelpful(&self) {
        self.memory().unhelpful = Some(self.clock.monotonic());
    }

    /// Forgets failures, so that new settings are tried at once; and the token, unless `keep_token`.
    pub(super) fn reset(&self, keep_token: bool) {
        let mut memory = self.memory();
        memory.failed = None;
        memory.unhelpful = None;
        if !keep_token {
            memory.epoch += 1;
            *self.write_current() = None;
        }
    }

    /// When the token in use ends by its own word.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.current()?.expires
    }

    /// Only under `turn`.
    async fn log_in(&self, upstream: &Upstream) -> Result<Arc<Token>, Halt> {
        loop {
            let began = self.clock.monotonic();
            let epoch = {
                let memory = self.memory();
                if let Some((at, halt)) = &memory.failed
                    && self.is_recent(*at)
                {
                    return Err(halt.clone());
                }
                memory.epoch
            };
            let result = upstream.log_in().await;
            let mut memory = self.memory();
            if memory.epoch != epoch {
                // The settings changed meanwhile: that was a login to somewhere else.
                continue;
            }
            return match result {
                Ok(token) => {
                    let token = Arc::new(token);
                    memory.failed = None;
                    *self.write_current() = Some(token.clone());
                    Ok(token)
                }
                Err(halt) => {
                    memory.failed = Some((began, halt.clone()));
                    Err(halt)
                }
            };
        }
    }

    /// A new token in place of `token`, which is still good: if there is none to be had, or another caller is about to
    /// get it, the old one serves on.
    async fn renew(&self, token: Arc<Token>, upstream: &Upstream) -> Arc<Token> {
        let Ok(_turn) = self.turn.try_lock() else {
            return token;
        };
        if let Some(current) = self.current()
            && !Arc::ptr_eq(&current, &token)
        {
            return current;
        }
        let failed = self.memory().failed.as_ref().map(|(at, _)| *at);
        if failed.is_some_and(|at| self.is_recent(at)) {
            return token;
        }
        match self.log_in(upstream).await {
            Ok(new) => new,
            Err(halt) => {
                tracing::warn!(error = %halt, "cannot renew the Leaf token; the old one serves on while it lasts");
                token
            }
        }
    }

    fn current(&self) -> Option<Arc<Token>> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write_current(&self) -> std::sync::RwLockWriteGuard<'_, Option<Arc<Token>>> {
        let current = self.current.write();
        current.unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, token: &Token) -> bool {
        token
            .renew_at
            .is_some_and(|at| self.clock.monotonic() >= at)
    }

    fn is_recent(&self, at: Duration) -> bool {
        self.clock.monotonic().saturating_sub(at) < PATIENCE
    }
}
