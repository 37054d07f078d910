//! `users_file`: a CSV of growers, read line by line, since there may be a hundred thousand.

use std::fs::File;
use std::path::Path;

use csv::{ErrorKind, StringRecord};

use super::addresses::WRITE_ADDRESS;
use super::fault::{Fault, Place, nearest, quoted};
use super::roll::{
    Origin, Roll, WRITE_ENVIRONMENT, WRITE_ID, double_id, providers, reconnect_url, tags,
};
use super::source::unreadable;
use crate::model::{Address, Environment, OwnSettings, UserId, WatchedUser};

/// The columns, in the order of [`Columns`].
const NAMES: [&str; 7] = [
    "id",
    "name",
    "providers",
    "expected_environment",
    "notify",
    "tags",
    "reconnect_url",
];

/// The columns that hold lists.
const LISTS: [usize; 3] = [2, 4, 5];

/// For each of [`NAMES`], where it stands in a line.
type Columns = [Option<usize>; NAMES.len()];

/// Adds everybody in the file to `roll`; every bad line goes to `fault` with its number, and reading goes on.
pub(super) fn read(path: &Path, roll: &mut Roll, fault: &mut dyn FnMut(Fault)) {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return fault(unreadable(path, &error)),
    };
    let mut csv = csv::ReaderBuilder::new()
        .flexible(true)
        .buffer_capacity(64 * 1024)
        .from_reader(file);
    let header = match csv.headers() {
        Ok(header) => header,
        Err(error) => {
            fault(not_csv(path, &error));
            return;
        }
    };
    let width = header.len();
    let Some(columns) = columns(path, header, fault) else {
        return;
    };
    let mut record = StringRecord::new();
    let mut lines = 0_u64;
    loop {
        match csv.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                fault(not_csv(path, &error));
                match error.kind() {
                    ErrorKind::Utf8 { .. } => continue,
                    _ => break,
                }
            }
        }
        // Spreadsheets leave lines of nothing but commas behind.
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        lines += 1;
        let number = record.position().map_or(0, csv::Position::line);
        let line = Line {
            path,
            number,
            record: &record,
            columns,
        };
        if let Some(user) = line.user(width, fault) {
            roll.add(user, Origin::Line(number), |id, other| {
                let (wrong, write) = double_id(id, other);
                fault(line_fault(path, number, Some("id"), wrong, &write));
            });
        }
    }
    if lines == 0 {
        let wrong = "there is no line below the header".to_owned();
        fault(line_fault(
            path,
            1,
            None,
            wrong,
            "write one line a grower, or leave users_file out",
        ));
    }
}

/// Finds the columns in the header; none where the lines below could not be understood.
fn columns(path: &Path, header: &StringRecord, fault: &mut dyn FnMut(Fault)) -> Option<Columns> {
    let all = NAMES.join(",");
    let mut tell = |wrong: String, write: String| fault(line_fault(path, 1, None, wrong, &write));
    if header.is_empty() {
        tell(
            "the file is empty".to_owned(),
            format!("begin with the header {all}"),
        );
        return None;
    }
    if header.len() == 1 && header.iter().any(|cell| cell.contains([';', '\t'])) {
        tell(
            "the columns are not separated by commas".to_owned(),
            "save it as CSV with commas; \";\" separates what stands in one cell".to_owned(),
        );
        return None;
    }
    let mut columns = Columns::default();
    let mut whole = true;
    for (at, cell) in header.iter().enumerate() {
        let name = cell.trim().to_lowercase();
        let Some(known) = NAMES.iter().position(|known| *known == name) else {
            let write = match nearest(&name, NAMES) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the columns are {all}, in any order"),
            };
            tell(format!("unknown column {}", quoted(cell)), write);
            whole = false;
            continue;
        };
        if columns[known].replace(at).is_some() {
            tell(
                format!("the column {name} stands here twice"),
                "keep one of the two".to_owned(),
            );
            whole = false;
        }
    }
    if columns[0].is_none() {
        // Without a header the first grower stands where the names should be.
        tell(
            "there is no column id".to_owned(),
            format!("begin with a header such as {all}"),
        );
        whole = false;
    }
    whole.then_some(columns)
}

/// One line below the header.
struct Line<'a> {
    path: &'a Path,
    number: u64,
    record: &'a StringRecord,
    columns: Columns,
}

