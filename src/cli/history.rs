//! `history USER`: what happened, in the order of time.

use std::collections::BTreeSet;

use super::args::Past;
use super::exit::Failure;
use super::heading;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::model::{Provider, TransitionKind};
use crate::store::{Db, Filter, Scene};
use crate::view::history::{Happening, History};
use crate::view::words;

/// The page.
pub fn page(db: &mut Db, scene: &Scene<'_>, args: &Past, look: Look) -> Result<Page, Failure> {
    let filter = Filter {
        since: args.from.moment(scene),
        ..args.of.common.filter()
    };
    let history = db.read(|tx| {
        let user = args.of.find(tx, scene)?;
        Ok::<_, Failure>(tx.history_of(scene, user, filter)?)
    })?;
    let mut page = Page::new(look);
    match look.json {
        true => page.document(&history)?,
        false => lay_out(&mut page, &history, scene),
    }
    Ok(page)
}

fn lay_out(page: &mut Page, history: &History, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let of: BTreeSet<Provider> = history
        .entries
        .iter()
        .filter_map(|entry| entry.provider)
        .collect();
    let one = of.first().filter(|_| of.len() == 1);
    let about = one.map(|provider| format!(": {}", provider.display_name()));
    page.say(
        Style::Bold,
        &(heading(&history.user) + &about.unwrap_or_default()),
    );
    if let Some(since) = history.since {
        page.say(Style::Dim, &format!("Since {}", words::time(since, zone)));
    }
    if history.entries.is_empty() {
        page.say(Style::Plain, "Nothing is kept of that time.");
        return;
    }
    let columns = [whole("WHEN"), whole("FOR"), text("WHAT"), text("PROVIDER")];
    let shown = if one.is_some() { 3 } else { 4 };
    let mut table = Table::new(&columns[..shown]);
    for entry in &history.entries {
        let provider = entry.provider.map_or("all", Provider::display_name);
        table.row([
            (words::short_time(entry.at, zone), Style::Plain),
            (words::lasting(entry, scene.now), Style::Plain),
            (words::happening(&entry.what), style(&entry.what)),
            (provider.to_owned(), Style::Dim),
        ]);
    }
    page.gap();
    page.table(&table);
}

fn style(what: &Happening) -> Style {
    match what {
        Happening::Answer { .. } | Happening::Missing => Style::Plain,
        Happening::Incident { step, .. } => match step {
            TransitionKind::Resolved | TransitionKind::Well => Style::Good,
            TransitionKind::Closed => Style::Dim,
            _ => Style::Doubtful,
        },
        Happening::BriefBreakage { .. } => Style::Doubtful,
        _ => Style::Dim,
    }
}
