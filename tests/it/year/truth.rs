//! What really happens in the year: to each grower, to Leaf, to the mail server, to the daemon. Knows nothing of rules.

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
}

/// Minutes since the year began.
pub type Minute = i64;
pub const HOUR: Minute = 60;
pub const DAY: Minute = 24 * HOUR;

/// What can be wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Revoked,
    Limited,
    Away,
    Gone,
    Stage,
}

/// One trouble of one grower: bad in `bad`, which are several where it comes and goes.
#[derive(Debug, Clone)]
pub struct Life {
    pub trouble: Trouble,
    pub bad: Vec<Range<Minute>>,
    /// The grant died before Leaf's status word says so: two events tell of it then.
    pub events_at: Option<Minute>,
}

impl Life {
    pub fn whole(&self) -> Range<Minute> {
        let from = self.bad[0].start;
        self.events_at.unwrap_or(from).min(from)..self.bad[self.bad.len() - 1].end
    }

    pub fn is_bad(&self, at: Minute) -> bool {
        self.bad.iter().any(|bad| bad.contains(&at))
    }
}

/// Everything.
#[derive(Debug)]
pub struct Truth {
    pub minutes: Minute,
    pub growers: Vec<Vec<Life>>,
    /// Leaf does not answer, or refuses us.
    pub outages: Vec<(Range<Minute>, bool)>,
    pub mail_down: Vec<Range<Minute>>,
    pub off: Vec<Range<Minute>>,
    /// Whose mails nobody wants for a while.
    pub silences: Vec<(usize, Range<Minute>)>,
}

/// After this everything is well, so that all that is owed can be told.
pub const CALM: Minute = 6 * DAY;

impl Truth {
    pub fn new(dice: &mut Dice, growers: usize, days: Minute) -> Truth {
        let minutes = days * DAY;
        let spread = |dice: &mut Dice, every: Minute, length: Range<Minute>| {
            let mut spans = Vec::new();
            let mut at = dice.between(DAY..every);
            while at < minutes - CALM {
                let end = (at + dice.between(length.clone())).min(minutes - CALM);
                spans.push(at..end);
                at = end + dice.between(every / 2..every * 3 / 2);
            }
            spans
        };
        let outages = spread(dice, 9 * DAY, 5..14 * HOUR);
        let mail_down = spread(dice, 8 * DAY, 10..30 * HOUR);
        let off = spread(dice, 20 * DAY, 10..20 * HOUR);
        let growers = (0..growers)
            .map(|_| lives(dice, minutes))
            .collect::<Vec<_>>();
        let silences = (0..days / 10)
            .map(|_| {
                let at = dice.between(DAY..minutes - CALM);
                let end = (at + dice.between(HOUR..5 * DAY)).min(minutes - CALM);
                (dice.between(0..growers.len() as i64) as usize, at..end)
            })
            .collect();
        Truth {
            minutes,
            growers,
            outages: outages
                .into_iter()
                .map(|outage| (outage, dice.once_in(3)))
                .collect(),
            mail_down,
            off,
            silences,
        }
    }
}

/// Troubles so far apart that each is a life of its own.
fn lives(dice: &mut Dice, minutes: Minute) -> Vec<Life> {
    const APART: Minute = 40 * HOUR;
    let mut lives = Vec::new();
    let mut at = dice.between(2 * HOUR..160 * DAY);
    while at < minutes - CALM - 12 * HOUR {
        let trouble = match dice.between(0..10) {
            0..4 => Trouble::Revoked,
            4 => Trouble::Limited,
            5 | 6 => Trouble::Away,
            7 => Trouble::Gone,
            _ => Trouble::Stage,
        };
        let events_at = (trouble == Trouble::Revoked && dice.once_in(3))
            .then(|| at - dice.between(61..4 * HOUR));
        let mut bad = Vec::new();
        let flaps = if dice.once_in(5) {
            dice.between(2..7)
        } else {
            1
        };
        let mut from = at;
        for _ in 0..flaps {
            let length = match (flaps, dice.between(0..8)) {
                (1, 0) => dice.between(1..50),
                (1, 1) => dice.between(3 * DAY..20 * DAY),
                (1, _) => dice.between(HOUR..3 * DAY),
                _ => dice.between(30..4 * HOUR),
            };
            let end = (from + length).min(minutes - CALM);
            if from < end {
                bad.push(from..end);
            }
            from = end + dice.between(70..3 * HOUR);
        }
        if !bad.is_empty() {
            lives.push(Life {
                trouble,
                bad,
                events_at,
            });
        }
        at = from + APART + dice.between(0..120 * DAY);
    }
    lives
}

/// Whether any of `spans` holds `at`.
pub fn within(spans: &[Range<Minute>], at: Minute) -> bool {
    spans.iter().any(|span| span.contains(&at))
}
