//! What must have been told, and in which words, from the truth alone: nothing of the rules, nothing of the store.

mod claims;
mod duties;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::mails::{self, Mail, Shown, Telling, Told};
use super::play::{Ended, Play, Seen};
use super::truth::{DAY, HOUR, Happening, MINUTE, Second, State, Trouble, meet};

const SUPPORT: &str = "support@example.com";
const OPS: &str = "ops@example.com";

/// `alerts.group_wait`, `alerts.group_interval` and `rules.flap_window`, as the defaults have them.
const GROUP_WAIT: Second = MINUTE;
const GROUP_INTERVAL: Second = 15 * MINUTE;
const FLAP_WINDOW: Second = 6 * HOUR;
/// What waits is looked at again after a minute, and a clock is noticed to be wrong after a second.
const SLACK: Second = 2 * MINUTE;

/// A mail, when it was packed, and who had it when.
struct Sent {
    at: Second,
    mail: Mail,
    to: Vec<(Second, String)>,
}

/// What there is to compare.
struct Facts<'a> {
    play: &'a Play,
    sent: Vec<Sent>,
    /// When the daemon was not running; and when the machine slept.
    off: Vec<Range<Second>>,
    asleep: Vec<Range<Second>>,
    /// What was wrong, with the mail's place where one says it.
    faults: Vec<String>,
}

/// Looks running that said so, and the first after them that said otherwise.
struct Run {
    first: Seen,
    last: Seen,
    well: Option<Seen>,
}

/// Everything that is not as it must be; and how much there was.
pub fn verdict(play: &mut Play) -> (Vec<String>, String) {
    let mut faults = duties::left_undone(play);
    let play = &*play;
    let mut sent: Vec<Sent> = Vec::new();
    let mut of_mail: BTreeMap<usize, usize> = BTreeMap::new();
    let mut digests = 0;
    for (nth, packed) in play.mails.iter().enumerate() {
        match mails::read(&packed.bytes) {
            None => digests += 1,
            Some(mail) => {
                of_mail.insert(nth, sent.len());
                sent.push(Sent {
                    at: packed.at,
                    mail,
                    to: Vec::new(),
                });
            }
        }
    }
    let mut taken: BTreeMap<(usize, &str), bool> = BTreeMap::new();
    for handed in &play.handed {
        let again = taken.insert((handed.mail, &handed.address), handed.unmarked);
        match again {
            Some(true) => continue,
            Some(false) => faults.push(format!(
                "{} went to {} twice",
                play.mails[handed.mail].id, handed.address
            )),
            None => {}
        }
        if let Some(sent_at) = of_mail.get(&handed.mail) {
            sent[*sent_at].to.push((handed.at, handed.address.clone()));
        }
    }
    let spans = |wanted: fn(&Happening) -> Option<Second>| -> Vec<Range<Second>> {
        let spans = play.truth.script.iter();
        spans
            .filter_map(|(at, what)| Some(*at..wanted(what)?))
            .collect()
    };
    let mut facts = Facts {
        play,
        sent,
        off: spans(|what| match what {
            Happening::Off(until) => Some(*until),
            _ => None,
        }),
        asleep: spans(|what| match what {
            Happening::Asleep(until) => Some(*until),
            _ => None,
        }),
        faults,
    };
    facts.claims();
    facts.duties();
    let told: usize = facts.sent.iter().map(|sent| sent.mail.told.len()).sum();
    let labels: BTreeSet<&str> = (facts.sent.iter())
        .flat_map(|sent| &sent.mail.told)
        .map(|told| told.label.as_str())
        .collect();
    assert!(
        told > 20 && labels.len() >= 6,
        "too calm to prove anything: {told} {labels:?}"
    );
    let what = format!(
        "{} looks, {} mails ({digests} digests) that tell {told} things, {} kills",
        play.looks,
        play.mails.len(),
        play.killed.len()
    );
    (facts.faults, what)
}

/// Whether an answer says that there is trouble of this kind; nothing where it proves nothing.
fn says(label: &str, state: Option<State>) -> Option<bool> {
    let state = state?;
    match label {
        "environment mismatch" if state.trouble == Some(Trouble::Gone) => None,
        "environment mismatch" => Some(state.stage),
        _ => Some(state.trouble.is_some() && state.trouble == trouble(label)),
    }
}

