//! What is looked after once a minute: our own troubles, old history, the write-ahead log.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use super::digest;
use super::judge::Bench;
use super::pack::{self, PackError, Packer};
use super::settings::Settings;
use super::sweep::chain;
use crate::model::{Address, Kind, Schedule};
use crate::rules::due;
use crate::rules::incidents::Condition;
use crate::rules::notify;
use crate::store::{Error, Tx};
use crate::view::words;

/// Events are asked about, and history is pruned, this often.
const DAILY: SignedDuration = SignedDuration::from_hours(24);

/// Looks after everything once.
///
/// # Errors
/// Where the database failed.
pub async fn run(context: &Context) -> Result<(), Error> {
    let settings = context.settings.now();
    let (now, blind) = (context.clock.now(), context.sight().blind);
    let token_expires = context.client.token_expires();
    let configured_token = settings.configured_token;
    let looking_after = settings.clone();
    context
        .write(move |tx| {
            let settings = looking_after;
            let bench = settings.bench(false);
            tx.clamp_times(now)?;
            if !blind {
                let overdue = overdue(tx, &settings, now)?;
                bench.own(tx, Kind::SweepOverdue, overdue.as_slice(), now)?;
                on_schedule(tx, &settings, now)?;
            }
            let expires = token_expires.filter(|_| configured_token);
            bench.own(
                tx,
                Kind::TokenExpiring,
                expiring(&settings, expires, now).as_slice(),
                now,
            )?;
            end_failures_of_strangers(tx, &bench, now)
        })
        .await?;
    // Apart from the rest: a prune that fails must not keep anything else from being looked after.
    context
        .write(move |tx| {
            if tx
                .last_done(PRUNED, now)?
                .is_none_or(|last| now.duration_since(last) >= DAILY)
            {
                let bench = settings.bench(false);
                bench.own(
                    tx,
                    Kind::EventsUnread,
                    unread(tx, &settings, now)?.as_slice(),
                    now,
                )?;
                // A piece each minute until nothing is left.
                if !tx.prune(now - settings.keep.events, now - settings.keep.history)? {
                    tx.mark_done(PRUNED, now)?;
                }
            }
            Ok(())
        })
        .await?;
    context.committed.notify_one();
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
const DIGEST: &str = "digest";

/// Does what is to be mailed at set times, where it is due.
///
/// # Errors
/// Where the database failed.
pub fn on_schedule(tx: &Tx<'_>, settings: &Settings, now: Timestamp) -> Result<(), Error> {
    remind(tx, settings, now)?;
    tell_digest(tx, settings, now)
}

/// When any of it is next due.
///
/// # Errors
/// Where the database failed.
pub fn next_on_schedule(
    tx: &Tx<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let schedules = &settings.policy.schedules;
    let next = |job, schedule| -> Result<Option<Timestamp>, Error> {
        let last = tx.last_done(job, now)?.unwrap_or(now);
        Ok(due::next_after(schedule, &schedules.zone, last, last))
    };
    let both = [
        next(REMINDED, &schedules.reminders)?,
        next(DIGEST, &schedules.digest)?,
    ];
    Ok(both.into_iter().flatten().min())
}

/// Since when a `job` of `schedule` waits to be done; none where it is not due yet. A time that was missed, off or blind,
/// is made up for once, after the first whole look.
fn due_since(
    tx: &Tx<'_>,
    job: &str,
    schedule: &Schedule,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let Some(last) = tx.last_done(job, now)? else {
        tx.mark_done(job, now)?;
        return Ok(None);
    };
    let due = due::next_after(schedule, zone, last, last);
    // No mail speaks of a state that was not seen since.
    let looked = tx
        .last_whole_sweep()?
        .zip(tx.run_began()?)
        .is_some_and(|(sweep, began)| sweep >= began);
    Ok((due.is_some_and(|due| due <= now) && looked).then_some(last))
}

/// The digest leaves at `schedule.digest`; one that cannot be rendered keeps nothing else from being looked after.
fn tell_digest(tx: &Tx<'_>, settings: &Settings, now: Timestamp) -> Result<(), Error> {
    let schedules = &settings.policy.schedules;
    let Some(since) = due_since(tx, DIGEST, &schedules.digest, &schedules.zone, now)? else {
        return Ok(());
    };
    let packer = Packer {
        bench: settings.bench(false),
        sender: &settings.sender,
        nonce: pack::nonce(),
        progress: None,
    };
    match digest::keep(tx, &packer, since, now) {
        Ok(()) => tx.mark_done(DIGEST, now),
        Err(PackError::Store(error)) => Err(error),
        // Nothing was written of it.
        Err(PackError::Compose(error)) => {
            tracing::error!("the digest waits: {}", chain(&error));
            Ok(())
        }
    }
}

/// Reminders leave together at `schedule.reminders`.
fn remind(tx: &Tx<'_>, settings: &Settings, now: Timestamp) -> Result<(), Error> {
    let schedules = &settings.policy.schedules;
    let due = due_since(tx, REMINDED, &schedules.reminders, &schedules.zone, now)?;
    if due.is_none() {
        return Ok(());
    }
    let silences = tx.silences(now, false)?;
    for (incident, mailed) in tx.told_and_open()? {
        let credential = match incident.credential {
            Some(id) => Some(tx.credential(id)?),
            None => None,
        };
        let silenced = silences
            .iter()
            .any(|silence| silence.what.matches(incident.kind, credential));
        let is_due =
            notify::reminder_from(mailed, &settings.policy.alerts).is_some_and(|from| from <= now);
        if is_due && !silenced && !tx.is_acknowledged(incident.id, now)? {
            tx.remind(incident.id, now)?;
        }
    }
    tx.mark_done(REMINDED, now)
}

/// No whole sweep for so many times that one was due, though we are not blind.
fn overdue(tx: &Tx<'_>, settings: &Settings, now: Timestamp) -> Result<Option<Condition>, Error> {
    let schedules = &settings.policy.schedules;
    let intervals = settings.policy.thresholds.sweep_overdue_intervals;
    let since = tx.last_whole_sweep()?.max(tx.run_began()?);
    let Some(since) = since else { return Ok(None) };
    let missed = due::firings_between(&schedules.sweep, &schedules.zone, since, now, intervals + 1);
    Ok((missed > intervals).then(|| Condition {
        kind: Kind::SweepOverdue,
        subject: String::new(),
        why: format!("no sweep was whole for {intervals} intervals; is the limit of requests too low for the watch list?"),
    }))
}

fn expiring(settings: &Settings, expires: Option<Timestamp>, now: Timestamp) -> Option<Condition> {
    let within = settings.policy.thresholds.token_expiring_within;
    let expires = expires.filter(|expires| *expires <= now + within)?;
    Some(Condition {
        kind: Kind::TokenExpiring,
        subject: String::new(),
        why: format!(
            "the token in leaf.token_file ends on {}",
            words::time(expires, &settings.policy.schedules.zone)
        ),
    })
}

fn unread(tx: &Tx<'_>, settings: &Settings, now: Timestamp) -> Result<Option<Condition>, Error> {
    let after = settings.policy.thresholds.events_unread_after;
    let up_long_enough = tx
        .run_began()?
        .is_some_and(|began| now.duration_since(began) >= DAILY);
    let unread = tx.events_unread_since(now - after)?;
    Ok((unread > 0 && up_long_enough).then(|| Condition {
        kind: Kind::EventsUnread,
        subject: String::new(),
        why: format!(
            "the events of {unread} credentials were not read for {} days",
            after.as_secs() / 86_400
        ),
    }))
}
