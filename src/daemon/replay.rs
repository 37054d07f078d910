//! Plays what was seen once more, under another config: the judge and the packer are the daemon's own, the database is
//! another one, in memory. Every mail is taken at once. Sends nothing, and changes nothing that was.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::judge::{Look, Swept};
use super::pack::PackError;
use super::player::{Player, accepts_all};
use crate::config::Config;
use crate::model::{CredentialId, IncidentId, Schedule, SweepEnd, SweepId};
use crate::store::{Counts, Db, Error, Gap, Past, PastEvents, PastSweep};

/// The daemon looks this often at what is due.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// What was replayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// From the first sweep that is kept.
    pub since: Option<Timestamp>,
    /// Sweeps.
    pub sweeps: u64,
    /// Answers that were others than the ones before them.
    pub answers: u64,
    /// Events.
    pub events: u64,
    /// Credentials.
    pub credentials: u64,
    /// Credentials with a history that the config does not watch.
    pub not_watched: u64,
    /// Credentials that the config watches and that have no history.
    pub never_seen: u64,
}

/// Replays `past` and `events` (in the order in which they were read) under `config`, up to `until`; `progress` hears
/// of each sweep. Returns the database that there would be.
///
/// # Errors
/// Where the database in memory failed, or a mail could not be composed.
pub fn replay(
    past: &Past,
    events: &[PastEvents],
    config: Config,
    until: Timestamp,
    mut progress: impl FnMut(),
) -> Result<(Db, Replayed), PackError> {
    let facts = in_order(past, events);
    let began = facts.first().map_or(until, |(at, ..)| *at);
    let mut replay = Replay::start(past, config, began)?;
    let mut passed = began;
    replay.replayed.since = past.sweeps.first().map(|sweep| sweep.began);
    for (at, _, fact) in facts {
        // Clocks were set back now and then; the order is that of the facts all the same.
        if at >= passed + TICK {
            replay.player.pass(at, &mut accepts_all)?;
            passed = at;
        } else if at > replay.player.now() {
            replay.player.wait_until(at);
        }
        if matches!(fact, Fact::SweepBegan(_)) {
            progress();
        }
        replay.play(&fact, events)?;
    }
    replay.player.pass(until, &mut accepts_all)?;
    let replayed = replay.replayed;
    Ok((replay.player.into_db(), replayed))
}

/// One thing that happened, by its place among its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Run,
    SweepBegan(usize),
    Answer(usize),
    GapEnded(usize),
    SweepEnded(usize),
    WatchEnded(CredentialId),
    Events(usize),
    Silenced(usize),
    SilenceEnded(usize),
    Acked(usize),
    AckEnded(usize),
}

impl Fact {
    /// What comes first of two things of the same moment.
    fn rank(self) -> u8 {
        match self {
            Fact::Run => 0,
            Fact::WatchEnded(_) => 1,
            Fact::SweepBegan(_) => 2,
            Fact::Answer(_) | Fact::GapEnded(_) => 3,
            Fact::Events(_) => 4,
            Fact::SweepEnded(_) => 5,
            Fact::Silenced(_) | Fact::SilenceEnded(_) | Fact::Acked(_) | Fact::AckEnded(_) => 6,
        }
    }
}

