//! What a request asks for.

use crate::model::{Credential, UserId};

const USERS: &str = "/services/usermanagement/api/users";

/// What a path names, as Leaf's documentation has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// `POST /api/authenticate`.
    Login,
    /// The list of users.
    Users,
    /// One user.
    User(UserId),
    /// One credential.
    Reading(Credential),
    /// The events of one credential.
    Events(Credential),
    /// Nothing that there is.
    Nothing,
}

impl Question {
    /// What `path` names.
    pub fn of(path: &str) -> Question {
        if path == "/api/authenticate" {
            return Question::Login;
        }
        let parts: Option<Vec<&str>> = path
            .strip_prefix(USERS)
            .map(|rest| rest.split('/').collect());
        let found = match parts.as_deref() {
            Some([""]) => Some(Question::Users),
            Some(["", user]) => user.parse().ok().map(Question::User),
            Some(["", user, name]) => credential(user, name).map(Question::Reading),
            Some(["", user, name, "events"]) => credential(user, name).map(Question::Events),
            _ => None,
        };
        found.unwrap_or(Question::Nothing)
    }
}

fn credential(user: &str, name: &str) -> Option<Credential> {
    Some(Credential {
        user: user.parse().ok()?,
        provider: name.strip_suffix("-credentials")?.parse().ok()?,
    })
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
        let path = |rest: &str| Question::of(&format!("{USERS}{rest}"));
        assert_eq!(Question::of("/api/authenticate"), Question::Login);
        assert_eq!(path(""), Question::Users);
        assert_eq!(path(&format!("/{user}")), Question::User(user));
        let reading = format!("/{user}/cnhi-field-ops-credentials");
        assert_eq!(path(&reading), Question::Reading(credential));
        assert_eq!(
            path(&format!("{reading}/events")),
            Question::Events(credential)
        );
        for wrong in [
            "x",
            "/not-a-uuid",
            &format!("/{user}/cnhi-field-ops"),
            &format!("/{user}/tractor-credentials"),
            &format!("{reading}/status"),
            &format!("{reading}/events/1"),
        ] {
            assert_eq!(path(wrong), Question::Nothing, "{wrong}");
        }
        assert_eq!(Question::of("/"), Question::Nothing);
    }
}
