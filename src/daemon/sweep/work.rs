//! What the workers of one sweep share: whom to ask next, and what came of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};

use super::Scope;
use super::write::{BATCH, MOST_WAITING};
use crate::daemon::context::Context;
use crate::daemon::judge::Look;
use crate::daemon::roster::{self, Member, Roster};
use crate::leaf::{BodyDigest, Look as LeafLook, Reply};
use crate::model::{Credential, NoAnswer, Outcome, SweepEnd, SweepId};
use crate::rules::fleet::Outlook;
use crate::store::{Counts, Gap};

/// Credentials that wait for another try beside the workers.
const RETRYING: usize = 16;

/// What the workers of one sweep share.
pub(super) struct State {
    work: Mutex<Work>,
    pub(super) sweep: Option<SweepId>,
    round: u32,
    pub(super) changed: Notify,
    pub(super) taken: Notify,
    pub(super) finished: Notify,
    pub(super) retrying: Arc<Semaphore>,
}

pub(super) struct Work {
    order: std::vec::IntoIter<u32>,
    /// Who carries which of Leaf's ids, by their digests.
    holders: HashMap<u64, u32>,
    /// Who is to be asked once more, and who is or was in this sweep.
    again: Vec<u32>,
    asked_again: HashSet<u32>,
    outlook: Outlook,
    pub(super) counts: Counts,
    pub(super) changed: Vec<Changed>,
    pub(super) gaps: Vec<(u32, Gap)>,
    pub(super) given_up: Option<(SweepEnd, String)>,
    pub(super) urgent: HashMap<Option<[u8; 16]>, u32>,
}

/// An answer that is another than the last committed one.
pub(super) struct Changed {
    /// Whose, by its place in the roster.
    pub(super) at: u32,
    pub(super) digest: u64,
    pub(super) look: Look,
}

impl State {
    pub(super) fn new(context: &Context, scope: &Scope, sweep: Option<SweepId>) -> Self {
        let roster = context.roster();
        let order = order(&roster, scope);
        let answering = order
            .iter()
            .filter(|at| !roster.members()[**at as usize].silent)
            .count();
        let round = 1 + roster
            .members()
            .iter()
            .map(|member| member.asked)
            .max()
            .unwrap_or(0);
        let holders = (0u32..)
            .zip(roster.members())
            .filter_map(|(at, member)| Some((member.leaf_id?, at)));
        let holders = holders.collect();
        State {
            work: Mutex::new(Work {
                order: order.into_iter(),
                holders,
                again: Vec::new(),
                asked_again: HashSet::new(),
                outlook: Outlook::new(answering as u32),
                counts: Counts::default(),
                changed: Vec::new(),
                gaps: Vec::new(),
                given_up: None,
                urgent: HashMap::new(),
            }),
            sweep,
            round,
            changed: Notify::new(),
            taken: Notify::new(),
            finished: Notify::new(),
            retrying: Arc::new(Semaphore::new(RETRYING)),
        }
    }

    pub(super) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to ask next; waits while too much waits to be written.
    pub(super) async fn next(&self) -> Option<u32> {
        loop {
            let taken = self.taken.notified();
            {
                let mut work = self.work();
                if work.given_up.is_some() {
                    return None;
                }
                if work.changed.len() < MOST_WAITING {
                    return work.again.pop().or_else(|| work.order.next());
                }
            }
            taken.await;
        }
    }

    pub(super) fn give_up(&self, end: SweepEnd, reason: String) {
        self.work().given_up.get_or_insert((end, reason));
    }

    /// Takes one result into the account of the sweep. The bytes of the last committed answer need not be read again.
    pub(super) fn take(&self, context: &Context, at: u32, asked: Credential, reply: Reply) {
        let (body, leaf_time) = (reply.body, reply.leaf_time);
        let counts = {
            let mut roster = context.roster();
            let member = member_at(&mut roster, at, asked);
            let known = member.filter(|member| {
                body.is_some()
                    && member.body == body
                    && !member.silent
                    && member.asked != self.round
            });
            known.map(|member| {
                member.asked = self.round;
                self.work().count_unchanged(member.healthy)
            })
        };
        match counts {
            Some(counts) => self.note_progress(context, counts, leaf_time, context.clock.now()),
            None => {
                let look = context.client.understand(reply);
                self.record(context, at, asked, look, body);
            }
        }
    }