fn in_order(past: &Past, events: &[PastEvents]) -> Vec<(Timestamp, u8, Fact)> {
    let mut facts = Vec::new();
    let mut add = |at: Timestamp, fact: Fact| facts.push((at, fact.rank(), fact));
    for at in &past.runs {
        add(*at, Fact::Run);
    }
    for (nth, sweep) in past.sweeps.iter().enumerate() {
        add(sweep.began, Fact::SweepBegan(nth));
        if let Some(ended) = sweep.ended {
            add(ended, Fact::SweepEnded(nth));
        }
    }
    let begun: HashSet<(CredentialId, Timestamp)> = past
        .answers
        .iter()
        .map(|answer| (answer.credential, answer.at))
        .collect();
    for (nth, answer) in past.answers.iter().enumerate() {
        add(answer.at, Fact::Answer(nth));
        // No answer began when this one ended: it was taken out of the config.
        let ended = answer
            .until
            .filter(|until| !begun.contains(&(answer.credential, *until)));
        if let Some(until) = ended {
            add(until, Fact::WatchEnded(answer.credential));
        }
    }
    for (nth, gap) in past.gaps.iter().enumerate() {
        let ended = gap
            .until
            .filter(|until| !begun.contains(&(gap.gap.credential, *until)));
        if let Some(until) = ended {
            add(until, Fact::GapEnded(nth));
        }
    }
    for (nth, piece) in events.iter().enumerate() {
        add(piece.at, Fact::Events(nth));
    }
    for (nth, silence) in past.silences.iter().enumerate() {
        add(silence.at, Fact::Silenced(nth));
        if let Some(ended) = silence.ended_at {
            add(ended, Fact::SilenceEnded(nth));
        }
    }
    for (nth, (ack, _)) in past.acks.iter().enumerate() {
        add(ack.at, Fact::Acked(nth));
        if let Some(ended) = ack.ended_at {
            add(ended, Fact::AckEnded(nth));
        }
    }
    facts.sort_by_key(|(at, rank, _)| (*at, *rank));
    facts
}

struct Replay<'a> {
    past: &'a Past,
    player: Player,
    replayed: Replayed,
    /// The numbers here of those that are watched.
    ids: HashMap<CredentialId, CredentialId>,
    sweeps: HashMap<SweepId, SweepId>,
    /// What the sweep that runs counted in the end.
    counts: Counts,
    /// Who is out of the config now.
    unwatched: HashSet<CredentialId>,
    /// The answer that stands, by its place; none once the watch ended.
    standing: HashMap<CredentialId, usize>,
    /// The gaps that are open, by the sweep in which they begin, until they end.
    next_gap: usize,
    silent: BTreeMap<CredentialId, usize>,
    silences: HashMap<usize, i64>,
    acked: HashMap<usize, IncidentId>,
    last_sweep: Option<(i64, Timestamp)>,
}

impl<'a> Replay<'a> {
    fn start(past: &'a Past, config: Config, now: Timestamp) -> Result<Self, Error> {
        let watch = config.watch.clone();
        let seen: HashSet<_> = past.credentials.values().copied().collect();
        let mut replayed = Replayed {
            never_seen: watch.credentials().filter(|c| !seen.contains(c)).count() as u64,
            ..Replayed::default()
        };
        let mut player = Player::start(Db::in_memory()?, config, now)?;
        let mut ids = HashMap::new();
        player.db().write(|tx| {
            for (id, credential) in &past.credentials {
                if watch.contains(*credential) {
                    let name = watch.user(credential.user).and_then(|u| u.name.as_deref());
                    ids.insert(*id, tx.watch_named(*credential, name, now)?);
                }
            }
            Ok::<_, Error>(())
        })?;
        replayed.credentials = ids.len() as u64;
        replayed.not_watched = (past.credentials.len() - ids.len()) as u64;
        Ok(Replay {
            past,
            player,
            replayed,
            ids,
            sweeps: HashMap::new(),
            counts: Counts::default(),
            unwatched: HashSet::new(),
            standing: HashMap::new(),
            next_gap: 0,
            silent: BTreeMap::new(),
            silences: HashMap::new(),
            acked: HashMap::new(),
            last_sweep: None,
        })
    }

