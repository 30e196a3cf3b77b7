//! The known faults of the engine, and their remedies.
//!
//! Each fault is fixed here or refused with a hint about what to write instead, and has a test that runs the engine
//! alone and expects the fault: when an upgrade fixes it, the test fails and the entry goes (`tests`). `UPSTREAM.md` in
//! the folder above is the list.

mod absent;
mod again;
mod bounds;
mod checked;
mod constants;
mod dependent;
mod further;
mod grouping;
mod lists;
mod literals;
mod operators;
mod ordered;
mod outer;
mod pushdown;
mod sets;
mod subqueries;
#[cfg(test)]
mod tests;
mod types;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{Analyzer, AnalyzerRule};

use crate::error::Error;

pub use again::{calmer, is_theirs};
pub use bounds::PatientOptimizer;
pub use constants::SmallConstants;
pub use operators::Operators;
pub use pushdown::physical_rules;
pub use types::Types;

/// Returns the engine's analyzer with our fixes: rewrites before types are known, and after that those that types decide.
pub fn analyzer() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
        Arc::new(bounds::Bounds),
        Arc::new(sets::Copies),
        Arc::new(subqueries::Subqueries),
        Arc::new(absent::AbsentRows),
    ];
    for rule in Analyzer::new().rules {
        let name = rule.name().to_string();
        if name == "type_coercion" {
            rules.push(Arc::new(grouping::Grouping));
            rules.push(Arc::new(literals::TimeLiterals));
        }
        rules.push(rule);
        if name == "type_coercion" {
            rules.push(Arc::new(lists::Lists));
            rules.push(Arc::new(checked::CheckedArithmetic));
        }
    }
    rules
}

/// Carries an error of ours through the engine; `error::explain` unpacks it.
pub fn ours(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Changes a plan from its leaves up, including those of subqueries.
fn everywhere(
    plan: LogicalPlan,
    change: impl FnMut(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(change)?.data)
}

/// Changes a plan's expressions part by part, where any part `may` be changed; `change` gets the columns that a part
/// can name. Results keep their names.
fn parts(
    plan: LogicalPlan,
    may: impl Fn(&Expr) -> bool,
    mut change: impl FnMut(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    everywhere(plan, |plan| {
        let has_one = |expr: &Expr| expr.exists(|part| Ok(may(part))).unwrap_or(false);
        if !plan.expressions().iter().any(has_one) {
            return Ok(Transformed::no(plan));
        }
        let inputs = plan.inputs();
        let schema = if inputs.is_empty() { plan.schema().as_ref().clone() } else { merge_schema(&inputs) };
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let mut named = |expr: Expr| {
                let name = names.save(&expr);
                let changed = expr.transform_up(|part| change(part, &schema))?;
                Ok(changed.update_data(|expr| name.restore(expr)))
            };
            match expr {
                // Its members have names, not the whole.
                Expr::GroupingSet(_) => expr.map_children(named),
                expr => named(expr),
            }
        })
    })
}
