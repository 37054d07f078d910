//! Secrets, by the file that holds them: read when first needed, never kept here, never shown.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// No password or token is longer; a file that is was named by mistake.
const LARGEST: u64 = 64 * 1024;

/// A file that holds one secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Where the service manager puts it, if it does: only we can read there.
    credential: Option<PathBuf>,
    path: PathBuf,
}

/// Why a secret cannot be used, and what to do. Says what was found, and never shows any of it.
#[derive(Debug)]
pub struct SecretFault {
    /// The file that was read.
    path: PathBuf,
    /// The file that the service manager copies it from, where it handed a copy over.
    original: Option<PathBuf>,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Missing,
    /// Others can read it; its mode bits.
    Exposed(u32),
    Empty,
    /// It is a folder, no text, far too long, or has more in it than a secret on one line.
    NotASecret(String),
    Unreadable(io::Error),
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Missing => write!(f, "there is no file {path}"),
            Reason::Exposed(mode) => write!(f, "{path} can be read by others (mode {mode:04o})"),
            Reason::Empty => match &self.original {
                // The unit hands over an empty one for each that is not there.
                Some(original) => write!(
                    f,
                    "what systemd handed over is empty: {} was not there when the service started, or is empty",
                    original.display()
                ),
                None => write!(f, "{path} is empty"),
            },
            Reason::NotASecret(found) => write!(f, "{path} does not hold a secret: {found}"),
            Reason::Unreadable(_) => write!(f, "cannot read {path}"),
        }
    }
}

impl std::error::Error for SecretFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

impl SecretFault {
    /// What to do about it.
    pub fn advice(&self) -> String {
        // Nobody writes among systemd's copies: what is to be mended is what they are copied from.
        let file = self.original.as_ref().unwrap_or(&self.path).display();
        let advice = match &self.reason {
            Reason::Missing => format!(
                "put the secret itself, and nothing else, into {file} (chmod 600); this key holds the file's name, never the secret"
            ),
            Reason::Exposed(_) => format!("run: chmod 600 {file}"),
            Reason::Empty => format!("put the secret into {file} (chmod 600), on one line"),
            Reason::NotASecret(_) => format!(
                "write the secret alone into {file}, as plain UTF-8 on one line, with nothing before or after it"
            ),
            Reason::Unreadable(_) => format!(
                "let the user that runs leafwatch read {file}, or hand it over with LoadCredential="
            ),
        };
        match self.original {
            Some(_) => {
                format!("{advice}; then restart the service: systemd copies secrets at its start")
            }
            None => advice,
        }
    }

    /// What is wrong and what to do, in one line.
    pub fn with_advice(&self) -> String {
        format!("{self}; {}", self.advice())
    }
}

