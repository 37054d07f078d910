//! Changed answers that could not be written: kept in memory, and judged with their own times once they can be.

use std::collections::HashMap;

use super::judge::Look;
use crate::model::CredentialId;

/// This many are kept one by one; beyond it, the latest of each credential.
const ONE_BY_ONE: usize = 10_000;

/// Answers in the order in which they came.
#[derive(Debug, Default)]
pub struct Backlog {
    looks: Vec<Look>,
    /// Something was kept that is not known to be written since.
    owed: bool,
}

impl Backlog {
    /// Keeps answers that could not be written.
    pub fn keep(&mut self, looks: Vec<Look>) {
        self.looks.extend(looks);
        self.owed |= !self.looks.is_empty();
        if self.looks.len() > ONE_BY_ONE {
            let last: HashMap<CredentialId, usize> = self
                .looks
                .iter()
                .enumerate()
                .map(|(at, look)| (look.id, at))
                .collect();
            let mut at = 0;
            self.looks.retain(|look| {
                at += 1;
                last.get(&look.id) == Some(&(at - 1))
            });
        }
    }

    /// All of them, oldest first; none are kept, and all are owed until they are [settled](Self::settle).
    pub fn take(&mut self) -> Vec<Look> {
        std::mem::take(&mut self.looks)
    }

    /// What was taken is written, or kept again.
    pub fn settle(&mut self) {
        self.owed = !self.looks.is_empty();
    }

    /// Whether something is not written yet: until it is, the database cannot be said to be well, whatever else fits
    /// into it.
    pub fn is_owed(&self) -> bool {
        self.owed
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.looks.len()
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }
}
