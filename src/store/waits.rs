//! What waits to be told to one address, and why: the facts for the rules, read once for the packer and for those who ask.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;

use super::{Pending, Result, Scene, Tx};
use crate::model::{
    Cause, CredentialId, Incident, IncidentId, Kind, News, Provider, Severity, SweepId, Track,
    Wait, WaitsFor,
};
use crate::rules::notify::{self, Told};
use crate::rules::waits::{self, CauseTold, Fate, Mailbox, Parcel, Untold};
use crate::view::silences::Silence;

/// Where in a mail something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Trouble,
    Ended,
    Brief,
}

/// One thing to say, light enough for a hundred thousand of them. Ordered the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// What needs somebody to act comes first, what nobody knew of and is over last.
    place: Place,
    /// How bad it is, or was told to be.
    pub rank: (std::cmp::Reverse<Severity>, Kind),
    /// Of which credential; none for account and own trouble.
    pub credential: Option<CredentialId>,
    /// Of which incident.
    pub incident: IncidentId,
    /// What is said.
    pub news: News,
    /// How often it had come back.
    pub turn: u32,
    /// It opened before the first whole sweep had ended.
    pub first_look: bool,
    /// Most of the fleet turned alike with it.
    pub doubted: bool,
}

impl Item {
    fn new(incident: &Incident, news: News, first_whole: Option<(SweepId, Timestamp)>) -> Item {
        // What opened between two sweeps has the number of the one before.
        let first_look = first_whole.is_none_or(|(sweep, ended)| {
            let before = incident.origin.first_look || incident.opened_at < ended;
            incident.opened_sweep <= sweep && before
        });
        let (place, kind) = match news {
            News::Resolved { told } | News::Closed { told } => (Place::Ended, told),
            News::Brief => (Place::Brief, incident.kind),
            _ => (Place::Trouble, incident.kind),
        };
        Item {
            place,
            rank: kind.rank(),
            credential: incident.credential,
            incident: incident.id,
            news,
            turn: incident.reopened,
            first_look: first_look && incident.credential.is_some(),
            doubted: incident.doubted,
        }
    }

    /// Whether it needs somebody to act.
    pub fn is_trouble(self) -> bool {
        self.place == Place::Trouble
    }

    /// What somebody knows who is told this.
    pub fn leaves_told(self) -> Told {
        Told {
            kind: self.rank.1,
            open: self.is_trouble(),
            turn: self.turn,
        }
    }
}

/// What is left to say to one address.
#[derive(Debug, Default)]
pub struct Queue {
    /// What leaves with the next mail, now; the worst first.
    pub leaves: Vec<Item>,
    /// What waits.
    pub waits: Vec<(Item, Wait)>,
    /// What there is nothing to say of any more.
    pub dropped: Vec<IncidentId>,
}

/// What one address was told of shared causes, by their keys, each asked for once: tens of thousands may share one.
type CausesTold = HashMap<String, Option<(CauseTold, Cause)>>;

