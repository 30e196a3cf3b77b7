//! `index.html`: the findings of a run over several reports, control by control and report by report, with links to each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{by_control, counted, escaped, fact, frame, instant, kinds, share, whole_seconds};
use crate::report::evidence::findings::{Severity, Verdict, severities};
use crate::report::evidence::reason::in_words;
use crate::report::runs::attestation::Attestation;
use crate::report::runs::controls::Standing;
use crate::report::runs::summary::{Change, ReportSummary, Summary};
use crate::typed::count;

/// Returns the page beside the folders of a run.
pub fn index(summary: &Summary) -> String {
    let mut body = String::new();
    let title = title(summary);
    let (class, word, detail) = headline(summary);
    let _ = write!(
        body,
        "<header><p class=\"kicker\">auditlake</p><h1>{}</h1><p class=\"question\">{}</p>\
         <div class=\"verdict {class}\"><strong>{}</strong><span>{}</span></div></header>",
        escaped(&title),
        escaped(&period(summary)),
        escaped(&word),
        escaped(&detail)
    );
    facts(summary, &mut body);
    by_control::section(summary, &mut body);
    reports(summary, &mut body);
    let _ = write!(
        body,
        "<footer>Made by auditlake. <code>auditlake report verify</code> on this directory checks every file against \
         <code>manifest.json</code> and runs each report again on the same ledger entry.</footer>",
    );
    let foot = format!("{title}, {} \u{b7} ledger entry {}, sha256 {}", period(summary), summary.ledger_sequence, {
        summary.ledger_sha256.get(..16).unwrap_or(&summary.ledger_sha256)
    });
    frame(&title, &super::foot(&foot), &body)
}

/// Returns the schedule's name, or the kind of the page.
pub fn title(summary: &Summary) -> String {
    summary.schedule.clone().unwrap_or_else(|| "Compliance reports".to_string())
}

/// Formats the period: `Period 2026-01, UTC`.
pub fn period(summary: &Summary) -> String {
    let period = summary.period.text.as_deref().unwrap_or("as given");
    format!("Period {period}, {}", summary.period.time_zone)
}

