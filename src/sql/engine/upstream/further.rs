//! Subqueries within subqueries that name columns of a query further out than the one directly around them.
//!
//! The engine makes a join of a subquery and the query around it, and there a column from further out is not known. So
//! the subquery in the middle is planned by `dependent`, which brings the values from further out into it as rows; this
//! module finds what the inner ones use from beyond, and exchanges it for those values.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

use super::subqueries::subquery;

/// Returns the columns that subqueries within a plan use from beyond the plan.
pub fn further(plan: &LogicalPlan) -> BTreeSet<Column> {
    let mut found = BTreeSet::new();
    // Nothing in here fails.
    let _ = plan.apply(|node| {
        let own = own(node);
        node.apply_expressions(|expr| {
            found.extend(of(expr, &own));
            Ok(TreeNodeRecursion::Continue)
        })
    });
    found
}

/// Returns the columns that subqueries of an expression use from beyond the expression's own columns.
pub fn of(expr: &Expr, own: &[DFSchemaRef]) -> BTreeSet<Column> {
    let mut found = BTreeSet::new();
    let _ = expr.apply(|part| {
        if let Some(inner) = inner(part) {
            let direct = inner.all_out_ref_exprs().into_iter().filter_map(|taken| match taken {
                Expr::OuterReferenceColumn(_, column) => Some(column),
                _ => None,
            });
            let all = direct.chain(further(inner));
            found.extend(all.filter(|column| !has(own, column)));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// Returns the columns that a node's expressions are over.
pub fn own(node: &LogicalPlan) -> Vec<DFSchemaRef> {
    node.inputs().into_iter().map(|input| input.schema().clone()).collect()
}

fn has(own: &[DFSchemaRef], column: &Column) -> bool {
    own.iter().any(|schema| schema.has_column(column))
}

fn inner(expr: &Expr) -> Option<&LogicalPlan> {
    match expr {
        Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. })
        | Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
        _ => None,
    }
}

/// A function that exchanges an expression from beyond for another; `None` leaves it.
pub type Exchange<'a> = dyn FnMut(&Expr) -> Result<Option<Expr>> + 'a;

/// Returns an expression in whose subqueries everything from beyond `own` is exchanged.
pub fn exchanged(expr: Expr, own: &[DFSchemaRef], exchange: &mut Exchange<'_>) -> Result<Expr> {
    let changed = expr.transform_up(|part| {
        if inner(&part).is_none() {
            return Ok(Transformed::no(part));
        }
        let mut within = |found: &Subquery| {
            Ok::<_, datafusion::error::DataFusionError>(subquery(planned(&found.subquery, own, exchange)?))
        };
        Ok(Transformed::yes(match part {
            Expr::Exists(Exists { subquery, negated }) => {
                Expr::Exists(Exists { subquery: within(&subquery)?, negated })
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                Expr::InSubquery(InSubquery { expr, subquery: within(&subquery)?, negated })
            }
            Expr::SetComparison(found) => {
                Expr::SetComparison(SetComparison { subquery: within(&found.subquery)?, ..found })
            }
            Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(within(&subquery)?),
            other => other,
        }))
    })?;
    Ok(changed.data)
}

fn planned(plan: &LogicalPlan, own: &[DFSchemaRef], exchange: &mut Exchange<'_>) -> Result<LogicalPlan> {
    let changed = plan.clone().transform_down(|node| {
        let nearer: Vec<DFSchemaRef> = own.iter().cloned().chain(self::own(&node)).collect();
        let kept = NamePreserver::new(&node);
        let changed = node.map_expressions(|expr| {
            let name = kept.save(&expr);
            let expr = exchanged(expr, &nearer, exchange)?;
            let changed = expr.transform_down(|part| {
                if !is_from_beyond(&part, own) {
                    return Ok(Transformed::no(part));
                }
                Ok(match exchange(&part)? {
                    Some(other) => Transformed::new(other, true, TreeNodeRecursion::Jump),
                    None => Transformed::new(part, false, TreeNodeRecursion::Jump),
                })
            })?;
            Ok(Transformed::yes(name.restore(changed.data)))
        })?;
        changed.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(changed.data)
}

/// Returns whether an expression consists only of outer values.
fn is_from_beyond(expr: &Expr, own: &[DFSchemaRef]) -> bool {
    let mut is_from_beyond = expr.contains_outer() && expr.column_refs().is_empty();
    let _ = expr.apply(|part| {
        is_from_beyond &= match part {
            Expr::OuterReferenceColumn(_, column) => !has(own, column),
            part => inner(part).is_none(),
        };
        Ok(TreeNodeRecursion::Continue)
    });
    is_from_beyond
}

/// Returns an expression of outer references over the columns that they mean.
pub fn meant(expr: &Expr) -> Result<Expr> {
    let changed = expr.clone().transform_up(|part| match part {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

/// Returns whether the schema has all columns of an expression.
pub fn is_over(expr: &Expr, schema: &DFSchema) -> bool {
    expr.column_refs().into_iter().all(|column| schema.has_column(column))
}
