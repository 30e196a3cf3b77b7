//! What operators require of those below, asked for once more where it got lost on the way.
//!
//! `event` is a union of classes, and `class` is one text in each. The engine knows that such a column is in order within each
//! partition and leaves out the sort for `string_agg(class order by class)`; then it puts a projection into a join, forgets what
//! it knew, and gives up on its own plan (not reported). The rule that puts sorts in is run again before that.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// The rule that puts in what is required, and the one that looks whether it is there.
pub const ENSURES: &str = "EnsureRequirements";
pub const CHECKS: &str = "SanityCheckPlan";

#[derive(Debug)]
pub struct EnsuredAgain {
    pub ensures: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
    pub checks: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
}

impl PhysicalOptimizerRule for EnsuredAgain {
    fn name(&self) -> &str {
        self.checks.name()
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, options: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        match self.checks.optimize(plan.clone(), options) {
            Ok(plan) => Ok(plan),
            Err(_) => self.checks.optimize(self.ensures.optimize(plan, options)?, options),
        }
    }

    fn schema_check(&self) -> bool {
        self.checks.schema_check()
    }
}
