//! Makes a scalar subquery null where it has no row, whatever its column is.
//!
//! The engine relies on the type of its column: `(select 1 where false) is null` is false, and `coalesce((select 1
//! where false), 0)` null (not reported). A column that is never null goes through a function of which the optimizer
//! does not know that.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Projection, SubqueryAlias};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Subquery, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::everywhere;

#[derive(Debug)]
pub struct AbsentRows;

impl AnalyzerRule for AbsentRows {
    fn name(&self) -> &str {
        "absent_rows"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut is_changed = false;
        let plan = everywhere(plan, |plan| {
            if !plan.expressions().iter().any(|expr| expr.exists(|part| Ok(may_lie(part))).unwrap_or(false)) {
                // The columns below may now be nullable.
                return if is_changed {
                    plan.recompute_schema().map(Transformed::yes)
                } else {
                    Ok(Transformed::no(plan))
                };
            }
            is_changed = true;
            let names = NamePreserver::new(&plan);
            let plan = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let changed = expr.transform_up(|part| match part {
                    Expr::ScalarSubquery(subquery) if lies(&subquery) => {
                        Ok(Transformed::yes(Expr::ScalarSubquery(honest(subquery)?)))
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                Ok(changed.update_data(|expr| name.restore(expr)))
            })?;
            plan.data.recompute_schema().map(Transformed::yes)
        })?;
        Ok(plan)
    }
}

fn may_lie(part: &Expr) -> bool {
    matches!(part, Expr::ScalarSubquery(subquery) if lies(subquery))
}

/// Returns whether a subquery may have no row, and a column that is declared never null.
fn lies(subquery: &Subquery) -> bool {
    let plan = subquery.subquery.as_ref();
    plan.schema().fields().first().is_some_and(|field| !field.is_nullable()) && !has_one_row(plan)
}

fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(Projection { input, .. }) | LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => {
            has_one_row(input)
        }
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

fn honest(subquery: Subquery) -> Result<Subquery> {
    let plan = subquery.subquery.as_ref().clone();
    let maybe = Arc::new(ScalarUDF::new_from_impl(Maybe { signature: Signature::any(1, Volatility::Volatile) }));
    let columns = plan.schema().columns().into_iter().map(|column| {
        let name = column.name.clone();
        let args = vec![Expr::Column(column)];
        Expr::ScalarFunction(ScalarFunction { func: maybe.clone(), args }).alias(name)
    });
    let columns: Vec<Expr> = columns.collect();
    let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
    Ok(Subquery { subquery: Arc::new(plan), ..subquery })
}

/// A function that returns its argument, whose nullability is hidden.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Maybe {
    signature: Signature,
}

impl ScalarUDFImpl for Maybe {
    fn name(&self) -> &str {
        "maybe"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), arguments.arg_fields[0].data_type().clone(), true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(arguments.args[0].clone())
    }
}
