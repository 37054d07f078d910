//! The TCP side: a port that can be left and come back to, and connections that can be cut.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The port. While nobody listens it stays bound, so that nobody else can take it and callers are refused.
#[derive(Debug)]
pub(super) struct Port {
    addr: SocketAddr,
    /// Bound and never listening: it keeps the port ours.
    _holder: TcpSocket,
    runtime: Handle,
    door: Mutex<Door>,
}

#[derive(Debug)]
struct Door {
    listener: Option<TcpListener>,
    /// Who waits in `accept`.
    waiting: Option<Waker>,
    /// Cut when the port is left: every connection made through this door hangs on it.
    cut: CancellationToken,
    accepted: u64,
}

impl Port {
    /// Binds `addr` and listens.
    ///
    /// # Errors
    ///
    /// What the operating system says where the address cannot be had.
    pub(super) fn open(addr: SocketAddr) -> io::Result<Self> {
        let holder = bind(addr)?;
        let addr = holder.local_addr()?;
        let door = Door {
            listener: Some(bind(addr)?.listen(BACKLOG)?),
            waiting: None,
            cut: CancellationToken::new(),
            accepted: 0,
        };
        Ok(Port {
            addr,
            _holder: holder,
            runtime: Handle::current(),
            door: Mutex::new(door),
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections accepted since it was opened.
    pub(super) fn connections(&self) -> u64 {
        self.door().accepted
    }

    /// Stops listening and cuts every connection, before this returns.
    pub(super) fn leave(&self) {
        let mut door = self.door();
        door.listener = None;
        door.cut.cancel();
    }

    /// Listens again.
    ///
    /// # Errors
    ///
    /// What the operating system says; the port itself cannot have been taken.
    pub(super) fn come_back(&self) -> io::Result<()> {
        let _inside = self.runtime.enter();
        let mut door = self.door();
        if door.listener.is_none() {
            door.listener = Some(bind(self.addr)?.listen(BACKLOG)?);
            door.cut = CancellationToken::new();
            if let Some(waiting) = door.waiting.take() {
                waiting.wake();
            }
        }
        Ok(())
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Line> {
        let mut door = self.door();
        loop {
            door.waiting = Some(context.waker().clone());
            let Some(listener) = &door.listener else {
                return Poll::Pending;
            };
            // An error here is the caller's connection, already gone, or no descriptor left: the next call tells.
            if let Ok((stream, _)) = ready!(listener.poll_accept(context)) {
                let _ = stream.set_nodelay(true);
                let line = Line::new(stream, door.cut.child_token());
                door.accepted += 1;
                return Poll::Ready(line);
            }
        }
    }
}

/// Several sockets of ours may be bound to the same port: one holds it, another listens.
fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// The port as the web server sees it.
#[derive(Debug)]
pub(super) struct Calls(pub(super) Arc<Port>);

impl Listener for Calls {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let line = poll_fn(|context| self.0.poll_accept(context)).await;
        (line, self.0.addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.addr)
    }
}

/// One connection, which ends in a reset when it is cut.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    cut: CancellationToken,
    being_cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What a request can do to the connection it came over.
#[derive(Debug, Clone)]
pub(super) struct Scissors(CancellationToken);

impl Scissors {
    /// Resets the connection.
    pub(super) fn cut(&self) {
        self.0.cancel();
    }

    /// Whether it is cut.
    pub(super) fn is_cut(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Connected<IncomingStream<'_, Calls>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Calls>) -> Self {
        Scissors(stream.io().cut.clone())
    }
}

impl Line {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        let being_cut = Box::pin(cut.clone().cancelled_owned());
        Line {
            stream,
            cut,
            being_cut,
        }
    }

    /// The error of a cut connection; the close that follows sends a reset instead of a farewell.
    fn reset(&self) -> io::Error {
        let _ = self.stream.set_zero_linger();
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.being_cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
