//! Keeping a lake: checking all of it, and mending what follows from the ledger.
//!
//! ```text
//! verify   chain     the entries, one by one, and the checkpoints that they name         level 0
//!          data      files: there, and no others; size and footer; SHA-256; rows         0, 1, 2, 3
//!          versions  every version of every Delta table, and what its readers see        1
//! repair   what verify finds and the ledger has all it takes for
//! ```
//!
//! Nothing here believes what opening a lake believes: entries are read as files, and a fault does not keep the rest from
//! being looked at.

mod anchor;
mod chain;
mod data;
mod faults;
mod repair;
mod verify;
mod versions;

pub use anchor::{Anchor, Head};
pub use faults::Fault;
pub use repair::{Repair, Repaired, repair};
pub use verify::{Level, Progress, Verified, Verify, verify};
