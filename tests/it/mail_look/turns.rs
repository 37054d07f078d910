//! Every notice about every kind of trouble of a credential: how each begins, changes, comes back, goes on and ends.

use super::*;

/// Every turn of an incident of `kind`, by the word that its subject begins with.
fn turns(kind: Kind) -> Vec<(&'static str, Telling)> {
    let from = match kind {
        Kind::Invalid => Kind::FailingEvents,
        _ => Kind::Invalid,
    };
    let until = at("17:27");
    vec![
        ("opened", Telling::Opened),
        ("changed", Telling::Changed { from }),
        (
            "reopened",
            Telling::Reopened {
                well_for: Duration::from_secs(5400),
            },
        ),
        ("reminder", Telling::Reminder),
        ("resolved", resolved(None)),
        (
            "closed",
            Telling::Closed {
                at: until,
                by: EndedBy::Unwatched,
            },
        ),
        (
            "brief",
            Telling::Brief {
                until,
                still_open: None,
            },
        ),
    ]
}

#[test]
fn every_turn_of_every_kind_of_trouble_has_its_words() {
    for &kind in Kind::ALL {
        if matches!(kind.track(), Track::Account | Track::Own) {
            continue;
        }
        let mut pages = Vec::new();
        for (turn, telling) in turns(kind) {
            // An environment has no other kind to change to or from.
            if turn == "changed" && kind.track() != Track::Access {
                continue;
            }
            let letter = for_operators(vec![hillside(vec![told(40, kind, telling)])]);
            let (mail, opened) = open(&letter);
            pages.push(format!("Subject: {}\n\n{}", mail.subject, opened.text));
        }
        let rule = format!("\n{}\n", "~".repeat(80));
        insta::assert_snapshot!(format!("turns_{}", kind.name()), pages.join(&rule));
    }
}

#[test]
fn a_reminder_of_what_flaps_says_how_often_it_was_well_and_to_whom_it_is_new() {
    let mut flapping = told(41, Kind::Invalid, Telling::Reminder);
    flapping.looks = Some(Looks {
        so: 52,
        well: 44,
        of: 96,
        last_well: Some(at("13:00")),
    });
    flapping.times_before = Some(3);
    flapping.new_to_you = true;
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
