//! The annotated sample, and what tests of single sections would repeat.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::{Alerts, StatusWords, Thresholds};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/leafwatch.toml")
}

/// The keys that stand in the sample, set or commented out, as the reader names them.
fn keys_in(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut section = String::new();
    for line in text.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            keys.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.insert(match section.as_str() {
                "" => key.to_owned(),
                section => format!("{section}.{key}"),
            });
        }
    }
    keys
}

/// A folder with the least config that loads, and `more` after it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(more: &str) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        let least = "[leaf]\ntoken_file = \"leaf-token\"\n[alerts]\nto = [\"a@example.com\"]\n\
                     [email]\nfrom = \"a@example.com\"\nsmtp.host = \"mail\"\n\
                     [[watch.users]]\nid = \"3c9d2f1e-1111-4222-8333-444455556666\"\n";
        fs::write(folder.config(), format!("{least}{more}")).unwrap();
        folder
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("leafwatch.toml")
    }

    fn load(&self) -> Result<Config, Faults> {
        load(&self.config(), &Variables::default())
    }

    fn fault(&self) -> Fault {
        let Faults(faults) = self.load().unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    }
}

/// The sample with the tables turned on that it shows behind `#`.
fn whole_sample() -> Folder {
    let folder = Folder::with("");
    let text = fs::read_to_string(sample()).unwrap();
    let mut in_table = false;
    let lines = text.lines().map(|line| {
        in_table = (in_table || line.starts_with("# [[")) && !line.is_empty();
        let key = line
            .strip_prefix("# ")
            .filter(|rest| rest.starts_with("[[") || rest.contains(" = "));
        key.filter(|_| in_table).unwrap_or(line).to_owned() + "\n"
    });
    fs::write(folder.config(), lines.collect::<String>()).unwrap();
    let growers = "growers.example.csv";
    fs::copy(
        sample().with_file_name(growers),
        folder.0.path().join(growers),
    )
    .unwrap();
    folder
}

#[test]
fn the_sample_shows_every_key() {
    let whole = whole_sample();
    let reader = Reader::new(Source::read(&whole.config(), &Variables::default()).unwrap());
    assert!(read(&reader).1.is_some());
    let shown = keys_in(&fs::read_to_string(sample()).unwrap());
    let known = reader.known();
    let missing: Vec<&String> = known
        .iter()
        .filter(|key| !key.ends_with(".*") && !shown.contains(*key))
        .collect();
    assert!(missing.is_empty(), "not in the sample: {missing:?}");
    let unheard: Vec<&String> = shown.iter().filter(|key| !known.contains(*key)).collect();
    assert!(
        unheard.is_empty(),
        "in the sample but not known: {unheard:?}"
    );
}

#[test]
fn the_sample_shows_the_defaults() {
    let sample = load(&sample(), &Variables::default()).unwrap();
    let least = Folder::with("").load().unwrap();

    assert_eq!(sample.policy.thresholds, Thresholds::default());
    assert_eq!(sample.policy.status_words, StatusWords::default());
    assert_eq!(
        Alerts {
            to: Vec::new(),
            operators: Vec::new(),
            ..sample.policy.alerts.clone()
        },
        Alerts::default()
    );
    let (shown, default) = (&sample, &least);
    assert_eq!(shown.leaf.base_url, default.leaf.base_url);
    assert_eq!(
        shown.leaf.max_requests_per_second,
        default.leaf.max_requests_per_second
    );
    assert_eq!(shown.leaf.max_in_flight, default.leaf.max_in_flight);
    assert_eq!(shown.leaf.timeout, default.leaf.timeout);
    assert_eq!(shown.database, default.database);
    assert_eq!(shown.policy.schedules.sweep, default.policy.schedules.sweep);
    assert_eq!(
        shown.policy.schedules.events,
        default.policy.schedules.events
    );
    assert_eq!(
        shown.policy.schedules.reminders,
        default.policy.schedules.reminders
    );
    assert_eq!(
        shown.policy.schedules.digest,
        default.policy.schedules.digest
    );
    let (Transport::Smtp(shown), Transport::Smtp(default)) =
        (&sample.email.transport, &least.email.transport)
    else {
        panic!("both are smtp");
    };
    assert_eq!((shown.port, shown.tls), (default.port, default.tls));
    assert_eq!(least.policy.alerts.operators, least.policy.alerts.to);
}

/// The keys that are warned of.
fn warned(config: &Config) -> Vec<&str> {
    let warnings = config.warnings.iter();
    warnings.map(|warning| warning.key.as_str()).collect()
}

