//! `ack` and `silence`: the only commands that write beside a running daemon, which heeds them within a second.

use jiff::Timestamp;

use super::args::{Ack, Cli, Silence};
use super::exit::{Exit, Failure};
use super::table::{Page, Style, Table, text, whole};
use crate::clock::Clock;
use crate::config::{self, Config, Variables};
use crate::model::IncidentId;
use crate::rules::notify::Silenced;
use crate::store::{self, Access, Db, Scene, Tx};
use crate::view::hush;
use crate::view::words;

/// Acknowledges an incident, ends an ack, or lists them.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn ack(cli: &Cli, clock: &Clock, args: &Ack) -> Result<Exit, Failure> {
    let (mut db, config) = open(cli)?;
    let now = clock.now();
    if args.list {
        let acks = db.read(|tx| tx.acks(now, false))?;
        return show(
            cli,
            args.json,
            acks.iter().map(hush::Ack::from).collect(),
            ACKS,
            &config,
            ack_row,
        );
    }
    let Some(number) = args.incident else {
        return Err(usage(
            "which incident? leafwatch incidents --open shows their numbers",
        ));
    };
    let incident = IncidentId(number);
    if args.end {
        let ended = db.write(|tx| tx.end_ack(incident, now, &actor()))?;
        return match ended {
            true => super::print(&format!(
                "The ack of incident {number} is ended; reminders come again.\n"
            )),
            false => Err(usage(&format!("incident {number} has no ack that holds"))),
        };
    }
    let reason = args.reason.as_deref().unwrap_or_default();
    let until = now + config.policy.alerts.ack_for;
    let found = db.write(|tx| tx.add_ack(incident, now, until, &actor(), reason))?;
    if !found {
        return Err(usage(&format!(
            "there is no open incident {number}; leafwatch incidents --open shows them"
        )));
    }
    super::print(&format!(
        "Incident {number} is acknowledged: no reminders until {}, or until it changes for the worse, comes back or \
         is over.\n",
        words::time(until, &config.policy.schedules.zone)
    ))
}

/// Silences, ends a silence, or lists them.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn silence(cli: &Cli, clock: &Clock, args: &Silence) -> Result<Exit, Failure> {
    let (mut db, config) = open(cli)?;
    let now = clock.now();
    if args.list {
        let silences = db.read(|tx| tx.silences(now, false))?;
        let shown = silences.iter().map(hush::Silence::from).collect();
        return show(cli, args.json, shown, SILENCES, &config, silence_row);
    }
    if let Some(number) = args.end {
        return match db.write(|tx| tx.end_silence(number, now, &actor()))? {
            true => super::print(&format!(
                "Silence {number} is ended; what still stands is told.\n"
            )),
            false => Err(usage(&format!(
                "there is no silence {number} that holds; --list shows them"
            ))),
        };
    }
    let Some(length) = args.length else {
        return Err(usage("for how long? such as --for 3d"));
    };
    let scene = Scene {
        watch: &config.watch,
        policy: &config.policy,
        now,
    };
    let what = db.read(|tx| what(tx, &scene, args))?;
    let until = now + length;
    let reason = args.reason.as_deref().unwrap_or_default();
    let (number, hit) = db.write(|tx| {
        let number = tx.add_silence(&what, now, until, &actor(), reason)?;
        Ok::<_, store::Error>((number, hits(tx, &what)?))
    })?;
    super::print(&format!(
        "Silence {number} holds until {}; it matches {} that {} open now.\n",
        words::time(until, &config.policy.schedules.zone),
        words::counted(hit, "incident"),
        if hit == 1 { "is" } else { "are" },
    ))
}

/// What is to be silenced. Nothing named is an oversight, not everything.
fn what(tx: &Tx<'_>, scene: &Scene<'_>, args: &Silence) -> Result<Silenced, Failure> {
    let user = match &args.user {
        Some(user) => Some(tx.find_user(scene, user)?.user),
        None => None,
    };
    let what = Silenced {
        user,
        provider: args.provider,
        kind: args.problem,
    };
    if what == Silenced::default() && !args.all {
        return Err(usage(
            "what is to be silent? a USER, --provider, --problem, or --all",
        ));
    }
    Ok(what)
}

fn hits(tx: &Tx<'_>, what: &Silenced) -> store::Result<u64> {
    let mut hits = 0;
    for (kind, credential) in tx.open_kinds()? {
        hits += u64::from(what.matches(kind, credential));
    }
    Ok(hits)
}

fn open(cli: &Cli) -> Result<(Db, Config), Failure> {
    let config = config::load(&cli.config, &Variables::of_process())?;
    Ok((Db::beside(&config.database.path, Access::Annotate)?, config))
}

/// Who does it, as the database keeps it: the person behind sudo, else the user.
#[expect(clippy::disallowed_methods, reason = "no setting, but who types")]
fn actor() -> String {
    let known = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    crate::model::clean(&known.unwrap_or_else(|| "unknown".to_owned()), 64)
}

fn usage(what: &str) -> Failure {
    Failure::new(Exit::Usage, anyhow::anyhow!("{what}"))
}

const ACKS: &[&str] = &["INCIDENT", "UNTIL", "BY", "REASON"];
const SILENCES: &[&str] = &["NUMBER", "WHAT", "UNTIL", "BY", "REASON"];

fn show<T: serde::Serialize>(
    cli: &Cli,
    json: bool,
    rows: Vec<T>,
    columns: &[&'static str],
    config: &Config,
    cells: fn(&T, &dyn Fn(Timestamp) -> String) -> Vec<String>,
) -> Result<Exit, Failure> {
    let mut page = Page::new(super::look(cli, json));
    if json {
        page.document(hush::List { list: rows })?;
        return super::print(&page.into_text());
    }
    let zone = &config.policy.schedules.zone;
    let time = |at| words::short_time(at, zone);
    let columns: Vec<_> = (0..)
        .zip(columns)
        .map(|(at, name)| if at == 0 { whole(name) } else { text(name) })
        .collect();
    let mut table = Table::new(&columns);
    for row in &rows {
        table.row(
            cells(row, &time)
                .into_iter()
                .map(|cell| (cell, Style::Plain)),
        );
    }
    match table.is_empty() {
        true => page.say(Style::Plain, "none"),
        false => page.table(&table),
    }
    super::print(&page.into_text())
}

fn ack_row(ack: &hush::Ack, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
    vec![
        ack.incident.to_string(),
        time(ack.until),
        ack.actor.clone(),
        ack.reason.clone(),
    ]
}

fn silence_row(silence: &hush::Silence, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
    let user = silence.user.map(|user| user.to_string());
    let provider = silence.provider.map(|provider| provider.to_string());
    let kind = silence.problem.map(|kind| words::label(kind).to_owned());
    let parts: Vec<String> = [user, provider, kind].into_iter().flatten().collect();
    let what = if parts.is_empty() {
        "all growers".to_owned()
    } else {
        parts.join(", ")
    };
    vec![
        silence.number.to_string(),
        what,
        time(silence.until),
        silence.actor.clone(),
        silence.reason.clone(),
    ]
}
