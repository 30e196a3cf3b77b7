//! `report.html`: one self-contained file that opens anywhere, makes no request, and prints.
//!
//! Log content is hostile. It reaches the page only through `html::text`; the policy in the head allows exactly one
//! style and one script, by their hashes, and no request at all, so that content that slipped through could still do
//! nothing.

mod by_control;
mod cell;
mod index;
mod made;
mod review;
mod rows;

use std::fmt::Write as _;

pub use by_control::said as control_said;
pub use cell::{is_share, number};
pub use index::{by_urgency, changed, headline, index, percent, period, said, title};
pub use review::document as review_page;
pub use rows::Page;
use rows::Shown;

use super::super::html::{self, escaped};
use super::super::words::{counted, heading, instant, share};

use super::super::catalog::header::Report;
use super::super::evidence::findings::Verdict;
use super::super::evidence::reason::{Reason, in_words};
use super::super::evidence::record::Evidence;
use super::chart::{Chart, strip};
use crate::typed::count;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Returns the page of one run.
pub fn document(report: &Report, evidence: &Evidence, page: &Page, chart: Option<&Chart>) -> String {
    let mut body = String::with_capacity(1 << 16);
    head(report, evidence, &mut body);
    facts(evidence, &mut body);
    reasons(evidence, &mut body);
    coverage(evidence, &mut body);
    if let Some((chart, drawing)) = chart.and_then(|chart| Some((chart, chart.draw()?))) {
        let _ = write!(body, "<section><h2>{}</h2>{drawing}</section>", escaped(&chart.heading()));
    }
    table(report, evidence, page, &mut body);
    suppressions(evidence, &mut body);
    limits(report, &mut body);
    controls(report, &mut body);
    made::section(report, evidence, &mut body);
    let period = evidence.period.text.as_ref().map_or(String::new(), |text| format!(" {text}"));
    let foot_text = format!("{}{period} \u{b7} sha256 of result.json {}", report.id, evidence.result_sha256);
    frame(&report.title, &(foot(&foot_text) + &labels(page)), &body)
}

/// Returns the footer of each printed sheet: `text`, and the number of the page.
pub fn foot(text: &str) -> String {
    format!(
        "@media print {{ @page {{ @bottom-left {{ content: {}; font-size: 7pt; color: #555 }} \
         @bottom-right {{ content: counter(page) \" / \" counter(pages); font-size: 7pt; color: #555 }} }} }}\n",
        html::css_string(text)
    )
}

/// Returns a whole page around `body`, whose text is already escaped; `own` is a style of this page.
pub fn frame(title: &str, own: &str, body: &str) -> String {
    let style = format!("{STYLE}{own}");
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        html::policy_hash(&style),
        html::policy_hash(SCRIPT)
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>{style}</style>\n</head>\n\
         <body>\n<main>\n{body}\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        escaped(title)
    )
}

fn head(report: &Report, evidence: &Evidence, out: &mut String) {
    let tier = if report.tier > 0 { format!(" \u{b7} tier {}", report.tier) } else { String::new() };
    let (class, word, detail) = verdict(evidence);
    let _ = write!(
        out,
        "<header><p class=\"kicker\">{}{tier} \u{b7} {}</p><h1>{}</h1><p class=\"question\">{}</p>\
         <div class=\"verdict {class}\"><strong>{}</strong><span>{}</span></div></header>",
        report.kind,
        escaped(&report.id),
        escaped(&report.title),
        escaped(&report.question),
        escaped(&word),
        escaped(&detail)
    );
}

/// Returns class, headline and explanation of the verdict.
pub fn verdict(evidence: &Evidence) -> (&'static str, String, String) {
    let tally = &evidence.tally;
    let facts = &evidence.facts;
    let unseen = if facts.reasons.is_empty() {
        String::new()
    } else {
        format!("the run could not see everything: {}", kinds(&facts.reasons))
    };
    let suppressed = match tally.suppressed {
        0 => String::new(),
        count => format!("{count} suppressed"),
    };
    let context = match tally.context {
        0 => String::new(),
        count => format!("{} shown as context", counted(count, "row")),
    };
    let attention = match tally.attention {
        0 => String::new(),
        count => format!("{} to look at: {}", counted(count, "row"), tally.in_words()),
    };
    let join = |parts: &[&str]| {
        let said: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
        said.join("; ")
    };
    match evidence.verdict {
        Verdict::Findings => {
            ("findings", counted(tally.findings, "finding"), join(&[&tally.in_words(), &context, &suppressed, &unseen]))
        }
        Verdict::None => (
            "none",
            "No finding".to_string(),
            join(&["the log holds all that the report needs", &context, &suppressed]),
        ),
        Verdict::NotAssessable => (
            "open",
            format!("No finding, but not assessable ({})", share(facts.unseen)),
            join(&[&in_words(&facts.reasons), "so this is no pass", &context, &suppressed]),
        ),
        Verdict::Evidence => {
            let class = if facts.reasons.is_empty() { "evidence" } else { "open" };
            let parts = ["listed as evidence, not judged", &attention, &suppressed, &unseen];
            (class, counted(tally.rows, "row"), join(&parts))
        }
    }
}

