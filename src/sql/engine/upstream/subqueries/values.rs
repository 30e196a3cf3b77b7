//! Handles `in` as a condition that stands alone, and as a value with its null.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, lit, when};

use super::{Names, rows, subquery};

/// Returns the one column of a subquery.
fn only(plan: &LogicalPlan) -> Result<Expr> {
    let mut columns = plan.schema().columns();
    match (columns.pop(), columns.is_empty()) {
        (Some(column), true) => Ok(Expr::Column(column)),
        _ => datafusion::common::plan_err!("a subquery behind `in` has one column"),
    }
}

/// Returns an expression of the query around, as a subquery names it.
fn outer(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let changed = expr.clone().transform_up(|part| match part {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?.clone();
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

/// Rewrites `where x not in (select y ...)`: no `y` equals `x`, and none is unknown.
pub fn not_in(found: InSubquery, schema: &DFSchema, names: &Names) -> Result<Expr> {
    let InSubquery { expr, subquery: inner, .. } = found;
    let (plan, value) = named(inner.subquery.as_ref().clone(), names)?;
    let compared = value.eq(outer(&expr, schema)?);
    let plan = LogicalPlanBuilder::from(plan).filter(Expr::IsNotFalse(Box::new(compared)))?.build()?;
    Ok(Expr::Exists(Exists { subquery: subquery(plan), negated: true }))
}

/// Rewrites `x in (select y ...)` as a value: null where no `y` equals `x` but one is unknown.
pub fn in_as_value(found: InSubquery, schema: &DFSchema, names: &Names) -> Result<Expr> {
    let InSubquery { expr, subquery: inner, negated } = found;
    let which = |condition: &dyn Fn(Expr) -> Result<Option<Expr>>| {
        let (plan, value) = named(inner.subquery.as_ref().clone(), names)?;
        let plan = match condition(value)? {
            Some(condition) => LogicalPlanBuilder::from(plan).filter(condition)?.build()?,
            None => plan,
        };
        Ok::<Expr, DataFusionError>(rows(plan, names)?.gt(lit(0_i64)))
    };
    let null = || lit(ScalarValue::Boolean(None));
    let same = which(&|value| Ok(Some(value.eq(outer(&expr, schema)?))))?;
    let unknown = which(&|value| Ok(Some(value.is_null())))?;
    let any = which(&|_| Ok(None))?;
    when(same, lit(!negated))
        .when(unknown, null())
        .when(expr.as_ref().clone().is_null().and(any), null())
        .otherwise(lit(negated))
}

/// Rewrites `x > any (select y ...)`, `x > all (select y ...)`: null where no row decides it, and one is unknown.
pub fn compared(found: SetComparison, schema: &DFSchema, names: &Names) -> Result<Expr> {
    let SetComparison { expr, subquery: inner, op, quantifier } = found;
    let which = |condition: &dyn Fn(Box<Expr>) -> Expr| {
        let (plan, value) = named(inner.subquery.as_ref().clone(), names)?;
        let compared = BinaryExpr { left: Box::new(outer(&expr, schema)?), op, right: Box::new(value) };
        let condition = condition(Box::new(Expr::BinaryExpr(compared)));
        let plan = LogicalPlanBuilder::from(plan).filter(condition)?.build()?;
        Ok::<Expr, DataFusionError>(rows(plan, names)?.gt(lit(0_i64)))
    };
    let is_any = quantifier == SetQuantifier::Any;
    let decided = which(&|compared| if is_any { Expr::IsTrue(compared) } else { Expr::IsFalse(compared) })?;
    let unknown = which(&|compared| Expr::IsNull(compared))?;
    when(decided, lit(is_any)).when(unknown, lit(ScalarValue::Boolean(None))).otherwise(lit(!is_any))
}

/// Returns the subquery, and its column under a unique name.
fn named(plan: LogicalPlan, names: &Names) -> Result<(LogicalPlan, Expr)> {
    let (column, name) = (only(&plan)?, names.next());
    let plan = LogicalPlanBuilder::from(plan).project(vec![column.alias(&name)])?.build()?;
    Ok((plan, Expr::Column(Column::new_unqualified(name))))
}
