//! Checks that must hold for a lake's directory, whatever happened to its writers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use auditlake::decode::Encoder;
use auditlake::lake::{Lake, rows};
use auditlake::schema::Ocsf;
use futures::StreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The content of the ledger of a lake that was found sound.
pub struct Ledger {
    pub entries: Vec<Value>,
    /// SHA-256 of each entry's bytes.
    hashes: Vec<String>,
}

impl Ledger {
    /// Returns the sum of one count over all entries.
    pub fn count(&self, name: &str) -> u64 {
        self.entries.iter().filter_map(|entry| entry["counts"][name].as_u64()).sum()
    }

    /// Returns the rows by table.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        let mut rows = BTreeMap::new();
        for file in self.files() {
            *rows.entry(file["table"].as_str().unwrap().to_string()).or_default() += file["rows"].as_u64().unwrap();
        }
        rows
    }

    /// Returns SHA-256 of the entries that add files to a table, in order.
    fn hashes_of(&self, table: &str) -> Vec<String> {
        let touches = |entry: &Value| {
            let adds = entry["files"].as_array();
            adds.is_some_and(|files| files.iter().any(|file| file["table"].as_str() == Some(table)))
                || entry["replaced"][table].is_array()
        };
        let hashed = self.entries.iter().zip(&self.hashes);
        hashed.filter(|(entry, _)| touches(entry)).map(|(_, hash)| hash.clone()).collect()
    }

    /// Returns the files of the tables.
    pub fn files(&self) -> Vec<&Value> {
        self.add_up().0.into_values().collect()
    }

    /// Returns tables and paths of files that left their tables and are still on the disk.
    pub fn aside(&self) -> BTreeSet<Place> {
        self.add_up().1
    }

    fn add_up(&self) -> (BTreeMap<Place, &Value>, BTreeSet<Place>) {
        let (mut live, mut aside) = (BTreeMap::new(), BTreeSet::new());
        for entry in &self.entries {
            for place in places(&entry["replaced"]) {
                assert!(live.remove(&place).is_some(), "{place:?} is replaced and was not there");
                aside.insert(place);
            }
            for place in places(&entry["dropped"]) {
                assert!(aside.remove(&place), "{place:?} is dropped and was not replaced");
            }
            for file in entry["files"].as_array().into_iter().flatten() {
                let text = |name: &str| file[name].as_str().unwrap().to_string();
                assert!(live.insert((text("table"), text("path")), file).is_none(), "{file} is told twice");
            }
        }
        (live, aside)
    }
}

/// A table, and the path of a file below its folder.
pub type Place = (String, String);

/// Returns the files that a member of an entry names, table by table.
fn places(named: &Value) -> Vec<Place> {
    let tables = named.as_object().into_iter().flatten();
    let paths = |paths: &Value| -> Vec<String> { serde_json::from_value(paths.clone()).unwrap() };
    tables.flat_map(|(table, named)| paths(named).into_iter().map(|path| (table.clone(), path))).collect()
}

/// Reads the ledger: numbered without a gap, each entry with the hash of the one before, each balanced.
pub fn ledger(lake: &Path) -> Ledger {
    let (mut entries, mut hashes): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let mut previous: Option<String> = None;
    let names = names(&lake.join("_ledger"));
    let names: Vec<&String> = names.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).collect();
    for (sequence, name) in names.iter().enumerate() {
        assert_eq!(**name, format!("{sequence:020}.json"), "the ledger has a gap or a stranger");
        let bytes = fs::read(lake.join("_ledger").join(name)).unwrap();
        let entry: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(entry["sequence"].as_u64().unwrap(), sequence as u64);
        assert_eq!(entry["previous"].as_str(), previous.as_deref(), "the chain is broken at {name}");
        if let Some(counts) = entry["counts"].as_object() {
            let of = |name: &str| counts[name].as_u64().unwrap();
            assert_eq!(
                of("read"),
                of("accepted")
                    + of("duplicate")
                    + of("revised")
                    + of("rejected")
                    + of("blank")
                    + counts.get("outside").map_or(0, |outside| outside.as_u64().unwrap()),
                "{name}"
            );
            let mut rows = BTreeMap::new();
            for file in entry["files"].as_array().unwrap() {
                let kind = match file["table"].as_str().unwrap() {
                    "reject" => "rejected",
                    "revision" => "revised",
                    _ => "accepted",
                };
                *rows.entry(kind).or_default() += file["rows"].as_u64().unwrap();
            }
            for kind in ["accepted", "revised", "rejected"] {
                assert_eq!(of(kind), rows.get(kind).copied().unwrap_or(0), "{kind} of {name}");
            }
        }
        let time = |entry: &Value| entry["time_ms"].as_i64().unwrap();
        assert!(entries.last().is_none_or(|last| time(last) <= time(&entry)), "{name} is older than the one before");
        assert_eq!(entry["writer_id"].as_str().unwrap().len(), 32, "{name}");
        hashes.push(sha256(&bytes));
        previous = hashes.last().cloned();
        entries.push(entry);
    }
    assert!(!entries.is_empty(), "the ledger is empty");
    Ledger { entries, hashes }
}

