//! The server's side of the conversation: what is usual, and where the script strikes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Accepted, Act, At, Manner, PASSWORD, Security, Shared, USER};

/// The connection is over.
struct Over;

/// An open connection, however it ends.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.change(|state| state.open -= 1);
    }
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) manner: Manner,
    pub(super) tls: TlsAcceptor,
    pub(super) shared: Arc<Shared>,
}

impl Server {
    /// Until the [`Smtp`] is gone: listens while it is up.
    pub(super) async fn serve(
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
        self.shared.change(|state| {
            state.connections += 1;
            state.open += 1;
        });
        let _open = Open(self.shared.clone());
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
            Some(Act::Endless) => self.pour(&[b'2'; 8192]).await,
            Some(Act::Lines) => self.pour(&b"250-more\r\n".repeat(800)).await,
            Some(Act::ReplyAndDrop) => {
                self.say(usual).await?;
                Err(Over)
            }
            Some(Act::Drop | Act::KeepAndDrop) => Err(Over),
        }
    }

    /// Says this again and again, until nobody listens.
    async fn pour(&mut self, bytes: &[u8]) -> Result<bool, Over> {
        loop {
            self.stream.write_all(bytes).await.map_err(|_| Over)?;
            self.stream.flush().await.map_err(|_| Over)?;
            self.server
                .shared
                .change(|state| state.poured += bytes.len());
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
