//! Extracts members of structs before windows and `unnest` instead of after them.
//!
//! `lag(time) over (partition by actor.user.uid)` would carry the whole struct `actor` through the sort. The engine
//! extracts members below filters, sorts, aggregates and joins, from where they are pushed into the scan; but not below
//! these. So this rule does it here: a projection with the members below, their aliases above.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Filter, Projection, Unnest, Window};
use datafusion::logical_expr::{Expr, ExpressionPlacement, LogicalPlan, col};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The engine knows its own projections of members by this prefix, and pushes them on.
pub const PREFIX: &str = "__datafusion_extracted";

#[derive(Debug)]
pub struct WindowLeaves;

impl OptimizerRule for WindowLeaves {
    fn name(&self) -> &str {
        "window_leaves"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = &plan else { return Ok(Transformed::no(plan)) };
        let mut chain = Vec::new();
        let mut bottom = projection.input.as_ref();
        let mut unnested: Vec<&Column> = Vec::new();
        while let LogicalPlan::Window(Window { input, .. })
        | LogicalPlan::Filter(Filter { input, .. })
        | LogicalPlan::Unnest(Unnest { input, .. }) = bottom
        {
            if let LogicalPlan::Unnest(Unnest { exec_columns, .. }) = bottom {
                unnested.extend(exec_columns);
            }
            chain.push(bottom);
            bottom = input.as_ref();
        }
        if !chain.iter().any(|node| matches!(node, LogicalPlan::Window(_) | LogicalPlan::Unnest(_))) {
            return Ok(Transformed::no(plan));
        }
        let mut taken = Taken { from: bottom.schema(), unnested, leaves: Vec::new(), config };
        let mut above = Vec::new();
        for node in &chain {
            above.push(match node {
                // It names its columns itself.
                LogicalPlan::Unnest(_) => Vec::new(),
                _ => taken.out_of(node, &node.expressions())?,
            });
        }
        let top = taken.out_of(&plan, &projection.expr)?;
        if taken.leaves.is_empty() {
            return Ok(Transformed::no(plan));
        }
        let mut exprs: Vec<Expr> = bottom.schema().columns().into_iter().map(Expr::Column).collect();
        exprs.extend(taken.leaves.into_iter().map(|(leaf, alias)| leaf.alias(alias)));
        let mut made = LogicalPlan::Projection(Projection::try_new(exprs, bottom.clone().into())?);
        for (node, exprs) in chain.into_iter().zip(above).rev() {
            made = node.with_new_exprs(exprs, vec![made])?;
        }
        let made = Projection::try_new(top, made.into())?;
        Ok(Transformed::yes(LogicalPlan::Projection(made)))
    }
}

/// The members of `from` that were found so far, and their aliases.
struct Taken<'a> {
    from: &'a DFSchema,
    /// Columns that mean something else above.
    unnested: Vec<&'a Column>,
    leaves: Vec<(Expr, String)>,
    config: &'a dyn OptimizerConfig,
}

impl Taken<'_> {
    /// Returns the expressions of a node with aliases for members, under their old names.
    fn out_of(&mut self, node: &LogicalPlan, exprs: &[Expr]) -> Result<Vec<Expr>> {
        let names = NamePreserver::new(node);
        let mut made = Vec::new();
        for expr in exprs {
            let name = names.save(expr);
            let changed = expr.clone().transform_down(|part| {
                if part.placement() != ExpressionPlacement::MoveTowardsLeafNodes || !self.holds(&part) {
                    return Ok(Transformed::no(part));
                }
                let alias = self.alias(part);
                Ok(Transformed::new(col(Column::new_unqualified(alias)), true, TreeNodeRecursion::Jump))
            })?;
            made.push(name.restore(changed.data));
        }
        Ok(made)
    }

    fn holds(&self, expr: &Expr) -> bool {
        expr.column_refs().iter().all(|column| self.from.has_column(column) && !self.unnested.contains(column))
    }

    fn alias(&mut self, leaf: Expr) -> String {
        if let Some((_, alias)) = self.leaves.iter().find(|(known, _)| *known == leaf) {
            return alias.clone();
        }
        let alias = self.config.alias_generator().next(PREFIX);
        self.leaves.push((leaf, alias.clone()));
        alias
    }
}
