//! Gathers the facts of one mail from the store: what is known of each incident when the mail is rendered.
//!
//! Decides nothing; the wording is the mail's and the view's.

use std::collections::HashSet;
use std::collections::hash_map::{Entry as Slot, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::judge::Bench;
use super::pack::{PackError, Packer};
use crate::mail::letter::{
    About, Connection, Doubt, Entry, Evidence, Letter, Looks, Occasion, OpenElsewhere, Shared,
    StillOpen, Tally, Thread, Told,
};
use crate::model::{
    Address, Answer, Audience, Cause, Credential, CredentialId, Event, EventVerdict, GONE,
    Incident, IncidentId, Kind, News, Reading, Track,
};
use crate::rules::due;
use crate::rules::fleet;
use crate::rules::judge::{self, Access, InEnvironment};
use crate::rules::notify::{self, Mailed};
use crate::store::{Alike, Diagnosis, Finding, Item, Tx, cause_key};
use crate::view::words;

/// More entries than this never fit a mail; they are counted.
const DETAILED: usize = 400;
/// Events shown as evidence.
const EVIDENCE: usize = 3;
/// Lines that say what else is open.
const ELSEWHERE: usize = 20;
/// Earlier mails that are referred to.
const THREAD: u32 = 20;

/// The letter that says `items` to `addresses`.
pub(super) fn write(
    tx: &Tx<'_>,
    packer: &Packer<'_>,
    audience: Audience,
    items: &[Item],
    addresses: &[String],
    message_id: &str,
    now: Timestamp,
) -> Result<(Letter, Causes), PackError> {
    let writer = Writer {
        tx,
        packer,
        now,
        readers: addresses,
    };
    let to: Vec<Address> = addresses
        .iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    let (entries, tally) = writer.entries(items)?;
    let (also_open, also_open_more) = writer.elsewhere(items)?;
    let (shared, causes) = writer.shared(&entries, items)?;
    let letter = Letter {
        head: packer.head.clone(),
        to,
        reader: audience,
        message_id: message_id.to_owned(),
        date: now,
        thread: writer.thread(items)?,
        zone: packer.bench.policy.schedules.zone.clone(),
        occasion: writer.occasion(items)?,
        doubt: writer.doubt(items)?,
        entries: entries.into_iter().map(|(entry, _)| entry).collect(),
        tally,
        shared,
        also_open,
        also_open_more,
    };
    Ok((letter, causes))
}

/// Shared causes by their keys, to be kept with the message.
pub(super) type Causes = Vec<(String, Cause)>;

struct Writer<'a> {
    tx: &'a Tx<'a>,
    packer: &'a Packer<'a>,
    now: Timestamp,
    /// Everybody the mail goes to: it says nothing that one of them was not told before.
    readers: &'a [String],
}

/// The client key of an entry's credential, for shared causes.
type Key = Option<[u8; 16]>;

