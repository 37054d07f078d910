//! A scripted SMTP server: real sockets, real TLS, every fault at every phase.
//!
//! It runs on a thread of its own, so that tests with and without a runtime, and tests that start the real binary,
//! can use it. It keeps what it accepted and every line that was said.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

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
    listening: bool,
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
        }
    }

    /// The port it listens on, also while it is away.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
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

    /// Waits until at least `count` mails were accepted, and returns them all. Blocks this thread.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Accepted> {
        self.shared.wait(&format!("mail {count}"), |state| {
            state.accepted.len() >= count
        });
        self.accepted()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
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

/// The connection is over.
struct Over;

#[derive(Clone)]
struct Server {
    manner: Manner,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
}

impl Server {
    /// Until the [`Smtp`] is gone: listens while it is up.
    async fn serve(
        self,
        first: std::net::TcpListener,
        address: SocketAddr,
        mut up: watch::Receiver<bool>,
    ) {
        let mut next = Some(TcpListener::from_std(first).unwrap());
        loop {
            let listener = match next.take() {
                Some(listener) => listener,
                None => TcpListener::bind(address).await.unwrap(),
            };
            self.shared.change(|state| state.listening = true);
            let mut visits = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    visit = listener.accept() => {
                        let (tcp, _) = visit.unwrap();
                        visits.spawn(self.clone().visit(tcp));
                    }
                    gone = up.wait_for(|up| !up) => {
                        if gone.is_err() { return; }
                        break;
                    }
                }
            }
            drop(listener);
            visits.shutdown().await;
            self.shared.change(|state| state.listening = false);
            if up.wait_for(|up| *up).await.is_err() {
                return;
            }
        }
    }

    async fn visit(self, tcp: TcpStream) {
        self.shared.change(|state| state.connections += 1);
        let _over = match self.manner.security {
            Security::Implicit => match self.handshake(tcp).await {
                Ok(tls) => self.talk(tls, false).await,
                Err(over) => Err(over),
            },
            Security::Plain | Security::StartTls => self.talk(tcp, false).await,
        };
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        tcp: S,
    ) -> Result<tokio_rustls::server::TlsStream<S>, Over> {
        match self.fault(At::Handshake, "") {
            Some(Act::Tarpit | Act::Drip) => std::future::pending().await,
            Some(_) => Err(Over),
            None => self.tls.accept(tcp).await.map_err(|_| Over),
        }
    }

    /// Takes the fault that strikes here, if one does.
    fn fault(&self, at: At, about: &str) -> Option<Act> {
        self.shared.change(|state| {
            let mut faults = state.faults.iter_mut();
            let fault = faults.find(|fault| {
                fault.at == at
                    && fault.times > 0
                    && fault.only.as_ref().is_none_or(|only| about.contains(only))
            })?;
            fault.times -= 1;
            Some(fault.act.clone())
        })
    }

    /// One conversation; boxed, since STARTTLS begins it anew inside itself.
    fn talk<'a, S>(
        &'a self,
        stream: S,
        secured: bool,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Over>> + Send + 'a>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'a,
    {
        Box::pin(async move {
            let mut line = Line {
                stream: BufReader::new(stream),
                server: self,
            };
            if !secured {
                line.answer(At::Greeting, "", "220 localhost ready").await?;
            }
            let (mut from, mut to) = (String::new(), Vec::new());
            loop {
                let said = line.hear().await?;
                let verb = said.split([' ', ':']).next().unwrap_or_default();
                match verb.to_ascii_uppercase().as_str() {
                    "EHLO" | "HELO" => {
                        line.answer(At::Ehlo, "", &self.hello(secured)).await?;
                    }
                    "STARTTLS" => {
                        line.answer(At::StartTls, "", "220 go ahead").await?;
                        let tls = self.handshake(line.stream.into_inner()).await?;
                        // Behind a box, or the types would nest without end.
                        let tls: Box<dyn Both + Send> = Box::new(tls);
                        return self.talk(tls, true).await;
                    }
                    "AUTH" => line.login(&said).await?,
                    "MAIL" => {
                        if line.answer(At::MailFrom, &said, "250 ok").await? {
                            from = between(&said);
                            to.clear();
                        }
                    }
                    "RCPT" => {
                        if line.answer(At::RcptTo, &said, "250 ok").await? {
                            to.push(between(&said));
                        }
                    }
                    "DATA" => {
                        if line.answer(At::Data, "", "354 go on").await? {
                            let mail = Accepted {
                                from: std::mem::take(&mut from),
                                to: std::mem::take(&mut to),
                                bytes: line.body().await?,
                            };
                            line.take(mail).await?;
                        }
                    }
                    "QUIT" => {
                        line.say("221 bye").await?;
                        return Ok(());
                    }
                    "NOOP" | "RSET" => line.say("250 ok").await?,
                    _ => line.say("500 what?").await?,
                }
            }
        })
    }

    fn hello(&self, secured: bool) -> String {
        let secured = secured || self.manner.security == Security::Implicit;
        let mut lines = vec!["localhost".to_owned()];
        if self.manner.security == Security::StartTls && !secured && self.manner.offer_starttls {
            lines.push("STARTTLS".to_owned());
        }
        if !self.manner.auth.is_empty() && (secured || self.manner.security == Security::Plain) {
            lines.push(format!("AUTH {}", self.manner.auth));
        }
        lines.extend(self.manner.extensions.iter().map(|line| (*line).to_owned()));
        let last = lines.len() - 1;
        let numbered = lines.iter().enumerate().map(|(at, line)| {
            let mark = if at == last { ' ' } else { '-' };
            format!("250{mark}{line}")
        });
        numbered.collect::<Vec<_>>().join("\r\n")
    }
}

