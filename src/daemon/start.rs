//! How a run begins, and how another config is taken over: in one transaction, what is no longer in the config is closed, and
//! what is new in it is watched.

use jiff::Timestamp;

use super::judge::Bench;
use super::roster::{Changes, Roster};
use crate::config::Config;
use crate::model::Kind;
use crate::rules::due;
use crate::rules::incidents::Condition;
use crate::store::{Result, RunId, Tx};

/// What a run begins with.
#[derive(Debug)]
pub struct Begun {
    /// Client keys are fingerprinted under it.
    pub key: [u8; 32],
    /// The database's: by it `doctor` knows whose page it is.
    pub mark: String,
    pub(super) run: RunId,
    pub(super) roster: Roster,
    pub(super) blind: bool,
    pub(super) after_off: bool,
}

/// Begins a run under `config`; `fresh` is random, and becomes the key where there is none yet.
///
/// # Errors
/// The database's.
pub fn begin(tx: &Tx<'_>, config: &Config, fresh: [u8; 32], now: Timestamp) -> Result<Begun> {
    // The clock may have been set while nobody ran.
    tx.shorten_waits(config.policy.alerts.group_wait, now)?;
    let last_alive = tx.last_alive(now)?;
    tx.end_pause()?;
    let key = tx.fingerprint_key(fresh, now)?;
    let run = tx.begin_run(env!("CARGO_PKG_VERSION"), now)?;
    let roster = take_over(tx, config, now)?;
    // A delivery that was under way when the last run was killed is tried again now.
    tx.path_is_open(now)?;
    Ok(Begun {
        key,
        mark: tx.mark()?.unwrap_or_default(),
        run,
        roster,
        blind: tx.is_blind()?,
        after_off: due::was_off(&config.policy.schedules.sweep, last_alive, now),
    })
}

/// Takes over a config that may be another one than before. Nothing refused it, so that an old refusal is over.
///
/// # Errors
/// The database's.
pub fn take_over(tx: &Tx<'_>, config: &Config, now: Timestamp) -> Result<Roster> {
    let bench = Bench::of(config);
    let (roster, changes) = Roster::load(tx, &config.watch, &config.policy, now)?;
    drop_from_watch(tx, &bench, &changes, now)?;
    bench.own_one(tx, Kind::ConfigRejected, "", None, now)?;
    tx.choose_anew(now)?;
    Ok(roster)
}

/// Closes what was taken out of the config, and tells the operators where that was a lot.
fn drop_from_watch(
    tx: &Tx<'_>,
    bench: &Bench<'_>,
    changes: &Changes,
    now: Timestamp,
) -> Result<()> {
    const MANY: usize = 5;
    let dropped = changes.dropped.len();
    bench.unwatch(tx, &changes.dropped, now)?;
    let many = dropped >= MANY && dropped * 10 > changes.before;
    let condition = many.then(|| Condition {
        kind: Kind::WatchShrank,
        subject: String::new(),
        why: format!(
            "{dropped} of {} watched credentials are no longer in the config",
            changes.before
        ),
    });
    bench.own_one(tx, Kind::WatchShrank, "", condition.as_ref(), now)
}
