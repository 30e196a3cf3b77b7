//! The files of a folder, with what their bytes hash to.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context, Kind, Result};
use crate::typed::hex;

/// One file of a folder and what its bytes hash to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileHash {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

/// Hashes of all files of a folder but `evidence.json`, by name.
pub fn hashes(folder: &Path) -> Result<Vec<FileHash>> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let (sha256, bytes) = hash_file(&folder.join(&name))?;
        found.push(FileHash { name, bytes, sha256 });
    }
    Ok(found)
}

/// SHA-256 and length of a file.
pub fn hash_file(path: &Path) -> Result<(String, u64)> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(path).context(Kind::Unavailable, cannot)?;
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

/// Names in a folder, sorted.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
