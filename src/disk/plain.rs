//! Files of folders that others hand us: we read them, and never follow them out of the folder.

use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading. A link in its place is not followed, and anything else is not even opened: a pipe
/// would make us wait, and a device may do anything.
pub fn open_plain(place: &Path) -> io::Result<File> {
    let seen = fs::symlink_metadata(place)?;
    if let Some(kind) = oddity(seen.file_type()) {
        return Err(io::Error::other(format!("it is {kind}")));
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(place)?;
    let found = file.metadata()?;
    if found.is_file() && (found.dev(), found.ino()) == (seen.dev(), seen.ino()) {
        Ok(file)
    } else {
        Err(io::Error::other("it was replaced while it was being opened"))
    }
}

/// Names the kind of something that is not a regular file; returns `None` for one.
pub fn oddity(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_a_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "x").unwrap();
        assert!(open_plain(&at("file")).is_ok());
        symlink(at("file"), at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let said = |name: &str| open_plain(&at(name)).unwrap_err().to_string();
        assert_eq!(said("link"), "it is a symbolic link");
        assert_eq!(said("zero"), "it is a symbolic link");
        assert_eq!(said("pipe"), "it is a pipe");
        assert_eq!(said("."), "it is a directory");
        assert_eq!(open_plain(Path::new("/dev/null")).unwrap_err().to_string(), "it is a device");
        assert_eq!(open_plain(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