/// Lists each kind once, in order: `fields, silence`.
pub fn kinds(reasons: &[Reason]) -> String {
    let mut names: Vec<&str> = reasons.iter().map(|reason| reason.reason.name()).collect();
    names.dedup();
    names.join(", ")
}

/// Rounds to seconds: nobody asks at which millisecond a report was run, and `evidence.json` knows.
fn whole_seconds(time_ms: i64) -> i64 {
    time_ms - time_ms.rem_euclid(1000)
}

fn fact(name: &str, value: &str, small: &str, out: &mut String) {
    let small = if small.is_empty() { String::new() } else { format!("<small>{}</small>", escaped(small)) };
    let _ = write!(out, "<div><dt>{}</dt><dd>{}{small}</dd></div>", escaped(name), escaped(value));
}

fn facts(evidence: &Evidence, out: &mut String) {
    let coverage = &evidence.facts.coverage;
    out.push_str("<dl class=\"facts\">");
    let (from, to) = (instant(whole_seconds(coverage.from_ms)), instant(whole_seconds(coverage.to_ms)));
    let zone = &evidence.period.time_zone;
    let small = match &evidence.period.text {
        Some(text) => format!("{text}, {zone}; end excluded; shown in UTC"),
        None => "end excluded; UTC".to_string(),
    };
    fact("Period", &format!("{from} \u{2013} {to}"), &small, out);
    let share = if coverage.is_whole() {
        "100 %".to_string()
    } else {
        format!("{:.1} %", (100.0 - coverage.missing_percent()).max(0.0))
    };
    let gaps = match coverage.holes().count() {
        0 => "no gap longer than a day".to_string(),
        count => format!("{} longer than a day", counted(count as u64, "gap")),
    };
    fact("Coverage", &share, &gaps, out);
    fact("Events in the period", &count(evidence.facts.events), "after removal of duplicates", out);
    let ledger = &evidence.ledger;
    let small = format!("of {} UTC", instant(whole_seconds(ledger.time_ms)));
    fact("Ledger entry", &count(ledger.sequence), &small, out);
    let small = format!("by {}, {}", evidence.run.user, evidence.run.program);
    fact("Run", &format!("{} UTC", instant(whole_seconds(evidence.run.time_ms))), &small, out);
    out.push_str("</dl>");
}

/// Appends the reasons, which accompany every verdict: the findings may not be all.
fn reasons(evidence: &Evidence, out: &mut String) {
    let facts = &evidence.facts;
    if facts.reasons.is_empty() {
        return;
    }
    let unseen = share(facts.unseen);
    let _ = write!(out, "<section><h2>What the run could not see: {unseen}</h2><div class=\"plain\"><table><tbody>");
    for reason in &facts.reasons {
        let part = reason.share.map_or(String::new(), share);
        let (kind, text) = (reason.reason.name(), escaped(&reason.text));
        let _ = write!(out, "<tr><td>{kind}</td><td>{text}</td><td class=\"n\">{part}</td></tr>");
    }
    out.push_str("</tbody></table></div></section>");
}

fn coverage(evidence: &Evidence, out: &mut String) {
    let coverage = &evidence.facts.coverage;
    if coverage.to_ms <= coverage.from_ms || coverage.is_whole() {
        return;
    }
    let _ = write!(out, "<section><h2>What the log covers</h2><figure class=\"strip\">{}<figcaption>", strip(coverage));
    let first = coverage.holes().take(5).map(|gap| {
        let hours = (gap.end_ms - gap.start_ms) / 3_600_000;
        format!("{} \u{2013} {} ({hours} h)", instant(gap.start_ms), instant(gap.end_ms))
    });
    let mut text = format!("No event: {}", first.collect::<Vec<_>>().join(", "));
    let holes = coverage.holes().count();
    if holes > 5 {
        text.push_str(&format!(", and {} more", holes - 5));
    }
    let _ = write!(out, "{}</figcaption></figure></section>", escaped(&text));
}

