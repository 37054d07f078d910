//! The way to the mail server: to the login, or with a real mail all the way.

use jiff::Timestamp;

use crate::app::Patience;
use crate::config::Config;
use crate::mail::compose_trial;
use crate::mail::letter::Letterhead;
use crate::mail::send::{Fault, Mailer, Phase, Verdict};
use crate::model::Address;
use crate::view::doctor::Finding;

/// As far as one comes without a mail.
pub(super) async fn server(config: &Config, patience: Patience) -> Finding {
    const CHECK: &str = "mail server";
    if super::lacks_secret(config, "email.") {
        return Finding::skipped(CHECK, "not tried without its secret");
    }
    let mailer = Mailer::new(patience.deadlines);
    match mailer.probe(&config.email.transport).await {
        Ok(answered) => Finding::ok(CHECK, answered),
        Err(fault) => Finding::wrong(CHECK, fault.to_string(), advice(&fault)),
    }
}

/// A real mail to `to`, by the path of every alert.
pub(super) async fn send(
    config: &Config,
    patience: Patience,
    to: &Address,
    now: Timestamp,
) -> Finding {
    const CHECK: &str = "test mail";
    let head = Letterhead::of(config);
    let message_id = head.message_id(now, format_args!("doctor.{}", std::process::id()));
    let mail = match compose_trial(&head, to, &message_id, now) {
        Ok(mail) => mail,
        Err(error) => return Finding::wrong(CHECK, error.to_string(), "check the address"),
    };
    let mut mailer = Mailer::new(patience.deadlines);
    let verdict = mailer.deliver(&config.email, to, &mail.bytes).await;
    mailer.finish().await;
    match verdict {
        Verdict::Accepted { server, reply, .. } => Finding::ok(
            CHECK,
            format!(
                "{server} took it for {to} ({reply}); see that it is in the mailbox, and not among spam"
            ),
        ),
        Verdict::Refused(fault) | Verdict::Deferred(fault) => {
            Finding::wrong(CHECK, fault.to_string(), advice(&fault))
        }
    }
}

fn advice(fault: &Fault) -> &'static str {
    match fault.phase {
        Phase::Settings => "see email.smtp.password_file",
        Phase::Connect => "check email.smtp.host and port, DNS and the firewall",
        Phase::Tls | Phase::StartTls => {
            "check email.smtp.tls (587 is \"starttls\", 465 \"implicit\") and the server's certificate"
        }
        Phase::Greeting | Phase::Ehlo => {
            "ask who runs the mail server whether it takes mail from this machine"
        }
        Phase::Auth => "check email.smtp.username and what is in email.smtp.password_file",
        Phase::MailFrom => "check email.from and email.bounce_to: may this login send as them?",
        Phase::RcptTo => "check the address, and whether the server takes mail for it",
        Phase::Data | Phase::Body => "ask who runs the mail server why it does not take the mail",
        Phase::Folder => {
            "let the user that runs leafwatch write into email.directory; in the unit, let it lie below StateDirectory="
        }
    }
}
