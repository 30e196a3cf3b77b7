//! Moves subqueries in joins and among the arguments of aggregates to where they are planned.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Filter, Join};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};

use super::super::dependent::placed;
use super::super::ours;
use super::{Names, filtered, has_subquery, is_subquery, valued};
use crate::error::Error;

/// Moves conditions with subqueries above an inner join, where they mean the same.
pub fn joined(join: Join, names: &Names) -> Result<LogicalPlan> {
    let Some(filter) = join.filter.clone().filter(has_subquery) else { return Ok(LogicalPlan::Join(join)) };
    if join.join_type != JoinType::Inner {
        return Err(ours(
            Error::input("a subquery is not supported in the condition of an outer join")
                .hint("filter the table before: left join (select * from t where ...) as t on ..."),
        ));
    }
    let (above, within): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter).into_iter().partition(has_subquery);
    let join = Join { filter: conjunction(within), ..join };
    let Some(predicate) = conjunction(above) else { return Ok(LogicalPlan::Join(join)) };
    let filter = Filter::try_new(predicate, Arc::new(LogicalPlan::Join(join)))?;
    placed(filtered(filter, names)?, names)
}

/// Turns subqueries among the arguments of aggregates into columns below.
pub fn aggregated(aggregate: Aggregate, names: &Names) -> Result<LogicalPlan> {
    let schema = aggregate.input.schema().as_ref().clone();
    let mut below: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let plan = LogicalPlan::Aggregate(aggregate.clone());
    let kept = NamePreserver::new(&plan);
    let mut outside = |expr: &Expr| -> Result<Expr> {
        let name = kept.save(expr);
        let changed = expr.clone().transform_down(|part| {
            if !is_subquery(&part) {
                return Ok(Transformed::no(part));
            }
            let column = names.next();
            below.push(valued(part, &schema, names)?.data.alias(&column));
            Ok(Transformed::new(Expr::Column(Column::new_unqualified(column)), true, TreeNodeRecursion::Jump))
        })?;
        Ok(name.restore(changed.data))
    };
    let groups = aggregate.group_expr.iter().map(&mut outside).collect::<Result<Vec<_>>>()?;
    let made = aggregate.aggr_expr.iter().map(&mut outside).collect::<Result<Vec<_>>>()?;
    let input = LogicalPlanBuilder::from(aggregate.input.as_ref().clone()).project(below)?.build()?;
    let input = placed(input, names)?;
    Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, made)?))
}