#[test]
fn the_sample_is_good_only_once_its_placeholders_are_replaced() {
    let as_it_is = load(&sample(), &Variables::default()).unwrap();
    let placeholders = [
        "alerts.operators",
        "alerts.to",
        "email.from",
        "email.smtp.host",
        "leaf.username",
        "watch.users, entry 1: id",
    ];
    // Nothing that is optional calls, mails or pings anybody until somebody writes it.
    let nobody_notices = ["heartbeat.url"];
    assert_eq!(
        warned(&as_it_is),
        [&nobody_notices[..], &placeholders].concat()
    );
    let places: Vec<&Place> = as_it_is.warnings[1..]
        .iter()
        .map(|warning| &warning.place)
        .collect();
    assert!(
        places
            .iter()
            .all(|place| matches!(place, Place::File { line: Some(_), .. })),
        "{places:?}"
    );

    let folder = Folder::with("");
    let text = fs::read_to_string(sample()).unwrap();
    let own = text
        .replace("example.com", "farms.test")
        .replace("3c9d2f1e-", "4d9d2f1e-");
    fs::write(folder.config(), own).unwrap();
    assert_eq!(warned(&folder.load().unwrap()), nobody_notices);
}

#[test]
fn the_sample_file_of_growers_is_named_where_it_is_used_as_it_is() {
    let folder = whole_sample();
    let text = fs::read_to_string(folder.config()).unwrap();
    let used = text.replace(
        "# users_file = \"growers.csv\"",
        "users_file = \"growers.example.csv\"",
    );
    fs::write(folder.config(), used).unwrap();
    let config = folder.load().unwrap();
    assert_eq!(config.watch.users().len(), 4);
    let warning = config
        .warnings
        .iter()
        .find(|warning| warning.key == "watch.users_file");
    let said = warning.unwrap().to_string();
    assert!(said.contains("line 2, line 3, line 4"), "{said}");
}

/// Each key of the sample as if somebody had written something else altogether: that is told, and nothing else follows.
#[test]
fn a_value_of_the_wrong_type_is_one_fault_at_its_own_line() {
    let whole = whole_sample();
    let text = fs::read_to_string(whole.config()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        for other in ["{ x = 1 }", "2026-01-01", "[1]"] {
            // These may be tables, by provider.
            if other.starts_with('{') && ["expected_environment", "reconnect_url"].contains(&key) {
                continue;
            }
            let mut lines = lines.clone();
            let odd = format!("{key} = {other}");
            lines[at] = &odd;
            fs::write(whole.config(), lines.join("\n")).unwrap();
            let Faults(faults) = whole.load().unwrap_err();
            let places: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(faults.len(), 1, "{odd}: {places:#?}");
            let line = at as u64 + 1;
            assert!(
                matches!(faults[0].place, Place::File { line: Some(at), .. } if at == line),
                "{odd} in line {line}: {places:#?}"
            );
        }
    }
}

#[test]
fn what_the_query_commands_need_is_read_whatever_else_is_wrong() {
    let folder = Folder::with(
        "[schedule]\ntimezone = \"America/Chicago\"\nsweep = \"soon\"\n[database]\npath = \"x.db\"\n",
    );
    let text = fs::read_to_string(folder.config()).unwrap();
    let known = |text: &str| {
        fs::write(folder.config(), text).unwrap();
        known(&folder.config(), &Variables::default())
    };
    for broken in [
        text.clone(),
        text.replace("token_file", "tokenfile"),
        text.clone() + "keep_events = \"1s\"\n",
        text.replace("from = \"a@example.com\"", "from = a@example.com"),
    ] {
        let (known, faults) = known(&broken).unwrap();
        assert!(!faults.is_empty());
        assert_eq!(known.database.path, folder.0.path().join("x.db"));
        assert_eq!(
            known.policy.schedules.zone.iana_name(),
            Some("America/Chicago")
        );
        assert_eq!(known.watch.users().len(), 1);
    }
    // Another database than the one that is meant must not answer in its place.
    for lost in ["path = 3", "pth = \"x.db\"", "path = \"x.db"] {
        known(&text.replace("path = \"x.db\"", lost)).unwrap_err();
    }
    known(&text.replace("[database]", "[databse]")).unwrap_err();
}

#[test]
fn a_file_that_cannot_be_read_is_one_fault() {
    let folder = Folder::with("");
    fs::remove_file(folder.config()).unwrap();
    assert_eq!(folder.fault().wrong, "there is no such file");
    fs::create_dir(folder.config()).unwrap();
    assert_eq!(folder.fault().wrong, "it is a folder");
    fs::remove_dir(folder.config()).unwrap();
    fs::write(folder.config(), b"instance = \"M\xfcller\"").unwrap();
    assert_eq!(folder.fault().wrong, "it is not UTF-8 text");
}

