//! What a person finds on the page, over a real socket and a database with trouble of every sort.

use std::time::Duration;

use leafwatch::config::Web;
use leafwatch::daemon::judge::Bench;
use leafwatch::model::{Provider, SweepEnd, WatchList};
use leafwatch::store::Db;

use crate::support::desk::{Desk, HOUR, MINUTE, deere, later, plain_user, status, user};
use crate::support::site::{Served, open};
use crate::support::story::{NAMES, long_story_in, story_in};

fn credential(number: u128) -> String {
    format!("/credentials/{}/john-deere", user(number))
}

/// The text of a page without its markup, blanks collapsed.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            _ if !inside => out.push(character),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Two that are well; then Leaf tells us to wait.
fn told_to_wait(db: Db) -> Desk {
    let watch = WatchList::new(
        vec![plain_user(0, None), plain_user(1, None)],
        vec![Provider::JOHN_DEERE],
    );
    let mut desk = Desk::kept_in(db, watch);
    desk.sweep();
    desk.now += 5 * MINUTE;
    let (policy, watch) = desk.bench();
    let (now, until) = (desk.now, desk.now + 3 * HOUR);
    let bench = Bench {
        policy: &policy,
        watch: &watch,
        after_off: false,
    };
    desk.db
        .write(|tx| {
            bench.probed(tx, SweepEnd::Unreachable, "wait", Duration::ZERO, now)?;
            tx.keep_pause(until)
        })
        .unwrap();
    desk
}

