//! Keeping a lake: checking all of it, and mending what follows from the ledger.
//!
//! ```text
//! verify   chain     the entries, one by one, and the checkpoints that they name         level 0
//!          data      files: there, and no others; size and footer; SHA-256; rows         0, 1, 2, 3
//!          versions  every version of every Delta table, and what its readers see        1
//! repair   what verify finds and the ledger has all it takes for
//! compact  small files into larger ones; replaced files off the disk when their time of grace is over
//! ```
//! retain   rows that are old enough, but for those that a hold keeps
//! erase    a person's identifiers become pseudonyms
//! backup   a copy of all of it
//!
//! Nothing here believes what opening a lake believes: entries are read as files, and a fault does not keep the rest from
//! being looked at.

mod anchor;
mod backup;
mod chain;
mod compact;
mod data;
mod erase;
mod faults;
mod hold;
mod keeper;
mod level;
mod merge;
mod receipt;
mod repair;
mod retain;
mod verify;
mod versions;

pub use anchor::{Anchor, Head};
pub use backup::BackedUp;
pub use compact::{CompactOptions, Compacted, foresee, plan};
pub use erase::ErasedRows;
pub use faults::Fault;
pub use keeper::Keeper;
pub use level::{Level, Progress};
pub use receipt::Receipt;
pub use repair::{Repair, Repaired, repair};
pub use retain::{RetainPolicy, Retained, RetainedTable};
pub use verify::{Verified, Verify, verify};
