//! Archives: a closed range of a lake in one tar, with everything needed to check it without the lake.
//!
//! ```text
//! pack     state of the lake -> manifest, schema, sums, signature, all entries of the ledger, data files -> tar
//! check    tar -> tape (members by path) -> manifest, chain, sums, signature, data files
//! ```
//!
//! The bytes of an archive follow from the ledger, the range and the signing key alone, so a check can tell for each of
//! them whether it is right. `lake-format.md` describes the members.

mod check;
mod columns;
mod pack;
mod tape;
mod text;

pub use check::check;
pub use pack::Archived;

/// Members of an archive that do not come from the lake, below its folder.
const MANIFEST: &str = "archive.json";
const TEXT: &str = "README.txt";
const KEY: &str = "public-key.pem";
const SUMS: &str = "SHA256SUMS";
const SIGNATURE: &str = "SHA256SUMS.sig";

/// Returns the member that describes the columns of a table.
fn schema_member(table: &str) -> String {
    format!("schema/{table}.json")
}
