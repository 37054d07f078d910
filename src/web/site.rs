//! What all pages share: the config in force, the readers, and counts that hold for a few seconds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ring::rand::SystemRandom;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::doors::{self, Limits};
use super::readers::{NoAnswer, Readers};
use super::routes;
use super::tries::Tries;
use crate::clock::Clock;
use crate::config::{Config, SecretFault, Web};
use crate::leaf::Client;
use crate::model::WatchList;
use crate::store::{self, Fleet, Scene, Tx};
use crate::vitals::{Fault, Vitals};

/// The password of the page cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the password of the page; {}", .0.advice())]
pub struct NoPassword(#[source] SecretFault);

/// The site; clones share it.
#[derive(Debug, Clone)]
pub struct Site(Arc<Shared>);

/// What every request is answered from.
#[derive(Debug)]
pub(super) struct Shared {
    in_force: watch::Receiver<Arc<Config>>,
    pub(super) clock: Clock,
    pub(super) vitals: Vitals,
    /// For its counters.
    pub(super) client: Client,
    /// The file that is open; another one in the config needs a restart.
    pub(super) database: PathBuf,
    pub(super) address: SocketAddr,
    /// The database's: by it `doctor` knows whose page it is.
    pub(super) mark: String,
    /// Until it is served.
    listener: Mutex<Option<TcpListener>>,
    password: RwLock<Option<Password>>,
    /// On the monotonic clock.
    pub(super) started: Duration,
    pub(super) tries: Tries,
    readers: Readers,
    /// For those who ask whether we are well, however many ask for pages.
    reserve: Readers,
    counted: Mutex<Option<Counted>>,
}

/// A password that can be compared and not read.
pub struct Password {
    key: ring::hmac::Key,
    tag: ring::hmac::Tag,
}

#[derive(Debug)]
struct Counted {
    fleet: Fleet,
    until: Duration,
    watch: Arc<WatchList>,
}

impl Site {
    /// The site at `web.listen`, where that is set. Nobody is answered before it [runs](Self::run); where another program
    /// has taken its address, that is said loudly and is no reason not to watch.
    ///
    /// # Errors
    /// Where the password cannot be read.
    pub async fn open(
        in_force: watch::Receiver<Arc<Config>>,
        clock: Clock,
        vitals: Vitals,
        client: Client,
        mark: String,
    ) -> Result<Option<Site>, NoPassword> {
        let config = in_force.borrow().clone();
        let Some(wanted) = config.web.listen else {
            return Ok(None);
        };
        let password = Password::read(&config.web)?;
        let (listener, address) = listen(wanted, &vitals, &clock).await.unzip();
        let database = config.database.path.clone();
        Ok(Some(Site(Arc::new(Shared {
            in_force,
            address: address.unwrap_or(wanted),
            listener: Mutex::new(listener),
            password: RwLock::new(password),
            started: clock.monotonic(),
            tries: Tries::new(clock.clone()),
            readers: Readers::new(2, database.clone(), clock.clone()),
            reserve: Readers::new(1, database.clone(), clock.clone()),
            counted: Mutex::new(None),
            clock,
            vitals,
            client,
            database,
            mark,
        }))))
    }

    /// Another password opens it, from the next request on.
    pub fn change_password(&self, password: Option<Password>) {
        let standing = self.0.password.write();
        *standing.unwrap_or_else(PoisonError::into_inner) = password;
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Serves until `stop`; what is being answered then has a second to end. Where its address was taken by another
    /// program, from when that is gone.
    pub async fn run(self, stop: CancellationToken) {
        let pages = routes::all(self.0.clone());
        tokio::select! {
            () = stop.cancelled() => {}
            listener = self.listener() => {
                doors::serve(listener, pages, Limits::default(), stop.clone()).await;
            }
        }
    }

    async fn listener(&self) -> TcpListener {
        const TRY_EVERY: Duration = Duration::from_secs(5);
        let Shared {
            listener,
            address,
            vitals,
            clock,
            ..
        } = &*self.0;
        let taken = listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(listener) = taken {
            return listener;
        }
        loop {
            tokio::time::sleep(TRY_EVERY).await;
            if let Some((listener, _)) = listen(*address, vitals, clock).await {
                return listener;
            }
        }
    }
}

/// Takes the address, where port 0 was asked for the one that the system chose.
async fn listen(
    address: SocketAddr,
    vitals: &Vitals,
    clock: &Clock,
) -> Option<(TcpListener, SocketAddr)> {
    let taken = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    match taken.await {
        Ok((listener, address)) => {
            vitals.fault_over(Fault::Page);
            tracing::info!("the page is at http://{address}/");
            Some((listener, address))
        }
        Err(error) => {
            let text = format!(
                "the page, /healthz and /metrics are not served: cannot listen at {address} (web.listen): {error}"
            );
            if vitals.fault_seen(Fault::Page, text.clone(), clock.now()) {
                tracing::error!("{text}; watching goes on, and it is tried again every 5 s");
            }
            None
        }
    }
}

impl Shared {
    /// The config in force now.
    pub(super) fn config(&self) -> Arc<Config> {
        self.in_force.borrow().clone()
    }

    /// Whether `given` is the password; a page without one has none.
    pub(super) fn password_is(&self, given: &[u8]) -> bool {
        let password = self.password.read();
        let password = password.unwrap_or_else(PoisonError::into_inner);
        password.as_ref().is_some_and(|password| password.is(given))
    }

    /// Asks the database, on a thread that gives way to everything else.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        config: Arc<Config>,
        work: impl FnOnce(&Asked<'_>) -> store::Result<T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.readers.read(self.answer(config, work)).await
    }

    /// The same for those who ask whether we are well: on a thread of their own.
    pub(super) async fn ask_from_reserve<T: Send + 'static>(
        self: &Arc<Self>,
        config: Arc<Config>,
        work: impl FnOnce(&Asked<'_>) -> store::Result<T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.reserve.read(self.answer(config, work)).await
    }

    fn answer<T>(
        self: &Arc<Self>,
        config: Arc<Config>,
        work: impl FnOnce(&Asked<'_>) -> store::Result<T> + Send + 'static,
    ) -> impl FnOnce(&Tx<'_>) -> store::Result<T> + Send + 'static {
        let shared = self.clone();
        move |tx| {
            let scene = Scene {
                watch: &config.watch,
                policy: &config.policy,
                now: shared.clock.now(),
            };
            work(&Asked {
                tx,
                scene,
                shared: &shared,
                config: &config,
            })
        }
    }
}

/// A question being answered: one consistent state of the database.
pub(super) struct Asked<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) scene: Scene<'a>,
    pub(super) shared: &'a Shared,
    pub(super) config: &'a Config,
}

impl Asked<'_> {
    /// How many credentials are how: counted anew where the last count is some seconds old. Counting never takes more
    /// than a twentieth of one core, however many pages are asked for.
    pub(super) fn fleet(&self) -> store::Result<Fleet> {
        const AT_LEAST: Duration = Duration::from_secs(2);
        const SHARE: u32 = 20;
        let clock = &self.shared.clock;
        let watch = &self.config.watch;
        let mut counted = self
            .shared
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let began = clock.monotonic();
        if let Some(counted) = &*counted
            && began < counted.until
            && Arc::ptr_eq(&counted.watch, watch)
        {
            return Ok(counted.fleet.clone());
        }
        let fleet = self.tx.fleet(&self.scene)?;
        let ended = clock.monotonic();
        *counted = Some(Counted {
            fleet: fleet.clone(),
            until: ended
                + ended
                    .saturating_sub(began)
                    .saturating_mul(SHARE)
                    .max(AT_LEAST),
            watch: watch.clone(),
        });
        Ok(fleet)
    }
}

impl Password {
    /// The one that opens the page under `web`; none where it needs none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(web: &Web) -> Result<Option<Password>, NoPassword> {
        let Some(file) = &web.password else {
            return Ok(None);
        };
        let password = file.read().map_err(NoPassword)?;
        Ok(Some(Password::new(password.expose_secret().as_bytes())))
    }

    fn new(password: &[u8]) -> Password {
        // Only for this process: without random numbers the comparison is as right, and as constant in time.
        let key = ring::hmac::Key::generate(ring::hmac::HMAC_SHA256, &SystemRandom::new())
            .unwrap_or_else(|_| ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[0; 32]));
        let tag = ring::hmac::sign(&key, password);
        Password { key, tag }
    }

    /// Whether `given` is the password; takes as long for any of its length.
    fn is(&self, given: &[u8]) -> bool {
        ring::hmac::verify(&self.key, given, self.tag.as_ref()).is_ok()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}
