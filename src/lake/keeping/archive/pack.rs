//! Packing: the members of an archive, one after the other.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::super::Lake;
use super::super::super::files::file::FileEntry;
use super::super::super::files::layout::entry_path;
use super::super::super::ledger::entries::{get, hash_of};
use super::super::anchor::Head;
use super::super::manifest::Manifest;
use super::super::range::ArchiveRange;
use super::tape::{END, header, padding};
use super::text::text;
use super::{KEY, MANIFEST, SIGNATURE, SUMS, TEXT, schema_member};
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{Purpose, Signer};
use crate::typed::{Hash32, parse_hex};

/// The result of packing.
#[derive(Debug, Clone, Serialize)]
pub struct Archived {
    #[serde(flatten)]
    pub manifest: Manifest,
    /// The hash of `SHA256SUMS`: a recipient who gets it another way can tell that the archive is the one that was sent.
    pub sums_sha256: String,
    pub is_signed: bool,
}

impl Lake {
    /// Writes an archive of the range, with the lake as it is at the entry up to which it was read.
    pub async fn archive(
        &self,
        range: &ArchiveRange,
        signer: Option<&Signer>,
        out: &mut (dyn Write + Send),
    ) -> Result<Archived> {
        let state = self.state();
        let mut files: Vec<Arc<FileEntry>> = self.files().filter(|file| range.has(file.partition())).cloned().collect();
        files.sort_by_cached_key(|file| file.data_path());
        let head = Head {
            lake_id: state.lake.lake_id.clone(),
            sequence: state.sequence,
            sha256: state.hash.clone(),
            time_ms: state.time_ms,
        };
        let manifest = Manifest::of(range, &state.lake, &head, files.iter().map(Arc::as_ref));
        let public = signer.map(Signer::public);
        let mut small = vec![
            (MANIFEST.to_string(), manifest.to_bytes()?),
            (TEXT.to_string(), text(&manifest, public.as_ref()).into_bytes()),
        ];
        small.extend(public.map(|public| (KEY.to_string(), public.to_pem().into_bytes())));
        for table in manifest.tables.keys() {
            small.push((schema_member(table), self.described(table)?));
        }
        let mut packing = Packing { lake: self, folder: range.folder(), time_ms: state.time_ms, out };
        let entries = packing.entries(&head).await?;
        let mut sums = String::new();
        for (name, bytes) in &small {
            let _ = writeln!(sums, "{}  {name}", Hash32::sha256(bytes));
        }
        for (sequence, sha256) in entries.iter().enumerate() {
            let _ = writeln!(sums, "{sha256}  {}", entry_path(sequence as u64));
        }
        for file in &files {
            let _ = writeln!(sums, "{}  {}", file.sha256, file.data_path());
        }
        // The signature covers this file, whose first line says its purpose; `sha256sum` takes that line for a comment.
        let signature = signer.map(|signer| signer.sign(Purpose::Archive, sums.as_bytes()));
        let sums = Purpose::Archive.message(sums.as_bytes());
        let sums_sha256 = hash_of(&sums);
        small.push((SUMS.to_string(), sums));
        if let Some(signature) = &signature {
            let raw: [u8; 64] = parse_hex(&signature.value)?;
            small.push((SIGNATURE.to_string(), raw.to_vec()));
        }
        for (name, bytes) in &small {
            packing.member(name, bytes)?;
        }
        for (sequence, sha256) in entries.iter().enumerate() {
            packing.entry(sequence as u64, sha256).await?;
        }
        for file in &files {
            packing.file(file).await?;
        }
        packing.write(&END)?;
        Ok(Archived { manifest, sums_sha256, is_signed: signature.is_some() })
    }
}

struct Packing<'a> {
    lake: &'a Lake,
    folder: String,
    time_ms: i64,
    out: &'a mut (dyn Write + Send),
}

impl Packing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).context(Kind::Unavailable, || "cannot write the archive")
    }

    fn begin(&mut self, name: &str, bytes: u64) -> Result<()> {
        let header = header(&format!("{}/{name}", self.folder), bytes, self.time_ms)?;
        self.write(&header)
    }

    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.begin(name, bytes.len() as u64)?;
        self.write(bytes)?;
        self.write(padding(bytes.len() as u64))
    }

    /// Writes the hashes of all entries up to the head: a file is in the lake when one of them has added it and none
    /// has replaced it, so all of them are the proof.
    async fn entries(&mut self, head: &Head) -> Result<Vec<String>> {
        let mut hashes = Vec::new();
        for sequence in 0..=head.sequence {
            hashes.push(hash_of(&self.bytes(&entry_path(sequence)).await?));
        }
        if hashes.last() == Some(&head.sha256) { Ok(hashes) } else { Err(damaged(&entry_path(head.sequence))) }
    }

    async fn entry(&mut self, sequence: u64, sha256: &str) -> Result<()> {
        let path = entry_path(sequence);
        let bytes = self.bytes(&path).await?;
        if hash_of(&bytes) == sha256 { self.member(path.as_ref(), &bytes) } else { Err(damaged(&path)) }
    }

    async fn bytes(&mut self, path: &Path) -> Result<Vec<u8>> {
        let found = get(&self.lake.store(), path).await?;
        found.ok_or_else(|| Error::new(Kind::Integrity, format!("{path} is missing")).hint(HINT))
    }

    /// Writes a data file, which may be too large to hold in memory.
    async fn file(&mut self, file: &FileEntry) -> Result<()> {
        let path = file.data_path();
        let cannot = || format!("cannot read {path}");
        let store: Arc<dyn ObjectStore> = self.lake.store();
        let found = match store.get(&path).await {
            Err(StoreError::NotFound { .. }) => {
                return Err(Error::new(Kind::Unavailable, format!("{path} is not there"))
                    .hint("another run may have removed it while the archive was made: run the command again"));
            }
            found => found.context(Kind::Unavailable, cannot)?,
        };
        if found.meta.size != file.bytes {
            return Err(damaged(&path));
        }
        self.begin(path.as_ref(), file.bytes)?;
        let mut chunks = found.into_stream();
        let mut hash = Sha256::new();
        while let Some(chunk) = chunks.try_next().await.context(Kind::Unavailable, cannot)? {
            hash.update(&chunk);
            self.write(&chunk)?;
        }
        if Hash32(hash.finalize().into()) != file.sha256 {
            return Err(damaged(&path));
        }
        self.write(padding(file.bytes))
    }
}

const HINT: &str = "`auditlake verify` lists what is damaged; no archive was written";

fn damaged(path: &Path) -> Error {
    Error::new(Kind::Integrity, format!("{path} is not what was written")).hint(HINT)
}

/// Returns the members of an archive in their order: those of the lake after the others.
pub fn order(manifest: &Manifest, is_signed: bool, files: &[FileEntry]) -> Vec<String> {
    let key = is_signed.then_some(KEY);
    let first = [MANIFEST, TEXT].into_iter().chain(key).map(str::to_string);
    let schemas = manifest.tables.keys().map(|table| schema_member(table));
    let sums = [SUMS].into_iter().chain(is_signed.then_some(SIGNATURE)).map(str::to_string);
    let entries = (0..=manifest.entry).map(|sequence| entry_path(sequence).to_string());
    let data: BTreeSet<Path> = files.iter().map(FileEntry::data_path).collect();
    first.chain(schemas).chain(sums).chain(entries).chain(data.into_iter().map(String::from)).collect()
}
