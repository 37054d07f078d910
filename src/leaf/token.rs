//! A token of Leaf's, ready to be sent and never shown.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderValue;

use super::jwt;
use crate::clock::Clock;

/// A token, ready to be sent.
#[derive(Debug)]
pub(super) struct Token {
    /// `Bearer …`, marked as sensitive, so that even its `Debug` hides it.
    pub(super) header: HeaderValue,
    /// When it ends by its own word, where it is a JWT.
    pub(super) expires: Option<Timestamp>,
    /// When to renew it, on the monotonic clock.
    pub(super) renew_at: Option<Duration>,
    pub(super) born: Duration,
    /// Whether Leaf ever took it.
    proven: AtomicBool,
}

impl Token {
    /// A token got at the two times given: by a login, or from the operator (`renewable` is false).
    ///
    /// `None` where it holds what no header can carry.
    pub(super) fn new(token: &str, renewable: bool, clock: &Clock) -> Option<Self> {
        let token = token.trim();
        if token.is_empty() {
            return None;
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        let born = clock.monotonic();
        let claims = jwt::claims(token);
        let life = claims.and_then(|claims| claims.life(clock.now()));
        Some(Token {
            header,
            expires: claims.map(|claims| claims.expires),
            renew_at: life.filter(|_| renewable).map(|life| born + life / 2),
            born,
            proven: AtomicBool::new(false),
        })
    }

    /// Notes that Leaf took it.
    pub(super) fn prove(&self) {
        if !self.proven.load(Relaxed) {
            self.proven.store(true, Relaxed);
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Relaxed)
    }
}
