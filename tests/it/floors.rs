//! The architecture, held by a test: which module of `src` may use which, and the map of it in README.md.

mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::{sources, top_level, uses};

/// From the ground up; a module may use what stands on a lower floor, unless [`forbidden`] says otherwise.
const FLOORS: [&[&str]; 5] = [
    &["model", "clock", "vitals"],
    &["rules", "config", "view"],
    &["leaf", "store", "mail"],
    &["daemon", "web", "sim"],
    &["app", "cli", "main"],
];

#[test]
fn arrows_only_go_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        wrong.extend(faults(&path, &text));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let modules: BTreeSet<_> = sources()
        .iter()
        .filter_map(|(path, _)| module_of(path))
        .collect();
    let placed: BTreeSet<_> = FLOORS.concat().into_iter().map(str::to_owned).collect();
    let lost: Vec<_> = modules.difference(&placed).collect();
    assert!(lost.is_empty(), "in src, but on no floor: {lost:?}");
}

#[test]
fn the_map_in_the_readme_is_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let wrong = map_faults(&readme, &top_level());
    assert!(wrong.is_empty(), "README.md\n{}\n", wrong.join("\n"));
}

/// Why `user` may not name `used`, if it may not.
fn forbidden(user: &str, used: &str) -> Option<String> {
    let floor = |module| FLOORS.iter().position(|floor| floor.contains(&module));
    let (Some(from), Some(to)) = (floor(user), floor(used)) else {
        return None; // A root name that is no module, such as a macro; `every_module_has_a_floor` sees to the rest.
    };
    // The top floor is a flight of steps: main -> cli -> app; and the pulse is told in the words of model.
    let steps = [("cli", "app"), ("vitals", "model")];
    if user == used || user == "main" || steps.contains(&(user, used)) {
        None
    } else if to > from {
        Some(format!(
            "an arrow only goes down, and {used} stands above {user}"
        ))
    } else if to == from {
        Some(format!(
            "{user} and {used} are siblings, and do not know each other"
        ))
    } else if user == "rules" && used != "model" {
        Some("rules knows only model: no clock, no I/O".to_owned())
    } else if used == "sim" && user != "cli" {
        Some(
            "sim is there for the demo, tests and benchmarks; of the program only cli may use it"
                .to_owned(),
        )
    } else {
        None
    }
}

/// One line for each forbidden arrow in the file: where, what, why.
fn faults(path: &str, text: &str) -> Vec<String> {
    let Some(user) = module_of(path).filter(|_| !is_test(path)) else {
        return Vec::new();
    };
    let fault = |(line, used): (usize, String)| {
        let why = forbidden(&user, &used)?;
        Some(format!("src/{path}:{line}: uses {used}: {why}"))
    };
    uses(path, text).into_iter().filter_map(fault).collect()
}

/// A test module that grew into a file or folder of its own: it may use the stand-in and what it likes.
fn is_test(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "tests.rs"))
}

/// The module at the top of `src` that the file belongs to; none for the map itself, `lib.rs`.
fn module_of(path: &str) -> Option<String> {
    let first = path.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then(|| name.to_owned())
}

/// Where the map in "How it works" and `tree` (`leaf/`, `clock.rs`, …) differ.
fn map_faults(readme: &str, tree: &BTreeSet<String>) -> Vec<String> {
    let map = readme
        .split_once("\n## How it works\n")
        .and_then(|(_, section)| section.split("\n## ").next())
        .and_then(|section| {
            section
                .split("```")
                .find(|block| block.contains("\nsrc/\n"))
        });
    let Some((_, map)) = map.and_then(|map| map.split_once("\nsrc/\n")) else {
        return vec![
            "no fenced map with a line \"src/\" in the section \"How it works\"".to_owned(),
        ];
    };
    let shown: BTreeSet<String> = map
        .lines()
        .map_while(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let gone = shown
        .difference(tree)
        .map(|name| format!("the map shows src/{name}, which is not there"));
    let missing = tree
        .difference(&shown)
        .map(|name| format!("src/{name} is not on the map"));
    gone.chain(missing).collect()
}

mod on_made_up_sources {
    use super::*;

    #[test]
    fn each_forbidden_arrow_is_named_with_its_line_and_reason() {
        let leaf = "//! Asks.\nuse crate::model::Event;\nuse crate::{\n    clock::Clock,\n    store::{Store, mail},\n};\n\nfn f() { crate::daemon::go(); }\n";
        assert_eq!(
            faults("leaf/client.rs", leaf),
            [
                "src/leaf/client.rs:5: uses store: leaf and store are siblings, and do not know each other",
                "src/leaf/client.rs:8: uses daemon: an arrow only goes down, and daemon stands above leaf",
            ]
        );
        assert_eq!(
            faults("rules/judge.rs", "use crate::clock::Clock;"),
            ["src/rules/judge.rs:1: uses clock: rules knows only model: no clock, no I/O"]
        );
        assert_eq!(
            faults("rules/judge/tests.rs", "use crate::sim::Leaf;"),
            [""; 0]
        );
    }

    #[test]
    fn who_may_use_whom() {
        for (user, used) in [
            ("rules", "model"),
            ("view", "clock"),
            ("store", "rules"),
            ("daemon", "mail"),
            ("app", "daemon"),
            ("cli", "sim"),
            ("cli", "app"),
            ("main", "cli"),
            ("main", "app"),
            ("leaf", "leaf"),
        ] {
            assert_eq!(forbidden(user, used), None, "{user} -> {used}");
        }
        for (user, used) in [
            ("model", "clock"),
            ("model", "rules"),
            ("rules", "vitals"),
            ("rules", "view"),
            ("config", "leaf"),
            ("mail", "store"),
            ("web", "daemon"),
            ("daemon", "sim"),
            ("app", "sim"),
            ("app", "cli"),
            ("cli", "main"),
        ] {
            assert!(forbidden(user, used).is_some(), "{user} -> {used}");
        }
    }

    #[test]
    fn a_map_that_is_not_the_tree_is_told() {
        let tree = BTreeSet::from(["leaf/".to_owned(), "clock.rs".to_owned()]);
        let readme =
            |map: &str| format!("# x\n\n## How it works\n\n```text\n{map}```\n\n## More\n");
        let right = "src/\n  leaf/     asks\n            and asks\n  clock.rs  time\ntests/\n  it/  tests\n";
        assert_eq!(map_faults(&readme(right), &tree), [""; 0]);
        let wrong = "src/\n  leaf/     asks\n  store/    remembers\n";
        assert_eq!(
            map_faults(&readme(wrong), &tree),
            [
                "the map shows src/store/, which is not there",
                "src/clock.rs is not on the map"
            ]
        );
        assert_eq!(map_faults("# x\n", &tree).len(), 1);
    }
}
