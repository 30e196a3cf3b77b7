//! Passes `order by time desc limit 20` to the table that it applies to (`engine::first`).
//!
//! The sort stays: the table gives its rows in no order.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::logical_plan::{Projection, Sort, SubqueryAlias};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::super::first::{MOST, Told};
use super::super::late::{First, Key};

#[derive(Debug)]
pub struct FirstOfEvents;

impl OptimizerRule for FirstOfEvents {
    fn name(&self) -> &str {
        "first_of_events"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Sort(sort) = &plan else { return Ok(Transformed::no(plan)) };
        match told(sort)? {
            Some(input) => Ok(Transformed::yes(LogicalPlan::Sort(Sort { input: Arc::new(input), ..sort.clone() }))),
            None => Ok(Transformed::no(plan)),
        }
    }
}

/// Returns the input of a sort, with a table that knows of it.
fn told(sort: &Sort) -> Result<Option<LogicalPlan>> {
    let Some(count) = sort.fetch.filter(|count| *count <= MOST) else { return Ok(None) };
    let schema = sort.input.schema();
    let place = |expr: &Expr| match expr {
        Expr::Column(column) => schema.maybe_index_of_column(column),
        _ => None,
    };
    let Some(places) = sort.expr.iter().map(|key| place(&key.expr)).collect::<Option<Vec<usize>>>() else {
        return Ok(None);
    };
    below(&sort.input, &places, &|names| {
        let keys = names.into_iter().zip(&sort.expr);
        let keys = keys.map(|(column, key)| Key { column, asc: key.asc, nulls_first: key.nulls_first });
        First { keys: keys.collect(), count }
    })
}

/// Returns the plan with its table told; `None` when the columns are computed or rows are left out on the way to it.
fn below(plan: &LogicalPlan, places: &[usize], first: &dyn Fn(Vec<String>) -> First) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let place = |&at: &usize| match plain(projection.expr.get(at)?) {
                Expr::Column(column) => schema.maybe_index_of_column(column),
                _ => None,
            };
            let Some(places) = places.iter().map(place).collect::<Option<Vec<usize>>>() else { return Ok(None) };
            let Some(input) = below(&projection.input, &places, first)? else { return Ok(None) };
            let (expr, schema) = (projection.expr.clone(), projection.schema.clone());
            Projection::try_new_with_schema(expr, Arc::new(input), schema).map(LogicalPlan::Projection).map(Some)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let Some(input) = below(&alias.input, places, first)? else { return Ok(None) };
            SubqueryAlias::try_new(Arc::new(input), alias.alias.clone()).map(LogicalPlan::SubqueryAlias).map(Some)
        }
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
            // Tables of other kinds are not our providers.
            let Ok(table) = source_as_provider(&scan.source) else { return Ok(None) };
            let names = places.iter().map(|&at| scan.projected_schema.field(at).name().clone()).collect();
            let told = table.downcast_ref::<Told>().and_then(|table| table.first(first(names)));
            Ok(told.map(|table| {
                let mut scan = scan.clone();
                scan.source = provider_as_source(Arc::new(table));
                LogicalPlan::TableScan(scan)
            }))
        }
        _ => Ok(None),
    }
}

fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(Alias { expr, .. }) => plain(expr),
        expr => expr,
    }
}
