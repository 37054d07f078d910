//! How every kind of mail looks: subjects, words, headers, and the size that none exceeds.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leafwatch::config::Sender;
use leafwatch::mail::letter::{
    About, Connection, Doubt, Entry, Evidence, Letter, Letterhead, Looks, Occasion, OpenElsewhere,
    Shared, StillOpen, Tally, Thread, Told,
};
use leafwatch::mail::{MAX_BYTES, Mail, compose};
use leafwatch::model::{
    Audience, Cause, Daemon, EndedBy, Environment, IncidentId, Kind, News, Provider, Track,
};

use crate::support::mail::Opened;

fn at(text: &str) -> Timestamp {
    format!("2026-11-24T{text}:00Z").parse().unwrap()
}

fn told(incident: i64, kind: Kind, news: News) -> Told {
    Told {
        incident: Some(IncidentId(incident)),
        ended_at: (!news.is_trouble()).then(|| at("17:27")),
        looks: Some(Looks {
            so: 1,
            well: 0,
            of: 1,
            last_well: Some(at("14:00")),
        }),
        next_reminder: Some("2026-11-25T14:00:00Z".parse().unwrap()),
        times_before: Some(2),
        ..Told::new(news, kind, at("14:15"))
    }
}

const REMINDER: News = News::Reminder { new_to_you: false };

fn connection(name: &str) -> Connection {
    Connection {
        name: Some(name.to_owned()),
        user: "3c9d2f1e-1111-4222-8333-444455556666".parse().unwrap(),
        provider: Provider::JOHN_DEERE,
        status: Some("OK".to_owned()),
        environment: Some("PRODUCTION".to_owned()),
        expected: Some(Environment::Production),
        read_at: Some(at("14:15")),
        reconnect_url: None,
    }
}

fn entry(connection: Connection, told: Vec<Told>) -> Entry {
    Entry {
        about: About::Connection(Box::new(connection)),
        told,
    }
}

fn hillside(told: Vec<Told>) -> Entry {
    entry(connection("Hillside Farms"), told)
}

/// The commonest of all: a grower's access is gone, and the events say why.
fn revoked() -> Entry {
    let mut told = told(12, Kind::Invalid, News::Opened);
    told.cause = Some(Cause::GrowerMustReconnect);
    told.evidence = vec![Evidence {
        at: Some(at("13:58")),
        status_code: Some(400),
        text: r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#
            .to_owned(),
    }];
    let mut connection = connection("Hillside Farms");
    connection.status = Some("UNAUTHENTICATED".to_owned());
    connection.reconnect_url =
        Some("https://connect.example.com/?user=3c9d2f1e-1111-4222-8333-444455556666".to_owned());
    entry(connection, vec![told])
}

fn staged() -> Entry {
    let mut told = told(13, Kind::EnvironmentMismatch, News::Opened);
    told.cause = Some(Cause::WrongEnvironment {
        expected: Environment::Production,
    });
    let mut connection = connection("Prairie Wind");
    connection.environment = Some("STAGE".to_owned());
    entry(connection, vec![told])
}

fn own(kind: Kind, subject: &str, details: &[&str]) -> Entry {
    let mut told = told(30, kind, News::Opened);
    (told.looks, told.times_before) = (None, None);
    Entry {
        about: About::Own {
            subject: subject.to_owned(),
            details: details.iter().map(|line| (*line).to_owned()).collect(),
        },
        told: vec![told],
    }
}

fn sender(name: Option<&str>, address: &str) -> Sender {
    Sender {
        name: name.map(str::to_owned),
        address: address.parse().unwrap(),
    }
}

fn letter(entries: Vec<Entry>) -> Letter {
    Letter {
        head: Letterhead {
            instance: None,
            daemon: Daemon::default(),
            from: sender(Some("Leafwatch"), "leafwatch@example.com"),
            reply_to: Some(sender(None, "support-lead@example.com")),
            public_url: None,
        },
        to: vec![
            "anna@example.com".parse().unwrap(),
            "bob@example.com".parse().unwrap(),
        ],
        reader: Audience::Support,
        message_id: "<4f1c.12@leafwatch.example.com>".to_owned(),
        date: at("14:16"),
        thread: Thread::default(),
        zone: TimeZone::get("America/Chicago").unwrap(),
        occasion: Occasion::Notices,
        tally: Tally::of(&entries),
        entries,
        shared: Vec::new(),
        doubt: None,
        also_open: Vec::new(),
        also_open_more: 0,
    }
}

