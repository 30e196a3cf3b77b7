//! A session: one state of the lake, and the statements that are run over it.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;

use super::coverage_table::coverage;
use super::error::{Names, explain, nearest};
use super::labels::relabel;
use super::ledger_table::IngestLog;
use super::registry::LakeOnly;
use super::table::LakeTable;
use super::{functions, guard, views};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, REJECT_TABLE, State, reject_schema};
use crate::schema::Ocsf;

/// The view over all classes.
const EVENT_VIEW: &str = "event";
const INGEST_LOG: &str = "ingest_log";
const COVERAGE: &str = "coverage";

/// How a session runs its queries.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes that all queries of the session may hold before they spill; none is no limit.
    pub memory_limit: Option<usize>,
    /// The ledger entry to see; none is the newest.
    pub as_of: Option<u64>,
}

/// Values of `$name` placeholders.
pub type Params = Vec<(String, ScalarValue)>;

/// SQL over one ledger entry.
pub struct Session {
    context: SessionContext,
    ocsf: Arc<Ocsf>,
    state: Arc<State>,
}

/// A running query.
pub struct Rows {
    pub schema: SchemaRef,
    stream: SendableRecordBatchStream,
    names: KnownNames,
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
            Some(sequence) => Arc::new(lake.state_at(sequence).await?),
            None => lake.state().clone(),
        };
        let context = context(lake, options).context(Kind::Internal, || "cannot set up the query engine")?;
        let ocsf = lake.ocsf().clone();
        functions::register(&context, &ocsf);
        let register = |name: &str, schema: SchemaRef| {
            let files = state.tables.get(name).map(|table| table.files.clone()).unwrap_or_default();
            let table = LakeTable::new(schema, state.lake.partition.column(), files);
            context.register_table(name, Arc::new(table)).map(|_| ())
        };
        for class in ocsf.classes() {
            register(&class.name, class.arrow.clone()).context(Kind::Internal, || cannot_register(&class.name))?;
        }
        register(REJECT_TABLE, reject_schema()).context(Kind::Internal, || cannot_register(REJECT_TABLE))?;
        context
            .register_table(INGEST_LOG, Arc::new(IngestLog::new(lake.clone(), state.sequence)))
            .context(Kind::Internal, || cannot_register(INGEST_LOG))?;
        let covered = coverage(&state).context(Kind::Internal, || cannot_register(COVERAGE))?;
        context.register_batch(COVERAGE, covered).context(Kind::Internal, || cannot_register(COVERAGE))?;
        let view = format!("CREATE VIEW {EVENT_VIEW} AS {}", views::event_view(&ocsf));
        context.sql(&view).await.context(Kind::Internal, || cannot_register(EVENT_VIEW))?;
        Ok(Session { context, ocsf, state })
    }

    /// The ledger entry that the session sees, and its hash.
    pub fn entry(&self) -> (u64, &str) {
        (self.state.sequence, &self.state.hash)
    }

    pub fn ocsf(&self) -> &Arc<Ocsf> {
        &self.ocsf
    }

    /// The engine with all tables registered, for reports, which add views of their own.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Starts one statement; rows come as they are made.
    pub async fn query(&self, sql: &str, params: &Params) -> Result<Rows> {
        guard::check(sql)?;
        guard::check_read_only(sql)?;
        let names = KnownNames { ocsf: self.ocsf.clone(), tables: self.table_names(), sql: sql.to_string() };
        let run = async {
            let frame = self.context.sql_with_options(sql, guard::options()).await?;
            let frame = if params.is_empty() { frame } else { frame.with_param_values(params.clone())? };
            frame.execute_stream().await
        };
        let stream = run.await.map_err(|error| explain(error, &names))?;
        Ok(Rows { schema: relabel(&stream.schema()), stream, names })
    }

    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.ocsf.classes().iter().map(|class| class.name.clone()).collect();
        names.extend([REJECT_TABLE, EVENT_VIEW, INGEST_LOG, COVERAGE].map(str::to_string));
        names
    }

    /// All tables and views, with what the ledger knows of them.
    pub fn tables(&self) -> Vec<TableInfo> {
        let info = |name: String| {
            let table = self.state.tables.get(&name);
            let kind = match name.as_str() {
                EVENT_VIEW => "view",
                INGEST_LOG | COVERAGE => "ledger",
                _ => "table",
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
        self.table_names().into_iter().map(info).collect()
    }

    /// The columns of a table, nested ones as dotted paths, depth first.
    pub async fn columns(&self, table: &str) -> Result<Vec<ColumnInfo>> {
        let Ok(provider) = self.context.table_provider(table).await else {
            let error = Error::input(format!("no table `{table}`"));
            return Err(match nearest(table, &self.table_names()) {
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

impl Rows {
    /// The next rows; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.stream.next().await else { return Ok(None) };
        let batch = batch.map_err(|error| explain(error, &self.names))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), batch.columns().to_vec(), &options);
        batch.map(Some).context(Kind::Internal, || "cannot name the result's columns")
    }

    /// All rows; for results that are known to be small.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

fn context(lake: &Lake, options: &Options) -> datafusion::error::Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .set_str("datafusion.sql_parser.dialect", "duckdb")
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        .set_bool("datafusion.execution.parquet.reorder_filters", true)
        // Without the Arrow schema in the files, text must not come back as views: tables are declared as Utf8.
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    config.options_mut().execution.collect_statistics = true;
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(LakeOnly { store: lake.store() }));
    if let Some(bytes) = options.memory_limit {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    let mut context = SessionContext::new_with_config_rt(config, runtime.build_arc()?);
    datafusion_functions_json::register_all(&mut context)?;
    Ok(context)
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

struct KnownNames {
    ocsf: Arc<Ocsf>,
    tables: Vec<String>,
    sql: String,
}

impl Names for KnownNames {
    fn tables(&self) -> Vec<String> {
        self.tables.clone()
    }

    fn nearest_path(&self, wrong: &str) -> Option<String> {
        // The engine names the last member only; the statement has the path that was meant.
        let tail = format!(".{wrong}");
        let mut words = self.sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
        let meant = words.find(|word| word.ends_with(&tail)).unwrap_or(wrong);
        self.ocsf.classes().iter().find_map(|class| class.nearest_path(meant))
    }
}
