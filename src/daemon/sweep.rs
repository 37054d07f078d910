//! One sweep: asks Leaf about every watched credential, and hands what changed to the judge. Decides nothing.

mod ask;
mod work;
mod write;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::context::Context;
use super::judge::Swept;
use crate::config::Config;
use crate::leaf::Halt;
use crate::model::{Credential, CredentialId, Kind, SweepEnd, SweepId};
use crate::rules::incidents::Condition;
use crate::store::{Counts, Error};
use crate::view::words;
use crate::vitals::{LastSweep, Loop};
use work::State;

/// What a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub end: SweepEnd,
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
    let second = matches!(scope, Scope::SecondLook(_));
    let (began, began_mono) = (context.clock.now(), context.clock.monotonic());
    context.vitals.moved(Loop::Sweep, began_mono);
    context.vitals.sweep_began(began);
    let run = context.run();
    let number = context.write(move |tx| tx.begin_sweep(run, second, began));
    let number = match number.await {
        Ok(number) => Some(number),
        // Polling goes on: what it finds waits in memory.
        Err(Error::Unwritable(_)) => None,
        Err(error) => return Err(error),
    };
    let recall = context.recall();
    let config = context.config();
    let state = Arc::new(State::new(context, &scope, number));
    state.write_backlog(context).await;
    let flusher = tokio::spawn(write::flush_until_done(
        context.clone(),
        config.clone(),
        state.clone(),
        urgent.clone(),
    ));
    ask::ask_everybody(context, config.leaf.max_in_flight, &state, recall).await;
    state.finished.notify_one();
    if let Err(panic) = flusher.await {
        tracing::error!(%panic, "the sweep's writer task failed");
    }
    let ended = end(context, &config, &state, &scope, began, began_mono).await;
    context.vitals.rests(Loop::Sweep);
    context.pack_soon();
    context.sweep_ended();
    ended
}

async fn end(
    context: &Context,
    config: &Arc<Config>,
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
    let (end, reason) = given_up.unwrap_or((SweepEnd::Whole, String::new()));
    let (since_sweep, since_try) = {
        let sight = context.sight();
        let since =
            |then: Option<Duration>| then.map_or(Duration::ZERO, |then| mono.saturating_sub(then));
        (since(sight.last_sweep), since(sight.last_try))
    };
    let longest = config.policy.schedules.sweep.typical_interval() * 2;
    let swept = state.sweep.map(|sweep| Swept {
        sweep,
        end,
        reason: reason.clone(),
        counts,
        gaps: if end == SweepEnd::Whole {
            gaps.iter().map(|(_, gap)| gap.clone()).collect()
        } else {
            Vec::new()
        },
        // A look holds until the next, at most two intervals.
        elapsed: since_sweep.min(longest),
        since_last_try: since_try,
        at,
        leaf_at: context.by_leaf(at),
    });
    let shared = (end == SweepEnd::Whole && *scope == Scope::All)
        .then(|| shared(config, &context.roster().sharing()));
    let settled = match swept {
        None => None,
        Some(swept) => settle(context, swept, scope, shared).await?,
    };
    let (blind, second_look) = settled.unwrap_or((context.sight().blind, false));
    {
        let mut known = context.sight();
        known.blind = blind;
        if !matches!(scope, Scope::SecondLook(_)) && end != SweepEnd::Stopped {
            known.answers = end == SweepEnd::Whole;
            known.last_sweep = Some(mono);
            known.last_try = Some(mono);
        }
        if end == SweepEnd::Whole && *scope == Scope::All {
            known.last_whole = mono;
            known.after_off &= settled.is_none();
        }
    }
    if end == SweepEnd::Whole && *scope == Scope::All {
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
            ended_mono: mono,
            took,
            end,
        });
    }
    log(state.sweep, end, &reason, counts, took);
    Ok(Ended {
        end,
        blind,
        second_look,
    })
}

async fn settle(
    context: &Context,
    swept: Swept,
    scope: &Scope,
    shared: Option<Vec<Condition>>,
) -> Result<Option<(bool, bool)>, Error> {
    let scope = scope.clone();
    let settled = context
        .judge(move |bench, tx| {
            let blind = match &scope {
                Scope::All => bench.swept(tx, &swept)?,
                Scope::SecondLook(suspects) => {
                    bench.second_looked(tx, &swept, suspects)?;
                    tx.is_blind()?
                }
            };
            if let Some(shared) = shared.as_ref().filter(|_| !blind) {
                bench.own(tx, Kind::SharedCredential, shared, swept.at)?;
            }
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

/// What is told where users carry the same credential, each group of them once.
fn shared(config: &Config, groups: &[Vec<Credential>]) -> Vec<Condition> {
    let name = |credential: &Credential| {
        let name = config
            .watch
            .user(credential.user)
            .and_then(|user| user.name.clone());
        name.unwrap_or_else(|| format!("Leaf user {}", credential.user).into())
    };
    let condition = |group: &Vec<Credential>| {
        let names: Vec<_> = group.iter().map(name).collect();
        let others = names.len().saturating_sub(2);
        Condition {
            kind: Kind::SharedCredential,
            subject: match others {
                0 => names.join(" and "),
                _ => format!("{} and {others} more", names[..2].join(", ")),
            },
            why: format!(
                "{} Leaf users carry the same credential id: {}",
                names.len(),
                names.join(", ")
            ),
        }
    };
    groups.iter().map(condition).collect()
}

fn log(sweep: Option<SweepId>, end: SweepEnd, reason: &str, counts: Counts, took: Duration) {
    let number = sweep.map_or(0, |sweep| sweep.0);
    let Counts {
        asked, answered, ..
    } = counts;
    let elapsed_ms = took.as_millis() as u64;
    match end {
        SweepEnd::Whole => {
            tracing::info!(
                sweep = number,
                asked,
                answered,
                elapsed_ms,
                "sweep {number} whole: {answered} of {asked} answered"
            );
        }
        SweepEnd::Stopped => tracing::info!(
            sweep = number,
            asked,
            elapsed_ms,
            "sweep {number} stopped after {asked}"
        ),
        SweepEnd::Denied | SweepEnd::Unreachable => {
            tracing::warn!(
                sweep = number,
                asked,
                elapsed_ms,
                "sweep {number} given up after {asked}: {reason}"
            );
        }
    }
}

/// What a halt says about Leaf.
pub fn end_of(halt: &Halt) -> SweepEnd {
    match halt {
        Halt::LoginRefused(_) => SweepEnd::Denied,
        Halt::LoginUnreachable(_) | Halt::Paused { .. } => SweepEnd::Unreachable,
    }
}

/// The same for people.
pub fn reason_of(halt: &Halt, config: &Config) -> String {
    match halt {
        Halt::Paused { until, .. } => words::paused(*until, &config.policy.schedules.zone),
        other => other.to_string(),
    }
}