fn for_operators(entries: Vec<Entry>) -> Letter {
    Letter {
        reader: Audience::Operators,
        ..letter(entries)
    }
}

/// A letter for tests of the way.
pub(crate) fn plainest() -> Letter {
    letter(vec![revoked()])
}

/// Composes, and checks what holds for every mail.
fn open(letter: &Letter) -> (Mail, Opened) {
    let mail = compose(letter).unwrap();
    assert!(mail.bytes.is_ascii());
    assert!(mail.bytes.len() <= MAX_BYTES, "{}", mail.bytes.len());
    assert_eq!(mail, compose(letter).unwrap(), "not a pure function");
    let opened = Opened::new(&mail.bytes);
    assert_eq!(opened.header("Subject").unwrap(), mail.subject);
    assert_same_words(&opened);
    for remote in ["<img", "<link", "src=", "url(", "@import", "<script"] {
        assert!(!opened.html.contains(remote), "{remote}");
    }
    (mail, opened)
}

/// Every line of the text stands in the HTML too, but for headings and rules.
fn assert_same_words(opened: &Opened) {
    let html = opened
        .html_words()
        .to_lowercase()
        .replace("for the grower: connect again", "");
    for line in opened.text.lines() {
        let line = line.trim_start_matches("- ").to_lowercase();
        if line.starts_with("===")
            || line == "-- "
            || line.starts_with("for the grower, to connect again: ")
        {
            continue;
        }
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let cell = line.replacen(": ", " ", 1);
        assert!(
            html.contains(&line) || html.contains(&cell),
            "only in the text: {line}\n{html}"
        );
    }
}

fn subject(letter: &Letter) -> String {
    open(letter).0.subject
}

macro_rules! look {
    ($name:expr, $letter:expr) => {
        let (mail, opened) = open(&$letter);
        insta::assert_snapshot!(
            format!("{}_text", $name),
            format!("Subject: {}\n\n{}", mail.subject, opened.text)
        );
        insta::assert_snapshot!(format!("{}_html", $name), opened.html);
    };
}

mod own;
mod turns;

fn resolved(incident: i64, kind: Kind) -> Told {
    told(incident, kind, News::Resolved { told: kind })
}

fn still_open(kind: Kind) -> Option<StillOpen> {
    Some(StillOpen { kind, cause: None })
}

/// It was over before it was told.
fn brief(incident: i64, kind: Kind, until: &str) -> Told {
    let mut told = told(incident, kind, News::Brief);
    told.ended_at = Some(at(until));
    told
}

/// Our config ended it.
fn closed(incident: i64, kind: Kind, by: EndedBy) -> Told {
    let mut told = told(incident, kind, News::Closed { told: kind });
    told.ended_by = Some(by);
    told
}

/// It came back.
fn reopened(incident: i64, kind: Kind, well_for: Duration) -> Told {
    let mut told = told(incident, kind, News::Reopened);
    told.well_for = Some(well_for);
    told
}

#[test]
fn a_revoked_grower_as_support_and_as_operator_see_it() {
    look!("invalid_support", letter(vec![revoked()]));
    look!("invalid_operator", for_operators(vec![revoked()]));
}

#[test]
fn an_environment_mismatch_alone_and_beside_an_invalid_status() {
    look!("environment_mismatch", letter(vec![staged()]));
    let mut both = revoked();
    let About::Connection(connection) = &mut both.about else {
        panic!()
    };
    connection.environment = Some("STAGE".to_owned());
    both.told.extend(staged().told);
    look!("invalid_and_mismatch", for_operators(vec![both]));
}

