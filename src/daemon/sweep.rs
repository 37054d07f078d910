//! One sweep: asks Leaf about every watched credential, and hands what changed to the judge. Decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::judge::{Look, Swept};
use super::roster::{self, Member, Roster};
use super::settings::Settings;
use crate::leaf::{Class, Halt, Look as LeafLook, Step};
use crate::model::{Answer, Credential, CredentialId, Outcome, SweepId};
use crate::model::{NoAnswer, StatusClass};
use crate::rules::fleet::{Outlook, Sight};
use crate::store::{Counts, Error, Gap};
use crate::vitals::{LastSweep, Loop, SweepEnd};

/// Changed answers go to the writer within this time.
const FLUSH: Duration = Duration::from_millis(200);
/// Or when this many wait.
const BATCH: usize = 2_000;
/// While this many wait for the writer nobody asks on, so that a first sweep does not outrun the disk.
const MOST_WAITING: usize = 2 * BATCH;
/// How long requests under way may take when the sweep is stopped.
const GRACE: Duration = Duration::from_secs(5);
/// Credentials that wait for another try beside the workers.
const RETRYING: usize = 16;
/// Events are read at once for this many credentials of one cause.
const URGENT_A_CAUSE: u32 = 10;

/// What a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub sight: Sight,
    /// Whether we are blind now.
    pub blind: bool,
    /// Whether suspects want a second look.
    pub second_look: bool,
}

/// Which credentials are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// Suspects, once more.
    SecondLook(Vec<CredentialId>),
}

/// Credentials whose events are wanted before their notice is packed.
pub type Urgent = mpsc::UnboundedSender<(CredentialId, Credential)>;

