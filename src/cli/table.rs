//! Lays out what commands show: lines, wrapped paragraphs, tables that fit the terminal, or JSON.
//!
//! Foreign text comes in already cleaned of control characters; the only escapes are the colours put in here.

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::Severity;
use crate::view::{Document, SCHEMA};

/// How the reader wants it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; none where the output is no terminal, and nothing is wrapped.
    pub width: Option<usize>,
    /// Whether colours are shown.
    pub colour: bool,
    /// JSON in place of tables.
    pub json: bool,
}

/// How a text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As all else.
    Plain,
    /// A heading.
    Bold,
    /// Less important.
    Dim,
    /// Well.
    Good,
    /// Soon bad, or not sure.
    Doubtful,
    /// Bad.
    Bad,
}

impl From<Severity> for Style {
    fn from(severity: Severity) -> Style {
        match severity {
            Severity::Critical => Style::Bad,
            Severity::Warning => Style::Doubtful,
        }
    }
}

impl Style {
    fn escape(self) -> Option<&'static str> {
        match self {
            Style::Plain => None,
            Style::Bold => Some("1"),
            Style::Dim => Some("2"),
            Style::Good => Some("32"),
            Style::Doubtful => Some("33"),
            Style::Bad => Some("1;31"),
        }
    }
}

/// What a command shows, made whole before it is printed.
#[derive(Debug)]
pub struct Page {
    text: String,
    look: Look,
}

impl Page {
    /// An empty page.
    pub fn new(look: Look) -> Self {
        Page {
            text: String::new(),
            look,
        }
    }

    /// How it is to look.
    pub fn look(&self) -> Look {
        self.look
    }

    /// What is on it.
    pub fn into_text(self) -> String {
        self.text
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A paragraph, wrapped.
    pub fn say(&mut self, style: Style, text: &str) {
        self.indented(0, (Style::Plain, ""), style, text);
    }

    /// A paragraph behind a label: `label text`, further lines below the text.
    pub fn labelled(&mut self, indent: usize, label: &str, text: &str) {
        self.indented(indent, (Style::Plain, label), Style::Plain, text);
    }

    /// The same with a label that stands out.
    pub fn marked(&mut self, style: Style, label: &str, text: &str) {
        self.indented(0, (style, label), Style::Plain, text);
    }

    /// An indented paragraph that stands out.
    pub fn styled(&mut self, indent: usize, style: Style, text: &str) {
        self.indented(indent, (Style::Plain, ""), style, text);
    }

    fn indented(&mut self, indent: usize, (mark, label): (Style, &str), style: Style, text: &str) {
        let hanging = indent + label.width();
        let width = self
            .look
            .width
            .map(|width| width.saturating_sub(hanging).max(20));
        for (number, line) in wrapped(text, width).into_iter().enumerate() {
            match number {
                0 => {
                    self.text.extend(std::iter::repeat_n(' ', indent));
                    paint(&mut self.text, self.look.colour, mark, label);
                }
                _ => self.text.extend(std::iter::repeat_n(' ', hanging)),
            }
            paint(&mut self.text, self.look.colour, style, line);
            self.text.push('\n');
        }
    }

    /// What is on another page.
    pub fn append(&mut self, other: Page) {
        self.text.push_str(&other.text);
    }

    /// A whole document as it is, for a file.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A table, no wider than the terminal.
    pub fn table(&mut self, table: &Table) {
        table.render(&mut self.text, self.look);
    }

    /// One JSON document.
    pub fn document(&mut self, content: impl Serialize) -> serde_json::Result<()> {
        self.text = serde_json::to_string_pretty(&Document::new(content))?;
        self.text.push('\n');
        Ok(())
    }

    /// A JSON document with a long list in it: what `heading` has, then `name` with one item a line.
    pub fn begin_list(&mut self, heading: impl Serialize, name: &str) -> serde_json::Result<()> {
        let heading = serde_json::to_string(&heading)?;
        let heading = heading
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let heading = heading.unwrap_or_default();
        let comma = if heading.is_empty() { "" } else { "," };
        self.text = format!("{{\"schema\":{SCHEMA},{heading}{comma}\"{name}\":[");
        Ok(())
    }

    /// One more item of the list.
    pub fn item(&mut self, item: impl Serialize) -> serde_json::Result<()> {
        self.text.push_str(match self.text.ends_with('[') {
            true => "\n",
            false => ",\n",
        });
        self.text.push_str(&serde_json::to_string(&item)?);
        Ok(())
    }

    /// Ends the list and the document.
    pub fn end_list(&mut self) {
        self.text.push_str("\n]}\n");
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    heading: &'static str,
    wraps: bool,
}

/// A column whose text may be wrapped.
pub const fn text(heading: &'static str) -> Column {
    Column {
        heading,
        wraps: true,
    }
}

/// A column of times or numbers, which stay whole as long as there is room.
pub const fn whole(heading: &'static str) -> Column {
    Column {
        heading,
        wraps: false,
    }
}

/// Rows of cells, kept as one text: there may be a hundred thousand.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    cells: String,
    /// Of each cell where it ends in `cells`, and its style.
    ends: Vec<(usize, Style)>,
    /// Of each column.
    widest: Vec<usize>,
    /// Of each column, as far as it is kept whole while there is room.
    longest_word: Vec<usize>,
}

/// Blanks between two columns.
const BETWEEN: usize = 2;
/// No column is made narrower, however narrow the terminal.
const NARROWEST: usize = 6;
/// Longer words, such as ids, may be broken.
const LONG_WORD: usize = 16;

impl Table {
    /// A table without rows.
    pub fn new(columns: &[Column]) -> Self {
        let widths: Vec<usize> = columns
            .iter()
            .map(|column| column.heading.width())
            .collect();
        Table {
            columns: columns.to_vec(),
            cells: String::new(),
            ends: Vec::new(),
            widest: widths.clone(),
            longest_word: widths,
        }
    }

