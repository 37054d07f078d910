//! The one thread that writes. Jobs run in the order in which they come; a job is one transaction.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{BackupError, Db, Error, Lock, Result, Tx};

type Job = Box<dyn FnOnce(&mut Db) + Send>;

/// A handle to the writer; clones share it. The thread ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Moves `db` to a thread of its own. Joining the handle after the last [`Writer`] is dropped waits for all jobs.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn start(mut db: Db) -> std::io::Result<(Writer, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                while let Ok(job) = queue.recv() {
                    job(&mut db);
                }
            })?;
        Ok((Writer { jobs }, thread))
    }

    /// Does `work` in one transaction and waits for its commit.
    ///
    /// # Errors
    /// Whatever `work` or the commit says; [`Error::Stopped`] where the thread is gone.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.with(move |db| db.write(work)).await
    }

    /// Does `work` on one consistent state, without writing: works on a full disk too, and proves nothing about it.
    ///
    /// # Errors
    /// Whatever `work` says; [`Error::Stopped`] where the thread is gone.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.with(move |db| db.read(work)).await
    }

    /// Hands the database itself to `work`.
    async fn with<T, E>(
        &self,
        work: impl FnOnce(&mut Db) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            // Nobody waiting any more is no reason to leave the work undone.
            let _ = answer.send(work(db));
        });
        self.jobs.send(job).map_err(|_| Error::Stopped)?;
        result.await.map_err(|_| Error::Stopped)?
    }

    /// Saves all that is open beside its path; see [`Db::rescue`].
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn rescue(
        &self,
        lock: Arc<Lock>,
        now: Timestamp,
    ) -> std::result::Result<PathBuf, BackupError> {
        self.with(move |db| db.rescue(&lock, now)).await
    }

    /// Leaves what stands at the database's path alone; see [`Db::let_go`].
    pub async fn let_go(&self, lock: Arc<Lock>) -> Result<()> {
        self.with(move |db| db.let_go(&lock)).await
    }

    /// Folds the write-ahead log into the database.
    pub async fn checkpoint(&self) -> Result<()> {
        self.with(|db| db.checkpoint()).await
    }
}
