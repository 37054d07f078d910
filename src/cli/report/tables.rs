//! The report on a terminal.

use crate::cli::table::{Page, Style, Table, text, whole};
use crate::store::Scene;
use crate::view::availability::Availability;
use crate::view::report::Report;
use crate::view::words;

pub(super) fn render(page: &mut Page, report: &Report, scene: &Scene<'_>, all: bool) {
    let zone = &scene.policy.schedules.zone;
    let heading = format!(
        "From {} to {}{}",
        words::time(report.since, zone),
        words::time(report.until, zone),
        match report.provider {
            Some(provider) => format!(", {}", provider.display_name()),
            None => String::new(),
        }
    );
    page.say(Style::Bold, &heading);
    page.say(Style::Plain, &words::overall(report));
    page.say(Style::Plain, &words::incidents_of(&report.incidents));
    let means = words::means(&report.incidents);
    if !means.is_empty() {
        page.say(Style::Plain, &means);
    }
    providers(page, report);
    credentials(page, report, all);
    unseen(page, report, scene);
    incidents(page, report, scene);
}

fn providers(page: &mut Page, report: &Report) {
    let mut table = Table::new(&[
        text("PROVIDER"),
        whole("CREDENTIALS"),
        whole("AVAILABILITY"),
        whole("IN TROUBLE"),
        whole("SEEN"),
    ]);
    for of in &report.providers {
        let seen = of.availability.seen_share().map(words::percent);
        table.row([
            (of.provider.display_name().to_owned(), Style::Plain),
            (words::number(u64::from(of.credentials)), Style::Plain),
            (of.availability.shown(), style(&of.availability)),
            (words::some(of.availability.trouble), Style::Plain),
            (seen.unwrap_or_else(|| "-".to_owned()), Style::Plain),
        ]);
    }
    if !table.is_empty() {
        page.gap();
        page.table(&table);
    }
}

fn credentials(page: &mut Page, report: &Report, all: bool) {
    let mut table = Table::new(&[
        text("CREDENTIAL"),
        whole("AVAILABILITY"),
        whole("IN TROUBLE"),
        whole("NOT SEEN"),
    ]);
    let shown = |of: &&_| all || super::is_listed(of);
    for of in report.credentials.iter().filter(shown) {
        table.row([
            (of.who.shown(), Style::Plain),
            (of.availability.shown(), style(&of.availability)),
            (words::some(of.availability.trouble), Style::Plain),
            (words::some(of.availability.not_seen.total()), Style::Plain),
        ]);
    }
    if !table.is_empty() {
        page.gap();
        page.table(&table);
    }
    let hidden = report.credentials.iter().filter(|of| !shown(of)).count();
    if hidden > 0 {
        page.gap();
        page.say(Style::Dim, &words::hidden(hidden));
    }
}

fn unseen(page: &mut Page, report: &Report, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    if report.unseen.is_empty() {
        return;
    }
    page.gap();
    page.say(Style::Bold, words::NOT_SEEN);
    for unseen in &report.unseen {
        let line = words::not_seen(unseen, &words::short_time(unseen.from, zone));
        page.styled(2, Style::Plain, &line);
    }
}

fn incidents(page: &mut Page, report: &Report, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    let mut table = Table::new(&[
        whole("NO"),
        text("KIND"),
        text("WHO"),
        whole("BEGAN"),
        whole("TOLD AFTER"),
        text("ENDED"),
    ]);
    for incident in &report.incident_list {
        let cells = [
            incident.number.to_string(),
            words::label(incident.kind).to_owned(),
            incident.whose(),
            words::short_time(incident.began_at, zone),
            words::told_after(incident),
            words::lasted_in(incident, report.until),
        ];
        table.row(cells.map(|cell| (cell, Style::Plain)));
    }
    if !table.is_empty() {
        page.gap();
        page.table(&table);
    }
}

fn style(of: &Availability) -> Style {
    match of.availability {
        None => Style::Dim,
        Some(1.0) => Style::Good,
        Some(_) => Style::Doubtful,
    }
}
