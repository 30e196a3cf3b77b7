//! Files beside the data that only the lake's owner may read: keys, and what a server has yet to commit.
//!
//! They are written so that they are on the disk when the call returns, and replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::store::{make_dir, sync_dir};
use super::{Lake, layout, lock};
use crate::error::{Context, Kind, Result};

/// Holds the lake's lock until it is dropped.
#[derive(Debug)]
pub struct Locked(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

impl Lake {
    /// The folder of the server's own files, made when it is not there yet.
    pub fn serve_folder(&self) -> Result<PathBuf> {
        let folder = self.serve_path();
        make_dir(&folder).context(Kind::Unavailable, || format!("cannot create {}", folder.display()))?;
        #[cfg(unix)]
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .context(Kind::Unavailable, || format!("cannot restrict {}", folder.display()))?;
        Ok(folder)
    }

    /// Where that folder is or would be.
    pub fn serve_path(&self) -> PathBuf {
        self.root().join(layout::SERVE)
    }

    /// Waits for the lock that all writers of the lake take.
    pub async fn lock(&self) -> Result<Locked> {
        lock(self.root()).await.map(Locked)
    }
}

/// Creates a file that only its owner may read; an error when it is there. Its name is on the disk.
pub fn create_private(place: &Path) -> io::Result<File> {
    let file = private().create_new(true).open(place)?;
    place.parent().map_or(Ok(()), sync_dir)?;
    Ok(file)
}

/// Replaces a file that only its owner may read: after a crash it is the old one or the new one.
pub fn replace_private(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = place.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // What a writer that died left there may have another owner's mode.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().create_new(true).open(&temporary)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    fs::rename(&temporary, place)?;
    place.parent().map_or(Ok(()), sync_dir)
}

/// Removes a file, so that it stays removed.
pub fn remove_private(place: &Path) -> io::Result<()> {
    fs::remove_file(place)?;
    place.parent().map_or(Ok(()), sync_dir)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_its_owners_alone_and_replaced_whole() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("keys.json");
        // Left by a writer that died, readable for all.
        fs::write(dir.path().join("keys.json.new"), "half").unwrap();
        replace_private(&place, b"one").unwrap();
        replace_private(&place, b"two").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"two");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(create_private(&place).is_err());
    }
}
