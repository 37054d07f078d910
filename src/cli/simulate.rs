//! `simulate`: the stored history once more, under the rules and alert settings of another config.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{Cli, Simulate};
use super::exit::{Exit, Failure};
use super::table::{Look, Page, Style, Table, text, whole};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::replay::{self, Replayed};
use crate::model::Kind;
use crate::store::{Access, Db, Error, Filter, Scene};
use crate::view::simulate::{self, IncidentPair, PackedMail, Simulation};
use crate::view::{Incident, words};

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn simulate(cli: &Cli, clock: &Clock, args: &Simulate) -> Result<Exit, Failure> {
    let config = cli.config()?;
    let mut db = Db::beside(&config.database.path, Access::Read)?;
    let look = super::look(cli, args.json);
    let page = page(&mut db, &config, args, look, clock.now())?;
    super::print(&page.into_text())
}

/// What the command shows of the history in `db` under `config`.
///
/// # Errors
/// The database's.
pub fn page(
    db: &mut Db,
    config: &Config,
    args: &Simulate,
    look: Look,
    now: Timestamp,
) -> Result<Page, Failure> {
    let zone = config.policy.schedules.zone.clone();
    let simulation = simulation(db, config, args, now)?;
    if look.json {
        let mut page = Page::new(look);
        page.document(simulation)?;
        return Ok(page);
    }
    Ok(laid_out(&simulation, &zone, args, look))
}

fn simulation(
    db: &mut Db,
    config: &Config,
    args: &Simulate,
    now: Timestamp,
) -> Result<Simulation, Failure> {
    let mut events = Vec::new();
    let past = db.read(|tx| {
        tx.each_past_events(|piece| events.push(piece))?;
        tx.past()
    })?;
    let mut progress = Progress::new(past.sweeps.len());
    let (mut replayed_db, replayed) =
        replay::replay(&past, &events, config.clone(), now, || progress.step())
            .map_err(|error| Failure::new(Exit::Database, anyhow::Error::new(error)))?;
    progress.end();
    let scene = Scene {
        watch: &config.watch,
        policy: &config.policy,
        now,
    };
    let zone = &config.policy.schedules.zone;
    let since = args
        .from
        .since
        .map(|since| since.moment(now, zone))
        .or(replayed.since)
        .unwrap_or(now);
    let (were, mails_were) = told(db, &scene, since)?;
    let (would_be, mails_would_be) = told(&mut replayed_db, &scene, since)?;
    Ok(Simulation {
        since,
        until: now,
        replayed: simulate::Replayed {
            sweeps: replayed.sweeps,
            answers: replayed.answers,
            events: replayed.events,
            credentials: replayed.credentials,
        },
        incidents: simulate::pairs(were, would_be),
        addresses: simulate::by_address(&mails_were, &mails_would_be),
        mails_were,
        mails_would_be,
        not_simulated: not_simulated(&replayed, config.database.keep_events),
    })
}

/// The incidents and the mails of the time from `since` on.
fn told(
    db: &mut Db,
    scene: &Scene<'_>,
    since: Timestamp,
) -> Result<(Vec<Incident>, Vec<PackedMail>), Failure> {
    let filter = Filter {
        since: Some(since),
        provider: None,
    };
    let (mut incidents, mut mails) = (Vec::new(), Vec::<(String, PackedMail)>::new());
    db.read(|tx| {
        tx.each_incident(scene, filter, false, &[], |incident| {
            if simulate::is_replayed(incident.kind) {
                incidents.push(incident);
            }
        })?;
        tx.each_delivery(scene.now, filter, None, |line| match mails.last_mut() {
            Some((id, mail)) if *id == line.message_id => mail.to.push(line.address),
            _ => mails.push((
                line.message_id,
                PackedMail {
                    at: line.packed_at,
                    subject: line.subject,
                    to: vec![line.address],
                },
            )),
        })?;
        Ok::<_, Error>(())
    })?;
    let mut mails: Vec<PackedMail> = mails.into_iter().map(|(_, mail)| mail).collect();
    mails.sort_by_key(|mail| mail.at);
    Ok((incidents, mails))
}

/// What the reader must know to trust the numbers.
fn not_simulated(replayed: &Replayed, keep_events: Duration) -> Vec<String> {
    let days = keep_events.as_secs() / 86_400;
    let mut notes = vec![
        "[leaf] and [schedule] (but reminders, digest and zone): answers came when they came"
            .to_owned(),
        format!("events further back than database.keep_events ({days} days)"),
        "the mail server: every mail is taken at once".to_owned(),
        "Leafwatch's own trouble (mail, database, config, token, overdue sweeps): on neither side"
            .to_owned(),
    ];
    if replayed.never_seen > 0 {
        notes.push(format!(
            "{} that this config watches and that have no history yet",
            words::counted(replayed.never_seen, "credential")
        ));
    }
    if replayed.not_watched > 0 {
        notes.push(format!(
            "{} that this config does not watch; what there was of them is shown as it was",
            words::counted(replayed.not_watched, "credential")
        ));
    }
    notes
}

