//! A session: one state of the lake, and the statements that are run over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use datafusion::common::runtime::SpawnedTask;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

use super::bind::{Params, bind};
use super::conventions::{self, Conventions, Named};
use super::coverage_table::coverage;
use super::documentation::FunctionInfo;
use super::engine::{context, footers};
use super::error::{Known, explain, nearest};
use super::labels::relabel;
use super::ledger_table::IngestLog;
use super::narrow::Narrow;
use super::options::Options;
use super::reading::{self, Gauge};
use super::rows::{Limit, Rows, within};
use super::scope::{register, sequence};
use super::types::type_name;
use super::upstream::{Patience, physical};
use super::views::{OVER_ALL, View, event, event_columns, views};
use super::{functions, guard};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, State, own_tables};
use crate::schema::Ocsf;

const INGEST_LOG: &str = "ingest_log";
const COVERAGE: &str = "coverage";

/// Checks that no class has the name of a table or a view that every session has.
pub fn check_names(ocsf: &Ocsf, conventions: &dyn Conventions) -> Result<()> {
    let mut taken = vec![INGEST_LOG.to_string(), COVERAGE.to_string()];
    taken.extend(views(ocsf).into_iter().map(|view| view.name));
    taken.extend(conventions.list().into_iter().map(|(name, _)| name));
    match ocsf.classes().iter().find(|class| taken.contains(&class.name)) {
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

/// What the tasks of a session share.
struct Bound {
    context: SessionContext,
    ocsf: Arc<Ocsf>,
    state: Arc<State>,
    /// Views of ours, planned when a statement names them: each takes longer to plan than most statements.
    views: Vec<View>,
    conventions: Option<Arc<dyn Conventions>>,
    memory_limit: Option<usize>,
    timeout: Option<Duration>,
    /// Tables with rows that no schema is loaded for; with their rows.
    left_out: Vec<(String, u64)>,
    /// A statement asked for all events, and these tables were left out.
    is_short: AtomicBool,
}

/// A table as `\dt+` shows it.
#[derive(Debug, Clone)]
pub struct TableInfo {
    pub name: String,
    pub kind: &'static str,
    pub rows: Option<u64>,
    pub files: Option<u64>,
    pub bytes: Option<u64>,
    pub min_time_us: Option<i64>,
    pub max_time_us: Option<i64>,
    pub last_batch: Option<u64>,
}

impl TableInfo {
    /// What the ledger knows of a table.
    pub fn stored(name: &str, kind: &'static str, state: &State) -> TableInfo {
        let table = state.tables.get(name);
        let files = table.map(|table| table.files.as_slice()).unwrap_or_default();
        TableInfo {
            name: name.to_string(),
            kind,
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
        let views = views(&ocsf);
        let left_out = lake.unknown_tables_in(&state);
        let bound = Bound {
            context,
            ocsf,
            state,
            views,
            conventions: options.conventions.clone(),
            memory_limit: options.memory_limit,
            timeout: options.timeout,
            left_out,
            is_short: AtomicBool::new(false),
        };
        Ok(Session { bound: Arc::new(bound) })
    }

    /// The ledger entry that the session sees, and its hash.
    pub fn entry(&self) -> (u64, &str) {
        (self.bound.state.sequence, &self.bound.state.hash)
    }

    /// The state of the lake that the session sees.
    pub fn state(&self) -> &Arc<State> {
        &self.bound.state
    }

    /// Tables that hold rows and that no statement can see, since no schema of their name is loaded; with their rows.
    pub fn left_out(&self) -> &[(String, u64)] {
        &self.bound.left_out
    }

    /// Whether a statement asked for events of all classes, and got fewer because of [`Session::left_out`].
    pub fn is_short(&self) -> bool {
        self.bound.is_short.load(Ordering::Relaxed)
    }

    pub fn ocsf(&self) -> &Arc<Ocsf> {
        &self.bound.ocsf
    }

    /// The engine with all tables registered, for reports, which add views of their own.
    pub fn context(&self) -> &SessionContext {
        &self.bound.context
    }

    /// Starts one statement; rows come as they are made. Dropping the future or the rows stops it.
    pub async fn query(&self, sql: &str, params: &Params) -> Result<Rows> {
        let limit = self.bound.timeout.map(Limit::new);
        let known = Arc::new(Known {
            ocsf: self.bound.ocsf.clone(),
            tables: self.bound.names(),
            sql: sql.to_string(),
            memory_limit: self.bound.memory_limit,
            context: self.bound.context.clone(),
        });
        let (bound, text, params, names) = (self.bound.clone(), sql.to_string(), params.clone(), known.clone());
        // When this is dropped, by a time limit or ^C, planning ends at its next step.
        let waiting = Waiting(Patience::default());
        let patience = waiting.0.clone();
        let planning = SpawnedTask::spawn(async move { bound.plan(&text, &params, &names, &patience).await });
        let (gauge, stream) =
            within(limit, planning.join()).await?.context(Kind::Internal, || "the planner stopped")??;
        Ok(Rows::new(relabel(&stream.schema()), gauge, stream, known, limit))
    }

    /// The functions that statements may use, by name.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        functions::catalogue(&self.bound.context)
    }

    /// All tables and views, with what the ledger knows of them.
    pub fn tables(&self) -> Vec<TableInfo> {
        let state = &self.bound.state;
        let info = |name: String| {
            let kind = match name.as_str() {
                INGEST_LOG | COVERAGE => "ledger",
                name if own_tables().iter().any(|(table, _)| *table == name) => "table",
                name if self.bound.ocsf.by_name(name).is_some() => "table",
                name if name == self.bound.ocsf.other().name => "table",
                name if self.bound.left_out.iter().any(|(left_out, _)| left_out == name) => "unknown",
                _ => "view",
            };
            let stored = TableInfo::stored(&name, kind, state);
            match kind {
                "table" | "unknown" => stored,
                _ => TableInfo { rows: None, files: None, bytes: None, ..stored },
            }
        };
        let left_out = self.bound.left_out.iter().map(|(name, _)| name.clone());
        self.bound.names().into_iter().chain(left_out).map(info).collect()
    }

    /// The columns of a table, nested ones as dotted paths, depth first.
    pub async fn columns(&self, table: &str) -> Result<Vec<ColumnInfo>> {
        self.bound.require(&[table.to_string()]).await?;
        if let Some(conventions) = self.bound.conventions_named(table) {
            self.bound.make(&conventions, &Named { view: table.to_string(), as_of_us: None }).await?;
        }
        let Ok(provider) = self.bound.context.table_provider(table).await else {
            let error = Error::input(format!("no table `{table}`"));
            return Err(match nearest(table, &self.bound.names()) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None => error.hint("`\\d` lists the tables"),
            });
        };
        let mut columns = Vec::new();
        for field in provider.schema().fields() {
            walk("", field, &mut columns);
        }
        Ok(columns)
    }
}

impl Bound {
    /// From a statement's text to its first row.
    async fn plan(
        &self,
        sql: &str,
        params: &Params,
        known: &Known,
        patience: &Patience,
    ) -> Result<(Gauge, SendableRecordBatchStream)> {
        let mut statement = guard::admit(sql, known)?;
        let mut named = Vec::new();
        if let Some(inner) = guard::inner(&mut statement) {
            bind(inner, params)?;
            conventions::replace(inner, &mut |name, arguments| {
                if self.conventions_named(name).is_none() {
                    return Ok(None);
                }
                let as_of_us = arguments.map_or(Ok(None), |arguments| conventions::as_of(name, arguments))?;
                let one = Named { view: name.to_string(), as_of_us };
                let table = arguments.map(|_| one.table());
                named.push(one);
                Ok(table)
            })?;
            for named in &named {
                if let Some(conventions) = self.conventions_named(&named.view) {
                    self.make(&conventions, named).await?;
                }
            }
        }
        if !self.left_out.is_empty() && (!named.is_empty() || self.is_over_all(&statement)) {
            self.is_short.store(true, Ordering::Relaxed);
        }
        // With few columns first. Where that does not do, all of them give the right answer, or the right complaint.
        if let Some(narrow) = Narrow::new(sql, &statement, event_columns(&self.ocsf)) {
            let view = event(&self.ocsf, &|column| narrow.has(column));
            self.add(&narrow.table, &view).await?;
            if let Ok(planned) = self.start(narrow.statement, known, patience).await {
                return Ok(planned);
            }
        }
        self.start(statement, known, patience).await
    }

    /// Whether a statement names a view that is made of every class.
    fn is_over_all(&self, statement: &Statement) -> bool {
        let references = self.context.state().resolve_table_references(statement);
        references.is_ok_and(|names| names.iter().any(|name| OVER_ALL.contains(&name.table())))
    }

    /// Plans a statement whose own tables may be views that are yet to be made.
    async fn start(
        &self,
        statement: Statement,
        known: &Known,
        patience: &Patience,
    ) -> Result<(Gauge, SendableRecordBatchStream)> {
        let explained = |error| explain(error, known);
        let state = self.context.state();
        let references = state.resolve_table_references(&statement).map_err(explained)?;
        let is_about_all = !guard::is_plain(&statement)
            || references.iter().any(|reference| reference.schema() == Some("information_schema"));
        match is_about_all {
            true => self.require(&self.views.iter().map(|view| view.name.clone()).collect::<Vec<_>>()).await?,
            false => {
                self.require(&references.iter().map(|name| name.table().to_string()).collect::<Vec<_>>()).await?;
            }
        }
        let mut state = self.context.state();
        state.config_mut().options_mut().extensions.insert(patience.clone());
        let plan = state.statement_to_plan(statement).await.map_err(explained)?;
        guard::options().verify_plan(&plan).map_err(explained)?;
        let named = reading::named(&plan, &self.state);
        let task = state.task_ctx();
        let plan = physical(&state, &plan).await.map_err(explained)?;
        let stream = execute_stream(plan.clone(), task).map_err(explained)?;
        Ok((Gauge::new(named, plan), stream))
    }

    /// Registers those of the names that are views of ours and not yet known to the engine.
    async fn require(&self, names: &[String]) -> Result<()> {
        for view in self.views.iter().filter(|view| names.contains(&view.name)) {
            self.add(&view.name, &view.sql).await?;
        }
        Ok(())
    }

    /// Registers a view, once.
    async fn add(&self, name: &str, sql: &str) -> Result<()> {
        let cannot = || cannot_register(name);
        if self.context.table_exist(quoted(name)).context(Kind::Internal, cannot)? {
            return Ok(());
        }
        let state = self.context.state();
        let plan = state.create_logical_plan(sql).await.context(Kind::Internal, cannot)?;
        self.register(name, DataFrame::new(state, plan).into_view())
    }

    /// The conventions, when `name` is one of them and nothing of ours.
    fn conventions_named(&self, name: &str) -> Option<Arc<dyn Conventions>> {
        let conventions = self.conventions.as_ref()?;
        let is_ours = self.own_names().iter().any(|own| own == name);
        (!is_ours && conventions.list().iter().any(|(known, _)| known == name)).then(|| conventions.clone())
    }

    async fn make(&self, conventions: &Arc<dyn Conventions>, named: &Named) -> Result<()> {
        let table = named.table();
        if self.context.table_exist(quoted(&table)).context(Kind::Internal, || cannot_register(&table))? {
            return Ok(());
        }
        let provider = conventions.make(&named.view, named.as_of_us, &self.context).await?;
        self.register(&table, provider)
    }

    fn register(&self, name: &str, provider: Arc<dyn TableProvider>) -> Result<()> {
        match self.context.register_table(quoted(name), provider) {
            Ok(_) => Ok(()),
            // Two statements at once that name the same view.
            Err(_) if self.context.table_exist(quoted(name)).unwrap_or(false) => Ok(()),
            Err(error) => Err(error).context(Kind::Internal, || cannot_register(name)),
        }
    }

    fn own_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.ocsf.classes().iter().map(|class| class.name.clone()).collect();
        names.extend(own_tables().map(|(table, _)| table.to_string()));
        names.extend([INGEST_LOG, COVERAGE].map(str::to_string));
        names.extend(self.views.iter().map(|view| view.name.clone()));
        names
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.own_names();
        for (name, _) in self.conventions.iter().flat_map(|conventions| conventions.list()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// Somebody who waits for a plan.
struct Waiting(Patience);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A reference to a table whatever letters its name has.
fn quoted(name: &str) -> datafusion::common::TableReference {
    datafusion::common::TableReference::bare(name)
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

fn cannot_register(table: &str) -> String {
    format!("cannot register the table `{table}`")
}
