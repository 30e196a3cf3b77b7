//! Bounds on planning: a limited number of nodes, and an end when nobody waits for it any more.
//!
//! Planning is computation without a pause, which nothing outside can stop. So the plan is counted before it is
//! processed, and between any two of the optimizer's rules a check finds out whether somebody still wants the plan.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

use super::super::super::patience::Patience;
use super::ours;
use crate::error::Error;

/// The limit of a plan's nodes with all views and names expanded. The largest report has some thousands.
const MAX_NODES: usize = 30_000;

/// Refuses a plan that is too large.
#[derive(Debug)]
pub struct Bounds;

impl AnalyzerRule for Bounds {
    fn name(&self) -> &str {
        "bounds"
    }

    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        Patience::check(options)?;
        let mut nodes = 0_usize;
        plan.apply_with_subqueries(|_| {
            nodes += 1;
            Ok(if nodes > MAX_NODES { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if nodes > MAX_NODES {
            Err(ours(
                Error::input(format!("the statement comes to more than {MAX_NODES} steps, with all views in place"))
                    .hint("read fewer tables and views, or run it in several statements"),
            ))
        } else {
            Ok(plan)
        }
    }
}

/// A rule that runs between the optimizer's rules.
#[derive(Debug)]
pub struct PatientOptimizer;

impl OptimizerRule for PatientOptimizer {
    fn name(&self) -> &str {
        "patience"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        Patience::check(&config.options())?;
        Ok(Transformed::no(plan))
    }
}

/// A rule that runs between the rules for physical plans.
#[derive(Debug)]
pub struct PatientPlanner;

impl PhysicalOptimizerRule for PatientPlanner {
    fn name(&self) -> &str {
        "patience"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, options: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        Patience::check(options)?;
        Ok(plan)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
