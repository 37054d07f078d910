//! The command line: every command and option, and how their texts are read.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::{
    self, Config, DEFAULT_PATH, Faults, PATH_VARIABLE, Variables, file_of_instance,
    instance_of_file, parse_duration,
};
use crate::model::{Address, Daemon, Kind, NotAnAddress, Provider};
use crate::view::words;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "leafwatch",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LEAFWATCH_COMMIT"), ")"),
    about = "Watches the health of growers' provider credentials on Leaf's API, and e-mails the right people, once.",
    after_help = "USER is a Leaf user id, or a name or the beginning of an id that fits one user only."
)]
pub struct Cli {
    /// The config file
    #[arg(long, global = true, value_name = "FILE", env = PATH_VARIABLE, default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Which of several daemons, where there are some: NAME of leafwatch@NAME.service, with its config
    /// /etc/leafwatch/NAME.toml, its secrets and its database
    #[arg(long, global = true, value_name = "NAME", value_parser = instance)]
    pub instance: Option<String>,
    /// No colours, as with NO_COLOR in the environment
    #[arg(
        long,
        global = true,
        env = "NO_COLOR",
        hide = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1"
    )]
    no_color: Option<OsString>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line. An instance has its own config, unless the line names another one; and the config of an
    /// instance tells which one is meant.
    ///
    /// # Errors
    /// What was not understood; also help and version.
    pub fn read(
        line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Cli::command();
        let matches = command.try_get_matches_from_mut(line)?;
        let mut cli =
            Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let named = matches.value_source("config") == Some(ValueSource::CommandLine);
        match &cli.instance {
            Some(instance) if !named => cli.config = file_of_instance(instance),
            Some(_) => {}
            None => cli.instance = instance_of_file(&cli.config),
        }
        Ok(cli)
    }

    /// What stands beside the config: variables, and whose they are.
    pub fn variables(&self) -> Variables {
        Variables::of_process().of_instance(self.instance.as_deref())
    }

    /// Which daemon is meant.
    pub fn daemon(&self) -> Daemon {
        config::daemon(&self.config, self.instance.as_deref())
    }

    /// The config, with no fault in it.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn config(&self) -> Result<Config, Faults> {
        config::load(&self.config, &self.variables())
    }

    /// Whether somebody asked for no colours: the variable counts where it is not empty (no-color.org).
    pub fn no_color(&self) -> bool {
        self.no_color
            .as_ref()
            .is_some_and(|value| !value.is_empty())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    Run,
    /// Look at every credential once, now, and show what was found; stores and sends nothing
    Check(Check),
    /// Try the real thing, Leaf and mail server included, and say of each part whether it works and what to do
    Doctor(Doctor),
    /// Look after the config
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show the credentials as last known
    Status(Status),
    /// Explain what is known of a user, what would open or end next, and who would be mailed
    Explain(OfUser),
    /// Show what happened to a user's credentials
    History(Past),
    /// Show a user's events as kept, the newest first
    Events(PastEvents),
    /// Show incidents and how they were told
    Incidents(Incidents),
    /// Show every mail, to whom it went, and what the mail server said
    Deliveries(Deliveries),
    /// Report availability and incidents of a period
    Report(Report),
    /// Say that somebody is on an incident: no more reminders
    Ack(Ack),
    /// Let mails about something wait
    Silence(Silence),
    /// Copy the database while the daemon runs
    Backup(Backup),
    /// Print the completions of a shell
    Completions(Completions),
    /// Write man pages into a folder
    Man(Man),
    /// Replay the stored history under the rules and alert settings of --config: which incidents and mails there would
    /// have been, beside those there were
    Simulate(Simulate),
    /// Show it all on this machine, against a simulated Leaf, with nothing to configure
    Demo(Demo),
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Also store and mail, as the daemon would in one sweep; refused beside a daemon
    #[arg(long)]
    pub notify: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Also send a real mail to this address, by the very path that alerts take
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub send_to: Option<Address>,
    /// Examine here, and print what is found for the doctor that started this one as the service
    #[arg(long, hide = true)]
    pub relay: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the config as the daemon would, and print every fault and what to write instead
    Check(ConfigCheck),
}

