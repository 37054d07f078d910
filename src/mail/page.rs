//! A letter turned into the words of its body: the same for text and HTML, in the order in which a reader needs them.

use jiff::tz::TimeZone;

use super::letter::{About, Connection, Entry, Evidence, Letter, Shared, Telling, Told};
use crate::model::{Audience, Cause, Kind, Provider, Severity, clean};
use crate::view::words::{self, Stage};

/// How long a foreign word may be, in characters.
const WORD_MAX: usize = 120;
/// How much of an event's body is shown.
const EVIDENCE_MAX: usize = 400;
/// How many events are shown of one incident.
const EVIDENCE_LINES: usize = 3;
/// How many lines of detail an own incident may have.
const DETAIL_LINES: usize = 20;

/// How a block looks at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Critical,
    Warning,
    Well,
    Plain,
}

impl Tone {
    /// The colour of its badge: readable with white letters on it, on a light page and on a dark one.
    pub(super) fn colour(self) -> &'static str {
        match self {
            Tone::Critical => "#b42318",
            Tone::Warning => "#a15c00",
            Tone::Well => "#1a7f37",
            Tone::Plain => "#57606a",
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) next: String,
    pub(super) link: Option<String>,
    pub(super) why: String,
}

/// One entry in full.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) tone: Tone,
    pub(super) badge: String,
    pub(super) title: String,
    pub(super) happened: Vec<String>,
    pub(super) steps: Vec<Step>,
    pub(super) forward: Option<String>,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) details: Vec<String>,
    pub(super) evidence: Vec<String>,
    pub(super) commands: Vec<String>,
    /// One line each, below everything: the members of a shared cause.
    pub(super) members: Vec<String>,
}

/// The block of one entry.
pub(super) fn block(entry: &Entry, letter: &Letter) -> Block {
    let writer = Writer { letter };
    let lead = entry
        .told
        .iter()
        .find(|told| told.is_trouble())
        .or(entry.told.first());
    let mut block = Block {
        tone: lead.map_or(Tone::Plain, tone),
        badge: lead.map_or_else(String::new, badge),
        title: clean(&entry.stem(), WORD_MAX),
        happened: Vec::new(),
        steps: Vec::new(),
        forward: None,
        facts: Vec::new(),
        details: Vec::new(),
        evidence: Vec::new(),
        commands: Vec::new(),
        members: Vec::new(),
    };
    for told in &entry.told {
        block.happened.push(writer.happened(entry, told));
        block.facts.extend(writer.facts_of(entry, told));
        block.evidence.extend(writer.evidence(&told.evidence));
    }
    // A credential in the wrong environment is connected again with the right one, whatever else it lacks.
    let mut troubles: Vec<&Told> = entry.told.iter().filter(|told| told.is_trouble()).collect();
    troubles.sort_by_key(|told| told.kind != Kind::EnvironmentMismatch);
    for told in &troubles {
        let step = writer.step(entry, told);
        if !block.steps.contains(&step) {
            block.steps.push(step);
        }
    }
    match &entry.about {
        About::Connection(connection) => {
            block.facts.extend(writer.facts_of_connection(connection));
            if let ([told], 1) = (troubles.as_slice(), letter.tally.total()) {
                let link = link(connection, told);
                let cause = told.cause.as_ref();
                block.forward =
                    words::for_the_grower(told.kind, cause, connection.provider, link.as_deref())
                        .map(|text| clean(&text, 1000));
            }
        }
        About::Own { details, .. } => {
            let shown = details.iter().take(DETAIL_LINES);
            block.details.extend(shown.map(|line| clean(line, 240)));
            if details.len() > DETAIL_LINES {
                let more = (details.len() - DETAIL_LINES) as u64;
                block
                    .details
                    .push(format!("… and {} more", words::counted(more, "line")));
            }
        }
    }
    block.facts.push(("Incident", incidents(entry)));
    if letter.reader == Audience::Operators {
        block.commands = commands(entry, &troubles);
    }
    block
}

