//! `manifest.json`: what a run over several reports left beside and in their folders, so that none can go unnoticed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::catalog::all::Catalog;
use super::super::evidence::hashes::{FileHash, hash_file, names, read_file};
use super::super::evidence::record::{self, NO_SEAL, Sealer, seal_of};
use super::super::output::markdown;
use super::super::output::page::index;
use super::super::runs::controls::standings;
use super::super::runs::summary::{Review, Summary};
use super::attest;
use super::verify::Findings;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{PublicKey, Purpose, Signature};

pub const FILE: &str = "manifest.json";
pub const SUMMARY: &str = "summary.json";
const BESIDE: [&str; 4] = ["index.html", "index.md", SUMMARY, "workbook.xlsx"];

/// Limit in bytes for a file of a run that is read as a whole.
const MAX_BYTES: u64 = 1 << 30;

/// The files of a run: those beside the folders, and of each folder the evidence, which knows the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    files: Vec<FileHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
}

/// Writes the manifest of `dir`; `folders` are the reports' names.
fn write(dir: &Path, folders: &[String], sealer: &Sealer) -> Result<()> {
    let beside = BESIDE.map(str::to_string);
    let mut inside = Vec::new();
    for name in folders {
        inside.push(format!("{name}/{}", record::FILE));
        inside.extend(attest::files(&dir.join(name))?.into_iter().map(|file| format!("{name}/{file}")));
    }
    let mut files = Vec::new();
    for name in beside.into_iter().chain(inside) {
        if dir.join(&name).exists() {
            let (sha256, bytes) = hash_file(&dir.join(&name))?;
            files.push(FileHash { name, bytes, sha256 });
        }
    }
    let bytes = to_bytes(&Manifest { files: files.clone(), signature: None, seal: None })?;
    let signature = sealer.signer.as_ref().map(|signer| signer.sign(Purpose::Manifest, &bytes));
    let manifest = Manifest { files, signature, seal: sealer.key.as_ref().map(|key| seal_of(key, &bytes)) };
    disk::write(&dir.join(FILE), &to_bytes(&manifest)?)
}

/// Returns what the manifest of `dir` says of it; `None` where no manifest exists. With a key the seal is checked too,
/// and with a public key the signature.
pub fn check(dir: &Path, key: Option<&[u8; 32]>, public: Option<&PublicKey>) -> Result<Option<Findings>> {
    let Some(manifest) = read(dir)? else { return Ok(None) };
    let mut problems = problems(dir, &manifest, &[], key)?;
    if let Some(public) = public {
        problems.extend(unsigned(&manifest, public)?);
    }
    Ok(Some(Findings { problems, notes: Vec::new() }))
}

/// Returns why the manifest is not one that the owner of a key signed.
fn unsigned(manifest: &Manifest, public: &PublicKey) -> Result<Option<String>> {
    let bytes = to_bytes(&manifest.unsealed())?;
    Ok(match &manifest.signature {
        None => Some(format!("{FILE} is not signed")),
        Some(signature) if public.has_signed(Purpose::Manifest, &bytes, signature) => None,
        Some(_) => Some(format!("{FILE} is not signed by the owner of that public key")),
    })
}

/// Returns whether `dir` holds a run over several reports.
pub fn is_run(dir: &Path) -> bool {
    dir.join(FILE).symlink_metadata().is_ok()
}

/// Returns what the run in `dir` says of its reports, when some of them stay while `replaced` are run again.
///
/// The remaining reports are sealed anew and therefore checked before: nothing that was changed may get a seal this
/// way. Errors with [`Kind::Integrity`] when something was changed.
pub fn kept(dir: &Path, replaced: &[String], sealer: &Sealer) -> Result<Option<Summary>> {
    let Some(manifest) = read(dir)? else { return Ok(None) };
    let folders = manifest.files.iter().filter_map(|file| file.name.split_once('/')).map(|(folder, _)| folder);
    if folders.filter(|folder| !replaced.iter().any(|id| id == folder)).count() == 0 {
        return Ok(None);
    }
    let mut found = problems(dir, &manifest, replaced, sealer.key.as_ref())?;
    if let Some(signer) = &sealer.signer {
        found.extend(unsigned(&manifest, &signer.public())?);
    }
    if let Some(problem) = found.first() {
        return Err(Error::new(Kind::Integrity, format!("{} is not what its run wrote: {problem}", dir.display()))
            .hint("name another directory, or run all its reports again with --replace"));
    }
    summary(dir).map(Some)
}

fn summary(dir: &Path) -> Result<Summary> {
    let path = dir.join(SUMMARY);
    let bytes = read_file(&path, MAX_BYTES)?;
    serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read {}", path.display()))
}

