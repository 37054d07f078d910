//! What a person at a terminal meets: one file a command, tables and JSON in one place, exit codes.
//!
//! A command makes a whole page and only then prints it, so that no pager holds the database up.

#![expect(
    clippy::print_stdout,
    reason = "what a command shows goes to standard output"
)]

pub mod args;
pub mod backup;
pub mod check;
pub mod config_check;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod exit;
pub mod explain;
pub mod history;
pub mod hush;
pub mod incidents;
pub mod log;
pub mod manual;
mod progress;
pub mod report;
pub mod run;
pub mod simulate;
pub mod status;
pub mod table;

use std::io::{IsTerminal as _, Write as _};

use crate::clock::Clock;
use crate::config::{self, Known};
use crate::store::{Access, Db, Filter, NotOneUser, Scene, Tx};
use crate::view::{User, words};
use args::{Cli, Command, Common, From, OfUser};
use exit::{Exit, Failure};
use table::{Look, Page};

/// Answers a command that only asks the database, beside a running daemon or without one.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn ask(cli: &Cli, clock: &Clock) -> Result<Exit, Failure> {
    let config = known(cli)?;
    let look = look(cli, asks_for_json(&cli.command));
    let page = answer(&cli.command, &config, look, clock)?;
    print(&page.into_text())
}

/// What a command that asks the database needs of the config. Faults elsewhere in it are told, and no hindrance: who asks
/// what is broken must have an answer when the config is what broke.
fn known(cli: &Cli) -> Result<Known, Failure> {
    let (known, faults) = config::known(&cli.config, &cli.variables())?;
    if !faults.is_empty() {
        let what = words::counted(faults.len() as u64, "fault");
        // Nobody is left to be told where even this cannot be printed.
        let _ = writeln!(
            std::io::stderr(),
            "warning: the config has {what}, which {} shows; this answer does without them",
            words::command(&cli.daemon(), "config check")
        );
    }
    Ok(known)
}

/// What `command` shows of the database that `config` names.
///
/// # Errors
/// As [`page`], and where the database cannot be opened.
pub fn answer(
    command: &Command,
    config: &Known,
    look: Look,
    clock: &Clock,
) -> Result<Page, Failure> {
    let mut db = Db::beside(&config.database.path, Access::Read)?;
    let scene = Scene {
        watch: &config.watch,
        policy: &config.policy,
        now: clock.now(),
    };
    page(command, &mut db, &scene, look)
}

fn asks_for_json(command: &Command) -> bool {
    match command {
        Command::Status(args) => args.common.json,
        Command::Explain(args) => args.common.json,
        Command::History(args) => args.of.common.json,
        Command::Events(args) => args.past.of.common.json,
        Command::Incidents(args) => args.common.json,
        Command::Deliveries(args) => args.common.json,
        Command::Report(args) => args.is_json(),
        Command::Check(args) => args.json,
        Command::Doctor(args) => args.json,
        Command::Ack(args) => args.json,
        Command::Silence(args) => args.json,
        Command::Simulate(args) => args.json,
        Command::Run
        | Command::Config(_)
        | Command::Backup(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Demo(_) => false,
    }
}

/// What `command` shows; an empty page for those that do something.
///
/// # Errors
/// The database's, and [`Exit::NoSingleUser`].
pub fn page(
    command: &Command,
    db: &mut Db,
    scene: &Scene<'_>,
    look: Look,
) -> Result<Page, Failure> {
    match command {
        Command::Status(args) => status::page(db, scene, args, look),
        Command::Explain(args) => explain::page(db, scene, args, look),
        Command::History(args) => history::page(db, scene, args, look),
        Command::Events(args) => events::page(db, scene, args, look),
        Command::Incidents(args) => incidents::page(db, scene, args, look),
        Command::Deliveries(args) => deliveries::page(db, scene, args, look),
        Command::Report(args) => report::page(db, scene, args, look),
        Command::Run
        | Command::Check(_)
        | Command::Doctor(_)
        | Command::Config(_)
        | Command::Backup(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Ack(_)
        | Command::Silence(_)
        | Command::Simulate(_)
        | Command::Demo(_) => Ok(Page::new(look)),
    }
}

/// How the output is to look: as wide as the terminal, and coloured on a terminal alone.
pub fn look(cli: &Cli, json: bool) -> Look {
    let terminal = std::io::stdout().is_terminal();
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Look {
        width: width.filter(|_| terminal),
        colour: terminal && !cli.no_color(),
        json,
    }
}

/// Prints a page. A reader that closes the pipe early (`| head`) has seen enough.
///
/// # Errors
/// Where the output cannot be written.
pub fn print(text: &str) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Fallen,
            anyhow::Error::new(error).context("the answer cannot be written to the output"),
        )),
        _ => Ok(Exit::Fine),
    }
}

impl Common {
    fn filter(&self) -> Filter {
        Filter {
            provider: self.provider,
            since: None,
        }
    }
}

impl From {
    /// The moment asked for.
    fn moment(&self, scene: &Scene<'_>) -> Option<jiff::Timestamp> {
        let zone = &scene.policy.schedules.zone;
        self.since.map(|since| since.moment(scene.now, zone))
    }
}

impl OfUser {
    fn find(&self, tx: &Tx<'_>, scene: &Scene<'_>) -> Result<User, NotOneUser> {
        tx.find_user(scene, &self.user)
    }
}

/// Whom a page is about.
fn heading(user: &User) -> String {
    match &user.name {
        Some(name) => format!("{name}, Leaf user {}", user.user),
        None => format!("Leaf user {}", user.user),
    }
}
