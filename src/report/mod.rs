//! A `.sql` file becomes evidence: head, parameters, conventions, result.
//!
//! ```text
//! queries/<subject>/<id>.sql --header--> Report --params--> typed literals --run--> Outcome (checked columns)
//! queries/conventions/*.sql  --views---> the catalogue's shared definitions, relative to the run's horizon
//! ```
//!
//! A report sees events only through the convention views, and those only `visible_<class>`: the class's table up to
//! the horizon. Every run has tables and views of its own, so runs do not disturb each other or the session.

mod catalog;
#[cfg(test)]
mod convention_tests;
mod conventions;
mod display;
mod header;
mod literal;
mod month;
mod names;
mod params;
mod run;
#[cfg(test)]
mod tests;
mod views;

pub use catalog::Catalog;
pub use conventions::Conventions;
pub use header::{Column, ColumnType, Expectation, Parameter, ParameterType, Report, ReportKind};
pub use params::{Params, Period, Value};
pub use run::{Outcome, run};
