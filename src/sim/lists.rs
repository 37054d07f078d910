//! Lists come in pages: which part is asked for, and how the answer tells of the rest.

use std::collections::HashMap;
use std::ops::Range;

use axum::extract::Query;
use axum::http::Uri;

use super::answer::RawAnswer;
use super::question::Question;

/// How the `Link` header of a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// Paths without a host, as in the docs' sample.
    #[default]
    Relative,
    /// Whole URLs.
    Absolute,
    /// No such header.
    Absent,
}

/// How lists are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lists {
    /// The `Link` header.
    pub links: Links,
    /// Whether `X-Total-Count` is sent.
    pub total_count: bool,
    /// Whether `page` and `size` are heeded; else everything comes at once.
    pub paged: bool,
    /// The largest page, whatever is asked for.
    pub max_size: usize,
    /// Whether events come newest first.
    pub newest_first: bool,
}

impl Default for Lists {
    fn default() -> Self {
        Lists {
            links: Links::Relative,
            total_count: true,
            paged: true,
            max_size: 100,
            newest_first: true,
        }
    }
}

/// Which part of a list is asked for.
pub(super) struct Page {
    number: usize,
    size: usize,
    total: usize,
}

impl Page {
    /// As `asked`, of a list of `total`.
    pub(super) fn of(asked: &HashMap<String, String>, lists: Lists, total: usize) -> Self {
        let number = |key| asked.get(key).and_then(|text| text.parse::<usize>().ok());
        if !lists.paged {
            let size = total.max(1);
            return Page {
                number: 0,
                size,
                total,
            };
        }
        Page {
            number: number("page").unwrap_or(0),
            size: number("size").unwrap_or(20).clamp(1, lists.max_size.max(1)),
            total,
        }
    }

    /// The part's place in the list.
    pub(super) fn range(&self) -> Range<usize> {
        let first = self.number.saturating_mul(self.size).min(self.total);
        first..first.saturating_add(self.size).min(self.total)
    }

    /// The part as an answer, with the headers that tell of the rest.
    pub(super) fn answer(&self, body: String, question: &Question<'_>, lists: Lists) -> RawAnswer {
        let mut answer = RawAnswer::json(body);
        if lists.total_count {
            answer = answer.with("X-Total-Count", self.total.to_string());
        }
        let last = self.total.saturating_sub(1) / self.size;
        let mut wanted = vec![("last", last), ("first", 0)];
        if self.number > 0 {
            wanted.insert(0, ("prev", self.number - 1));
        }
        if self.number < last {
            wanted.insert(0, ("next", self.number + 1));
        }
        let host = match lists.links {
            Links::Relative => "",
            Links::Absolute => question.base_url,
            Links::Absent => return answer,
        };
        let (path, size) = (question.uri.path(), self.size);
        let links: Vec<_> = wanted
            .into_iter()
            .map(|(rel, page)| format!("<{host}{path}?page={page}&size={size}>; rel=\"{rel}\""))
            .collect();
        answer.with("Link", links.join(","))
    }
}

/// The query of a URL; what cannot be read counts as none.
pub(super) fn query(uri: &Uri) -> HashMap<String, String> {
    match Query::try_from_uri(uri) {
        Ok(Query(asked)) => asked,
        Err(_) => HashMap::new(),
    }
}
