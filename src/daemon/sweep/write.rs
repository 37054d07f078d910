//! Hands changed answers to the judge, in batches, while the workers ask. What the database cannot take now waits in the
//! backlog; nothing is lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::Urgent;
use super::work::{Changed, State};
use crate::config::Config;
use crate::daemon::context::Context;
use crate::daemon::judge::Look;
use crate::model::{Answer, Credential, CredentialId, StatusClass};
use crate::store::{Counts, Error};
use crate::view::words;

/// Changed answers go to the writer within this time.
const FLUSH: Duration = Duration::from_millis(200);
/// Or when this many wait.
pub(super) const BATCH: usize = 2_000;
/// While this many wait for the writer nobody asks on, so that a first sweep does not outrun the disk.
pub(super) const MOST_WAITING: usize = 2 * BATCH;
/// Events are read at once for this many credentials of one cause.
const URGENT_A_CAUSE: u32 = 10;

/// Writes changed answers in batches while the workers ask.
pub(super) async fn flush_until_done(
    context: Context,
    config: Arc<Config>,
    state: Arc<State>,
    urgent: Urgent,
) {
    let mut done = false;
    while !done {
        tokio::select! {
            () = state.finished.notified() => done = true,
            () = state.changed.notified() => {
                tokio::select! {
                    () = tokio::time::sleep(FLUSH) => {}
                    () = state.changed.notified() => {}
                    () = state.finished.notified() => done = true,
                }
            }
        }
        // One commit a batch: what came while one was written waits for its own, or the disk would sync for every few.
        loop {
            flush(&context, &config, &state, &urgent).await;
            let waiting = state.work().changed.len();
            if waiting > 0 && (done || waiting >= BATCH) {
                continue;
            }
            if waiting > 0 {
                state.changed.notify_one();
            }
            break;
        }
    }
}

/// Writes one batch.
async fn flush(context: &Context, config: &Arc<Config>, state: &State, urgent: &Urgent) {
    let (batch, counts) = {
        let mut work = state.work();
        let count = work.changed.len().min(BATCH);
        (work.changed.drain(..count).collect::<Vec<_>>(), work.counts)
    };
    if batch.is_empty() {
        return;
    }
    state.taken.notify_waiters();
    let marks: Vec<Mark> = batch
        .iter()
        .map(|changed| Mark {
            at: changed.at,
            id: changed.look.id,
            digest: changed.digest,
            healthy: is_healthy(config, &changed.look.answer),
        })
        .collect();
    let keys: HashMap<CredentialId, (Credential, Option<[u8; 16]>)> = batch
        .iter()
        .map(|Changed { look, .. }| (look.id, (look.credential, key_of(&look.answer))))
        .collect();
    let looks = batch.into_iter().map(|changed| changed.look).collect();
    let Some(Written { told, left_out }) = state.write(context, looks, counts).await else {
        // What waits in the backlog is not what was last committed.
        forget_committed(context, &marks);
        return;
    };
    let (lost, committed): (Vec<Mark>, Vec<Mark>) = marks
        .into_iter()
        .partition(|mark| left_out.contains(&mark.id));
    mark_committed(context, &committed);
    forget_committed(context, &lost);
    context.pack_soon();
    for id in told {
        let Some((credential, key)) = keys.get(&id) else {
            continue;
        };
        let mut work = state.work();
        let asked = work.urgent.entry(*key).or_default();
        *asked += 1;
        if *asked <= URGENT_A_CAUSE && credential.provider.has_events() {
            // A receiver that is gone means that the daemon stops; then nobody reads events any more.
            let _ = urgent.send((id, *credential));
        }
    }
}

/// What became of answers that were handed to the judge.
#[derive(Default)]
struct Written {
    /// Whose incidents opened.
    told: Vec<CredentialId>,
    /// Whose answer was not committed: their next look is not to be taken for a known one.
    left_out: HashSet<CredentialId>,
}

