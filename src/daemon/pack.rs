//! Packs due notices into messages: chooses who hears of each, folds what waits for one address into one mail, and
//! keeps the rendered bytes. One transaction; sends nothing.

use std::collections::HashMap;
use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};

use super::judge::Bench;
use super::letter::{self, Item};
use crate::mail::{self, letter::Sender};
use crate::model::{Audience, Credential, Incident, IncidentId, NoticeKind, Track};
use crate::rules::notify::{self, Say};
use crate::rules::quiet;
use crate::store::{DueNotice, Error, NewEntry, NewMessage, Pending, Silence, Tx};

/// Why packing failed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The database; tried again later.
    #[error(transparent)]
    Store(#[from] Error),
    /// A mail could not be rendered.
    #[error("a mail could not be composed")]
    Compose(#[from] mail::NotComposed),
}

/// What packing needs beside the facts.
#[derive(Debug, Clone, Copy)]
pub struct Packer<'a> {
    /// Settings and watch list.
    pub bench: Bench<'a>,
    /// Who sends.
    pub sender: &'a Sender,
    /// Makes Message-IDs unique: random, from the caller.
    pub nonce: u64,
}

/// What one packing came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    /// How many messages were made.
    pub made: usize,
    /// Something waits longer than its due time: for a quiet window, a cap, the end of a sweep.
    pub held: bool,
}

