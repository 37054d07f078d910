//! Which answer a request gets: routing, token, paging, bodies. No I/O.

use std::collections::HashMap;
use std::fmt::Write as _;

use axum::extract::Query;
use axum::http::{Method, Uri};
use jiff::Timestamp;

use super::count::RequestKind;
use super::json;
use super::login::Refusal;
use super::world::{User, World};
use crate::model::{Credential, Provider, UserId};

const USERS: &str = "/services/usermanagement/api/users";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// An answer that replaces the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`; left out: none is sent.
    pub content_type: Option<String>,
    /// More headers. What is no legal header is left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// 200 with this text, said to be JSON.
    pub fn json(body: impl Into<String>) -> Self {
        RawAnswer::new(200, JSON, body.into())
    }

    /// Any status with any text.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        RawAnswer {
            status,
            content_type: Some(content_type.to_owned()),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// An error with a problem body.
    pub(super) fn problem(status: u16, title: &str, detail: &str, path: &str) -> Self {
        RawAnswer::new(status, PROBLEM, json::problem(status, title, detail, path))
    }

    pub(super) fn unauthorized(path: &str) -> Self {
        RawAnswer::problem(401, "Unauthorized", "Not Authenticated", path)
    }

    pub(super) fn not_found(path: &str) -> Self {
        RawAnswer::problem(404, "Not Found", "404 NOT_FOUND", path)
    }
}

/// What a user object carries under `johnDeereCredentials` and the like; the docs show `{}` and promise nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Embedding {
    /// `{}`.
    #[default]
    Empty,
    /// The key is not there.
    Absent,
    /// `null`.
    Null,
    /// The whole credential.
    Full,
}

/// How the `Link` header of a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// Paths without a host, as in the docs' sample.
    #[default]
    Relative,
    /// Whole URLs.
    Absolute,
    /// No such header.
    Absent,
}

/// How lists are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lists {
    /// The `Link` header.
    pub links: Links,
    /// Whether `X-Total-Count` is sent.
    pub total_count: bool,
    /// Whether `page` and `size` are heeded; else everything comes at once.
    pub paged: bool,
    /// The largest page, whatever is asked for.
    pub max_size: usize,
    /// Whether events come newest first.
    pub newest_first: bool,
}

impl Default for Lists {
    fn default() -> Self {
        Lists {
            links: Links::Relative,
            total_count: true,
            paged: true,
            max_size: 100,
            newest_first: true,
        }
    }
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Login,
    Users,
    User(UserId),
    Reading(Credential),
    Events(Credential),
    Nothing,
}

impl Target {
    pub(super) fn of(path: &str) -> Target {
        if path == "/api/authenticate" {
            return Target::Login;
        }
        let Some(rest) = path.strip_prefix(USERS) else {
            return Target::Nothing;
        };
        let mut parts = rest.split('/');
        let (before, id, name) = (parts.next(), parts.next(), parts.next());
        let (last, more) = (parts.next(), parts.next());
        if before != Some("") || more.is_some() {
            return Target::Nothing;
        }
        let Some(id) = id else {
            return Target::Users;
        };
        let Ok(user) = id.parse::<UserId>() else {
            return Target::Nothing;
        };
        let Some(name) = name else {
            return Target::User(user);
        };
        let provider = name
            .strip_suffix("-credentials")
            .map(str::parse::<Provider>);
        match (provider, last) {
            (Some(Ok(provider)), None) => Target::Reading(Credential { user, provider }),
            (Some(Ok(provider)), Some("events")) => Target::Events(Credential { user, provider }),
            _ => Target::Nothing,
        }
    }

    pub(super) fn kind(self) -> RequestKind {
        match self {
            Target::Login => RequestKind::Login,
            Target::Users => RequestKind::Users,
            Target::User(_) => RequestKind::User,
            Target::Reading(_) => RequestKind::Reading,
            Target::Events(_) => RequestKind::Events,
            Target::Nothing => RequestKind::Other,
        }
    }

    pub(super) fn credential(self) -> Option<Credential> {
        match self {
            Target::Reading(credential) | Target::Events(credential) => Some(credential),
            _ => None,
        }
    }
}