    fn record(
        &self,
        context: &Context,
        at: u32,
        asked: Credential,
        look: LeafLook,
        body: Option<BodyDigest>,
    ) {
        let now = context.clock.now();
        let mut roster = context.roster();
        let Some(before) = member_at(&mut roster, at, asked).copied() else {
            return;
        };
        let mut work = self.work();
        // Counted already: asked once more, for another's sake.
        let counted = before.asked == self.round;
        if let Outcome::Answer(answer) = &look.outcome {
            let id = roster::leaf_id(answer);
            let holder = id.and_then(|id| work.holders.get(&id).copied());
            let mixed_up = holder.filter(|other| {
                let other = roster.members().get(*other as usize);
                before.leaf_id != id
                    && other.is_some_and(|other| {
                        other.leaf_id == id && other.credential.user != asked.user
                    })
            });
            if let Some(other) = mixed_up.filter(|_| !work.asked_again.contains(&at)) {
                work.ask_again(at);
                work.ask_again(other);
                return;
            }
            if let Some(id) = id.filter(|_| before.leaf_id != id) {
                work.holders.insert(id, at);
            }
            if let Some(member) = roster.member_mut(at as usize) {
                member.leaf_id = id;
            }
        } else if counted {
            return;
        }
        if let Some(member) = roster.member_mut(at as usize) {
            member.asked = self.round;
        }
        work.counts.asked += u32::from(!counted);
        let silence = match look.outcome {
            Outcome::Answer(answer) => {
                work.counts.answered += u32::from(!counted);
                work.counts.were_healthy += u32::from(before.healthy && !counted);
                let digest = roster::digest(&answer);
                // The first answer of somebody asked once more may not be committed yet.
                let is_known = !before.silent && before.digest == digest && !counted;
                if let Some(member) = roster.member_mut(at as usize) {
                    member.body = body.filter(|_| is_known);
                }
                if !is_known {
                    let leaf_at = look.leaf_time.unwrap_or(now);
                    let look = Look {
                        id: before.id,
                        credential: before.credential,
                        answer,
                        at: now,
                        leaf_at,
                    };
                    work.changed.push(Changed { at, digest, look });
                    if work.changed.len() == 1 || work.changed.len() >= BATCH {
                        self.changed.notify_one();
                    }
                }
                None
            }
            Outcome::None(reason, detail) => {
                work.counts.count(reason);
                work.gaps.push((
                    at,
                    Gap {
                        credential: before.id,
                        reason,
                        detail,
                    },
                ));
                Some(reason)
            }
        };
        if !before.silent && !counted {
            work.outlook.record(silence);
        }
        if let Some(end) = work.outlook.gives_up().filter(|_| silence.is_some()) {
            let reason = work
                .gaps
                .last()
                .map(|(_, gap)| gap.detail.clone())
                .unwrap_or_default();
            work.given_up.get_or_insert((end, reason));
        }
        let counts = work.counts;
        drop(work);
        drop(roster);
        self.note_progress(context, counts, look.leaf_time, now);
    }

    fn note_progress(
        &self,
        context: &Context,
        counts: Counts,
        leaf_time: Option<Timestamp>,
        now: Timestamp,
    ) {
        let mut sight = context.sight();
        sight.progress = self.sweep.map(|sweep| (sweep, counts));
        if let Some(leaf_time) = leaf_time {
            sight.skew = Some(leaf_time.duration_since(now));
        }
    }
}

/// After a reload the place may be another's: an answer is never taken for somebody else's.
fn member_at(roster: &mut Roster, at: u32, asked: Credential) -> Option<&mut Member> {
    let member = roster.member_mut(at as usize);
    member.filter(|member| member.credential == asked)
}

impl Work {
    /// One more that says what it said before.
    fn count_unchanged(&mut self, is_healthy: bool) -> Counts {
        self.counts.asked += 1;
        self.counts.answered += 1;
        self.counts.were_healthy += u32::from(is_healthy);
        self.outlook.record(None);
        self.counts
    }

    fn ask_again(&mut self, at: u32) {
        if self.asked_again.insert(at) {
            self.again.push(at);
        }
    }
}

fn order(roster: &Roster, scope: &Scope) -> Vec<u32> {
    let order = roster.sweep_order();
    match scope {
        Scope::All => order,
        Scope::SecondLook(suspects) => {
            let wanted: std::collections::HashSet<_> = suspects.iter().collect();
            order
                .into_iter()
                .filter(|at| wanted.contains(&roster.members()[*at as usize].id))
                .collect()
        }
    }
}

impl Counts {
    fn count(&mut self, reason: NoAnswer) {
        match reason {
            NoAnswer::Denied => self.denied += 1,
            NoAnswer::Later => self.later += 1,
            NoAnswer::Broken => self.broken += 1,
        }
    }
}
