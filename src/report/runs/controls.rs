//! Frameworks and their controls, and the state of each after a run: the worst that its reports say.
//!
//! `queries/controls.toml` lists the controls that a log can speak to. A control without a report is listed as well, so
//! that nobody thinks it is fine.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::super::catalog::all::Catalog;
use super::super::catalog::header::InOrder;
use super::super::evidence::findings::{Severity, Verdict, severities};
use super::summary::{Change, ReportSummary, State, Summary};

/// A framework as `queries/controls.toml` defines it.
#[derive(Debug)]
pub struct Framework {
    /// Its name in the heads of reports.
    pub id: String,
    pub name: String,
    pub title: String,
    spellings: Vec<String>,
    /// A regular expression for its control ids, and an example.
    pub form: String,
    pub example: String,
    /// Ids and short titles, in the framework's order.
    pub controls: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameworkText {
    name: String,
    title: String,
    spellings: Vec<String>,
    form: String,
    example: String,
    controls: InOrder<String>,
}

static FRAMEWORKS: LazyLock<Vec<Framework>> = LazyLock::new(|| {
    let text = include_str!("../../../queries/controls.toml");
    let read: InOrder<FrameworkText> =
        toml::from_str(text).expect("the file is part of the program, and tests read it");
    let framework = |(id, text): (toml::Spanned<String>, FrameworkText)| Framework {
        id: id.into_inner(),
        name: text.name,
        title: text.title,
        spellings: text.spellings,
        form: text.form,
        example: text.example,
        controls: text.controls.0.into_iter().map(|(id, title)| (id.into_inner(), title)).collect(),
    };
    read.0.into_iter().map(framework).collect()
});

/// Returns all frameworks, in the order of the file.
pub fn frameworks() -> &'static [Framework] {
    &FRAMEWORKS
}

/// Finds the framework under any spelling of its name: `SOC 2`, `pci-dss`.
pub fn framework(name: &str) -> Option<&'static Framework> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    frameworks().iter().find(|one| one.id == plain || one.spellings.contains(&plain))
}

/// Returns the title of a framework, or the name itself where no such framework exists.
pub fn framework_title(id: &str) -> &str {
    frameworks().iter().find(|known| known.id == id).map_or(id, |known| &known.title)
}

/// One control and the reports that back it.
#[derive(Debug, PartialEq)]
pub struct Backed {
    pub framework: &'static str,
    pub id: String,
    /// Empty for a control that only a report of the user's own names.
    pub title: String,
    pub reports: Vec<String>,
}

/// Returns the controls of a framework in its order, with the reports of the catalogue that name them.
pub fn backed(framework: &'static Framework, catalog: &Catalog) -> Vec<Backed> {
    let known = framework.controls.iter().map(|(id, title)| Backed {
        framework: &framework.id,
        id: id.clone(),
        title: title.clone(),
        reports: Vec::new(),
    });
    let mut found: Vec<Backed> = known.collect();
    for report in catalog.list() {
        let ours =
            report.controls.iter().filter(|(name, _)| self::framework(name).is_some_and(|one| one.id == framework.id));
        for id in ours.flat_map(|(_, ids)| ids) {
            let place = found.iter().position(|control| control.id == *id).unwrap_or_else(|| {
                let (framework, id) = (framework.id.as_str(), id.clone());
                found.push(Backed { framework, id, title: String::new(), reports: Vec::new() });
                found.len() - 1
            });
            if !found[place].reports.contains(&report.id) {
                found[place].reports.push(report.id.clone());
            }
        }
    }
    found
}

/// The controls of one framework after a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkStanding {
    pub id: String,
    pub name: String,
    pub title: String,
    pub controls: Vec<ControlStanding>,
}

