//! How many mails an hour, failed addresses, and notices that nobody was told of.

use crate::support::smtp::{Act, At};
use crate::support::world::{HOUR, Heard, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

fn farms(count: u64) -> Setup {
    let names: Vec<String> = (0..count).map(|n| format!("Farm {n}")).collect();
    Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn to<'a>(mails: &'a [Heard], reader: &str) -> Vec<&'a Heard> {
    let own = mails.iter().filter(|mail| mail.to.contains(reader));
    own.collect()
}

#[tokio::test]
async fn beyond_the_cap_notices_are_folded_into_the_next_mail_and_never_dropped() {
    let mut setup = farms(30);
    setup.schedule = "sweep = \"2m\"\nevents = \"6h\"".to_owned();
    setup.alerts = "max_emails_per_hour = 3\ngroup_wait = \"10s\"".to_owned();
    let mut world = World::with(setup).await;
    // One after the other, for forty minutes.
    let mut mails = Vec::new();
    for nth in 0..20 {
        world.revokes_access(&format!("Farm {nth}"));
        world.time_passes(2 * MINUTE).await;
        mails.extend(world.mails());
    }
    assert_eq!(mails.len(), 3, "{mails:#?}");
    world.time_passes(HOUR).await;
    mails.extend(world.mails());
    assert!(mails.len() <= 6, "{mails:#?}");
    let told =
        "SELECT count(DISTINCT incident) || ' of ' || count(*) FROM entry WHERE telling = 'opened'";
    assert_eq!(world.asks(told), ["20 of 20"], "each is told, and once");
    let an_hour = world.asks(
        "SELECT max((SELECT count(*) FROM message later WHERE later.at BETWEEN m.at AND m.at + 3600000 - 1)) FROM message m",
    );
    assert_eq!(an_hour, ["3"], "in no hour more than three");
}

#[tokio::test]
async fn account_incidents_go_beyond_the_cap() {
    let mut setup = farms(30);
    setup.operators = setup.to.clone();
    setup.alerts = "max_emails_per_hour = 1\ngroup_wait = \"10s\"".to_owned();
    setup.rules = "leaf_unreachable_hold = \"10m\"".to_owned();
    let mut world = World::with(setup).await;
    world.revokes_access("Farm 1");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Farm 1");
    world.revokes_access("Farm 2");
    world.time_passes(SWEEP).await;
    world.nothing_more();
    world.leaf.go_away();
    world.time_passes(28 * MINUTE).await;
    let mail = world.one_mail_says("Leaf unreachable");
    assert!(
        mail.says("Farm 2 (John Deere)"),
        "what waited goes with it: {}",
        mail.text
    );
    world.leaf.come_back().unwrap();
    world.time_passes(HOUR).await;
    world.one_mail_says("RESOLVED: Leaf unreachable");
}

#[tokio::test]
async fn a_failed_address_is_told_to_the_operators_once_until_it_accepts_again() {
    let mut setup = farms(6);
    setup.to.push("broken@example.com".into());
    let mut world = World::with(setup).await;
    let refuse = Act::Reply("550 5.1.1 no such user".to_owned());
    world.smtp.always_for("broken@example.com", refuse.clone());
    for nth in 0..4 {
        world.revokes_access(&format!("Farm {nth}"));
        world.time_passes(SWEEP).await;
    }
    world.time_passes(24 * HOUR).await;
    let mails = world.mails();
    let operators = to(&mails, "ops@example.com");
    assert_eq!(
        operators.len(),
        2,
        "told, and reminded of with the next morning's: {operators:#?}"
    );
    assert!(operators[0].says("WARNING: mail not deliverable: broken@example.com"));
    assert!(
        operators[0].says("550 5.1.1 no such user"),
        "{}",
        operators[0].text
    );
    assert!(operators[1].says("REMINDER"), "{operators:#?}");
    world.smtp.heal();
    world.connects_again("Farm 0");
    world.revokes_access("Farm 5");
    world.time_passes(SWEEP + 2 * MINUTE).await;
    let mails = world.mails();
    let operators = to(&mails, "ops@example.com");
    assert_eq!(operators.len(), 1, "{mails:#?}");
    assert!(
        operators[0].says("RESOLVED: mail not deliverable: broken@example.com"),
        "{operators:#?}"
    );
    // It fails anew: that is told at once, as the same trouble come back.
    world.smtp.always_for("broken@example.com", refuse);
    world.revokes_access("Farm 4");
    world.time_passes(SWEEP + 2 * MINUTE).await;
    let mails = world.mails();
    let operators = to(&mails, "ops@example.com");
    assert_eq!(operators.len(), 1, "{mails:#?}");
    assert!(
        operators[0].says("REOPENED: mail not deliverable"),
        "{operators:#?}"
    );
    // Nobody looks at an address in between, so that its next yes is proof enough.
    world.smtp.heal();
    world.connects_again("Farm 5");
    world.time_passes(SWEEP + 2 * MINUTE).await;
    let mails = world.mails();
    let operators = to(&mails, "ops@example.com");
    assert_eq!(operators.len(), 1, "{mails:#?}");
    assert!(
        operators[0].says("RESOLVED: mail not deliverable"),
        "{operators:#?}"
    );
}

