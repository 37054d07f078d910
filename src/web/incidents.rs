//! All incidents that are open, and those that have ended, a page at a time.

use askama::Template;

use super::frame::{Frame, Here, Tone};
use super::site::Asked;
use crate::model::IncidentId;
use crate::store::{self, IncidentPart};
use crate::view::{Incident, words};

/// Open incidents on the list.
const OPEN: usize = 200;
/// Ended ones on a page of it.
const ENDED: u32 = 50;

/// What lists show of an incident.
pub(super) const PARTS: &[IncidentPart] =
    &[IncidentPart::Told, IncidentPart::Said, IncidentPart::Advice];

#[derive(Debug, Template)]
#[template(path = "incidents.html")]
pub(super) struct IncidentsPage {
    frame: Frame,
    open: Vec<Incident>,
    open_more: u64,
    ended: Vec<Incident>,
    from_the_top: bool,
    next: Option<IncidentId>,
}

/// The list; of those that have ended, what opened before the one numbered `before`.
pub(super) fn page(asked: &Asked<'_>, before: Option<IncidentId>) -> store::Result<IncidentsPage> {
    let limit = if before.is_some() { 0 } else { OPEN };
    let (open, total) = asked.tx.worst_open(&asked.scene, limit, PARTS)?;
    let mut ended = asked
        .tx
        .newest_ended(&asked.scene, before, ENDED + 1, PARTS)?;
    let more = ended.len() > ENDED as usize;
    ended.truncate(ENDED as usize);
    Ok(IncidentsPage {
        frame: Frame::new(asked, Here::Incidents, "Incidents"),
        open_more: total.saturating_sub(open.len() as u64),
        open,
        next: ended.last().map(|last| last.number).filter(|_| more),
        ended,
        from_the_top: before.is_none(),
    })
}