impl Writer<'_> {
    fn entries(&self, items: &[Item]) -> Result<(Vec<(Entry, Key)>, Tally), PackError> {
        let of = |at: &u32| items[*at as usize].credential;
        let mut order: Vec<u32> = (0u32..).take(items.len()).collect();
        order.sort_by_key(|at| (of(at), *at));
        // What is about one credential stands together, where its worst stood.
        let mut groups: Vec<&[u32]> = order
            .chunk_by(|a, b| of(a).is_some() && of(a) == of(b))
            .collect();
        groups.sort_by_key(|group| group[0]);
        let mut entries = Vec::new();
        let mut tally = Tally::default();
        for group in groups {
            let group: Vec<Item> = group.iter().map(|at| items[*at as usize]).collect();
            if entries.len() < DETAILED {
                let entry = self.entry(&group)?;
                tally.add(&entry.0.told);
                entries.push(entry);
            } else {
                tally.add(&self.counted(&group)?);
            }
        }
        Ok((entries, tally))
    }

    fn entry(&self, group: &[Item]) -> Result<(Entry, Key), PackError> {
        let mut told = Vec::new();
        let mut subject = String::new();
        let subject_of = match group.first().and_then(|item| item.credential) {
            Some(id) => Some(self.subject(id)?),
            None => None,
        };
        for item in group {
            let Some(incident) = self.tx.incident(item.incident)? else {
                continue;
            };
            subject = self.own_subject(&incident)?;
            told.push(self.told(&incident, item, subject_of.as_ref())?);
        }
        let Some(found) = subject_of else {
            let details = match group.first() {
                Some(item) if item.is_trouble() => self.details(item.incident)?,
                _ => Vec::new(),
            };
            return Ok((
                Entry {
                    about: About::Own { subject, details },
                    told,
                },
                None,
            ));
        };
        let key = found
            .reading
            .as_ref()
            .and_then(|reading| reading.key.as_ref())
            .map(|key| key.print);
        let watch = self.packer.bench.watch;
        let Credential { user, provider } = found.credential;
        let reading = found.reading.unwrap_or_default();
        let connection = Connection {
            name: found.name,
            user,
            provider,
            status: reading.status,
            environment: reading.environment,
            expected: watch.expectation(found.credential).environment,
            read_at: found.read_at,
            reconnect_url: watch.reconnect_url(found.credential),
        };
        Ok((
            Entry {
                about: About::Connection(Box::new(connection)),
                told,
            },
            key,
        ))
    }

    fn subject(&self, id: CredentialId) -> Result<Found, PackError> {
        let credential = self.tx.credential(id)?;
        let named = self
            .packer
            .bench
            .watch
            .user(credential.user)
            .and_then(|user| user.name.as_deref());
        let name = match named {
            Some(name) => Some(name.to_owned()),
            None => self.tx.leaf_name(credential.user)?,
        };
        let standing = self.tx.standing(id)?.0;
        let read_at = match standing {
            // A look of the sweep that ends now is one too.
            Some(_) => {
                let just_after = self.now + SignedDuration::from_millis(1);
                self.tx.last_look(id, just_after, |_| true)?
            }
            None => None,
        };
        let reading = standing.and_then(|standing| match standing.answer {
            Answer::Reading(reading) => Some(reading),
            Answer::Missing => None,
        });
        Ok(Found {
            id,
            credential,
            name,
            reading,
            read_at,
        })
    }

    /// What is told by an entry that only is counted.
    fn counted(&self, group: &[Item]) -> Result<Vec<Told>, PackError> {
        let mut told = Vec::with_capacity(group.len());
        for item in group {
            if let Some(incident) = self.tx.incident(item.incident)? {
                told.push(Told {
                    still_open: self.still_open(&incident, item.news, None)?,
                    ..Told::new(item.news, item.rank.1, incident.began_at)
                });
            }
        }
        Ok(told)
    }

    fn told(
        &self,
        incident: &Incident,
        item: &Item,
        found: Option<&Found>,
    ) -> Result<Told, PackError> {
        let news = item.news;
        let month_ago = self.now - SignedDuration::from_hours(30 * 24);
        let mut told = Told {
            incident: Some(incident.id),
            ended_at: incident.ended_at,
            ended_by: incident.ended_by,
            still_open: self.still_open(incident, news, found)?,
            first_look: incident.origin.first_look,
            while_off: incident.origin.while_off,
            ended_while_off: incident.ended_while_off,
            ended_by_config: incident.ended_by_config,
            config_changed: incident.origin.config_changed,
            times_before: Some(self.tx.times_before(incident, month_ago)?),
            ..Told::new(news, item.rank.1, incident.began_at)
        };
        if let News::Changed { .. } | News::Reopened = news {
            told.since = incident.kind_at;
        }
        if news == News::Reopened {
            let well_since = self.tx.was_well_since(incident.id)?;
            let well_since = well_since.unwrap_or(incident.kind_at);
            told.well_for = Some(words::between(well_since, incident.kind_at));
        }
        if news.is_trouble() {
            told.next_reminder = self.next_reminder(incident, news)?;
        }
        if let (true, Some(found)) = (news.is_trouble(), found) {
            let diagnosis = self.diagnosis(incident, found)?;
            told.evidence = evidence(&diagnosis.events);
            told.cause = diagnosis.cause;
            told.looks = self.looks(incident, news, found)?;
        }
        Ok(told)
    }

    /// When the next reminder comes, where nothing happens until then.
    fn next_reminder(
        &self,
        incident: &Incident,
        news: News,
    ) -> Result<Option<Timestamp>, PackError> {
        if self.tx.is_acknowledged(incident.id, self.now)? {
            return Ok(None);
        }
        let policy = &self.packer.bench.policy;
        let before = self
            .tx
            .mailed(incident.id)?
            .map_or(0, |mailed| mailed.reminders);
        let reminders = if matches!(news, News::Reminder { .. }) {
            before + 1
        } else {
            0
        };
        let from = notify::reminder_from(
            Mailed {
                last: self.now,
                reminders,
            },
            &policy.alerts,
        );
        let just_before = from.map(|from| from - SignedDuration::from_millis(1));
        let schedules = &policy.schedules;
        Ok(just_before
            .and_then(|at| due::next_after(&schedules.reminders, &schedules.zone, at, at)))
    }

    fn still_open(
        &self,
        incident: &Incident,
        news: News,
        found: Option<&Found>,
    ) -> Result<Option<StillOpen>, PackError> {
        let (News::Resolved { .. } | News::Brief, Some(id)) = (news, incident.credential) else {
            return Ok(None);
        };
        let open = self.tx.open_of(id)?.into_iter();
        let Some(worst) = open.min_by_key(|open| open.kind.rank()) else {
            return Ok(None);
        };
        let cause = match found {
            Some(found) => self.diagnosis(&worst, found)?.cause,
            None => None,
        };
        Ok(Some(StillOpen {
            kind: worst.kind,
            cause,
        }))
    }

    /// How sure it is: what the looks since it began (since it came back, where that is told) say of what it is now.
    fn looks(
        &self,
        incident: &Incident,
        news: News,
        found: &Found,
    ) -> Result<Option<Looks>, PackError> {
        let kind = incident.kind;
        if kind == Kind::FailingEvents {
            return Ok(None);
        }
        let Bench { policy, watch, .. } = self.packer.bench;
        let words = &policy.status_words;
        let expected = watch.expectation(found.credential).environment;
        let says = |answer: &Answer| {
            let well = match (kind.track(), answer) {
                (Track::Access, _) => judge::access(answer, words) == Access::Healthy,
                (Track::Environment, Answer::Reading(reading)) => {
                    judge::environment(reading, expected) == InEnvironment::Right
                }
                (Track::Sight, _) => true,
                _ => false,
            };
            match well {
                true => Finding::Well,
                false if judge::says(answer, kind, expected, words) => Finding::So,
                false => Finding::Else,
            }
        };
        let since = match news {
            News::Reopened => incident.kind_at,
            _ => incident.began_at,
        };
        // A warning came while Leaf still called it healthy.
        let before = match news {
            News::Changed { .. } => incident.kind_at,
            _ => since,
        };
        let count = self.tx.looks_since_then(found.id, since, says)?;
        let well = |answer: &Answer| says(answer) == Finding::Well;
        let (so, of) = match kind.track() {
            Track::Sight => (count.silent, count.silent + count.of),
            _ => (count.so, count.of),
        };
        Ok(Some(Looks {
            so,
            well: count.well,
            of,
            last_well: self.tx.last_look(found.id, before, well)?,
        }))
    }

    fn diagnosis(&self, incident: &Incident, found: &Found) -> Result<Diagnosis, PackError> {
        let Bench { policy, watch, .. } = self.packer.bench;
        let expected = watch.expectation(found.credential).environment;
        let trouble = (incident.kind, incident.began_at);
        Ok(self
            .tx
            .diagnosis(found.id, trouble, expected, policy, self.now)?)
    }

    /// What an account or own incident is about; a status word is shown as Leaf sent it.
    fn own_subject(&self, incident: &Incident) -> Result<String, PackError> {
        let raw = match incident.kind {
            Kind::UnknownStatus => self.tx.raw_words(&incident.subject)?,
            _ => Vec::new(),
        };
        let raw = raw.into_iter().next();
        Ok(raw.unwrap_or_else(|| incident.subject.clone()))
    }

    /// What stands beside an account or own incident.
    fn details(&self, incident: IncidentId) -> Result<Vec<String>, PackError> {
        let Some(known) = self.tx.incident(incident)? else {
            return Ok(Vec::new());
        };
        let subject = known.subject.as_str();
        let mut details: Vec<String> = self.tx.last_why(incident)?.into_iter().collect();
        if known.track == Track::Account
            && known.is_open()
            && let Some(until) = self.tx.paused_until(self.now)?
        {
            let pause = words::paused(until, &self.packer.bench.policy.schedules.zone);
            details.retain(|why| !why.contains(&pause));
            details.push(pause);
        }
        match known.kind {
            Kind::UnknownStatus => details.extend(self.unknown_word(subject)?),
            Kind::EnvironmentContradiction => {
                let mut sides = Vec::new();
                for torn in self.tx.contradicted_keys()? {
                    let provider = self.tx.credential(torn.credential)?.provider;
                    if torn.subject(provider) == subject && sides.len() < ELSEWHERE {
                        let whose = self.subject(torn.credential)?.shown();
                        sides.push(format!("{}: {whose}", torn.environment));
                    }
                }
                details.extend(sides);
            }
            _ => {}
        }
        Ok(details)
    }

    /// The word as Leaf sent it, and the lines of config that give it a meaning.
    fn unknown_word(&self, subject: &str) -> Result<Vec<String>, PackError> {
        let raw = self.tx.raw_words(subject)?;
        let Some(word) = raw.first().filter(|_| !subject.is_empty()) else {
            return Ok(vec!["Leaf sends no status word at all.".to_owned()]);
        };
        if word.contains(GONE) {
            return Ok(vec![
                "What Leaf sends as this word looks like a credential, so it is not kept, and no line of config can name \
                 it: ask Leaf."
                    .to_owned(),
            ]);
        }
        let quoted: Vec<String> = raw.iter().take(3).map(|raw| words::quoted(raw)).collect();
        Ok(vec![
            format!("As Leaf sends it: {}", words::listed(&quoted)),
            "Add the word to the list that fits it (healthy, invalid, limited_permission or provider_unavailable), and \
             reload. These lines call it healthy:"
                .to_owned(),
            "[rules.status_words]".to_owned(),
            format!("healthy = [{}]", words::quoted(word)),
        ])
    }

    /// What `of` gives for every one of the readers.
    fn told_to_all<T: PartialEq>(
        &self,
        of: impl Fn(&Tx<'_>, &str) -> crate::store::Result<Vec<T>>,
    ) -> Result<Vec<T>, PackError> {
        let Some((first, others)) = self.readers.split_first() else {
            return Ok(Vec::new());
        };
        let mut common = of(self.tx, first)?;
        for reader in others {
            if common.is_empty() {
                break;
            }
            let known = of(self.tx, reader)?;
            common.retain(|one| known.contains(one));
        }
        Ok(common)
    }

    fn thread(&self, items: &[Item]) -> Result<Thread, PackError> {
        let mut thread = Thread::default();
        let later = items
            .iter()
            .filter(|item| !matches!(item.news, News::Opened | News::Brief))
            .take(DETAILED);
        for item in later {
            let mut known =
                self.told_to_all(|tx, reader| tx.thread(item.incident, reader, THREAD))?;
            thread.in_reply_to = thread.in_reply_to.or_else(|| known.first().cloned());
            known.reverse();
            thread.references.extend(known);
        }
        // Message-IDs begin with the time, so that their order is the order of the mails.
        thread.references.sort();
        thread.references.dedup();
        Ok(thread)
    }

    /// It stays the first look until the first whole sweep, over restarts; what was over by then changes nothing of that.
    fn occasion(&self, items: &[Item]) -> Result<Occasion, PackError> {
        let first =
            |item: &Item| item.first_look && matches!(item.news, News::Opened | News::Brief);
        let opened = |item: &Item| item.news == News::Opened;
        if !(items.iter().all(first) && items.iter().any(opened)) {
            return Ok(Occasion::Notices);
        }
        let watched = self.tx.watched()?;
        let read = match self.tx.first_whole_sweep()? {
            None => self.tx.read_so_far()?,
            Some(_) => watched,
        };
        Ok(Occasion::FirstLook {
            watched: u64::from(watched),
            read: u64::from(read),
        })
    }

    fn doubt(&self, items: &[Item]) -> Result<Option<Doubt>, PackError> {
        let doubted = items
            .iter()
            .find(|item| item.doubted && item.news == News::Opened);
        let incident = match doubted {
            Some(item) => self.tx.incident(item.incident)?,
            None => None,
        };
        let Some(incident) = incident else {
            return Ok(None);
        };
        let turned = self.tx.opened_count(incident.opened_sweep, incident.kind)?;
        let of = u64::from(self.tx.newest_counts()?.were_healthy).max(turned);
        Ok(Some(Doubt { turned, of }))
    }

    fn elsewhere(&self, items: &[Item]) -> Result<(Vec<OpenElsewhere>, u64), PackError> {
        let here: HashSet<IncidentId> = items.iter().map(|item| item.incident).collect();
        let mut others = self.told_to_all(|tx, reader| tx.open_and_told(reader))?;
        others.retain(|other| !here.contains(&other.incident));
        others.sort_by_key(|other| (other.kind.rank(), other.began_at));
        let more = others.len().saturating_sub(ELSEWHERE) as u64;
        let mut elsewhere = Vec::new();
        for other in others.into_iter().take(ELSEWHERE) {
            let Some(incident) = self.tx.incident(other.incident)? else {
                continue;
            };
            let (what, says) = match incident.credential {
                None => {
                    let subject = self.own_subject(&incident)?;
                    (words::stem(incident.kind, &subject), None)
                }
                Some(id) => {
                    let found = self.subject(id)?;
                    (found.shown(), found.says(incident.kind))
                }
            };
            let acknowledged = self.tx.is_acknowledged(incident.id, self.now)?;
            elsewhere.push(OpenElsewhere {
                what,
                kind: incident.kind,
                since: incident.began_at,
                says,
                recovering: incident.well.is_some(),
                acknowledged,
            });
        }
        Ok((elsewhere, more))
    }

    /// Causes that several of the entries share, each claimed only on evidence; an entry is explained once.
    fn shared(
        &self,
        entries: &[(Entry, Key)],
        items: &[Item],
    ) -> Result<(Vec<Shared>, Causes), PackError> {
        let thresholds = &self.packer.bench.policy.thresholds;
        let since = self.now - thresholds.shared_cause_window;
        if !items
            .iter()
            .any(|item| item.is_trouble() && item.credential.is_some())
        {
            return Ok((Vec::new(), Vec::new()));
        }
        let (mut shared, mut causes) = (Vec::new(), Causes::new());
        let mut explained = vec![false; entries.len()];
        let mut refused_keys = HashMap::new();
        for alike in self.tx.turned_alike(since)? {
            let members =
                (0..entries.len()).filter(|&at| !explained[at] && belongs(&entries[at], &alike));
            let members: Vec<usize> = members.collect();
            if members.is_empty() {
                continue;
            }
            let print = alike.key.as_ref().map(|(print, _)| print);
            let key = cause_key(alike.kind, alike.provider, print);
            let told = self
                .told_to_all(|tx, reader| {
                    Ok(tx
                        .cause_told(&key, reader)?
                        .filter(|(told, _)| told.reaches(alike.newest))
                        .map(|(_, cause)| cause)
                        .into_iter()
                        .collect())
                })?
                .pop();
            let refused = match print {
                Some(print) if told.is_none() => match refused_keys.entry(*print) {
                    Slot::Occupied(known) => *known.get(),
                    Slot::Vacant(unknown) => {
                        let policy = self.packer.bench.policy;
                        *unknown.insert(self.tx.key_is_refused(print, policy, self.now)?)
                    }
                },
                _ => false,
            };
            let by_number = fleet::shared_by_number(alike.turned, alike.all, thresholds);
            if !refused && !by_number && told.is_none() {
                continue;
            }
            let (more, least) = (told.is_some(), if told.is_some() { 1 } else { 2 });
            let of_members = members.iter().map(|&at| &entries[at].0);
            let cause = told.unwrap_or_else(|| shared_cause(&alike, refused, of_members));
            // What its own events explain otherwise is not explained by the others.
            let of_it: Vec<usize> = members
                .into_iter()
                .filter(|&at| fits(&entries[at].0, &cause))
                .collect();
            if of_it.len() < least {
                continue;
            }
            of_it.iter().for_each(|&at| explained[at] = true);
            let all_shown = items.len() <= DETAILED;
            let credentials = if all_shown {
                of_it.len() as u64
            } else {
                u64::from(alike.turned)
            };
            // What nothing explains is no cause: it holds nothing back, and explains nothing that comes later.
            if cause != Cause::Unexplained {
                causes.push((key, cause.clone()));
            }
            let (kind, provider) = (alike.kind, alike.provider);
            shared.push(Shared {
                cause,
                kind,
                provider,
                entries: of_it,
                credentials,
                more,
            });
        }
        Ok((shared, causes))
    }
}