/// What the roster is to know of an answer once it is committed.
struct Mark {
    at: u32,
    id: CredentialId,
    digest: u64,
    healthy: bool,
}

fn mark_committed(context: &Context, marks: &[Mark]) {
    let mut roster = context.roster();
    for mark in marks {
        // After a reload the place may be another's.
        if let Some(member) = roster
            .member_mut(mark.at as usize)
            .filter(|member| member.id == mark.id)
        {
            member.digest = mark.digest;
            member.body = None;
            member.healthy = mark.healthy;
            member.silent = false;
        }
    }
}

fn forget_committed(context: &Context, marks: &[Mark]) {
    let mut roster = context.roster();
    for mark in marks {
        if let Some(member) = roster
            .member_mut(mark.at as usize)
            .filter(|member| member.id == mark.id)
        {
            member.digest = 0;
            member.body = None;
        }
    }
}

fn is_healthy(config: &Config, answer: &Answer) -> bool {
    match answer {
        Answer::Reading(reading) => {
            let class = reading
                .status
                .as_deref()
                .and_then(|word| config.policy.status_words.class(word));
            class == Some(StatusClass::Healthy)
        }
        Answer::Missing => false,
    }
}

fn key_of(answer: &Answer) -> Option<[u8; 16]> {
    match answer {
        Answer::Reading(reading) => reading.key.as_ref().map(|key| key.print),
        Answer::Missing => None,
    }
}

impl State {
    /// Writes what an earlier sweep could not.
    pub(super) async fn write_backlog(&self, context: &Context) {
        let looks = context.backlog().take();
        if !looks.is_empty() {
            self.write(context, looks, Counts::default()).await;
        }
    }

    /// Hands answers to the judge. What cannot be written goes to the backlog; nothing is returned where all of it did.
    async fn write(&self, context: &Context, looks: Vec<Look>, counts: Counts) -> Option<Written> {
        let Some(sweep) = self.sweep else {
            context.backlog().keep(looks);
            return None;
        };
        // What could not be written before goes first: answers are judged in the order in which they came.
        let mut waiting = context.backlog().take();
        waiting.extend(looks);
        let (mut looks, now) = (waiting, context.clock.now());
        for look in &mut looks {
            // The clock may have been set back since; nothing is to wait for a time that was.
            look.at = look.at.min(now);
        }
        let looks = Arc::new(looks);
        let handed = looks.clone();
        let written = context
            .judge(move |bench, tx| bench.answers(tx, sweep, counts, &handed))
            .await;
        let told = match written {
            Ok(told) => Some(Written {
                told,
                ..Written::default()
            }),
            Err(Error::Failed(_)) if looks.len() > 1 => {
                self.write_one_by_one(context, &looks).await
            }
            Err(Error::Failed(error)) => {
                tracing::error!("an answer could not be judged and is left out: {error}");
                None
            }
            Err(_) => {
                context.backlog().keep(Arc::unwrap_or_clone(looks));
                None
            }
        };
        context.backlog().settle();
        told
    }

    /// One answer that the database cannot take must not keep back all the others.
    async fn write_one_by_one(&self, context: &Context, looks: &[Look]) -> Option<Written> {
        let sweep = self.sweep?;
        let mut all = Written::default();
        for look in looks {
            let counts = self.work().counts;
            let handed = look.clone();
            let written = context
                .judge(move |bench, tx| {
                    bench.answers(tx, sweep, counts, std::slice::from_ref(&handed))
                })
                .await;
            match written {
                Ok(opened) => {
                    all.told.extend(opened);
                    continue;
                }
                Err(error @ Error::Failed(_)) => tracing::error!(
                    "an answer could not be judged and is left out: {}",
                    words::with_causes(&error)
                ),
                Err(_) => context.backlog().keep(vec![look.clone()]),
            }
            all.left_out.insert(look.id);
        }
        Some(all)
    }
}
