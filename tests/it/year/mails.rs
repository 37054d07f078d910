//! A mail as its reader understands it: from its subject and its text, and from nothing that the program keeps.

use jiff::civil::Date;

use crate::support::mail::Opened;

/// A point in time as people read it, in minutes since 1970.
pub type Shown = i64;

/// What a mail says of one trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Telling {
    Opened,
    Changed,
    Reopened,
    Reminder,
    Resolved,
    Closed,
    Brief,
}

impl Telling {
    pub fn is_trouble(self) -> bool {
        matches!(
            self,
            Telling::Opened | Telling::Changed | Telling::Reopened | Telling::Reminder
        )
    }
}

/// How many looks said so, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    pub bad: u64,
    pub of: u64,
}

/// One trouble of one grower, or of Leafwatch's own, as told.
#[derive(Debug, Clone)]
pub struct Told {
    /// Nobody's where it is the account's or our own.
    pub grower: Option<usize>,
    /// The kind as people call it: `invalid`, `early warning`.
    pub label: String,
    pub telling: Telling,
    /// Since when, or from when; and to when, where it is over.
    pub since: Option<Shown>,
    pub until: Option<Shown>,
    /// How long it lasted, in seconds.
    pub lasted: Option<i64>,
    /// How long it had been well before it came back.
    pub well_for: Option<i64>,
    pub first_look: bool,
    pub while_off: bool,
    pub looks: Option<Looks>,
    /// Nothing where that is not said; and nothing inside where it was never healthy.
    pub last_healthy: Option<Option<Shown>>,
    /// What is given as the likely cause.
    pub cause: String,
    /// What else of the credential is still wrong.
    pub still_open: bool,
    /// What Leaf says, and when it was read.
    pub status: Option<(String, Shown)>,
    pub environment: Option<String>,
    /// It stands in a list, in one line.
    pub in_short: bool,
}

/// Many with one cause.
#[derive(Debug, Clone)]
pub struct Shared {
    pub count: u64,
    /// How many of them the mail names, or counts below those that it names.
    pub listed: u64,
    /// Where they stand among what the mail tells.
    pub members: std::ops::Range<usize>,
    pub cause: String,
    pub more: bool,
}

/// A whole mail.
#[derive(Debug, Clone)]
pub struct Mail {
    pub subject: String,
    pub told: Vec<Told>,
    pub shared: Vec<Shared>,
    /// So many of so many turned at once.
    pub doubt: Option<(u64, u64)>,
    /// How many more there was no room for.
    pub unnamed: u64,
    /// What stands under ALSO OPEN.
    pub also_open: Vec<String>,
    /// What could not be understood: a reader would not, either.
    pub riddles: Vec<String>,
}

