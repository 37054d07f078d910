//! Bad days of the database: polling goes on, answers wait, and are judged with their own times.

use std::time::Duration;

use leafwatch::sim::{Fault, RequestKind, Scope, When};

use crate::support::world::{HOUR, MINUTE, World};

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
        leaf.until(|asked| asked.of(RequestKind::Reading) > 0).await;
        let other = rusqlite::Connection::open(database).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    };
    let (locked, _ended) = tokio::join!(locking, world.sweep());
    assert_eq!(world.leaf.requests().of(RequestKind::Reading), 30);
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
    let asked = world.leaf.requests().of(RequestKind::Reading);
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