fn trouble(label: &str) -> Option<Trouble> {
    match label {
        "invalid" => Some(Trouble::Revoked),
        "limited permission" => Some(Trouble::Limited),
        "provider unavailable" => Some(Trouble::Away),
        "missing" => Some(Trouble::Gone),
        "unreadable" => Some(Trouble::Silent),
        _ => None,
    }
}

fn label(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Revoked => "invalid",
        Trouble::Limited => "limited permission",
        Trouble::Away => "provider unavailable",
        Trouble::Gone => "missing",
        Trouble::Silent => "unreadable",
    }
}

/// Kinds that stand in each other's place in one thread of mails.
fn track(label: &str) -> &'static str {
    match label {
        "environment mismatch" => "environment",
        "unreadable" => "sight",
        "Leaf login refused" | "Leaf unreachable" | "wrong Leaf account" => "account",
        "invalid" | "missing" | "limited permission" | "provider unavailable" | "early warning" => {
            "access"
        }
        _ => "own",
    }
}

impl Facts<'_> {
    /// The minute that our clock showed then.
    fn shown(&self, at: Second) -> Shown {
        self.play.wall(at).as_second().div_euclid(60)
    }

    /// Whether `shown` is when the look was, or a time of its sweep before: a look may be told as earlier than it was, and
    /// never as later.
    fn is_of(&self, seen: &Seen, shown: Shown) -> bool {
        let began = self.play.sweeps[seen.sweep].began;
        let (one, other) = (self.shown(began), self.shown(seen.at));
        (one.min(other)..=one.max(other)).contains(&shown)
    }

    /// The last look before `before` that `wanted` wants.
    fn last_look(
        &self,
        grower: usize,
        before: Second,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Option<Seen> {
        for back in [2 * HOUR, 48 * HOUR, Second::MAX / 4] {
            let looks = self.play.looks_at(grower, before - back..before);
            if let Some(seen) = looks.into_iter().rev().find(&wanted) {
                return Some(seen);
            }
        }
        None
    }

    /// The first answer from `from` on, and before `until`.
    fn first_answer(&self, grower: usize, from: Second, until: Second) -> Option<Seen> {
        for after in [2 * HOUR, 48 * HOUR, Second::MAX / 4] {
            let end = until.min(from.saturating_add(after));
            let looks = self.play.looks_at(grower, from.max(0)..end);
            let found = looks.into_iter().find(|seen| seen.state.is_some());
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// What was wrong with the environment, or the access, in one piece, last before `before`.
    fn spans(&self, grower: usize, label: &str, before: Second) -> Vec<Range<Second>> {
        let grower = &self.play.truth.growers[grower];
        if label == "environment mismatch" {
            let spans = grower.stage.iter().rev();
            return spans
                .filter(|span| span.start <= before)
                .take(1)
                .cloned()
                .collect();
        }
        let mut lives = grower.lives.iter().rev();
        lives
            .find(|life| life.bad[0].start <= before && Some(life.trouble) == trouble(label))
            .map_or_else(Vec::new, |life| life.bad.clone())
    }

    /// The looks that said so, up to `until`.
    fn runs(&self, grower: usize, label: &str, spans: &[Range<Second>], until: Second) -> Vec<Run> {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            return Vec::new();
        };
        // Somebody looks again before long; and where there was nothing to be seen, later.
        for later in [3 * HOUR, 60 * HOUR, 25 * DAY] {
            let end = until.min(last.end + later);
            let runs = self.runs_until(grower, label, first.start.max(0)..end + 1, last.end);
            let open = runs.last().is_some_and(|run| run.well.is_none());
            if !open || end == until {
                return runs;
            }
        }
        self.runs_until(grower, label, first.start.max(0)..until + 1, last.end)
    }

    fn runs_until(
        &self,
        grower: usize,
        label: &str,
        span: Range<Second>,
        bad_until: Second,
    ) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut open = false;
        for seen in self.play.looks_at(grower, span) {
            match (self.said(label, grower, &seen), open) {
                _ if !open && seen.at >= bad_until => break,
                (Some(true), false) => {
                    open = true;
                    runs.push(Run {
                        first: seen,
                        last: seen,
                        well: None,
                    });
                }
                (Some(true), true) => runs.last_mut().unwrap().last = seen,
                (Some(false), true) => {
                    open = false;
                    runs.last_mut().unwrap().well = Some(seen);
                }
                _ => {}
            }
        }
        runs
    }

    /// Whether a look said that there is trouble of this kind; nothing where it proves nothing.
    fn said(&self, label: &str, grower: usize, seen: &Seen) -> Option<bool> {
        match label {
            // A look of a sweep that was given up says nothing of one credential.
            "unreadable" => self.silence(grower, seen),
            _ => says(label, seen.state),
        }
    }

    fn silence(&self, grower: usize, seen: &Seen) -> Option<bool> {
        let sweep = &self.play.sweeps[seen.sweep];
        match seen.state {
            Some(_) => Some(false),
            None if sweep.ended != Ended::Whole => None,
            None => Some(
                self.play.truth.growers[grower].state(seen.at).trouble == Some(Trouble::Silent),
            ),
        }
    }

    fn silenced(&self, grower: usize, span: &Range<Second>) -> bool {
        let mut silences = self.play.truth.silences.iter();
        silences.any(|(whose, silence)| {
            *whose == grower && meet(&(silence.start..self.silence_ends(silence)), span)
        })
    }

    /// A silence is until a time of the calendar: it ends when our clock first shows that, however wrong it was.
    fn silence_ends(&self, silence: &Range<Second>) -> Second {
        let clock = &self.play.clock;
        let begun = clock.partition_point(|(from, _)| *from <= silence.start) - 1;
        let shown = silence.end + clock[begun].1;
        let mut ends = (begun..clock.len()).map(|nth| {
            let (from, wrong) = clock[nth];
            let next = clock.get(nth + 1).map_or(Second::MAX, |(next, _)| *next);
            Some((shown - wrong).max(from)).filter(|end| *end < next)
        });
        ends.find_map(|end| end).unwrap_or(Second::MAX)
    }

    fn outage_meets(&self, span: &Range<Second>) -> bool {
        let mut outages = self.play.truth.outages.iter();
        outages.any(|(outage, _)| meet(outage, span))
    }

    /// Whether our clock was set in `span`, or so shortly before that what was written down by then lies ahead of it: times
    /// and looks in a mail are those of a wrong clock then, and no reader can tell them.
    fn clock_is_doubtful(&self, span: &Range<Second>) -> bool {
        let doubtful = |two: &[(Second, i64)]| {
            let by = (two[1].1 - two[0].1).abs() + FLAP_WINDOW;
            meet(&(two[1].0..two[1].0 + by), span)
        };
        self.play.clock.windows(2).any(doubtful)
    }

    /// Whether our clock was wrong then, by more than a minute.
    fn clock_was_wrong(&self, at: Second) -> bool {
        let clock = &self.play.clock;
        let set = clock.partition_point(|(from, _)| *from <= at) - 1;
        clock[set].1.abs() > MINUTE
    }

    /// The same, or the machine slept.
    fn clock_set_in(&self, span: &Range<Second>) -> bool {
        self.clock_is_doubtful(span) || self.asleep.iter().any(|it| meet(it, span))
    }

    fn killed_in(&self, span: &Range<Second>) -> bool {
        self.play.killed.iter().any(|at| span.contains(at))
            || self.off.iter().any(|off| meet(off, span))
    }

    /// Nobody was away, nothing failed and no clock was set: what is due comes when it is due.
    fn undisturbed(&self, span: &Range<Second>) -> bool {
        let script = &self.play.truth.script;
        let reload =
            |(at, what): &(Second, Happening)| *what == Happening::Reload && span.contains(at);
        !(self.outage_meets(span)
            || self.clock_set_in(span)
            || self.killed_in(span)
            || script.iter().any(reload))
    }

    fn fault(&mut self, sent: usize, what: String) {
        let Sent { at, mail, to } = &self.sent[sent];
        let to: Vec<&str> = to.iter().map(|(_, to)| to.as_str()).collect();
        let wall = self.play.wall(*at);
        self.faults.push(format!(
            "mail {sent} of second {at} ({wall}) to {to:?}, “{}”: {what}",
            mail.subject
        ));
    }
}
