//! A running query: a task of its own that stops when nobody wants its rows any more.
//!
//! Planning and running take their time and do not always check whether they should continue. So both are tasks on the
//! runtime's threads: the one who waits for them can give up at once (a key, a time limit), and the task ends at its
//! next await.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::conventions::Used;
use super::error::{Known, explain};
use super::reading::Gauge;
use crate::error::{Context, Error, Kind, Result};

/// Batches that are made ahead of the reader.
const AHEAD: usize = 2;

/// The time when a statement must have ended, and the length that it was given.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub end: Instant,
    pub length: Duration,
}

impl Limit {
    pub fn new(length: Duration) -> Limit {
        // Nobody waits for a length beyond the calendar.
        let end = Instant::now().checked_add(length);
        Limit { end: end.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400 * 365)), length }
    }
}

/// A running query.
pub struct Rows {
    pub schema: SchemaRef,
    gauge: Gauge,
    batches: mpsc::Receiver<Result<RecordBatch, DataFusionError>>,
    /// Aborted when the rows are dropped.
    task: Option<SpawnedTask<()>>,
    known: Arc<Known>,
    limit: Option<Limit>,
    used: Used,
}

impl Rows {
    pub(super) fn new(
        schema: SchemaRef,
        gauge: Gauge,
        mut stream: SendableRecordBatchStream,
        known: Arc<Known>,
        limit: Option<Limit>,
        used: Used,
    ) -> Rows {
        let (sender, batches) = mpsc::channel(AHEAD);
        let task = SpawnedTask::spawn(async move {
            while let Some(batch) = stream.next().await {
                // Nobody wants more.
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
        Rows { schema, gauge, batches, task: Some(task), known, limit, used }
    }

    /// Returns the running plan, whose metrics tell what was read.
    pub fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        self.gauge.plan()
    }

    /// Returns what the statement was made of.
    pub fn used(&self) -> &Used {
        &self.used
    }

    /// Returns a gauge that counts what the query reads, also while it runs.
    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// Returns the next rows; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = within(self.limit, self.batches.recv()).await?;
        let Some(batch) = batch else {
            // The rows end here, unless the task failed silently.
            if let Some(task) = self.task.take() {
                task.join().await.context(Kind::Internal, || "the query stopped")?;
            }
            return Ok(None);
        };
        let batch = batch.map_err(|error| explain(error, &self.known))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), batch.columns().to_vec(), &options);
        batch.map(Some).context(Kind::Internal, || "cannot name the result's columns")
    }

    /// Collects all rows; for results that are known to be small.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// Waits for a future, but not beyond the limit.
pub(super) async fn within<T>(limit: Option<Limit>, future: impl Future<Output = T>) -> Result<T> {
    let Some(limit) = limit else { return Ok(future.await) };
    tokio::time::timeout_at(limit.end, future).await.map_err(|_| {
        Error::new(Kind::Cancelled, format!("the statement took longer than {:?}", limit.length))
            .hint("narrow it with `--since` and `--until`, or give it more time with `--timeout`")
    })
}
