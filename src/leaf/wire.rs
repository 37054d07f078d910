//! One request over the wire and what came of it. Bodies are capped while they stream in; nothing of a URL or a body
//! ever gets into an error's text.

use std::error::Error;
use std::io;
use std::sync::Once;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderName, LINK, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};

use super::date;
use super::text::clean_word;
use crate::config::Leaf;

/// The longest answer that is taken, in bytes after decompression.
pub(super) const MOST_BYTES: usize = 1024 * 1024;

/// The same for events.
pub(super) const MOST_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// An idle connection is closed by us before most servers and balancers do it (60 s is the usual limit).
const IDLE: Duration = Duration::from_secs(50);

const CONNECT: Duration = Duration::from_secs(10);

/// Makes ring the provider of TLS for the whole process; any number of times. [`Client::new`](super::Client::new) does
/// it; whoever else uses TLS first must do it too.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Refused only where another provider was installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A connection pool for Leaf.
///
/// The proxies of the environment (`HTTPS_PROXY`) hold, as an operator who sets them in the unit expects; not for
/// loopback, which no proxy can reach.
pub(super) fn pool(leaf: &Leaf) -> Result<reqwest::Client, reqwest::Error> {
    install_tls();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("leafwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Every try is counted and paced here; none happens behind our back.
        .retry(reqwest::retry::never())
        .timeout(leaf.timeout)
        .connect_timeout(CONNECT.min(leaf.timeout))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(leaf.max_in_flight.max(1))
        .tcp_nodelay(true);
    let builder = match leaf.is_on_this_machine() {
        true => builder.no_proxy(),
        false => builder,
    };
    builder.build()
}

/// What one request brought.
#[derive(Debug)]
pub(super) enum Sent {
    /// An answer, received whole; or one that is not 200, as far as its body came.
    Answer(Answer),
    /// An answer longer than allowed.
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The connection was closed before an answer came, as happens to a reused one that the server closed just then.
    Closed,
    /// What came is no HTTP.
    Garbage,
    /// Time-out or a fault of the network; in a few words which.
    Fault(String),
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Leaf's clock: the `Date` header.
    pub(super) fn leaf_time(&self) -> Option<Timestamp> {
        date::parse_http(self.header(&DATE)?)
    }

    pub(super) fn retry_after(&self) -> Option<&str> {
        self.header(&RETRY_AFTER)
    }

    pub(super) fn link(&self) -> Option<&str> {
        self.header(&LINK)
    }

    pub(super) fn total_count(&self) -> Option<usize> {
        let total = self.headers.get("x-total-count")?;
        total.to_str().ok()?.trim().parse().ok()
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends `request` and reads its answer, at most `limit` bytes of it.
pub(super) async fn send(request: RequestBuilder, limit: usize, timeout: Duration) -> Sent {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return failed(&error, timeout),
    };
    let status = response.status().as_u16();
    let body = read_body(&mut response, limit).await;
    let headers = std::mem::take(response.headers_mut());
    let body = match body {
        Ok(body) => body,
        // Only the status counts then, and it has come.
        Err(_) if status != 200 => Vec::new(),
        Err(BodyFault::TooLong) => return Sent::TooLong { limit },
        Err(BodyFault::Cut(error)) if error.is_timeout() => return timed_out(timeout),
        Err(BodyFault::Cut(_)) => return Sent::Fault("the answer was cut off".to_owned()),
    };
    Sent::Answer(Answer {
        status,
        headers,
        body,
    })
}

enum BodyFault {
    TooLong,
    Cut(reqwest::Error),
}

async fn read_body(response: &mut Response, limit: usize) -> Result<Vec<u8>, BodyFault> {
    let announced = response.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Err(BodyFault::TooLong);
    }
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(BodyFault::Cut)? {
        if body.len() + chunk.len() > limit {
            return Err(BodyFault::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: &reqwest::Error, timeout: Duration) -> Sent {
    if error.is_timeout() {
        return timed_out(timeout);
    }
    if error.is_connect() {
        return Sent::Fault(format!("cannot connect: {}", innermost(error)));
    }
    for cause in causes(error) {
        if let Some(fault) = cause.downcast_ref::<hyper::Error>() {
            if fault.is_incomplete_message() || fault.is_closed() || fault.is_canceled() {
                return Sent::Closed;
            }
            if fault.is_parse() {
                return Sent::Garbage;
            }
        }
        if let Some(fault) = cause.downcast_ref::<io::Error>()
            && matches!(
                fault.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
            )
        {
            return Sent::Closed;
        }
    }
    Sent::Fault(format!("the request failed: {}", innermost(error)))
}

fn timed_out(timeout: Duration) -> Sent {
    Sent::Fault(format!(
        "no whole answer within {} s",
        timeout.as_secs_f32()
    ))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// The root of the trouble in its own words; only reqwest's own, outermost error would name the URL.
fn innermost(error: &reqwest::Error) -> String {
    let root = causes(error).last().map(ToString::to_string);
    clean_word(root.as_deref().unwrap_or("unknown fault"), 160)
}
