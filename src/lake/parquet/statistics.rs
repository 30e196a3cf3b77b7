//! Statistics of a column chunk, as its metadata has them.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::bounds::Bound;

pub fn text_statistics(bounds: Option<(Bound, Option<Bound>)>, nulls: u64) -> Statistics {
    let (lower, upper) = match bounds {
        Some((lower, upper)) => (Some(lower), upper),
        None => (None, None),
    };
    let is_exact = |bound: &Option<Bound>| bound.as_ref().is_some_and(|bound| bound.is_exact);
    let (min_is_exact, max_is_exact) = (is_exact(&lower), is_exact(&upper));
    let value = |bound: Option<Bound>| bound.map(|bound| ByteArray::from(bound.bytes));
    let statistics = ValueStatistics::new(value(lower), value(upper), None, Some(nulls), false);
    Statistics::ByteArray(statistics.with_min_is_exact(min_is_exact).with_max_is_exact(max_is_exact))
}

pub fn long_bounds(values: impl Iterator<Item = i64>) -> Option<(Bound, Option<Bound>)> {
    let range = values.fold(None, |range: Option<(i64, i64)>, value| {
        Some(range.map_or((value, value), |(min, max)| (min.min(value), max.max(value))))
    });
    let bound = |value: i64| Bound { bytes: value.to_le_bytes().to_vec(), is_exact: true };
    range.map(|(min, max)| (bound(min), Some(bound(max))))
}

pub fn long_statistics(bounds: Option<(Bound, Option<Bound>)>, nulls: u64) -> Statistics {
    let value = |bound: Bound| bound.bytes.try_into().ok().map(i64::from_le_bytes);
    let (min, max) = match bounds {
        Some((lower, upper)) => (value(lower), upper.and_then(value)),
        None => (None, None),
    };
    Statistics::int64(min, max, None, Some(nulls), false)
}

pub fn no_values(physical: Type, nulls: u64) -> Statistics {
    let nulls = Some(nulls);
    match physical {
        Type::BOOLEAN => Statistics::boolean(None, None, None, nulls, false),
        Type::INT32 => Statistics::int32(None, None, None, nulls, false),
        Type::INT64 => Statistics::int64(None, None, None, nulls, false),
        Type::INT96 => Statistics::int96(None, None, None, nulls, false),
        Type::FLOAT => Statistics::float(None, None, None, nulls, false),
        Type::DOUBLE => Statistics::double(None, None, None, nulls, false),
        Type::BYTE_ARRAY => Statistics::byte_array(None, None, None, nulls, false),
        Type::FIXED_LEN_BYTE_ARRAY => Statistics::fixed_len_byte_array(None, None, None, nulls, false),
    }
}
