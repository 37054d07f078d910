//! Bad days of the mail server: nothing is lost, nothing is told twice, and polling does not mind.

use crate::support::smtp::{Act, At};
use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);
const PHASES: [At; 7] = [
    At::Greeting,
    At::Ehlo,
    At::Auth,
    At::MailFrom,
    At::RcptTo,
    At::Data,
    At::Body,
];

async fn hillside() -> World {
    World::new(&["Hillside Farms", "Blue Silo Dairy"]).await
}

async fn hurried() -> World {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.hurried = true;
    World::with(setup).await
}

/// Trouble comes while the server behaves like this twice; then it takes the mail.
async fn told_once_after(world: &mut World, at: At, act: Act) {
    world.smtp.times(2, at, act.clone());
    world.revokes_access("Hillside Farms");
    world.time_passes(HOUR).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert_eq!(mail.readers(), ["support@example.com"], "{at:?} {act:?}");
    let messages = world.asks("SELECT count(*) FROM message");
    assert_eq!(messages, ["1"], "{at:?} {act:?}: it was packed once");
    let tries = world.asks("SELECT tries FROM delivery");
    assert_eq!(tries, ["3"], "{at:?} {act:?}");
    assert_eq!(world.open_incidents(), ["invalid"], "{at:?} {act:?}");
}

#[tokio::test]
async fn a_4xx_at_any_phase_is_retried_with_the_same_bytes() {
    for at in PHASES {
        let mut world = hillside().await;
        let reply = Act::Reply("451 4.3.0 try again later".to_owned());
        told_once_after(&mut world, at, reply).await;
    }
}

#[tokio::test]
async fn a_5xx_before_the_recipient_is_our_own_set_up_and_retried() {
    for at in [At::Greeting, At::Ehlo, At::Auth, At::MailFrom] {
        let mut world = hillside().await;
        let reply = Act::Reply("554 5.7.1 not like this".to_owned());
        told_once_after(&mut world, at, reply).await;
    }
}

