//! Who may see what, before any page is made: the host asked for, the method, the password; and the headers of every
//! answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::doors::Caller;
use super::frame;
use super::site::Shared;
use super::tries::Turn;
use crate::config::{Config, Web};
use crate::view::words;

/// What whoever asks may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Everything.
    All,
    /// Counts, and no names.
    Counts,
    /// Nothing but `/healthz` and how the page looks.
    Nothing,
}

/// The mark of the database whose daemon answers.
pub const MARK: HeaderName = HeaderName::from_static("leafwatch-database");

/// The longest address and query that is read.
const LONGEST_URI: usize = 2000;

/// Headers of every answer. Scripts, styles and pictures only from here, nothing inline, nothing in a frame, nothing kept.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Lets a request in, or sends it away.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    Extension(Caller(from)): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let config = shared.config();
    let (head, body) = request.into_parts();
    let admitted = admit(&shared, &config, from, &head).await;
    let mut answer = match admitted {
        Ok(sight) => {
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().insert(sight);
            request.extensions_mut().insert(config);
            next.run(request).await
        }
        Err(refusal) => refusal,
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(mark) = HeaderValue::from_str(&shared.mark) {
        headers.insert(MARK, mark);
    }
    answer
}

async fn admit(
    shared: &Shared,
    config: &Config,
    from: IpAddr,
    head: &Parts,
) -> Result<Sight, Response> {
    let public_url = config.web.public_url.as_deref();
    if !is_our_host(&head.headers, &head.uri, shared.address, public_url) {
        return Err(frame::refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "This page is served under another name: its address, or web.public_url of the config.",
        ));
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let daemon = &config.policy.daemon;
        let mut refusal = frame::refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!(
                "This page can only be read; acks and silences are commands: {}, {}.",
                words::command(daemon, "ack"),
                words::command(daemon, "silence")
            ),
        );
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Err(refusal);
    }
    if head.uri.to_string().len() > LONGEST_URI {
        return Err(frame::refusal(
            StatusCode::URI_TOO_LONG,
            "That address is too long.",
        ));
    }
    sight(shared, &config.web, from, &head.headers).await
}

/// What the caller may see. A try of the password waits its turn before it is looked at.
async fn sight(
    shared: &Shared,
    web: &Web,
    from: IpAddr,
    headers: &HeaderMap,
) -> Result<Sight, Response> {
    let without = match (&web.password, web.public_summary) {
        (None, false) => return Ok(Sight::All),
        (_, true) => Sight::Counts,
        (Some(_), false) => Sight::Nothing,
    };
    let (Some(_), Some(given)) = (&web.password, headers.get(AUTHORIZATION)) else {
        return Ok(without);
    };
    let Ok(turn) = shared.tries.begin(from) else {
        let mut refusal = frame::refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong passwords; wait a minute.",
        );
        refusal
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("60"));
        return Err(refusal);
    };
    // Without a wait there is none at all: tries that are right must not be found waiting beside each other.
    if !turn.wait.is_zero() {
        tokio::time::sleep(turn.wait).await;
    }
    if given_password(given).is_some_and(|given| shared.password_is(&given)) {
        shared.tries.right(from);
        return Ok(Sight::All);
    }
    let Turn { nth, sent_away, .. } = turn;
    tracing::warn!(
        %from,
        nth,
        sent_away,
        "wrong password for the page from {from}, try {nth} since the last right one; {sent_away} were not looked at"
    );
    Err(ask_password())
}

/// The answer that makes a browser ask for the password.
pub(super) fn ask_password() -> Response {
    let mut refusal = frame::refusal(
        StatusCode::UNAUTHORIZED,
        "This needs the password of the page (any user name).",
    );
    refusal.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"Leafwatch\", charset=\"UTF-8\""),
    );
    refusal
}

fn given_password(header: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// Whether the page was asked for by a name that is its own. Names that others point at us (DNS rebinding) are not.
fn is_our_host(headers: &HeaderMap, uri: &Uri, listen: SocketAddr, public: Option<&str>) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.or(uri.authority().map(|authority| authority.as_str())) else {
        return false;
    };
    let public = public.and_then(|url| url.split_once("://"));
    if let Some((scheme, authority)) = public {
        let usual = match scheme {
            "https" => ":443",
            _ => ":80",
        };
        let bare = |text: &str| {
            text.strip_suffix(usual)
                .unwrap_or(text)
                .to_ascii_lowercase()
        };
        if bare(host) == bare(authority) {
            return true;
        }
    }
    let Some((name, port)) = host_and_port(host) else {
        return false;
    };
    if port != listen.port() {
        return false;
    }
    let here = listen.ip();
    match name.parse::<IpAddr>() {
        Ok(address) => address == here || here.is_unspecified(),
        Err(_) => {
            name.eq_ignore_ascii_case("localhost") && (here.is_loopback() || here.is_unspecified())
        }
    }
}

/// `[::1]:80` and `name:80`; the port of http where none is named.
fn host_and_port(host: &str) -> Option<(&str, u16)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']')?;
            (name, port.strip_prefix(':'))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    match port {
        None => Some((name, 80)),
        Some(port) => Some((name, port.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(host: &str, listen: &str, public: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let uri = Uri::from_static("/");
        is_our_host(&headers, &uri, listen.parse().unwrap(), public)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let public = Some("https://leafwatch.example.com");
        for (host, listen) in [
            ("127.0.0.1:8420", "127.0.0.1:8420"),
            ("localhost:8420", "127.0.0.1:8420"),
            ("LOCALHOST:8420", "[::1]:8420"),
            ("[::1]:8420", "[::1]:8420"),
            ("192.0.2.7:8420", "0.0.0.0:8420"),
            ("192.0.2.7", "192.0.2.7:80"),
            ("leafwatch.example.com", "127.0.0.1:8420"),
            ("Leafwatch.example.com:443", "127.0.0.1:8420"),
        ] {
            assert!(ours(host, listen, public), "{host} at {listen}");
        }
        for (host, listen) in [
            ("evil.example", "127.0.0.1:8420"),
            ("evil.example:8420", "0.0.0.0:8420"),
            ("127.0.0.1.evil.example:8420", "127.0.0.1:8420"),
            ("127.0.0.1:9999", "127.0.0.1:8420"),
            ("127.0.0.1", "127.0.0.1:8420"),
            ("localhost:8420", "192.0.2.7:8420"),
            ("192.0.2.8:8420", "192.0.2.7:8420"),
            ("leafwatch.example.com:8420", "127.0.0.1:8420"),
            ("leafwatch.example.com.evil.example", "127.0.0.1:8420"),
            ("", "127.0.0.1:8420"),
        ] {
            assert!(!ours(host, listen, public), "{host} at {listen}");
        }
        let none = Uri::from_static("/");
        assert!(!is_our_host(
            &HeaderMap::new(),
            &none,
            "127.0.0.1:1".parse().unwrap(),
            None
        ));
    }

    #[test]
    fn a_password_may_hold_colons_and_any_user_name_goes_with_it() {
        let header = |text: &str| HeaderValue::from_str(text).unwrap();
        let basic = |pair: &str| header(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(given_password(&basic("me:pa:ss")).unwrap(), b"pa:ss");
        assert_eq!(given_password(&basic(":pass")).unwrap(), b"pass");
        assert_eq!(given_password(&header("basic OnBhc3M=")).unwrap(), b"pass");
        for none in ["Bearer x", "Basic", "Basic !!!", "Basic cGFzcw=="] {
            assert_eq!(given_password(&header(none)), None, "{none}");
        }
    }
}
