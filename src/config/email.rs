//! `[email]`: how mail leaves this machine, and in whose name.

use std::path::PathBuf;

use strum::IntoStaticStr;

use super::addresses::WRITE_ADDRESS;
use super::fault::quoted;
use super::reader::Section;
use super::secret::SecretFile;
use super::url::is_loopback;
use crate::model::Address;

/// `[email]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// How it leaves.
    pub transport: Transport,
    /// Whom it comes from.
    pub from: Sender,
    /// Whom an answer goes to; left out, `from`.
    pub reply_to: Option<Sender>,
    /// The envelope sender, who gets the bounces; left out, the address of `from`.
    pub bounce_to: Option<Address>,
}

impl Email {
    /// Who gets the bounces.
    pub fn envelope_from(&self) -> &Address {
        self.bounce_to.as_ref().unwrap_or(&self.from.address)
    }
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To a mail server.
    Smtp(Smtp),
    /// One `.eml` a mail into a folder, for trials; nobody is mailed.
    File {
        /// The folder, resolved against the config file; need not exist yet.
        directory: PathBuf,
    },
}

/// `[email.smtp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Name or address of the mail server; its certificate must bear it.
    pub host: String,
    /// 587 with STARTTLS, 465 with implicit TLS, 25 without.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Whom to log in as; none, no AUTH. Set exactly when `password` is.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<SecretFile>,
}

/// How a connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Tls {
    /// STARTTLS, insisted on.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// None; refused unless the host is this machine.
    None,
}

impl Tls {
    /// As the config writes it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A name and an address: `Leafwatch <leafwatch@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The name, without control characters.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

pub(super) fn read(email: &Section<'_>, file_folder: &std::path::Path) -> Option<Email> {
    let transport = transport(email, file_folder);
    let from = sender(email, "from");
    if !email.has("from") {
        email.fault(
            "from",
            "it is not set",
            "write whom the mails come from: \"Leafwatch <leafwatch@example.com>\"",
        );
    }
    let reply_to = sender(email, "reply_to");
    let bounce_to = email.parsed("bounce_to", WRITE_ADDRESS);
    Some(Email {
        transport: transport?,
        from: from?,
        reply_to,
        bounce_to,
    })
}

fn transport(email: &Section<'_>, file_folder: &std::path::Path) -> Option<Transport> {
    let kind = match email.has("transport") {
        true => email.choice(
            "transport",
            &[("smtp", Kind::Smtp), ("file", Kind::File)],
            "write \"smtp\" or \"file\"",
        ),
        false => Some(Kind::Smtp),
    };
    // All is asked for before anything is judged, so that every key is known.
    let directory = email.text("directory");
    let section = email.section("smtp");
    let keys = keys_of_smtp(&section);
    match kind? {
        Kind::Smtp => {
            if directory.is_some() {
                email.warn(
                    "directory",
                    "it is not used with transport = \"smtp\"",
                    "leave it out",
                );
            }
            smtp(&section, keys).map(Transport::Smtp)
        }
        Kind::File => {
            email.warn(
                "transport",
                "mails are only written into a folder; nobody is told of anything",
                "for anything but a trial write transport = \"smtp\" and [email.smtp]",
            );
            if !email.has("directory") {
                email.fault(
                    "directory",
                    "it is not set, and transport = \"file\" needs it",
                    "write the folder that mails are put into",
                );
            }
            Some(Transport::File {
                directory: file_folder.join(directory?),
            })
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Smtp,
    File,
}

/// What `[email.smtp]` says, each key by itself.
struct SmtpKeys<'r> {
    host: Option<&'r str>,
    port: Option<u16>,
    tls: Option<Tls>,
    username: Option<&'r str>,
    password: Option<SecretFile>,
}

fn keys_of_smtp<'r>(smtp: &Section<'r>) -> SmtpKeys<'r> {
    let tls = match smtp.has("tls") {
        false => Some(Tls::StartTls),
        true => smtp.choice(
            "tls",
            &[Tls::StartTls, Tls::Implicit, Tls::None].map(|tls| (tls.name(), tls)),
            "write \"starttls\" (port 587), \"implicit\" (port 465), or \"none\" for this machine only",
        ),
    };
    let usual = match tls {
        Some(Tls::Implicit) => 465,
        Some(Tls::None) => 25,
        Some(Tls::StartTls) | None => 587,
    };
    SmtpKeys {
        host: smtp.text("host"),
        port: u16::try_from(smtp.number("port", 1..=65_535, usual)).ok(),
        tls,
        username: smtp.text("username"),
        password: smtp.secret("password_file"),
    }
}

