//! Makes a scan that promises an order keep it.
//!
//! `order by time limit 3` over files in the order of their times is a merge of the scan's streams, without a sort. But
//! the rule that pushes limits down tells the scan that its order does not matter (`LimitPushdown`, not reported): its
//! streams then take files from each other, and the first rows of the merge are any rows. So each scan with an order is
//! told to keep it, after all other rules.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

#[derive(Debug)]
pub struct OrderedScans;

impl PhysicalOptimizerRule for OrderedScans {
    fn name(&self) -> &str {
        "ordered_scans"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|plan| {
            let is_ordered = plan.children().is_empty() && plan.properties().output_ordering().is_some();
            match is_ordered.then(|| plan.with_preserve_order(true)).flatten() {
                Some(ordered) => Ok(Transformed::yes(ordered)),
                None => Ok(Transformed::no(plan)),
            }
        });
        Ok(changed?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
