//! Hands one finished mail to one address: over SMTP, or into a folder.
//!
//! Never retries by itself, never alters the bytes, and says exactly in which phase what was answered.

mod connect;
mod folder;
mod smtp;
mod stream;
mod talk;

use serde::Serialize;
use strum::Display;

use crate::config::{Email, Transport};
use crate::model::{Address, clean};

pub use smtp::Deadlines;
use smtp::Session;

/// How many characters of a server's reply are kept.
const REPLY_MAX: usize = 300;

/// How far a delivery came. The order is that of the conversation; the words are kept in the database and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, Serialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading our own settings: the password file.
    Settings,
    /// Resolving the name, and TCP.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The server's first line.
    Greeting,
    /// `EHLO`.
    Ehlo,
    /// The `STARTTLS` command and the second `EHLO`.
    StartTls,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`.
    #[strum(to_string = "mail from")]
    MailFrom,
    /// `RCPT TO`.
    #[strum(to_string = "rcpt to")]
    RcptTo,
    /// `DATA`.
    Data,
    /// The mail itself, up to the answer to its final dot.
    #[strum(to_string = "final dot")]
    Body,
    /// Writing into the folder.
    Folder,
}

/// Why a delivery was not accepted. Holds no secret and nothing that steers a terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{server}, {phase}: {}{reply}", .code.map(|code| format!("{code} ")).unwrap_or_default())]
pub struct Fault {
    /// `host:port`, or the folder.
    pub server: String,
    /// How far it came.
    pub phase: Phase,
    /// The server's reply code, where it gave one.
    pub code: Option<u16>,
    /// The server's words, or what happened instead of them.
    pub reply: String,
    /// Whether it is our own set-up that an operator must mend: shown loudly, retried all the same.
    pub ours: bool,
}

impl Fault {
    fn new(server: &str, phase: Phase, code: Option<u16>, reply: &str, ours: bool) -> Self {
        Fault {
            server: server.to_owned(),
            phase,
            code,
            reply: clean(reply, REPLY_MAX),
            ours,
        }
    }
}

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The server took responsibility for it (250 to the final dot), or the file is on disk.
    Accepted {
        /// `host:port`, or the folder.
        server: String,
        /// 250; 0 for a folder.
        code: u16,
        /// The server's words, or the file's name.
        reply: String,
    },
    /// This mail or this address was refused for good (5xx from `RCPT TO` on): not to be tried again.
    Refused(Fault),
    /// Anything else: to be tried again later, with the same bytes.
    Deferred(Fault),
}

/// Hands over mails, several in a row on one connection.
///
/// The connection is let go of after any fault, and where a delivery was dropped half-way.
#[derive(Debug, Default)]
pub struct Mailer {
    deadlines: Deadlines,
    /// Certificates trusted besides the system's, DER encoded.
    extra_roots: Vec<Vec<u8>>,
    session: Option<Session>,
}

impl Mailer {
    /// Connects with the first delivery.
    pub fn new(deadlines: Deadlines) -> Mailer {
        Mailer {
            deadlines,
            ..Mailer::default()
        }
    }

    /// Trusts a certificate of a test's own, DER encoded, besides the system's.
    #[must_use]
    pub fn trusting(mut self, root: Vec<u8>) -> Mailer {
        self.extra_roots.push(root);
        self
    }

    /// Hands `bytes` to `to`. All deliveries up to [`finish`](Self::finish) go the same way.
    pub async fn deliver(&mut self, email: &Email, to: &Address, bytes: &[u8]) -> Verdict {
        match &email.transport {
            Transport::Smtp(smtp) => {
                let from = email.envelope_from();
                self.deliver_over_smtp(smtp, from, to, bytes).await
            }
            Transport::File { directory } => folder::deliver(directory, to, bytes).await,
        }
    }

    /// Says goodbye to the server, if there is a connection. Takes two seconds at most.
    pub async fn finish(&mut self) {
        if let Some(session) = self.session.take() {
            session.quit().await;
        }
    }

    /// Goes as far as a delivery can without a mail: up to `AUTH`, or a file written and removed.
    ///
    /// Returns what answered, in words for `doctor`.
    ///
    /// # Errors
    /// The fault that a delivery would meet.
    pub async fn probe(&self, transport: &Transport) -> Result<String, Fault> {
        match transport {
            Transport::Smtp(smtp) => self.probe_smtp(smtp).await,
            Transport::File { directory } => folder::probe(directory).await,
        }
    }
}
