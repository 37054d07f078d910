//! A scripted SMTP server: real sockets, real TLS, every fault at every phase.
//!
//! It runs on a thread of its own, so that tests with and without a runtime, and tests that start the real binary,
//! can use it. It keeps what it accepted and every line that was said.

mod server;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use leafwatch::config::SecretFile;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use self::server::Server;

/// How long a test waits for something that should happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The user name that the server knows.
pub(crate) const USER: &str = "leafwatch";
/// And its password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// How the server's connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    StartTls,
    Implicit,
}

/// The certificate it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// For `localhost`, by the CA that [`Smtp::root`] gives.
    Good,
    /// By another CA.
    OtherCa,
    /// For another name.
    WrongName,
}

/// What the server is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) security: Security,
    pub(crate) certificate: Shown,
    /// The mechanisms after `AUTH`; empty offers none.
    pub(crate) auth: &'static str,
    /// Whether STARTTLS is offered where `security` is `StartTls`.
    pub(crate) offer_starttls: bool,
    /// Further EHLO lines.
    pub(crate) extensions: &'static [&'static str],
}

impl Default for Manner {
    fn default() -> Self {
        Manner {
            security: Security::Plain,
            certificate: Shown::Good,
            auth: "PLAIN LOGIN",
            offer_starttls: true,
            extensions: &["8BITMIME", "SIZE 10485760"],
        }
    }
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Greeting,
    Ehlo,
    StartTls,
    /// In place of the TLS handshake.
    Handshake,
    Auth,
    MailFrom,
    RcptTo,
    Data,
    /// At the final dot.
    Body,
}

/// What then happens.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// This line in place of the usual one; a 4xx or 5xx refuses.
    Reply(String),
    /// Nothing is said any more.
    Tarpit,
    /// One letter every 20 ms and never a line's end.
    Drip,
    /// Letters as fast as they go, and never a line's end.
    Endless,
    /// Lines as fast as they go, and never the last one.
    Lines,
    /// The connection is cut; a mail is not kept.
    Drop,
    /// The mail is kept, but cut before the 250 is said.
    KeepAndDrop,
    /// The usual reply, then the connection is cut.
    ReplyAndDrop,
}

/// One scripted fault.
#[derive(Debug, Clone)]
struct Fault {
    at: At,
    act: Act,
    times: usize,
    only: Option<String>,
}

/// A mail the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Accepted {
    /// The mail as text, its transfer encoding left as it is.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The first header of that name, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut lines = unfolded
            .split("\r\n")
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    }
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    accepted: Vec<Accepted>,
    dialogue: Vec<String>,
    connections: usize,
    /// Of these, those that are not over.
    open: usize,
    listening: bool,
    /// Bytes of talk without end that the system took.
    poured: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let out = with(&mut self.state());
        self.changed.notify_all();
        out
    }

    /// Waits until `seen` says so.
    fn wait(&self, what: &str, seen: impl Fn(&State) -> bool) {
        let (state, timed_out) = self
            .changed
            .wait_timeout_while(self.state(), PATIENCE, |state| !seen(state))
            .unwrap();
        assert!(!timed_out.timed_out(), "{what} did not happen; {state:#?}");
    }
}

/// The running server; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Smtp {
    address: SocketAddr,
    root: Vec<u8>,
    shared: Arc<Shared>,
    up: watch::Sender<bool>,
    secrets: tempfile::TempDir,
}

impl Smtp {
    /// Starts a server that speaks in the clear and accepts everything.
    pub(crate) fn start() -> Smtp {
        Smtp::start_as(Manner::default())
    }

    /// Starts a server.
    pub(crate) fn start_as(manner: Manner) -> Smtp {
        let (root, tls) = certificates(manner.certificate);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared::default());
        let (up, watched) = watch::channel(true);
        let server = Server {
            manner,
            tls: TlsAcceptor::from(Arc::new(tls)),
            shared: shared.clone(),
        };
        std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(server.serve(listener, address, watched));
        });
        shared.wait("listening", |state| state.listening);
        Smtp {
            address,
            root,
            shared,
            up,
            secrets: tempfile::tempdir().unwrap(),
        }
    }

    /// The port it listens on, also while it is away.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// A file that holds a password.
    pub(crate) fn secret(&self, password: &str) -> SecretFile {
        let path = self.secrets.path().join("smtp-password");
        std::fs::write(&path, password).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        SecretFile::at(path)
    }

    /// The CA's certificate, DER encoded.
    pub(crate) fn root(&self) -> Vec<u8> {
        self.root.clone()
    }

    /// `act` at every `at` from now on.
    pub(crate) fn always(&self, at: At, act: Act) {
        self.times(usize::MAX, at, act);
    }

    /// `act` at the next `times` visits to `at`.
    pub(crate) fn times(&self, times: usize, at: At, act: Act) {
        self.add(times, at, act, None);
    }

    /// `act` whenever this recipient is named.
    pub(crate) fn always_for(&self, recipient: &str, act: Act) {
        self.add(usize::MAX, At::RcptTo, act, Some(recipient.to_owned()));
    }

    fn add(&self, times: usize, at: At, act: Act, only: Option<String>) {
        self.shared.change(|state| {
            state.faults.push(Fault {
                at,
                act,
                times,
                only,
            });
        });
    }

    /// Forgets every fault; a connection in a tarpit stays there.
    pub(crate) fn heal(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// Stops listening and cuts every connection; returns when it is done.
    pub(crate) fn go_away(&self) {
        self.up.send(false).unwrap();
        self.shared.wait("going away", |state| !state.listening);
    }

    /// Listens again, on the same port.
    pub(crate) fn come_back(&self) {
        self.up.send(true).unwrap();
        self.shared.wait("coming back", |state| state.listening);
    }

    /// What was accepted so far.
    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        self.shared.state().accepted.clone()
    }

    /// How many that were.
    pub(crate) fn taken(&self) -> usize {
        self.shared.state().accepted.len()
    }

    /// Waits until at least `count` mails were accepted, and returns them all. Blocks this thread.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Accepted> {
        self.shared.wait(&format!("mail {count}"), |state| {
            state.accepted.len() >= count
        });
        self.accepted()
    }

    /// Waits until no connection is open: whoever was spoken to is gone, and what they said is kept. Blocks this thread.
    pub(crate) fn wait_until_alone(&self) {
        self.shared.wait("being alone", |state| state.open == 0);
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many bytes of talk without end the system took.
    pub(crate) fn poured(&self) -> usize {
        self.shared.state().poured
    }

    /// Every line said, `C: ` by the client and `S: ` by the server; a mail's body is left out.
    pub(crate) fn dialogue(&self) -> Vec<String> {
        self.shared.state().dialogue.clone()
    }
}

/// A CA, and a server's key and certificate.
fn certificates(shown: Shown) -> (Vec<u8>, ServerConfig) {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.der().to_vec(), Issuer::new(params, key))
    };
    let (root, good) = authority();
    let issuer = if shown == Shown::OtherCa {
        authority().1
    } else {
        good
    };
    let name = if shown == Shown::WrongName {
        "mail.example.org"
    } else {
        "localhost"
    };
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (root, config)
}