/// The one cause of what turned alike: the key's, where it is refused, else the one that the most of them say. What a
/// single one says is its own.
fn shared_cause<'a>(
    alike: &Alike,
    refused: bool,
    members: impl Iterator<Item = &'a Entry>,
) -> Cause {
    if refused {
        let key_tail = alike.key.as_ref().map(|(_, tail)| tail.clone());
        let key_tail = key_tail.filter(|tail| !tail.is_empty());
        return Cause::AppSecretWrong { key_tail };
    }
    let mut said: Vec<(&Cause, u32)> = Vec::new();
    for cause in members.filter_map(own_cause) {
        match said.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, times)) => *times += 1,
            None => said.push((cause, 1)),
        }
    }
    said.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    match said.first() {
        Some((cause, 2..)) => (*cause).clone(),
        _ => Cause::Unexplained,
    }
}

/// What its own events and status explain.
fn own_cause(entry: &Entry) -> Option<&Cause> {
    let mut troubles = entry.told.iter().filter(|told| told.is_trouble());
    let cause = troubles.next()?.cause.as_ref();
    cause.filter(|cause| **cause != Cause::Unexplained)
}

fn fits(entry: &Entry, cause: &Cause) -> bool {
    own_cause(entry).is_none_or(|own| own == cause)
}

