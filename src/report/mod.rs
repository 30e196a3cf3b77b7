//! A `.sql` file becomes evidence: head, parameters, conventions, result.
//!
//! ```text
//! queries/<subject>/<id>.sql --header--> Report --params--> typed values --Session::ordered--> Outcome (checked columns)
//! Outcome + Facts (coverage, reasons) --produce-> a folder: result.csv|json|parquet|xlsx, report.html|md, evidence.json
//! ```
//!
//! A report is a statement like any other: it runs in a session, sees what the shell sees up to its horizon, and is bounded
//! by the same limits.
//!
//! Its rooms, from above to below:
//!
//! ```text
//! folder      folders of evidence: produced, verified, attested, packed
//! output      pages and charts, Markdown, workbooks
//! runs        several runs side by side: summaries, controls, differences
//! evidence    one run: its rows, what they stand on, and what the log could not say
//! catalog     heads, parameters and periods
//! ```

mod catalog;
mod check;
#[cfg(test)]
mod convention_tests;
mod evidence;
mod folder;
#[cfg(test)]
mod fuzz;
mod html;
mod output;
mod runs;
#[cfg(test)]
mod tests;
mod words;

pub use catalog::all::Catalog;
pub use catalog::header::{Column, ColumnType, Expectation, Parameter, ParameterType, Report, ReportKind};
pub use catalog::params::{Params, Value};
pub use catalog::period::{Period, zone};
pub use catalog::verdict::{Element, Need, VerdictRule};
pub use check::{Checked, check, template};
pub use evidence::coverage::{Coverage, Gap};
pub use evidence::facts::{Facts, Log, Span};
pub use evidence::findings::{Finding, Judge, Severity, Verdict};
pub use evidence::hashes::hash_file;
pub use evidence::input::{Input, InputFile, read_all as read_inputs};
pub use evidence::reads::NeedRead;
pub use evidence::reason::{Reason, ReasonKind, in_words};
pub use evidence::record::{Asked, Evidence, NO_SEAL, PROGRAM, Sealer, Stamp};
pub use evidence::run::{Outcome, run};
pub use evidence::suppress::{Suppression, Suppressions};
pub use folder::attest::{Attester, attest, decisions, sealed as sealed_attestations, template as decisions_template};
pub use folder::manifest::{beside, check as check_manifest, intact, is_run, kept, review as mark_reviewed};
pub use folder::pack::{Packed, pack};
pub use folder::produce::{Order, Produced, produce};
pub use folder::verify::{Findings, asked, folder_alone, inputs as inputs_of, is_evidence, run_again};
pub use output::page::kinds;
pub use output::workbook::workbook;
pub use runs::attestation::Decision;
pub use runs::controls::{Backed, FrameworkStanding, backed, framework_title, frameworks, standings};
pub use runs::diff::{Diff, Entry, change, diff};
pub use runs::metrics::{Metric, metrics};
pub use runs::select::{Selection, wanted as wanted_framework};
pub use runs::summary::{Change, ReportSummary, State, Summary, begin as begin_summary};
pub use words::{counted, share};
