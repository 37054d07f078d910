//! Renders the weekly digest: the same words as text and HTML, no larger than any other mail. Pure.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::compose::{MAX_BYTES, Mail, NotComposed, footer};
use super::letter::{Letterhead, Thread};
use super::mime::{Envelope, mime};
use super::page::Tone;
use super::subject::mark;
use crate::model::{Address, clean};
use crate::view::availability::Availability;
use crate::view::digest::{Brief, Digest, Few};
use crate::view::{Delivery, Incident, words};

/// One digest before it is rendered.
#[derive(Debug, Clone)]
pub struct DigestLetter {
    /// Who sends, and where links lead.
    pub head: Letterhead,
    /// Everybody it goes to; all are named in `To`.
    pub to: Vec<Address>,
    /// The Message-ID with its angle brackets.
    pub message_id: String,
    /// The zone in which its readers read times.
    pub zone: TimeZone,
    /// What it says.
    pub digest: Digest,
}

/// How long a foreign word may be, in characters.
const WORD_MAX: usize = 120;
/// The longest reply of a mail server.
const REPLY: usize = 200;

/// Renders `letter`; lists that do not fit [`MAX_BYTES`] are cut, and say how much they leave out.
///
/// # Errors
/// Only where `to` is empty, or an address does not survive being parsed again.
pub fn compose_digest(letter: &DigestLetter) -> Result<Mail, NotComposed> {
    let mut lines = usize::MAX;
    loop {
        let mail = assemble(letter, lines)?;
        if mail.bytes.len() <= MAX_BYTES || lines == 0 {
            return Ok(mail);
        }
        let longest = longest_list(&letter.digest);
        lines = lines.min(longest) / 2;
    }
}

/// A heading with its lines.
struct Section {
    title: &'static str,
    note: Option<String>,
    lines: Vec<String>,
}

#[derive(Template)]
#[template(path = "digest.txt")]
struct DigestText<'a> {
    headline: &'a str,
    intro: &'a [String],
    sections: &'a [Section],
    footer: &'a [String],
}

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestHtml<'a> {
    title: &'a str,
    tone: Tone,
    headline: &'a str,
    intro: &'a [String],
    sections: &'a [Section],
    footer: &'a [String],
}

fn assemble(letter: &DigestLetter, most: usize) -> Result<Mail, NotComposed> {
    let digest = &letter.digest;
    let headline = headline(digest);
    let subject = format!("{} Digest: {headline}", mark(&letter.head));
    let writer = Writer {
        zone: &letter.zone,
        digest,
        most,
    };
    let (intro, sections) = (writer.intro(), writer.sections());
    let footer = footer(&letter.head);
    let tone = match digest.is_all_well() {
        true => Tone::Well,
        false => Tone::Warning,
    };
    let headline = words::capital(&headline);
    let text = DigestText {
        headline: &headline,
        intro: &intro,
        sections: &sections,
        footer: &footer,
    };
    let html = DigestHtml {
        title: &subject,
        tone,
        headline: &headline,
        intro: &intro,
        sections: &sections,
        footer: &footer,
    };
    let envelope = Envelope {
        head: &letter.head,
        to: &letter.to,
        message_id: &letter.message_id,
        date: digest.until,
        thread: &Thread::default(),
    };
    let bytes = mime(&envelope, &subject, text.render()?, html.render()?)?;
    Ok(Mail {
        subject,
        bytes,
        message_id: letter.message_id.clone(),
        named: digest.open.first.len().min(most),
    })
}

/// `all well, 12 mended`, `3 open, 12 mended, 1 mail failed`.
fn headline(digest: &Digest) -> String {
    let counted = |count: u64, what: &str| format!("{} {what}", words::number(count));
    let mut parts = Vec::new();
    match digest.open.total {
        0 if digest.is_all_well() => parts.push("all well".to_owned()),
        0 => {}
        open => parts.push(counted(open, "open")),
    }
    if digest.mended.total > 0 {
        parts.push(counted(digest.mended.total, "mended"));
    }
    match digest.failed.total {
        0 => {}
        failed => parts.push(format!("{} failed", words::counted(failed, "mail"))),
    }
    parts.join(", ")
}

fn longest_list(digest: &Digest) -> usize {
    let lists = [
        digest.open.first.len(),
        digest.mended.first.len(),
        digest.brief.first.len(),
        digest.not_connected.first.len(),
        digest.unseen.first.len(),
        digest.failed.first.len(),
    ];
    lists.into_iter().max().unwrap_or_default()
}

struct Writer<'a> {
    zone: &'a TimeZone,
    digest: &'a Digest,
    /// Lines of each list.
    most: usize,
}

