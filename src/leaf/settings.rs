//! What the client is told: where Leaf is, how to log in, how hard to ask. Plain data; the app builds it from config.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

/// Settings of a [`Client`](super::Client).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Leaf's address, such as `https://api.withleaf.io`. Plain http is refused unless the host is loopback.
    pub base_url: String,
    /// How to log in.
    pub auth: Auth,
    /// Starts of requests within any second, logins and retries included; 0 is no limit.
    pub max_requests_per_second: u32,
    /// Requests at once; 0 is taken as 1.
    pub max_in_flight: usize,
    /// The time limit of one try, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// The longest pause before the first retry; each further retry may wait twice as long.
    /// [`Settings::FIRST_PAUSE`] unless time is scaled, as in the demo.
    pub first_pause: Duration,
}

impl Settings {
    /// The usual [`Settings::first_pause`].
    pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// The API owner's login; its token is renewed at half its life.
    Password {
        /// The API owner's e-mail address.
        username: String,
        /// Its password, read anew for each login.
        password: SecretSource,
    },
    /// A token made elsewhere; read when first needed, after a 401 and after [`reconfigure`](super::Client::reconfigure).
    Token(SecretSource),
}

impl Auth {
    /// Whether a token got with `self` is as good under `other`.
    pub(super) fn is_same_login(&self, other: &Auth) -> bool {
        match (self, other) {
            (Auth::Password { username: a, .. }, Auth::Password { username: b, .. }) => a == b,
            // A token's file is read again on a reload.
            _ => false,
        }
    }
}

type ReadSecret = dyn Fn() -> Result<SecretString, String> + Send + Sync;

/// Where a secret is read from when it is needed. The error is for people: what is wrong, where, what to do.
#[derive(Clone)]
pub struct SecretSource(Arc<ReadSecret>);

impl SecretSource {
    /// A secret that `read` gives.
    pub fn new(read: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static) -> Self {
        SecretSource(Arc::new(read))
    }

    /// A secret known already.
    pub fn fixed(secret: SecretString) -> Self {
        SecretSource::new(move || Ok(secret.clone()))
    }

    pub(super) fn read(&self) -> Result<SecretString, String> {
        (self.0)()
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSource")
    }
}

/// The settings cannot be used; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Not an http or https address with a host and nothing after the path.
    #[error("leaf.base_url is not usable: {0}; write it as https://api.withleaf.io")]
    BaseUrl(String),
    /// Plain http to another machine.
    #[error(
        "leaf.base_url is plain http to {0}, which would show the password to the network; use https"
    )]
    PlainHttp(String),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// A base address that was checked, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) text: String,
    pub(super) loopback: bool,
}

impl Base {
    pub(super) fn parse(text: &str) -> Result<Self, BuildError> {
        let fault = |what: &str| BuildError::BaseUrl(what.to_owned());
        let url = Url::parse(text.trim()).map_err(|error| fault(&error.to_string()))?;
        let host = url.host_str().ok_or_else(|| fault("it has no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fault("it holds a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(fault("it has something after the path"));
        }
        let loopback = is_loopback(host);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(BuildError::PlainHttp(host.to_owned())),
            _ => return Err(fault("it is neither https nor http")),
        }
        Ok(Base {
            text: url.as_str().trim_end_matches('/').to_owned(),
            loopback,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_loopback_only() {
        for fine in [
            "https://api.withleaf.io",
            "http://127.0.0.1:8080/",
            "http://[::1]:1",
            "http://localhost/x/",
        ] {
            assert!(Base::parse(fine).is_ok(), "{fine}");
        }
        assert!(matches!(
            Base::parse("http://api.withleaf.io"),
            Err(BuildError::PlainHttp(host)) if host == "api.withleaf.io"
        ));
        assert!(matches!(
            Base::parse("http://localhost.example.com"),
            Err(BuildError::PlainHttp(_))
        ));
    }

    #[test]
    fn odd_addresses_are_refused_without_repeating_a_password() {
        for odd in [
            "api.withleaf.io",
            "ftp://127.0.0.1",
            "https://u:hunter2@api.withleaf.io",
            "https://x/?a=hunter2",
        ] {
            let error = Base::parse(odd).unwrap_err();
            assert!(matches!(error, BuildError::BaseUrl(_)), "{odd}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn the_slash_at_the_end_is_dropped() {
        assert_eq!(
            Base::parse("http://[::1]:1/").unwrap().text,
            "http://[::1]:1"
        );
        assert_eq!(
            Base::parse("https://x/leaf/").unwrap().text,
            "https://x/leaf"
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let auth = Auth::Password {
            username: "ops@example.com".into(),
            password: SecretSource::fixed("hunter2".to_owned().into()),
        };
        assert!(!format!("{auth:?}").contains("hunter2"));
    }
}
