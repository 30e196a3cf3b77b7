//! A batch on its way into the lake.
//!
//! ```text
//! writer -> sift (dedupe: indexed, looked; judge, versions) -> arrange -> parquet -> stage -> ledger -> tables
//! ```
//!
//! `stage` is the way of every entry that adds or replaces files; `keeping` uses it too. `retry` gives rejected lines
//! another chance.

mod account;
mod arrange;
mod dedupe;
pub(super) mod indexed;
mod judge;
mod looked;
pub(super) mod retry;
mod sift;
mod sifted;
pub(super) mod stage;
mod versions;
pub(super) mod writer;
