//! What a letter tells, counted.

use std::collections::BTreeMap;

use super::letter::{Entry, Told};
use crate::model::{Kind, News, Track};

/// What a letter tells, counted: each credential once, under its worst.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Credentials that need attention, by kind.
    pub trouble: BTreeMap<Kind, u64>,
    /// Account and own incidents that need attention.
    pub own: u64,
    /// Credentials and incidents that are well again.
    pub resolved: u64,
    /// Those that were in trouble for a moment only.
    pub brief: u64,
    /// Those no longer watched.
    pub closed: u64,
}

impl Tally {
    /// Counts all of `entries`.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut tally = Tally::default();
        for entry in entries {
            tally.add(&entry.told);
        }
        tally
    }

    /// Counts one more entry, of which this is told.
    pub fn add(&mut self, told: &[Told]) {
        let trouble = told.iter().filter(|told| told.is_trouble());
        match trouble.min_by_key(|told| told.kind.rank()) {
            Some(worst) if matches!(worst.kind.track(), Track::Account | Track::Own) => {
                self.own += 1;
            }
            Some(worst) => *self.trouble.entry(worst.kind).or_default() += 1,
            None => match told.first().map(|told| (told.news, &told.still_open)) {
                Some((_, Some(open))) => *self.trouble.entry(open.kind).or_default() += 1,
                Some((News::Brief, None)) => self.brief += 1,
                Some((News::Closed { .. }, None)) => self.closed += 1,
                Some(_) => self.resolved += 1,
                None => {}
            },
        }
    }

    /// Credentials that need attention.
    pub fn credentials(&self) -> u64 {
        self.trouble.values().sum()
    }

    /// All entries.
    pub fn total(&self) -> u64 {
        self.credentials() + self.own + self.resolved + self.brief + self.closed
    }
}
