//! A `.sql` file becomes evidence: head, parameters, conventions, result.
//!
//! ```text
//! queries/<subject>/<id>.sql --header--> Report --params--> typed values --Session::ordered--> Outcome (checked columns)
//! Outcome + Facts (coverage, reasons) --produce-> a folder: result.csv|json|parquet|xlsx, report.html|md, evidence.json
//! ```
//!
//! A report is a statement like any other: it runs in a session, sees what the shell sees up to its horizon, and is bounded
//! by the same limits.

mod attest;
mod catalog;
mod chart;
mod check;
mod controls;
#[cfg(test)]
mod convention_tests;
mod coverage;
mod diff;
mod display;
mod evidence;
mod facts;
mod findings;
#[cfg(test)]
mod fuzz;
mod geo;
mod hashes;
mod header;
mod input;
mod kinds;
mod manifest;
mod markdown;
mod metrics;
mod month;
mod pack;
mod page;
mod params;
mod period;
mod produce;
mod reads;
mod reason;
mod run;
mod select;
mod summary;
mod suppress;
#[cfg(test)]
mod tests;
mod verdict;
mod verify;
mod workbook;

pub use attest::{
    Attester, Decision, attest, decisions, sealed as sealed_attestations, template as decisions_template,
};
pub use catalog::Catalog;
pub use check::{Checked, check, template};
pub use controls::{Backed, FrameworkStanding, backed, framework_title, frameworks, standings};
pub use coverage::{Coverage, Gap};
pub use diff::{Diff, Entry, change, diff};
pub use evidence::{Asked, Evidence, NO_SEAL, PROGRAM, Sealer, Stamp};
pub use facts::{Facts, Log, Span};
pub use findings::{Finding, Judge, Severity, Verdict};
pub use hashes::hash_file;
pub use header::{Column, ColumnType, Expectation, Parameter, ParameterType, Report, ReportKind};
pub use input::{Input, InputFile, read_all as read_inputs};
pub use manifest::{beside, check as check_manifest, intact, is_run, kept, review as mark_reviewed};
pub use metrics::{Metric, metrics};
pub use pack::{Packed, pack};
pub use page::{counted, kinds, share};
pub use params::{Params, Value};
pub use period::{Period, zone};
pub use produce::{Order, Produced, produce};
pub use reads::NeedRead;
pub use reason::{Reason, ReasonKind, in_words};
pub use run::{Outcome, run};
pub use select::{Selection, wanted as wanted_framework};
pub use summary::{Change, ReportSummary, State, Summary, begin as begin_summary};
pub use suppress::{Suppression, Suppressions};
pub use verdict::{Element, Need, VerdictRule};
pub use verify::{Findings, asked, folder_alone, inputs as inputs_of, is_evidence, run_again};
pub use workbook::workbook;