/// A request as far as an answer depends on it.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) target: Target,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    /// What stands after `Bearer`.
    pub(super) token: Option<&'a str>,
    pub(super) body: &'a [u8],
    /// Where this Leaf is reached, for whole URLs.
    pub(super) base_url: &'a str,
}

impl World {
    /// The right answer.
    pub(super) fn answer(&mut self, question: &Question<'_>, now: Timestamp) -> RawAnswer {
        let path = question.uri.path();
        let verb = match question.target {
            Target::Login => Method::POST,
            _ => Method::GET,
        };
        if question.target == Target::Login && *question.method == verb {
            return self.log_in(question, now);
        }
        let token = question
            .token
            .is_some_and(|token| self.logins.accepts(token, now));
        if !token && question.target != Target::Login {
            return RawAnswer::unauthorized(path);
        }
        if *question.method != verb && question.target != Target::Nothing {
            return RawAnswer::problem(405, "Method Not Allowed", "not served here", path)
                .with("Allow", verb.as_str());
        }
        let found = match question.target {
            Target::Users => Some(self.user_list(question, now)),
            Target::User(id) => self.users.get(&id).map(|user| {
                let mut body = String::new();
                self.write_user(&mut body, id, user, now);
                RawAnswer::json(body)
            }),
            Target::Reading(credential) => self.grant(credential).map(|grant| match &grant.odd {
                Some(odd) => RawAnswer::clone(odd),
                None => {
                    let mut body = String::with_capacity(640);
                    grant.write(&mut body, credential, now);
                    RawAnswer::json(body)
                }
            }),
            Target::Events(credential) => self.event_list(question, credential, now),
            Target::Login | Target::Nothing => None,
        };
        found.unwrap_or_else(|| RawAnswer::not_found(path))
    }

    fn log_in(&mut self, question: &Question<'_>, now: Timestamp) -> RawAnswer {
        let path = question.uri.path();
        match self.logins.login(question.body, now) {
            Ok(token) => {
                let mut body = String::new();
                json::open(&mut body, "id_token", &token);
                body.push('}');
                RawAnswer::json(body)
            }
            Err(Refusal::WrongPassword) => {
                RawAnswer::problem(401, "Unauthorized", "Bad credentials", path)
            }
            Err(Refusal::Malformed) => {
                RawAnswer::problem(400, "Bad Request", "malformed login", path)
            }
        }
    }

    fn user_list(&mut self, question: &Question<'_>, now: Timestamp) -> RawAnswer {
        let asked = query(question.uri);
        let order = self.order();
        let mut chosen: Vec<UserId>;
        let by_name = asked
            .get("sort")
            .is_some_and(|sort| sort.starts_with("name"));
        let descending = asked
            .get("sort")
            .is_some_and(|sort| sort.ends_with(",desc"));
        let ids = if by_name || descending || asked.contains_key("name") {
            let wanted = asked.get("name");
            chosen = order.to_vec();
            chosen.retain(|id| wanted.is_none_or(|name| *self.users[id].name == **name));
            if by_name {
                chosen.sort_by_key(|id| &self.users[id].name);
            }
            if descending {
                chosen.reverse();
            }
            &chosen[..]
        } else {
            &order[..]
        };
        let page = Page::of(&asked, self.lists, ids.len());
        let mut body = String::from("[");
        for id in &ids[page.range()] {
            if body.len() > 1 {
                body.push(',');
            }
            self.write_user(&mut body, *id, &self.users[id], now);
        }
        body.push(']');
        page.answer(body, question, self.lists)
    }

    fn write_user(&self, out: &mut String, id: UserId, user: &User, now: Timestamp) {
        let _ = write!(out, "{{\"id\":\"{id}\"");
        json::member(out, "name", &user.name);
        let _ = write!(out, ",\"email\":\"{}@growers.example\"", id.0.as_simple());
        out.push_str(",\"phone\":null,\"address\":null,\"externalId\":null");
        for (provider, grant) in &user.grants {
            if self.embedding == Embedding::Absent {
                continue;
            }
            let _ = write!(out, ",\"{}\":", provider.user_key());
            match self.embedding {
                Embedding::Absent | Embedding::Empty => out.push_str("{}"),
                Embedding::Null => out.push_str("null"),
                Embedding::Full => {
                    let provider = *provider;
                    grant.write(out, Credential { user: id, provider }, now);
                }
            }
        }
        out.push('}');
    }