#[tokio::test]
async fn a_delivery_that_was_refused_for_five_days_is_given_up_and_its_notice_packed_anew() {
    let mut setup = farms(4);
    setup.schedule = "sweep = \"6h\"\nevents = \"6h\"".to_owned();
    let mut world = World::with(setup).await;
    world
        .smtp
        .always(At::RcptTo, Act::Reply("450 4.2.1 busy".into()));
    world.revokes_access("Farm 1");
    world.days_pass(5).await;
    assert_eq!(
        world.asks("SELECT state FROM delivery WHERE address = 'support@example.com'"),
        ["0"]
    );
    world.days_pass(1).await;
    world.nothing_more();
    assert_eq!(
        world.asks("SELECT state FROM delivery WHERE address = 'support@example.com'"),
        ["2"]
    );
    world.smtp.heal();
    world.days_pass(1).await;
    let mails = world.mails();
    let support = to(&mails, "support@example.com");
    assert_eq!(support.len(), 1, "{mails:#?}");
    assert!(
        support[0].says("INVALID: Farm 1 (John Deere)"),
        "{support:#?}"
    );
}

#[tokio::test]
async fn what_nobody_accepted_and_is_over_becomes_one_line() {
    let mut world = World::with(farms(4)).await;
    let refuse = Act::Reply("550 5.1.1 no such user".to_owned());
    world.smtp.always_for("support@example.com", refuse);
    world.revokes_access("Farm 1");
    world.time_passes(HOUR).await;
    world.connects_again("Farm 1");
    world.time_passes(SWEEP).await;
    world.smtp.heal();
    world.time_passes(25 * HOUR).await;
    let mails = world.mails();
    let support = to(&mails, "support@example.com");
    assert_eq!(support.len(), 1, "{mails:#?}");
    assert!(
        support[0].says("Farm 1 (John Deere) was invalid from"),
        "{support:#?}"
    );
}

#[tokio::test]
async fn what_nobody_accepted_is_told_at_once_to_the_address_that_a_reload_corrects() {
    for refusal in ["550 5.1.1 no such user", "450 4.2.1 busy"] {
        let mut setup = farms(4);
        setup.to = vec!["suport@example.com".into()];
        let mut world = World::with(setup).await;
        let refuse = Act::Reply(refusal.to_owned());
        world.smtp.always_for("suport@example.com", refuse);
        world.revokes_access("Farm 1");
        world.time_passes(SWEEP).await;
        world.mails();
        world
            .reloads(|setup| setup.to = vec!["support@example.com".into()])
            .await;
        let mails = world.mails();
        let support = to(&mails, "support@example.com");
        assert_eq!(support.len(), 1, "{refusal}: {mails:#?}");
        assert!(
            support[0].says("INVALID: Farm 1 (John Deere)"),
            "{support:#?}"
        );
        world.connects_again("Farm 1");
        world.time_passes(SWEEP).await;
        let mails = world.mails();
        let support = to(&mails, "support@example.com");
        assert_eq!(support.len(), 1, "{refusal}: {mails:#?}");
        assert!(support[0].says("RESOLVED: Farm 1"), "{support:#?}");
    }
}

#[tokio::test]
async fn a_restart_with_a_corrected_address_tells_it_what_nobody_accepted() {
    let mut setup = farms(4);
    setup.to = vec!["suport@example.com".into()];
    let mut world = World::with(setup).await;
    let refuse = Act::Reply("550 5.1.1 no such user".to_owned());
    world.smtp.always_for("suport@example.com", refuse);
    world.revokes_access("Farm 1");
    world.time_passes(SWEEP).await;
    world.mails();
    world.is_killed();
    world.setup.to = vec!["support@example.com".into()];
    world.starts().await;
    world.what_is_due().await;
    let mails = world.mails();
    assert_eq!(to(&mails, "support@example.com").len(), 1, "{mails:#?}");
    world.time_passes(2 * MINUTE).await;
}

#[tokio::test]
async fn who_refused_that_it_is_back_is_not_left_with_its_end() {
    let mut setup = farms(4);
    setup.to.push("two@example.com".into());
    let mut world = World::with(setup).await;
    for word in ["UNAUTHENTICATED", "OK"] {
        world.status("Farm 1", word);
        world.time_passes(SWEEP).await;
    }
    let mails = world.mails();
    assert_eq!(to(&mails, "two@example.com").len(), 2, "{mails:#?}");
    let refuse = Act::Reply("550 5.7.1 not now".to_owned());
    world.smtp.always_for("two@example.com", refuse);
    world.status("Farm 1", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(to(&mails, "support@example.com").len(), 1, "{mails:#?}");
    assert!(to(&mails, "two@example.com").is_empty(), "{mails:#?}");
    let explained = world.types("explain 'Farm 1'");
    let waits = "reopened to two@example.com, refused, tried again";
    assert!(explained.contains(waits), "{explained}");
    // Acknowledged, so that no reminder comes; a day later it is tried once more.
    world.types("ack 1 --reason 'on it'");
    world.smtp.heal();
    world.time_passes(25 * HOUR).await;
    let mails = world.mails();
    let two = to(&mails, "two@example.com");
    assert_eq!(two.len(), 1, "{mails:#?}");
    assert!(two[0].says("REOPENED: Farm 1"), "{two:#?}");
    let support = to(&mails, "support@example.com");
    assert!(
        support.is_empty(),
        "those who heard it hear nothing: {support:#?}"
    );
}

#[tokio::test]
async fn addresses_that_differ_only_in_case_are_one_reader() {
    let mut setup = farms(4);
    setup.to = vec!["Support@Example.com".into()];
    setup.grower_mut("Farm 1").notify = vec!["supporT@example.com".into()];
    let mut world = World::with(setup).await;
    world.revokes_access("Farm 1");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Farm 1");
    assert_eq!(mail.readers(), ["support@example.com"]);
    world
        .reloads(|setup| setup.to = vec!["SUPPORT@example.com".into()])
        .await;
    world.connects_again("Farm 1");
    world.time_passes(SWEEP).await;
    let end = world.one_mail_says("RESOLVED: Farm 1");
    assert_eq!(end.references, mail.message_id);
}
