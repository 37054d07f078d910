//! Asks Leaf about one credential after the other, as many at once as may be in flight.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::work::State;
use super::{end_of, reason_of};
use crate::daemon::context::Context;
use crate::daemon::roster::Member;
use crate::leaf::{Class, Halt, Step};
use crate::model::{Credential, SweepEnd};
use crate::vitals::Loop;

/// How long requests under way may take when the sweep is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// Fixed workers pull from the list; only a retry gets a task of its own, and only so many do.
pub(super) async fn ask_everybody(
    context: &Context,
    in_flight: usize,
    state: &Arc<State>,
    recall: impl Future<Output = ()>,
) {
    tokio::pin!(recall);
    let mut workers = JoinSet::new();
    for _ in 0..in_flight.max(1) {
        let (context, state) = (context.clone(), state.clone());
        workers.spawn(async move {
            let mut retries = JoinSet::new();
            loop {
                while let Some(at) = state.next().await {
                    ask(&context, &state, at, &mut retries).await;
                }
                // A retry may bring an answer for which others are asked once more.
                if retries.join_next().await.is_none() {
                    break;
                }
            }
        });
    }
    loop {
        tokio::select! {
            joined = workers.join_next() => match joined {
                None => break,
                Some(Ok(())) => {}
                Some(Err(panic)) => {
                    tracing::error!(%panic, "a worker of the sweep failed");
                    state.give_up(SweepEnd::Stopped, "a worker failed".to_owned());
                }
            },
            () = &mut recall => {
                state.give_up(SweepEnd::Stopped, "stopped from our side".to_owned());
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
        Ok(Step::Done(reply)) => state.take(context, at, credential, reply),
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
            Ok(Step::Done(reply)) => return state.take(context, at, credential, reply),
            Ok(Step::Again { pause: next }) => pause = next,
            Err(halt) => return halted(context, state, &halt),
        }
        context.vitals.moved(Loop::Sweep, context.clock.monotonic());
    }
}

fn halted(context: &Context, state: &State, halt: &Halt) {
    context.heed(halt);
    let reason = reason_of(halt, &context.config());
    state.give_up(end_of(halt), reason);
}
