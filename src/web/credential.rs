//! The page of one credential: how it is, what was so when, its incidents and events, and who would be told.

use askama::Template;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::frame::{Frame, Here, Moment, Tone, capital, href};
use super::incidents::{Card, card};
use super::lanes::{self, Lane};
use super::overview::tone;
use super::site::Asked;
use crate::model::{Answer, Credential};
use crate::rules::availability::{Period, Stood};
use crate::store::{self, Filter, Said};
use crate::view::events::{Entry, Says};
use crate::view::explain::{Explained, Lacking};
use crate::view::{User, words};

/// Days that a timeline may show; the first is what is shown unless another is asked for.
const DAYS: [i64; 4] = [90, 7, 30, 365];
/// Incidents shown.
const INCIDENTS: u32 = 20;
/// Events shown.
const EVENTS: u32 = 50;
/// Answers shown, the newest.
const ANSWERS: usize = 50;

/// The page.
#[derive(Debug, Template)]
#[template(path = "credential.html")]
pub(super) struct Page {
    frame: Frame,
    name: String,
    provider: &'static str,
    user: String,
    tone: Tone,
    state: String,
    since: Option<Moment>,
    facts: Vec<(&'static str, String, Option<Moment>)>,
    open: Vec<Open>,
    lacking: Vec<(String, Moment, String)>,
    spans: Vec<(i64, bool)>,
    from: Moment,
    lanes: Vec<Lane>,
    incidents: Vec<Card>,
    incidents_more: u64,
    has_events: bool,
    events_read: Option<Moment>,
    events: Vec<Event>,
    events_more: u64,
    answers: Vec<AnswerRow>,
    answers_more: u64,
    all_history: String,
    all_events: String,
    audiences: Vec<(String, Vec<(String, String)>)>,
    would_open: Vec<(&'static str, String)>,
    others: Vec<(String, &'static str)>,
    path: String,
    cannot_see: &'static str,
}

/// What is open, with what to do.
#[derive(Debug)]
struct Open {
    tone: Tone,
    number: i64,
    kind: String,
    since: Moment,
    why: String,
    next: String,
    who: String,
    ends: String,
}

#[derive(Debug)]
struct Event {
    at: Option<Moment>,
    seen: Moment,
    tone: Tone,
    says: &'static str,
    note: Option<&'static str>,
    brief: bool,
    code: Option<u16>,
    body: String,
    headers: String,
}

#[derive(Debug)]
struct AnswerRow {
    from: Moment,
    length: String,
    status: String,
    environment: String,
    scopes: String,
    /// What differs from the answer before, in words.
    changed: String,
}

/// The page of `credential` with a timeline of so many days; none where it was never watched.
pub(super) fn page(
    asked: &Asked<'_>,
    credential: Credential,
    days: Option<i64>,
) -> store::Result<Option<Page>> {
    let (tx, scene) = (asked.tx, &asked.scene);
    let zone = &scene.policy.schedules.zone;
    let Some(id) = tx.number_of(credential)? else {
        return Ok(None);
    };
    let Some(explained) = explained(asked, credential)? else {
        return Ok(None);
    };
    let days = days.filter(|days| DAYS.contains(days)).unwrap_or(DAYS[0]);
    let from = scene.now - SignedDuration::from_hours(24 * days);
    let lifeline = tx.lifeline(id, &tx.seen_since(scene, from)?)?;
    let (incidents, incidents_all) = tx.newest_incidents(scene, id, INCIDENTS)?;
    let events = tx.events_shown(id, credential.provider, None, Some(EVENTS))?;
    let mut spans: Vec<(i64, bool)> = DAYS.iter().map(|&span| (span, span == days)).collect();
    spans.sort_unstable();
    let line = &explained.line;
    let name = line.who.user.shown();
    let path = href(credential);
    let daemon = &asked.scene.policy.daemon;
    Ok(Some(Page {
        frame: Frame::new(
            asked,
            Here::Elsewhere,
            words::credential(&name, credential.provider),
        ),
        provider: credential.provider.display_name(),
        user: credential.user.to_string(),
        tone: match explained.watched {
            true => tone(line),
            false => Tone::Quiet,
        },
        state: match explained.watched {
            true => words::state(line),
            false => "no longer watched".to_owned(),
        },
        since: line.since.map(|at| Moment::exact(at, zone)),
        facts: facts(&explained, zone),
        open: explained
            .open
            .iter()
            .map(|open| Open {
                tone: open.kind.severity().into(),
                number: open.incident.0,
                kind: capital(words::label(open.kind)),
                since: Moment::exact(open.since, zone),
                why: open.why.clone(),
                next: open.next_step.clone(),
                who: capital(&open.who),
                ends: open.ends.proof.clone(),
            })
            .collect(),
        lacking: explained
            .lacking
            .iter()
            .map(|lacking| {
                (
                    words::label(lacking.kind).to_owned(),
                    Moment::exact(lacking.since, zone),
                    so_far(lacking),
                )
            })
            .collect(),
        spans,
        from: Moment::short(lifeline.period.from, zone),
        lanes: lanes::lanes(&lifeline, &scene.policy.status_words),
        incidents_more: incidents_all.saturating_sub(incidents.len() as u64),
        incidents: incidents
            .iter()
            .map(|incident| card(asked, incident))
            .collect::<store::Result<_>>()?,
        has_events: credential.provider.has_events(),
        events_read: explained.events_read_at.map(|at| Moment::exact(at, zone)),
        events_more: tx.events_kept(id)?.saturating_sub(events.len() as u64),
        events: events.into_iter().map(|one| event(one, zone)).collect(),
        answers_more: lifeline.answers.len().saturating_sub(ANSWERS) as u64,
        all_history: words::command(daemon, &format!("history {}", credential.user)),
        all_events: words::command(daemon, &format!("events {}", credential.user)),
        answers: answers(&lifeline.answers, asked),
        audiences: explained
            .would_tell
            .iter()
            .map(|audience| {
                let kinds: Vec<&str> = audience
                    .kinds
                    .iter()
                    .map(|&kind| words::label(kind))
                    .collect();
                let recipients = audience.recipients.iter();
                (
                    words::listed(&kinds),
                    recipients
                        .map(|one| (one.address.clone(), one.rule.clone()))
                        .collect(),
                )
            })
            .collect(),
        would_open: explained
            .would_open
            .iter()
            .map(|opening| (words::label(opening.kind), opening.when.clone()))
            .collect(),
        others: others(asked, credential)?,
        name,
        path,
        cannot_see: words::CANNOT_SEE,
    }))
}

/// What `explain` says of this credential.
fn explained(asked: &Asked<'_>, credential: Credential) -> store::Result<Option<Explained>> {
    let user = User {
        user: credential.user,
        name: None,
    };
    let filter = Filter {
        provider: Some(credential.provider),
        since: None,
    };
    let explanation = asked.tx.explanation_of(&asked.scene, user, filter)?;
    Ok(explanation.credentials.into_iter().next())
}

fn facts(explained: &Explained, zone: &TimeZone) -> Vec<(&'static str, String, Option<Moment>)> {
    let line = &explained.line;
    let moment = |at| Some(Moment::exact(at, zone));
    let mut facts = vec![("Leaf says", words::leaf_says(line).to_owned(), None)];
    if line.environment.is_some() || line.expected_environment.is_some() {
        let note = match line.expected_environment {
            Some(_) if line.environment.is_none() => ", none told",
            Some(_) if line.in_wrong_environment() => "",
            Some(_) => ", as expected",
            None => ", none expected: not judged",
        };
        facts.push((
            "Environment",
            format!("{}{note}", words::environment(line)),
            None,
        ));
    }
    if let Some(at) = line.last_look {
        let stale = if line.stale {
            "stale, not seen since"
        } else {
            ""
        };
        facts.push(("Last look", stale.to_owned(), moment(at)));
    }
    if let Some(at) = line.no_answer_since {
        facts.push(("No answer", "since".to_owned(), moment(at)));
    }
    if explained.epoch > 1 {
        facts.push((
            "Connected",
            format!("{} times; last", explained.epoch),
            explained.epoch_since.and_then(moment),
        ));
    } else if let Some(created) = &explained.leaf_created {
        // As a time where it is one; else what Leaf wrote.
        facts.push(match created.parse() {
            Ok(at) => ("Connected", String::new(), moment(at)),
            Err(_) => ("Connected", created.clone(), None),
        });
    }
    if !explained.scopes.is_empty() {
        facts.push(("Scopes", explained.scopes.join(" "), None));
    }
    if let Some(tail) = &explained.key_tail {
        facts.push(("App key", format!("ends in {tail}"), None));
    }
    facts
}

fn so_far(lacking: &Lacking) -> String {
    let mut said = format!(
        "{} of {} so far",
        lacking.looks,
        words::counted(u64::from(lacking.looks_needed), "look")
    );
    if !lacking.held_needed.is_zero() {
        said.push_str(&format!(
            ", held {} of {}",
            words::duration(lacking.held),
            words::duration(lacking.held_needed)
        ));
    }
    if let Some(waits) = lacking.waits_for {
        said.push_str(&format!("; waits {waits}"));
    }
    said
}

fn event(entry: Entry, zone: &TimeZone) -> Event {
    Event {
        at: entry.at.map(|at| Moment::short(at, zone)),
        seen: Moment::short(entry.seen_at, zone),
        tone: match entry.says {
            Says::Accepted => Tone::Well,
            Says::Refused => Tone::Critical,
            Says::Nothing => Tone::Quiet,
        },
        says: words::says(entry.says, entry.judges_nothing),
        note: entry.judges_nothing.map(words::unusable),
        brief: entry.brief,
        code: entry.status_code,
        body: entry.body,
        headers: entry.headers,
    }
}

/// The newest answers first, each with what it changed.
fn answers(answers: &[Stood<Said>], asked: &Asked<'_>) -> Vec<AnswerRow> {
    let (zone, now) = (&asked.scene.policy.schedules.zone, asked.scene.now);
    let before = std::iter::once(None).chain(answers.iter().map(Some));
    let mut rows: Vec<AnswerRow> = answers
        .iter()
        .zip(before)
        .map(|(one, before)| {
            let Period { from, until } = one.during;
            let (status, environment, scopes) = words_of(&one.what.answer);
            let changed = match before {
                None => String::new(),
                Some(before) => changed(&before.what, &one.what),
            };
            AnswerRow {
                from: Moment::short(from, zone),
                length: lanes::length(from, (until < now).then_some(until), now),
                status,
                environment,
                scopes,
                changed,
            }
        })
        .collect();
    rows.reverse();
    rows.truncate(ANSWERS);
    rows
}

fn words_of(answer: &Answer) -> (String, String, String) {
    match answer {
        Answer::Missing => (
            "no such connection".to_owned(),
            String::new(),
            String::new(),
        ),
        Answer::Reading(reading) => (
            reading
                .status
                .clone()
                .unwrap_or_else(|| "no status word".to_owned()),
            reading.environment.clone().unwrap_or_default(),
            reading.scopes.join(" "),
        ),
    }
}

fn changed(before: &Said, after: &Said) -> String {
    let (was, is) = (words_of(&before.answer), words_of(&after.answer));
    let mut parts = Vec::new();
    if after.epoch > before.epoch && before.epoch > 0 {
        parts.push("connected anew");
    }
    for (differs, what) in [
        (was.0 != is.0, "status"),
        (was.1 != is.1, "environment"),
        (was.2 != is.2, "scopes"),
    ] {
        if differs {
            parts.push(what);
        }
    }
    if let (Answer::Reading(was), Answer::Reading(is)) = (&before.answer, &after.answer)
        && was.key != is.key
    {
        parts.push("app key");
    }
    parts.join(", ")
}

/// The user's other credentials.
fn others(asked: &Asked<'_>, this: Credential) -> store::Result<Vec<(String, &'static str)>> {
    let all = asked.tx.providers_of(this.user)?;
    let others = all
        .into_iter()
        .filter(|provider| *provider != this.provider);
    Ok(others
        .map(|provider| {
            let other = Credential { provider, ..this };
            (href(other), provider.display_name())
        })
        .collect())
}
