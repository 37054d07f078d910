//! A story with trouble of every sort, for whatever shows it.

use jiff::tz::TimeZone;
use leafwatch::config::Sender;
use leafwatch::daemon::judge::Bench;
use leafwatch::daemon::pack::Packer;
use leafwatch::mail::letter::Letterhead;
use leafwatch::model::*;
use leafwatch::store::{Attempt, Db, Error};

use super::desk::*;

/// The names of the users of the story, in the order of their numbers.
pub const NAMES: [&str; 10] = [
    "Hillside Farms",
    "Green Valley Partners",
    "Riverbend Ranch",
    "Hilltop Dairy",
    "Old Mill Orchards",
    "Prairie Sky",
    "Stony Creek Cooperative of the Upper Valley",
    "大豆農場",
    "Two Oaks",
    "North Fork",
];

/// A dozen users, of whom some have trouble of every sort.
pub fn story() -> Desk {
    story_in(Db::in_memory().unwrap())
}

/// The same, kept in `db`.
pub fn story_in(db: Db) -> Desk {
    let mut desk = begin(db);
    play(&mut desk);
    desk
}

/// The same after a quarter of a year in which this and that happened.
pub fn long_story_in(db: Db) -> Desk {
    let mut desk = begin(db);
    desk.policy.schedules.sweep = Schedule::Every(6 * HOUR);
    for quarter in 0..4 * 88 {
        for (from, to, number, word) in [
            (40, 44, 0, "INVALID"),
            (170, 190, 0, "EXPIRED"),
            (100, 101, 7, "INVALID"),
            (210, 260, 8, "MISSING_PERMISSION"),
            (300, 306, 9, "REVOKED"),
        ] {
            if quarter == from {
                desk.says(number, status(word));
            } else if quarter == to {
                desk.says(number, ok());
            }
        }
        match quarter {
            130 => desk.off(60 * HOUR),
            225..235 => {
                let truth = desk.truth.clone();
                for number in 0..12 {
                    desk.says(number, later());
                }
                desk.sweep_after(6 * HOUR);
                desk.truth = truth;
            }
            _ => {
                desk.sweep_after(6 * HOUR);
            }
        }
        if [45, 195, 310].contains(&quarter) {
            tell(&mut desk, &[]);
        }
    }
    desk.policy.schedules.sweep = Schedule::Every(15 * MINUTE);
    play(&mut desk);
    desk
}

fn begin(db: Db) -> Desk {
    let users = users();
    let watch = WatchList::new(users, vec![Provider::JOHN_DEERE]);
    let mut desk = Desk::kept_in(db, watch.expect_of_all(Some(Environment::Production)));
    desk.policy.schedules.zone = TimeZone::get("America/Chicago").unwrap();
    desk
}

fn users() -> Vec<WatchedUser> {
    let users = (0..12).map(|n| WatchedUser {
        id: user(n),
        name: NAMES.get(n as usize).map(|name| (*name).into()),
        own: (n == 0).then(|| {
            Box::new(OwnSettings {
                notify: vec!["anna@example.com".parse().unwrap()],
                ..OwnSettings::default()
            })
        }),
    });
    users.collect()
}

fn play(desk: &mut Desk) {
    desk.says(11, missing());
    desk.sweep();

    // Old Mill: broken and mended. Hilltop: comes back.
    for (word, number) in [("EXPIRED", 4), ("INVALID", 3)] {
        desk.says(number, status(word));
    }
    desk.sweep_after(15 * MINUTE);
    tell(desk, &[]);
    desk.says(4, ok());
    desk.says(3, ok());
    desk.sweep_after(45 * MINUTE);
    desk.says(3, status("INVALID"));
    desk.sweep_after(15 * MINUTE);
    desk.says(3, ok());
    desk.sweep_after(15 * MINUTE);

    // Leaf goes away for a while; then the daemon is off.
    let truth = desk.truth.clone();
    for number in 0..12 {
        desk.says(number, later());
    }
    desk.sweep_after(15 * MINUTE);
    desk.sweep_after(15 * MINUTE);
    desk.truth = truth;
    desk.sweep_after(15 * MINUTE);
    desk.off(2 * HOUR);
    desk.sweep();

    // The early warning of Hillside becomes invalid; Green Valley is in STAGE.
    let refused = r#"{"error":"invalid_grant","error_description":"The token was revoked"}"#;
    desk.events(
        0,
        &[(500, 200, "{}"), (100, 400, refused), (20, 400, refused)],
    );
    desk.events(
        8,
        &[
            (40, 403, "Access Denied"),
            (10, 403, "Access Denied"),
            (5, 503, "try later"),
        ],
    );
    tell(desk, &["anna@example.com"]);
    let stage = Reading {
        environment: Some("STAGE".to_owned()),
        scopes: vec!["ag1".to_owned(), "offline_access".to_owned()],
        key: Some(KeyPrint {
            print: [7; 16],
            tail: "9f3c".to_owned(),
        }),
        ..reading("OK")
    };
    desk.says(0, status("UNAUTHENTICATED"));
    desk.says(1, Outcome::Answer(Answer::Reading(stage)));
    desk.says(2, missing());
    desk.says(5, status("RECONNECTING"));
    desk.says(6, later());
    desk.sweep_after(15 * MINUTE);
    let anew = Reading {
        leaf_id: Some("two".to_owned()),
        leaf_created: Some("2026-03-02T12:20:00Z".to_owned()),
        ..reading("OK")
    };
    desk.says(9, Outcome::Answer(Answer::Reading(anew)));
    desk.sweep_after(15 * MINUTE);
    desk.now += 4 * MINUTE;
}

/// Packs what is due and delivers it; `refused` addresses refuse.
pub fn tell(desk: &mut Desk, refused: &[&str]) {
    let (policy, watch) = desk.bench();
    let head = Letterhead {
        instance: None,
        daemon: Daemon::default(),
        from: Sender {
            name: Some("Leafwatch".to_owned()),
            address: "leafwatch@example.com".parse().unwrap(),
        },
        reply_to: None,
        public_url: None,
    };
    let packer = Packer {
        bench: Bench {
            policy: &policy,
            watch: &watch,
            after_off: false,
        },
        head: &head,
        nonce: 7,
        progress: None,
    };
    desk.now += MINUTE;
    let now = desk.now;
    desk.db
        .write(|tx| {
            packer.pack_due(tx, true, now).unwrap();
            for waiting in tx.due_deliveries(now)? {
                let attempt = |phase: &str, code, reply: &str| Attempt {
                    server: "smtp.example.com:587".to_owned(),
                    phase: phase.to_owned(),
                    code,
                    reply: reply.to_owned(),
                };
                let greylisted = attempt("RCPT TO", Some(451), "4.7.1 greylisted, try again later");
                tx.deferred(waiting.id, &greylisted, now, now + MINUTE)?;
                match refused.contains(&waiting.address.as_str()) {
                    true => {
                        let no = attempt("RCPT TO", Some(550), "5.1.1 no such user here");
                        tx.failed(waiting.id, &no, now + MINUTE, now + HOUR)?;
                    }
                    false => {
                        let yes = attempt("end of data", Some(250), "2.0.0 Ok: queued as 4XyZ");
                        tx.accepted(waiting.id, &yes, now + MINUTE)?;
                    }
                }
            }
            Ok::<_, Error>(())
        })
        .unwrap();
}