#[test]
fn loading_needs_no_secret_and_checking_says_what_is_wrong_with_each() {
    let folder = Folder::with("[email.smtp]\n").load().unwrap_err();
    assert!(folder.to_string().contains("not valid TOML"), "{folder}");

    let folder = Folder::with("");
    let text = fs::read_to_string(folder.config()).unwrap();
    let with_login =
        "smtp.host = \"mail\"\nsmtp.username = \"u\"\nsmtp.password_file = \"smtp-password\"";
    fs::write(
        folder.config(),
        text.replace("smtp.host = \"mail\"", with_login),
    )
    .unwrap();
    let config = folder.load().unwrap();

    let keys = |faults: &[Fault]| -> Vec<String> {
        faults
            .iter()
            .filter_map(|fault| fault.key.clone())
            .collect()
    };
    let missing = config.check_secrets();
    assert_eq!(
        keys(&missing),
        ["leaf.token_file", "email.smtp.password_file"]
    );

    let token = folder.0.path().join("leaf-token");
    fs::write(&token, "hunter2\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.0.path().join("smtp-password"), "\n").unwrap();
    fs::set_permissions(
        folder.0.path().join("smtp-password"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let faults = config.check_secrets();
    assert_eq!(
        faults[0].write,
        Some(format!("run: chmod 600 {}", token.display()))
    );
    assert!(faults[1].wrong.ends_with("is empty"), "{}", faults[1]);
    assert_eq!(faults[0].place, Place::line(folder.config(), 2));

    let report = report(
        &Ok(config),
        &faults,
        "2026-01-01T00:00:00Z".parse().unwrap(),
        Calendar {
            next: |_, _, _| None,
            openings: |_, _| Vec::new(),
        },
    );
    assert!(!report.exit_ok);
    assert!(report.text.starts_with("2 faults\n"), "{}", report.text);
    assert!(
        report
            .text
            .ends_with("The config cannot be used; see the faults.\n")
    );
    assert!(!report.text.contains("hunter2"));
}

#[test]
fn debug_output_holds_neither_ping_address_nor_years_of_cron() {
    let config = Folder::with("[heartbeat]\nurl = \"https://hc.example.com/ping/hunter2\"\n")
        .load()
        .unwrap();
    let debug = format!("{config:?}");
    assert!(!debug.contains("hunter2"));
    assert!(debug.contains("Schedule(0 */15 * * * *)"));
    assert!(debug.len() < 10_000, "{} bytes", debug.len());
}

#[test]
fn the_database_and_the_address_of_the_page_need_a_restart() {
    let old = Folder::with("").load().unwrap();
    let mut new = old.clone();
    new.leaf.max_in_flight = 9;
    assert!(needs_restart(&old, &new).is_empty());
    new.database.path = "elsewhere.db".into();
    new.web.public_url = Some("https://leafwatch.example.com".to_owned());
    assert_eq!(needs_restart(&old, &new), ["database.path"]);
    new.web.listen = Some(([127, 0, 0, 1], 8420).into());
    assert_eq!(needs_restart(&old, &new), ["database.path", "web.listen"]);
}

#[test]
fn a_hundred_thousand_growers_keep_their_order_and_only_a_few_pay_for_settings() {
    let folder = Folder::with("[watch]\nusers_file = \"growers.csv\"\n");
    let text = fs::read_to_string(folder.config()).unwrap();
    let without_entry = text.split("[[watch.users]]").next().unwrap().to_owned();
    fs::write(
        folder.config(),
        without_entry + "[watch]\nusers_file = \"growers.csv\"\n",
    )
    .unwrap();
    let mut csv = String::from("id,name,notify\n");
    for number in 0..100_000_u32 {
        let notify = if number % 1_000 == 0 {
            "anna@example.com"
        } else {
            ""
        };
        writeln!(
            csv,
            "00000000-0000-4000-8000-{number:012x},Farm {number},{notify}"
        )
        .unwrap();
    }
    fs::write(folder.0.path().join("growers.csv"), csv).unwrap();
    let config = folder.load().unwrap();
    let users = config.watch.users();
    assert_eq!(users.len(), 100_000);
    assert_eq!(users[99_999].name.as_deref(), Some("Farm 99999"));
    assert_eq!(users.iter().filter(|user| user.own.is_some()).count(), 100);
    let pace = config.pace_estimate();
    assert_eq!(pace.sweep.map(|sweep| sweep.as_secs()), Some(25_000));
    assert!(config.warnings.iter().any(|warning| {
        warning
            .what
            .contains("a sweep of 100000 credentials takes about 6 h 56 min")
    }));
}

#[test]
fn what_stands_for_a_word_that_was_not_kept_is_no_status_word() {
    for word in ["\u{2026}", "Token \u{2026}"] {
        let folder = Folder::with(&format!("[rules.status_words]\nhealthy = [\"{word}\"]\n"));
        let fault = folder.fault().to_string();
        assert!(fault.contains("rules.status_words.healthy"), "{fault}");
        assert!(fault.contains("left out"), "{fault}");
    }
}
