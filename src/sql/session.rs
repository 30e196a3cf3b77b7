//! A session: one state of the lake, and the statements that are run over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::{DataType, Field};
use datafusion::common::runtime::SpawnedTask;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;

use super::bind::Params;
use super::bound::{ACTIVITY, Bound, COVERAGE, INGEST_LOG, OWN_VIEWS, cannot_register, names, quoted};
use super::conventions::{Conventions, Horizon, MADE, Maker, Settling, Shelf};
use super::documentation::FunctionInfo;
use super::engine::{context, footers};
use super::error::{explain, nearest};
use super::facts::WrongFacts;
use super::labels::relabel;
use super::options::Options;
use super::patience::Patience;
use super::reading::{self, Gauge};
use super::rows::{Limit, Rows, within};
use super::tables::coverage_table::coverage;
use super::tables::ledger_table::IngestLog;
use super::tables::scope::{register, sequence};
use super::tables::{activity, purpose};
use super::type_name::type_name;
use super::{event, facts, functions};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{FileCheck, Lake, State, own_tables};
use crate::schema::Ocsf;

/// The view of all events.
const EVENT: &str = "event";
/// A statement that needs a column of every event.
const ALL_EVENTS: &str = "select time from event_row";
/// The engine's name for the catalog of all tables.
const CATALOG: &str = "datafusion";

/// Checks that no class has the name of a table or a view that every session has.
pub fn check_names(ocsf: &Ocsf, conventions: &Conventions) -> Result<()> {
    let names = names(ocsf, conventions);
    match ocsf.classes().iter().find(|class| names.iter().filter(|name| **name == class.name).count() > 1) {
        Some(class) => {
            Err(Error::usage(format!("cannot use {0}.json: `{0}` is a table that every lake has", class.name))
                .hint("give the class file another name: it becomes the table's"))
        }
        None => Ok(()),
    }
}

/// SQL over one ledger entry.
pub struct Session {
    bound: Arc<Bound>,
}

/// A table as `\dt+` shows it.
#[derive(Debug, Clone)]
pub struct TableInfo {
    pub name: String,
    /// `class`, `view`, `report view`, `ledger`, or `unknown`: rows of a class that is not loaded.
    pub kind: &'static str,
    /// Its purpose, in one line.
    pub purpose: String,
    pub rows: Option<u64>,
    pub files: Option<u64>,
    pub bytes: Option<u64>,
    pub min_time_us: Option<i64>,
    pub max_time_us: Option<i64>,
    pub last_batch: Option<u64>,
}

impl TableInfo {
    /// Returns the ledger's facts about a table.
    pub fn stored(name: &str, kind: &'static str, state: &State) -> TableInfo {
        let table = state.tables.get(name);
        let files = table.map(|table| table.files.as_slice()).unwrap_or_default();
        TableInfo {
            name: name.to_string(),
            kind,
            purpose: String::new(),
            rows: Some(files.iter().map(|file| file.rows).sum()),
            files: Some(files.len() as u64),
            bytes: Some(files.iter().map(|file| file.bytes).sum()),
            min_time_us: files.iter().map(|file| file.min_time_us).min(),
            max_time_us: files.iter().map(|file| file.max_time_us).max(),
            last_batch: table.map(|table| table.sequence),
        }
    }
}

/// A column, nested ones as dotted paths.
#[derive(Debug, Clone)]
pub struct ColumnInfo {
    pub path: String,
    pub data_type: String,
}

