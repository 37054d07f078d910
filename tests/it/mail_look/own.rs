//! Every kind of account and own trouble as the operators see it: when it opens, and when it is over.

use super::*;

/// What each is about, and what stands beside it.
fn details(kind: Kind) -> (&'static str, &'static [&'static str]) {
    match kind {
        Kind::LeafLogin => ("", &["401 on login: bad credentials"]),
        Kind::LeafUnreachable => ("", &["no answer within 30 s, 10 times running"]),
        Kind::WrongAccount => ("", &["46 of 50 known credentials are missing"]),
        Kind::EnvironmentContradiction => (
            "…9f3c",
            &[
                "STAGE, the likelier mistake: Prairie Wind (John Deere)",
                "PRODUCTION: Hillside Farms (John Deere) and 46 more",
            ],
        ),
        Kind::UnknownStatus => (
            "SUSPENDED",
            &[
                "credentials with a status that nobody mapped: 17",
                "As Leaf sends it: \"SUSPENDED\"",
                "Add the word to the list that fits it (healthy, invalid, limited_permission or provider_unavailable), and reload. These lines call it healthy:",
                "[rules.status_words]",
                "healthy = [\"SUSPENDED\"]",
            ],
        ),
        Kind::SharedCredential => (
            "Hillside Farms and Prairie Wind",
            &["2 Leaf users carry the same credential id: Hillside Farms, Prairie Wind"],
        ),
        Kind::ConfigRejected => ("", &["leafwatch.toml: alerts: gruop_wait: unknown key"]),
        Kind::DeliveryFailed => (
            "bob@example.com",
            &["mx.example.com, rcpt to: 550 5.1.1 no such user"],
        ),
        Kind::SweepOverdue => ("", &["no sweep was whole for 3 intervals"]),
        Kind::EventsUnread => (
            "",
            &["the events of 12 credentials were not read for 7 days"],
        ),
        Kind::TokenExpiring => (
            "",
            &["the token in leaf.token_file ends on Tue 1 Dec 2026, 00:00 UTC"],
        ),
        Kind::WatchShrank => (
            "",
            &["800 of 5000 watched credentials are no longer in the config"],
        ),
        Kind::Storage => ("", &["database or disk is full"]),
        _ => unreachable!("{kind:?} is about a credential"),
    }
}

#[test]
fn every_command_that_a_mail_names_means_the_instance_that_sends_it() {
    let own_ones = Kind::ALL
        .iter()
        .filter(|kind| matches!(kind.track(), Track::Account | Track::Own))
        .map(|&kind| for_operators(vec![own(kind, details(kind).0, details(kind).1)]));
    let many = for_operators(many(400, Kind::Invalid, Some(app_secret())));
    let letters = own_ones.chain([for_operators(vec![revoked()]), many]);
    let mut commands = 0;
    for mut letter in letters {
        letter.head.daemon.instance = Some("production".to_owned());
        let text = open(&letter).1.text;
        for line in text.lines() {
            let named = line.matches("leafwatch ").count();
            commands += named;
            assert_eq!(
                named,
                line.matches("--instance production").count(),
                "{line}"
            );
            let systemd = ["systemctl reload ", "journalctl -u "];
            for unit in systemd.iter().filter_map(|verb| line.split(verb).nth(1)) {
                commands += 1;
                assert_eq!(unit, "leafwatch@production", "{line}");
            }
        }
    }
    assert!(commands > 20, "{commands}");
}

#[test]
fn every_account_and_own_trouble_has_its_mail() {
    let mut briefs = Vec::new();
    for &kind in Kind::ALL {
        if !matches!(kind.track(), Track::Account | Track::Own) {
            continue;
        }
        let (subject, lines) = details(kind);
        let mut letter = for_operators(vec![own(kind, subject, lines)]);
        letter.entries[0].told[0].next_reminder = Some(at("20:00"));
        look!(format!("own_{}", kind.name()), letter);
        letter.entries[0].told[0].news = News::Resolved { told: kind };
        letter.entries[0].told[0].ended_at = Some(at("17:27"));
        letter.entries[0].about = About::Own {
            subject: subject.to_owned(),
            details: Vec::new(),
        };
        letter.tally = Tally::of(&letter.entries);
        look!(format!("own_{}_resolved", kind.name()), letter);
        letter.entries[0].told[0].news = News::Brief;
        letter.tally = Tally::of(&letter.entries);
        briefs.push(open(&letter).1.text.lines().nth(4).unwrap().to_owned());
    }
    insta::assert_snapshot!("own_briefs", briefs.join("\n"));
}
