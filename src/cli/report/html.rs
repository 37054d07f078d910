//! The report as one page that needs nothing else: for a browser in light and dark, and for a printer.

use askama::Template;
use jiff::tz::TimeZone;

use crate::store::Scene;
use crate::view::availability::{Availability, OfCredential};
use crate::view::report::Report;
use crate::view::words;

#[derive(Template)]
#[template(path = "report.html")]
struct Sheet<'a> {
    report: &'a Report,
    zone: &'a TimeZone,
    period: String,
    made: String,
    sentences: Vec<String>,
    credentials: Vec<&'a OfCredential>,
    hidden: Option<String>,
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

pub(super) fn render(
    report: &Report,
    scene: &Scene<'_>,
    all: bool,
) -> Result<String, anyhow::Error> {
    let zone = &scene.policy.schedules.zone;
    let shown = |of: &&_| all || super::is_listed(of);
    let hidden = report.credentials.iter().filter(|of| !shown(of)).count();
    let sentences = [
        words::overall(report),
        words::incidents_of(&report.incidents),
        words::means(&report.incidents),
    ];
    let sheet = Sheet {
        report,
        zone,
        period: format!(
            "{} to {}",
            words::time(report.since, zone),
            words::time(report.until, zone)
        ),
        made: words::time(scene.now, zone),
        sentences: sentences
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect(),
        credentials: report.credentials.iter().filter(shown).collect(),
        hidden: (hidden > 0).then(|| words::hidden(hidden)),
    };
    Ok(sheet.render()?)
}
