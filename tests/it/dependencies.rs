//! What must never come in with a dependency, as cargo resolves them with the lock file.

use std::process::Command;

/// Of lettre: `pool` turns a refusal into a success once a send was cancelled; `tracing` logs passwords and whole mails.
const LETTRE: [&str; 2] = ["pool", "tracing"];

/// TLS is rustls with ring alone: no C library of the system, no second one beside it.
const CRATES: [&str; 5] = [
    "openssl",
    "openssl-sys",
    "native-tls",
    "aws-lc-rs",
    "aws-lc-sys",
];

#[test]
fn lettre_has_no_pool_and_no_tracing_and_tls_is_one() {
    let asked = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["tree", "--locked", "--offline", "--edges", "features"])
        .args(["--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let output = match asked {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: the dependencies cannot be listed without cargo: {error}");
            return;
        }
    };
    let (tree, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "cargo tree: {complaint}");
    assert!(
        tree.contains("lettre feature \"smtp-transport\""),
        "the list does not show what is surely there; has its form changed?\n{tree}"
    );
    assert_eq!(unwanted(&tree), [""; 0]);
}

#[test]
fn the_unwanted_is_seen() {
    let tree = "leafwatch v0.1.0 (/src)\nlettre feature \"pool\"\nlettre feature \"pool-x\"\nlettre v0.11.23\n\
                reqwest feature \"tracing\"\nopenssl-probe v0.2.2\nopenssl-sys v0.9.1 (*)\n";
    assert_eq!(
        unwanted(tree),
        ["lettre feature \"pool\"", "openssl-sys v0.9.1 (*)"]
    );
}

/// The lines of `cargo tree` that must not be there.
fn unwanted(tree: &str) -> Vec<&str> {
    let is_unwanted = |line: &&str| {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("lettre"), Some("feature"), Some(feature)) => {
                LETTRE.contains(&feature.trim_matches('"'))
            }
            (Some(name), _, _) => CRATES.contains(&name),
            _ => false,
        }
    };
    tree.lines().filter(is_unwanted).collect()
}
