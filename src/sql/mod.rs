//! SQL over one state of the lake.
//!
//! ```text
//! Lake at one ledger entry -> tables (Parquet scans) + ledger tables -> views -> guard -> DataFusion -> Rows
//! ```
//!
//! A session is bound to one ledger entry, so all its statements see one state of all tables. Every statement goes
//! through the guard: it is read only and reaches nothing but the lake.

mod coverage_table;
mod error;
mod functions;
mod guard;
mod labels;
mod ledger_table;
mod registry;
mod session;
mod table;
mod views;

pub use session::{ColumnInfo, Options, Params, Rows, Session, TableInfo};
