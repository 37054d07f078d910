//! The handle on a simulated Leaf: what happens there, in the words of the domain.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::answer::{Embedding, RawAnswer};
use super::count::{Requests, Tally, Traffic};
use super::fault::{Fault, FaultId, Scope, When};
use super::grant::Consent;
use super::lists::Lists;
use super::log_entry::LogEntry;
use super::login::LoginRules;
use super::port::Port;
use super::serve::{DateHeader, Shared, serve};
use super::world::{World, nth_user};
use crate::clock::Clock;
use crate::model::{Credential, Provider, UserId};

/// A simulated Leaf that answers over HTTP on this machine, until the last handle is dropped.
///
/// Every change holds for the next request. Methods that speak of one credential panic where nobody connected it,
/// but for [`Leaf::disconnect`], [`Leaf::connect`] and the counters: to go on would let a test pass for nothing.
#[derive(Debug, Clone)]
pub struct Leaf(Arc<Running>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    fn end(&self) {
        self.stop.cancel();
        self.shared.port.leave();
    }
}

impl Leaf {
    /// Starts an empty one on a free port of the loopback, by the machine's clock.
    ///
    /// # Errors
    ///
    /// What the operating system says where no port can be had.
    pub async fn start() -> io::Result<Leaf> {
        Leaf::start_on((Ipv4Addr::LOCALHOST, 0).into(), Clock::system()).await
    }

