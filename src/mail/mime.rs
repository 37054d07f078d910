//! Headers and encodings: ASCII on the wire, and nothing in it that is not given.

use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};

use super::compose::NotComposed;
use super::letter::{Letterhead, Thread};
use crate::model::{Address, clean};

/// How many earlier Message-IDs are referred to.
const REFERENCES: usize = 20;

/// What stands on a mail, whatever it says.
pub(super) struct Envelope<'a> {
    pub(super) head: &'a Letterhead,
    pub(super) to: &'a [Address],
    pub(super) message_id: &'a str,
    pub(super) date: Timestamp,
    pub(super) thread: &'a Thread,
}

/// Headers and both bodies. Everything a mail program could vary is given: dates, ids and the boundary.
pub(super) fn mime(
    envelope: &Envelope<'_>,
    subject: &str,
    text: String,
    html: String,
) -> Result<Vec<u8>, NotComposed> {
    let address = |error: lettre::error::Error| NotComposed::Address(Box::new(error));
    let head = envelope.head;
    let from_name = head.from.name.as_deref().map(|name| clean(name, 80));
    let date = std::time::SystemTime::try_from(envelope.date)
        .map_err(|error| NotComposed::Address(Box::new(error)))?;
    let mut message = Message::builder()
        .from(mailbox(from_name, &head.from.address)?)
        .subject(subject)
        .date(date)
        .message_id(Some(envelope.message_id.to_owned()));
    for to in envelope.to {
        message = message.to(mailbox(None, to)?);
    }
    if let Some(reply_to) = &head.reply_to {
        message = message.reply_to(mailbox(None, &reply_to.address)?);
    }
    if let Some(id) = &envelope.thread.in_reply_to {
        message = message.in_reply_to(id.clone());
    }
    let references = &envelope.thread.references;
    let newest = &references[references.len().saturating_sub(REFERENCES)..];
    if !newest.is_empty() {
        message = message.references(newest.join(" "));
    }
    for (name, value) in [
        ("List-Id", list_id(head)),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
    ] {
        let name = HeaderName::new_from_ascii_str(name);
        message = message.raw_header(HeaderValue::new(name, value));
    }
    let both = MultiPart::alternative()
        .boundary(boundary(envelope.message_id))
        .singlepart(part(ContentType::TEXT_PLAIN, text))
        .singlepart(part(ContentType::TEXT_HTML, html));
    Ok(message.multipart(both).map_err(address)?.formatted())
}

/// Quoted-printable: ASCII and short lines on every server's way, and still to be read in the raw.
fn part(kind: ContentType, content: String) -> SinglePart {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let part = SinglePart::builder().header(kind);
    match Body::new_with_encoding(content, encoding) {
        Ok(body) => part.body(body),
        Err(content) => part.body(content),
    }
}

fn mailbox(name: Option<String>, address: &Address) -> Result<Mailbox, NotComposed> {
    let parsed = address.as_str().parse();
    let parsed = parsed
        .map_err(|error: lettre::address::AddressError| NotComposed::Address(Box::new(error)))?;
    Ok(Mailbox::new(name.filter(|name| !name.is_empty()), parsed))
}

/// Cannot occur in a body: quoted-printable has no `=_`.
fn boundary(message_id: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, message_id.as_bytes());
    let letters = digest.as_ref().iter().take(12);
    letters.fold("=_leafwatch_".to_owned(), |mut boundary, byte| {
        boundary.push_str(&format!("{byte:02x}"));
        boundary
    })
}

/// `Leafwatch production <production.leafwatch.example.com>`, by which mail programs can sort.
fn list_id(head: &Letterhead) -> String {
    let host = head.from.address.domain();
    let instance: String = head
        .instance
        .iter()
        .flat_map(|name| name.chars())
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    match instance.trim_matches('-') {
        "" => format!("Leafwatch <leafwatch.{host}>"),
        name => format!("Leafwatch {name} <{name}.leafwatch.{host}>"),
    }
}