/// `config check`.
#[derive(Debug, Args)]
pub struct ConfigCheck {
    /// Print faults alone, and nothing where there are none
    #[arg(long, short)]
    pub quiet: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// List every credential, the healthy ones too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What all commands that print data take.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Only credentials of this provider, such as john-deere
    #[arg(long, value_name = "NAME", value_parser = provider)]
    pub(super) provider: Option<Provider>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A command about one user.
#[derive(Debug, Args)]
pub struct OfUser {
    /// A Leaf user id; or a name, or the beginning of either, that fits one user only
    #[arg(value_name = "USER")]
    pub user: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// A command about one user's past.
#[derive(Debug, Args)]
pub struct Past {
    #[command(flatten)]
    pub(super) of: OfUser,
    #[command(flatten)]
    pub(super) from: From,
}

/// `events`.
#[derive(Debug, Args)]
pub struct PastEvents {
    #[command(flatten)]
    pub(super) past: Past,
    /// Show answers and headers of providers in full
    #[arg(long, short)]
    pub verbose: bool,
}

/// `ack`.
#[derive(Debug, Args)]
pub struct Ack {
    /// Incidents by their numbers, as mails and `incidents` show them; or a USER, for all that is open there
    #[arg(value_name = "INCIDENT|USER")]
    pub what: Vec<String>,
    /// Why, or who is on it; kept with the incident
    #[arg(long, required_unless_present_any = ["list", "end"])]
    pub reason: Option<String>,
    /// End it: reminders come again
    #[arg(long, conflicts_with = "list")]
    pub end: bool,
    /// List the acks that hold
    #[arg(long)]
    pub list: bool,
    /// Print JSON, with --list
    #[arg(long)]
    pub json: bool,
}

/// `silence`.
#[derive(Debug, Args)]
pub struct Silence {
    /// A Leaf user id; or a name, or the beginning of either, that fits one user only
    #[arg(value_name = "USER")]
    pub user: Option<String>,
    /// Only of this provider, such as john-deere
    #[arg(long, value_name = "NAME", value_parser = provider)]
    pub provider: Option<Provider>,
    /// Only this kind of trouble, in the words of mails and tables or of the config: "early warning", failing_events
    #[arg(long, value_name = "KIND", value_parser = problem)]
    pub problem: Option<Kind>,
    /// Everything about growers; trouble with Leaf and of our own is still told
    #[arg(long, conflicts_with_all = ["user", "provider", "problem"])]
    pub all: bool,
    /// For how long, such as 3d
    #[arg(long = "for", value_name = "DURATION", value_parser = length, allow_hyphen_values = true)]
    pub length: Option<Duration>,
    /// Why; kept with the silence
    #[arg(long, required_unless_present_any = ["list", "end"])]
    pub reason: Option<String>,
    /// End this silence
    #[arg(long, value_name = "NUMBER")]
    pub end: Option<i64>,
    /// List the silences that hold
    #[arg(long, conflicts_with = "end")]
    pub list: bool,
    /// Print JSON, with --list
    #[arg(long)]
    pub json: bool,
}

/// From when on.
#[derive(Debug, Args)]
pub(super) struct From {
    /// From when on: 12h, 30d, 2026-11-01 or 2026-11-01T08:00:00Z
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(super) since: Option<Since>,
}

/// `incidents`.
#[derive(Debug, Args)]
pub struct Incidents {
    /// Only those that are open
    #[arg(long)]
    pub open: bool,
    /// Show every step, and who was told
    #[arg(long, short)]
    pub verbose: bool,
    #[command(flatten)]
    pub(super) from: From,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `deliveries`.
#[derive(Debug, Args)]
pub struct Deliveries {
    /// Only those to this address
    #[arg(long)]
    pub address: Option<String>,
    #[command(flatten)]
    pub(super) from: From,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `report`.
#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub(super) from: From,
    /// Up to when; written as --since is, now where it is left out
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(super) until: Option<Since>,
    /// List every credential, also those that were healthy whenever they were seen
    #[arg(long)]
    pub all: bool,
    /// How to write it; csv and json have every credential
    #[arg(
        long,
        value_enum,
        default_value = "text",
        conflicts_with = "json",
        value_name = "FORMAT"
    )]
    pub format: Format,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The new file; one that is there already is never overwritten
    pub file: PathBuf,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The shells that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

/// `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder; made where it is not there
    pub folder: PathBuf,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables, for a terminal
    Text,
    /// One page that needs nothing else, for a browser or a printer
    Html,
    /// One line each for all, a provider, a credential, for a spreadsheet
    Csv,
    /// For programs
    Json,
}

/// `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Show every incident and every mail, not only what would have been otherwise
    #[arg(long, short)]
    pub verbose: bool,
    #[command(flatten)]
    pub(super) from: From,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// How long the story takes, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = length, allow_hyphen_values = true)]
    pub length: Option<Duration>,
    /// Stay up after the story, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
}

