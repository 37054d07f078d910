//! Who is told: routes, the users' own people and the operators; and `explain`, which says so beforehand.

use leafwatch::model::{Credential, Provider};
use leafwatch::sim::Consent;

use crate::support::world::{HOUR, Heard, MINUTE, Setup, World};

const SWEEP: std::time::Duration = MINUTE.saturating_mul(16);

const ROUTES: &str = r#"
[[alerts.routes]]
tags = ["north"]
to = ["north@example.com"]

[[alerts.routes]]
providers = ["climate-field-view"]
to = ["climate@example.com"]

[[alerts.routes]]
problems = ["limited_permission"]
to = ["permissions@example.com"]
only = true

[[alerts.routes]]
severity = "critical"
problems = ["leaf_unreachable", "leaf_login"]
to = ["night@example.com"]
"#;

/// Hillside is in the north and has its own people; Prairie Rose has Climate; Blue Silo has nothing of its own.
async fn routed() -> World {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy", "Prairie Rose"]);
    setup.alerts = ROUTES.to_owned();
    let hillside = setup.grower_mut("Hillside Farms");
    hillside.tags = vec!["north".into(), "organic".into()];
    hillside.notify = vec!["anna@example.com".into()];
    let prairie = setup.grower_mut("Prairie Rose");
    prairie.credential = Credential {
        provider: Provider::all()
            .find(|one| one.name() == "climate-field-view")
            .unwrap(),
        ..prairie.credential
    };
    World::with(setup).await
}

fn readers(mails: &[Heard]) -> Vec<&str> {
    let mut readers: Vec<&str> = mails.iter().flat_map(Heard::readers).collect();
    readers.sort_unstable();
    readers
}

#[tokio::test]
async fn tags_providers_kinds_and_the_users_own_people_choose_who_is_told() {
    let mut world = routed().await;
    world.revokes_access("Hillside Farms");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(
        readers(&mails),
        [
            "anna@example.com",
            "north@example.com",
            "support@example.com"
        ]
    );
    world.revokes_access("Prairie Rose");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(
        readers(&mails),
        ["climate@example.com", "support@example.com"]
    );
    // What is not theirs is not named to them, not even as what else is open.
    let climate = mails
        .iter()
        .find(|mail| mail.to.contains("climate@example.com"))
        .unwrap();
    assert!(!climate.says("Hillside"), "{}", climate.text);
    let support = mails
        .iter()
        .find(|mail| mail.to.contains("support@example.com"))
        .unwrap();
    assert!(support.says("Hillside"), "{}", support.text);
}

#[tokio::test]
async fn a_route_that_says_only_takes_the_place_of_the_usual_people() {
    let mut world = routed().await;
    world.status("Blue Silo Dairy", "MISSING_PERMISSION");
    world.time_passes(SWEEP).await;
    let mail = world.one_mail_says("LIMITED PERMISSION: Blue Silo Dairy");
    assert_eq!(mail.readers(), ["permissions@example.com"]);
    // Another kind, other people: those hear of it as news, who knew it as a change.
    world.revokes_access("Blue Silo Dairy");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(
        readers(&mails),
        ["permissions@example.com", "support@example.com"]
    );
    for mail in &mails {
        let word = if mail.to.contains("support@example.com") {
            "INVALID"
        } else {
            "CHANGED"
        };
        assert!(mail.says(&format!("{word}: Blue Silo Dairy")), "{mail:#?}");
    }
    world.connects_again("Blue Silo Dairy");
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(
        readers(&mails),
        ["permissions@example.com", "support@example.com"]
    );
}

#[tokio::test]
async fn account_trouble_goes_to_operators_and_to_routes_that_name_it() {
    let mut world = routed().await;
    world.leaf.go_away();
    world.time_passes(2 * HOUR).await;
    // The operators' mail shows how to acknowledge; the others' does not.
    let mails = world.mails();
    assert_eq!(readers(&mails), ["night@example.com", "ops@example.com"]);
    for mail in &mails {
        assert!(mail.says("CRITICAL: Leaf unreachable"), "{mail:#?}");
        assert_eq!(
            mail.says("leafwatch ack 1"),
            mail.to.contains("ops@example.com")
        );
    }
    world.leaf.come_back().unwrap();
    world.time_passes(SWEEP).await;
    let mails = world.mails();
    assert_eq!(readers(&mails), ["night@example.com", "ops@example.com"]);
    assert!(
        mails
            .iter()
            .all(|mail| mail.says("RESOLVED: Leaf unreachable"))
    );
}

