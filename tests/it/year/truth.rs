//! What really happens in the year: to each grower, to Leaf, to the mail server, to the daemon and its clock. Knows nothing
//! of rules.

use std::ops::Range;

/// Numbers that look random and follow from a seed: splitmix64.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn between(&mut self, range: Range<i64>) -> i64 {
        let width = u64::try_from(range.end - range.start).unwrap().max(1);
        range.start + i64::try_from(self.roll() % width).unwrap()
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.roll().is_multiple_of(times)
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0..of.len() as i64) as usize]
    }
}

/// True seconds since the year began: what Leaf's clock shows, whatever ours does.
pub type Second = i64;
pub const MINUTE: Second = 60;
pub const HOUR: Second = 60 * MINUTE;
pub const DAY: Second = 24 * HOUR;

/// What can be wrong with a credential's access, or with Leaf's answers about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Revoked,
    Limited,
    Away,
    Gone,
    Silent,
}

/// What an entry of Leaf's events log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// 400 `invalid_grant`.
    Grant,
    /// 401 `invalid_client`.
    Client,
    /// 403 with a link to new terms.
    Terms,
    /// 403 and nothing more.
    Forbidden,
    /// 503: says nothing about the credential.
    Busy,
    /// 200.
    Success,
}

impl Says {
    pub fn is_failure(self) -> bool {
        !matches!(self, Says::Success | Says::Busy)
    }
}

/// One entry of a credential's log at Leaf.
#[derive(Debug, Clone, Copy)]
pub struct Logged {
    /// The date it bears.
    pub dated: Second,
    /// From when on Leaf lists it.
    pub listed: Second,
    pub says: Says,
}

/// One trouble of one grower: bad in `bad`, which are several where it comes and goes.
#[derive(Debug, Clone)]
pub struct Life {
    pub trouble: Trouble,
    /// What Leaf's status says meanwhile.
    pub word: &'static str,
    pub bad: Vec<Range<Second>>,
    /// What the log says of it; none where it says nothing.
    pub why: Option<Says>,
    /// The grant died before Leaf's status word says so: two events tell of it then.
    pub events_at: Option<Second>,
    /// Many have it at once.
    pub mass: bool,
}

impl Life {
    pub fn whole(&self) -> Range<Second> {
        let from = self.bad[0].start;
        self.events_at.unwrap_or(from).min(from)..self.bad[self.bad.len() - 1].end
    }

    pub fn is_bad(&self, at: Second) -> bool {
        within(&self.bad, at)
    }
}

/// A connection from when the grower made it to when the next was made.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    pub at: Second,
    /// Whether Leaf tells when; its id tells that it is another one.
    pub dated: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Grower {
    pub lives: Vec<Life>,
    /// In the wrong environment.
    pub stage: Vec<Range<Second>>,
    pub made: Vec<Made>,
    /// The client keys it has had, each from when on.
    pub keys: Vec<(Second, u8)>,
    /// By the time from which on Leaf lists it.
    pub log: Vec<Logged>,
}

/// All that an answer about a credential would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub trouble: Option<Trouble>,
    pub word: &'static str,
    pub stage: bool,
    pub epoch: usize,
    pub key: u8,
}

impl Grower {
    pub fn state(&self, at: Second) -> State {
        let begun = self.lives.partition_point(|life| life.bad[0].start <= at);
        let life = self.lives[..begun].last().filter(|life| life.is_bad(at));
        let epoch = self.made.partition_point(|made| made.at <= at);
        let key = self.keys.partition_point(|(from, _)| *from <= at);
        State {
            trouble: life.map(|life| life.trouble),
            word: life.map_or("OK", |life| life.word),
            stage: within(&self.stage, at),
            epoch: epoch - 1,
            key: self.keys[key - 1].1,
        }
    }

    /// When an answer first differs from the ones before it.
    pub fn turns(&self) -> Vec<Second> {
        let mut turns: Vec<Second> = (self.lives.iter().flat_map(|life| &life.bad))
            .chain(&self.stage)
            .flat_map(|bad| [bad.start, bad.end])
            .chain(self.made.iter().map(|made| made.at))
            .chain(self.keys.iter().map(|(at, _)| *at))
            .filter(|at| *at > 0)
            .collect();
        turns.sort_unstable();
        turns.dedup();
        turns
    }
}

/// How Leaf fails us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    Denied,
    Unreachable,
    /// Now the one, now the other, each for so long.
    Alternating(Second),
    /// It asks us to wait until the end.
    Pause,
}

