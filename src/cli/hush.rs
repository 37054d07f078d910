//! `ack` and `silence`: the only commands that write beside a running daemon, which heeds them within a second.

use std::time::Duration;

use jiff::Timestamp;

use super::args::{Ack, Cli, Command, Silence};
use super::exit::{Exit, Failure};
use super::table::{Look, Page, Style, Table, text, whole};
use crate::clock::Clock;
use crate::config::Known;
use crate::model::{IncidentId, Silenced};
use crate::store::{self, Access, Db, Scene, Tx};
use crate::view::silences::{self, Annotations};
use crate::view::words;

/// Does what is asked, and says so.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn annotate(cli: &Cli, clock: &Clock) -> Result<Exit, Failure> {
    let config = super::known(cli)?;
    let look = super::look(cli, super::asks_for_json(&cli.command));
    super::print(&said(&cli.command, &config, look, clock)?)
}

/// Writes what `command` says into the database that `config` names, and returns what is to be said of it; nothing for
/// other commands.
///
/// # Errors
/// As [`annotate`].
pub fn said(
    command: &Command,
    config: &Known,
    look: Look,
    clock: &Clock,
) -> Result<String, Failure> {
    let desk = || Db::beside(&config.database.path, Access::Annotate);
    match command {
        Command::Ack(args) => ack(&mut desk()?, config, args, look, clock.now()),
        Command::Silence(args) => silence(&mut desk()?, config, args, look, clock.now()),
        _ => Ok(String::new()),
    }
}

/// Acknowledges incidents, ends acks, or lists them.
fn ack(
    db: &mut Db,
    config: &Known,
    args: &Ack,
    look: Look,
    now: Timestamp,
) -> Result<String, Failure> {
    let scene = scene(config, now);
    if args.list {
        let shown = db.read(|tx| tx.acks_shown(&scene))?;
        return show(shown, ACKS, config, look, ack_row);
    }
    let meant = db.read(|tx| meant(tx, &scene, &args.what))?;
    let numbers: Vec<String> = meant
        .iter()
        .map(|incident| incident.0.to_string())
        .collect();
    let one = meant.len() == 1;
    let which = match one {
        true => format!("Incident {} is", numbers.concat()),
        false => format!("Incidents {} are", words::listed(&numbers)),
    };
    if args.end {
        db.write(|tx| {
            for incident in &meant {
                if !tx.end_ack(*incident, now, &actor())? {
                    let what = format!(
                        "incident {} is not acknowledged; {} shows those that are",
                        incident.0,
                        words::command(&config.policy.daemon, "ack --list")
                    );
                    return Err(usage(&what));
                }
            }
            Ok(())
        })?;
        return Ok(format!(
            "{which} no longer acknowledged; reminders come again.\n"
        ));
    }
    let reason = reason(args.reason.as_deref())?;
    let until = later(now, config.policy.alerts.ack_for)?;
    db.write(|tx| {
        for incident in &meant {
            if !tx.add_ack(*incident, now, until, &actor(), &reason)? {
                return Err(not_open(tx, *incident, &scene)?);
            }
        }
        Ok(())
    })?;
    let ends = match one {
        true => "it changes for the worse, comes back or is over",
        false => "they change for the worse, come back or are over",
    };
    Ok(format!(
        "{which} acknowledged: no reminders until {}, or until {ends}.\n",
        words::time(until, &config.policy.schedules.zone)
    ))
}

/// The incidents that somebody names: by number, or all that are open of a user. Each once.
fn meant(tx: &Tx<'_>, scene: &Scene<'_>, what: &[String]) -> Result<Vec<IncidentId>, Failure> {
    let listing = words::command(&scene.policy.daemon, "incidents --open");
    let mut meant: Vec<IncidentId> = Vec::new();
    for word in what {
        if let Ok(number) = word.trim_start_matches('#').parse() {
            meant.push(IncidentId(number));
            continue;
        }
        let user = tx.find_user(scene, word).map_err(|error| match error {
            nobody @ store::NotOneUser::Nobody { .. } => Failure::new(
                Exit::NoSingleUser,
                anyhow::anyhow!(
                    "{word:?} is no number of an incident ({listing} shows them), and {nobody}"
                ),
            ),
            other => other.into(),
        })?;
        let open = tx.open_incidents_of(user.user)?;
        if open.is_empty() {
            return Err(usage(&format!("nothing of {} is open", user.shown())));
        }
        meant.extend(open);
    }
    if meant.is_empty() {
        return Err(usage(&format!(
            "which incident? {listing} shows their numbers"
        )));
    }
    meant.sort();
    meant.dedup();
    Ok(meant)
}

