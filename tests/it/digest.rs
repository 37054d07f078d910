//! The weekly digest: how it looks, when it comes, and what it counts.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leafwatch::config::Sender;
use leafwatch::mail::letter::Letterhead;
use leafwatch::mail::{DigestLetter, MAX_BYTES, Mail, compose_digest};
use leafwatch::model::{Daemon, EndedBy, IncidentId, Kind, Provider, Silenced, WhyUnseen};
use leafwatch::store::Scene;
use leafwatch::view::availability::{Availability, NotSeen, OfProvider, Unseen};
use leafwatch::view::deliveries::{Attempt, DeliveryState};
use leafwatch::view::digest::{Brief, Digest, Few};
use leafwatch::view::silences::{Ack, Said, Silence};
use leafwatch::view::{About, Delivery, Incident, User, Who};

use crate::support::desk::{self, Desk};
use crate::support::mail::Opened;
use crate::support::world::{HOUR, MINUTE, Setup, World};

fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}:00Z").parse().unwrap()
}

fn who(name: &str) -> Who {
    Who {
        user: User {
            user: "3c9d2f1e-1111-4222-8333-444455556666".parse().unwrap(),
            name: Some(name.to_owned()),
        },
        provider: Provider::JOHN_DEERE,
    }
}

fn incident(number: i64, about: About, kind: Kind) -> Incident {
    Incident::begun(IncidentId(number), about, kind, at("19T14:15"))
}

fn grower(number: i64, name: &str, kind: Kind) -> Incident {
    incident(number, About::Credential(who(name)), kind)
}

fn failed(reply: &str) -> Delivery {
    let done_at = at("19T14:16");
    Delivery {
        packed_at: done_at,
        subject: "[Leafwatch] INVALID: Hillside Farms (John Deere)".to_owned(),
        message_id: "<1@leafwatch.example.com>".to_owned(),
        address: "gone@example.com".to_owned(),
        state: DeliveryState::Failed,
        done_at: Some(done_at),
        next_try_at: None,
        give_up_at: None,
        incidents: Vec::new(),
        attempts: vec![Attempt {
            at: done_at,
            server: "mx.example.com".to_owned(),
            phase: "rcpt".to_owned(),
            code: Some(550),
            reply: reply.to_owned(),
        }],
    }
}

fn until_the_end() -> (Timestamp, Timestamp) {
    (at("19T15:00"), at("30T15:00"))
}

fn acknowledged(incident: Incident) -> Incident {
    let (at, until) = until_the_end();
    let ack = Ack {
        incident: incident.number,
        what: None,
        at,
        until,
        actor: "ana".to_owned(),
        reason: "called".to_owned(),
        ended_at: None,
        ended_by: None,
    };
    let said = Said {
        acks: vec![ack],
        silences: Vec::new(),
    };
    Incident {
        said: Some(said),
        ..incident
    }
}

fn silenced(incident: Incident) -> Incident {
    let (at, until) = until_the_end();
    let silence = Silence {
        number: 1,
        what: Silenced::default(),
        name: None,
        at,
        until,
        actor: "ana".to_owned(),
        reason: "moving".to_owned(),
        ended_at: None,
        ended_by: None,
    };
    let said = Said {
        acks: Vec::new(),
        silences: vec![silence],
    };
    Incident {
        said: Some(said),
        ..incident
    }
}

fn hours(count: u64) -> Duration {
    HOUR * count as u32
}

fn share(healthy: u64, trouble: u64) -> Availability {
    Availability {
        availability: Some(healthy as f64 / (healthy + trouble) as f64),
        healthy: hours(healthy),
        trouble: hours(trouble),
        ..Availability::default()
    }
}

fn none<T>() -> Few<T> {
    Few::of(Vec::new(), 0)
}

fn all_well() -> Digest {
    Digest {
        since: at("16T14:00"),
        until: at("23T14:00"),
        watched: 1204,
        open: none(),
        mended: none(),
        closed: 0,
        brief: none(),
        not_connected: none(),
        overall: share(1204 * 168, 0),
        providers: vec![OfProvider {
            provider: Provider::JOHN_DEERE,
            credentials: 1204,
            availability: share(1204 * 168, 0),
        }],
        unseen: none(),
        failed: none(),
    }
}

