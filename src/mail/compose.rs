//! Renders a letter to the bytes of a mail. Pure: the same letter always gives the same bytes.

use askama::Template;

use super::fit::{self, Plan};
use super::letter::{Letter, Letterhead, OpenElsewhere};
use super::mime::{Envelope, mime};
use super::page::{self, Block};
use super::subject::{headline, subject};
use crate::model::{Audience, clean};
use crate::view::words;

/// No mail is larger than this, in bytes, headers and encoding included.
pub const MAX_BYTES: usize = 90_000;

/// How many lines say what else is open.
const ALSO_OPEN: usize = 20;

/// A finished mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The subject, decoded.
    pub subject: String,
    /// The whole mail, ASCII only, ready for every retry.
    pub bytes: Vec<u8>,
    /// Its Message-ID, with the angle brackets.
    pub message_id: String,
    /// How many entries the mail names; the rest is counted in it.
    pub named: usize,
}

/// The letter cannot be made into a mail.
#[derive(Debug, thiserror::Error)]
pub enum NotComposed {
    /// A parsed address was not taken, or nobody was addressed.
    #[error("the mail cannot be addressed")]
    Address(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A template did not render.
    #[error("the mail cannot be rendered")]
    Template(#[from] askama::Error),
}

/// Renders `letter`; what does not fit [`MAX_BYTES`] is counted and said where to find.
///
/// # Errors
/// Only where `to` is empty, or an address does not survive being parsed again.
pub fn compose(letter: &Letter) -> Result<Mail, NotComposed> {
    let bare = assemble(letter, &Plan::default())?.bytes.len();
    let mut plan = fit::plan(letter, MAX_BYTES.saturating_sub(bare))?;
    loop {
        let mail = assemble(letter, &plan)?;
        if mail.bytes.len() <= MAX_BYTES || !plan.shrink() {
            return Ok(mail);
        }
    }
}

/// The two forms of one block.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) html: String,
}

pub(super) fn render(block: &Block) -> Result<Rendered, askama::Error> {
    let rule = "=".repeat(block.title.chars().count());
    Ok(Rendered {
        text: BlockText { block, rule }.render()?,
        html: BlockHtml { block }.render()?,
    })
}

#[derive(Template)]
#[template(path = "block.txt")]
struct BlockText<'a> {
    block: &'a Block,
    rule: String,
}

#[derive(Template)]
#[template(path = "block.html")]
struct BlockHtml<'a> {
    block: &'a Block,
}

#[derive(Template)]
#[template(path = "page.txt")]
struct PageText<'a> {
    headline: &'a Option<String>,
    doubt: &'a Option<String>,
    blocks: Vec<&'a str>,
    lines_title: &'a str,
    lines: &'a [String],
    overflow: &'a Option<String>,
    also_open: &'a [String],
    footer: &'a [String],
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageHtml<'a> {
    title: &'a str,
    headline: &'a Option<String>,
    doubt: &'a Option<String>,
    blocks: Vec<&'a str>,
    lines_title: &'a str,
    lines: &'a [String],
    overflow: &'a Option<String>,
    also_open: &'a [String],
    footer: &'a [String],
}

