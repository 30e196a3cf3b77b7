//! Corrects `except all` and `intersect all`, by copies.
//!
//! The engine joins the sides by their values, so that one row on the right removes, or keeps, all copies on the left
//! (apache/datafusion#12956, #12955). With copies numbered on both sides a row is removed by its own copy.
//!
//! ```text
//! a except all b   ->   a with copy number, anti join b with copy number, by all columns and the number
//! ```

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullEquality};
use datafusion::error::Result;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, ExprFunctionExt, JoinType, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use super::everywhere;

/// The number of a copy; a join by it is not rewritten again.
const COPY: &str = "__copy";

#[derive(Debug)]
pub struct Copies;

impl AnalyzerRule for Copies {
    fn name(&self) -> &str {
        "numbered_copies"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        everywhere(plan, |plan| match plan {
            LogicalPlan::Join(join) if is_set_operation(&join) => Ok(Transformed::yes(by_copies(&join)?)),
            plan => Ok(Transformed::no(plan)),
        })
    }
}

/// Returns whether a join is a set operation: a semi or anti join of all columns in which null equals null. If the left
/// side has no copies, the engine's answer is right.
fn is_set_operation(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && !join.on.is_empty()
        && join.on.len() == join.left.schema().fields().len()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(_))
        && !join.on.iter().any(|(left, _)| left.column_refs().iter().any(|column| column.name == COPY))
}

fn by_copies(join: &Join) -> Result<LogicalPlan> {
    let columns = join.left.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
    let (left, right) = (numbered(&join.left)?, numbered(&join.right)?);
    let copy = || Expr::Column(Column::new_unqualified(COPY));
    let mut on = join.on.clone();
    on.push((copy(), copy()));
    let joined = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        None,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(columns)?.build()
}

/// Returns a plan with the number of each row among its equals.
fn numbered(plan: &Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(columns.clone()).build()?;
    let window = LogicalPlanBuilder::window_plan(plan.as_ref().clone(), vec![number])?;
    let copy = window.schema().columns().pop().map(|column| Expr::Column(column).alias(COPY));
    LogicalPlanBuilder::from(window).project(columns.into_iter().chain(copy))?.build()
}
