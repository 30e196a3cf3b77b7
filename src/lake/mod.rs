//! The lake: Parquet files, and the ledger that decides which of them count.
//!
//! ```text
//! Batch -> sift (new, duplicate, revision) -> arrange -> encode -> _staging/ -> ledger entry -> rename -> Delta commits
//!                                                                               ^ the commit point
//! ```
//!
//! The ledger entry is the commit; the Delta tables are its projection, for readers. A process that dies after the
//! entry leaves an entry that is complete: the next process brings its files into place and into the tables.
//!
//! Its rooms, from above to below; a room uses those below it:
//!
//! ```text
//! keeping             verify, repair, compact, retain, erase, back up, archive
//! writing             a batch on its way into the lake
//! reading, tables     rows read back; the Delta tables, and what the ledger makes of them
//! ledger, parquet     entries and what they add up to; the encoder
//! fingerprints        by which rows are looked up without a look into their files
//! files, identity     where files lie and how they reach the disk; when two lines are the same event
//! ```

mod files;
mod fingerprints;
mod identity;
mod keeping;
mod key;
mod ledger;
mod parquet;
mod private;
mod reading;
mod tables;
#[cfg(test)]
mod tests;
mod writing;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;

use crate::clock::Clock;
use crate::disk::{self, Lock, Patience};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::schema::{EventClass, FieldIds, Ocsf};
use crate::typed::hex;

pub use self::parquet::plain;
pub use files::file::{FileEntry, Footer, Home, RowDigest};
pub use files::layout::{Access, FACTS, Partition, SERVE, anchor_path, data_path, fact_path, latest_time_ms};
pub use files::name::FileName;
pub use files::row_digest::row_digest;
pub use identity::{Hasher, digests};
pub use keeping::{
    Anchor, Anchors, ArchiveManifest, ArchiveRange, Archived, BackedUp, CompactOptions, Compacted, ErasedRows, Fault,
    Head as LedgerHead, Keeper, Level, Progress as VerifyProgress, Receipt as RemovalReceipt, Recorded, RecordedEntry,
    Repair, Repaired, RetainPolicy, Retained, RetainedTable, Verified, Verify, foresee, plan as plan_compaction,
    repair, verify, verify_archive,
};
pub use key::{AskKey, KeyPlace, random_key};
pub use ledger::change::{Aside, Change, Paths};
pub use ledger::entry::{
    Body, CheckpointRef, Compact, Counts, Entry, Erase, Erased, Head, Hold, HoldStep, Ingest, LakeInfo, Mark, Notes,
    Removed, Retain, Retried, SourceRange,
};
pub use ledger::format::{FORMAT, Format, READS_FROM};
pub use ledger::poll::{COMPLETE, Interval, Poll};
pub use ledger::pulls::{OpenWindow, PullState, Span, cover};
pub use ledger::signed::{AskSigner, Signing};
pub use ledger::state::{State, TableState};
pub use ledger::streams::{Stream, Streams};
pub use ledger::told::{Anchoring, TellHead};
pub use reading::file_check::FileCheck;
pub use reading::filled::filled;
pub use reading::piece::{DataFile, RowGroup};
pub use reading::read::rows;
pub use reading::table_file::TableFile;
pub use tables::reject::{REJECT_TABLE, RejectRow, reject_schema};
pub use tables::revision::{REVISION_TABLE, RevisionRow, revision_schema};
pub use writing::retry::{RejectFilter, Retry, RetryLine};
pub use writing::writer::{Arrived, Batch, Receipt, Restore, Writer};

use files::layout;
use files::store::Durable;
use ledger::format::FIRST;
use ledger::listing::Listing;
use ledger::log::Ledger;
use tables::reject::reject_ids;
use tables::revision::revision_ids;

/// Written into every entry and every Parquet file.
pub const WRITER: &str = concat!("auditlake ", env!("CARGO_PKG_VERSION"));