/// Runs one sweep to its end, or until the context says stop.
///
/// # Errors
/// Where the database failed in a way that waiting does not mend.
pub async fn run(context: &Context, scope: Scope, urgent: &Urgent) -> Result<Ended, Error> {
    let settings = context.settings.now();
    let second = matches!(scope, Scope::SecondLook(_));
    let (began, began_mono) = (context.clock.now(), context.clock.monotonic());
    context.vitals.moved(Loop::Sweep, began_mono);
    context.vitals.sweep_began(began);
    let run = context.run;
    let number = context.write(move |tx| tx.begin_sweep(run, second, began));
    let number = match number.await {
        Ok(number) => Some(number),
        // Polling goes on: what it finds waits in memory.
        Err(Error::Unwritable(_)) => None,
        Err(error) => return Err(error),
    };
    let recall = context.recall();
    let state = Arc::new(State::new(context, &scope, number));
    state.write_backlog(context).await;
    let flusher = tokio::spawn(flush_until_done(
        context.clone(),
        settings.clone(),
        state.clone(),
        urgent.clone(),
    ));
    ask_everybody(context, &settings, &state, recall).await;
    state.finished.notify_one();
    if let Err(panic) = flusher.await {
        tracing::error!(%panic, "the sweep's writer task failed");
    }
    let ended = end(context, &settings, &state, &scope, began, began_mono).await;
    context.vitals.rests(Loop::Sweep);
    context.committed.notify_one();
    context.swept.notify_one();
    ended
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

/// What the workers of one sweep share.
struct State {
    work: Mutex<Work>,
    sweep: Option<SweepId>,
    round: u32,
    changed: Notify,
    taken: Notify,
    finished: Notify,
    retrying: Arc<Semaphore>,
}

struct Work {
    order: std::vec::IntoIter<u32>,
    outlook: Outlook,
    counts: Counts,
    changed: Vec<Changed>,
    gaps: Vec<(u32, Gap)>,
    given_up: Option<(Sight, String)>,
    urgent: HashMap<Option<[u8; 16]>, u32>,
}

/// An answer that is another than the last committed one.
struct Changed {
    /// Whose, by its place in the roster.
    at: u32,
    digest: u64,
    look: Look,
}

impl State {
    fn new(context: &Context, scope: &Scope, sweep: Option<SweepId>) -> Self {
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
        State {
            work: Mutex::new(Work {
                order: order.into_iter(),
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

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to ask next; waits while too much waits to be written.
    async fn next(&self) -> Option<u32> {
        loop {
            let taken = self.taken.notified();
            {
                let mut work = self.work();
                if work.given_up.is_some() {
                    return None;
                }
                if work.changed.len() < MOST_WAITING {
                    return work.order.next();
                }
            }
            taken.await;
        }
    }

    fn give_up(&self, sight: Sight, reason: String) {
        self.work().given_up.get_or_insert((sight, reason));
    }

    /// Takes one result into the account of the sweep.
    fn record(&self, context: &Context, at: u32, asked: Credential, look: LeafLook) {
        let now = context.clock.now();
        let mut roster = context.roster();
        // After a reload the place may be another's: an answer is never taken for somebody else's.
        let Some(member) = roster
            .member_mut(at as usize)
            .filter(|member| member.credential == asked)
        else {
            return;
        };
        member.asked = self.round;
        let before = *member;
        let mut work = self.work();
        work.counts.asked += 1;
        let silence = match look.outcome {
            Outcome::Answer(answer) => {
                work.counts.answered += 1;
                work.counts.were_healthy += u32::from(before.healthy);
                let digest = roster::digest(&answer);
                if before.silent || before.digest != digest {
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
        if !before.silent {
            work.outlook.record(silence);
        }
        if let Some(sight) = work.outlook.gives_up().filter(|_| silence.is_some()) {
            let reason = work
                .gaps
                .last()
                .map(|(_, gap)| gap.detail.clone())
                .unwrap_or_default();
            work.given_up.get_or_insert((sight, reason));
        }
        drop(work);
        drop(roster);
        if let Some(leaf_time) = look.leaf_time {
            context.sight().skew = leaf_time.duration_since(now);
        }
    }

    /// Writes what an earlier sweep could not.
    async fn write_backlog(&self, context: &Context) {
        let looks = context.backlog().take();
        if !looks.is_empty() {
            self.write(context, looks, Counts::default()).await;
        }
    }

    /// Hands answers to the judge. What cannot be written goes to the backlog. Returns whose incidents opened.
    async fn write(
        &self,
        context: &Context,
        looks: Vec<Look>,
        counts: Counts,
    ) -> Option<Vec<CredentialId>> {
        let Some(sweep) = self.sweep else {
            context.backlog().keep(looks);
            return None;
        };
        // What could not be written before goes first: answers are judged in the order in which they came.
        let mut waiting = context.backlog().take();
        waiting.extend(looks);
        let looks = waiting;
        let (settings, after_off) = (context.settings.now(), context.sight().after_off);
        let looks = Arc::new(looks);
        let handed = looks.clone();
        let written = context
            .write(move |tx| {
                let bench = super::judge::Bench {
                    policy: &settings.policy,
                    watch: &settings.watch,
                    after_off,
                };
                bench.answers(tx, sweep, counts, &handed)
            })
            .await;
        let told = match written {
            Ok(told) => Some(told),
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
    async fn write_one_by_one(
        &self,
        context: &Context,
        looks: &[Look],
    ) -> Option<Vec<CredentialId>> {
        let sweep = self.sweep?;
        let mut told = Vec::new();
        for look in looks {
            let (settings, after_off) = (context.settings.now(), context.sight().after_off);
            let counts = self.work().counts;
            let handed = look.clone();
            let written = context
                .write(move |tx| {
                    let bench = super::judge::Bench {
                        policy: &settings.policy,
                        watch: &settings.watch,
                        after_off,
                    };
                    bench.answers(tx, sweep, counts, std::slice::from_ref(&handed))
                })
                .await;
            match written {
                Ok(opened) => told.extend(opened),
                Err(error @ Error::Failed(_)) => tracing::error!(
                    "an answer could not be judged and is left out: {}",
                    chain(&error)
                ),
                Err(_) => context.backlog().keep(vec![look.clone()]),
            }
        }
        Some(told)
    }
}

/// Fixed workers pull from the list; only a retry gets a task of its own, and only so many do.
async fn ask_everybody(
    context: &Context,
    settings: &Arc<Settings>,
    state: &Arc<State>,
    recall: CancellationToken,
) {
    let mut workers = JoinSet::new();
    for _ in 0..settings.max_in_flight.max(1) {
        let (context, state) = (context.clone(), state.clone());
        workers.spawn(async move {
            let mut retries = JoinSet::new();
            while let Some(at) = state.next().await {
                ask(&context, &state, at, &mut retries).await;
            }
            while retries.join_next().await.is_some() {}
        });
    }
    loop {
        tokio::select! {
            joined = workers.join_next() => match joined {
                None => break,
                Some(Ok(())) => {}
                Some(Err(panic)) => {
                    tracing::error!(%panic, "a worker of the sweep failed");
                    state.give_up(Sight::Stopped, "a worker failed".to_owned());
                }
            },
            () = recall.cancelled() => {
                state.give_up(Sight::Stopped, "stopped from our side".to_owned());
                // What is under way may finish; nobody waits for long.
                let drained = async { while workers.join_next().await.is_some() {} };
                if tokio::time::timeout(GRACE, drained).await.is_err() {
                    workers.shutdown().await;
                }
                break;
            }
        }
    }
}

async fn ask(context: &Context, state: &Arc<State>, at: u32, retries: &mut JoinSet<()>) {
    let Some(credential) = context
        .roster()
        .members()
        .get(at as usize)
        .map(|member: &Member| member.credential)
    else {
        return;
    };
    match context.client.try_read(credential, Class::Status, 0).await {
        Ok(Step::Done(look)) => state.record(context, at, credential, look),
        Ok(Step::Again { pause }) => match state.retrying.clone().try_acquire_owned() {
            Ok(place) => {
                let (context, state) = (context.clone(), state.clone());
                retries.spawn(async move {
                    ask_again(&context, &state, at, credential, pause).await;
                    drop(place);
                });
            }
            Err(_) => ask_again(context, state, at, credential, pause).await,
        },
        Err(halt) => halted(context, state, &halt),
    }
    context.vitals.moved(Loop::Sweep, context.clock.monotonic());
}

async fn ask_again(
    context: &Context,
    state: &State,
    at: u32,
    credential: Credential,
    mut pause: Duration,
) {
    for tries in 1.. {
        tokio::time::sleep(pause).await;
        match context
            .client
            .try_read(credential, Class::Status, tries)
            .await
        {
            Ok(Step::Done(look)) => return state.record(context, at, credential, look),
            Ok(Step::Again { pause: next }) => pause = next,
            Err(halt) => return halted(context, state, &halt),
        }
        context.vitals.moved(Loop::Sweep, context.clock.monotonic());
    }
}

fn halted(context: &Context, state: &State, halt: &Halt) {
    let sight = sight_of(halt);
    if let Halt::Paused { until } = halt {
        context.sight().paused_until = Some(*until);
    }
    state.give_up(sight, halt.to_string());
}

/// What a halt says about Leaf.
pub fn sight_of(halt: &Halt) -> Sight {
    match halt {
        Halt::LoginRefused(_) => Sight::Denied,
        Halt::LoginUnreachable(_) | Halt::Paused { .. } => Sight::Unreachable,
    }
}

/// Writes changed answers in batches while the workers ask.
async fn flush_until_done(
    context: Context,
    settings: Arc<Settings>,
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
            flush(&context, &settings, &state, &urgent).await;
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
async fn flush(context: &Context, settings: &Arc<Settings>, state: &State, urgent: &Urgent) {
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
            healthy: is_healthy(settings, &changed.look.answer),
        })
        .collect();
    let keys: HashMap<CredentialId, (Credential, Option<[u8; 16]>)> = batch
        .iter()
        .map(|Changed { look, .. }| (look.id, (look.credential, key_of(&look.answer))))
        .collect();
    let looks = batch.into_iter().map(|changed| changed.look).collect();
    let Some(told) = state.write(context, looks, counts).await else {
        // What waits in the backlog is not what was last committed.
        forget_committed(context, &marks);
        return;
    };
    mark_committed(context, &marks);
    context.committed.notify_one();
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
        }
    }
}

fn is_healthy(settings: &Settings, answer: &Answer) -> bool {
    match answer {
        Answer::Reading(reading) => {
            let class = reading
                .status
                .as_deref()
                .and_then(|word| settings.policy.status_words.class(word));
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

async fn end(
    context: &Context,
    settings: &Arc<Settings>,
    state: &State,
    scope: &Scope,
    began: Timestamp,
    began_mono: Duration,
) -> Result<Ended, Error> {
    let (at, mono) = (context.clock.now(), context.clock.monotonic());
    let (counts, gaps, given_up) = {
        let mut work = state.work();
        (
            work.counts,
            std::mem::take(&mut work.gaps),
            work.given_up.take(),
        )
    };
    let (sight, reason) = given_up.unwrap_or((Sight::Whole, String::new()));
    let (since_sweep, since_try) = {
        let sight = context.sight();
        let since =
            |then: Option<Duration>| then.map_or(Duration::ZERO, |then| mono.saturating_sub(then));
        (since(sight.last_sweep), since(sight.last_try))
    };
    let longest = settings.policy.schedules.sweep.typical_interval() * 2;
    let swept = state.sweep.map(|sweep| Swept {
        sweep,
        sight,
        reason: reason.clone(),
        counts,
        gaps: if sight == Sight::Whole {
            gaps.iter().map(|(_, gap)| gap.clone()).collect()
        } else {
            Vec::new()
        },
        // A look holds until the next, at most two intervals.
        elapsed: since_sweep.min(longest),
        since_last_try: since_try,
        at,
        leaf_at: at.saturating_add(context.sight().skew).unwrap_or(at),
    });
    let settled = match swept {
        None => None,
        Some(swept) => settle(context, settings, swept, scope).await?,
    };
    let (blind, second_look) = settled.unwrap_or((context.sight().blind, false));
    {
        let mut known = context.sight();
        known.blind = blind;
        if !matches!(scope, Scope::SecondLook(_)) && sight != Sight::Stopped {
            known.answers = sight == Sight::Whole;
            known.last_sweep = Some(mono);
            known.last_try = Some(mono);
        }
        if sight == Sight::Whole && *scope == Scope::All && settled.is_some() {
            known.after_off = false;
        }
    }
    if sight == Sight::Whole && *scope == Scope::All {
        let mut roster = context.roster();
        for (at, gap) in &gaps {
            if let Some(member) = roster
                .member_mut(*at as usize)
                .filter(|member| member.id == gap.credential)
            {
                (member.silent, member.digest) = (true, 0);
            }
        }
    }
    let took = mono.saturating_sub(began_mono);
    if *scope == Scope::All {
        context.vitals.sweep_ended(LastSweep {
            began,
            ended: at,
            took,
            end: end_of(sight),
        });
    }
    log(state.sweep, sight, &reason, counts, took);
    Ok(Ended {
        sight,
        blind,
        second_look,
    })
}

async fn settle(
    context: &Context,
    settings: &Arc<Settings>,
    swept: Swept,
    scope: &Scope,
) -> Result<Option<(bool, bool)>, Error> {
    let (settings, after_off, scope) = (settings.clone(), context.sight().after_off, scope.clone());
    let settled = context
        .write(move |tx| {
            let bench = super::judge::Bench {
                policy: &settings.policy,
                watch: &settings.watch,
                after_off,
            };
            let blind = match &scope {
                Scope::All => bench.swept(tx, &swept)?,
                Scope::SecondLook(suspects) => {
                    bench.second_looked(tx, &swept, suspects)?;
                    tx.is_blind()?
                }
            };
            let second_look =
                scope == Scope::All && !blind && !tx.wanting_second_look()?.is_empty();
            Ok((blind, second_look))
        })
        .await;
    match settled {
        Ok(settled) => Ok(Some(settled)),
        Err(Error::Unwritable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn end_of(sight: Sight) -> SweepEnd {
    match sight {
        Sight::Whole => SweepEnd::Whole,
        Sight::Denied | Sight::Unreachable => SweepEnd::GivenUp,
        Sight::Stopped => SweepEnd::Stopped,
    }
}

fn log(sweep: Option<SweepId>, sight: Sight, reason: &str, counts: Counts, took: Duration) {
    let number = sweep.map_or(0, |sweep| sweep.0);
    let Counts {
        asked, answered, ..
    } = counts;
    let elapsed_ms = took.as_millis() as u64;
    match sight {
        Sight::Whole => {
            tracing::info!(
                sweep = number,
                asked,
                answered,
                elapsed_ms,
                "sweep {number} whole: {answered} of {asked} answered"
            );
        }
        Sight::Stopped => tracing::info!(
            sweep = number,
            asked,
            elapsed_ms,
            "sweep {number} stopped after {asked}"
        ),
        Sight::Denied | Sight::Unreachable => {
            tracing::warn!(
                sweep = number,
                asked,
                elapsed_ms,
                "sweep {number} given up after {asked}: {reason}"
            );
        }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
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