/// What a sentence says, by its own words: the kind, and where in its life it is.
const SENTENCES: [(&str, &str, Telling); 44] = [
    ("no longer works.", "invalid", Telling::Opened),
    ("has stopped working again.", "invalid", Telling::Reopened),
    ("still does not work.", "invalid", Telling::Reminder),
    ("works again.", "invalid", Telling::Resolved),
    (
        "is gone: Leaf no longer has it.",
        "missing",
        Telling::Opened,
    ),
    ("is gone again.", "missing", Telling::Reopened),
    ("is still gone.", "missing", Telling::Reminder),
    ("is there again.", "missing", Telling::Resolved),
    (
        "still lacks permissions.",
        "limited permission",
        Telling::Reminder,
    ),
    ("lacks permissions.", "limited permission", Telling::Opened),
    (
        "lacks permissions again.",
        "limited permission",
        Telling::Reopened,
    ),
    (
        "has the permissions it needs again.",
        "limited permission",
        Telling::Resolved,
    ),
    (
        "can be reached for",
        "provider unavailable",
        Telling::Resolved,
    ),
    (
        "still cannot be reached for",
        "provider unavailable",
        Telling::Reminder,
    ),
    ("is about to fail", "early warning", Telling::Opened),
    ("is being refused by", "early warning", Telling::Reopened),
    (
        "is still being refused by",
        "early warning",
        Telling::Reminder,
    ),
    (
        ": no more failures seen.",
        "early warning",
        Telling::Resolved,
    ),
    (
        "is in the wrong environment.",
        "environment mismatch",
        Telling::Opened,
    ),
    (
        "is in the wrong environment again.",
        "environment mismatch",
        Telling::Reopened,
    ),
    (
        "is still in the wrong environment.",
        "environment mismatch",
        Telling::Reminder,
    ),
    (
        "is in the right environment now.",
        "environment mismatch",
        Telling::Resolved,
    ),
    (
        "Leaf gives no answer about the",
        "unreadable",
        Telling::Opened,
    ),
    (
        "Leaf once more gives no answer about the",
        "unreadable",
        Telling::Reopened,
    ),
    (
        "Leaf still gives no answer about the",
        "unreadable",
        Telling::Reminder,
    ),
    ("Leaf answers about the", "unreadable", Telling::Resolved),
    (
        "Leaf refuses Leafwatch's own login. ",
        "Leaf login refused",
        Telling::Opened,
    ),
    (
        "Leaf refuses Leafwatch's own login again.",
        "Leaf login refused",
        Telling::Reopened,
    ),
    (
        "Leaf still refuses Leafwatch's own login",
        "Leaf login refused",
        Telling::Reminder,
    ),
    (
        "Leaf accepts Leafwatch's login again",
        "Leaf login refused",
        Telling::Resolved,
    ),
    (
        "Leaf gives no usable answers. ",
        "Leaf unreachable",
        Telling::Opened,
    ),
    (
        "Leaf gives no usable answers again.",
        "Leaf unreachable",
        Telling::Reopened,
    ),
    (
        "Leaf still gives no usable answers",
        "Leaf unreachable",
        Telling::Reminder,
    ),
    ("Leaf answers again", "Leaf unreachable", Telling::Resolved),
    (
        "Most connections have vanished from Leaf at once.",
        "wrong Leaf account",
        Telling::Opened,
    ),
    (
        "Most connections have vanished from Leaf again.",
        "wrong Leaf account",
        Telling::Reopened,
    ),
    (
        "Most connections are still not to be found",
        "wrong Leaf account",
        Telling::Reminder,
    ),
    (
        "The connections are to be found at Leaf again.",
        "wrong Leaf account",
        Telling::Resolved,
    ),
    (
        "Alert mails to an address are refused for good.",
        "mail not deliverable",
        Telling::Opened,
    ),
    (
        "Alert mails to an address are refused again.",
        "mail not deliverable",
        Telling::Reopened,
    ),
    (
        "Alert mails to an address are still refused.",
        "mail not deliverable",
        Telling::Reminder,
    ),
    (
        "Alert mails are accepted again.",
        "mail not deliverable",
        Telling::Resolved,
    ),
    ("once more.", "provider unavailable", Telling::Reopened),
    (
        "cannot be reached for",
        "provider unavailable",
        Telling::Opened,
    ),
];

/// What it was, once it is over and was never told.
const WAS: [(&str, &str); 7] = [
    ("was invalid", "invalid"),
    ("was missing", "missing"),
    ("had limited permission", "limited permission"),
    ("had its provider unavailable", "provider unavailable"),
    ("had an early warning", "early warning"),
    ("was in the wrong environment", "environment mismatch"),
    ("was unreadable", "unreadable"),
];

const LABELS: [&str; 7] = [
    "invalid",
    "missing",
    "limited permission",
    "provider unavailable",
    "early warning",
    "environment mismatch",
    "unreadable",
];

