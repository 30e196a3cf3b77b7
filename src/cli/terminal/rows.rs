//! Small tables of the program's own data, shown like any result.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::screen::Screen;
use crate::error::{Context, Kind, Result};
use crate::render::{self, Format, Renderer};

/// One column with its values.
pub enum Column {
    Text(Vec<Option<String>>),
    Number(Vec<Option<u64>>),
    /// Microseconds since the epoch.
    Time(Vec<Option<i64>>),
}

/// Builds a batch from named columns of one length.
pub fn batch(columns: Vec<(&str, Column)>) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, column) in columns {
        let (data_type, array): (DataType, ArrayRef) = match column {
            Column::Text(values) => (DataType::Utf8, Arc::new(StringArray::from(values))),
            Column::Number(values) => {
                let values = values.into_iter().map(|value| value.map(|value| value as i64));
                (DataType::Int64, Arc::new(values.collect::<Int64Array>()))
            }
            Column::Time(values) => (
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")),
            ),
        };
        fields.push(Field::new(name, data_type, true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).context(Kind::Internal, || "cannot build a table")
}

/// Prints a batch to stdout, cut to fit a terminal.
pub fn print(screen: &Screen, batch: &RecordBatch, format: Format, mut options: render::Options) -> Result<()> {
    options.width = options.width.or_else(|| screen.width());
    print_whole(screen, batch, format, options)
}

/// Prints a batch to stdout, cut only where the options say so.
pub fn print_whole(screen: &Screen, batch: &RecordBatch, format: Format, mut options: render::Options) -> Result<()> {
    options.is_terminal = screen.is_terminal();
    options.is_stream = true;
    format.check_stdout(options.is_terminal)?;
    let mut renderer = Renderer::new(format, batch.schema(), options, screen.stdout());
    renderer.write(batch)?;
    renderer.finish()?;
    Ok(())
}
