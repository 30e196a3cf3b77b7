//! The values of a group by how often they occur: `mode`, `histogram`, and a frequent one in little memory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility};
use datafusion::scalar::ScalarValue;

/// The number of values that are counted when memory must be small: every value of more than one row in a thousand is
/// among them.
const FEW: usize = 1024;

/// The result that is made from the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Outcome {
    Mode,
    Histogram,
    Frequent,
}

pub fn mode() -> AggregateUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The most frequent value; of two that are as frequent the smaller one. Nulls do not count.",
        "mode(x)",
    )
    .with_argument("x", "any value")
    .with_sql_example("select class_uid, mode(severity_id) from event group by 1 order by 1")
    .build();
    function("mode", Outcome::Mode, Some(documentation))
}

pub fn histogram() -> AggregateUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "A list of all values with how often each occurs, the most frequent first. Nulls do not count.",
        "histogram(x)",
    )
    .with_argument("x", "any value")
    .with_sql_example("select histogram(severity_id) from event")
    .build();
    function("histogram", Outcome::Histogram, Some(documentation))
}

/// Returns an aggregate for a value that is as frequent as any, or nearly; for summaries.
pub fn frequent() -> AggregateUDF {
    function("frequent", Outcome::Frequent, None)
}

fn function(name: &'static str, outcome: Outcome, documentation: Option<Documentation>) -> AggregateUDF {
    AggregateUDF::new_from_impl(Frequency {
        name,
        outcome,
        signature: Signature::any(1, Volatility::Immutable),
        documentation,
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Frequency {
    name: &'static str,
    outcome: Outcome,
    signature: Signature,
    documentation: Option<Documentation>,
}

/// Returns the fields of a value and its count.
fn entry(data_type: &DataType) -> Fields {
    Fields::from(vec![Field::new("value", data_type.clone(), true), Field::new("count", DataType::Int64, true)])
}

impl AggregateUDFImpl for Frequency {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.outcome {
            Outcome::Mode | Outcome::Frequent => types[0].clone(),
            Outcome::Histogram => DataType::new_list(DataType::Struct(entry(&types[0])), true),
        })
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let data_type = arguments.expr_fields[0].data_type().clone();
        let limit = (self.outcome == Outcome::Frequent).then_some(FEW);
        Ok(Box::new(Counts { outcome: self.outcome, data_type, limit, counts: HashMap::new(), bytes: 0 }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = DataType::new_list(arguments.input_fields[0].data_type().clone(), true);
        let counts = DataType::new_list(DataType::Int64, true);
        let field =
            |part: &str, data_type| Arc::new(Field::new(format!("{}[{part}]", arguments.name), data_type, true));
        Ok(vec![field("values", values), field("counts", counts)])
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.documentation.as_ref()
    }
}

#[derive(Debug)]
struct Counts {
    outcome: Outcome,
    data_type: DataType,
    limit: Option<usize>,
    counts: HashMap<ScalarValue, i64>,
    bytes: usize,
}

impl Counts {
    fn add(&mut self, value: ScalarValue, count: i64) {
        if let Some(known) = self.counts.get_mut(&value) {
            *known += count;
            return;
        }
        if self.limit.is_some_and(|limit| self.counts.len() >= limit) {
            // Misra and Gries: each new value costs all others one, so that only frequent ones stay.
            let by = self.counts.values().copied().min().unwrap_or(0).min(count);
            self.counts.retain(|_, known| {
                *known -= by;
                *known > 0
            });
            self.bytes = self.counts.keys().map(ScalarValue::size).sum();
            if count <= by || self.limit.is_some_and(|limit| self.counts.len() >= limit) {
                return;
            }
        }
        self.bytes += value.size() + size_of::<i64>();
        self.counts.insert(value, count);
    }

    /// Returns the values by count, the most frequent first, and the smaller of two first.
    fn sorted(&self) -> Vec<(&ScalarValue, i64)> {
        let mut all: Vec<(&ScalarValue, i64)> = self.counts.iter().map(|(value, count)| (value, *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.partial_cmp(b.0).unwrap_or(std::cmp::Ordering::Equal)));
        all
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = &values[0];
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            self.add(ScalarValue::try_from_array(values, row)?.compacted(), 1);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, counts) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (values, counts) in values.iter().zip(counts.iter()) {
            let (Some(values), Some(counts)) = (values, counts) else { continue };
            let counts: &Int64Array = counts.as_primitive::<Int64Type>();
            for row in 0..values.len() {
                self.add(ScalarValue::try_from_array(&values, row)?.compacted(), counts.value(row));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = self.sorted();
        if self.outcome != Outcome::Histogram {
            return match sorted.first() {
                Some((value, _)) => Ok((*value).clone()),
                None => ScalarValue::try_from(&self.data_type),
            };
        }
        let fields = entry(&self.data_type);
        let kind = DataType::Struct(fields.clone());
        let mut entries = Vec::with_capacity(sorted.len());
        for (value, count) in sorted {
            let columns: Vec<ArrayRef> = vec![value.to_array()?, Arc::new(Int64Array::from(vec![count]))];
            let row = arrow::array::StructArray::new(fields.clone(), columns, None);
            entries.push(ScalarValue::Struct(Arc::new(row)));
        }
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(&entries, &kind)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (values, counts): (Vec<ScalarValue>, Vec<ScalarValue>) =
            self.counts.iter().map(|(value, count)| (value.clone(), ScalarValue::Int64(Some(*count)))).unzip();
        Ok(vec![
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.data_type)),
            ScalarValue::List(ScalarValue::new_list_nullable(&counts, &DataType::Int64)),
        ])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.counts.capacity() * size_of::<(ScalarValue, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frequent_stays_whatever_else_comes() {
        let mut counts = Counts {
            outcome: Outcome::Frequent,
            data_type: DataType::Int64,
            limit: Some(8),
            counts: HashMap::new(),
            bytes: 0,
        };
        for row in 0..10_000_i64 {
            let value = if row % 3 == 0 { -1 } else { row };
            counts.add(ScalarValue::Int64(Some(value)), 1);
            assert!(counts.counts.len() <= 8);
        }
        assert_eq!(counts.evaluate().unwrap(), ScalarValue::Int64(Some(-1)));
    }
}
