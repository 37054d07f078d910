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
use crate::view::availability::{Availability, Unseen};
use crate::view::digest::{Brief, Digest, Failed, Few, Open};
use crate::view::{report, words};

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
    let headline = capitalised(&headline);
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

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
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
                |unseen| self.unseen(unseen),
            ),
            self.section(
                "Not connected",
                note("Watched because of watch.providers, and never there at Leaf."),
                &digest.not_connected,
                |who| {
                    clean(
                        &words::credential(&who.user.shown(), who.provider),
                        WORD_MAX,
                    )
                },
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

    fn open(&self, open: &Open) -> String {
        let line = &open.line;
        let hushed = match (open.acknowledged, open.silenced) {
            (true, true) => ", somebody is on it, silenced",
            (true, false) => ", somebody is on it",
            (false, true) => ", silenced",
            (false, false) => "",
        };
        format!(
            "{}: {} since {}, incident {}{hushed}",
            self.who(line),
            words::label(line.kind),
            self.time(line.began_at),
            line.incident
        )
    }

    fn mended(&self, line: &report::Line) -> String {
        let ended = line.ended_at.unwrap_or(self.digest.until);
        let again = match line.reopened {
            0 => String::new(),
            1 => ", came back once".to_owned(),
            times => format!(", came back {times} times"),
        };
        format!(
            "{}: {} for {}, until {}, incident {}{again}",
            self.who(line),
            words::label(line.kind),
            words::duration(words::between(line.began_at, ended)),
            self.time(ended),
            line.incident
        )
    }

    fn brief(&self, brief: &Brief) -> String {
        let who = words::credential(&brief.who.user.shown(), brief.who.provider);
        let failures = words::counted(u64::from(brief.failures), "failure");
        let when = match brief.from == brief.until {
            true => format!("at {}", self.time(brief.from)),
            false => format!(
                "from {} for {}",
                self.time(brief.from),
                words::duration(words::between(brief.from, brief.until))
            ),
        };
        format!("{}: {failures} {when}", clean(&who, WORD_MAX))
    }

    fn failed(&self, failed: &Failed) -> String {
        let reply = match failed.reply.is_empty() {
            true => String::new(),
            false => format!(": {}", failed.reply),
        };
        format!(
            "{}, to {}, \"{}\"{reply}",
            self.time(failed.at),
            clean(&failed.address, WORD_MAX),
            clean(&failed.subject, WORD_MAX),
        )
    }

    fn unseen(&self, unseen: &Unseen) -> String {
        format!(
            "{} from {} for {}",
            words::unseen(unseen.why),
            self.time(unseen.from),
            words::duration(words::between(unseen.from, unseen.until))
        )
    }

    fn who(&self, line: &report::Line) -> String {
        clean(&line.about.shown(line.track), WORD_MAX)
    }

    fn time(&self, at: Timestamp) -> String {
        words::time(at, self.zone)
    }
}