#[tokio::test]
async fn a_pause_that_leaf_asked_for_is_shown_with_its_end_and_nobody_as_seen() {
    let site = Served::with(told_to_wait, open()).await;
    site.clock.advance(10 * MINUTE);
    let page = site.get("/").await;
    let said = text(&page.body);
    for words in [
        "Leafwatch has been blind for 10 min",
        "2 credentials shown as last seen",
        "asked us to wait until",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(page.body.contains("datetime=\"2026-03-02T11:05:00Z\""));
    let api = site.get("/api/v1/status").await.body;
    assert!(
        api.contains("\"paused_until\":\"2026-03-02T11:05:00Z\""),
        "{api}"
    );
}

#[tokio::test]
async fn the_first_page_tells_who_is_broken_since_when_and_who_acts() {
    let site = Served::with(story_in, open()).await;
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    let said = text(&page.body);
    for words in [
        "of 12 credentials are in trouble",
        "✕ invalid Hillside Farms (John Deere)",
        "since Mon 2 Mar 2026",
        "The grower: Ask the grower to connect John Deere again.",
        "environment mismatch Green Valley Partners",
        "STAGE, expected PRODUCTION",
        "Last sweep",
        "Mails",
        "What Leafwatch cannot see",
        "大豆農場",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    // In the zone of the config, with ISO in the markup.
    assert!(page.body.contains("<time datetime=\"2026-03-02T"));
    assert!(said.contains("CST"), "{said}");
    // Critical before warning.
    let invalid = said.find("Hillside Farms (John Deere)").unwrap();
    let warning = said.find("unknown status word").unwrap();
    assert!(invalid < warning);
}

#[tokio::test]
async fn from_the_first_page_to_the_event_that_says_why() {
    let site = Served::with(story_in, open()).await;
    let overview = site.get("/").await.body;
    assert!(overview.contains(&credential(0)));
    let page = site.get(&credential(0)).await;
    assert_eq!(page.status, 200);
    let said = text(&page.body);
    for words in [
        "Hillside Farms John Deere",
        "✕ invalid since",
        "Likely cause",
        "Leaf says UNAUTHENTICATED",
        "invalid_grant",
        "✕ refused HTTP 400",
        "opened as early warning",
        "became invalid",
        "anna@example.com",
        "alerts.to",
        "Leaf says healthy",
        "Leafwatch was off",
        "changed: status",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let (_, link) = page.body.split_once("href=\"/incidents/").unwrap();
    let number = link.split('"').next().unwrap();
    let incident = site.get(&format!("/incidents/{number}")).await;
    assert_eq!(incident.status, 200);
    let said = text(&incident.body);
    for words in [
        "Hillside Farms (John Deere)",
        "What to do",
        "Its life",
        "opened as early warning",
        "✓ accepted support@example.com",
        "451 4.7.1 greylisted, try again later",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let list = text(&site.get("/incidents").await.body);
    assert!(list.contains("Open, the worst first"), "{list}");
    assert!(list.contains("mended after"), "{list}");
}

#[tokio::test]
async fn what_there_is_not_is_not_found() {
    let site = Served::with(story_in, open()).await;
    for path in [
        "/nowhere",
        "/incidents/999999",
        "/incidents/none",
        "/credentials/x/john-deere",
        "/api/v1/nothing",
        &credential(999),
        &credential(0).replace("john-deere", "nobody"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.header("content-security-policy").is_empty());
    }
}

#[tokio::test]
async fn a_filter_picks_and_pages_lead_on_without_leaving_anybody_out() {
    let site = Served::with(
        |db| {
            let watch = leafwatch::model::WatchList::new(
                (0..120)
                    .map(|n| crate::support::desk::plain_user(n, None))
                    .collect(),
                vec![leafwatch::model::Provider::JOHN_DEERE],
            );
            let mut desk = Desk::kept_in(db, watch);
            desk.sweep();
            desk
        },
        open(),
    )
    .await;
    let mut seen = Vec::new();
    let mut path = "/".to_owned();
    let mut pages = 0;
    loop {
        let page = site.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        let links = page.body.split("href=\"/credentials/").skip(1);
        seen.extend(links.map(|rest| rest.split('/').next().unwrap().to_owned()));
        pages += 1;
        let Some((before, _)) = page.body.split_once("\">Next page") else {
            break;
        };
        let next = before.rsplit_once("href=\"").unwrap().1;
        path = next.replace("&#38;", "&").replace("&amp;", "&");
    }
    assert_eq!(pages, 3);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 120);

    let site = Served::with(story_in, open()).await;
    let names = |body: &str| -> Vec<&str> {
        let table = body.split_once("<table").map_or("", |(_, table)| table);
        NAMES
            .into_iter()
            .filter(|name| table.contains(&format!(">{name}<")))
            .collect()
    };
    for (query, wanted) in [
        ("name=hill", &["Hillside Farms", "Hilltop Dairy"][..]),
        ("name=HILLSIDE", &["Hillside Farms"]),
        ("name=%E5%A4%A7", &["大豆農場"]),
        ("name=1000000000004000800000000000000", &[]),
        ("kind=environment_mismatch", &["Green Valley Partners"]),
        ("kind=invalid&name=hills", &["Hillside Farms"]),
        ("provider=trimble", &[]),
        ("tag=nobody", &[]),
    ] {
        let page = site.get(&format!("/?{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        assert_eq!(names(&page.body), wanted, "{query}");
    }
    for query in ["kind=sad", "provider=nobody", "after=x"] {
        let page = site.get(&format!("/?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
    }
}

#[tokio::test]
async fn names_of_others_are_text_and_nothing_else() {
    let evil = "<script>alert(1)</script>\"'&";
    let site = Served::with(
        |db| {
            let mut users = vec![crate::support::desk::plain_user(0, None)];
            users[0].name = Some(evil.into());
            let watch = leafwatch::model::WatchList::new(
                users,
                vec![leafwatch::model::Provider::JOHN_DEERE],
            );
            let mut desk = Desk::kept_in(db, watch);
            desk.sweep();
            desk.events(0, &[(9, 400, "<img src=x onerror=alert(1)>invalid_grant")]);
            desk.says(0, crate::support::desk::status("<b>BAD</b>"));
            desk.sweep();
            desk
        },
        open(),
    )
    .await;
    let search = "/?name=%22%3E%3Cscript%3E";
    for path in ["/", &credential(0), "/incidents", "/incidents/1", search] {
        let body = site.get(path).await.body;
        for markup in ["<script>", "<img", "<b>BAD"] {
            assert!(!body.contains(markup), "{path}: {markup}");
        }
    }
}

#[tokio::test]
async fn whoever_has_no_password_sees_counts_and_no_names() {
    let summary = Web {
        public_summary: true,
        ..Web::default()
    };
    let site = Served::with(story_in, summary).await;
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    assert!(text(&page.body).contains("of 12 credentials are in trouble"));
    let status = site.get("/api/v1/status").await;
    assert_eq!(status.status, 200);
    for body in [&page.body, &status.body, &site.get("/metrics").await.body] {
        for name in NAMES {
            assert!(!body.contains(name), "{name}");
        }
        assert!(!body.contains("-8000-"), "an id");
        assert!(!body.contains("RECONNECTING"), "a status word");
    }
    for path in [
        &credential(0),
        "/incidents",
        "/incidents/1",
        "/api/v1/credentials",
        "/api/v1/incidents",
        "/api/v1/deliveries",
    ] {
        assert_eq!(site.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_quarter_of_a_year_is_drawn() {
    let site = Served::with(long_story_in, open()).await;
    let overview = site.get("/").await.body;
    let strip = overview
        .split("aria-label=\"Last 90 days: ")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .find(|label| label.contains("warning"))
        .unwrap();
    assert!(strip.contains("days with a warning"), "{strip}");
    assert!(strip.contains("not seen"), "{strip}");
    let page = text(&site.get(&format!("{}?days=365", credential(0))).await.body);
    for lane in [
        "Leaf says healthy",
        "early warning",
        "Leafwatch was blind",
        "Leafwatch was off",
    ] {
        assert!(page.contains(lane), "{lane}\n{page}");
    }
}

#[tokio::test]
async fn who_is_on_it_and_what_is_silenced_stands_where_it_is_open() {
    use leafwatch::model::Silenced;
    use std::time::Duration;

    let site = Served::with(
        |db| {
            let mut desk = story_in(db);
            let now = desk.now;
            let until = |days: u32| now + Duration::from_secs(86_400) * days;
            let green = Silenced {
                user: Some(user(1)),
                provider: None,
                kind: None,
            };
            let hillside = desk.db.read(|tx| tx.number_of(deere(0))).unwrap().unwrap();
            desk.db
                .write(|tx| {
                    let open = tx.known(hillside, &desk.policy, now, now)?.incidents;
                    tx.add_ack(
                        open[0].id,
                        now,
                        until(14),
                        "anna",
                        "on the phone with <them>",
                    )?;
                    let over = tx.add_silence(&green, now, until(1), "cem", "by mistake")?;
                    tx.end_silence(over, now, "cem")?;
                    let reason = "moves to PRODUCTION on Thursday";
                    tx.add_silence(&green, now, until(3), "ben", reason)?;
                    Ok::<_, leafwatch::store::Error>(())
                })
                .unwrap();
            desk
        },
        open(),
    )
    .await;
    let acknowledged = "Acknowledged by anna until Mon 16 Mar 2026, ";
    let silenced = "Silenced (silence 2) by ben until Thu 5 Mar 2026, ";
    for path in ["/", "/incidents"] {
        let body = site.get(path).await.body;
        assert!(!body.contains("<them>"), "{path}");
        let said = text(&body);
        assert!(said.contains(acknowledged), "{path}: {said}");
        assert!(said.contains(silenced), "{path}: {said}");
        assert!(said.contains(": moves to PRODUCTION on Thursday"), "{path}");
        assert!(
            !said.contains("by mistake"),
            "{path}: what is over holds nothing back"
        );
    }
    let page = text(&site.get(&credential(0)).await.body);
    assert!(
        page.contains(acknowledged) && !page.contains(silenced),
        "{page}"
    );
    let page = site.get(&credential(1)).await.body;
    assert!(text(&page).contains(silenced));
    let (_, link) = page.split_once("href=\"/incidents/").unwrap();
    let number = link.split('"').next().unwrap();
    let incident = text(&site.get(&format!("/incidents/{number}")).await.body);
    assert!(incident.contains(silenced), "{incident}");
    // The page of the incident keeps what is over too.
    assert!(
        incident.contains("by mistake (ended Mon 2 Mar 2026, "),
        "{incident}"
    );
}

#[tokio::test]
async fn a_list_that_was_cut_says_how_many_more_there_are() {
    let site = Served::with(
        |db| {
            let users = vec![crate::support::desk::plain_user(0, None)];
            let providers = vec![leafwatch::model::Provider::JOHN_DEERE];
            let mut desk = Desk::kept_in(db, leafwatch::model::WatchList::new(users, providers));
            desk.policy.schedules.sweep = leafwatch::model::Schedule::Every(7 * HOUR);
            desk.sweep();
            for _ in 0..27 {
                for word in ["INVALID", "OK"] {
                    desk.says(0, status(word));
                    desk.sweep_after(7 * HOUR);
                }
            }
            let events: Vec<(u64, u16, &str)> = (0..63).map(|n| (n, 200, "{}")).collect();
            desk.events(0, &events);
            desk.now += HOUR;
            desk
        },
        open(),
    )
    .await;
    let page = text(&site.get(&credential(0)).await.body);
    for (more, command) in [(7, "history"), (13, "events"), (5, "history")] {
        let line = format!("{more} more; leafwatch {command} {} has them all.", user(0));
        assert!(page.contains(&line), "{line}\n{page}");
    }
    let whole = text(
        &Served::with(story_in, open())
            .await
            .get(&credential(0))
            .await
            .body,
    );
    assert!(!whole.contains(" more; "), "{whole}");
}

#[tokio::test]
async fn what_is_stale_says_when_it_was_last_seen() {
    let site = Served::with(
        |db| {
            let mut desk = story_in(db);
            for number in 0..12 {
                desk.says(number, later());
            }
            for _ in 0..3 {
                desk.sweep_after(HOUR);
            }
            desk
        },
        open(),
    )
    .await;
    let overview = text(&site.get("/").await.body);
    assert!(
        overview.contains("Leafwatch has been blind for 2 h"),
        "{overview}"
    );
    assert!(
        overview.contains("12 credentials shown as last seen"),
        "{overview}"
    );
    let seen = "healthy, stale last seen 2026-03-02 06:47 CST";
    assert!(overview.contains(seen), "{overview}");
    let page = text(&site.get(&credential(9)).await.body);
    let fact = "Last look stale, not seen since Mon 2 Mar 2026, 06:47 CST (12:47 UTC)";
    assert!(page.contains(fact), "{page}");
    let value = site.get("/api/v1/status").await.json();
    assert_eq!(value["counts"]["stale"], 12);
    assert_eq!(value["left_off"], 0);
}
