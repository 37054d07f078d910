//! Reads the config file and lays the `LEAFWATCH_SECTION__KEY` variables over it. Knows no key by name.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::fault::{Fault, Faults, Place};
use super::lines::Lines;
use crate::model::Daemon;

/// What variables of settings begin with.
const PREFIX: &str = "LEAFWATCH_";

/// The variable that names the config file; the command line reads it, and it is no setting.
pub const PATH_VARIABLE: &str = "LEAFWATCH_CONFIG";

/// Where the config file is looked for when nobody names one.
pub const DEFAULT_PATH: &str = "/etc/leafwatch/leafwatch.toml";

/// The config of one of several daemons, as `leafwatch@.service` names it.
pub fn file_of_instance(instance: &str) -> PathBuf {
    Path::new(DEFAULT_PATH).with_file_name(format!("{instance}.toml"))
}

/// Which of several daemons a config belongs to by its place; none for all that does not lie where the units look.
pub fn instance_of_file(file: &Path) -> Option<String> {
    let stem = file.file_stem()?.to_str()?;
    (file != Path::new(DEFAULT_PATH) && file == file_of_instance(stem)).then(|| stem.to_owned())
}

/// Which daemon a config is of, as command lines tell it from others.
pub fn daemon(file: &Path, instance: Option<&str>) -> Daemon {
    let expected = instance.map_or_else(|| PathBuf::from(DEFAULT_PATH), file_of_instance);
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    Daemon {
        instance: instance.map(str::to_owned),
        config: (file != expected).then_some(file),
    }
}

/// The environment variables that settings depend on; the rest of the environment is not kept.
#[derive(Clone, Default)]
pub struct Variables {
    /// By dotted key: the variable's name and its value.
    settings: BTreeMap<String, (String, String)>,
    /// `$CREDENTIALS_DIRECTORY`: where systemd puts secrets.
    credentials: Option<PathBuf>,
    /// `$STATE_DIRECTORY`: where systemd lets the service write.
    state: Option<PathBuf>,
    /// Which of several daemons is meant.
    instance: Option<String>,
}

impl Variables {
    /// Those of this process.
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The same for one of several daemons, whose secrets and database have folders of their own.
    #[must_use]
    pub fn of_instance(mut self, instance: Option<&str>) -> Self {
        self.instance = instance.map(str::to_owned);
        self
    }

    /// Which of several daemons is meant.
    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// systemd's folder of secrets.
    pub(super) fn credentials(&self) -> Option<&Path> {
        self.credentials.as_deref()
    }

    /// systemd's folder for what a service keeps.
    pub(super) fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        let mut kept = Variables::default();
        for (name, value) in all {
            let name = name.into().to_string_lossy().into_owned();
            let value = value.into();
            match name.as_str() {
                PATH_VARIABLE => {}
                "CREDENTIALS_DIRECTORY" => kept.credentials = Some(value.into()),
                "STATE_DIRECTORY" => {
                    // systemd joins several with colons; the first is ours.
                    let all = value.to_string_lossy().into_owned();
                    kept.state = all.split(':').next().map(PathBuf::from);
                }
                _ => {
                    if let Some(key) = name.strip_prefix(PREFIX) {
                        let key = key.to_lowercase().replace("__", ".");
                        let value = value.to_string_lossy().into_owned();
                        kept.settings.insert(key, (name, value));
                    }
                }
            }
        }
        kept
    }
}

impl fmt::Debug for Variables {
    /// Names alone: somebody may have put a secret into a variable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.settings.keys()).finish()
    }
}

/// Keeps values as the text they are: figment's own `Env` would read `0012345` as a number,
/// and only the reader knows what a key should hold.
impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variables")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (key, (_, value)) in &self.settings {
            insert(&mut root, key, value);
        }
        Ok(Profile::Default.collect(root))
    }
}

fn insert(into: &mut Dict, key: &str, value: &str) {
    let Some((table, rest)) = key.split_once('.') else {
        into.insert(key.to_owned(), Value::from(value));
        return;
    };
    let inner = into
        .entry(table.to_owned())
        .or_insert_with(|| Value::from(Dict::new()));
    // A variable that names the table itself comes first in the order of keys, and gives way.
    if inner.as_dict().is_none() {
        *inner = Value::from(Dict::new());
    }
    if let Value::Dict(_, inner) = inner {
        insert(inner, rest, value);
    }
}

