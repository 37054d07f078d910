//! The SMTP conversation, phase by phase, each with a deadline.
//!
//! A connection that had any fault is dropped, never used again: a reply that comes late would be taken for the next.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailParameter};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::connect;
use super::talk::{Talk, judge};
use super::{Fault, Phase, Verdict};
use crate::model::Address;
use crate::rules::evidence::{self, Echo};

/// Where the password comes from; asked anew for every connection, so that a changed file is seen. The error is a
/// sentence for the operator.
pub type PasswordSource = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// A mail server and how to talk to it.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// How we log in, if we do.
    pub login: Option<Login>,
    /// Certificates trusted besides the system's, DER encoded.
    pub extra_roots: Vec<Vec<u8>>,
    /// How long each phase may take.
    pub deadlines: Deadlines,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Begins in the clear and must turn to TLS before anything else is said.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// None; for a server on this machine.
    None,
}

/// A user name and where its password is.
#[derive(Clone)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password's source.
    pub password: PasswordSource,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Login");
        shown
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// How long each phase may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Resolving and TCP, and the TLS handshake.
    pub connect: Duration,
    /// The greeting, and every command but the last.
    pub command: Duration,
    /// The mail itself up to the answer to its final dot.
    pub body: Duration,
}

impl Default for Deadlines {
    /// 30 s, 60 s, and RFC 5321's 10 min for the final dot: a hurry there makes duplicates.
    fn default() -> Self {
        Deadlines {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(60),
            body: Duration::from_secs(600),
        }
    }
}

/// How long a goodbye may take.
const QUIT: Duration = Duration::from_secs(2);

/// A connection that is logged in and ready for the next mail.
pub struct Session {
    connection: AsyncSmtpConnection,
    server: String,
    login: Echo,
    deadlines: Deadlines,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Session");
        shown.field("server", &self.server).finish_non_exhaustive()
    }
}

pub(super) async fn deliver(
    settings: &SmtpSettings,
    kept: &mut Option<Session>,
    from: &Address,
    to: &Address,
    bytes: &[u8],
) -> Verdict {
    // Taken out while it is in use: a future dropped half-way leaves no connection in the middle of a sentence.
    if let Some(mut session) = kept.take() {
        match session.mail(from, to, bytes).await {
            // It died while it was idle: that says nothing yet, a fresh one will.
            Err(fault) if fault.phase == Phase::MailFrom && went_away(&fault) => {}
            told => return session.told(told, kept).await,
        }
    }
    match Session::open(settings).await {
        Err(fault) => Verdict::Deferred(fault),
        Ok(mut session) => {
            let told = session.mail(from, to, bytes).await;
            session.told(told, kept).await
        }
    }
}

pub(super) async fn probe(settings: &SmtpSettings) -> Result<String, Fault> {
    let session = Session::open(settings).await?;
    let tls = match settings.tls {
        Tls::StartTls => "with STARTTLS",
        Tls::Implicit => "with TLS",
        Tls::None => "without TLS",
    };
    let login = match &settings.login {
        Some(login) => format!("logged in as {}", login.username),
        None => "without a login".to_owned(),
    };
    let words = format!("{} answers {tls}, {login}", session.server);
    session.quit().await;
    Ok(words)
}

/// A 421, or no reply at all, to the first command on a connection that was used before.
fn went_away(fault: &Fault) -> bool {
    matches!(fault.code, None | Some(421))
}

impl Session {
    /// Everything before the first mail.
    async fn open(settings: &SmtpSettings) -> Result<Session, Fault> {
        let server = format!("{}:{}", settings.host, settings.port);
        let limit = settings.deadlines;
        let login = settings.login.as_ref().map(|login| {
            let password = (login.password)()
                .map_err(|why| Fault::new(&server, Phase::Settings, None, &why, true))?;
            Ok((login.username.clone(), password))
        });
        let login = login.transpose()?;
        let echo = login
            .as_ref()
            .map(|(username, password)| echo(username, password));
        let echo = echo.unwrap_or_default();
        let talk = Talk {
            server: &server,
            login: &echo,
        };
        let tls = match settings.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Implicit => Some(talk.tls_parameters(settings).await?),
        };

