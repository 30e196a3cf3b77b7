//! The lake: Parquet files, and what counts.
//!
//! ```text
//! Batch -> sift (new, duplicate, revision) -> arrange -> encode -> _staging/ -> ledger entry -> rename -> Delta commits
//!                                                                               ^ the commit point
//! ```
//!
//! The ledger entry is the commit; the Delta tables are its projection, for readers. A process that dies after the
//! entry leaves an entry that is complete: the next process brings its files into place and into the tables.

mod arrange;
mod bounds;
mod chunk;
mod dedupe;
mod delta;
mod encode;
mod entry;
mod filled;
mod hybrid;
mod identity;
mod judge;
mod layout;
mod leaves;
mod ledger;
mod levels;
mod number;
mod page;
mod piece;
mod plain;
mod poll;
mod private;
mod read;
mod reader;
mod recover;
mod reject;
mod retry;
mod revision;
mod sift;
mod state;
mod statistics;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod versions;
mod writer;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use hmac::{Hmac, KeyInit, Mac};
use object_store::ObjectStore;
use sha2::Sha256;
use url::Url;

use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::schema::{EventClass, Ocsf};

pub use entry::{Body, Counts, Entry, FileEntry, Head, Ingest, LakeInfo, Mark, Notes, Retried, SourceRange};
pub use filled::filled;
pub use identity::{Hasher, digests};
pub use layout::{Partition, data_path};
pub use piece::{DataFile, RowGroup};
pub use plain::plain;
pub use poll::{COMPLETE, Interval, OpenWindow, Poll, PullState, Span, cover};
pub use private::{Locked, create_private, remove_private, replace_private};
pub use read::rows;
pub use reject::{REJECT_TABLE, RejectRow, reject_schema};
pub use retry::{RejectFilter, Retry, RetryLine};
pub use revision::{REVISION_TABLE, RevisionRow, revision_schema};
pub use state::{State, Stream, TableState};
pub use writer::{Arrived, Batch, Receipt, Restore, Writer};

use ledger::Ledger;
use store::Durable;

/// Written into every entry and every Parquet file.
pub const WRITER: &str = concat!("auditlake ", env!("CARGO_PKG_VERSION"));

/// A lake on a local disk, read up to some ledger entry.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    store: Arc<Durable>,
    ledger: Ledger,
    key: [u8; 32],
    ocsf: Arc<Ocsf>,
}

impl Lake {
    /// Opens the lake at `root`.
    pub async fn open(root: &Path, ocsf: Arc<Ocsf>) -> Result<Lake> {
        match probe(root)? {
            Place::Missing | Place::Empty => Err(Error::new(Kind::Unavailable, format!("no lake at {}", root.display()))
                .hint("`auditlake ingest FILE` creates one; `auditlake demo` makes one with sample events; `--lake DIR` names another")),
            Place::Foreign => Err(not_a_lake(root)),
            Place::Begun | Place::Lake => match Lake::load(root, ocsf).await? {
                Some(lake) => Ok(lake),
                None => Err(Error::new(Kind::Unavailable, format!("the lake at {} was never finished", root.display()))
                    .hint("run the `auditlake ingest` that began it again")),
            },
        }
    }

    /// Opens the lake at `root`, or creates it where nothing is.
    pub async fn open_or_create(root: &Path, partition: Partition, ocsf: Arc<Ocsf>, clock: Clock) -> Result<Lake> {
        match probe(root)? {
            Place::Foreign => return Err(not_a_lake(root)),
            Place::Lake => {
                if let Some(lake) = Lake::load(root, ocsf.clone()).await? {
                    return Ok(lake);
                }
            }
            Place::Missing | Place::Empty | Place::Begun => {}
        }
        store::make_dir(root).context(Kind::Unavailable, || format!("cannot create {}", root.display()))?;
        failpoint::reached("create.directory");
        let _lock = lock(root).await?;
        failpoint::reached("create.locked");
        create_key(root).context(Kind::Unavailable, || format!("cannot create the key of {}", root.display()))?;
        let store = Arc::new(durable(root)?);
        let info = LakeInfo { lake_id: hex(&random::<16>()?), partition, ocsf_version: ocsf.version().to_string() };
        let first = Entry {
            sequence: 0,
            previous: None,
            time_ms: clock.now_ms(),
            writer: WRITER.to_string(),
            body: Body::Create(info),
        };
        // Someone else may have been first: then theirs is the lake.
        Ledger::begin(store, first).await?;
        failpoint::reached("create.entry");
        Lake::load(root, ocsf).await?.ok_or_else(|| not_a_lake(root))
    }