#[test]
fn the_other_kinds_about_a_credential() {
    let mut missing = told(14, Kind::Missing, News::Opened);
    missing.cause = Some(Cause::CredentialGone);
    look!("missing", letter(vec![hillside(vec![missing])]));
    let mut limited = told(15, Kind::LimitedPermission, News::Opened);
    limited.cause = Some(Cause::TermsToAccept {
        url: Some("https://terms.example.com/accept".to_owned()),
    });
    look!("limited_permission", letter(vec![hillside(vec![limited])]));
    let mut early = told(16, Kind::FailingEvents, News::Opened);
    early.cause = Some(Cause::GrowerMustReconnect);
    look!("early_warning", letter(vec![hillside(vec![early])]));
    let unavailable = told(17, Kind::ProviderUnavailable, News::Opened);
    look!(
        "provider_unavailable",
        for_operators(vec![hillside(vec![unavailable])])
    );
    let unreadable = told(18, Kind::Unreadable, News::Opened);
    look!(
        "unreadable",
        for_operators(vec![hillside(vec![unreadable])])
    );
}

#[test]
fn an_incident_from_opened_to_closed_keeps_its_stem() {
    let say = |told| letter(vec![hillside(vec![told])]);
    let from = Kind::FailingEvents;
    let changed = say(told(12, Kind::Invalid, News::Changed { from }));
    let reopened = say(reopened(12, Kind::Invalid, Duration::from_secs(4800)));
    let mut reminder = say(told(12, Kind::Invalid, REMINDER));
    reminder.date = "2026-11-27T14:15:00Z".parse().unwrap();
    reminder.entries[0].told[0].looks = Some(Looks {
        so: 90,
        well: 10,
        of: 100,
        last_well: Some(at("14:00")),
    });
    let resolved_all = say(resolved(12, Kind::Invalid));
    let mut half = say(resolved(12, Kind::EnvironmentMismatch));
    half.entries[0].told[0].still_open = still_open(Kind::Invalid);
    half.tally = Tally::of(&half.entries);
    let not_expected = closed(12, Kind::EnvironmentMismatch, EndedBy::NotExpected);
    let closed = say(closed(12, Kind::Invalid, EndedBy::Unwatched));
    let mut unexpected = say(not_expected);
    unexpected.entries[0].told[0].ended_by_config = true;
    look!("no_longer_expected", unexpected);
    let mut mended_off = say(resolved(12, Kind::Invalid));
    mended_off.entries[0].told[0].ended_while_off = true;
    look!("resolved_while_off", mended_off);
    let brief = say(brief(12, Kind::Invalid, "14:40"));
    look!("changed", changed);
    look!("reopened", reopened);
    look!("reminder", reminder);
    look!("resolved", resolved_all);
    look!("half_resolved", half);
    look!("closed", closed);
    look!("brief", brief);
    let subjects: Vec<_> = [
        &changed,
        &reopened,
        &reminder,
        &resolved_all,
        &half,
        &closed,
        &brief,
    ]
    .map(subject)
    .to_vec();
    insta::assert_snapshot!(subjects.join("\n"), @r"
    [Leafwatch] CHANGED: Hillside Farms (John Deere), now invalid
    [Leafwatch] REOPENED: Hillside Farms (John Deere), invalid again
    [Leafwatch] REMINDER: Hillside Farms (John Deere), invalid for 3 d
    [Leafwatch] RESOLVED: Hillside Farms (John Deere) after 3 h 12 min
    [Leafwatch] STILL INVALID: Hillside Farms (John Deere), environment corrected
    [Leafwatch] CLOSED: Hillside Farms (John Deere), no longer watched
    [Leafwatch] RESOLVED: Hillside Farms (John Deere), was invalid for 25 min
    ");
}

#[test]
fn several_are_counted_and_the_worst_is_first() {
    let mut well = hillside(vec![resolved(9, Kind::Invalid)]);
    well.about = About::Connection(Box::new(connection("Sunny Acres")));
    let mut letter = letter(vec![revoked(), staged(), well]);
    letter.also_open = vec![OpenElsewhere {
        what: "Big Creek (Climate FieldView)".to_owned(),
        kind: Kind::Missing,
        since: at("09:00"),
        says: Some(("OK".to_owned(), at("14:00"))),
        recovering: true,
        acknowledged: true,
    }];
    letter.also_open_more = 3;
    letter.head.public_url = Some("https://leafwatch.example.com".to_owned());
    look!("several", letter);
}

fn many(count: usize, kind: Kind, cause: Option<Cause>) -> Vec<Entry> {
    (0..count)
        .map(|n| {
            let mut told = told(100 + n as i64, kind, News::Opened);
            told.cause = cause.clone();
            told.evidence = evidence_of(cause.as_ref());
            entry(connection(&format!("Grower {}", n + 1)), vec![told])
        })
        .collect()
}

fn evidence_of(cause: Option<&Cause>) -> Vec<Evidence> {
    let (status_code, text) = match cause {
        Some(Cause::AppSecretWrong { .. }) => (401, r#"{"error":"invalid_client"}"#),
        _ => return Vec::new(),
    };
    vec![Evidence {
        at: Some(at("13:58")),
        status_code: Some(status_code),
        text: text.to_owned(),
    }]
}

fn app_secret() -> Cause {
    Cause::AppSecretWrong {
        key_tail: Some("9f3c".to_owned()),
    }
}

#[test]
fn a_shared_cause_is_told_once_with_the_list_below_it() {
    let mut entries = many(5, Kind::Invalid, Some(app_secret()));
    entries.push(staged());
    let mut letter = letter(entries);
    letter.shared = vec![Shared {
        cause: app_secret(),
        kind: Kind::Invalid,
        provider: Provider::JOHN_DEERE,
        entries: (0..5).collect(),
        credentials: 5,
        more: false,
    }];
    look!("shared_cause", letter);
    letter.reader = Audience::Operators;
    letter.shared[0].more = true;
    letter.doubt = Some(Doubt { turned: 5, of: 8 });
    look!("stragglers_and_doubt", letter);
}

/// So many growers, each with a link of its own.
fn linked(count: usize, cause: Cause) -> Vec<Entry> {
    let mut entries = many(count, Kind::Invalid, Some(cause));
    for (nth, entry) in entries.iter_mut().enumerate() {
        if let About::Connection(connection) = &mut entry.about {
            connection.reconnect_url = Some(format!("https://connect.example.com/?user={nth}"));
        }
    }
    entries
}

#[test]
fn a_mail_of_many_has_each_ones_number_link_and_words() {
    let each = letter(linked(30, Cause::GrowerMustReconnect));
    look!("many_links", each);
    let (_, opened) = open(&each);
    for nth in 0..30 {
        let link = format!("https://connect.example.com/?user={nth}");
        let number = 100 + nth;
        assert!(opened.text.contains(&link), "{link}");
        assert!(
            [
                format!("Incident: {number}\n"),
                format!("incident {number};")
            ]
            .iter()
            .any(|words| opened.text.contains(words)),
            "{number}"
        );
    }
    // The words that are the same for all are said once.
    let (_, opened) = open(&letter(many(10, Kind::Invalid, None)));
    assert_eq!(opened.text.matches("WORDS TO PASS ON").count(), 1);
    let mut shared = letter(linked(6, Cause::GrowerMustReconnect));
    shared.shared = vec![Shared {
        cause: Cause::GrowerMustReconnect,
        kind: Kind::Invalid,
        provider: Provider::JOHN_DEERE,
        entries: (0..6).collect(),
        credentials: 6,
        more: false,
    }];
    look!("shared_links", shared);
}

#[test]
fn what_was_over_before_it_was_told_stands_below_in_one_line() {
    let over = |name| entry(connection(name), vec![brief(9, Kind::Invalid, "14:40")]);
    let letter = letter(vec![staged(), over("Sunny Acres"), over("Big Creek")]);
    assert_eq!(
        subject(&letter),
        "[Leafwatch] ENVIRONMENT MISMATCH: Prairie Wind (John Deere); 2 briefly in trouble"
    );
    look!("briefly", letter);
}

#[test]
fn the_first_look_and_reminders_are_summed_up() {
    let entries = many(3, Kind::Invalid, None);
    let mut first = letter(entries);
    first.occasion = Occasion::FirstLook {
        watched: 5000,
        read: 5000,
    };
    for entry in &mut first.entries {
        entry.told[0].first_look = true;
        entry.told[0].looks = Some(Looks {
            so: 1,
            well: 0,
            of: 1,
            last_well: None,
        });
    }
    first.tally.trouble.insert(Kind::Invalid, 298);
    first.tally.trouble.insert(Kind::EnvironmentMismatch, 2);
    look!("first_look", first);

    let mut reminders = letter(many(2, Kind::Invalid, None));
    for entry in &mut reminders.entries {
        entry.told[0].news = News::Reminder { new_to_you: true };
    }
    look!("reminders", reminders);
}

#[test]
fn account_and_own_troubles_speak_to_operators() {
    let mut subjects = Vec::new();
    for &kind in Kind::ALL {
        if matches!(kind.track(), Track::Account | Track::Own) {
            let mut letter = for_operators(vec![own(kind, "", &["a line of detail"])]);
            subjects.push(subject(&letter));
            letter.entries[0].told[0].news = News::Resolved { told: kind };
            letter.entries[0].told[0].ended_at = Some(at("17:27"));
            letter.tally = Tally::of(&letter.entries);
            subjects.push(subject(&letter));
        }
    }
    insta::assert_snapshot!(subjects.join("\n"), @r"
    [Leafwatch] CRITICAL: Leaf login refused
    [Leafwatch] RESOLVED: Leaf login refused after 3 h 12 min
    [Leafwatch] CRITICAL: Leaf unreachable
    [Leafwatch] RESOLVED: Leaf unreachable after 3 h 12 min
    [Leafwatch] CRITICAL: wrong Leaf account
    [Leafwatch] RESOLVED: wrong Leaf account after 3 h 12 min
    [Leafwatch] CRITICAL: contradicting environments
    [Leafwatch] RESOLVED: contradicting environments after 3 h 12 min
    [Leafwatch] WARNING: Leaf sends an unknown status word
    [Leafwatch] RESOLVED: Leaf sends an unknown status word after 3 h 12 min
    [Leafwatch] WARNING: one credential, several users
    [Leafwatch] RESOLVED: one credential, several users after 3 h 12 min
    [Leafwatch] WARNING: new config rejected
    [Leafwatch] RESOLVED: new config rejected after 3 h 12 min
    [Leafwatch] WARNING: mail not deliverable
    [Leafwatch] RESOLVED: mail not deliverable after 3 h 12 min
    [Leafwatch] WARNING: check overdue
    [Leafwatch] RESOLVED: check overdue after 3 h 12 min
    [Leafwatch] WARNING: events unread
    [Leafwatch] RESOLVED: events unread after 3 h 12 min
    [Leafwatch] WARNING: Leaf token expires soon
    [Leafwatch] RESOLVED: Leaf token expires soon after 3 h 12 min
    [Leafwatch] WARNING: watch list shrank
    [Leafwatch] RESOLVED: watch list shrank after 3 h 12 min
    [Leafwatch] WARNING: database not writable
    [Leafwatch] RESOLVED: database not writable after 3 h 12 min
    ");
}

/// Nobody must be left holding a RESOLVED for what is broken.
#[test]
fn resolved_is_said_only_where_nothing_of_the_credential_is_open() {
    let half = resolved(12, Kind::Invalid);
    let brief = brief(12, Kind::Invalid, "14:40");
    for mut told in [half, brief] {
        told.still_open = still_open(Kind::EnvironmentMismatch);
        let entry = |name| entry(connection(name), vec![told.clone()]);
        for letter in [
            letter(vec![entry("A")]),
            letter(vec![entry("A"), entry("B")]),
        ] {
            let (mail, opened) = self::open(&letter);
            for words in [&mail.subject, &opened.text, &opened.html_words()] {
                assert!(!words.contains("RESOLVED"), "{words}");
            }
            assert!(opened.text.contains("STILL ENVIRONMENT MISMATCH"));
            assert!(opened.text.contains("WHAT TO DO"));
        }
    }
}

#[test]
fn what_happened_out_of_sight_is_marked() {
    let mut entry = revoked();
    entry.told[0].while_off = true;
    entry.told[0].config_changed = true;
    let (_, opened) = open(&letter(vec![entry]));
    assert!(opened.text.contains("It happened while Leafwatch was off."));
    assert!(
        opened
            .text
            .contains("Our config changed, not the connection.")
    );
}

#[test]
fn subjects_of_mixed_mails_count_credentials() {
    let well = |name: &str| entry(connection(name), vec![resolved(9, Kind::Invalid)]);
    let account = || own(Kind::LeafLogin, "", &[]);
    let mut forty_seven = many(45, Kind::Invalid, None);
    forty_seven.extend((0..2).map(|_| staged()));
    let again = |name: &str| {
        let again = reopened(9, Kind::Invalid, Duration::from_secs(60));
        entry(connection(name), vec![again])
    };
    let mut named = letter(vec![revoked()]);
    named.head.instance = Some("production".to_owned());
    let letters = [
        named,
        letter(forty_seven),
        letter(vec![revoked(), well("A"), well("B")]),
        letter(vec![well("A"), well("B")]),
        letter(vec![again("A"), again("B")]),
        letter(vec![again("A"), staged()]),
        for_operators(vec![account(), revoked()]),
        for_operators(vec![account(), revoked(), staged(), well("A")]),
        for_operators(vec![account(), own(Kind::Storage, "", &[])]),
    ];
    let subjects: Vec<_> = letters.iter().map(subject).collect();
    insta::assert_snapshot!(subjects.join("\n"), @r"
    [Leafwatch production] INVALID: Hillside Farms (John Deere)
    [Leafwatch] 47 credentials need attention: 45 invalid, 2 environment mismatch
    [Leafwatch] INVALID: Hillside Farms (John Deere); 2 resolved
    [Leafwatch] RESOLVED: 2 credentials
    [Leafwatch] REOPENED: 2 credentials need attention: 2 invalid
    [Leafwatch] 2 credentials need attention: 1 invalid, 1 environment mismatch
    [Leafwatch] CRITICAL: Leaf login refused; 1 credential needs attention: 1 invalid
    [Leafwatch] CRITICAL: Leaf login refused; 2 credentials need attention: 1 invalid, 1 environment mismatch; 1 resolved
    [Leafwatch] CRITICAL: Leaf login refused; database not writable
    ");
}

#[test]
fn the_headers_thread_sort_and_keep_machines_quiet() {
    let mut letter = letter(vec![revoked()]);
    letter.head.instance = Some("Nord/Süd".to_owned());
    letter.thread = Thread {
        references: (0..25)
            .map(|n| format!("<{n}@leafwatch.example.com>"))
            .collect(),
        in_reply_to: Some("<7@leafwatch.example.com>".to_owned()),
    };
    let (_, opened) = open(&letter);
    let references = opened.header("References").unwrap();
    assert!(
        references.starts_with("<5@leafwatch.example.com> <6@"),
        "{references}"
    );
    assert_eq!(references.split(' ').count(), 20);
    insta::assert_snapshot!(opened.head().replace(&references, "(20 of them)"), @r#"
    From: Leafwatch <leafwatch@example.com>
    Subject: [Leafwatch =?utf-8?b?Tm9yZC9Tw7xkXQ==?= INVALID: Hillside Farms (John Deere)
    Date: Tue, 24 Nov 2026 14:16:00 +0000
    Message-ID: <4f1c.12@leafwatch.example.com>
    To: anna@example.com, bob@example.com
    Reply-To: support-lead@example.com
    In-Reply-To: <7@leafwatch.example.com>
    References: (20 of them)
    List-Id: Leafwatch Nord-S-d <Nord-S-d.leafwatch.example.com>
    Auto-Submitted: auto-generated
    X-Auto-Response-Suppress: All
    MIME-Version: 1.0
    Content-Type: multipart/alternative; boundary="=_leafwatch_30c21961b437c8cc4dcceb63"
    "#);
}

#[test]
fn foreign_text_neither_breaks_a_header_nor_the_page() {
    let mut nasty = revoked();
    let About::Connection(connection) = &mut nasty.about else {
        panic!()
    };
    connection.name = Some("Söhne <b>&\r\nBcc: eve@example.com \u{202e}x".to_owned());
    connection.status = Some("</td><script>alert(1)</script>".to_owned());
    connection.reconnect_url = Some("https://x.example/?a=\"><img src=x>".to_owned());
    nasty.told[0].evidence[0].text = "<img src=https://evil.example/x>\0".to_owned();
    let mut letter = letter(vec![nasty]);
    letter.head.from.name = Some("Leaf\r\nwatch\0".to_owned());
    let mail = compose(&letter).unwrap();
    let opened = Opened::new(&mail.bytes);
    assert_eq!(
        opened.header("Subject").unwrap(),
        "[Leafwatch] INVALID: Söhne <b>& Bcc: eve@example.com x (John Deere)"
    );
    assert_eq!(opened.header("Bcc"), None);
    assert_eq!(
        opened.header("From").unwrap(),
        "\"Leaf watch\" <leafwatch@example.com>"
    );
    for tag in ["<script", "<img", "<b>&"] {
        assert!(!opened.html.contains(tag), "{tag}");
    }
    assert!(opened.text.contains("</td><script>alert(1)</script>"));
}

#[test]
fn no_mail_grows_beyond_its_bound_and_what_is_left_out_is_counted() {
    for (given, all) in [
        (30, 30),
        (300, 300),
        (1_000, 10_000),
        (10_000, 10_000),
        (1_000, 100_000),
    ] {
        let mut letter = letter(many(given, Kind::Invalid, None));
        letter.tally.trouble.insert(Kind::Invalid, all);
        let mail = compose(&letter).unwrap();
        assert!(mail.bytes.len() <= MAX_BYTES, "{}", mail.bytes.len());
        let opened = Opened::new(&mail.bytes);
        let left_out = all - mail.named as u64;
        if left_out == 0 {
            assert!(!opened.text.contains("has no room"));
            continue;
        }
        assert!(
            mail.named > 150 && mail.bytes.len() > MAX_BYTES * 9 / 10,
            "{}",
            mail.named
        );
        let told = format!("{} more", leafwatch::view::words::number(left_out));
        assert!(opened.text.contains(&told) && opened.text.contains("leafwatch incidents"));
        assert!(opened.html.contains(&told));
    }
}

#[test]
fn a_shared_cause_of_a_whole_fleet_fits_too() {
    let mut letter = letter(many(1_000, Kind::Invalid, Some(app_secret())));
    letter.tally.trouble.insert(Kind::Invalid, 100_000);
    letter.shared = vec![Shared {
        cause: app_secret(),
        kind: Kind::Invalid,
        provider: Provider::JOHN_DEERE,
        entries: (0..1_000).collect(),
        credentials: 100_000,
        more: false,
    }];
    let (mail, opened) = open(&letter);
    assert_eq!(
        mail.subject,
        "[Leafwatch] 100,000 credentials need attention: 100,000 invalid"
    );
    assert!(
        opened
            .text
            .contains("100,000 credentials (John Deere), likely one cause")
    );
    let more = format!(
        "… and {} more",
        leafwatch::view::words::number(100_000 - mail.named as u64)
    );
    assert!(opened.text.contains(&more));
}

#[test]
fn long_words_in_far_scripts_stay_within_the_bound() {
    let long = "農場".repeat(500);
    let mut entries = many(200, Kind::Invalid, None);
    for entry in &mut entries {
        let About::Connection(connection) = &mut entry.about else {
            panic!()
        };
        connection.name = Some(long.clone());
        connection.status = Some(long.clone());
        entry.told[0].evidence = vec![Evidence {
            at: None,
            status_code: None,
            text: long.clone(),
        }];
    }
    let details: Vec<&str> = vec![&long; 500];
    entries.insert(0, own(Kind::ConfigRejected, &long, &details));
    let mail = compose(&for_operators(entries)).unwrap();
    assert!(mail.bytes.len() <= MAX_BYTES, "{}", mail.bytes.len());
    assert!(mail.named > 3);
}
