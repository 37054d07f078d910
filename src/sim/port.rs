//! The TCP side: a port that can be left and come back to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port of the loopback, and who answers there. It stays bound while nobody listens, so that nobody else can take it
/// and callers are refused; it is left for good when it is dropped.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) addr: SocketAddr,
    /// Bound and never listening: it keeps the port ours.
    _holder: TcpSocket,
    answering: Router,
    /// The listener and every connection hang on it.
    open: Mutex<CancellationToken>,
}

impl Port {
    /// Takes a free port, and listens.
    pub(super) fn open(answering: Router) -> io::Result<Self> {
        let holder = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let addr = holder.local_addr()?;
        Ok(Port {
            addr,
            _holder: holder,
            open: Mutex::new(listen(addr, answering.clone())?),
            answering,
        })
    }

    /// From now on nobody is answered: connections are cut, new ones refused.
    pub(super) fn leave(&self) {
        self.token().cancel();
    }

    /// Listens again.
    pub(super) fn come_back(&self) -> io::Result<()> {
        let mut open = self.token();
        if open.is_cancelled() {
            *open = listen(self.addr, self.answering.clone())?;
        }
        Ok(())
    }

    fn token(&self) -> MutexGuard<'_, CancellationToken> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Listens and answers until what it returns is cancelled.
fn listen(addr: SocketAddr, answering: Router) -> io::Result<CancellationToken> {
    let listener = bind(addr)?.listen(BACKLOG)?;
    let open = CancellationToken::new();
    tokio::spawn(serve(listener, answering, open.clone()));
    Ok(open)
}

/// Several sockets of ours may be bound to the same port: one holds it, another listens.
fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn serve(listener: TcpListener, answering: Router, open: CancellationToken) {
    let answering = TowerToHyperService::new(answering);
    loop {
        let accepted = tokio::select! {
            biased;
            () = open.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // An error here is the caller's connection, already gone, or no descriptor left: the next call tells.
        let Ok((stream, _)) = accepted else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), answering.clone());
        let open = open.clone();
        tokio::spawn(async move {
            // Looked at before each answer: whoever has left says nothing more.
            tokio::select! {
                biased;
                () = open.cancelled() => {}
                _ = connection => {}
            }
        });
    }
}
