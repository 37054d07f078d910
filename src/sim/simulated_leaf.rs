//! The handle on the simulated Leaf: what happens there, in the words of the domain.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use jiff::Timestamp;
use uuid::Uuid;

use super::accounts::Accounts;
use super::answer::answer;
use super::event::ProviderAnswer;
use super::grant::{Consent, Grant};
use super::port::Port;
use crate::clock::Clock;
use crate::model::{Credential, Provider, UserId};

/// The id of the `n`-th user of a fleet, counted from 0; ids sort as their numbers.
pub fn nth_user(n: u64) -> UserId {
    UserId(Uuid::from_u64_pair(0x3c9d_2f1e_0000_8000, (1 << 63) | n))
}

/// A simulated Leaf that answers over HTTP on this machine, until the last handle is dropped.
///
/// Every change holds for the next request. Methods that change a credential panic where nobody connected it: to go on
/// would let a test pass for nothing.
#[derive(Clone)]
pub struct SimulatedLeaf {
    accounts: Arc<Mutex<Accounts>>,
    port: Arc<Port>,
}

impl SimulatedLeaf {
    /// Starts an empty one on a free port of the loopback, by the machine's clock.
    ///
    /// # Errors
    /// What the operating system says where no port can be had.
    pub async fn start() -> io::Result<Self> {
        let clock = Clock::system();
        SimulatedLeaf::start_behind(|leaf| leaf, move || clock.now()).await
    }

    /// The same by another clock, which created times, the ages of events, the lives of tokens and the `Date` header
    /// follow, and behind whatever `front` lays over it: a layer sees each request first (see
    /// [`Question::of`](super::Question::of)), and may answer itself, wait, change the answer, or count.
    ///
    /// # Errors
    /// What the operating system says where no port can be had.
    pub async fn start_behind(
        front: impl FnOnce(Router) -> Router,
        clock: impl Fn() -> Timestamp + Send + 'static,
    ) -> io::Result<Self> {
        let accounts = Arc::new(Mutex::new(Accounts::new(clock)));
        let leaf = Router::new().fallback(answer);
        let port = Port::open(front(leaf.with_state(accounts.clone())))?;
        Ok(SimulatedLeaf {
            accounts,
            port: Arc::new(port),
        })
    }

    /// Where it is reached: `http://127.0.0.1:…`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.port.addr)
    }

    /// The time it is at Leaf.
    pub fn now(&self) -> Timestamp {
        self.accounts().now()
    }

    /// Adds a user, or gives one another name.
    pub fn add_user(&self, id: UserId, name: &str) {
        self.accounts().users.insert(id, name.into());
    }

    /// The grower connects: a new credential, status `OK`, an empty log. One that is there is replaced; a user who
    /// is not there is added, its id for a name.
    pub fn connect(&self, credential: Credential, consent: Consent) {
        self.accounts().connect(credential, consent);
    }

    /// The credential is deleted, and its events with it.
    pub fn disconnect(&self, credential: Credential) {
        self.accounts().grants.remove(&credential);
    }

    /// The grower connects again: new id and created time, status `OK`; the log stays and gets a success. What was
    /// agreed is as before, or `consent`.
    pub fn reconnect(&self, credential: Credential, consent: Option<Consent>) {
        self.accounts().reconnect(credential, consent);
    }

    /// Users 0 to `n` with one credential each, all on one app; see [`nth_user`] for their ids.
    pub fn fill(&self, n: u64, provider: Provider) {
        let consent = Consent::default();
        for nth in 0..n {
            let user = nth_user(nth);
            self.add_user(user, &format!("Grower {nth}"));
            self.connect(Credential { user, provider }, consent.clone());
        }
    }

    /// The grower revokes access: an `invalid_grant` event, and `UNAUTHENTICATED`.
    pub fn revoke(&self, credential: Credential) {
        let mut accounts = self.accounts();
        accounts.log(credential, ProviderAnswer::invalid_grant());
        accounts.grant_mut(credential).status = Some("UNAUTHENTICATED".into());
    }

    /// Every grower revokes access.
    pub fn revoke_all(&self) {
        self.accounts()
            .refuse(|_| true, ProviderAnswer::invalid_grant());
    }

    /// An app gets another secret and Leaf is not told: `invalid_client` for every credential on that key.
    pub fn rotate_app_secret(&self, client_key: &str) {
        let on_it = |grant: &Grant| &*grant.consent.client_key == client_key;
        self.accounts()
            .refuse(on_it, ProviderAnswer::invalid_client());
    }

    /// An answer of the provider comes into the log, now or when it is dated.
    pub fn push_event(&self, credential: Credential, answer: ProviderAnswer) {
        self.accounts().log(credential, answer);
    }

    /// Changes one credential in any way.
    pub fn change(&self, credential: Credential, change: impl FnOnce(&mut Grant)) {
        change(self.accounts().grant_mut(credential));
    }

    /// Changes every credential.
    pub fn change_all(&self, change: impl FnMut(&mut Grant)) {
        self.accounts().grants.values_mut().for_each(change);
    }

    /// Leaf goes away: connections are cut, new ones refused. The port stays its own.
    pub fn go_away(&self) {
        self.port.leave();
    }

    /// Leaf comes back on the same port.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn come_back(&self) -> io::Result<()> {
        self.port.come_back()
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
