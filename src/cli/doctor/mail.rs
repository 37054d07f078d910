//! The way to the mail server: to the login, or with a real mail all the way.

use jiff::Timestamp;

use crate::app::{self, Pace};
use crate::config::Config;
use crate::mail::compose_trial;
use crate::mail::send::{self, Fault, Phase, Verdict};
use crate::model::Address;
use crate::view::doctor::Finding;

/// As far as one comes without a mail.
pub(super) async fn server(config: &Config, pace: Pace) -> Finding {
    const CHECK: &str = "mail server";
    if super::lacks_secret(config, "email.") {
        return Finding::skipped(CHECK, "not tried without its secret");
    }
    match send::probe(&app::settings_at(config, pace).transport).await {
        Ok(answered) => Finding::ok(CHECK, answered),
        Err(fault) => Finding::wrong(CHECK, fault.to_string(), advice(&fault)),
    }
}

/// A real mail to `to`, by the path of every alert.
pub(super) async fn send(config: &Config, pace: Pace, to: &Address, now: Timestamp) -> Finding {
    const CHECK: &str = "test mail";
    let settings = app::settings_at(config, pace);
    let from = settings.sender.from.as_str();
    let domain = from.rsplit('@').next().unwrap_or("leafwatch.invalid");
    let message_id = format!(
        "<leafwatch.{}.doctor.{}@{domain}>",
        now.as_millisecond(),
        std::process::id()
    );
    let mail = match compose_trial(&settings.sender, to, &message_id, now) {
        Ok(mail) => mail,
        Err(error) => return Finding::wrong(CHECK, error.to_string(), "check the address"),
    };
    let mut session = None;
    let verdict = send::deliver(
        &settings.transport,
        &mut session,
        &settings.envelope_from,
        to,
        &mail.bytes,
    )
    .await;
    send::finish(&mut session).await;
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
