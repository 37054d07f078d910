//! `[leaf]`: whom we ask, as whom, and how hard.

use std::time::Duration;

use reqwest::Url;

use super::reader::Section;
use super::secret::SecretFile;
use super::url::{WRITE_HTTPS, is_loopback, parse_url, write_without_path};

/// Leaf's only documented host.
const BASE_URL: &str = "https://api.withleaf.io";

/// An unmerged draft of Leaf's docs says 1,000 requests a minute for each user.
const DRAFT_LIMIT: u32 = 16;

/// `[leaf]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Scheme and host; no slash at its end. Checked: https, or http to loopback.
    pub base_url: String,
    /// How we log in.
    pub auth: Auth,
    /// No window of one second holds more requests; 0 is no limit.
    pub max_requests_per_second: u32,
    /// Requests under way at the same time; at least 1.
    pub max_in_flight: usize,
    /// For one request, from its start to the last byte of the answer.
    pub timeout: Duration,
}

/// How we log in to Leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// As an API owner; the token is renewed by logging in again.
    Password {
        /// The API owner's e-mail.
        username: String,
        /// The API owner's password.
        password: SecretFile,
    },
    /// With a token that somebody else renews.
    Token(SecretFile),
}

impl Leaf {
    /// Whether it is a stand-in on this machine.
    pub fn is_on_this_machine(&self) -> bool {
        let url = Url::parse(&self.base_url);
        url.is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }
}

impl Auth {
    /// The key and the file of the secret.
    pub(super) fn secret(&self) -> (&'static str, &SecretFile) {
        match self {
            Auth::Password { password, .. } => ("leaf.password_file", password),
            Auth::Token(file) => ("leaf.token_file", file),
        }
    }
}

pub(super) fn read(leaf: &Section<'_>) -> Option<Leaf> {
    let base_url = base_url(leaf);
    let auth = auth(leaf);
    let max_requests_per_second = leaf.number("max_requests_per_second", 0..=10_000, 5);
    let max_in_flight = leaf.number("max_in_flight", 1..=1_000, 4);
    let timeout = leaf.duration(
        "timeout",
        Duration::from_millis(100)..=Duration::from_secs(300),
        Duration::from_secs(30),
    );
    let base_url = base_url?;
    if base_url.starts_with("https:") && !(1..=DRAFT_LIMIT).contains(&max_requests_per_second) {
        leaf.warn(
            "max_requests_per_second",
            "Leaf publishes no limit; a draft of its docs speaks of 1,000 requests a minute, and this may be more",
            &format!("stay at {DRAFT_LIMIT} or below unless Leaf agreed to more"),
        );
    }
    Some(Leaf {
        base_url,
        auth: auth?,
        max_requests_per_second,
        max_in_flight: usize::try_from(max_in_flight).unwrap_or(usize::MAX),
        timeout,
    })
}

fn base_url(leaf: &Section<'_>) -> Option<String> {
    let text = match leaf.has("base_url") {
        true => leaf.text("base_url")?,
        false => BASE_URL,
    };
    match parse_url(text) {
        Ok(url) if url.query().is_some() || url.path() != "/" => {
            leaf.fault(
                "base_url",
                "it has a path or a ?query, and the paths of Leaf's API are added to it",
                &write_without_path(&url),
            );
            None
        }
        Ok(url) => {
            if url.scheme() == "http" {
                leaf.warn(
                    "base_url",
                    "this is plain http to this machine, not Leaf",
                    &format!("for anything but a trial write \"{BASE_URL}\""),
                );
            }
            Some(url.as_str().trim_end_matches('/').to_owned())
        }
        Err(wrong) => {
            leaf.fault(
                "base_url",
                &wrong,
                &format!("{WRITE_HTTPS}: \"{BASE_URL}\""),
            );
            None
        }
    }
}

fn auth(leaf: &Section<'_>) -> Option<Auth> {
    let username = leaf.text("username");
    let password = leaf.secret("password_file");
    let token = leaf.secret("token_file");
    match (leaf.has("password_file"), leaf.has("token_file")) {
        (true, true) => {
            leaf.fault(
                "token_file",
                "there is a password_file as well, and only one of them can be meant",
                "keep username and password_file, or token_file alone",
            );
            None
        }
        (false, false) => {
            leaf.fault(
                "password_file",
                "nothing says how to log in to Leaf",
                "write username and password_file (the name of a file that holds the password), or token_file",
            );
            None
        }
        (false, true) => {
            if leaf.has("username") {
                leaf.warn(
                    "username",
                    "a token needs no user name",
                    "leave it out, or log in with password_file in place of token_file",
                );
            }
            token.map(Auth::Token)
        }
        (true, false) => {
            if !leaf.has("username") {
                leaf.fault(
                    "username",
                    "there is a password_file but no user name",
                    "write the e-mail address of your Leaf API owner",
                );
            }
            Some(Auth::Password {
                username: username?.to_owned(),
                password: password?,
            })
        }
    }
}
