//! The state of the controls of each framework after a run: the first thing that an officer opens.

use std::fmt::Write as _;

use super::index::{changed, chip, link, percent};
use super::{escaped, share};
use crate::report::runs::controls::{ControlStanding, FrameworkStanding, Standing};
use crate::report::runs::summary::Summary;

/// Appends a tab for each framework. Without a style, and on paper, they appear below each other.
pub fn section(summary: &Summary, out: &mut String) {
    if summary.frameworks.is_empty() {
        return;
    }
    out.push_str("<section class=\"tabs\"><h2>By control</h2>");
    for (place, framework) in summary.frameworks.iter().enumerate() {
        let checked = if place == 0 { " checked" } else { "" };
        let _ = write!(
            out,
            "<input type=\"radio\" name=\"framework\" id=\"tab-{0}\"{checked}><label for=\"tab-{0}\">{1}</label>",
            escaped(&framework.id),
            escaped(&framework.name)
        );
    }
    out.push_str("<div class=\"panes\">");
    let is_compared = summary.reports.iter().any(|report| report.change.is_some());
    for framework in &summary.frameworks {
        pane(framework, summary, is_compared, out);
    }
    out.push_str(
        "</div><p class=\"note\">A control stands as badly as the worst of its reports. A report supports a control; it does \
         not satisfy it alone. \u{201c}No report\u{201d}: nothing in the log can back this control, so look for evidence \
         elsewhere. The titles are short descriptions and not the text of the framework.</p></section>",
    );
}

/// Counts the controls by standing, the worst first: `12 with findings, 3 no finding`.
pub fn counts(framework: &FrameworkStanding) -> Vec<(Standing, usize)> {
    let number = |standing: Standing| framework.controls.iter().filter(|one| one.standing == standing).count();
    Standing::ALL.into_iter().map(|standing| (standing, number(standing))).filter(|(_, number)| *number > 0).collect()
}

fn pane(framework: &FrameworkStanding, summary: &Summary, is_compared: bool, out: &mut String) {
    let _ = write!(out, "<div class=\"pane\"><h3>{}</h3><p class=\"counts\">", escaped(&framework.title));
    for (standing, number) in counts(framework) {
        let worst =
            framework.controls.iter().filter(|one| one.standing == standing).filter_map(|one| one.worst()).max();
        out.push_str(&chip(
            standing,
            worst,
            &format!(
                "{number} {}",
                match standing {
                    Standing::Findings => "with findings",
                    standing => standing.in_words(),
                }
            ),
        ));
        out.push(' ');
    }
    let change = if is_compared { "<th scope=\"col\">change</th>" } else { "" };
    let _ = write!(
        out,
        "</p><div class=\"plain\"><table class=\"cards\"><thead><tr><th scope=\"col\">control</th>\
         <th scope=\"col\">standing</th>{change}<th scope=\"col\" class=\"n\">coverage</th>\
         <th scope=\"col\">reports</th></tr></thead><tbody>"
    );
    for control in &framework.controls {
        row(control, summary, is_compared, out);
    }
    out.push_str("</tbody></table></div></div>");
}

/// Returns the text of a control's chip.
pub fn said(control: &ControlStanding) -> String {
    match control.standing {
        Standing::Findings => control.severities(),
        Standing::Attention => format!("to look at: {}", control.severities()),
        Standing::NotAssessable => format!("not assessable ({})", share(control.unseen)),
        standing => standing.in_words().to_string(),
    }
}

fn row(control: &ControlStanding, summary: &Summary, is_compared: bool, out: &mut String) {
    let mut reports = String::new();
    for name in &control.reports {
        let separator = if reports.is_empty() { "" } else { "<br>" };
        let known = summary.reports.iter().find(|report| report.folder() == *name);
        let (standing, worst) = known.map_or((Standing::NotRun, None), |one| (Standing::of(one), one.worst));
        let shown = known.map_or_else(|| escaped(name), link);
        let _ = write!(reports, "{separator}{}{shown}", dot(standing, worst));
    }
    let change = if is_compared {
        format!("<td data-l=\"change\">{}</td>", changed(control.change.as_ref()))
    } else {
        String::new()
    };
    let list = match control.reports.len() {
        0 => String::new(),
        1 => reports,
        number => format!("<details><summary>{number} reports</summary><p>{reports}</p></details>"),
    };
    let _ = write!(
        out,
        "<tr><td class=\"control\"><b>{}</b> {}</td><td data-l=\"standing\">{}</td>{change}\
         <td class=\"n\" data-l=\"coverage\">{}</td><td data-l=\"reports\" class=\"list\">{list}</td></tr>",
        escaped(&control.id),
        escaped(&control.title),
        chip(control.standing, control.worst(), &said(control)),
        control.coverage.map_or(String::new(), percent),
    );
}

/// Draws a standing as a dot before a name; the chip of the report says it in words.
fn dot(standing: Standing, worst: Option<crate::report::evidence::findings::Severity>) -> String {
    chip(standing, worst, "").replace("class=\"chip", &format!("title=\"{}\" class=\"dot", standing.in_words()))
}