/// Options for making a lake, and how long its writers wait for one another.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The partitioning of a new lake.
    pub partition: Partition,
    /// The accounts that may read a new lake beside its owner.
    pub access: Access,
    pub key: KeyPlace,
    pub signing: Signing,
    pub anchoring: Anchoring,
    pub patience: Patience,
}

/// A lake on a local disk, read up to some ledger entry.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    store: Arc<Durable>,
    ledger: Ledger,
    key: key::Holder,
    ocsf: Arc<Ocsf>,
    patience: Patience,
}

impl Lake {
    /// Opens the lake at `root`.
    pub async fn open(root: &Path, ocsf: Arc<Ocsf>) -> Result<Lake> {
        Lake::open_at(root, ocsf, None).await
    }

    /// Opens the lake at `root` as it was after entry `limit`, whatever happened since: nothing after that entry is read.
    pub async fn open_at(root: &Path, ocsf: Arc<Ocsf>, limit: Option<u64>) -> Result<Lake> {
        existing(root)?;
        Lake::load(root, ocsf, limit).await?.ok_or_else(|| {
            Error::new(Kind::Unavailable, format!("the lake at {} was never finished", root.display()))
                .hint("run the `auditlake ingest` that began it again")
        })
    }

    /// Opens the lake at `root`, or creates it where nothing exists.
    pub async fn open_or_create(root: &Path, options: &Options, ocsf: Arc<Ocsf>, clock: Clock) -> Result<Lake> {
        match probe(root)? {
            Place::Foreign => return Err(not_a_lake(root)),
            Place::Lake => {
                if let Some(lake) = Lake::load(root, ocsf.clone(), None).await? {
                    lake.ledger.check_writable()?;
                    lake.create_tables().await?;
                    // A run that finds nothing new must still finish what the run before it left.
                    lake.sweep().await?;
                    return Ok(lake.configured(options));
                }
            }
            Place::Missing | Place::Empty | Place::Begun => {}
        }
        check_path(root)?;
        make_root(root, options.access)?;
        failpoint::reached("create.directory");
        let _lock = lock(root, &options.patience).await?;
        failpoint::reached("create.locked");
        let key_check = key::Holder::at(options.key.clone()).prepare(root)?;
        let store = Arc::new(durable(root)?);
        store.open_to(options.access);
        let info = LakeInfo {
            lake_id: random_hex::<16>()?,
            partition: options.partition,
            access: options.access,
            key_check,
            ocsf_version: ocsf.version().to_string(),
        };
        let first = Entry {
            sequence: 0,
            previous: None,
            time_ms: clock.now_ms(),
            skew_ms: None,
            writer: WRITER.to_string(),
            writer_id: random_hex::<16>()?,
            format: Some(FIRST),
            checkpoint: None,
            body: Body::Create(info),
            signature: None,
        };
        // Another process may have been first: then its lake counts.
        drop(Ledger::begin(store, first, &options.signing).await?);
        failpoint::reached("create.entry");
        let lake = Lake::load(root, ocsf, None).await?.ok_or_else(|| not_a_lake(root))?;
        lake.create_tables().await?;
        failpoint::reached("create.tables");
        Ok(lake.configured(options))
    }

    fn configured(self, options: &Options) -> Lake {
        let Options { key, signing, anchoring, patience, .. } = options.clone();
        self.with_patience(patience).with_key(key).with_signing(signing).with_anchoring(anchoring)
    }

    /// Sets the key that signs new entries of the ledger.
    pub fn with_signing(mut self, signing: Signing) -> Lake {
        self.ledger.sign(signing);
        self
    }

    /// Sets the receiver of new heads of the ledger.
    pub fn with_anchoring(mut self, anchoring: Anchoring) -> Lake {
        self.ledger.tell(anchoring);
        self
    }

    /// Returns the newest entry of the ledger that was read.
    pub fn head(&self) -> LedgerHead {
        self.ledger.head()
    }

    /// Sets how long to wait for another run that writes.
    pub fn with_patience(self, patience: Patience) -> Lake {
        Lake { patience, ..self }
    }

