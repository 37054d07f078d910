//! What a request asks for.

use axum::http::{Method, Uri};

use super::count::RequestKind;
use crate::model::{Credential, Provider, UserId};

const USERS: &str = "/services/usermanagement/api/users";

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
