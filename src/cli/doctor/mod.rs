//! `doctor`: tries the real thing, part by part, and says of each whether it works and what to do.
//!
//! Changes nothing: no database is made, no lock taken, no mail sent but the one that was asked for.

mod leaf;
mod machine;
mod mail;
mod unit;

use super::args::{Cli, Doctor};
use super::exit::{Exit, Failure};
use super::table::{Look, Page, Style};
use crate::app::Pace;
use crate::clock::Clock;
use crate::config::{self, Config, Variables};
use crate::model::Address;
use crate::view::doctor::{Examination, Finding, Verdict};

pub use unit::{judge as judge_unit, name as unit_name};

/// Runs the command.
///
/// # Errors
/// Where the answer cannot be printed.
pub fn doctor(cli: &Cli, clock: &Clock, args: &Doctor) -> Result<Exit, Failure> {
    let look = super::look(cli, args.json);
    let mut findings = Vec::new();
    let mut tell = |finding: Finding| -> Result<(), Failure> {
        if !look.json {
            super::print(&line(&finding, look))?;
        }
        findings.push(finding);
        Ok(())
    };
    match config::load(&cli.config, &Variables::of_process()) {
        Err(faults) => {
            let count = faults.0.len();
            tell(Finding::wrong(
                "config",
                format!(
                    "{} has {count} faults, so nothing else can be tried",
                    cli.config.display()
                ),
                "run: leafwatch config check",
            ))?;
        }
        Ok(config) => {
            let runtime = super::run::runtime(&config)?;
            runtime.block_on(async {
                let mut examiner = Examiner::new(&config, clock, Pace::default());
                while let Some(finding) = examiner.next(args.send_to.as_ref()).await {
                    tell(finding)?;
                }
                Ok::<_, Failure>(())
            })?;
            tell(unit::look(&config))?;
        }
    }
    let well = findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Wrong);
    if look.json {
        let mut page = Page::new(look);
        page.document(Examination { well, findings })?;
        super::print(&page.into_text())?;
    }
    Ok(if well { Exit::Fine } else { Exit::Trouble })
}

/// Whether a secret of this section cannot be used, which is told already.
fn lacks_secret(config: &Config, section: &str) -> bool {
    let faults = config.check_secrets();
    let mut keys = faults.iter().filter_map(|fault| fault.key.as_deref());
    keys.any(|key| key.starts_with(section))
}

/// One line for a finding.
fn line(finding: &Finding, look: Look) -> String {
    let (style, mark) = match finding.verdict {
        Verdict::Ok => (Style::Good, "ok     "),
        Verdict::Skipped => (Style::Dim, "-      "),
        Verdict::Wrong => (Style::Bad, "WRONG  "),
    };
    let advice = finding.advice.as_ref();
    let advice = advice.map_or_else(String::new, |advice| format!("; {advice}"));
    let mut page = Page::new(look);
    let text = format!("{}: {}{advice}", finding.check, finding.found);
    page.marked(style, mark, &text);
    page.into_text()
}

/// Looks at one part after the other.
pub struct Examiner<'a> {
    config: &'a Config,
    clock: &'a Clock,
    pace: Pace,
    leaf: leaf::Leaf<'a>,
    /// What was found and not told yet.
    found: std::vec::IntoIter<Finding>,
    next: usize,
}

impl<'a> Examiner<'a> {
    /// An examiner that has looked at nothing yet.
    pub fn new(config: &'a Config, clock: &'a Clock, pace: Pace) -> Self {
        Examiner {
            config,
            clock,
            pace,
            leaf: leaf::Leaf::new(config, clock),
            found: Vec::new().into_iter(),
            next: 0,
        }
    }

    /// The next finding, until all parts were looked at. With `send_to`, a real mail goes there.
    pub async fn next(&mut self, send_to: Option<&Address>) -> Option<Finding> {
        loop {
            if let Some(finding) = self.found.next() {
                return Some(finding);
            }
            let part = self.next;
            self.next += 1;
            self.found = match part {
                0 => machine::files(self.config),
                1 => machine::database(self.config, self.clock.now()),
                2 => vec![machine::disk(self.config)],
                3 => vec![self.leaf.login(self.pace).await],
                4 => self.leaf.credential().await,
                5 => vec![mail::server(self.config, self.pace).await],
                6 => match send_to {
                    Some(to) => {
                        vec![mail::send(self.config, self.pace, to, self.clock.now()).await]
                    }
                    None => Vec::new(),
                },
                _ => return None,
            }
            .into_iter();
        }
    }
}
