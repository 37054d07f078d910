//! What is looked after once a minute: our own troubles, old history, the write-ahead log.

use std::collections::HashSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use super::digest;
use super::judge::Bench;
use super::pack::{self, PackError, Packer};
use crate::config::{Auth, Config};
use crate::mail::letter::Letterhead;
use crate::model::{Address, Incident, Kind, Schedule};
use crate::rules::due;
use crate::rules::incidents::Condition;
use crate::rules::notify;
use crate::store::{Error, Tx};
use crate::view::words;

/// Events are asked about, and history is pruned, this often.
const DAILY: Duration = Duration::from_secs(24 * 3600);
/// How far our clock may be from Leaf's while what is old by it is forgotten.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Nothing is forgotten by a clock that was set since: it may be years ahead.
const STEADY: Duration = Duration::from_secs(3600);

/// Looks after everything once.
///
/// # Errors
/// Where the database failed.
pub async fn run(context: &Context) -> Result<(), Error> {
    let config = context.config();
    let (now, leaf_now, mono) = (
        context.clock.now(),
        context.leaf_now(),
        context.clock.monotonic(),
    );
    let sight = context.sight().clone();
    let since = |then: Duration| mono.saturating_sub(then);
    let (unwatched, steady) = (since(sight.last_whole), since(sight.steady_since));
    // Nothing is forgotten by a clock that Leaf contradicts.
    let may_forget = sight.skew.is_none_or(|skew| skew.abs() < DAY);
    let token_expires = context.client.token_expires();
    // Its end is an operator's business; one that we log in for is renewed.
    let configured_token = matches!(config.leaf.auth, Auth::Token(_));
    let looking_after = config.clone();
    context
        .write(move |tx| {
            let config = looking_after;
            let bench = Bench::of(&config);
            if !sight.blind {
                let overdue = overdue(&config, unwatched, now);
                // A start is no whole sweep: what was overdue before it stays so until there is one.
                if overdue.is_some() || tx.has_looked()? {
                    bench.own(tx, Kind::SweepOverdue, overdue.as_slice(), now)?;
                }
            }
            on_schedule(tx, &config, now)?;
            let expires = token_expires.filter(|_| configured_token);
            bench.own(
                tx,
                Kind::TokenExpiring,
                expiring(&config, expires, leaf_now).as_slice(),
                now,
            )?;
            end_failures_of_strangers(tx, &bench, now)
        })
        .await?;
    // Apart from the rest: a prune that fails must not keep anything else from being looked after.
    context
        .write(move |tx| {
            let last = tx.last_done(PRUNED)?.filter(|last| *last <= now);
            if steady >= STEADY && last.is_none_or(|last| now - DAILY >= last) {
                let bench = Bench::of(&config);
                // In less than a day not all were asked: that says nothing, neither way.
                if steady >= DAILY {
                    let unread = unread(tx, &config, now)?;
                    bench.own(tx, Kind::EventsUnread, unread.as_slice(), now)?;
                }
                if !may_forget || !tx.has_looked()? {
                    return Ok(());
                }
                // A piece each minute until nothing is left.
                if !tx.prune(
                    now - config.database.keep_events,
                    now - config.database.keep_history,
                )? {
                    tx.mark_done(PRUNED, now)?;
                }
            }
            Ok(())
        })
        .await?;
    context.pack_soon();
    context.writer.checkpoint().await
}

/// Mail to an address that is no longer in the config fails no more.
fn end_failures_of_strangers(tx: &Tx<'_>, bench: &Bench<'_>, now: Timestamp) -> Result<(), Error> {
    let failing = tx.own_subjects(Kind::DeliveryFailed)?;
    if failing.is_empty() {
        return Ok(());
    }
    let alerts = &bench.policy.alerts;
    let own = bench
        .watch
        .users()
        .iter()
        .filter_map(|user| user.own.as_ref())
        .flat_map(|own| &own.notify);
    let routed = alerts.routes.iter().flat_map(|route| &route.to);
    let known: HashSet<&str> = alerts
        .to
        .iter()
        .chain(&alerts.operators)
        .chain(routed)
        .chain(own)
        .map(Address::as_str)
        .collect();
    for subject in failing
        .iter()
        .filter(|subject| !known.contains(subject.as_str()))
    {
        bench.own_one(tx, Kind::DeliveryFailed, subject, None, now)?;
    }
    Ok(())
}

const PRUNED: &str = "prune";
const REMINDED: &str = "reminders";
/// Of what no answer shows: those wait for no look.
const REMINDED_BLIND: &str = "reminders while blind";
const DIGEST: &str = "digest";

/// Does what is to be mailed at set times, where it is due. No mail speaks of a state that was not seen in this run: an
/// outage is seen by a sweep that fails, credentials only by a whole one after which we are not blind.
///
/// # Errors
/// Where the database failed.
pub fn on_schedule(tx: &Tx<'_>, config: &Config, now: Timestamp) -> Result<(), Error> {
    let looked = tx.has_looked()? && !tx.is_blind()?;
    remind(tx, config, REMINDED_BLIND, tx.has_swept()?, now)?;
    remind(tx, config, REMINDED, looked, now)?;
    tell_digest(tx, config, looked, now)
}

