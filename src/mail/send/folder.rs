//! Mails as files, one per mail and address. A file that is there is whole and on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::fmt::{rfc2822, strtime};

use super::{Fault, Phase, Verdict};
use crate::model::Address;

/// Writes the mail; the same mail to the same address always gives the same file.
pub(super) async fn deliver(folder: &Path, to: &Address, bytes: &[u8]) -> Verdict {
    let name = file_name(to, bytes);
    let written = {
        let (folder, name, bytes) = (folder.to_owned(), name.clone(), bytes.to_vec());
        blocking(move || write(&folder, &name, &bytes)).await
    };
    match written {
        Ok(()) => Verdict::Accepted {
            server: folder.display().to_string(),
            code: 0,
            reply: name,
        },
        Err(error) => Verdict::Deferred(fault(folder, &error)),
    }
}

/// Writes a file and removes it again. Makes no folder: it would belong to whoever asks, and be shut to the daemon.
pub(super) async fn probe(folder: &Path) -> Result<String, Fault> {
    let owned = folder.to_owned();
    let tried = blocking(move || {
        let there = owned.ancestors().find(|folder| folder.exists());
        if there != Some(owned.as_path()) {
            let parent = there.unwrap_or(Path::new("/"));
            return Ok(rustix::fs::access(parent, rustix::fs::Access::WRITE_OK)?);
        }
        let name = ".leafwatch-probe";
        write(&owned, name, b"")?;
        fs::remove_file(owned.join(name))
    });
    tried.await.map_err(|error| fault(folder, &error))?;
    Ok(format!("mails are written to {}", folder.display()))
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|failed| Err(io::Error::other(failed)))
}

/// Nothing in a folder speaks of a grower or an address: every fault is ours to mend.
fn fault(folder: &Path, error: &io::Error) -> Fault {
    let server = folder.display().to_string();
    let reply = format!("cannot write mails: {error}");
    Fault::new(&server, Phase::Folder, None, &reply, true)
}

/// Whole under its name, or not there: a temporary name, fsync, rename, fsync of the folder.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{name}.part"));
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    // Whoever else may write in the folder could lead a link to a file of ours.
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// `<utc time of the mail>-<digest of the mail>-<address>.eml`: sorts by time, and is a function of mail and address.
fn file_name(to: &Address, bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let number: String = digest.as_ref()[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let address: String = to.as_str().chars().take(100).map(harmless).collect();
    format!("{}-{number}-{address}.eml", dated(bytes))
}

fn harmless(character: char) -> char {
    if character.is_alphanumeric() || "@.+-_=".contains(character) {
        character
    } else {
        '_'
    }
}

/// The mail's own `Date`, for the name.
fn dated(bytes: &[u8]) -> String {
    let headers = String::from_utf8_lossy(&bytes[..bytes.len().min(8192)]);
    let date = headers
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("Date: "))
        .and_then(|value| {
            rfc2822::DateTimeParser::new()
                .parse_timestamp(value.trim())
                .ok()
        })
        .and_then(|date| strtime::format("%Y-%m-%dT%H-%M-%SZ", date).ok());
    date.unwrap_or_else(|| "undated".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"Date: Tue, 24 Nov 2026 14:15:00 +0000\r\nSubject: x\r\n\r\nbody\r\n";

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn the_same_mail_to_the_same_address_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mails = folder.path().join("mails");
        for to in ["anna@example.com", "bob@example.com", "anna@example.com"] {
            let to = to.parse().unwrap();
            let verdict = deliver(&mails, &to, MAIL).await;
            assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
        }
        let names = names(&mails);
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].starts_with("2026-11-24T14-15-00Z-"), "{names:?}");
        assert!(names[0].ends_with("-anna@example.com.eml"), "{names:?}");
        let written = fs::read(mails.join(&names[0])).unwrap();
        assert_eq!(written, MAIL);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_ours_to_mend() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("in-the-way");
        fs::write(&file, "").unwrap();
        let address: Address = "anna@example.com".parse().unwrap();
        let verdict = deliver(&file, &address, MAIL).await;
        let Verdict::Deferred(fault) = verdict else {
            panic!("{verdict:?}")
        };
        assert!(fault.ours && fault.phase == Phase::Folder, "{fault:?}");
        assert_eq!(probe(&file).await, Err(fault));
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        probe(folder.path()).await.unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn an_address_cannot_leave_the_folder() {
        let to: Address = "a/b@example.com".parse().unwrap();
        assert!(!file_name(&to, MAIL).contains('/'));
    }
}
