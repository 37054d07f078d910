//! One mail tells all of a sweep, at the pace people really use: 5 requests a second, mails as the defaults have them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leafwatch::config::Config;
use leafwatch::daemon::judge::Bench;
use leafwatch::daemon::judge::{Look, Swept};
use leafwatch::daemon::pack::Packer;
use leafwatch::daemon::player::{Player, accepts_all};
use leafwatch::mail::letter::Letterhead;
use leafwatch::model::*;
use leafwatch::store::{Counts, Db, Tx, Waiting};

use crate::support::desk::{self, Desk, deere, reading};

const A_SECOND: usize = 5;
const MINUTE: i64 = 60;
const SUPPORT: &str = "support@example.com";

/// A mail that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mail {
    /// Seconds since the daemon was first started.
    at: i64,
    to: String,
    subject: String,
    /// Of how many incidents it tells.
    tells: i64,
}

/// So many growers, asked one after the other.
struct Fleet {
    player: Player,
    ids: Vec<CredentialId>,
    /// What Leaf says of each.
    words: Vec<&'static str>,
    /// What was last committed.
    known: Vec<Option<&'static str>>,
    began: Timestamp,
    taken: Vec<(Timestamp, String, String)>,
}

impl Fleet {
    /// All healthy; nobody has looked yet.
    fn of(count: usize) -> Fleet {
        Fleet::with(count, |_| {})
    }

    fn with(count: usize, change: impl FnOnce(&mut Config)) -> Fleet {
        let users = (0..count as u128).map(|n| desk::plain_user(n, None));
        let watch = WatchList::new(users.collect(), vec![Provider::JOHN_DEERE]);
        let mut config = Desk::new(0).config();
        config.watch = Arc::new(watch);
        change(&mut config);
        let began: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let mut player = Player::start(Db::in_memory().unwrap(), config, began).unwrap();
        let ids = player.db().write(|tx| {
            let ids = (0..count as u128).map(|n| tx.watch(deere(n), began));
            ids.collect::<leafwatch::store::Result<Vec<_>>>()
        });
        Fleet {
            player,
            ids: ids.unwrap(),
            words: vec!["OK"; count],
            known: vec![None; count],
            began,
            taken: Vec::new(),
        }
    }

    /// The same after a first whole sweep, a quarter of an hour ago.
    fn settled(count: usize) -> Fleet {
        Fleet::settle(Fleet::of(count))
    }

    fn settle(mut fleet: Fleet) -> Fleet {
        fleet.sweep();
        fleet.wait(15 * MINUTE);
        assert!(fleet.mails().is_empty());
        fleet
    }

    fn dies(&mut self, growers: impl IntoIterator<Item = usize>) {
        for grower in growers {
            self.words[grower] = "UNAUTHENTICATED";
        }
    }

    fn now(&self) -> i64 {
        self.player.now().duration_since(self.began).as_secs()
    }

