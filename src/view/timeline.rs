//! What is known of a stretch of time of one credential, to be drawn.

use jiff::Timestamp;

use crate::model::{Answer, Kind};

/// From when until when something was so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch<T> {
    /// Its beginning; it may lie before the time that is looked at.
    pub from: Timestamp,
    /// Its end; none while it lasts.
    pub until: Option<Timestamp>,
    /// What was so.
    pub what: T,
}

/// All that is known of one credential between two moments; each list the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The beginning of the time that is looked at.
    pub from: Timestamp,
    /// Its end: now.
    pub to: Timestamp,
    /// What Leaf said.
    pub answers: Vec<Stretch<Said>>,
    /// Looks without an answer, and why.
    pub gaps: Vec<Stretch<String>>,
    /// What was judged.
    pub troubles: Vec<Stretch<Kind>>,
    /// Time in which nothing could be seen; it concerns every credential.
    pub unseen: Vec<Stretch<Unseen>>,
}

/// An answer of Leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it said.
    pub answer: Answer,
    /// Which life of the credential it is, counted from 1; 0 while Leaf never described it.
    pub epoch: u32,
}

/// Why nothing could be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// Leaf, the network or our own login failed.
    Blind,
    /// The daemon was not running.
    Off,
}

impl Timeline {
    /// The same from the first look on, where that came later than its beginning.
    #[must_use]
    pub fn from_the_first_look(mut self) -> Timeline {
        let answers = self.answers.iter().map(|stretch| stretch.from);
        let first = answers.chain(self.gaps.iter().map(|stretch| stretch.from));
        self.from = first.min().map_or(self.from, |first| first.max(self.from));
        self
    }
}

impl Timeline {
    /// The parts of `stretch` in which somebody looked: what is left of it between the times in which nobody could.
    pub fn seen<T>(&self, stretch: &Stretch<T>) -> Vec<(Timestamp, Timestamp)> {
        let Some((mut from, to)) = stretch.within(self.from, self.to) else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        for unseen in &self.unseen {
            if let Some((dark, light)) = unseen.within(from, to) {
                if from < dark {
                    parts.push((from, dark));
                }
                from = light;
            }
        }
        if from < to {
            parts.push((from, to));
        }
        parts
    }
}

impl<T> Stretch<T> {
    /// The part of it between `from` and `to`, if there is one.
    pub fn within(&self, from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let begin = self.from.max(from);
        let end = self.until.unwrap_or(to).min(to);
        (begin < end).then_some((begin, end))
    }
}
