//! Counts what a query reads of the lake, and what it skips, from its plans, while it runs and after it.
//!
//! The logical plan names the tables, so the files that it could have read; the physical plan names those that are
//! left after pruning, and its scans count rows and bytes as they go.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion::physical_plan::{ExecutionPlan, Metric};

use super::plan_tree::{PlanNode, tree};
use crate::lake::State;

/// Files and bytes of one query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Files of the tables that the statement names.
    pub files: u64,
    pub bytes: u64,
    /// Files that the plan reads; the rest were pruned.
    pub files_planned: u64,
    pub bytes_planned: u64,
    /// Bytes that were fetched so far; of the planned files, only the columns and row groups that are needed.
    pub bytes_read: u64,
    /// The share of the planned bytes that the query has passed, by the share of files and rows.
    pub bytes_done: u64,
}

/// Files and bytes of the tables that a statement uses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named {
    files: u64,
    bytes: u64,
}

/// Looks tables up in the state that a statement runs on.
pub fn named(tables: &[String], state: &State) -> Named {
    let mut named = Named::default();
    for table in tables.iter().filter_map(|table| state.tables.get(table)) {
        named.files += table.files.len() as u64;
        named.bytes += table.bytes();
    }
    named
}

/// Counts the bytes that a plan has read so far.
#[derive(Clone)]
pub struct Gauge {
    named: Named,
    plan: Arc<dyn ExecutionPlan>,
}

impl Gauge {
    pub(super) fn new(named: Named, plan: Arc<dyn ExecutionPlan>) -> Gauge {
        Gauge { named, plan }
    }

    pub(super) fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }

    /// Returns the plan for people; once the statement was run, with what was read and how long it took.
    pub fn tree(&self) -> PlanNode {
        tree(&self.plan)
    }

    pub fn read(&self) -> Reading {
        let mut reading = Reading { files: self.named.files, bytes: self.named.bytes, ..Reading::default() };
        visit(&self.plan, &mut reading);
        // A table that is named twice is read twice.
        reading.files = reading.files.max(reading.files_planned);
        reading.bytes = reading.bytes.max(reading.bytes_planned);
        reading
    }
}

fn visit(plan: &Arc<dyn ExecutionPlan>, reading: &mut Reading) {
    for child in plan.children() {
        visit(child, reading);
    }
    let Some(scan) = plan.downcast_ref::<DataSourceExec>() else { return };
    let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>() else { return };
    let planned = config.file_groups.iter().flat_map(|group| group.iter());
    // A file may be split into ranges, each of which the scan counts as one.
    let (mut files, mut parts, mut bytes, mut rows) = (HashSet::new(), 0, 0, Some(0));
    for part in planned {
        parts += 1;
        if !files.insert(&part.object_meta.location) {
            continue;
        }
        bytes += part.object_meta.size;
        let known = part.statistics.as_ref().and_then(|statistics| statistics.num_rows.get_value().copied());
        rows = rows.zip(known).map(|(rows, known)| rows + known);
    }
    reading.files_planned += files.len() as u64;
    reading.bytes_planned += bytes;
    let Some(metrics) = plan.metrics() else { return };
    reading.bytes_read += count(&metrics, "bytes_scanned");
    let seen = metrics.output_rows().unwrap_or_default() as u64 + count(&metrics, "pushdown_rows_pruned");
    let share = |done: u64, all: u64| if all == 0 { 0.0 } else { (done as f64 / all as f64).min(1.0) };
    let by_files = share(count(&metrics, "files_processed"), parts);
    let by_rows = rows.map_or(0.0, |rows| share(seen, rows as u64));
    reading.bytes_done += (bytes as f64 * by_files.max(by_rows)) as u64;
}

fn count(metrics: &MetricsSet, name: &str) -> u64 {
    let is_meant = |metric: &Metric| matches!(metric.value(), MetricValue::Count { name: known, .. } if known == name);
    metrics.sum(is_meant).map_or(0, |value| value.as_usize() as u64)
}
