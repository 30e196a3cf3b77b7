//! The conventions of the report catalogue: views that reports, the shell and own reports share.
//!
//! ```text
//! queries/conventions/*.sql -> load -> Conventions
//! a statement -> names, steps: which views, tables and lookups it needs, each under the name of what is in it
//!             -> make: what of that the session does not have yet
//! ```
//!
//! A view sees the events before the horizon of the statement, and its parameters are the statement's. Where both are
//! the same the view is the same, and so are its rows: they are kept for all statements of the session.

mod frame;
mod kept;
mod load;
mod make;
mod names;
mod shelf;
mod steps;

pub use frame::Horizon;
pub use load::{Conventions, InputColumn, InputType};
pub use make::{Maker, Purpose};
pub use shelf::{Shelf, declared};
pub use steps::{MADE, Settling, Sources, Steps, Used};