fn assemble(letter: &Letter, plan: &Plan) -> Result<Mail, NotComposed> {
    let subject = subject(letter);
    let mut blocks = Vec::new();
    for (at, shared) in letter.shared.iter().enumerate() {
        let mut block = page::shared_block(shared, letter);
        let members = plan.members(at).iter();
        block.members = members
            .map(|&at| page::line(&letter.entries[at], letter))
            .collect();
        let unnamed = shared
            .credentials
            .saturating_sub(block.members.len() as u64);
        if unnamed > 0 {
            block
                .members
                .push(format!("… and {} more", words::number(unnamed)));
        }
        blocks.push(render(&block)?);
    }
    for &at in &plan.full {
        blocks.push(render(&page::block(&letter.entries[at], letter))?);
    }
    let lines: Vec<String> = plan
        .lines
        .iter()
        .map(|&at| page::line(&letter.entries[at], letter))
        .collect();
    let several = letter.tally.total() > 1 || !letter.shared.is_empty();
    let (headline, doubt) = (several.then(|| headline(letter)), doubt(letter));
    let (overflow, also_open) = (overflow(letter, plan), also_open(letter));
    let footer = footer(&letter.head);
    let lines_title = if blocks.is_empty() {
        "In short"
    } else {
        "In short, the others"
    };
    let text = PageText {
        headline: &headline,
        doubt: &doubt,
        blocks: blocks.iter().map(|block| block.text.as_str()).collect(),
        lines_title,
        lines: &lines,
        overflow: &overflow,
        also_open: &also_open,
        footer: &footer,
    };
    let html = PageHtml {
        title: &subject,
        headline: &headline,
        doubt: &doubt,
        blocks: blocks.iter().map(|block| block.html.as_str()).collect(),
        lines_title,
        lines: &lines,
        overflow: &overflow,
        also_open: &also_open,
        footer: &footer,
    };
    let envelope = Envelope {
        head: &letter.head,
        to: &letter.to,
        message_id: &letter.message_id,
        date: letter.date,
        thread: &letter.thread,
    };
    let bytes = mime(&envelope, &subject, text.render()?, html.render()?)?;
    Ok(Mail {
        subject,
        bytes,
        message_id: letter.message_id.clone(),
        named: plan.named(),
    })
}

fn doubt(letter: &Letter) -> Option<String> {
    letter.doubt.map(|doubt| {
        format!(
            "Be careful with this one: {} of {} healthy connections turned at once, in a single check. When so many \
             fall together the fault is rarely the growers'. It may be Leaf's, the provider's or the app's. Ask Leaf \
             before you ask any grower to do anything. Nobody but you is told until the next check says the same.",
            words::number(doubt.turned),
            words::number(doubt.of),
        )
    })
}

/// What the mail has no room for.
fn overflow(letter: &Letter, plan: &Plan) -> Option<String> {
    let listed: u64 = letter.shared.iter().map(|shared| shared.credentials).sum();
    let shared_named = (0..letter.shared.len()).map(|at| plan.members(at).len() as u64);
    let counted_there = listed.saturating_sub(shared_named.sum());
    let named = plan.named() as u64;
    let unnamed = letter.tally.total().saturating_sub(named + counted_there);
    (unnamed + counted_there > 0).then(|| {
        let more = words::number(unnamed + counted_there);
        let whom = match letter.reader {
            Audience::Operators => "",
            Audience::Support => " Whoever runs Leafwatch",
        };
        let page = letter
            .head
            .public_url
            .as_deref()
            .map(|url| format!(" See also {}", clean(url, 300)));
        let command = words::command(&letter.head.daemon, "incidents");
        let list = match whom {
            "" => format!("All of them are listed by: {command}"),
            who => format!("{} can list all of them with: {command}", who.trim()),
        };
        format!(
            "This mail has no room to name {more} more. {list}{}",
            page.unwrap_or_default()
        )
    })
}

fn also_open(letter: &Letter) -> Vec<String> {
    let mut lines: Vec<String> = letter
        .also_open
        .iter()
        .take(ALSO_OPEN)
        .map(|open: &OpenElsewhere| {
            let since = words::time(open.since, &letter.zone);
            let mut now = String::new();
            if let Some((word, at)) = &open.says {
                let at = words::time(*at, &letter.zone);
                now = format!("; Leaf says {}, read {at}", clean(word, 120));
            }
            if open.recovering {
                now.push_str("; recovering");
            }
            let on_it = if open.acknowledged {
                " (somebody is on it)"
            } else {
                ""
            };
            let what = clean(&open.what, 120);
            format!(
                "{what}: {} since {since}{now}{on_it}",
                words::label(open.kind)
            )
        })
        .collect();
    let unnamed = letter.also_open.len().saturating_sub(ALSO_OPEN) as u64 + letter.also_open_more;
    if unnamed > 0 {
        lines.push(format!("… and {} more", words::number(unnamed)));
    }
    lines
}

pub(super) fn footer(head: &Letterhead) -> Vec<String> {
    let answers = &head.reply_to.as_ref().unwrap_or(&head.from).address;
    let mut lines = vec![format!(
        "Sent by Leafwatch, which checks growers' connections at Leaf. Questions: {answers}"
    )];
    if let Some(url) = &head.public_url {
        lines.push(format!("Where things stand now: {}", clean(url, 300)));
    }
    lines
}