    fn play(&mut self, fact: &Fact, events: &[PastEvents]) -> Result<(), Error> {
        match *fact {
            Fact::Run => {
                self.last_sweep = None;
                self.player.restart(None, self.player.now())
            }
            Fact::SweepBegan(nth) => {
                self.counts = self.past.sweeps[nth].counts;
                self.sweep_began(&self.past.sweeps[nth])
            }
            Fact::Answer(nth) => {
                self.replayed.answers += 1;
                self.standing.insert(self.past.answers[nth].credential, nth);
                self.answer(nth)
            }
            Fact::GapEnded(nth) => {
                let credential = self.past.gaps[nth].gap.credential;
                match self.standing.get(&credential) {
                    Some(&standing) => self.answer(standing),
                    // Nothing was ever heard of it: it was taken out of the config.
                    None => self.watch_ended(credential),
                }
            }
            Fact::SweepEnded(nth) => self.sweep_ended(&self.past.sweeps[nth]),
            Fact::WatchEnded(credential) => self.watch_ended(credential),
            Fact::Events(nth) => self.read(&events[nth]),
            Fact::Silenced(nth) => self.silenced(nth),
            Fact::SilenceEnded(nth) => {
                let (now, by) = (self.player.now(), &self.past.silences[nth].ended_by);
                let by = by.as_deref().unwrap_or_default();
                let Some(&silence) = self.silences.get(&nth) else {
                    return Ok(());
                };
                self.player
                    .db()
                    .write(|tx| tx.end_silence(silence, now, by).map(drop))
            }
            Fact::Acked(nth) => self.acked(nth),
            Fact::AckEnded(nth) => {
                let (now, by) = (self.player.now(), &self.past.acks[nth].0.ended_by);
                let by = by.as_deref().unwrap_or_default();
                let Some(&incident) = self.acked.get(&nth) else {
                    return Ok(());
                };
                self.player
                    .db()
                    .write(|tx| tx.end_ack(incident, now, by).map(drop))
            }
        }
    }

    fn sweep_began(&mut self, sweep: &PastSweep) -> Result<(), Error> {
        self.keep_interval(sweep.interval);
        let (run, now, second) = (self.player.run(), self.player.now(), sweep.second);
        let id = self
            .player
            .db()
            .write(|tx| tx.begin_sweep(run, second, now))?;
        self.sweeps.insert(sweep.id, id);
        self.replayed.sweeps += 1;
        Ok(())
    }

    /// Looks came when they came: how far apart they were to be is what it was then.
    fn keep_interval(&mut self, interval: Duration) {
        let config = self.player.config();
        if config.policy.schedules.sweep.typical_interval() != interval && !interval.is_zero() {
            let mut as_then = config.clone();
            as_then.policy.schedules.sweep = Schedule::Every(interval);
            self.player.reload(as_then);
        }
    }

    fn answer(&mut self, nth: usize) -> Result<(), Error> {
        let answer = &self.past.answers[nth];
        self.silent.remove(&answer.credential);
        let (Some(&id), Some(&credential)) = (
            self.ids.get(&answer.credential),
            self.past.credentials.get(&answer.credential),
        ) else {
            return Ok(());
        };
        let now = self.player.now();
        let look = Look {
            id,
            credential,
            answer: self.past.answer(answer),
            at: now,
            leaf_at: now,
        };
        self.put_back(id)?;
        let counts = self.counts;
        self.player.judge(|bench, tx| {
            let sweep = tx.newest_sweep()?;
            bench.answers(tx, sweep, counts, &[look]).map(drop)
        })
    }

    fn sweep_ended(&mut self, sweep: &PastSweep) -> Result<(), Error> {
        let Some(&id) = self.sweeps.get(&sweep.id) else {
            return Ok(());
        };
        let now = self.player.now();
        let since_last_try = match self.last_sweep {
            Some((run, ended)) if run == sweep.run => now.duration_since(ended).unsigned_abs(),
            _ => Duration::ZERO,
        };
        let swept = Swept {
            sweep: id,
            end: sweep.end,
            reason: "as it was then".to_owned(),
            counts: sweep.counts,
            gaps: self.gaps_at(sweep)?,
            elapsed: sweep.watched,
            since_last_try,
            at: now,
            leaf_at: now,
        };
        if sweep.second {
            return self.player.judge(|bench, tx| {
                let asked = tx.wanting_second_look()?;
                bench.second_looked(tx, &swept, &asked)
            });
        }
        self.player.judge(|bench, tx| bench.swept(tx, &swept))?;
        if sweep.end == SweepEnd::Whole {
            self.player.looked();
            self.read_nothing_new(now)?;
        }
        if sweep.end != SweepEnd::Stopped {
            self.last_sweep = Some((sweep.run, now));
        }
        Ok(())
    }

