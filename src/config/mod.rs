//! The settings: one documented struct a section, loaded once and checked whole.
//!
//! Never reads a secret while loading, and never holds state of a run.

mod alerts;
mod check;
mod database;
mod duration;
mod email;
mod fault;
mod growers;
mod heartbeat;
mod leaf;
mod log;
mod pace;
mod quiet;
mod reader;
mod reload;
mod routes;
mod rules;
mod schedule;
mod secret;
mod source;
mod unknown;
mod url;
mod values;
mod watch;
mod web;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;

pub use check::{Calendar, Report, report};
pub use database::Database;
pub use duration::{NotADuration, parse_duration, written_duration};
pub use email::{Email, Sender, Smtp, Tls, Transport};
pub use fault::{Fault, Faults, Place, Warning};
pub use heartbeat::Heartbeat;
pub use leaf::{Auth, Leaf};
pub use log::LogFormat;
pub use pace::Pace;
pub use reload::needs_restart;
pub use secret::{SecretFault, SecretFile};
pub use source::{DEFAULT_PATH, PATH_VARIABLE, Variables};
pub use web::Web;

use crate::model::{Policy, WatchList};
use reader::{Reader, Section};
use source::Source;

/// Everything that the operator sets, parsed and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Which daemon this is, where there are several: letters, digits, `-`, `_`, `.`.
    pub instance: Option<String>,
    /// `[leaf]`.
    pub leaf: Leaf,
    /// `[rules]`, `[alerts]` and `[schedule]`: what the rules decide by.
    pub policy: Policy,
    /// `[watch]`; shared, since it may be large.
    pub watch: Arc<WatchList>,
    /// `[email]`.
    pub email: Email,
    /// `[database]`.
    pub database: Database,
    /// `[web]`.
    pub web: Web,
    /// `[heartbeat]`, where it is set.
    pub heartbeat: Option<Heartbeat>,
    /// `log.format`; another one needs a restart.
    pub log_format: LogFormat,
    /// What is legal but unwise.
    pub warnings: Vec<Warning>,
}

/// Reads the settings from `file` and the variables over it. Secrets are not looked at: see [`Config::check_secrets`].
///
/// # Errors
/// Every fault at once.
pub fn load(file: &Path, variables: &Variables) -> Result<Config, Faults> {
    let source = Source::read(file, variables)?;
    let reader = Reader::new(source);
    let config = read(&reader);
    unknown::tell(&reader);
    let (faults, warnings) = reader.into_findings();
    match config {
        Some(config) if faults.is_empty() => Ok(Config { warnings, ..config }),
        _ => Err(Faults(faults)),
    }
}

impl Config {
    /// Looks at every secret file as a run would: it is there, has something in it, and nobody else can read it.
    pub fn check_secrets(&self) -> Vec<Fault> {
        let mut files = vec![self.leaf.auth.secret()];
        if let Transport::Smtp(smtp) = &self.email.transport {
            files.extend(
                smtp.password
                    .as_ref()
                    .map(|file| ("email.smtp.password_file", file)),
            );
        }
        files.extend(
            self.web
                .password
                .as_ref()
                .map(|file| ("web.password_file", file)),
        );
        let faults = files.into_iter().filter_map(|(key, file)| {
            let fault = file.read().err()?;
            let reason = match &fault {
                SecretFault::Unreadable { source, .. } => format!("{fault}: {source}"),
                _ => fault.to_string(),
            };
            Some(Fault {
                place: Place::file(&self.file),
                key: Some(key.to_owned()),
                wrong: reason,
                write: Some(fault.advice()),
            })
        });
        faults.collect()
    }
}

/// Reads every section, whatever is wrong with the others; none only where a fault says why.
fn read(reader: &Reader) -> Option<Config> {
    let top = reader.top();
    let instance = instance(&top);
    let leaf = leaf::read(&top.section("leaf"));
    let schedule = top.section("schedule");
    let schedules = schedule::read(&schedule);
    let watch = watch::read(&top.section("watch"));
    let (thresholds, status_words) = rules::read(&top.section("rules"));
    let zone = schedules
        .as_ref()
        .map_or(TimeZone::UTC, |schedules| schedules.zone.clone());
    let alerts = alerts::read(&top.section("alerts"), &zone);
    routes::warn_of_dead(&top.section("alerts"), &alerts.routes, &watch);
    let email = email::read(&top.section("email"), reader.source.folder());
    let database = database::read(&top.section("database"));
    let web = web::read(&top.section("web"));
    let heartbeat = heartbeat::read(&top.section("heartbeat"));
    let log_format = log::read(&top.section("log"));
    let config = Config {
        file: reader.source.file.clone(),
        instance,
        leaf: leaf?,
        policy: Policy {
            thresholds,
            status_words,
            alerts,
            schedules: schedules?,
        },
        watch: Arc::new(watch),
        email: email?,
        database,
        web,
        heartbeat,
        log_format,
        warnings: Vec::new(),
    };
    pace::warn(&config, &schedule);
    Some(config)
}

fn instance(top: &Section<'_>) -> Option<String> {
    let name = top.text("instance")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.len() > 40 || !name.chars().all(plain) {
        top.fault(
            "instance",
            &format!("{} cannot stand in a mail header", fault::quoted(name)),
            "write at most 40 letters, digits, \"-\", \"_\" and \".\", such as \"production\"",
        );
        return None;
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests;
