//! What is true at Leaf: users, credentials, logs, logins, and the settings for what its docs leave open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::answer::Embedding;
use super::count::Tally;
use super::fault::Faults;
use super::grant::{Consent, Grant, Written};
use super::lists::Lists;
use super::log_entry::LogEntry;
use super::login::Logins;
use super::serve::DateHeader;
use crate::model::{Credential, Provider, UserId};

/// The id of the `n`-th user of a fleet made by [`super::Leaf::fill`], counted from 0; ids sort as their numbers.
pub fn nth_user(n: u64) -> UserId {
    UserId(Uuid::from_u64_pair(0x3c9d_2f1e_0000_8000, (1 << 63) | n))
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) users: BTreeMap<UserId, User>,
    /// The ids in order, for paging; made when asked for, dropped when a user comes or goes.
    order: Option<Arc<[UserId]>>,
    pub(super) logins: Logins,
    pub(super) faults: Faults,
    pub(super) tally: Tally,
    pub(super) lists: Lists,
    pub(super) embedding: Embedding,
    pub(super) date: DateHeader,
    pub(super) lag: Duration,
    serial: u64,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) name: Box<str>,
    pub(super) grants: Vec<(Provider, Grant)>,
}

impl World {
    pub(super) fn add_user(&mut self, id: UserId, name: &str) {
        let name = name.into();
        match self.users.get_mut(&id) {
            Some(user) => user.name = name,
            None => {
                let grants = Vec::new();
                self.users.insert(id, User { name, grants });
                self.order = None;
            }
        }
    }

    pub(super) fn remove_user(&mut self, id: UserId) {
        self.users.remove(&id);
        self.order = None;
    }

    /// The ids of all users, in order.
    pub(super) fn order(&mut self) -> Arc<[UserId]> {
        let users = &self.users;
        let order = self
            .order
            .get_or_insert_with(|| users.keys().copied().collect());
        Arc::clone(order)
    }

    pub(super) fn grant(&self, credential: Credential) -> Option<&Grant> {
        let user = self.users.get(&credential.user)?;
        let mut grants = user.grants.iter();
        grants.find_map(|(provider, grant)| (*provider == credential.provider).then_some(grant))
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
        let user = self.users.get_mut(&credential.user);
        let found = user.and_then(|user| {
            let mut grants = user.grants.iter_mut();
            grants.find_map(|(provider, grant)| (*provider == credential.provider).then_some(grant))
        });
        found.unwrap_or_else(|| panic!("nobody connected {credential} at the simulated Leaf"))
    }

    /// Every credential.
    pub(super) fn grants_mut(&mut self) -> impl Iterator<Item = &mut Grant> {
        let users = self.users.values_mut();
        users.flat_map(|user| user.grants.iter_mut().map(|(_, grant)| grant))
    }

    /// A new credential in place of the one that may be there; the user is made where it is not known.
    pub(super) fn connect(&mut self, credential: Credential, consent: Consent, now: Timestamp) {
        if !self.users.contains_key(&credential.user) {
            self.add_user(credential.user, &credential.user.to_string());
        }
        let grant = Grant::new(self.next(), consent, now);
        if let Some(user) = self.users.get_mut(&credential.user) {
            user.grants
                .retain(|(provider, _)| *provider != credential.provider);
            user.grants.push((credential.provider, grant));
        }
    }

    pub(super) fn disconnect(&mut self, credential: Credential) {
        if let Some(user) = self.users.get_mut(&credential.user) {
            user.grants
                .retain(|(provider, _)| *provider != credential.provider);
        }
    }

    /// A new credential that keeps the log of the old one and begins with a success.
    pub(super) fn reconnect(
        &mut self,
        credential: Credential,
        consent: Option<Consent>,
        now: Timestamp,
    ) {
        let old = self.grant_mut(credential);
        let log = std::mem::take(&mut old.log);
        let consent = consent.unwrap_or_else(|| Consent {
            since: None,
            ..old.consent.clone()
        });
        self.connect(credential, consent, now);
        self.grant_mut(credential).log = log;
        self.write_log(credential, Arc::new(LogEntry::token_refreshed()), now);
    }

    pub(super) fn write_log(
        &mut self,
        credential: Credential,
        entry: Arc<LogEntry>,
        now: Timestamp,
    ) {
        let serial = self.next();
        let at = entry.dated().unwrap_or(now);
        self.grant_mut(credential)
            .log
            .push(Written { serial, at, entry });
    }

    /// Leaf notices now that the provider refuses the credentials that `which` picks: the log has it at once, the
    /// status word after the lag.
    pub(super) fn refuse(
        &mut self,
        which: impl Fn(&Grant) -> bool,
        entry: LogEntry,
        now: Timestamp,
    ) {
        let entry = Arc::new(entry);
        let (turns, mut serial) = (now + self.lag, self.serial);
        for grant in self.grants_mut().filter(|grant| which(grant)) {
            serial += 1;
            grant.turn(turns, "UNAUTHENTICATED");
            let entry = Arc::clone(&entry);
            grant.log.push(Written {
                serial,
                at: now,
                entry,
            });
        }
        self.serial = serial;
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}
