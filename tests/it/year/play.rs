//! Plays the year at the pace of the defaults: drives the real judge, store, packer and reminders through what happens, and
//! keeps what was asked, what was answered, and every mail that was packed and taken.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leafwatch::config::Config;
use leafwatch::daemon::judge::{Look, Swept};
use leafwatch::daemon::player::{Player, accepts_all};
use leafwatch::model::*;
use leafwatch::rules::fleet::Outlook;
use leafwatch::rules::notify::{gives_up, retry_after};
use leafwatch::store::{Attempt, Counts, Db, Error, Gap, Tx, Waiting};

use super::truth::{
    Dice, Failing, HOUR, Happening, Logged, MINUTE, Says, Second, State, Trouble, Truth, within,
};
use crate::support::desk::{self, Desk, deere, user};

/// Requests a second, as the defaults have it.
pub const PACE: Second = 5;
/// Sweeps are this far apart on the wall clock.
pub const INTERVAL: Second = 15 * MINUTE;
/// A look at who was missing comes again after this.
const SECOND_LOOK: Second = 5 * MINUTE;
/// Events that are read at once, of one key and sweep.
const URGENT: u32 = 10;

/// A mail as it was rendered, once.
#[derive(Debug, Clone)]
pub struct Packed {
    pub at: Second,
    pub id: String,
    pub bytes: Vec<u8>,
}

/// A mail that the server took.
#[derive(Debug, Clone)]
pub struct Handed {
    pub at: Second,
    /// Which, among those packed.
    pub mail: usize,
    pub address: String,
    /// The daemon was killed before it could note the server's yes.
    pub unmarked: bool,
}

/// How a sweep came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Whole,
    GivenUp(Failing),
    /// The daemon was killed, or stopped it itself.
    Cut,
}

/// Whom a sweep asked, and when.
#[derive(Debug, Clone)]
pub struct Sweep {
    pub began: Second,
    pub over: Second,
    pub ended: Ended,
    /// Only these were asked, a second time.
    pub second: Option<Vec<usize>>,
    /// How many were asked, in the order of the play.
    pub asked: usize,
    /// From which place on the next look came when: more than one where the machine slept in between.
    from: Vec<(usize, Second)>,
}

impl Sweep {
    /// When the one at this place was asked.
    pub fn time_of(&self, place: usize) -> Second {
        let at = self.from.partition_point(|(from, _)| *from <= place) - 1;
        let (from, time) = self.from[at];
        time + (place - from) as Second / PACE
    }
}

/// What falls due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Script,
    Sweep,
    SecondLook,
    Probe,
    Round,
    End,
}

pub struct Play {
    pub truth: Truth,
    pub player: Player,
    pub ids: Vec<CredentialId>,
    /// The place of each grower in a sweep.
    pub place: Vec<usize>,
    pub sweeps: Vec<Sweep>,
    /// When Leaf was tried between sweeps, and failed.
    pub probes: Vec<Second>,
    pub mails: Vec<Packed>,
    pub handed: Vec<Handed>,
    /// How wrong our wall clock was, from when on.
    pub clock: Vec<(Second, i64)>,
    /// When each entry of a grower's log was read.
    pub read: Vec<Vec<Second>>,
    pub looks: u64,
    pub killed: Vec<Second>,
    by_id: HashMap<String, usize>,
    order: Vec<usize>,
    turns: Vec<VecDeque<Second>>,
    log: Vec<(Second, usize)>,
    logged: usize,
    dice: Dice,
    began: Timestamp,
    at: Second,
    slept: Second,
    script: usize,
    next_sweep: Second,
    second_look: Option<Second>,
    next_round: Second,
    paused_until: Option<Second>,
    blind: bool,
    answers: bool,
    /// How often the daemon began anew.
    restarts: u32,
    /// What was last handed to the judge, while nothing else stands.
    committed: Vec<Option<State>>,
    healthy: Vec<bool>,
    silent: Vec<bool>,
    last_sweep: Option<Second>,
    last_try: Option<Second>,
}