/// What is known of a credential when it is written about.
struct Found {
    id: CredentialId,
    credential: Credential,
    name: Option<String>,
    reading: Option<Reading>,
    /// When that was last read.
    read_at: Option<Timestamp>,
}

impl Found {
    fn shown(&self) -> String {
        let Credential { user, provider } = self.credential;
        let name = self.name.clone();
        words::credential(
            &name.unwrap_or_else(|| format!("Leaf user {user}")),
            provider,
        )
    }

    /// What Leaf says of it, as far as it is about trouble of `kind`, and when that was read.
    fn says(&self, kind: Kind) -> Option<(String, Timestamp)> {
        let word = match (&self.reading, kind.track()) {
            (Some(reading), Track::Environment) => {
                reading.environment.as_deref().unwrap_or("no environment")
            }
            (Some(reading), _) => reading.status.as_deref().unwrap_or("no status word"),
            (None, _) => "no such connection",
        };
        Some((word.to_owned(), self.read_at?))
    }
}

fn belongs((entry, key): &(Entry, Key), alike: &Alike) -> bool {
    let About::Connection(connection) = &entry.about else {
        return false;
    };
    let of_kind = entry
        .told
        .iter()
        .any(|told| told.kind == alike.kind && is_beginning(told.news));
    let of_key = alike
        .key
        .as_ref()
        .is_none_or(|(print, _)| key.as_ref() == Some(print));
    of_kind && connection.provider == alike.provider && of_key
}

/// Whether it tells a beginning; a cause that many share is looked for among those.
fn is_beginning(news: News) -> bool {
    matches!(news, News::Opened | News::Changed { .. } | News::Reopened)
}

fn evidence(events: &[Event]) -> Vec<Evidence> {
    let failures = events
        .iter()
        .filter(|event| event.verdict() == EventVerdict::Failure);
    failures
        .take(EVIDENCE)
        .map(|event| Evidence {
            at: event.at,
            status_code: event.status_code,
            text: event.body.clone(),
        })
        .collect()
}
