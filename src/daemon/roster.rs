//! The watched credentials in memory: what a sweep works through. A cache that may be lost at any time; the database
//! is the state.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::leaf::BodyDigest;
use crate::model::{Answer, Credential, CredentialId, Policy, StatusClass, WatchList};
use crate::store::{Result, Tx};

/// One watched credential.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its number in the database.
    pub id: CredentialId,
    /// Which it is.
    pub credential: Credential,
    /// The digest of the last committed answer; 0 where it is not known.
    pub digest: u64,
    /// Bytes that were read as that answer.
    pub body: Option<BodyDigest>,
    /// The sweep of this run that last asked it, counted from 1; 0 before.
    pub asked: u32,
    /// When its events were last read, in unix seconds; 0 never.
    pub events_at: i64,
    /// It gave no answer when last asked in a whole sweep.
    pub silent: bool,
    /// The last answer's word was a healthy one.
    pub healthy: bool,
    /// The digest of the id that Leaf last gave it; none where it gave none.
    pub leaf_id: Option<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Roster {
    members: Vec<Member>,
}

/// What a new watch list changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// How many were watched before.
    pub before: usize,
    /// Those that are no longer watched.
    pub dropped: Vec<CredentialId>,
}

impl Roster {
    /// Brings the database in line with the watch list, and reads the roster from it. Ends no watch: what was dropped
    /// is returned, so that its incidents are closed with it.
    pub fn load(
        tx: &Tx<'_>,
        watch: &WatchList,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(Roster, Changes)> {
        let name_of = |credential: Credential| watch.user(credential.user)?.name.as_deref();
        let mut known = HashMap::new();
        let mut changes = Changes::default();
        let mut renamed = Vec::new();
        tx.each_credential(|registered, kept| {
            let healthy = kept.status.and_then(|word| policy.status_words.class(word))
                == Some(StatusClass::Healthy);
            changes.before += usize::from(registered.watched);
            if watch.contains(registered.credential) {
                let member = Member {
                    id: registered.id,
                    credential: registered.credential,
                    digest: 0,
                    body: None,
                    asked: 0,
                    events_at: registered.events_looked_at.map_or(0, Timestamp::as_second),
                    silent: registered.in_gap,
                    healthy,
                    leaf_id: kept.leaf_id.map(|id| hash(&id)),
                };
                known.insert(registered.credential, (member, registered.watched));
                if let Some(name) =
                    name_of(registered.credential).filter(|name| kept.name != Some(*name))
                {
                    renamed.push((registered.credential.user, name));
                }
            } else if registered.watched {
                changes.dropped.push(registered.id);
            }
        })?;
        for (user, name) in renamed {
            tx.keep_name(user, name)?;
        }
        // Numbers are dealt in the order of a sweep, so that its answers are written one beside the other.
        let mut watched: Vec<Credential> = watch.credentials().collect();
        watched.sort_by_cached_key(hash);
        let mut members = Vec::with_capacity(watched.len());
        for credential in watched {
            let member = match known.remove(&credential) {
                Some((member, true)) => member,
                _ => Member {
                    id: tx.watch_named(credential, name_of(credential), now)?,
                    credential,
                    digest: 0,
                    body: None,
                    asked: 0,
                    events_at: 0,
                    silent: false,
                    healthy: false,
                    leaf_id: None,
                },
            };
            members.push(member);
        }
        Ok((Roster { members }, changes))
    }

    /// The members, shuffled by a hash of the credential.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One member, to be brought up to date.
    pub fn member_mut(&mut self, at: usize) -> Option<&mut Member> {
        self.members.get_mut(at)
    }

    /// Nobody's events were read later than `now`.
    pub fn clock_was_set_back(&mut self, now: Timestamp) {
        for member in &mut self.members {
            member.events_at = member.events_at.min(now.as_second());
        }
    }

    /// Where everybody stands in a sweep: the longest unread first, ties shuffled: ten neighbours of one provider that
    /// has trouble must not look like a Leaf that does not answer.
    pub fn sweep_order(&self) -> Vec<u32> {
        self.order_by(|member| i64::from(member.asked))
    }

    /// The same for events; `first` go before all others.
    pub fn events_order(&self, first: &[CredentialId]) -> Vec<u32> {
        let first: HashSet<&CredentialId> = first.iter().collect();
        let mut order = self.order_by(|member| {
            if first.contains(&member.id) {
                i64::MIN
            } else {
                member.events_at
            }
        });
        order.retain(|at| self.members[*at as usize].credential.provider.has_events());
        order
    }

    /// Credentials of different users that carry the same id of Leaf's: each group once.
    pub fn sharing(&self) -> Vec<Vec<Credential>> {
        let mut by_id: HashMap<u64, Vec<Credential>> = HashMap::new();
        for member in &self.members {
            if let Some(id) = member.leaf_id {
                by_id.entry(id).or_default().push(member.credential);
            }
        }
        let mut shared: Vec<_> = by_id.into_values().collect();
        shared.retain(|group| group.iter().any(|one| one.user != group[0].user));
        for group in &mut shared {
            group.sort_unstable();
        }
        shared.sort_unstable();
        shared
    }

    /// By `key`, ties as they stand in the roster: shuffled.
    fn order_by(&self, key: impl Fn(&Member) -> i64) -> Vec<u32> {
        let mut order: Vec<(i64, u32)> = (0u32..)
            .zip(&self.members)
            .map(|(at, member)| (key(member), at))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, at)| at).collect()
    }
}

/// The digest by which an answer is told from the last one; never 0.
pub fn digest(answer: &Answer) -> u64 {
    hash(answer).max(1)
}

/// The digest of the id that Leaf gave in `answer`.
pub fn leaf_id(answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Reading(reading) => reading.leaf_id.as_deref().map(|id| hash(&id)),
        Answer::Missing => None,
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
