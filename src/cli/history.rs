//! `history USER`: what happened, in the order of time.

use std::collections::BTreeSet;

use super::args::Past;
use super::exit::Failure;
use super::heading;
use super::table::{Look, Page, Style, Table, text, whole};
use crate::model::{Provider, TransitionKind, WhyUnseen};
use crate::store::{Db, Filter, Scene};
use crate::view::history::{Entry, History, What};
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
            (lasted(entry, scene), Style::Plain),
            told(entry),
            (provider.to_owned(), Style::Dim),
        ]);
    }
    page.gap();
    page.table(&table);
}

fn lasted(entry: &Entry, scene: &Scene<'_>) -> String {
    let moment = matches!(entry.what, What::Watched | What::Incident { .. });
    match entry.until {
        _ if moment => String::new(),
        Some(until) => words::duration(words::between(entry.at, until)),
        None => format!(
            "{} so far",
            words::duration(words::between(entry.at, scene.now))
        ),
    }
}

fn told(entry: &Entry) -> (String, Style) {
    match &entry.what {
        What::Watched => ("put on the watch list".to_owned(), Style::Dim),
        What::Answer {
            status,
            environment,
            epoch,
            reconnected,
            ..
        } => {
            let mut words = match status {
                Some(word) => format!("Leaf says {word}"),
                None => "Leaf sends no status word".to_owned(),
            };
            if let Some(environment) = environment {
                words.push_str(&format!(", {environment}"));
            }
            if *reconnected {
                words.push_str(&format!("; connected anew ({})", words_of_epoch(*epoch)));
            }
            (words, Style::Plain)
        }
        What::Missing => ("Leaf has no such connection".to_owned(), Style::Plain),
        What::NoAnswer { detail, .. } => (format!("no answer: {detail}"), Style::Dim),
        What::Incident {
            incident,
            step,
            kind,
            why,
        } => {
            let style = match step {
                TransitionKind::Resolved | TransitionKind::Well => Style::Good,
                TransitionKind::Closed => Style::Dim,
                _ => Style::Doubtful,
            };
            (
                format!("incident {incident}: {} ({why})", words::step(*step, *kind)),
                style,
            )
        }
        What::BriefBreakage { failures } => (
            format!(
                "broken for a moment: {} between two healthy looks",
                words::counted(u64::from(*failures), "failed event")
            ),
            Style::Doubtful,
        ),
        What::Blind { sweep } => (
            format!("Leafwatch was blind; sweep {}", words::sweep_end(*sweep)),
            Style::Dim,
        ),
        What::Off { killed: false } => ("Leafwatch was off".to_owned(), Style::Dim),
        What::Off { killed: true } => (
            "Leafwatch was off, without an orderly stop".to_owned(),
            Style::Dim,
        ),
        What::NotLooked => (words::unseen(WhyUnseen::NotLooked).to_owned(), Style::Dim),
    }
}

fn words_of_epoch(epoch: u32) -> String {
    format!("connection {epoch} of this user")
}
