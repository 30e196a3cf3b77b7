//! Checks an archive by itself: every member follows from the ledger in it, and no other exists.

use std::collections::{BTreeSet, HashMap};
use std::path::Path as FsPath;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use object_store::ObjectStore;

use super::super::super::files::file::FileEntry;
use super::super::super::files::layout::{LEDGER, entry_path, entry_sequence};
use super::super::chain::{self, Chain};
use super::super::data;
use super::super::faults::Faults;
use super::super::level::Level;
use super::super::manifest::Manifest;
use super::super::range::ArchiveRange;
use super::super::recorded::Heads;
use super::super::verify::{Verified, Verify};
use super::pack::order;
use super::tape::{Members, Tape, header};
use super::{KEY, MANIFEST, SIGNATURE, SUMS, TEXT};
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{PublicKey, Purpose, Signature};
use crate::typed::{Hash32, hex};

/// Checks the archive in a file. Nothing is unpacked, and no lake is needed.
pub async fn check(path: &FsPath, asked: &Verify) -> Result<Verified> {
    let mut faults = Faults::new(asked.most);
    let tape = Arc::new(Tape::open(path, &mut faults)?);
    let Some(said) = faults.take(MANIFEST, manifest(&tape))? else { return Err(hopeless(path, &faults)) };
    let (said, range) = said;
    if tape.folder != range.folder() {
        faults.add(
            MANIFEST,
            format!("the folder of the archive is {}, and its range is {}", tape.folder, range.folder()),
        );
    }
    let objects: Arc<dyn ObjectStore> = Arc::new(Members(tape.clone()));
    let prefix = format!("{LEDGER}/");
    let names: Vec<String> =
        tape.order.iter().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_string).collect();
    let (anchor, key) = (asked.anchor.as_ref(), asked.public_key.as_ref());
    let last = names.iter().filter_map(|name| entry_sequence(name)).max();
    let heads = Heads::given(anchor.filter(|anchor| Some(anchor.sequence) <= last));
    // Checkpoints are copies of the ledger, and an archive has none.
    let walked = chain::walk(&objects, &names, heads, key, &mut faults, &mut Faults::new(0)).await;
    let mut chain = match walked {
        Err(error) if error.kind() == Kind::Integrity => return Err(hopeless(path, &faults).caused_by(error)),
        walked => walked?,
    };
    if said.entry > chain.last {
        faults.add(entry_path(said.entry), "it is missing, and the manifest names it as the newest entry");
    }
    if let Some(anchor) = anchor.filter(|anchor| anchor.sequence > chain.last) {
        let (last, written) = (chain.last, anchor.sequence);
        let fault = format!(
            "the archive ends with entry {last}, and entry {written} was written down: compare with a head from before the archive was made"
        );
        faults.add(MANIFEST, fault);
    }
    chain.live.retain(|file| range.has(file.partition()));
    chain.live.sort_by_cached_key(FileEntry::data_path);
    let found = members(&tape, &said, &range, &chain, &mut faults)?;
    sums(&tape, &chain, &mut faults)?;
    let is_signed = signature(&tape, key, &mut faults)?;

    let sum = |count: fn(&FileEntry) -> u64| chain.live.iter().map(count).sum();
    let (files, bytes, rows) = (chain.live.len() as u64, sum(|file| file.bytes), sum(|file| file.rows));
    asked.progress.all.store(bytes, Ordering::Relaxed);
    if asked.level >= Level::Files {
        data::look(&objects, found, &BTreeSet::new(), asked.level, &asked.progress, &mut faults).await?;
    }
    Ok(Verified {
        head: chain.head,
        level: asked.level,
        entries: chain.entries,
        files,
        bytes,
        rows,
        replaced: 0,
        fault_count: faults.count,
        faults: faults.listed,
        // The signature covers the hashes of all members, so it vouches for every entry.
        signed_to: if is_signed && key.is_some() { Some(chain.last) } else { chain.signed_to },
        anchors: chain.anchors,
        notes: Vec::new(),
        archive: Some(said),
    })
}

/// Makes an error of the faults that prevent checking the rest.
fn hopeless(path: &FsPath, faults: &Faults) -> Error {
    let first = faults.listed.first().map(|fault| format!(": {}: {}", fault.path, fault.fault)).unwrap_or_default();
    Error::new(Kind::Integrity, format!("cannot check {}{first}", path.display()))
        .hint("nothing says what the archive should hold: get another copy of it, or make it again from the lake")
}

fn manifest(tape: &Tape) -> Result<(Manifest, ArchiveRange)> {
    let bytes = tape.read(MANIFEST)?.ok_or_else(|| Error::new(Kind::Integrity, "it is missing"))?;
    Manifest::parse(&bytes).map_err(|why| Error::new(Kind::Integrity, why))
}

