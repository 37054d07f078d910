//! The daemon without its loops: facts are handed to it one after the other, and time passes when it is told to. The
//! judge, the packer and the upkeep are the daemon's own. Reads no clock, asks nobody, sends nothing itself.

use jiff::{SignedDuration, Timestamp};

use super::judge::Bench;
use super::pack::{PackError, Packed, Packer};
use super::upkeep;
use crate::clock;
use crate::config::Config;
use crate::mail::letter::Letterhead;
use crate::rules::due;
use crate::store::{Attempt, Db, Error, RunId, Tx, Waiting};

/// How often what waits for no set time is looked at again.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Takes a mail to the mail server and writes down what became of it.
pub type Postman<'a> = dyn FnMut(&Tx<'_>, &Waiting, Timestamp) -> Result<(), Error> + 'a;

/// One daemon, played by hand.
#[derive(Debug)]
pub struct Player {
    db: Db,
    config: Config,
    run: RunId,
    now: Timestamp,
    after_off: bool,
    packed: Packed,
    started: u64,
}

impl Player {
    /// Starts on `db`, which may have a history.
    ///
    /// # Errors
    /// The database's.
    pub fn start(mut db: Db, config: Config, now: Timestamp) -> Result<Player, Error> {
        let (run, after_off) = db.write(|tx| begin_run(tx, &config, now))?;
        Ok(Player {
            db,
            config,
            run,
            now,
            after_off,
            packed: Packed::default(),
            started: 1,
        })
    }

    /// Stops without a word, and starts again at `now`, perhaps under another config; all that is kept is in the database.
    ///
    /// # Errors
    /// The database's.
    pub fn restart(&mut self, config: Option<Config>, now: Timestamp) -> Result<(), Error> {
        if let Some(config) = config {
            self.config = config;
        }
        self.now = now;
        let config = &self.config;
        (self.run, self.after_off) = self.db.write(|tx| begin_run(tx, config, now))?;
        self.packed = Packed::default();
        self.started += 1;
        Ok(())
    }

    /// What it decides by now.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Puts others in force, as a reload does.
    pub fn reload(&mut self, config: Config) {
        self.config = config;
    }

    /// This run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// It is later now, and nothing was done about it yet.
    pub fn wait_until(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The wall clock was set, or the machine slept: it is `now`, as the daemon notices, and `leaf_now` by Leaf's clock.
    ///
    /// # Errors
    /// The database's.
    pub fn clock_was_set(&mut self, now: Timestamp, leaf_now: Timestamp) -> Result<(), Error> {
        let wait = self.config.policy.alerts.group_wait;
        let back = now < self.now;
        self.now = now;
        self.db.write(|tx| {
            tx.note_leaf_clock(now, leaf_now)?;
            if back {
                tx.shorten_waits(wait, now)?;
            }
            if back && clock::agree(leaf_now.duration_since(now)) {
                tx.nothing_happened_after(now)?;
            }
            Ok(())
        })
    }

    /// What is left when it is over.
    pub fn into_db(self) -> Db {
        self.db
    }

    /// What is remembered.
    pub fn db(&mut self) -> &mut Db {
        &mut self.db
    }

    /// Hands the judge a fact.
    ///
    /// # Errors
    /// The database's.
    pub fn judge<T>(
        &mut self,
        work: impl FnOnce(&Bench<'_>, &Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let bench = Bench {
            after_off: self.after_off,
            ..Bench::of(&self.config)
        };
        self.db.write(|tx| work(&bench, tx))
    }

    /// A sweep was whole: what is seen from now on happened while somebody looked.
    pub fn looked(&mut self) {
        self.after_off = false;
    }

    /// Lets time pass to `until`: what falls due on the way is reminded of, packed, and given to the `postman`.
    ///
    /// # Errors
    /// The database's, and where a mail cannot be composed.
    pub fn pass(&mut self, until: Timestamp, postman: &mut Postman<'_>) -> Result<(), PackError> {
        loop {
            self.step(postman)?;
            match self.next_due()? {
                Some(next) if next <= until => self.now = next,
                _ => break,
            }
        }
        // The clock may have been set back.
        self.now = until;
        Ok(())
    }

    fn step(&mut self, postman: &mut Postman<'_>) -> Result<(), PackError> {
        let (now, config) = (self.now, &self.config);
        self.db.write(|tx| upkeep::on_schedule(tx, config, now))?;
        let bench = Bench {
            after_off: self.after_off,
            ..Bench::of(&self.config)
        };
        let head = Letterhead::of(config);
        let packer = Packer {
            bench,
            head: &head,
            nonce: self.started,
            progress: None,
        };
        self.packed = self.db.write(|tx| packer.pack_due(tx, true, now))?;
        let due: Vec<Waiting> = self.db.read(|tx| tx.due_deliveries(now))?;
        for delivery in due {
            self.db.write(|tx| postman(tx, &delivery, now))?;
        }
        Ok(())
    }

    /// When something is next due; what is due and not done waits for something, and is looked at again after a while.
    fn next_due(&mut self) -> Result<Option<Timestamp>, Error> {
        let (now, config, packed) = (self.now, &self.config, self.packed);
        let next = self.db.read(|tx| {
            let jobs = upkeep::next_on_schedule(tx, config, now)?;
            Ok::<_, Error>(
                [tx.next_due()?, jobs, packed.next]
                    .into_iter()
                    .flatten()
                    .min(),
            )
        })?;
        let again = now + LOOK_AGAIN;
        let next = match packed.waits {
            true => Some(next.unwrap_or(again).min(again)),
            false => next,
        };
        Ok(next.map(|next| if next <= now { again } else { next }))
    }
}

/// A mail server that takes everything.
///
/// # Errors
/// The database's.
pub fn accepts_all(tx: &Tx<'_>, delivery: &Waiting, now: Timestamp) -> Result<(), Error> {
    let attempt = Attempt {
        server: String::new(),
        phase: "accepted".to_owned(),
        code: None,
        reply: String::new(),
    };
    tx.accepted(delivery.id, &attempt, now)
}

fn begin_run(tx: &Tx<'_>, config: &Config, now: Timestamp) -> Result<(RunId, bool), Error> {
    tx.shorten_waits(config.policy.alerts.group_wait, now)?;
    tx.nothing_happened_after(now)?;
    let last_alive = tx.last_alive(now)?;
    tx.end_pause()?;
    let run = tx.begin_run(env!("CARGO_PKG_VERSION"), now)?;
    tx.choose_anew(now)?;
    tx.path_is_open(now)?;
    let after_off = due::was_off(&config.policy.schedules.sweep, last_alive, now);
    Ok((run, after_off))
}