/// Local times with both clock changes inside the year.
const ZONE: &str = "America/Chicago";

impl Play {
    pub fn new(seed: u64, growers: usize, days: i64) -> Play {
        let mut dice = Dice(seed);
        let truth = Truth::new(&mut dice, growers, days);
        let config = config(growers);
        let began: Timestamp = "2026-02-01T06:00:00Z".parse().unwrap();
        let watch = config.watch.clone();
        let mut player = Player::start(Db::in_memory().unwrap(), config, began).unwrap();
        let ids = player
            .db()
            .write(|tx| {
                let named =
                    |c: Credential| watch.user(c.user).and_then(|user| user.name.as_deref());
                let watched = |c| tx.watch_named(c, named(c), began);
                watch.credentials().map(watched).collect()
            })
            .unwrap();
        // Nobody knows the order: it follows from a hash.
        let mut order: Vec<usize> = (0..growers).collect();
        order.sort_by_cached_key(|_| dice.roll());
        let mut place = vec![0; growers];
        for (at, grower) in order.iter().enumerate() {
            place[*grower] = at;
        }
        let turns = truth.growers.iter().map(|it| it.turns().into()).collect();
        let mut log: Vec<(Second, usize)> = (truth.growers.iter().enumerate())
            .flat_map(|(nth, it)| it.log.iter().map(move |logged| (logged.listed, nth)))
            .collect();
        log.sort_unstable();
        Play {
            read: vec![Vec::new(); growers],
            truth,
            player,
            ids,
            place,
            sweeps: Vec::new(),
            probes: Vec::new(),
            mails: Vec::new(),
            handed: Vec::new(),
            clock: vec![(0, 0)],
            looks: 0,
            killed: Vec::new(),
            by_id: HashMap::new(),
            order,
            turns,
            log,
            logged: 0,
            dice,
            began,
            at: 0,
            slept: 0,
            script: 0,
            next_sweep: 0,
            second_look: None,
            next_round: 7 * MINUTE,
            paused_until: None,
            blind: false,
            answers: true,
            restarts: 0,
            committed: vec![None; growers],
            healthy: vec![false; growers],
            silent: vec![false; growers],
            last_sweep: None,
            last_try: None,
        }
    }

    /// To the end.
    pub fn through(&mut self) {
        loop {
            let (at, due) = self.next();
            if at > self.at && !self.pass_to(at) {
                continue;
            }
            match due {
                Due::End => break,
                Due::Script => self.play_script(),
                Due::Sweep => self.sweep(),
                Due::SecondLook => self.second_look(),
                Due::Probe => self.probe(),
                Due::Round => self.round(),
            }
        }
    }

    fn next(&self) -> (Second, Due) {
        let not_before = |at: Second| at.max(self.paused_until.unwrap_or(at)).max(self.at);
        let script = self.truth.script.get(self.script);
        let probe = (self.blind && !self.answers)
            .then_some(self.last_try)
            .flatten()
            .map(|last| (last + self.slept + MINUTE).max(self.at));
        let due = [
            script.map(|(at, _)| ((*at).max(self.at), Due::Script)),
            Some((not_before(self.next_sweep), Due::Sweep)),
            self.second_look
                .map(|at| (not_before(at + self.slept), Due::SecondLook)),
            probe.map(|at| (at, Due::Probe)),
            Some((self.next_round.max(self.at), Due::Round)),
            Some((self.truth.length, Due::End)),
        ];
        due.into_iter().flatten().min().unwrap()
    }

    /// Our clock.
    fn now(&self) -> Timestamp {
        self.leaf_now() + SignedDuration::from_secs(self.wrong())
    }

    fn wrong(&self) -> i64 {
        self.clock[self.clock.len() - 1].1
    }

    /// Leaf's, which is right.
    fn leaf_now(&self) -> Timestamp {
        self.leaf_time(self.at)
    }

