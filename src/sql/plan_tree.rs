//! A physical plan for people: the steps in the order of the data, and what each scan reads.
//!
//! The engine's own text is one line of everything for each operator. Here an operator has a few words, the partial and
//! the final half of an aggregate are one, and operators that only pass rows on are left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

use super::plan_text::{computed, detail, words};
use crate::lake::FACTS;

/// An operator with its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNode {
    /// The kind of operator: `Sort`, `Scan`.
    pub name: String,
    /// The details that a reader wants to know.
    pub detail: String,
    pub scan: Option<Scan>,
    /// Rows that came out, and in the next field the time spent; only after the statement was run.
    pub rows: Option<u64>,
    pub time: Option<Duration>,
    pub inputs: Vec<PlanNode>,
}

/// The files and row groups that a scan of a table reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub table: String,
    /// Files that are left after pruning; the next field has their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Bytes that were fetched; only after the statement was run.
    pub bytes_read: Option<u64>,
    /// The parts that were skipped, `3 of 12 row groups`; only after the statement was run.
    pub pruned: Vec<String>,
}

impl PlanNode {
    /// Returns whether no row can come out: all files of a table were pruned, or it has none.
    fn is_empty(&self) -> bool {
        match self.inputs.as_slice() {
            [] => self.name == "Empty",
            inputs => {
                ["Filter", "Projection", "Union"].contains(&self.name.as_str()) && inputs.iter().all(Self::is_empty)
            }
        }
    }

    /// Returns the tree of a statement that was not run: the counts of its operators so far mean nothing.
    pub fn unmeasured(mut self) -> PlanNode {
        (self.rows, self.time) = (None, None);
        if let Some(scan) = &mut self.scan {
            (scan.bytes_read, scan.pruned) = (None, Vec::new());
        }
        self.inputs = self.inputs.into_iter().map(PlanNode::unmeasured).collect();
        self
    }
}

/// Operators that pass rows on as they are.
const SILENT: &[&str] = &[
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "RepartitionExec",
    "CooperativeExec",
    "BufferExec",
    "OuterSideExec",
    "SortPreservingMergeExec",
];

/// Returns the plan as a tree.
pub(super) fn tree(plan: &Arc<dyn ExecutionPlan>) -> PlanNode {
    let plan = heard(plan);
    let name = plan.name();
    let is_final = DisplayableExecutionPlan::new(plan.as_ref()).one_line().to_string().contains("mode=Final");
    let mut inputs: Vec<PlanNode> = plan.children().into_iter().map(tree).collect();
    // The final half has everything there is to say.
    if name == "AggregateExec"
        && let [input] = inputs.as_slice()
        && input.name == "Aggregate"
        && is_final
    {
        inputs = inputs.swap_remove(0).inputs;
    }
    let mut detail = text(plan);
    if name == "UnionExec" {
        let all = inputs.len();
        inputs.retain(|input| !input.is_empty());
        if inputs.len() < all {
            detail = format!("{} more without rows", all - inputs.len());
        }
    }
    let scan = scan(plan);
    let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name());
    let time = metrics.as_ref().and_then(MetricsSet::elapsed_compute);
    PlanNode {
        name: if scan.is_some() { "Scan".to_string() } else { words(name) },
        detail,
        rows: metrics.as_ref().and_then(MetricsSet::output_rows).map(|rows| rows as u64),
        time: time.map(|nanos| Duration::from_nanos(nanos as u64)),
        scan,
        inputs,
    }
}

/// Returns the first operator from here that changes the rows.
fn heard(plan: &Arc<dyn ExecutionPlan>) -> &Arc<dyn ExecutionPlan> {
    let is_silent = || SILENT.contains(&plan.name()) || plan.name() == "ProjectionExec" && text(plan).is_empty();
    match plan.children().as_slice() {
        [only] if is_silent() => heard(only),
        _ => plan,
    }
}

/// Returns the operator's own description, for a reader.
fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    let line = DisplayableExecutionPlan::new(plan.as_ref()).one_line().to_string();
    let text = line.trim().split_once(':').map_or("", |(_, text)| text).trim();
    match plan.name() {
        "ProjectionExec" => computed(text),
        _ => detail(text, plan.downcast_ref::<DataSourceExec>().is_some()),
    }
}

fn scan(plan: &Arc<dyn ExecutionPlan>) -> Option<Scan> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    let config = source.data_source().downcast_ref::<FileScanConfig>()?;
    // A file that is split into ranges is one file.
    let parts = config.file_groups.iter().flat_map(|group| group.iter());
    let sizes: BTreeMap<_, u64> = parts.map(|part| (&part.object_meta.location, part.object_meta.size)).collect();
    // `lake/authentication/event_month=2026-01/<file>.parquet`, `lake/_facts/<file>.parquet`
    let mut folders = sizes.keys().next()?.as_ref().rsplit('/').skip(1);
    let table = match folders.next()? {
        FACTS => "facts".to_string(),
        _ => folders.next()?.to_string(),
    };
    let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name());
    let named = |name: &str| metrics.as_ref()?.iter().find(|metric| metric.value().name() == name).cloned();
    let bytes_read = named("bytes_scanned").map(|metric| metric.value().as_usize() as u64);
    let counts = [
        ("row groups by their statistics", "row_groups_pruned_statistics"),
        ("row groups by their bloom filters", "row_groups_pruned_bloom_filter"),
        ("pages", "page_index_pages_pruned"),
    ];
    let pruned = counts.into_iter().filter_map(|(what, name)| match named(name)?.value() {
        MetricValue::PruningMetrics { pruning_metrics, .. } => {
            let (pruned, matched) = (pruning_metrics.pruned(), pruning_metrics.matched());
            (pruned > 0).then(|| format!("{pruned} of {} {what}", pruned + matched))
        }
        _ => None,
    });
    Some(Scan { table, files: sizes.len() as u64, bytes: sizes.values().sum(), bytes_read, pruned: pruned.collect() })
}
