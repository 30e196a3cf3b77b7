//! One run of a report: the horizon, the views, the statement, and a check of what comes out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::{MemTable, MemoryCatalogProviderList, TableProvider};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, cast, col, ident, lit};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement;
use futures::TryStreamExt;

use super::header::{ColumnType, Report};
use super::names;
use super::params::Params;
use super::views::{Source, Step, Views};
use crate::error::{Context, Error, Kind, Result};

/// The rows of a report as they come, and what they stand on.
pub struct Outcome {
    /// The head's columns: names, order and types.
    pub schema: SchemaRef,
    pub rows: SendableRecordBatchStream,
    /// The convention views that were used, name and text, each before what uses it: part of the evidence.
    pub views: Vec<(String, String)>,
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
    /// An as-of report: up to and including `as_of`.
    UpTo(i64),
    /// No such parameter.
    None,
}

/// Runs `report` over the tables of `ctx`, which are neither changed nor added to.
///
/// The tables are the event classes (any table with `time` and `_event_uid`), which the run sees up to its horizon,
/// and others, which it sees as they are.
pub async fn run(report: &Report, params: &Params, ctx: &SessionContext) -> Result<Outcome> {
    let id = &report.id;
    let horizon = match (params.timestamp("as_of"), params.timestamp("to")) {
        (Some(as_of), _) => Horizon::UpTo(as_of),
        (None, Some(to)) => Horizon::Before(to),
        (None, None) => Horizon::None,
    };
    let own = namespace(ctx);
    let (statement, steps) = report.views.plan(&report.sql, params, &own.state()).map_err(|error| named(error, id))?;
    let mut views = Vec::new();
    for step in steps {
        if let Source::View(view, _) = &step.source {
            views.push((view.name.clone(), view.text.clone()));
        }
        register(step, horizon, ctx, &own).await.map_err(|error| named(error, id))?;
    }
    let frame = frame(&own, statement).await.map_err(|error| named(error, id))?;
    let frame = checked(report, frame)?;
    let rows = frame.execute_stream().await.context(Kind::Input, || format!("cannot run report `{id}`"))?;
    Ok(Outcome { schema: rows.schema(), rows, views })
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
    let (statement, steps) = views.plan(&format!("select * from {name}"), &Params::as_of(as_of_ms), &own.state())?;
    for step in steps {
        register(step, horizon, ctx, &own).await?;
    }
    Ok(frame(&own, statement).await?.into_view())
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
    own
}

async fn register(step: Step<'_>, horizon: Horizon, ctx: &SessionContext, own: &SessionContext) -> Result<()> {
    let name = step.name;
    let provider = match step.source {
        Source::Table(table) => {
            let known = ctx.table_provider(table.as_str()).await;
            let provider = known.context(Kind::Input, || format!("no table or convention view `{name}`"))?;
            visible(&table, provider, horizon, own)?
        }
        Source::View(view, statement) => {
            let frame =
                frame(own, *statement).await.context(Kind::Internal, || format!("cannot make view `{name}`"))?;
            if view.is_evaluated_once { evaluated(&name, frame, own).await? } else { frame.into_view() }
        }
    };
    own.register_table(name.as_str(), provider).context(Kind::Internal, || format!("cannot register `{name}`"))?;
    Ok(())
}

/// A class's table up to the horizon; any other table as it is.
fn visible(
    table: &str,
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
    let at = |time_ms: i64| {
        let time_us =
            time_ms.checked_mul(1000).ok_or_else(|| Error::usage(format!("time {time_ms} is out of range")))?;
        Ok(lit(ScalarValue::TimestampMicrosecond(Some(time_us), Some("UTC".into()))))
    };
    let filter = match horizon {
        Horizon::Before(to) => col("time").lt(at(to)?),
        Horizon::UpTo(as_of) => col("time").lt_eq(at(as_of)?),
        Horizon::None => col("time").is_not_null(),
    };
    let plan = LogicalPlanBuilder::scan(table, provider_as_source(provider), None)
        .and_then(|scan| scan.filter(filter)?.build())
        .context(Kind::Internal, || format!("cannot limit table `{table}` to the horizon"))?;
    Ok(DataFrame::new(own.state(), plan).into_view())
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

/// Compares the result's columns with the head and gives them exactly the head's types.
fn checked(report: &Report, frame: DataFrame) -> Result<DataFrame> {
    let id = &report.id;
    let differs =
        |message: String| Error::new(Kind::Internal, format!("report `{id}` is not what its head says: {message}"));
    let found = Arc::clone(frame.schema().inner());
    let names: Vec<&str> = found.fields().iter().map(|field| field.name().as_str()).collect();
    let expected: Vec<&str> = report.columns.iter().map(|column| column.name.as_str()).collect();
    if names != expected {
        return Err(differs(format!("columns {} instead of {}", names.join(", "), expected.join(", "))));
    }
    let mut columns: Vec<Expr> = Vec::new();
    for (column, field) in report.columns.iter().zip(found.fields()) {
        if !fits(column.ty, field.data_type()) {
            return Err(differs(format!("column `{}` is {}, not {:?}", column.name, field.data_type(), column.ty)));
        }
        columns.push(cast(ident(&column.name), column.ty.arrow()).alias(&column.name));
    }
    frame.select(columns).context(Kind::Internal, || format!("cannot type the columns of report `{id}`"))
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
        ColumnType::Strings => match found {
            DataType::List(item) | DataType::LargeList(item) => is_text(item.data_type()),
            _ => false,
        },
    }
}
