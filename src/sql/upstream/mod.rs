//! What the engine is known to get wrong, and what is done about it.
//!
//! Each fault is mended here or refused with how to write it instead, and has a test that runs the engine alone and expects
//! the fault: when an upgrade mends it, the test fails and the entry goes (`tests`).
//!
//! | fault | upstream | remedy |
//! |---|---|---|
//! | `except all`, `intersect all` subtract values and not copies | #12956, #12955 | `sets`: copies are numbered |
//! | the merged column of a full or right join `using` is the left side's | #22881 | `dialect::rewrite::merged` |
//! | correlated `not in`, `in` below `or`, null among the values | #25480, #25347 | `subqueries` |
//! | `exists` and `in` over an aggregate without groups, which always has a row | #24960 | `subqueries` |
//! | a subquery within a subquery names a column two queries out | not reported | `further`, `dependent` |
//! | `*` over `b left join a using (k)` has the `k` of `a`; over three tables it has `k` twice | not reported | `dialect::rewrite::merged` |
//! | a window, `offset` or `distinct on` in a correlated subquery sees all rows | not reported | `dependent`, or refused by `subqueries` |
//! | `order by all` behind a set operation is dropped | #25243 | `dialect::rewrite::order` |
//! | clauses that are read and dropped: `tablesample`, `for update`, ... | #16533, #12449 | `dialect::unread`: refused |
//! | an order is lost above grouping sets when a filter makes a column constant | not reported | `grouping` |
//! | `+`, `-`, `*` and `sum` of whole numbers wrap around | #12140, #17539, #3520 | `checked` |
//! | `->>` binds weaker than `=` and `\|\|`; `is distinct from` takes all behind it | sqlparser | `dialect::grammar` |
//! | `^` is a bitwise operation | sqlparser | `dialect::rewrite::calls` |
//! | texts as times by way of nanoseconds: an error for 1601 and 9999 | | `literals`, `types` |
//! | `date_trunc`, `date_bin`, `to_char`, `now` by way of nanoseconds; days in UTC whatever the zone | | `functions::times` |
//! | `extract(epoch from difference)` is null beyond 292 years | | `functions::times::epoch` |
//! | `at time zone` fails on a time that clocks skip | | `functions::times::zone` |
//! | `interval '1 day' = interval '24 hours'` is false | | `rules::interval` |
//! | plans over unions and self joins with members of structs end in "ambiguous" | #25446, #24241, #25459 | `again` |
//! | a filter over columns of one name is handed to the wrong one | not reported | `pushdown` |
//! | an order that a union has by constants is forgotten behind a join: "does not satisfy order requirements" | not reported | refused: `error` |
//! | a key that an order repeats is a panic below `distinct on` | not reported | `dialect::rewrite::order` |
//! | two aggregates of other orders, a column and its cast as groups | not reported | `dialect::rewrite::aggregates` |
//! | `group by case ...` beside a `count(distinct)` ends in "physical input schema" | not reported | `engine`: the check is off |
//! | a filter of a window aggregate is lost when a physical plan is serialised | #17417 | nothing here serialises plans |

mod absent;
mod again;
mod bounds;
mod checked;
mod constants;
mod dependent;
mod further;
mod grouping;
mod literals;
mod operators;
mod pushdown;
mod sets;
mod subqueries;
#[cfg(test)]
mod tests;
mod types;

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{Analyzer, AnalyzerRule};

use crate::error::Error;

pub use again::{calmer, is_theirs};
pub use bounds::{Patience, PatientOptimizer};
pub use constants::SmallConstants;
pub use operators::Operators;
pub use pushdown::physical_rules;
pub use types::Types;

/// The engine's analyzer with what mends it: before types are known what is said in other words, behind what types decide.
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
            rules.push(Arc::new(checked::CheckedArithmetic));
        }
    }
    rules
}

/// Carries an error of ours through the engine; `error::explain` unpacks it.
pub fn ours(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// A plan changed from its leaves up, those of subqueries too.
fn everywhere(
    plan: LogicalPlan,
    change: impl FnMut(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(change)?.data)
}
