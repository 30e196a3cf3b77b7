//! `report.md` and `index.md`: a run in short, for tickets and wikis. Every value is text: no link, no markup of its own.

use std::fmt::Write as _;

use super::super::catalog::header::Report;
use super::super::evidence::record::Evidence;
use super::super::runs::summary::Summary;
use super::super::words::{counted, instant, share};
use super::page::{by_urgency, changed, control_said, headline, percent, period, said, title, verdict};
use crate::render::markdown_text;

/// Returns the document; `table` holds the first rows, rendered.
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

/// Returns the index of a run: each control, then each report.
pub fn index(summary: &Summary) -> String {
    let (_, word, detail) = headline(summary);
    let mut out = format!(
        "# {}\n\n{}\n\n**{}** ({})\n\n* ledger entry: {}, sha256 {}\n* run: {} UTC by {}, {}\n",
        text(&title(summary)),
        text(&period(summary)),
        text(&word),
        text(&detail),
        summary.ledger_sequence,
        summary.ledger_sha256,
        instant(summary.time_ms),
        text(&summary.user),
        text(&summary.program)
    );
    for framework in &summary.frameworks {
        let _ = write!(
            out,
            "\n## {}\n\n| control | title | standing | change | coverage | reports |\n",
            text(&framework.title)
        );
        out.push_str("|---|---|---|---|---|---|\n");
        for control in &framework.controls {
            let cells = [
                control.id.clone(),
                control.title.clone(),
                control_said(control),
                changed(control.change.as_ref()),
                control.coverage.map_or(String::new(), percent),
                control.reports.join(", "),
            ];
            row(&cells, &mut out);
        }
    }
    out.push_str("\n## Reports\n\n| report | verdict | change | rows | coverage |\n|---|---|---|---|---|\n");
    for report in by_urgency(summary) {
        let coverage = report.coverage.map_or(String::new(), percent);
        let rows = report.rows.to_string();
        row(&[report.folder(), said(report), changed(report.change.as_ref()), rows, coverage], &mut out);
    }
    out
}

fn row(cells: &[String], out: &mut String) {
    for cell in cells {
        let _ = write!(out, "| {} ", text(cell));
    }
    out.push_str("|\n");
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
