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

/// Why a secret cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SecretFault {
    /// It is not there.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// Others can read it.
    #[error("{} can be read by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// It is a folder, not text, or far too long.
    #[error("{} does not hold a secret: {reason}", path.display())]
    NotASecret {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// The system does not let us.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SecretFault {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            SecretFault::Missing(path) => format!(
                "put the secret itself, and nothing else, into {}; this key holds the file's name, never the secret",
                path.display()
            ),
            SecretFault::Exposed { path, .. } => format!("run: chmod 600 {}", path.display()),
            SecretFault::Empty(path) => {
                format!("put the secret into {}, on one line", path.display())
            }
            SecretFault::NotASecret { .. } => {
                "name a text file that holds the secret on one line".to_owned()
            }
            SecretFault::Unreadable { path, .. } => format!(
                "let the user that runs leafwatch read {}, or hand it over with LoadCredential=",
                path.display()
            ),
        }
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

    /// As the config names it: a bare name is looked up in `credentials` (systemd's `$CREDENTIALS_DIRECTORY`) first,
    /// anything else counts from `beside`, the folder of the config file.
    pub(super) fn named(name: &str, beside: &Path, credentials: Option<&Path>) -> Self {
        let bare = Path::new(name).components().count() == 1 && !name.contains('/');
        SecretFile {
            credential: credentials.filter(|_| bare).map(|folder| folder.join(name)),
            path: beside.join(name),
        }
    }

    /// The file that is read at this moment.
    pub fn path(&self) -> &Path {
        self.credential
            .as_deref()
            .filter(|path| path.exists())
            .unwrap_or(&self.path)
    }

    /// Reads the secret; one newline at its end is not part of it.
    ///
    /// # Errors
    /// Refuses what is missing, empty or no text, and what others can read, unless the service manager put it there.
    pub fn read(&self) -> Result<SecretString, SecretFault> {
        let path = self.path();
        let handed_over = self.credential.as_deref() == Some(path);
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                SecretFault::Missing(path.to_owned())
            }
            _ => SecretFault::Unreadable {
                path: path.to_owned(),
                source,
            },
        };
        let not_a_secret = |reason| SecretFault::NotASecret {
            path: path.to_owned(),
            reason,
        };
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let kind = fs::metadata(path).map_err(unreadable)?;
        if !kind.is_file() {
            return Err(not_a_secret("it is no plain file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if !handed_over && mode & 0o077 != 0 {
            return Err(SecretFault::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = String::new();
        match file.take(LARGEST + 1).read_to_string(&mut text) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(not_a_secret("it is no text"));
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
        if text.trim().is_empty() {
            return Err(SecretFault::Empty(path.to_owned()));
        }
        Ok(SecretString::from(text))
    }
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
    fn one_newline_at_the_end_is_not_part_of_the_secret() {
        let folder = Folder::new();
        for (bytes, secret) in [
            (&b"pass word\n"[..], "pass word"),
            (b"pass\r\n", "pass"),
            (b"pass", "pass"),
            (b" pass\n\n", " pass\n"),
        ] {
            let file = folder.write("secret", bytes, 0o600);
            assert_eq!(file.read().unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn what_holds_no_secret_is_refused() {
        let folder = Folder::new();
        let fault = |bytes: &[u8]| folder.write("secret", bytes, 0o600).read().unwrap_err();
        assert!(matches!(fault(b""), SecretFault::Empty(_)));
        assert!(matches!(fault(b" \n"), SecretFault::Empty(_)));
        assert!(matches!(fault(b"\xff\xfe"), SecretFault::NotASecret { .. }));
        assert!(matches!(
            fault(&[b'a'; 65 * 1024]),
            SecretFault::NotASecret { .. }
        ));
        let missing = SecretFile::at(folder.0.path().join("none"));
        assert!(matches!(missing.read(), Err(SecretFault::Missing(_))));
        let no_file = SecretFile::at(folder.0.path());
        assert!(matches!(
            no_file.read(),
            Err(SecretFault::NotASecret { .. })
        ));
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
        let file = SecretFile::named("leaf", beside.0.path(), credential_dir);
        assert_eq!(file.read().unwrap().expose_secret(), "beside");
        // systemd's own mode there is 0440 with an access list; the folder is ours alone.
        credentials.write("leaf", b"handed over", 0o440);
        assert_eq!(file.read().unwrap().expose_secret(), "handed over");
        let with_path = SecretFile::named("./leaf", beside.0.path(), credential_dir);
        assert_eq!(with_path.read().unwrap().expose_secret(), "beside");
        assert!(!format!("{file:?}").contains("handed over"));
    }
}
