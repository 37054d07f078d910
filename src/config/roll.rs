//! The growers as they are read, from entries and from lines of a file, and what their values may be.

use std::collections::HashMap;
use std::fmt;

use super::fault::nearest;
use super::url::parse_url;
use crate::model::{Provider, UserId, WatchedUser};

/// What to write where an environment was refused.
pub(super) const WRITE_ENVIRONMENT: &str = "write \"PRODUCTION\" or \"STAGE\"";

/// What to write where a Leaf user id was refused.
pub(super) const WRITE_ID: &str =
    "write the id that Leaf gave the user, such as 3c9d2f1e-1111-4222-8333-444455556666";

/// Everybody who was read so far, and where.
#[derive(Default)]
pub(super) struct Roll {
    pub(super) users: Vec<WatchedUser>,
    pub(super) seen: HashMap<UserId, Origin>,
}

/// Where a user was read.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// This entry of `[[watch.users]]`, from 1.
    Entry(usize),
    /// This line of the users file.
    Line(u64),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Entry(entry) => write!(f, "entry {entry} of [[watch.users]]"),
            Origin::Line(line) => write!(f, "line {line}"),
        }
    }
}

impl Roll {
    /// Adds a user; one who is there already is left as it is, and `double` hears where.
    pub(super) fn add(
        &mut self,
        user: WatchedUser,
        origin: Origin,
        double: impl FnOnce(UserId, Origin),
    ) {
        match self.seen.entry(user.id) {
            std::collections::hash_map::Entry::Occupied(other) => double(user.id, *other.get()),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(origin);
                self.users.push(user);
            }
        }
    }
}

/// Words for a user id that stands in two places.
pub(super) fn double_id(id: UserId, other: Origin) -> (String, String) {
    (
        format!("{id} stands in {other} already"),
        "keep one of the two".to_owned(),
    )
}

/// Parses names of providers, each once; what is unknown goes to `fault` as what is wrong and what to write.
pub(super) fn providers<'a>(
    words: impl Iterator<Item = &'a str>,
    fault: &mut dyn FnMut(String, String),
) -> Vec<Provider> {
    let mut found = Vec::new();
    for word in words {
        match word.parse::<Provider>() {
            Ok(provider) if found.contains(&provider) => {}
            Ok(provider) => found.push(provider),
            Err(reason) => fault(reason.to_string(), write_provider(word)),
        }
    }
    found
}

fn write_provider(word: &str) -> String {
    let names: Vec<&str> = Provider::all().map(Provider::name).collect();
    let displayed = Provider::all().find(|known| known.display_name().eq_ignore_ascii_case(word));
    match displayed
        .map(Provider::name)
        .or_else(|| nearest(word, names.iter().copied()))
    {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of: {}", names.join(", ")),
    }
}

/// Labels, each once.
pub(super) fn tags<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for word in words {
        if !tags.iter().any(|tag| tag == word) {
            tags.push(word.to_owned());
        }
    }
    tags
}

/// Checks a link for growers; `{leaf_user_id}` may stand in it.
///
/// # Errors
/// What is wrong and what to write.
pub(super) fn reconnect_url(text: &str) -> Result<String, (String, &'static str)> {
    const WRITE: &str =
        "write a whole address that begins with https://; {leaf_user_id} may stand in it";
    match parse_url(&text.replace("{leaf_user_id}", "0")) {
        Ok(url) if url.scheme() == "https" => Ok(text.to_owned()),
        Ok(_) => Err((
            "growers could not follow a plain http link to this machine".to_owned(),
            WRITE,
        )),
        Err(wrong) => Err((wrong, WRITE)),
    }
}
