//! Wraps every function of the engine in a check of sizes, and of cases that the engine gets wrong.
//!
//! The memory pool does not see what a function allocates, and constants are computed while a statement is planned. So
//! the size of a call's result is estimated from its arguments, whatever the function is called, and the result is
//! checked. Some functions of the engine are wrong for some arguments; these are answered here instead.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{ExprSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, StructFieldMapping,
};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

use super::lookup::Lookup;
use super::sizes;

/// A function that answers some calls itself.
type Own = fn(&ScalarFunctionArgs) -> Result<Option<ColumnarValue>>;

/// Functions that the engine recognises by type, not by name; none makes more than it is given.
const PLAIN: [&str; 7] = ["get_field", "named_struct", "struct", "power", "log", "coalesce", "arrow_cast"];

/// Wraps every function of a session; `own` answers some calls of a function of that name.
pub fn register(context: &SessionContext, own: &[(&str, Own)]) {
    let functions: Vec<Arc<ScalarUDF>> = context.state().scalar_functions().values().cloned().collect();
    for function in functions {
        let own = own.iter().find(|(known, _)| *known == function.name()).map(|(_, own)| *own);
        if let Some(function) = door(&function, own) {
            context.register_udf(function);
        }
    }
}

/// Wraps a function that the engine's planner took without asking the session; returns `None` for one that is already
/// wrapped.
pub fn behind_door(function: &ScalarUDF) -> Option<ScalarUDF> {
    door(function, None)
}

fn door(function: &ScalarUDF, own: Option<Own>) -> Option<ScalarUDF> {
    let name = function.name();
    let inner = function.inner();
    // The engine's JSON functions recognise each other, and return parts of their input. Lookups are found in plans by
    // their type.
    let is_plain = PLAIN.contains(&name) || name.starts_with("json_") || inner.is::<Wrapped>() || inner.is::<Lookup>();
    (!is_plain).then(|| ScalarUDF::new_from_impl(Wrapped { inner: function.inner().clone(), own }))
}

#[derive(Debug)]
struct Wrapped {
    inner: Arc<dyn ScalarUDFImpl>,
    own: Option<Own>,
}

// The name determines which function answers some calls.
impl PartialEq for Wrapped {
    fn eq(&self, other: &Self) -> bool {
        self.inner.dyn_eq(other.inner.as_ref() as &dyn Any)
    }
}

impl Eq for Wrapped {}

impl Hash for Wrapped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.dyn_hash(state);
    }
}

impl Wrapped {
    fn again(&self, inner: Arc<dyn ScalarUDFImpl>) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Wrapped { inner, own: self.own }))
    }
}

impl ScalarUDFImpl for Wrapped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        self.inner.schema_name(arguments)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.with_updated_config(config)?.inner().clone();
        Some(ScalarUDF::new_from_impl(Wrapped { inner, own: self.own }))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn is_nullable(&self, arguments: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[allow(deprecated)]
        self.inner.is_nullable(arguments, schema)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // Some functions already compute constants here.
        if sizes::is_large(&arguments) {
            return Ok(ExprSimplifyResult::Original(arguments));
        }
        Ok(match self.inner.simplify(arguments, info)? {
            // The simplified function is still this function.
            ExprSimplifyResult::Simplified(Expr::ScalarFunction(ScalarFunction { func, args }))
                if func.name() == self.name() && !func.inner().is::<Wrapped>() =>
            {
                let func = self.again(func.inner().clone());
                ExprSimplifyResult::Simplified(Expr::ScalarFunction(ScalarFunction { func, args }))
            }
            other => other,
        })
    }

    fn preimage(&self, arguments: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(arguments, literal, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(&self, arguments: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(arguments)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(input)
    }

    fn propagate_constraints(&self, interval: &Interval, inputs: &[&Interval]) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn struct_field_mapping(&self, arguments: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        sizes::before(self.name(), &arguments)?;
        if let Some(own) = self.own
            && let Some(answer) = own(&arguments)?
        {
            return Ok(answer);
        }
        let made = self.inner.invoke_with_args(arguments)?;
        sizes::behind(self.name(), &made)?;
        Ok(made)
    }
}
