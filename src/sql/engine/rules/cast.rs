//! Replaces a member of a cast struct by the member itself.
//!
//! `event` casts the `user` of a class to the one of all classes. A filter on `user.uid` then is one on the class's own
//! `user.uid`, by which files are pruned; a member that the class does not have is null.

use arrow::datatypes::{DataType, Fields};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, cast, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::scalar::ScalarValue;

use super::rewritten;

#[derive(Debug)]
pub struct MembersOfCasts;

impl OptimizerRule for MembersOfCasts {
    fn name(&self) -> &str {
        "members_of_casts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let has_one = |expr: &Expr| expr.exists(|part| Ok(member(part).is_some())).unwrap_or(false);
        if !plan.expressions().iter().any(has_one) {
            return Ok(Transformed::no(plan));
        }
        let schema = match &plan {
            LogicalPlan::TableScan(scan) => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            plan => merge_schema(&plan.inputs()),
        };
        rewritten(plan, |part| taken(part, &schema))
    }
}

/// Returns the argument and the fields of a cast to a struct, and the path that is taken from it.
fn member(expr: &Expr) -> Option<(&Expr, &Fields, &[Expr])> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let (Expr::Cast(Cast { expr, field }), path) = args.split_first()? else { return None };
    match field.data_type() {
        DataType::Struct(fields) if func.name() == "get_field" && !path.is_empty() => {
            Some((expr.as_ref(), fields, path))
        }
        _ => None,
    }
}

fn taken(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match made(&expr, schema) {
        Some(made) => Transformed::yes(made),
        None => Transformed::no(expr),
    }
}

fn made(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (source, fields, path) = member(expr)?;
    let (first, rest) = path.split_first()?;
    let Expr::Literal(name, _) = first else { return None };
    let name = name.try_as_str().flatten()?;
    let DataType::Struct(own) = source.get_type(schema).ok()? else { return None };
    let (_, wanted) = fields.find(name)?;
    let Some((_, found)) = own.find(name) else {
        return Some(lit(ScalarValue::try_from(&expr.get_type(schema).ok()?).ok()?));
    };
    let path_of = |base: Expr, path: &[Expr]| get_field().call(std::iter::once(base).chain(path.to_vec()).collect());
    if found.data_type() == wanted.data_type() {
        return Some(path_of(source.clone(), path));
    }
    if rest.is_empty() {
        return None;
    }
    let inner = cast(path_of(source.clone(), std::slice::from_ref(first)), wanted.data_type().clone());
    let nested = path_of(inner, rest);
    Some(made(&nested, schema).unwrap_or(nested))
}
