//! Every fault a mail server can have, at every phase: none hangs, none loses or doubles a mail in silence.

use std::time::Duration;

use base64::Engine as _;
use leafwatch::config::{self, Email, Sender, Tls, Transport};
use leafwatch::mail::send::{Deadlines, Fault, Mailer, Phase, Verdict};

use crate::support::smtp::{Act, At, Manner, PASSWORD, Security, Shown, Smtp, USER};

const MAIL: &[u8] = b"Subject: x\r\n\r\nfirst\r\n.second begins with a dot\r\n..third\r\n";

/// Deadlines for tests in which somebody stays silent.
const SHORT: Deadlines = Deadlines {
    connect: Duration::from_millis(700),
    command: Duration::from_millis(700),
    body: Duration::from_millis(700),
};

/// A server, and how mails get there.
struct Way {
    email: Email,
    deadlines: Deadlines,
    root: Vec<u8>,
}

impl Way {
    fn mailer(&self) -> Mailer {
        Mailer::new(self.deadlines).trusting(self.root.clone())
    }
}

fn way(smtp: &Smtp, tls: Tls) -> Way {
    let server = config::Smtp {
        host: "localhost".to_owned(),
        port: smtp.port(),
        tls,
        username: Some(USER.to_owned()),
        password: Some(smtp.secret(PASSWORD)),
    };
    let from = Sender {
        name: None,
        address: "leafwatch@example.com".parse().unwrap(),
    };
    Way {
        email: Email {
            transport: Transport::Smtp(server),
            from,
            reply_to: None,
            bounce_to: None,
        },
        deadlines: Deadlines::default(),
        root: smtp.root(),
    }
}

fn impatient(smtp: &Smtp, tls: Tls) -> Way {
    Way {
        deadlines: SHORT,
        ..way(smtp, tls)
    }
}

async fn send(way: &Way, mailer: &mut Mailer, to: &str) -> Verdict {
    mailer.deliver(&way.email, &to.parse().unwrap(), MAIL).await
}

async fn send_one(way: &Way) -> Verdict {
    send(way, &mut way.mailer(), "anna@example.com").await
}

#[track_caller]
fn deferred(verdict: Verdict) -> Fault {
    match verdict {
        Verdict::Deferred(fault) => fault,
        other => panic!("wanted deferred, got {other:?}"),
    }
}

#[track_caller]
fn accepted(verdict: &Verdict) {
    assert!(
        matches!(verdict, Verdict::Accepted { code: 250, .. }),
        "{verdict:?}"
    );
}

fn reply(line: &str) -> Act {
    Act::Reply(line.to_owned())
}

fn starttls() -> Manner {
    Manner {
        security: Security::StartTls,
        ..Manner::default()
    }
}

#[tokio::test]
async fn a_mail_arrives_byte_for_byte_over_each_kind_of_connection() {
    for (security, tls) in [
        (Security::Plain, Tls::None),
        (Security::StartTls, Tls::StartTls),
        (Security::Implicit, Tls::Implicit),
    ] {
        for auth in ["PLAIN", "LOGIN", "PLAIN LOGIN"] {
            let smtp = Smtp::start_as(Manner {
                security,
                auth,
                ..Manner::default()
            });
            let verdict = send_one(&way(&smtp, tls)).await;
            accepted(&verdict);
            let mails = smtp.wait_for(1);
            assert_eq!(mails.len(), 1);
            assert_eq!(mails[0].header("subject").unwrap(), "x");
            assert_eq!(mails[0].bytes, MAIL, "{}", mails[0].text());
            assert_eq!(mails[0].from, "leafwatch@example.com");
            assert_eq!(mails[0].to, ["anna@example.com"]);
            assert!(smtp.dialogue().contains(&"S: 235 welcome".to_owned()));
        }
    }
}

