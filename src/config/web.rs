//! `[web]`: where the status page is served, and who may see what of it.

use std::net::SocketAddr;

use super::reader::Section;
use super::secret::SecretFile;
use super::url::{WRITE_HTTPS, parse_url, write_without_path};

/// What to write where `listen` was refused.
const WRITE_LISTEN: &str = "write an IP address and a port, such as \"127.0.0.1:8420\"";

/// `[web]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Web {
    /// Where the page is served; none: nowhere. Another one needs a restart.
    pub listen: Option<SocketAddr>,
    /// How people reach it, for links in mails: scheme and host, no slash at its end.
    pub public_url: Option<String>,
    /// The password of the page; any user name goes with it.
    pub password: Option<SecretFile>,
    /// Whoever has no password sees counts, and no names.
    pub public_summary: bool,
    /// `/metrics` has a time series for each credential too.
    pub metrics_per_user: bool,
}

pub(super) fn read(web: &Section<'_>) -> Web {
    let listen = listen(web);
    let public_url = web.text("public_url").and_then(|text| url(web, text));
    let password = web.secret("password_file");
    // Where it is not understood, what was meant is likely this; so that no second fault follows from the first.
    let public_summary = web.has("public");
    web.choice(
        "public",
        &[("summary", ())],
        "write \"summary\" (counts for everybody, no names), or leave it out",
    );
    let metrics_per_user = web.flag("metrics_per_user", false);
    if let Some(address) = listen.filter(|address| !address.ip().is_loopback()) {
        match (web.has("password_file"), public_summary) {
            (false, false) => web.fault(
                "listen",
                &format!("{address} can be reached from other machines, and nothing guards the page"),
                "write a loopback address such as \"127.0.0.1:8420\", or set password_file, or public = \"summary\"",
            ),
            (true, _) => web.warn(
                "listen",
                "the password crosses the network in plain http",
                "listen on loopback, and let a reverse proxy with TLS stand before it",
            ),
            (false, true) => {}
        }
    }
    if web.is_there() && listen.is_none() && !web.has("listen") {
        web.warn(
            "listen",
            "it is not set, so that no page is served",
            "write \"127.0.0.1:8420\", or leave [web] out",
        );
    }
    if metrics_per_user && public_summary && !web.has("password_file") {
        web.fault(
            "metrics_per_user",
            "public = \"summary\" shows no names, and nothing else is shown without a password_file",
            "leave it out, or set password_file",
        );
    }
    Web {
        listen,
        public_url,
        password,
        public_summary,
        metrics_per_user,
    }
}

fn listen(web: &Section<'_>) -> Option<SocketAddr> {
    let text = web.text_or("listen", WRITE_LISTEN)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        let wrong = format!("{} is no address with a port", super::fault::quoted(text));
        web.fault("listen", &wrong, WRITE_LISTEN);
    }
    parsed
}

fn url(web: &Section<'_>, text: &str) -> Option<String> {
    let (wrong, write) = match parse_url(text) {
        Ok(url) if url.query().is_some() || url.path() != "/" => (
            "it has a path, and the page is served at the root of its host".to_owned(),
            write_without_path(&url),
        ),
        Ok(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
        Err(wrong) => (wrong, WRITE_HTTPS.to_owned()),
    };
    web.fault("public_url", &wrong, &write);
    None
}
