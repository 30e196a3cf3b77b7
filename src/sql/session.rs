//! A session: one state of the lake, and the statements that are run over it.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::dataframe::DataFrame;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Ident, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Statement as Sql,
};

use super::bind::Params;
use super::conventions::{Conventions, Horizon, MADE, Maker, Purpose, Shelf, Sources, Steps, Used, declared};
use super::coverage_table::coverage;
use super::documentation::FunctionInfo;
use super::engine::{context, footers};
use super::error::{Known, explain, nearest};
use super::event;
use super::labels::relabel;
use super::ledger_table::IngestLog;
use super::options::Options;
use super::reading::{self, Gauge};
use super::rows::{Limit, Rows, within};
use super::scope::{register, sequence};
use super::{activity, functions, guard, late};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, REJECT_TABLE, State, reject_schema};
use crate::schema::Ocsf;

const INGEST_LOG: &str = "ingest_log";
const COVERAGE: &str = "coverage";
const ACTIVITY: &str = "activity";
const EVENT: &str = "event";
/// The engine's name for the catalog of all tables.
const CATALOG: &str = "datafusion";

/// SQL over one ledger entry.
pub struct Session {
    bound: Arc<Bound>,
}

/// What the tasks of a session share.
struct Bound {
    context: SessionContext,
    ocsf: Arc<Ocsf>,
    state: Arc<State>,
    conventions: Arc<Conventions>,
    maker: Arc<Maker>,
    memory_limit: Option<usize>,
    timeout: Option<Duration>,
}

/// A statement that is ready to run.
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    used: Used,
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
        register(&context, &state, REJECT_TABLE, reject_schema(), options, &footers)?;
        context
            .register_table(INGEST_LOG, Arc::new(IngestLog::new(lake.clone(), state.sequence)))
            .context(Kind::Internal, || cannot_register(INGEST_LOG))?;
        let covered = coverage(&state).context(Kind::Internal, || cannot_register(COVERAGE))?;
        context.register_batch(COVERAGE, covered).context(Kind::Internal, || cannot_register(COVERAGE))?;
        let activities = activity::activities(&ocsf).context(Kind::Internal, || cannot_register(ACTIVITY))?;
        context.register_batch(ACTIVITY, activities).context(Kind::Internal, || cannot_register(ACTIVITY))?;
        for (name, table) in &options.given {
            let cannot = || cannot_register(name);
            // One that stands for a convention is found when the convention is named.
            if context.deregister_table(quoted(name)).context(Kind::Internal, cannot)?.is_some() {
                context.register_table(quoted(name), table.clone()).context(Kind::Internal, cannot)?;
            }
        }
        let shelf = Arc::new(Shelf::default());
        let catalog = context.catalog(CATALOG).ok_or_else(|| Error::new(Kind::Internal, "the engine has no catalog"))?;
        catalog.register_schema(MADE, shelf.clone()).context(Kind::Internal, || cannot_register(MADE))?;
        let conventions = match &options.conventions {
            Some(conventions) => conventions.clone(),
            None => Arc::new(Conventions::load()?),
        };
        let maker = Arc::new(Maker {
            context: context.clone(),
            shelf,
            ocsf: ocsf.clone(),
            state: state.clone(),
            given: options.given.clone(),
            memory_limit: options.memory_limit,
        });
        let (memory_limit, timeout) = (options.memory_limit, options.timeout);
        let bound = Bound { context, ocsf, state, conventions, maker, memory_limit, timeout };
        bound.check_names()?;
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

    pub fn ocsf(&self) -> &Arc<Ocsf> {
        &self.bound.ocsf
    }

    /// The engine, for whoever decodes a plan of this session.
    pub fn context(&self) -> &SessionContext {
        &self.bound.context
    }

    /// Starts one statement over the events before the horizon; rows come as they are made. Dropping the future or the
    /// rows stops it.
    pub async fn query(&self, sql: &str, params: &Params, horizon: Horizon) -> Result<Rows> {
        self.ordered(sql, params, horizon, &[]).await
    }

    /// The same with the rows in one order: what the statement leaves open is ordered by these columns of its result.
    pub async fn ordered(&self, sql: &str, params: &Params, horizon: Horizon, columns: &[String]) -> Result<Rows> {
        let limit = self.bound.timeout.map(Limit::new);
        let known = Arc::new(self.bound.known(sql));
        let (bound, text, params, names) = (self.bound.clone(), sql.to_string(), params.clone(), known.clone());
        let order = columns.to_vec();
        let planning = SpawnedTask::spawn(async move {
            let planned = bound.plan(&text, &params, horizon, &order, &names).await?;
            let stream = execute_stream(planned.plan.clone(), planned.task.clone());
            Ok((stream.map_err(|error| explain(error, &names))?, planned))
        });
        let (stream, planned) =
            within(limit, planning.join()).await?.context(Kind::Internal, || "the planner stopped")??;
        let gauge = Gauge::new(reading::named(&planned.used.tables, &self.bound.state), planned.plan);
        Ok(Rows::new(relabel(&stream.schema()), gauge, stream, known, limit, planned.used))
    }

    /// The plan of a statement, not begun.
    pub async fn plan(&self, sql: &str, params: &Params, horizon: Horizon) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.bound.plan(sql, params, horizon, &[], &Arc::new(self.bound.known(sql))).await?.plan)
    }


    /// The functions that statements may use, by name.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        functions::catalogue(&self.bound.context)
    }

    /// All tables and views, with what the ledger knows of them.
    pub fn tables(&self) -> Vec<TableInfo> {
        let state = &self.bound.state;
        let info = |name: String| {
            let table = state.tables.get(&name);
            let kind = match name.as_str() {
                INGEST_LOG | COVERAGE => "ledger",
                name if name == REJECT_TABLE || self.bound.ocsf.by_name(name).is_some() => "table",
                name if name == self.bound.ocsf.other().name => "table",
                _ => "view",
            };
            let is_stored = kind == "table";
            let files = table.map(|table| table.files.as_slice()).unwrap_or_default();
            TableInfo {
                kind,
                rows: is_stored.then(|| files.iter().map(|file| file.rows).sum()),
                files: is_stored.then_some(files.len() as u64),
                bytes: is_stored.then(|| files.iter().map(|file| file.bytes).sum()),
                min_time_us: files.iter().map(|file| file.min_time_us).min(),
                max_time_us: files.iter().map(|file| file.max_time_us).max(),
                last_batch: table.map(|table| table.sequence),
                name,
            }
        };
        self.bound.names().into_iter().map(info).collect()
    }

    /// The columns of a table, nested ones as dotted paths, depth first.
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

