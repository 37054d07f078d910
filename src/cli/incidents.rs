//! `incidents`: what opened and ended, and how it was told.

use std::time::Duration;

use super::args::Incidents;
use super::exit::Failure;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::model::Severity;
use crate::store::{Db, Filter, Scene};
use crate::view::incidents::{Heading, Line};
use crate::view::words;

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
    let heading = Heading {
        since: (!args.open).then_some(since),
        open_only: args.open,
    };
    db.read(|tx| {
        let mut page = Page::new(look);
        if look.json {
            page.begin_list(&heading, "incidents")?;
            let mut result = Ok(());
            tx.each_incident(scene, filter, args.open, |line| {
                if result.is_ok() {
                    result = page.item(line);
                }
            })?;
            result?;
            page.end_list();
            return Ok(page);
        }
        let mut count = Count::default();
        let mut table = Table::new(&[
            whole("NO"),
            text("KIND"),
            text("WHO"),
            whole("BEGAN"),
            text("ENDED"),
            text("TOLD"),
        ]);
        let mut details = Page::new(look);
        tx.each_incident(scene, filter, args.open, |line| {
            count.add(&line);
            match args.verbose {
                true => in_full(&mut details, &line, scene),
                false => add(&mut table, &line, scene),
            }
        })?;
        let period = match args.open {
            true => String::new(),
            false => format!(
                ", {} ended since {}",
                words::number(count.ended),
                words::time(since, zone)
            ),
        };
        let line = format!("{} open{period}", words::counted(count.open, "incident"));
        page.say(Style::Bold, &line);
        if !table.is_empty() {
            page.gap();
            page.table(&table);
        }
        page.append(details);
        Ok(page)
    })
}

#[derive(Default)]
struct Count {
    open: u64,
    ended: u64,
}

impl Count {
    fn add(&mut self, line: &Line) {
        match line.ended_at {
            None => self.open += 1,
            Some(_) => self.ended += 1,
        }
    }
}

fn add(table: &mut Table, line: &Line, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    table.row([
        (line.incident.to_string(), Style::Plain),
        (kind(line), style(line)),
        (line.about.shown(line.track), Style::Plain),
        (words::short_time(line.began_at, zone), Style::Plain),
        (ended(line, scene), Style::Plain),
        (told(line, scene), Style::Plain),
    ]);
}

fn told(line: &Line, scene: &Scene<'_>) -> String {
    let told = words::told(&line.told);
    match words::held_back(&line.said, scene.now) {
        Some(back) if line.ended_at.is_none() => format!("{told}; {back}"),
        _ => told,
    }
}

fn kind(line: &Line) -> String {
    match line.reopened {
        0 => words::label(line.kind).to_owned(),
        1 => format!("{}, came back once", words::label(line.kind)),
        times => format!("{}, came back {times} times", words::label(line.kind)),
    }
}

fn style(line: &Line) -> Style {
    match (line.ended_at, line.severity) {
        (Some(_), _) => Style::Dim,
        (None, Severity::Critical) => Style::Bad,
        (None, Severity::Warning) => Style::Doubtful,
    }
}

fn ended(line: &Line, scene: &Scene<'_>) -> String {
    let length = |end| words::duration(words::between(line.began_at, end));
    match (line.ended_at, line.ended_by) {
        (Some(end), by) => match by.and_then(words::unproved) {
            Some(unproved) => format!("{unproved}, after {}", length(end)),
            None => format!("after {}", length(end)),
        },
        (None, _) => format!("open for {}", length(scene.now)),
    }
}

fn in_full(page: &mut Page, line: &Line, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    page.gap();
    let head = format!(
        "{}  {}: {}, {}",
        line.incident,
        line.about.shown(line.track),
        kind(line),
        ended(line, scene)
    );
    page.say(style(line), &head);
    for step in &line.steps {
        let at = format!("{}  ", words::short_time(step.at, zone));
        let said = format!("{} ({})", words::step(step.step, step.kind), step.why);
        page.labelled(2, &at, &said);
    }
    for (label, addresses) in [
        ("told: ", &line.told.accepted),
        ("waiting to be told: ", &line.told.waiting),
        ("not told, refused: ", &line.told.failed),
    ] {
        if !addresses.is_empty() {
            page.labelled(2, label, &addresses.join(", "));
        }
    }
    if line.told.accepted.is_empty() && line.told.waiting.is_empty() && line.told.failed.is_empty()
    {
        page.labelled(2, "told: ", &words::told(&line.told));
    }
    for ack in &line.said.acks {
        page.labelled(2, "acknowledged ", &words::ack(ack, zone, scene.now));
    }
    for silence in &line.said.silences {
        page.labelled(2, "silenced ", &words::silence(silence, zone, scene.now));
    }
}