    /// Looks at events that brought nothing new are not kept; time tells by them all the same, so each whole sweep is
    /// taken for one.
    fn read_nothing_new(&mut self, now: Timestamp) -> Result<(), Error> {
        let window = self.player.config().policy.thresholds.failing_events_window;
        let since = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        for read in self.player.db().read(|tx| tx.with_telling_events(since))? {
            self.player
                .judge(|bench, tx| bench.events(tx, read, &[], now, now))?;
        }
        Ok(())
    }

    /// Who gave no answer in a sweep: whose row of looks without one began in it or before, and did not end yet.
    fn gaps_at(&mut self, sweep: &PastSweep) -> Result<Vec<Gap>, Error> {
        if sweep.end != SweepEnd::Whole {
            return Ok(Vec::new());
        }
        let gaps = &self.past.gaps;
        while let Some(gap) = gaps
            .get(self.next_gap)
            .filter(|gap| gap.sweep.0 <= sweep.id.0)
        {
            self.silent.insert(gap.gap.credential, self.next_gap);
            self.next_gap += 1;
        }
        let here = |nth: &usize| {
            let gap = &gaps[*nth].gap;
            Some(Gap {
                credential: *self.ids.get(&gap.credential)?,
                ..gap.clone()
            })
        };
        let silent: Vec<Gap> = self.silent.values().filter_map(here).collect();
        for gap in &silent {
            self.put_back(gap.credential)?;
        }
        Ok(silent)
    }

    /// Takes up again what was out of the config, when something is heard of it or missed.
    fn put_back(&mut self, id: CredentialId) -> Result<(), Error> {
        let now = self.player.now();
        if !self.unwatched.remove(&id) {
            return Ok(());
        }
        self.player
            .db()
            .write(|tx| tx.watch(tx.credential(id)?, now).map(drop))
    }

    fn watch_ended(&mut self, credential: CredentialId) -> Result<(), Error> {
        self.standing.remove(&credential);
        self.silent.remove(&credential);
        let (Some(&id), now) = (self.ids.get(&credential), self.player.now()) else {
            return Ok(());
        };
        self.unwatched.insert(id);
        self.player.judge(|bench, tx| bench.unwatch(tx, &[id], now))
    }

    fn read(&mut self, piece: &PastEvents) -> Result<(), Error> {
        let (Some(&id), Some(&credential)) = (
            self.ids.get(&piece.credential),
            self.past.credentials.get(&piece.credential),
        ) else {
            return Ok(());
        };
        self.replayed.events += piece.events.len() as u64;
        let now = self.player.now();
        self.player
            .judge(|bench, tx| bench.events(tx, (id, credential), &piece.events, now, now))
    }

    fn silenced(&mut self, nth: usize) -> Result<(), Error> {
        let silence = &self.past.silences[nth];
        let now = self.player.now();
        let id = self.player.db().write(|tx| {
            tx.add_silence(
                &silence.what,
                now,
                silence.until,
                &silence.actor,
                &silence.reason,
            )
        })?;
        self.silences.insert(nth, id);
        Ok(())
    }

    /// Where the replay has no such incident, there is nothing to acknowledge.
    fn acked(&mut self, nth: usize) -> Result<(), Error> {
        let (ack, about) = &self.past.acks[nth];
        let now = self.player.now();
        let mut about = about.clone();
        if let Some(credential) = about.credential {
            let Some(&id) = self.ids.get(&credential) else {
                return Ok(());
            };
            about.credential = Some(id);
        }
        let incident = self.player.db().write(|tx| {
            let open = tx.open_about(&about)?;
            if let Some(incident) = open {
                tx.add_ack(incident, now, ack.until, &ack.actor, &ack.reason)?;
            }
            Ok::<_, Error>(open)
        })?;
        if let Some(incident) = incident {
            self.acked.insert(nth, incident);
        }
        Ok(())
    }
}
