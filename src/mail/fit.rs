//! Decides what of a letter is told in full, what in one line, and what only counted, so that it fits a mail.

use std::collections::HashMap;

use super::compose::{Rendered, render};
use super::letter::Letter;
use super::page;

/// How many entries are told in full at most; a reader scrolls past more.
pub(super) const FULL: usize = 25;
/// More entries than this never fit, whatever they say.
const LOOKED_AT: usize = 2_000;

/// What goes into the mail, by index into the letter's entries.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Told in full.
    pub(super) full: Vec<usize>,
    /// Told in one line.
    pub(super) lines: Vec<usize>,
    /// Told in one line below the cause they share, by index into the letter's shared causes.
    members: Vec<Vec<usize>>,
}

impl Plan {
    pub(super) fn members(&self, shared: usize) -> &[usize] {
        self.members.get(shared).map_or(&[], Vec::as_slice)
    }

    /// How many entries it names.
    pub(super) fn named(&self) -> usize {
        let members: usize = self.members.iter().map(Vec::len).sum();
        self.full.len() + self.lines.len() + members
    }

    /// Makes it smaller by a tenth; false where nothing is left to leave out.
    pub(super) fn shrink(&mut self) -> bool {
        let lists = self.members.iter_mut().rev();
        let longest = std::iter::once(&mut self.lines)
            .chain(lists)
            .max_by_key(|list| list.len());
        match longest {
            Some(list) if !list.is_empty() => list.truncate(list.len() * 9 / 10),
            _ => return self.full.pop().is_some(),
        }
        true
    }
}

/// Fills `room` bytes: the worst in full, then as many as fit in a line each.
pub(super) fn plan(letter: &Letter, room: usize) -> Result<Plan, askama::Error> {
    let looked_at = letter.entries.len().min(LOOKED_AT);
    let shared_by: HashMap<usize, usize> = letter
        .shared
        .iter()
        .enumerate()
        .flat_map(|(cause, shared)| shared.entries.iter().map(move |&entry| (entry, cause)))
        .collect();
    let line_costs: Vec<usize> = letter.entries[..looked_at]
        .iter()
        .map(|entry| {
            let line = page::line(entry, letter);
            // Once as text, once as HTML, where a quote takes five letters and an item's tags ten more.
            2 * encoded(&line) + 4 * line.matches(['"', '&', '<', '>', '\'']).count() + 20
        })
        .collect();
    let mut rest: usize = line_costs.iter().sum();
    if looked_at < letter.entries.len() {
        rest = room;
    }
    let mut plan = Plan {
        members: vec![Vec::new(); letter.shared.len()],
        ..Plan::default()
    };
    let mut used = 0;
    let mut full_ended = false;
    for (at, &line_cost) in line_costs.iter().enumerate() {
        rest = rest.saturating_sub(line_cost);
        let cause = shared_by.get(&at);
        // What nobody knew of and is over is one line below the rest; alone it is the mail.
        let in_short = line_costs.len() > 1 && page::only_brief(&letter.entries[at]);
        if cause.is_none() && !in_short && !full_ended && plan.full.len() < FULL {
            let Rendered { text, html } = render(&page::block(&letter.entries[at], letter))?;
            let cost = encoded(&text) + encoded(&html);
            // In full while the others keep their lines; where they never can, half of the room is for the worst.
            if used + cost + rest <= room || used + cost <= room / 2 {
                plan.full.push(at);
                used += cost;
                continue;
            }
            full_ended = true;
        }
        if used + line_cost > room {
            break;
        }
        used += line_cost;
        match cause {
            Some(&cause) => plan.members[cause].push(at),
            None => plan.lines.push(at),
        }
    }
    Ok(plan)
}

/// The length of `text` in quoted-printable, rounded up.
fn encoded(text: &str) -> usize {
    let letters: usize = text
        .bytes()
        .map(|byte| match byte {
            b'\n' => 2,
            b'=' | 0..0x20 | 0x7f.. => 3,
            _ => 1,
        })
        .sum();
    // A soft line break takes three for every 73.
    letters + letters / 20 + 4
}
