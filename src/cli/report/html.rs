//! The report as one page that needs nothing else: for a browser in light and dark, and for a printer.

use askama::Template;

use super::tables::{ended, length, told};
use crate::store::Scene;
use crate::view::availability::Availability;
use crate::view::report::Report;
use crate::view::words;

#[derive(Template)]
#[template(path = "report.html")]
struct Sheet<'a> {
    period: String,
    scope: &'static str,
    made: String,
    sentences: Vec<String>,
    providers: Vec<Row>,
    credentials: Vec<Row>,
    hidden: Option<String>,
    unseen_title: &'static str,
    unseen: Vec<String>,
    incidents: Vec<[String; 6]>,
    legend: &'a [(&'static str, &'static str)],
}

/// A line of availability.
struct Row {
    name: String,
    /// How many credentials; empty in a line about one.
    count: String,
    shown: String,
    trouble: String,
    not_seen: String,
    bar: Bar,
}

/// Shares of the watched time, in thousandths of its width.
struct Bar {
    healthy: u32,
    trouble: u32,
}

impl Bar {
    fn of(of: &Availability) -> Bar {
        let watched = of.seen() + of.not_seen.total();
        let part = |length: std::time::Duration| match watched.is_zero() {
            true => 0,
            false => (length.as_secs_f64() / watched.as_secs_f64() * 1000.0) as u32,
        };
        // However short, trouble is to be seen.
        let trouble = part(of.trouble).max(if of.trouble.is_zero() { 0 } else { 4 });
        Bar {
            healthy: part(of.healthy).min(1000 - trouble),
            trouble,
        }
    }
}

fn row(name: String, count: String, of: &Availability) -> Row {
    Row {
        name,
        count,
        shown: of.shown(),
        trouble: length(of.trouble),
        not_seen: length(of.not_seen.total()),
        bar: Bar::of(of),
    }
}

pub(super) fn render(
    report: &Report,
    scene: &Scene<'_>,
    all: bool,
) -> Result<String, anyhow::Error> {
    let zone = &scene.policy.schedules.zone;
    let shown = |of: &&_| all || super::is_listed(of);
    let hidden = report.credentials.iter().filter(|of| !shown(of)).count();
    let sentences = [
        super::overall(report),
        super::counted(&report.incidents),
        super::means(&report.incidents),
    ];
    let sheet = Sheet {
        period: format!(
            "{} to {}",
            words::time(report.since, zone),
            words::time(report.until, zone)
        ),
        scope: match report.provider {
            Some(provider) => provider.display_name(),
            None => "all providers",
        },
        made: words::time(scene.now, zone),
        sentences: sentences
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect(),
        providers: report
            .providers
            .iter()
            .map(|of| {
                let count = words::number(u64::from(of.credentials));
                let name = of.provider.display_name().to_owned();
                row(name, count, &of.availability)
            })
            .collect(),
        credentials: report
            .credentials
            .iter()
            .filter(shown)
            .map(|of| {
                let who = words::credential(&of.who.user.shown(), of.who.provider);
                row(who, String::new(), &of.availability)
            })
            .collect(),
        hidden: (hidden > 0).then(|| super::hidden(hidden)),
        unseen_title: super::NOT_SEEN,
        unseen: report
            .unseen
            .iter()
            .map(|unseen| {
                format!(
                    "{} from {} for {}",
                    words::unseen(unseen.why),
                    words::time(unseen.from, zone),
                    words::duration(words::between(unseen.from, unseen.until))
                )
            })
            .collect(),
        incidents: report
            .incident_list
            .iter()
            .map(|line| {
                [
                    line.incident.to_string(),
                    words::label(line.kind).to_owned(),
                    line.about.shown(line.track),
                    words::short_time(line.began_at, zone),
                    told(line),
                    ended(line, report),
                ]
            })
            .collect(),
        legend: &[
            ("healthy", "healthy"),
            ("trouble", "in trouble"),
            ("dark", "not seen"),
        ],
    };
    Ok(sheet.render()?)
}
