//! What was seen when: lays sweeps, times between runs, answers and looks without one over a period. Whatever is shown of
//! the past (shares, bars, lanes, history) is told from here.
//!
//! Time that nobody saw is never anybody's downtime. All shares of a credential add up to the period, whatever comes in:
//! clocks were set back and forth.

use std::ops::AddAssign;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::WhyUnseen;

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

    /// Whether there is nothing of it.
    pub fn is_empty(self) -> bool {
        self.until <= self.from
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
    /// How far apart sweeps were to be then.
    pub interval: Duration,
}

/// A time between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Off {
    /// From the last sign of life to the next start.
    pub during: Period,
    /// How far apart the sweeps before it were to be; what is not longer was a restart, through which a look holds.
    pub interval: Duration,
}

/// A time in which Leafwatch as a whole looked, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From when to when.
    pub during: Period,
    /// Why nobody saw; none where somebody did.
    pub unseen: Option<WhyUnseen>,
}

/// A period in stretches, without a hole. One serves all credentials.
#[derive(Debug, Clone)]
pub struct Timeline {
    period: Period,
    stretches: Vec<Stretch>,
}

/// A sweep holds for so many of its intervals, where no other follows.
const HOLDS: u32 = 2;

impl Timeline {
    /// Lays `sweeps`, in the order of their numbers, and the times between runs over `period`.
    pub fn new(period: Period, sweeps: &[Sweep], off: impl IntoIterator<Item = Off>) -> Timeline {
        let period = period.within(period);
        let seeing = merged(period, holds(sweeps));
        let blind = merged(period, blindness(sweeps, period.until));
        let longer = off
            .into_iter()
            .filter(|off| off.during.length() > off.interval);
        let off = merged(period, longer.map(|off| off.during));
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
            let unseen = match edge[0] {
                at if covers(&off, at) => Some(WhyUnseen::Off),
                at if covers(&blind, at) => Some(WhyUnseen::Blind),
                at if covers(&seeing, at) => None,
                _ => Some(WhyUnseen::NotLooked),
            };
            match stretches.last_mut() {
                Some(last) if last.unseen == unseen => last.during.until = edge[1],
                _ => stretches.push(Stretch {
                    during: Period {
                        from: edge[0],
                        until: edge[1],
                    },
                    unseen,
                }),
            }
        }
        Timeline { period, stretches }
    }

    /// What it was laid over.
    pub fn period(&self) -> Period {
        self.period
    }

    /// Its stretches, the oldest first.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// The stretches of a part of it.
    fn during(&self, part: Period) -> impl Iterator<Item = Stretch> {
        let first = self
            .stretches
            .partition_point(|stretch| stretch.during.until <= part.from);
        self.stretches[first..]
            .iter()
            .map(move |stretch| Stretch {
                during: stretch.during.within(part),
                ..*stretch
            })
            .take_while(|stretch| !stretch.during.is_empty())
    }
}

/// A look holds until the next whole sweep, at most two intervals; where its sweep took longer than that, at most twice as
/// long as it took. Where the clock was set back before the next, its own time is all that it is good for.
fn holds(sweeps: &[Sweep]) -> impl Iterator<Item = Period> {
    let whole = sweeps.iter().filter(|sweep| sweep.whole);
    let next = whole.clone().skip(1).map(|next| Some(next.lasted.from));
    whole.zip(next.chain([None])).map(|(sweep, next)| {
        let Period { from, until } = sweep.lasted;
        let holds = sweep.interval.max(sweep.lasted.length());
        let longest = until.saturating_add(holds.saturating_mul(HOLDS));
        let longest = longest.unwrap_or(until);
        Period {
            from: from.min(until),
            until: next.map_or(longest, |next| next.clamp(until, longest)),
        }
    })
}