#[tokio::test]
async fn one_connection_carries_several_deliveries_and_says_goodbye() {
    let smtp = Smtp::start();
    let way = way(&smtp, Tls::None);
    let mut mailer = way.mailer();
    for to in ["anna@example.com", "bob@example.com", "carol@example.com"] {
        accepted(&send(&way, &mut mailer, to).await);
    }
    mailer.finish().await;
    assert_eq!(smtp.connections(), 1);
    assert_eq!(smtp.accepted().len(), 3);
    assert_eq!(smtp.dialogue().last().unwrap(), "S: 221 bye");
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced_at_once() {
    let smtp = Smtp::start();
    let way = way(&smtp, Tls::None);
    let mut mailer = way.mailer();
    accepted(&send(&way, &mut mailer, "anna@example.com").await);
    smtp.go_away();
    smtp.come_back();
    accepted(&send(&way, &mut mailer, "bob@example.com").await);
    smtp.times(1, At::MailFrom, reply("421 4.4.2 idle for too long"));
    accepted(&send(&way, &mut mailer, "carol@example.com").await);
    assert_eq!(smtp.connections(), 3);
    assert_eq!(smtp.accepted().len(), 3);
}

#[tokio::test]
async fn a_refused_recipient_hurts_nobody_else() {
    let smtp = Smtp::start();
    smtp.always_for("bob@example.com", reply("550 5.1.1 no such user"));
    let way = way(&smtp, Tls::None);
    let mut mailer = way.mailer();
    accepted(&send(&way, &mut mailer, "anna@example.com").await);
    let refused = send(&way, &mut mailer, "bob@example.com").await;
    let Verdict::Refused(fault) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((fault.phase, fault.code), (Phase::RcptTo, Some(550)));
    assert_eq!(fault.reply, "5.1.1 no such user");
    accepted(&send(&way, &mut mailer, "carol@example.com").await);
    let told: Vec<_> = smtp
        .accepted()
        .into_iter()
        .flat_map(|mail| mail.to)
        .collect();
    assert_eq!(told, ["anna@example.com", "carol@example.com"]);
}

/// Each place in which a server can answer, and the phase that must be named.
const PLACES: [(At, Phase); 8] = [
    (At::Greeting, Phase::Greeting),
    (At::Ehlo, Phase::Ehlo),
    (At::StartTls, Phase::StartTls),
    (At::Auth, Phase::Auth),
    (At::MailFrom, Phase::MailFrom),
    (At::RcptTo, Phase::RcptTo),
    (At::Data, Phase::Data),
    (At::Body, Phase::Body),
];

#[tokio::test]
async fn a_temporary_refusal_at_any_phase_is_deferred_and_then_gets_through() {
    for (at, phase) in PLACES {
        let smtp = Smtp::start_as(starttls());
        smtp.times(1, at, reply("451 4.3.0 try again later"));
        let way = way(&smtp, Tls::StartTls);
        let fault = deferred(send_one(&way).await);
        assert_eq!(
            (fault.phase, fault.code, fault.ours),
            (phase, Some(451), false)
        );
        assert_eq!(fault.reply, "4.3.0 try again later");
        assert_eq!(smtp.accepted(), []);
        accepted(&send_one(&way).await);
        assert_eq!(smtp.accepted().len(), 1);
    }
}

#[tokio::test]
async fn a_final_refusal_is_about_the_mail_only_from_the_recipient_on() {
    for (at, phase) in PLACES {
        let smtp = Smtp::start_as(starttls());
        smtp.always(at, reply("554 5.7.1 no"));
        let verdict = send_one(&way(&smtp, Tls::StartTls)).await;
        let fault = if phase < Phase::RcptTo {
            let fault = deferred(verdict);
            assert!(fault.ours, "{fault:?}");
            fault
        } else {
            let Verdict::Refused(fault) = verdict else {
                panic!("{phase}: {verdict:?}")
            };
            fault
        };
        assert_eq!((fault.phase, fault.code), (phase, Some(554)));
        assert_eq!(smtp.accepted(), []);
    }
}

#[tokio::test]
async fn a_recipient_refused_for_want_of_a_login_is_our_set_up() {
    let smtp = Smtp::start();
    smtp.always(At::RcptTo, reply("530 5.7.0 authentication required"));
    let fault = deferred(send_one(&way(&smtp, Tls::None)).await);
    assert!(fault.ours);
}

#[tokio::test]
async fn a_server_that_falls_silent_at_any_phase_is_left_in_time() {
    let starttls_places = PLACES.map(|(at, phase)| (at, phase, Tls::StartTls));
    let others = [
        (At::Handshake, Phase::StartTls, Tls::StartTls),
        (At::Handshake, Phase::Tls, Tls::Implicit),
        (At::Greeting, Phase::Greeting, Tls::Implicit),
        (At::Ehlo, Phase::Ehlo, Tls::Implicit),
    ];
    let mut cases = tokio::task::JoinSet::new();
    for (at, phase, tls) in starttls_places.into_iter().chain(others) {
        for act in [Act::Tarpit, Act::Drip] {
            cases.spawn(silent(at, act, phase, tls));
        }
    }
    let finished = cases.join_all();
    let within = tokio::time::timeout(Duration::from_secs(20), finished);
    assert_eq!(within.await.expect("one hangs").len(), 24);
}

async fn silent(at: At, act: Act, phase: Phase, tls: Tls) {
    let security = match tls {
        Tls::Implicit => Security::Implicit,
        _ => Security::StartTls,
    };
    let smtp = Smtp::start_as(Manner {
        security,
        ..Manner::default()
    });
    smtp.times(1, at, act.clone());
    let fault = deferred(send_one(&impatient(&smtp, tls)).await);
    assert_eq!(
        (fault.phase, fault.code, fault.ours),
        (phase, None, false),
        "{act:?} {fault}"
    );
    assert!(fault.reply.starts_with("no answer within"), "{fault}");
    assert_eq!(smtp.accepted(), []);
}

/// Neither a line without end nor a reply without end is kept in memory, in the clear or inside TLS; with the deadlines of
/// every day, long before which the connection is closed.
#[tokio::test]
async fn a_server_that_never_stops_talking_is_left_at_once() {
    let starttls_places = PLACES.map(|(at, phase)| (at, phase, Tls::StartTls));
    let others = [
        (At::Greeting, Phase::Greeting, Tls::Implicit),
        (At::Ehlo, Phase::Ehlo, Tls::None),
        (At::Body, Phase::Body, Tls::Implicit),
    ];
    for (at, phase, tls) in starttls_places.into_iter().chain(others) {
        for (act, said) in [
            (Act::Endless, "the server's line is longer than 4 KiB"),
            (Act::Lines, "the server's reply is longer than 100 lines"),
        ] {
            let smtp = Smtp::start_as(Manner {
                security: match tls {
                    Tls::Implicit => Security::Implicit,
                    Tls::StartTls => Security::StartTls,
                    Tls::None => Security::Plain,
                },
                ..Manner::default()
            });
            smtp.times(1, at, act);
            let way = way(&smtp, tls);
            let sending = tokio::time::timeout(Duration::from_secs(20), send_one(&way));
            let fault = deferred(sending.await.expect("it listens on"));
            assert_eq!(
                (fault.phase, fault.code, fault.reply.as_str()),
                (phase, None, said),
                "{fault}"
            );
            // No more than what the system keeps for a connection by itself.
            assert!(smtp.poured() < 16 << 20, "{} bytes", smtp.poured());
            accepted(&send_one(&way).await);
        }
    }
}

#[tokio::test]
async fn a_connection_cut_at_any_phase_is_deferred() {
    for (at, phase) in PLACES {
        let smtp = Smtp::start_as(starttls());
        smtp.always(at, Act::Drop);
        let way = way(&smtp, Tls::StartTls);
        let fault = deferred(send_one(&way).await);
        assert_eq!(
            (fault.phase, fault.code, fault.ours),
            (phase, None, false),
            "{fault}"
        );
        assert_eq!(smtp.accepted(), []);
        smtp.heal();
        accepted(&send_one(&way).await);
    }
}

#[tokio::test]
async fn cut_before_the_250_is_the_documented_duplicate_and_after_it_is_none() {
    let smtp = Smtp::start();
    let way = way(&smtp, Tls::None);
    smtp.times(1, At::Body, Act::KeepAndDrop);
    let fault = deferred(send_one(&way).await);
    assert_eq!((fault.phase, fault.code), (Phase::Body, None));
    accepted(&send_one(&way).await);
    let mails = smtp.accepted();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].bytes, mails[1].bytes);

    smtp.times(1, At::Body, Act::ReplyAndDrop);
    let mut mailer = way.mailer();
    accepted(&send(&way, &mut mailer, "anna@example.com").await);
    accepted(&send(&way, &mut mailer, "bob@example.com").await);
    assert_eq!(smtp.accepted().len(), 4);
}