/// From when on, as somebody wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// The beginning of a local day.
    Day(Date),
    /// A moment.
    At(Timestamp),
}

/// The text is no time to begin from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write how long ago (12h, 30d), a day (2026-11-01) or a moment (2026-11-01T08:00:00Z)")]
pub struct NotSince;

impl FromStr for Since {
    type Err = NotSince;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // "-3d" means what "3d" does.
        if let Ok(length) = parse_duration(text.trim_start_matches('-')) {
            return Ok(Since::Ago(length));
        }
        if let Ok(at) = text.parse() {
            return Ok(Since::At(at));
        }
        match text.parse() {
            Ok(day) if text.len() == "2026-11-01".len() => Ok(Since::Day(day)),
            _ => Err(NotSince),
        }
    }
}

impl Since {
    /// The moment meant.
    pub fn moment(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Since::Ago(length) => now.checked_sub(length).unwrap_or(Timestamp::MIN),
            Since::At(at) => at,
            // Where clocks skip midnight, the day begins at the first moment after.
            Since::Day(day) => zone.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(now),
        }
    }
}

fn instance(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !text.is_empty() && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(
            "write what stands after the @: leafwatch@production.service is --instance production"
                .to_owned(),
        ),
    }
}

/// A length of time that is yet to come.
fn length(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Some(length) = text.strip_prefix('-') {
        return Err(match parse_duration(length) {
            Ok(_) => format!("it begins now and cannot end before: write {length}"),
            Err(reason) => reason.to_string(),
        });
    }
    match parse_duration(text) {
        Ok(length) if length.is_zero() => {
            Err("it would be over at once: write a length such as 3d".to_owned())
        }
        Ok(length) => Ok(length),
        Err(reason) => Err(format!("{reason}; write a length such as 90m, 12h or 3d")),
    }
}

fn problem(text: &str) -> Result<Kind, String> {
    words::kind(text).ok_or_else(|| {
        let known: Vec<String> = Kind::ALL
            .iter()
            .map(|kind| match words::label(*kind) {
                label if label == kind.name() => label.to_owned(),
                label => format!("{label} ({kind})"),
            })
            .collect();
        format!("the kinds of trouble are: {}", known.join(", "))
    })
}

fn address(text: &str) -> Result<Address, String> {
    text.parse()
        .map_err(|error: NotAnAddress| error.to_string())
}

