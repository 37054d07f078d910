//! Reads the events of credentials: at once where a notice waits for its cause, in rounds for all the others.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::context::Context;
use crate::leaf::{Class, EventLog, Fault};
use crate::model::{Credential, CredentialId};
use crate::store::Error;
use crate::vitals::Loop;

/// Workers of a round; they get one permit in five whenever they wait.
const WORKERS: usize = 2;
/// Logs are judged in batches of this size.
const BATCH: usize = 100;

/// The events of one credential, as they were read.
type Read = (CredentialId, Credential, EventLog, Timestamp);

/// Reads events before their notice is packed, until the context says stop.
pub async fn urgent(context: Context, mut wanted: UnboundedReceiver<(CredentialId, Credential)>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = context.stop.cancelled() => return,
            Some(_) = running.join_next() => {}
            next = wanted.recv() => match next {
                None => return,
                Some((id, credential)) => {
                    let context = context.clone();
                    running.spawn(async move { at_once(&context, id, credential).await });
                }
            },
        }
    }
}

/// Reads the events of one credential, in no more time than its notice waits to be packed.
pub async fn at_once(context: &Context, id: CredentialId, credential: Credential) {
    let wait = context.config().policy.alerts.group_wait;
    let read = context.client.events(credential, Class::Urgent);
    if let Ok(Ok(log)) = tokio::time::timeout(wait, read).await {
        let at = context.clock.now();
        judge(context, vec![(id, credential, log, at)]).await;
        context.pack_soon();
    }
}

/// One round through the events of all watched credentials: those in trouble first, then the longest unread.
///
/// # Errors
/// Where the database failed.
pub async fn round(context: &Context) -> Result<(), Error> {
    let troubled = context.read(|tx| tx.troubled()).await?;
    let recall = context.recall();
    let order = context.roster().events_order(&troubled);
    let total = order.len();
    let queue = Arc::new(Mutex::new((order.into_iter(), Vec::new())));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (context, queue) = (context.clone(), queue.clone());
        workers.spawn(async move { work(&context, &queue).await });
    }
    tokio::select! {
        () = async { while workers.join_next().await.is_some() {} } => {}
        () = recall => workers.shutdown().await,
    }
    let left = std::mem::take(&mut queue.lock().await.1);
    let read = judge(context, left).await;
    context.pack_soon();
    context.vitals.rests(Loop::Gather);
    tracing::debug!(total, read, "a round of events ended");
    Ok(())
}

async fn work(context: &Context, queue: &Mutex<(std::vec::IntoIter<u32>, Vec<Read>)>) {
    loop {
        let Some(at) = queue.lock().await.0.next() else {
            return;
        };
        let Some(member) = context.roster().members().get(at as usize).copied() else {
            return;
        };
        match context
            .client
            .events(member.credential, Class::Events)
            .await
        {
            Ok(log) => {
                let now = context.clock.now();
                let mut locked = queue.lock().await;
                locked.1.push((member.id, member.credential, log, now));
                let full = locked.1.len() >= BATCH;
                let batch = if full {
                    std::mem::take(&mut locked.1)
                } else {
                    Vec::new()
                };
                drop(locked);
                if full {
                    judge(context, batch).await;
                }
                if let Some(member) = context
                    .roster()
                    .member_mut(at as usize)
                    .filter(|now| now.id == member.id)
                {
                    member.events_at = now.as_second();
                }
            }
            // One credential's log that cannot be read is not the round's end; a Leaf that cannot be asked is.
            Err(Fault::NoAnswer(..)) => {}
            Err(Fault::Halt(halt)) => {
                context.heed(&halt);
                tracing::warn!("the round of events is given up: {halt}");
                queue.lock().await.0 = Vec::new().into_iter();
                return;
            }
        }
        context
            .vitals
            .moved(Loop::Gather, context.clock.monotonic());
    }
}

/// Hands logs to the judge; what cannot be written now is read again in the next round.
async fn judge(context: &Context, read: Vec<Read>) -> usize {
    if read.is_empty() {
        return 0;
    }
    let (now, leaf_now) = (context.clock.now(), context.leaf_now());
    let count = read.len();
    let written = context
        .judge(move |bench, tx| {
            for (id, credential, log, at) in &read {
                // The clock may have been set back since; nothing is to wait for a time that was.
                let at = (*at).min(now);
                let leaf_at = log.leaf_time.unwrap_or(leaf_now);
                bench.events(tx, (*id, *credential), &log.events, at, leaf_at)?;
            }
            Ok(())
        })
        .await;
    if written.is_ok() { count } else { 0 }
}

/// How long a pause between two tries of a name page is.
pub const NAMES_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Reads the names that Leaf has, for users who have none in the config.
pub async fn names(context: &Context) {
    let config = context.config();
    if config.watch.users().iter().all(|user| user.name.is_some()) {
        return;
    }
    let is_nameless = |id| {
        let user = config.watch.user(id);
        user.is_some_and(|user| user.name.is_none())
    };
    for page in 0.. {
        let Ok(users) = context.client.users_page(page).await else {
            return;
        };
        let last = users.len() < crate::leaf::Client::USERS_A_PAGE;
        let named: Vec<_> = users
            .into_iter()
            .filter(|user| is_nameless(user.id))
            .filter_map(|user| Some((user.id, user.name?)))
            .collect();
        let written = context
            .write(move |tx| {
                for (id, name) in &named {
                    tx.keep_name(*id, name)?;
                }
                Ok(())
            })
            .await;
        if last || written.is_err() || context.stop.is_cancelled() {
            return;
        }
    }
}
