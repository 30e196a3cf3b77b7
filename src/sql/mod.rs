//! SQL over one state of the lake.
//!
//! ```text
//! Lake at one ledger entry -> tables (Parquet scans) + ledger tables -> conventions -> guard -> DataFusion -> Rows
//!                             prune, groups, footers: what need not be read                  rules: what it does not think of
//! ```
//!
//! A session is bound to one ledger entry, so all its statements see one state of all tables. Every statement goes
//! through the guard: it is read only and reaches nothing but the lake.

mod activity;
mod bind;
mod bound;
mod conventions;
mod coverage_table;
mod deferred;
mod dialect;
mod documentation;
mod engine;
mod error;
mod event;
mod facts;
mod first;
mod floor;
mod footers;
mod functions;
#[cfg(test)]
mod fuzz;
mod groups;
mod guard;
mod kept;
mod labels;
mod late;
mod ledger_table;
mod options;
mod plan_text;
mod plan_tree;
mod prune;
mod purpose;
mod reading;
mod registry;
mod rows;
mod rules;
#[cfg(test)]
mod sample;
mod scope;
mod session;
mod spill;
mod table;
#[cfg(test)]
mod tests;
mod type_name;
mod upstream;

pub use bind::{Params, duration, list, map, parse_param, placeholders};
pub use conventions::{Conventions, Horizon, InputColumn, InputType, Used};
pub use deferred::Deferred;
pub use documentation::FunctionInfo;
pub use facts::WrongFacts;
pub use functions::numbered;
pub use options::{AsOf, Options};
pub use plan_tree::{PlanNode, Scan};
pub use purpose::of_column as column_purpose;
pub use reading::{Gauge, Reading};
pub use rows::Rows;
#[cfg(test)]
pub use sample::Sample;
pub use session::{ColumnInfo, Session, TableInfo, check_names};
pub use type_name::type_name;