impl<'a> Line<'a> {
    fn user(&self, width: usize, fault: &mut dyn FnMut(Fault)) -> Option<WatchedUser> {
        // A quote that is never closed would swallow the lines below it, and their growers with them.
        if self.record.iter().any(|cell| cell.contains('\n')) {
            let wrong = "a cell runs over several lines".to_owned();
            fault(line_fault(
                self.path,
                self.number,
                None,
                wrong,
                "close the double quote that begins here",
            ));
            return None;
        }
        if self.record.len() != width {
            let wrong = format!("it has {} cells, the header has {width}", self.record.len());
            let write = "put a cell that holds a comma into double quotes, and keep a comma for each empty cell";
            fault(line_fault(self.path, self.number, None, wrong, write));
            return None;
        }
        let own = self.own(fault);
        let id = self.cell(0).parse::<UserId>();
        if id.is_err() {
            let wrong = match self.cell(0) {
                "" => "it is empty".to_owned(),
                id => format!("{} is no Leaf user id", quoted(id)),
            };
            fault(line_fault(
                self.path,
                self.number,
                Some(NAMES[0]),
                wrong,
                WRITE_ID,
            ));
        }
        let name = self.cell(1);
        Some(WatchedUser {
            id: id.ok()?,
            name: (!name.is_empty()).then(|| name.into()),
            own,
        })
    }

    fn own(&self, fault: &mut dyn FnMut(Fault)) -> Option<Box<OwnSettings>> {
        if (2..NAMES.len()).all(|column| self.cell(column).is_empty()) {
            return None;
        }
        let mut tell = |column: usize, wrong: String, write: &str| {
            fault(line_fault(
                self.path,
                self.number,
                Some(NAMES[column]),
                wrong,
                write,
            ));
        };
        // Each of their words would be refused, or taken for one long tag.
        for column in LISTS {
            if self.cell(column).contains(',') {
                let wrong = "commas separate nothing inside a cell".to_owned();
                let words: Vec<&str> = self.cell(column).split([',', ';']).map(str::trim).collect();
                tell(
                    column,
                    wrong,
                    &format!("write {}", quoted(&words.join(";"))),
                );
            }
        }
        let named = providers(self.words(2), &mut |wrong, write| tell(2, wrong, &write));
        let environment = match self.cell(3) {
            "" => None,
            word => word
                .parse::<Environment>()
                .map_err(|reason| tell(3, reason.to_string(), WRITE_ENVIRONMENT))
                .ok(),
        };
        let mut notify: Vec<Address> = Vec::new();
        for word in self.words(4) {
            match word.parse() {
                Ok(address) if notify.contains(&address) => {}
                Ok(address) => notify.push(address),
                Err(reason) => tell(4, reason.to_string(), WRITE_ADDRESS),
            }
        }
        let url = match self.cell(6) {
            "" => None,
            url => reconnect_url(url)
                .map_err(|(wrong, write)| tell(6, wrong, write))
                .ok(),
        };
        Some(Box::new(OwnSettings {
            providers: (self.words(2).next().is_some()).then_some(named),
            expected_environment: environment,
            notify,
            tags: tags(self.words(5)),
            reconnect_url: url,
        }))
    }

    fn cell(&self, column: usize) -> &'a str {
        self.columns[column]
            .and_then(|at| self.record.get(at))
            .unwrap_or_default()
            .trim()
    }

    /// The words of a list; none where commas stand in it, which is a fault of its own.
    fn words(&self, column: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let cell = match self.cell(column) {
            cell if cell.contains(',') => "",
            cell => cell,
        };
        cell.split(';')
            .map(str::trim)
            .filter(|word| !word.is_empty())
    }
}

fn not_csv(path: &Path, error: &csv::Error) -> Fault {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        ErrorKind::Utf8 { .. } => {
            let wrong = "it is not UTF-8 text".to_owned();
            line_fault(path, line, None, wrong, "save the file as \"CSV UTF-8\"")
        }
        ErrorKind::Io(error) => unreadable(path, error),
        _ => line_fault(
            path,
            line,
            None,
            error.to_string(),
            "check the quotes in this line",
        ),
    }
}

/// A fault in one line of the users file.
fn line_fault(path: &Path, line: u64, column: Option<&str>, wrong: String, write: &str) -> Fault {
    Fault {
        place: Place::line(path, line),
        key: column.map(str::to_owned),
        wrong,
        write: Some(write.to_owned()),
    }
}
