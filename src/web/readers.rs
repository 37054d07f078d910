//! Threads that read the database for the pages, behind everything else that the machine has to do.
//!
//! Never writes, never holds a read open between questions, and never lets more questions wait than it can answer soon.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::store::{Access, Db, Error, Tx};

/// Questions that may wait.
const QUEUE: usize = 32;
/// How long a question may take, its waiting included.
const LONGEST: Duration = Duration::from_secs(10);
/// How much less of a processor these threads get where others want it too.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce(&mut Option<Db>) + Send>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Too many ask at once.
    #[error("too many questions at once; try again in a moment")]
    Busy,
    /// It takes too long.
    #[error("the database did not answer within 10 s")]
    TooLong,
    /// The database failed.
    #[error("the database cannot be read")]
    Store(#[from] Error),
}

/// The threads; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    jobs: mpsc::Sender<Job>,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    threads: usize,
    started: Mutex<usize>,
    database: PathBuf,
    clock: Clock,
}

impl Readers {
    /// So many threads, each with a connection of its own. None is there before somebody asks.
    pub(super) fn new(threads: usize, database: PathBuf, clock: Clock) -> Readers {
        let (jobs, queue) = mpsc::channel(QUEUE);
        Readers {
            jobs,
            queue: Arc::new(Mutex::new(queue)),
            threads,
            started: Mutex::new(0),
            database,
            clock,
        }
    }

    /// Does `work` on one consistent state.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.start();
        let deadline = self.clock.monotonic() + LONGEST;
        let (answer, result) = oneshot::channel();
        let (clock, database) = (self.clock.clone(), self.database.clone());
        let job: Job = Box::new(move |db| {
            let late = move || clock.monotonic() > deadline;
            // Nobody waits for an answer that comes too late.
            if answer.is_closed() || late() {
                return;
            }
            let result = answer_from(db, &database, late, work);
            if result.is_err() {
                // The next question opens it anew.
                *db = None;
            }
            let _ = answer.send(result);
        });
        self.jobs.try_send(job).map_err(|_| NoAnswer::Busy)?;
        match tokio::time::timeout(LONGEST, result).await {
            Ok(Ok(result)) => Ok(result?),
            _ => Err(NoAnswer::TooLong),
        }
    }

    fn start(&self) {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        while *started < self.threads {
            let queue = self.queue.clone();
            let thread = std::thread::Builder::new()
                .name("page".to_owned())
                .spawn(move || work_through(&queue));
            match thread {
                Ok(_) => *started += 1,
                Err(error) => {
                    tracing::warn!("no thread to answer pages: {error}");
                    return;
                }
            }
        }
    }
}

fn work_through(queue: &Mutex<mpsc::Receiver<Job>>) {
    // On Linux the thread alone is meant; where it is refused, pages are as important as sweeps.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("the page's readers run at full priority: {error}");
    }
    let mut db = None;
    loop {
        let job = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        match job {
            Some(job) => job(&mut db),
            None => return,
        }
    }
}

fn answer_from<T>(
    db: &mut Option<Db>,
    database: &Path,
    late: impl FnMut() -> bool + Send + 'static,
    work: impl FnOnce(&Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let db = match db {
        Some(db) => db,
        None => db.insert(Db::beside(database, Access::Read)?),
    };
    db.read_until(late, work)
}