/// What befalls the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Our wall clock is wrong by so much from now on.
    Clock(i64),
    /// Killed, and started again at once.
    Killed,
    /// Not running until then.
    Off(Second),
    /// The machine sleeps until then.
    Asleep(Second),
    /// A silence of a grower begins.
    Silence(usize),
    /// The config is read again.
    Reload,
}

/// Everything.
#[derive(Debug)]
pub struct Truth {
    pub length: Second,
    pub growers: Vec<Grower>,
    pub outages: Vec<(Range<Second>, Failing)>,
    pub mail_down: Vec<Range<Second>>,
    /// Off or asleep.
    pub away: Vec<Range<Second>>,
    /// Whose mails nobody wants for a while.
    pub silences: Vec<(usize, Range<Second>)>,
    /// In the order of time.
    pub script: Vec<(Second, Happening)>,
}

/// After this everything is well, so that all that is owed can be told.
pub const CALM: Second = 6 * DAY;

/// Troubles of one grower are so far apart that each is a life of its own.
const APART: Second = 40 * HOUR;

impl Truth {
    pub fn new(dice: &mut Dice, growers: usize, days: i64) -> Truth {
        let length = days * DAY;
        let end = (length - CALM).max(DAY);
        let spread = |dice: &mut Dice, every: Second, lengths: Range<Second>| {
            let mut spans = Vec::new();
            let mut at = dice.between(HOUR..every);
            while at < end {
                let until = (at + dice.between(lengths.clone())).min(end);
                spans.push(at..until);
                at = until + dice.between(every / 2..every * 3 / 2);
            }
            spans
        };
        let outages = spread(dice, 9 * DAY, 5 * MINUTE..14 * HOUR)
            .into_iter()
            .map(|span| failing(dice, span))
            .collect();
        let mail_down = spread(dice, 8 * DAY, 10 * MINUTE..30 * HOUR);
        let away = spread(dice, 8 * DAY, 10..20 * HOUR);
        let silences: Vec<(usize, Range<Second>)> = (0..days / 10)
            .map(|_| {
                let at = dice.between(0..end);
                let until = (at + dice.between(HOUR..5 * DAY)).min(end);
                (dice.between(0..growers as i64) as usize, at..until)
            })
            .collect();
        let mut script = disturbances(dice, end);
        for span in &away {
            script.push((
                span.start,
                match dice.once_in(2) {
                    true => Happening::Asleep(span.end),
                    false => Happening::Off(span.end),
                },
            ));
        }
        for (nth, (_, span)) in silences.iter().enumerate() {
            script.push((span.start, Happening::Silence(nth)));
        }
        script.sort_by_key(|(at, _)| *at);
        let masses = spread(dice, 25 * DAY, 20 * MINUTE..6 * HOUR);
        Truth {
            length,
            growers: fleet(dice, growers, end, &masses),
            outages,
            mail_down,
            away,
            silences,
            script,
        }
    }

    /// How Leaf fails us now, if it does; a pause is told once and then kept to.
    pub fn outage(&self, at: Second) -> Option<(&Range<Second>, Failing)> {
        let begun = self.outages.partition_point(|(span, _)| span.start <= at);
        let (span, how) = self.outages[..begun].last()?;
        let how = match *how {
            Failing::Alternating(each) => match ((at - span.start) / each) % 2 {
                0 => Failing::Denied,
                _ => Failing::Unreachable,
            },
            how => how,
        };
        span.contains(&at).then_some((span, how))
    }
}

fn failing(dice: &mut Dice, span: Range<Second>) -> (Range<Second>, Failing) {
    let how = match dice.between(0..5) {
        0 => Failing::Denied,
        1 => Failing::Alternating(dice.between(5 * MINUTE..40 * MINUTE)),
        2 => Failing::Pause,
        _ => Failing::Unreachable,
    };
    // Leaf's pauses are kept to for six hours at most.
    let end = match how {
        Failing::Pause => span.end.min(span.start + 6 * HOUR),
        _ => span.end,
    };
    (span.start..end, how)
}

