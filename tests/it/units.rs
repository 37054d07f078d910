//! The systemd units: that both are the same but for the instance, and that they agree with the program.
//!
//! Whether systemd itself accepts them, and how far they shut the sandbox, `.ci/run` asks `systemd-analyze`.

const ONE: &str = include_str!("../../systemd/leafwatch.service");
const EACH: &str = include_str!("../../systemd/leafwatch@.service");

#[test]
fn the_template_differs_only_in_what_belongs_to_the_instance() {
    let for_one = |line: &str| {
        line.replace("/etc/leafwatch/%i.toml", "/etc/leafwatch/leafwatch.toml")
            .replace("/etc/leafwatch/%i/", "/etc/leafwatch/")
            .replace("=leafwatch-%i", "=leafwatch")
            .replace(" (%i)", "")
    };
    let each: Vec<String> = settings(EACH).map(for_one).collect();
    let one: Vec<String> = settings(ONE).map(str::to_owned).collect();
    assert_eq!(each, one);
}

#[test]
fn no_instance_shares_a_user_a_database_or_a_secret_with_another() {
    for line in settings(EACH) {
        let own = [
            "User=",
            "StateDirectory=",
            "LoadCredential=",
            "ExecStart=",
            "ExecReload=/usr/local/bin/leafwatch",
        ];
        if own.iter().any(|key| line.starts_with(key)) {
            assert!(line.contains("%i"), "{line}");
        }
    }
}

#[test]
fn a_reload_sends_the_signal_and_then_lets_systemctl_see_the_faults() {
    let reload: Vec<&str> = settings(ONE)
        .filter_map(|line| line.strip_prefix("ExecReload="))
        .collect();
    assert_eq!(
        reload,
        [
            "/bin/sh -c 'kill -HUP ${MAINPID}'",
            "/usr/local/bin/leafwatch config check --quiet --config /etc/leafwatch/leafwatch.toml"
        ]
    );
}

#[test]
fn each_secret_that_may_be_absent_has_an_empty_stand_in() {
    let named = |key: &str| -> Vec<&str> {
        settings(ONE)
            .filter_map(|line| line.strip_prefix(key)?.split_once(':'))
            .map(|(name, _)| name)
            .collect()
    };
    assert_eq!(
        named("LoadCredential="),
        [
            "leaf-password",
            "leaf-token",
            "smtp-password",
            "web-password"
        ]
    );
    assert_eq!(named("LoadCredential="), named("SetCredential="));
}

/// The lines that are no comments and not empty.
fn settings(unit: &str) -> impl Iterator<Item = &str> {
    unit.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
