//! Checks the reports of users before they run, and writes a text to start from.

use std::path::{Path, PathBuf};

use regex::Regex;

use super::catalog::all::{Catalog, sql_files};
use super::catalog::header::{Expectation, ParameterType, Report};
use super::catalog::params::Params;
use super::evidence::run::run;
use super::runs::controls::{framework as framework_of, frameworks};
use crate::error::{Context, Error, Kind, Result};
use crate::sql::Session;

/// The result of checking one file.
#[derive(Debug)]
pub struct Checked {
    pub path: PathBuf,
    pub id: Option<String>,
    /// Faults that keep the report from running.
    pub problems: Vec<String>,
    /// Omissions that an auditor would notice.
    pub advice: Vec<String>,
}

/// Checks every report of `folder`: its head, controls and parameters, and that it plans and gives its columns over the
/// lake of the session, which may be empty.
pub async fn check(catalog: &Catalog, folder: &Path, session: &Session) -> Result<Vec<Checked>> {
    let mut all = Vec::new();
    let mut ids: Vec<String> = catalog.list().iter().map(|report| report.id.clone()).collect();
    for path in sql_files(folder)? {
        let mut checked = Checked { path: path.clone(), id: None, problems: Vec::new(), advice: Vec::new() };
        let text = std::fs::read_to_string(&path);
        let text = text.context(Kind::Usage, || format!("cannot read report {}", path.display()))?;
        match catalog.read(&path.display().to_string(), &text) {
            Err(error) => checked.problems.push(said(&error)),
            Ok(report) => {
                if ids.contains(&report.id) {
                    checked.problems.push(format!("the id `{}` is taken", report.id));
                }
                ids.push(report.id.clone());
                if path.file_stem().is_none_or(|stem| stem != report.id.as_str()) {
                    checked.problems.push(format!("the file is not called {}.sql", report.id));
                }
                controls(&report, &mut checked.problems);
                if let Some(words) = &report.chart_words {
                    let said = "a chart is a table `[chart]` with `kind` and `x`; queries/README.md describes it";
                    checked.problems.push(format!("the chart `{words}` is words, which nobody draws: {said}"));
                }
                habits(&report, &mut checked.advice);
                if let Err(error) = plan(&report, session).await {
                    checked.problems.push(said(&error));
                }
                checked.id = Some(report.id);
            }
        }
        all.push(checked);
    }
    if all.is_empty() {
        Err(Error::usage(format!("there is no report in {}", folder.display()))
            .hint("`auditlake report new ID --dir DIR` starts one"))
    } else {
        Ok(all)
    }
}

