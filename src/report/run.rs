//! One run of a report: the horizon, the views, the statement, and a check of what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{MemTable, MemoryCatalogProviderList, MemorySchemaProvider, TableProvider};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, cast, col, ident, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Ident, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Statement,
};
use futures::{StreamExt, TryStreamExt};

use super::header::{ColumnType, Report};
use super::params::Params;
use super::views::{Input, Scope, Source, Step, VISIBLE, Views};
use super::{names, smallest};
use crate::error::{Context, Error, Kind, Result};

/// The rows of a report as they come, and what they stand on.
pub struct Outcome {
    /// The head's columns: names, order and types.
    pub schema: SchemaRef,
    pub rows: SendableRecordBatchStream,
    /// The convention views that were used, name and text, each before what uses it: part of the evidence.
    pub views: Vec<(String, String)>,
    /// The tables that are read, by name.
    pub tables: Vec<String>,
}

impl Outcome {
    /// All rows in memory.
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.rows.try_collect().await.context(Kind::Input, || "cannot run the report")
    }
}

/// Up to where a run sees events (C3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Horizon {
    /// A period report: before `to`.
    Before(i64),
    /// An as-of report: up to and including `as_of`, or `to` if the head says so.
    UpTo(i64),
    /// No such parameter.
    None,
}

impl Horizon {
    fn of(report: &Report, params: &Params, scope: Scope) -> Result<Horizon> {
        match (scope, params.timestamp("as_of"), params.timestamp("to")) {
            (Scope::Always, _, _) => Ok(Horizon::None),
            (Scope::Previous, _, _) => match (params.timestamp("previous_from"), params.timestamp("from")) {
                (Some(_), Some(from)) => Ok(Horizon::Before(from)),
                _ => Err(Error::usage("there is no period before").hint("a parameter of the type month makes one")),
            },
            (Scope::Run, Some(as_of), _) => Ok(Horizon::UpTo(as_of)),
            (Scope::Run, None, Some(to)) if report.includes_to => Ok(Horizon::UpTo(to)),
            (Scope::Run, None, Some(to)) => Ok(Horizon::Before(to)),
            (Scope::Run, None, None) => Ok(Horizon::None),
        }
    }
}

/// Runs `report` over the tables of `ctx`, which are neither changed nor added to.
///
/// The tables are the event classes (any table with `time` and `_event_uid`), which the run sees up to its horizon,
/// and others, which it sees as they are. A table named like an input among the views (`leavers`) takes that one's place.
pub async fn run(report: &Report, params: &Params, ctx: &SessionContext) -> Result<Outcome> {
    let id = &report.id;
    let own = namespace(ctx);
    let (mut statement, steps) =
        report.views.plan(&report.sql, params, &own.state()).map_err(|error| named(error, id))?;
    let mut views: Vec<(String, String)> = Vec::new();
    let mut tables: Vec<String> = Vec::new();
    let mut scopes = BTreeMap::from([(Scope::Run, own.clone())]);
    for step in steps {
        match &step.source {
            Source::View(view, _) if views.iter().all(|(name, _)| *name != view.name) => {
                views.push((view.name.clone(), view.text.clone()));
            }
            Source::View(..) => {}
            Source::Table(table) => tables.push(table.clone()),
        }
        let horizon = Horizon::of(report, params, step.scope).map_err(|error| named(error, id))?;
        let scoped = match scopes.get(&step.scope) {
            Some(scoped) => scoped,
            None => {
                let scoped = scoped(&own, step.scope).map_err(|error| named(error, id))?;
                scopes.entry(step.scope).or_insert(scoped)
            }
        };
        register(step, horizon, ctx, scoped).await.map_err(|error| named(error, id))?;
    }
    // First as it stands, so that what is wrong with it is said in its own terms.
    check(report, &frame(&own, statement.clone()).await.map_err(|error| named(error, id))?)?;
    order_wholly(&mut statement, report);
    let frame = frame(&own, statement).await.map_err(|error| named(error, id))?;
    let rows = frame.execute_stream().await.context(Kind::Input, || format!("cannot run report `{id}`"))?;
    let rows = typed(report, rows);
    tables.sort();
    tables.dedup();
    Ok(Outcome { schema: rows.schema(), rows, views, tables })
}

