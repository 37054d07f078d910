//! `events USER`: Leaf's events as kept, the newest first.

use std::time::Duration;

use super::args::PastEvents;
use super::exit::Failure;
use super::heading;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::model::{EventVerdict, clean};
use crate::store::{Db, Filter, Scene};
use crate::view::events::UsersEvents;
use crate::view::{Event, words};

/// How far back without `--since`: as far as Leaf itself keeps events.
const USUAL: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest answer of a provider in the table.
const BODY: usize = 200;

/// The page.
pub fn page(
    db: &mut Db,
    scene: &Scene<'_>,
    args: &PastEvents,
    look: Look,
) -> Result<Page, Failure> {
    let past = &args.past;
    let filter = Filter {
        since: Some(past.from.moment(scene).unwrap_or(scene.ago(USUAL))),
        ..past.of.common.filter()
    };
    let events = db.read(|tx| {
        let user = past.of.find(tx, scene)?;
        Ok::<_, Failure>(tx.events_of(user, filter)?)
    })?;
    let mut page = Page::new(look);
    match look.json {
        true => page.document(&events)?,
        false => lay_out(&mut page, &events, args.verbose, scene),
    }
    Ok(page)
}

fn lay_out(page: &mut Page, events: &UsersEvents, verbose: bool, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.say(Style::Bold, &heading(&events.user));
    if let Some(since) = events.since {
        let line = format!(
            "Events since {}, the newest first",
            words::time(since, zone)
        );
        page.say(Style::Dim, &line);
    }
    if events.events.is_empty() {
        page.say(
            Style::Plain,
            "None are kept of that time; go further back with --since.",
        );
        return;
    }
    page.gap();
    let mut table = Table::new(&[
        whole("WHEN"),
        text("PROVIDER"),
        whole("CODE"),
        text("SAYS"),
        text("ANSWER"),
    ]);
    for event in &events.events {
        if verbose {
            in_full(page, event, scene);
            continue;
        }
        table.row([
            (when(event, scene), Style::Plain),
            (event.provider.display_name().to_owned(), Style::Plain),
            (code(event), Style::Plain),
            says(event),
            (clean(&event.body, BODY), Style::Plain),
        ]);
    }
    page.table(&table);
}

fn when(event: &Event, scene: &Scene<'_>) -> String {
    let zone = &scene.policy.schedules.zone;
    match event.at {
        Some(at) => words::short_time(at, zone),
        None => format!("seen {}", words::short_time(event.seen_at, zone)),
    }
}

fn code(event: &Event) -> String {
    event
        .status_code
        .map_or_else(|| "-".to_owned(), |code| code.to_string())
}

fn says(event: &Event) -> (String, Style) {
    let mut said = words::says(event.says, event.judges_nothing).to_owned();
    if event.brief {
        said.push_str(", a moment only");
    }
    let style = match event.says {
        EventVerdict::Success => Style::Good,
        EventVerdict::Failure => Style::Bad,
        EventVerdict::Neither => Style::Dim,
    };
    (said, style)
}

fn in_full(page: &mut Page, event: &Event, scene: &Scene<'_>) {
    let (said, style) = says(event);
    let provider = event.provider.display_name();
    let line = format!(
        "{}  {provider}  {}  {said}",
        when(event, scene),
        code(event)
    );
    page.say(style, &line);
    if let Some(why) = event.judges_nothing {
        page.labelled(2, "not counted: ", words::unusable(why));
    }
    for (label, value) in [("answer:  ", &event.body), ("headers: ", &event.headers)] {
        if !value.is_empty() {
            page.labelled(2, label, &clean(value, value.len()));
        }
    }
}
