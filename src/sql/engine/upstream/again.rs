//! Plans again without the rule that extracts members of structs, where that rule ends in an error.
//!
//! `push_down_leaf_projections` makes unions and self joins whose columns have names with and without a table, and then
//! finds them ambiguous (apache/datafusion#25446, #24241, #25459). The rule avoids reading whole structs; without it
//! the same rows come, later.

use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;

/// Returns the state without that rule.
pub fn calmer(state: &SessionState) -> SessionState {
    let mut calmer = state.clone();
    calmer.config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
    calmer
}

/// Returns whether a statement cannot have caused the error: it was planned before.
pub fn is_theirs(error: &DataFusionError) -> bool {
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