/// Reads a mail about trouble; nothing where it is a digest.
pub fn read(bytes: &[u8]) -> Option<Mail> {
    let opened = Opened::new(bytes);
    let subject = opened.header("Subject").unwrap();
    if subject.contains("] Digest: ") {
        return None;
    }
    let mut mail = Mail {
        subject,
        told: Vec::new(),
        shared: Vec::new(),
        doubt: None,
        unnamed: 0,
        also_open: Vec::new(),
        riddles: Vec::new(),
    };
    let lines: Vec<&str> = opened.text.lines().collect();
    let is_rule = |line: &str| !line.is_empty() && line.chars().all(|c| c == '=');
    let starts: Vec<usize> = (2..lines.len())
        .filter(|at| is_rule(lines[*at]))
        .map(|at| at - 2)
        .collect();
    let ends = |line: &&str| {
        line.starts_with("In short")
            || line.starts_with("This mail has no room")
            || *line == "ALSO OPEN, AS TOLD BEFORE"
            || *line == "-- "
    };
    let tail = lines.iter().position(ends).unwrap();
    for (nth, start) in starts.iter().enumerate() {
        let end = starts.get(nth + 1).copied().unwrap_or(tail).min(tail);
        mail.block(&lines[*start..end]);
    }
    for line in &lines[..starts.first().copied().unwrap_or(tail)] {
        if line.starts_with("Be careful with this one: ") {
            let numbers = numbers(line);
            mail.doubt = Some((numbers[0], numbers[1]));
        }
    }
    let mut under = "";
    for line in &lines[tail..] {
        if ends(line) {
            under = line;
        }
        if line.starts_with("This mail has no room") {
            mail.unnamed += numbers(line)[0];
        }
        match line.strip_prefix("- ") {
            Some(item) if under.starts_with("In short") => mail.line(item),
            Some(item) if under.starts_with("ALSO OPEN") => mail.also_open.push(item.to_owned()),
            _ => {}
        }
    }
    Some(mail)
}