fn table(report: &Report, evidence: &Evidence, page: &Page, out: &mut String) {
    let title = if evidence.verdict == Verdict::Evidence { "Rows" } else { "Findings" };
    // On paper a wide table is printed in landscape.
    let class = if page.rows > 0 && page.columns().len() > 6 { " class=\"wide\"" } else { "" };
    let _ = write!(out, "<section{class}><h2>{title}</h2>");
    if page.rows == 0 {
        out.push_str("<p class=\"note\">The result has no rows.</p></section>");
        return;
    }
    out.push_str(
        "<div class=\"tools\" hidden><input id=\"filter\" type=\"search\" placeholder=\"Filter rows\" \
         aria-label=\"Filter rows\" autocomplete=\"off\" spellcheck=\"false\"><output id=\"shown\"></output></div>",
    );
    let first = if page.is_arranged() { "Most severe first, then: " } else { "Order: " };
    if (page.shown as u64) < page.rows {
        let _ = write!(
            out,
            "<p class=\"note\">{} of {} rows, the most severe first; all of them are in <code>result.csv</code>, \
             <code>result.json</code> and <code>result.parquet</code>.</p>",
            count(page.shown as u64),
            count(page.rows)
        );
    }
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table class=\"result cards\"><thead><tr>");
    for column in page.columns() {
        let class = if column.is_number() { " class=\"n\"" } else { "" };
        let (name, heading) = (escaped(&column.name), escaped(&column.heading));
        let _ =
            write!(out, "<th scope=\"col\"{class} title=\"{name}\"><button type=\"button\">{heading}</button></th>");
    }
    if page.has_details() {
        out.push_str("<th scope=\"col\" class=\"more\"><span class=\"plainhead\">detail</span></th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    page.body().for_each(|row| out.push_str(row));
    out.push_str("</tbody></table></div>");
    let cut = if page.has_cut_cells { " Long values are cut; the CSV has them whole." } else { "" };
    let _ = write!(
        out,
        "<p class=\"note\">{first}{}. Times are UTC, to the second.{cut}</p></section>",
        escaped(&report.order)
    );
}

/// Returns the column headings for a narrow screen, where each row is a card.
fn labels(page: &Page) -> String {
    let label = |(place, column): (usize, &Shown)| {
        format!(
            " table.result td:nth-child({})::before {{ content: {} }}",
            place + 1,
            html::css_string(&column.heading)
        )
    };
    let all: Vec<String> = page.columns().iter().enumerate().map(label).collect();
    format!("@media screen and (max-width: 40rem) {{{} }}\n", all.concat())
}

fn suppressions(evidence: &Evidence, out: &mut String) {
    let found = &evidence.suppressions;
    if found.entries.is_empty() && found.expired.is_empty() {
        return;
    }
    out.push_str("<section><h2>Suppressions</h2><div class=\"plain\"><table><tbody>");
    let states = found.entries.iter().map(|entry| {
        if found.unused.contains(&entry.finding) { (entry, "met no finding") } else { (entry, "in force") }
    });
    for (entry, state) in states.chain(found.expired.iter().map(|entry| (entry, "expired"))) {
        let cells = [&entry.finding, &entry.reason, &entry.owner, &entry.expires].map(|text| escaped(text));
        let _ = write!(
            out,
            "<tr><td>{state}</td><td class=\"m\">{}</td><td>{}</td><td>{}</td><td class=\"c\">until {}</td></tr>",
            cells[0], cells[1], cells[2], cells[3]
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn limits(report: &Report, out: &mut String) {
    if report.limits.is_empty() {
        return;
    }
    out.push_str("<section><h2>How to read this, and its limits</h2><div class=\"plain limits\">");
    for paragraph in report.paragraphs() {
        let _ = write!(out, "<p>{}</p>", with_code(&paragraph));
    }
    out.push_str("</div></section>");
}

fn controls(report: &Report, out: &mut String) {
    if report.controls.is_empty() {
        return;
    }
    out.push_str("<section><h2>Controls</h2><div class=\"plain\"><table class=\"kv\"><tbody>");
    for (framework, ids) in &report.controls {
        let name = super::super::runs::controls::framework_title(framework);
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(&ids.join(", ")));
    }
    out.push_str("</tbody></table></div></section>");
}

/// Formats text in which names of columns and parameters stand between backticks.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let shown = parts.map(|(place, part)| match place % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    });
    shown.collect()
}
