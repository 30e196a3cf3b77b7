//! Named points at which a test stops the program as a kill would: before and after every step of the commit protocol,
//! and of every file and folder that is written.
//!
//! ```text
//! AUDITLAKE_FAIL_POINT=commit.staged:3        ends the process, status 137, when the point is reached the 3rd time
//! AUDITLAKE_FAIL_POINT=commit.staged:1:wait   stays there forever, for tests of what happens meanwhile
//! AUDITLAKE_FAIL_POINT=log:FILE               writes each point that is reached to FILE, one per line
//! AUDITLAKE_FAIL_POINT=unlocked:SEED          locks lock nothing, and at each point the process waits for up to 10 ms
//! ```
//!
//! They are in builds with debug assertions, which tests get without any other feature. In a release `reached` and
//! `arm` are empty, so neither the points nor the variable are in it. The armed point is the one global state of the
//! program: the protocol's functions are not passed something that only tests need. `cli` reads the variable.

#[cfg(debug_assertions)]
mod armed;
#[cfg(not(debug_assertions))]
mod disarmed;

#[cfg(debug_assertions)]
pub use armed::{arm, is_unlocked, reached};
#[cfg(not(debug_assertions))]
pub use disarmed::{arm, is_unlocked, reached};

/// Every point. `tests/it/points.rs` kills a run at each, and fails when one is not reached.
#[cfg(debug_assertions)]
pub const POINTS: [&str; 68] = [
    // A new lake.
    "create.directory",
    "create.locked",
    "create.key",
    "create.entry",
    "create.tables",
    // A batch, from its lock to its answer.
    "commit.locked",
    "commit.refreshed",
    "commit.recovered",
    "commit.sifted",
    "commit.encoded",
    "commit.staged",
    "commit.recorded",
    "commit.placed",
    "commit.applied",
    "commit.swept",
    "commit.done",
    // One entry of the ledger, and its checkpoint.
    "ledger.append",
    "ledger.appended",
    "ledger.checkpoint",
    "ledger.checkpoint-parts",
    "ledger.checkpoint-written",
    // One entry into one Delta table.
    "table.apply",
    "table.create",
    "table.created",
    "table.commit",
    "table.committed",
    // Finishing what another run began.
    "recover.begin",
    "recover.compared",
    "recover.entry",
    "recover.finished",
    "recover.swept",
    "recover.synced",
    // The calls that change the disk.
    "stage.begin",
    "stage.opened",
    "stage.written",
    "stage.synced",
    "stage.named",
    "move.begin",
    "move.moved",
    "move.synced",
    "write.begin",
    "write.opened",
    "write.written",
    "write.synced",
    "write.named",
    "write.cleaned",
    "write.done",
    "directory.begin",
    "directory.made",
    "directory.synced",
    "delete.begin",
    "delete.removed",
    "delete.synced",
    // A folder of evidence.
    "folder.begin",
    "folder.made",
    "folder.written",
    "folder.synced",
    "folder.named",
    "folder.cleaned",
    // Fingerprints of new files, merged ones, and those of files that go.
    "prints.added",
    "prints.merged",
    "prints.forgotten",
    // An entry that changes files.
    "keep.merged",
    "keep.locked",
    "keep.aside",
    "keep.dropped",
    "keep.done",
    // Rejects ingested again.
    "retry.read",
];

/// A release has none.
#[cfg(not(debug_assertions))]
pub const POINTS: [&str; 0] = [];
