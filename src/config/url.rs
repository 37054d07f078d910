//! URLs in the settings: https, or http to this machine. The URL itself is never quoted: a ping or reconnect link is a secret of sorts.

use std::net::IpAddr;

use reqwest::Url;

/// What to write where a URL was refused.
pub(super) const WRITE_HTTPS: &str = "write a whole address that begins with https://";

/// Parses a URL that may be asked: https, or http to a loopback address; no user, password or fragment in it.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    if !text.contains("://") {
        return Err("it does not begin with https://".to_owned());
    }
    let url: Url = text
        .trim()
        .parse()
        .map_err(|reason| format!("it is no URL: {reason}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password".to_owned());
    }
    if url.fragment().is_some() {
        return Err("it ends in a #fragment, which no server sees".to_owned());
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(host) => Ok(url),
        ("http", Some(_)) => Err("plain http is for this machine only".to_owned()),
        _ => Err("it does not begin with https://".to_owned()),
    }
}

/// What to write in place of an address with a path: the same without it. Only for addresses that are no secret.
pub(super) fn write_without_path(url: &Url) -> String {
    format!("write \"{}\"", url.origin().ascii_serialization())
}

/// Whether `host` is this machine, by its name or address.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "https://api.withleaf.io",
            "http://127.0.0.1:8080/x",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.withleaf.io",
            "http://127.0.0.1.evil.example",
            "http://localhost.example",
            "ftp://localhost",
            "api.withleaf.io",
            "https://",
            "https://user:pass@api.withleaf.io",
            "ftp://127.0.0.1",
            "https://a.example/#b",
        ] {
            let reason = parse_url(bad).unwrap_err();
            assert!(!reason.contains("pass@"), "{reason}");
        }
    }
}
