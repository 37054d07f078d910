//! `check`: one sweep now. Stores and sends nothing, unless it is asked to do what the daemon would.

use std::sync::Arc;

use super::args::{Check, Cli, Common, Status};
use super::exit::{Exit, Failure};
use super::{progress, run, status};
use crate::app::{Patience, Station};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{deliver, gather, sweep};
use crate::model::SweepEnd;
use crate::store::{Db, Scene};
use crate::view::status::CredentialCounts;
use crate::view::words;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn check(cli: &Cli, clock: &Clock, args: &Check) -> Result<Exit, Failure> {
    let mut config = run::config_with_secrets(cli)?;
    // The page is the daemon's, which may run beside.
    config.web.listen = None;
    let db = match args.notify {
        // Nobody waits for company: what is found is told at once.
        true => {
            config.policy.alerts.group_wait = std::time::Duration::ZERO;
            Db::open(&config.database.path)?
        }
        false => Db::in_memory()?,
    };
    run::runtime(&config)?.block_on(look(cli, clock, args, db, config.into()))
}

async fn look(
    cli: &Cli,
    clock: &Clock,
    args: &Check,
    db: Db,
    config: Arc<Config>,
) -> Result<Exit, Failure> {
    let station = Station::open(db, config.clone(), clock.clone(), Patience::default()).await?;
    let context = station.context.clone();
    gather::names(&context).await;
    let before = context.client.counters().answered;
    let ended = progress::shown(
        clock,
        config.watch.len() as u64,
        || context.client.counters().answered - before,
        sweep::run(&context, sweep::Scope::All, station.urgent()),
    )
    .await?;
    if args.notify {
        gather::round(&context).await?;
        tell(&context).await?;
    }
    let look = super::look(cli, args.json);
    let shown = Status {
        all: true,
        common: Common {
            provider: None,
            json: args.json,
        },
    };
    let now = clock.now();
    let page = context.writer.write(move |tx| {
        let scene = Scene {
            watch: &config.watch,
            policy: &config.policy,
            now,
        };
        status::compose(tx, &scene, &shown, look)
    });
    let (page, counts) = page.await?;
    let waiting = context.read(|tx| tx.waiting_deliveries()).await?;
    drop(context);
    station.close().await;
    super::print(&page.into_text())?;
    if args.notify && waiting > 0 {
        let what = anyhow::anyhow!(
            "{} not accepted yet; {} shows why",
            match waiting {
                1 => "1 mail is".to_owned(),
                _ => format!("{waiting} mails are"),
            },
            words::command(&cli.daemon(), "deliveries")
        );
        return Err(Failure::new(Exit::Unreachable, what));
    }
    Ok(verdict(ended.end, &counts))
}

/// Packs and sends until nothing more is due.
async fn tell(context: &crate::daemon::context::Context) -> Result<(), Failure> {
    let mut path = deliver::Path::default();
    loop {
        let packed = deliver::pack(context)
            .await
            .map_err(|error| Failure::new(Exit::Database, error))?;
        let sent = deliver::send_due(context, &mut path).await?;
        if packed.0 == 0 && sent == 0 {
            return Ok(());
        }
    }
}

fn verdict(end: SweepEnd, counts: &CredentialCounts) -> Exit {
    match end {
        _ if counts.is_trouble() => Exit::Trouble,
        SweepEnd::Whole if counts.is_known() => Exit::Fine,
        _ => Exit::CouldNotTell,
    }
}