impl Bound {
    /// From a statement's text to its plan.
    async fn plan(
        &self,
        sql: &str,
        params: &Params,
        horizon: Horizon,
        order: &[String],
        known: &Known,
    ) -> Result<Planned> {
        let explained = |error| explain(error, known);
        let mut statement = guard::admit(sql, known)?;
        let mut used = Used::default();
        let is_plain = guard::is_plain(&statement);
        if let Some(inner) = guard::inner(&mut statement) {
            let mut steps = Steps::new(self.sources(false), params, horizon);
            steps.settle(inner)?;
            let (steps, found) = steps.finish();
            used = found;
            self.maker.make(steps, Purpose::Rows).await.map_err(explained)?;
        }
        self.declare(&statement, is_plain, known).await?;
        if order.is_empty() {
            return self.physical(statement, used, known).await;
        }
        let mut ordered = statement.clone();
        order_by(&mut ordered, order);
        match self.physical(ordered, used.clone(), known).await {
            Ok(planned) => Ok(planned),
            // Without the order what is wrong is said in the statement's own terms; or nothing is, and then the caller
            // finds that the columns are not what they should be.
            Err(_) => self.physical(statement, used, known).await,
        }
    }

    async fn physical(&self, statement: Statement, used: Used, known: &Known) -> Result<Planned> {
        let explained = |error| explain(error, known);
        let state = self.context.state();
        let plan = state.statement_to_plan(statement).await.map_err(explained)?;
        guard::options().verify_plan(&plan).map_err(explained)?;
        let task = Arc::new(DataFrame::new(state.clone(), plan.clone()).task_ctx());
        let plan = match late::planned(&state, &plan).await {
            Ok(plan) => plan,
            // The rule that takes members out of structs early names columns twice above some unions and joins
            // (apache/datafusion#25446, #25459). Without it the plan is right, and reads more than it must.
            Err(first) => {
                let mut state = self.context.state();
                state.config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
                late::planned(&state, &plan).await.map_err(|_| explain(first, known))?
            }
        };
        Ok(Planned { plan, task, used })
    }