/// The block of a shared cause, without its members.
pub(super) fn shared_block(shared: &Shared, letter: &Letter) -> Block {
    let advice = words::advice(shared.kind, Some(&shared.cause), Some(shared.provider));
    let count = words::counted(shared.credentials, "credential");
    let more = if shared.more { " more" } else { "" };
    let provider = shared.provider.display_name();
    let title = match shared.credentials {
        1 => format!("1{more} credential ({provider}), a cause already told"),
        many if shared.more => {
            format!(
                "{} more credentials ({provider}), a cause already told",
                words::number(many)
            )
        }
        _ => format!("{count} ({provider}), likely one cause"),
    };
    let told_of = shared
        .entries
        .first()
        .and_then(|&at| letter.entries.get(at));
    let evidence = told_of.and_then(|entry| entry.told.first());
    Block {
        tone: if shared.kind.severity() == Severity::Critical {
            Tone::Critical
        } else {
            Tone::Warning
        },
        badge: words::label(shared.kind).to_uppercase(),
        title,
        happened: Vec::new(),
        steps: vec![Step {
            next: clean(&advice.next, 500),
            link: None,
            why: clean(&advice.why, 500),
        }],
        forward: None,
        facts: vec![("Who mends it", advice.who.to_owned())],
        details: Vec::new(),
        evidence: evidence.map_or_else(Vec::new, |told| Writer { letter }.evidence(&told.evidence)),
        commands: Vec::new(),
        members: Vec::new(),
    }
}

/// One entry in one line.
pub(super) fn line(entry: &Entry, letter: &Letter) -> String {
    let writer = Writer { letter };
    let mut parts = Vec::new();
    for told in &entry.told {
        let label = words::label(told.kind);
        let since = writer.time(told.since);
        parts.push(match told.telling {
            Telling::Opened | Telling::Reminder if told.first_look => {
                format!("{label}, already so at the first look")
            }
            Telling::Opened | Telling::Reminder => format!("{label} since {since}"),
            Telling::Changed { from } => {
                format!("{label} (was {}) since {since}", words::label(from))
            }
            Telling::Reopened { .. } => format!("{label} again since {since}"),
            Telling::Resolved { at, .. } => format!(
                "{label} no more, after {}",
                words::duration(words::between(told.since, at))
            ),
            Telling::Closed { .. } => "no longer watched".to_owned(),
            Telling::Brief { until } => {
                format!("was {label} from {since} to {}", writer.time(until))
            }
        });
    }
    if letter.reader == Audience::Operators {
        parts.push(format!("incident {}", incidents(entry)));
    }
    format!("{}: {}", clean(&entry.stem(), WORD_MAX), parts.join("; "))
}

fn tone(told: &Told) -> Tone {
    match told.telling {
        Telling::Resolved {
            still_open: Some(_),
            ..
        } => Tone::Critical,
        Telling::Resolved { .. } | Telling::Brief { .. } => Tone::Well,
        Telling::Closed { .. } => Tone::Plain,
        _ if told.severity == Severity::Critical => Tone::Critical,
        _ => Tone::Warning,
    }
}

fn badge(told: &Told) -> String {
    match told.telling {
        Telling::Opened => words::shout(told.kind),
        Telling::Changed { .. } => format!("CHANGED: {}", words::label(told.kind)),
        Telling::Reopened { .. } => format!("REOPENED: {}", words::label(told.kind)),
        Telling::Reminder => format!("STILL OPEN: {}", words::label(told.kind)),
        Telling::Resolved {
            still_open: Some(kind),
            ..
        } => format!("STILL {}", words::shout(kind)),
        Telling::Resolved { .. } => "RESOLVED".to_owned(),
        Telling::Closed { .. } => "CLOSED".to_owned(),
        Telling::Brief { .. } => "OVER".to_owned(),
    }
}

