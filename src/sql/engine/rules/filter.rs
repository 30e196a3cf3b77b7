//! Pushes filters below projections that only name members of structs.
//!
//! `select ... from (select actor.user.uid as who, ... union all ...) where who = 'x'`: the engine leaves the filter in
//! place while it plans, since it treats such projections specially, and hands it to the scan when all is planned. The
//! table would not see it, and knowledge about files before they are opened would be unused.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::logical_plan::{Filter, Projection};
use datafusion::logical_expr::{Expr, ExpressionPlacement, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::window::PREFIX;

#[derive(Debug)]
pub struct NamedLeaves;

impl OptimizerRule for NamedLeaves {
    fn name(&self) -> &str {
        "named_leaves"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(Filter { predicate, input, .. }) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Projection(projection) = input.as_ref() else { return Ok(Transformed::no(plan)) };
        let Some(predicate) = below(predicate, projection)? else { return Ok(Transformed::no(plan)) };
        let filter = LogicalPlan::Filter(Filter::try_new(predicate, projection.input.clone())?);
        let made = Projection::try_new(projection.expr.clone(), Arc::new(filter))?;
        Ok(Transformed::yes(LogicalPlan::Projection(made)))
    }
}

/// Returns the predicate over the projection's input; `None` when that computes anything but members and columns.
fn below(predicate: &Expr, projection: &Projection) -> Result<Option<Expr>> {
    let (mut is_simple, mut has_leaf) = (!predicate.is_volatile(), false);
    let made = predicate.clone().transform(|expr| {
        let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
        // Members that the engine itself extracted stay in place.
        let is_theirs = column.name.starts_with(PREFIX);
        let at = projection.schema.maybe_index_of_column(column).filter(|_| !is_theirs);
        let named = at.and_then(|at| projection.expr.get(at));
        let source = named.map(|named| named.clone().unalias());
        match source {
            Some(source @ Expr::Column(_)) => Ok(Transformed::new(source, true, TreeNodeRecursion::Jump)),
            Some(source) if source.placement() == ExpressionPlacement::MoveTowardsLeafNodes => {
                has_leaf = true;
                Ok(Transformed::new(source, true, TreeNodeRecursion::Jump))
            }
            _ => {
                is_simple = false;
                Ok(Transformed::no(expr))
            }
        }
    })?;
    Ok((is_simple && has_leaf).then_some(made.data))
}
