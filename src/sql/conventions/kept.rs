//! Rows of a view that are computed once and kept: in memory as far as the limit allows, else in a spill file.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, TableType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, SpillManager};
use futures::{StreamExt, TryStreamExt, stream};

/// The part of the memory limit that the rows of one view may take: statements need the rest.
const SHARE: usize = 4;

/// The rows of one view.
#[derive(Debug)]
pub struct Kept {
    schema: SchemaRef,
    rows: Place,
    table: Arc<dyn TableProvider>,
    /// The memory, which is returned when the rows are dropped.
    _reservation: MemoryReservation,
}

enum Place {
    Memory(Vec<RecordBatch>),
    File(Arc<Spilled>),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Memory(batches) => write!(f, "{} batches in memory", batches.len()),
            Place::File(_) => write!(f, "a spill file"),
        }
    }
}

impl Kept {
    /// Collects all rows of a stream; `limit` is the memory limit of the session.
    pub async fn new(
        name: &str,
        mut rows: SendableRecordBatchStream,
        runtime: &Arc<RuntimeEnv>,
        limit: Option<usize>,
    ) -> Result<Kept> {
        let schema = rows.schema();
        let reservation = MemoryConsumer::new(format!("the rows of {name}")).register(&runtime.memory_pool);
        let most = limit.map_or(usize::MAX, |limit| limit / SHARE);
        let mut batches = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            let bytes = batch.get_array_memory_size();
            let fits = reservation.size().saturating_add(bytes) <= most && reservation.try_grow(bytes).is_ok();
            batches.push(batch);
            if !fits {
                let file = spill(name, &schema, batches, rows, runtime).await?;
                reservation.free();
                let spilled = Arc::new(Spilled { schema: schema.clone(), file });
                let table = StreamingTable::try_new(schema.clone(), vec![spilled.clone() as Arc<dyn PartitionStream>])?;
                return Ok(Kept {
                    schema,
                    rows: Place::File(spilled),
                    table: Arc::new(table),
                    _reservation: reservation,
                });
            }
        }
        let table = MemTable::try_new(schema.clone(), vec![batches.clone()])?;
        Ok(Kept { schema, rows: Place::Memory(batches), table: Arc::new(table), _reservation: reservation })
    }

    /// Returns whether there are no rows at all.
    pub fn is_empty(&self) -> bool {
        matches!(&self.rows, Place::Memory(batches) if batches.iter().all(|batch| batch.num_rows() == 0))
    }

    /// Returns the plan that the optimizer knows to be empty, and removes with everything that is joined to it.
    pub fn nothing(plan: &LogicalPlan) -> LogicalPlan {
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: plan.schema().clone() })
    }

    /// Returns all rows again.
    pub fn read(&self, runtime: &Arc<RuntimeEnv>) -> Result<SendableRecordBatchStream> {
        match &self.rows {
            Place::Memory(batches) => {
                let batches = stream::iter(batches.clone()).map(Ok::<_, DataFusionError>);
                Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches)))
            }
            Place::File(spilled) => spilled.read(runtime.clone()),
        }
    }
}

#[async_trait]
impl TableProvider for Kept {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.table.scan(state, projection, filters, limit).await
    }
}

/// Writes the rows that came so far and all that follow.
async fn spill(
    name: &str,
    schema: &SchemaRef,
    batches: Vec<RecordBatch>,
    mut rows: SendableRecordBatchStream,
    runtime: &Arc<RuntimeEnv>,
) -> Result<Arc<dyn SpillFile>> {
    let mut file = manager(runtime.clone(), schema.clone()).create_in_progress_file(&format!("the rows of {name}"))?;
    for batch in &batches {
        file.append_batch(batch)?;
    }
    drop(batches);
    while let Some(batch) = rows.try_next().await? {
        file.append_batch(&batch)?;
    }
    file.finish()?.ok_or_else(|| DataFusionError::Internal("rows were written and there is no file".to_string()))
}

fn manager(runtime: Arc<RuntimeEnv>, schema: SchemaRef) -> SpillManager {
    SpillManager::new(runtime, SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0), schema)
}

struct Spilled {
    schema: SchemaRef,
    file: Arc<dyn SpillFile>,
}

impl Spilled {
    fn read(&self, runtime: Arc<RuntimeEnv>) -> Result<SendableRecordBatchStream> {
        manager(runtime, self.schema.clone()).read_spill_as_stream(self.file.clone(), None)
    }
}

impl fmt::Debug for Spilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spilled")
    }
}

impl PartitionStream for Spilled {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        match self.read(context.runtime_env()) {
            Ok(rows) => rows,
            Err(error) => {
                let failed = stream::once(async { Err(error) });
                Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), failed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    async fn kept(limit: usize) -> (SessionContext, Kept) {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(limit)));
        let context = SessionContext::new_with_config_rt(SessionConfig::new(), runtime.build_arc().unwrap());
        let frame = context.sql("select value, value::varchar as text from generate_series(1, 50000)").await.unwrap();
        let rows = frame.execute_stream().await.unwrap();
        let kept = Kept::new("v", rows, &context.runtime_env(), Some(limit)).await.unwrap();
        (context, kept)
    }

    async fn sum(context: &SessionContext, kept: Arc<Kept>) -> String {
        let table = context.read_table(kept).unwrap();
        context.deregister_table("kept").unwrap();
        context.register_table("kept", table.into_view()).unwrap();
        let rows = context.sql("select sum(value), count(text) from kept").await.unwrap().collect().await.unwrap();
        arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()
    }

    #[tokio::test]
    async fn rows_beyond_their_share_of_the_limit_are_read_from_a_file_as_often_as_they_are_needed() {
        for (limit, is_spilled) in [(1 << 30, false), (4 << 20, true)] {
            let (context, kept) = kept(limit).await;
            assert_eq!(matches!(kept.rows, Place::File(_)), is_spilled, "{kept:?}");
            assert!(!kept.is_empty());
            let reserved = context.runtime_env().memory_pool.reserved();
            assert_eq!(reserved == 0, is_spilled, "{reserved} bytes");
            let kept = Arc::new(kept);
            let first = sum(&context, kept.clone()).await;
            assert!(first.contains("1250025000") && first.contains("50000"), "{first}");
            assert_eq!(sum(&context, kept.clone()).await, first);
            let batches: Vec<RecordBatch> = kept.read(&context.runtime_env()).unwrap().try_collect().await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 50_000);
            drop(kept);
            context.deregister_table("kept").unwrap();
            assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
        }
    }
}
