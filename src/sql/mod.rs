//! SQL over one state of the lake.
//!
//! ```text
//! Lake at one ledger entry -> tables (Parquet scans) + ledger tables -> views -> guard -> DataFusion -> Rows
//!                             prune, groups, footers: what need not be read          rules: what it does not think of
//! ```
//!
//! A session is bound to one ledger entry, so all its statements see one state of all tables. Every statement goes
//! through the guard: it is read only and reaches nothing but the lake.

mod bind;
mod conventions;
mod coverage_table;
mod dialect;
mod documentation;
mod engine;
mod error;
mod floor;
mod footers;
mod functions;
mod groups;
mod guard;
mod labels;
mod ledger_table;
mod narrow;
mod options;
mod prune;
mod reading;
mod registry;
mod rows;
mod rules;
mod scope;
mod session;
mod spill;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod upstream;
mod views;

pub use bind::{Params, parse_param};
pub use conventions::Conventions;
pub use documentation::FunctionInfo;
pub use options::{AsOf, Options};
pub use reading::{Gauge, Reading};
pub use rows::Rows;
pub use session::{ColumnInfo, Session, TableInfo, check_names};