fn bad_week() -> Digest {
    let acknowledged = acknowledged(grower(12, "Hillside Farms", Kind::Invalid));
    let wrong = Kind::EnvironmentMismatch;
    let silenced = silenced(grower(14, "Prairie <Wind> & Sons", wrong));
    let subject = About::Leafwatch {
        subject: "SUSPENDED".to_owned(),
    };
    let mended = Incident {
        ended_at: Some(at("19T17:27")),
        ended_by: Some(EndedBy::Proof),
        reopened: 2,
        ..grower(13, "Old Mill Orchards", Kind::Invalid)
    };
    let leaf = About::Leafwatch {
        subject: String::new(),
    };
    let account = Incident {
        ended_at: Some(at("20T02:15")),
        ended_by: Some(EndedBy::Proof),
        ..incident(15, leaf, Kind::LeafUnreachable)
    };
    let seen = |healthy, trouble| Availability {
        not_seen: NotSeen {
            blind: hours(12),
            off: hours(30),
            ..NotSeen::default()
        },
        ..share(healthy, trouble)
    };
    Digest {
        open: Few::of(
            vec![
                acknowledged,
                silenced,
                incident(16, subject, Kind::UnknownStatus),
            ],
            25,
        ),
        mended: Few {
            first: vec![account, mended],
            total: 14,
        },
        closed: 1,
        brief: Few::of(
            vec![Brief {
                who: who("Two Oaks"),
                from: at("21T03:10"),
                until: at("21T04:20"),
                failures: 4,
            }],
            25,
        ),
        not_connected: Few::of(vec![who("Stony Creek")], 25),
        overall: seen(1600, 90),
        providers: vec![
            OfProvider {
                provider: Provider::JOHN_DEERE,
                credentials: 10,
                availability: seen(1500, 80),
            },
            OfProvider {
                provider: "climate-field-view".parse().unwrap(),
                credentials: 1,
                availability: seen(100, 10),
            },
        ],
        unseen: Few::of(
            vec![
                Unseen {
                    from: at("20T01:00"),
                    until: at("20T02:15"),
                    why: WhyUnseen::Blind,
                },
                Unseen {
                    from: at("21T22:00"),
                    until: at("22T01:00"),
                    why: WhyUnseen::Off,
                },
            ],
            25,
        ),
        failed: Few::of(vec![failed("550 5.1.1 no such user")], 25),
        ..all_well()
    }
}

fn composed(digest: Digest) -> (Mail, Opened) {
    let mail = compose_digest(&DigestLetter {
        head: Letterhead {
            instance: Some("production".to_owned()),
            daemon: Daemon::default(),
            from: Sender {
                name: Some("Leafwatch".to_owned()),
                address: "leafwatch@example.com".parse().unwrap(),
            },
            reply_to: None,
            public_url: Some("https://leafwatch.example.com".to_owned()),
        },
        to: vec!["ops@example.com".parse().unwrap()],
        message_id: "<4f1c.digest@leafwatch.example.com>".to_owned(),
        zone: TimeZone::get("America/Chicago").unwrap(),
        digest,
    })
    .unwrap();
    let opened = Opened::new(&mail.bytes);
    (mail, opened)
}

fn look(name: &str, digest: Digest) {
    let (mail, opened) = composed(digest);
    insta::assert_snapshot!(
        format!("{name}_text"),
        format!("Subject: {}\n\n{}", mail.subject, opened.text)
    );
    insta::assert_snapshot!(format!("{name}_html"), opened.html);
}

#[test]
fn a_week_in_which_all_is_well_and_a_bad_one() {
    look("all_well", all_well());
    look("bad_week", bad_week());
}

#[test]
fn the_longest_digest_fits_a_mail_and_counts_what_it_leaves_out() {
    let name = "大豆農場".repeat(15);
    let lines = (0..25).map(|number| grower(number, &name, Kind::Invalid));
    let many = |total| Few {
        first: lines.clone().collect(),
        total,
    };
    let mut digest = bad_week();
    digest.open = many(9_000);
    digest.mended = Few {
        first: lines.clone().collect(),
        total: 8_000,
    };
    digest.not_connected = Few {
        first: vec![who(&name); 25],
        total: 7_000,
    };
    digest.failed.first = vec![failed(&"ü".repeat(200)); 25];
    digest.failed.total = 25;
    let (mail, opened) = composed(digest);
    assert!(mail.bytes.len() <= MAX_BYTES, "{}", mail.bytes.len());
    assert!(mail.bytes.is_ascii());
    for words in [opened.text.as_str(), &opened.html] {
        assert!(words.contains("… and 8,9"), "{words}");
    }
}

/// Time passes in hours: a week in minutes would take its time.
async fn hours_pass(world: &mut World, count: u32) {
    for _ in 0..count {
        world.clock.advance(HOUR);
        world.what_is_due().await;
    }
}

