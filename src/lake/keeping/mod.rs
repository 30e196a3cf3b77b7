//! Keeping a lake: checking all of it, and repairing what follows from the ledger.
//!
//! ```text
//! verify   chain     the entries, one by one, and the checkpoints that they name         level 0
//!          data      files: there, and no others; size and footer; SHA-256; rows         0, 1, 2, 3
//!          recorded  heads that were recorded elsewhere                                 0
//!          versions  every version of every Delta table, and what its readers see        1
//! repair   what verify finds and the ledger has all it takes for
//! compact  small files into larger ones; replaced files off the disk when their time of grace is over
//! retain   rows that are old enough, except those that a hold keeps
//! erase    a person's identifiers become pseudonyms
//! backup   a copy of all of it
//! archive  a closed range in one tar, that is checked as it is
//! ```
//!
//! Nothing here relies on what opening a lake relies on: entries are read as files, and a fault does not keep the rest
//! from being checked.

mod anchor;
mod archive;
mod backup;
mod chain;
mod compact;
mod data;
mod erase;
mod faults;
mod hold;
mod keeper;
mod level;
mod manifest;
mod merge;
mod range;
mod receipt;
mod recorded;
mod repair;
mod retain;
mod verify;
mod versions;

pub use anchor::{Anchor, Head};
pub use archive::{Archived, check as verify_archive};
pub use backup::BackedUp;
pub use compact::{CompactOptions, Compacted, foresee, plan};
pub use erase::ErasedRows;
pub use faults::Fault;
pub use keeper::Keeper;
pub use level::{Level, Progress};
pub use manifest::Manifest as ArchiveManifest;
pub use range::ArchiveRange;
pub use receipt::Receipt;
pub use recorded::{Anchors, Recorded, RecordedEntry};
pub use repair::{Repair, Repaired, repair};
pub use retain::{RetainPolicy, Retained, RetainedTable};
pub use verify::{Verified, Verify, verify};
