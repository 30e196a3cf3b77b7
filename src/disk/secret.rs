//! Files that only their owner may read: keys, tokens, locks, and files that wait to be committed; and files that only
//! their owner may write, since they tell us what to do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::links::{follow, our_user};
use super::parent_of;
use super::temporary::{END, Naming, Temporary, hidden, is_temporary_of, sweep};
use crate::error::{Context, Error, Kind, Result};

const PRIVATE: u32 = 0o600;

/// Opens a file that holds a secret; `what` names it in messages ("the API key").
///
/// It must be a regular file of our own user, or of root, that nobody else may read or write; a file of root's may be
/// readable by a group, since that is how machines hand secrets to services. Symbolic links are followed when they are
/// ours or root's. Errors with [`Kind::Usage`].
pub fn open_secret(path: &Path, what: &str) -> Result<File> {
    let is_readable = |owner, ours| if owner == 0 && ours != 0 { 0o037 } else { 0o077 };
    open_guarded(path, what, ("others may read or write it", "chmod 600"), is_readable)
}

/// Opens a file that tells us what to do: it must be a regular file of our own user, or of root, that nobody else may
/// write. Symbolic links are followed when they are ours or root's. Errors with [`Kind::Usage`].
pub fn open_own(path: &Path, what: &str) -> Result<File> {
    open_guarded(path, what, ("others may write it", "chmod go-w"), |_, _| 0o022)
}

/// Opens a guarded file; `forbidden` returns the mode bits that must not be set, for the file's owner and for us.
fn open_guarded(
    path: &Path,
    what: &str,
    (fault, mend): (&str, &str),
    forbidden: impl Fn(u32, u32) -> u32,
) -> Result<File> {
    let cannot = || format!("cannot read {what} from {}", path.display());
    let refuse = |why: String, hint: String| Err(Error::usage(format!("{}: {why}", cannot())).hint(hint));
    let file = File::open(follow(path)?).context(Kind::Usage, cannot)?;
    let known = file.metadata().context(Kind::Usage, cannot)?;
    if !known.is_file() {
        return Err(Error::usage(format!("{}: it is not a file", cannot())));
    }
    let ours = our_user().context(Kind::Usage, cannot)?;
    let (owner, mode) = (known.uid(), known.mode() & 0o777);
    if owner != ours && owner != 0 {
        return refuse(
            format!("it belongs to another user ({owner})"),
            format!("make it yours, if you trust it: chown {ours} {}", path.display()),
        );
    }
    if mode & forbidden(owner, ours) != 0 {
        return refuse(format!("{fault} (mode {mode:04o})"), format!("{mend} {}", path.display()));
    }
    Ok(file)
}

/// Keeps the process's memory out of core files from here on, where that is possible.
///
/// `setrlimit` is out of reach without unsafe code, so on Linux `/proc/self/coredump_filter` tells the process to dump
/// none of its memory; elsewhere that is left to the system's limits.
pub fn keep_out_of_core_files() {
    if cfg!(target_os = "linux")
        && let Err(error) = std::fs::write("/proc/self/coredump_filter", "0")
    {
        tracing::warn!(%error, "cannot keep the memory out of core files; forbid them with `ulimit -c 0`");
    }
}

/// Opens a file of the lake's own for reading and writing, or makes it. Nobody else may read it, and no link is followed.
pub fn open_private(place: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
    options.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(place).map_err(|error| {
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => io::Error::other("it is a symbolic link, which is not followed here"),
            _ => error,
        }
    })
}

/// Replaces a file of the lake's own: after a crash it is either the old one or the new one. Nobody else may read it.
pub fn replace_private(place: &Path, bytes: &[u8]) -> io::Result<()> {
    name_private(place, bytes, Naming::Replace).map(drop)
}

/// Creates a file of the lake's own with all its bytes; errors when it exists. Nobody else may read it.
///
/// The file is open and locked, so that others can tell that somebody works on it, from the moment when it has its name.
pub fn create_private(place: &Path, bytes: &[u8]) -> io::Result<File> {
    name_private(place, bytes, Naming::Create)
}

/// The number of times that a file is written again when it disappears before it has its name.
const ATTEMPTS: u32 = 16;

fn name_private(place: &Path, bytes: &[u8], naming: Naming) -> io::Result<File> {
    let name = place.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy().into_owned();
    let folder = parent_of(place);
    sweep(&folder, |found| is_temporary_of(found, &name))?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut temporary = Temporary::create(&folder, PRIVATE, |number| hidden(&name, number, END))?;
        temporary.write_all(bytes)?;
        match temporary.name(place, naming) {
            // Where locks do nothing, another process may take our unfinished file for a leftover, and sweep it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS => {}
            named => return named,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::links::tests::give_away;
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "k").unwrap();
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o660, false)] {
            set_mode(&path, mode);
            match open_secret(&path, "the key") {
                Ok(_) => assert!(is_fine, "{mode:o}"),
                Err(error) => {
                    assert!(!is_fine, "{mode:o}: {error}");
                    assert_eq!((error.kind(), error.hint_text().unwrap().contains("chmod 600")), (Kind::Usage, true));
                }
            }
        }
        assert!(open_secret(dir.path(), "the key").unwrap_err().to_string().contains("not a file"));
        assert_eq!(open_secret(&dir.path().join("none"), "the key").unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn a_planted_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("key"), dir.path().join("link"));
        fs::write(&path, "k").unwrap();
        set_mode(&path, 0o600);
        symlink("key", &link).unwrap();
        open_secret(&link, "the key").unwrap();
        if !give_away(&link) {
            return eprintln!("skipped: only root can make a file of another user");
        }
        assert!(open_secret(&link, "the key").unwrap_err().to_string().contains("symbolic link of another user"));
        assert!(give_away(&path));
        let error = open_secret(&path, "the key").unwrap_err();
        assert!(error.to_string().contains("it belongs to another user (65534)"), "{error}");
        assert!(error.hint_text().unwrap().starts_with("make it yours"));
    }

    #[test]
    fn what_tells_us_what_to_do_is_ours_alone_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auditlake.toml");
        fs::write(&path, "").unwrap();
        for (mode, is_fine) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
            set_mode(&path, mode);
            let opened = open_own(&path, "the configuration");
            assert_eq!(opened.is_ok(), is_fine, "{mode:o}");
            if let Err(error) = opened {
                assert!(error.hint_text().unwrap().starts_with("chmod go-w"), "{error}");
            }
        }
        set_mode(&path, 0o644);
        if !give_away(&path) {
            return eprintln!("skipped: only root can make a file of another user");
        }
        assert!(open_own(&path, "the configuration").unwrap_err().to_string().contains("another user (65534)"));
    }

    #[test]
    fn a_private_file_is_its_owners_alone_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("keys.json");
        replace_private(&place, b"one").unwrap();
        set_mode(&place, 0o644);
        replace_private(&place, b"two").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"two");
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(create_private(&place, b"").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let held = create_private(&dir.path().join("new"), b"").unwrap();
        assert!(File::open(dir.path().join("new")).unwrap().try_lock().is_err(), "it is locked from the start");
        drop(held);
    }

    #[test]
    fn no_link_is_followed_to_a_private_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "precious").unwrap();
        symlink("precious", dir.path().join("_lock")).unwrap();
        let error = open_private(&dir.path().join("_lock")).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        replace_private(&dir.path().join("_lock"), b"ours").unwrap();
        assert_eq!(fs::read(dir.path().join("precious")).unwrap(), b"precious");
        assert!(!dir.path().join("_lock").is_symlink());
    }
}
