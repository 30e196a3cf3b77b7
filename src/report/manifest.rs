//! `manifest.json`: what a run over several reports left beside and in their folders, so that none can go unnoticed.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::evidence::{self, seal_of};
use super::folder::{FileHash, hash_file, names, write_file};
use super::verify::Findings;
use crate::error::{Context, Error, Kind, Result};

pub const FILE: &str = "manifest.json";

/// The files of a run: those beside the folders, and of each folder the evidence, which knows the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    files: Vec<FileHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
}

/// Writes the manifest of `dir`; `folders` are the reports' names.
pub fn write(dir: &Path, folders: &[String], key: &[u8; 32]) -> Result<()> {
    let beside = ["index.html", "summary.json", "workbook.xlsx"].map(str::to_string);
    let inside = folders.iter().map(|name| format!("{name}/{}", evidence::FILE));
    let mut files = Vec::new();
    for name in beside.into_iter().chain(inside) {
        if dir.join(&name).exists() {
            let (sha256, bytes) = hash_file(&dir.join(&name))?;
            files.push(FileHash { name, bytes, sha256 });
        }
    }
    let mut manifest = Manifest { files, seal: None };
    manifest.seal = Some(seal_of(key, &to_bytes(&manifest)?));
    write_file(&dir.join(FILE), &to_bytes(&manifest)?)
}

/// What the manifest of `dir` says of it; nothing where there is none. With a key the seal is checked too.
pub fn check(dir: &Path, key: Option<&[u8; 32]>) -> Result<Option<Findings>> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(&path).context(Kind::Unavailable, || format!("cannot read {}", path.display()))?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read {}", path.display()))?;
    let mut found = Findings::default();
    for file in &manifest.files {
        match dir.join(&file.name) {
            place if !place.exists() => found.problems.push(format!("{} is missing", file.name)),
            place if hash_file(&place)? != (file.sha256.clone(), file.bytes) => {
                found.problems.push(format!("{} was changed", file.name));
            }
            _ => {}
        }
    }
    let is_known = |name: &str| {
        let folder = format!("{name}/");
        name == FILE || manifest.files.iter().any(|file| file.name == name || file.name.starts_with(&folder))
    };
    for name in names(dir)?.into_iter().filter(|name| !name.starts_with('.') && !is_known(name)) {
        found.problems.push(format!("{name} was added: the run does not know it"));
    }
    if let Some(key) = key {
        let unsealed = Manifest { seal: None, ..manifest.clone() };
        if manifest.seal != Some(seal_of(key, &to_bytes(&unsealed)?)) {
            found.problems.push(format!("{FILE} was changed: its seal is not of this content and this lake"));
        }
    }
    Ok(Some(found))
}

fn to_bytes(manifest: &Manifest) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::new(Kind::Internal, "cannot encode the manifest").caused_by(error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