    /// Adds a row; cells that are lacking are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Style)>) {
        let blanks = std::iter::repeat_with(|| (String::new(), Style::Plain));
        let cells = cells.into_iter().chain(blanks).take(self.columns.len());
        for (column, (cell, style)) in cells.enumerate() {
            self.widest[column] = self.widest[column].max(cell.width());
            let word = cell.split(' ').map(str::width).max().unwrap_or(0);
            self.longest_word[column] = self.longest_word[column].max(word.min(LONG_WORD));
            self.cells.push_str(&cell);
            self.ends.push((self.cells.len(), style));
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn render(&self, out: &mut String, look: Look) {
        if self.is_empty() {
            return;
        }
        let widths = self.widths(look.width);
        let headings = self
            .columns
            .iter()
            .map(|column| (column.heading, Style::Bold));
        row(
            out,
            headings.collect::<Vec<_>>().as_slice(),
            &widths,
            look.colour,
        );
        let mut start = 0;
        for ends in self.ends.chunks(self.columns.len()) {
            let mut cells = Vec::with_capacity(ends.len());
            for (end, style) in ends {
                cells.push((&self.cells[start..*end], *style));
                start = *end;
            }
            row(out, &cells, &widths, look.colour);
        }
    }

    /// The widest column that wraps gives first, down to its longest word; then words are broken; those that should stay
    /// whole give only where that is not enough.
    fn widths(&self, terminal: Option<usize>) -> Vec<usize> {
        let mut widths = self.widest.clone();
        let Some(terminal) = terminal else {
            return widths;
        };
        let between = BETWEEN * self.columns.len().saturating_sub(1);
        for (wraps, keeps_words) in [(true, true), (true, false), (false, false)] {
            while widths.iter().sum::<usize>() + between > terminal {
                let candidates = widths.iter().enumerate().filter(|(column, width)| {
                    let least = match keeps_words {
                        true => self.longest_word[*column],
                        false => NARROWEST,
                    };
                    self.columns[*column].wraps == wraps && **width > least
                });
                let Some((widest, _)) = candidates.max_by_key(|(_, width)| **width) else {
                    break;
                };
                widths[widest] -= 1;
            }
        }
        widths
    }
}

fn row(out: &mut String, cells: &[(&str, Style)], widths: &[usize], colour: bool) {
    let wrapped: Vec<Vec<&str>> = cells
        .iter()
        .zip(widths)
        .map(|((text, _), width)| wrapped(text, Some(*width)))
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let mut blanks = 0;
        for ((lines, (_, style)), width) in wrapped.iter().zip(cells).zip(widths) {
            let text = lines.get(line).copied().unwrap_or("");
            if !text.is_empty() {
                out.extend(std::iter::repeat_n(' ', blanks));
                blanks = 0;
                paint(out, colour, *style, text);
            }
            blanks += width.saturating_sub(text.width()) + BETWEEN;
        }
        out.push('\n');
    }
}

fn paint(out: &mut String, colour: bool, style: Style, text: &str) {
    match style.escape().filter(|_| colour && !text.is_empty()) {
        Some(escape) => {
            out.push_str("\x1b[");
            out.push_str(escape);
            out.push('m');
            out.push_str(text);
            out.push_str("\x1b[0m");
        }
        None => out.push_str(text),
    }
}

/// Lines of at most `width` columns, broken at blanks; a word that is longer is broken where it must. At least one line.
fn wrapped(text: &str, width: Option<usize>) -> Vec<&str> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        match width {
            Some(width) if line.width() > width => wrap_line(line, width, &mut lines),
            _ => lines.push(line),
        }
    }
    lines
}