#[tokio::test]
async fn a_reply_that_is_no_plain_yes_is_no_success() {
    for (at, line) in [
        (At::Body, "354 go on"),
        (At::Body, "251 elsewhere"),
        (At::Data, "250 ok"),
        (At::MailFrom, "354 what"),
        (At::Auth, "250 ok"),
    ] {
        let smtp = Smtp::start();
        smtp.times(1, at, reply(line));
        // A server that takes "250" at DATA for the end waits on; so do we, but not for ever.
        let fault = deferred(send_one(&impatient(&smtp, Tls::None)).await);
        assert!(fault.code.is_some() || at == At::Data, "{fault}");
    }
}

#[tokio::test]
async fn a_bad_certificate_is_our_set_up_and_no_mail_and_no_password_is_sent() {
    for certificate in [Shown::OtherCa, Shown::WrongName] {
        for (security, tls) in [
            (Security::StartTls, Tls::StartTls),
            (Security::Implicit, Tls::Implicit),
        ] {
            let smtp = Smtp::start_as(Manner {
                security,
                certificate,
                ..Manner::default()
            });
            let fault = deferred(send_one(&way(&smtp, tls)).await);
            assert!(fault.ours && fault.phase == Phase::Tls, "{fault}");
            assert!(fault.reply.contains("certificate"), "{fault}");
            assert!(!smtp.dialogue().iter().any(|line| line.contains("AUTH")));
        }
    }
}