fn smtp(smtp: &Section<'_>, keys: SmtpKeys<'_>) -> Option<Smtp> {
    if !smtp.has("host") {
        smtp.fault(
            "host",
            "it is not set, and transport = \"smtp\" needs it",
            "write the name of your mail server",
        );
    }
    let host = keys.host.filter(|host| {
        let fault = not_a_host(host);
        if let Some((wrong, write)) = &fault {
            smtp.fault("host", wrong, write);
        }
        fault.is_none()
    });
    match (smtp.has("username"), smtp.has("password_file")) {
        (true, false) => smtp.fault(
            "password_file",
            "there is a username but no password",
            "name the file that holds the password, or leave out both",
        ),
        (false, true) => smtp.fault(
            "username",
            "there is a password_file but no user name",
            "write the user name, or leave out both",
        ),
        _ => {}
    }
    let (host, tls, port) = (host?, keys.tls?, keys.port?);
    if tls == Tls::None && !is_loopback(host) {
        smtp.fault(
            "tls",
            &format!("without TLS mails and password would go to {host} in the clear"),
            "write \"starttls\" or \"implicit\"; \"none\" is for a mail server on this machine",
        );
        return None;
    }
    match (port, tls) {
        (465, Tls::StartTls) => smtp.warn(
            "port",
            "on 465 mail servers expect TLS from the first byte",
            "write tls = \"implicit\", or port = 587",
        ),
        (587 | 25, Tls::Implicit) => smtp.warn(
            "port",
            &format!("on {port} mail servers expect STARTTLS"),
            "write tls = \"starttls\", or port = 465",
        ),
        _ => {}
    }
    Some(Smtp {
        host: host.to_owned(),
        port,
        tls,
        username: keys.username.map(str::to_owned),
        password: keys.password,
    })
}

/// What is wrong with the name of a mail server, and what to write.
fn not_a_host(host: &str) -> Option<(String, String)> {
    let wrong = format!("{} is no host name", quoted(host));
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@[]".contains(c);
    if let Some((name, port)) = host.rsplit_once(':')
        && host.parse::<std::net::IpAddr>().is_err()
        && !name.contains([':', '/', '@'])
        && port.parse::<u16>().is_ok()
    {
        let write = format!("write host = {} and port = {port}", quoted(name));
        return Some((format!("{} holds a port", quoted(host)), write));
    }
    let plain = host.parse::<std::net::IpAddr>().is_ok() || !host.contains(':');
    (!plain || host.contains(odd)).then(|| {
        let write = "write the name alone, without scheme or port, such as \"smtp.example.com\"";
        (wrong, write.to_owned())
    })
}

fn sender(email: &Section<'_>, key: &str) -> Option<Sender> {
    let text = email.text(key)?;
    let parsed = match text.contains(char::is_control) {
        true => None,
        false => text.parse::<lettre::message::Mailbox>().ok(),
    };
    let sender = parsed.and_then(|mailbox| {
        Some(Sender {
            address: mailbox.email.to_string().parse().ok()?,
            name: mailbox.name,
        })
    });
    if sender.is_none() {
        email.fault(
            key,
            &format!("{} is no sender", quoted(text)),
            "write an address, or a name and an address: \"Leafwatch <leafwatch@example.com>\"",
        );
    }
    sender
}