/// The name of the variable that would set `key`.
pub(super) fn variable_for(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// The settings as written: file and variables in one tree.
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) root: Dict,
    pub(super) variables: Variables,
    text: String,
    lines: OnceCell<Lines>,
}

impl Source {
    /// Reads the file; one fault says all, since nothing else can be looked at without it.
    pub(super) fn read(file: &Path, variables: &Variables) -> Result<Source, Faults> {
        let text = text_of(file)?;
        Source::parse(file, text, variables)
    }

    /// Reads the file without the lines that are no TOML, each of which is a fault.
    ///
    /// # Errors
    /// Where what is left out could be a section's heading, or could name the database: another one than was meant must not
    /// be taken for it.
    pub(super) fn salvage(
        file: &Path,
        variables: &Variables,
    ) -> Result<(Source, Vec<Fault>), Faults> {
        const MOST: usize = 20;
        let mut text = text_of(file)?;
        let mut faults = Vec::new();
        loop {
            match Source::parse(file, text.clone(), variables) {
                Ok(source) => return Ok((source, faults)),
                Err(Faults(found)) => faults.extend(found),
            }
            let at = match faults.last().map(|fault| &fault.place) {
                Some(Place::File {
                    line: Some(line), ..
                }) => usize::try_from(line - 1).ok(),
                _ => None,
            };
            let mut lines: Vec<&str> = text.lines().collect();
            match at.and_then(|at| lines.get_mut(at)) {
                Some(line) if faults.len() < MOST && !is_needed(line) => *line = "",
                _ => return Err(Faults(faults)),
            }
            text = lines.join("\n");
        }
    }

    fn parse(file: &Path, text: String, variables: &Variables) -> Result<Source, Faults> {
        let data = Figment::from(Toml::string(&text))
            .merge(variables)
            .data()
            .map_err(|error| Faults(vec![not_toml(file, &text, &error)]))?;
        Ok(Source {
            file: file.to_owned(),
            root: data.into_values().next().unwrap_or_default(),
            variables: variables.clone(),
            text,
            lines: OnceCell::new(),
        })
    }

    /// Where `key` was set, or would be; `spot` is the same with the numbers of list entries in it.
    pub(super) fn place_of(&self, key: &str, spot: &str) -> Place {
        match self.variable_at(key) {
            Some((_, name)) => Place::Variable(name.to_owned()),
            None => Place::File {
                path: self.file.clone(),
                line: self.line_of(spot),
                column: None,
            },
        }
    }

    fn line_of(&self, spot: &str) -> Option<u64> {
        let lines = self.lines.get_or_init(|| Lines::of(&self.text));
        lines.of_key(spot)
    }

    /// The key and the name of the variable that set `key` or something in it.
    pub(super) fn variable_at(&self, key: &str) -> Option<(&str, &str)> {
        let beneath = format!("{key}.");
        let settings = &self.variables.settings;
        let exact = settings.get_key_value(key);
        let within = || settings.range(beneath.clone()..).next();
        exact
            .or_else(|| within().filter(|(set, _)| set.starts_with(&beneath)))
            .map(|(set, (name, _))| (set.as_str(), name.as_str()))
    }

    /// Whether `key` was set by a variable, so that its value is still text.
    pub(super) fn is_variable(&self, key: &str) -> bool {
        self.variables.settings.contains_key(key)
    }

    /// The folder that relative paths count from.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

/// Says why a file cannot be read and what to do.
pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Fault {
    use std::io::ErrorKind;
    let (wrong, write) = match error.kind() {
        ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            "check the path; relative paths in the config count from the config file's folder",
        ),
        ErrorKind::PermissionDenied => (
            "we may not read it".to_owned(),
            "let the user that runs leafwatch read it (secrets belong into files of their own)",
        ),
        ErrorKind::IsADirectory => ("it is a folder".to_owned(), "name the file itself"),
        ErrorKind::InvalidData => ("it is not UTF-8 text".to_owned(), "save it as UTF-8"),
        _ => (
            format!("it cannot be read: {error}"),
            "check the file and its disk",
        ),
    };
    Fault {
        place: Place::file(file),
        key: None,
        wrong,
        write: Some(write.to_owned()),
    }
}

fn text_of(file: &Path) -> Result<String, Faults> {
    std::fs::read_to_string(file).map_err(|error| Faults(vec![unreadable(file, &error)]))
}

/// Whether a line may say which database is meant, or what the lines below it belong to.
fn is_needed(line: &str) -> bool {
    line.trim_start().starts_with('[') || line.contains("path") || line.contains("database")
}

