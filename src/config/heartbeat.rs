//! `[heartbeat]`: whom to ping while all is well with us, so that somebody notices when we are dead.

use std::fmt;

use super::reader::Section;
use super::url::{WRITE_HTTPS, parse_url};

/// `[heartbeat]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Pinged after a good sweep; `/fail` is appended otherwise. Checked: https, or http to loopback; no slash at its end.
    pub url: String,
}

impl fmt::Debug for Heartbeat {
    /// Whoever has the URL can ping in our name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heartbeat(…)")
    }
}

pub(super) fn read(heartbeat: &Section<'_>) -> Option<Heartbeat> {
    let given = heartbeat.text("url");
    if !heartbeat.is_there() {
        heartbeat.warn(
            "url",
            "nobody would notice if this program or its machine died",
            "write the ping address of a dead man's switch, such as healthchecks.io gives",
        );
        return None;
    }
    if !heartbeat.has("url") {
        heartbeat.fault(
            "url",
            "it is not set",
            "write the ping address, or leave [heartbeat] out",
        );
    }
    match parse_url(given?) {
        Ok(url) if url.query().is_some() => {
            heartbeat.fault(
                "url",
                "it has a ?query, and \"/fail\" could not be appended",
                "write the address without it",
            );
            None
        }
        Ok(url) => Some(Heartbeat {
            url: url.as_str().trim_end_matches('/').to_owned(),
        }),
        Err(wrong) => {
            heartbeat.fault("url", &wrong, WRITE_HTTPS);
            None
        }
    }
}
