//! The content of a ledger entry: its writer, the range of a source that it ingested, the counts, and every file it added.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::super::files::file::{FileEntry, RowDigest};
use super::super::files::layout::{Access, Partition, checkpoint_part};
use super::change::Change;
use super::format::Format;
use super::poll::Poll;
use crate::error::{Error, Kind, Result};
use crate::signing::Signature;
use crate::typed::Hash32;

/// One entry of the ledger, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub sequence: u64,
    /// SHA-256 of the bytes of the entry before; `None` in entry 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The time when the entry was written, milliseconds since the epoch: by the writer's clock, but never before the
    /// previous entry, so that times rise along the ledger whatever clocks did.
    pub time_ms: i64,
    /// The lag of the writer's clock behind the time of the entry before; `None` when it was not behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<i64>,
    /// Program and version that wrote it.
    pub writer: String,
    /// The identity of the writer: 32 hex digits, drawn at random when the writer began.
    pub writer_id: String,
    /// The format, in entry 0 and in an entry that raises it.
    #[serde(flatten)]
    pub format: Option<Format>,
    /// The newest checkpoint that the writer knew. No checkpoint is used that no entry names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointRef>,
    #[serde(flatten)]
    pub body: Body,
    /// The signature over all bytes before it, by the operator's key; it is written where the entry becomes bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A checkpoint of the ledger, identified by the hash of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// The entry after which it holds the state.
    pub sequence: u64,
    pub sha256: Hash32,
}

/// Returns the path of a checkpoint: the state after an entry.
pub fn checkpoint_path(checkpoint: &CheckpointRef) -> Path {
    checkpoint_part(checkpoint.sequence, &checkpoint.sha256, "json")
}

/// The kinds of [`Body`], as entries spell them.
pub(in crate::lake) const KINDS: [&str; 7] = ["create", "ingest", "compact", "drop", "retain", "hold", "erase"];

/// The effect of the entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// Entry 0: the lake begins.
    Create(LakeInfo),
    /// Rows and rejects of ranges of sources.
    Ingest(Ingest),
    /// Files are merged; the rows are the same.
    Compact(Compact),
    /// Files that were replaced are removed from the disk.
    Drop(Change),
    /// Rows are removed for their age.
    Retain(Retain),
    /// Rows are kept whatever their age, or no longer kept.
    Hold(HoldStep),
    /// A person's identifiers are replaced by pseudonyms.
    Erase(Erase),
}

impl Body {
    /// Returns the files that the entry adds.
    pub fn files(&self) -> &[FileEntry] {
        match self {
            Body::Ingest(ingest) => &ingest.files,
            other => other.change().map_or(&[], |change| &change.files),
        }
    }

    /// Returns the effect of the entry on existing files.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Body::Create(_) | Body::Ingest(_) | Body::Hold(_) => None,
            Body::Compact(compact) => Some(&compact.change),
            Body::Drop(change) => Some(change),
            Body::Retain(retain) => Some(&retain.change),
            Body::Erase(erase) => Some(&erase.change),
        }
    }
}

/// Files that are merged into others. The entry is refused where the two do not hold the same rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Compact {
    #[serde(flatten)]
    pub change: Change,
    /// The number of rows, the same before and after.
    pub rows: u64,
    pub digest: RowDigest,
}

/// Rows that are removed for their age.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Retain {
    #[serde(flatten)]
    pub change: Change,
    /// By table, microseconds since 1970: nothing before this time is kept, or ingested again.
    pub before_us: BTreeMap<String, i64>,
    /// The policy in its written form: how long each table is kept.
    pub policy: BTreeMap<String, String>,
    /// Removed rows by table.
    pub removed: BTreeMap<String, Removed>,
    /// The holds that were in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
}

/// A person's identifiers that are replaced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Erase {
    #[serde(flatten)]
    pub change: Change,
    pub reason: String,
    /// The replacements of the identifiers.
    pub pseudonyms: Vec<String>,
    /// Changed rows by table.
    pub erased: BTreeMap<String, Erased>,
}

/// Rows that named the person, with their digests before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    pub rows: u64,
    pub before: RowDigest,
    pub after: RowDigest,
}

impl Body {
    /// Returns the difference between the files before and those after: how many rows go, their digest, and the digest
    /// of rows that replace them.
    pub(in crate::lake) fn difference(&self) -> (u64, RowDigest, RowDigest) {
        let none = RowDigest::default();
        match self {
            Body::Retain(retain) => {
                let removed = retain.removed.values();
                (removed.clone().map(|removed| removed.rows).sum(), removed.map(|removed| removed.digest).sum(), none)
            }
            Body::Erase(erase) => {
                let erased = erase.erased.values();
                (0, erased.clone().map(|erased| erased.before).sum(), erased.map(|erased| erased.after).sum())
            }
            _ => (0, none, none),
        }
    }
}

/// Rows that are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    pub rows: u64,
    pub digest: RowDigest,
    /// Rows that are old enough, but that a hold keeps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A hold begins or ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldStep {
    Add(Hold),
    Release { name: String, reason: String, owner: String },
}

