//! The sentences and facts of one entry, which need the letter's zone and date.

use jiff::Timestamp;

use super::letter::{About, Connection, Entry, Evidence, Letter, Looks, Told};
use super::page::{Step, WORD_MAX, in_wrong_environment, link, matter, reconnect_mends};
use crate::model::{Cause, EndedBy, Kind, News, Track, clean};
use crate::view::words::{self, Stage};

/// How much of an event's body is shown.
const EVIDENCE_MAX: usize = 400;
/// How many events are shown of one incident.
const EVIDENCE_LINES: usize = 3;

/// One line of the table: what it is, and what is so.
pub(super) type Fact = (&'static str, String);

/// Writes for one letter.
pub(super) struct Writer<'a> {
    pub(super) letter: &'a Letter,
}

impl Writer<'_> {
    pub(super) fn time(&self, at: Timestamp) -> String {
        words::time(at, &self.letter.zone)
    }

    pub(super) fn end(&self, told: &Told) -> Timestamp {
        told.ended_at.unwrap_or(self.letter.date)
    }

    pub(super) fn happened(&self, entry: &Entry, told: &Told) -> String {
        let stem = clean(&entry.stem(), WORD_MAX);
        let label = words::label(told.kind);
        let mut text = match told.news {
            News::Opened => say(entry, told.kind, Stage::Begun),
            News::Changed { from } => format!(
                "{} Before, it was told as: {}.",
                say(entry, told.kind, Stage::Begun),
                words::label(from)
            ),
            News::Reopened => format!(
                "{} It had been well for {}.",
                say(entry, told.kind, Stage::Again),
                words::duration(told.well_for.unwrap_or_default())
            ),
            News::Reminder { .. } => say(entry, told.kind, Stage::Still),
            News::Resolved { .. } => {
                let over = say(entry, told.kind, Stage::Over);
                match &told.still_open {
                    Some(open) => format!("{over} But: {}", say(entry, open.kind, Stage::Still)),
                    None => over,
                }
            }
            News::Closed { .. } => {
                let why = match told.ended_by {
                    Some(EndedBy::NotExpected) => {
                        format!("Our config no longer expects an environment of {stem}.")
                    }
                    _ => format!("{stem} is no longer watched."),
                };
                format!("{why} It is not known to be mended (last known: {label}).")
            }
            News::Brief => {
                let (from, to) = (self.time(told.since), self.time(self.end(told)));
                let end = match &told.still_open {
                    Some(open) => format!("But: {}", say(entry, open.kind, Stage::Still)),
                    None => "It is over; there is nothing to do.".to_owned(),
                };
                let was = match entry.about {
                    About::Connection(_) => format!(" {}", words::was(told.kind)),
                    About::Own { .. } => format!(": this {}", words::was(told.kind)),
                };
                format!("{stem}{was} from {from} to {to}. {end}")
            }
        };
        const CONFIG: &str = " Our config changed, not the connection.";
        // How what was told began is known.
        let ([config, off], ended) = match told.news {
            News::Resolved { .. } | News::Closed { .. } => (
                [false; 2],
                [CONFIG, " It was mended while Leafwatch was off."],
            ),
            _ => (
                [told.config_changed, told.while_off],
                [
                    " It ended because our config changed, not the connection.",
                    " It ended while Leafwatch was off.",
                ],
            ),
        };
        for (so, words) in [
            (config, CONFIG),
            (off, " It happened while Leafwatch was off."),
            (told.ended_by_config, ended[0]),
            (told.ended_while_off, ended[1]),
            (
                told.news == News::Reminder { new_to_you: true },
                " New to you: others were told before.",
            ),
        ] {
            if so {
                text.push_str(words);
            }
        }
        text
    }

    /// What to do about it; nothing about what is over.
    pub(super) fn step(&self, entry: &Entry, told: &Told) -> Option<Step> {
        let (kind, cause) = match &told.still_open {
            Some(open) => (open.kind, open.cause.as_ref()),
            None if told.is_trouble() => (told.kind, told.cause.as_ref()),
            None => return None,
        };
        let advice = self.advice(entry, kind, cause);
        let (mut next, mut button, mut label) = (advice.next, None, "Good to know");
        if let About::Connection(connection) = &entry.about {
            button = link(connection, kind, cause);
            label = "Likely cause";
            let again = reconnect_mends(kind, cause) && in_wrong_environment(connection);
            if let (true, Some(expected)) = (again, connection.expected) {
                // Connected again as it was, it would only be broken in another way.
                let right = Cause::WrongEnvironment { expected };
                let kind = Kind::EnvironmentMismatch;
                next = self.advice(entry, kind, Some(&right)).next;
            }
        }
        let why = clean(&advice.why, 500);
        Some(Step {
            next: clean(&next, 500),
            link: button,
            whys: match why.is_empty() {
                true => Vec::new(),
                false => vec![format!("{label}: {why}")],
            },
        })
    }

    fn advice(&self, entry: &Entry, kind: Kind, cause: Option<&Cause>) -> words::Advice {
        words::advice(kind, cause, matter(entry), &self.letter.head.daemon)
    }

    /// What is known of one incident. Where a credential has several, each begins with its kind.
    pub(super) fn facts_of(&self, entry: &Entry, told: &Told) -> Vec<Fact> {
        let mut facts = Vec::new();
        if entry.told.len() > 1 || told.is_trouble() {
            let (label, severity) = (words::label(told.kind), told.kind.severity().name());
            facts.push(("Problem", format!("{label} ({severity})")));
        }
        let lasted = told.lasted(self.letter.date);
        let end = format!("{}, after {lasted}", self.time(self.end(told)));
        let since = self.time(told.since);
        match told.news {
            // Its sentence says it all, in one line.
            News::Brief => return Vec::new(),
            News::Resolved { .. } => facts.extend([("From", since), ("To", end)]),
            News::Closed { .. } => {
                let until = match told.ended_by {
                    Some(EndedBy::NotExpected) => "Expected until",
                    _ => "Watched until",
                };
                facts.extend([("Since", since), (until, end)]);
            }
            _ if told.first_look => {
                facts.push(("Since", format!("already so at the first look, {since}")));
            }
            _ => facts.push(("Since", since)),
        }
        if !told.is_trouble() {
            facts.extend(told.looks.map(|looks| {
                let of = words::counted(looks.of, "look");
                (
                    "Seen",
                    format!("in {} of {of} in that time", words::number(looks.so)),
                )
            }));
            return facts;
        }
        facts.extend(told.looks.map(|looks| ("How sure", self.sure(told, looks))));
        facts.extend(told.times_before.map(|times| {
            let words = match times {
                0 => "no other trouble".to_owned(),
                1 => "trouble once before".to_owned(),
                many => format!("trouble {} times before", words::number(many)),
            };
            ("Last 30 days", words)
        }));
        let advice = self.advice(entry, told.kind, told.cause.as_ref());
        facts.push(("Who mends it", advice.who.to_owned()));
        facts.extend(told.next_reminder.map(|next| {
            (
                "Next reminder",
                format!("{}, if it is still so", self.time(next)),
            )
        }));
        facts
    }

    fn sure(&self, told: &Told, looks: Looks) -> String {
        let Looks { so, well, of, .. } = looks;
        let counted = words::counted(of, "look");
        let track = told.kind.track();
        let (said, [last, never]) = match track {
            Track::Sight => ("brought no answer", ["last read", "never read"]),
            Track::Environment => (
                "said so",
                [
                    "last in the expected environment",
                    "never seen in the expected environment",
                ],
            ),
            _ => ("said so", ["last healthy", "never seen healthy"]),
        };
        if matches!(told.news, News::Reminder { .. }) && well > 0 && track != Track::Sight {
            return format!(
                "well in {} of {counted} since it began",
                words::number(well)
            );
        }
        let so = match so {
            1 if of == 1 => format!("1 look {said}"),
            _ if so == of => format!("all {counted} {said}"),
            _ => format!("{} of {counted} {said}", words::number(so)),
        };
        match looks.last_well {
            Some(at) => format!("{so}; {last} {}", self.time(at)),
            None => format!("{so}; {never}"),
        }
    }

    pub(super) fn facts_of_connection(&self, connection: &Connection) -> Vec<Fact> {
        let word = connection.status.as_deref().unwrap_or("none");
        let word = clean(word, WORD_MAX);
        let status = match connection.read_at {
            Some(at) => format!("{word}, read {}", self.time(at)),
            None => "never read".to_owned(),
        };
        let mut facts = vec![("Status at Leaf", status)];
        let environment = connection.environment.as_deref();
        let environment = environment.map(|word| clean(word, WORD_MAX));
        if connection.provider.has_environment() || environment.is_some() {
            let words = match (environment, connection.expected) {
                (Some(word), Some(expected)) if expected.is(&word) => {
                    format!("{word}, as expected")
                }
                (Some(word), Some(expected)) => format!("{word}; expected is {expected}"),
                (Some(word), None) => word,
                (None, Some(expected)) => format!("not told by Leaf; expected is {expected}"),
                (None, None) => "not told by Leaf".to_owned(),
            };
            facts.push(("Environment", words));
        }
        facts.push(("Leaf user", connection.user.to_string()));
        facts
    }

    pub(super) fn evidence(&self, evidence: &[Evidence]) -> Vec<String> {
        let shown = evidence.iter().take(EVIDENCE_LINES).map(|event| {
            let at = event
                .at
                .map_or_else(|| "undated".to_owned(), |at| self.time(at));
            let code = event
                .status_code
                .map_or_else(String::new, |code| format!(" HTTP {code}"));
            format!("{at}:{code} {}", clean(&event.text, EVIDENCE_MAX))
        });
        shown.collect()
    }
}

fn say(entry: &Entry, kind: Kind, stage: Stage) -> String {
    match &entry.about {
        About::Connection(connection) => {
            let name = clean(&connection.shown_name(), WORD_MAX);
            words::sentence(kind, stage, Some((&name, connection.provider)))
        }
        About::Own { .. } => words::sentence(kind, stage, None),
    }
}
