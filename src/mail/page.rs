//! A letter turned into the words of its body: the same for text and HTML, in the order in which a reader needs them.

use super::facts::Writer;
use super::fit::FULL;
use super::letter::{About, Connection, Entry, Letter, Shared, Told};
use super::subject::closed;
use crate::model::{Audience, Cause, Daemon, Kind, News, Severity, clean};
use crate::view::words::{self, Matter};

/// How long a foreign word may be, in characters.
pub(super) const WORD_MAX: usize = 120;
/// How many lines of detail an own incident may have.
const DETAIL_LINES: usize = 20;
/// How long such a line may be, in characters: a status word with every letter escaped fits.
const DETAIL_MAX: usize = 1000;

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

/// One thing to do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) next: String,
    pub(super) link: Option<String>,
    pub(super) whys: Vec<String>,
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
    /// Where the whole story is to be read.
    pub(super) page: Option<String>,
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
        page: page_of(entry, letter),
        members: Vec::new(),
    };
    for told in &entry.told {
        block.happened.push(writer.happened(entry, told));
        for fact in writer.facts_of(entry, told) {
            if !block.facts.contains(&fact) {
                block.facts.push(fact);
            }
        }
        block.evidence.extend(writer.evidence(&told.evidence));
    }
    let mut troubles: Vec<&Told> = entry.told.iter().filter(|told| told.is_trouble()).collect();
    // A credential in the wrong environment is connected again with the right one, whatever else it lacks.
    troubles.sort_by_key(|told| told.kind != Kind::EnvironmentMismatch);
    for told in entry
        .told
        .iter()
        .filter(|told| !told.is_trouble())
        .chain(troubles.iter().copied())
    {
        add_step(&mut block.steps, writer.step(entry, told));
    }
    match &entry.about {
        About::Connection(connection) => {
            if !only_brief(entry) {
                block.facts.extend(writer.facts_of_connection(connection));
            }
            block.forward = forward(entry, letter);
        }
        About::Own { details, .. } => {
            let shown = details.iter().take(DETAIL_LINES);
            block
                .details
                .extend(shown.map(|line| clean(line, DETAIL_MAX)));
            if details.len() > DETAIL_LINES {
                let more = (details.len() - DETAIL_LINES) as u64;
                block
                    .details
                    .push(format!("… and {} more", words::counted(more, "line")));
            }
        }
    }
    let numbers = incidents(entry);
    if !only_brief(entry) && !numbers.is_empty() {
        block.facts.push(("Incident", numbers));
    }
    if letter.reader == Audience::Operators {
        block.commands = commands(entry, &troubles, &letter.head.daemon);
    }
    block
}

/// The block of a shared cause, without its members.
pub(super) fn shared_block(shared: &Shared, letter: &Letter) -> Block {
    let daemon = &letter.head.daemon;
    let advice = words::advice(
        shared.kind,
        Some(&shared.cause),
        Matter::Connection(shared.provider),
        daemon,
    );
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
        tone: tone_of(shared.kind.severity()),
        badge: words::label(shared.kind).to_uppercase(),
        title,
        happened: vec![
            match shared.more {
                true => "They have joined those of which you were told before.",
                false => "They failed together, and what is known points to one cause.",
            }
            .to_owned(),
        ],
        steps: vec![Step {
            next: clean(&advice.next, 500),
            link: None,
            whys: vec![format!("Likely cause: {}", clean(&advice.why, 500))],
        }],
        forward: shared_words(shared, letter),
        facts: vec![("Who mends it", advice.who.to_owned())],
        details: Vec::new(),
        evidence: evidence.map_or_else(Vec::new, |told| Writer { letter }.evidence(&told.evidence)),
        commands: match letter.reader {
            Audience::Operators => vec![
                words::command(daemon, "ack INCIDENT --reason \"…\""),
                words::command(
                    daemon,
                    &format!(
                        "silence --provider {} --problem {} --for 3d --reason \"…\"",
                        shared.provider, shared.kind
                    ),
                ),
            ],
            Audience::Support => Vec::new(),
        },
        page: None,
        members: Vec::new(),
    }
}