/// Compares the members with those that must exist; returns the data files that are worth a closer look.
fn members(
    tape: &Tape,
    said: &Manifest,
    range: &ArchiveRange,
    chain: &Chain,
    faults: &mut Faults,
) -> Result<Vec<FileEntry>> {
    let expected = Manifest::of(range, &chain.lake, &chain.head, &chain.live);
    if tape.read(MANIFEST)?.as_deref() != Some(&expected.to_bytes()?[..]) {
        faults.add(MANIFEST, different(said, &expected));
    }
    let is_signed = tape.get(SIGNATURE).is_some() || tape.get(KEY).is_some();
    let order = order(&expected, is_signed, &chain.live);
    let known: BTreeSet<&String> = order.iter().collect();
    for path in tape.order.iter().filter(|path| !known.contains(path)) {
        faults.add(path, "it does not belong to the archive: no ledger entry names it in this range");
    }
    let before = faults.count;
    let mut sound = HashMap::new();
    for path in &order {
        let Some(member) = tape.get(path) else {
            faults.add(path, "it is missing");
            continue;
        };
        if member.header != header(&format!("{}/{path}", range.folder()), member.bytes, chain.head.time_ms)? {
            faults.add(path, "its header in the tar was changed");
        }
        sound.insert(path.as_str(), member.bytes);
    }
    if before == faults.count && tape.order.iter().ne(order.iter()) {
        faults.add(MANIFEST, "the members of the archive are in another order than they were packed in");
    }
    let mut found = Vec::new();
    for file in &chain.live {
        match sound.get(file.data_path().as_ref()) {
            Some(bytes) if *bytes == file.bytes => found.push(file.clone()),
            Some(bytes) => {
                faults.add(file.data_path(), format!("it has {bytes} bytes, and the ledger says {}", file.bytes));
            }
            None => {}
        }
    }
    Ok(found)
}

/// Describes in which way a manifest differs from the one that the ledger implies.
fn different(said: &Manifest, expected: &Manifest) -> String {
    if let Some(table) = said
        .tables
        .keys()
        .chain(expected.tables.keys())
        .find(|table| said.tables.get(*table) != expected.tables.get(*table))
    {
        let rows = |manifest: &Manifest| manifest.tables.get(table).map_or(0, |packed| packed.rows);
        return format!("it tells of {} rows in {table}, and the ledger of {}", rows(said), rows(expected));
    }
    if (said.entry, &said.entry_sha256) != (expected.entry, &expected.entry_sha256) {
        let (said, found) = (said.entry, expected.entry);
        return format!(
            "the newest entry is not the one that it names: it names entry {said}, and {found} is the last one"
        );
    }
    "it was changed: it is not what the ledger beside it makes of the range".to_string()
}

/// Compares the list of hashes with the members. The ledger has the hashes of data files; their bytes are read at the
/// level that reads them.
fn sums(tape: &Tape, chain: &Chain, faults: &mut Faults) -> Result<()> {
    let Some(there) = tape.read(SUMS)? else { return Ok(()) };
    let data: HashMap<String, Hash32> =
        chain.live.iter().map(|file| (file.data_path().to_string(), file.sha256)).collect();
    let mut lines = Vec::new();
    for path in tape.order.iter().filter(|path| *path != SUMS && *path != SIGNATURE) {
        let sha256 = match data.get(path) {
            Some(sha256) => *sha256,
            // It was already reported as a fault.
            None if is_foreign(path) => continue,
            None => Hash32::sha256(&tape.read(path)?.unwrap_or_default()),
        };
        lines.push((path, format!("{sha256}  {path}")));
    }
    let whole: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    if there[..] == Purpose::Archive.message(whole.as_bytes()) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&there);
    let listed: BTreeSet<&str> = text.lines().collect();
    let before = faults.count;
    for (path, line) in &lines {
        if !listed.contains(line.as_str()) {
            faults.add(path, format!("its SHA-256 is not the one in {SUMS}"));
        }
    }
    if before == faults.count {
        faults.add(SUMS, "it was changed: it is not the list of the members");
    }
    Ok(())
}

/// Returns whether a member can only be a data file, by its path.
fn is_foreign(path: &str) -> bool {
    let is_own = path == MANIFEST || path == TEXT || path == KEY;
    !is_own && !path.starts_with("schema/") && !path.starts_with(LEDGER)
}

/// Checks the signature of the list of hashes; returns whether there is a valid one.
fn signature(tape: &Tape, key: Option<&PublicKey>, faults: &mut Faults) -> Result<bool> {
    let (value, public) = (tape.read(SIGNATURE)?, tape.read(KEY)?);
    let (Some(value), Some(public)) = (value, public) else {
        if key.is_some() {
            faults.add(SIGNATURE, "it is missing: nobody has signed the archive");
        }
        return Ok(false);
    };
    let Some(own) = faults.take(KEY, own_key(&public))? else { return Ok(false) };
    if key.is_some_and(|key| *key != own) {
        faults.add(KEY, "it is not the public key that was given: somebody else has signed the archive");
        return Ok(false);
    }
    let signature = Signature { key: own.to_hex(), value: hex(&value) };
    let there = tape.read(SUMS)?.unwrap_or_default();
    let title = Purpose::Archive.message(b"");
    let is_right =
        there.strip_prefix(&title[..]).is_some_and(|sums| own.has_signed(Purpose::Archive, sums, &signature));
    if !is_right {
        faults.add(SIGNATURE, format!("it is not a signature of {SUMS} by {KEY}"));
    }
    Ok(is_right)
}

/// Reads the key in an archive, exactly as it was written.
fn own_key(bytes: &[u8]) -> Result<PublicKey> {
    let text = std::str::from_utf8(bytes).context(Kind::Integrity, || "it is not text")?;
    match PublicKey::parse(text, KEY) {
        Ok(key) if key.to_pem() == text => Ok(key),
        _ => Err(Error::new(Kind::Integrity, "it is not a public key")),
    }
}
