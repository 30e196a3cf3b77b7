//! `manifest.json`: what a run over several reports left beside and in their folders, so that none can go unnoticed.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::evidence::{self, seal_of};
use super::hashes::{FileHash, hash_file, names};
use super::summary::Summary;
use super::verify::Findings;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};

pub const FILE: &str = "manifest.json";
pub const SUMMARY: &str = "summary.json";

/// The files of a run: those beside the folders, and of each folder the evidence, which knows the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    files: Vec<FileHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
}

/// Writes the manifest of `dir`; `folders` are the reports' names.
pub fn write(dir: &Path, folders: &[String], key: Option<&[u8; 32]>) -> Result<()> {
    let beside = ["index.html", SUMMARY, "workbook.xlsx"].map(str::to_string);
    let inside = folders.iter().map(|name| format!("{name}/{}", evidence::FILE));
    let mut files = Vec::new();
    for name in beside.into_iter().chain(inside) {
        if dir.join(&name).exists() {
            let (sha256, bytes) = hash_file(&dir.join(&name))?;
            files.push(FileHash { name, bytes, sha256 });
        }
    }
    let mut manifest = Manifest { files, seal: None };
    if let Some(key) = key {
        manifest.seal = Some(seal_of(key, &to_bytes(&manifest)?));
    }
    disk::write(&dir.join(FILE), &to_bytes(&manifest)?)
}

/// What the manifest of `dir` says of it; nothing where there is none. With a key the seal is checked too.
pub fn check(dir: &Path, key: Option<&[u8; 32]>) -> Result<Option<Findings>> {
    match read(dir)? {
        Some(manifest) => {
            problems(dir, &manifest, &[], key).map(|problems| Some(Findings { problems, notes: Vec::new() }))
        }
        None => Ok(None),
    }
}

/// Whether `dir` holds a run over several reports.
pub fn is_run(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// What the run in `dir` says of its reports, when some of them stay while `replaced` are run again.
///
/// What stays is sealed anew, and so is checked before: nothing that was changed may get a seal by this. Errors with
/// [`Kind::Integrity`] for what was changed.
pub fn kept(dir: &Path, replaced: &[String], key: Option<&[u8; 32]>) -> Result<Option<Summary>> {
    let Some(manifest) = read(dir)? else { return Ok(None) };
    let folders = manifest.files.iter().filter_map(|file| file.name.split_once('/')).map(|(folder, _)| folder);
    if folders.filter(|folder| !replaced.iter().any(|id| id == folder)).count() == 0 {
        return Ok(None);
    }
    if let Some(problem) = problems(dir, &manifest, replaced, key)?.first() {
        return Err(Error::new(Kind::Integrity, format!("{} is not what its run wrote: {problem}", dir.display()))
            .hint("name another directory, or run all its reports again with --replace"));
    }
    let path = dir.join(SUMMARY);
    let bytes = fs::read(&path).context(Kind::Unavailable, || format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read {}", path.display())).map(Some)
}

fn read(dir: &Path) -> Result<Option<Manifest>> {
    let path = dir.join(FILE);
    if !is_run(dir) {
        return Ok(None);
    }
    let bytes = fs::read(&path).context(Kind::Unavailable, || format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read {}", path.display())).map(Some)
}

/// What `dir` is not, beside the folders of `replaced`.
fn problems(dir: &Path, manifest: &Manifest, replaced: &[String], key: Option<&[u8; 32]>) -> Result<Vec<String>> {
    let is_replaced = |name: &str| replaced.iter().any(|id| name.split('/').next() == Some(id));
    let mut found = Vec::new();
    for file in manifest.files.iter().filter(|file| !is_replaced(&file.name)) {
        match dir.join(&file.name) {
            place if !place.exists() => found.push(format!("{} is missing", file.name)),
            place if hash_file(&place)? != (file.sha256.clone(), file.bytes) => {
                found.push(format!("{} was changed", file.name));
            }
            _ => {}
        }
    }
    let is_known = |name: &str| {
        let folder = format!("{name}/");
        name == FILE || manifest.files.iter().any(|file| file.name == name || file.name.starts_with(&folder))
    };
    let is_hidden = |name: &str| name.starts_with('.');
    for name in names(dir)?.into_iter().filter(|name| !is_hidden(name) && !is_known(name) && !is_replaced(name)) {
        found.push(format!("{name} was added: the run does not know it"));
    }
    if let (Some(key), Some(seal)) = (key, &manifest.seal) {
        let unsealed = Manifest { seal: None, ..manifest.clone() };
        if *seal != seal_of(key, &to_bytes(&unsealed)?) {
            found.push(format!("{FILE} was changed: its seal is not of this content and this lake"));
        }
    }
    Ok(found)
}

fn to_bytes(manifest: &Manifest) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::new(Kind::Internal, "cannot encode the manifest").caused_by(error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
