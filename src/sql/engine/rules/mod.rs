//! Rules of the optimizer that the engine lacks; they rewrite plans into its own operators.

mod cast;
mod distinct;
mod filter;
mod first;
mod interval;
mod rounded;
mod window;
mod within;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerRule};

use super::upstream::{PatientOptimizer, SmallConstants};

/// Returns the engine's rules with ours among them, each where the rules that finish its work still follow.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = Vec::new();
    for rule in Optimizer::new().rules {
        rules.push(Arc::new(PatientOptimizer));
        match rule.name() {
            // This comes before constants are computed: the engine would compare them its own way.
            "simplify_expressions" => {
                rules.push(Arc::new(interval::FixedIntervals));
            }
            "single_distinct_aggregation_to_group_by" => rules.push(Arc::new(distinct::CountedDistinct)),
            // The filters are in place by then.
            "optimize_projections" => rules.push(Arc::new(rounded::RoundedTimes)),
            "extract_leaf_expressions" => rules.push(Arc::new(window::WindowLeaves)),
            _ => {}
        }
        let name = rule.name().to_string();
        rules.push(rule);
        if name == "push_down_filter" {
            rules.push(Arc::new(cast::MembersOfCasts));
            rules.push(Arc::new(filter::NamedLeaves));
            rules.push(Arc::new(PushDownFilter::new()));
            // What joins require of times is part of them by then.
            rules.push(Arc::new(within::JoinsWithin));
        }
    }
    rules.push(Arc::new(SmallConstants));
    // Filters and limits are in place.
    rules.push(Arc::new(first::FirstOfEvents));
    rules
}

/// Changes every part of a plan's expressions, and keeps their names.
fn rewritten(plan: LogicalPlan, change: impl Fn(Expr) -> Transformed<Expr>) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    let named = |expr: Expr| {
        let name = names.save(&expr);
        let changed = expr.transform_up(|part| Ok(change(part)))?;
        Ok(changed.update_data(|expr| name.restore(expr)))
    };
    plan.map_expressions(|expr| match expr {
        // In `rollup (a, b)` the members have names, not the whole: the engine does not recognise a grouping set behind
        // an alias.
        Expr::GroupingSet(_) => expr.map_children(named),
        expr => named(expr),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If a neighbour of a rule were renamed, the rule would vanish, and only a clock would notice.
    #[test]
    fn all_rules_are_among_the_engines() {
        let names: Vec<String> = rules().iter().map(|rule| rule.name().to_string()).collect();
        for name in [
            "counted_distinct",
            "window_leaves",
            "fixed_intervals",
            "rounded_times",
            "members_of_casts",
            "named_leaves",
            "joins_within",
            "first_of_events",
        ] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
    }
}