    async fn load(root: &Path, ocsf: Arc<Ocsf>, limit: Option<u64>) -> Result<Option<Lake>> {
        let store = Arc::new(durable(root)?);
        let names = store.names(&ObjectPath::from(layout::LEDGER)).await;
        let listing = Listing::of(names.context(Kind::Unavailable, || format!("cannot list {}", root.display()))?);
        let Some(ledger) = Ledger::open(store.clone(), &listing, limit).await? else {
            return if has_tables(root)? {
                Err(Error::new(Kind::Integrity, format!("the ledger of {} is gone", root.display()))
                    .hint("restore `_ledger/` from a backup; nothing was written"))
            } else {
                Ok(None)
            };
        };
        store.open_to(ledger.state().lake.access);
        let root = root.canonicalize().context(Kind::Unavailable, || format!("cannot resolve {}", root.display()))?;
        let (key, patience) = Default::default();
        Ok(Some(Lake { root, store, ledger, key, ocsf, patience }))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the store of the lake's files; paths are relative to [`Lake::root`].
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// Returns whether we may write to the lake, judging by its folder.
    pub fn is_writable(&self) -> bool {
        rustix::fs::access(&self.root, rustix::fs::Access::WRITE_OK).is_ok()
    }

    pub fn ocsf(&self) -> &Arc<Ocsf> {
        &self.ocsf
    }

    /// Returns the state after the newest entry that was read.
    pub fn state(&self) -> &Arc<State> {
        self.ledger.state()
    }

    /// Returns the last time of an event that is believed: a year ahead of the newest clock known.
    pub fn latest_time_ms(&self, clock: Clock) -> i64 {
        latest_time_ms(clock.now_ms().max(self.state().time_ms))
    }

    /// Returns one entry of the ledger, with the SHA-256 of its bytes.
    pub async fn entry(&self, sequence: u64) -> Result<(Entry, String)> {
        self.ledger.entry(sequence).await
    }

    /// Calls `tell` with the entries from `first` to `last`, in their order, each with the SHA-256 of its bytes.
    pub async fn entries(&self, first: u64, last: u64, tell: impl FnMut(Entry, String) -> Result<()>) -> Result<()> {
        self.ledger.entries(first, last, tell).await
    }

    /// Returns how far each stream was read.
    pub async fn streams(&mut self) -> Result<Arc<Streams>> {
        self.ledger.streams().await
    }

    /// Removes checkpoints of the ledger that nobody needs. The next run removes any that remain.
    async fn thin_checkpoints(&self) {
        if let Err(error) = self.try_thin_checkpoints().await {
            tracing::warn!(%error, "cannot remove old checkpoints of the ledger");
        }
    }

    async fn try_thin_checkpoints(&self) -> Result<()> {
        let cannot = || "cannot thin the checkpoints";
        let folder = ObjectPath::from(layout::LEDGER);
        let listing = Listing::of(self.store.names(&folder).await.context(Kind::Unavailable, cannot)?);
        let surplus = listing.surplus_checkpoints(self.state().sequence);
        let surplus = surplus.map(|name| folder.clone().join(name)).collect();
        self.store.remove_all(surplus).await.context(Kind::Unavailable, cannot)
    }

    /// Returns the field ids that the Parquet files of a table carry beside the names of columns.
    fn field_ids(&self, table: &str) -> FieldIds {
        match self.ocsf.by_name(table) {
            Some(class) => class.ids.clone(),
            None if table == REJECT_TABLE => reject_ids(),
            None if table == REVISION_TABLE => revision_ids(),
            None => FieldIds::default(),
        }
    }

    /// Returns the class whose events a table holds.
    fn class_of(&self, table: &str) -> Result<Arc<EventClass>> {
        self.ocsf.by_name(table).cloned().ok_or_else(|| {
            Error::usage(format!("the lake has a table `{table}`, but no schema of that name is loaded"))
                .hint("pass the directory with its class file: `--schemas DIR`")
        })
    }
}

/// Returns the schemas of the tables that do not hold events, by name.
pub fn own_tables() -> [(&'static str, SchemaRef); 2] {
    [(REJECT_TABLE, reject_schema()), (REVISION_TABLE, revision_schema())]
}

/// Computes a hash that is the same in every version of this program: XXH64.
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    twox_hash::XxHash64::oneshot(seed, bytes)
}

/// The content of the place where a lake is wanted.
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
        [layout::KEY_FILE, layout::LOCK_FILE, layout::LEDGER, layout::STAGING].iter().any(|ours| name == ours)
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

/// Errors when `root` has nothing that could be a lake.
fn existing(root: &Path) -> Result<()> {
    match probe(root)? {
        Place::Missing | Place::Empty => Err(Error::new(Kind::Unavailable, format!("no lake at {}", root.display()))
            .hint("`auditlake ingest FILE` creates one; `auditlake demo` makes one with sample events; `--lake DIR` names another")),
        Place::Foreign => Err(not_a_lake(root)),
        Place::Begun | Place::Lake => Ok(()),
    }
}

fn not_a_lake(root: &Path) -> Error {
    Error::usage(format!("{} is not a lake, and not empty", root.display()))
        .hint("name an empty or a new directory with `--lake DIR`; nothing was written")
}

/// Returns whether Delta tables exist in a folder: then there was a ledger.
fn has_tables(root: &Path) -> Result<bool> {
    let cannot = || format!("cannot look into {}", root.display());
    for entry in fs::read_dir(root).context(Kind::Unavailable, cannot)? {
        if entry.context(Kind::Unavailable, cannot)?.path().join(layout::DELTA_LOG).is_dir() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses a path that cannot be given to the lake's readers: notebooks name tables as text, on a line.
fn check_path(root: &Path) -> Result<()> {
    let whole =
        std::path::absolute(root).context(Kind::Unavailable, || format!("cannot resolve {}", root.display()))?;
    let why = match whole.to_str() {
        None => "its path is not valid UTF-8",
        Some(text) if text.chars().any(char::is_control) => "its path holds a line break or another control character",
        Some(_) => return Ok(()),
    };
    Err(Error::usage(format!("cannot create a lake at {whole:?}: {why}"))
        .hint("readers of Delta Lake could not open its tables; name another directory with `--lake DIR`"))
}

/// Makes the lake's folder, or closes an existing empty one to accounts that may not read the lake.
fn make_root(root: &Path, access: Access) -> Result<()> {
    let cannot = || format!("cannot create {}", root.display());
    disk::make_dir(root).context(Kind::Unavailable, cannot)?;
    let mode = Permissions::from_mode(access.folder_mode());
    match fs::set_permissions(root, mode) {
        // The folder was made for us by another account: the files that we put into it have modes of their own.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done.context(Kind::Unavailable, cannot),
    }
}

fn durable(root: &Path) -> Result<Durable> {
    Durable::new(root).context(Kind::Unavailable, || format!("cannot open {}", root.display()))
}

/// Returns a store for derived files, in a folder of its own that is the user's alone.
pub fn cache(folder: &Path) -> Result<Arc<dyn ObjectStore>> {
    let cannot = || format!("cannot create {}", folder.display());
    let mode = Access::default().folder_mode();
    let whole = std::path::absolute(folder).context(Kind::Unavailable, cannot)?;
    disk::make_dir_below(Path::new("/"), &whole, Some(mode)).context(Kind::Unavailable, cannot)?;
    Ok(Arc::new(durable(&whole)?))
}

/// Waits for the lake's lock. It keeps writers from encoding in vain; put-if-absent is what keeps the lake right.
async fn lock(root: &Path, patience: &Patience) -> Result<Lock> {
    let (place, patience) = (root.join(layout::LOCK_FILE), patience.clone());
    let locked = tokio::task::spawn_blocking(move || Lock::wait(&place, &patience));
    locked.await.context(Kind::Internal, || format!("cannot lock {}", root.display()))?
}

/// Returns random bytes as hexadecimal digits.
pub fn random_hex<const N: usize>() -> Result<String> {
    random::<N>().map(|bytes| hex(&bytes))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Kind::Unavailable, format!("cannot get random bytes: {error}")))?;
    Ok(bytes)
}
