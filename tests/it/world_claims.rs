//! What mails claim: causes, times and counts that somebody saw.

use leafwatch::config::{self, Variables};
use leafwatch::model::StatusClass;
use leafwatch::sim::{Consent, ProviderAnswer};

use crate::support::faulty_leaf::{Fault, Scope, When};
use crate::support::world::{HOUR, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

#[tokio::test]
async fn a_grower_dead_again_after_connecting_again_is_not_told_as_the_apps_secret() {
    let mut world = World::new(&["Hillside"]).await;
    let farm = world.grower("Hillside");
    for ago in [30, 20] {
        let at = world.clock.now() - ago * MINUTE;
        world
            .leaf
            .push_event(farm, ProviderAnswer::invalid_client().at(at));
    }
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Hillside");
    assert!(
        mail.says("do not ask them to connect again"),
        "{}",
        mail.text
    );
    world.connects_again("Hillside");
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED: Hillside");
    world.time_passes(2 * SWEEP).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("REOPENED: Hillside");
    assert!(mail.says("no event says why"), "{}", mail.text);
    assert!(!mail.says("invalid_client"), "{}", mail.text);
    assert!(!mail.says("do not ask them"), "{}", mail.text);
}

#[tokio::test]
async fn a_refused_token_is_not_told_as_an_accepted_login_and_a_short_key_is_your_apps() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    for name in ["Hillside", "Prairie"] {
        let farm = world.grower(name);
        world.leaf.connect(farm, Consent::to_app("short"));
    }
    world.time_passes(SWEEP).await;
    let at = world.clock.now();
    let token = ProviderAnswer::new(401, r#"{"error":"invalid_token"}"#).at(at);
    world.leaf.push_event(world.grower("Hillside"), token);
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Hillside");
    assert!(!mail.says("accepts the login"), "{}", mail.text);
    assert!(
        mail.says("no longer accepts the stored access"),
        "{}",
        mail.text
    );
    let at = world.clock.now();
    let client = ProviderAnswer::invalid_client().at(at);
    world.leaf.push_event(world.grower("Prairie"), client);
    world.status("Prairie", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Prairie");
    assert!(
        mail.says("your app's key or its secret is wrong"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn what_gives_no_answer_is_told_with_the_time_of_its_last_reading() {
    let mut world = World::new(&["Hillside", "Prairie", "Sunny Acres"]).await;
    world.passes_until("2026-03-02T09:05:00Z").await;
    let silent = Scope::Credential(world.grower("Hillside"));
    let busy = Fault::Unavailable { retry_after: None };
    world.leaf.fault(silent, busy, When::always());
    world.time_passes(3 * HOUR).await;
    let mail = world.one_mail_says("UNREADABLE: Hillside");
    let last = "Mon 2 Mar 2026, 09:00 UTC";
    assert!(
        mail.says(&format!("Status at Leaf: OK, read {last}")),
        "{}",
        mail.text
    );
    assert!(mail.says("all 9 looks brought no answer"), "{}", mail.text);
    assert!(mail.says(&format!("last read {last}")), "{}", mail.text);
}

#[tokio::test]
async fn looks_are_counted_for_the_kind_that_is_named() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    world.one_mail_says("1 look said so");
    world.time_passes(HOUR).await;
    let farm = world.grower("Hillside");
    world.leaf.disconnect(farm);
    world.time_passes(HOUR).await;
    let mail = world.one_mail_says("CHANGED: Hillside (John Deere), now missing");
    // Five looks found it invalid, three missing; a second look between the sweeps is none of their number.
    assert!(mail.says("3 of 8 looks said so"), "{}", mail.text);
}

#[tokio::test]
async fn looks_at_the_environment_are_counted_too() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    let farm = world.grower("Hillside");
    world.passes_until("2026-03-02T08:05:00Z").await;
    world.leaf.set_environment(farm, Some("STAGE"));
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("ENVIRONMENT MISMATCH: Hillside");
    let last = "Mon 2 Mar 2026, 08:00 UTC";
    assert!(
        mail.says(&format!(
            "1 look said so; last in the expected environment {last}"
        )),
        "{}",
        mail.text
    );
}

/// Off for two hours, in which `meanwhile` happens at Leaf; then so long on again.
async fn off(world: &mut World, meanwhile: impl FnOnce(&World), on: std::time::Duration) {
    world.is_killed();
    meanwhile(world);
    world.clock.advance(2 * HOUR);
    world.starts().await;
    world.what_is_due().await;
    world.time_passes(on).await;
}

#[tokio::test]
async fn what_changed_or_was_mended_while_off_says_so() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Hillside");
    assert!(!mail.says("while Leafwatch was off"), "{}", mail.text);
    let word = |word| move |world: &World| world.status("Hillside", word);
    off(&mut world, word("MISSING_PERMISSION"), SWEEP).await;
    let mail = world.one_mail_says("CHANGED: Hillside");
    assert!(mail.says("while Leafwatch was off"), "{}", mail.text);
    // What takes a hold began while off, and is told when it has held.
    let gone = |world: &World| world.leaf.disconnect(world.grower("Hillside"));
    off(&mut world, gone, HOUR).await;
    let mail = world.one_mail_says("CHANGED: Hillside (John Deere), now missing");
    assert!(mail.says("while Leafwatch was off"), "{}", mail.text);
    let back = |world: &World| {
        let farm = world.grower("Hillside");
        world.leaf.connect(farm, Consent::default());
    };
    off(&mut world, back, SWEEP).await;
    let mail = world.one_mail_says("RESOLVED: Hillside");
    assert!(
        mail.says("It was mended while Leafwatch was off"),
        "{}",
        mail.text
    );
    // What happens while it is on does not.
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("REOPENED: Hillside");
    assert!(!mail.says("while Leafwatch was off"), "{}", mail.text);
    // Nor does what is proved only by a run of good looks: it began while on.
    world.status("Hillside", "OK");
    world.time_passes(7 * HOUR).await;
    let mail = world.one_mail_says("RESOLVED: Hillside");
    assert!(!mail.says("while Leafwatch was off"), "{}", mail.text);
}

#[tokio::test]
async fn a_run_of_good_looks_that_began_while_off_says_so_when_it_is_proof() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    for word in ["UNAUTHENTICATED", "OK", "UNAUTHENTICATED"] {
        world.status("Hillside", word);
        world.time_passes(SWEEP).await;
    }
    assert_eq!(world.mails().len(), 3);
    off(&mut world, |world| world.status("Hillside", "OK"), 7 * HOUR).await;
    let mail = world.one_mail_says("RESOLVED: Hillside");
    assert!(
        mail.says("It was mended while Leafwatch was off"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn how_long_it_was_well_and_when_it_was_last_healthy_agree() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    for word in ["UNAUTHENTICATED", "OK", "UNAUTHENTICATED"] {
        world.status("Hillside", word);
        world.time_passes(SWEEP).await;
    }
    let mails = world.mails();
    assert!(
        mails[2].says("It had been well for 15 min"),
        "{}",
        mails[2].text
    );
    assert!(
        mails[2].says("last healthy Mon 2 Mar 2026, 08:30 UTC"),
        "{}",
        mails[2].text
    );
    assert!(mails[2].says("1 look said so"), "{}", mails[2].text);
    // Well for a whole flap window, which ends it; and back soon after.
    world.status("Hillside", "OK");
    world.passes_until("2026-03-02T15:20:00Z").await;
    world.one_mail_says("RESOLVED: Hillside");
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("REOPENED: Hillside");
    assert!(
        mail.says("It had been well for 6 h 30 min"),
        "{}",
        mail.text
    );
    assert!(
        mail.says("last healthy Mon 2 Mar 2026, 15:15 UTC"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn what_else_is_open_is_shown_as_leaf_says_it_now() {
    let mut world = World::new(&["Hillside", "Prairie", "Sunny Acres"]).await;
    for word in ["UNAUTHENTICATED", "OK", "UNAUTHENTICATED"] {
        world.status("Hillside", word);
        world.time_passes(SWEEP).await;
    }
    world.status("Hillside", "OK");
    let farm = world.grower("Prairie");
    world.leaf.set_environment(farm, Some("STAGE"));
    world.time_passes(SWEEP).await;
    world.mails();
    world.status("Sunny Acres", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("INVALID: Sunny Acres");
    for words in [
        "Hillside (John Deere): invalid since Mon 2 Mar 2026, 08:15 UTC; Leaf says OK, read Mon 2 Mar 2026, 09:15 UTC; recovering",
        "Prairie (John Deere): environment mismatch since Mon 2 Mar 2026, 09:00 UTC; Leaf says STAGE, read",
    ] {
        assert!(mail.says(words), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_resolved_names_what_was_told() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    world.one_mail_says("INVALID: Hillside");
    for word in ["MISSING_PERMISSION", "OK"] {
        world.status("Hillside", word);
        world.sweep().await;
    }
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("RESOLVED: Hillside");
    assert!(mail.says("works again"), "{}", mail.text);
    assert!(!mail.says("permission"), "{}", mail.text);
}

#[tokio::test]
async fn an_expectation_that_is_dropped_closes_as_that() {
    let mut world = World::new(&["Hillside"]).await;
    let farm = world.grower("Hillside");
    world.leaf.set_environment(farm, Some("STAGE"));
    world.time_passes(SWEEP).await;
    world.one_mail_says("ENVIRONMENT MISMATCH: Hillside");
    world
        .reloads(|setup| setup.expected_environment = None)
        .await;
    world.time_passes(2 * SWEEP).await;
    let mail = world.one_mail_says(
        "CLOSED: Hillside (John Deere), our config no longer expects an environment",
    );
    assert!(!mail.says("no longer watched"), "{}", mail.text);
    assert_eq!(
        world.asks("SELECT ended_by FROM incident"),
        ["not_expected"]
    );
}

#[tokio::test]
async fn what_was_over_before_it_was_told_is_one_line_below_what_is_open() {
    let mut world = World::new(&["Hillside", "Prairie", "Sunny Acres"]).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.sweep().await;
    world.status("Hillside", "OK");
    world.status("Prairie", "MISSING_PERMISSION");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail =
        world.one_mail_says("LIMITED PERMISSION: Prairie (John Deere); 1 briefly in trouble");
    let [open, brief] = [
        "LIMITED PERMISSION\nPrairie",
        "- Hillside (John Deere) was invalid from",
    ]
    .map(|words| mail.text.find(words));
    assert!(open.is_some() && open < brief, "{}", mail.text);
    assert!(!mail.says("OVER"), "{}", mail.text);
}

#[tokio::test]
async fn an_unknown_word_is_shown_as_leaf_sent_it_with_lines_that_the_config_takes() {
    // What looks like a credential is scrubbed before it is kept; these are words.
    for raw in [" Odd", "zwei  Worte", "\u{dc}ber\u{a0}l\u{e4}ngt"] {
        let mut world = World::new(&["Hillside", "Prairie"]).await;
        world.status("Hillside", raw);
        world.time_passes(2 * SWEEP).await;
        let mail = world.one_mail_says("unknown status word");
        assert_eq!(
            mail.subject,
            "[Leafwatch] WARNING: Leaf sends an unknown status word"
        );
        let shown = raw.replace('\u{a0}', " ").replace("  ", " ");
        assert!(mail.says(&format!("“{shown}”")), "{}", mail.text);
        let lines = mail.text.lines();
        let lines = lines
            .skip_while(|line| *line != "[rules.status_words]")
            .take(2);
        let lines: Vec<&str> = lines.collect();
        let mut text = std::fs::read_to_string(world.config_file()).unwrap();
        text = text.replace("[rules]\n", &format!("{}\n{}\n", lines[0], lines[1]));
        let file = world.config_file().with_file_name("mended.toml");
        std::fs::write(&file, text).unwrap();
        let config = config::load(&file, &Variables::default());
        let config = config.unwrap_or_else(|faults| panic!("{faults}\n{}", mail.text));
        assert_eq!(
            config.policy.status_words.class(raw),
            Some(StatusClass::Healthy)
        );
        let toml = lines[1].split_once(" = ").unwrap().1;
        assert!(mail.says(&format!("As Leaf sends it: {}", &toml[1..toml.len() - 1])));
    }
}

#[tokio::test]
async fn two_unknown_words_in_one_mail_are_named_too() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    world.status("Hillside", "Odd");
    world.status("Prairie", "Strange");
    world.time_passes(2 * SWEEP).await;
    let mail = world.one_mail_says("Odd");
    assert!(
        !mail.subject.contains("of Leafwatch's own"),
        "{}",
        mail.subject
    );
}

#[tokio::test]
async fn what_never_answered_was_never_read() {
    let mut world = World::before_start(Setup::of(&["Hillside", "Prairie", "Sunny Acres"])).await;
    let silent = Scope::Credential(world.grower("Hillside"));
    let busy = Fault::Unavailable { retry_after: None };
    world.leaf.fault(silent, busy, When::always());
    world.starts().await;
    world.time_passes(3 * HOUR).await;
    let mail = world.one_mail_says("UNREADABLE");
    assert!(mail.says("Status at Leaf: never read"), "{}", mail.text);
    assert!(mail.says("brought no answer; never read"), "{}", mail.text);
}

#[tokio::test]
async fn what_one_of_many_says_is_not_the_cause_of_all() {
    let mut world = World::of(12).await;
    world.revokes_access("Farm 0");
    for nth in 1..8 {
        world.status(&format!("Farm {nth}"), "UNAUTHENTICATED");
    }
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("8 credentials need attention: 8 invalid");
    let (_, shared) = mail.text.split_once("likely one cause").unwrap();
    let (shared, _) = shared.split_once("Who mends it").unwrap();
    assert!(shared.contains("no event says why"), "{}", mail.text);
    assert!(!shared.contains("Farm 0"), "{}", mail.text);
}

#[tokio::test]
async fn what_was_warned_of_was_last_healthy_at_the_look_before_it_broke() {
    let mut world = World::new(&["Hillside"]).await;
    let farm = world.grower("Hillside");
    for ago in [30, 20] {
        let at = world.clock.now() - ago * MINUTE;
        world
            .leaf
            .push_event(farm, ProviderAnswer::invalid_client().at(at));
    }
    world.gather().await;
    world.time_passes(2 * MINUTE).await;
    world.one_mail_says("EARLY WARNING: Hillside");
    world.time_passes(2 * HOUR).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("CHANGED: Hillside");
    let sure = "1 of 10 looks said so; last healthy Mon 2 Mar 2026, 10:00 UTC";
    assert!(mail.says(sure), "{}", mail.text);
}

#[tokio::test]
async fn a_restart_while_leaf_is_away_is_no_time_off() {
    let mut world = World::of(3).await;
    let away = world
        .leaf
        .fault(Scope::AllButLogin, Fault::Html(502), When::always());
    world.time_passes(2 * HOUR).await;
    world.one_mail_says("Leaf unreachable");
    world.restarts().await;
    world.time_passes(MINUTE).await;
    world.leaf.lift(away);
    world.status("Farm 1", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "that Leaf answers again, and what it says");
    for mail in mails {
        assert!(!mail.says("while Leafwatch was off"), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_word_that_is_not_kept_is_no_line_of_config() {
    let mut world = World::new(&["Hillside", "Prairie"]).await;
    world.status("Hillside", "a8Kz0pQ3vT7xW1yB5nM9c2RdL6sF4gHj");
    world.time_passes(2 * SWEEP).await;
    let mail = world.one_mail_says("unknown status word");
    assert!(mail.says("looks like a credential"), "{}", mail.text);
    assert!(mail.says("Ask Leaf what it sends"), "{}", mail.text);
    assert!(!mail.says("healthy = ["), "{}", mail.text);
    assert!(!mail.says("[rules.status_words]"), "{}", mail.text);
}

#[tokio::test]
async fn what_was_read_in_a_long_sweep_is_not_told_as_read_at_its_end() {
    let names: Vec<String> = (0..40).map(|n| format!("Farm {n}")).collect();
    let mut setup = Setup::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    setup.max_in_flight = 1;
    let mut world = World::with(setup).await;
    let slow = Fault::Slow(std::time::Duration::from_millis(25));
    world.leaf.fault(Scope::AllButLogin, slow, When::always());
    // From 08:00 to 08:40.
    world.long_sweep(MINUTE).await;
    world.leaf.heal();
    world.status("Farm 3", "UNAUTHENTICATED");
    world.sweep().await;
    world.time_passes(2 * MINUTE).await;
    let mail = world.one_mail_says("INVALID: Farm 3");
    assert!(
        mail.says("last healthy Mon 2 Mar 2026, 08:00 UTC"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn how_it_began_and_how_it_ended_are_told_apart() {
    let mut setup = Setup::of(&["Hillside", "Prairie"]);
    setup.alerts =
        "quiet = [{ from = \"07:00\", to = \"12:00\", severities = [\"critical\", \"warning\"] }]"
            .to_owned();
    let mut world = World::with(setup).await;
    world.status("Hillside", "UNAUTHENTICATED");
    world.time_passes(SWEEP).await;
    off(&mut world, |world| world.status("Hillside", "OK"), SWEEP).await;
    world.passes_until("2026-03-02T12:02:00Z").await;
    let mail = world.one_mail_says("Hillside (John Deere) was invalid from");
    assert!(
        mail.says("It ended while Leafwatch was off"),
        "{}",
        mail.text
    );
    assert!(
        !mail.says("It happened while Leafwatch was off"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn what_came_and_went_with_our_config_says_so_each_time() {
    const OURS: &str = "Our config changed, not the connection.";
    let expects = async |world: &mut World, environment, time| {
        world
            .reloads(|setup| setup.expected_environment = Some(environment))
            .await;
        world.time_passes(time).await;
    };
    let mut world = World::new(&["Hillside"]).await;
    world.time_passes(SWEEP).await;
    let mut told = Vec::new();
    for (environment, time, subject) in [
        ("STAGE", SWEEP, "ENVIRONMENT MISMATCH: Hillside"),
        ("PRODUCTION", SWEEP, "RESOLVED: Hillside"),
        ("STAGE", SWEEP, "REOPENED: Hillside"),
        // Only a whole quiet flap window is proof now.
        ("PRODUCTION", 7 * HOUR, "RESOLVED: Hillside"),
    ] {
        expects(&mut world, environment, time).await;
        told.push(world.one_mail_says(subject).says(OURS));
    }
    assert_eq!(told, [true; 4]);
}

/// What is told of a breakage that a quiet window held back until it was over: it was in the wrong environment first,
/// or was expected in another one, and then the other way round.
async fn told_of_a_breakage(began_with_config: bool) -> String {
    let mut setup = Setup::of(&["Hillside"]);
    setup.alerts =
        "quiet = [{ from = \"07:00\", to = \"12:00\", severities = [\"critical\", \"warning\"] }]"
            .to_owned();
    let mut world = World::with(setup).await;
    world.time_passes(SWEEP).await;
    let farm = world.grower("Hillside");
    for by_config in [began_with_config, !began_with_config] {
        match by_config {
            true => {
                let stage = |setup: &mut Setup| setup.expected_environment = Some("STAGE");
                world.reloads(stage).await;
            }
            false => world.leaf.set_environment(farm, Some("STAGE")),
        }
        world.time_passes(2 * SWEEP).await;
    }
    world.passes_until("2026-03-02T12:02:00Z").await;
    let mail = world.one_mail_says("Hillside (John Deere) was in the wrong environment from");
    mail.text
}

#[tokio::test]
async fn what_began_with_our_config_did_not_end_with_it() {
    let began = told_of_a_breakage(true).await;
    assert!(
        began.contains("Our config changed, not the connection."),
        "{began}"
    );
    assert!(!began.contains("It ended because"), "{began}");
    let ended = told_of_a_breakage(false).await;
    assert!(
        ended.contains("It ended because our config changed, not the connection."),
        "{ended}"
    );
    assert!(!ended.contains(" Our config changed"), "{ended}");
}
