//! What `config check` prints: a pure function of what was loaded.

use std::fmt::{self, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::duration::rough_duration;
use super::pace::requests_a_second;
use super::{Config, Fault, Faults, Transport, Web};
use crate::model::{Address, Provider, QuietWindow, Schedule};

/// The report and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// For the terminal; ends with a newline.
    pub text: String,
    /// The faults alone.
    pub faults: String,
    /// Whether a run could start; warnings do not forbid it.
    pub exit_ok: bool,
}

/// The rules that say what comes when; handed in, because a config decides nothing.
#[derive(Debug, Clone, Copy)]
pub struct Calendar {
    /// When a schedule falls due next, from a moment on.
    pub next: fn(&Schedule, &TimeZone, Timestamp) -> Option<Timestamp>,
    /// When a quiet window is open next, the one that is open now among them.
    pub openings: fn(&QuietWindow, Timestamp) -> Vec<(Timestamp, Timestamp)>,
}

/// Puts together all faults, then all warnings, then what the config amounts to.
///
/// `secrets` is what [`Config::check_secrets`] said.
pub fn report(
    loaded: &Result<Config, Faults>,
    secrets: &[Fault],
    now: Timestamp,
    calendar: Calendar,
) -> Report {
    let mut faults: Vec<&Fault> = secrets.iter().collect();
    if let Err(Faults(found)) = loaded {
        faults.extend(found);
    }
    let (mut text, mut alone) = (String::new(), String::new());
    // Writing into a String does not fail.
    let _ = write_report(&mut text, loaded.as_ref().ok(), &faults, now, calendar);
    let _ = write_faults(&mut alone, &faults);
    Report {
        text,
        faults: alone,
        exit_ok: faults.is_empty(),
    }
}

fn write_report(
    out: &mut String,
    config: Option<&Config>,
    faults: &[&Fault],
    now: Timestamp,
    calendar: Calendar,
) -> fmt::Result {
    write_faults(out, faults)?;
    let Some(config) = config else {
        return Ok(());
    };
    heading(out, config.warnings.len(), "warning")?;
    for warning in &config.warnings {
        writeln!(out, "  {warning}")?;
    }
    if !out.is_empty() {
        writeln!(out)?;
    }
    let lines = summary(config);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &lines {
        writeln!(out, "{name:width$}  {value}")?;
    }
    writeln!(
        out,
        "\nnext, from {}",
        both_clocks(now, &config.policy.schedules.zone)
    )?;
    let schedules = &config.policy.schedules;
    for (name, schedule) in [
        ("sweep", &schedules.sweep),
        ("events", &schedules.events),
        ("reminders", &schedules.reminders),
        ("digest", &schedules.digest),
    ] {
        match (calendar.next)(schedule, &schedules.zone, now) {
            Some(at) => writeln!(out, "  {name:9}  {}", both_clocks(at, &schedules.zone))?,
            None => writeln!(out, "  {name:9}  never")?,
        }
    }
    let quiet = config.policy.alerts.quiet.iter();
    let names = quiet.clone().map(|window| {
        let names: Vec<&str> = window.severities.iter().map(|one| one.name()).collect();
        names.join(", ")
    });
    let names: Vec<String> = names.collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    if width > 0 {
        writeln!(out, "\nwhen mails wait (looking goes on)")?;
    }
    for (window, names) in quiet.zip(&names) {
        for (from, to) in (calendar.openings)(window, now) {
            let (from, to) = (
                both_clocks(from, &window.zone),
                both_clocks(to, &window.zone),
            );
            writeln!(out, "  {names:width$}  {from} to {to}")?;
        }
    }
    let verdict = match (faults.len(), config.warnings.len()) {
        (0, 0) => "The config is good.",
        (0, _) => "The config can be used; see the warnings.",
        _ => "The config cannot be used; see the faults.",
    };
    writeln!(out, "\n{verdict}")
}