#[tokio::test]
async fn without_operators_the_usual_people_are_told_of_leaf_too() {
    let mut setup = Setup::of(&["Hillside Farms"]);
    setup.operators = setup.to.clone();
    let mut world = World::with(setup).await;
    world.leaf.go_away();
    world.time_passes(2 * HOUR).await;
    let mail = world.one_mail_says("CRITICAL: Leaf unreachable");
    assert_eq!(mail.readers(), ["support@example.com"]);
    world.leaf.come_back().unwrap();
    world.time_passes(SWEEP).await;
    world.one_mail_says("RESOLVED");
}

#[tokio::test]
async fn explain_says_who_would_be_mailed_and_which_rule_chose_them() {
    let mut world = routed().await;
    let told = &world.json("explain hillside --json")["credentials"][0]["would_tell"];
    let of = |kind: &str| -> Vec<String> {
        let audience = told.as_array().unwrap().iter().find(|one| {
            one["kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|known| known == kind)
        });
        let people = audience.unwrap()["recipients"].as_array().unwrap().iter();
        people
            .map(|one| {
                format!(
                    "{} by {}",
                    one["address"].as_str().unwrap(),
                    one["rule"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(
        of("invalid"),
        [
            "support@example.com by alerts.to",
            "north@example.com by alerts.routes, entry 1",
            "anna@example.com by notify"
        ]
    );
    assert_eq!(
        of("limited_permission"),
        [
            "north@example.com by alerts.routes, entry 1",
            "permissions@example.com by alerts.routes, entry 3",
            "anna@example.com by notify"
        ]
    );
    assert_eq!(
        of("unreadable"),
        [
            "ops@example.com by alerts.operators",
            "north@example.com by alerts.routes, entry 1"
        ]
    );
    let shown = world.types("explain hillside");
    assert!(
        shown.contains("north@example.com (alerts.routes, entry 1)"),
        "{shown}"
    );
    // And so it is.
    world.status("Hillside Farms", "MISSING_PERMISSION");
    world.time_passes(SWEEP).await;
    assert_eq!(
        readers(&world.mails()),
        [
            "anna@example.com",
            "north@example.com",
            "permissions@example.com"
        ]
    );
    let rules = world.asks("SELECT address || ' by ' || rule FROM addressee ORDER BY 1");
    assert_eq!(
        rules,
        [
            "anna@example.com by notify",
            "north@example.com by alerts.routes, entry 1",
            "permissions@example.com by alerts.routes, entry 3"
        ]
    );
}

#[tokio::test]
async fn a_route_added_by_a_reload_hears_in_the_next_reminder_and_one_taken_out_no_more() {
    let mut setup = Setup::of(&["Hillside Farms", "Blue Silo Dairy"]);
    setup.schedule = "sweep = \"1h\"\nevents = \"6h\"".to_owned();
    setup.alerts =
        "routes = [{ to = [\"gone@example.com\"], providers = [\"john-deere\"] }]".to_owned();
    let mut world = World::with(setup).await;
    world.revokes_access("Hillside Farms");
    world.time_passes(2 * HOUR).await;
    let mail = world.one_mail_says("INVALID: Hillside Farms");
    assert_eq!(mail.readers(), ["gone@example.com", "support@example.com"]);
    world
        .reloads(|setup| {
            setup.alerts =
                "routes = [{ to = [\"new@example.com\"], severity = \"critical\" }]".to_owned();
        })
        .await;
    world.days_pass(2).await;
    let mails = world.mails();
    assert_eq!(readers(&mails), ["new@example.com", "support@example.com"]);
    let new = mails
        .iter()
        .find(|mail| mail.to.contains("new@example.com"))
        .unwrap();
    assert!(new.says("New to you"), "{}", new.text);
    let consent = Consent::default();
    world
        .leaf
        .reconnect(world.grower("Hillside Farms"), Some(consent));
    world.time_passes(2 * HOUR).await;
    let end = world.one_mail_says("RESOLVED: Hillside Farms");
    assert_eq!(end.readers(), ["new@example.com", "support@example.com"]);
}
