//! Who is let in: by name, by method, by password; and what every answer carries.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use leafwatch::config::{SecretFile, Web};

use crate::support::site::{Served, open};
use crate::support::story::story_in;

/// A page behind the password `open sesame`.
async fn behind_a_password(public_summary: bool) -> Served {
    let site = Served::with(story_in, open()).await;
    let path = site.beside("web-password");
    std::fs::write(&path, "open sesame\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    site.reload(Web {
        password: Some(SecretFile::at(path)),
        public_summary,
        ..Web::default()
    });
    site
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    let site = Served::with(story_in, open()).await;
    for path in [
        "/",
        "/healthz",
        "/metrics",
        "/api/v1/status",
        "/style.css",
        "/no",
    ] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.body.contains("style=\""), "{path}");
        assert!(!answer.body.contains("src=\"http"), "{path}");
    }
}

#[tokio::test]
async fn a_name_that_others_point_at_us_is_refused() {
    let site = Served::with(story_in, open()).await;
    let port = site.site.address().port();
    for host in ["evil.example", "evil.example:80", "192.0.2.1"] {
        let answer = site.get_at("/", host).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("Hillside"), "{host}");
    }
    let local = format!("localhost:{port}");
    assert_eq!(site.get_at("/", &local).await.status, 200);
    site.reload(Web {
        public_url: Some("https://leafwatch.example.com".to_owned()),
        ..Web::default()
    });
    let known = site.get_at("/", "leafwatch.example.com").await;
    assert_eq!(known.status, 200);
}

#[tokio::test]
async fn nothing_can_be_done_but_read() {
    let site = Served::with(story_in, open()).await;
    let post = site.client().post(site.url("/")).body("x");
    let answer = site.send(post).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), "GET, HEAD");
    let head = site.send(site.client().head(site.url("/"))).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let long = format!("/?name={}", "x".repeat(3000));
    assert_eq!(site.get(&long).await.status, 414);
}

#[tokio::test]
async fn without_the_password_nothing_is_seen_but_whether_we_are_well() {
    let site = behind_a_password(false).await;
    for path in ["/", "/metrics", "/api/v1/status", "/incidents", "/login"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
        assert!(!answer.body.contains("Hillside"), "{path}");
    }
    assert_eq!(site.get("/healthz").await.status, 200);
    let page = site.get_as("/", "open sesame").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Hillside Farms"));
}

#[tokio::test]
async fn with_counts_for_everybody_the_password_shows_the_rest() {
    let site = behind_a_password(true).await;
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("/login") && !page.body.contains("Hillside"));
    assert_eq!(site.get("/incidents").await.status, 401);
    assert_eq!(site.get_as("/incidents", "open sesame").await.status, 200);
}

#[tokio::test]
async fn wrong_tries_wait_longer_and_longer() {
    let site = behind_a_password(false).await;
    for _ in 0..3 {
        assert_eq!(site.get_as("/", "wrong").await.status, 401);
        site.clock.advance(Duration::from_secs(3));
    }
    // Many at once are not even looked at, right or not.
    let (one, many) = (&site, 0..40);
    let tries = many.map(|_| one.get_as("/", "wrong"));
    let mut sent_away = 0;
    for answer in join_all(tries).await {
        sent_away += usize::from(answer == 429);
    }
    assert!(sent_away > 20, "{sent_away}");
}

/// The states of all answers, asked for side by side.
async fn join_all<F: Future<Output = crate::support::site::Answer>>(
    tries: impl Iterator<Item = F>,
) -> Vec<u16> {
    let mut running: Vec<_> = tries.map(Box::pin).collect();
    let mut states = vec![None; running.len()];
    std::future::poll_fn(|cx| {
        for (at, one) in running.iter_mut().enumerate() {
            if states[at].is_none()
                && let std::task::Poll::Ready(answer) = one.as_mut().poll(cx)
            {
                states[at] = Some(answer.status);
            }
        }
        match states.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    states.into_iter().flatten().collect()
}
