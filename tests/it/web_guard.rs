//! Who is let in: by name, by method, by password; and what every answer carries.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leafwatch::config::{SecretFile, Web};
use rustix::process::{Resource, Rlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::site::{Served, open};
use crate::support::story::story_in;
use crate::support::world::{Setup, World};

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
async fn the_commands_that_a_page_names_mean_its_own_daemon() {
    let of_an_instance = |db| {
        let mut desk = story_in(db);
        desk.policy.daemon.instance = Some("production".to_owned());
        desk
    };
    let site = Served::with(of_an_instance, open()).await;
    let refused = site.send(site.client().post(site.url("/"))).await.body;
    for command in ["leafwatch ack", "leafwatch silence"] {
        let meant = format!("{command} --instance production");
        assert!(refused.contains(&meant), "{refused}");
    }
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
async fn of_sixty_guesses_at_once_most_are_not_even_looked_at() {
    let site = behind_a_password(false).await;
    // Those that wait to be looked at do so for seconds.
    let answers = at_once(60, Duration::from_secs(3), || {
        let guess = site.client().get(site.url("/"));
        guess.basic_auth("anybody", Some("wrong"))
    })
    .await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!(count(Some(429)), 51, "{answers:?}");
    assert!(count(Some(401)) <= 8, "{answers:?}");
    // The right one waits like all others.
    let refused = site.get_as("/", "open sesame").await;
    assert_eq!(refused.status, 429);
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(site.get_as("/", "open sesame").await.status, 200);
    assert_eq!(
        site.get_as("/", "wrong").await.status,
        401,
        "from the beginning"
    );
}

#[tokio::test]
async fn a_right_password_never_waits_for_itself() {
    let site = behind_a_password(false).await;
    let answers = at_once(60, Duration::from_secs(30), || {
        let asked = site.client().get(site.url("/nowhere"));
        asked.basic_auth("anybody", Some("open sesame"))
    })
    .await;
    assert!(
        answers.iter().all(|status| *status == Some(404)),
        "{answers:?}"
    );
}

/// The same request so many times side by side; the states of those answers that come in time.
async fn at_once(
    times: usize,
    within: Duration,
    request: impl Fn() -> reqwest::RequestBuilder,
) -> Vec<Option<u16>> {
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..times {
        let answer = tokio::time::timeout(within, request().send());
        asked.spawn(async { Some(answer.await.ok()?.unwrap().status().as_u16()) });
    }
    asked.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_logged_without_what_was_typed() {
    let world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let file = world.config_file();
    let password = file.with_file_name("web-password");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    let mut written = options.open(&password).unwrap();
    std::io::Write::write_all(&mut written, b"open sesame").unwrap();
    let process = world.run_on(
        &file,
        &[
            ("LEAFWATCH_WEB__LISTEN", "127.0.0.1:0"),
            ("LEAFWATCH_WEB__PASSWORD_FILE", password.to_str().unwrap()),
        ],
    );
    let page = process.page();
    let client = reqwest::Client::new();
    for nth in 1..=5 {
        let guess = client.get(&page).basic_auth("anna", Some("open-says-me"));
        assert_eq!(guess.send().await.unwrap().status(), 401);
        process.logs(&format!(
            "wrong password for the page from 127.0.0.1, try {nth} "
        ));
    }
    let log = process.log();
    assert!(!log.contains("says-me") && !log.contains("anna"), "{log}");
    assert!(!log.contains(&STANDARD.encode("anna:open-says-me")));
}

/// Neither those who say nothing, nor those who say a byte at a time, nor a crowd that asks for pages keeps a monitor from
/// its answer. All of them come from this machine, as through a proxy, where no address can be told from another.
#[tokio::test]
async fn whoever_asks_whether_we_are_well_is_answered_in_any_crowd() {
    let most = rustix::process::getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: most,
        maximum: most,
    };
    rustix::process::setrlimit(Resource::Nofile, all).unwrap();
    let site = Served::with(story_in, open()).await;
    let mut held = Vec::new();
    for nth in 0..3064 {
        let mut stranger = TcpStream::connect(site.site.address()).await.unwrap();
        if nth % 48 == 0 {
            // The rest never comes.
            stranger.write_all(b"GET / HT").await.unwrap();
        }
        held.push(stranger);
        if nth % 300 == 0 {
            well(&site).await;
        }
    }
    well(&site).await;
    drop(held);
    let crowd = at_once(200, Duration::from_secs(30), || {
        site.client().get(site.url("/"))
    });
    let beside = async {
        for _ in 0..20 {
            well(&site).await;
        }
    };
    let (answers, ()) = tokio::join!(crowd, beside);
    assert!(answers.contains(&Some(200)), "{answers:?}");
}

async fn well(site: &Served) {
    for path in ["/healthz", "/metrics"] {
        let answer = tokio::time::timeout(Duration::from_secs(10), site.get(path)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{path} waits"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_program_on_the_port_stops_no_watching_and_the_page_comes_when_it_is_gone() {
    let mut world = World::in_real_time(Setup::quick(&["Hillside Farms"])).await;
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = foreign.local_addr().unwrap().to_string();
    let systemd = world.systemd();
    let socket = systemd.path().to_str().unwrap();
    let variables = [
        ("NOTIFY_SOCKET", socket),
        ("LEAFWATCH_WEB__LISTEN", &address),
    ];
    let mut process = world.run_on(&world.config_file(), &variables);
    let ready = systemd.hears("READY=1").pop().unwrap();
    let words = format!("cannot listen at {address} (web.listen)");
    assert!(
        ready.contains("watching 1 credentials; the page"),
        "{ready}"
    );
    assert!(ready.contains(&words), "{ready}");
    assert!(process.logs(&words).contains("ERROR"));
    world.leaf.until(|asked| asked.total > 4).await;
    world.revokes_access("Hillside Farms");
    world.smtp.wait_for(1);
    world.one_mail_says("INVALID: Hillside Farms");
    drop(foreign);
    let page = process.page();
    assert_eq!(page, format!("http://{address}/"));
    let answer = reqwest::get(format!("{page}healthz")).await.unwrap();
    assert_eq!(answer.status(), 200);
    // Beside it `check` wants no port.
    let check = Command::new(env!("CARGO_BIN_EXE_leafwatch"))
        .args(["check", "--config"])
        .arg(world.config_file())
        .env_clear()
        .env("LEAFWATCH_WEB__LISTEN", &address)
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    process.signal("TERM");
    assert_eq!(process.ended().0.code(), Some(0), "{}", process.log());
}
