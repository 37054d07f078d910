//! Counts what was asked, so that a test can say that a limit held.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::model::Credential;

/// Starts are remembered up to this many: a benchmark shall not pay for them.
const STARTS_KEPT: usize = 100_000;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// `POST /api/authenticate`.
    Login,
    /// The list of users.
    Users,
    /// One user.
    User,
    /// One credential.
    Reading,
    /// The events of one credential.
    Events,
    /// Anything else.
    Other,
}

/// How often one credential was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Its status.
    pub readings: u32,
    /// Its events, each page counted.
    pub events: u32,
}

/// What was asked so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    /// Requests whose head arrived.
    pub total: u64,
    /// The same by kind.
    pub by_kind: BTreeMap<RequestKind, u64>,
    /// The answers by status; requests that were left hanging or cut off before their answer have none.
    pub by_status: BTreeMap<u16, u64>,
    /// Requests with another verb than GET, the login's POST aside: a monitor that only reads sends none.
    pub other_verbs: u64,
    /// How often which credential was asked for, whether it is there or not.
    pub by_credential: HashMap<Credential, Asked>,
    /// Requests under way now. One that its client gave up counts until its connection is seen to be closed.
    pub in_flight: usize,
    /// The most ever under way together.
    pub max_in_flight: usize,
    /// Connections accepted since the start.
    pub connections: u64,
    /// When each of the first 100,000 requests arrived, on a clock that never jumps; oldest first.
    pub starts: Vec<Duration>,
}

impl Requests {
    /// Requests of one kind.
    pub fn of(&self, kind: RequestKind) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }

    /// Answers with this status.
    pub fn answered(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// How often `credential` was asked for.
    pub fn asked(&self, credential: Credential) -> Asked {
        self.by_credential
            .get(&credential)
            .copied()
            .unwrap_or_default()
    }

    /// The most requests that arrived within any window of this length; both ends half open.
    pub fn most_within(&self, window: Duration) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (last, &at) in self.starts.iter().enumerate() {
            while at - self.starts[first] >= window {
                first += 1;
            }
            most = most.max(last + 1 - first);
        }
        most
    }
}

/// What is counted while serving, under the world's lock.
#[derive(Debug, Default)]
pub(super) struct Tally {
    by_kind: [u64; 6],
    by_status: BTreeMap<u16, u64>,
    other_verbs: u64,
    by_credential: HashMap<Credential, Asked>,
    starts: Vec<Duration>,
}

const KINDS: [RequestKind; 6] = [
    RequestKind::Login,
    RequestKind::Users,
    RequestKind::User,
    RequestKind::Reading,
    RequestKind::Events,
    RequestKind::Other,
];

impl Tally {
    pub(super) fn asked(
        &mut self,
        kind: RequestKind,
        credential: Option<Credential>,
        at: Duration,
    ) {
        self.by_kind[kind as usize] += 1;
        if self.starts.len() < STARTS_KEPT {
            self.starts.push(at);
        }
        if let Some(credential) = credential {
            let asked = self.by_credential.entry(credential).or_default();
            match kind {
                RequestKind::Events => asked.events += 1,
                _ => asked.readings += 1,
            }
        }
    }

    pub(super) fn other_verb(&mut self) {
        self.other_verbs += 1;
    }

    pub(super) fn answered(&mut self, status: u16) {
        *self.by_status.entry(status).or_default() += 1;
    }

    pub(super) fn report(&self, traffic: &Traffic, connections: u64) -> Requests {
        let by_kind = KINDS.into_iter().zip(self.by_kind);
        Requests {
            total: self.by_kind.iter().sum(),
            by_kind: by_kind.filter(|(_, count)| *count > 0).collect(),
            by_status: self.by_status.clone(),
            other_verbs: self.other_verbs,
            by_credential: self.by_credential.clone(),
            in_flight: traffic.in_flight.load(Ordering::SeqCst),
            max_in_flight: traffic.max_in_flight.load(Ordering::SeqCst),
            connections,
            starts: self.starts.clone(),
        }
    }
}

/// What is counted outside the lock.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
}

impl Traffic {
    pub(super) fn began(&self) {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.max_in_flight.fetch_max(now, Ordering::SeqCst);
    }

    pub(super) fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts the most under way anew.
    pub(super) fn restart(&self) {
        let now = self.in_flight.load(Ordering::SeqCst);
        self.max_in_flight.store(now, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_half_open_so_that_a_rate_kept_exactly_is_no_breach() {
        let at = |millis: &[u64]| Requests {
            starts: millis.iter().map(|&ms| Duration::from_millis(ms)).collect(),
            ..Requests::default()
        };
        let second = Duration::from_secs(1);
        assert_eq!(at(&[]).most_within(second), 0);
        assert_eq!(
            at(&[0, 200, 400, 600, 800, 1000, 1200]).most_within(second),
            5
        );
        assert_eq!(at(&[0, 999, 1000, 1001, 1998, 5000]).most_within(second), 4);
    }

    #[test]
    fn every_kind_is_reported_under_its_own_name() {
        let mut tally = Tally::default();
        for (nth, kind) in KINDS.into_iter().enumerate() {
            for _ in 0..=nth {
                tally.asked(kind, None, Duration::ZERO);
            }
        }
        let report = tally.report(&Traffic::default(), 0);
        let counts: Vec<u64> = KINDS.into_iter().map(|kind| report.of(kind)).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
        assert_eq!(report.total, 21);
    }
}
