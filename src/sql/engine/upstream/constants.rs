//! Refuses large constants that would be made once for each row.
//!
//! The engine spreads a constant over the rows of a batch before it uses it: a megabyte becomes eight gigabytes, which
//! the memory pool learns afterwards. Comparisons take a constant as it is.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::ours;
use crate::error::Error;

/// Bytes of a constant that is made for each row: a batch of 8,192 rows then has 128 MiB of it.
const MAX_SPREAD: usize = 16 << 10;

/// The last rule: constants are computed by then.
#[derive(Debug)]
pub struct SmallConstants;

impl OptimizerRule for SmallConstants {
    fn name(&self) -> &str {
        "small_constants"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.apply(|node| {
            let has_many = node.inputs().iter().any(|input| input.max_rows().is_none_or(|rows| rows > 1));
            for expr in node.expressions() {
                check(&expr, has_many)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Transformed::no(plan))
    }
}

fn check(expr: &Expr, has_many: bool) -> Result<()> {
    expr.apply(|part| match part {
        // A lambda is evaluated for each item of a list.
        Expr::Lambda(lambda) => {
            check(&lambda.body, true)?;
            Ok(TreeNodeRecursion::Jump)
        }
        Expr::BinaryExpr(binary) if is_large(&binary.left) || is_large(&binary.right) => {
            let rest = if is_large(&binary.left) { &binary.right } else { &binary.left };
            check(rest, has_many)?;
            Ok(TreeNodeRecursion::Jump)
        }
        Expr::Like(like) if is_large(&like.pattern) => {
            check(&like.expr, has_many)?;
            Ok(TreeNodeRecursion::Jump)
        }
        Expr::InList(list) => {
            check(&list.expr, has_many)?;
            Ok(TreeNodeRecursion::Jump)
        }
        part if has_many && is_large(part) => Err(ours(
            Error::input(format!("a constant of more than {} KiB would be made for each row", MAX_SPREAD >> 10))
                .hint("compare with it instead, or make it shorter"),
        )),
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(())
}

fn is_large(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.size() > MAX_SPREAD)
}