fn provider(entry: &Entry) -> Option<Provider> {
    match &entry.about {
        About::Connection(connection) => Some(connection.provider),
        About::Own { .. } => None,
    }
}

fn incidents(entry: &Entry) -> String {
    let numbers: Vec<String> = entry
        .told
        .iter()
        .map(|told| told.incident.to_string())
        .collect();
    words::listed(&numbers)
}

/// The link of the button, where connecting again mends it.
fn link(connection: &Connection, told: &Told) -> Option<String> {
    let mends = told.cause.as_ref().map_or_else(
        || {
            matches!(
                told.kind,
                Kind::Invalid | Kind::Missing | Kind::EnvironmentMismatch
            )
        },
        |cause| {
            cause.reconnect_mends() && (*cause != Cause::Unexplained || told.kind == Kind::Invalid)
        },
    );
    connection
        .reconnect_url
        .clone()
        .filter(|_| mends && told.is_trouble())
}

fn commands(entry: &Entry, troubles: &[&Told]) -> Vec<String> {
    let mut lines: Vec<String> = troubles
        .iter()
        .map(|told| format!("leafwatch ack {} --reason \"…\"", told.incident))
        .collect();
    if let (About::Connection(connection), false) = (&entry.about, troubles.is_empty()) {
        lines.push(format!(
            "leafwatch silence {} --provider {} --for 3d --reason \"…\"",
            connection.user, connection.provider
        ));
    }
    lines
}

/// Words that need the letter's zone and date.
struct Writer<'a> {
    letter: &'a Letter,
}

