//! What somebody types beside the daemon, by the world's clock.

use clap::Parser as _;
use leafwatch::cli::args::{Cli, Command};
use leafwatch::cli::exit::Failure;
use leafwatch::cli::table::Look;
use leafwatch::cli::{answer, hush};
use serde_json::Value;

use super::World;

impl World {
    /// What `leafwatch` answers to this line, without colours; a word with blanks in it stands in single quotes.
    pub(crate) fn types(&self, line: &str) -> String {
        let answer = self.tries(line);
        answer.unwrap_or_else(|failure| panic!("leafwatch {line}: {failure}"))
    }

    /// The same, where it may be refused.
    pub(crate) fn tries(&self, line: &str) -> Result<String, Failure> {
        let cli = self.cli(line);
        let (config, clock) = (self.config().known(), &self.clock);
        let look = Look {
            json: line.contains("--json"),
            ..Look::default()
        };
        match &cli.command {
            Command::Ack(_) | Command::Silence(_) => hush::said(&cli.command, &config, look, clock),
            asked => answer(asked, &config, look, clock).map(|page| page.into_text()),
        }
    }

    /// What it answers, as programs read it.
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.types(line)).unwrap()
    }

    fn cli(&self, line: &str) -> Cli {
        let config = self.config_file();
        let mut words = vec!["leafwatch", "--config", config.to_str().unwrap()];
        for (nth, part) in line.split('\'').enumerate() {
            match nth % 2 {
                0 => words.extend(part.split_whitespace()),
                _ => words.push(part),
            }
        }
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}
