//! Any history, replayed under the settings under which it came about, is the same history: what `simulate` says of
//! other settings is then their doing.

use jiff::SignedDuration;
use leafwatch::daemon::replay::replay;
use proptest::prelude::*;

use crate::property_life::{Both, Op, op};

/// Whose, of what kind, and when: of every incident that answers and events of Leaf tell of.
fn incidents(reader: &rusqlite::Connection) -> Vec<String> {
    let sql = "SELECT coalesce(hex(c.leaf_user), ''), i.track, i.kind, i.began_at, i.opened_at, i.ended_at, i.ended_by,
                 i.reopened, i.doubted, i.subject
               FROM incident i LEFT JOIN credential c ON c.id = i.credential ORDER BY i.opened_at, 1, 2, i.subject, i.id";
    let mut statement = reader.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells = (0..columns).map(|at| row.get_ref(at).map(|cell| format!("{cell:?}")));
        cells.collect::<rusqlite::Result<Vec<_>>>()
    });
    rows.unwrap().map(|row| row.unwrap().join(" ")).collect()
}

/// What a replay can know of: clocks that are set, and settings that change on the way, are not kept. Events of the future
/// are, but the desk judges them anew at every answer, the daemon only at answers that say something else.
fn is_kept(op: &Op) -> bool {
    match op {
        Op::Jump(_) | Op::Expect(_) | Op::MapOdd(_) | Op::ResolveAfter(_) => false,
        Op::Events(_, events) => events.iter().all(|(minutes, ..)| *minutes > 20),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_under_the_same_settings_is_the_same_history(ops in prop::collection::vec(op(), 1..90)) {
        let mut both = Both::new();
        both.desk.repeats = false;
        for op in ops.iter().filter(|op| is_kept(op)) {
            // No two things at the same moment: their order is not kept.
            both.desk.now += SignedDuration::from_secs(1);
            both.do_it(op);
            // The daemon reads events every hour, and a replay takes it that it did.
            if matches!(op, Op::Sweep(_)) {
                both.read_events_again();
            }
        }
        let desk = &mut both.desk;
        desk.now += SignedDuration::from_secs(1);
        let (now, config) = (desk.now, desk.config());
        let mut events = Vec::new();
        let past = desk
            .db
            .read(|tx| {
                tx.each_past_events(|piece| events.push(piece))?;
                tx.past()
            })
            .unwrap();
        let mut sweeps = 0;
        let (replayed, _) = replay(&past, &events, config, now, || sweeps += 1).unwrap();
        prop_assert_eq!(sweeps, past.sweeps.len());
        prop_assert_eq!(incidents(desk.db.reader()), incidents(replayed.reader()));
    }
}
