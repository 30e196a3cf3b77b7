//! Planning that ends: of a bounded number of nodes, and when nobody waits for it any more.
//!
//! Planning is computation without a pause, which nothing outside can stop. So the plan is counted before it is worked on,
//! and between any two of the optimizer's rules it is asked whether somebody still wants the plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

use super::ours;
use crate::error::{Error, Kind};

/// Nodes of a plan with all views and names in place of which it stands. The largest report has some thousands.
const MAX_NODES: usize = 30_000;

/// Bytes of large constants that a statement may compute while it is planned: each is copied with the plan.
const MAX_CONSTANTS: u64 = 16 << 20;

/// Whether somebody still waits for a plan, and what has been made of constants for it.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    is_over: Arc<AtomicBool>,
    constants: Arc<AtomicU64>,
}

impl Patience {
    /// Ends the planning at its next step.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// The engine's state for a statement that somebody waits for.
    pub fn within(&self, mut state: SessionState) -> SessionState {
        state.config_mut().options_mut().extensions.insert(self.clone());
        state
    }

    /// Of the statement that is being planned.
    pub fn of(options: &ConfigOptions) -> Patience {
        options.extensions.get::<Patience>().cloned().unwrap_or_default()
    }

    /// Counts a constant that a function makes; an error when all of them come to too much.
    pub fn spend(options: &ConfigOptions, bytes: u64) -> Result<()> {
        let Some(patience) = options.extensions.get::<Patience>() else { return Ok(()) };
        let spent = patience.constants.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        match spent > MAX_CONSTANTS {
            true => datafusion::common::exec_err!("the constants would make more than {} MiB", MAX_CONSTANTS >> 20),
            false => Ok(()),
        }
    }

    fn check(options: &ConfigOptions) -> Result<()> {
        let is_over =
            options.extensions.get::<Patience>().is_some_and(|patience| patience.is_over.load(Ordering::Relaxed));
        match is_over {
            true => Err(ours(Error::new(Kind::Cancelled, "nobody waits for the statement any more"))),
            false => Ok(()),
        }
    }
}

impl ConfigExtension for Patience {
    const PREFIX: &'static str = "auditlake";
}

// It is handed on, not set by anybody.
impl ExtensionOptions for Patience {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        datafusion::common::plan_err!("there is no option `{key}`")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

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
        match nodes > MAX_NODES {
            true => Err(ours(
                Error::input(format!("the statement comes to more than {MAX_NODES} steps, with all views in place"))
                    .hint("read fewer tables and views, or run it in several statements"),
            )),
            false => Ok(plan),
        }
    }
}

/// Stands between the optimizer's rules.
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

/// Stands between the rules for physical plans.
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