fn write_faults(out: &mut String, faults: &[&Fault]) -> fmt::Result {
    heading(out, faults.len(), "fault")?;
    for fault in faults {
        writeln!(out, "  {fault}")?;
    }
    Ok(())
}

fn heading(out: &mut String, count: usize, what: &str) -> fmt::Result {
    match count {
        0 => Ok(()),
        1 => writeln!(out, "1 {what}"),
        _ => writeln!(out, "{count} {what}s"),
    }
}

/// What the config amounts to, as names and values.
fn summary(config: &Config) -> Vec<(&'static str, String)> {
    let pace = config.pace_estimate();
    let schedules = &config.policy.schedules;
    let limit = config.leaf.max_requests_per_second;
    let at_limits = |time: Option<Duration>, schedule: &Schedule| match time {
        Some(time) => format!(
            "about {} at {}; due every {}",
            rough_duration(time.max(Duration::from_secs(1))),
            requests_a_second(limit),
            rough_duration(schedule.typical_interval())
        ),
        None => format!(
            "as fast as Leaf answers; due every {}",
            rough_duration(schedule.typical_interval())
        ),
    };
    let email = &config.email;
    let mail = match &email.transport {
        Transport::Smtp(smtp) => format!(
            "{}:{} ({}), from {}",
            smtp.host,
            smtp.port,
            smtp.tls.name(),
            email.from.address
        ),
        Transport::File { directory } => {
            format!(
                "into the folder {}, from {}",
                directory.display(),
                email.from.address
            )
        }
    };
    let alerts = &config.policy.alerts;
    let list = |addresses: &[Address]| {
        let texts: Vec<&str> = addresses.iter().map(Address::as_str).collect();
        texts.join(", ")
    };
    let heartbeat = match config.heartbeat {
        Some(_) => "set",
        None => "none",
    };
    vec![
        ("config", config.file.display().to_string()),
        ("Leaf", config.leaf.base_url.clone()),
        ("watched", watched(config)),
        ("a sweep", at_limits(pace.sweep, &schedules.sweep)),
        (
            "all events",
            at_limits(pace.events_round, &schedules.events),
        ),
        ("mail", mail),
        ("alerts to", list(&alerts.to)),
        ("operators", list(&alerts.operators)),
        ("database", config.database.path.display().to_string()),
        ("page", page(&config.web)),
        ("heartbeat", heartbeat.to_owned()),
    ]
}

fn page(web: &Web) -> String {
    let Some(listen) = web.listen else {
        return "none".to_owned();
    };
    let guard = match (&web.password, web.public_summary) {
        (Some(_), false) => ", behind a password",
        (Some(_), true) => ", behind a password; counts for everybody",
        (None, true) => ", counts only",
        (None, false) => ", for this machine alone",
    };
    format!("http://{listen}{guard}")
}

fn watched(config: &Config) -> String {
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let by_provider: Vec<String> = Provider::all()
        .filter_map(|provider| {
            let all = config.watch.credentials();
            match all
                .filter(|credential| credential.provider == provider)
                .count()
            {
                0 => None,
                count => Some(format!("{} {count}", provider.display_name())),
            }
        })
        .collect();
    format!(
        "{}, {}: {}",
        counted(config.watch.users().len(), "user"),
        counted(config.watch.len(), "credential"),
        by_provider.join(", ")
    )
}

/// A moment in the config's zone, and in UTC beside it.
fn both_clocks(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    let utc = at.to_zoned_datetime(TimeZone::UTC);
    let local_text = local.strftime("%a %-d %b %Y, %H:%M:%S %Z");
    if zone.iana_name() == Some("UTC") {
        return local_text.to_string();
    }
    match local.date() == utc.date() {
        true => format!("{local_text} ({} UTC)", utc.strftime("%H:%M:%S")),
        false => format!("{local_text} ({} UTC)", utc.strftime("%a %H:%M:%S")),
    }
}