/// One convention view over the tables of `ctx`, for SQL users.
pub(super) async fn view(
    views: &Views,
    name: &str,
    as_of_ms: Option<i64>,
    ctx: &SessionContext,
) -> Result<Arc<dyn TableProvider>> {
    let horizon = as_of_ms.map_or(Horizon::None, Horizon::UpTo);
    let own = namespace(ctx);
    let (statement, steps) = views.plan(
        &format!("select * from {name}"),
        &Params::times(as_of_ms.map(|time_ms| ("as_of", time_ms))),
        &own.state(),
    )?;
    for step in steps {
        register(step, horizon, ctx, &own).await?;
    }
    Ok(frame(&own, statement).await?.into_view())
}

/// Appends all columns to the order of the rows. What a report leaves open would come differently from run to run, and
/// a result that cannot be made again is no evidence.
fn order_wholly(statement: &mut Statement, report: &Report) {
    let Statement::Query(query) = statement else { return };
    let options = OrderByOptions { asc: Some(true), nulls_first: Some(false) };
    let columns = report.columns.iter().map(|column| OrderByExpr {
        expr: SqlExpr::Identifier(Ident::with_quote('"', &column.name)),
        options,
        with_fill: None,
    });
    match &mut query.order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) => order.extend(columns),
        Some(_) => {}
        None => query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(columns.collect()), interpolate: None }),
    }
}

fn named(error: Error, id: &str) -> Error {
    let hint = error.hint_text().map(str::to_string);
    let wrapped = Error::new(error.kind(), format!("cannot run report `{id}`")).caused_by(error);
    match hint {
        Some(hint) => wrapped.hint(hint),
        None => wrapped,
    }
}

/// The session's functions, options and memory, with no tables: those of one run do not meet those of another.
fn namespace(ctx: &SessionContext) -> SessionContext {
    let state = SessionStateBuilder::new_from_existing(ctx.state());
    let mut config = ctx.copied_config().with_create_default_catalog_and_schema(true);
    // What a session says about the order of nulls must not change a report.
    config.options_mut().sql_parser.default_null_ordering = "nulls_max".to_string();
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    let own = SessionContext::new_with_state(state.with_config(config).with_catalog_list(catalogs).build());
    own.register_udf(names::function());
    own.register_udaf(smallest::function());
    own
}

/// The same tables and views under the names of `scope`: what a view there calls `event` is that scope's.
fn scoped(own: &SessionContext, scope: Scope) -> Result<SessionContext> {
    let Some(name) = scope.name() else { return Ok(own.clone()) };
    let mut config = own.copied_config().with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    let cannot = || format!("cannot make schema `{name}`");
    let catalog = own.catalog(&options.catalog.default_catalog);
    let catalog = catalog.ok_or_else(|| Error::new(Kind::Internal, cannot()))?;
    catalog.register_schema(name, Arc::new(MemorySchemaProvider::new())).context(Kind::Internal, cannot)?;
    options.catalog.default_schema = name.to_string();
    Ok(SessionContext::new_with_state(SessionStateBuilder::new_from_existing(own.state()).with_config(config).build()))
}

