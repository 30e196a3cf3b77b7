//! Planning once more without the rule that takes members out of structs, where that rule ends in an error.
//!
//! `push_down_leaf_projections` makes unions and self joins whose columns have names with and without a table, and then
//! finds them ambiguous (apache/datafusion#25446, #24241, #25459). The rule spares reading whole structs; without it the
//! same rows come, later.

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

/// The physical plan of a logical one.
pub async fn physical(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    match state.create_physical_plan(plan).await {
        Err(error) if is_theirs(&error) => {
            let mut calmer = state.clone();
            calmer.config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
            calmer.create_physical_plan(plan).await
        }
        planned => planned,
    }
}

/// An error that a statement cannot be the cause of: it was planned before.
fn is_theirs(error: &DataFusionError) -> bool {
    let text = error.to_string();
    [
        "which would be ambiguous",
        "Ambiguous reference",
        "__datafusion_extracted",
        "Invalid comparison operation",
        "Schema error: No field named",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}