/// Returns class, headline and explanation of the whole run. Findings are named by severity: their sum would add a
/// forgotten account to an administrator who was taken over.
pub fn headline(summary: &Summary) -> (&'static str, String, String) {
    let standings: Vec<Standing> = summary.reports.iter().map(Standing::of).collect();
    let number = |standing: Standing| standings.iter().filter(|one| **one == standing).count() as u64;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let judged = summary.reports.iter().filter(|report| report.verdict == Some(Verdict::Findings));
    for (name, number) in judged.flat_map(|report| &report.by_severity) {
        *found.entry(name.clone()).or_default() += number;
    }
    let (failed, open) = (number(Standing::Failed), number(Standing::NotAssessable));
    let severe: BTreeMap<String, u64> = found
        .iter()
        .filter(|(name, _)| ["critical", "high"].contains(&name.as_str()))
        .map(|(a, b)| (a.clone(), *b))
        .collect();
    let rest: BTreeMap<String, u64> =
        found.iter().filter(|(name, _)| !severe.contains_key(*name)).map(|(a, b)| (a.clone(), *b)).collect();
    let (class, word, more) = match () {
        () if failed > 0 => ("findings", format!("{} failed", counted(failed, "report")), severities(&found)),
        () if !severe.is_empty() => ("findings", format!("Findings: {}", severities(&severe)), severities(&rest)),
        () if !rest.is_empty() => ("findings", format!("Findings: {}", severities(&rest)), String::new()),
        () if open > 0 => {
            ("open", format!("No finding, but {} not assessable", counted(open, "report")), String::new())
        }
        () => ("none", "No finding".to_string(), String::new()),
    };
    let more = if more.is_empty() { more } else { format!("further findings: {more}") };
    let counts = Standing::ALL.into_iter().filter(|standing| number(*standing) > 0).map(|standing| {
        let has = match standing {
            Standing::Findings => "with findings",
            Standing::Attention => "with rows to look at",
            Standing::NotAssessable => "that found nothing but could not see enough to say so",
            Standing::None => "with no finding",
            Standing::Evidence => "listing evidence",
            Standing::Failed => "failed",
            Standing::NotRun | Standing::NoReport => "not run",
        };
        format!("{} {has}", count(number(standing)))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let counts = format!("{}: {counts}", counted(summary.reports.len() as u64, "report"));
    let said: Vec<&str> = [more.as_str(), counts.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    (class, word, said.join("; "))
}

fn facts(summary: &Summary, out: &mut String) {
    out.push_str("<dl class=\"facts\">");
    let asked = &summary.period;
    if let Some((from, to)) = asked.from_ms.zip(asked.to_ms) {
        fact("Period", &format!("{} \u{2013} {}", instant(from), instant(to)), "end excluded; UTC", out);
    }
    let least = summary.reports.iter().filter_map(|report| report.coverage).min_by(f64::total_cmp);
    if let Some(least) = least {
        fact("Coverage", &percent(least), "of the report that the log covers least", out);
    }
    let short = summary.ledger_sha256.get(..16).unwrap_or(&summary.ledger_sha256);
    fact("Ledger entry", &count(summary.ledger_sequence), &format!("sha256 {short}\u{2026}"), out);
    let run = format!("{} UTC", instant(whole_seconds(summary.time_ms)));
    fact("Run", &run, &format!("by {}, {}", summary.user, summary.program), out);
    if let Some(change) = summary.reports.iter().find_map(|report| report.change.as_ref()) {
        let at = format!("run {} UTC", instant(whole_seconds(change.since_ms)));
        fact("Compared with", &change.since, &at, out);
    }
    out.push_str("</dl>");
}

/// Formats a share, rounded down, so that a hole never reads as nothing.
pub fn percent(share: f64) -> String {
    format!("{} %", (share * 1000.0).floor() / 10.0)
}

/// Returns the reports of a run: those that want attention first, by the severity of the worst that they found.
pub fn by_urgency(summary: &Summary) -> Vec<&ReportSummary> {
    let mut reports: Vec<&ReportSummary> = summary.reports.iter().collect();
    reports.sort_by_key(|report| {
        let counts = Severity::ALL.map(|severity| report.by_severity.get(severity.name()).copied().unwrap_or_default());
        let severe: Vec<u64> = counts.into_iter().rev().collect();
        std::cmp::Reverse((Standing::of(report), report.worst, severe))
    });
    reports
}

/// Returns the result of a report in one line.
pub fn said(report: &ReportSummary) -> String {
    let why = report.reason.as_deref().unwrap_or_default();
    match Standing::of(report) {
        Standing::Findings => severities(&report.by_severity),
        Standing::Attention => {
            format!("evidence, {} to look at: {}", counted(report.attention, "row"), severities(&report.by_severity))
        }
        Standing::NotAssessable => format!("not assessable ({}): {}", share(report.unseen), in_words(&report.reasons)),
        Standing::None => "no finding".to_string(),
        Standing::Evidence => "evidence".to_string(),
        Standing::NotRun | Standing::NoReport => format!("not run: {why}"),
        Standing::Failed => format!("failed: {why}"),
    }
}

/// Formats `2 new, 1 gone`, or that nothing changed.
pub fn changed(change: Option<&Change>) -> String {
    match change {
        None => String::new(),
        Some(Change { new: 0, gone: 0, .. }) => "unchanged".to_string(),
        Some(change) => {
            let parts = [(change.new, "new"), (change.gone, "gone")];
            let there = parts.into_iter().filter(|(number, _)| *number > 0);
            there.map(|(number, what)| format!("{} {what}", count(number))).collect::<Vec<_>>().join(", ")
        }
    }
}

fn reports(summary: &Summary, out: &mut String) {
    let is_compared = summary.reports.iter().any(|report| report.change.is_some());
    let change_head = if is_compared { "<th scope=\"col\">change</th>" } else { "" };
    let _ = write!(
        out,
        "<section><h2>By report</h2><div class=\"plain\"><table class=\"cards\"><thead><tr><th scope=\"col\">report</th>\
         <th scope=\"col\">verdict</th>{change_head}<th scope=\"col\" class=\"n\">rows</th>\
         <th scope=\"col\" class=\"n\">coverage</th></tr></thead><tbody>"
    );
    for report in by_urgency(summary) {
        let standing = Standing::of(report);
        let is_said = standing == Standing::NotAssessable || report.reasons.is_empty();
        let unseen = if is_said {
            String::new()
        } else {
            format!("<br><span class=\"m\">could not see everything: {}</span>", kinds(&report.reasons))
        };
        let change = if is_compared {
            format!("<td data-l=\"change\">{}</td>", changed(report.change.as_ref()))
        } else {
            String::new()
        };
        let coverage = report.coverage.map_or(String::new(), percent);
        let is_done = report.state == crate::report::runs::summary::State::Done;
        let rows = if is_done { count(report.rows) } else { String::new() };
        let review = report.review.as_ref().map_or(String::new(), |review| {
            let said = match review.in_words() {
                said if said.is_empty() => String::new(),
                said => format!(": {said}"),
            };
            let page = Attestation::page(review.number);
            let (folder, by) = (escaped(&report.folder()), escaped(&format!("reviewed by {}{said}", review.by)));
            format!("<br><a class=\"h\" href=\"{folder}/{page}\">{by}</a>")
        });
        let _ = write!(
            out,
            "<tr><td>{}<br><span class=\"h m\">{}</span>{review}</td><td data-l=\"verdict\">{}{unseen}</td>{change}\
             <td class=\"n\" data-l=\"rows\">{rows}</td><td class=\"n\" data-l=\"coverage\">{coverage}</td></tr>",
            link(report),
            escaped(&report.folder()),
            chip(standing, report.worst, &said(report)),
        );
    }
    out.push_str(
        "</tbody></table></div><p class=\"note\">All rows are in <a href=\"workbook.xlsx\">workbook.xlsx</a>, one sheet for \
         each report; each folder has them as CSV, JSON and Parquet, with the evidence.</p></section>",
    );
}

/// Returns a report's title, linked to its page if it has one.
pub fn link(report: &ReportSummary) -> String {
    let part = report.part.as_ref().map_or(String::new(), |part| format!(", {part}"));
    let name = escaped(&format!("{}{part}", report.title));
    match report.state {
        crate::report::runs::summary::State::Done => {
            format!("<a href=\"{}/report.html\">{name}</a>", escaped(&report.folder()))
        }
        _ => name,
    }
}

/// Returns a standing in its colour, with words.
pub fn chip(standing: Standing, worst: Option<Severity>, text: &str) -> String {
    let class = match standing {
        Standing::Failed => "s5",
        Standing::Findings | Standing::Attention => match worst {
            Some(Severity::Critical) => "s5",
            Some(Severity::High) => "s4",
            Some(Severity::Medium) => "s3",
            _ => "s2",
        },
        Standing::NotAssessable => "open",
        Standing::None => "fine",
        Standing::Evidence => "listed",
        Standing::NotRun | Standing::NoReport => "no",
    };
    format!("<span class=\"chip {class}\">{}</span>", escaped(text))
}
