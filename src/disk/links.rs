//! Symbolic links that we follow: our own and root's.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::parent_of;
use crate::error::{Context, Error, Kind, Result};

/// The kernel's limit of links.
const MAX_LINKS: usize = 40;

/// Returns the user as whom we make files: a pipe belongs to its maker, and asking this way needs neither a disk nor
/// unsafe code.
pub fn our_user() -> io::Result<u32> {
    let (reader, _) = io::pipe()?;
    Ok(File::from(OwnedFd::from(reader)).metadata()?.uid())
}

/// Returns whether files of `owner` are as good as our own: nobody has to fear root's files.
pub(super) fn is_trusted(owner: u32) -> io::Result<bool> {
    Ok(owner == 0 || owner == our_user()?)
}

/// Follows the links at the end of `path`; returns the path itself when it is not a link, or does not exist.
///
/// Errors with [`Kind::Usage`] at a link of another user.
pub(super) fn follow(path: &Path) -> Result<PathBuf> {
    let mut place = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let cannot = || format!("cannot resolve {}", path.display());
        let known = match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(place),
            known => known.context(Kind::Unavailable, cannot)?,
        };
        if !known.is_symlink() {
            return Ok(place);
        }
        if !is_trusted(known.uid()).context(Kind::Unavailable, cannot)? {
            let owner = known.uid();
            return Err(Error::usage(format!(
                "cannot use {}: it is a symbolic link of another user ({owner})",
                place.display()
            ))
            .hint("name the file that it should lead to"));
        }
        place = parent_of(&place).join(fs::read_link(&place).context(Kind::Unavailable, cannot)?);
    }
    Err(Error::usage(format!("cannot use {}: its symbolic links lead in a circle", path.display()))
        .hint("name the file that it should lead to"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Some user who is neither root nor us.
    pub(in crate::disk) const STRANGER: u32 = 65_534;

    /// Gives a file or link away, where we may; returns false where we are not root.
    pub(in crate::disk) fn give_away(path: &Path) -> bool {
        std::os::unix::fs::lchown(path, Some(STRANGER), Some(STRANGER)).is_ok()
    }

    #[test]
    fn links_of_ours_are_followed_and_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink(at("c"), at("b")).unwrap();
        assert_eq!(follow(&at("a")).unwrap(), at("c"));
        assert_eq!(follow(&at("c")).unwrap(), at("c"));
        symlink("a", at("c")).unwrap();
        assert!(follow(&at("a")).unwrap_err().to_string().contains("circle"));
    }

    #[test]
    fn links_of_strangers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("precious", &link).unwrap();
        if !give_away(&link) {
            return eprintln!("skipped: only root can make a file of another user");
        }
        let error = follow(&link).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains("another user (65534)"), "{error}");
    }
}