/// When any of it is next due.
///
/// # Errors
/// Where the database failed.
pub fn next_on_schedule(
    tx: &Tx<'_>,
    config: &Config,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let schedules = &config.policy.schedules;
    let next = |job, schedule| -> Result<Option<Timestamp>, Error> {
        let last = last_done(tx, job, schedule, now)?.unwrap_or(now);
        Ok(due::next_after(schedule, &schedules.zone, last, last))
    };
    let all = [
        next(REMINDED_BLIND, &schedules.reminders)?,
        next(REMINDED, &schedules.reminders)?,
        next(DIGEST, &schedules.digest)?,
    ];
    Ok(all.into_iter().flatten().min())
}

/// Since when a `job` of `schedule` waits to be done; none where it is not due yet, or what it speaks of was not `seen`. A
/// time that was missed, off or blind, is made up for once, when it was.
fn due_since(
    tx: &Tx<'_>,
    job: &str,
    (schedule, zone): (&Schedule, &TimeZone),
    seen: bool,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let Some(last) = last_done(tx, job, schedule, now)? else {
        tx.mark_done(job, now)?;
        return Ok(None);
    };
    let due = due::next_after(schedule, zone, last, last);
    Ok((due.is_some_and(|due| due <= now) && seen).then_some(last))
}

/// When a `job` of `schedule` was last done. One that was done is not done again because the clock went back over its hour;
/// one that was done far ahead was done by a clock that was wrong.
fn last_done(
    tx: &Tx<'_>,
    job: &str,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let last = tx.last_done(job)?;
    let is_believed = |last: &Timestamp| {
        *last <= now || words::between(now, *last) <= schedule.typical_interval() / 2
    };
    Ok(last.filter(is_believed))
}

/// The digest leaves at `schedule.digest`; one that cannot be rendered keeps nothing else from being looked after.
fn tell_digest(tx: &Tx<'_>, config: &Config, seen: bool, now: Timestamp) -> Result<(), Error> {
    let schedules = &config.policy.schedules;
    let Some(since) = due_since(tx, DIGEST, (&schedules.digest, &schedules.zone), seen, now)?
    else {
        return Ok(());
    };
    let packer = Packer {
        bench: Bench::of(config),
        head: &Letterhead::of(config),
        nonce: pack::nonce(),
        progress: None,
    };
    match digest::keep(tx, &packer, since, now) {
        Ok(()) => tx.mark_done(DIGEST, now),
        Err(PackError::Store(error)) => Err(error),
        // Nothing was written of it.
        Err(PackError::Compose(error)) => {
            tracing::error!("the digest waits: {}", words::with_causes(&error));
            Ok(())
        }
    }
}

/// Reminders leave together at `schedule.reminders`: those of what answers show, and apart from them the others.
fn remind(
    tx: &Tx<'_>,
    config: &Config,
    job: &str,
    seen: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let schedules = &config.policy.schedules;
    let due = due_since(tx, job, (&schedules.reminders, &schedules.zone), seen, now)?;
    if due.is_none() {
        return Ok(());
    }
    let silences = tx.silences(now, false)?;
    let of_job =
        |(incident, _): &(Incident, _)| incident.kind.is_seen_in_answers() == (job == REMINDED);
    for (incident, mailed) in tx.told_and_open()?.into_iter().filter(of_job) {
        let credential = match incident.credential {
            Some(id) => Some(tx.credential(id)?),
            None => None,
        };
        let silenced = silences
            .iter()
            .any(|silence| silence.what.matches(incident.kind, credential));
        let is_due = notify::reminder_is_due(mailed, &config.policy.alerts, now);
        if is_due && !silenced && !tx.is_acknowledged(incident.id, now)? {
            tx.remind(incident.id, now)?;
        }
    }
    tx.mark_done(job, now)
}

/// No whole sweep for so many times that one was due, and for so many times as long as one takes, though we are not blind.
/// `unwatched` is how long, on the monotonic clock.
fn overdue(config: &Config, unwatched: Duration, now: Timestamp) -> Option<Condition> {
    let schedules = &config.policy.schedules;
    let intervals = config.policy.thresholds.sweep_overdue_intervals;
    let interval = schedules.sweep.typical_interval();
    let takes = config.pace_estimate().sweep.unwrap_or_default();
    let (sweep, zone) = (&schedules.sweep, &schedules.zone);
    if !due::is_overdue(sweep, zone, takes, intervals, unwatched, now) {
        return None;
    }
    let why = match takes > interval {
        true => format!(
            "no sweep was whole for {}; at the limits one takes about {}, and one is due every {}",
            words::duration(unwatched),
            words::duration(takes),
            words::duration(interval)
        ),
        false => format!(
            "no sweep was whole for {}, and one is due every {}",
            words::duration(unwatched),
            words::duration(interval)
        ),
    };
    Some(Condition {
        kind: Kind::SweepOverdue,
        subject: String::new(),
        why,
    })
}

fn expiring(config: &Config, expires: Option<Timestamp>, now: Timestamp) -> Option<Condition> {
    let within = config.policy.thresholds.token_expiring_within;
    let expires = expires.filter(|expires| *expires <= now + within)?;
    Some(Condition {
        kind: Kind::TokenExpiring,
        subject: String::new(),
        why: format!(
            "the token in leaf.token_file ends on {}",
            words::time(expires, &config.policy.schedules.zone)
        ),
    })
}

fn unread(tx: &Tx<'_>, config: &Config, now: Timestamp) -> Result<Option<Condition>, Error> {
    let after = config.policy.thresholds.events_unread_after;
    let unread = tx.events_unread_since(now - after)?;
    Ok((unread > 0).then(|| Condition {
        kind: Kind::EventsUnread,
        subject: String::new(),
        why: format!(
            "the events of {unread} credentials were not read for {} days",
            after.as_secs() / 86_400
        ),
    }))
}