impl Session {
    /// Binds a session to the lake's newest entry, or to the one in the options.
    pub async fn new(lake: &Lake, options: &Options) -> Result<Session> {
        let state = match options.as_of {
            Some(as_of) => Arc::new(lake.state_at(sequence(lake, as_of).await?).await?),
            None => lake.state().clone(),
        };
        let context = context(lake.store(), options).context(Kind::Internal, || "cannot set up the query engine")?;
        let ocsf = lake.ocsf().clone();
        functions::register(&context, &ocsf);
        let footers = Arc::new(footers(lake.store(), &context, options));
        for class in ocsf.classes() {
            register(&context, &state, &class.name, class.arrow.clone(), options, &footers)?;
        }
        for (table, schema) in own_tables() {
            register(&context, &state, table, schema, options, &footers)?;
        }
        context
            .register_table(INGEST_LOG, Arc::new(IngestLog::new(lake.clone(), state.sequence)))
            .context(Kind::Internal, || cannot_register(INGEST_LOG))?;
        let covered = coverage(&state).context(Kind::Internal, || cannot_register(COVERAGE))?;
        context.register_batch(COVERAGE, covered).context(Kind::Internal, || cannot_register(COVERAGE))?;
        let activities = activity::activities(&ocsf).context(Kind::Internal, || cannot_register(ACTIVITY))?;
        context.register_batch(ACTIVITY, activities).context(Kind::Internal, || cannot_register(ACTIVITY))?;
        for (name, table) in &options.given {
            let cannot = || cannot_register(name);
            // A table that stands for a convention is found when the convention is named.
            if context.deregister_table(quoted(name)).context(Kind::Internal, cannot)?.is_some() {
                context.register_table(quoted(name), table.clone()).context(Kind::Internal, cannot)?;
            }
        }
        let shelf = Arc::new(Shelf::default());
        let catalog =
            context.catalog(CATALOG).ok_or_else(|| Error::new(Kind::Internal, "the engine has no catalog"))?;
        catalog.register_schema(MADE, shelf.clone()).context(Kind::Internal, || cannot_register(MADE))?;
        let conventions = match &options.conventions {
            Some(conventions) => conventions.clone(),
            None => Arc::new(Conventions::load()?),
        };
        let facts = facts::open(lake, &state, &conventions, options, &context, footers)?;
        let maker = Arc::new(Maker {
            facts,
            context: context.clone(),
            shelf,
            ocsf: ocsf.clone(),
            state: state.clone(),
            given: options.given.clone(),
            memory_limit: options.memory_limit,
        });
        let (memory_limit, timeout) = (options.memory_limit, options.timeout);
        check_names(&ocsf, &conventions)?;
        let (left_out, is_short) = (lake.unknown_tables_in(&state), AtomicBool::new(false));
        let files = FileCheck::of(lake);
        let settling = Settling::default();
        let bound = Bound {
            context,
            ocsf,
            state,
            conventions,
            maker,
            memory_limit,
            timeout,
            left_out,
            is_short,
            files,
            settling,
        };
        Ok(Session { bound: Arc::new(bound) })
    }

    /// Returns the ledger entry that the session sees, and its hash.
    pub fn entry(&self) -> (u64, &str) {
        (self.bound.state.sequence, &self.bound.state.hash)
    }

    /// Returns the state of the lake that the session sees.
    pub fn state(&self) -> &Arc<State> {
        &self.bound.state
    }

    /// Compares all files of these tables with the ledger, byte by byte; files that this session already compared are
    /// not read again.
    pub async fn check_files(&self, tables: &[String]) -> Result<()> {
        let tables = self.state().tables.iter().filter(|(name, _)| tables.contains(name));
        let files: Vec<_> = tables.flat_map(|(_, table)| table.files.iter().cloned()).collect();
        self.bound.files.check(&files).await
    }

    /// Returns tables that hold rows but that no statement can see, since no schema of their name is loaded; with their
    /// rows.
    pub fn left_out(&self) -> &[(String, u64)] {
        &self.bound.left_out
    }

    /// Returns whether a statement asked for events of all classes, and got fewer because of [`Session::left_out`].
    pub fn is_short(&self) -> bool {
        self.bound.is_short.load(Ordering::Relaxed)
    }

    pub fn ocsf(&self) -> &Arc<Ocsf> {
        &self.bound.ocsf
    }

    /// Returns the engine, for callers that decode a plan of this session.
    pub fn context(&self) -> &SessionContext {
        &self.bound.context
    }

    /// Starts one statement over the events before the horizon; rows come as they are made. Dropping the future or the
    /// rows stops it.
    pub async fn query(&self, sql: &str, params: &Params, horizon: Horizon) -> Result<Rows> {
        self.ordered(sql, params, horizon, &[]).await
    }

    /// Does the same with the rows in one order: an order that the statement leaves open follows these columns of its
    /// result.
    pub async fn ordered(&self, sql: &str, params: &Params, horizon: Horizon, columns: &[String]) -> Result<Rows> {
        let limit = self.bound.timeout.map(Limit::new);
        let known = Arc::new(self.bound.known(sql));
        let (bound, text, params, names) = (self.bound.clone(), sql.to_string(), params.clone(), known.clone());
        let order = columns.to_vec();
        // When this is dropped, by a time limit or ^C, planning ends at its next step.
        let waiting = Waiting(Patience::default());
        let patience = waiting.0.clone();
        let planning = SpawnedTask::spawn(async move {
            let planned = bound.plan(&text, &params, horizon, &order, &names, &patience).await?;
            let stream = execute_stream(planned.plan.clone(), planned.task.clone());
            Ok((stream.map_err(|error| explain(error, &names))?, planned))
        });
        let (stream, planned) =
            within(limit, planning.join()).await?.context(Kind::Internal, || "the planner stopped")??;
        let gauge = Gauge::new(reading::named(&planned.used.tables, &self.bound.state), planned.plan);
        Ok(Rows::new(relabel(&stream.schema()), gauge, stream, known, limit, planned.used))
    }