impl SecretFile {
    /// A secret in `path`, which belongs to the reader alone.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        SecretFile {
            credential: None,
            path: path.into(),
        }
    }

    /// As the config names it: a bare name is looked up in `credentials` (systemd's `$CREDENTIALS_DIRECTORY`) first, then
    /// in the folder of its own that an instance has in `beside`, the folder of the config file; anything else counts
    /// from there.
    pub(super) fn named(
        name: &str,
        beside: &Path,
        instance: Option<&str>,
        credentials: Option<&Path>,
    ) -> Self {
        let bare = Path::new(name).components().count() == 1 && !name.contains('/');
        let own = instance
            .filter(|_| bare)
            .map(|instance| beside.join(instance));
        SecretFile {
            credential: credentials.filter(|_| bare).map(|folder| folder.join(name)),
            path: own.as_deref().unwrap_or(beside).join(name),
        }
    }

    /// The file that is read at this moment.
    pub fn path(&self) -> &Path {
        self.handed_over().unwrap_or(&self.path)
    }

    fn handed_over(&self) -> Option<&Path> {
        self.credential.as_deref().filter(|path| path.exists())
    }

    /// Reads the secret; one line end behind it is not part of it.
    ///
    /// # Errors
    /// Refuses what is missing, empty, no text or more than one line of it, and what others can read, unless the service
    /// manager put it there.
    pub fn read(&self) -> Result<SecretString, SecretFault> {
        let handed_over = self.handed_over();
        self.contents(handed_over.is_some())
            .map_err(|reason| SecretFault {
                path: self.path().to_owned(),
                original: handed_over.map(|_| self.path.clone()),
                reason,
            })
    }

    fn contents(&self, handed_over: bool) -> Result<SecretString, Reason> {
        let path = self.path();
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Reason::Missing,
            _ => Reason::Unreadable(source),
        };
        let not_a_secret = |found: &str| Reason::NotASecret(found.to_owned());
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let kind = fs::metadata(path).map_err(unreadable)?;
        if !kind.is_file() {
            return Err(not_a_secret("it is no plain file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if !handed_over && mode & 0o077 != 0 {
            return Err(Reason::Exposed(mode));
        }
        let mut text = String::new();
        match file.take(LARGEST + 1).read_to_string(&mut text) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(not_a_secret("it is no UTF-8 text"));
            }
            Err(error) => return Err(unreadable(error)),
        }
        if text.len() as u64 > LARGEST {
            return Err(not_a_secret("it is longer than 64 KiB"));
        }
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        let found = beside_a_secret(&text);
        if text
            .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
            .is_empty()
        {
            return Err(Reason::Empty);
        }
        match found.is_empty() {
            true => Ok(SecretString::from(text)),
            false => Err(Reason::NotASecret(found.join(", and "))),
        }
    }
}

