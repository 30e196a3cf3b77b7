//! The origin of a page: parameters, ledger entry, files and hashes, and the report itself.

use std::fmt::Write as _;

use super::{counted, escaped, instant};
use crate::report::catalog::header::Report;
use crate::report::evidence::record::Evidence;
use crate::typed::count;

pub fn section(report: &Report, evidence: &Evidence, out: &mut String) {
    out.push_str("<section><h2>How it was made</h2><div class=\"plain\"><table class=\"kv\"><tbody>");
    let mut row = |name: &str, value: &str, class: &str| {
        let _ = write!(out, "<tr><td>{}</td><td class=\"{class}\">{}</td></tr>", escaped(name), escaped(value));
    };
    for parameter in &evidence.parameters {
        row(&format!("parameter {}", parameter.name), &parameter.value, "m");
    }
    if !report.severity.is_empty() {
        row("severity", &report.severity, "");
    }
    let unnamed = &evidence.facts.unnamed;
    let text = format!(
        "{} without a nameable subject, {} without a nameable actor, {} without both; such subjects cannot be listed",
        count(unnamed.subject),
        count(unnamed.actor),
        count(unnamed.neither)
    );
    row("events of the period", &text, "");
    for need in &evidence.facts.needs {
        let lacks =
            need.missing.iter().map(|(element, lacking)| format!("{} without {}", count(*lacking), element.name()));
        let text = format!("{}: {}", counted(need.read, "event"), lacks.collect::<Vec<_>>().join(", "));
        row(&format!("read of {}", need.events), &text, "");
    }
    let log = evidence.facts.log_start_ms.zip(evidence.facts.log_end_ms);
    let log = log.map_or("no event at all".to_string(), |(first, last)| {
        format!("first event {}, last event {} UTC", instant(first), instant(last))
    });
    row("log", &log, "");
    let ledger = &evidence.ledger;
    let lines = format!(
        "{} lines read = {} accepted + {} duplicate + {} revised + {} rejected + {} blank, over the life of the lake",
        count(ledger.read),
        count(ledger.accepted),
        count(ledger.duplicate),
        count(ledger.revised),
        count(ledger.rejected),
        count(ledger.blank)
    );
    row("lines", &lines, "");
    row("ledger entry", &format!("{} {}", ledger.sequence, ledger.sha256), "h m");
    row("report", &format!("{}, sha256 {}", evidence.report.file, evidence.report.sha256), "h m");
    row("result.json", &format!("sha256 {}", evidence.result_sha256), "h m");
    for table in &evidence.tables {
        let times = table.min_time_ms.zip(table.max_time_ms);
        let times = times.map_or(String::new(), |(first, last)| format!(", {} to {}", instant(first), instant(last)));
        let files = counted(table.files.len() as u64, "file");
        row(&format!("table {}", table.name), &format!("{} in {files}{times}", counted(table.rows, "row")), "");
    }
    out.push_str("</tbody></table></div>");
    out.push_str(
        "<details><summary>Files of the lake that were there to be read</summary><div class=\"plain\"><table><tbody>",
    );
    for table in &evidence.tables {
        for file in &table.files {
            let name = escaped(&format!("{}/{}", table.name, file.path));
            let _ =
                write!(out, "<tr><td class=\"m h\">{name}</td><td class=\"h m\">{}</td></tr>", escaped(&file.sha256));
        }
    }
    out.push_str("</tbody></table></div></details>");
    let _ = write!(
        out,
        "<details><summary>The report as it ran: head and SQL</summary><pre>{}</pre></details>",
        lines_of(&report.text)
    );
    out.push_str(
        "</section><footer>Made by auditlake. <code>auditlake report verify</code> on this folder checks every file \
         against <code>evidence.json</code> and runs the report again on the same ledger entry.</footer>",
    );
}

/// Returns text of several lines.
fn lines_of(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}
