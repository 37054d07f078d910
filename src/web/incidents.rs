//! Incidents as the overview, the list and the pages of credentials show them.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::frame::{Frame, Here, Moment, Tone, capital, href};
use super::lanes;
use super::site::Asked;
use crate::model::{Credential, IncidentId, TransitionKind};
use crate::store;
use crate::view::About;
use crate::view::hush::{Ack, Said, Silence};
use crate::view::incidents::{Line, Step};
use crate::view::words::{self, Matter};

/// Open incidents on the list.
const OPEN: usize = 200;
/// Ended ones on a page of it.
const ENDED: u32 = 50;

/// One incident.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) number: IncidentId,
    pub(super) tone: Tone,
    pub(super) kind: String,
    pub(super) who: String,
    /// The credential's page.
    pub(super) credential: Option<String>,
    pub(super) began: Moment,
    pub(super) length: String,
    /// How it ended; none while it is open.
    pub(super) ended: Option<&'static str>,
    pub(super) recovering: bool,
    /// Who acts, while it is open.
    pub(super) acts: String,
    pub(super) next: String,
    pub(super) told: String,
    /// What holds mails about it back now.
    pub(super) held: Vec<Held>,
    pub(super) steps: Vec<(Moment, String, String)>,
}

/// What somebody said about an incident: an ack or a silence.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// `Acknowledged`, `Silenced`.
    pub(super) what: String,
    pub(super) by: String,
    pub(super) at: Moment,
    pub(super) until: Moment,
    pub(super) reason: String,
    /// When and by whom or what it ended before its time.
    pub(super) ended: Option<(Moment, String)>,
}

impl Held {
    fn ack(ack: &Ack, zone: &TimeZone) -> Held {
        Held {
            what: "Acknowledged".to_owned(),
            by: ack.actor.clone(),
            at: Moment::exact(ack.at, zone),
            until: Moment::exact(ack.until, zone),
            reason: ack.reason.clone(),
            ended: ended(ack.ended_at, ack.ended_by.as_ref(), zone),
        }
    }

    fn silence(silence: &Silence, zone: &TimeZone) -> Held {
        Held {
            what: format!("Silenced (silence {})", silence.number),
            by: silence.actor.clone(),
            at: Moment::exact(silence.at, zone),
            until: Moment::exact(silence.until, zone),
            reason: silence.reason.clone(),
            ended: ended(silence.ended_at, silence.ended_by.as_ref(), zone),
        }
    }

    /// All that was ever said about it.
    pub(super) fn all(said: &Said, zone: &TimeZone) -> Vec<Held> {
        let acks = said.acks.iter().map(|ack| Held::ack(ack, zone));
        let silences = said.silences.iter();
        acks.chain(silences.map(|silence| Held::silence(silence, zone)))
            .collect()
    }

    /// What holds now.
    fn now(said: &Said, now: Timestamp, zone: &TimeZone) -> Vec<Held> {
        let mut said = said.clone();
        said.acks.retain(|ack| ack.holds(now));
        said.silences.retain(|silence| silence.holds(now));
        Held::all(&said, zone)
    }
}

fn ended(at: Option<Timestamp>, by: Option<&String>, zone: &TimeZone) -> Option<(Moment, String)> {
    at.map(|at| (Moment::exact(at, zone), by.cloned().unwrap_or_default()))
}

/// The incident as it is shown; while it is open with what to do.
pub(super) fn card(asked: &Asked<'_>, line: &Line) -> store::Result<Card> {
    let zone = &asked.scene.policy.schedules.zone;
    let credential = credential_of(line);
    let advice = match (line.ended_at, &line.about, credential) {
        (None, About::Leafwatch { subject }, _) => {
            let daemon = &asked.scene.policy.daemon;
            let matter = Matter::Own(subject);
            Some(words::advice(line.kind, None, matter, daemon))
        }
        (None, About::Credential(_), Some(credential)) => {
            let trouble = (line.kind, line.began_at);
            Some(asked.tx.advice_on(&asked.scene, credential, trouble)?)
        }
        _ => None,
    };
    let came_back = match line.reopened {
        0 => String::new(),
        times => format!(", came back {}", words::counted(u64::from(times), "time")),
    };
    Ok(Card {
        number: line.incident,
        tone: match line.ended_at {
            Some(_) => Tone::Quiet,
            None => line.severity.into(),
        },
        kind: format!("{}{came_back}", words::label(line.kind)),
        who: line.about.shown(line.track),
        credential: credential.map(href),
        began: Moment::exact(line.began_at, zone),
        length: lanes::length(line.began_at, line.ended_at, asked.scene.now),
        ended: line
            .ended_by
            .map(|by| words::unproved(by).unwrap_or("mended")),
        recovering: line.ended_at.is_none()
            && line
                .steps
                .last()
                .is_some_and(|step| step.step == TransitionKind::Well),
        acts: advice
            .as_ref()
            .map_or_else(String::new, |advice| capital(advice.who)),
        next: advice.map_or_else(String::new, |advice| advice.next),
        told: words::told(&line.told),
        held: match line.ended_at {
            Some(_) => Vec::new(),
            None => Held::now(&line.said, asked.scene.now, zone),
        },
        steps: line.steps.iter().map(|one| step(one, zone)).collect(),
    })
}

/// Whose incident it is; none for those of the account and our own.
pub(super) fn credential_of(line: &Line) -> Option<Credential> {
    match &line.about {
        About::Credential(who) => Some(Credential {
            user: who.user.user,
            provider: who.provider,
        }),
        About::Leafwatch { .. } => None,
    }
}

fn step(step: &Step, zone: &TimeZone) -> (Moment, String, String) {
    (
        Moment::short(step.at, zone),
        words::step(step.step, step.kind),
        step.why.clone(),
    )
}

/// All that are open, and those that have ended, a page at a time.
#[derive(Debug, Template)]
#[template(path = "incidents.html")]
pub(super) struct Page {
    frame: Frame,
    open: Vec<Card>,
    open_more: u64,
    ended: Vec<Card>,
    from_the_top: bool,
    next: Option<IncidentId>,
}

/// The list.
pub(super) fn page(asked: &Asked<'_>, before: Option<IncidentId>) -> store::Result<Page> {
    let limit = if before.is_some() { 0 } else { OPEN };
    let (open, total) = asked.tx.worst_open(&asked.scene, limit)?;
    let mut ended = asked.tx.newest_ended(&asked.scene, before, ENDED + 1)?;
    let more = ended.len() > ENDED as usize;
    ended.truncate(ENDED as usize);
    let next = ended.last().map(|line| line.incident).filter(|_| more);
    let cards = |lines: &[Line]| -> store::Result<Vec<Card>> {
        lines.iter().map(|line| card(asked, line)).collect()
    };
    let open: Vec<Card> = cards(&open)?;
    Ok(Page {
        frame: Frame::new(asked, Here::Incidents, "Incidents"),
        open_more: total.saturating_sub(open.len() as u64),
        open,
        ended: cards(&ended)?,
        from_the_top: before.is_none(),
        next,
    })
}