/// Words for every grower of a shared cause; where each has a link of its own, it stands in the grower's line.
fn shared_words(shared: &Shared, letter: &Letter) -> Option<String> {
    let members = shared
        .entries
        .iter()
        .filter_map(|&at| letter.entries.get(at));
    let mut links: Vec<Option<String>> = members.map(entry_link).collect();
    links.dedup();
    let link = match links.as_slice() {
        [one] => one.clone(),
        [] => None,
        _ => Some("[the link in the grower's line below]".to_owned()),
    };
    words::for_the_grower(
        shared.kind,
        Some(&shared.cause),
        shared.provider,
        link.as_deref(),
    )
    .map(|text| clean(&text, 1000))
}

/// One entry in one line.
pub(super) fn line(entry: &Entry, letter: &Letter) -> String {
    let writer = Writer { letter };
    let mut parts = Vec::new();
    for told in &entry.told {
        let label = words::label(told.kind);
        let since = writer.time(told.since);
        parts.push(match told.news {
            News::Opened | News::Reminder { .. } if told.first_look => {
                format!("{label}, already so at the first look")
            }
            News::Opened | News::Reminder { .. } => format!("{label} since {since}"),
            News::Changed { from } => {
                format!("{label} (was {}) since {since}", words::label(from))
            }
            News::Reopened => format!("{label} again since {since}"),
            News::Resolved { .. } => {
                format!("{label} no more, after {}", told.lasted(letter.date))
            }
            News::Closed { .. } => closed(told).to_owned(),
            News::Brief => {
                let was = words::was(told.kind);
                format!("{was} from {since} to {}", writer.time(writer.end(told)))
            }
        });
    }
    let numbers = incidents(entry);
    if !numbers.is_empty() {
        parts.push(format!("incident {numbers}"));
    }
    if let Some(link) = entry_link(entry) {
        parts.push(format!("for the grower, to connect again: {link}"));
    }
    let colon = if only_brief(entry) { "" } else { ":" };
    let stem = clean(&entry.stem(), WORD_MAX);
    format!("{stem}{colon} {}", parts.join("; "))
}

/// What may be passed on to the grower. In a mail of many the same words are said once; those with a link differ.
fn forward(entry: &Entry, letter: &Letter) -> Option<String> {
    let words = grower_words(entry)?;
    let before = letter
        .entries
        .iter()
        .enumerate()
        .take(FULL)
        .take_while(|(_, other)| !std::ptr::eq(*other, entry));
    let explained = |at| {
        letter
            .shared
            .iter()
            .any(|cause| cause.entries.contains(&at))
    };
    let said = before
        .filter(|(at, _)| !explained(*at))
        .any(|(_, other)| grower_words(other).as_ref() == Some(&words));
    (!said).then_some(words)
}

/// Words for the grower: where one trouble is told that a grower can mend, or that it is over.
fn grower_words(entry: &Entry) -> Option<String> {
    let About::Connection(connection) = &entry.about else {
        return None;
    };
    let provider = connection.provider;
    let mut troubles = entry.told.iter().filter(|told| told.is_trouble());
    let words = match (troubles.next(), troubles.next()) {
        (Some(told), None) if !in_wrong_environment(connection) => {
            let cause = told.cause.as_ref();
            let link = link(connection, told.kind, cause);
            words::for_the_grower(told.kind, cause, provider, link.as_deref())
        }
        (None, _) => {
            if entry.told.iter().any(|told| told.still_open.is_some()) {
                return None;
            }
            let over = |told: &&Told| matches!(told.news, News::Resolved { .. });
            let mended = entry.told.iter().find(over)?;
            words::over_for_the_grower(mended.kind, provider)
        }
        _ => None,
    };
    words.map(|words| clean(&words, 1000))
}

/// The link with which the grower mends what is told of the entry.
fn entry_link(entry: &Entry) -> Option<String> {
    let About::Connection(connection) = &entry.about else {
        return None;
    };
    let mut troubles = entry.told.iter().filter(|told| told.is_trouble());
    troubles.find_map(|told| link(connection, told.kind, told.cause.as_ref()))
}

