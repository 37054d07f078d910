//! The page of one incident: its whole life, who is on it, and every mail that tells of it.

use askama::Template;

use super::frame::{Frame, Here, Moment, Tone};
use super::incidents::{Card, Held, card, credential_of};
use super::site::Asked;
use crate::model::IncidentId;
use crate::store;
use crate::view::deliveries::State;
use crate::view::words;

/// The page.
#[derive(Debug, Template)]
#[template(path = "incident.html")]
pub(super) struct Page {
    frame: Frame,
    card: Card,
    happened: String,
    why: String,
    said: Vec<Held>,
    mails: Vec<Mail>,
}

#[derive(Debug)]
struct Mail {
    packed: Moment,
    subject: String,
    address: String,
    state: &'static str,
    tone: Tone,
    when: Option<Moment>,
    attempts: Vec<(Moment, String)>,
}

/// The page of the incident with that number, if there is one.
pub(super) fn page(asked: &Asked<'_>, number: IncidentId) -> store::Result<Option<Page>> {
    let zone = &asked.scene.policy.schedules.zone;
    let Some(line) = asked.tx.incident_shown(&asked.scene, number)? else {
        return Ok(None);
    };
    let credential = credential_of(&line);
    let stage = match line.ended_at {
        Some(_) => words::Stage::Over,
        None => words::Stage::Still,
    };
    let name = match &line.about {
        crate::view::About::Credential(who) => Some((who.user.shown(), who.provider)),
        crate::view::About::Leafwatch { .. } => None,
    };
    let whose = name
        .as_ref()
        .map(|(name, provider)| (name.as_str(), *provider));
    let why = match (line.ended_at, credential) {
        (None, Some(credential)) => {
            let trouble = (line.kind, line.began_at);
            asked.tx.advice_on(&asked.scene, credential, trouble)?.why
        }
        _ => String::new(),
    };
    let mails = asked.tx.deliveries_about(asked.scene.now, number)?;
    let title = format!(
        "Incident {number}: {} – {}",
        words::label(line.kind),
        line.about.shown(line.track)
    );
    Ok(Some(Page {
        frame: Frame::new(asked, Here::Elsewhere, title),
        card: card(asked, &line)?,
        happened: match line.ended_by.and_then(words::unproved) {
            Some(unproved) => format!("Closed: {unproved}. It is not known to be mended."),
            None => words::sentence(line.kind, stage, whose),
        },
        why,
        said: Held::all(&line.said, zone),
        mails: mails
            .into_iter()
            .map(|mail| Mail {
                packed: Moment::short(mail.packed_at, zone),
                subject: mail.subject,
                address: mail.address,
                state: mail.state.name(),
                tone: match mail.state {
                    State::Waiting => Tone::Warning,
                    State::Accepted => Tone::Well,
                    State::Failed => Tone::Critical,
                },
                when: mail
                    .done_at
                    .or(mail.next_try_at)
                    .map(|at| Moment::short(at, zone)),
                attempts: mail
                    .attempts
                    .iter()
                    .map(|attempt| {
                        let code = attempt.code.map(|code| format!(" {code}"));
                        let said = format!(
                            "{}, {}:{} {}",
                            attempt.server,
                            attempt.phase,
                            code.unwrap_or_default(),
                            attempt.reply
                        );
                        (Moment::short(attempt.at, zone), said)
                    })
                    .collect(),
            })
            .collect(),
    }))
}
