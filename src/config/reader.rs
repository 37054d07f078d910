//! Walks the settings and collects every fault on the way, so that all are told at once (`values` reads what stands there).
//!
//! A key is known because it was asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;

use figment::value::{Dict, Value};

use super::fault::{Fault, Place, Warning};
use super::source::Source;

/// The settings under inspection, and what was found so far.
pub(super) struct Reader {
    pub(super) source: Source,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Warning>>,
    /// Dotted keys without the numbers of list entries; `key.*` stands for keys that are free.
    known: RefCell<BTreeSet<String>>,
}

/// One table of the settings; reads as empty where it is left out.
pub(super) struct Section<'r> {
    reader: &'r Reader,
    table: Option<&'r Dict>,
    /// Dotted, without the number of the entry; empty at the top.
    path: String,
    /// The same with the numbers: `watch.users[2]`.
    spot: String,
    /// Which entry of a list of tables this is, from 1.
    entry: Option<usize>,
    /// It is no table: that is told once, and what would follow from it is not.
    broken: bool,
}

impl Reader {
    pub(super) fn new(source: Source) -> Self {
        Reader {
            source,
            faults: RefCell::default(),
            warnings: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// The table that holds all others.
    pub(super) fn top(&self) -> Section<'_> {
        Section {
            reader: self,
            table: Some(&self.source.root),
            path: String::new(),
            spot: String::new(),
            entry: None,
            broken: false,
        }
    }

    pub(super) fn add(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    pub(super) fn warn(&self, warning: Warning) {
        self.warnings.borrow_mut().push(warning);
    }

    /// How many faults were found until now.
    pub(super) fn faults_so_far(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Every key that was asked for.
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    pub(super) fn into_findings(self) -> (Vec<Fault>, Vec<Warning>) {
        (self.faults.into_inner(), self.warnings.into_inner())
    }
}

impl<'r> Section<'r> {
    /// The table `key` in this one. To be asked for once, or its faults are told twice.
    pub(super) fn section(&self, key: &str) -> Section<'r> {
        let value = self.value(key);
        let table = value
            .filter(|value| !is_date(value))
            .and_then(Value::as_dict);
        if let (Some(other), None) = (value, table) {
            let write = format!("write its keys below a line [{}]", self.path_of(key));
            self.wrong_type(key, other, "a table", &write);
        }
        Section {
            reader: self.reader,
            table,
            path: self.path_of(key),
            spot: join(&self.spot, key),
            entry: None,
            broken: self.broken || value.is_some() && table.is_none(),
        }
    }

    /// The entries of the list of tables `key`.
    pub(super) fn entries(&self, key: &str) -> Vec<Section<'r>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let list = value
            .as_array()
            .filter(|list| list.iter().all(|entry| entry.as_dict().is_some()));
        let Some(list) = list else {
            let write = format!("write a line [[{}]] above each entry", self.path_of(key));
            self.wrong_type(key, value, "a list of tables", &write);
            return Vec::new();
        };
        list.iter()
            .enumerate()
            .map(|(at, entry)| Section {
                reader: self.reader,
                table: entry.as_dict(),
                path: self.path_of(key),
                spot: format!("{}[{}]", join(&self.spot, key), at + 1),
                entry: Some(at + 1),
                broken: false,
            })
            .collect()
    }

    /// Whether the table stands in the settings at all.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// Whether `key` is set.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The table at `key`, whose own keys are free; none where something else stands there.
    pub(super) fn free(&self, key: &str) -> Option<&'r Dict> {
        self.reader
            .known
            .borrow_mut()
            .insert(format!("{}.*", self.path_of(key)));
        self.value(key)
            .filter(|value| !is_date(value))
            .and_then(Value::as_dict)
    }

    /// Tells that `key` is wrong.
    pub(super) fn fault(&self, key: &str, wrong: &str, write: &str) {
        self.fault_at(key, "", wrong, write);
    }

    /// Tells that the entry `word` in the list `key` is wrong.
    pub(super) fn fault_in(&self, key: &str, word: &str, wrong: &str, write: &str) {
        let list = self.value(key).and_then(Value::as_array).unwrap_or(&[]);
        let at = list
            .iter()
            .position(|entry| entry.as_str().map(str::trim) == Some(word));
        let entry = at.map(|at| format!("[{}]", at + 1)).unwrap_or_default();
        self.fault_at(key, &entry, wrong, write);
    }

    /// Tells that `key` is wrong, or its `entry`: `[2]`.
    fn fault_at(&self, key: &str, entry: &str, wrong: &str, write: &str) {
        if self.broken {
            return;
        }
        self.reader.add(Fault {
            place: self.place_of(key, entry),
            key: Some(self.label_of(key)),
            wrong: wrong.to_owned(),
            write: Some(write.to_owned()),
        });
    }

    /// Tells that `key` is unwise.
    pub(super) fn warn(&self, key: &str, what: &str, advice: &str) {
        if self.broken {
            return;
        }
        self.reader.warn(Warning {
            place: self.place_of(key, ""),
            key: self.label_of(key),
            what: what.to_owned(),
            advice: advice.to_owned(),
        });
    }

    /// The reader this section belongs to.
    pub(super) fn reader(&self) -> &'r Reader {
        self.reader
    }

    /// Tells that the value of `key` is of another type. The value is left out: what stands where a
    /// file's name is expected may be the secret itself.
    pub(super) fn wrong_type(&self, key: &str, value: &Value, wanted: &str, write: &str) {
        let wrong = format!("this is {}, not {wanted}", type_of(value));
        self.fault(key, &wrong, write);
    }

    /// What stands at `key`, which becomes known by it.
    pub(super) fn value(&self, key: &str) -> Option<&'r Value> {
        self.reader.known.borrow_mut().insert(self.path_of(key));
        self.table?.get(key)
    }

    /// Whether a variable set `key`, so that its value is still text.
    pub(super) fn is_variable(&self, key: &str) -> bool {
        self.reader.source.is_variable(&self.path_of(key))
    }

    fn place_of(&self, key: &str, entry: &str) -> Place {
        let spot = format!("{}{entry}", join(&self.spot, key));
        self.reader.source.place_of(&self.path_of(key), &spot)
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    fn label_of(&self, key: &str) -> String {
        match self.entry {
            Some(entry) => entry_label(&self.path, entry, key),
            None => self.path_of(key),
        }
    }
}

/// A key in the table at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// How a key of one entry in a list of tables is called.
pub(super) fn entry_label(path: &str, entry: usize, key: &str) -> String {
    format!("{path}, entry {entry}: {key}")
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) if value.to_i128().is_some() => "a number",
        Value::Num(..) => "a number with a fraction",
        Value::Empty(..) => "nothing",
        Value::Dict(..) if is_date(value) => "a date",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

/// The TOML parser hands dates over as a table with one key of its own.
pub(super) fn is_date(value: &Value) -> bool {
    value
        .as_dict()
        .is_some_and(|table| table.keys().any(|key| key.starts_with("$__toml")))
}
