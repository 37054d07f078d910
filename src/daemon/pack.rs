//! Packs due notices into messages: chooses who hears of each, folds what waits for one address into one mail, and
//! keeps the rendered bytes. One transaction; sends nothing.

use std::collections::HashMap;
use std::fmt::Display;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};

use super::judge::Bench;
use super::letter;
use crate::mail::{self, letter::Letterhead};
use crate::model::{Audience, Credential, IncidentId, NoticeKind, SweepId};
use crate::rules::notify;
use crate::store::{Counts, DueNotice, Error, Item, NewEntry, NewMessage, Scene, Tx};

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
    /// Policy and watch list.
    pub bench: Bench<'a>,
    /// Who sends, and where links lead.
    pub head: &'a Letterhead,
    /// Makes Message-IDs unique: random, from the caller.
    pub nonce: u64,
    /// What the sweep that runs has counted so far.
    pub progress: Option<(SweepId, Counts)>,
}

/// What one packing came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    /// How many messages were made.
    pub made: usize,
    /// It was looked at what waits.
    pub looked: bool,
    /// Something waits still.
    pub waits: bool,
    /// When the first of what waits may leave, where that is known.
    pub next: Option<Timestamp>,
}

/// Everything that is due to the same addresses in the same words, and what else is open that they were told of: a
/// mail that names it goes to nobody who was not.
type Bundle = (Audience, Vec<Item>, Vec<IncidentId>);

impl Packer<'_> {
    /// Chooses who hears of what is new, and packs what may leave; with `look`, of what waits too.
    pub fn pack_due(&self, tx: &Tx<'_>, look: bool, now: Timestamp) -> Result<Packed, PackError> {
        let next = self.route(tx, now)?;
        if look || next.is_some_and(|next| next <= now) {
            return self.pack(tx, now);
        }
        Ok(Packed {
            next,
            ..Packed::default()
        })
    }

    fn pack(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Packed, PackError> {
        let mut packed = Packed {
            looked: true,
            ..Packed::default()
        };
        let mut bundles: HashMap<Bundle, Vec<String>> = HashMap::new();
        let idle = tx.idle_addresses()?;
        if !idle.is_empty() {
            self.doubt(tx)?;
        }
        let scene = Scene {
            watch: self.bench.watch,
            policy: self.bench.policy,
            now,
        };
        for address in idle {
            let queue = tx.queue(&scene, &address)?;
            for incident in queue.dropped {
                tx.fold(incident, &address, now)?;
            }
            let until = queue.waits.iter().filter_map(|(_, wait)| wait.until);
            packed.next = packed.next.into_iter().chain(until).min();
            if queue.leaves.is_empty() {
                continue;
            }
            let told = tx.open_and_told(&address)?;
            let told = told.iter().map(|open| open.incident).collect();
            bundles
                .entry((self.audience(&address), queue.leaves, told))
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
        packed.waits = tx.has_waiting()?;
        Ok(packed)
    }

    /// Judges whether most of the fleet turned alike, over what the newest sweep has read so far.
    fn doubt(&self, tx: &Tx<'_>) -> Result<(), PackError> {
        let newest = tx.newest_sweep()?;
        if let Some((sweep, counts)) = self.progress.filter(|(sweep, _)| *sweep == newest) {
            tx.note_progress(sweep, counts)?;
        }
        Ok(self.bench.doubt_turned(tx, newest, tx.newest_counts()?)?)
    }

    /// While blind, and before the first whole look of a run, nobody knows whether what a silence held back still stands.
    fn may_settle(&self, tx: &Tx<'_>) -> Result<bool, PackError> {
        Ok(tx.has_looked()? && !tx.is_blind()?)
    }

    /// Chooses who hears of each notice, at the latest when it is due. Returns when the first of them is.
    fn route(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Option<Timestamp>, PackError> {
        let mut first = None;
        if tx.has_unsettled_silence(now)? && self.may_settle(tx)? {
            tx.settle_silences(now)?;
            first = Some(now);
        }
        let soon = now + self.bench.policy.alerts.group_wait;
        for notice in tx.due_notices(soon)? {
            self.route_one(tx, notice, now)?;
            first = first.into_iter().chain([notice.due]).min();
        }
        Ok(first)
    }

    fn route_one(&self, tx: &Tx<'_>, notice: DueNotice, now: Timestamp) -> Result<(), PackError> {
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
            news: item.news.into(),
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
        let unique = format!("{:016x}.{part}", self.nonce);
        self.head.message_id(now, unique)
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