impl Writer<'_> {
    fn intro(&self) -> Vec<String> {
        let digest = self.digest;
        let mut intro = vec![format!(
            "From {} to {}. {} now.",
            self.time(digest.since),
            self.time(digest.until),
            match digest.watched {
                1 => "1 credential is watched".to_owned(),
                many => format!("{} credentials are watched", words::number(many)),
            }
        )];
        if digest.is_all_well() {
            intro.push(
                "No trouble is open. That this mail is here shows that Leafwatch runs and that its mails reach you."
                    .to_owned(),
            );
        }
        let happened = digest.mended.total + digest.closed + digest.brief.total;
        if digest.is_all_well() && happened == 0 {
            intro.push("Nothing broke, not even for a moment, and no mail failed.".to_owned());
        }
        intro
    }

    fn sections(&self) -> Vec<Section> {
        let digest = self.digest;
        let closed = (digest.closed > 0).then(|| {
            format!(
                "Besides, {} ended because our config no longer watches the credential, or expects no environment of it any more; not known to be mended.",
                words::counted(digest.closed, "incident")
            )
        });
        let note = |text: &str| Some(text.to_owned());
        [
            self.section("Open now", None, &digest.open, |open| self.open(open)),
            self.section("Mended", closed, &digest.mended, |line| self.mended(line)),
            self.section(
                "Broken for a moment",
                note("Healthy before and after, so nobody was mailed."),
                &digest.brief,
                |brief| self.brief(brief),
            ),
            self.section(
                "Mails that failed for good",
                None,
                &digest.failed,
                |failed| self.failed(failed),
            ),
            self.availability(),
            self.section(
                "When Leafwatch could not see",
                note("This is nobody's downtime: what broke meanwhile was found afterwards."),
                &digest.unseen,
                |unseen| words::not_seen(unseen, &self.time(unseen.from)),
            ),
            self.section(
                "Not connected",
                note("Watched because of watch.providers, and never there at Leaf."),
                &digest.not_connected,
                |who| clean(&who.shown(), WORD_MAX),
            ),
        ]
        .into_iter()
        .filter(|section| {
            !section.lines.is_empty() || section.title == "Mended" && digest.closed > 0
        })
        .collect()
    }

    fn section<T>(
        &self,
        title: &'static str,
        note: Option<String>,
        list: &Few<T>,
        line: impl Fn(&T) -> String,
    ) -> Section {
        let mut lines: Vec<String> = list.first.iter().take(self.most).map(line).collect();
        let unnamed = list.total - lines.len() as u64;
        if unnamed > 0 {
            lines.push(format!("… and {} more", words::number(unnamed)));
        }
        Section { title, note, lines }
    }

    fn availability(&self) -> Section {
        let line = |name: &str, credentials: u64, of: &Availability| {
            let seen = of
                .seen_share()
                .map(|share| format!(", seen {} of the time", words::percent(share)));
            format!(
                "{name}: {} ({}{})",
                of.shown(),
                words::counted(credentials, "credential"),
                seen.unwrap_or_default()
            )
        };
        let providers = &self.digest.providers;
        let mut lines: Vec<String> = providers
            .iter()
            .map(|of| {
                let name = of.provider.display_name();
                line(name, u64::from(of.credentials), &of.availability)
            })
            .collect();
        if providers.len() > 1 {
            let all = providers.iter().map(|of| u64::from(of.credentials)).sum();
            lines.insert(0, line("All together", all, &self.digest.overall));
        }
        Section {
            title: "Availability",
            note: Some("Healthy time as a part of the time that Leafwatch saw.".to_owned()),
            lines,
        }
    }

    fn open(&self, open: &Incident) -> String {
        let said = open
            .said
            .as_ref()
            .map(|said| said.holding(self.digest.until));
        let said = said.unwrap_or_default();
        let mut hushed = String::new();
        if !said.acks.is_empty() {
            hushed.push_str(", somebody is on it");
        }
        if !said.silences.is_empty() {
            hushed.push_str(", silenced");
        }
        format!(
            "{}: {} since {}, incident {}{hushed}",
            self.whose(open),
            words::label(open.kind),
            self.time(open.began_at),
            open.number
        )
    }

    fn mended(&self, mended: &Incident) -> String {
        let ended = mended.ended_at.unwrap_or(self.digest.until);
        format!(
            "{}: {} for {}, until {}, incident {}{}",
            self.whose(mended),
            words::label(mended.kind),
            words::duration(words::between(mended.began_at, ended)),
            self.time(ended),
            mended.number,
            words::came_back(mended.reopened)
        )
    }

    fn brief(&self, brief: &Brief) -> String {
        let failures = words::counted(u64::from(brief.failures), "failure");
        let when = match brief.from == brief.until {
            true => format!("at {}", self.time(brief.from)),
            false => format!(
                "from {} for {}",
                self.time(brief.from),
                words::duration(words::between(brief.from, brief.until))
            ),
        };
        format!("{}: {failures} {when}", clean(&brief.who.shown(), WORD_MAX))
    }

    fn failed(&self, failed: &Delivery) -> String {
        let reply = match failed.attempts.last() {
            Some(last) if !last.reply.is_empty() => format!(": {}", clean(&last.reply, REPLY)),
            _ => String::new(),
        };
        format!(
            "{}, to {}, \"{}\"{reply}",
            self.time(failed.done_at.unwrap_or(failed.packed_at)),
            clean(&failed.address, WORD_MAX),
            clean(&failed.subject, WORD_MAX),
        )
    }

    fn whose(&self, incident: &Incident) -> String {
        clean(&incident.whose(), WORD_MAX)
    }

    fn time(&self, at: Timestamp) -> String {
        words::time(at, self.zone)
    }
}
