//! Pushes filters down to scans only where every column has a name of its own.
//!
//! The engine pushes a filter from operator to operator by the names of its columns, and takes the first column of a
//! name (`FilterRemapper`, not reported). Above a join of two tables that both have a `time`, `a.time >= x or b.time >
//! y` became `time >= x or time > y` of one of them, and the filter itself was gone. Where a name means two columns
//! below a filter, a sort that stops early or a join, plans keep their filters in place.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::bounds::PatientPlanner;
use super::ordered::OrderedScans;
use super::outer::OuterSides;

/// Returns the engine's rules for physical plans after one of ours; those that push filters down check the names first.
pub fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = vec![Arc::new(OuterSides)];
    for rule in PhysicalOptimizer::new().rules {
        rules.push(if rule.name().starts_with("FilterPushdown") { Arc::new(ByOneName { inner: rule }) } else { rule });
    }
    rules.push(Arc::new(OrderedScans));
    rules.push(Arc::new(PatientPlanner));
    rules
}

#[derive(Debug)]
struct ByOneName {
    inner: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
}

impl PhysicalOptimizerRule for ByOneName {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, options: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut is_ambiguous = false;
        doubles(&plan, &mut is_ambiguous);
        if is_ambiguous { Ok(plan) } else { self.inner.optimize(plan, options) }
    }

    fn schema_check(&self) -> bool {
        self.inner.schema_check()
    }
}

/// Returns names that several columns have, in a plan and everything below; notes on the way whether a filter uses one
/// of them.
fn doubles(plan: &Arc<dyn ExecutionPlan>, is_ambiguous: &mut bool) -> BTreeSet<String> {
    let mut below = BTreeSet::new();
    for (place, child) in plan.children().into_iter().enumerate() {
        let theirs = doubles(child, is_ambiguous);
        // The keys of one side that a join knows go down the other.
        let keys = plan.downcast_ref::<HashJoinExec>().map(|join| {
            let keys = join.on().iter().map(|(left, right)| if place == 0 { left } else { right });
            keys.flat_map(names).collect::<Vec<_>>()
        });
        *is_ambiguous |= keys.is_some_and(|keys| keys.iter().any(|name| theirs.contains(name)));
        below.extend(theirs);
    }
    let asked: Vec<String> = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        names(filter.predicate())
    } else if let Some(sort) = plan.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_some()) {
        sort.expr().iter().flat_map(|by| names(&by.expr)).collect()
    } else {
        Vec::new()
    };
    *is_ambiguous |= asked.iter().any(|name| below.contains(name));
    let schema = plan.schema();
    let mut seen = HashSet::new();
    below.extend(schema.fields().iter().filter(|field| !seen.insert(field.name())).map(|field| field.name().clone()));
    below
}

fn names(expr: &Arc<dyn PhysicalExpr>) -> Vec<String> {
    let mut found = Vec::new();
    // Nothing in here fails.
    let _ = expr.apply(|part| {
        if let Some(column) = part.downcast_ref::<Column>() {
            found.push(column.name().to_string());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}
