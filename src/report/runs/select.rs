//! The selection of reports for a run: by id, by tier, by control, or all.

use glob::{MatchOptions, Pattern};

use super::super::catalog::all::Catalog;
use super::super::catalog::header::Report;
use super::controls::{Framework, framework, frameworks};
use crate::error::{Error, Result};

/// The reports that a command names.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub ids: Vec<String>,
    pub tier: Option<u8>,
    /// `SOC2 CC6.*`: a framework and a pattern of control ids, or a pattern alone.
    pub controls: Vec<String>,
    pub is_all: bool,
}

impl Selection {
    /// Returns the reports, each once: named ones in the order they were named, others by id. Ids add to the rest; a
    /// tier and controls narrow each other.
    pub fn pick<'a>(&self, catalog: &'a Catalog) -> Result<Vec<&'a Report>> {
        let mut picked: Vec<&Report> = Vec::new();
        for id in &self.ids {
            let report = catalog.get(id)?;
            if !picked.iter().any(|other| other.id == report.id) {
                picked.push(report);
            }
        }
        if !self.is_all && self.tier.is_none() && self.controls.is_empty() {
            return if picked.is_empty() {
                Err(Error::usage("no report is named")
                    .hint("name reports, or say --tier 1, --controls 'SOC2 CC6.*' or --all; `report list` lists them"))
            } else {
                Ok(picked)
            };
        }
        let patterns: Vec<ControlPattern> =
            self.controls.iter().map(|text| ControlPattern::parse(text)).collect::<Result<_>>()?;
        for report in catalog.list() {
            let is_tier = self.tier.is_none_or(|tier| report.tier == tier);
            let is_backing = patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_backed_by(report));
            if is_tier && is_backing && !picked.iter().any(|other| other.id == report.id) {
                picked.push(report);
            }
        }
        if picked.is_empty() {
            return Err(Error::usage("no report is meant by that").hint("`report list` lists them with tier"));
        }
        Ok(picked)
    }

    /// Returns whether exactly one report is named, by its id.
    pub fn is_single(&self) -> bool {
        self.ids.len() == 1 && !self.is_all && self.tier.is_none() && self.controls.is_empty()
    }
}

struct ControlPattern {
    framework: Option<&'static str>,
    pattern: Pattern,
}

impl ControlPattern {
    fn parse(text: &str) -> Result<ControlPattern> {
        let text = text.trim();
        let (framework, pattern) = match text.rsplit_once(char::is_whitespace) {
            Some((framework, pattern)) => (Some(framework), pattern),
            // A framework alone means all its controls.
            None if framework(text).is_some() => (Some(text), "*"),
            None => (None, text),
        };
        let framework = match framework {
            None => None,
            Some(name) => Some(wanted(name)?.id.as_str()),
        };
        let pattern = Pattern::new(pattern)
            .map_err(|error| Error::usage(format!("`{pattern}` is no pattern of controls")).caused_by(error))?;
        Ok(ControlPattern { framework, pattern })
    }

    fn is_backed_by(&self, report: &Report) -> bool {
        let options = MatchOptions { case_sensitive: false, ..MatchOptions::new() };
        let mut asked = report.controls.iter().filter(|(name, _)| self.framework.is_none_or(|wanted| name == wanted));
        asked.any(|(_, ids)| ids.iter().any(|id| self.pattern.matches_with(id, options)))
    }
}

/// Finds the framework under a name that a user gave.
pub fn wanted(name: &str) -> Result<&'static Framework> {
    framework(name).ok_or_else(|| {
        let names: Vec<&str> = frameworks().iter().map(|one| one.id.as_str()).collect();
        Error::usage(format!("no framework `{name}`")).hint(format!("it is one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(selection: Selection) -> Vec<String> {
        let catalog = Catalog::load(None).unwrap();
        selection.pick(&catalog).unwrap().into_iter().map(|report| report.id.clone()).collect()
    }

    fn controls(text: &str) -> Vec<String> {
        pick(Selection { controls: vec![text.to_string()], ..Selection::default() })
    }

    #[test]
    fn controls_are_found_by_pattern_in_their_framework() {
        let all = controls("SOC2 CC6.*");
        assert!(all.contains(&"brute-force-by-user".to_string()));
        assert_eq!(all, controls("soc 2 cc6.*"));
        assert_eq!(controls("PCI 8.3.4"), controls("PCI DSS 8.3.4"));
        assert!(controls("hipaa 164.308(a)(5)(ii)(C)").contains(&"brute-force-by-user".to_string()));
        assert!(controls("gdpr").len() > 1);
    }

    #[test]
    fn what_means_nothing_is_an_error() {
        let catalog = Catalog::load(None).unwrap();
        let error = |selection: Selection| selection.pick(&catalog).unwrap_err().message().to_string();
        assert_eq!(error(Selection::default()), "no report is named");
        let of = |text: &str| Selection { controls: vec![text.to_string()], ..Selection::default() };
        assert_eq!(error(of("SOX 404")), "no framework `SOX`");
        assert_eq!(error(of("SOC2 ZZ*")), "no report is meant by that");
        assert_eq!(error(of("CC[")), "`CC[` is no pattern of controls");
    }

    #[test]
    fn ids_come_first_and_none_comes_twice() {
        let ids = vec!["user-provisioning-log".to_string(), "user-provisioning-log".to_string()];
        let all = pick(Selection { ids, is_all: true, ..Selection::default() });
        assert_eq!(all[0], "user-provisioning-log");
        assert_eq!(all.iter().filter(|id| *id == "user-provisioning-log").count(), 1);
    }
}
