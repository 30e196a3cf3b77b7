//! Binary formats in the form that the renderer takes: Parquet and workbooks have writers of their own, Arrow's is here.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::names::with_unique_names;
use super::parquet::Parquet;
use super::xlsx::Workbook;
use super::{FileBody, Options};
use crate::error::{Context, Error, Kind, Result};

/// The name of a workbook's sheet when the result has none.
const SHEET: &str = "result";

/// Bytes on their way from a writer that keeps its sink to the renderer.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn drain(&self, out: &mut Vec<u8>) {
        if let Ok(mut bytes) = self.0.lock() {
            out.append(&mut bytes);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.0.lock().map_err(|_| io::ErrorKind::BrokenPipe)?;
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) struct ParquetFile {
    schema: SchemaRef,
    sink: Sink,
    writer: Option<Parquet<Sink>>,
}

impl ParquetFile {
    pub(super) fn new(schema: &Schema) -> ParquetFile {
        ParquetFile { schema: Arc::new(with_unique_names(schema)), sink: Sink::default(), writer: None }
    }

    fn take(&mut self) -> Result<Parquet<Sink>> {
        self.writer.take().map_or_else(|| Parquet::new(self.schema.clone(), self.sink.clone()), Ok)
    }
}

impl FileBody for ParquetFile {
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let mut writer = self.take()?;
        writer.write(&renamed(batch, &self.schema)?)?;
        self.writer = Some(writer);
        self.sink.drain(out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.take()?.finish()?;
        self.sink.drain(out);
        Ok(())
    }
}

/// Arrow IPC: a file, also known as Feather 2, or a stream.
pub(super) struct ArrowFile {
    schema: SchemaRef,
    is_stream: bool,
    writer: Option<ArrowWriter>,
}

enum ArrowWriter {
    File(FileWriter<Vec<u8>>),
    Stream(StreamWriter<Vec<u8>>),
}

impl ArrowFile {
    pub(super) fn new(schema: &Schema, is_stream: bool) -> ArrowFile {
        ArrowFile { schema: Arc::new(with_unique_names(schema)), is_stream, writer: None }
    }

    fn writer(&mut self) -> Result<&mut ArrowWriter> {
        if self.writer.is_none() {
            let writer = if self.is_stream {
                StreamWriter::try_new(Vec::new(), &self.schema).map(ArrowWriter::Stream)
            } else {
                FileWriter::try_new(Vec::new(), &self.schema).map(ArrowWriter::File)
            };
            self.writer = Some(writer.context(Kind::Internal, no_arrow)?);
        }
        self.writer.as_mut().ok_or_else(|| Error::new(Kind::Internal, no_arrow()))
    }
}

impl ArrowWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), arrow::error::ArrowError> {
        match self {
            ArrowWriter::File(writer) => writer.write(batch),
            ArrowWriter::Stream(writer) => writer.write(batch),
        }
    }

    fn finish(&mut self) -> Result<(), arrow::error::ArrowError> {
        match self {
            ArrowWriter::File(writer) => writer.finish(),
            ArrowWriter::Stream(writer) => writer.finish(),
        }
    }

    /// Returns the buffer; the writer counts its bytes itself, so that complete ones may leave it.
    fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            ArrowWriter::File(writer) => writer.get_mut(),
            ArrowWriter::Stream(writer) => writer.get_mut(),
        }
    }
}

impl FileBody for ArrowFile {
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let batch = renamed(batch, &self.schema)?;
        let writer = self.writer()?;
        writer.write(&batch).context(Kind::Internal, no_arrow)?;
        out.append(writer.buffer());
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let writer = self.writer()?;
        writer.finish().context(Kind::Internal, no_arrow)?;
        out.append(writer.buffer());
        Ok(())
    }
}

/// A workbook of one sheet, written at the end.
pub(super) struct Sheet {
    schema: SchemaRef,
    name: String,
    book: Option<Workbook>,
}

impl Sheet {
    pub(super) fn new(schema: SchemaRef, options: Options) -> Sheet {
        Sheet { schema, name: options.title.unwrap_or_else(|| SHEET.to_string()), book: None }
    }

    fn take(&mut self) -> Result<Workbook> {
        if let Some(book) = self.book.take() {
            return Ok(book);
        }
        let mut book = Workbook::new()?;
        book.add_sheet(&self.name, &self.schema)?;
        Ok(book)
    }
}

impl FileBody for Sheet {
    fn rows(&mut self, batch: &RecordBatch, _: &mut Vec<u8>) -> Result<()> {
        let mut book = self.take()?;
        book.write(batch)?;
        self.book = Some(book);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.take()?.finish(out).map(|_| ())
    }
}

fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
        .context(Kind::Internal, || "cannot name the result's columns")
}

fn no_arrow() -> &'static str {
    "cannot write the result as an Arrow file"
}
