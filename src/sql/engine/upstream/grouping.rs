//! Keeps the optimizer from treating a column after grouping sets as the constant that a filter made it.
//!
//! `where x = 2 group by rollup (x) order by x nulls last`: the engine knows that `x` is 2 everywhere and drops the
//! sort, but the total has null there. So the columns go through a function about which nothing is known.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::logical_plan::Aggregate;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::everywhere;

#[derive(Debug)]
pub struct Grouping;

impl AnalyzerRule for Grouping {
    fn name(&self) -> &str {
        "opaque_grouping_sets"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let opaque = ScalarUDF::new_from_impl(Opaque { signature: Signature::any(2, Volatility::Volatile) });
        let unknown = ScalarUDF::new_from_impl(Unknown { signature: Signature::nullary(Volatility::Volatile) });
        everywhere(plan, |plan| {
            let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
            if !aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
                return Ok(Transformed::no(plan));
            }
            let columns = hidden(aggregate, &opaque, &unknown.call(Vec::new()));
            Ok(Transformed::yes(LogicalPlanBuilder::from(plan).project(columns)?.build()?))
        })
    }
}

/// Returns all columns; the grouping ones look as if computed by chance.
fn hidden(aggregate: &Aggregate, opaque: &ScalarUDF, unknown: &Expr) -> Vec<Expr> {
    let grouped = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
    let columns = aggregate.schema.iter().enumerate().map(|(place, (qualifier, field))| {
        let column = Expr::from((qualifier, field));
        let is_key = place < grouped && field.name() != Aggregate::INTERNAL_GROUPING_ID;
        if is_key {
            opaque.call(vec![column, unknown.clone()]).alias_qualified(qualifier.cloned(), field.name())
        } else {
            column
        }
    });
    columns.collect()
}

/// A function whose value is not known to be the same for all rows: a function of constants alone would be a constant.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Unknown {
    signature: Signature,
}

impl ScalarUDFImpl for Unknown {
    fn name(&self) -> &str {
        "unknown"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)))
    }
}

/// A function that returns its argument, which the optimizer does not know.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Opaque {
    signature: Signature,
}

impl ScalarUDFImpl for Opaque {
    fn name(&self) -> &str {
        "opaque"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(arguments.args[0].clone())
    }
}
