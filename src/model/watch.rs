//! Which credentials are watched, and what is expected of them.

use std::collections::HashMap;

use super::{Address, Credential, Environment, Provider, UserId};

/// One Leaf user whose credentials are watched. Kept small: there may be a hundred thousand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedUser {
    /// Leaf's id.
    pub id: UserId,
    /// Name from the config; else the one that Leaf has is shown.
    pub name: Option<Box<str>>,
    /// What few users have; boxed, so that those who have none pay 8 bytes.
    pub own: Option<Box<OwnSettings>>,
}

/// What a user sets apart from the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnSettings {
    /// Its own providers, in place of `watch.providers`.
    pub providers: Option<Vec<Provider>>,
    /// The environment expected of its credentials.
    pub expected_environment: Option<Environment>,
    /// Who is told besides `alerts.to`.
    pub notify: Vec<Address>,
    /// Labels that routes can pick.
    pub tags: Vec<String>,
    /// The link that a grower follows to connect again; `{leaf_user_id}` stands for the id.
    pub reconnect_url: Option<String>,
}

/// What the config expects of one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// The environment, where one is expected.
    pub environment: Option<Environment>,
    /// Whether the user names this provider itself, so that it is missing even if never seen.
    pub named: bool,
}

/// Every watched user, and what holds for all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WatchList {
    users: Vec<WatchedUser>,
    providers: Vec<Provider>,
    expected_for_all: Option<Environment>,
    expected_by_provider: Vec<(Provider, Environment)>,
    reconnect_urls: Vec<(Option<Provider>, String)>,
    index: HashMap<UserId, u32>,
}

impl WatchList {
    /// A list of `users`; `providers` is for users who name none of their own.
    pub fn new(users: Vec<WatchedUser>, providers: Vec<Provider>) -> Self {
        let index = users
            .iter()
            .enumerate()
            .map(|(at, user)| (user.id, at as u32))
            .collect();
        WatchList {
            users,
            providers,
            index,
            ..WatchList::default()
        }
    }

    /// Expects `environment` of every credential that nothing else is said about.
    pub fn expect_of_all(mut self, environment: Option<Environment>) -> Self {
        self.expected_for_all = environment;
        self
    }

    /// Expects an environment of each provider listed.
    pub fn expect_by_provider(mut self, expected: Vec<(Provider, Environment)>) -> Self {
        self.expected_by_provider = expected;
        self
    }

    /// The links to connect again, for users without their own: by provider, and one for all (`None`).
    pub fn reconnect_at(mut self, urls: Vec<(Option<Provider>, String)>) -> Self {
        self.reconnect_urls = urls;
        self
    }

    /// The users, in the order of the config.
    pub fn users(&self) -> &[WatchedUser] {
        &self.users
    }

    /// One user.
    pub fn user(&self, id: UserId) -> Option<&WatchedUser> {
        self.index.get(&id).map(|&at| &self.users[at as usize])
    }

    /// Every watched credential, in the order of the config.
    pub fn credentials(&self) -> impl Iterator<Item = Credential> + '_ {
        self.users.iter().flat_map(|user| {
            self.providers_of(user).iter().map(|&provider| Credential {
                user: user.id,
                provider,
            })
        })
    }

    /// How many credentials are watched.
    pub fn len(&self) -> usize {
        self.users
            .iter()
            .map(|user| self.providers_of(user).len())
            .sum()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `credential` is watched.
    pub fn contains(&self, credential: Credential) -> bool {
        self.user(credential.user)
            .is_some_and(|user| self.providers_of(user).contains(&credential.provider))
    }

    fn providers_of<'a>(&'a self, user: &'a WatchedUser) -> &'a [Provider] {
        user.own
            .as_ref()
            .and_then(|own| own.providers.as_deref())
            .unwrap_or(&self.providers)
    }

    /// What is expected of `credential`: the user's own word first, then the provider's, then the one for all.
    pub fn expectation(&self, credential: Credential) -> Expectation {
        let own = self
            .user(credential.user)
            .and_then(|user| user.own.as_deref());
        let environment = if credential.provider.has_environment() {
            own.and_then(|own| own.expected_environment)
                .or_else(|| {
                    let by_provider = self.expected_by_provider.iter();
                    by_provider
                        .copied()
                        .find(|(provider, _)| *provider == credential.provider)
                        .map(|(_, word)| word)
                })
                .or(self.expected_for_all)
        } else {
            None
        };
        let named = own
            .and_then(|own| own.providers.as_ref())
            .is_some_and(|list| list.contains(&credential.provider));
        Expectation { environment, named }
    }

    /// The link with which this credential is connected again, the user's id filled in.
    pub fn reconnect_url(&self, credential: Credential) -> Option<String> {
        let own = self
            .user(credential.user)
            .and_then(|user| user.own.as_deref());
        let of = |wanted: Option<Provider>| {
            let found = self
                .reconnect_urls
                .iter()
                .find(|(provider, _)| *provider == wanted);
            found.map(|(_, url)| url)
        };
        own.and_then(|own| own.reconnect_url.as_ref())
            .or_else(|| of(Some(credential.provider)))
            .or_else(|| of(None))
            .map(|url| url.replace("{leaf_user_id}", &credential.user.to_string()))
    }
}
