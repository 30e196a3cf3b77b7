//! The lake: Parquet files, and what counts.
//!
//! ```text
//! Batch -> dedupe -> arrange -> encode -> _staging/ -> ledger entry -> rename -> Delta commits
//!                                                      ^ the commit point
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
mod sift;
mod state;
mod statistics;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod writer;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use object_store::ObjectStore;
use sha2::Sha256;
use url::Url;

use crate::clock::Clock;
use crate::disk::{self, Lock, Patience};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::schema::Ocsf;
use crate::typed::{hex, parse_hex};

pub use entry::{Body, Counts, Entry, FileEntry, Head, Ingest, LakeInfo, Mark, Retried, SourceRange};
pub use filled::filled;
pub use layout::{Partition, data_path, latest_time_ms};
pub use piece::{DataFile, RowGroup};
pub use plain::plain;
pub use poll::{COMPLETE, Interval, OpenWindow, Poll, PullState, Span, cover};
pub use read::rows;
pub use reject::{REJECT_TABLE, RejectRow, reject_schema};
pub use retry::{RejectFilter, Retry, RetryLine};
pub use state::{State, Stream, TableState};
pub use writer::{Arrived, Batch, Receipt, Restore, Writer};

use ledger::Ledger;
use store::Durable;

/// Written into every entry and every Parquet file.
pub const WRITER: &str = concat!("auditlake ", env!("CARGO_PKG_VERSION"));

/// How a lake is made, and how long those who write to it wait for one another.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of a new lake.
    pub partition: Partition,
    pub patience: Patience,
}

/// A lake on a local disk, read up to some ledger entry.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    store: Arc<Durable>,
    ledger: Ledger,
    key: [u8; 32],
    ocsf: Arc<Ocsf>,
    patience: Patience,
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
    pub async fn open_or_create(root: &Path, options: &Options, ocsf: Arc<Ocsf>, clock: Clock) -> Result<Lake> {
        let patience = options.patience.clone();
        match probe(root)? {
            Place::Foreign => return Err(not_a_lake(root)),
            Place::Lake => {
                if let Some(lake) = Lake::load(root, ocsf.clone()).await? {
                    return Ok(lake.with_patience(patience));
                }
            }
            Place::Missing | Place::Empty | Place::Begun => {}
        }
        disk::make_dir(root).context(Kind::Unavailable, || format!("cannot create {}", root.display()))?;
        failpoint::reached("create.directory");
        let _lock = lock(root, &patience).await?;
        failpoint::reached("create.locked");
        create_key(root)?;
        // A key that somebody planted here must not become the lake's.
        read_key(root)?;
        let store = Arc::new(durable(root)?);
        let info = LakeInfo {
            lake_id: hex(&random::<16>()?),
            partition: options.partition,
            ocsf_version: ocsf.version().to_string(),
        };
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
        let lake = Lake::load(root, ocsf).await?.ok_or_else(|| not_a_lake(root))?;
        Ok(lake.with_patience(patience))
    }

    /// Sets how long to wait for another run that writes.
    pub fn with_patience(self, patience: Patience) -> Lake {
        Lake { patience, ..self }
    }

    async fn load(root: &Path, ocsf: Arc<Ocsf>) -> Result<Option<Lake>> {
        let store = Arc::new(durable(root)?);
        let Some(ledger) = Ledger::open(store.clone()).await? else { return Ok(None) };
        let key = read_key(root)?;
        let root = root.canonicalize().context(Kind::Unavailable, || format!("cannot resolve {}", root.display()))?;
        Ok(Some(Lake { root, store, ledger, key, ocsf, patience: Patience::default() }))
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

    /// The last time of an event that is believed: a year ahead of the newest clock known.
    pub fn latest_time_ms(&self, clock: Clock) -> i64 {
        latest_time_ms(clock.now_ms().max(self.state().time_ms))
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

    /// A 64-bit seed for one purpose.
    pub fn derive_seed(&self, purpose: &str) -> u64 {
        let key = self.derive_key(purpose);
        u64::from_le_bytes(key[..8].try_into().expect("eight bytes"))
    }

    fn url(&self) -> Result<Url> {
        Url::from_directory_path(&self.root)
            .map_err(|()| Error::new(Kind::Unavailable, format!("cannot make a URL of {}", self.root.display())))
    }
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
        [layout::KEY_FILE, layout::LOCK_FILE, layout::LEDGER].iter().any(|ours| name == ours)
            // The key of a run that was killed while it wrote it.
            || name.to_str().is_some_and(|name| disk::is_temporary_of(name, layout::KEY_FILE))
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
async fn lock(root: &Path, patience: &Patience) -> Result<Lock> {
    let (place, patience) = (root.join(layout::LOCK_FILE), patience.clone());
    let locked = tokio::task::spawn_blocking(move || Lock::wait(&place, &patience));
    locked.await.context(Kind::Internal, || format!("cannot lock {}", root.display()))?
}

fn create_key(root: &Path) -> Result<()> {
    let place = root.join(layout::KEY_FILE);
    let text = hex(&random::<32>()?);
    match disk::create_private(&place, text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).context(Kind::Unavailable, || format!("cannot write {}", place.display()))
        }
        // One that is there is checked when it is read.
        _ => {
            failpoint::reached("create.key");
            Ok(())
        }
    }
}

/// Reads the lake's key, which must be a file of ours that nobody else can read: with a key that others know, what is
/// redacted can be guessed, and seals can be forged.
fn read_key(root: &Path) -> Result<[u8; 32]> {
    let place = root.join(layout::KEY_FILE);
    let cannot = || format!("cannot read the lake's key from {}", place.display());
    let mut text = String::new();
    let mut file = disk::open_secret(&place, "the lake's key")?;
    file.read_to_string(&mut text).context(Kind::Unavailable, cannot)?;
    // What it holds is not shown: it may be most of the key.
    parse_hex(text.trim()).map_err(|_| {
        Error::new(Kind::Integrity, format!("{}: it does not hold 64 hexadecimal digits", cannot()))
            .hint("restore it from a backup; the lake's redactions and seals are made with it")
    })
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Kind::Unavailable, format!("cannot get random bytes: {error}")))?;
    Ok(bytes)
}
