//! Every notice about every kind of trouble of a credential: how each begins, changes, comes back, goes on and ends.

use super::*;

/// Every turn of an incident of `kind`, by the word that its subject begins with.
fn turns(kind: Kind) -> Vec<(&'static str, Told)> {
    let from = match kind {
        Kind::Invalid => Kind::FailingEvents,
        _ => Kind::Invalid,
    };
    vec![
        ("opened", told(40, kind, News::Opened)),
        ("changed", told(40, kind, News::Changed { from })),
        ("reopened", reopened(40, kind, Duration::from_secs(5400))),
        ("reminder", told(40, kind, REMINDER)),
        ("resolved", resolved(40, kind)),
        ("closed", closed(40, kind, EndedBy::Unwatched)),
        ("brief", brief(40, kind, "17:27")),
    ]
}

#[test]
fn every_turn_of_every_kind_of_trouble_has_its_words() {
    for &kind in Kind::ALL {
        if matches!(kind.track(), Track::Account | Track::Own) {
            continue;
        }
        let mut pages = Vec::new();
        for (turn, told) in turns(kind) {
            // An environment has no other kind to change to or from.
            if turn == "changed" && kind.track() != Track::Access {
                continue;
            }
            let letter = for_operators(vec![hillside(vec![told])]);
            let (mail, opened) = open(&letter);
            pages.push(format!("Subject: {}\n\n{}", mail.subject, opened.text));
        }
        let rule = format!("\n{}\n", "~".repeat(80));
        insta::assert_snapshot!(format!("turns_{}", kind.name()), pages.join(&rule));
    }
}

#[test]
fn a_reminder_of_what_flaps_says_how_often_it_was_well_and_to_whom_it_is_new() {
    let mut flapping = told(41, Kind::Invalid, News::Reminder { new_to_you: true });
    flapping.looks = Some(Looks {
        so: 52,
        well: 44,
        of: 96,
        last_well: Some(at("13:00")),
    });
    flapping.times_before = Some(3);
    look!("flapping_reminder", letter(vec![hillside(vec![flapping])]));
}

#[test]
fn what_is_acknowledged_is_marked_among_what_else_is_open() {
    let mut letter = for_operators(vec![revoked()]);
    letter.also_open = [false, true]
        .into_iter()
        .map(|acknowledged| OpenElsewhere {
            what: "Blue Silo Dairy (John Deere)".to_owned(),
            kind: Kind::Missing,
            since: at("06:00"),
            says: Some(("no such connection".to_owned(), at("14:00"))),
            recovering: false,
            acknowledged,
        })
        .collect();
    letter.also_open_more = 3;
    look!("also_open", letter);
}
