//! Bad days of the database: polling goes on, answers wait, and are judged with their own times.

use std::time::Duration;

use crate::support::faulty_leaf::{Fault, Scope, When};
use crate::support::smtp::{Act, At};
use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: Duration = MINUTE.saturating_mul(16);

#[tokio::test]
async fn a_database_locked_in_the_middle_of_a_sweep_loses_no_answer() {
    let mut world = World::of(30).await;
    world.may_see_storage_faults();
    world.revokes_access("Farm 3");
    world.clock.advance(15 * MINUTE);
    let looked_at = world.clock.now().as_millisecond();
    let slow = Fault::Slow(Duration::from_millis(15));
    let slow = world.leaf.fault(Scope::AllButLogin, slow, When::always());
    world.leaf.forget_requests();
    let leaf = world.leaf.clone();
    let database = world.database();
    let locking = async move {
        leaf.until(|asked| asked.readings > 0).await;
        let other = rusqlite::Connection::open(database).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    };
    let (locked, _ended) = tokio::join!(locking, world.sweep());
    assert_eq!(world.leaf.requests().readings, 30);
    assert!(
        world.open_incidents().is_empty(),
        "nothing could be written"
    );
    drop(locked);
    world.leaf.lift(slow);
    // It is mended before anything could be written: what was seen is told all the same.
    world.connects_again("Farm 3");
    world.time_passes(SWEEP).await;
    let began = world.asks("SELECT began_at FROM incident");
    assert_eq!(began, [looked_at.to_string()]);
    let mail = world.one_mail_says("Farm 3 (John Deere), was invalid for");
    assert!(
        mail.says("was invalid from Mon 2 Mar 2026, 08:15 UTC"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn a_full_disk_colours_no_credential_and_is_one_mail_from_memory() {
    let mut world = World::of(100).await;
    world.may_see_storage_faults();
    world.disk_is_full = true;
    world.restarts().await;
    for nth in 0..40 {
        world.revokes_access(&format!("Farm {nth}"));
    }
    world.clock.advance(15 * MINUTE);
    let looked_at = world.clock.now().as_millisecond();
    world.sweep().await;
    assert!(world.open_incidents().is_empty(), "there is no room");
    world.leaf.forget_requests();
    world.time_passes(HOUR).await;
    let asked = world.leaf.requests().readings;
    assert!(asked >= 400, "polling goes on: {asked}");
    let mail = world.one_mail_says("database not writable");
    assert_eq!(mail.readers(), ["ops@example.com"]);
    world.time_passes(3 * HOUR).await;
    world.nothing_more();
    world.room_is_made();
    world.time_passes(SWEEP).await;
    let began = world.asks("SELECT DISTINCT began_at FROM incident WHERE kind = 'invalid'");
    assert_eq!(began, [looked_at.to_string()], "judged with their own time");
    let mails = world.mails();
    let support: Vec<_> = mails
        .iter()
        .filter(|mail| mail.readers() == ["support@example.com"])
        .collect();
    assert_eq!(support.len(), 1, "{mails:#?}");
    assert!(support[0].says("40 credentials need attention: 40 invalid"));
    let operators = mails
        .iter()
        .filter(|mail| mail.says("RESOLVED: database not writable"));
    assert_eq!(operators.count(), 1, "{mails:#?}");
}

#[tokio::test]
async fn an_answer_that_the_database_cannot_take_keeps_back_no_other() {
    let mut world = World::of(12).await;
    world.may_see_storage_faults();
    for nth in 0..4 {
        world.revokes_access(&format!("Farm {nth}"));
    }
    let poisoned = world.asks(
        "SELECT id FROM credential WHERE leaf_name = 'Farm 2' OR id IN (SELECT credential FROM span)
         ORDER BY leaf_name = 'Farm 2' DESC LIMIT 1",
    );
    world.alters(&format!(
        "CREATE TRIGGER poison BEFORE INSERT ON span WHEN NEW.credential = {} AND NEW.to_at IS NULL
         BEGIN SELECT RAISE(ABORT, 'no'); END",
        poisoned[0]
    ));
    world.time_passes(SWEEP).await;
    world.one_mail_says("3 credentials need attention: 3 invalid");
    let left_out = "an answer could not be judged and is left out";
    assert!(world.log.text().contains(left_out));
    // The next look asks it again.
    world.alters("DROP TRIGGER poison");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Farm");
    assert!(
        mail.says("Since: Mon 2 Mar 2026, 08:30 UTC"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn the_mail_about_a_full_disk_is_tried_every_ten_minutes_and_sent_once_a_day_over_restarts_too()
 {
    let names: Vec<String> = (0..60).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.schedule = "sweep = \"1h\"\nevents = \"6h\"".to_owned();
    let mut world = World::with(setup).await;
    world.may_see_storage_faults();
    world.disk_is_full = true;
    world.restarts().await;
    for nth in 0..40 {
        world.revokes_access(&format!("Farm {nth}"));
    }
    world.sweep().await;
    let busy = Act::Reply("450 4.2.1 busy".into());
    world.smtp.always(At::RcptTo, busy);
    let before = world.smtp.connections();
    world.time_passes(HOUR).await;
    let tries = world.smtp.connections() - before;
    assert!((5..=6).contains(&tries), "{tries} tries in an hour");
    world.nothing_more();
    world.smtp.heal();
    world.time_passes(11 * MINUTE).await;
    world.one_mail_says("database not writable");
    for _ in 0..3 {
        world.restarts().await;
        world.time_passes(4 * HOUR).await;
    }
    world.nothing_more();
    world.time_passes(13 * HOUR).await;
    world.one_mail_says("database not writable");
    world.room_is_made();
    world.time_passes(2 * HOUR + 5 * MINUTE).await;
    let mails = world.mails();
    let over = mails
        .iter()
        .filter(|mail| mail.says("RESOLVED: database not writable"));
    assert_eq!(over.count(), 1, "{mails:#?}");
}

#[tokio::test]
async fn old_history_is_forgotten_with_all_that_hangs_on_it_and_what_is_open_stays() {
    let mut world = World::of(12).await;
    world.revokes_access("Farm 5");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Farm 5");
    for nth in 0..5 {
        world.revokes_access(&format!("Farm {nth}"));
    }
    world.time_passes(SWEEP).await;
    world.one_mail_says("5 credentials need attention: 5 invalid");
    assert_ne!(world.asks("SELECT count(*) FROM cause"), ["0"]);
    world.types("ack 2 --reason 'on it'");
    world.types("silence --all --for 1h --reason 'known'");
    world.time_passes(2 * HOUR).await;
    for nth in 0..5 {
        world.connects_again(&format!("Farm {nth}"));
    }
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: 5 credentials");
    // Six years later. What is open is reminded of, and what was said of it stays: its readers are to hear of its end.
    world.is_killed();
    world.clock.advance(6 * 365 * 24 * HOUR);
    world.starts().await;
    world.time_passes(HOUR + SWEEP).await;
    // Two mails about it, and the digest that was due.
    for (table, left) in [
        ("message", 3),
        ("cause", 0),
        ("delivery", 3),
        ("attempt", 3),
        ("ack", 0),
        ("silence", 0),
        ("incident", 1),
    ] {
        let counted = world.asks(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(counted, [left.to_string()], "{table}");
    }
    assert_eq!(world.open_incidents(), ["invalid"]);
    assert_eq!(world.asks("PRAGMA foreign_key_check").len(), 0);
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(mails.iter().any(|mail| mail.says("REMINDER: Farm 5")));
    assert!(mails.iter().any(|mail| mail.says("Digest: 1 open")));
    world.connects_again("Farm 5");
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Farm 5");
}
