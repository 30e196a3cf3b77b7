//! The part of the lake that a session sees: its ledger entry, and the period of its events.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use super::super::engine::footers::Footers;
use super::super::options::{AsOf, Options};
use super::table::LakeTable;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, State};

/// Returns the last entry that the session may see.
pub async fn sequence(lake: &Lake, as_of: AsOf) -> Result<u64> {
    let time_ms = match as_of {
        AsOf::Sequence(sequence) => return Ok(sequence),
        AsOf::Time { time_ms } => time_ms,
    };
    let (first, _) = lake.entry(0).await?;
    if first.time_ms > time_ms {
        let begun = chrono::DateTime::from_timestamp_millis(first.time_ms).unwrap_or_default().to_rfc3339();
        return Err(Error::input("the lake did not exist yet at that time").hint(format!("it was made at {begun}")));
    }
    // The entry `low` is early enough, `high` is not: times never fall along the ledger.
    let (mut low, mut high) = (0, lake.state().sequence + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let (entry, _) = lake.entry(middle).await?;
        if entry.time_ms <= time_ms { low = middle } else { high = middle }
    }
    Ok(low)
}

/// Registers a stored table, narrowed to the session's period.
pub fn register(
    context: &SessionContext,
    state: &State,
    name: &str,
    schema: SchemaRef,
    options: &Options,
    footers: &Arc<Footers>,
) -> Result<()> {
    let cannot = || format!("cannot register the table `{name}`");
    let (since, until) = (options.since_us.unwrap_or(i64::MIN), options.until_us.unwrap_or(i64::MAX));
    let mut files = state.tables.get(name).map(|table| table.files.clone()).unwrap_or_default();
    files.retain(|file| file.max_time_us >= since && file.min_time_us < until);
    // Files at the edges hold rows of both sides.
    let is_cut = files.iter().any(|file| file.min_time_us < since || file.max_time_us >= until);
    let table: Arc<dyn TableProvider> =
        Arc::new(LakeTable::new(schema, state.lake.partition.column(), files, footers.clone()));
    if !is_cut {
        return context.register_table(name, table).map(|_| ()).context(Kind::Internal, cannot);
    }
    let at = |time_us| lit(ScalarValue::TimestampMicrosecond(Some(time_us), Some("UTC".into())));
    let bounds = [
        options.since_us.map(|since| col("time").gt_eq(at(since))),
        options.until_us.map(|until| col("time").lt(at(until))),
    ];
    let plan = bounds
        .into_iter()
        .flatten()
        .try_fold(
            LogicalPlanBuilder::scan(name, provider_as_source(table), None).context(Kind::Internal, cannot)?,
            |plan, bound| plan.filter(bound).context(Kind::Internal, cannot),
        )?
        .build()
        .context(Kind::Internal, cannot)?;
    let view = DataFrame::new(context.state(), plan).into_view();
    context.register_table(name, view).map(|_| ()).context(Kind::Internal, cannot)
}