    fn event_list(
        &self,
        question: &Question<'_>,
        credential: Credential,
        now: Timestamp,
    ) -> Option<RawAnswer> {
        let grant = self.grant(credential)?;
        let mut kept = grant.kept_log(now);
        if self.lists.newest_first {
            kept.reverse();
        }
        let page = Page::of(&query(question.uri), self.lists, kept.len());
        let mut body = String::from("[");
        for written in &kept[page.range()] {
            if body.len() > 1 {
                body.push(',');
            }
            written.entry.write(&mut body, written.serial, written.at);
        }
        body.push(']');
        Some(page.answer(body, question, self.lists))
    }
}

/// Which part of a list is asked for.
struct Page {
    number: usize,
    size: usize,
    total: usize,
}

impl Page {
    fn of(asked: &HashMap<String, String>, lists: Lists, total: usize) -> Self {
        let number = |key| asked.get(key).and_then(|text| text.parse::<usize>().ok());
        if !lists.paged {
            let size = total.max(1);
            return Page {
                number: 0,
                size,
                total,
            };
        }
        Page {
            number: number("page").unwrap_or(0),
            size: number("size").unwrap_or(20).clamp(1, lists.max_size.max(1)),
            total,
        }
    }

    fn range(&self) -> std::ops::Range<usize> {
        let first = self.number.saturating_mul(self.size).min(self.total);
        first..first.saturating_add(self.size).min(self.total)
    }

    fn answer(&self, body: String, question: &Question<'_>, lists: Lists) -> RawAnswer {
        let mut answer = RawAnswer::json(body);
        if lists.total_count {
            answer = answer.with("X-Total-Count", self.total.to_string());
        }
        let last = self.total.saturating_sub(1) / self.size;
        let mut wanted = vec![("last", last), ("first", 0)];
        if self.number > 0 {
            wanted.insert(0, ("prev", self.number - 1));
        }
        if self.number < last {
            wanted.insert(0, ("next", self.number + 1));
        }
        let host = match lists.links {
            Links::Relative => "",
            Links::Absolute => question.base_url,
            Links::Absent => return answer,
        };
        let (path, size) = (question.uri.path(), self.size);
        let links: Vec<_> = wanted
            .into_iter()
            .map(|(rel, page)| format!("<{host}{path}?page={page}&size={size}>; rel=\"{rel}\""))
            .collect();
        answer.with("Link", links.join(","))
    }
}

fn query(uri: &Uri) -> HashMap<String, String> {
    match Query::try_from_uri(uri) {
        Ok(Query(asked)) => asked,
        Err(_) => HashMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::nth_user;

    #[test]
    fn a_path_names_what_the_docs_say_and_nothing_else() {
        let user = nth_user(5);
        let credential = Credential {
            user,
            provider: "cnhi-field-ops".parse().unwrap(),
        };
        let path = |rest: &str| Target::of(&format!("{USERS}{rest}"));
        assert_eq!(Target::of("/api/authenticate"), Target::Login);
        assert_eq!(path(""), Target::Users);
        assert_eq!(path(&format!("/{user}")), Target::User(user));
        let reading = format!("/{user}/cnhi-field-ops-credentials");
        assert_eq!(path(&reading), Target::Reading(credential));
        assert_eq!(
            path(&format!("{reading}/events")),
            Target::Events(credential)
        );
        for wrong in [
            "x",
            "/not-a-uuid",
            &format!("/{user}/cnhi-field-ops"),
            &format!("/{user}/tractor-credentials"),
            &format!("{reading}/status"),
            &format!("{reading}/events/1"),
        ] {
            assert_eq!(path(wrong), Target::Nothing, "{wrong}");
        }
        assert_eq!(Target::of("/"), Target::Nothing);
    }
}