impl Tx<'_> {
    /// What is left to say to `address`, and why it waits.
    pub fn queue(&self, scene: &Scene<'_>, address: &str) -> Result<Queue> {
        let Scene { policy, now, .. } = *scene;
        let mut queue = Queue::default();
        let silences = self.unsettled_silences(now)?;
        let mut causes = self.knows_causes(address)?.then(CausesTold::new);
        let first_whole = self.first_whole_sweep()?;
        let (mut fleet, mut others) = (Vec::new(), Vec::new());
        let (mut of_fleet, mut of_others) = (Parcel::default(), Parcel::default());
        for pending in self.pending(address)? {
            let Some(incident) = self.incident(pending.incident)? else {
                continue;
            };
            let untold = self.untold(
                scene,
                address,
                &incident,
                pending,
                &silences,
                causes.as_mut(),
            )?;
            match waits::fate(&untold, policy, now) {
                Fate::Drop => queue.dropped.push(incident.id),
                Fate::Hold(wait) => {
                    let news = untold.news.unwrap_or(News::Opened);
                    queue
                        .waits
                        .push((Item::new(&incident, news, first_whole), wait));
                }
                Fate::Tell(news) => {
                    let due = pending.due.or(pending.again).unwrap_or(now);
                    let (items, parcel) = match incident.credential {
                        Some(_) => (&mut fleet, &mut of_fleet),
                        None => (&mut others, &mut of_others),
                    };
                    items.push(Item::new(&incident, news, first_whole));
                    parcel.add(&incident, due);
                }
            }
        }
        let mailbox = self.mailbox(scene, address)?;
        let alerts = &policy.alerts;
        match mailbox.first_look_waits(of_fleet, alerts, now) {
            Some(wait) => queue
                .waits
                .extend(fleet.into_iter().map(|item| (item, wait))),
            None => {
                others.append(&mut fleet);
                of_others = of_others.and(of_fleet);
            }
        }
        match mailbox.mail_waits(of_others, alerts, now) {
            Some(wait) => queue
                .waits
                .extend(others.into_iter().map(|item| (item, wait))),
            None => queue.leaves = others,
        }
        queue.leaves.sort_unstable();
        Ok(queue)
    }

    fn untold<'a>(
        &self,
        scene: &Scene<'_>,
        address: &str,
        incident: &'a Incident,
        pending: Pending,
        silences: &[Silence],
        causes: Option<&mut CausesTold>,
    ) -> Result<Untold<'a>> {
        let told = self.told(incident.id, address)?;
        let news = match notify::say(incident, told, pending.reminder) {
            Some(News::Opened) if pending.only_reminders => {
                Some(News::Reminder { new_to_you: true })
            }
            news => news,
        };
        let ended_silenced = match (news, incident.ended_at) {
            (Some(News::Brief), Some(ended)) => self
                .silenced_until(incident, &self.silences_at(ended)?, ended)?
                .is_some(),
            _ => false,
        };
        let may_straggle = news == Some(News::Opened) && incident.track == Track::Access;
        Ok(Untold {
            incident,
            news,
            again: pending
                .again
                .filter(|_| pending.due.is_none() || news == Some(News::Brief)),
            own_people: pending.own_people && told.is_none(),
            silenced_until: self.silenced_until(incident, silences, scene.now)?,
            ended_silenced,
            straggles: match causes.filter(|_| may_straggle) {
                Some(causes) => self.straggles(scene, incident, address, causes)?,
                None => None,
            },
        })
    }

    /// The end of the last of these silences that holds the incident back at `moment`.
    fn silenced_until(
        &self,
        incident: &Incident,
        silences: &[Silence],
        moment: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let credential = match incident.credential {
            Some(id) if !silences.is_empty() => Some(self.credential(id)?),
            _ => None,
        };
        let matching = silences
            .iter()
            .filter(|silence| silence.what.matches(incident.kind, credential))
            .filter(|silence| holds_back(silence, incident.kind, moment));
        Ok(matching.map(Silence::end).max())
    }

    /// The shared cause that an incident belongs to, where `address` was told of that, and the incident appeared in a
    /// later sweep. What its own events explain otherwise belongs to none.
    fn straggles(
        &self,
        scene: &Scene<'_>,
        incident: &Incident,
        address: &str,
        causes: &mut CausesTold,
    ) -> Result<Option<CauseTold>> {
        let Some(id) = incident.credential else {
            return Ok(None);
        };
        let credential = self.credential(id)?;
        let standing = self.standing(id)?.0;
        let reading = standing
            .as_ref()
            .and_then(|standing| standing.answer.reading());
        let key = reading.and_then(|reading| reading.key.as_ref());
        for print in [key.map(|key| &key.print), None] {
            let key = cause_key(incident.kind, credential.provider, print);
            let found = match causes.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let told = self.cause_told(new.key(), address)?;
                    new.insert(told)
                }
            };
            let reaches = |(told, _): &&(CauseTold, Cause)| told.reaches(incident.opened_at);
            let Some((told, cause)) = found.as_ref().filter(reaches) else {
                continue;
            };
            let expected = scene.watch.expectation(credential).environment;
            let trouble = (incident.kind, incident.began_at);
            let own = self
                .diagnosis(id, trouble, expected, scene.policy, scene.now)?
                .cause;
            let fits = own.is_none_or(|own| own == *cause || own == Cause::Unexplained);
            let later = fits && self.was_whole_between(told.sweep, incident.opened_sweep)?;
            return Ok(later.then_some(*told));
        }
        Ok(None)
    }

    fn mailbox(&self, scene: &Scene<'_>, address: &str) -> Result<Mailbox> {
        let most = scene.policy.alerts.max_emails_per_hour;
        Ok(Mailbox {
            under_way: self.next_try(address)?,
            packed: self.last_packed(address)?,
            limited_until: self.limited_until(address, most, scene.now)?,
            sweeping_since: self.running_sweep()?,
            first_sweep: self.is_first_sweep()?,
        })
    }

    /// Calls `each` for all that waits to be told: to whom, of what, and why.
    pub(super) fn each_waiting(
        &self,
        scene: &Scene<'_>,
        only: Option<&str>,
        mut each: impl FnMut(&str, Item, Wait),
    ) -> Result<()> {
        for address in self.waiting_addresses()? {
            if only.is_some_and(|only| !only.eq_ignore_ascii_case(&address)) {
                continue;
            }
            let queue = self.queue(scene, &address)?;
            for (item, wait) in queue.waits {
                each(&address, item, wait);
            }
            for item in queue.leaves {
                each(
                    &address,
                    item,
                    Wait::new(WaitsFor::Packing, None, scene.now),
                );
            }
        }
        Ok(())
    }
}

/// Whether a silence holds back at `moment` what it matches of `kind`. Over is over, but what only a look can show is held
/// back until the first look after, for nobody knows before whether it still stands; the caller knows when that was.
fn holds_back(silence: &Silence, kind: Kind, moment: Timestamp) -> bool {
    kind.is_seen_in_answers() || moment < silence.end()
}

/// The key of a shared cause: a kind, a provider, and the client key where it is one key's.
pub fn cause_key(kind: Kind, provider: Provider, key: Option<&[u8; 16]>) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{kind}/{provider}/");
    for byte in key.into_iter().flatten() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
