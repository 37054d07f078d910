//! What all pages share: the settings in force, the readers, and counts that hold for a few seconds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ring::rand::SystemRandom;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::doors::{self, Limits};
use super::readers::{NoAnswer, Readers};
use super::routes;
use super::tries::Tries;
use crate::clock::Clock;
use crate::config::{SecretFault, Web};
use crate::leaf::Client;
use crate::model::{Policy, WatchList};
use crate::store::{self, Fleet, Scene, Tx};
use crate::vitals::Vitals;

/// What the pages need of the config.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which daemon this is, where there are several.
    pub instance: Option<String>,
    /// What the rules decide by.
    pub policy: Policy,
    /// What is watched.
    pub watch: Arc<WatchList>,
    /// `[web]`.
    pub web: Web,
    /// How long one request to Leaf may take; loops that show no step for much longer are stuck.
    pub request_timeout: Duration,
}

/// What the pages need of the daemon.
#[derive(Debug)]
pub struct Parts {
    /// The clock.
    pub clock: Clock,
    /// The pulse of the loops.
    pub vitals: Vitals,
    /// Leaf's client, for its counters.
    pub client: Client,
    /// The database's file.
    pub database: PathBuf,
    /// Where it is served.
    pub listen: SocketAddr,
    /// The database's mark: by it `doctor` knows whose page it is.
    pub mark: String,
}

/// The password of the page cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the password of the page; {}", .0.advice())]
pub struct NoPassword(#[source] SecretFault);

/// Settings that can be put in force: the password is read.
#[derive(Debug)]
pub struct Ready(InForce);

impl Ready {
    /// Makes `settings` ready.
    ///
    /// # Errors
    /// Where the password cannot be read.
    pub fn new(settings: Settings) -> Result<Ready, NoPassword> {
        InForce::new(settings).map(Ready)
    }
}

/// The site; clones share it.
#[derive(Debug, Clone)]
pub struct Site(Arc<Shared>);

/// What every request is answered from.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) parts: Parts,
    /// On the monotonic clock.
    pub(super) started: Duration,
    pub(super) tries: Tries,
    readers: Readers,
    /// For those who ask whether we are well, however many ask for pages.
    reserve: Readers,
    in_force: RwLock<Arc<InForce>>,
    counted: Mutex<Option<Counted>>,
}

/// The settings in force, and the key that opens the page under them.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) settings: Settings,
    pub(super) password: Option<Password>,
}

/// A password that can be compared and not read.
pub(super) struct Password {
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
    /// A site that nobody can reach yet.
    ///
    /// # Errors
    /// Where the password cannot be read.
    pub fn new(parts: Parts, settings: Settings) -> Result<Site, NoPassword> {
        Ok(Site(Arc::new(Shared {
            readers: Readers::new(2, parts.database.clone(), parts.clock.clone()),
            reserve: Readers::new(1, parts.database.clone(), parts.clock.clone()),
            tries: Tries::new(parts.clock.clone()),
            in_force: RwLock::new(Arc::new(InForce::new(settings)?)),
            counted: Mutex::new(None),
            started: parts.clock.monotonic(),
            parts,
        })))
    }

    /// Puts other settings in force, from the next request on.
    pub fn reload(&self, Ready(new): Ready) {
        *self
            .0
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.0.parts.listen
    }

    /// Serves until `stop`; what is being answered then has a second to end.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) {
        let pages = routes::all(self.0.clone());
        doors::serve(listener, pages, Limits::default(), stop).await;
    }
}

impl Shared {
    /// The settings in force now.
    pub(super) fn now_in_force(&self) -> Arc<InForce> {
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the database, on a thread that gives way to everything else.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        in_force: Arc<InForce>,
        work: impl FnOnce(&Asked<'_>) -> store::Result<T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.readers.read(self.answer(in_force, work)).await
    }

    /// The same for those who ask whether we are well: on a thread of their own.
    pub(super) async fn ask_from_reserve<T: Send + 'static>(
        self: &Arc<Self>,
        in_force: Arc<InForce>,
        work: impl FnOnce(&Asked<'_>) -> store::Result<T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.reserve.read(self.answer(in_force, work)).await
    }

    fn answer<T>(
        self: &Arc<Self>,
        in_force: Arc<InForce>,
        work: impl FnOnce(&Asked<'_>) -> store::Result<T> + Send + 'static,
    ) -> impl FnOnce(&Tx<'_>) -> store::Result<T> + Send + 'static {
        let shared = self.clone();
        move |tx| {
            let scene = Scene {
                watch: &in_force.settings.watch,
                policy: &in_force.settings.policy,
                now: shared.parts.clock.now(),
            };
            work(&Asked {
                tx,
                scene,
                shared: &shared,
                in_force: &in_force,
            })
        }
    }
}

/// A question being answered: one consistent state of the database.
pub(super) struct Asked<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) scene: Scene<'a>,
    pub(super) shared: &'a Shared,
    pub(super) in_force: &'a InForce,
}

impl Asked<'_> {
    /// How many credentials are how: counted anew where the last count is some seconds old. Counting never takes more
    /// than a twentieth of one core, however many pages are asked for.
    pub(super) fn fleet(&self) -> store::Result<Fleet> {
        const AT_LEAST: Duration = Duration::from_secs(2);
        const SHARE: u32 = 20;
        let clock = &self.shared.parts.clock;
        let watch = &self.in_force.settings.watch;
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

impl InForce {
    fn new(settings: Settings) -> Result<InForce, NoPassword> {
        let password = match &settings.web.password {
            None => None,
            Some(file) => Some(Password::new(
                file.read().map_err(NoPassword)?.expose_secret().as_bytes(),
            )),
        };
        Ok(InForce { settings, password })
    }
}

impl Password {
    fn new(password: &[u8]) -> Password {
        // Only for this process: without random numbers the comparison is as right, and as constant in time.
        let key = ring::hmac::Key::generate(ring::hmac::HMAC_SHA256, &SystemRandom::new())
            .unwrap_or_else(|_| ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[0; 32]));
        let tag = ring::hmac::sign(&key, password);
        Password { key, tag }
    }

    /// Whether `given` is the password; takes as long for any of its length.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        ring::hmac::verify(&self.key, given, self.tag.as_ref()).is_ok()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}
