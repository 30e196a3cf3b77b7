//! Turns the SQL that people type into the SQL that the engine plans.
//!
//! ```text
//! text -> tokens -> statement -> measured -> nothing unread -> rewritten -> the engine's planner
//!         grammar   parse        measure     unread            rewrite      relations (while it plans)
//! ```
//!
//! Nothing here knows a table: work that needs columns is done while the engine plans (`relations`) or afterwards
//! (`upstream`).

mod grammar;
mod labels;
mod measure;
mod parse;
mod relations;
mod rewrite;
mod summary;
mod tokens;
mod unread;

pub use grammar::AuditDialect;
pub use labels::unmarked;
pub use measure::check as measured;
pub use parse::{Place, expression, parse, place, view};
pub use relations::Relations;
pub use rewrite::{REWRITTEN, lateral, rewrite, rewrite_view};
pub use unread::{Role, check};
