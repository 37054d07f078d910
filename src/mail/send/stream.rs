//! A stream under the SMTP connection that knows whether we have spoken yet, and bears no talk without end.
//!
//! The library reads the greeting and says `EHLO` in one call; what has been written tells the two apart. And it keeps a
//! line in memory until its end comes, which a hostile server never sends: here a line and a reply have their limits,
//! and past them nothing more is read. Before STARTTLS nothing is read ahead: replies slipped in by somebody on the way
//! meet the TLS handshake, which they break.

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

/// The longest line of a server, its end included. RFC 5321, 4.5.3.1.5 asks for 512 bytes.
const LONGEST_LINE: usize = 4096;
/// The most lines of one reply.
const MOST_LINES: usize = 100;

/// A stream that notes its first write, and counts what it is told between two writes.
#[derive(Debug)]
pub(super) struct Tap<S> {
    inner: S,
    peer: SocketAddr,
    spoken: Spoken,
    /// What is read before anything of the stream.
    first: &'static [u8],
    before_starttls: bool,
    line: usize,
    lines: usize,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S, peer: SocketAddr, spoken: Spoken) -> Self {
        Tap {
            inner,
            peer,
            spoken,
            first: b"",
            before_starttls: false,
            line: 0,
            lines: 0,
        }
    }

    /// This connection is in the clear and is to turn to TLS.
    pub(super) fn before_starttls(mut self) -> Self {
        self.before_starttls = true;
        self
    }

    /// The server has greeted already, before STARTTLS; the library waits for it.
    pub(super) fn after_starttls(mut self) -> Self {
        self.first = b"220 secured\r\n";
        self
    }

    fn heard(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            self.line += 1;
            if self.line > LONGEST_LINE {
                return Err(io::Error::other("the server's line is longer than 4 KiB"));
            }
            if byte == b'\n' {
                self.line = 0;
                self.lines += 1;
            }
        }
        match self.lines > MOST_LINES {
            true => Err(io::Error::other(
                "the server's reply is longer than 100 lines",
            )),
            false => Ok(()),
        }
    }
}

/// What bytes go through, secured or not.
pub(super) trait Stream:
    AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug + 'static
{
}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug + 'static> Stream for S {}

impl<S: Stream> AsyncTokioStream for Tap<S> {
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
        let tap = &mut *self;
        if !tap.first.is_empty() {
            let (now, later) = tap.first.split_at(tap.first.len().min(buffer.remaining()));
            buffer.put_slice(now);
            tap.first = later;
            return Poll::Ready(Ok(()));
        }
        if !tap.before_starttls || buffer.remaining() == 0 {
            let known = buffer.filled().len();
            std::task::ready!(Pin::new(&mut tap.inner).poll_read(context, buffer))?;
            return Poll::Ready(tap.heard(&buffer.filled()[known..]));
        }
        // A byte at a time, so that nothing after the end of a line is taken along. These are few and short lines.
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        std::task::ready!(Pin::new(&mut tap.inner).poll_read(context, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(tap.heard(one.filled()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.spoken.0.store(true, Ordering::Relaxed);
        (self.line, self.lines) = (0, 0);
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