fn wrap_line<'a>(line: &'a str, width: usize, lines: &mut Vec<&'a str>) {
    let (mut start, mut used) = (0, 0);
    let mut last_blank = None;
    for (at, character) in line.char_indices() {
        let wide = character.width().unwrap_or(0);
        if used + wide > width && at > start {
            // A blank at the very edge needs no room.
            let end = match last_blank {
                _ if character == ' ' => at,
                Some(blank) if blank > start => blank,
                _ => at,
            };
            lines.push(line[start..end].trim_end());
            start = end + (line[end..].len() - line[end..].trim_start_matches(' ').len());
            used = line.get(start..at).map_or(0, str::width);
            last_blank = None;
            if start > at {
                continue;
            }
        }
        if character == ' ' {
            last_blank = Some(at);
        }
        used += wide;
    }
    if let Some(rest) = line.get(start..).filter(|rest| !rest.is_empty()) {
        lines.push(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &Table, width: Option<usize>) -> String {
        let mut page = Page::new(Look {
            width,
            ..Look::default()
        });
        page.table(table);
        page.into_text()
    }

    fn example() -> Table {
        let mut table = Table::new(&[text("WHO"), whole("SINCE"), text("WHY")]);
        let plain = |text: &str| (text.to_owned(), Style::Plain);
        let why = "Leaf's status word is UNAUTHENTICATED";
        table.row(["Hillside Farms", "2026-11-24 08:15", why].map(plain));
        table.row(["大豆農場", "today"].map(plain));
        table
    }

    #[test]
    fn a_table_fits_the_terminal_and_times_stay_whole() {
        insta::assert_snapshot!(shown(&example(), Some(50)), @r"
        WHO             SINCE             WHY
        Hillside Farms  2026-11-24 08:15  Leaf's status
                                          word is
                                          UNAUTHENTICATED
        大豆農場        today
        ");
        for width in 30..100 {
            for line in shown(&example(), Some(width)).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn nothing_is_wrapped_where_there_is_no_terminal() {
        assert_eq!(shown(&example(), None).lines().count(), 3);
    }

    #[test]
    fn wrapping_loses_nothing_but_blanks() {
        let text = "a bb  ccc dddddddddddddddddddd e 大豆農場 ff";
        for width in 2..40 {
            let lines = wrapped(text, Some(width));
            assert!(
                lines.iter().all(|line| line.width() <= width.max(2)),
                "{width} {lines:?}"
            );
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(text), "{width}");
        }
    }

    #[test]
    fn colour_is_put_round_the_text_alone() {
        let mut table = Table::new(&[text("STATE"), text("B")]);
        table.row([
            ("bad".to_owned(), Style::Bad),
            ("x".to_owned(), Style::Plain),
        ]);
        let mut page = Page::new(Look {
            colour: true,
            ..Look::default()
        });
        page.table(&table);
        assert_eq!(
            page.into_text(),
            "\x1b[1mSTATE\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[1;31mbad\x1b[0m    x\n"
        );
    }

    #[test]
    fn a_list_is_one_json_document() {
        #[derive(Serialize)]
        struct Heading {
            at: u8,
            nested: Nested,
        }
        #[derive(Serialize)]
        struct Nested {
            deep: u8,
        }
        for items in 0..3 {
            let mut page = Page::new(Look::default());
            let nested = Nested { deep: 1 };
            page.begin_list(Heading { at: 7, nested }, "items").unwrap();
            for item in 0..items {
                page.item(item).unwrap();
            }
            page.end_list();
            let parsed: serde_json::Value = serde_json::from_str(&page.into_text()).unwrap();
            assert_eq!(parsed["schema"], 1);
            assert_eq!(parsed["at"], 7);
            assert_eq!(parsed["items"].as_array().unwrap().len(), items);
        }
    }
}
