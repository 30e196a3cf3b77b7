//! A `.sql` file becomes evidence: head, parameters, conventions, result.
//!
//! ```text
//! queries/<subject>/<id>.sql --header--> Report --params--> typed literals --run--> Outcome (checked columns)
//! queries/conventions/*.sql  --views---> the catalogue's shared definitions, relative to the run's horizon
//! Outcome + Facts (coverage) --produce-> a folder: result.csv|json|parquet|xlsx, report.html|md, evidence.json
//! ```
//!
//! A report sees events only through the convention views, and those only `visible_<class>`: the class's table up to
//! the horizon. Every run has tables and views of its own, so runs do not disturb each other or the session.

mod catalog;
mod chart;
mod check;
#[cfg(test)]
mod convention_tests;
mod conventions;
mod diff;
mod display;
mod evidence;
mod facts;
mod findings;
mod hashes;
mod header;
mod literal;
mod manifest;
mod markdown;
mod month;
mod names;
mod page;
mod params;
mod period;
mod produce;
mod run;
mod select;
mod smallest;
mod summary;
mod suppress;
#[cfg(test)]
mod tests;
mod verify;
mod views;

pub use catalog::Catalog;
pub use check::{Checked, check, template};
pub use conventions::Conventions;
pub use diff::{Diff, Entry, diff};
pub use evidence::{Asked, Evidence, PROGRAM, Stamp};
pub use facts::{Coverage, Facts, Span};
pub use findings::{Finding, Judge, Severity, Verdict};
pub use hashes::hash_file;
pub use header::{Column, ColumnType, Expectation, Parameter, ParameterType, Report, ReportKind};
pub use manifest::{check as check_manifest, is_run, kept, write as write_manifest};
pub use page::{counted, index};
pub use params::{Params, Value};
pub use period::{Period, zone};
pub use produce::{Order, Produced, produce, workbook};
pub use run::{Outcome, run};
pub use select::Selection;
pub use summary::{Metric, ReportSummary, State, Summary, begin as begin_summary, metrics};
pub use suppress::{Suppression, Suppressions};
pub use verify::{Findings, folder_alone, is_evidence, run_again};
