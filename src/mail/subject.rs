//! The subject line: the worst first, one stem through an incident's life.

use super::letter::{About, Entry, Letter, Letterhead, Occasion, Tally, Told};
use crate::model::{Kind, News, NoticeKind, clean};
use crate::view::words;

/// How long a name may be in a subject, in characters.
const NAME_MAX: usize = 90;

/// `[Leafwatch production] INVALID: Hillside Farms (John Deere)`.
pub(super) fn subject(letter: &Letter) -> String {
    format!("{} {}", mark(&letter.head), headline(letter))
}

/// `[Leafwatch production]`.
pub(super) fn mark(head: &Letterhead) -> String {
    let instance = head.instance.as_deref().map(|name| clean(name, 40));
    match instance {
        Some(name) if !name.is_empty() => format!("[Leafwatch {name}]"),
        _ => "[Leafwatch]".to_owned(),
    }
}

/// The same without the mark in brackets.
pub(super) fn headline(letter: &Letter) -> String {
    let tally = &letter.tally;
    if let Occasion::FirstLook { watched, read } = letter.occasion {
        return first_look(letter, watched, read);
    }
    match letter.entries.as_slice() {
        [only] if tally.total() == 1 => alone(only, letter),
        _ => together(letter),
    }
}

fn first_look(letter: &Letter, watched: u64, read: u64) -> String {
    let tally = &letter.tally;
    let credentials = tally.credentials();
    let need = if credentials == 1 { "needs" } else { "need" };
    let among = match read < watched {
        true => format!("{} read so far", words::number(read)),
        false => words::counted(watched, "credential"),
    };
    let mut line = format!(
        "First look: {} of {among} {need} attention: {}",
        words::number(credentials),
        kinds(tally)
    );
    if tally.own > 0 {
        line.push_str(&format!("; {}", own(tally.own, letter, 0)));
    }
    if tally.brief > 0 {
        line.push_str(&format!(
            "; {} briefly in trouble",
            words::number(tally.brief)
        ));
    }
    line
}

/// One entry: its name is the subject.
fn alone(entry: &Entry, letter: &Letter) -> String {
    let stem = name(entry);
    let lead = entry.told.iter().find(|told| told.is_trouble());
    let Some(told) = lead.or(entry.told.first()) else {
        return stem;
    };
    let label = words::label(told.kind);
    let named = matches!(&entry.about, About::Connection(_));
    let with = |suffix: String| if named { suffix } else { String::new() };
    let lasted = told.lasted(letter.date);
    let what = match told.news {
        News::Opened => String::new(),
        News::Changed { .. } => with(format!(", now {label}")),
        News::Reopened => with(format!(", {label} again")),
        News::Reminder { .. } => format!("{} for {lasted}", with(format!(", {label}"))),
        News::Resolved { .. } if told.still_open.is_some() => format!(", {}", mended(told)),
        News::Resolved { .. } => format!(" after {lasted}"),
        News::Closed { .. } => format!(", {}", closed(told)),
        News::Brief => format!(", {} for {lasted}", words::was(told.kind)),
    };
    let verb = match (told.news, &told.still_open) {
        (News::Opened, _) => words::shout(told.kind),
        (_, Some(open)) => format!("STILL {}", words::shout(open.kind)),
        (news, None) => words::verb(news.into()).to_owned(),
    };
    format!("{verb}: {stem}{what}")
}

/// The entry's name in a subject. What an unknown status word is stands in the mail, as Leaf sent it.
fn name(entry: &Entry) -> String {
    let stem = match (&entry.about, entry.told.first()) {
        (About::Own { .. }, Some(told)) if told.kind == Kind::UnknownStatus => {
            words::stem(told.kind, "")
        }
        _ => entry.stem(),
    };
    clean(&stem, NAME_MAX)
}

/// How it is over without being mended.
pub(super) fn closed(told: &Told) -> &'static str {
    told.ended_by.and_then(words::unproved).unwrap_or("closed")
}

/// The half that is mended while another is not.
fn mended(told: &Told) -> &'static str {
    match told.kind {
        Kind::EnvironmentMismatch => "environment corrected",
        Kind::Unreadable => "readable again",
        _ => "access mended",
    }
}

