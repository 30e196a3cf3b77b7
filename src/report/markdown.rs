//! `report.md`: the run in short, for tickets and wikis. Every value is text: no link, no markup of its own.

use std::fmt::Write as _;

use super::evidence::Evidence;
use super::header::Report;
use super::page::{counted, instant, share, verdict};
use crate::render::markdown_text;

/// The document; `table` are the first rows, rendered.
pub fn document(report: &Report, evidence: &Evidence, table: &str, max_rows: u64) -> String {
    let (_, word, detail) = verdict(evidence);
    let coverage = &evidence.facts.coverage;
    let mut out = format!("# {}\n\n{}\n\n**{}**", text(&report.title), text(&report.question), text(&word));
    if !detail.is_empty() {
        let _ = write!(out, " ({})", text(&detail));
    }
    let _ = write!(
        out,
        "\n\n* report: {}\n* period: {} to {} UTC, end excluded\n* ledger entry: {}, sha256 {}\n* run: {} UTC by {}, {}\n",
        text(&report.id),
        instant(coverage.from_ms),
        instant(coverage.to_ms),
        evidence.ledger.sequence,
        evidence.ledger.sha256,
        instant(evidence.run.time_ms),
        text(&evidence.run.user),
        text(&evidence.run.program)
    );
    for parameter in &evidence.parameters {
        let _ = writeln!(out, "* {} = {}", text(&parameter.name), text(&parameter.value));
    }
    let facts = &evidence.facts;
    if !facts.reasons.is_empty() {
        let _ = writeln!(out, "* could not be seen: {}", text(&share(facts.unseen)));
    }
    for reason in &facts.reasons {
        let _ = writeln!(out, "  * {}: {}", reason.reason.name(), text(&reason.text));
    }
    for (framework, ids) in &report.controls {
        let _ = writeln!(out, "* {}: {}", text(framework), text(&ids.join(", ")));
    }
    if evidence.tally.rows == 0 {
        out.push_str("\nNo rows.\n");
        limits(report, &mut out);
        return out;
    }
    let _ = write!(out, "\n{table}");
    if evidence.tally.rows > max_rows {
        let _ =
            write!(out, "\nThe first {max_rows} of {}; `result.csv` has all.\n", counted(evidence.tally.rows, "row"));
    }
    limits(report, &mut out);
    out
}

fn limits(report: &Report, out: &mut String) {
    if report.limits.is_empty() {
        return;
    }
    out.push_str("\n## How to read this, and its limits\n");
    for paragraph in report.paragraphs() {
        let _ = write!(out, "\n{}\n", text(&paragraph));
    }
}

fn text(given: &str) -> String {
    let mut out = String::new();
    markdown_text(given, &mut out);
    out
}
