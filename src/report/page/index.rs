//! `index.html`: what a run over several reports found, and the way to each.

use std::fmt::Write as _;

use super::{counted, escaped, frame, instant, kinds, share};
use crate::report::findings::Verdict;
use crate::report::reason::in_words;
use crate::report::summary::{State, Summary};
use crate::typed::count;

/// The page beside the folders of a run.
pub fn index(summary: &Summary) -> String {
    let mut body = String::new();
    let reports = &summary.reports;
    let done = reports.iter().filter(|report| report.state == State::Done).count();
    let open = reports.iter().filter(|report| report.verdict == Some(Verdict::NotAssessable)).count();
    let failed = reports.iter().filter(|report| report.state == State::Failed).count();
    let title = summary.schedule.clone().unwrap_or_else(|| "Compliance reports".to_string());
    let period = summary.period.text.clone().unwrap_or_else(|| "as given".to_string());
    let (class, word) = match () {
        () if failed > 0 => ("findings", format!("{} failed", counted(failed as u64, "report"))),
        () if summary.findings > 0 => ("findings", counted(summary.findings, "finding")),
        () if open > 0 => ("open", format!("No finding, but {} not assessable", counted(open as u64, "report"))),
        () => ("none", "No finding".to_string()),
    };
    let _ = write!(
        body,
        "<header><p class=\"kicker\">auditlake</p><h1>{}</h1><p class=\"question\">Period {}, {}</p>\
         <div class=\"verdict {class}\"><strong>{}</strong><span>{} of {} run over ledger entry {}</span></div></header>",
        escaped(&title),
        escaped(&period),
        escaped(&summary.period.time_zone),
        escaped(&word),
        counted(done as u64, "report"),
        reports.len(),
        count(summary.ledger_sequence)
    );
    body.push_str(
        "<section><h2>Reports</h2><div class=\"plain\"><table><thead><tr><th scope=\"col\">report</th>\
         <th scope=\"col\">verdict</th><th scope=\"col\" class=\"n\">rows</th><th scope=\"col\" class=\"n\">coverage</th>\
         </tr></thead><tbody>",
    );
    for report in reports {
        let verdict = match (report.state, report.verdict) {
            (State::Done, Some(Verdict::Findings)) => {
                let counts: Vec<String> = ["critical", "high", "medium", "low", "informational"]
                    .iter()
                    .filter_map(|name| report.by_severity.get(*name).map(|found| format!("{} {name}", count(*found))))
                    .collect();
                counts.join(", ")
            }
            (State::Done, Some(Verdict::Evidence)) if report.attention > 0 => {
                format!("evidence, {} to look at", counted(report.attention, "row"))
            }
            (State::Done, Some(Verdict::NotAssessable)) => {
                format!("not assessable ({}): {}", share(report.unseen), in_words(&report.reasons))
            }
            (State::Done, Some(verdict)) => verdict.name().to_string(),
            (State::Skipped, _) => format!("not run: {}", report.reason.as_deref().unwrap_or_default()),
            _ => format!("failed: {}", report.reason.as_deref().unwrap_or_default()),
        };
        let is_said = report.verdict == Some(Verdict::NotAssessable) || report.reasons.is_empty();
        let unseen = match is_said {
            true => String::new(),
            false => format!("<br><span class=\"m\">could not see everything: {}</span>", kinds(&report.reasons)),
        };
        let severity = report.worst.map_or(String::new(), |worst| {
            format!(
                "<svg viewBox=\"0 0 9 9\" aria-hidden=\"true\"><circle cx=\"4.5\" cy=\"4.5\" r=\"4.5\" class=\"v{}\"/></svg>",
                worst as u8
            )
        });
        let (id, name) = (escaped(&report.id), escaped(&report.title));
        let link = match report.state {
            State::Done => format!("<a href=\"{id}/report.html\">{name}</a>"),
            _ => name,
        };
        let coverage =
            report.coverage.map_or(String::new(), |share| format!("{:.1} %", (share * 1000.0).floor() / 10.0));
        let rows = if report.state == State::Done { count(report.rows) } else { String::new() };
        let _ = write!(
            body,
            "<tr><td>{link}<br><span class=\"h m\">{id}</span></td><td><span class=\"sev\">{severity}{}</span>{unseen}</td>\
             <td class=\"n\">{rows}</td><td class=\"n\">{coverage}</td></tr>",
            escaped(&verdict)
        );
    }
    let _ = write!(
        body,
        "</tbody></table></div><p class=\"note\">All rows are in <a href=\"workbook.xlsx\">workbook.xlsx</a>, one sheet a \
         report; each folder has them as CSV, JSON and Parquet, with the evidence.</p></section>\
         <footer>Run {} UTC by {}, {}.</footer>",
        instant(summary.time_ms),
        escaped(&summary.user),
        escaped(&summary.program)
    );
    frame(&title, &body)
}
