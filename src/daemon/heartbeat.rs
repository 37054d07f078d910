//! Pings the URL of a dead man's switch: what notices from outside that Leafwatch itself is gone or unwell.
//!
//! It only pings. When to, and whether all is well, is decided by who calls it; and since whoever knows the URL can feign
//! our health, the URL reaches no log and no error: only its host does.

use std::fmt;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

/// A dead man's switch somewhere on the web, such as a check at healthchecks.io.
pub struct Heartbeat {
    client: Client,
    well: Url,
    unwell: Url,
}

/// A ping that did not arrive: log it, and ping again when the next sweep ends.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// No answer within the time limit, or no connection.
    #[error("no answer from the heartbeat's host {host}")]
    Unanswered {
        /// The host of the URL.
        host: String,
        /// What went wrong; it does not hold the URL.
        source: reqwest::Error,
    },
    /// Anything but a 2xx: a ping that was redirected or refused does not count over there.
    #[error(
        "the heartbeat's host {host} answered {status}: compare heartbeat.url with what the service shows"
    )]
    Refused {
        /// The host of the URL.
        host: String,
        /// What it answered.
        status: StatusCode,
    },
}

impl Heartbeat {
    /// A heartbeat for `url` (http or https), each ping of which may take `timeout` in all.
    ///
    /// # Errors
    ///
    /// Where no HTTP client can be built: the machine's certificates cannot be loaded.
    pub fn new(url: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(timeout)
            // A ping comes once in many minutes: a kept connection would only be found closed.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("leafwatch/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Heartbeat {
            client,
            unwell: failing(&url),
            well: url,
        })
    }

    /// Says that all is well, or else that Leafwatch lives but is not well (`/fail` appended to the URL's path).
    ///
    /// # Errors
    ///
    /// [`PingError`] where the other side did not take it.
    pub async fn ping(&self, well: bool) -> Result<(), PingError> {
        let url = if well { &self.well } else { &self.unwell };
        let host = || url.host_str().unwrap_or_default().to_owned();
        let answer = self.client.get(url.clone()).send().await;
        let status = answer
            .map_err(|error| PingError::Unanswered {
                host: host(),
                source: error.without_url(),
            })?
            .status();
        if status.is_success() {
            Ok(())
        } else {
            Err(PingError::Refused {
                host: host(),
                status,
            })
        }
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat")
            .field("host", &self.well.host_str())
            .finish_non_exhaustive()
    }
}

/// The URL that reports a failure; a query stays where it was.
fn failing(url: &Url) -> Url {
    let mut url = url.clone();
    let path = format!("{}/fail", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    /// Answers one request with `answer`, or hangs where that is empty; resolves to the request's first line.
    async fn switch(answer: &'static str) -> (Url, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ping/s3cret", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            line.trim_end().to_owned()
        });
        (url.parse().unwrap(), asked)
    }

    fn heartbeat(url: Url, timeout: Duration) -> Heartbeat {
        // A second installation fails, and leaves the first in place.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Heartbeat::new(url, timeout).unwrap()
    }

    fn whole_text(error: &PingError) -> String {
        let mut text = format!("{error:?} {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        text
    }

    const LONG: Duration = Duration::from_secs(20);
    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn well_is_the_url_itself_and_unwell_has_fail_appended() {
        let (url, asked) = switch(OK).await;
        heartbeat(url, LONG).ping(true).await.unwrap();
        assert_eq!(asked.await.unwrap(), "GET /ping/s3cret HTTP/1.1");

        let (url, asked) = switch(OK).await;
        heartbeat(url, LONG).ping(false).await.unwrap();
        assert_eq!(asked.await.unwrap(), "GET /ping/s3cret/fail HTTP/1.1");
    }

    #[test]
    fn fail_goes_to_the_path_not_behind_the_query() {
        for (url, fail) in [
            ("https://hc.example.com", "https://hc.example.com/fail"),
            ("https://hc.example.com/a/", "https://hc.example.com/a/fail"),
            (
                "https://hc.example.com/a?k=v",
                "https://hc.example.com/a/fail?k=v",
            ),
        ] {
            assert_eq!(failing(&url.parse().unwrap()).as_str(), fail);
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_does_not_count() {
        let (elsewhere, _never) = switch(OK).await;
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
        let (url, _asked) = switch(answer.leak()).await;
        let error = heartbeat(url, LONG).ping(true).await.unwrap_err();
        assert!(
            matches!(error, PingError::Refused { status, .. } if status == StatusCode::FOUND),
            "{error:?}"
        );
        assert!(!whole_text(&error).contains("s3cret"));
    }

    #[tokio::test]
    async fn a_host_that_hangs_or_is_gone_costs_no_more_than_the_time_limit_and_tells_no_secret() {
        let (url, _hangs) = switch("").await;
        let error = heartbeat(url, Duration::from_millis(50))
            .ping(true)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, PingError::Unanswered { source, .. } if source.is_timeout()),
            "{error:?}"
        );
        assert!(!whole_text(&error).contains("s3cret"), "{error:?}");

        let gone: Url = "http://127.0.0.1:1/ping/s3cret".parse().unwrap();
        let error = heartbeat(gone, LONG).ping(true).await.unwrap_err();
        let text = whole_text(&error);
        assert!(
            text.contains("127.0.0.1") && !text.contains("s3cret"),
            "{text}"
        );
    }

    #[test]
    fn debug_shows_the_host_only() {
        let url = "https://hc.example.com/ping/s3cret".parse().unwrap();
        let text = format!("{:?}", heartbeat(url, LONG));
        assert!(
            text.contains("hc.example.com") && !text.contains("s3cret"),
            "{text}"
        );
    }
}
