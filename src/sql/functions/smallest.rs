//! `smallest(text, 3)`: the three texts of a group that come first, sorted, in SQL.
//!
//! `array_agg(x order by x)` keeps and sorts every text of a group to give a few examples: over a million events that
//! was a gigabyte. Nulls do not count; equal texts do, each for itself.

use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

pub fn function() -> AggregateUDF {
    let signature = Signature::exact(vec![DataType::Utf8, DataType::Int64], Volatility::Immutable);
    let documentation = Documentation::builder(
        Default::default(),
        "Of a group the texts that come first in order, as a sorted list; equal texts count each for itself.",
        "smallest(text, n)",
    )
    .with_argument("text", "the texts")
    .with_argument("n", "how many, a literal from 1 to 1000")
    .build();
    AggregateUDF::new_from_impl(Smallest { signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Smallest {
    signature: Signature,
    documentation: Documentation,
}

fn list() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

impl AggregateUDFImpl for Smallest {
    fn name(&self) -> &str {
        "smallest"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list())
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let limit = arguments.exprs.get(1).and_then(|expr| expr.downcast_ref::<Literal>()).map(Literal::value);
        match limit {
            Some(ScalarValue::Int64(Some(limit @ 1..=1000))) => {
                Ok(Box::new(Kept { limit: *limit as usize, texts: BinaryHeap::new() }))
            }
            _ => exec_err!("smallest() takes how many as a number from 1 to 1000"),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[texts]", arguments.name), list(), true))])
    }
}

#[derive(Debug)]
struct Kept {
    limit: usize,
    /// The largest is on top: it is the first to go.
    texts: BinaryHeap<String>,
}

impl Kept {
    fn take(&mut self, texts: &ArrayRef) {
        for text in texts.as_string::<i32>().iter().flatten() {
            if self.texts.len() < self.limit {
                self.texts.push(text.to_string());
            } else if let Some(mut largest) = self.texts.peek_mut()
                && text < largest.as_str()
            {
                *largest = text.to_string();
            }
        }
    }
}

impl Accumulator for Kept {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(&values[0]);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for texts in states[0].as_list::<i32>().iter().flatten() {
            self.take(&texts);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = self.texts.clone().into_sorted_vec();
        let values: Vec<ScalarValue> = sorted.into_iter().map(|text| ScalarValue::Utf8(Some(text))).collect();
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.texts.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    fn kept(limit: usize, texts: &[Option<&str>]) -> Kept {
        let mut kept = Kept { limit, texts: BinaryHeap::new() };
        let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        kept.update_batch(&[array]).unwrap();
        kept
    }

    fn texts(mut kept: Kept) -> Vec<String> {
        let ScalarValue::List(list) = kept.evaluate().unwrap() else { panic!() };
        list.value(0).as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect()
    }

    #[test]
    fn the_smallest_are_kept_in_order_and_parts_give_the_same_as_the_whole() {
        let all = [Some("d"), None, Some("b"), Some("e"), Some("b"), Some("a"), Some("c")];
        assert_eq!(texts(kept(3, &all)), ["a", "b", "b"]);
        assert_eq!(texts(kept(9, &all)), ["a", "b", "b", "c", "d", "e"]);
        assert_eq!(texts(kept(3, &[None])), Vec::<String>::new());
        let mut whole = kept(3, &all[..3]);
        let states = kept(3, &all[3..]).state().unwrap();
        whole.merge_batch(&[states[0].to_array().unwrap()]).unwrap();
        assert_eq!(texts(whole), ["a", "b", "b"]);
    }
}
