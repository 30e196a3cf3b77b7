//! A physical plan for people: what is done, in the order of the data, and what each scan reads.
//!
//! The engine's own text is one line of everything for each operator. Here an operator has a few words, the partial and
//! the final half of an aggregate are one, and operators that only hand rows on are left out.

use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;

/// An operator with its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNode {
    /// What it is: `Sort`, `Scan`.
    pub name: String,
    /// What it does, as far as a reader wants to know.
    pub detail: String,
    pub scan: Option<Scan>,
    /// Rows that came out and time that was spent; only after the statement was run.
    pub rows: Option<u64>,
    pub time: Option<Duration>,
    pub inputs: Vec<PlanNode>,
}

/// What a scan of a table reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub table: String,
    /// Files that are left after pruning, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Bytes that were fetched; only after the statement was run.
    pub bytes_read: Option<u64>,
    /// Row groups and pages that were not read, as the engine counts them; only after the statement was run.
    pub pruned: Vec<(String, String)>,
}

/// Operators that hand rows on as they are.
const SILENT: &[&str] =
    &["CoalesceBatchesExec", "CoalescePartitionsExec", "RepartitionExec", "CooperativeExec", "BufferExec"];

/// Keys of the engine's text that say how rather than what.
const HOW: &[&str] = &[
    "preserve_partitioning",
    "file_groups",
    "file_type",
    "pruning_predicate",
    "required_guarantees",
    "output_ordering",
    "output_orderings",
    "mode",
    "partition_sizes",
    "partitions",
    "ordering_mode",
    "maintains_sort_order",
    "projection_pushdown",
    "filter_pushdown",
    "NullsEqual",
];

/// The plan as a tree.
pub(super) fn tree(plan: &Arc<dyn ExecutionPlan>) -> PlanNode {
    let plan = heard(plan);
    let name = plan.name();
    let line = DisplayableExecutionPlan::new(plan.as_ref()).one_line().to_string();
    let text = line.trim().split_once(':').map_or("", |(_, text)| text).trim();
    let mut inputs: Vec<PlanNode> = plan.children().into_iter().map(tree).collect();
    // The final half has all there is to say.
    if name == "AggregateExec"
        && let [input] = inputs.as_slice()
        && input.name == "Aggregate"
        && text.contains("mode=Final")
    {
        inputs = inputs.swap_remove(0).inputs;
    }
    let scan = scan(plan);
    let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name());
    let time = metrics.as_ref().and_then(MetricsSet::elapsed_compute);
    PlanNode {
        name: if scan.is_some() { "Scan".to_string() } else { words(name) },
        detail: detail(text),
        rows: metrics.as_ref().and_then(MetricsSet::output_rows).map(|rows| rows as u64),
        time: time.map(|nanos| Duration::from_nanos(nanos as u64)),
        scan,
        inputs,
    }
}

/// The first operator from here that does something to the rows.
fn heard(plan: &Arc<dyn ExecutionPlan>) -> &Arc<dyn ExecutionPlan> {
    match plan.children().as_slice() {
        [only] if SILENT.contains(&plan.name()) => heard(only),
        _ => plan,
    }
}

fn scan(plan: &Arc<dyn ExecutionPlan>) -> Option<Scan> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    let config = source.data_source().downcast_ref::<FileScanConfig>()?;
    let files: Vec<_> = config.file_groups.iter().flat_map(|group| group.iter()).collect();
    // `lake/authentication/event_month=2026-01/<file>.parquet`
    let path = files.first()?.object_meta.location.as_ref();
    let table = path.rsplit('/').nth(2)?.to_string();
    let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name());
    let named = |name: &str| metrics.as_ref()?.iter().find(|metric| metric.value().name() == name).cloned();
    let bytes_read = named("bytes_scanned").map(|metric| metric.value().as_usize() as u64);
    let counts = [
        ("row groups", "row_groups_pruned_statistics"),
        ("row groups by bloom filter", "row_groups_pruned_bloom_filter"),
        ("pages", "page_index_pages_pruned"),
        ("rows", "pushdown_rows_pruned"),
    ];
    let pruned = counts.into_iter().filter_map(|(what, name)| {
        let text = named(name)?.value().to_string();
        (!text.starts_with('0')).then(|| (what.to_string(), text))
    });
    Some(Scan {
        table,
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.object_meta.size).sum(),
        bytes_read,
        pruned: pruned.collect(),
    })
}

/// `HashJoinExec` is `Hash join`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.trim_end_matches("Exec").chars() {
        match c.is_uppercase() && !text.is_empty() {
            true => text.extend([' ', c.to_ascii_lowercase()]),
            false => text.push(c),
        }
    }
    text
}

/// The engine's `key=value, ...` with what a reader wants to know.
fn detail(text: &str) -> String {
    let mut parts = Vec::new();
    for part in split(text) {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) if key.chars().all(|c| c.is_alphanumeric() || c == '_') && !key.is_empty() => {
                (key, value)
            }
            _ => ("", part),
        };
        let value = value.trim();
        let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
        if HOW.contains(&key) || inner.is_empty() {
            continue;
        }
        let inner = plain(inner);
        parts.push(match key {
            "" | "expr" => inner,
            "gby" => format!("group by {inner}"),
            "aggr" => inner,
            "predicate" => format!("where {inner}"),
            "projection" => format!("columns {inner}"),
            "join_type" => inner.to_lowercase(),
            "on" => format!("on {inner}"),
            "fetch" => format!("first {inner}"),
            "limit" => format!("limit {inner}"),
            "filter" => format!("where {inner}"),
            other => format!("{other} {inner}"),
        });
    }
    parts.join("; ")
}

/// Splits at the commas outside of brackets and strings.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start, mut is_string) = (Vec::new(), 0_i32, 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => is_string = !is_string,
            _ if is_string => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Columns without their places: `n@1` is `n`; in strings everything stays.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_string = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        is_string ^= c == '\'';
        let is_place = c == '@' && !is_string && characters.peek().is_some_and(char::is_ascii_digit);
        if !is_place {
            out.push(c);
            continue;
        }
        while characters.next_if(char::is_ascii_digit).is_some() {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_says_what_it_does_and_not_how() {
        assert_eq!(words("HashJoinExec"), "Hash join");
        assert_eq!(words("SortPreservingMergeExec"), "Sort preserving merge");
        assert_eq!(detail("expr=[n@1 DESC NULLS LAST], preserve_partitioning=[false]"), "n DESC NULLS LAST");
        assert_eq!(
            detail("mode=FinalPartitioned, gby=[outcome@0 as outcome], aggr=[count(Int64(1))]"),
            "group by outcome as outcome; count(Int64(1))"
        );
        assert_eq!(detail("who@0 = 'a@1, b'"), "who = 'a@1, b'");
        assert_eq!(
            detail(
                "file_groups={1 group: [[a/b.parquet, c]]}, projection=[time], predicate=time@0 > 5, file_type=parquet"
            ),
            "columns time; where time > 5"
        );
    }
}
