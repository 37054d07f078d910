//! The report on a terminal.

use crate::cli::table::{Page, Style, Table, text, whole};
use crate::store::Scene;
use crate::view::availability::Availability;
use crate::view::report::{Line, Report};
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
    page.say(Style::Plain, &super::overall(report));
    page.say(Style::Plain, &super::counted(&report.incidents));
    let means = super::means(&report.incidents);
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
            (length(of.availability.trouble), Style::Plain),
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
        let who = words::credential(&of.who.user.shown(), of.who.provider);
        table.row([
            (who, Style::Plain),
            (of.availability.shown(), style(&of.availability)),
            (length(of.availability.trouble), Style::Plain),
            (length(of.availability.not_seen.total()), Style::Plain),
        ]);
    }
    if !table.is_empty() {
        page.gap();
        page.table(&table);
    }
    let hidden = report.credentials.iter().filter(|of| !shown(of)).count();
    if hidden > 0 {
        page.gap();
        page.say(Style::Dim, &super::hidden(hidden));
    }
}

fn unseen(page: &mut Page, report: &Report, scene: &Scene<'_>) {
    let zone = &scene.policy.schedules.zone;
    if report.unseen.is_empty() {
        return;
    }
    page.gap();
    page.say(Style::Bold, super::NOT_SEEN);
    for unseen in &report.unseen {
        let line = format!(
            "{} from {} for {}",
            words::unseen(unseen.why),
            words::short_time(unseen.from, zone),
            words::duration(words::between(unseen.from, unseen.until))
        );
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
    for line in &report.incident_list {
        table.row([
            (line.incident.to_string(), Style::Plain),
            (words::label(line.kind).to_owned(), Style::Plain),
            (line.about.shown(line.track), Style::Plain),
            (words::short_time(line.began_at, zone), Style::Plain),
            (told(line), Style::Plain),
            (ended(line, report), Style::Plain),
        ]);
    }
    if !table.is_empty() {
        page.gap();
        page.table(&table);
    }
}

pub(super) fn told(line: &Line) -> String {
    line.told_at.map_or_else(
        || "-".to_owned(),
        |at| words::duration(words::between(line.began_at, at)),
    )
}

pub(super) fn ended(line: &Line, report: &Report) -> String {
    let after = |end| words::duration(words::between(line.began_at, end));
    match (line.ended_at.filter(|at| *at < report.until), line.ended_by) {
        (None, _) => format!("open for {}", after(report.until)),
        (Some(end), by) => match by.and_then(words::unproved) {
            Some(unproved) => format!("{unproved}, after {}", after(end)),
            None => format!("after {}", after(end)),
        },
    }
}

pub(super) fn length(length: std::time::Duration) -> String {
    match length.is_zero() {
        true => "-".to_owned(),
        false => words::duration(length),
    }
}

fn style(of: &Availability) -> Style {
    match of.availability {
        None => Style::Dim,
        Some(1.0) => Style::Good,
        Some(_) => Style::Doubtful,
    }
}