/// What stands in a file beside a secret on one line, and would be sent along with it.
fn beside_a_secret(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mark = text.strip_prefix('\u{feff}');
    if mark.is_some() {
        found.push("it begins with a byte order mark (BOM)".to_owned());
    }
    let rest = mark.unwrap_or(text);
    let lines = rest.split('\n').count();
    if lines > 1 {
        found.push(format!("it has {lines} lines"));
    }
    if rest.contains('\0') {
        found.push("it holds NUL bytes, as UTF-16 does".to_owned());
    } else if rest.contains(|c: char| c.is_control() && !c.is_whitespace() || c == '\r') {
        found.push("it holds control characters".to_owned());
    }
    let blank = |c: char| c.is_whitespace() && c != '\n' && c != '\r';
    if rest.starts_with(blank) {
        found.push("it begins with a blank".to_owned());
    }
    if rest.ends_with(blank) {
        found.push("it ends with a blank".to_owned());
    }
    found
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretFile({:?})", self.path())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Folder(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, bytes: &[u8], mode: u32) -> SecretFile {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            SecretFile::at(path)
        }
    }

    #[test]
    fn exactly_one_line_end_is_no_part_of_the_secret() {
        let folder = Folder::new();
        for (bytes, secret) in [
            (&b"pass word\n"[..], "pass word"),
            (b"pass\r\n", "pass"),
            (b"pass", "pass"),
        ] {
            let file = folder.write("secret", bytes, 0o600);
            assert_eq!(file.read().unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn what_stands_beside_a_secret_is_named_and_never_shown() {
        let folder = Folder::new();
        for (bytes, said) in [
            (&b" hunter2\n"[..], "it begins with a blank"),
            (b"hunter2 \n", "it ends with a blank"),
            (b"hunter2\t", "it ends with a blank"),
            (b"\xc2\xa0hunter2\n", "it begins with a blank"),
            (b"hunter2\n\n", "it has 2 lines"),
            (b"\nhunter2", "it has 2 lines"),
            (
                b"user\r\nhunter2\r\n",
                "it has 2 lines, and it holds control characters",
            ),
            (b"hunter2\r", "it holds control characters"),
            (
                b"\xef\xbb\xbfhunter2\n",
                "it begins with a byte order mark (BOM)",
            ),
            (
                b"\xef\xbb\xbfhunter2 \n",
                "it begins with a byte order mark (BOM), and it ends with a blank",
            ),
            (b"h\0u\0n\0t\0e\0r\0", "it holds NUL bytes, as UTF-16 does"),
            (b"\xff\xfeh\0u\0", "it is no UTF-8 text"),
            (&[b'a'; 65 * 1024], "it is longer than 64 KiB"),
        ] {
            let file = folder.write("secret", bytes, 0o600);
            let fault = file.read().unwrap_err();
            let path = file.path().display();
            assert_eq!(
                fault.to_string(),
                format!("{path} does not hold a secret: {said}")
            );
            assert!(!format!("{fault:?}{}", fault.advice()).contains("hunter2"));
        }
    }

    #[test]
    fn what_holds_no_secret_is_refused() {
        let folder = Folder::new();
        let said = |file: SecretFile| file.read().unwrap_err().to_string();
        for empty in [&b""[..], b" \n", b"\n\n", b"\xef\xbb\xbf\n"] {
            let file = folder.write("secret", empty, 0o600);
            assert!(said(file).ends_with("is empty"), "{empty:?}");
        }
        let missing = SecretFile::at(folder.0.path().join("none"));
        assert!(said(missing).starts_with("there is no file"));
        let no_file = SecretFile::at(folder.0.path());
        assert!(said(no_file).ends_with("it is no plain file"));
    }

    #[test]
    fn what_systemd_handed_over_is_mended_where_it_came_from() {
        let (beside, credentials) = (Folder::new(), Folder::new());
        credentials.write("leaf", b"\n", 0o440);
        let file = SecretFile::named("leaf", beside.0.path(), None, Some(credentials.0.path()));
        let fault = file.read().unwrap_err();
        let told = format!("{fault}; {}", fault.advice());
        assert!(
            !told.contains(&credentials.0.path().display().to_string()),
            "{told}"
        );
        let original = beside.0.path().join("leaf");
        assert!(
            told.contains(&format!("put the secret into {}", original.display())),
            "{told}"
        );
        assert!(told.contains("restart"), "{told}");
    }

    #[test]
    fn an_instance_has_its_secrets_in_a_folder_of_its_own() {
        let folder = Folder::new();
        folder.write("leaf", b"another owner's", 0o600);
        let own = folder.0.path().join("production");
        let of = |name| SecretFile::named(name, folder.0.path(), Some("production"), None);
        assert_eq!(of("leaf").path(), own.join("leaf"));
        assert!(of("leaf").read().is_err());
        assert_eq!(of("test/leaf").path(), folder.0.path().join("test/leaf"));
    }

    #[test]
    fn what_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = Folder::new();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            let file = folder.write("secret", b"pass", mode);
            let fault = file.read().unwrap_err();
            assert!(fault.to_string().contains(&format!("mode {mode:04o}")));
            assert_eq!(
                fault.advice(),
                format!("run: chmod 600 {}", file.path().display())
            );
        }
        assert!(folder.write("other", b"pass", 0o400).read().is_ok());
    }

    #[test]
    fn a_bare_name_is_looked_up_where_the_service_manager_puts_it() {
        let (beside, credentials) = (Folder::new(), Folder::new());
        beside.write("leaf", b"beside", 0o600);
        let credential_dir = Some(credentials.0.path());
        let file = SecretFile::named("leaf", beside.0.path(), None, credential_dir);
        assert_eq!(file.read().unwrap().expose_secret(), "beside");
        // systemd's own mode there is 0440 with an access list; the folder is ours alone.
        credentials.write("leaf", b"handed over", 0o440);
        assert_eq!(file.read().unwrap().expose_secret(), "handed over");
        let with_path = SecretFile::named("./leaf", beside.0.path(), None, credential_dir);
        assert_eq!(with_path.read().unwrap().expose_secret(), "beside");
        assert!(!format!("{file:?}").contains("handed over"));
    }
}
