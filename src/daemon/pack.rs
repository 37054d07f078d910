//! Packs due notices into messages: chooses who hears of each, folds what waits for one address into one mail, and
//! keeps the rendered bytes. One transaction; sends nothing.

use std::collections::HashMap;

use jiff::Timestamp;

use super::judge::Bench;
use super::letter::{self, Item};
use crate::mail::{self, letter::Sender};
use crate::model::{Audience, Credential};
use crate::rules::notify::{self, Say, Told};
use crate::store::{Error, NewEntry, NewMessage, Tx};

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

/// Everything that is due to the same addresses in the same words.
type Bundle = (Audience, Vec<Item>);

impl Packer<'_> {
    /// Packs what is due. Returns how many messages were made.
    pub fn pack(&self, tx: &Tx<'_>, now: Timestamp) -> Result<usize, PackError> {
        self.route(tx, now)?;
        let mut bundles: HashMap<Bundle, Vec<String>> = HashMap::new();
        for address in tx.idle_addresses()? {
            if self.waits_for_sweep(tx, &address, now)? {
                continue;
            }
            let items = self.items(tx, &address, now)?;
            if !items.is_empty() {
                bundles
                    .entry((self.audience(&address), items))
                    .or_default()
                    .push(address);
            }
        }
        let count = bundles.len();
        let mut bundles: Vec<_> = bundles.into_iter().collect();
        bundles.sort_by(|(_, a), (_, b)| a.cmp(b));
        for (number, ((audience, items), addresses)) in bundles.into_iter().enumerate() {
            self.keep(tx, audience, &items, &addresses, number, now)?;
        }
        Ok(count)
    }

    /// Chooses who hears of each due notice.
    fn route(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), PackError> {
        let due = tx.due_notices(now)?;
        if !due.is_empty() {
            self.bench
                .doubt_turned(tx, tx.newest_sweep()?, tx.newest_counts()?)?;
        }
        for notice in due {
            let incident = tx.incident(notice.incident)?.ok_or(Error::Stopped)?;
            let credential = match incident.credential {
                Some(id) => Some(tx.credential(id)?),
                None => None,
            };
            let about = self.about(credential);
            let heard = match notice.kind {
                crate::model::NoticeKind::Opened => Vec::new(),
                _ => tx.audience(incident.id)?,
            };
            let recipients = notify::recipients(
                notice.kind,
                &incident,
                about,
                heard,
                &self.bench.policy.alerts,
            );
            for recipient in &recipients {
                tx.add_addressee(notice.id, &recipient.address, &recipient.rule)?;
            }
            tx.routed(notice.id, recipients.len(), now)?;
        }
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

    /// What is left to say to `address`; what it knows already is folded away.
    fn items(&self, tx: &Tx<'_>, address: &str, now: Timestamp) -> Result<Vec<Item>, PackError> {
        let mut items = Vec::new();
        for pending in tx.pending(address)? {
            let Some(incident) = tx.incident(pending.incident)? else {
                continue;
            };
            let told = tx.told(incident.id, address)?;
            match notify::say(&incident, told, pending.reminder) {
                Some(say) => items.push(Item {
                    rank: incident.kind.rank(),
                    credential: incident.credential,
                    incident: incident.id,
                    say,
                }),
                None => tx.fold(incident.id, address, now)?,
            }
        }
        items.sort();
        Ok(items)
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
        let letter = letter::write(tx, self, audience, items, addresses, &message_id, now)?;
        let mail = mail::compose(&letter)?;
        let entries: Vec<NewEntry> = self.entries(tx, items)?;
        let new = NewMessage {
            message_id: &message_id,
            subject: &mail.subject,
            bytes: &mail.bytes,
            entries: &entries,
            addresses,
            give_up_at: notify::give_up_at(now),
        };
        tx.keep_message(&new, now)?;
        Ok(())
    }

    fn entries(&self, tx: &Tx<'_>, items: &[Item]) -> Result<Vec<NewEntry>, PackError> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            if let Some(incident) = tx.incident(item.incident)? {
                entries.push(NewEntry {
                    incident: incident.id,
                    telling: item.say.name(),
                    told: Told::now(&incident),
                });
            }
        }
        Ok(entries)
    }

    /// Unique over restarts and instances: the time, a random number, and the sender's domain.
    fn message_id(&self, now: Timestamp, number: usize) -> String {
        let domain = self
            .sender
            .from
            .as_str()
            .rsplit('@')
            .next()
            .unwrap_or("leafwatch.invalid");
        format!(
            "<leafwatch.{}.{:016x}.{number}@{domain}>",
            now.as_millisecond(),
            self.nonce
        )
    }
}

impl Item {
    /// Whether it needs somebody to act.
    pub(super) fn is_trouble(self) -> bool {
        matches!(
            self.say,
            Say::Opened | Say::Changed { .. } | Say::Reopened | Say::Reminder
        )
    }
}
