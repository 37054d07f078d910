//! Packs and sends, in two loops that share nothing with polling: a mail server that never answers delays mails, and
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::context::Context;
use super::judge::Bench;
use super::pack::{self, PackError, Packed, Packer};
use crate::config::Config;
use crate::mail::letter::Letterhead;
use crate::mail::send::{self, Deadlines, Mailer, Phase, Verdict};
use crate::model::{Address, Kind};
use crate::rules::incidents::Condition;
use crate::rules::notify;
use crate::store::{Attempt, Error, Tx, Waiting};
use crate::view::words;
use crate::vitals::{Fault, Loop, TryEnd};

/// The longest sleep of a loop: a commit that nobody nudged for (an ack, another process) is seen after it.
const LONGEST_NAP: Duration = Duration::from_secs(1);
/// How long a mail under way may take when the daemon stops.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// A delivery that is tried is not due again before this, unless what became of it was written down.
const LEASE: Duration = Duration::from_secs(30 * 60);
/// The longest time between two looks at what waits.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// Packs what may leave, until the context says stop.
pub async fn pack_loop(context: Context) {
    // When to look again at what waits; it may always be that something waits from before the start.
    let mut look_at = Some(Duration::ZERO);
    let mut failing = None;
    loop {
        if context.work.is_cancelled() {
            return context.stop.cancelled().await;
        }
        let began = context.clock.monotonic();
        context.vitals.moved(Loop::Pack, began);
        let look = look_at.is_some_and(|at| at <= began);
        match pack_due(&context, look).await {
            Ok(packed) => {
                failing = None;
                if packed.made > 0 {
                    context.send_soon();
                }
                let now = context.clock.monotonic();
                if packed.looked {
                    // Looking again at what waits costs a twentieth of a core at most.
                    let rest = (now.saturating_sub(began) * 20).clamp(LONGEST_NAP, LONGEST_HOLD);
                    look_at = packed.waits.then_some(now + rest);
                }
                let left = packed
                    .next
                    .map(|next| Duration::try_from(next.duration_since(context.clock.now())));
                let next = left.map(|left| now + left.unwrap_or_default());
                look_at = look_at.into_iter().chain(next).min();
            }
            Err(error) => {
                let text = words::with_causes(&error);
                if failing.as_ref() != Some(&text) {
                    tracing::error!("cannot pack mails: {text}; tried again every second");
                    failing = Some(text);
                }
                if matches!(error, PackError::Store(Error::Stopped)) {
                    // Nothing can be kept any more; whoever started us has to begin anew.
                    return;
                }
                look_at = Some(began + LONGEST_NAP);
            }
        }
        let left = look_at.map(|at| at.saturating_sub(context.clock.monotonic()));
        let nap = left
            .unwrap_or(LONGEST_NAP)
            .clamp(Duration::from_millis(10), LONGEST_NAP);
        tokio::select! {
            () = context.work.cancelled() => {}
            () = context.until_to_pack() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// Packs once. Returns how many messages were made, and when the first of what waits may leave.
pub async fn pack(context: &Context) -> Result<(usize, Option<Timestamp>), PackError> {
    let packed = pack_due(context, true).await?;
    Ok((packed.made, packed.next))
}

/// Packs what may leave; with `look`, of what waited before too.
async fn pack_due(context: &Context, look: bool) -> Result<Packed, PackError> {
    let (config, now) = (context.config(), context.clock.now());
    let (after_off, progress) = {
        let sight = context.sight();
        (sight.after_off, sight.progress)
    };
    let nonce = pack::nonce();
    context
        .writer
        .write(move |tx| {
            let packer = Packer {
                bench: Bench {
                    after_off,
                    ..Bench::of(&config)
                },
                head: &Letterhead::of(&config),
                nonce,
                progress,
            };
            packer.pack_due(tx, look, now)
        })
        .await
}

/// Sends what is packed, until the context says stop.
pub async fn send_loop(context: Context, deadlines: Deadlines) {
    let mut path = Path::new(deadlines);
    loop {
        // A mail under way may end, so that its yes is marked; a server that hangs holds no stop up.
        let cut_off = async {
            context.work.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        let sent = tokio::select! {
            sent = send_due(&context, &mut path) => sent,
            () = cut_off => return context.stop.cancelled().await,
        };
        if let Err(error) = sent {
            tracing::error!("cannot send mails: {}", words::with_causes(&error));
        }
        context.vitals.rests(Loop::Deliver);
        tokio::select! {
            () = context.work.cancelled() => return context.stop.cancelled().await,
            () = context.until_to_send() => {}
            () = tokio::time::sleep(LONGEST_NAP) => {}
        }
    }
}

/// How the way to the mail server fares: while it fails before any mail is spoken of, one delivery tries it for all.
#[derive(Debug, Default)]
pub struct Path {
    deadlines: Deadlines,
    failures: u32,
    /// Monotonic: the wall clock may be set meanwhile.
    closed_until: Option<Duration>,
    /// What a server accepted and the database could not take yet: only the mark is missing, not the mail.
    unmarked: Vec<(Waiting, Attempt)>,
}

impl Path {
    /// With these limits to each phase of handing over a mail.
    pub fn new(deadlines: Deadlines) -> Path {
        Path {
            deadlines,
            ..Path::default()
        }
    }
}

/// Tries every delivery that is due. Returns how many were accepted.
///
/// # Errors
/// Where the database failed; the deliveries stay as they are.
pub async fn send_due(context: &Context, path: &mut Path) -> Result<usize, Error> {
    let config = context.config();
    let now = context.clock.now();
    let mono = context.clock.monotonic();
    if path.closed_until.is_some_and(|until| mono < until) {
        return Ok(0);
    }
    mark_accepted(context, &config, path).await?;
    let due = context.read(move |tx| tx.due_deliveries(now)).await?;
    let mut mailer = Mailer::new(path.deadlines);
    let mut accepted = 0;
    for delivery in due {
        // What is under way ends; what comes after it waits for the next start.
        if context.work.is_cancelled() {
            break;
        }
        let (id, until) = (delivery.id, context.clock.now() + LEASE);
        context.write(move |tx| tx.lease(id, until)).await?;
        context
            .vitals
            .moved(Loop::Deliver, context.clock.monotonic());
        let verdict = attempt(context, &config, &delivery, &mut mailer).await?;
        let reached = note(context, &config, &delivery, verdict, path).await?;
        match reached {
            Reached::Accepted => accepted += 1,
            Reached::Answered => {}
            Reached::Nobody => break,
        }
    }
    mailer.finish().await;
    Ok(accepted)
}

/// Marks what was accepted; what cannot be marked now is marked before anything else is sent.
async fn mark_accepted(
    context: &Context,
    config: &Arc<Config>,
    path: &mut Path,
) -> Result<(), Error> {
    while let Some((delivery, attempt)) = path.unmarked.first().cloned() {
        let (now, config, was_closed) = (context.clock.now(), config.clone(), path.failures > 0);
        context
            .write(move |tx| {
                tx.accepted(delivery.id, &attempt, now)?;
                if was_closed {
                    tx.path_is_open(now)?;
                }
                mail_failure(tx, &config, &delivery.address, None, now)
            })
            .await?;
        path.failures = 0;
        path.unmarked.remove(0);
    }
    Ok(())
}

async fn attempt(
    context: &Context,
    config: &Arc<Config>,
    delivery: &Waiting,
    mailer: &mut Mailer,
) -> Result<Verdict, Error> {
    let id = delivery.id;
    let bytes = context.read(move |tx| tx.bytes(id)).await?;
    let to: Address = match delivery.address.parse() {
        Ok(to) => to,
        // It was an address when it was packed; a database edited by hand may hold anything.
        Err(fault) => {
            let reply = crate::model::clean(&format!("{fault}"), 200);
            return Ok(Verdict::Refused(send::Fault {
                server: String::new(),
                phase: Phase::RcptTo,
                code: None,
                reply,
                ours: true,
            }));
        }
    };
    Ok(mailer.deliver(&config.email, &to, &bytes).await)
}

enum Reached {
    Accepted,
    Answered,
    Nobody,
}

/// Writes down what became of a try. Accepted is what the server said yes to, and nothing else.
async fn note(
    context: &Context,
    config: &Arc<Config>,
    delivery: &Waiting,
    verdict: Verdict,
    path: &mut Path,
) -> Result<Reached, Error> {
    let now = context.clock.now();
    let (id, message_id) = (delivery.id, delivery.message_id.clone());
    match verdict {
        Verdict::Accepted {
            server,
            code,
            reply,
        } => {
            path.closed_until = None;
            let attempt = Attempt {
                server,
                phase: "accepted".to_owned(),
                code: Some(code).filter(|code| *code > 0),
                reply,
            };
            path.unmarked.push((delivery.clone(), attempt));
            context.vitals.mail_tried(TryEnd::Accepted);
            context.vitals.fault_over(Fault::Mail);
            mark_accepted(context, config, path).await?;
            tracing::info!(message_id, "a mail was accepted by the server");
            context.pack_soon();
            Ok(Reached::Accepted)
        }
        Verdict::Refused(fault) => {
            fail(context, config, delivery, fault, now).await?;
            Ok(Reached::Answered)
        }
        Verdict::Deferred(fault)
            if notify::gives_up(delivery.tries + 1, delivery.give_up_at, now) =>
        {
            fail(context, config, delivery, fault, now).await?;
            Ok(Reached::Answered)
        }
        Verdict::Deferred(fault) => {
            let about_us = fault.phase < Phase::RcptTo || fault.phase == Phase::Folder;
            let text = fault.to_string();
            let attempt = attempt_of(&fault);
            let next_try = now + notify::retry_after(delivery.tries);
            context.vitals.mail_tried(TryEnd::Deferred);
            context
                .write(move |tx| tx.deferred(id, &attempt, now, next_try))
                .await?;
            if !about_us {
                tracing::warn!(message_id, "a mail waits: {text}");
                return Ok(Reached::Answered);
            }
            path.failures += 1;
            let pause = notify::retry_after(path.failures - 1);
            path.closed_until = Some(context.clock.monotonic() + pause);
            if context.vitals.fault_seen(Fault::Mail, text.clone(), now) {
                tracing::error!("mails cannot be sent: {text}; they are kept and tried again");
            }
            Ok(Reached::Nobody)
        }
    }
}

async fn fail(
    context: &Context,
    config: &Arc<Config>,
    delivery: &Waiting,
    fault: send::Fault,
    now: Timestamp,
) -> Result<(), Error> {
    let (id, address, config) = (delivery.id, delivery.address.clone(), config.clone());
    tracing::error!(
        message_id = delivery.message_id,
        "a mail failed for good: {fault}"
    );
    let attempt = attempt_of(&fault);
    let why = fault.to_string();
    context.vitals.mail_tried(TryEnd::Failed);
    context
        .write(move |tx| {
            tx.failed(id, &attempt, now, now + notify::UNTOLD_AGAIN)?;
            mail_failure(tx, &config, &address, Some(why), now)
        })
        .await?;
    context.pack_soon();
    Ok(())
}

/// Opens or ends the own incident about one address.
fn mail_failure(
    tx: &Tx<'_>,
    config: &Config,
    address: &str,
    why: Option<String>,
    now: Timestamp,
) -> Result<(), Error> {
    let bench = Bench::of(config);
    let kind = Kind::DeliveryFailed;
    let condition = why.map(|why| Condition {
        kind,
        subject: address.to_owned(),
        why,
    });
    bench.own_one(tx, kind, address, condition.as_ref(), now)
}

fn attempt_of(fault: &send::Fault) -> Attempt {
    Attempt {
        server: fault.server.clone(),
        phase: fault.phase.to_string(),
        code: fault.code,
        reply: fault.reply.clone(),
    }
}
