//! Two plans whose rows are the same events in the same order, put beside each other.
//!
//! One reads facts and the other data files, both the rows that were picked. The first column of each is the time of the
//! event: where they differ, the rows are not what they should be, and that is an error and no answer.
//!
//! The engine deals the rows of a large input to threads wherever it works something out of them, and collects them again
//! in whichever order they come. It is told nothing of the order that matters here, which no column says. So what it puts
//! below these plans to split and to collect rows is taken out again.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{exec_err, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{TryStreamExt, stream};

/// The columns of both plans, the time once.
#[derive(Debug)]
pub struct BesideExec {
    both: [Arc<dyn ExecutionPlan>; 2],
    properties: Arc<PlanProperties>,
}

impl BesideExec {
    pub fn new(both: [Arc<dyn ExecutionPlan>; 2]) -> BesideExec {
        let [left, right] = both.each_ref().map(|one| one.schema());
        let fields = left.fields().iter().chain(right.fields().iter().skip(1)).cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        BesideExec { both, properties: Arc::new(properties) }
    }
}

impl DisplayAs for BesideExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BesideExec")
    }
}

impl ExecutionPlan for BesideExec {
    fn name(&self) -> &str {
        "BesideExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.both.iter().collect()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; 2]
    }

    /// The rows of an input that was split would come in another order than those of the other one.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; 2]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let children = children.into_iter().map(unsplit).collect::<Result<Vec<_>>>()?;
        match <[_; 2]>::try_from(children) {
            Ok(both) => Ok(Arc::new(BesideExec::new(both))),
            Err(children) => internal_err!("two plans are put beside each other, and not {}", children.len()),
        }
    }

    // The trait asks for it as long as it has it.
    #[allow(deprecated)]
    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if self.both.iter().any(|one| one.properties().output_partitioning().partition_count() != 1) {
            return internal_err!("plans that are put beside each other have one partition each");
        }
        let schema = self.schema();
        let [left, right] = &self.both;
        let sides = Sides {
            left: Side::new(left.execute(partition, context.clone())?),
            right: Side::new(right.execute(partition, context)?),
            schema: schema.clone(),
        };
        let rows = stream::try_unfold(sides, Sides::next);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// Removes the operators that split rows and collect them.
fn unsplit(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let whole = plan.transform_down(|node| {
        let mut below = None;
        while let Some(input) = split(below.as_ref().unwrap_or(&node)) {
            below = Some(input);
        }
        Ok(below.map_or(Transformed::no(node), Transformed::yes))
    })?;
    Ok(whole.data)
}

/// Returns the input of an operator that only splits rows or collects them.
fn split(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let is_split =
        plan.is::<RepartitionExec>() || plan.is::<CoalescePartitionsExec>() || plan.is::<SortPreservingMergeExec>();
    if is_split { plan.children().first().map(|input| Arc::clone(input)) } else { None }
}

/// Rows of one plan, and those of its last batch that have not been handed on.
struct Side {
    rows: SendableRecordBatchStream,
    rest: Option<RecordBatch>,
}

impl Side {
    fn new(rows: SendableRecordBatchStream) -> Side {
        Side { rows, rest: None }
    }

    /// Rows that are left; 0 when there are no more.
    async fn left(&mut self) -> Result<usize> {
        loop {
            match &self.rest {
                Some(batch) if batch.num_rows() > 0 => return Ok(batch.num_rows()),
                _ => match self.rows.try_next().await? {
                    Some(batch) => self.rest = Some(batch),
                    None => return Ok(0),
                },
            }
        }
    }

    fn take(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let Some(batch) = &self.rest else { return internal_err!("there are no rows to take") };
        let taken = batch.slice(0, rows);
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        Ok(taken.columns().to_vec())
    }
}

struct Sides {
    left: Side,
    right: Side,
    schema: SchemaRef,
}

