//! Rules of the optimizer that the engine lacks: what is rewritten is made of its own operators all the same.

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

/// The engine's rules, ours among them where each can still be followed by those that finish its work.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = Vec::new();
    for rule in Optimizer::new().rules {
        rules.push(Arc::new(PatientOptimizer));
        match rule.name() {
            // Before constants are worked out: the engine would compare them its own way.
            "simplify_expressions" => {
                rules.push(Arc::new(interval::FixedIntervals));
            }
            "single_distinct_aggregation_to_group_by" => rules.push(Arc::new(distinct::CountedDistinct)),
            // The filters have found their places by then.
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
            // What joins ask of times stands in them by then.
            rules.push(Arc::new(within::JoinsWithin));
        }
    }
    rules.push(Arc::new(SmallConstants));
    // Filters and limits have found their places.
    rules.push(Arc::new(first::FirstOfEvents));
    rules
}

/// The plan with every part of its expressions changed, under their old names.
fn rewritten(plan: LogicalPlan, change: impl Fn(Expr) -> Transformed<Expr>) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    let named = |expr: Expr| {
        let name = names.save(&expr);
        let changed = expr.transform_up(|part| Ok(change(part)))?;
        Ok(changed.update_data(|expr| name.restore(expr)))
    };
    plan.map_expressions(|expr| match expr {
        // Of `rollup (a, b)` the members have names, not the whole: the engine knows no grouping set behind an alias.
        Expr::GroupingSet(_) => expr.map_children(named),
        expr => named(expr),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule whose neighbour was renamed would not be there any more, and nobody would notice but a clock.
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