impl Writer<'_> {
    fn zone(&self) -> &TimeZone {
        &self.letter.zone
    }

    fn time(&self, at: jiff::Timestamp) -> String {
        words::time(at, self.zone())
    }

    fn happened(&self, entry: &Entry, told: &Told) -> String {
        let whose = match &entry.about {
            About::Connection(connection) => Some((
                clean(&connection.shown_name(), WORD_MAX),
                connection.provider,
            )),
            About::Own { .. } => None,
        };
        let whose = whose
            .as_ref()
            .map(|(name, provider)| (name.as_str(), *provider));
        let say = |kind, stage| words::sentence(kind, stage, whose);
        let label = words::label(told.kind);
        let mut text = match told.telling {
            Telling::Opened => say(told.kind, Stage::Begun),
            Telling::Changed { from } => format!(
                "{} Before, it was told as: {}.",
                say(told.kind, Stage::Begun),
                words::label(from)
            ),
            Telling::Reopened { well_for } => format!(
                "{} It had been well for {}.",
                say(told.kind, Stage::Again),
                words::duration(well_for)
            ),
            Telling::Reminder => say(told.kind, Stage::Still),
            Telling::Resolved { still_open, .. } => {
                let over = say(told.kind, Stage::Over);
                match still_open {
                    Some(kind) => format!("{over} But: {}", say(kind, Stage::Still)),
                    None => over,
                }
            }
            Telling::Closed { .. } => format!(
                "{} is no longer watched. It is not known to be mended ({label}).",
                clean(&entry.stem(), WORD_MAX)
            ),
            Telling::Brief { until } => format!(
                "{} was {label} from {} to {}. It is over; there is nothing to do.",
                clean(&entry.stem(), WORD_MAX),
                self.time(told.since),
                self.time(until)
            ),
        };
        for (so, words) in [
            (
                told.config_changed,
                " Our config changed, not the connection.",
            ),
            (told.while_off, " It happened while Leafwatch was off."),
            (told.new_to_you, " New to you: others were told before."),
        ] {
            if so {
                text.push_str(words);
            }
        }
        text
    }

    fn step(&self, entry: &Entry, told: &Told) -> Step {
        let link = match &entry.about {
            About::Connection(connection) => link(connection, told),
            About::Own { .. } => None,
        };
        let advice = words::advice(told.kind, told.cause.as_ref(), provider(entry));
        Step {
            next: clean(&advice.next, 500),
            link: link.map(|url| clean(&url, 1000)),
            why: clean(&advice.why, 500),
        }
    }

    /// What is known of one incident. Where a credential has several, each begins with its kind.
    fn facts_of(&self, entry: &Entry, told: &Told) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let label = words::label(told.kind);
        if entry.told.len() > 1 || told.is_trouble() {
            facts.push(("Problem", format!("{label} ({})", told.severity.name())));
        }
        let lasted = |end| words::duration(words::between(told.since, end));
        match told.telling {
            Telling::Resolved { at, .. } | Telling::Closed { at } => {
                facts.push(("From", self.time(told.since)));
                facts.push(("To", format!("{}, after {}", self.time(at), lasted(at))));
            }
            // Its sentence says when.
            Telling::Brief { .. } => {}
            _ if told.first_look => {
                let seen = self.time(told.since);
                facts.push(("Since", format!("already so at the first look, {seen}")));
            }
            _ => facts.push(("Since", self.time(told.since))),
        }
        if let Some(looks) = told.looks {
            facts.push(("How sure", self.sure(told, looks)));
        }
        if let Some(times) = told.times_before.filter(|_| told.is_trouble()) {
            let words = match times {
                0 => "no other trouble".to_owned(),
                1 => "trouble once before".to_owned(),
                many => format!("trouble {} times before", words::number(many)),
            };
            facts.push(("Last 30 days", words));
        }
        if told.is_trouble() {
            let advice = words::advice(told.kind, told.cause.as_ref(), provider(entry));
            facts.push(("Who mends it", advice.who.to_owned()));
        }
        if let Some(next) = told.next_reminder.filter(|_| told.is_trouble()) {
            facts.push(("Next reminder", format!("{}, if still so", self.time(next))));
        }
        facts
    }

    fn sure(&self, told: &Told, looks: super::letter::Looks) -> String {
        let of = words::counted(looks.of, "look");
        let mut text = if matches!(told.telling, Telling::Reminder) && looks.bad < looks.of {
            format!(
                "well in {} of {of} since it began",
                words::number(looks.of - looks.bad)
            )
        } else {
            format!("{} of {of} said so", words::number(looks.bad))
        };
        text.push_str(&match looks.last_healthy {
            Some(at) => format!("; last healthy {}", self.time(at)),
            None => "; never seen healthy".to_owned(),
        });
        text
    }

    fn facts_of_connection(&self, connection: &Connection) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        facts.push((
            "Status at Leaf",
            match &connection.status {
                Some(word) => format!(
                    "{} ({})",
                    clean(word, WORD_MAX),
                    self.time(connection.read_at)
                ),
                None => format!("none ({})", self.time(connection.read_at)),
            },
        ));
        let environment = connection
            .environment
            .as_deref()
            .map(|word| clean(word, WORD_MAX));
        let fact = match (environment, connection.expected) {
            (Some(word), Some(expected)) if expected.is(&word) => format!("{word}, as expected"),
            (Some(word), Some(expected)) => format!("{word}; expected is {expected}"),
            (Some(word), None) => word,
            (None, Some(expected)) => format!("not told by Leaf; expected is {expected}"),
            (None, None) => "not told by Leaf".to_owned(),
        };
        if connection.provider.has_environment() || connection.environment.is_some() {
            facts.push(("Environment", fact));
        }
        facts.push(("Leaf user", connection.user.to_string()));
        facts
    }

    fn evidence(&self, evidence: &[Evidence]) -> Vec<String> {
        let shown = evidence.iter().take(EVIDENCE_LINES);
        shown
            .map(|event| {
                let at = event
                    .at
                    .map_or_else(|| "undated".to_owned(), |at| self.time(at));
                let code = event
                    .status_code
                    .map(|code| format!(" HTTP {code}"))
                    .unwrap_or_default();
                format!("{at}:{code} {}", clean(&event.text, EVIDENCE_MAX))
            })
            .collect()
    }
}