impl Sides {
    async fn next(mut self) -> Result<Option<(RecordBatch, Sides)>> {
        let (left, right) = (self.left.left().await?, self.right.left().await?);
        if left == 0 && right == 0 {
            return Ok(None);
        }
        let rows = left.min(right);
        let (mut columns, others) = match rows {
            0 => (Vec::new(), Vec::new()),
            rows => (self.left.take(rows)?, self.right.take(rows)?),
        };
        if rows == 0 || columns.first() != others.first() {
            return exec_err!("facts and the events that they were made of do not have the same rows");
        }
        columns.extend(others.into_iter().skip(1));
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(DataFusionError::from)?;
        Ok(Some((batch, self)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field};
    use datafusion::common::ScalarValue;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
    use datafusion::physical_plan::projection::ProjectionExec;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Batches of these lengths, a time and a value in each row.
    fn plan(name: &str, lengths: &[i64], first: i64) -> Arc<dyn ExecutionPlan> {
        let fields = ["time", name].map(|name| Field::new(name, DataType::Int64, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let mut from = first;
        let batches = lengths.iter().map(|length| {
            let values: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + length));
            from += length;
            RecordBatch::try_new(schema.clone(), vec![values.clone(), values]).unwrap()
        });
        MemorySourceConfig::try_new_exec(&[batches.collect()], schema.clone(), None).unwrap()
    }

    async fn rows(left: Arc<dyn ExecutionPlan>, right: Arc<dyn ExecutionPlan>) -> Result<usize> {
        let plan = Arc::new(BesideExec::new([left, right]));
        let batches = collect(plan, SessionContext::new().task_ctx()).await?;
        for batch in &batches {
            let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            assert_eq!(names, ["time", "a", "b"]);
            assert_eq!(batch.column(1), batch.column(2));
        }
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[tokio::test]
    async fn rows_meet_whatever_batches_they_come_in() {
        assert_eq!(rows(plan("a", &[3, 0, 5, 1], 0), plan("b", &[1, 8], 0)).await.unwrap(), 9);
        assert_eq!(rows(plan("a", &[0], 0), plan("b", &[], 0)).await.unwrap(), 0);
    }

    /// Whatever `*` asks of a class with more rows than a batch ended in an error before.
    #[tokio::test]
    async fn rows_meet_however_many_threads_the_engine_has() {
        let lengths = [5_000; 8];
        let right = plan("b", &lengths, 0);
        let column = |at: usize, name: &str| -> Arc<dyn PhysicalExpr> { Arc::new(Column::new(name, at)) };
        let sum = BinaryExpr::new(column(1, "b"), Operator::Plus, Arc::new(Literal::new(ScalarValue::Int64(Some(0)))));
        let columns: Vec<(Arc<dyn PhysicalExpr>, String)> =
            vec![(column(0, "time"), "time".to_string()), (Arc::new(sum), "b".to_string())];
        let right = Arc::new(ProjectionExec::try_new(columns, right).unwrap());
        let beside: Arc<dyn ExecutionPlan> = Arc::new(BesideExec::new([plan("a", &lengths, 0), right.clone()]));
        let context = SessionContext::new_with_config(
            SessionConfig::new().with_target_partitions(8).with_repartition_file_scans(false),
        );
        let state = context.state();
        let arranged = |plan: Arc<dyn ExecutionPlan>| {
            let mut rules = state.physical_optimizers().iter();
            rules.try_fold(plan, |plan, rule| rule.optimize(plan, state.config_options())).unwrap()
        };
        // Where the order is nobody's matter the rows are split.
        let split =
            displayable(arranged(Arc::new(CoalescePartitionsExec::new(right))).as_ref()).indent(false).to_string();
        assert!(split.contains("RepartitionExec"), "{split}");
        let plan = arranged(beside);
        let whole = displayable(plan.as_ref()).indent(false).to_string();
        assert!(!whole.contains("RepartitionExec") && !whole.contains("CoalescePartitionsExec"), "{whole}");
        let batches = collect(plan, context.task_ctx()).await.unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 40_000);
        for batch in &batches {
            assert_eq!(batch.column(1), batch.column(2));
        }
    }

    #[tokio::test]
    async fn rows_of_other_events_are_no_answer() {
        for right in [plan("b", &[4], 1), plan("b", &[3], 0), plan("b", &[5], 0), plan("b", &[], 0)] {
            let error = rows(plan("a", &[4], 0), right).await.unwrap_err();
            assert!(error.to_string().contains("do not have the same rows"), "{error}");
        }
    }
}