/// Everything that is due to the same addresses in the same words, and what else is open that they were told of: a
/// mail that names it goes to nobody who was not.
type Bundle = (Audience, Vec<Item>, Vec<IncidentId>);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Packer<'_> {
    /// Packs what is due.
    pub fn pack(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Packed, PackError> {
        self.route(tx, now)?;
        let mut packed = Packed::default();
        let mut bundles: HashMap<Bundle, Vec<String>> = HashMap::new();
        for address in tx.idle_addresses()? {
            if self.waits_for_sweep(tx, &address, now)? {
                packed.held = true;
                continue;
            }
            let (items, held) = self.items(tx, &address, now)?;
            packed.held |= held;
            if items.is_empty() {
                continue;
            }
            if self.is_capped(tx, &address, &items, now)? {
                packed.held = true;
                continue;
            }
            let told = tx.open_and_told(&address)?;
            let told = told.iter().map(|open| open.incident).collect();
            bundles
                .entry((self.audience(&address), items, told))
                .or_default()
                .push(address);
        }
        packed.made = bundles.len();
        let mut bundles: Vec<_> = bundles.into_iter().collect();
        bundles.sort_by(|(_, a), (_, b)| a.cmp(b));
        for (number, ((audience, items, _), addresses)) in bundles.into_iter().enumerate() {
            match self.keep(tx, audience, &items, &addresses, number, now) {
                // One mail that cannot be rendered must not keep back all the others; nothing of it was written.
                Err(PackError::Compose(error)) => {
                    tracing::error!("a mail to {} addresses waits: {error}", addresses.len())
                }
                kept => kept?,
            }
        }
        Ok(packed)
    }

    /// Packs if anything became due; with `waiting`, looks also at what waited longer.
    pub fn pack_due(
        &self,
        tx: &Tx<'_>,
        waiting: bool,
        now: Timestamp,
    ) -> Result<Packed, PackError> {
        let over = tx.has_unsettled_silence(now)? && self.may_settle(tx)?;
        if tx.has_due_notice(now)? || over || (waiting && !tx.idle_addresses()?.is_empty()) {
            return self.pack(tx, now);
        }
        Ok(Packed::default())
    }

    /// While blind, and before the first whole look of a run, nobody knows whether what a silence held back still stands.
    fn may_settle(&self, tx: &Tx<'_>) -> Result<bool, PackError> {
        let looked = tx
            .last_whole_sweep()?
            .zip(tx.run_began()?)
            .is_some_and(|(sweep, began)| sweep >= began);
        Ok(looked && !tx.is_blind()?)
    }

    /// Chooses who hears of each due notice.
    fn route(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), PackError> {
        if self.may_settle(tx)? {
            tx.settle_silences(now)?;
        }
        let due = tx.due_notices(now)?;
        if due.is_empty() {
            return Ok(());
        }
        self.bench
            .doubt_turned(tx, tx.newest_sweep()?, tx.newest_counts()?)?;
        let silences = tx.silences(now, false)?;
        for notice in due {
            self.route_one(tx, notice, &silences, now)?;
        }
        Ok(())
    }

    fn route_one(
        &self,
        tx: &Tx<'_>,
        notice: DueNotice,
        silences: &[Silence],
        now: Timestamp,
    ) -> Result<(), PackError> {
        let Some(incident) = tx.incident(notice.incident)? else {
            return Ok(());
        };
        let credential = match incident.credential {
            Some(id) => Some(tx.credential(id)?),
            None => None,
        };
        let heard = match notice.kind {
            NoticeKind::Opened => Vec::new(),
            _ => tx.audience(incident.id)?,
        };
        if silenced(silences, &incident, credential) {
            // What was told is also told to be over; all else waits for the silence's end.
            if incident.is_open() {
                tx.hold_silenced(notice.id)?;
                return Ok(());
            }
            if heard.is_empty() {
                tx.routed(notice.id, 0, now)?;
                return Ok(());
            }
        } else if !incident.is_open() && tx.was_silenced(notice.id)? {
            // It ended while it was silenced: kept, not told.
            tx.routed(notice.id, 0, now)?;
            return Ok(());
        }
        let alerts = &self.bench.policy.alerts;
        let recipients = notify::recipients(
            notice.kind,
            &incident,
            self.about(credential),
            heard,
            alerts,
        );
        for recipient in &recipients {
            tx.add_addressee(notice.id, &recipient.address, &recipient.rule)?;
        }
        tx.routed(notice.id, recipients.len(), now)?;
        Ok(())
    }

    fn about(&self, credential: Option<Credential>) -> notify::About<'_> {
        let user = credential.and_then(|credential| self.bench.watch.user(credential.user));
        let own = user.and_then(|user| user.own.as_deref());
        notify::About {
            provider: credential.map(|credential| credential.provider),
            tags: own.map_or(&[], |own| &own.tags),
            notify: own.map_or(&[], |own| &own.notify),
        }
    }

    fn audience(&self, address: &str) -> Audience {
        let operators = &self.bench.policy.alerts.operators;
        match operators
            .iter()
            .any(|operator| operator.as_str() == address)
        {
            true => Audience::Operators,
            false => Audience::Support,
        }
    }

    /// After a mail to an address, further notices of the sweep that still runs wait for its end, or `group_interval`.
    fn waits_for_sweep(
        &self,
        tx: &Tx<'_>,
        address: &str,
        now: Timestamp,
    ) -> Result<bool, PackError> {
        let Some(running_since) = tx.running_sweep()? else {
            return Ok(false);
        };
        let Some(packed) = tx.last_packed(address)? else {
            return Ok(false);
        };
        Ok(packed >= running_since && now < packed + self.bench.policy.alerts.group_interval)
    }

    /// At most so many mails an hour go to one address; account incidents go all the same.
    fn is_capped(
        &self,
        tx: &Tx<'_>,
        address: &str,
        items: &[Item],
        now: Timestamp,
    ) -> Result<bool, PackError> {
        if items
            .iter()
            .any(|item| item.rank.1.track() == Track::Account)
        {
            return Ok(false);
        }
        Ok(tx.packed_since(address, now - HOUR)? >= self.bench.policy.alerts.max_emails_per_hour)
    }

    /// What is left to say to `address`, and whether something waits longer; what it knows already is folded away.
    fn items(
        &self,
        tx: &Tx<'_>,
        address: &str,
        now: Timestamp,
    ) -> Result<(Vec<Item>, bool), PackError> {
        let mut items = Vec::new();
        let mut held = false;
        let silences = tx.silences(now, false)?;
        let knows_causes = tx.knows_causes(address)?;
        for pending in tx.pending(address)? {
            let Some(incident) = tx.incident(pending.incident)? else {
                continue;
            };
            let Some(say) = self.say(tx, &incident, pending, address)? else {
                tx.fold(incident.id, address, now)?;
                continue;
            };
            // A silence may have come after the addressees were chosen.
            let credential = match incident.credential {
                Some(id) if !silences.is_empty() => Some(tx.credential(id)?),
                _ => None,
            };
            let hushed = silenced(&silences, &incident, credential);
            if hushed && say == Say::Brief {
                // It was not told, and ended while it was silenced: kept, not told.
                tx.fold(incident.id, address, now)?;
                continue;
            }
            let quiet = quiet::until(
                &self.bench.policy.alerts.quiet,
                incident.kind.severity(),
                now,
            );
            let waits = quiet.is_some()
                || hushed && incident.is_open()
                || knows_causes && self.is_straggler(tx, &incident, say, address, now)?;
            if waits {
                held = true;
                continue;
            }
            items.push(Item::new(&incident, say));
        }
        items.sort();
        Ok((items, held))
    }

    fn say(
        &self,
        tx: &Tx<'_>,
        incident: &Incident,
        pending: Pending,
        address: &str,
    ) -> Result<Option<Say>, PackError> {
        let told = tx.told(incident.id, address)?;
        Ok(match notify::say(incident, told, pending.reminder) {
            Some(Say::Opened) if pending.only_reminders => Some(Say::NewToYou),
            say => say,
        })
    }

    /// Whether it belongs to a shared cause that this address was told of, and waits to be told as one of "n more".
    fn is_straggler(
        &self,
        tx: &Tx<'_>,
        incident: &Incident,
        say: Say,
        address: &str,
        now: Timestamp,
    ) -> Result<bool, PackError> {
        if say != Say::Opened || incident.track != Track::Access {
            return Ok(false);
        }
        let Some((last, times)) = letter::told_cause(tx, self, incident, address, now)? else {
            return Ok(false);
        };
        let from = match notify::straggler_wait(times) {
            Some(wait) => last.checked_add(wait).ok(),
            None => {
                let schedules = &self.bench.policy.schedules;
                crate::rules::due::next_after(&schedules.reminders, &schedules.zone, last, last)
            }
        };
        Ok(from.is_some_and(|from| now < from))
    }

    fn keep(
        &self,
        tx: &Tx<'_>,
        audience: Audience,
        items: &[Item],
        addresses: &[String],
        number: usize,
        now: Timestamp,
    ) -> Result<(), PackError> {
        let message_id = self.message_id(now, number);
        let (letter, causes) =
            letter::write(tx, self, audience, items, addresses, &message_id, now)?;
        let mail = mail::compose(&letter)?;
        let entries = items.iter().map(|item| NewEntry {
            incident: item.incident,
            telling: item.say.name(),
            told: item.leaves_told(),
        });
        let new = NewMessage {
            message_id: &message_id,
            subject: &mail.subject,
            bytes: &mail.bytes,
            entries: &entries.collect::<Vec<_>>(),
            causes: &causes,
            addresses,
            give_up_at: notify::give_up_at(now),
        };
        tx.keep_message(&new, now)?;
        Ok(())
    }

    /// Unique over restarts and instances: the time, a random number, and the sender's domain.
    pub(super) fn message_id(&self, now: Timestamp, part: impl Display) -> String {
        let domain = self
            .sender
            .from
            .as_str()
            .rsplit('@')
            .next()
            .unwrap_or("leafwatch.invalid");
        format!(
            "<leafwatch.{}.{:016x}.{part}@{domain}>",
            now.as_millisecond(),
            self.nonce
        )
    }
}

/// A random number for [`Packer::nonce`].
pub(super) fn nonce() -> u64 {
    let mut random = [0; 8];
    if SystemRandom::new().fill(&mut random).is_err() {
        tracing::warn!("the system gave no random number; the time alone makes Message-IDs unique");
    }
    u64::from_le_bytes(random)
}

fn silenced(silences: &[Silence], incident: &Incident, credential: Option<Credential>) -> bool {
    silences
        .iter()
        .any(|silence| silence.what.matches(incident.kind, credential))
}