        let tcp = talk.connect(settings).await?;
        let mut connection = connect::connect(&talk, tcp, settings.tls, tls, limit).await?;
        if let Some((username, password)) = login {
            let offered = connection.server_info();
            if offered.get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                let why = "the server offers no login that we know (PLAIN, LOGIN); leave username and \
                           password_file out if it needs none";
                return Err(talk.ours(Phase::Auth, why));
            }
            let credentials =
                Credentials::new(username.clone(), password.expose_secret().to_owned());
            let auth = connection.auth(DEFAULT_MECHANISMS, &credentials);
            let reply = talk.within(limit.command, Phase::Auth, auth).await;
            reply.and_then(|reply| talk.expect(Phase::Auth, &reply, &[235]))?;
        }
        Ok(Session {
            connection,
            server,
            login: echo,
            deadlines: limit,
        })
    }

    /// One mail, from `MAIL FROM` to the answer to the final dot.
    async fn mail(
        &mut self,
        from: &Address,
        to: &Address,
        bytes: &[u8],
    ) -> Result<(u16, String), Fault> {
        let (server, login) = (self.server.clone(), self.login.clone());
        let talk = Talk {
            server: &server,
            login: &login,
        };
        let limit = self.deadlines;
        let connection = &mut self.connection;
        let (envelope_from, envelope_to) = (parsed(&talk, from)?, parsed(&talk, to)?);
        let mut options = Vec::new();
        if !from.as_str().is_ascii() || !to.as_str().is_ascii() {
            if !connection
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
            {
                let why = "not sent: the address has letters beyond ASCII and the server does not offer SMTPUTF8";
                let (phase, ours) = if from.as_str().is_ascii() {
                    (Phase::RcptTo, false)
                } else {
                    (Phase::MailFrom, true)
                };
                // RFC 6531, 3.5: what a server itself answers in that case.
                return Err(Fault::new(talk.server, phase, Some(553), why, ours));
            }
            options.push(MailParameter::SmtpUtfEight);
        }

        let mail = connection.command(Mail::new(Some(envelope_from), options));
        let reply = talk.within(limit.command, Phase::MailFrom, mail).await?;
        talk.expect(Phase::MailFrom, &reply, &[250])?;
        let rcpt = connection.command(Rcpt::new(envelope_to, Vec::new()));
        let reply = talk.within(limit.command, Phase::RcptTo, rcpt).await?;
        talk.expect(Phase::RcptTo, &reply, &[250, 251])?;
        let data = connection.command(Data);
        let reply = talk.within(limit.command, Phase::Data, data).await?;
        talk.expect(Phase::Data, &reply, &[354])?;
        // The library ends the mail with a line end of its own.
        let body = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
        let message = connection.message(body);
        let reply = talk.within(limit.body, Phase::Body, message).await?;
        talk.expect(Phase::Body, &reply, &[250])?;
        let words: Vec<&str> = reply.message().collect();
        Ok((250, evidence::reply(&words.join(" "), &login)))
    }

    /// Turns the outcome into a verdict; the connection is kept only after a success.
    async fn told(self, told: Result<(u16, String), Fault>, kept: &mut Option<Session>) -> Verdict {
        match told {
            Ok((code, reply)) => {
                let server = self.server.clone();
                *kept = Some(self);
                Verdict::Accepted {
                    server,
                    code,
                    reply,
                }
            }
            Err(fault) => {
                if fault.code.is_some() {
                    self.quit().await;
                }
                judge(fault)
            }
        }
    }

    /// Says goodbye, and does not wait long for the answer.
    pub(super) async fn quit(mut self) {
        let _unanswered_is_fine = timeout(QUIT, self.connection.quit()).await;
    }
}

/// Our login in the forms in which a server gets it.
fn echo(username: &str, password: &SecretString) -> Echo {
    let password = password.expose_secret();
    let plain = BASE64_STANDARD.encode(format!("\0{username}\0{password}"));
    Echo::of([password, &BASE64_STANDARD.encode(password), &plain])
}

fn parsed(talk: &Talk<'_>, address: &Address) -> Result<lettre::Address, Fault> {
    let parsed = address.as_str().parse();
    parsed.map_err(|_| {
        talk.ours(
            Phase::Settings,
            "the address cannot be put into an envelope",
        )
    })
}