/// Several entries: what needs attention is counted first.
fn together(letter: &Letter) -> String {
    let tally = &letter.tally;
    let mut parts = Vec::new();
    // An account or own trouble comes first by rank, and is named: there is rarely a second.
    let own_first = letter.entries.first().filter(|entry| is_own_trouble(entry));
    parts.extend(own_first.map(|entry| alone(entry, letter)));
    let mut troubled = letter.entries.iter().filter(|entry| needs_attention(entry));
    match (tally.credentials(), troubled.next()) {
        (0, _) => {}
        (1, Some(only)) if own_first.is_none() => parts.push(alone(only, letter)),
        (credentials, _) => parts.push(attention(letter, credentials)),
    }
    let first = usize::from(own_first.is_some());
    match tally.own.saturating_sub(first as u64) {
        0 => {}
        more => parts.push(own(more, letter, first)),
    }
    let noun = if letter.entries.iter().any(is_own) {
        "incident"
    } else {
        "credential"
    };
    let (resolved, closed) = (
        words::verb(NoticeKind::Resolved),
        words::verb(NoticeKind::Closed),
    );
    let leads = parts.is_empty();
    if tally.resolved > 0 {
        parts.push(match leads {
            true => format!("{resolved}: {}", words::counted(tally.resolved, noun)),
            false => format!("{} resolved", words::number(tally.resolved)),
        });
    }
    for (count, what, verb) in [
        (tally.brief, "briefly in trouble", resolved),
        (tally.closed, "no longer watched", closed),
    ] {
        if count > 0 {
            parts.push(match parts.is_empty() {
                true => format!("{verb}: {} {what}", words::counted(count, noun)),
                false => format!("{} {what}", words::number(count)),
            });
        }
    }
    parts.join("; ")
}

/// `REMINDER: 12 credentials still need attention: 12 invalid`.
fn attention(letter: &Letter, credentials: u64) -> String {
    let notice = notice_of_all(letter);
    let verb = notice.map_or_else(String::new, |notice| format!("{}: ", words::verb(notice)));
    let still = if notice == Some(NoticeKind::Reminder) {
        "still "
    } else {
        ""
    };
    let need = if credentials == 1 { "needs" } else { "need" };
    format!(
        "{verb}{} {still}{need} attention: {}",
        words::counted(credentials, "credential"),
        kinds(&letter.tally)
    )
}

fn is_own(entry: &Entry) -> bool {
    matches!(entry.about, About::Own { .. })
}

fn is_own_trouble(entry: &Entry) -> bool {
    is_own(entry) && entry.told.iter().any(Told::is_trouble)
}

fn needs_attention(entry: &Entry) -> bool {
    let told = |told: &Told| told.is_trouble() || told.still_open.is_some();
    !is_own(entry) && entry.told.iter().any(told)
}

/// Where all that need attention go on in the same way, that way; none where some have just opened.
fn notice_of_all(letter: &Letter) -> Option<NoticeKind> {
    let mut notices = letter
        .entries
        .iter()
        .filter(|entry| needs_attention(entry))
        .flat_map(|entry| entry.told.iter().filter(|told| told.is_trouble()))
        .map(|told| NoticeKind::from(told.news));
    let first = notices.next()?;
    (first != NoticeKind::Opened && notices.all(|notice| notice == first)).then_some(first)
}

/// `45 invalid, 2 environment mismatch`, the worst first.
fn kinds(tally: &Tally) -> String {
    let mut kinds: Vec<_> = tally.trouble.iter().collect();
    kinds.sort_by_key(|(kind, _)| kind.rank());
    let words: Vec<String> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{} {}", words::number(*count), words::label(*kind)))
        .collect();
    words.join(", ")
}

/// Account and own trouble of the letter, but for the first `named`: one is named, several are counted.
fn own(count: u64, letter: &Letter, named: usize) -> String {
    let mut entries = letter.entries.iter().filter(|entry| is_own_trouble(entry));
    match (count, entries.nth(named)) {
        (1, Some(only)) => name(only),
        (1, None) => "1 problem of Leafwatch's own".to_owned(),
        (many, _) => format!("{} problems of Leafwatch's own", words::number(many)),
    }
}
