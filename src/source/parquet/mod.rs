//! A Parquet file as lines: each row is the JSON text of its event, and what reads lines reads rows.
//!
//! Amazon Security Lake and others keep OCSF events in Parquet. Rows become what their JSON would be: nulls are left
//! out, maps are objects, timestamps are milliseconds, and texts where the attribute's name ends in `_dt`. The text is
//! the same for the same file, so it is resumed, recognised and read again like any other stream.

mod json;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};

use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{ConvertedType, LogicalType};
use ::parquet::errors::ParquetError;

use json::Rows;

/// About two megabytes of text.
const BATCH_ROWS: usize = 1024;

/// The lines of a Parquet file.
pub(super) struct Parquet {
    batches: ParquetRecordBatchReader,
    /// Paths of the leaves that hold JSON text.
    json: HashSet<Vec<String>>,
    text: Vec<u8>,
    start: usize,
}

impl Parquet {
    pub fn open(file: File) -> Result<Parquet, ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let is_json = |column: &::parquet::schema::types::ColumnDescPtr| {
            matches!(column.logical_type_ref(), Some(LogicalType::Json))
                || column.converted_type() == ConvertedType::JSON
        };
        let columns = builder.parquet_schema().columns().iter().filter(|column| is_json(column));
        let json = columns.map(|column| column.path().parts().to_vec()).collect();
        Ok(Parquet { batches: builder.with_batch_size(BATCH_ROWS).build()?, json, text: Vec::new(), start: 0 })
    }
}

impl Read for Parquet {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.start == self.text.len() {
            let Some(batch) = self.batches.next().transpose().map_err(io::Error::other)? else { return Ok(0) };
            self.text.clear();
            self.start = 0;
            Rows::new(&batch, &self.json).and_then(|rows| rows.write(&mut self.text)).map_err(io::Error::other)?;
        }
        let count = out.len().min(self.text.len() - self.start);
        out[..count].copy_from_slice(&self.text[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::parquet::arrow::ArrowWriter;
    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
        MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    };
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn lines(columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut text = String::new();
        Parquet::open(file).unwrap().read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_row_is_the_json_of_its_event() {
        let mut unmapped = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        unmapped.keys().append_value("a\"b");
        unmapped.values().append_value("x\ny");
        unmapped.keys().append_value("n");
        unmapped.values().append_null();
        unmapped.append(true).unwrap();
        unmapped.append(false).unwrap();
        let user: StructArray = StructArray::try_new_with_length(
            vec![Field::new("uid", DataType::Utf8, true), Field::new("type_id", DataType::Int32, true)].into(),
            vec![Arc::new(StringArray::from(vec![Some("u1"), None])), Arc::new(Int32Array::from(vec![None, None]))],
            Some(NullBuffer::from(vec![true, false])),
            2,
        )
        .unwrap();
        let list = arrow::array::ListArray::new(
            Arc::new(Field::new("element", DataType::Utf8, true)),
            OffsetBuffer::from_lengths([2, 0]),
            Arc::new(StringArray::from(vec![Some("a"), None])),
            None,
        );
        let found = lines(vec![
            ("class_uid", Arc::new(Int32Array::from(vec![3002, 3001]))),
            ("time", Arc::new(TimestampMicrosecondArray::from(vec![1_767_225_600_123_999, -1]))),
            (
                "time_dt",
                Arc::new(TimestampMillisecondArray::from(vec![Some(1_767_225_600_123), None]).with_timezone("UTC")),
            ),
            ("user", Arc::new(user)),
            ("labels", Arc::new(list)),
            ("unmapped", Arc::new(unmapped.finish())),
            ("is_mfa", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("score", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN)]))),
            ("raw", Arc::new(BinaryArray::from(vec![&b"text"[..], &[0xff, 0xfe]]))),
        ]);
        assert_eq!(
            found,
            [
                r#"{"class_uid":3002,"time":1767225600123,"time_dt":"2026-01-01T00:00:00.123Z","user":{"uid":"u1"},"labels":["a",null],"unmapped":{"a\"b":"x\ny"},"is_mfa":true,"score":0.1,"raw":"text"}"#,
                r#"{"class_uid":3001,"time":-1,"labels":[],"score":"NaN","raw":"//4="}"#,
            ]
        );
    }

    #[test]
    fn times_of_every_unit_are_milliseconds_and_other_types_their_text() {
        let found = lines(vec![
            ("s", Arc::new(TimestampSecondArray::from(vec![1_767_225_600]))),
            ("ms", Arc::new(TimestampMillisecondArray::from(vec![1_767_225_600_001]))),
            ("ns", Arc::new(TimestampNanosecondArray::from(vec![1_767_225_600_001_999_999]))),
            ("day", Arc::new(Date32Array::from(vec![20_454]))),
            ("cost", Arc::new(Decimal128Array::from(vec![1234]).with_precision_and_scale(10, 2).unwrap())),
            ("long", Arc::new(Int64Array::from(vec![i64::MAX]))),
        ]);
        assert_eq!(
            found,
            [
                r#"{"s":1767225600000,"ms":1767225600001,"ns":1767225600001,"day":"2026-01-01","cost":12.34,"long":9223372036854775807}"#
            ]
        );
    }

    #[test]
    fn many_rows_come_in_pieces() {
        let count = 3 * BATCH_ROWS as i64 + 5;
        let found = lines(vec![("n", Arc::new(Int64Array::from_iter_values(0..count)))]);
        assert_eq!(found.len() as i64, count);
        assert!(found.iter().enumerate().all(|(n, line)| *line == format!("{{\"n\":{n}}}")));
    }
}