fn laid_out(simulation: &Simulation, zone: &TimeZone, args: &Simulate, look: Look) -> Page {
    let mut page = Page::new(look);
    let time = |at: Timestamp| words::short_time(at, zone);
    let replayed = simulation.replayed;
    page.say(
        Style::Bold,
        &format!(
            "{} to {}: {}, {}, {} of {} replayed",
            time(simulation.since),
            time(simulation.until),
            words::counted(replayed.sweeps, "sweep"),
            words::counted(replayed.answers, "changed answer"),
            words::counted(replayed.events, "event"),
            words::counted(replayed.credentials, "credential"),
        ),
    );
    page.gap();
    page.table(&totals(simulation));
    let shown: Vec<&IncidentPair> = simulation
        .incidents
        .iter()
        .filter(|pair| args.verbose || pair.differs())
        .collect();
    page.gap();
    let differing = simulation.incidents.iter().filter(|pair| pair.differs());
    let line = match differing.count() as u64 {
        0 => "Every incident would have been the same.".to_owned(),
        count => format!(
            "{} would have been otherwise:",
            words::counted(count, "incident")
        ),
    };
    page.say(Style::Bold, &line);
    if !shown.is_empty() {
        let mut table = Table::new(&[text("WHO"), text("WAS"), text("WOULD HAVE BEEN")]);
        let life = |one: &Option<Incident>| match one {
            None => ("-".to_owned(), Style::Dim),
            Some(incident) => (span(incident, zone), incident.severity.into()),
        };
        for pair in shown {
            let who = (pair.about.shown(pair.track), Style::Plain);
            table.row([who, life(&pair.was), life(&pair.would_be)]);
        }
        page.gap();
        page.table(&table);
    }
    if args.verbose {
        for (heading, mails) in [
            ("Mails there were:", &simulation.mails_were),
            ("Mails there would have been:", &simulation.mails_would_be),
        ] {
            page.gap();
            page.say(Style::Bold, heading);
            if mails.is_empty() {
                page.styled(2, Style::Dim, "none");
            }
            for mail in mails {
                let line = format!("{}  to {}", mail.subject, words::listed(&mail.to));
                page.labelled(2, &format!("{}  ", time(mail.at)), &line);
            }
        }
    }
    page.gap();
    page.say(Style::Bold, "Not simulated:");
    for note in &simulation.not_simulated {
        page.labelled(2, "- ", note);
    }
    page
}

/// One of the two sides of a pair.
type Side = fn(&IncidentPair) -> Option<&Incident>;

fn totals(simulation: &Simulation) -> Table {
    let mut table = Table::new(&[text(""), whole("WERE"), whole("WOULD BE")]);
    let mut row = |what: &str, were: u64, would_be: u64| {
        let style = match were == would_be {
            true => Style::Plain,
            false => Style::Doubtful,
        };
        table.row([
            (what.to_owned(), Style::Plain),
            (words::number(were), Style::Plain),
            (words::number(would_be), style),
        ]);
    };
    let lives = |of: Side| simulation.incidents.iter().filter_map(move |pair| of(pair));
    let (was, would_be): (Side, Side) = (|pair| pair.was.as_ref(), |pair| pair.would_be.as_ref());
    row(
        "incidents",
        lives(was).count() as u64,
        lives(would_be).count() as u64,
    );
    for &kind in Kind::ALL {
        let count = |of: Side| lives(of).filter(|life| life.kind == kind).count() as u64;
        let (were, would) = (count(was), count(would_be));
        if were + would > 0 {
            row(&format!("  {}", words::label(kind)), were, would);
        }
    }
    let mails = |mails: &[PackedMail]| mails.len() as u64;
    row(
        "mails",
        mails(&simulation.mails_were),
        mails(&simulation.mails_would_be),
    );
    for address in &simulation.addresses {
        row(
            &format!("  to {}", address.address),
            address.were,
            address.would_be,
        );
    }
    table
}

fn span(incident: &Incident, zone: &TimeZone) -> String {
    let ended = match incident.ended_at {
        Some(ended) => words::short_time(ended, zone),
        None => "still open".to_owned(),
    };
    format!(
        "{}, {} to {ended}{}",
        words::label(incident.kind),
        words::short_time(incident.opened_at, zone),
        words::came_back(incident.reopened)
    )
}

/// A line on the terminal while a long history is replayed.
struct Progress {
    of: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    fn new(of: usize) -> Self {
        Progress {
            of,
            done: 0,
            shown: of >= 1_000 && std::io::stderr().is_terminal(),
        }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.shown && self.done.is_multiple_of(100) {
            self.say(&format!("replaying: {} of {} sweeps", self.done, self.of));
        }
    }

    fn end(&mut self) {
        if self.shown {
            self.say("");
        }
    }

    /// A terminal that cannot be written to misses nothing that matters.
    fn say(&self, text: &str) {
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }
}