    fn wait(&mut self, seconds: i64) {
        let until = self.player.now() + SignedDuration::from_secs(seconds);
        let taken = &mut self.taken;
        let mut postman = |tx: &Tx<'_>, delivery: &Waiting, now: Timestamp| {
            taken.push((now, delivery.address.clone(), delivery.message_id.clone()));
            accepts_all(tx, delivery, now)
        };
        self.player.pass(until, &mut postman).unwrap();
    }

    fn sweep(&mut self) {
        self.sweep_while(&mut |_| {});
    }

    /// A sweep beside which somebody looks each second.
    fn sweep_while(&mut self, beside: &mut dyn FnMut(&mut Fleet)) {
        let (sweep, counts) = self.ask(self.ids.len(), beside);
        let at = self.player.now();
        let swept = Swept {
            sweep,
            end: SweepEnd::Whole,
            reason: String::new(),
            counts,
            gaps: Vec::new(),
            elapsed: Duration::from_secs(900),
            since_last_try: Duration::from_secs(900),
            at,
            leaf_at: at,
        };
        self.player
            .judge(|bench, tx| bench.swept(tx, &swept))
            .unwrap();
        self.player.looked();
        self.wait(0);
    }

    /// A sweep that is cut off after so many, for the daemon is killed; it starts again at once.
    fn is_killed_after(&mut self, asked: usize) {
        self.ask(asked, &mut |_| {});
        let now = self.player.now();
        self.player.restart(None, now).unwrap();
        self.known.fill(None);
    }

    fn ask(&mut self, many: usize, beside: &mut dyn FnMut(&mut Fleet)) -> (SweepId, Counts) {
        let (run, now) = (self.player.run(), self.player.now());
        let sweep = self
            .player
            .db()
            .write(|tx| tx.begin_sweep(run, false, now))
            .unwrap();
        let mut counts = Counts::default();
        let growers: Vec<usize> = (0..many).collect();
        for second in growers.chunks(A_SECOND) {
            self.wait(1);
            let at = self.player.now();
            let mut looks = Vec::new();
            for &grower in second {
                let word = self.words[grower];
                counts.asked += 1;
                counts.answered += 1;
                counts.were_healthy += u32::from(self.known[grower] == Some("OK"));
                if self.known[grower].replace(word) != Some(word) {
                    looks.push(Look {
                        id: self.ids[grower],
                        credential: deere(grower as u128),
                        answer: Answer::Reading(reading(word)),
                        at,
                        leaf_at: at,
                    });
                }
            }
            self.player
                .judge(|bench, tx| bench.answers(tx, sweep, counts, &looks))
                .unwrap();
            beside(self);
        }
        (sweep, counts)
    }

    /// The mails since the last time anybody asked.
    fn mails(&mut self) -> Vec<Mail> {
        let taken = std::mem::take(&mut self.taken);
        let reader = self.player.db().reader();
        let sql = "SELECT subject, (SELECT count(*) FROM entry WHERE message = m.id) FROM message m WHERE message_id = ?1";
        let mut statement = reader.prepare(sql).unwrap();
        let began = self.began;
        let mails = taken.into_iter().map(|(at, to, id)| {
            statement
                .query_row([id], |row| {
                    Ok(Mail {
                        at: at.duration_since(began).as_secs(),
                        to,
                        subject: row.get(0)?,
                        tells: row.get(1)?,
                    })
                })
                .unwrap()
        });
        mails.collect()
    }

    fn one_mail(&mut self, says: &str) -> Mail {
        let mut mails = self.mails();
        assert_eq!(mails.len(), 1, "one mail was to say {says:?}: {mails:#?}");
        let mail = mails.remove(0);
        assert!(
            mail.subject.contains(says),
            "{says:?} is not said: {mail:#?}"
        );
        mail
    }

    fn ask_db(&mut self, sql: &str) -> i64 {
        let reader = self.player.db().reader();
        reader.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn doubted(&mut self) -> i64 {
        self.ask_db("SELECT count(*) FROM incident WHERE doubted = 1")
    }

    /// How many open incidents nobody was told of.
    fn untold(&mut self) -> i64 {
        self.ask_db(
            "SELECT count(*) FROM incident i WHERE ended_at IS NULL AND NOT EXISTS
               (SELECT 1 FROM entry e JOIN delivery d ON d.message = e.message WHERE e.incident = i.id AND d.state = 1)",
        )
    }
}

#[test]
fn ten_of_sixty_that_are_dead_at_the_first_look_are_one_mail_when_its_wait_is_over() {
    let mut fleet = Fleet::of(60);
    fleet.dies((0..60).step_by(6));
    fleet.sweep();
    assert_eq!(fleet.now(), 12);
    fleet.wait(60 * MINUTE);
    let mail = fleet.one_mail("First look: 10 of 60 credentials need attention: 10 invalid");
    assert_eq!(
        (mail.at, mail.tells),
        (1 + 60, 10),
        "a sweep that ends earlier shortens nothing"
    );
}

#[test]
fn four_that_break_in_one_sweep_are_one_mail() {
    let mut fleet = Fleet::settled(60);
    fleet.dies([3, 20, 40, 59]);
    fleet.sweep();
    fleet.wait(60 * MINUTE);
    fleet.one_mail("4 credentials need attention: 4 invalid");
}

#[test]
fn a_whole_fleet_that_turns_is_one_mail() {
    let mut fleet = Fleet::settled(60);
    fleet.dies(0..60);
    fleet.sweep();
    fleet.wait(60 * MINUTE);
    fleet.one_mail("60 credentials need attention: 60 invalid");
    assert_eq!(fleet.doubted(), 60);
}

#[test]
fn of_three_thousand_that_die_in_a_sweep_of_ten_minutes_nobody_is_untold() {
    let mut fleet = Fleet::settled(3000);
    fleet.dies(0..3000);
    let began = fleet.now();
    fleet.sweep();
    fleet.wait(2 * MINUTE);
    assert_eq!(fleet.untold(), 0);
    let mails = fleet.mails();
    let at: Vec<i64> = mails.iter().map(|mail| mail.at - began).collect();
    assert_eq!(
        at,
        [61, 600],
        "after a minute, and the rest when the sweep has ended: {mails:#?}"
    );
    assert_eq!(mails.iter().map(|mail| mail.tells).sum::<i64>(), 3000);
}