impl Mail {
    /// A block: its badge, its title, what happened, what to do, and what is known.
    fn block(&mut self, lines: &[&str]) {
        let title = lines[1];
        let cause: Vec<&str> = (lines.iter())
            .filter_map(|line| line.strip_prefix("Likely cause: "))
            .collect();
        if title.ends_with("likely one cause") || title.ends_with("a cause already told") {
            let (first, mut listed) = (self.told.len(), 0);
            for item in lines[3..].iter().filter_map(|line| line.strip_prefix("- ")) {
                match item.strip_prefix("… and ") {
                    Some(more) => {
                        listed += numbers(more)[0];
                        self.unnamed += numbers(more)[0];
                    }
                    None => {
                        listed += 1;
                        self.line(item);
                    }
                }
            }
            self.shared.push(Shared {
                count: numbers(title)[0],
                listed,
                members: first..self.told.len(),
                cause: cause.concat(),
                more: title.ends_with("a cause already told"),
            });
            return;
        }
        let grower = farm(title);
        let sentences: Vec<&str> = (lines[3..].iter().copied())
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty())
            .collect();
        let mut told: Vec<Told> = Vec::new();
        for sentence in sentences {
            match happened(grower, sentence) {
                Some(one) => told.push(one),
                None => self.riddles.push(format!("{title}: {sentence}")),
            }
        }
        let facts: Vec<(&str, &str)> = (lines[3..].iter())
            .filter_map(|line| line.split_once(": "))
            .collect();
        let mut groups: Vec<Vec<(&str, &str)>> = Vec::new();
        for (name, value) in &facts {
            let begins = *name == "Problem";
            if begins || groups.is_empty() && matches!(*name, "From" | "Since") {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.last_mut() {
                group.push((name, value));
            }
        }
        let of = |group: &[(&str, &str)], wanted: &str| -> Option<String> {
            let mut found = group.iter().filter(|(name, _)| *name == wanted);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        let all = |wanted: &str| of(&facts, wanted);
        let status = all("Status at Leaf").and_then(|text| {
            let (word, at) = text.rsplit_once(", read ")?;
            Some((word.to_owned(), time(at)?))
        });
        let mut groups = groups.into_iter();
        let mut since_before = None;
        for one in &mut told {
            (one.status, one.environment) = (status.clone(), all("Environment"));
            if cause.len() == 1 || one.telling.is_trouble() {
                one.cause = cause.join(" / ");
            }
            if one.telling == Telling::Brief {
                continue;
            }
            let group = groups.next().unwrap_or_default();
            if let Some(problem) = of(&group, "Problem") {
                let label = problem
                    .rsplit_once(" (")
                    .map_or(&*problem, |(label, _)| label);
                if one.label != label {
                    self.riddles.push(format!(
                        "{title}: told as {}, and its facts say {label}",
                        one.label
                    ));
                }
            }
            let since = of(&group, "Since").or_else(|| of(&group, "From"));
            let since = since.or(since_before.clone());
            since_before = since.clone();
            if let Some(text) = since {
                one.first_look |= text.starts_with("already so at the first look");
                one.since = time(text.trim_start_matches("already so at the first look, "));
            }
            let until = ["To", "Watched until", "Expected until"];
            if let Some(text) = until.iter().find_map(|name| of(&group, name)) {
                let (at, lasted) = text.rsplit_once(", after ").unwrap_or((&text, ""));
                (one.until, one.lasted) = (time(at), duration(lasted));
            }
            if let Some(text) = of(&group, "How sure") {
                (one.looks, one.last_healthy) = how_sure(&text);
            }
        }
        if told.is_empty() {
            self.riddles.push(format!("{title}: says nothing"));
        }
        self.told.extend(told);
    }

    /// One line of a list: `Farm 3 (John Deere): invalid since …; incident 12`.
    fn line(&mut self, item: &str) {
        // What is over at once has no colon: `Farm 3 (John Deere) was invalid from … to …`.
        let brief = WAS
            .iter()
            .any(|(words, _)| item.contains(&format!(") {words} from ")));
        let between = if brief { ") " } else { "): " };
        if let Some((stem, span)) = item.split_once(" lasted from ") {
            let mut told = nothing(None, stem, Telling::Brief);
            (told.since, told.until) = from_to(span).unwrap_or_default();
            told.in_short = true;
            self.told.push(told);
            return;
        }
        let Some((stem, rest)) = item.split_once(between) else {
            self.riddles.push(item.to_owned());
            return;
        };
        let grower = farm(stem);
        let beside = |part: &&str| {
            part.starts_with("incident") || part.starts_with("for the grower, to connect again: ")
        };
        for part in rest.split("; ").filter(|part| !beside(part)) {
            match in_short(grower, part) {
                Some(told) => self.told.push(told),
                None => self.riddles.push(item.to_owned()),
            }
        }
    }
}

fn nothing(grower: Option<usize>, label: &str, telling: Telling) -> Told {
    Told {
        grower,
        label: label.to_owned(),
        telling,
        since: None,
        until: None,
        lasted: None,
        well_for: None,
        first_look: false,
        while_off: false,
        looks: None,
        last_healthy: None,
        cause: String::new(),
        still_open: false,
        status: None,
        environment: None,
        in_short: false,
    }
}

fn happened(grower: Option<usize>, sentence: &str) -> Option<Told> {
    let (first, but) = match sentence.split_once(" But: ") {
        Some((first, but)) => (first, Some(but)),
        None => (sentence, None),
    };
    let was = WAS
        .iter()
        .find(|(words, _)| grower.is_some() && first.contains(&format!(") {words} from ")));
    let mut told = if let Some((words, label)) = was {
        let mut told = nothing(grower, label, Telling::Brief);
        let (_, span) = first.split_once(words)?;
        (told.since, told.until) = from_to(span.trim_start_matches(" from "))?;
        told
    } else if let Some((stem, span)) = first.split_once(": this lasted from ") {
        let mut told = nothing(grower, stem, Telling::Brief);
        (told.since, told.until) = from_to(span)?;
        told
    } else if first.contains("(last known: ") {
        let (_, label) = first.split_once("(last known: ")?;
        nothing(grower, label.split(')').next()?, Telling::Closed)
    } else {
        let found = SENTENCES.iter().find(|(words, ..)| first.contains(words))?;
        nothing(grower, found.1, found.2)
    };
    if first.contains(" Before, it was told as: ") {
        told.telling = Telling::Changed;
    }
    if let Some((_, well)) = first.split_once(" It had been well for ") {
        told.well_for = duration(well.split('.').next()?);
    }
    told.still_open = but.is_some();
    told.while_off = sentence.contains("while Leafwatch was off");
    Some(told)
}

fn in_short(grower: Option<usize>, part: &str) -> Option<Told> {
    let mut told =
        if let Some((words, label)) = WAS.iter().find(|(words, _)| part.starts_with(words)) {
            let mut told = nothing(grower, label, Telling::Brief);
            (told.since, told.until) = from_to(part[words.len()..].trim_start_matches(" from "))?;
            told
        } else if part.contains("no longer ") && !part.contains(" since ") {
            nothing(grower, "", Telling::Closed)
        } else if let Some((label, lasted)) = part.split_once(" no more, after ") {
            let mut told = nothing(grower, label, Telling::Resolved);
            told.lasted = duration(lasted);
            told
        } else {
            let label = LABELS.iter().find(|label| part.starts_with(**label))?;
            let rest = &part[label.len()..];
            let telling = match rest {
                _ if rest.starts_with(" again") => Telling::Reopened,
                _ if rest.starts_with(" (was ") => Telling::Changed,
                _ => Telling::Opened,
            };
            let mut told = nothing(grower, label, telling);
            told.first_look = rest.contains("already so at the first look");
            told.since = rest.split_once(" since ").and_then(|(_, at)| time(at));
            told
        };
    told.while_off = part.contains("while Leafwatch was off");
    told.in_short = true;
    Some(told)
}

fn how_sure(text: &str) -> (Option<Looks>, Option<Option<Shown>>) {
    let (looks, healthy) = text.split_once("; ").unwrap_or((text, ""));
    let numbers = numbers(looks);
    let looks = match looks {
        _ if looks.starts_with("well in ") => Some(Looks {
            bad: numbers[1] - numbers[0],
            of: numbers[1],
        }),
        _ if looks.starts_with("all ") || numbers.len() == 1 => Some(Looks {
            bad: numbers[0],
            of: numbers[0],
        }),
        _ if numbers.len() >= 2 => Some(Looks {
            bad: numbers[0],
            of: numbers[1],
        }),
        _ => None,
    };
    const LAST: [&str; 3] = [
        "last healthy ",
        "last in the expected environment ",
        "last read ",
    ];
    let last = LAST.iter().find_map(|words| healthy.strip_prefix(words));
    let healthy = match last {
        Some(at) => Some(time(at)),
        None => healthy.starts_with("never ").then_some(None),
    };
    (looks, healthy)
}

/// `Farm 12 (John Deere)`.
fn farm(text: &str) -> Option<usize> {
    let rest = text.split_once("Farm ")?.1;
    rest.split(' ').next()?.parse().ok()
}

fn from_to(text: &str) -> Option<(Option<Shown>, Option<Shown>)> {
    let (from, to) = text.split_once(" to ")?;
    Some((Some(time(from)?), Some(time(to)?)))
}

/// The numbers in a text, thousands set apart or not.
pub fn numbers(text: &str) -> Vec<u64> {
    let digits = |c: char| !(c.is_ascii_digit() || c == ',');
    text.split(digits)
        .filter_map(|word| word.trim_matches(',').replace(',', "").parse().ok())
        .collect()
}

/// `Tue 24 Nov 2026, 08:15 CST (14:15 UTC)`; both clocks must agree.
pub fn time(text: &str) -> Option<Shown> {
    let (date, rest) = text.split_once(", ")?;
    let mut date = date.split(' ').skip(1);
    let day: i8 = date.next()?.parse().ok()?;
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = date.next()?;
    let month = 1 + MONTHS.iter().position(|known| *known == month)? as i8;
    let date = Date::new(date.next()?.parse().ok()?, month, day).ok()?;
    let mut rest = rest.split(' ');
    let clock = |text: &str| -> Option<i64> {
        let (hour, minute) = text.split_once(':')?;
        Some(hour.parse::<i64>().ok()? * 60 + minute.get(..2)?.parse::<i64>().ok()?)
    };
    let local = clock(rest.next()?)?;
    let ahead = match rest.next()?.trim_end_matches([',', '.', ';']) {
        "CST" => -360,
        "CDT" => -300,
        "UTC" => 0,
        _ => return None,
    };
    let days = date
        .since(Date::new(1970, 1, 1).unwrap())
        .unwrap()
        .get_days();
    let shown = i64::from(days) * 1440 + local - ahead;
    if let Some((_, utc)) = text.split_once(" (") {
        let utc = utc.split(' ').find_map(clock)?;
        assert_eq!(shown.rem_euclid(1440), utc, "{text}");
    }
    Some(shown)
}

/// `3 h 12 min` in seconds.
pub fn duration(text: &str) -> Option<i64> {
    let mut words = text.split(' ');
    let mut seconds = None;
    while let (Some(count), Some(unit)) = (words.next(), words.next()) {
        if count == "less" {
            return Some(0);
        }
        let each = match unit.trim_end_matches(['.', ',', ';']) {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => break,
        };
        seconds = Some(seconds.unwrap_or(0) + count.parse::<i64>().ok()? * each);
    }
    seconds
}