/// A control after a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlStanding {
    pub id: String,
    pub title: String,
    /// The worst that its reports say.
    pub standing: Standing,
    /// Folders of its reports that ran; ids of those that did not.
    pub reports: Vec<String>,
    /// Findings of its reports, and rows of listings to look at, by name of their severity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_severity: BTreeMap<String, u64>,
    /// The lowest coverage of the period among its reports, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// The largest share that a report of it could not see, 0 to 1.
    #[serde(default)]
    pub unseen: f64,
    /// Findings that came and went since an earlier run, over the reports that both runs include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// The state of a control after a run, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// No report of the catalogue backs it.
    #[serde(rename = "no report")]
    NoReport,
    /// Its reports were not part of the run, or could not be run with what it was given.
    #[serde(rename = "not run")]
    NotRun,
    #[serde(rename = "evidence")]
    Evidence,
    #[serde(rename = "none")]
    None,
    #[serde(rename = "not assessable")]
    NotAssessable,
    /// Listings have rows to look at.
    #[serde(rename = "attention")]
    Attention,
    #[serde(rename = "findings")]
    Findings,
    #[serde(rename = "failed")]
    Failed,
}

impl Standing {
    /// All standings, the worst first.
    pub const ALL: [Standing; 8] = [
        Standing::Failed,
        Standing::Findings,
        Standing::Attention,
        Standing::NotAssessable,
        Standing::None,
        Standing::Evidence,
        Standing::NotRun,
        Standing::NoReport,
    ];

    pub fn of(report: &ReportSummary) -> Standing {
        match (report.state, report.verdict) {
            (State::Failed, _) => Standing::Failed,
            (State::Skipped, _) | (State::Done, None) => Standing::NotRun,
            (State::Done, Some(Verdict::Findings)) => Standing::Findings,
            (State::Done, Some(Verdict::NotAssessable)) => Standing::NotAssessable,
            (State::Done, Some(Verdict::None)) => Standing::None,
            (State::Done, Some(Verdict::Evidence)) if report.attention > 0 => Standing::Attention,
            (State::Done, Some(Verdict::Evidence)) => Standing::Evidence,
        }
    }

    /// Returns the words that an officer would use.
    pub fn in_words(self) -> &'static str {
        match self {
            Standing::NoReport => "no report",
            Standing::NotRun => "not run",
            Standing::Evidence => "evidence",
            Standing::None => "no finding",
            Standing::NotAssessable => "not assessable",
            Standing::Attention => "to look at",
            Standing::Findings => "findings",
            Standing::Failed => "failed",
        }
    }
}

impl ControlStanding {
    /// Formats counts: `1 critical, 2 high`.
    pub fn severities(&self) -> String {
        severities(&self.by_severity)
    }

    pub fn worst(&self) -> Option<Severity> {
        Severity::ALL.into_iter().rev().find(|severity| self.by_severity.contains_key(severity.name()))
    }
}

/// Returns the standing of each control of each framework after a run.
pub fn standings(catalog: &Catalog, summary: &Summary) -> Vec<FrameworkStanding> {
    let of = |framework: &'static Framework| FrameworkStanding {
        id: framework.id.clone(),
        name: framework.name.clone(),
        title: framework.title.clone(),
        controls: backed(framework, catalog).into_iter().map(|control| standing(control, summary)).collect(),
    };
    frameworks().iter().map(of).collect()
}