/// Why there is nothing to acknowledge.
fn not_open(tx: &Tx<'_>, incident: IncidentId, scene: &Scene<'_>) -> store::Result<Failure> {
    let number = incident.0;
    let ended = tx.incident(incident)?.map(|incident| incident.ended_at);
    let why = match ended {
        Some(Some(at)) => format!(
            "incident {number} is over since {}: there is nothing to acknowledge",
            words::time(at, &scene.policy.schedules.zone)
        ),
        _ => format!("there is no incident {number}"),
    };
    Ok(usage(&format!(
        "{why}; {} shows what is open",
        words::command(&scene.policy.daemon, "incidents --open")
    )))
}

fn scene<'a>(config: &'a Known, now: Timestamp) -> Scene<'a> {
    Scene {
        watch: &config.watch,
        policy: &config.policy,
        now,
    }
}

/// Silences, ends a silence, or lists them.
fn silence(
    db: &mut Db,
    config: &Known,
    args: &Silence,
    look: Look,
    now: Timestamp,
) -> Result<String, Failure> {
    let scene = scene(config, now);
    if args.list {
        let shown = db.read(|tx| tx.silences_shown(&scene))?;
        return show(shown, SILENCES, config, look, silence_row);
    }
    if let Some(number) = args.end {
        return match db.write(|tx| tx.end_silence(number, now, &actor()))? {
            true => Ok(format!(
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
    let what = db.read(|tx| what(tx, &scene, args))?;
    let until = later(now, length)?;
    let reason = reason(args.reason.as_deref())?;
    let (number, hit) = db.write(|tx| {
        let number = tx.add_silence(&what, now, until, &actor(), &reason)?;
        Ok::<_, store::Error>((number, hits(tx, &what)?))
    })?;
    Ok(format!(
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

/// Who does it, as the database keeps it: the person behind sudo, else the user.
#[expect(clippy::disallowed_methods, reason = "no setting, but who types")]
fn actor() -> String {
    let known = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    crate::model::clean(&known.unwrap_or_else(|| "unknown".to_owned()), 64)
}

/// The reason as it is kept: others read it when they ask why nobody was told.
fn reason(said: Option<&str>) -> Result<String, Failure> {
    let reason = crate::model::clean(said.unwrap_or_default().trim(), 500);
    match reason.is_empty() {
        true => Err(usage("why? such as --reason \"grower is on holiday\"")),
        false => Ok(reason),
    }
}

fn later(now: Timestamp, length: Duration) -> Result<Timestamp, Failure> {
    let until = now.checked_add(length);
    until.map_err(|_| usage("that is longer than the calendar; write --for 3d"))
}

fn usage(what: &str) -> Failure {
    Failure::new(Exit::Usage, anyhow::anyhow!("{what}"))
}

const ACKS: &[&str] = &["INCIDENT", "WHAT", "UNTIL", "BY", "REASON"];
const SILENCES: &[&str] = &["NUMBER", "WHAT", "UNTIL", "BY", "REASON"];

fn show<T: serde::Serialize>(
    rows: Vec<T>,
    columns: &[&'static str],
    config: &Known,
    look: Look,
    cells: fn(&T, &dyn Fn(Timestamp) -> String) -> Vec<String>,
) -> Result<String, Failure> {
    let mut page = Page::new(look);
    if look.json {
        page.document(Annotations { list: rows })?;
        return Ok(page.into_text());
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
    Ok(page.into_text())
}

fn ack_row(ack: &silences::Ack, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
    vec![
        ack.incident.to_string(),
        ack.what.clone().unwrap_or_default(),
        time(ack.until),
        ack.actor.clone(),
        ack.reason.clone(),
    ]
}

fn silence_row(silence: &silences::Silence, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
    vec![
        silence.number.to_string(),
        words::silenced(silence),
        time(silence.until),
        silence.actor.clone(),
        silence.reason.clone(),
    ]
}