fn hourly(growers: &[&str]) -> Setup {
    let mut setup = Setup::of(growers);
    setup.schedule = "sweep = \"1h\"\nevents = \"6h\"\nreminders = \"30d\"\n\
                      digest = \"0 0 8 * * Mon\""
        .to_owned();
    setup
}

#[tokio::test]
async fn after_a_week_the_operators_read_once_that_all_is_well() {
    let mut world = World::with(hourly(&["Hillside Farms", "Blue Silo Dairy"])).await;
    hours_pass(&mut world, 7 * 24 - 1).await;
    world.nothing_more();
    hours_pass(&mut world, 2).await;
    let digest = world.one_mail_says("Digest: all well");
    assert_eq!(digest.readers(), ["ops@example.com"]);
    assert!(digest.says("2 credentials are watched now"), "{digest:?}");
    assert!(digest.says("John Deere: 100 %"), "{digest:?}");
    // Neither a restart nor the rest of the week sends it again.
    world.restarts().await;
    hours_pass(&mut world, 24).await;
    world.is_killed();
    world.starts().await;
    hours_pass(&mut world, 24).await;
    world.nothing_more();
}

#[tokio::test]
async fn the_digest_tells_what_is_open_mended_and_hidden() {
    let mut world = World::with(hourly(&["Hillside Farms", "Blue Silo Dairy", "Two Oaks"])).await;
    world.revokes_access("Hillside Farms");
    world.revokes_access("Blue Silo Dairy");
    hours_pass(&mut world, 24).await;
    world.connects_again("Blue Silo Dairy");
    hours_pass(&mut world, 24).await;
    world.mails();
    // Off over the time of the digest: it is made up for once, after the first whole look.
    world.is_killed();
    world.clock.advance(HOUR * 24 * 14);
    world.starts().await;
    world.what_is_due().await;
    world.time_passes(3 * MINUTE).await;
    let mails = world.mails();
    let digests: Vec<_> = mails.iter().filter(|mail| mail.says("Digest:")).collect();
    let [digest] = digests.as_slice() else {
        panic!("{mails:#?}")
    };
    assert!(digest.says("Digest: 1 open, 1 mended"), "{digest:#?}");
    for said in [
        "Hillside Farms (John Deere): invalid since",
        "Blue Silo Dairy (John Deere): invalid for",
        "Leafwatch was off from",
    ] {
        assert!(digest.says(said), "{said}: {digest:#?}");
    }
    assert!(!digest.says("Two Oaks"), "{digest:#?}");
    hours_pass(&mut world, 24).await;
    assert!(world.mails().iter().all(|mail| !mail.says("Digest:")));
}

#[tokio::test]
async fn while_blind_the_digest_waits_for_the_first_look_after() {
    let mut world = World::with(hourly(&["Hillside Farms", "Blue Silo Dairy"])).await;
    hours_pass(&mut world, 7 * 24 - 6).await;
    world.leaf.go_away();
    hours_pass(&mut world, 12).await;
    let mails = world.mails();
    assert!(mails.iter().all(|mail| !mail.says("Digest:")), "{mails:#?}");
    world.leaf.come_back().unwrap();
    hours_pass(&mut world, 2).await;
    let mails = world.mails();
    let digest = mails.iter().find(|mail| mail.says("Digest:")).unwrap();
    assert!(digest.says("Leaf could not be asked from"), "{digest:#?}");
}

#[test]
fn the_digest_is_gathered_from_what_is_kept() {
    let mut desk = Desk::new(6);
    desk.says(5, desk::missing());
    desk.sweep();
    let since = desk.now;
    desk.says(0, desk::status("INVALID"));
    desk.says(1, desk::status("INVALID"));
    desk.sweeps(4);
    desk.says(1, desk::ok());
    desk.sweeps(4);
    let (db, scene) = (
        &mut desk.db,
        Scene {
            watch: &desk.watch,
            policy: &desk.policy,
            now: desk.now,
        },
    );
    let digest = db.read(|tx| tx.digest(&scene, since)).unwrap();
    assert_eq!(digest.watched, 6);
    assert_eq!((digest.open.total, digest.mended.total), (1, 1));
    assert_eq!(digest.not_connected.total, 1);
    assert_eq!(digest.unseen.total, 0);
    let [john_deere] = digest.providers.as_slice() else {
        panic!("{:?}", digest.providers)
    };
    // Of five credentials and two hours: 105 and 60 minutes in trouble.
    assert_eq!(john_deere.credentials, 5);
    assert_eq!(john_deere.availability.seen(), MINUTE * 600);
    assert_eq!(john_deere.availability.trouble, MINUTE * 165);
    assert!(!digest.is_all_well());
}
