//! What each leaf column of a part is like, so that it is encoded the cheap way.
//!
//! Most of a class's columns are empty in any one source, and identifiers hardly ever repeat: the first need neither
//! compression nor page statistics, the second no dictionary that would be built and thrown away.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use hashbrown::HashSet;

/// Values looked at to guess whether a column repeats itself.
const SAMPLE: usize = 256;

/// How a leaf column is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Null in every row.
    Absent,
    /// Text that hardly repeats.
    Distinct,
    /// Anything else.
    Repeating,
}

/// One leaf column of a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// As Parquet spells it, `policies.list.element.name`.
    pub parquet_path: String,
    /// As SQL spells it, `policies.name`.
    pub path: String,
    pub fill: Fill,
}

/// The leaf columns of some batches of one schema, in Parquet's order.
pub fn leaves(batches: &[RecordBatch]) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let Some(first) = batches.first() else { return leaves };
    for (position, field) in first.schema().fields().iter().enumerate() {
        let arrays: Vec<ArrayRef> = batches.iter().map(|batch| batch.column(position).clone()).collect();
        walk(field.name(), field.name(), &arrays, &mut leaves);
    }
    leaves
}

fn walk(parquet_path: &str, path: &str, arrays: &[ArrayRef], leaves: &mut Vec<Leaf>) {
    match arrays[0].data_type() {
        DataType::Struct(fields) => {
            for (position, field) in fields.iter().enumerate() {
                let children: Vec<ArrayRef> =
                    arrays.iter().map(|array| array.as_struct().column(position).clone()).collect();
                walk(
                    &format!("{parquet_path}.{}", field.name()),
                    &format!("{path}.{}", field.name()),
                    &children,
                    leaves,
                );
            }
        }
        DataType::List(item) => {
            let values: Vec<ArrayRef> = arrays.iter().map(|array| array.as_list::<i32>().values().clone()).collect();
            walk(&format!("{parquet_path}.list.{}", item.name()), path, &values, leaves);
        }
        _ => {
            leaves.push(Leaf { parquet_path: parquet_path.to_string(), path: path.to_string(), fill: fill(arrays) });
        }
    }
}

fn fill(arrays: &[ArrayRef]) -> Fill {
    let rows: usize = arrays.iter().map(|array| array.len()).sum();
    let nulls: usize = arrays.iter().map(|array| array.null_count()).sum();
    if rows == nulls {
        return Fill::Absent;
    }
    if *arrays[0].data_type() != DataType::Utf8 {
        return Fill::Repeating;
    }
    // Rows are in order of time, where neighbours are alike: values from all over tell more than the first ones.
    let stride = (rows - nulls).div_ceil(SAMPLE).max(1);
    let mut seen = HashSet::new();
    let (mut looked_at, mut passed) = (0, 0);
    for array in arrays {
        for value in array.as_string::<i32>().iter().flatten() {
            if passed % stride == 0 {
                looked_at += 1;
                seen.insert(value);
            }
            passed += 1;
        }
    }
    if looked_at >= 16 && seen.len() * 10 >= looked_at * 9 { Fill::Distinct } else { Fill::Repeating }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;
    use std::sync::Arc;

    #[test]
    fn identifiers_are_distinct_names_repeat_and_nulls_are_absent() {
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..5000).map(|n| format!("id-{n}"))));
        let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..5000).map(|n| format!("name-{}", n % 50))));
        let nulls: ArrayRef = Arc::new(StringArray::new_null(5000));
        let batch = RecordBatch::try_from_iter([("id", ids), ("name", names), ("none", nulls)]).unwrap();
        let fills: Vec<Fill> = leaves(&[batch]).into_iter().map(|leaf| leaf.fill).collect();
        assert_eq!(fills, [Fill::Distinct, Fill::Repeating, Fill::Absent]);
    }
}
