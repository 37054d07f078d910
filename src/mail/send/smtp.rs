//! The SMTP conversation, phase by phase, each with a deadline.
//!
//! A connection that had any fault is dropped, never used again: a reply that comes late would be taken for the next.

use std::fmt;
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
use super::{Fault, Mailer, Phase, Verdict};
use crate::config::{Smtp, Tls};
use crate::model::Address;
use crate::rules::evidence::{self, Echo};

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
pub(super) struct Session {
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

impl Mailer {
    pub(super) async fn deliver_over_smtp(
        &mut self,
        smtp: &Smtp,
        from: &Address,
        to: &Address,
        bytes: &[u8],
    ) -> Verdict {
        // Taken out while it is in use: a future dropped half-way leaves no connection in the middle of a sentence.
        if let Some(mut session) = self.session.take() {
            match session.mail(from, to, bytes).await {
                // It died while it was idle: that says nothing yet, a fresh one will.
                Err(fault) if fault.phase == Phase::MailFrom && went_away(&fault) => {}
                told => return session.told(told, &mut self.session).await,
            }
        }
        match self.connect(smtp).await {
            Err(fault) => Verdict::Deferred(fault),
            Ok(mut session) => {
                let told = session.mail(from, to, bytes).await;
                session.told(told, &mut self.session).await
            }
        }
    }

    pub(super) async fn probe_smtp(&self, smtp: &Smtp) -> Result<String, Fault> {
        let session = self.connect(smtp).await?;
        let tls = match smtp.tls {
            Tls::StartTls => "with STARTTLS",
            Tls::Implicit => "with TLS",
            Tls::None => "without TLS",
        };
        let login = match &smtp.username {
            Some(username) => format!("logged in as {username}"),
            None => "without a login".to_owned(),
        };
        let words = format!("{} answers {tls}, {login}", session.server);
        session.quit().await;
        Ok(words)
    }

    /// Everything before the first mail. The password is read anew, so that a changed file is seen.
    async fn connect(&self, smtp: &Smtp) -> Result<Session, Fault> {
        let server = format!("{}:{}", smtp.host, smtp.port);
        let limit = self.deadlines;
        let login = match (&smtp.username, &smtp.password) {
            (Some(username), Some(file)) => {
                let password = file.read().map_err(|fault| {
                    Fault::new(&server, Phase::Settings, None, &fault.with_advice(), true)
                })?;
                Some((username, password))
            }
            _ => None,
        };
        let echo = login
            .as_ref()
            .map(|(username, password)| echo(username, password));
        let echo = echo.unwrap_or_default();
        let talk = Talk {
            server: &server,
            login: &echo,
        };
        let tls = match smtp.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Implicit => {
                Some(talk.tls_parameters(&smtp.host, &self.extra_roots).await?)
            }
        };

        let tcp = talk.connect(smtp, limit.connect).await?;
        let mut connection = connect::connect(&talk, tcp, smtp.tls, tls, limit).await?;
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
}

/// A 421, or no reply at all, to the first command on a connection that was used before.
fn went_away(fault: &Fault) -> bool {
    matches!(fault.code, None | Some(421))
}

impl Session {
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