fn tone(told: &Told) -> Tone {
    if let Some(open) = &told.still_open {
        return tone_of(open.kind.severity());
    }
    match told.news {
        News::Resolved { .. } | News::Brief => Tone::Well,
        News::Closed { .. } => Tone::Plain,
        _ => tone_of(told.kind.severity()),
    }
}

fn tone_of(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Critical,
        Severity::Warning => Tone::Warning,
    }
}

fn badge(told: &Told) -> String {
    let verb = words::verb(told.news.into());
    if let Some(open) = &told.still_open {
        return format!("STILL {}", words::shout(open.kind));
    }
    match told.news {
        News::Opened => words::shout(told.kind),
        News::Changed { .. } | News::Reopened | News::Reminder { .. } => {
            format!("{verb}: {}", words::label(told.kind))
        }
        News::Resolved { .. } | News::Closed { .. } => verb.to_owned(),
        News::Brief => "OVER".to_owned(),
    }
}

pub(super) fn matter(entry: &Entry) -> Matter<'_> {
    match &entry.about {
        About::Connection(connection) => Matter::Connection(connection.provider),
        About::Own { subject, .. } => Matter::Own(subject),
    }
}

fn incidents(entry: &Entry) -> String {
    let numbers: Vec<String> = entry
        .told
        .iter()
        .filter_map(|told| told.incident)
        .map(|number| number.to_string())
        .collect();
    words::listed(&numbers)
}

/// The page of the credential; of the incident where there is none.
fn page_of(entry: &Entry, letter: &Letter) -> Option<String> {
    let base = clean(letter.head.public_url.as_deref()?, 300);
    match &entry.about {
        About::Connection(connection) => Some(format!(
            "{base}/credentials/{}/{}",
            connection.user, connection.provider
        )),
        About::Own { .. } => {
            let incident = entry.told.iter().find_map(|told| told.incident)?;
            Some(format!("{base}/incidents/{incident}"))
        }
    }
}

/// Two troubles that are mended by the same step ask for it once.
fn add_step(steps: &mut Vec<Step>, step: Option<Step>) {
    let Some(step) = step else { return };
    match steps
        .iter_mut()
        .find(|known| known.next == step.next && known.link == step.link)
    {
        Some(known) => known.whys.extend(step.whys),
        None => steps.push(step),
    }
}

/// Whether what is told is all over already, and has one line.
pub(super) fn only_brief(entry: &Entry) -> bool {
    let brief = |told: &Told| told.news == News::Brief && told.still_open.is_none();
    entry.told.iter().all(brief)
}

/// Whether it was read in another environment than the one expected.
pub(super) fn in_wrong_environment(connection: &Connection) -> bool {
    match (&connection.environment, connection.expected) {
        (Some(word), Some(expected)) => !expected.is(word),
        _ => false,
    }
}

/// The link of the button, where connecting again mends it.
pub(super) fn link(connection: &Connection, kind: Kind, cause: Option<&Cause>) -> Option<String> {
    let url = clean(connection.reconnect_url.as_deref()?, 1000);
    let on_the_web = url.starts_with("https://") || url.starts_with("http://");
    (on_the_web && reconnect_mends(kind, cause)).then_some(url)
}

/// Whether connecting again mends it.
pub(super) fn reconnect_mends(kind: Kind, cause: Option<&Cause>) -> bool {
    match cause {
        None | Some(Cause::Unexplained) => {
            matches!(
                kind,
                Kind::Invalid | Kind::Missing | Kind::EnvironmentMismatch
            )
        }
        Some(cause) => cause.reconnect_mends(),
    }
}

fn commands(entry: &Entry, troubles: &[&Told], daemon: &Daemon) -> Vec<String> {
    let mut lines: Vec<String> = troubles
        .iter()
        .filter_map(|told| told.incident)
        .map(|number| words::command(daemon, &format!("ack {number} --reason \"…\"")))
        .collect();
    if let (About::Connection(connection), false) = (&entry.about, troubles.is_empty()) {
        let silence = format!(
            "silence {} --provider {} --for 3d --reason \"…\"",
            connection.user, connection.provider
        );
        lines.push(words::command(daemon, &silence));
    }
    lines
}
