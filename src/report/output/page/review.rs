//! `review-1.html`: the rows of a report with somebody's decision on each, and the reviewer.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::Value;

use super::{counted, escaped, fact, foot, frame, heading, instant, whole_seconds};
use crate::report::catalog::header::{ColumnType, Report};
use crate::report::evidence::record::Evidence;
use crate::report::runs::attestation::{Attestation, Choice, Decision, text_of};
use crate::report::runs::diff::Entry;

/// The number of the report's columns beside the decision, where its head names no answers.
const MAX_COLUMNS: usize = 5;

pub fn document(report: &Report, evidence: &Evidence, attestation: &Attestation, rows: &[Entry]) -> String {
    let mut body = String::new();
    let revoked = attestation.decisions.iter().filter(|one| one.decision == Choice::Revoke).count() as u64;
    let (word, detail) = match attestation.decisions.len() as u64 {
        0 => ("Reviewed".to_string(), "The page was reviewed as it is; no row was decided on its own.".to_string()),
        all => (format!("{} decided", counted(all, "row")), attestation.review().in_words()),
    };
    let class = if revoked > 0 { "open" } else { "evidence" };
    let _ = write!(
        body,
        "<header><p class=\"kicker\">review \u{b7} {}</p><h1>{}</h1><p class=\"question\">{}</p>\
         <div class=\"verdict {class}\"><strong>{}</strong><span>{}</span></div></header><dl class=\"facts\">",
        escaped(&report.id),
        escaped(&report.title),
        escaped(&report.question),
        escaped(&word),
        escaped(&detail)
    );
    let at = |time_ms: i64| format!("{} UTC", instant(whole_seconds(time_ms)));
    fact("Prepared by", &attestation.prepared_by, &at(evidence.run.time_ms), &mut body);
    fact("Reviewed by", &attestation.reviewed_by, &at(attestation.time_ms), &mut body);
    fact("Attested under the login", &attestation.attested_by, &attestation.program, &mut body);
    let period = evidence.period.text.as_deref().unwrap_or("as given");
    fact("Period", period, &format!("ledger entry {}", evidence.ledger.sequence), &mut body);
    fact("Evidence", &format!("sha256 {}", attestation.evidence_sha256), "of evidence.json", &mut body);
    body.push_str("</dl>");
    if !attestation.decisions.is_empty() {
        decided(report, attestation, rows, &mut body);
    }
    let _ = write!(
        body,
        "<footer>The rows are those of <a href=\"report.html\">the report</a>. The decisions are in <code>{}</code>, which \
         <code>auditlake report verify</code> checks.</footer>",
        escaped(&Attestation::file(attestation.number))
    );
    let paper = format!("review of {} \u{b7} evidence sha256 {}", report.id, attestation.evidence_sha256);
    frame(&format!("Review: {}", report.title), &foot(&paper), &body)
}

fn decided(report: &Report, attestation: &Attestation, rows: &[Entry], out: &mut String) {
    let shown: Vec<&str> = if report.answers.is_empty() {
        report.columns.iter().take(MAX_COLUMNS).map(|column| column.name.as_str()).collect()
    } else {
        report.answers.iter().map(String::as_str).collect()
    };
    let by_key: HashMap<&str, &Entry> = rows.iter().map(|row| (row.finding.as_str(), row)).collect();
    out.push_str("<section><h2>Decisions</h2><div class=\"plain\"><table class=\"cards\"><thead><tr>");
    for name in ["decision", "reason", "reviewer", "date"]
        .into_iter()
        .map(str::to_string)
        .chain(shown.iter().map(|name| heading(name)))
    {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(&name));
    }
    out.push_str("</tr></thead><tbody>\n");
    // Rows that need action come first.
    let mut decisions: Vec<&Decision> = attestation.decisions.iter().collect();
    decisions.sort_by_key(|one| std::cmp::Reverse(one.decision));
    for one in decisions {
        let class = if one.decision == Choice::Revoke { "s4" } else { "fine" };
        let _ =
            write!(out, "<tr><td data-l=\"decision\"><span class=\"chip {class}\">{}</span></td>", one.decision.name());
        for (label, text) in [("reason", &one.reason), ("reviewer", &one.reviewer), ("date", &one.date)] {
            let _ = write!(out, "<td data-l=\"{label}\">{}</td>", escaped(text));
        }
        let row = by_key.get(one.finding.as_str());
        for name in &shown {
            let ty = report.columns.iter().find(|column| column.name == **name).map(|column| column.ty);
            let value = said(row.and_then(|row| row.row.get(*name)), ty);
            let _ = write!(out, "<td data-l=\"{}\">{}</td>", escaped(&heading(name)), escaped(&value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div></section>");
}

/// Formats a value of `result.json` as the page of the report shows it.
fn said(value: Option<&Value>, ty: Option<ColumnType>) -> String {
    match (value, ty) {
        (Some(Value::Bool(flag)), _) => if *flag { "yes" } else { "no" }.to_string(),
        (Some(Value::String(text)), Some(ColumnType::Timestamp)) => {
            DateTime::parse_from_rfc3339(text).map_or(text.clone(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
        }
        (value, _) => text_of(value),
    }
}