async fn register(step: Step<'_>, horizon: Horizon, ctx: &SessionContext, own: &SessionContext) -> Result<()> {
    let name = step.name;
    let provider = match step.source {
        Source::Table(table) => {
            let known = ctx.table_provider(table.as_str()).await;
            let provider = known.context(Kind::Input, || format!("no table or convention view `{name}`"))?;
            visible(&table, name.starts_with(VISIBLE), provider, horizon, own)?
        }
        Source::View(view, statement) => {
            let frame =
                frame(own, *statement).await.context(Kind::Internal, || format!("cannot make view `{name}`"))?;
            match &view.input {
                Some(input) if ctx.table_exist(name.as_str()).unwrap_or(false) => {
                    given(&name, input, &frame, horizon, ctx, own).await?
                }
                _ if view.is_evaluated_once => evaluated(&name, frame, own).await?,
                _ => frame.into_view(),
            }
        }
    };
    own.register_table(name.as_str(), provider).context(Kind::Internal, || format!("cannot register `{name}`"))?;
    Ok(())
}

/// A class's table up to the horizon, for the conventions with the event itself as JSON in `_raw`; any other table as it is.
fn visible(
    table: &str,
    with_raw: bool,
    provider: Arc<dyn TableProvider>,
    horizon: Horizon,
    own: &SessionContext,
) -> Result<Arc<dyn TableProvider>> {
    let schema = provider.schema();
    let is_class = schema.column_with_name("_event_uid").is_some()
        && schema.field_with_name("time").is_ok_and(|time| matches!(time.data_type(), DataType::Timestamp(..)));
    if !is_class {
        return Ok(provider);
    }
    let filter = within(horizon, col("time"))?;
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let mut columns: Vec<Expr> = names.clone().map(ident).collect();
    if with_raw {
        // Nothing is made where nobody asks for it: an unused column is removed from the plan. Tables that are not the
        // lake's have no such function, and no `_extra`.
        let raw = match own.state().scalar_functions().get("event_json") {
            Some(json) if schema.column_with_name("_extra").is_some() => {
                let members = names.flat_map(|name| [lit(name), ident(name)]).collect();
                json.call(vec![lit(table), named_struct(members)])
            }
            _ => lit(ScalarValue::Utf8(None)),
        };
        columns.push(raw.alias("_raw"));
    }
    let plan = LogicalPlanBuilder::scan(table, provider_as_source(provider), None)
        .and_then(|scan| scan.filter(filter)?.project(columns)?.build())
        .context(Kind::Internal, || format!("cannot limit table `{table}` to the horizon"))?;
    Ok(DataFrame::new(own.state(), plan).into_view())
}

fn within(horizon: Horizon, time: Expr) -> Result<Expr> {
    let at = |time_ms: i64| {
        let time_us =
            time_ms.checked_mul(1000).ok_or_else(|| Error::usage(format!("time {time_ms} is out of range")))?;
        Ok(lit(ScalarValue::TimestampMicrosecond(Some(time_us), Some("UTC".into()))))
    };
    Ok(match horizon {
        Horizon::Before(to) => time.lt(at(to)?),
        Horizon::UpTo(as_of) => time.lt_eq(at(as_of)?),
        Horizon::None => time.is_not_null(),
    })
}

/// The session's table `name` with the columns and types of the view that stands for it.
async fn given(
    name: &str,
    input: &Input,
    view: &DataFrame,
    horizon: Horizon,
    ctx: &SessionContext,
    own: &SessionContext,
) -> Result<Arc<dyn TableProvider>> {
    let cannot = || format!("cannot read table `{name}`");
    let provider = ctx.table_provider(name).await.context(Kind::Input, cannot)?;
    let schema = provider.schema();
    let expected = view.schema().fields();
    if let Some(missing) = expected.iter().find(|field| schema.column_with_name(field.name()).is_none()) {
        let names: Vec<&str> = expected.iter().map(|field| field.name().as_str()).collect();
        return Err(Error::input(format!("table `{name}` has no column `{}`", missing.name()))
            .hint(format!("it needs {}", names.join(", "))));
    }
    let columns: Vec<Expr> =
        expected.iter().map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name())).collect();
    let scan = LogicalPlanBuilder::scan(name, provider_as_source(provider), None)
        .and_then(|scan| scan.project(columns))
        .context(Kind::Input, cannot)?;
    let plan = match input {
        Input::All => scan.build(),
        Input::By(column) => scan.filter(within(horizon, ident(column))?).and_then(LogicalPlanBuilder::build),
    };
    Ok(DataFrame::new(own.state(), plan.context(Kind::Input, cannot)?).into_view())
}

