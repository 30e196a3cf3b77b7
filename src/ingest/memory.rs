//! The memory that rows take.

use std::collections::HashSet;

use arrow::array::{Array, ArrayData};

use crate::schema::EventBatch;

/// The memory of an array without values.
const ARRAY_BYTES: u64 = 256;

/// Sums the bytes of all buffers of some batches, each counted once: the many columns without a value share theirs.
pub fn of(batches: &[EventBatch]) -> u64 {
    let mut seen = HashSet::new();
    let columns = batches.iter().flat_map(|events| events.batch.columns());
    columns.map(|column| data(&column.to_data(), &mut seen)).sum()
}

fn data(array: &ArrayData, seen: &mut HashSet<*const u8>) -> u64 {
    let nulls = array.nulls().map(|nulls| nulls.buffer());
    let buffers = array.buffers().iter().chain(nulls).filter(|buffer| seen.insert(buffer.as_ptr()));
    let here: usize = buffers.map(|buffer| buffer.capacity()).sum();
    ARRAY_BYTES + here as u64 + array.child_data().iter().map(|child| data(child, seen)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
    use arrow::datatypes::DataType;

    use super::*;
    use crate::schema::Ocsf;

    #[test]
    fn a_buffer_counts_once() {
        let class = Ocsf::load(None).unwrap().classes()[0].clone();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let nulls = new_null_array(&DataType::Utf8, 10_000);
        let columns =
            (0..50).map(|number| (format!("c{number}"), if number == 0 { numbers.clone() } else { nulls.clone() }));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let memory = of(&[EventBatch { class, batch, origins: Vec::new() }]);
        assert!((80_000..200_000).contains(&memory), "{memory}");
    }
}