/// From the end of each sweep that was blind to the end of the next.
fn blindness(sweeps: &[Sweep], until: Timestamp) -> impl Iterator<Item = Period> {
    let ends = sweeps.iter().skip(1).map(|next| next.lasted.until);
    sweeps
        .iter()
        .zip(ends.chain([until]))
        .filter(|(sweep, _)| sweep.blind)
        .map(|(sweep, until)| Period {
            from: sweep.lasted.until,
            until,
        })
}

/// The parts within `period`, in order, without overlaps.
fn merged(period: Period, parts: impl IntoIterator<Item = Period>) -> Vec<Period> {
    let mut parts: Vec<Period> = parts
        .into_iter()
        .map(|part| part.within(period))
        .filter(|part| !part.is_empty())
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

/// Something that stood for a time: an answer, from the look that brought it to the look that said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood<T> {
    /// From when to when.
    pub during: Period,
    /// What it says.
    pub what: T,
}

/// A time of one credential in which it was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<T> {
    /// From when to when.
    pub during: Period,
    /// The last answer; none where there was none yet.
    pub answer: Option<T>,
    /// Why it is not known whether that still held; none where it was seen.
    pub unseen: Option<WhyUnseen>,
}

/// Calls `each` for every part of the time of one credential, the oldest first; what is left out was not watched.
/// `answers` and `gaps` are given the oldest first; what overlaps counts for the first.
pub fn each_part<T: Copy>(
    timeline: &Timeline,
    answers: impl IntoIterator<Item = Stood<T>>,
    gaps: &[Period],
    mut each: impl FnMut(Part<T>),
) {
    let whole = timeline.period;
    let gaps = merged(whole, gaps.iter().copied());
    let mut piece = |during: Period, answer: Option<T>, silent: bool| {
        for stretch in timeline.during(during) {
            each(Part {
                during: stretch.during,
                answer,
                unseen: stretch.unseen.or(silent.then_some(WhyUnseen::NoAnswer)),
            });
        }
    };
    let mut lay = |part: Period, answer: Option<T>| {
        let mut begun = part.from;
        for gap in gaps.iter().map(|gap| gap.within(part)) {
            if gap.is_empty() {
                continue;
            }
            if answer.is_some() {
                let before = Period {
                    from: begun,
                    until: gap.from,
                };
                piece(before, answer, false);
            }
            piece(gap, answer, true);
            begun = gap.until;
        }
        if answer.is_some() {
            let rest = Period {
                from: begun,
                ..part
            };
            piece(rest, answer, false);
        }
    };
    let mut begun = whole.from;
    for answer in answers {
        let part = answer.during.within(Period {
            from: begun,
            ..whole
        });
        if part.is_empty() {
            continue;
        }
        let before = Period {
            from: begun,
            until: part.from,
        };
        lay(before, None);
        lay(part, Some(answer.what));
        begun = part.until;
    }
    let rest = Period {
        from: begun,
        ..whole
    };
    lay(rest, None);
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
    /// Not in the config, never asked about, or not connected: nobody's time.
    pub unwatched: Duration,
}

impl Shares {
    /// The shares of one credential, by [`each_part`].
    pub fn of(
        timeline: &Timeline,
        answers: impl IntoIterator<Item = Stood<Health>>,
        gaps: &[Period],
    ) -> Shares {
        let mut shares = Shares::default();
        each_part(timeline, answers, gaps, |part| {
            let place = match (part.answer, part.unseen) {
                (Some(Health::NotConnected), _) | (None, None) => return,
                (_, Some(WhyUnseen::NoAnswer)) => &mut shares.no_answer,
                (_, Some(WhyUnseen::NotLooked)) => &mut shares.not_looked,
                (_, Some(WhyUnseen::Blind)) => &mut shares.blind,
                (_, Some(WhyUnseen::Off)) => &mut shares.off,
                (Some(Health::Healthy), None) => &mut shares.healthy,
                (Some(Health::Trouble), None) => &mut shares.trouble,
            };
            *place += part.during.length();
        });
        let watched = shares.seen() + shares.not_seen();
        shares.unwatched = timeline.period.length().saturating_sub(watched);
        shares
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
