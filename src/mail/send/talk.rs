//! Names the faults of one SMTP conversation: which phase, whose words, whose job.

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Fault, Phase, Verdict};
use crate::config::Smtp;
use crate::rules::evidence::{self, Echo};

/// RFC 4954: the server wants another login. Said at `RCPT TO` it is no word about the address.
const LOGIN_WANTED: [u16; 4] = [530, 534, 535, 538];

/// One conversation's way to name its faults.
pub(super) struct Talk<'a> {
    /// `host:port`.
    pub(super) server: &'a str,
    /// What the server may repeat of our login, and nobody is to see.
    pub(super) login: &'a Echo,
}

impl Talk<'_> {
    pub(super) async fn connect(&self, smtp: &Smtp, limit: Duration) -> Result<TcpStream, Fault> {
        let connecting = TcpStream::connect((smtp.host.as_str(), smtp.port));
        match timeout(limit, connecting).await {
            Ok(Ok(tcp)) => {
                // Small commands, each of which waits for its answer.
                tcp.set_nodelay(true)
                    .map_err(|e| self.failed(Phase::Connect, &e))?;
                Ok(tcp)
            }
            Ok(Err(error)) => Err(self.failed(Phase::Connect, &error)),
            Err(_) => Err(self.silent(Phase::Connect, limit)),
        }
    }

    /// Reads the system's certificates: some milliseconds of disk and parsing, off the async threads.
    pub(super) async fn tls_parameters(
        &self,
        host: &str,
        extra_roots: &[Vec<u8>],
    ) -> Result<TlsParameters, Fault> {
        let (host, roots) = (host.to_owned(), extra_roots.to_vec());
        let build = tokio::task::spawn_blocking(move || {
            let mut builder = TlsParameters::builder(host);
            for root in roots {
                builder = builder.add_root_certificate(Certificate::from_der(root)?);
            }
            builder.build_rustls()
        });
        match build.await {
            Ok(Ok(parameters)) => Ok(parameters),
            Ok(Err(error)) => Err(self.ours(Phase::Tls, &root_cause(&error))),
            Err(failed) => Err(self.ours(Phase::Tls, &failed.to_string())),
        }
    }

    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        phase: Phase,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        self.said(phase, limit, timeout(limit, step).await.ok())
    }

    /// `None` is silence.
    pub(super) fn said<T>(
        &self,
        phase: Phase,
        limit: Duration,
        said: Option<Result<T, Error>>,
    ) -> Result<T, Fault> {
        match said {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.fault(phase, &error)),
            None => Err(self.silent(phase, limit)),
        }
    }

    /// Only the codes named are a yes.
    pub(super) fn expect(
        &self,
        phase: Phase,
        reply: &Response,
        codes: &[u16],
    ) -> Result<(), Fault> {
        let code = u16::from(reply.code());
        if codes.contains(&code) {
            return Ok(());
        }
        let words: Vec<&str> = reply.message().collect();
        let words = evidence::reply(&words.join(" "), self.login);
        let reply = format!("unexpected reply: {words}");
        Err(Fault::new(self.server, phase, Some(code), &reply, false))
    }

    fn fault(&self, phase: Phase, error: &Error) -> Fault {
        if let Some(code) = error.status() {
            let code = u16::from(code);
            let reply = error.source().map(ToString::to_string).unwrap_or_default();
            let ours = code >= 500 && (phase < Phase::RcptTo || LOGIN_WANTED.contains(&code));
            let reply = evidence::reply(&reply, self.login);
            return Fault::new(self.server, phase, Some(code), &reply, ours);
        }
        if let Some(tls) = tls_fault(error) {
            return self.ours(Phase::Tls, &tls);
        }
        let words = match root_cause(error) {
            said if said == "incomplete response" => "the server closed the connection".to_owned(),
            said => evidence::reply(&said, self.login),
        };
        Fault::new(self.server, phase, None, &words, error.is_client())
    }

    pub(super) fn failed(&self, phase: Phase, error: &std::io::Error) -> Fault {
        Fault::new(self.server, phase, None, &error.to_string(), false)
    }

    fn silent(&self, phase: Phase, limit: Duration) -> Fault {
        let words = format!("no answer within {limit:?}");
        Fault::new(self.server, phase, None, &words, false)
    }

    pub(super) fn ours(&self, phase: Phase, words: &str) -> Fault {
        Fault::new(self.server, phase, None, words, true)
    }
}

/// A 5xx from `RCPT TO` on is about this mail; everything else is tried again.
pub(super) fn judge(fault: Fault) -> Verdict {
    let final_word = fault.code.is_some_and(|code| (500..600).contains(&code));
    if final_word && fault.phase >= Phase::RcptTo && !fault.ours {
        Verdict::Refused(fault)
    } else {
        Verdict::Deferred(fault)
    }
}

/// What TLS itself objected to, a bad certificate above all; a connection that merely broke is none of it.
fn tls_fault(error: &Error) -> Option<String> {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = at {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let wrapped = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = wrapped.or_else(|| error.downcast_ref::<rustls::Error>()) {
            return Some(format!("{tls}"));
        }
        at = error.source();
    }
    None
}

/// The innermost error says what happened; the ones around it only that something did.
fn root_cause(error: &dyn StdError) -> String {
    let mut words = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        words = error.to_string();
        at = error.source();
    }
    words
}
