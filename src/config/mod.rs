//! The settings: one documented struct a section, loaded once and checked whole.
//!
//! Never reads a secret while loading, and never holds state of a run.

mod addresses;
mod alerts;
mod check;
mod database;
mod duration;
mod email;
mod fault;
mod growers;
mod heartbeat;
mod leaf;
mod lines;
mod log;
mod pace;
mod placeholders;
mod quiet;
mod reader;
mod reload;
mod roll;
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

use figment::value::Value;

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
pub use source::{
    DEFAULT_PATH, PATH_VARIABLE, Variables, daemon, file_of_instance, instance_of_file,
};
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
    /// What was laid over the file.
    variables: Variables,
}

/// What the commands that ask the database need of the settings: all of it reads as its default where it is at fault.
#[derive(Debug, Clone)]
pub struct Known {
    /// How times are shown, what the rules decide by, and who is told.
    pub policy: Policy,
    /// Whom names mean.
    pub watch: Arc<WatchList>,
    /// Which database is asked.
    pub database: Database,
}

/// Reads the settings from `file` and the variables over it. Secrets are not looked at: see [`Config::check_secrets`].
///
/// # Errors
/// Every fault at once.
pub fn load(file: &Path, variables: &Variables) -> Result<Config, Faults> {
    let source = Source::read(file, variables)?;
    let reader = Reader::new(source);
    let (_, config) = read(&reader);
    unknown::tell(&reader);
    placeholders::warn(&reader);
    let (faults, warnings) = reader.into_findings();
    match config {
        Some(config) if faults.is_empty() => Ok(Config { warnings, ..config }),
        _ => Err(Faults(faults)),
    }
}

/// Reads what the commands that ask the database need, whatever else is wrong with the settings; also returns what is.
///
/// # Errors
/// Where it cannot be said which database is meant: another one would answer just as readily.
pub fn known(file: &Path, variables: &Variables) -> Result<(Known, Vec<Fault>), Faults> {
    let (source, mut faults) = Source::salvage(file, variables)?;
    let reader = Reader::new(source);
    let (known, _) = read(&reader);
    unknown::tell(&reader);
    let database = reader.source.root.get("database");
    let named = database
        .and_then(Value::as_dict)
        .is_some_and(|database| database.contains_key("path"));
    faults.extend(reader.into_findings().0);
    let hides_database = |fault: &Fault| match fault.key.as_deref() {
        Some("database" | "database.path") => true,
        // The key or its section may be misspelt.
        Some(key) if !named && fault.wrong == unknown::WRONG => {
            key.starts_with("database.") || !key.contains('.')
        }
        _ => false,
    };
    match faults.iter().any(hides_database) {
        true => Err(Faults(faults)),
        false => Ok((known, faults)),
    }
}

impl Config {
    /// What a reload would read: the same file and variables.
    ///
    /// # Errors
    /// As [`load`].
    pub fn read_again(&self) -> Result<Config, Faults> {
        load(&self.file, &self.variables)
    }

    /// What the commands that ask the database need.
    pub fn known(&self) -> Known {
        Known {
            policy: self.policy.clone(),
            watch: self.watch.clone(),
            database: self.database.clone(),
        }
    }

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
            let cause = std::error::Error::source(&fault).map(|cause| format!(": {cause}"));
            let source = Source::read(&self.file, &self.variables).ok();
            Some(Fault {
                place: source.map_or(Place::file(&self.file), |source| source.place_of(key, key)),
                key: Some(key.to_owned()),
                wrong: format!("{fault}{}", cause.unwrap_or_default()),
                write: Some(fault.advice()),
            })
        });
        faults.collect()
    }
}

/// Reads every section, whatever is wrong with the others; the whole is there unless a fault says why.
fn read(reader: &Reader) -> (Known, Option<Config>) {
    let top = reader.top();
    let instance = instance(&top);
    let leaf = leaf::read(&top.section("leaf"));
    let schedule = top.section("schedule");
    let schedules = schedule::read(&schedule);
    let watch = watch::read(&top.section("watch"));
    let (thresholds, status_words) = rules::read(&top.section("rules"));
    let alerts = alerts::read(&top.section("alerts"), &schedules.zone);
    routes::warn_of_dead(&top.section("alerts"), &alerts.routes, &watch);
    let email = email::read(&top.section("email"), reader.source.folder());
    let database = database::read(&top.section("database"));
    let web = web::read(&top.section("web"));
    let heartbeat = heartbeat::read(&top.section("heartbeat"));
    let log_format = log::read(&top.section("log"));
    let known = Known {
        policy: Policy {
            thresholds,
            status_words,
            alerts,
            schedules,
            daemon: source::daemon(&reader.source.file, reader.source.variables.instance()),
        },
        watch: Arc::new(watch),
        database,
    };
    let config = leaf.zip(email).map(|(leaf, email)| Config {
        file: reader.source.file.clone(),
        instance,
        leaf,
        policy: known.policy.clone(),
        watch: known.watch.clone(),
        email,
        database: known.database.clone(),
        web,
        heartbeat,
        log_format,
        warnings: Vec::new(),
        variables: reader.source.variables.clone(),
    });
    if let Some(config) = &config {
        pace::warn(config, &schedule);
    }
    (known, config)
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
