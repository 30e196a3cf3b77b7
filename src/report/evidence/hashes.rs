//! The files of a folder, with the hashes of their bytes.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk::{oddity, open_plain};
use crate::error::{Context, Error, Kind, Result};
use crate::typed::hex;

/// One file of a folder and the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileHash {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

/// Hashes all files of a folder by name, and names everything in it that is not a file without touching it.
pub fn look(folder: &Path) -> Result<(Vec<FileHash>, Vec<String>)> {
    let (mut files, mut odd) = (Vec::new(), Vec::new());
    for name in names(folder)? {
        let path = folder.join(&name);
        let cannot = || format!("cannot read {}", path.display());
        match oddity(fs::symlink_metadata(&path).context(Kind::Unavailable, cannot)?.file_type()) {
            Some(kind) => odd.push(format!("{name} is {kind}, and no file of a run")),
            None => {
                let (sha256, bytes) = hash_file(&path)?;
                files.push(FileHash { name, bytes, sha256 });
            }
        }
    }
    Ok((files, odd))
}

/// Hashes all files of a folder of ours.
pub fn hashes(folder: &Path) -> Result<Vec<FileHash>> {
    match look(folder)? {
        (files, odd) if odd.is_empty() => Ok(files),
        (_, odd) => Err(Error::new(Kind::Internal, format!("cannot hash {}: {}", folder.display(), odd[0]))),
    }
}

/// Returns SHA-256 and length of a regular file; follows no link.
pub fn hash_file(path: &Path) -> Result<(String, u64)> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = open_plain(path).context(Kind::Unavailable, cannot)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&digest.finalize()), bytes)),
            Ok(read) => {
                digest.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context(Kind::Unavailable, cannot),
        }
    }
}

/// Reads all bytes of a regular file of at most `limit` bytes; follows no link. Errors with [`Kind::Integrity`].
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let file = open_plain(path).context(Kind::Integrity, cannot)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).context(Kind::Unavailable, cannot)?;
    if bytes.len() as u64 > limit {
        Err(Error::new(Kind::Integrity, format!("{}: it has more than {limit} bytes", cannot())))
    } else {
        Ok(bytes)
    }
}

/// Returns the names in a folder, sorted.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
