//! The catalogue's conventions as views: one file, one view, registered for a run when something asks for them.

use std::collections::BTreeMap;

use datafusion::config::Dialect;
use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement;
use toml::Table;

use super::header::{Parameter, ParameterType, default_text};
use super::literal;
use super::params::{Params, Value, typed};
use crate::error::{Context, Error, Kind, Result};

/// All convention views by name, and the parameters they use when the report does not set them.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: BTreeMap<String, View>,
    defaults: BTreeMap<String, Value>,
}

#[derive(Debug, Default)]
pub(super) struct View {
    pub name: String,
    /// What it holds, for people.
    pub purpose: String,
    /// The whole file.
    pub text: String,
    /// Evaluated once per run and kept in memory: small results of a pass over all events.
    pub is_evaluated_once: bool,
    /// Stands for a table that a run may be given, and says what columns it has.
    pub input: Option<Input>,
}

/// How a run sees the rows of a table that it is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    All,
    /// Those whose time in this column is within the horizon.
    By(String),
}

/// What a run has to register, in this order.
pub(super) struct Step<'a> {
    pub source: Source<'a>,
    pub scope: Scope,
    pub name: String,
}

/// Which events a view sees, and of which period it speaks: the schema before its name in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// `event`: up to the horizon of the run.
    Run,
    /// `always.event`: all there are, also beyond the period. Only the log's own gaps may look there (C3).
    Always,
    /// `previous.event`: as if the period before were run: `$from` is `$previous_from`, `$to` is `$from`.
    Previous,
}

impl Scope {
    /// The schema; none for the run's own.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Scope::Run => None,
            Scope::Always => Some("always"),
            Scope::Previous => Some("previous"),
        }
    }

    fn of(schema: &str) -> Result<Scope> {
        let known = [Scope::Always, Scope::Previous].into_iter().find(|scope| scope.name() == Some(schema));
        known.ok_or_else(|| {
            Error::input(format!("no schema `{schema}`"))
                .hint("a view is named alone, or as always.name or previous.name")
        })
    }

    /// The parameter that `$name` means here.
    fn parameter(self, name: &str) -> &str {
        match (self, name) {
            (Scope::Previous, "from") => "previous_from",
            (Scope::Previous, "to") => "from",
            _ => name,
        }
    }
}

pub(super) enum Source<'a> {
    View(&'a View, Box<Statement>),
    /// A table of the session: `visible_<table>`, or `<table>` itself.
    Table(String),
}

pub(super) const VISIBLE: &str = "visible_";

impl Views {
    pub(super) fn parse(files: &[(String, String)], defaults: &Table) -> Result<Views> {
        let mut found = Views::default();
        for (path, text) in files {
            let wrong = |message: &str| Error::new(Kind::Internal, format!("cannot read queries/{path}: {message}"));
            let mut view = View { text: text.clone(), ..View::default() };
            for line in text.lines().map_while(|line| line.strip_prefix("-- ")) {
                match line.split_once(": ") {
                    Some(("view", name)) => view.name = name.trim().to_string(),
                    Some(("evaluate", "once")) => view.is_evaluated_once = true,
                    Some(("purpose", purpose)) => view.purpose = purpose.trim().to_string(),
                    Some(("input", "all")) => view.input = Some(Input::All),
                    Some(("input", column)) => view.input = Some(Input::By(column.trim().to_string())),
                    Some(("convention", _)) => {}
                    _ => {
                        return Err(wrong(&format!(
                            "`{line}` is not `view: `, `convention: `, `purpose: `, `input: ` or `evaluate: once`"
                        )));
                    }
                }
            }
            let stem = path.rsplit('/').next().and_then(|file| file.strip_suffix(".sql"));
            if stem != Some(view.name.as_str()) {
                return Err(wrong("the file's name is not the view's"));
            }
            found.views.insert(view.name.clone(), view);
        }
        for (name, value) in defaults {
            let value = match value {
                toml::Value::Boolean(value) => Value::Boolean(*value),
                toml::Value::Table(table) => typed_default(name, table, defaults)?,
                toml::Value::String(text) => Value::Text(text.clone()),
                toml::Value::Array(values) => {
                    Value::Strings(values.iter().filter_map(|value| value.as_str().map(str::to_string)).collect())
                }
                _ => return Err(Error::new(Kind::Internal, format!("cannot use the default of `{name}`"))),
            };
            found.defaults.insert(name.clone(), value);
        }
        Ok(found)
    }

