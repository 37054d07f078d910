//! Connections to the page: each is one request, with a time limit for its head and one for all of it; only so many at a
//! time, and of one address.
//!
//! Where all places are taken, whoever has been inside longest goes. So those who say nothing, or a byte at a time, or read
//! no answer, keep nobody out: who asks at once is answered at once. Whatever they do costs other visitors, never the
//! daemon's own files and sockets.

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Visitors at a time.
const MOST: usize = 256;
/// Visitors from one address. This machine's own may be those of a proxy, behind which everybody stands.
const MOST_OF_ONE: usize = 16;
/// The longest head that is read, in bytes.
const LONGEST_HEAD: usize = 32 * 1024;

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Its head.
    pub(super) head: Duration,
    /// All of it: head, answer, and the reading of the answer.
    pub(super) whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head: Duration::from_secs(10),
            whole: Duration::from_secs(30),
        }
    }
}

/// Who is at the door.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) IpAddr);

/// Lets visitors in until `stop`; what is being answered then has a second to end.
pub(super) async fn serve(
    listener: TcpListener,
    pages: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    const WITHIN: Duration = Duration::from_secs(1);
    let mut inside = Inside::default();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let visit = visit(stream, from, pages.clone(), limits, stop.clone());
                inside.admit(from.ip(), visit);
            }
            Err(error) => {
                // A visitor that is gone again, or no file descriptor to be had: the next may fare better.
                tracing::debug!("a visitor of the page could not be let in: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let all_leave = async { while inside.visits.join_next().await.is_some() {} };
    // Who has not left by then is cut off.
    let _ = tokio::time::timeout(WITHIN, all_leave).await;
}

async fn visit(
    stream: TcpStream,
    from: SocketAddr,
    pages: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let pages = TowerToHyperService::new(pages);
    let answering = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Caller(from.ip()));
        pages.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answering);
    tokio::pin!(connection);
    let answered = async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    match tokio::time::timeout(limits.whole, answered).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a visitor of the page left unanswered: {error}"),
        Err(_) => tracing::debug!("a visitor of the page took too long"),
    }
}

/// Who is inside, those who came first at the front.
#[derive(Debug, Default)]
struct Inside {
    visits: JoinSet<()>,
    order: VecDeque<(IpAddr, AbortHandle)>,
}

impl Inside {
    /// Lets one more in. Where there is no place, whoever came first goes; of the same address, where that has too many.
    fn admit(&mut self, from: IpAddr, visit: impl Future<Output = ()> + Send + 'static) {
        while self.visits.try_join_next().is_some() {}
        self.order.retain(|(_, visit)| !visit.is_finished());
        let from = household(from);
        let mut same = self.order.iter().filter(|(other, _)| *other == from);
        let too_many = !from.is_loopback() && same.nth(MOST_OF_ONE - 1).is_some();
        let leaves = match too_many {
            true => self.order.iter().position(|(other, _)| *other == from),
            false => (self.order.len() >= MOST).then_some(0),
        };
        if let Some((_, visit)) = leaves.and_then(|at| self.order.remove(at)) {
            visit.abort();
        }
        self.order.push_back((from, self.visits.spawn(visit)));
    }
}

/// What counts as one address: of IPv6 the network that one subscriber has.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(long) if !long.is_loopback() => {
            IpAddr::from((u128::from(long) >> 64 << 64).to_be_bytes())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Those inside who came from there.
    fn from(inside: &Inside, address: IpAddr) -> usize {
        let stays = inside
            .order
            .iter()
            .filter(|(_, visit)| !visit.is_finished());
        stays.filter(|(other, _)| *other == address).count()
    }

    #[tokio::test]
    async fn one_address_keeps_no_other_out() {
        let mut inside = Inside::default();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        inside.admit(other, std::future::pending());
        for _ in 0..5 * MOST {
            inside.admit(one, std::future::pending());
        }
        assert_eq!((from(&inside, one), from(&inside, other)), (MOST_OF_ONE, 1));
    }

    #[tokio::test]
    async fn a_proxy_on_this_machine_may_bring_many_and_the_newest_always_get_in() {
        let mut inside = Inside::default();
        let here = [127, 0, 0, 1].into();
        let (done, ended) = tokio::sync::oneshot::channel();
        for _ in 0..5 * MOST {
            inside.admit(here, std::future::pending());
        }
        assert_eq!(inside.order.len(), MOST);
        inside.admit(here, async { done.send(()).unwrap() });
        ended.await.unwrap();
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A door behind which there is more to read than any system keeps for a connection.
    async fn door(limits: Limits) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Router::new()
            .route("/", axum::routing::get(async || "here"))
            .route("/much", axum::routing::get(async || vec![b'x'; 64 << 20]));
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, pages, limits, stop.clone()));
        (address, stop)
    }

    #[tokio::test]
    async fn a_head_that_comes_a_byte_at_a_time_is_not_waited_for() {
        let (address, _stop) = door(Limits {
            head: Duration::from_millis(300),
            whole: PATIENCE * 2,
        })
        .await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        let trickling = async {
            loop {
                let sent = slow.write_all(b"G").await;
                let mut byte = [0];
                let wait = Duration::from_millis(20);
                // Whatever it says, it says before it closes.
                match tokio::time::timeout(wait, slow.read(&mut byte)).await {
                    Ok(Ok(1..)) | Err(_) if sent.is_ok() => {}
                    _ => return,
                }
            }
        };
        tokio::time::timeout(PATIENCE, trickling).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_is_not_read_is_not_kept_for_ever() {
        let (address, _stop) = door(Limits {
            head: PATIENCE,
            whole: Duration::from_millis(300),
        })
        .await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let reading = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let mut all = Vec::new();
            // Cut off in the middle, by an end or a reset.
            let _ = slow.read_to_end(&mut all).await;
            all.len()
        };
        let read = tokio::time::timeout(PATIENCE, reading).await.unwrap();
        assert!(read < 64 << 20, "{read}");
    }

    #[tokio::test]
    async fn a_stop_waits_for_nobody_who_asks_nothing() {
        let (address, stop) = door(Limits::default()).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut asking = TcpStream::connect(address).await.unwrap();
        asking
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        asking.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        stop.cancel();
        let mut nothing = Vec::new();
        let left = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut nothing));
        assert_eq!(left.await.unwrap().unwrap_or(0), 0);
    }

    #[test]
    fn the_addresses_of_one_subscriber_count_as_one() {
        let of = |text: &str| household(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert!(of("::1").is_loopback() && of("::ffff:127.0.0.1").is_loopback());
    }
}
