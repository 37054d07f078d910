//! Login, renewal, and what a 401 leads to; over real sockets, with a clock that the test moves.

#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use leafwatch::config::{Auth, Leaf, SecretFile};
use leafwatch::leaf::{Class, Client, Endpoint, Halt};
use leafwatch::model::{Answer, NoAnswer, Outcome};
use tokio::task::JoinSet;

use crate::support::leaf::{Act, Asked, Peer, clock, grower, json, raw, with_headers};

const OK: &str = r#"{"id":"1","status":"OK"}"#;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A Leaf that hands out `t1`, `t2` and so on, and takes only the newest.
struct Accounts {
    newest: AtomicUsize,
    /// Whether logins work, and how they are refused if not.
    refusal: Mutex<Option<Vec<Act>>>,
    /// Whether even the newest is refused.
    refuses_all: Mutex<bool>,
}

impl Accounts {
    async fn open() -> (Arc<Self>, Peer) {
        let accounts = Arc::new(Accounts {
            newest: AtomicUsize::new(0),
            refusal: Mutex::default(),
            refuses_all: Mutex::default(),
        });
        let play = accounts.clone();
        (accounts, Peer::start(move |asked| play.answer(asked)).await)
    }

    fn answer(&self, asked: &Asked) -> Vec<Act> {
        if asked.is_login() {
            if let Some(refusal) = self.refusal.lock().unwrap().clone() {
                return refusal;
            }
            let n = self.newest.fetch_add(1, SeqCst) + 1;
            return json(200, &format!(r#"{{"id_token":"t{n}"}}"#));
        }
        let newest = format!("t{}", self.newest.load(SeqCst));
        if asked.bearer() == Some(&newest) && !*self.refuses_all.lock().unwrap() {
            json(200, OK)
        } else {
            json(401, r#"{"status":401,"title":"Unauthorized"}"#)
        }
    }

    fn void_all_tokens(&self) {
        self.newest.fetch_add(100, SeqCst);
    }

    fn refuse_logins(&self, how: Vec<Act>) {
        *self.refusal.lock().unwrap() = Some(how);
    }
}

async fn outcome(client: &Client) -> Result<Outcome, Halt> {
    let look = client.read(grower(0), Class::Status).await;
    look.map(|look| look.outcome)
}

fn is_reading(outcome: &Result<Outcome, Halt>) -> bool {
    matches!(outcome, Ok(Outcome::Answer(Answer::Reading(_))))
}

fn is_denied(outcome: &Result<Outcome, Halt>) -> bool {
    matches!(outcome, Ok(Outcome::None(NoAnswer::Denied, _)))
}

#[tokio::test]
async fn the_login_is_the_documented_one_and_serves_all_that_follow() {
    let (_, peer) = Accounts::open().await;
    let client = peer.client();
    client.login().await.unwrap();
    assert!(is_reading(&outcome(&client).await));
    let asked = peer.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].is_login());
    assert_eq!(
        asked[0].body,
        r#"{"username":"ops@example.com","password":"correct horse","rememberMe":true}"#
    );
    assert_eq!(
        asked[1].path,
        "/services/usermanagement/api/users/3c9d2f1e-1111-4222-8333-000000000000/john-deere-credentials"
    );
    assert_eq!(asked[1].bearer(), Some("t1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_are_refused_at_once_cause_one_login() {
    let (accounts, peer) = Accounts::open().await;
    let client = peer.client();
    for round in 1..=3 {
        let mut callers = JoinSet::new();
        for n in 0..64 {
            let client = client.clone();
            callers.spawn(async move { client.read(grower(n), Class::Status).await });
        }
        for look in callers.join_all().await {
            assert!(is_reading(&look.map(|look| look.outcome)));
        }
        assert_eq!(peer.logins(), round);
        accounts.void_all_tokens();
    }
}

#[tokio::test]
async fn after_a_login_that_did_not_help_there_is_none_for_a_minute() {
    let (accounts, peer) = Accounts::open().await;
    let clock = clock();
    let client = peer.client_with(&peer.config(), &clock);
    assert!(is_reading(&outcome(&client).await));
    *accounts.refuses_all.lock().unwrap() = true;
    assert!(is_denied(&outcome(&client).await));
    assert_eq!(peer.logins(), 2, "one try with a fresh token");
    for _ in 0..5 {
        assert!(is_denied(&outcome(&client).await));
    }
    assert_eq!(peer.logins(), 2);
    clock.advance(MINUTE);
    assert!(is_denied(&outcome(&client).await));
    assert_eq!(peer.logins(), 3);
    *accounts.refuses_all.lock().unwrap() = false;
    assert!(is_reading(&outcome(&client).await));
}

#[tokio::test]
async fn a_token_that_never_worked_is_not_followed_by_another_login_at_once() {
    let (accounts, peer) = Accounts::open().await;
    *accounts.refuses_all.lock().unwrap() = true;
    let client = peer.client();
    assert!(is_denied(&outcome(&client).await));
    assert_eq!(peer.logins(), 1);
}

#[tokio::test]
async fn a_refused_login_is_told_as_such_and_not_tried_again_for_a_minute() {
    let refusals = [
        json(401, ""),
        json(403, "<html>"),
        json(400, r#"{"title":"Bad Request","status":400}"#),
        json(422, r#"{"status":"401"}"#),
    ];
    for refusal in refusals {
        let (accounts, peer) = Accounts::open().await;
        accounts.refuse_logins(refusal);
        let clock = clock();
        let client = peer.client_with(&peer.config(), &clock);
        for _ in 0..3 {
            let halt = outcome(&client).await.unwrap_err();
            assert!(matches!(halt, Halt::LoginRefused(_)), "{halt}");
        }
        assert_eq!(peer.asked().len(), 1);
        clock.advance(MINUTE);
        outcome(&client).await.unwrap_err();
        assert_eq!(peer.asked().len(), 2);
        // New settings are tried at once: it may be the password that was mended.
        client.reconfigure(peer.endpoint());
        outcome(&client).await.unwrap_err();
        assert_eq!(peer.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_login_without_a_usable_answer_is_unreachable() {
    for (answer, tries) in [
        (json(503, ""), 4),
        (json(429, ""), 4),
        (vec![Act::Close], 4),
        (json(200, "{}"), 1),
        (json(200, "<html>"), 1),
        (json(200, r#"{"id_token":""}"#), 1),
        (json(200, r#"{"id_token":"a\nb"}"#), 1),
        (json(404, ""), 1),
        (json(400, ""), 1),
        (with_headers(302, "Location: /login\r\n", ""), 1),
        (raw("SSH-2.0-OpenSSH_9.2\r\n"), 1),
    ] {
        let (accounts, peer) = Accounts::open().await;
        accounts.refuse_logins(answer.clone());
        let client = peer.client();
        let halt = client.login().await.unwrap_err();
        assert!(
            matches!(halt, Halt::LoginUnreachable(_)),
            "{halt} {answer:?}"
        );
        assert_eq!(peer.logins(), tries, "{answer:?}");
        assert_eq!(client.counters().logins_failed, tries as u64);
    }
}

#[tokio::test]
async fn a_token_is_renewed_at_half_its_life() {
    let clock = clock();
    let issued = Arc::new(AtomicUsize::new(0));
    let play = (clock.clone(), issued.clone());
    let peer = Peer::start(move |asked| {
        let (clock, issued) = &play;
        if !asked.is_login() {
            return json(200, OK);
        }
        issued.fetch_add(1, SeqCst);
        let ends = clock.now().as_second() + 30 * 24 * 3600;
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"x","exp":{ends}}}"#));
        json(200, &format!(r#"{{"id_token":"eyJh.{claims}.c2ln"}}"#))
    })
    .await;
    let client = peer.client_with(&peer.config(), &clock);
    let mut logins_by_day = Vec::new();
    for _ in 0..4 {
        assert!(is_reading(&outcome(&client).await));
        logins_by_day.push(peer.logins());
        clock.advance(7 * DAY);
    }
    assert_eq!(logins_by_day, [1, 1, 1, 2]);
    let ends = client.token_expires().unwrap();
    assert_eq!(ends.to_string(), "2026-04-21T12:00:00Z");
}

#[tokio::test]
async fn while_it_cannot_be_renewed_the_old_token_serves_on() {
    let clock = clock();
    let logins = AtomicUsize::new(0);
    let ends = clock.now().as_second() + 3600;
    let peer = Peer::start(move |asked| {
        if !asked.is_login() {
            return json(200, OK);
        }
        if logins.fetch_add(1, SeqCst) > 0 {
            return json(401, "");
        }
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{ends}}}"#));
        json(200, &format!(r#"{{"id_token":"eyJh.{claims}.c2ln"}}"#))
    })
    .await;
    let client = peer.client_with(&peer.config(), &clock);
    assert!(is_reading(&outcome(&client).await));
    clock.advance(30 * MINUTE);
    for _ in 0..5 {
        assert!(is_reading(&outcome(&client).await));
    }
    assert_eq!(peer.logins(), 2, "one try to renew a minute");
    clock.advance(MINUTE);
    assert!(is_reading(&outcome(&client).await));
    assert_eq!(peer.logins(), 3);
}

fn with_token(peer: &Peer, token: SecretFile) -> Leaf {
    Leaf {
        auth: Auth::Token(token),
        ..peer.config()
    }
}

#[tokio::test]
async fn a_configured_token_is_read_again_after_a_401_and_on_reload() {
    let peer = Peer::start(|asked| match asked.bearer() {
        Some("good" | "better") => json(200, OK),
        _ => json(401, ""),
    })
    .await;
    let clock = clock();
    let config = with_token(&peer, peer.secret("token", "good\n"));
    let client = peer.client_with(&config, &clock);
    assert!(is_reading(&outcome(&client).await));

    peer.secret("token", "better");
    client.reconfigure(Endpoint::new(&config).unwrap());
    assert!(is_reading(&outcome(&client).await));
    assert_eq!(peer.reads()[1].bearer(), Some("better"));
    assert_eq!(peer.logins(), 0);
}

#[tokio::test]
async fn a_rotated_token_file_is_noticed_by_its_401() {
    let voided = Arc::new(Mutex::new(false));
    let play = voided.clone();
    let peer = Peer::start(move |asked| match asked.bearer() {
        Some("old") if *play.lock().unwrap() => json(401, ""),
        _ => json(200, OK),
    })
    .await;
    let config = with_token(&peer, peer.secret("token", "old"));
    let client = peer.client_with(&config, &clock());
    assert!(is_reading(&outcome(&client).await));
    *voided.lock().unwrap() = true;
    peer.secret("token", "new");
    assert!(is_reading(&outcome(&client).await));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_for_the_operator() {
    let (_, peer) = Accounts::open().await;
    let config = with_token(&peer, SecretFile::at("/nowhere/leaf-token"));
    let client = peer.client_with(&config, &clock());
    let halt = client.login().await.unwrap_err();
    assert_eq!(
        halt.to_string(),
        "Leaf refuses the login: there is no file /nowhere/leaf-token; put the secret itself, and nothing else, into \
         /nowhere/leaf-token (chmod 600); this key holds the file's name, never the secret"
    );
    assert!(peer.asked().is_empty());
}

#[tokio::test]
async fn a_login_under_way_to_the_old_address_is_not_taken_for_the_new_one() {
    let (_, new) = Accounts::open().await;
    let old = Peer::start(|_| {
        let mut acts = vec![Act::Wait(Duration::from_millis(200))];
        acts.extend(json(200, r#"{"id_token":"other"}"#));
        acts
    })
    .await;
    let client = old.client();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { outcome(&client).await }
    });
    while old.logins() == 0 {
        tokio::task::yield_now().await;
    }
    client.reconfigure(new.endpoint());
    assert!(is_reading(&waiting.await.unwrap()));
    assert!(
        new.reads()
            .iter()
            .all(|asked| asked.bearer() != Some("other"))
    );
    assert!(old.reads().is_empty());
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_a_secret() {
    let (accounts, peer) = Accounts::open().await;
    let client = peer.client();
    assert!(is_reading(&outcome(&client).await));
    let shown = format!("{client:?}");
    accounts.void_all_tokens();
    accounts.refuse_logins(json(401, "hunter2"));
    let halt = outcome(&client).await.unwrap_err();
    for text in [shown, format!("{halt} {halt:?}")] {
        for secret in ["correct horse", "Bearer t1", "hunter2"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