/// Rows that must be kept. A row is held when it meets all given conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub name: String,
    pub reason: String,
    pub owner: String,
    /// Table names; an empty list means all tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_us: Option<i64>,
    /// The end, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_us: Option<i64>,
    /// The uid, email address or name of the actor's user, or the uid of the actor's application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// A text that occurs in some column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When the hold was added.
    pub since_ms: i64,
}

/// The properties that are fixed when a lake is created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LakeInfo {
    /// Random, 32 hex digits; the application id of the Delta transactions is made from it.
    pub lake_id: String,
    pub partition: Partition,
    pub ocsf_version: String,
    /// A text that identifies the lake's key: 32 hex digits of an HMAC that is made with it.
    pub key_check: String,
    #[serde(default, skip_serializing_if = "Access::is_owner")]
    pub access: Access,
}

/// One committed batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ingest {
    /// Small files share a batch.
    pub sources: Vec<SourceRange>,
    pub counts: Counts,
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
    /// Version of the redaction rules that were applied; empty when redaction was off.
    #[serde(default)]
    pub redaction_version: String,
    /// Secrets replaced, by rule.
    #[serde(default)]
    pub redacted: BTreeMap<String, u64>,
    /// Values that did not fit their column and other departures from the schema, by kind.
    #[serde(default)]
    pub drift: BTreeMap<String, u64>,
    pub files: Vec<FileEntry>,
    /// Lines that earlier entries rejected and this one ingested; they are no longer open. Then the counts are of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<Retried>,
}

/// Lines of one source that entry `batch` rejected, and that a later one ingested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    pub batch: u64,
    pub source: String,
    /// First and last number of each run of lines.
    pub lines: Vec<(u64, u64)>,
}

impl Retried {
    pub fn count(&self) -> u64 {
        self.lines.iter().map(|(first, last)| last - first + 1).sum()
    }
}

/// The place of a batch's lines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceRange {
    /// `file`, `pipe`, `stdin` or `api`; `retry`: a file of which only rejected lines were read again.
    pub kind: String,
    pub name: String,
    /// The place where a file can be found again, as a `file:` URL; `None` for other sources, or when its path holds a
    /// secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The beginning of the stream, which identifies a file under any name; `None` for a source that cannot be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    pub from: Mark,
    pub to: Mark,
    /// The mark one chunk before `to`: from here a stream is read again whose last line was incomplete.
    #[serde(default)]
    pub before: Mark,
    /// `open`: more may follow; `complete`: read to its end; else why it ended early.
    pub state: String,
    /// The request to an API source, and its result; `None` for other sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
}

/// The first bytes of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    pub bytes: u64,
    pub sha256: String,
}

/// A position in a (decompressed) stream, with a summary of what comes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    pub offset: u64,
    /// Lines before the position, blank ones included.
    pub line: u64,
    /// BLAKE3 of the stream's bytes before the position; zeros at the beginning. All of the input goes through it:
    /// SHA-256 took a twelfth of the time of an ingest.
    #[serde(default)]
    pub blake3: Hash32,
}

/// Lines, counted independently: `read` where they are split, the others where their fate is decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub read: u64,
    pub accepted: u64,
    /// Events that already existed with the same content.
    pub duplicate: u64,
    /// Events that already existed with other content: rows of the table `revision`.
    pub revised: u64,
    pub rejected: u64,
    pub blank: u64,
    /// Events of a time that retention has removed, which are not ingested again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside: u64,
}

/// Lines that are included in the counts, with more details.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The duplicates whose line was not the same byte for byte: a transport stamped it anew, or wrote it in another way.
    pub redelivered: u64,
    /// The accepted events whose uid another event had that the look-up met; at other times there may be more.
    pub shared_uids: u64,
    /// The accepted events that have no uid and are identified by their source and place alone.
    pub without_uid: u64,
    /// The lines among them that existed before byte for byte.
    pub exact_doubles: u64,
}

impl Notes {
    pub fn is_empty(&self) -> bool {
        *self == Notes::default()
    }

    pub fn add(&mut self, other: &Notes) {
        self.redelivered += other.redelivered;
        self.shared_uids += other.shared_uids;
        self.without_uid += other.without_uid;
        self.exact_doubles += other.exact_doubles;
    }
}

impl Counts {
    /// Checks the identity that every batch must keep: nothing is lost, nothing appears.
    pub fn check(&self) -> Result<()> {
        if self.read == self.accepted + self.duplicate + self.revised + self.rejected + self.blank + self.outside {
            return Ok(());
        }
        Err(Error::new(
            Kind::Internal,
            format!(
                "cannot account for every line: {} read, but {} accepted, {} duplicate, {} revised, {} rejected, {} blank, {} outside retention",
                self.read, self.accepted, self.duplicate, self.revised, self.rejected, self.blank, self.outside
            ),
        ))
    }

    pub fn add(&mut self, other: &Counts) {
        self.read += other.read;
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.revised += other.revised;
        self.rejected += other.rejected;
        self.blank += other.blank;
        self.outside += other.outside;
    }
}
