//! Turns what was seen in a period into shares of time: healthy, in trouble, and not seen, each reason apart.
//!
//! Time that nobody saw is never anybody's downtime. All shares of a credential add up to the period, whatever comes in.

use std::ops::AddAssign;
use std::time::Duration;

use jiff::Timestamp;

/// From a moment up to, and without, another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Period {
    /// How long it is; nothing where it ends before it begins.
    pub fn length(self) -> Duration {
        self.until
            .duration_since(self.from)
            .try_into()
            .unwrap_or_default()
    }

    /// What it has in common with `other`; empty where that is nothing, or one of them ends before it begins.
    pub fn within(self, other: Period) -> Period {
        let from = self.from.clamp(other.from, other.until.max(other.from));
        Period {
            from,
            until: self.until.min(other.until).max(from),
        }
    }
}

/// A full sweep that came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// From its beginning to its end.
    pub lasted: Period,
    /// All that were to answer did, or were noted as a gap.
    pub whole: bool,
    /// An account condition was true at its end.
    pub blind: bool,
}

/// What the daemon as a whole did at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It looked, and what it saw held.
    Seeing,
    /// An account condition was true.
    Blind,
    /// It was not running.
    Off,
    /// It ran, and the last whole sweep was too long ago.
    NotLooking,
}

/// A stretch of time in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From when to when.
    pub during: Period,
    /// In which.
    pub mode: Mode,
}

/// The modes of a period, without a hole. One serves all credentials.
#[derive(Debug, Clone)]
pub struct Timeline {
    period: Period,
    stretches: Vec<Stretch>,
    /// What all stretches before the one at the same place come to.
    before: Vec<Modes>,
}

/// How long each mode lasted.
#[derive(Debug, Clone, Copy, Default)]
struct Modes {
    seeing: Duration,
    blind: Duration,
    off: Duration,
    not_looking: Duration,
}

/// A sweep holds for so many of its intervals, where no other follows.
const HOLDS: u32 = 2;

impl Timeline {
    /// Lays `sweeps` and the times between two runs (`off`) over `period`. A look holds until the next, at most two
    /// `interval`s; where a sweep takes longer than its interval, at most twice as long as it took.
    pub fn new(
        period: Period,
        interval: Duration,
        sweeps: &[Sweep],
        off: impl IntoIterator<Item = Period>,
    ) -> Timeline {
        let period = period.within(period);
        let held = sweeps.iter().filter(|sweep| sweep.whole).map(|sweep| {
            let holds = interval.max(sweep.lasted.length()) * HOLDS;
            let until = sweep.lasted.until.saturating_add(holds);
            Period {
                from: sweep.lasted.from,
                until: until.unwrap_or(sweep.lasted.until),
            }
        });
        let seeing = merged(period, held);
        let blind = merged(period, blindness(sweeps, period.until));
        let off = merged(period, off);
        let mut edges: Vec<Timestamp> = [&seeing, &blind, &off]
            .into_iter()
            .flatten()
            .flat_map(|part| [part.from, part.until])
            .chain([period.from, period.until])
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let mut stretches: Vec<Stretch> = Vec::new();
        for edge in edges.windows(2) {
            let mode = match edge[0] {
                at if covers(&off, at) => Mode::Off,
                at if covers(&blind, at) => Mode::Blind,
                at if covers(&seeing, at) => Mode::Seeing,
                _ => Mode::NotLooking,
            };
            match stretches.last_mut() {
                Some(last) if last.mode == mode => last.during.until = edge[1],
                _ => stretches.push(Stretch {
                    during: Period {
                        from: edge[0],
                        until: edge[1],
                    },
                    mode,
                }),
            }
        }
        let mut total = Modes::default();
        let before = stretches
            .iter()
            .map(|stretch| {
                let before = total;
                total.add(stretch.mode, stretch.during.length());
                before
            })
            .collect();
        Timeline {
            period,
            stretches,
            before,
        }
    }

    /// What it was laid over.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Its stretches, the oldest first.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    fn modes(&self, part: Period) -> Modes {
        let (from, until) = (self.up_to(part.from), self.up_to(part.until));
        Modes {
            seeing: until.seeing - from.seeing,
            blind: until.blind - from.blind,
            off: until.off - from.off,
            not_looking: until.not_looking - from.not_looking,
        }
    }

    /// What the modes come to from the period's beginning to `at`, which lies in it.
    fn up_to(&self, at: Timestamp) -> Modes {
        let next = self
            .stretches
            .partition_point(|stretch| stretch.during.from <= at);
        let Some(here) = next.checked_sub(1) else {
            return Modes::default();
        };
        let mut modes = self.before[here];
        let begun = Period {
            from: self.stretches[here].during.from,
            until: at,
        };
        modes.add(self.stretches[here].mode, begun.length());
        modes
    }
}