fn standing(control: Backed, summary: &Summary) -> ControlStanding {
    let ran: Vec<&ReportSummary> =
        summary.reports.iter().filter(|report| control.reports.contains(&report.id)).collect();
    let none = if control.reports.is_empty() { Standing::NoReport } else { Standing::NotRun };
    let mut by_severity = BTreeMap::new();
    for (name, found) in ran.iter().flat_map(|report| &report.by_severity) {
        *by_severity.entry(name.clone()).or_default() += found;
    }
    let mut change: Option<Change> = None;
    for one in ran.iter().filter_map(|report| report.change.as_ref()) {
        let sum = change.get_or_insert_with(|| Change { new: 0, gone: 0, ..one.clone() });
        sum.new += one.new;
        sum.gone += one.gone;
    }
    let not_run = control.reports.iter().filter(|id| !ran.iter().any(|report| report.id == **id)).cloned();
    ControlStanding {
        standing: ran.iter().map(|report| Standing::of(report)).max().unwrap_or(none),
        reports: ran.iter().map(|report| report.folder()).chain(not_run).collect(),
        by_severity,
        coverage: ran.iter().filter_map(|report| report.coverage).min_by(f64::total_cmp),
        unseen: ran.iter().map(|report| report.unseen).fold(0.0, f64::max),
        change,
        id: control.id,
        title: control.title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A control of a head that the file does not list would be in no index.
    #[test]
    fn every_control_of_our_reports_has_a_title() {
        let catalog = Catalog::load(None).unwrap();
        for framework in frameworks() {
            let form = regex::Regex::new(&framework.form).unwrap();
            let all = backed(framework, &catalog);
            for control in &all {
                assert!(!control.title.is_empty(), "{} {} has no title", framework.id, control.id);
                assert!(form.is_match(&control.id), "{} {}", framework.id, control.id);
                assert_eq!(all.iter().filter(|other| other.id == control.id).count(), 1);
            }
            assert!(all.iter().any(|control| control.reports.is_empty()), "{} is backed in whole", framework.id);
            assert!(form.is_match(&framework.example));
            assert_eq!(super::framework(&framework.name).map(|one| &one.id), Some(&framework.id));
        }
        assert_eq!(frameworks().len(), 8);
        assert_eq!(frameworks()[0].controls[0].0, "CC2.1");
    }

    fn report(id: &str, verdict: Verdict, by_severity: &[(&str, u64)], attention: u64) -> ReportSummary {
        let by_severity = by_severity.iter().map(|(name, found)| (name.to_string(), *found)).collect();
        ReportSummary { id: id.into(), verdict: Some(verdict), by_severity, attention, ..ReportSummary::default() }
    }

    #[test]
    fn a_control_stands_as_badly_as_its_worst_report() {
        let catalog = Catalog::load(None).unwrap();
        let change = Change { since: "2025-12".into(), since_ms: 5, new: 2, gone: 1 };
        let mut reports = vec![
            ReportSummary {
                coverage: Some(0.5),
                change: Some(change.clone()),
                ..report("brute-force-by-user", Verdict::Findings, &[("high", 2)], 0)
            },
            ReportSummary {
                coverage: Some(0.75),
                unseen: 0.25,
                change: Some(change.clone()),
                ..report("password-spray-by-ip", Verdict::NotAssessable, &[], 0)
            },
            report("access-review-as-of", Verdict::Evidence, &[("medium", 3)], 3),
        ];
        let of = |reports: &[ReportSummary], framework: &str, id: &str| {
            let summary = Summary { reports: reports.to_vec(), ..Summary::default() };
            let all = standings(&catalog, &summary);
            let framework = all.into_iter().find(|one| one.id == framework).unwrap();
            framework.controls.into_iter().find(|control| control.id == id).unwrap()
        };
        let outside = of(&reports, "soc2", "CC6.6");
        assert_eq!(outside.standing, Standing::Findings);
        assert_eq!((outside.coverage, outside.unseen), (Some(0.5), 0.25));
        assert_eq!(outside.change, Some(Change { new: 4, gone: 2, ..change }));
        assert_eq!(outside.severities(), "2 high");
        assert!(outside.reports.contains(&"impossible-travel".to_string()), "what was not run is named too");
        assert_eq!(of(&reports, "pci", "8.3.4").standing, Standing::Findings);
        assert_eq!(of(&reports, "iso", "A.8.3").standing, Standing::Attention);
        assert_eq!(of(&reports, "pci", "8.2.6").standing, Standing::NotRun);
        assert_eq!(of(&reports, "soc2", "CC6.8").standing, Standing::NoReport);
        reports[0].verdict = Some(Verdict::None);
        reports[0].by_severity.clear();
        assert_eq!(of(&reports, "soc2", "CC6.6").standing, Standing::NotAssessable);
        reports[1].state = State::Failed;
        assert_eq!(of(&reports, "soc2", "CC6.6").standing, Standing::Failed);
    }
}