#[tokio::test]
async fn a_connection_dropped_at_any_phase_is_retried() {
    for at in PHASES {
        let mut world = hillside().await;
        told_once_after(&mut world, at, Act::Drop).await;
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_at_any_phase_is_given_up_and_tried_again() {
    for at in PHASES {
        let mut world = hurried().await;
        told_once_after(&mut world, at, Act::Tarpit).await;
    }
}

#[tokio::test]
async fn a_drop_after_the_server_took_it_makes_one_duplicate_with_the_same_id() {
    let mut world = hillside().await;
    world.may_tell_twice();
    world.smtp.times(1, At::Body, Act::KeepAndDrop);
    world.revokes_access("Hillside Farms");
    world.time_passes(HOUR).await;
    world.one_mail_says("INVALID: Hillside Farms");
    assert_eq!(world.smtp.accepted().len(), 2);
}

#[tokio::test]
async fn one_of_three_who_is_refused_hurts_nobody_else() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.to = ["one", "two", "three"]
        .map(|name| format!("{name}@example.com"))
        .to_vec();
    let mut world = World::with(setup).await;
    let refuse = Act::Reply("550 5.1.1 no such user".to_owned());
    world.smtp.always_for("two@example.com", refuse);
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    let told = world.mails();
    let first = told
        .iter()
        .find(|mail| mail.says("INVALID: Hillside Farms"));
    let readers = first.unwrap().readers();
    assert_eq!(readers, ["one@example.com", "three@example.com"]);
    world.time_passes(2 * MINUTE).await;
    let mut told = told;
    told.extend(world.mails());
    let failed: Vec<_> = told
        .iter()
        .filter(|mail| mail.says("mail not deliverable"))
        .collect();
    assert_eq!(failed.len(), 1, "{told:#?}");
    assert_eq!(failed[0].readers(), ["ops@example.com"]);
    assert!(failed[0].says("two@example.com"));
    // It goes on failing: the operators know already.
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(HOUR).await;
    let mail = world.one_mail_says("INVALID: Blue Silo Dairy");
    assert_eq!(mail.readers(), ["one@example.com", "three@example.com"]);
    // Until it accepts again.
    world.smtp.heal();
    world.connects_again("Blue Silo Dairy");
    world.connects_again("Hillside Farms");
    world.time_passes(HOUR).await;
    let mails = world.mails();
    let to_ops: Vec<_> = mails
        .iter()
        .filter(|mail| mail.readers() == ["ops@example.com"])
        .collect();
    assert!(
        mails
            .iter()
            .any(|mail| mail.says("RESOLVED: 2 credentials"))
    );
    assert!(to_ops.len() <= 1, "{mails:#?}");
}

#[tokio::test]
async fn a_notice_that_nobody_accepted_is_packed_anew_until_somebody_does() {
    let mut world = hillside().await;
    let refuse = Act::Reply("550 5.1.1 no such user".to_owned());
    world.smtp.always_for("support@example.com", refuse);
    world.revokes_access("Hillside Farms");
    world.time_passes(HOUR).await;
    let told = world.one_mail_says("mail not deliverable");
    assert_eq!(told.readers(), ["ops@example.com"]);
    world.smtp.heal();
    world.time_passes(25 * HOUR).await;
    let mails = world.mails();
    let invalid = mails
        .iter()
        .filter(|mail| mail.says("Hillside Farms (John Deere)"));
    let readers: Vec<_> = invalid.map(|mail| mail.readers()).collect();
    assert_eq!(readers, [["support@example.com"]], "{mails:#?}");
    let of_ops = mails
        .iter()
        .filter(|mail| mail.readers() == ["ops@example.com"]);
    let resolved = of_ops.filter(|mail| mail.says("RESOLVED: mail not deliverable"));
    assert_eq!(resolved.count(), 1, "the address accepts again: {mails:#?}");
}

#[tokio::test]
async fn a_server_that_is_away_ends_in_the_waiting_mail_and_one_folded_mail() {
    let mut world = World::of(4).await;
    world.smtp.go_away();
    world.revokes_access("Farm 0");
    world.time_passes(SWEEP).await;
    world.revokes_access("Farm 1");
    world.time_passes(SWEEP).await;
    world.connects_again("Farm 0");
    world.revokes_access("Farm 2");
    world.time_passes(SWEEP).await;
    world.connects_again("Farm 2");
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.smtp.come_back();
    world.time_passes(HOUR).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(mails[0].says("INVALID: Farm 0 (John Deere)"), "{mails:#?}");
    let folded = &mails[1];
    assert!(folded.says("INVALID: Farm 1 (John Deere)"), "{folded:#?}");
    assert!(folded.says("1 resolved"), "{folded:#?}");
    assert!(
        folded.says("Farm 2 (John Deere) was invalid from"),
        "{folded:#?}"
    );
    assert_eq!(folded.references, mails[0].message_id);
}

#[tokio::test]
async fn resolved_never_overtakes_invalid() {
    let mut world = hillside().await;
    world
        .smtp
        .always(At::RcptTo, Act::Reply("450 4.2.1 busy".into()));
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    world.connects_again("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    world.nothing_more();
    assert!(world.open_incidents().is_empty());
    world.restarts().await;
    world.smtp.heal();
    world.time_passes(2 * HOUR).await;
    let subjects: Vec<_> = world.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(
        subjects[0].contains("INVALID: Hillside Farms"),
        "{subjects:?}"
    );
    assert!(
        subjects[1].contains("RESOLVED: Hillside Farms"),
        "{subjects:?}"
    );
}

#[tokio::test]
async fn ten_minutes_without_a_server_cost_minutes_and_no_mail() {
    let mut world = hillside().await;
    world.smtp.go_away();
    world.revokes_access("Hillside Farms");
    world.sweep().await;
    world.time_passes(11 * MINUTE).await;
    world.nothing_more();
    world.smtp.come_back();
    world.time_passes(10 * MINUTE).await;
    world.one_mail_says("INVALID: Hillside Farms");
}

#[tokio::test]
async fn everything_is_unreachable_and_then_back() {
    let mut world = World::of(30).await;
    world.leaf.go_away();
    world.smtp.go_away();
    world.time_passes(3 * HOUR).await;
    world.nothing_more();
    world.leaf.come_back().unwrap();
    world.smtp.come_back();
    world.revokes_access("Farm 7");
    world.time_passes(90 * MINUTE).await;
    let mails = world.mails();
    let of = |reader: &str| {
        let own = mails.iter().filter(|mail| mail.readers() == [reader]);
        own.map(|mail| mail.subject.as_str()).collect::<Vec<_>>()
    };
    let support = of("support@example.com");
    assert_eq!(support.len(), 1, "{mails:#?}");
    assert!(support[0].contains("INVALID: Farm 7"), "{support:?}");
    let operators = of("ops@example.com");
    assert_eq!(operators.len(), 2, "{operators:?}");
    assert!(
        operators[0].contains("CRITICAL: Leaf unreachable"),
        "{operators:?}"
    );
    assert!(
        operators[1].contains("RESOLVED: Leaf unreachable"),
        "{operators:?}"
    );
    assert_eq!(mails.len(), 3, "{mails:#?}");
}
