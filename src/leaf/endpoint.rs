//! Leaf as the config names it, and the connections that belong to it.

use std::time::Duration;

use super::gate::Limits;
use super::wire;
use crate::config::{Auth, Leaf};

/// Where Leaf is and how to log in, with connections ready to be used.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) base_url: String,
    pub(super) auth: Auth,
    pub(super) limits: Limits,
    pub(super) timeout: Duration,
    pub(super) http: reqwest::Client,
}

impl Endpoint {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// Where no HTTP client can be built: the machine's certificates cannot be loaded.
    pub fn new(leaf: &Leaf) -> Result<Self, reqwest::Error> {
        Ok(Endpoint {
            base_url: leaf.base_url.clone(),
            auth: leaf.auth.clone(),
            limits: Limits {
                per_second: leaf.max_requests_per_second,
                in_flight: leaf.max_in_flight,
            },
            timeout: leaf.timeout,
            http: wire::pool(leaf)?,
        })
    }

    /// Whether a token got from `other` is as good here.
    pub(super) fn shares_login_with(&self, other: &Endpoint) -> bool {
        match (&self.auth, &other.auth) {
            (Auth::Password { username: a, .. }, Auth::Password { username: b, .. }) => {
                a == b && self.base_url == other.base_url
            }
            // A token's file is read again on a reload.
            _ => false,
        }
    }
}
