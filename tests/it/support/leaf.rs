//! A peer on a real socket that plays whatever bytes a test writes, and remembers what it was asked.

#![expect(
    clippy::unwrap_used,
    reason = "a peer that cannot be set up is a test that failed"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::config::{Auth, Leaf, SecretFile};
use leafwatch::leaf::{Client, Endpoint};
use leafwatch::model::{Credential, Provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// What the peer was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// In lower case, as it came.
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
    /// Connections are counted from 0, and so are the requests on each.
    pub(crate) connection: usize,
    pub(crate) on_connection: usize,
}

impl Asked {
    pub(crate) fn is_login(&self) -> bool {
        self.method == "POST" && self.path == "/api/authenticate"
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        let (_, behind) = self.head.split_once("authorization: bearer ")?;
        behind.lines().next()
    }
}

/// What the peer does next on the connection.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    /// Says nothing more until the other side goes.
    Hang,
    Close,
}

type Play = dyn Fn(&Asked) -> Vec<Act> + Send + Sync;

/// The peer; it stops with its runtime.
pub(crate) struct Peer {
    pub(crate) url: String,
    state: Arc<State>,
    secrets: tempfile::TempDir,
}

struct State {
    play: Box<Play>,
    asked: Mutex<Vec<Asked>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Peer {
    pub(crate) async fn start(play: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            play: Box::new(play),
            asked: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        });
        tokio::spawn({
            let state = state.clone();
            async move {
                for connection in 0.. {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve(stream, connection, state.clone()));
                }
            }
        });
        Peer {
            url,
            state,
            secrets: tempfile::tempdir().unwrap(),
        }
    }

    /// A Leaf that takes any login and answers everything else by `play`.
    pub(crate) async fn leaf(play: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Peer::start(move |asked| {
            if asked.is_login() {
                json(200, r#"{"id_token":"opaque"}"#)
            } else {
                play(asked)
            }
        })
        .await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// What was asked besides logins.
    pub(crate) fn reads(&self) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| !asked.is_login());
        asked
    }

    pub(crate) fn logins(&self) -> usize {
        self.asked().len() - self.reads().len()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(SeqCst)
    }

    /// A config without limits.
    pub(crate) fn config(&self) -> Leaf {
        Leaf {
            base_url: self.url.clone(),
            auth: Auth::Password {
                username: "ops@example.com".into(),
                password: self.secret("leaf-password", "correct horse"),
            },
            max_requests_per_second: 0,
            max_in_flight: 64,
            timeout: Duration::from_secs(20),
        }
    }

    /// A file that holds a secret.
    pub(crate) fn secret(&self, name: &str, secret: &str) -> SecretFile {
        let path = self.secrets.path().join(name);
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        SecretFile::at(path)
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(&self.config(), &clock())
    }

    /// With pauses that no test has to wait for.
    pub(crate) fn client_with(&self, config: &Leaf, clock: &Clock) -> Client {
        Client::new(config, [7; 32], clock.clone(), Duration::from_millis(1)).unwrap()
    }

    /// The same place, for a client of another.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::new(&self.config()).unwrap()
    }
}

/// A clock that stands until a test moves it.
pub(crate) fn clock() -> Clock {
    Clock::movable("2026-03-01T12:00:00Z".parse().unwrap())
}

/// The `n`th grower's John Deere credential.
pub(crate) fn grower(n: u32) -> Credential {
    Credential {
        user: format!("3c9d2f1e-1111-4222-8333-{n:012}").parse().unwrap(),
        provider: Provider::JOHN_DEERE,
    }
}

/// An answer with a body, and nothing odd about it.
pub(crate) fn json(status: u16, body: &str) -> Vec<Act> {
    with_headers(status, "Content-Type: application/json\r\n", body)
}

pub(crate) fn with_headers(status: u16, headers: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    raw(&format!(
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

pub(crate) fn raw(bytes: &str) -> Vec<Act> {
    vec![Act::Send(bytes.as_bytes().to_vec())]
}

async fn serve(mut stream: TcpStream, connection: usize, state: Arc<State>) {
    for on_connection in 0.. {
        let Some(mut asked) = receive(&mut stream).await else {
            return;
        };
        (asked.connection, asked.on_connection) = (connection, on_connection);
        state.asked.lock().unwrap().push(asked.clone());
        let now = state.in_flight.fetch_add(1, SeqCst) + 1;
        state.most_in_flight.fetch_max(now, SeqCst);
        let acts = (state.play)(&asked);
        let count = acts.len();
        for (at, act) in acts.into_iter().enumerate() {
            // The client may ask anew the moment that it has the last byte.
            if at + 1 == count {
                state.in_flight.fetch_sub(1, SeqCst);
            }
            match act {
                Act::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Act::Wait(time) => sleep(time).await,
                Act::Hang => {
                    let mut rest = [0; 64];
                    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
                    return;
                }
                Act::Close => return,
            }
        }
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let at = Instant::now();
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < head_end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked {
        method,
        path,
        head,
        body: String::from_utf8(bytes[head_end..].to_vec()).ok()?,
        at,
        connection: 0,
        on_connection: 0,
    })
}