fn read(dir: &Path) -> Result<Option<Manifest>> {
    let path = dir.join(FILE);
    if !is_run(dir) {
        return Ok(None);
    }
    let bytes = read_file(&path, MAX_BYTES)?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).context(Kind::Integrity, || format!("cannot read {}", path.display()))?;
    // The name leads nowhere but to what a run writes there.
    let is_name = |name: &str| !name.is_empty() && !matches!(name, "." | "..") && !name.contains('/');
    let is_ours = |name: &str| match name.split_once('/') {
        None => is_name(name),
        Some((folder, file)) => is_name(folder) && (file == record::FILE || is_attested(file)),
    };
    match manifest.files.iter().find(|file| !is_ours(&file.name)) {
        None => Ok(Some(manifest)),
        Some(file) => Err(Error::new(Kind::Integrity, format!("{}: no run writes `{}`", path.display(), file.name))),
    }
}

/// Returns the names of the files beside a run's folders, as far as they exist.
pub fn beside_names(dir: &Path) -> Vec<&'static str> {
    if !is_run(dir) {
        return Vec::new();
    }
    BESIDE.into_iter().chain([FILE]).filter(|name| dir.join(name).is_file()).collect()
}

/// Returns whether a file of that name is an attestation or its page.
fn is_attested(name: &str) -> bool {
    let number = |prefix: &str, suffix: &str| name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    let digits = number("attestation-", ".json").or_else(|| number("review-", ".html"));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Marks a report of the run in `dir` as reviewed, and seals the whole anew; does nothing where `dir` holds no run that
/// knows the folder. The run is checked first, except for the files of the attestation itself.
pub fn review(dir: &Path, folder: &str, review: Review, catalog: &Catalog, sealer: &Sealer) -> Result<bool> {
    let Some(manifest) = read(dir)? else { return Ok(false) };
    if !manifest.files.iter().any(|file| file.name == format!("{folder}/{}", record::FILE)) {
        return Ok(false);
    }
    let mut summary: Summary = summary(dir)?;
    let Some(report) = summary.reports.iter_mut().find(|report| report.folder() == folder) else { return Ok(false) };
    report.review = Some(review);
    summary.frameworks = standings(catalog, &summary);
    let folders = manifest.files.iter().filter_map(|file| file.name.split_once('/'));
    let mut folders: Vec<String> = folders.map(|(folder, _)| folder.to_string()).collect();
    folders.dedup();
    beside(dir, &summary, &folders, sealer)?;
    Ok(true)
}

/// Errors with [`Kind::Integrity`] where the run in `dir` is not as it was written: nothing that was changed may get a
/// seal.
pub fn intact(dir: &Path, sealer: &Sealer) -> Result<()> {
    let Some(manifest) = read(dir)? else { return Ok(()) };
    let mut found = problems(dir, &manifest, &[], sealer.key.as_ref())?;
    if let Some(signer) = &sealer.signer {
        found.extend(unsigned(&manifest, &signer.public())?);
    }
    match found.first() {
        None => Ok(()),
        Some(problem) => {
            Err(Error::new(Kind::Integrity, format!("{} is not what its run wrote: {problem}", dir.display())))
        }
    }
}

/// Writes the files of a run over several reports beside their folders. The manifest comes last: it knows the others.
pub fn beside(dir: &Path, summary: &Summary, folders: &[String], sealer: &Sealer) -> Result<()> {
    disk::write(&dir.join(SUMMARY), summary.to_json()?.as_bytes())?;
    disk::write(&dir.join("index.html"), index(summary).as_bytes())?;
    disk::write(&dir.join("index.md"), markdown::index(summary).as_bytes())?;
    write(dir, folders, sealer)
}

/// Returns what is wrong with `dir`, apart from the folders of `replaced`.
fn problems(dir: &Path, manifest: &Manifest, replaced: &[String], key: Option<&[u8; 32]>) -> Result<Vec<String>> {
    let is_replaced = |name: &str| replaced.iter().any(|id| name.split('/').next() == Some(id));
    let mut found = Vec::new();
    for file in manifest.files.iter().filter(|file| !is_replaced(&file.name)) {
        let place = dir.join(&file.name);
        let is_linked =
            |folder: &Path| folder != dir && folder.symlink_metadata().is_ok_and(|known| known.is_symlink());
        match place.symlink_metadata() {
            Err(_) => found.push(format!("{} is missing", file.name)),
            Ok(known) if !known.is_file() || place.parent().is_some_and(is_linked) => {
                found.push(format!("{} is no file of a run", file.name));
            }
            Ok(_) if hash_file(&place)? != (file.sha256.clone(), file.bytes) => {
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
    if let Some(key) = key {
        let seal = seal_of(key, &to_bytes(&manifest.unsealed())?);
        match &manifest.seal {
            None => found.push(format!("{FILE} {NO_SEAL}")),
            Some(known) if *known != seal => {
                found.push(format!("{FILE} was changed: its seal is not of this content and this lake"));
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

impl Manifest {
    fn unsealed(&self) -> Manifest {
        Manifest { signature: None, seal: None, ..self.clone() }
    }
}

fn to_bytes(manifest: &Manifest) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::new(Kind::Internal, "cannot encode the manifest").caused_by(error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
