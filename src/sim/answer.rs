//! Which answer a request gets: token, verb, what is there, bodies. No I/O.

use std::fmt::Write as _;

use axum::http::Method;
use jiff::Timestamp;

use super::json;
use super::lists::{Page, query};
use super::login::Refusal;
use super::question::{Question, Target};
use super::world::{User, World};
use crate::model::{Credential, UserId};

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
