//! What must not matter: being killed between any two commits, being told the same twice, and all that is no evidence.

use leafwatch::model::*;
use proptest::prelude::*;

use crate::support::desk::*;

fn stage() -> Outcome {
    Outcome::Answer(Answer::Reading(Reading {
        environment: Some("STAGE".to_owned()),
        ..reading("OK")
    }))
}

/// Answers of which one is proof: what takes time differs by the time that nobody looked.
fn said() -> impl Strategy<Value = Outcome> {
    let words = [
        "OK",
        "OK",
        "OK",
        "INVALID",
        "REVOKED",
        "LIMITED_PERMISSION",
        "ODD",
    ];
    prop_oneof![
        5 => prop::sample::select(words.to_vec()).prop_map(status),
        1 => Just(stage()),
    ]
}

/// One sweep: who says what anew, and after how many commits the daemon is killed before it comes through.
type Round = (Vec<(u128, Outcome)>, Vec<usize>);

const FLEET: u128 = 24;

fn told(rounds: &[Round], kill: bool) -> (Vec<String>, Vec<String>) {
    let mut desk = Desk::new(FLEET);
    desk.policy.thresholds.flap_window = std::time::Duration::ZERO;
    desk.repeats = kill;
    desk.sweep();
    for (news, kills) in rounds {
        for (n, outcome) in news {
            desk.says(*n, outcome.clone());
        }
        desk.now += 15 * MINUTE;
        for after in kills.iter().filter(|_| kill) {
            desk.sweep_along(Course::Killed(*after));
        }
        desk.sweep();
    }
    let steps = "SELECT s.at || ' ' || i.credential || ' ' || s.what || ' ' || s.kind || ' ' || s.why
                 FROM step s JOIN incident i ON i.id = s.incident ORDER BY s.at, i.credential, s.id";
    let notices = "SELECT n.at || ' ' || i.credential || ' ' || n.kind || ' ' || i.doubted
                   FROM notice n JOIN incident i ON i.id = n.incident ORDER BY n.at, i.credential, n.id";
    (desk.column(steps), desk.column(notices))
}

/// What says nothing about growers, said of all of them.
fn no_evidence() -> impl Strategy<Value = Vec<Outcome>> {
    let silence = prop_oneof![
        Just(NoAnswer::Denied),
        Just(NoAnswer::Later),
        Just(NoAnswer::Broken),
    ];
    let silent = silence.prop_map(|reason| Outcome::None(reason, "no".to_owned()));
    prop_oneof![
        4 => prop::collection::vec(silent, FLEET as usize),
        1 => Just(vec![missing(); FLEET as usize]),
        1 => Just(vec![status("<html>"); FLEET as usize]),
        1 => Just(vec![ok(); FLEET as usize]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn killed_anywhere_the_same_is_told(
        rounds in prop::collection::vec(
            (
                prop::collection::vec((0..FLEET, said()), 0..24),
                prop::collection::vec(0..FLEET as usize, 0..3),
            ),
            1..8,
        )
    ) {
        prop_assert_eq!(told(&rounds, true), told(&rounds, false));
    }

    #[test]
    fn nothing_that_is_no_evidence_opens_a_growers_incident(
        rounds in prop::collection::vec((no_evidence(), 1u32..200, any::<bool>()), 1..16)
    ) {
        let mut desk = Desk::new(FLEET);
        desk.sweep();
        for (said, minutes, off) in rounds {
            for (n, outcome) in said.into_iter().enumerate() {
                desk.says(n as u128, outcome);
            }
            if off {
                desk.off(minutes * MINUTE);
                desk.sweep();
            } else {
                desk.sweep_after(minutes * MINUTE);
            }
            let growers = desk.column("SELECT kind FROM incident WHERE credential > 0");
            prop_assert!(growers.is_empty(), "{:?}", growers);
        }
    }
}
