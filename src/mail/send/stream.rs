//! A stream under the SMTP connection that knows whether we have spoken yet, and hands out nothing too early.
//!
//! The library reads the greeting and says `EHLO` in one call; what has been written tells the two apart. And it keeps
//! what it read ahead in the clear when STARTTLS turns the connection to TLS, so that replies slipped in by somebody on
//! the way would pass for the server's. Here nothing is read ahead until TLS has begun.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether anything was written on a [`Tap`].
#[derive(Debug, Clone, Default)]
pub(super) struct Spoken(Arc<AtomicBool>);

impl Spoken {
    pub(super) fn yet(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The first byte of a TLS handshake (RFC 8446, 5.1); no SMTP command begins with it.
const HANDSHAKE: u8 = 22;

/// A stream that notes its first write.
#[derive(Debug)]
pub(super) struct Tap<S> {
    inner: S,
    peer: SocketAddr,
    spoken: Spoken,
    before_starttls: bool,
}

impl<S> Tap<S> {
    /// `starttls` says that this connection begins in the clear and is to turn to TLS.
    pub(super) fn new(inner: S, peer: SocketAddr, spoken: Spoken, starttls: bool) -> Self {
        Tap {
            inner,
            peer,
            spoken,
            before_starttls: starttls,
        }
    }
}

impl<S> AsyncTokioStream for Tap<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before_starttls || buffer.remaining() == 0 {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        // A byte at a time, so that nothing after the end of a line is taken along. These are few and short lines.
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        let outcome = Pin::new(&mut self.inner).poll_read(context, &mut one);
        buffer.put_slice(one.filled());
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.spoken.0.store(true, Ordering::Relaxed);
        if bytes.first() == Some(&HANDSHAKE) {
            self.before_starttls = false;
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
