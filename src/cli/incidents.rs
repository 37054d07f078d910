//! `incidents`: what opened and ended, and how it was told.

use std::time::Duration;

use super::args::Incidents;
use super::exit::Failure;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::store::{Db, Filter, IncidentPart, Scene};
use crate::view::incidents::IncidentsHeading;
use crate::view::{Incident, words};

/// How far back without `--since`; what is open is always shown.
const USUAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// The page.
pub fn page(db: &mut Db, scene: &Scene<'_>, args: &Incidents, look: Look) -> Result<Page, Failure> {
    let zone = &scene.policy.schedules.zone;
    let since = args.from.moment(scene).unwrap_or(scene.ago(USUAL));
    let filter = Filter {
        since: Some(since),
        ..args.common.filter()
    };
    let heading = IncidentsHeading {
        since: (!args.open).then_some(since),
        open_only: args.open,
    };
    db.read(|tx| {
        let mut page = Page::new(look);
        if look.json {
            page.begin_list(&heading, "incidents")?;
            let mut result = Ok(());
            tx.each_incident(scene, filter, args.open, IncidentPart::LISTED, |incident| {
                if result.is_ok() {
                    result = page.item(incident);
                }
            })?;
            result?;
            page.end_list();
            return Ok(page);
        }
        let parts: &[IncidentPart] = match args.verbose {
            true => IncidentPart::LISTED,
            false => &[IncidentPart::Told, IncidentPart::Said],
        };
        let (mut open, mut ended) = (0, 0);
        let mut table = Table::new(&[
            whole("NO"),
            text("KIND"),
            text("WHO"),
            whole("BEGAN"),
            text("ENDED"),
            text("TOLD"),
        ]);
        let mut details = Page::new(look);
        tx.each_incident(scene, filter, args.open, parts, |incident| {
            match incident.is_open() {
                true => open += 1,
                false => ended += 1,
            }
            match args.verbose {
                true => in_full(&mut details, &incident, scene),
                false => add(&mut table, &incident, scene),
            }
        })?;
        let period = match args.open {
            true => String::new(),
            false => format!(
                ", {} ended since {}",
                words::number(ended),
                words::time(since, zone)
            ),
        };
        let line = format!("{} open{period}", words::counted(open, "incident"));
        page.say(Style::Bold, &line);
        if !table.is_empty() {
            page.gap();
            page.table(&table);
        }
        page.append(details);
        Ok(page)
    })
}

fn add(table: &mut Table, incident: &Incident, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let plain = |text: String| (text, Style::Plain);
    table.row([
        plain(incident.number.to_string()),
        (words::called(incident), style(incident)),
        plain(incident.whose()),
        plain(words::short_time(incident.began_at, zone)),
        plain(words::lasted(incident, scene.now)),
        plain(words::told_and_held(incident, scene.now)),
    ]);
}

fn style(incident: &Incident) -> Style {
    match incident.is_open() {
        true => incident.severity.into(),
        false => Style::Dim,
    }
}

fn in_full(page: &mut Page, incident: &Incident, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.gap();
    let head = format!(
        "{}  {}: {}, {}",
        incident.number,
        incident.whose(),
        words::called(incident),
        words::lasted(incident, scene.now)
    );
    page.say(style(incident), &head);
    for transition in incident.transitions.iter().flatten() {
        let at = format!("{}  ", words::short_time(transition.at, zone));
        let said = format!("{} ({})", words::transition(transition), transition.why);
        page.labelled(2, &at, &said);
    }
    told(page, 2, incident);
    if let Some(told) = incident.told.as_ref().filter(|told| told.is_empty()) {
        page.labelled(2, "told: ", &words::told(told));
    }
    let said = incident.said.iter();
    for (label, line) in said.flat_map(|said| words::said(said, zone, scene.now)) {
        page.labelled(2, label, &line);
    }
}

/// Whom its mails reached.
pub(super) fn told(page: &mut Page, indent: usize, incident: &Incident) {
    for (label, addresses) in incident.told.iter().flat_map(words::told_by_address) {
        page.labelled(indent, label, &addresses.join(", "));
    }
}