    /// Gives the engine the columns of views that a question about tables may ask for.
    async fn declare(&self, statement: &Statement, is_plain: bool, known: &Known) -> Result<()> {
        let references =
            self.context.state().resolve_table_references(statement).map_err(|error| explain(error, known))?;
        let is_about_all =
            !is_plain || references.iter().any(|reference| reference.schema() == Some("information_schema"));
        if !is_about_all {
            return Ok(());
        }
        let mut names = self.own_views();
        names.extend(references.iter().map(|reference| reference.table().to_string()));
        for name in names {
            let is_there = self.context.table_exist(quoted(&name)).context(Kind::Internal, || cannot_register(&name))?;
            if !is_there && let Some(schema) = self.columns(&name).await? {
                // Another statement may have been faster.
                let _ = self.context.register_table(quoted(&name), declared(schema));
            }
        }
        Ok(())
    }

    /// The columns of a table or a view; `None` when there is none of that name.
    async fn columns(&self, name: &str) -> Result<Option<SchemaRef>> {
        if let Ok(table) = self.context.table_provider(quoted(name)).await {
            return Ok(Some(table.schema()));
        }
        if !self.names().iter().any(|known| known == name) {
            return Ok(None);
        }
        let sql = format!("select * from \"{name}\"");
        let known = self.known(&sql);
        let explained = |error| explain(error, &known);
        let mut statement = guard::admit(&sql, &known)?;
        let Some(inner) = guard::inner(&mut statement) else { return Ok(None) };
        // The columns of a view are the same whatever its parameters are; those that have no default are anything.
        let params = Params::new();
        let mut steps = Steps::new(self.sources(true), &params, Horizon::All);
        steps.settle(inner)?;
        let table = steps.table(name);
        self.maker.make(steps.finish().0, Purpose::Columns).await.map_err(explained)?;
        Ok(table.and_then(|table| self.maker.shelf.get(&table)).map(|table| table.schema()))
    }

    fn known(&self, sql: &str) -> Known {
        Known {
            ocsf: self.ocsf.clone(),
            tables: self.names(),
            unknown: self.unknown_tables(),
            sql: sql.to_string(),
            memory_limit: self.memory_limit,
            context: self.context.clone(),
        }
    }

    /// Tables of the lake whose classes are not loaded: their rows are in no view.
    fn unknown_tables(&self) -> Vec<String> {
        let is_known = |name: &str| name == REJECT_TABLE || self.ocsf.by_name(name).is_some();
        self.state.tables.keys().filter(|name| !is_known(name)).cloned().collect()
    }

    fn sources(&self, is_for_columns: bool) -> Sources<'_> {
        Sources { conventions: &self.conventions, ocsf: &self.ocsf, given: &self.maker.given, is_for_columns }
    }

    /// A class that is called like something of ours would hide it, or be hidden.
    fn check_names(&self) -> Result<()> {
        let names = self.names();
        match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            None => Ok(()),
            Some((_, name)) => Err(Error::usage(format!("the event class `{name}` is called like a table of ours"))
                .hint("give its file in the schema folder another name")),
        }
    }

    /// The views that are there without a convention's name.
    fn own_views(&self) -> Vec<String> {
        let mut names = vec![EVENT.to_string()];
        names.extend(event::names(&self.ocsf));
        names
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.ocsf.classes().iter().map(|class| class.name.clone()).collect();
        names.extend([REJECT_TABLE, INGEST_LOG, COVERAGE, ACTIVITY].map(str::to_string));
        names.extend(event::names(&self.ocsf));
        names.extend(self.conventions.list().map(|view| view.name.clone()));
        names
    }
}

/// Appends columns to the order of a query's rows. What a statement leaves open would come differently from run to run.
fn order_by(statement: &mut Statement, columns: &[String]) {
    let Some(Sql::Query(query)) = guard::inner(statement) else { return };
    let options = OrderByOptions { asc: Some(true), nulls_first: Some(false) };
    let columns = columns.iter().map(|column| OrderByExpr {
        expr: SqlExpr::Identifier(Ident::with_quote('"', column)),
        options,
        with_fill: None,
    });
    match &mut query.order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) => order.extend(columns),
        Some(_) => {}
        None => query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(columns.collect()), interpolate: None }),
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

fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "text".to_string(),
        DataType::Int64 => "bigint".to_string(),
        DataType::Float64 => "double".to_string(),
        DataType::Boolean => "boolean".to_string(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_string(),
        other => other.to_string().to_lowercase(),
    }
}

fn cannot_register(table: &str) -> String {
    format!("cannot register the table `{table}`")
}