/// Says where and why, and leaves out what stands there: somebody may have written a password.
fn not_toml(file: &Path, text: &str, error: &figment::Error) -> Fault {
    let parsed = toml_edit::ImDocument::parse(text).err();
    let reason = match &parsed {
        Some(error) => error.message().lines().collect::<Vec<_>>().join(", "),
        // The variables alone can be at fault then.
        None => error.kind.to_string(),
    };
    let before = parsed
        .and_then(|error| error.span())
        .and_then(|span| text.get(..span.start));
    let count = |number: usize| number as u64 + 1;
    Fault {
        place: Place::File {
            path: file.to_owned(),
            line: before.map(|before| count(before.matches('\n').count())),
            column: before.map(|before| {
                let line = before.rsplit('\n').next().unwrap_or_default();
                count(line.chars().count())
            }),
        },
        key: None,
        wrong: format!("not valid TOML: {reason}"),
        write: Some(
            "text stands in double quotes, lists in [ ], and each key once in its section"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_is_placed_but_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leafwatch.toml");
        std::fs::write(&file, "[leaf]\nusername = \"a\"\npassword = hunter2\n").unwrap();
        let Err(fault) = Source::read(&file, &Variables::default()) else {
            panic!("this is no TOML");
        };
        let text = fault.to_string();
        assert!(
            text.contains("line 3, column 12: not valid TOML:"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn what_is_no_toml_is_left_out_unless_the_database_may_hang_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leafwatch.toml");
        let salvaged = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Source::salvage(&file, &Variables::default())
        };
        let (source, faults) =
            salvaged("[leaf]\nusername = ops\n[database]\npath = \"x.db\"\nkeep = = 3\n").unwrap();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(source.root.contains_key("database"));
        for lost in [
            "[database\npath = \"x.db\"\n",
            "[database]\npath = x.db\n",
            "database.path = x\n",
        ] {
            assert!(salvaged(lost).is_err(), "{lost}");
        }
    }

    #[test]
    fn an_instance_is_known_by_where_its_config_lies() {
        let of = |file: &str| instance_of_file(Path::new(file));
        assert_eq!(
            of("/etc/leafwatch/production.toml").as_deref(),
            Some("production")
        );
        for file in [
            "/etc/leafwatch/leafwatch.toml",
            "/tmp/production.toml",
            "/etc/leafwatch/production.txt",
        ] {
            assert_eq!(of(file), None, "{file}");
        }
    }

    #[test]
    fn a_daemon_is_named_by_what_is_not_usual_about_it() {
        let of = |file: &str, instance: Option<&str>| {
            let Daemon { instance, config } = daemon(Path::new(file), instance);
            (instance, config.map(|file| file.display().to_string()))
        };
        let production = Some("production".to_owned());
        let elsewhere = Some("/srv/x.toml".to_owned());
        assert_eq!(of(DEFAULT_PATH, None), (None, None));
        assert_eq!(
            of("/etc/leafwatch/production.toml", production.as_deref()),
            (production.clone(), None)
        );
        assert_eq!(of("/srv/x.toml", None), (None, elsewhere.clone()));
        assert_eq!(
            of("/srv/x.toml", production.as_deref()),
            (production, elsewhere)
        );
        // Who reads a mail stands in another folder.
        assert!(of("x.toml", None).1.unwrap().starts_with('/'));
    }

    #[test]
    fn variables_are_text_laid_over_the_file() {
        let variables: Variables = [
            ("LEAFWATCH_CONFIG", "/elsewhere"),
            ("LEAFWATCH_LEAF__USERNAME", "0012345"),
            ("LEAFWATCH_LEAF", "never mind"),
            ("LEAFWATCH_EMAIL__SMTP__HOST", "mail"),
            ("HOME", "/root"),
            ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"),
        ]
        .into_iter()
        .collect();
        let data = variables.data().unwrap();
        let root = Value::from(data[&Profile::Default].clone());
        let text = |path: &str| {
            root.find_ref(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        assert_eq!(text("leaf.username").as_deref(), Some("0012345"));
        assert_eq!(text("email.smtp.host").as_deref(), Some("mail"));
        assert!(root.find_ref("config").is_none());
        assert_eq!(variables.state(), Some(Path::new("/var/lib/a")));
        assert_eq!(
            variable_for("email.smtp.host"),
            "LEAFWATCH_EMAIL__SMTP__HOST"
        );
    }
}