fn provider(text: &str) -> Result<Provider, String> {
    text.parse().map_err(|_| {
        let names: Vec<&str> = Provider::all().map(Provider::name).collect();
        format!("the providers are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_config_of_its_own_unless_the_line_names_one() {
        let read = |line: &str| {
            let cli = Cli::read(line.split(' ')).unwrap();
            (cli.config.display().to_string(), cli.instance)
        };
        let production = (
            "/etc/leafwatch/production.toml".to_owned(),
            Some("production".to_owned()),
        );
        assert_eq!(read("leafwatch --instance production status"), production);
        assert_eq!(read("leafwatch doctor --instance production"), production);
        assert_eq!(
            read("leafwatch status --config /etc/leafwatch/production.toml"),
            production
        );
        assert_eq!(
            read("leafwatch status --config /tmp/x.toml --instance production"),
            ("/tmp/x.toml".to_owned(), Some("production".to_owned()))
        );
        assert_eq!(read("leafwatch status"), (DEFAULT_PATH.to_owned(), None));
        assert!(Cli::read(["leafwatch", "status", "--instance", "../x"]).is_err());
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn since_is_a_length_a_day_or_a_moment() {
        let zone = TimeZone::get("America/Chicago").unwrap();
        let now: Timestamp = "2026-11-24T14:15:00Z".parse().unwrap();
        let moment = |text: &str| {
            text.parse::<Since>()
                .map(|since| since.moment(now, &zone).to_string())
        };
        assert_eq!(moment("2d").unwrap(), "2026-11-22T14:15:00Z");
        assert_eq!(moment("-2d").unwrap(), "2026-11-22T14:15:00Z");
        assert_eq!(moment("2026-11-01").unwrap(), "2026-11-01T05:00:00Z");
        assert_eq!(moment("2026-11-02").unwrap(), "2026-11-02T06:00:00Z");
        assert_eq!(
            moment("2026-11-01T08:00:00Z").unwrap(),
            "2026-11-01T08:00:00Z"
        );
        for wrong in ["", "yesterday", "12", "2026-13-01", "2026-11-01T08:00:00"] {
            assert_eq!(moment(wrong), Err(NotSince), "{wrong}");
        }
    }

    #[test]
    fn a_silence_has_a_length_and_is_about_what_mails_call_it() {
        let silence = |problem: &str, length: &str| {
            let line = [
                "leafwatch",
                "silence",
                "--problem",
                problem,
                "--for",
                length,
                "--reason",
                "x",
            ];
            match Cli::try_parse_from(line).map(|cli| cli.command) {
                Ok(Command::Silence(args)) => Ok((args.problem.unwrap(), args.length.unwrap())),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.to_string()),
            }
        };
        for kind in Kind::ALL {
            for said in [
                kind.name(),
                words::label(*kind),
                &words::label(*kind).to_uppercase(),
            ] {
                assert_eq!(silence(said, "3d").unwrap().0, *kind, "{said}");
            }
        }
        assert_eq!(
            silence("Early-Warning", "3d").unwrap().0,
            Kind::FailingEvents
        );
        for (problem, length, said) in [
            ("invalid", "0s", "over at once"),
            ("invalid", "-3d", "cannot end before: write 3d"),
            ("invalid", "3", "3 has no unit; write a length such as"),
            ("early", "3d", "early warning (failing_events)"),
        ] {
            let refused = silence(problem, length).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn every_command_is_understood() {
        for line in [
            "run",
            "check --notify",
            "config check --config /tmp/x.toml",
            "doctor --send-to anna@example.com --json",
            "status --all --json --provider john-deere",
            "explain hillside",
            "history 3c9d --since 30d --provider john-deere --json",
            "events hillside -v --since 2026-11-01",
            "incidents --open -v",
            "deliveries --address anna@example.com --since 7d",
            "report --since 2026-10-01 --until 2026-11-01 --provider john-deere --format html --all",
            "report --json",
            "backup /tmp/leafwatch.copy.db",
            "completions fish",
            "man /usr/local/share/man/man1",
            "simulate --config /tmp/new.toml --since 90d -v",
            "demo --for 30s --keep",
        ] {
            let words = std::iter::once("leafwatch").chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
