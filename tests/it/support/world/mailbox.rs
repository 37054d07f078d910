//! What people heard: the mails that the server accepted, read as their readers would.

use std::collections::BTreeSet;

use super::World;
use crate::support::mail::Opened;
use crate::support::smtp::Accepted;

/// One mail, and everybody who has it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) message_id: String,
    pub(crate) references: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) to: BTreeSet<String>,
}

impl Heard {
    fn new(accepted: &Accepted) -> Heard {
        let opened = Opened::new(&accepted.bytes);
        let header = |name| opened.header(name).unwrap_or_default();
        Heard {
            message_id: header("Message-ID"),
            references: header("References"),
            subject: header("Subject"),
            text: opened.text.clone(),
            to: accepted.to.iter().cloned().collect(),
        }
    }

    /// Whether subject or text hold these words, however they are broken into lines.
    pub(crate) fn says(&self, words: &str) -> bool {
        let even = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        even(&self.subject).contains(words) || even(&self.text).contains(words)
    }

    /// The addresses that have it, in order.
    pub(crate) fn readers(&self) -> Vec<&str> {
        self.to.iter().map(String::as_str).collect()
    }
}

impl World {
    /// The mails since the last time anybody asked, each with all who got it.
    pub(crate) fn mails(&mut self) -> Vec<Heard> {
        let accepted = self.smtp.accepted();
        let new = &accepted[self.seen..];
        let mut mails: Vec<Heard> = Vec::new();
        for handover in new {
            let heard = Heard::new(handover);
            match mails
                .iter_mut()
                .find(|mail| mail.message_id == heard.message_id)
            {
                Some(mail) => mail.to.extend(heard.to),
                None => mails.push(heard),
            }
        }
        self.seen = accepted.len();
        mails
    }

    /// Exactly one new mail, which says these words in its subject or text.
    pub(crate) fn one_mail_says(&mut self, words: &str) -> Heard {
        let mut mails = self.mails();
        assert_eq!(mails.len(), 1, "one mail was to say {words:?}: {mails:#?}");
        let mail = mails.remove(0);
        assert!(mail.says(words), "{words:?} is not said: {mail:#?}");
        mail
    }

    /// No new mail.
    pub(crate) fn nothing_more(&mut self) {
        let mails = self.mails();
        assert!(
            mails.is_empty(),
            "nobody was to hear of anything: {mails:#?}"
        );
    }
}
