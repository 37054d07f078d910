//! `doctor`: tries the real thing, part by part, and says of each whether it works and what to do.
//!
//! Changes nothing: no database is made, no lock taken, no mail sent but the one that was asked for.

mod leaf;
mod machine;
mod mail;
mod page;
mod pulse;
mod service;
mod unit;

use super::args::{Cli, Doctor};
use super::exit::{Exit, Failure};
use super::table::{Look, Page, Style};
use crate::app::Patience;
use crate::clock::Clock;
use crate::config::{Config, Faults};
use crate::model::Address;
use crate::view::doctor::{Examination, Finding, Verdict};
use crate::view::words;

pub use unit::{judge as judge_unit, name as unit_name};

/// Runs the command.
///
/// # Errors
/// Where the answer cannot be printed.
pub fn doctor(cli: &Cli, clock: &Clock, args: &Doctor) -> Result<Exit, Failure> {
    let look = super::look(cli, args.json);
    let mut findings = Vec::new();
    let mut tell = |finding: Finding| -> Result<(), Failure> {
        if args.relay {
            super::print(&(serde_json::to_string(&finding)? + "\n"))?;
        } else if !look.json {
            super::print(&line(&finding, look))?;
        }
        findings.push(finding);
        Ok(())
    };
    if args.relay {
        examine(cli, clock, args, &mut tell)?;
    } else {
        consult(cli, clock, args, &mut tell)?;
    }
    let well = findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Wrong);
    if look.json && !args.relay {
        let mut page = Page::new(look);
        page.document(Examination { well, findings })?;
        super::print(&page.into_text())?;
    }
    Ok(if well { Exit::Fine } else { Exit::Trouble })
}

/// Looks at the unit, then at all else as its service would, or as who we are where that cannot be.
fn consult(
    cli: &Cli,
    clock: &Clock,
    args: &Doctor,
    tell: &mut dyn FnMut(Finding) -> Result<(), Failure>,
) -> Result<(), Failure> {
    const CHECK: &str = "as the service";
    let unit = unit::name(&cli.config, cli.instance.as_deref());
    tell(unit::look(unit.as_deref(), &cli.config))?;
    if let Some(why) = service::not_tried(unit.as_deref()) {
        tell(Finding::skipped(CHECK, why))?;
        return examine(cli, clock, args, tell);
    }
    let unit = unit.unwrap_or_default();
    let service = match service::of(&unit) {
        Ok(service) => service,
        Err(finding) => {
            tell(finding)?;
            return examine(cli, clock, args, tell);
        }
    };
    if let Some(config) = service.config().filter(|config| *config != cli.config) {
        let found = format!(
            "{unit} reads {}, not {}",
            config.display(),
            cli.config.display()
        );
        tell(Finding::wrong(
            CHECK,
            found,
            "ask about the config that the unit reads, or correct its ExecStart=",
        ))?;
    }
    for finding in machine::originals(service.secrets()) {
        tell(finding)?;
    }
    match service::examine(&service, cli, args, &mut *tell)? {
        Ok(()) => Ok(()),
        Err(finding) => {
            tell(finding)?;
            examine(cli, clock, args, tell)
        }
    }
}

/// Tries everything as who we are.
fn examine(
    cli: &Cli,
    clock: &Clock,
    args: &Doctor,
    tell: &mut dyn FnMut(Finding) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = match cli.config() {
        Ok(config) => config,
        Err(faults) => return tell(unread(&faults, cli)),
    };
    let runtime = super::run::runtime(&config)?;
    runtime.block_on(async {
        let mut examiner = Examiner::new(&config, clock, Patience::default());
        while let Some(finding) = examiner.next(args.send_to.as_ref()).await {
            tell(finding)?;
        }
        Ok(())
    })
}

/// The config cannot be used. That it, or the file of growers, is not ours to read comes before what stands in them.
fn unread(Faults(faults): &Faults, cli: &Cli) -> Finding {
    let more = match faults.len() {
        0 | 1 => String::new(),
        count => format!(", and {}", words::counted(count as u64 - 1, "more fault")),
    };
    let whole_file = faults.iter().find(|fault| fault.key.is_none());
    let first = whole_file.or_else(|| faults.first());
    let wrong = first.map_or_else(String::new, |fault| {
        let key = fault.key.as_ref().map(|key| format!("{key}: "));
        format!(
            "{}: {}{}",
            fault.place,
            key.unwrap_or_default(),
            fault.wrong
        )
    });
    let write = first.and_then(|fault| fault.write.as_ref());
    Finding::wrong(
        "config",
        format!("{wrong}{more}; nothing else can be tried"),
        write.map_or_else(String::new, |write| format!("{write}; "))
            + &words::command(&cli.daemon(), "config check")
            + " shows every fault",
    )
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
    patience: Patience,
    leaf: leaf::Leaf<'a>,
    /// What was found and not told yet.
    found: std::vec::IntoIter<Finding>,
    next: usize,
}

impl<'a> Examiner<'a> {
    /// An examiner that has looked at nothing yet.
    pub fn new(config: &'a Config, clock: &'a Clock, patience: Patience) -> Self {
        Examiner {
            config,
            clock,
            patience,
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
                3 => vec![self.leaf.login(self.patience).await],
                4 => self.leaf.credential().await,
                5 => vec![mail::server(self.config, self.patience).await],
                6 => match send_to {
                    Some(to) => {
                        vec![mail::send(self.config, self.patience, to, self.clock.now()).await]
                    }
                    None => Vec::new(),
                },
                7 => vec![page::address(self.config).await],
                8 => vec![pulse::heartbeat(self.config).await],
                _ => return None,
            }
            .into_iter();
        }
    }
}
