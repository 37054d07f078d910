//! What is true at Leaf: users, their credentials with the logs of events, and the tokens that open the door.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::ProviderAnswer;
use super::grant::{Consent, Grant};
use super::login::Logins;
use crate::model::{Credential, UserId};

pub(super) struct Accounts {
    /// Their names.
    pub(super) users: BTreeMap<UserId, Box<str>>,
    pub(super) grants: BTreeMap<Credential, Grant>,
    pub(super) logins: Logins,
    clock: Box<dyn Fn() -> Timestamp + Send>,
    serial: u64,
}

impl Accounts {
    /// Nobody's yet, by this clock.
    pub(super) fn new(clock: impl Fn() -> Timestamp + Send + 'static) -> Self {
        Accounts {
            users: BTreeMap::new(),
            grants: BTreeMap::new(),
            logins: Logins::default(),
            clock: Box::new(clock),
            serial: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The credential, to be changed.
    ///
    /// # Panics
    ///
    /// Where nobody connected it: the test or the story is wrong then.
    #[expect(
        clippy::panic,
        reason = "a mistake of the test that asks; to go on would make it pass for nothing"
    )]
    pub(super) fn grant_mut(&mut self, credential: Credential) -> &mut Grant {
        let found = self.grants.get_mut(&credential);
        found.unwrap_or_else(|| panic!("nobody connected {credential} at the simulated Leaf"))
    }

    /// A new credential in place of the one that may be there; the user is made where it is not known.
    pub(super) fn connect(&mut self, credential: Credential, consent: Consent) {
        let users = self.users.entry(credential.user);
        users.or_insert_with(|| credential.user.to_string().into());
        let grant = Grant::new(self.next(), consent, self.now());
        self.grants.insert(credential, grant);
    }

    /// A new credential that keeps the log of the old one and begins with a success.
    pub(super) fn reconnect(&mut self, credential: Credential, consent: Option<Consent>) {
        let old = self.grant_mut(credential);
        let log = std::mem::take(&mut old.log);
        let consent = consent.unwrap_or_else(|| Consent {
            since: None,
            ..old.consent.clone()
        });
        self.connect(credential, consent);
        self.grant_mut(credential).log = log;
        self.log(credential, ProviderAnswer::token_refreshed());
    }

    pub(super) fn log(&mut self, credential: Credential, answer: ProviderAnswer) {
        let event = answer.written(self.next(), self.now());
        self.grant_mut(credential).log.push(event);
    }

    /// Leaf notices now that the provider refuses the credentials that `which` picks.
    pub(super) fn refuse(&mut self, which: impl Fn(&Grant) -> bool, answer: ProviderAnswer) {
        let (now, mut serial) = (self.now(), self.serial);
        for grant in self.grants.values_mut().filter(|grant| which(grant)) {
            serial += 1;
            grant.status = Some(Cow::Borrowed("UNAUTHENTICATED"));
            grant.log.push(answer.written(serial, now));
        }
        self.serial = serial;
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}
