//! The mail that `doctor --send-to` sends: looks and travels like every other. Pure.

use askama::Template;
use jiff::Timestamp;

use super::compose::{Mail, NotComposed, footer};
use super::letter::{Letterhead, Thread};
use super::mime::{Envelope, mime};
use super::subject::mark;
use crate::model::Address;

#[derive(Template)]
#[template(path = "trial.txt")]
struct TrialText<'a> {
    headline: &'a str,
    sentences: &'a [&'a str],
    footer: &'a [String],
}

#[derive(Template)]
#[template(path = "trial.html")]
struct TrialHtml<'a> {
    title: &'a str,
    headline: &'a str,
    sentences: &'a [&'a str],
    footer: &'a [String],
}

const HEADLINE: &str = "Test mail";
const SENTENCES: [&str; 2] = [
    "Somebody ran \"leafwatch doctor --send-to\" with your address. That this mail is here shows that alerts can reach you.",
    "There is nothing to do. No grower's connection is in trouble because of it.",
];

/// Renders a test mail under `head` to `to`; `message_id` has its angle brackets.
///
/// # Errors
/// Only where an address does not survive being parsed again.
pub fn compose_trial(
    head: &Letterhead,
    to: &Address,
    message_id: &str,
    date: Timestamp,
) -> Result<Mail, NotComposed> {
    let subject = format!("{} {HEADLINE}", mark(head));
    let footer = footer(head);
    let text = TrialText {
        headline: HEADLINE,
        sentences: &SENTENCES,
        footer: &footer,
    };
    let html = TrialHtml {
        title: &subject,
        headline: HEADLINE,
        sentences: &SENTENCES,
        footer: &footer,
    };
    let envelope = Envelope {
        head,
        to: std::slice::from_ref(to),
        message_id,
        date,
        thread: &Thread::default(),
    };
    let bytes = mime(&envelope, &subject, text.render()?, html.render()?)?;
    Ok(Mail {
        subject,
        bytes,
        message_id: message_id.to_owned(),
        named: 0,
    })
}
