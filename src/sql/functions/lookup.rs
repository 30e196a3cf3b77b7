//! `lookup('identity', 'label', uid)`: the value of a kept view for a key; null for a key that it does not have.
//!
//! The first column of the view is the key. A join would say the same, but five of them around every event are planned
//! and run with each statement, and none lets a filter through to the files. Each view and column becomes a function of
//! its own when a statement is prepared (`conventions`); its name says which rows it reads. They are read only when a
//! plan needs them: most statements over `event` do not ask for any label.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::scalar::ScalarValue;
use tokio::sync::OnceCell;

use super::super::patience::Patience;

/// The rows of a view by their first column.
pub struct LookupRows {
    rows: HashMap<String, u32>,
    values: ArrayRef,
    /// The memory, which is returned with the table.
    _reservation: Option<MemoryReservation>,
}

impl LookupRows {
    /// Reads the key and the values of column `at` from all rows of a view. Of several rows with one key the first counts.
    pub fn new(batches: &[RecordBatch], at: usize, reservation: Option<MemoryReservation>) -> Result<LookupRows> {
        let mut rows = HashMap::new();
        let mut begin = 0;
        for batch in batches {
            let keys = cast(batch.column(0), &DataType::Utf8)?;
            for (row, key) in keys.as_string::<i32>().iter().enumerate() {
                if let Some(key) = key {
                    rows.entry(key.to_string()).or_insert((begin + row) as u32);
                }
            }
            begin += batch.num_rows();
        }
        let columns: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(at).as_ref()).collect();
        let values = if columns.is_empty() { new_null_array(&DataType::Null, 0) } else { concat(&columns)? };
        let table = LookupRows { rows, values, _reservation: reservation };
        if let Some(reservation) = &table._reservation {
            reservation.try_grow(table.bytes())?;
        }
        Ok(table)
    }

    fn bytes(&self) -> usize {
        let keys: usize = self.rows.keys().map(|key| key.len() + 48).sum();
        keys + self.values.get_array_memory_size()
    }
}

impl fmt::Debug for LookupRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.rows.len())
    }
}

/// The source of the rows of a table.
#[async_trait]
pub trait LookupSource: Send + Sync {
    async fn read(&self, patience: &Patience) -> Result<LookupRows>;
}

/// Returns the function of this name, whose rows are read when a plan needs them ([`fill_lookups`]).
pub fn lookup(name: &str, result: DataType, source: Arc<dyn LookupSource>) -> ScalarUDF {
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    let rows = Arc::new(Rows { source, table: OnceCell::new() });
    ScalarUDF::new_from_impl(Lookup { name: name.to_string(), result, rows, signature })
}

struct Rows {
    source: Arc<dyn LookupSource>,
    table: OnceCell<LookupRows>,
}

/// Reads the rows of every lookup in a plan. Returns `true` when one of them turned out to be empty: then the plan may
/// do without.
pub async fn fill_lookups(plan: &LogicalPlan, patience: &Patience) -> Result<bool> {
    let mut found: Vec<Arc<Rows>> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(called) = expr
                    && let Some(lookup) = called.func.inner().downcast_ref::<Lookup>()
                    && !found.iter().any(|rows| Arc::ptr_eq(rows, &lookup.rows))
                {
                    found.push(lookup.rows.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let mut is_empty = false;
    for rows in found {
        let table = rows.table.get_or_try_init(|| rows.source.read(patience)).await?;
        is_empty |= table.rows.is_empty();
    }
    Ok(is_empty)
}

/// Returns the keys for which a lookup gives one of these texts; `None` when the function is another one, when its rows
/// were not read, or when there are more than `most`.
pub fn keys_of(function: &ScalarUDF, wanted: &[String], most: usize) -> Option<Vec<String>> {
    let lookup = function.inner().downcast_ref::<Lookup>()?;
    let table = lookup.rows.table.get()?;
    let values = cast(&table.values, &DataType::Utf8).ok()?;
    let values = values.as_string::<i32>();
    let is_wanted = |row: &u32| {
        let row = *row as usize;
        values.is_valid(row) && wanted.iter().any(|text| text == values.value(row))
    };
    let mut keys: Vec<String> =
        table.rows.iter().filter(|(_, row)| is_wanted(row)).map(|(key, _)| key.clone()).take(most + 1).collect();
    keys.sort();
    (keys.len() <= most).then_some(keys)
}

pub struct Lookup {
    name: String,
    result: DataType,
    rows: Arc<Rows>,
    signature: Signature,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Lookup {}

impl Hash for Lookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Lookup {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    /// Removes the function and its needs from the plan where nothing is known of anybody.
    fn simplify(&self, arguments: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match self.rows.table.get() {
            Some(table) if table.rows.is_empty() => {
                Ok(ExprSimplifyResult::Simplified(lit(ScalarValue::try_from(&self.result)?)))
            }
            _ => Ok(ExprSimplifyResult::Original(arguments)),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(table) = self.rows.table.get() else { return exec_err!("the rows of {} were not read", self.name) };
        let [keys] = arguments.args.as_slice() else { return exec_err!("lookup() takes one key") };
        let keys = keys.to_array(arguments.number_rows)?;
        let rows: UInt32Array =
            keys.as_string::<i32>().iter().map(|key| key.and_then(|key| table.rows.get(key).copied())).collect();
        if rows.null_count() == rows.len() {
            return Ok(ColumnarValue::Array(new_null_array(&self.result, rows.len())));
        }
        Ok(ColumnarValue::Array(cast(&take(&table.values, &rows, None)?, &self.result)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, StringArray};
    use datafusion::logical_expr::LogicalPlanBuilder;

    use super::*;

    #[tokio::test]
    async fn a_key_that_is_not_there_has_no_value() {
        let batch = |keys: Vec<Option<&str>>, values: Vec<Option<f64>>| {
            let columns: [(&str, ArrayRef); 2] =
                [("key", Arc::new(StringArray::from(keys))), ("value", Arc::new(Float64Array::from(values)))];
            RecordBatch::try_from_iter(columns).unwrap()
        };
        let batches = [batch(vec![Some("a"), None], vec![Some(1.0), Some(2.0)]), batch(vec![Some("b")], vec![None])];
        struct Two([RecordBatch; 2]);
        #[async_trait]
        impl LookupSource for Two {
            async fn read(&self, _: &Patience) -> Result<LookupRows> {
                LookupRows::new(&self.0, 1, None)
            }
        }
        let function = lookup("f", DataType::Float64, Arc::new(Two(batches)));
        let called = function.call(vec![lit("a")]);
        let plan = LogicalPlanBuilder::empty(true).project(vec![called]).unwrap().build().unwrap();
        assert!(!fill_lookups(&plan, &Patience::default()).await.unwrap());
        let keys: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), Some("c"), None]));
        let found = function.call(vec![lit("a")]);
        assert!(found.to_string().starts_with("f("));
        let arguments = ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(keys)],
            arg_fields: Vec::new(),
            number_rows: 4,
            return_field: Arc::new(arrow::datatypes::Field::new("f", DataType::Float64, true)),
            config_options: Arc::default(),
        };
        let ColumnarValue::Array(found) = function.invoke_with_args(arguments).unwrap() else { panic!() };
        let expected: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.0), None, None]));
        assert_eq!(&found, &expected);
    }
}