fn disturbances(dice: &mut Dice, end: Second) -> Vec<(Second, Happening)> {
    let mut script = Vec::new();
    let mut at = dice.between(HOUR..6 * DAY);
    while at < end {
        let by = dice.one_of(&[3, 40, HOUR, 2 * HOUR, 5 * HOUR, DAY, 4 * DAY]);
        let wrong = if dice.once_in(2) { by } else { -by };
        script.push((at, Happening::Clock(wrong)));
        let right = (at + dice.between(2 * MINUTE..2 * DAY)).min(end);
        script.push((right, Happening::Clock(0)));
        at = right + dice.between(2 * DAY..9 * DAY);
    }
    // Some in the very first sweep.
    for _ in 0..2 {
        if dice.once_in(2) {
            script.push((dice.between(1..5 * MINUTE), Happening::Killed));
        }
    }
    let mut at = dice.between(HOUR..4 * DAY);
    while at < end {
        // At any moment of a sweep, or between two.
        let into = dice.between(0..4 * MINUTE);
        script.push((at / (15 * MINUTE) * (15 * MINUTE) + into, Happening::Killed));
        at += dice.between(DAY..9 * DAY);
    }
    let mut at = dice.between(DAY..10 * DAY);
    while at < end {
        script.push((at, Happening::Reload));
        at += dice.between(5 * DAY..20 * DAY);
    }
    script
}

fn fleet(dice: &mut Dice, count: usize, end: Second, masses: &[Range<Second>]) -> Vec<Grower> {
    let masses: Vec<_> = masses
        .iter()
        .map(|span| {
            // All of one key, or most of everybody.
            let key = dice.once_in(2).then(|| dice.between(0..3) as u8);
            (span.clone(), key)
        })
        .collect();
    // Small fleets have more to tell.
    let rare = (count as i64 / 4).clamp(20, 120) * DAY;
    let mut growers = Vec::new();
    for nth in 0..count {
        let key = (nth % 3) as u8;
        let mut lives: Vec<Life> = Vec::new();
        for (span, of_key) in &masses {
            let hit = of_key.map_or_else(|| !dice.once_in(4), |of| of == key);
            if hit && span.end < end {
                lives.push(mass(dice, span, of_key.is_some()));
            }
        }
        add_lives(dice, &mut lives, end, rare);
        let mut grower = Grower {
            lives,
            stage: stages(dice, end, rare),
            ..Grower::default()
        };
        connections(dice, &mut grower, key, end);
        log(dice, &mut grower, end, count);
        growers.push(grower);
    }
    growers
}

fn mass(dice: &mut Dice, span: &Range<Second>, refused: bool) -> Life {
    // Most turn at once; some follow.
    let late = match dice.between(0..8) {
        0 => dice.between(0..span.end - span.start),
        _ => 0,
    };
    let from = span.start + late;
    Life {
        trouble: Trouble::Revoked,
        word: "UNAUTHENTICATED",
        bad: std::iter::once(from..span.end).collect(),
        why: refused.then_some(Says::Client),
        events_at: None,
        mass: true,
    }
}

fn add_lives(dice: &mut Dice, lives: &mut Vec<Life>, end: Second, rare: Second) {
    // Some are in trouble at the very first look.
    let mut at = match dice.once_in(6) {
        true => -HOUR,
        false => dice.between(2 * HOUR..rare + 2 * HOUR + 1),
    };
    while at < end - 12 * HOUR {
        let life = life(dice, at, end);
        let whole = life.whole();
        at = whole.end + APART + dice.between(0..rare);
        let near = |other: &Life| {
            let other = other.whole();
            whole.start < other.end + APART && other.start < whole.end + APART
        };
        if !lives.iter().any(near) {
            lives.push(life);
        }
    }
    lives.sort_by_key(|life| life.bad[0].start);
}

fn life(dice: &mut Dice, at: Second, end: Second) -> Life {
    let (trouble, word) = match dice.between(0..12) {
        0..6 => (
            Trouble::Revoked,
            dice.one_of(&["UNAUTHENTICATED", "INVALID", "EXPIRED", "REVOKED"]),
        ),
        6 | 7 => (
            Trouble::Limited,
            dice.one_of(&["MISSING_PERMISSION", "LIMITED_PERMISSION"]),
        ),
        8 => (Trouble::Away, "TEMPORARILY_UNAVAILABLE"),
        9 => (Trouble::Silent, ""),
        _ => (Trouble::Gone, ""),
    };
    let why = match trouble {
        Trouble::Revoked => dice.one_of(&[
            Some(Says::Grant),
            Some(Says::Grant),
            Some(Says::Client),
            Some(Says::Terms),
            Some(Says::Busy),
            None,
            None,
        ]),
        Trouble::Limited => dice.one_of(&[Some(Says::Forbidden), Some(Says::Terms), None]),
        _ => None,
    };
    let early = why == Some(Says::Grant) && dice.once_in(3) && at > 5 * HOUR;
    let events_at = early.then(|| at - dice.between(61 * MINUTE..4 * HOUR));
    let flaps = if dice.once_in(5) {
        dice.between(2..7)
    } else {
        1
    };
    let (mut bad, mut from) = (Vec::new(), at);
    for _ in 0..flaps {
        let length = match (flaps, dice.between(0..8)) {
            (1, 0) => dice.between(30..50 * MINUTE),
            (1, 1) => dice.between(3 * DAY..20 * DAY),
            (1, _) => dice.between(HOUR..3 * DAY),
            _ => dice.between(20 * MINUTE..4 * HOUR),
        };
        let until = (from + length).min(end);
        if from < until {
            bad.push(from..until);
        }
        from = until + dice.between(20 * MINUTE..3 * HOUR);
    }
    Life {
        trouble,
        word,
        bad,
        why,
        events_at,
        mass: false,
    }
}

