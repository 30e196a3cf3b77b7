//! SQL over one state of the lake.
//!
//! ```text
//! Lake at one ledger entry -> tables (Parquet scans) + ledger tables -> conventions -> guard -> DataFusion -> Rows
//!                             prune, groups, footers: what need not be read                  rules: what it does not think of
//! ```
//!
//! A session is bound to one ledger entry, so all its statements see one state of all tables. Every statement goes
//! through the guard: it is read only and reaches nothing but the lake.
//!
//! ```text
//! session, bound                 a statement becomes a plan, and the plan rows (rows, reading)
//! conventions, event, facts      views, the events of all classes among them, and what is kept of them
//! tables                         what a statement can name beside them
//! engine                         DataFusion: set up, guarded, pruned, mended
//! error, functions, dialect      its errors in our words, functions, and the SQL that people write
//! ```

mod bind;
mod bound;
mod conventions;
mod dialect;
mod documentation;
mod engine;
mod error;
mod event;
mod facts;
mod functions;
#[cfg(test)]
mod fuzz;
mod labels;
mod options;
mod patience;
mod plan_text;
mod plan_tree;
mod reading;
mod rows;
#[cfg(test)]
mod sample;
mod session;
mod tables;
#[cfg(test)]
mod tests;
mod type_name;

pub use bind::{Params, duration, list, map, parse_param, placeholders};
pub use conventions::{Conventions, Horizon, InputColumn, InputType, Used};
pub use documentation::FunctionInfo;
pub use facts::WrongFacts;
pub use functions::numbered;
pub use options::{AsOf, Options};
pub use plan_tree::{PlanNode, Scan};
pub use reading::{Gauge, Reading};
pub use rows::Rows;
#[cfg(test)]
pub use sample::Sample;
pub use session::{ColumnInfo, Session, TableInfo, check_names};
pub use tables::deferred::Deferred;
pub use tables::purpose::of_column as column_purpose;
pub use type_name::type_name;