impl Modes {
    fn add(&mut self, mode: Mode, length: Duration) {
        *match mode {
            Mode::Seeing => &mut self.seeing,
            Mode::Blind => &mut self.blind,
            Mode::Off => &mut self.off,
            Mode::NotLooking => &mut self.not_looking,
        } += length;
    }
}

/// From the end of the first sweep that was blind to the end of the first that was not.
fn blindness(sweeps: &[Sweep], until: Timestamp) -> Vec<Period> {
    let mut all = Vec::new();
    let mut since = None;
    for sweep in sweeps {
        match (sweep.blind, since) {
            (true, None) => since = Some(sweep.lasted.until),
            (false, Some(from)) => {
                since = None;
                all.push(Period {
                    from,
                    until: sweep.lasted.until,
                });
            }
            _ => {}
        }
    }
    all.extend(since.map(|from| Period { from, until }));
    all
}

/// The parts within `period`, in order, without overlaps.
fn merged(period: Period, parts: impl IntoIterator<Item = Period>) -> Vec<Period> {
    let mut parts: Vec<Period> = parts
        .into_iter()
        .map(|part| part.within(period))
        .filter(|part| part.from < part.until)
        .collect();
    parts.sort_unstable();
    parts.dedup_by(|next, kept| {
        let joins = next.from <= kept.until;
        if joins {
            kept.until = kept.until.max(next.until);
        }
        joins
    });
    parts
}

fn covers(parts: &[Period], at: Timestamp) -> bool {
    let next = parts.partition_point(|part| part.from <= at);
    next > 0 && at < parts[next - 1].until
}

/// What an answer that stood says of availability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// A healthy word; a wrong environment and failing events do not change that.
    Healthy,
    /// Any other word, or none, or the credential was missing.
    Trouble,
    /// Never there, and nobody asked for it by name: not connected.
    NotConnected,
}

/// An answer and how long it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood {
    /// From the look that brought it to the look that said otherwise.
    pub during: Period,
    /// What it says.
    pub health: Health,
}

/// How the time of a period, or of one for each of several credentials, was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shares {
    /// Seen, and healthy.
    pub healthy: Duration,
    /// Seen, and not healthy.
    pub trouble: Duration,
    /// Not seen: this credential gave no answer.
    pub no_answer: Duration,
    /// Not seen: the last look was too long ago.
    pub not_looked: Duration,
    /// Not seen: Leaf could not be asked at all.
    pub blind: Duration,
    /// Not seen: Leafwatch was off.
    pub off: Duration,
    /// Not in the config, never answered about, or not connected: nobody's time.
    pub unwatched: Duration,
}

impl Shares {
    /// The shares of one credential, of which `answers` and `gaps` are given the oldest first. What overlaps counts for
    /// the first; what lies outside of the period does not count.
    pub fn of(timeline: &Timeline, answers: &[Stood], gaps: &[Period]) -> Shares {
        let mut shares = Shares::default();
        let mut begun = timeline.period.from;
        for answer in answers {
            let part = answer.during.within(Period {
                from: begun,
                until: timeline.period.until,
            });
            begun = part.until;
            if answer.health != Health::NotConnected {
                shares.add(timeline, part, answer.health, gaps);
            }
        }
        let watched = shares.seen() + shares.not_seen();
        shares.unwatched = timeline.period.length().saturating_sub(watched);
        shares
    }

    fn add(&mut self, timeline: &Timeline, part: Period, health: Health, gaps: &[Period]) {
        let modes = timeline.modes(part);
        self.blind += modes.blind;
        self.off += modes.off;
        self.not_looked += modes.not_looking;
        let mut silent = Duration::ZERO;
        let mut begun = part.from;
        for gap in gaps {
            let gap = gap.within(Period {
                from: begun,
                until: part.until,
            });
            begun = gap.until;
            silent += timeline.modes(gap).seeing;
        }
        self.no_answer += silent;
        *match health {
            Health::Healthy => &mut self.healthy,
            Health::Trouble | Health::NotConnected => &mut self.trouble,
        } += modes.seeing - silent;
    }

    /// Time in which it is known how the credential was.
    pub fn seen(&self) -> Duration {
        self.healthy + self.trouble
    }

    /// Time in which it was watched, and nobody knows how it was.
    pub fn not_seen(&self) -> Duration {
        self.no_answer + self.not_looked + self.blind + self.off
    }

    /// The healthy part of the time seen, from 0 to 1; none where nothing was seen.
    pub fn availability(&self) -> Option<f64> {
        let seen = self.seen();
        (!seen.is_zero()).then(|| self.healthy.as_secs_f64() / seen.as_secs_f64())
    }
}

impl AddAssign for Shares {
    fn add_assign(&mut self, other: Shares) {
        self.healthy += other.healthy;
        self.trouble += other.trouble;
        self.no_answer += other.no_answer;
        self.not_looked += other.not_looked;
        self.blind += other.blind;
        self.off += other.off;
        self.unwatched += other.unwatched;
    }
}

#[cfg(test)]
mod tests;
