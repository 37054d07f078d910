//! The connection up to the answer to `EHLO`: in the clear, with TLS from the first byte, or turned to TLS by STARTTLS.
//!
//! TLS is begun here, between two connections of the library: so the limits of a [`Tap`] hold for what is said inside it
//! too, and nothing that was said in the clear is carried over.

use std::io;

use lettre::transport::smtp::Error;
#[expect(
    deprecated,
    reason = "the only public way to do the TLS handshake apart from the greeting, so that each has its deadline"
)]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::Starttls;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};

use super::smtp::Deadlines;
use super::stream::{Spoken, Stream, Tap};
use super::talk::Talk;
use super::{Fault, Phase};
use crate::config::Tls;

/// Connects as `how` says; `tls` is there where TLS is wanted.
pub(super) async fn connect(
    talk: &Talk<'_>,
    tcp: TcpStream,
    how: Tls,
    tls: Option<TlsParameters>,
    limit: Deadlines,
) -> Result<AsyncSmtpConnection, Fault> {
    let failed = |error: io::Error| talk.failed(Phase::Connect, &error);
    let peer = tcp.peer_addr().map_err(failed)?;
    let spoken = Spoken::default();
    match (how, tls) {
        (Tls::StartTls, Some(tls)) => {
            let (tcp, again) = twice(tcp).map_err(failed)?;
            let tap = Tap::new(tcp, peer, spoken.clone()).before_starttls();
            let clear = greeted(talk, tap, spoken, limit).await?;
            start_tls(talk, clear, limit).await?;
            let secured = handshake(again, tls);
            let secured = talk.within(limit.connect, Phase::StartTls, secured).await?;
            let tap = Tap::new(secured, peer, Spoken::default()).after_starttls();
            talk.within(limit.command, Phase::StartTls, hello(tap))
                .await
        }
        (Tls::Implicit, Some(tls)) => {
            let secured = handshake(tcp, tls);
            let secured = talk.within(limit.connect, Phase::Tls, secured).await?;
            let tap = Tap::new(secured, peer, spoken.clone());
            greeted(talk, tap, spoken, limit).await
        }
        _ => greeted(talk, Tap::new(tcp, peer, spoken.clone()), spoken, limit).await,
    }
}

/// Waits for the greeting, and for the answer to `EHLO`, each in its time.
async fn greeted<S: Stream>(
    talk: &Talk<'_>,
    tap: Tap<S>,
    spoken: Spoken,
    limit: Deadlines,
) -> Result<AsyncSmtpConnection, Fault> {
    let connecting = hello(tap);
    tokio::pin!(connecting);
    let mut greeted = timeout(limit.command, &mut connecting).await;
    if greeted.is_err() && spoken.yet() {
        // It greeted in time; the answer to EHLO has a deadline of its own.
        greeted = timeout(limit.command, &mut connecting).await;
    }
    let phase = match spoken.yet() {
        true => Phase::Ehlo,
        false => Phase::Greeting,
    };
    talk.said(phase, limit.command, greeted.ok())
}

async fn hello<S: Stream>(tap: Tap<S>) -> Result<AsyncSmtpConnection, Error> {
    AsyncSmtpConnection::connect_with_transport(Box::new(tap), &ClientId::default()).await
}

/// Ends the talk in the clear with the server's word that TLS begins.
async fn start_tls(
    talk: &Talk<'_>,
    mut clear: AsyncSmtpConnection,
    limit: Deadlines,
) -> Result<(), Fault> {
    if !clear.can_starttls() {
        let why = "the server does not offer STARTTLS; nothing is sent without it (for a server \
                   that speaks TLS from the start set tls = \"implicit\")";
        return Err(talk.ours(Phase::StartTls, why));
    }
    let told = clear.command(Starttls);
    let reply = talk.within(limit.command, Phase::StartTls, told).await?;
    talk.expect(Phase::StartTls, &reply, &[220])
}

#[expect(deprecated, reason = "see the import")]
async fn handshake(
    tcp: TcpStream,
    tls: TlsParameters,
) -> Result<Compat<AsyncNetworkStream>, Error> {
    let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(tcp));
    stream.upgrade_tls(tls).await?;
    Ok(stream.compat())
}

/// The same connection under a second handle: the library does not give back the one it has.
fn twice(tcp: TcpStream) -> io::Result<(TcpStream, TcpStream)> {
    let tcp = tcp.into_std()?;
    let again = tcp.try_clone()?;
    Ok((TcpStream::from_std(tcp)?, TcpStream::from_std(again)?))
}