fn said(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

/// Refuses controls that no framework has: they would be evidence for nothing.
pub(super) fn controls(report: &Report, problems: &mut Vec<String>) {
    for (framework, ids) in &report.controls {
        let Some(known) = framework_of(framework) else {
            let names: Vec<&str> = frameworks().iter().map(|one| one.id.as_str()).collect();
            problems.push(format!("no framework `{framework}`: it is one of {}", names.join(", ")));
            continue;
        };
        let form = Regex::new(&known.form).expect("a test compiles the forms of all frameworks");
        for id in ids.iter().filter(|id| !form.is_match(id)) {
            let example = &known.example;
            problems.push(format!("`{id}` is not a control of {framework}, whose ids look like {example}"));
        }
    }
}

fn habits(report: &Report, advice: &mut Vec<String>) {
    let mut miss = |is_missing: bool, text: String| {
        if is_missing {
            advice.push(text);
        }
    };
    let has = |name: &str| report.columns.iter().any(|column| column.name == name);
    let lower = report.sql.to_lowercase();
    miss(!lower.contains("order by"), "the query has no `order by`: its rows come in the order of all columns".into());
    for parameter in &report.parameters {
        let is_horizon = matches!(parameter.name.as_str(), "to" | "as_of");
        let is_used = report.sql.contains(&format!("${}", parameter.name));
        miss(!is_used && !is_horizon, format!("the query does not use ${}", parameter.name));
    }
    if report.expectation == Expectation::NoRows {
        miss(!has("severity_id"), "no column `severity_id`: every finding is medium".into());
        miss(!has("finding_key"), "no column `finding_key`: a finding is known by its whole row".into());
    }
    miss(report.controls.is_empty(), "it names no control".into());
    miss(report.limits.is_empty(), "no `limits`: the page cannot say how to read the rows".into());
}

/// Runs the report with a value for each parameter that has none.
async fn plan(report: &Report, session: &Session) -> Result<()> {
    let is_chosen = |name: &String| report.any_of.first() == Some(name);
    let open = report.parameters.iter().filter(|one| one.default.is_none() || is_chosen(&one.name));
    let given: Vec<(String, String)> = open
        .map(|parameter| {
            let value = match parameter.ty {
                _ if !parameter.values.is_empty() => parameter.values[0].as_str(),
                ParameterType::Timestamp if matches!(parameter.name.as_str(), "to" | "as_of") => "2026-02-01",
                ParameterType::Timestamp => "2026-01-01",
                ParameterType::Duration => "PT1H",
                ParameterType::Int | ParameterType::Double => "1",
                ParameterType::Boolean => "true",
                ParameterType::Timezone => "UTC",
                ParameterType::Month => "2026-01",
                ParameterType::Time => "08:00",
                ParameterType::Dates => "2026-01-01",
                ParameterType::Patterns => "{}",
                _ => "x",
            };
            (parameter.name.clone(), value.to_string())
        })
        .collect();
    let params = Params::new(report, &given, None)?;
    run(report, &params, session).await?.collect().await.map(|_| ())
}

/// Returns the text of a new report, which passes the check.
pub fn template(id: &str) -> Result<String> {
    let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_id {
        return Err(Error::usage(format!("`{id}` is no id")).hint("an id has lower-case letters, digits and `-`"));
    }
    let words = id.replace('-', " ");
    let title: String = words.chars().take(1).flat_map(char::to_uppercase).chain(words.chars().skip(1)).collect();
    Ok(format!(
        r#"--- report
-- id = "{id}"
-- title = "{title}"
-- question = "Which addresses failed to log on at least so often in the period?"
-- readers = "security operations"
-- kind = "detection"
-- order = "failures descending, src_ip"
-- severity = "3 from at_least failures on, 4 from ten times as many"
-- answers = ["src_ip", "failures"]
-- expectation = "no rows"
-- limits = """
-- A row is an address from which at least `at_least` logons failed in the period. Say here what a row means, what it
-- cannot say, and what to do about it."""
--
-- [chart]
-- kind = "bar"
-- x = "src_ip"
-- values = ["failures"]
--
-- [controls]
-- soc2 = ["CC7.2"]
--
-- [parameters]
-- from = {{ type = "timestamp" }}
-- to = {{ type = "timestamp" }}
-- at_least = {{ type = "int", default = 10 }}
--
-- [columns]
-- src_ip = "string"
-- failures = "bigint"
-- last_time = "timestamp"
-- severity_id = "int"
-- finding_key = "string"
---
-- `logon` is a view of the conventions; queries/README.md lists them all.
select
  src_ip, failures, last_time,
  case when failures >= 10 * $at_least then 4 else 3 end as severity_id,
  '{id}|' || coalesce(src_ip, '') as finding_key
from (
  select src_ip, count(*) as failures, max(time) as last_time
  from logon
  where outcome = 'failure' and time >= $from and time < $to
  group by src_ip
)
where failures >= $at_least
order by failures desc nulls last, src_ip nulls last
"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_of_ours_has_the_form_of_its_framework() {
        let catalog = Catalog::load(None).unwrap();
        let mut problems = Vec::new();
        catalog.list().iter().for_each(|report| controls(report, &mut problems));
        assert_eq!(problems, Vec::<String>::new());
    }
}