/// The environment is wrong now and then, whatever else is.
fn stages(dice: &mut Dice, end: Second, rare: Second) -> Vec<Range<Second>> {
    let mut spans = Vec::new();
    let mut at = match dice.once_in(12) {
        true => -DAY,
        false => dice.between(DAY..4 * rare),
    };
    while at < end - 12 * HOUR {
        let until = (at + dice.between(30 * MINUTE..6 * DAY)).min(end);
        spans.push(at..until);
        at = until + APART + dice.between(0..4 * rare);
    }
    spans
}

/// What is broken is connected anew, mostly; and keys change.
fn connections(dice: &mut Dice, grower: &mut Grower, key: u8, end: Second) {
    grower.made.push(Made {
        at: -90 * DAY,
        dated: !dice.once_in(5),
    });
    grower.keys.push((-90 * DAY, key));
    for life in &grower.lives {
        let mended = life.whole().end;
        let anew = matches!(life.trouble, Trouble::Revoked | Trouble::Gone);
        if mended >= end || life.mass {
            continue;
        }
        if anew && !dice.once_in(6) {
            grower.made.push(Made {
                at: mended,
                dated: !dice.once_in(5),
            });
        }
        if dice.once_in(8) {
            let other = (grower.keys[grower.keys.len() - 1].1 + 1) % 3;
            grower.keys.push((mended, other));
        }
    }
}

fn log(dice: &mut Dice, grower: &mut Grower, end: Second, count: usize) {
    let mut log = Vec::new();
    let never_succeeds = dice.once_in(5);
    let mut add = |dice: &mut Dice, dated: Second, says: Says| {
        // Leaf writes some down hours later, even after the grower connected anew.
        let late = match dice.once_in(10) {
            true => dice.between(MINUTE..60 * HOUR),
            false => dice.between(0..30),
        };
        if !(never_succeeds && says == Says::Success) && dated > -DAY {
            log.push(Logged {
                dated,
                listed: (dated + late).max(0),
                says,
            });
        }
    };
    let seldom = (count as i64 / 25).max(2) * DAY;
    let mut at = dice.between(-DAY..seldom);
    while at < end {
        let well = grower.lives.iter().all(|life| {
            let whole = life.whole();
            !(whole.start - HOUR..whole.end).contains(&at)
        });
        if well {
            add(dice, at, Says::Success);
        }
        at += dice.between(6 * HOUR..seldom);
    }
    for life in &grower.lives {
        if let Some(at) = life.events_at {
            add(dice, at, Says::Grant);
            add(dice, at + MINUTE, Says::Grant);
        }
        if let Some(says) = life.why {
            // Of what many have at once, a few events tell.
            let told = !life.mass || dice.once_in(3);
            for bad in life.bad.iter().filter(|_| told) {
                let mut at = bad.start + dice.between(0..20 * MINUTE);
                for _ in 0..8 {
                    if at < bad.end {
                        add(dice, at, says);
                    }
                    at += dice.between(HOUR..30 * HOUR);
                }
            }
        }
        if life.why.is_some() && dice.once_in(2) {
            let mended = life.whole().end + dice.between(1..2 * HOUR);
            add(dice, mended, Says::Success);
        }
    }
    if dice.once_in(10) {
        // Dated in a year that nobody here will see.
        let listed = dice.between(0..end);
        log.push(Logged {
            dated: listed + dice.between(2 * end..3 * end),
            listed,
            says: Says::Client,
        });
    }
    log.sort_by_key(|logged| logged.listed);
    grower.log = log;
}

/// Whether any of `spans` holds `at`.
pub fn within(spans: &[Range<Second>], at: Second) -> bool {
    spans.iter().any(|span| span.contains(&at))
}

/// Whether two spans meet.
pub fn meet(one: &Range<Second>, other: &Range<Second>) -> bool {
    one.start < other.end && other.start < one.end
}