fn between(said: &str) -> String {
    let inside = said
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(address, _)| address.to_owned())
}

trait Both: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

/// One connection's lines.
struct Line<'a, S> {
    stream: BufReader<S>,
    server: &'a Server,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<'_, S> {
    async fn hear(&mut self) -> Result<String, Over> {
        let mut said = String::new();
        match self.stream.read_line(&mut said).await {
            Ok(1..) => {
                let said = said.trim_end().to_owned();
                self.server
                    .shared
                    .change(|state| state.dialogue.push(format!("C: {said}")));
                Ok(said)
            }
            _ => Err(Over),
        }
    }

    async fn say(&mut self, reply: &str) -> Result<(), Over> {
        self.server
            .shared
            .change(|state| state.dialogue.push(format!("S: {reply}")));
        let line = format!("{reply}\r\n");
        self.stream
            .write_all(line.as_bytes())
            .await
            .map_err(|_| Over)?;
        self.stream.flush().await.map_err(|_| Over)
    }

    /// Says the usual reply, or does what the script says; true where it was a yes.
    async fn answer(&mut self, at: At, about: &str, usual: &str) -> Result<bool, Over> {
        match self.server.fault(at, about) {
            None => self.say(usual).await.map(|()| true),
            Some(Act::Reply(reply)) => {
                self.say(&reply).await?;
                Ok(!reply.starts_with(['4', '5']))
            }
            Some(Act::Tarpit) => std::future::pending().await,
            Some(Act::Drip) => loop {
                self.stream.write_all(b"2").await.map_err(|_| Over)?;
                self.stream.flush().await.map_err(|_| Over)?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
            Some(Act::ReplyAndDrop) => {
                self.say(usual).await?;
                Err(Over)
            }
            Some(Act::Drop | Act::KeepAndDrop) => Err(Over),
        }
    }

    async fn login(&mut self, said: &str) -> Result<(), Over> {
        let mut words = said.split(' ').skip(1);
        let given = match words.next() {
            Some("PLAIN") => words.next().unwrap_or_default().to_owned(),
            _ => {
                self.say(&format!("334 {}", BASE64_STANDARD.encode("Username:")))
                    .await?;
                let user = self.hear().await?;
                self.say(&format!("334 {}", BASE64_STANDARD.encode("Password:")))
                    .await?;
                let decoded = [user, self.hear().await?]
                    .map(|part| String::from_utf8(BASE64_STANDARD.decode(part).unwrap()).unwrap());
                BASE64_STANDARD.encode(format!("\0{}\0{}", decoded[0], decoded[1]))
            }
        };
        let right = BASE64_STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
        let usual = if given == right {
            "235 welcome"
        } else {
            "535 5.7.8 bad login"
        };
        self.answer(At::Auth, "", usual).await.map(|_| ())
    }

    /// The mail up to its final dot, with the dots as they were.
    async fn body(&mut self) -> Result<Vec<u8>, Over> {
        let mut bytes = Vec::new();
        loop {
            let mut line = Vec::new();
            match self.stream.read_until(b'\n', &mut line).await {
                Ok(1..) => {}
                _ => return Err(Over),
            }
            if line == b".\r\n" {
                return Ok(bytes);
            }
            bytes.extend(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// Keeps the mail before the 250 is said, as real servers do.
    async fn take(&mut self, mail: Accepted) -> Result<(), Over> {
        let keep = |mail| self.server.shared.change(|state| state.accepted.push(mail));
        let mut faults = self.server.shared.state().faults.clone().into_iter();
        let coming = faults.find(|fault| fault.at == At::Body && fault.times > 0);
        match coming.map(|fault| fault.act) {
            None | Some(Act::KeepAndDrop | Act::ReplyAndDrop) => keep(mail),
            Some(Act::Reply(reply)) if reply.starts_with('2') => keep(mail),
            Some(_) => {}
        }
        self.answer(At::Body, "", "250 2.0.0 queued as 4711")
            .await
            .map(|_| ())
    }
}