    fn leaf_time(&self, at: Second) -> Timestamp {
        self.began + SignedDuration::from_secs(at)
    }

    /// What our clock showed then.
    pub fn wall(&self, at: Second) -> Timestamp {
        let set = self.clock.partition_point(|(from, _)| *from <= at) - 1;
        self.leaf_time(at) + SignedDuration::from_secs(self.clock[set].1)
    }

    /// What our clock will show then, if nobody sets it.
    fn wall_of(&self, at: Second) -> Timestamp {
        self.leaf_time(at) + SignedDuration::from_secs(self.wrong())
    }

    /// Time that the machine did not sleep through.
    fn steady(&self) -> Second {
        self.at - self.slept
    }

    /// When our clock next shows a multiple of `every` and `offset`.
    fn next_on_the_clock(&self, every: Second, offset: Second) -> Second {
        let wall = self.now().as_second() - offset;
        self.at + (wall.div_euclid(every) + 1) * every - wall
    }

    fn ask_schedules_anew(&mut self) {
        self.next_sweep = self.next_on_the_clock(INTERVAL, 0);
        self.next_round = self.next_on_the_clock(HOUR, 7 * MINUTE);
    }

    /// Time passes; the mail server takes what it is given while it is up. Says whether the daemon lived through it.
    fn pass_to(&mut self, at: Second) -> bool {
        let wrong = self.wrong();
        let until = self.leaf_time(at) + SignedDuration::from_secs(wrong);
        let (began, down) = (self.began, &self.truth.mail_down);
        let (handed, dice, mails, by_id) = (
            &mut self.handed,
            &mut self.dice,
            &mut self.mails,
            &mut self.by_id,
        );
        let mut postman = |tx: &Tx<'_>, delivery: &Waiting, now: Timestamp| {
            let at = now.duration_since(began).as_secs() - wrong;
            let mail = match by_id.get(&delivery.message_id) {
                Some(known) => *known,
                None => {
                    mails.push(Packed {
                        at,
                        id: delivery.message_id.clone(),
                        bytes: tx.bytes(delivery.id)?,
                    });
                    by_id.insert(delivery.message_id.clone(), mails.len() - 1);
                    mails.len() - 1
                }
            };
            if within(down, at) {
                return refuse(tx, delivery, now);
            }
            let unmarked = dice.once_in(150);
            handed.push(Handed {
                at,
                mail,
                address: delivery.address.clone(),
                unmarked,
            });
            match unmarked {
                true => Err(Error::Stopped),
                false => accepts_all(tx, delivery, now),
            }
        };
        match self.player.pass(until, &mut postman) {
            Ok(()) => {
                self.at = at;
                true
            }
            Err(_) => {
                let now = self.player.now();
                self.at = now.duration_since(began).as_secs() - wrong;
                self.kill();
                false
            }
        }
    }

    fn kill(&mut self) {
        self.killed.push(self.at);
        self.restart();
    }

    fn restart(&mut self) {
        let now = self.now();
        self.player.restart(None, now).unwrap();
        self.restarts += 1;
        self.committed.fill(None);
        (self.last_sweep, self.last_try) = (None, None);
        (self.second_look, self.paused_until) = (None, None);
        (self.blind, self.answers) = (false, true);
        // A sweep begins as soon as it is up.
        self.ask_schedules_anew();
        self.next_sweep = self.at + 1;
    }

    /// What the next line of the script says.
    fn play_script(&mut self) {
        let (_, happening) = self.truth.script[self.script];
        self.script += 1;
        match happening {
            Happening::Clock(wrong) => {
                self.clock.push((self.at, wrong));
                self.clock_was_set();
            }
            Happening::Killed => self.kill(),
            Happening::Off(until) => {
                self.script_goes_on_without_us(until);
                self.restart();
            }
            Happening::Asleep(until) => {
                let began = self.at;
                self.script_goes_on_without_us(until);
                self.slept += self.at - began;
                self.clock_was_set();
            }
            Happening::Silence(nth) => self.silence(nth),
            Happening::Reload => {
                self.player.reload(self.player.config().clone());
                self.committed.fill(None);
                self.next_sweep = self.at;
            }
        }
    }

    /// As the daemon does when it notices that the wall clock and the steady one differ.
    fn clock_was_set(&mut self) {
        let (now, leaf_now) = (self.now(), self.leaf_now());
        self.player.clock_was_set(now, leaf_now).unwrap();
        self.ask_schedules_anew();
        // What happened unseen is looked for.
        self.next_sweep = self.at;
    }

    fn script_goes_on_without_us(&mut self, until: Second) {
        while let Some((at, happening)) = self.truth.script.get(self.script).copied()
            && at < until
        {
            self.script += 1;
            self.at = at.max(self.at);
            match happening {
                Happening::Clock(wrong) => self.clock.push((self.at, wrong)),
                Happening::Silence(nth) => self.silence(nth),
                _ => {}
            }
        }
        self.at = until;
    }

    fn silence(&mut self, nth: usize) {
        let (grower, span) = &self.truth.silences[nth];
        let what = Silenced {
            user: Some(user(*grower as u128)),
            provider: None,
            kind: None,
        };
        let now = self.now();
        let until = now + SignedDuration::from_secs(span.end - self.at);
        self.player
            .db()
            .write(|tx| tx.add_silence(&what, now, until, "ops", "known"))
            .unwrap();
    }

    /// What Leaf answers about a grower now.
    fn answer(&self, grower: usize, state: State) -> Answer {
        if state.trouble == Some(Trouble::Gone) {
            return Answer::Missing;
        }
        let made = self.truth.growers[grower].made[state.epoch];
        Answer::Reading(Reading {
            status: Some(state.word.to_owned()),
            environment: Some(if state.stage { "STAGE" } else { "PRODUCTION" }.to_owned()),
            leaf_id: Some(format!("{grower}-{}", state.epoch)),
            leaf_created: made.dated.then(|| self.leaf_time(made.at).to_string()),
            key: Some(KeyPrint {
                print: [state.key; 16],
                tail: format!("key{}", state.key),
            }),
            ..Reading::default()
        })
    }

    fn look(&self, grower: usize, state: State) -> Look {
        Look {
            id: self.ids[grower],
            credential: deere(grower as u128),
            answer: self.answer(grower, state),
            at: self.now(),
            leaf_at: self.leaf_now(),
        }
    }

    fn sweep(&mut self) {
        self.next_sweep = self.next_on_the_clock(INTERVAL, 0);
        (self.second_look, self.paused_until) = (None, None);
        let (run, now, began) = (self.player.run(), self.now(), self.at);
        let sweep = self
            .player
            .db()
            .write(|tx| tx.begin_sweep(run, false, now))
            .unwrap();
        let expected = self.silent.iter().filter(|silent| !**silent).count();
        let mut under_way = UnderWay {
            sweep,
            outlook: Outlook::new(expected as u32),
            counts: Counts::default(),
            gaps: Vec::new(),
            urgent: HashMap::new(),
            restarts: self.restarts,
        };
        self.sweeps.push(Sweep {
            began,
            over: began,
            ended: Ended::Cut,
            second: None,
            asked: 0,
            from: vec![(0, began)],
        });
        let ended = self.ask_everybody(&mut under_way);
        let this = self.sweeps.len() - 1;
        if under_way.restarts != self.restarts {
            self.sweeps[this].over = self.at;
            return;
        }
        let end = match ended {
            Ended::Whole => SweepEnd::Whole,
            Ended::GivenUp(Failing::Denied) => SweepEnd::Denied,
            Ended::GivenUp(_) => SweepEnd::Unreachable,
            Ended::Cut => SweepEnd::Stopped,
        };
        (self.sweeps[this].over, self.sweeps[this].ended) = (self.at, ended);
        self.end_sweep(under_way, end);
        // One that was due meanwhile is left out.
        if self.next_sweep > began && self.next_sweep <= self.at {
            self.next_sweep = self.next_on_the_clock(INTERVAL, 0);
        }
        // The end of a sweep wakes the packer.
        self.pass_to(self.at);
    }

    fn ask_everybody(&mut self, under_way: &mut UnderWay) -> Ended {
        let this = self.sweeps.len() - 1;
        let mut script_at = self.script_at();
        for place in 0..self.order.len() {
            let mut at = self.sweeps[this].time_of(place);
            while script_at <= at {
                let (script, slept) = (self.script, self.slept);
                if !self.pass_to(script_at.max(self.at)) {
                    return Ended::Cut;
                }
                let reload = self.truth.script[script].1 == Happening::Reload;
                self.play_script();
                if reload || under_way.restarts != self.restarts {
                    return Ended::Cut;
                }
                script_at = self.script_at();
                if self.slept > slept {
                    self.sweeps[this].from.push((place, self.at));
                    at = self.at;
                }
            }
            if let Some(ended) = self.ask(under_way, place, at) {
                return ended;
            }
        }
        let over = self.sweeps[this].time_of(self.order.len() - 1) + 1;
        match self.pass_to(over.max(self.at)) {
            true => Ended::Whole,
            false => Ended::Cut,
        }
    }

    fn script_at(&self) -> Second {
        self.truth
            .script
            .get(self.script)
            .map_or(Second::MAX, |(at, _)| *at)
    }

    /// Asks one. Says how the sweep ends, where it ends with it.
    fn ask(&mut self, under_way: &mut UnderWay, place: usize, at: Second) -> Option<Ended> {
        let (this, grower) = (self.sweeps.len() - 1, self.order[place]);
        while self.turns[grower].front().is_some_and(|turn| *turn <= at) {
            self.turns[grower].pop_front();
            // Another answer than the one that stands.
            self.committed[grower] = None;
        }
        self.looks += 1;
        under_way.counts.asked += 1;
        let outage = self.truth.outage(at).map(|(span, how)| (span.end, how));
        if outage.is_none()
            && let Some(standing) = self.committed[grower]
        {
            self.sweeps[this].asked = place + 1;
            under_way.counts.answered += 1;
            under_way.counts.were_healthy += u32::from(is_healthy(standing));
            if !self.silent[grower] {
                under_way.outlook.record(None);
            }
            return None;
        }
        if let Some((until, Failing::Pause)) = outage {
            if !self.pass_to(at) {
                return Some(Ended::Cut);
            }
            self.paused_until = Some(until);
            return Some(Ended::GivenUp(Failing::Pause));
        }
        self.sweeps[this].asked = place + 1;
        let state = self.truth.growers[grower].state(at);
        let silence = match outage {
            Some((_, Failing::Denied)) => Some(NoAnswer::Denied),
            Some(_) => Some(NoAnswer::Later),
            None => (state.trouble == Some(Trouble::Silent)).then_some(NoAnswer::Later),
        };
        if !self.silent[grower] {
            under_way.outlook.record(silence);
        }
        if let Some(reason) = silence {
            match reason {
                NoAnswer::Denied => under_way.counts.denied += 1,
                _ => under_way.counts.later += 1,
            }
            under_way.gaps.push((
                grower,
                Gap {
                    credential: self.ids[grower],
                    reason,
                    detail: "timed out".to_owned(),
                },
            ));
            return match under_way.outlook.gives_up() {
                Some(end) if self.pass_to(at) => Some(Ended::GivenUp(match end {
                    SweepEnd::Denied => Failing::Denied,
                    _ => Failing::Unreachable,
                })),
                Some(_) => Some(Ended::Cut),
                None => None,
            };
        }
        if !self.pass_to(at) {
            // Killed before it was written down.
            self.sweeps[this].asked = place;
            return Some(Ended::Cut);
        }
        under_way.counts.answered += 1;
        under_way.counts.were_healthy += u32::from(self.healthy[grower]);
        let look = [self.look(grower, state)];
        let (sweep, counts) = (under_way.sweep, under_way.counts);
        let told = self
            .player
            .judge(|bench, tx| bench.answers(tx, sweep, counts, &look))
            .unwrap();
        (self.committed[grower], self.healthy[grower]) = (Some(state), is_healthy(state));
        if !told.is_empty() {
            let read = under_way.urgent.entry(state.key).or_default();
            *read += 1;
            if *read <= URGENT {
                self.read_events(grower);
            }
        }
        None
    }

    fn end_sweep(&mut self, under_way: UnderWay, end: SweepEnd) {
        let UnderWay {
            sweep,
            counts,
            gaps,
            ..
        } = under_way;
        let whole = end == SweepEnd::Whole;
        let steady = self.steady();
        let since = |then: Option<Second>| {
            Duration::from_secs(then.map_or(0, |then| (steady - then) as u64))
        };
        let longest = Duration::from_secs(2 * INTERVAL as u64);
        let reason = match self.paused_until {
            Some(until) => format!("Leaf asks to wait until {}", self.leaf_time(until)),
            None => "no answer".to_owned(),
        };
        let swept = Swept {
            sweep,
            end,
            reason,
            counts,
            gaps: match whole {
                true => gaps.iter().map(|(_, gap)| gap.clone()).collect(),
                false => Vec::new(),
            },
            elapsed: since(self.last_sweep).min(longest),
            since_last_try: since(self.last_try),
            at: self.now(),
            leaf_at: self.leaf_now(),
        };
        self.blind = self
            .player
            .judge(|bench, tx| bench.swept(tx, &swept))
            .unwrap();
        if end != SweepEnd::Stopped {
            self.answers = whole;
            (self.last_sweep, self.last_try) = (Some(steady), Some(steady));
        }
        if !whole {
            return;
        }
        self.player.looked();
        for answered in 0..self.silent.len() {
            self.silent[answered] = false;
        }
        for (grower, _) in gaps {
            (self.silent[grower], self.committed[grower]) = (true, None);
        }
        let wanted = self
            .player
            .db()
            .read(|tx| tx.wanting_second_look())
            .unwrap();
        if !self.blind && !wanted.is_empty() {
            self.second_look = Some(steady + SECOND_LOOK);
        }
    }

    /// Those who were missing are asked again.
    fn second_look(&mut self) {
        self.second_look = None;
        let wanted: HashSet<CredentialId> = self
            .player
            .db()
            .read(|tx| tx.wanting_second_look())
            .unwrap()
            .into_iter()
            .collect();
        let growers: Vec<usize> = (0..self.ids.len())
            .filter(|grower| wanted.contains(&self.ids[*grower]))
            .collect();
        let states: Vec<State> = (growers.iter())
            .map(|grower| self.truth.growers[*grower].state(self.at))
            .collect();
        let silent = |state: &State| state.trouble == Some(Trouble::Silent);
        if wanted.is_empty() || self.truth.outage(self.at).is_some() || states.iter().any(silent) {
            return;
        }
        let looks: Vec<_> = (growers.iter().zip(&states))
            .map(|(grower, state)| self.look(*grower, *state))
            .collect();
        for (grower, state) in growers.iter().zip(&states) {
            (self.committed[*grower], self.healthy[*grower]) = (Some(*state), is_healthy(*state));
        }
        let (run, at, leaf_at) = (self.player.run(), self.now(), self.leaf_now());
        let asked: Vec<CredentialId> = wanted.into_iter().collect();
        self.player
            .judge(|bench, tx| {
                let sweep = tx.begin_sweep(run, true, at)?;
                let swept = Swept {
                    sweep,
                    end: SweepEnd::Whole,
                    reason: String::new(),
                    counts: Counts::default(),
                    gaps: Vec::new(),
                    elapsed: Duration::ZERO,
                    since_last_try: Duration::ZERO,
                    at,
                    leaf_at,
                };
                bench.answers(tx, sweep, Counts::default(), &looks)?;
                bench.second_looked(tx, &swept, &asked)
            })
            .unwrap();
        self.sweeps.push(Sweep {
            began: self.at,
            over: self.at,
            ended: Ended::Whole,
            asked: growers.len(),
            second: Some(growers),
            from: vec![(0, self.at)],
        });
        self.pass_to(self.at);
    }

    /// While blind Leaf is tried once a minute; the first answer begins a sweep.
    fn probe(&mut self) {
        let pause = self.paused_until.filter(|until| self.at < *until);
        let Some((span, how)) = self.truth.outage(self.at) else {
            self.next_sweep = self.at;
            self.last_try = Some(self.steady());
            return;
        };
        let until = (how == Failing::Pause).then_some(span.end);
        let told = until.map(|until| self.wall_of(until));
        let end = match how {
            Failing::Denied => SweepEnd::Denied,
            _ => SweepEnd::Unreachable,
        };
        // While Leaf asked us to wait nobody is asked.
        self.paused_until = until.or(pause);
        self.probes.push(self.at);
        let steady = self.steady();
        let since = self.last_try.map_or(0, |then| steady - then);
        self.last_try = Some(steady);
        let now = self.now();
        self.player
            .judge(|bench, tx| {
                bench.probed(tx, end, "no answer", Duration::from_secs(since as u64), now)?;
                match told {
                    Some(until) => tx.keep_pause(until),
                    None => Ok(()),
                }
            })
            .unwrap();
    }

    /// A round of events: what is new of some, nothing new of those whose events warn.
    fn round(&mut self) {
        self.next_round = self.next_on_the_clock(HOUR, 7 * MINUTE);
        if self.truth.outage(self.at).is_some() || self.paused_until.is_some() {
            return;
        }
        let mut growers = HashSet::new();
        while let Some((listed, grower)) = self.log.get(self.logged)
            && *listed <= self.at
        {
            growers.insert(*grower);
            self.logged += 1;
        }
        let mut growers: Vec<usize> = growers.into_iter().collect();
        growers.sort_unstable();
        for grower in growers {
            self.read_events(grower);
        }
        let (now, leaf_now) = (self.now(), self.leaf_now());
        let window = self.player.config().policy.thresholds.failing_events_window;
        let telling = self
            .player
            .db()
            .read(|tx| tx.with_telling_events(now - window))
            .unwrap();
        for whose in telling {
            self.player
                .judge(|bench, tx| bench.events(tx, whose, &[], now, leaf_now))
                .unwrap();
        }
    }

    /// Hands over what Leaf lists of a grower and nobody has read yet.
    fn read_events(&mut self, grower: usize) {
        let log = &self.truth.growers[grower].log;
        let from = self.read[grower].len();
        let listed = log.partition_point(|logged| logged.listed <= self.at);
        let events: Vec<Event> = (from..listed)
            .map(|nth| event(grower, nth, log[nth], self.leaf_time(log[nth].dated)))
            .collect();
        if events.is_empty() {
            return;
        }
        self.read[grower].resize(listed, self.at);
        let whose = (self.ids[grower], deere(grower as u128));
        let (now, leaf_now) = (self.now(), self.leaf_now());
        self.player
            .judge(|bench, tx| bench.events(tx, whose, &events, now, leaf_now))
            .unwrap();
    }

    /// The numbers that a query finds in the database.
    pub fn column(&mut self, sql: &str) -> Vec<i64> {
        let mut statement = self.player.db().reader().prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// What was found when a grower was asked in `span`: when, in which sweep, and what, or nothing.
    pub fn looks_at(&self, grower: usize, span: Range<Second>) -> Vec<Seen> {
        let first = self.sweeps.partition_point(|sweep| sweep.over < span.start);
        let mut seen = Vec::new();
        for (nth, sweep) in self.sweeps.iter().enumerate().skip(first) {
            if sweep.began >= span.end {
                break;
            }
            let at = match &sweep.second {
                Some(asked) if asked.contains(&grower) => sweep.began,
                Some(_) => continue,
                None if self.place[grower] >= sweep.asked => continue,
                None => sweep.time_of(self.place[grower]),
            };
            if !span.contains(&at) {
                continue;
            }
            let state = self.truth.growers[grower].state(at);
            let silent = self.truth.outage(at).is_some() || state.trouble == Some(Trouble::Silent);
            seen.push(Seen {
                at,
                sweep: nth,
                state: (!silent).then_some(state),
            });
        }
        seen
    }
}

