//! The head of a report: TOML inside comment lines between `--- report` and `---`, above the SQL.
//!
//! The head says everything but the rows: what an auditor asks, which controls the report backs, typed parameters and
//! result columns. A head that does not parse is an error with file and line, so that a report never runs under a wrong
//! description. `queries/README.md` documents the keys for users.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use toml::{Spanned, Table};

use super::super::output::chart::ChartHead;
pub use super::kinds::{ColumnType, Expectation, ParameterType, ReportKind};
use super::params::MAX_MISSING;
use super::verdict::{VerdictHead, VerdictRule};
use crate::error::{Error, Result};
use crate::sql::Conventions;

/// A report as its file defines it: head and SQL.
#[derive(Debug, Clone)]
pub struct Report {
    pub id: String,
    pub title: String,
    pub question: String,
    pub readers: String,
    pub kind: ReportKind,
    /// 1 is asked in nearly every engagement, 3 rarely; 0 marks reports of users.
    pub tier: u8,
    /// The data that the source must deliver (A declared base, B class objects, C other data, E engine history).
    pub grade: String,
    /// Framework (soc2, iso, nist, csf, pci, hipaa, gdpr, cis) to control ids, in the order of the head.
    pub controls: Vec<(String, Vec<String>)>,
    pub parameters: Vec<Parameter>,
    /// Parameters of every run, unless the head has one of that name.
    pub common: Vec<Parameter>,
    pub columns: Vec<Column>,
    /// The order of the rows in words; the SQL's last ORDER BY does it.
    pub order: String,
    pub severity: String,
    /// Columns that answer the question: they come first on the page.
    pub answers: Vec<String>,
    pub chart: Option<ChartHead>,
    /// A chart that an older program read from words; it is not drawn.
    pub chart_words: Option<String>,
    /// How to read the rows, and what they cannot say: paragraphs for an auditor.
    pub limits: String,
    pub expectation: Expectation,
    /// The data that its verdict rests on.
    pub verdict: VerdictRule,
    /// Text parameters of which at least one must not be empty; if the list is empty, there is no such rule.
    pub any_of: Vec<String>,
    /// Whether a run sees events at `to` itself, as of that time, and not only those before it.
    pub includes_to: bool,
    /// The SQL without the head, exactly as in the file.
    pub sql: String,
    /// The whole file, for its hash in the evidence.
    pub text: String,
    /// Whether the report is a user's and not embedded.
    pub is_own: bool,
    /// Its path: below `queries/`, or that of the user's file.
    pub path: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub ty: ParameterType,
    /// A text in the form of `--param`, for times also `as_of - P90D`; without one the parameter is required.
    pub default: Option<String>,
    /// If not empty, the only values allowed.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub ty: ColumnType,
}

/// The head as TOML writes it; other modules see `Report`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: Spanned<String>,
    title: String,
    question: String,
    #[serde(default)]
    readers: String,
    kind: ReportKind,
    #[serde(default)]
    tier: u8,
    #[serde(default)]
    grade: String,
    order: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    answers: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    chart: Option<Spanned<toml::Value>>,
    #[serde(default)]
    limits: String,
    expectation: Option<Expectation>,
    #[serde(default)]
    verdict: Option<Spanned<VerdictHead>>,
    #[serde(default)]
    any_of: Vec<String>,
    #[serde(default)]
    includes_to: bool,
    #[serde(default)]
    controls: InOrder<Vec<String>>,
    #[serde(default)]
    parameters: InOrder<ParameterHead>,
    columns: InOrder<ColumnType>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterHead {
    #[serde(rename = "type")]
    ty: ParameterType,
    default: Option<toml::Value>,
    #[serde(default)]
    values: Vec<String>,
}