#[tokio::test]
async fn without_starttls_or_a_login_offered_nothing_is_sent() {
    let smtp = Smtp::start_as(Manner {
        offer_starttls: false,
        ..starttls()
    });
    let fault = deferred(send_one(&way(&smtp, Tls::StartTls)).await);
    assert!(fault.ours && fault.phase == Phase::StartTls, "{fault}");

    for auth in ["", "CRAM-MD5"] {
        let smtp = Smtp::start_as(Manner {
            auth,
            ..Manner::default()
        });
        let fault = deferred(send_one(&way(&smtp, Tls::None)).await);
        assert!(fault.ours && fault.phase == Phase::Auth, "{fault}");
        assert_eq!(smtp.accepted(), []);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_where_it_should_is_our_set_up() {
    let smtp = Smtp::start();
    let fault = deferred(send_one(&impatient(&smtp, Tls::Implicit)).await);
    assert!(fault.ours && fault.phase == Phase::Tls, "{fault}");
}

#[tokio::test]
async fn nobody_there_is_deferred_until_somebody_is() {
    let smtp = Smtp::start();
    let way = way(&smtp, Tls::None);
    smtp.go_away();
    let fault = deferred(send_one(&way).await);
    assert_eq!(
        (fault.phase, fault.code, fault.ours),
        (Phase::Connect, None, false)
    );
    smtp.come_back();
    accepted(&send_one(&way).await);
}

#[tokio::test]
async fn the_password_never_shows_however_and_whenever_it_is_echoed() {
    let smtp = Smtp::start();
    let encoded = base64::prelude::BASE64_STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let way = way(&smtp, Tls::None);
    let shown = format!("{:?} {:?}", way.email, way.mailer());
    assert!(!shown.contains("correct horse"));
    let reversed: String = PASSWORD.chars().rev().collect();
    let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    for echo in [
        PASSWORD,
        &encoded,
        &reversed,
        &hex,
        &PASSWORD[..8],
        &encoded[4..20],
    ] {
        for at in [At::Auth, At::MailFrom, At::Body] {
            smtp.times(1, at, reply(&format!("535 5.7.8 no: <{echo}>")));
            let (Verdict::Deferred(fault) | Verdict::Refused(fault)) = send_one(&way).await else {
                panic!("accepted")
            };
            assert_eq!(fault.code, Some(535));
            assert!(fault.reply.starts_with("5.7.8 no: "), "{fault}");
            let shown = fault.to_string().to_lowercase();
            for word in echo.to_lowercase().split_whitespace() {
                assert!(!shown.contains(word), "{word} in {fault}");
            }
        }
    }
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_our_set_up() {
    let smtp = Smtp::start();
    let way = way(&smtp, Tls::None);
    let file = smtp.secret("").path().display().to_string();
    let fault = deferred(send_one(&way).await);
    assert_eq!((fault.phase, fault.ours), (Phase::Settings, true));
    let told = format!("{file} is empty; put the secret into {file} (chmod 600), on one line");
    assert_eq!(fault.reply, told);
    assert_eq!(smtp.connections(), 0);
}

#[tokio::test]
async fn a_reply_cannot_steer_a_terminal_or_fill_the_database() {
    let smtp = Smtp::start();
    let long = format!("550-\u{1b}[2Jgone\r\n550 {}", "no use ".repeat(120));
    smtp.always(At::RcptTo, Act::Reply(long));
    let Verdict::Refused(fault) = send_one(&way(&smtp, Tls::None)).await else {
        panic!("not refused")
    };
    assert!(fault.reply.starts_with("[2Jgone no use"), "{fault}");
    assert!((199..=200).contains(&fault.reply.chars().count()));
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_server_that_takes_it() {
    let smtp = Smtp::start();
    let to = "änne@example.com";
    let before = way(&smtp, Tls::None);
    let verdict = send(&before, &mut before.mailer(), to).await;
    let Verdict::Refused(fault) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(fault.code, Some(553));
    let smtp = Smtp::start_as(Manner {
        extensions: &["8BITMIME", "SMTPUTF8"],
        ..Manner::default()
    });
    let after = way(&smtp, Tls::None);
    accepted(&send(&after, &mut after.mailer(), to).await);
    assert!(
        smtp.dialogue()
            .iter()
            .any(|line| line.ends_with("SMTPUTF8") && line.contains("MAIL"))
    );
}

#[tokio::test]
async fn a_delivery_given_up_half_way_leaves_no_connection_behind() {
    let smtp = Smtp::start();
    let way = way(&smtp, Tls::None);
    let mut mailer = way.mailer();
    accepted(&send(&way, &mut mailer, "anna@example.com").await);
    smtp.times(1, At::Body, Act::Tarpit);
    let half_way = send(&way, &mut mailer, "bob@example.com");
    let given_up = tokio::time::timeout(Duration::from_millis(200), half_way).await;
    assert!(given_up.is_err());
    accepted(&send(&way, &mut mailer, "carol@example.com").await);
    assert_eq!(smtp.connections(), 2);
}

#[tokio::test]
async fn a_probe_goes_as_far_as_the_login() {
    let smtp = Smtp::start_as(starttls());
    let way = way(&smtp, Tls::StartTls);
    let mailer = way.mailer();
    let words = mailer.probe(&way.email.transport).await.unwrap();
    assert_eq!(
        words,
        format!(
            "localhost:{} answers with STARTTLS, logged in as leafwatch",
            smtp.port()
        )
    );
    smtp.always(At::Auth, reply("535 5.7.8 bad login"));
    let fault = mailer.probe(&way.email.transport).await.unwrap_err();
    assert_eq!((fault.phase, fault.ours), (Phase::Auth, true));
    assert!(
        !smtp
            .dialogue()
            .iter()
            .any(|line| line.contains("MAIL FROM"))
    );
}

/// Somebody on the way slips replies in before the encryption begins: they must not pass for the server's.
#[tokio::test]
async fn replies_slipped_in_before_tls_are_noticed() {
    for slipped in [
        "250 2.0.0 queued",
        "250-localhost\r\n250 AUTH PLAIN",
        "250 localhost\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 queued",
    ] {
        let smtp = Smtp::start_as(starttls());
        smtp.times(
            1,
            At::StartTls,
            Act::Reply(format!("220 go ahead\r\n{slipped}")),
        );
        let mut way = way(&smtp, Tls::StartTls);
        if let Transport::Smtp(smtp) = &mut way.email.transport {
            (smtp.username, smtp.password) = (None, None);
        }
        let fault = deferred(send_one(&way).await);
        assert!(fault.ours && fault.phase == Phase::Tls, "{fault}");
        accepted(&send_one(&way).await);
        assert_eq!(smtp.accepted().len(), 1);
    }
}

#[tokio::test]
async fn a_composed_mail_arrives_as_it_was_composed() {
    let smtp = Smtp::start();
    let mail = leafwatch::mail::compose(&crate::mail_look::plainest()).unwrap();
    let address = "anna@example.com".parse().unwrap();
    let way = way(&smtp, Tls::None);
    let mut mailer = way.mailer();
    let verdict = mailer.deliver(&way.email, &address, &mail.bytes).await;
    accepted(&verdict);
    assert_eq!(smtp.wait_for(1)[0].bytes, mail.bytes);
}

/// With them the library would log the password and whole mails, and take one reply for another's.
#[test]
fn the_mail_library_is_built_without_its_log_and_its_pool() {
    let output = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "features",
            "--invert",
            "lettre",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("lettre feature \"smtp-transport\""), "{tree}");
    for feature in ["tracing", "pool"] {
        assert!(
            !tree.contains(&format!("lettre feature \"{feature}\"")),
            "{tree}"
        );
    }
}