#[test]
fn what_a_sweep_longer_than_group_interval_finds_goes_every_group_interval_and_at_its_end() {
    // Twenty minutes, of which every sixth grower is dead; the first look comes after a quarter of an hour.
    let mut fleet = Fleet::of(6000);
    fleet.dies((0..6000).step_by(6));
    fleet.sweep();
    fleet.wait(2 * MINUTE);
    let mails = fleet.mails();
    let at: Vec<i64> = mails.iter().map(|mail| mail.at).collect();
    assert_eq!(at, [901, 1200], "{mails:#?}");
    let first = "First look: 750 of 4,500 read so far need attention: 750 invalid";
    assert!(mails[0].subject.contains(first), "{mails:#?}");
    let rest = "First look: 250 of 6,000 credentials need attention: 250 invalid";
    assert!(mails[1].subject.contains(rest), "{mails:#?}");
    assert_eq!(fleet.untold(), 0);
    // Half of the others die, and the next sweep is as long.
    fleet.wait(15 * MINUTE);
    let began = fleet.now();
    fleet.dies((0..6000).step_by(2));
    fleet.sweep();
    fleet.wait(2 * MINUTE);
    let mails = fleet.mails();
    let at: Vec<i64> = mails.iter().map(|mail| mail.at - began).collect();
    assert_eq!(at, [61, 961, 1200], "{mails:#?}");
    assert!(
        mails
            .iter()
            .all(|mail| !mail.subject.contains("First look")),
        "{mails:#?}"
    );
    assert_eq!(fleet.untold(), 0);
}

#[test]
fn what_was_over_before_it_was_told_takes_the_first_look_from_no_mail() {
    let mut fleet = Fleet::of(3000);
    fleet.dies((0..3000).step_by(10));
    fleet.is_killed_after(900);
    fleet.words[0] = "OK";
    fleet.sweep();
    fleet.wait(2 * MINUTE);
    let mail = fleet.one_mail("First look: 299 of 3,000 credentials need attention: 299 invalid");
    assert!(mail.subject.ends_with("; 1 briefly in trouble"), "{mail:?}");
}

#[test]
fn a_first_sweep_that_is_cut_off_stays_the_first_look_until_one_is_whole() {
    let mut fleet = Fleet::of(3000);
    fleet.dies((0..3000).step_by(10));
    // Killed after three minutes, and again.
    fleet.is_killed_after(900);
    fleet.is_killed_after(1000);
    assert!(fleet.mails().is_empty(), "the first sweep is not over");
    fleet.sweep();
    fleet.wait(2 * MINUTE);
    let mails = fleet.mails();
    let at: Vec<i64> = mails.iter().map(|mail| mail.at).collect();
    assert_eq!(at, [901, 180 + 200 + 600], "{mails:#?}");
    assert!(
        mails[0].subject.contains("read so far need attention"),
        "{mails:#?}"
    );
    assert!(mails[1].subject.contains("First look: "), "{mails:#?}");
    assert!(
        mails[1]
            .subject
            .contains("of 3,000 credentials need attention"),
        "{mails:#?}"
    );
    assert_eq!(mails.iter().map(|mail| mail.tells).sum::<i64>(), 300);
    // From now on it is news.
    fleet.wait(15 * MINUTE);
    fleet.dies([7]);
    fleet.sweep();
    fleet.wait(2 * MINUTE);
    fleet.one_mail("INVALID: ");
}

#[test]
fn each_address_waits_from_its_own_first_notice_and_takes_all_that_is_known_then() {
    let anna = "anna@example.com";
    let mut fleet = Fleet::settle(Fleet::with(300, |config| {
        let people = |n: u128| {
            let mut user = desk::plain_user(n, None);
            // Half a minute and a minute into a sweep.
            if [150, 299].contains(&n) {
                user.own = Some(Box::new(OwnSettings {
                    notify: vec![anna.parse().unwrap()],
                    ..OwnSettings::default()
                }));
            }
            user
        };
        let watch = WatchList::new((0..300).map(people).collect(), vec![Provider::JOHN_DEERE]);
        config.watch = Arc::new(watch);
    }));
    let began = fleet.now();
    fleet.dies([0, 150, 299]);
    fleet.sweep();
    fleet.wait(60 * MINUTE);
    let told: Vec<_> = fleet
        .mails()
        .into_iter()
        .map(|mail| (mail.at - began, mail.to, mail.tells))
        .collect();
    assert_eq!(
        told,
        [
            (1 + 60, SUPPORT.to_owned(), 3),
            (31 + 60, anna.to_owned(), 2)
        ],
        "what is known is told, though its own wait is not over"
    );
}