    /// Starts an empty one on an IPv4 address, by another clock: created times, the ages of events, the lives of
    /// tokens and the `Date` header follow it.
    ///
    /// # Errors
    ///
    /// What the operating system says where the address cannot be had.
    pub async fn start_on(addr: SocketAddr, clock: Clock) -> io::Result<Leaf> {
        let port = Port::open(addr)?;
        let shared = Arc::new(Shared {
            world: World::default().into(),
            traffic: Traffic::default(),
            base_url: format!("http://{}", port.addr()),
            port: Arc::new(port),
            clock,
            ahead: Mutex::default(),
            stopwatch: Clock::system(),
            asked: Notify::new(),
        });
        let stop = CancellationToken::new();
        let serving = serve(Arc::clone(&shared));
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(serving).await });
        Ok(Leaf(Arc::new(Running { shared, stop })))
    }

    /// Ends it for all handles: connections are reset, new ones refused, for good.
    pub fn stop(&self) {
        self.0.end();
    }

    /// Where it is reached: `http://127.0.0.1:…`, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.0.shared.base_url.clone()
    }

    // Users and credentials.

    /// Adds a user, or gives one another name.
    pub fn add_user(&self, id: UserId, name: &str) {
        self.change(|world, _| world.add_user(id, name));
    }

    /// Removes a user and all that hangs on it.
    pub fn remove_user(&self, id: UserId) {
        self.change(|world, _| world.remove_user(id));
    }

    /// The grower connects: a new credential, status `OK`, an empty log. One that is there is replaced; a user who
    /// is not there is added, its id for a name.
    pub fn connect(&self, credential: Credential, consent: Consent) {
        self.change(|world, now| world.connect(credential, consent, now));
    }

    /// The credential is deleted, and its events with it.
    pub fn disconnect(&self, credential: Credential) {
        self.change(|world, _| world.disconnect(credential));
    }

    /// The grower connects again: new id and created time, status `OK`; the log stays and gets a success. What was
    /// agreed is as before, or `consent`.
    pub fn reconnect(&self, credential: Credential, consent: Option<Consent>) {
        self.change(|world, now| world.reconnect(credential, consent, now));
    }

    /// Users 0 to `n` with one credential each, all on one app, in one go; see [`nth_user`] for their ids.
    pub fn fill(&self, n: u64, provider: Provider) {
        let consent = Consent::default();
        self.change(|world, now| {
            for nth in 0..n {
                let user = nth_user(nth);
                world.add_user(user, &format!("Grower {nth}"));
                world.connect(Credential { user, provider }, consent.clone(), now);
            }
        });
    }

    // What breaks, and what mends.

    /// How long after an event of [`Leaf::revoke`] and its like the status word turns; at first at once.
    pub fn set_lag(&self, lag: Duration) {
        self.change(|world, _| world.lag = lag);
    }

    /// The grower revokes access: an `invalid_grant` event, and after the lag `UNAUTHENTICATED`.
    pub fn revoke(&self, credential: Credential) {
        self.change(|world, now| {
            let serial = world.grant_mut(credential).serial;
            world.refuse(
                |grant| grant.serial == serial,
                LogEntry::invalid_grant(),
                now,
            );
        });
    }

    /// Every grower revokes access.
    pub fn revoke_all(&self) {
        self.change(|world, now| world.refuse(|_| true, LogEntry::invalid_grant(), now));
    }

    /// An app gets another secret and Leaf is not told: `invalid_client` for every credential on that key.
    pub fn rotate_app_secret(&self, client_key: &str) {
        self.change(|world, now| {
            let on_it = |grant: &super::grant::Grant| &*grant.consent.client_key == client_key;
            world.refuse(on_it, LogEntry::invalid_client(), now);
        });
    }

    /// The status word is this, or left out of the answer.
    pub fn set_status(&self, credential: Credential, word: Option<&str>) {
        let word = word.map(|word| word.to_owned().into());
        self.change(|world, _| world.grant_mut(credential).set_status(word));
    }

    /// The status word of every credential.
    pub fn set_status_of_all(&self, word: &str) {
        self.change(|world, _| {
            for grant in world.grants_mut() {
                grant.set_status(Some(word.to_owned().into()));
            }
        });
    }

    /// `clientEnvironment` is this, or left out of the answer.
    pub fn set_environment(&self, credential: Credential, word: Option<&str>) {
        let word = word.map(|word| word.to_owned().into());
        self.change(|world, _| world.grant_mut(credential).consent.environment = word);
    }

    /// An entry comes into the log, now or when it is dated.
    pub fn push_event(&self, credential: Credential, entry: LogEntry) {
        self.change(|world, now| world.write_log(credential, entry.into(), now));
    }

    /// Replaces the answer about one credential, or gives the right one again.
    pub fn set_raw_answer(&self, credential: Credential, answer: Option<RawAnswer>) {
        self.change(|world, _| world.grant_mut(credential).odd = answer.map(Box::new));
    }

    /// The right answer about one credential, to make an odd one of.
    pub fn right_answer(&self, credential: Credential) -> String {
        self.change(|world, now| {
            let mut body = String::new();
            world
                .grant_mut(credential)
                .write(&mut body, credential, now);
            body
        })
    }

    // Logins and settings.

    /// Changes what a login asks for and gives; tokens given before stay good.
    pub fn change_login(&self, change: impl FnOnce(&mut LoginRules)) {
        self.change(|world, _| change(&mut world.logins.rules));
    }

    /// What a login asks for and gives.
    pub fn login_rules(&self) -> LoginRules {
        self.change(|world, _| world.logins.rules.clone())
    }

    /// Accepts a token that no login gave, until tokens are expired.
    pub fn accept_token(&self, token: &str) {
        self.change(|world, _| world.logins.accept(token));
    }

    /// Every token so far gives 401 from now on.
    pub fn expire_tokens(&self) {
        self.change(|world, _| world.logins.expire_all());
    }

    /// What a user object says of the user's credentials.
    pub fn set_embedding(&self, embedding: Embedding) {
        self.change(|world, _| world.embedding = embedding);
    }

    /// Changes how lists are given.
    pub fn change_lists(&self, change: impl FnOnce(&mut Lists)) {
        self.change(|world, _| change(&mut world.lists));
    }

    /// Leaf's clock stays where it is when the one it goes by is set by `by`.
    pub fn keeps_time(&self, by: SignedDuration) {
        let ahead = self.0.shared.ahead.lock();
        *ahead.unwrap_or_else(PoisonError::into_inner) -= by;
    }

    /// What the `Date` header says.
    pub fn set_date(&self, date: DateHeader) {
        self.change(|world, _| world.date = date);
    }

    /// Everything that must never be seen outside an answer: the password, every token ever given, every secret of
    /// every credential there is, and whole client keys. Secrets in events begin with [`super::SECRET_MARK`].
    pub fn secrets(&self) -> Vec<String> {
        self.change(|world, _| {
            let mut all: Vec<String> = world.logins.secrets().cloned().collect();
            for (&user, known) in &world.users {
                for (provider, grant) in &known.grants {
                    let provider = *provider;
                    all.extend(grant.secrets(Credential { user, provider }));
                    all.push(grant.consent.client_key.to_string());
                }
            }
            all.sort_unstable();
            all.dedup();
            all
        })
    }

    // Faults.

    /// Lets something go wrong. Where several faults meet a request, the newest does.
    pub fn fault(&self, scope: Scope, fault: Fault, when: When) -> FaultId {
        self.change(|world, _| world.faults.add(scope, fault, when))
    }

    /// Ends one fault.
    pub fn lift(&self, fault: FaultId) {
        self.change(|world, _| world.faults.lift(fault));
    }

    /// Ends all faults; a Leaf that went away stays away.
    pub fn heal(&self) {
        self.change(|world, _| world.faults.lift_all());
    }

    /// Leaf goes away: connections are reset, new ones refused. The port stays its own.
    pub fn go_away(&self) {
        self.0.shared.port.leave();
    }

    /// Leaf comes back on the same port; one that was stopped does not.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn come_back(&self) -> io::Result<()> {
        if self.0.stop.is_cancelled() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.0.shared.port.come_back()
    }

    // Counting.

    /// What was asked so far.
    pub fn requests(&self) -> Requests {
        self.0.shared.requests()
    }

    /// Begins to count anew; what is under way stays counted as such.
    pub fn forget_requests(&self) {
        self.change(|world, _| world.tally = Tally::default());
        self.0.shared.traffic.restart();
    }

    /// Waits until what was asked is as `enough` wants it; looked at after each request. It waits for ever where
    /// that never comes: put a time limit round it.
    pub async fn until(&self, mut enough: impl FnMut(&Requests) -> bool) -> Requests {
        loop {
            let asked = self.0.shared.asked.notified();
            tokio::pin!(asked);
            asked.as_mut().enable();
            let seen = self.requests();
            if enough(&seen) {
                return seen;
            }
            asked.await;
        }
    }

    fn change<R>(&self, what: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        let now = self.0.shared.now();
        what(&mut self.0.shared.world(), now)
    }
}
