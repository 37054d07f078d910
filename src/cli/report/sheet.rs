//! The report as CSV: a line for all, for each provider and for each credential.

use std::collections::HashMap;

use crate::model::{Provider, UserId};
use crate::view::About;
use crate::view::availability::Availability;
use crate::view::report::Report;

const HEADER: [&str; 15] = [
    "scope",
    "provider",
    "user",
    "name",
    "since",
    "until",
    "availability",
    "healthy_seconds",
    "trouble_seconds",
    "no_answer_seconds",
    "not_looked_seconds",
    "blind_seconds",
    "off_seconds",
    "unwatched_seconds",
    "incidents",
];

/// What a line is about.
struct Scope<'a> {
    scope: &'static str,
    provider: Option<Provider>,
    user: Option<UserId>,
    name: &'a str,
    incidents: u64,
}

pub(super) fn render(report: &Report) -> Result<String, anyhow::Error> {
    let mut incidents: HashMap<(UserId, Provider), u64> = HashMap::new();
    let mut by_provider: HashMap<Provider, u64> = HashMap::new();
    for line in &report.incident_list {
        if let About::Credential(who) = &line.about {
            *incidents.entry((who.user.user, who.provider)).or_default() += 1;
            *by_provider.entry(who.provider).or_default() += 1;
        }
    }
    let mut sheet = csv::Writer::from_writer(Vec::new());
    sheet.write_record(HEADER)?;
    let all = Scope {
        scope: "overall",
        provider: report.provider,
        user: None,
        name: "",
        incidents: report.incidents.total,
    };
    add(&mut sheet, report, &all, &report.overall)?;
    for of in &report.providers {
        let scope = Scope {
            scope: "provider",
            provider: Some(of.provider),
            incidents: by_provider.get(&of.provider).copied().unwrap_or_default(),
            ..all
        };
        add(&mut sheet, report, &scope, &of.availability)?;
    }
    for of in &report.credentials {
        let key = (of.who.user.user, of.who.provider);
        let scope = Scope {
            scope: "credential",
            provider: Some(of.who.provider),
            user: Some(of.who.user.user),
            name: of.who.user.name.as_deref().unwrap_or_default(),
            incidents: incidents.get(&key).copied().unwrap_or_default(),
        };
        add(&mut sheet, report, &scope, &of.availability)?;
    }
    Ok(String::from_utf8(sheet.into_inner()?)?)
}

fn add(
    sheet: &mut csv::Writer<Vec<u8>>,
    report: &Report,
    scope: &Scope<'_>,
    of: &Availability,
) -> Result<(), csv::Error> {
    let share = of.availability.map(|share| format!("{share:.6}"));
    let mut record = vec![
        scope.scope.to_owned(),
        scope.provider.map(|of| of.to_string()).unwrap_or_default(),
        scope.user.map(|user| user.to_string()).unwrap_or_default(),
        harmless(scope.name),
        report.since.to_string(),
        report.until.to_string(),
        share.unwrap_or_default(),
    ];
    let lengths = [
        of.healthy,
        of.trouble,
        of.not_seen.no_answer,
        of.not_seen.not_looked,
        of.not_seen.blind,
        of.not_seen.off,
        of.unwatched,
    ];
    record.extend(lengths.map(|length| length.as_secs().to_string()));
    record.push(scope.incidents.to_string());
    sheet.write_record(record)
}

/// A name that a spreadsheet would take for a formula stays a text.
fn harmless(name: &str) -> String {
    match name.starts_with(['=', '+', '-', '@']) {
        true => format!("'{name}"),
        false => name.to_owned(),
    }
}