/// Asserts that in a lake without a writer ledger, files and Delta tables agree.
pub fn assert_sound(lake: &Path) -> Ledger {
    let ledger = ledger(lake);
    let staging = lake.join("_staging");
    assert!(!staging.exists() || names(&staging).is_empty(), "_staging holds {:?}", names(&staging));

    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in ledger.files() {
        let (table, path) = (file["table"].as_str().unwrap(), file["path"].as_str().unwrap());
        let bytes = fs::read(lake.join(table).join(path)).unwrap_or_else(|error| panic!("{table}/{path}: {error}"));
        assert_eq!(sha256(&bytes), file["sha256"].as_str().unwrap(), "{table}/{path}");
        assert_eq!(bytes.len() as u64, file["bytes"].as_u64().unwrap(), "{table}/{path}");
        assert!(told.entry(table.to_string()).or_default().insert(path.to_string()), "{table}/{path} is told twice");
    }

    for table in names(lake).iter().filter(|name| !name.starts_with('_')) {
        let folder = lake.join(table);
        let expected = told.remove(table).unwrap_or_default();
        let found: BTreeSet<String> =
            files(&folder).into_iter().filter(|path| !path.starts_with("_delta_log/")).collect();
        assert_eq!(found, expected, "files of {table}, and those of the ledger");
        let (delta, named) = delta_files(&folder);
        assert_eq!(delta, expected, "files of {table} in its Delta log, and those of the ledger");
        assert_eq!(named, ledger.hashes_of(table), "entries that the Delta log of {table} names");
    }
    assert!(told.is_empty(), "tables without a folder: {told:?}");
    let aside: BTreeSet<String> = ledger.aside().into_iter().map(|(table, path)| format!("{table}/{path}")).collect();
    assert_eq!(BTreeSet::from_iter(files(&lake.join("_replaced"))), aside, "replaced files, and those of the ledger");
    ledger
}

/// Asserts what must hold at any moment, even right after a kill: each entry's files are complete, in place or still
/// staged.
pub fn assert_recoverable(lake: &Path) -> Ledger {
    let ledger = ledger(lake);
    for file in ledger.files() {
        let (table, path) = (file["table"].as_str().unwrap(), file["path"].as_str().unwrap());
        let name = path.rsplit('/').next().unwrap();
        let places = [lake.join(table).join(path), lake.join("_staging").join(format!("{table}-{name}"))];
        let is_whole =
            |place: &PathBuf| fs::read(place).is_ok_and(|bytes| sha256(&bytes) == file["sha256"].as_str().unwrap());
        assert!(places.iter().any(is_whole), "{table}/{path} is neither in place nor staged");
    }
    for (table, path) in ledger.aside() {
        let places = [lake.join(&table).join(&path), lake.join("_replaced").join(&table).join(&path)];
        assert!(places.iter().any(|place| place.exists()), "{table}/{path} was replaced, and is gone");
    }
    ledger
}

/// Returns every event of a lake as JSON text, sorted; read by the library, since starting the program takes longer.
pub fn stored(lake: &Path) -> Vec<String> {
    static OCSF: LazyLock<Arc<Ocsf>> = LazyLock::new(|| Arc::new(Ocsf::load(None).unwrap()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read = async {
        let lake = Lake::open(lake, OCSF.clone()).await.unwrap();
        let mut lines = Vec::new();
        for class in lake.ocsf().classes() {
            let encoder = Encoder::new(class);
            for file in lake.state().tables.get(&class.name).iter().flat_map(|table| &table.files) {
                let mut batches = rows(&lake.store(), file).await.unwrap();
                while let Some(batch) = batches.next().await {
                    let batch = batch.unwrap();
                    for row in 0..batch.num_rows() {
                        let mut line = Vec::new();
                        encoder.write(&batch, row, &mut line).unwrap();
                        lines.push(String::from_utf8(line).unwrap());
                    }
                }
            }
        }
        lines.sort();
        lines
    };
    runtime.block_on(read)
}

/// Calls `work` for every job, on as many threads as make sense where most of the time is spent waiting for the disk.
pub fn in_parallel<J: Send>(jobs: Vec<J>, work: impl Fn(J) + Sync) {
    let jobs = Mutex::new(jobs.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(job) = jobs.lock().unwrap().next() else { return };
                    work(job);
                }
            });
        }
    });
}

/// Returns files that were unfinished when their writer was killed: they are first written under such names.
pub fn left_over(lake: &Path) -> Vec<String> {
    files(lake).into_iter().filter(|path| path.contains('#')).collect()
}

/// Returns the files of a Delta table, and the ledger entries that its commits name; its versions have no gap and no
/// file is added twice.
fn delta_files(table: &Path) -> (BTreeSet<String>, Vec<String>) {
    let log = table.join("_delta_log");
    let versions: Vec<String> = names(&log)
        .into_iter()
        .filter(|name| name.len() == 25 && name.ends_with(".json") && name.bytes().take(20).all(|b| b.is_ascii_digit()))
        .collect();
    let (mut files, mut entries) = (BTreeSet::new(), Vec::new());
    for (version, name) in versions.iter().enumerate() {
        assert_eq!(*name, format!("{version:020}.json"), "{} has a gap", log.display());
        for line in fs::read_to_string(log.join(name)).unwrap().lines() {
            let action: Value = serde_json::from_str(line).unwrap();
            entries.extend(action["commitInfo"]["auditlake"]["sha256"].as_str().map(str::to_string));
            if let Some(path) = action["add"]["path"].as_str() {
                assert!(files.insert(path.to_string()), "{path} is added twice");
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                assert!(files.remove(path), "{path} is removed and was not there");
            }
        }
    }
    (files, entries)
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns the paths of all files below a directory, sorted.
pub fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = vec![root.to_path_buf()];
    while let Some(directory) = left.pop() {
        for name in names(&directory) {
            let path = directory.join(name);
            if path.is_dir() {
                left.push(path)
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned())
            }
        }
    }
    found.sort();
    found
}