/// A TOML table whose entries keep the order of the file: for result columns it is part of the contract.
pub(in crate::report) struct InOrder<T>(pub(in crate::report) Vec<(Spanned<String>, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        InOrder(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<(Spanned<String>, T)> = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                // The parser gives the keys sorted by name; their positions tell the order they were written in.
                entries.sort_by_key(|(key, _)| key.span().start);
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

const OPENING: &str = "--- report";
const CLOSING: &str = "---";

impl Report {
    /// Reads a report's file; `path` is for messages, `conventions` resolve defaults like `"@privileged_pattern"`.
    pub(in crate::report) fn parse(path: &str, text: &str, conventions: &Conventions) -> Result<Report> {
        let at =
            |line: usize, message: &str| Error::usage(format!("cannot read report {path}, line {line}: {message}"));
        let lines: Vec<&str> = text.lines().collect();
        let first = lines
            .iter()
            .position(|line| line.trim() == OPENING)
            .ok_or_else(|| at(1, "no head").hint(format!("a report begins with the line `{OPENING}`")))?;
        let length = lines[first + 1..].iter().position(|line| line.trim() == CLOSING).ok_or_else(|| {
            at(first + 1, "the head does not end").hint(format!("close it with the line `{CLOSING}`"))
        })?;

        let mut toml = String::new();
        for (number, line) in lines[first + 1..][..length].iter().enumerate() {
            let body = line
                .trim_start()
                .strip_prefix("--")
                .ok_or_else(|| at(first + 2 + number, "a line of the head begins with `--`"))?;
            toml.push_str(body.strip_prefix(' ').unwrap_or(body));
            toml.push('\n');
        }
        let line_of = |offset: usize| first + 2 + toml[..offset.min(toml.len())].matches('\n').count();
        let head: Head = toml::from_str(&toml)
            .map_err(|error| at(error.span().map_or(first + 1, |span| line_of(span.start)), error.message()))?;

        let id = head.id.get_ref();
        let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || !id.chars().all(is_id) {
            let line = line_of(head.id.span().start);
            return Err(at(line, &format!("`{id}` is no id")).hint("an id has lower-case letters, digits and `-`"));
        }
        let mut parameters = Vec::new();
        for (name, parameter) in head.parameters.0 {
            let default = match parameter.default {
                None => None,
                Some(value) => Some(default_text(&value, conventions.shared()).ok_or_else(|| {
                    let line = line_of(name.span().start);
                    at(line, &format!("the default of parameter `{}` is not one we know", name.get_ref()))
                })?),
            };
            let name = name.into_inner();
            parameters.push(Parameter { name, ty: parameter.ty, default, values: parameter.values });
        }
        let mut common = vec![Parameter {
            name: MAX_MISSING.to_string(),
            ty: ParameterType::Double,
            default: conventions.shared().get(MAX_MISSING).and_then(|value| default_text(value, conventions.shared())),
            values: Vec::new(),
        }];
        common.retain(|one| one.default.is_some() && parameters.iter().all(|own| own.name != one.name));
        let (expectation, verdict) = match head.verdict {
            None => (head.expectation.unwrap_or(Expectation::Any), VerdictRule::default()),
            Some(verdict) => {
                let line = line_of(verdict.span().start);
                let verdict = verdict.into_inner();
                let judges = if verdict.judges { Expectation::NoRows } else { Expectation::Any };
                if head.expectation.is_some_and(|expectation| expectation != judges) {
                    return Err(at(line, "`expectation` and `judges` of the verdict contradict each other")
                        .hint("a report that judges expects no rows; leave out one of the two"));
                }
                (judges, verdict.rule(&parameters, conventions).map_err(|message| at(line, &message))?)
            }
        };
        let columns: Vec<Column> =
            head.columns.0.into_iter().map(|(name, ty)| Column { name: name.into_inner(), ty }).collect();
        let answers = match head.answers {
            None => Vec::new(),
            Some(answers) => {
                let is_unknown = |name: &&String| !columns.iter().any(|column| column.name == **name);
                if let Some(name) = answers.get_ref().iter().find(is_unknown) {
                    let line = line_of(answers.span().start);
                    return Err(at(line, &format!("`answers` names `{name}`, which is not a column of the report")));
                }
                answers.into_inner()
            }
        };
        let (chart, chart_words) = match head.chart {
            None => (None, None),
            Some(chart) => {
                let line = line_of(chart.span().start);
                chart_of(chart.into_inner(), &columns).map_err(|message| at(line, &message))?
            }
        };
        Ok(Report {
            id: head.id.into_inner(),
            title: head.title,
            question: head.question,
            readers: head.readers,
            kind: head.kind,
            tier: head.tier,
            grade: head.grade,
            controls: head.controls.0.into_iter().map(|(name, ids)| (name.into_inner(), ids)).collect(),
            parameters,
            common,
            columns,
            order: head.order,
            severity: head.severity,
            answers,
            chart,
            chart_words,
            limits: head.limits.trim().to_string(),
            expectation,
            verdict,
            any_of: head.any_of,
            includes_to: head.includes_to,
            sql: lines[first + 2 + length..].join("\n"),
            text: text.to_string(),
            path: path.to_string(),
            is_own: true,
        })
    }

    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.all_parameters().find(|parameter| parameter.name == name)
    }

    /// Returns the head's parameters, then those of every run.
    pub fn all_parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().chain(&self.common)
    }

    /// Returns the paragraphs of `limits`, each as one line.
    pub fn paragraphs(&self) -> impl Iterator<Item = String> + '_ {
        self.limits.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Returns the chart of a head, or the words for one.
fn chart_of(value: toml::Value, columns: &[Column]) -> Result<(Option<ChartHead>, Option<String>), String> {
    let head: ChartHead = match value {
        toml::Value::String(words) => return Ok((None, Some(words).filter(|words| words != "none"))),
        value => value.try_into().map_err(|error: toml::de::Error| error.message().to_string())?,
    };
    match head.problem(columns) {
        None => Ok((Some(head), None)),
        Some(problem) => Err(problem),
    }
}

/// Writes a default in the form of `--param`: text as it is, `@name` from the shared values, lists with commas, maps as
/// JSON; a shared value with a type of its own is a table of `type` and `value`.
pub(in crate::report) fn default_text(value: &toml::Value, shared: &Table) -> Option<String> {
    match value {
        toml::Value::String(text) => match text.strip_prefix('@') {
            Some(name) => default_text(shared.get(name)?, shared),
            None => Some(text.clone()),
        },
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(value) => Some(value.to_string()),
        toml::Value::Array(values) => {
            let parts: Option<Vec<&str>> = values.iter().map(toml::Value::as_str).collect();
            Some(parts?.join(","))
        }
        toml::Value::Table(table) => match table.get("value") {
            Some(value) if table.contains_key("type") => default_text(value, shared),
            _ => serde_json::to_string(table).ok(),
        },
        toml::Value::Datetime(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "--- report\n-- id = \"x\"\n-- title = \"X\"\n-- question = \"?\"\n-- kind = \"detection\"\n\
        -- order = \"a\"\n-- [parameters]\n-- z = { type = \"int\", default = 3 }\n-- a = { type = \"list<string>\" }\n\
        -- [columns]\n-- b = \"string\"\n-- a = \"int\"\n---\nselect 1\n";

    #[test]
    fn order_of_columns_and_parameters_is_that_of_the_file() {
        let report = Report::parse("x.sql", SMALL, &Conventions::default()).unwrap();
        assert_eq!(report.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(report.parameters[0].default.as_deref(), Some("3"));
        assert_eq!(report.parameters[1].name, "a");
        assert_eq!(report.sql, "select 1");
    }

    #[test]
    fn errors_name_file_and_line() {
        let wrong = SMALL.replace("\"int\", default", "\"integer\", default");
        let error = Report::parse("x.sql", &wrong, &Conventions::default()).unwrap_err();
        assert!(error.message().starts_with("cannot read report x.sql, line 8: "), "{error}");
        let wrong = SMALL.replace("-- order = \"a\"", "order = \"a\"");
        let error = Report::parse("x.sql", &wrong, &Conventions::default()).unwrap_err();
        assert!(error.message().starts_with("cannot read report x.sql, line 6: "), "{error}");
        let error = Report::parse("x.sql", "select 1", &Conventions::default()).unwrap_err();
        assert_eq!(error.message(), "cannot read report x.sql, line 1: no head");
    }
}