/// The rows of a view in memory. Without rows it becomes a relation that the optimizer knows to be empty and removes.
async fn evaluated(name: &str, frame: DataFrame, own: &SessionContext) -> Result<Arc<dyn TableProvider>> {
    let cannot = || format!("cannot evaluate view `{name}`");
    let schema = Arc::new(frame.schema().clone());
    let batches = frame.collect().await.context(Kind::Input, cannot)?;
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        let plan = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema });
        return Ok(DataFrame::new(own.state(), plan).into_view());
    }
    let arrow = batches.first().map_or_else(|| Arc::clone(schema.inner()), RecordBatch::schema);
    Ok(Arc::new(MemTable::try_new(arrow, vec![batches]).context(Kind::Internal, cannot)?))
}

async fn frame(own: &SessionContext, statement: Statement) -> Result<DataFrame> {
    let state = own.state();
    let statement = EngineStatement::Statement(Box::new(statement));
    let plan = state.statement_to_plan(statement).await.context(Kind::Input, || "cannot plan the SQL")?;
    Ok(DataFrame::new(state, plan))
}

/// Compares the result's columns with the head.
fn check(report: &Report, frame: &DataFrame) -> Result<()> {
    let id = &report.id;
    let differs =
        |message: String| Error::new(Kind::Internal, format!("report `{id}` is not what its head says: {message}"));
    let found = frame.schema().inner();
    let names: Vec<&str> = found.fields().iter().map(|field| field.name().as_str()).collect();
    let expected: Vec<&str> = report.columns.iter().map(|column| column.name.as_str()).collect();
    if names != expected {
        return Err(differs(format!("columns {} instead of {}", names.join(", "), expected.join(", "))));
    }
    for (column, field) in report.columns.iter().zip(found.fields()) {
        if !fits(column.ty, field.data_type()) {
            return Err(differs(format!("column `{}` is {}, not {}", column.name, field.data_type(), column.ty)));
        }
    }
    Ok(())
}

/// Gives the columns exactly the head's types, batch by batch. Not as a projection of the plan: above it the engine no
/// longer cares for the order of rows, and a report of 100,000 rows came in pieces.
fn typed(report: &Report, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let fields: Vec<Field> =
        report.columns.iter().map(|column| Field::new(&column.name, column.ty.arrow(), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let target = Arc::clone(&schema);
    let typed = rows.map(move |batch| {
        let batch = batch?;
        let columns = batch.columns().iter().zip(target.fields());
        let columns = columns.map(|(column, field)| Ok(arrow::compute::cast(column, field.data_type())?));
        let columns = columns.collect::<Result<Vec<_>, DataFusionError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&target), columns)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, typed))
}

/// Whether a cast from `found` changes how a value is stored, not what it is.
fn fits(ty: ColumnType, found: &DataType) -> bool {
    let is_text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match ty {
        // Whole milliseconds survive every unit but seconds; without a zone it may be local time.
        ColumnType::Timestamp => matches!(found, DataType::Timestamp(unit, Some(_)) if *unit != TimeUnit::Second),
        ColumnType::Int | ColumnType::Bigint => found.is_integer(),
        ColumnType::Double => matches!(found, DataType::Float32 | DataType::Float64),
        ColumnType::Boolean => *found == DataType::Boolean,
        ColumnType::String => is_text(found),
        ColumnType::Date => *found == DataType::Date32,
        ColumnType::Strings => match found {
            DataType::List(item) | DataType::LargeList(item) => is_text(item.data_type()),
            _ => false,
        },
    }
}
