//! Parses the arguments, runs the command, prints the error chain.

#![expect(
    clippy::print_stderr,
    reason = "the one place that tells a person why a command failed"
)]

use std::process::ExitCode;

use clap::Parser as _;
use leafwatch::cli;
use leafwatch::cli::args::{Cli, Command, ConfigCommand, Demo};
use leafwatch::cli::exit::{Exit, Failure};
use leafwatch::clock::Clock;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error).into(),
    };
    match dispatch(&cli, &Clock::system()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit.into()
        }
    }
}

/// Help and version are answers too; all else is a command line that was not understood.
fn refuse(error: &clap::Error) -> Exit {
    // Nobody is left to be told where even this cannot be printed.
    let _ = error.print();
    match error.use_stderr() {
        true => Exit::Usage,
        false => Exit::Fine,
    }
}

fn dispatch(cli: &Cli, clock: &Clock) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Run => cli::run::run(cli, clock),
        Command::Check(args) => cli::check::check(cli, clock, args),
        Command::Doctor(args) => cli::doctor::doctor(cli, clock, args),
        Command::Config(ConfigCommand::Check(args)) => {
            cli::config_check::config_check(cli, clock, args)
        }
        Command::Ack(_) | Command::Silence(_) => cli::hush::annotate(cli, clock),
        Command::Backup(args) => cli::backup::backup(cli, args),
        Command::Completions(args) => cli::manual::completions(args.shell),
        Command::Man(args) => cli::manual::man(&args.folder),
        Command::Simulate(args) => cli::simulate::simulate(cli, clock, args),
        Command::Demo(args) => demo(cli, clock, args),
        Command::Status(_)
        | Command::Explain(_)
        | Command::History(_)
        | Command::Events(_)
        | Command::Incidents(_)
        | Command::Deliveries(_)
        | Command::Report(_) => cli::ask(cli, clock),
    }
}

/// Plays the story, then shows what a person would ask of it.
fn demo(cli: &Cli, clock: &Clock, args: &Demo) -> Result<Exit, Failure> {
    let fallen = |error: anyhow::Error| Failure::new(Exit::Fallen, error);
    leafwatch::leaf::install_tls();
    let options = cli::demo::Options {
        for_so_long: args.length,
        keep: args.keep,
        folder: None,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| fallen(error.into()))?;
    let played = runtime
        .block_on(cli::demo::play(&options))
        .map_err(fallen)?;
    for question in ["status", "incidents", "deliveries"] {
        let asked = Cli::try_parse_from(["leafwatch", question]);
        let asked = asked.map_err(|error| fallen(error.into()))?;
        let page = cli::answer(
            &asked.command,
            &played.config.known(),
            cli::look(cli, false),
            clock,
        )?;
        cli::print(&format!("\n$ leafwatch {question}\n{}", page.into_text()))?;
    }
    Ok(Exit::Fine)
}