#[test]
fn only_what_a_later_sweep_finds_is_a_straggler() {
    let mut fleet = Fleet::settled(3000);
    // A third of them, over the whole sweep; most are told at its end.
    fleet.dies((0..3000).step_by(3));
    let at = fleet.player.now();
    // Two of those who are told at its end say why.
    for grower in [600, 603] {
        let who = (fleet.ids[grower], deere(grower as u128));
        let log = [desk::event(Some(at), 400, "invalid_grant")];
        fleet
            .player
            .judge(|bench, tx| bench.events(tx, who, &log, at, at))
            .unwrap();
    }
    fleet.sweep();
    fleet.wait(1);
    assert_eq!(fleet.untold(), 0);
    fleet.mails();
    fleet.wait(5 * MINUTE - 1);
    fleet.dies([1, 4]);
    let began = fleet.now();
    fleet.sweep();
    fleet.wait(20 * MINUTE);
    let mail = fleet.one_mail("2 credentials need attention");
    // A quarter of an hour after the last mail, which came five minutes before this sweep.
    assert_eq!(mail.at - began, 10 * MINUTE);
}

#[test]
fn doubt_is_judged_over_what_was_read_so_far_and_again_when_the_sweep_has_ended() {
    let anna = "anna@example.com";
    let mut fleet = Fleet::settle(Fleet::with(3000, |config| {
        let people = |n: u128| {
            let mut user = desk::plain_user(n, None);
            if n == 3 {
                user.own = Some(Box::new(OwnSettings {
                    notify: vec![anna.parse().unwrap()],
                    ..OwnSettings::default()
                }));
            }
            user
        };
        let watch = WatchList::new((0..3000).map(people).collect(), vec![Provider::JOHN_DEERE]);
        config.watch = Arc::new(watch);
    }));
    // Of the first minute nearly all, of the rest nobody.
    fleet.dies(0..290);
    let began = fleet.now();
    fleet.sweep();
    fleet.wait(20 * MINUTE);
    let told: Vec<_> = fleet
        .mails()
        .into_iter()
        .map(|mail| (mail.at - began, mail.to, mail.tells))
        .collect();
    assert_eq!(
        told,
        [(61, SUPPORT.to_owned(), 290), (116, anna.to_owned(), 1)],
        "the user's own people are told as soon as those are no more than half of what was read"
    );
}

/// Every wait that the commands show while a sweep runs, at each second.
fn shown_waits(fleet: &mut Fleet) -> Vec<Wait> {
    let now = fleet.player.now();
    let config = fleet.player.config().clone();
    let scene = leafwatch::store::Scene {
        watch: &config.watch,
        policy: &config.policy,
        now,
    };
    let notices = fleet
        .player
        .db()
        .read(|tx| tx.waiting_notices(&scene, None))
        .unwrap();
    let waits = notices.into_iter().map(|notice| Wait {
        waits_for: notice.waits_for,
        until: notice.due_at,
    });
    waits.collect()
}

#[test]
fn each_waiting_notice_says_why_and_until_when_and_no_time_is_past() {
    let mut fleet = Fleet::of(6000);
    fleet.dies((0..6000).step_by(100));
    let mut seen = std::collections::BTreeSet::new();
    let mut look = |fleet: &mut Fleet| {
        let now = fleet.player.now();
        for wait in shown_waits(fleet) {
            assert!(
                wait.until.is_none_or(|until| until > now),
                "{wait:?} at {now}"
            );
            seen.insert(wait.waits_for);
        }
    };
    fleet.sweep_while(&mut look);
    fleet.wait(15 * MINUTE);
    fleet.dies((0..6000).step_by(70));
    fleet.sweep_while(&mut look);
    use WaitsFor::*;
    let expected: std::collections::BTreeSet<_> = [Company, FirstSweep, SweepEnd].into();
    assert!(expected.is_subset(&seen), "{seen:?}");
}

#[test]
fn what_was_read_without_being_written_counts_for_the_doubt() {
    let mut fleet = Fleet::settled(60);
    fleet.dies(0..12);
    // Those after the first twenty answered what was known, which is not written down before the sweep's end.
    let (sweep, counts) = fleet.ask(20, &mut |_| {});
    assert_eq!((counts.were_healthy, fleet.doubted()), (20, 0));
    let read = Counts {
        were_healthy: 60,
        ..counts
    };
    for (progress, doubted) in [(None, 12), (Some((sweep, read)), 0)] {
        let (config, now) = (fleet.player.config().clone(), fleet.player.now());
        let packer = Packer {
            bench: Bench::of(&config),
            head: &Letterhead::of(&config),
            nonce: 1,
            progress,
        };
        fleet
            .player
            .db()
            .write(|tx| packer.pack_due(tx, true, now))
            .unwrap();
        assert_eq!(fleet.doubted(), doubted);
    }
}
