//! The page of one incident: its whole life, who is on it, and every mail that tells of it.

use askama::Template;

use super::frame::{Frame, Here, Tone};
use super::site::Asked;
use crate::model::IncidentId;
use crate::store::{self, IncidentPart};
use crate::view::{Delivery, Incident, words};

const PARTS: &[IncidentPart] = &[
    IncidentPart::Told,
    IncidentPart::Transitions,
    IncidentPart::Said,
    IncidentPart::Advice,
];

#[derive(Debug, Template)]
#[template(path = "incident.html")]
pub(super) struct IncidentPage {
    frame: Frame,
    incident: Incident,
    mails: Vec<Delivery>,
}

/// The page of the incident with that number, if there is one.
pub(super) fn page(asked: &Asked<'_>, number: IncidentId) -> store::Result<Option<IncidentPage>> {
    let Some(incident) = asked.tx.incident_shown(&asked.scene, number, PARTS)? else {
        return Ok(None);
    };
    let title = format!(
        "Incident {number}: {} – {}",
        words::label(incident.kind),
        incident.whose()
    );
    Ok(Some(IncidentPage {
        frame: Frame::new(asked, Here::Elsewhere, title),
        mails: asked.tx.deliveries_about(asked.scene.now, number)?,
        incident,
    }))
}