    /// Returns the plan of a statement, not started.
    pub async fn plan(&self, sql: &str, params: &Params, horizon: Horizon) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.bound.plan(sql, params, horizon, &[], &self.bound.known(sql), &Patience::default()).await?.plan)
    }

    /// Makes the missing facts; when it is dropped, those that are complete stay.
    pub async fn make_facts(&self) -> Result<()> {
        self.plan(ALL_EVENTS, &Params::new(), Horizon::All).await.map(drop)
    }

    /// Returns the columns of `select * from event` that facts lack; none when the session has no facts.
    pub async fn beyond_facts(&self) -> Result<Option<Vec<String>>> {
        if self.bound.maker.facts.is_none() {
            return Ok(None);
        }
        self.bound.columns(facts::EVENTS).await?;
        let Some(others) = self.bound.maker.shelf.of_events().and_then(|rows| rows.beyond_facts()) else {
            return Ok(None);
        };
        let Some(view) = self.bound.conventions.view(EVENT) else { return Ok(None) };
        let unlisted = event::unlisted(&view.statement, &self.bound.conventions, &self.bound.ocsf);
        let columns = self.bound.columns(EVENT).await?;
        let columns = columns.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().clone()));
        Ok(Some(columns.filter(|name| others.contains(name) && !unlisted.contains(name)).collect()))
    }

    /// Compares the facts in the lake with the tables of classes.
    pub async fn check_facts(&self) -> Result<Vec<WrongFacts>> {
        let Some(facts) = self.bound.maker.facts.clone() else { return Ok(Vec::new()) };
        let known = self.bound.known(ALL_EVENTS);
        self.bound.columns(facts::EVENTS).await?;
        let Some(rows) = self.bound.maker.shelf.of_events() else { return Ok(Vec::new()) };
        let state = self.bound.context.state();
        let check = SpawnedTask::spawn(async move { facts.check_all(&state, &rows).await });
        let found = check.join().await.context(Kind::Internal, || "a task that checks facts stopped")?;
        found.map_err(|error| explain(error, &known))
    }

    /// Removes files of facts.
    pub async fn remove_facts(&self, wrong: &[WrongFacts]) -> Result<()> {
        match &self.bound.maker.facts {
            Some(facts) => facts.remove(wrong).await,
            None => Ok(()),
        }
    }

    /// Returns the functions that statements may use, by name.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        functions::catalogue(&self.bound.context)
    }

    /// Returns all tables and views, with the ledger's facts about them.
    pub fn tables(&self) -> Vec<TableInfo> {
        let state = &self.bound.state;
        let info = |name: String| {
            let is_class = self.bound.ocsf.by_name(&name).is_some();
            let is_own = own_tables().iter().any(|(table, _)| *table == name);
            let kind = match name.as_str() {
                INGEST_LOG | COVERAGE => "ledger",
                _ if is_own => "ledger",
                _ if is_class => "class",
                _ if self.bound.conventions.view(&name).is_some() && !OWN_VIEWS.contains(&name.as_str()) => {
                    "report view"
                }
                _ => "view",
            };
            let purpose = purpose::of_table(&name, &self.bound.ocsf);
            let view = self.bound.conventions.view(&name);
            let purpose = purpose.or_else(|| view.map(|view| view.purpose.clone())).unwrap_or_default();
            let stored = TableInfo { purpose, ..TableInfo::stored(&name, kind, state) };
            if is_class || is_own { stored } else { TableInfo { rows: None, files: None, bytes: None, ..stored } }
        };
        let left_out = self.bound.left_out.iter().map(|(name, _)| TableInfo {
            purpose: "events of a class whose schema is not loaded".to_string(),
            ..TableInfo::stored(name, "unknown", state)
        });
        self.bound.names().into_iter().map(info).chain(left_out).collect()
    }

    /// Returns the SQL that defines a view; `None` for tables, and for names that do not exist.
    pub fn definition(&self, name: &str) -> Option<String> {
        self.bound.conventions.view(name).map(|view| view.text.trim().to_string())
    }

    /// Returns the columns of a table, nested ones as dotted paths, depth first.
    pub async fn columns(&self, table: &str) -> Result<Vec<ColumnInfo>> {
        let Some(schema) = self.bound.columns(table).await? else {
            let error = Error::input(format!("no table `{table}`"));
            return Err(match nearest(table, &self.bound.names()) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None => error.hint("`\\d` lists the tables"),
            });
        };
        let mut columns = Vec::new();
        for field in schema.fields() {
            walk("", field, &mut columns);
        }
        Ok(columns)
    }
}

/// Represents somebody who waits for a plan.
struct Waiting(Patience);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn walk(prefix: &str, field: &Field, columns: &mut Vec<ColumnInfo>) {
    let path = if prefix.is_empty() { field.name().clone() } else { format!("{prefix}.{}", field.name()) };
    match field.data_type() {
        DataType::Struct(children) => children.iter().for_each(|child| walk(&path, child, columns)),
        DataType::List(item) => match item.data_type() {
            DataType::Struct(children) => {
                children.iter().for_each(|child| walk(&format!("{path}[]"), child, columns));
            }
            other => columns.push(ColumnInfo { path: format!("{path}[]"), data_type: type_name(other) }),
        },
        other => columns.push(ColumnInfo { path, data_type: type_name(other) }),
    }
}
