//! The page of one credential: how it is, what was so when, its incidents and events, and who would be told.

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use super::frame::{Frame, Here, Tone, href};
use super::lanes::{self, Lane};
use super::site::Asked;
use crate::model::Credential;
use crate::rules::availability::Stood;
use crate::store::{self, AnswerOfLife, Filter, IncidentPart};
use crate::view::explain::Explained;
use crate::view::{Event, Incident, User, words};

/// Days that a timeline may show; the first is what is shown unless another is asked for.
const DAYS: [i64; 4] = [90, 7, 30, 365];
/// Incidents shown.
const INCIDENTS: u32 = 20;
/// Events shown.
const EVENTS: u32 = 50;
/// What is shown of incidents.
const PARTS: &[IncidentPart] = &[IncidentPart::Told, IncidentPart::Transitions];
/// Answers shown, the newest.
const ANSWERS: usize = 50;

/// The page.
#[derive(Debug, Template)]
#[template(path = "credential.html")]
pub(super) struct CredentialPage {
    frame: Frame,
    explained: Explained,
    tone: Tone,
    /// Days, and whether they are what is shown.
    spans: Vec<(i64, bool)>,
    from: Timestamp,
    lanes: Vec<Lane>,
    incidents: Vec<Incident>,
    incidents_more: u64,
    events: Vec<Event>,
    events_more: u64,
    answers: Vec<(Stood<AnswerOfLife>, String)>,
    answers_more: u64,
    all_history: String,
    all_events: String,
    others: Vec<Credential>,
    path: String,
    cannot_see: &'static str,
}

/// The page of `credential` with a timeline of so many days; none where it was never watched.
pub(super) fn page(
    asked: &Asked<'_>,
    credential: Credential,
    days: Option<i64>,
) -> store::Result<Option<CredentialPage>> {
    let (tx, scene) = (asked.tx, &asked.scene);
    let daemon = &scene.policy.daemon;
    let Some(id) = tx.number_of(credential)? else {
        return Ok(None);
    };
    let Some(explained) = explained(asked, credential)? else {
        return Ok(None);
    };
    let days = days.filter(|days| DAYS.contains(days)).unwrap_or(DAYS[0]);
    let from = scene.now - SignedDuration::from_hours(24 * days);
    let lifeline = tx.lifeline(id, &tx.seen_since(scene, from)?)?;
    let (incidents, incidents_all) = tx.newest_incidents(scene, id, INCIDENTS, PARTS)?;
    let events = tx.events_shown(id, credential.provider, None, Some(EVENTS))?;
    let mut spans: Vec<(i64, bool)> = DAYS.iter().map(|&span| (span, span == days)).collect();
    spans.sort_unstable();
    Ok(Some(CredentialPage {
        frame: Frame::new(asked, Here::Elsewhere, explained.credential.who.shown()),
        tone: match explained.watched {
            true => Tone::of_credential(&explained.credential),
            false => Tone::Quiet,
        },
        explained,
        spans,
        from: lifeline.period.from,
        lanes: lanes::lanes(&lifeline, &scene.policy.status_words),
        incidents_more: incidents_all.saturating_sub(incidents.len() as u64),
        incidents,
        events_more: tx.events_kept(id)?.saturating_sub(events.len() as u64),
        events,
        answers_more: lifeline.answers.len().saturating_sub(ANSWERS) as u64,
        all_history: words::command(daemon, &format!("history {}", credential.user)),
        all_events: words::command(daemon, &format!("events {}", credential.user)),
        answers: answers(lifeline.answers),
        others: others(asked, credential)?,
        path: href(credential),
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

/// The newest answers first, each with what it changed.
fn answers(answers: Vec<Stood<AnswerOfLife>>) -> Vec<(Stood<AnswerOfLife>, String)> {
    let mut before: Option<AnswerOfLife> = None;
    let mut all: Vec<_> = answers
        .into_iter()
        .map(|one| {
            let is = (&one.what.answer, one.what.epoch);
            let was = before.as_ref().map(|was| (&was.answer, was.epoch));
            let changed = was.map_or_else(String::new, |was| words::changed(was, is));
            before = Some(one.what.clone());
            (one, changed)
        })
        .collect();
    all.reverse();
    all.truncate(ANSWERS);
    all
}

/// The user's other credentials.
fn others(asked: &Asked<'_>, this: Credential) -> store::Result<Vec<Credential>> {
    let all = asked.tx.providers_of(this.user)?.into_iter();
    let all = all.map(|provider| Credential { provider, ..this });
    Ok(all.filter(|other| *other != this).collect())
}
