//! Every file in `tests/data/config` is a test: `valid/*.toml` beside the report of `config check`, `invalid/*.toml` beside the
//! faults. A line `#! NAME=value` in a sample sets a variable.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its samples has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use leafwatch::config::{self, Calendar, Config, Faults, Variables};
use leafwatch::rules::{due, quiet};

fn samples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/config")
        .join(folder);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn load(file: &Path) -> Result<Config, Faults> {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let variables: Variables = text
        .lines()
        .filter_map(|line| line.strip_prefix("#! ")?.split_once('='))
        .collect();
    config::load(file, &variables)
}

/// Compares with the text beside the sample; the folder of the samples is left out of it.
fn assert_text_beside(file: &Path, text: &str) {
    let folder = file.parent().unwrap();
    let text = text.replace(&format!("{}/", folder.display()), "");
    let name = file.file_stem().unwrap().to_str().unwrap();
    insta::with_settings!({
        snapshot_path => folder,
        prepend_module_to_snapshot => false,
        omit_expression => true,
        input_file => file,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn valid_samples_are_reported_as_they_should_be() {
    for file in samples("valid") {
        let loaded = load(&file);
        let report = config::report(
            &loaded,
            &[],
            "2026-10-30T17:05:00Z".parse().unwrap(),
            Calendar {
                next: |schedule, zone, now| due::next_after(schedule, zone, now, now),
                openings: |window, now| quiet::openings(window, now, 3),
            },
        );
        assert!(report.exit_ok, "{}:\n{}", file.display(), report.text);
        assert_text_beside(&file, &report.text);
    }
}

#[test]
fn invalid_samples_are_refused_with_every_fault() {
    for file in samples("invalid") {
        let faults = load(&file).map(|_| file.clone()).unwrap_err().to_string();
        // What a sample marks so stands for a secret that slipped into the config.
        assert!(!faults.contains("hunter2"), "{faults}");
        assert_text_beside(&file, &faults);
    }
}