    async fn load(root: &Path, ocsf: Arc<Ocsf>) -> Result<Option<Lake>> {
        let store = Arc::new(durable(root)?);
        let Some(ledger) = Ledger::open(store.clone()).await? else { return Ok(None) };
        let key = read_key(root)
            .context(Kind::Unavailable, || format!("cannot read {}", root.join(layout::KEY_FILE).display()))?;
        let root = root.canonicalize().context(Kind::Unavailable, || format!("cannot resolve {}", root.display()))?;
        Ok(Some(Lake { root, store, ledger, key, ocsf }))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The store of the lake's files; paths are relative to [`Lake::root`].
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    pub fn ocsf(&self) -> &Arc<Ocsf> {
        &self.ocsf
    }

    /// The state after the newest entry that was read.
    pub fn state(&self) -> &Arc<State> {
        self.ledger.state()
    }

    /// The state after entry `sequence`.
    pub async fn state_at(&self, sequence: u64) -> Result<State> {
        self.ledger.state_at(sequence).await
    }

    /// One entry of the ledger, with the SHA-256 of its bytes.
    pub async fn entry(&self, sequence: u64) -> Result<(Entry, String)> {
        self.ledger.entry(sequence).await
    }

    /// A key for one purpose, made from the lake's secret key.
    pub fn derive_key(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A keyed hash for one purpose.
    pub fn hasher(&self, purpose: &str) -> Hasher {
        Hasher::new(self.derive_key(purpose))
    }

    /// The class whose events a table holds.
    fn class_of(&self, table: &str) -> Result<Arc<EventClass>> {
        self.ocsf.by_name(table).cloned().ok_or_else(|| {
            Error::usage(format!("the lake has a table `{table}`, but no schema of that name is loaded"))
                .hint("pass the directory with its class file: `--schemas DIR`")
        })
    }

    fn url(&self) -> Result<Url> {
        Url::from_directory_path(&self.root)
            .map_err(|()| Error::new(Kind::Unavailable, format!("cannot make a URL of {}", self.root.display())))
    }
}

/// The schemas of the tables that hold no events, by name.
pub fn own_tables() -> [(&'static str, SchemaRef); 2] {
    [(REJECT_TABLE, reject_schema()), (REVISION_TABLE, revision_schema())]
}

/// A hash that is the same in every version of this program: XXH64.
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    twox_hash::XxHash64::oneshot(seed, bytes)
}

/// What stands where a lake is wanted.
enum Place {
    Missing,
    Empty,
    /// A creation that was cut short: nothing but our own first files.
    Begun,
    Lake,
    Foreign,
}

fn probe(root: &Path) -> Result<Place> {
    let cannot = || format!("cannot look into {}", root.display());
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Missing),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Place::Foreign),
        Err(error) => return Err(error).context(Kind::Unavailable, cannot),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.context(Kind::Unavailable, cannot)?.file_name());
    }
    let is_ours = |name: &std::ffi::OsString| {
        [layout::KEY_FILE, layout::NEW_KEY_FILE, layout::LOCK_FILE, layout::LEDGER].iter().any(|ours| name == ours)
    };
    Ok(match names.iter().any(|name| name == layout::LEDGER) {
        _ if names.is_empty() => Place::Empty,
        true => Place::Lake,
        false if names.iter().all(is_ours) => Place::Begun,
        false => Place::Foreign,
    })
}

fn not_a_lake(root: &Path) -> Error {
    Error::usage(format!("{} is not a lake, and not empty", root.display()))
        .hint("name an empty or a new directory with `--lake DIR`; nothing was written")
}

fn durable(root: &Path) -> Result<Durable> {
    Durable::new(root).context(Kind::Unavailable, || format!("cannot open {}", root.display()))
}

/// Waits for the lake's lock. It keeps writers from encoding in vain; what keeps the lake right is put-if-absent.
async fn lock(root: &Path) -> Result<File> {
    let place = root.join(layout::LOCK_FILE);
    let locked = tokio::task::spawn_blocking(move || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(place)?;
        file.lock()?;
        Ok::<_, io::Error>(file)
    });
    let cannot = || format!("cannot lock {}", root.display());
    locked.await.context(Kind::Internal, cannot)?.context(Kind::Unavailable, cannot)
}

fn create_key(root: &Path) -> Result<()> {
    let place = root.join(layout::KEY_FILE);
    if place.exists() {
        return Ok(());
    }
    let cannot = || format!("cannot write {}", place.display());
    let temporary = root.join(layout::NEW_KEY_FILE);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).context(Kind::Unavailable, cannot)?;
    let text = hex(&random::<32>()?);
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context(Kind::Unavailable, cannot)?;
    failpoint::reached("create.key-written");
    fs::rename(&temporary, &place).and_then(|()| store::sync_dir(root)).context(Kind::Unavailable, cannot)?;
    failpoint::reached("create.key");
    Ok(())
}

fn read_key(root: &Path) -> io::Result<[u8; 32]> {
    let mut text = String::new();
    File::open(root.join(layout::KEY_FILE))?.read_to_string(&mut text)?;
    let text = text.trim();
    let mut key = [0; 32];
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold 64 hex digits"));
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(io::Error::other)?;
        *byte = u8::from_str_radix(digits, 16).map_err(io::Error::other)?;
    }
    Ok(key)
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Kind::Unavailable, format!("cannot get random bytes: {error}")))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