/// One look at one grower; no state where Leaf gave no answer.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub at: Second,
    pub sweep: usize,
    pub state: Option<State>,
}

/// A sweep that runs.
struct UnderWay {
    sweep: SweepId,
    outlook: Outlook,
    counts: Counts,
    gaps: Vec<(usize, Gap)>,
    urgent: HashMap<u8, u32>,
    /// How often the daemon had begun anew when it began.
    restarts: u32,
}

pub fn is_healthy(state: State) -> bool {
    !matches!(
        state.trouble,
        Some(Trouble::Revoked | Trouble::Limited | Trouble::Away | Trouble::Gone)
    )
}

fn event(grower: usize, nth: usize, logged: Logged, dated: Timestamp) -> Event {
    let (code, body, headers) = match logged.says {
        Says::Grant => (400, r#"{"error":"invalid_grant"}"#, ""),
        Says::Client => (401, r#"{"error":"invalid_client"}"#, ""),
        Says::Terms => (
            403,
            "",
            r#"{"X-Deere-Terms-Location":"https://my.deere.com/terms"}"#,
        ),
        Says::Forbidden => (403, r#"{"message":"Access is denied"}"#, ""),
        Says::Busy => (503, "", ""),
        Says::Success => (200, "", ""),
    };
    Event {
        identity: format!("{grower}-{nth}").into_bytes(),
        at: Some(dated),
        status_code: Some(code),
        body: body.to_owned(),
        headers: headers.to_owned(),
    }
}

/// As the sender does while the mail server is away.
fn refuse(tx: &Tx<'_>, delivery: &Waiting, now: Timestamp) -> Result<(), Error> {
    let attempt = Attempt {
        server: "mail.example.com".to_owned(),
        phase: "connect".to_owned(),
        code: None,
        reply: "refused".to_owned(),
    };
    match gives_up(delivery.tries + 1, delivery.give_up_at, now) {
        true => tx.failed(
            delivery.id,
            &attempt,
            now,
            now + SignedDuration::from_hours(24),
        ),
        false => tx.deferred(
            delivery.id,
            &attempt,
            now,
            now + retry_after(delivery.tries),
        ),
    }
}

/// Some growers have their own people.
pub fn own_people(grower: usize) -> Option<&'static str> {
    grower.is_multiple_of(10).then_some("anna@example.com")
}

pub fn name(grower: usize) -> String {
    format!("Farm {grower}")
}

fn config(growers: usize) -> Config {
    let users = (0..growers).map(|n| WatchedUser {
        name: Some(name(n).into()),
        own: own_people(n).map(|address| {
            Box::new(OwnSettings {
                notify: vec![address.parse().unwrap()],
                ..OwnSettings::default()
            })
        }),
        ..desk::plain_user(n as u128, None)
    });
    let watch = WatchList::new(users.collect(), vec![Provider::JOHN_DEERE])
        .expect_of_all(Some(Environment::Production));
    let mut config = Desk::new(0).config();
    config.watch = Arc::new(watch);
    config.policy.schedules = Schedules {
        zone: jiff::tz::TimeZone::get(ZONE).unwrap(),
        sweep: Schedule::cron("0 */15 * * * *").unwrap(),
        events: Schedule::cron("0 7 * * * *").unwrap(),
        reminders: Schedule::cron("0 0 8 * * *").unwrap(),
        digest: Schedule::cron("0 0 8 * * Mon").unwrap(),
    };
    config
}
