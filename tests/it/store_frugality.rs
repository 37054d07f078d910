//! What the database must not do: grow by sweeps that change nothing, or read whole tables where it is asked often.

use std::collections::BTreeMap;
use std::fs;

use leafwatch::model::*;
use leafwatch::store::{Access, Db};
use rusqlite::StatementStatus;

use crate::support::desk::*;

fn rows(desk: &Desk) -> BTreeMap<String, u64> {
    let tables = desk.column("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let count = |table: String| {
        let count = desk.column(&format!("SELECT count(*) FROM {table}"))[0].parse();
        (table, count.unwrap())
    };
    tables.into_iter().map(count).collect()
}

#[test]
fn a_sweep_that_changes_nothing_adds_one_row_in_all() {
    let mut desk = Desk::new(40);
    let words = [
        "INVALID",
        "ODD",
        "TEMPORARILY_UNAVAILABLE",
        "MISSING_PERMISSION",
    ];
    for (n, word) in words.iter().enumerate() {
        desk.says(n as u128, status(word));
    }
    desk.says(5, missing());
    desk.says(6, later());
    let without_id = Reading {
        leaf_id: None,
        leaf_created: None,
        ..reading("OK")
    };
    desk.says(7, ok());
    desk.sweep();
    desk.says(7, Outcome::Answer(Answer::Reading(without_id)));
    desk.sweeps(40);
    let before = rows(&desk);
    desk.sweeps(5);
    let mut expected = before.clone();
    *expected.get_mut("sweep").unwrap() += 5;
    assert_eq!(rows(&desk), expected);
}

#[test]
fn a_statement_is_planned_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leafwatch.db");
    let disk = Db::open(&path).unwrap();
    let beside = Db::beside(&path, Access::Read).unwrap();
    for db in [&disk, &beside, &Db::in_memory().unwrap()] {
        let sql = "SELECT s.reading, r.status FROM span s LEFT JOIN reading r ON r.id = s.reading
                   WHERE s.credential = ?1 ORDER BY s.from_sweep DESC LIMIT 1";
        for id in 0..5 {
            let mut statement = db.reader().prepare_cached(sql).unwrap();
            assert!(!statement.exists([id]).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}

/// Parts of statements that read a whole table by their nature, and why that is no harm.
const ALLOWED: [(&str, &str); 4] = [
    (
        "FROM credential c LEFT JOIN gap g",
        "the whole list, once at start and reload",
    ),
    (
        "count(*) FROM credential WHERE watched = 1",
        "once a mail that says how many",
    ),
    (
        "finished_at IS NOT NULL ORDER BY id LIMIT 1",
        "the oldest sweeps, until one that was whole",
    ),
    (
        "SCAN r: WITH live",
        "readings are as few as the words of Leaf; once a sweep",
    ),
];

#[test]
fn what_is_asked_often_reads_no_whole_table() {
    let db = Db::in_memory().unwrap();
    let mut seen = 0;
    let mut scans = Vec::new();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store")).unwrap() {
        let path = file.unwrap().path();
        // What is thrown away is looked for once a day, what an older version kept once in its life, what lies ahead when the
        // clock was set back; by statements made of pieces.
        let rare = ["upkeep.rs", "scrub.rs", "clock.rs"]
            .iter()
            .any(|name| path.ends_with(name));
        if rare || path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for sql in statements(&text) {
            let plan = match plan(&db, &sql) {
                Ok(plan) => plan,
                Err(error) => panic!("{}: {error}: {sql}", path.display()),
            };
            seen += 1;
            let scan = plan.iter().find(|line| whole_table(line, &sql));
            if let Some(line) = scan {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                scans.push(format!("{name}: {line}: {sql}"));
            }
        }
    }
    assert!(seen > 60, "only {seen} statements found");
    let known = |scan: &String| ALLOWED.iter().any(|(part, _)| scan.contains(part));
    scans.retain(|scan| !known(scan));
    assert!(scans.is_empty(), "{}", scans.join("\n\n"));
}

/// Only tables that grow matter; through an index that covers the question nothing is read but what is asked for. A
/// sweep's row is found from the newest on. All that was ever mailed to an address is as good as a whole table.
fn whole_table(line: &str, sql: &str) -> bool {
    const GROWING: [&str; 12] = [
        "sweep",
        "credential",
        "reading",
        "span",
        "gap",
        "event",
        "incident",
        "step",
        "notice",
        "addressee",
        "message",
        "delivery",
    ];
    if line.contains("delivery") && line.ends_with("(address=?)") {
        return !sql.contains("ORDER BY d.id DESC LIMIT");
    }
    let mut words = line.split_whitespace();
    words.next() == Some("SCAN")
        && words
            .next()
            .is_some_and(|table| GROWING.contains(&table) || table.len() == 1)
        && !line.contains("USING")
        && !(line == "SCAN sweep" && sql.contains("ORDER BY id DESC LIMIT 1"))
}

fn plan(db: &Db, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.reader().prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(row.get(3)?);
    }
    Ok(lines)
}

/// The texts in a source file that are whole statements, what is put into them filled in.
fn statements(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let columns = columns();
    let mut statements = Vec::new();
    for text in code.split('"').skip(1).step_by(2) {
        let begins = |word: &&str| text.trim_start().starts_with(*word);
        if ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "]
            .iter()
            .any(begins)
        {
            let sql = text
                .replace("{COLUMNS}", &columns)
                .replace("{table}", "span");
            statements.push(sql);
        }
    }
    statements
}

fn columns() -> String {
    let source = include_str!("../../src/store/incidents.rs");
    let from = source.split("const COLUMNS: &str = \"").nth(1).unwrap();
    from.split('"').next().unwrap().to_owned()
}