    /// Whether a run may be given a table of this name.
    pub(super) fn is_input(&self, name: &str) -> bool {
        self.views.get(name).is_some_and(|view| view.input.is_some())
    }

    pub(super) fn list(&self) -> impl Iterator<Item = &View> {
        self.views.values()
    }

    /// The statement of a report with its parameters, and everything it stands on, each before what uses it.
    pub(super) fn plan(&self, sql: &str, params: &Params, state: &SessionState) -> Result<(Statement, Vec<Step<'_>>)> {
        let mut planner = Planner { views: self, params, state, steps: Vec::new(), open: Vec::new() };
        let statement = planner.statement(sql, Scope::Run)?;
        Ok((statement, planner.steps))
    }
}

/// A shared value whose type its text does not show: `{ type = "duration", value = "PT24H" }`.
fn typed_default(name: &str, table: &Table, defaults: &Table) -> Result<Value> {
    let wrong = || Error::new(Kind::Internal, format!("cannot use the default of `{name}`"));
    let ty: ParameterType = table.get("type").and_then(|ty| ty.clone().try_into().ok()).ok_or_else(wrong)?;
    let text = table.get("value").and_then(|value| default_text(value, defaults)).ok_or_else(wrong)?;
    typed(&Parameter { name: name.to_string(), ty, default: None, values: Vec::new() }, &text)
}

struct Planner<'a, 'b> {
    views: &'a Views,
    params: &'b Params,
    state: &'b SessionState,
    steps: Vec<Step<'a>>,
    /// Views on the way down, to find a circle.
    open: Vec<(String, Scope)>,
}

impl<'a> Planner<'a, '_> {
    fn statement(&mut self, sql: &str, scope: Scope) -> Result<Statement> {
        let parsed =
            self.state.sql_to_statement(sql, &Dialect::DuckDB).context(Kind::Input, || "cannot parse the SQL")?;
        let references =
            self.state.resolve_table_references(&parsed).context(Kind::Input, || "cannot parse the SQL")?;
        let EngineStatement::Statement(statement) = parsed else {
            return Err(Error::input("the SQL is not a query"));
        };
        let mut statement = *statement;
        if !matches!(statement, Statement::Query(_)) {
            return Err(Error::input("the SQL is not a query"));
        }
        for reference in references {
            self.require(reference.table(), reference.schema().map_or(Ok(scope), Scope::of)?)?;
        }
        let (params, defaults) = (self.params, &self.views.defaults);
        literal::bind(&mut statement, |name| {
            let name = scope.parameter(name);
            params.get(name).or_else(|| defaults.get(name))
        })?;
        Ok(statement)
    }

    fn require(&mut self, name: &str, scope: Scope) -> Result<()> {
        if self.steps.iter().any(|step| step.name == name && step.scope == scope) {
            return Ok(());
        }
        let views = self.views;
        let source = match views.views.get(name) {
            Some(view) => {
                if self.open.iter().any(|open| *open == (name.to_string(), scope)) {
                    return Err(Error::new(Kind::Internal, format!("view `{name}` stands on itself")));
                }
                self.open.push((name.to_string(), scope));
                let statement = self
                    .statement(&view.text, scope)
                    .map_err(|error| Error::new(error.kind(), format!("cannot make view `{name}`")).caused_by(error))?;
                self.open.pop();
                Source::View(view, Box::new(statement))
            }
            None => Source::Table(name.strip_prefix(VISIBLE).unwrap_or(name).to_string()),
        };
        self.steps.push(Step { source, scope, name: name.to_string() });
        Ok(())
    }
}
