//! Tables that a run is given beside the lake: who left, what access existed before the log, where addresses are.
//!
//! ```text
//! --input leavers=FILE -> columns and values checked -> a table in place of the convention `leavers`
//!                      -> a copy in the evidence of each report that read it, with its hash
//! ```
//!
//! `ip_geo` may also be a database of places (`.mmdb`): then the table lists its places of the addresses in the log.
//!
//! The convention of a table says which columns it has. Everything that is wrong with a file is reported before
//! anything runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Date32Type, Schema, TimestampMicrosecondType};
use bytes::Bytes;
use datafusion::catalog::{MemTable, TableProvider};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use super::geo;
use super::record::hash;
use crate::error::{Context, Error, Kind, Result};
use crate::sql::{Conventions, InputColumn, InputType};
use crate::typed::{nearest, parse_time};

/// The input that may be a database of places.
const PLACES: &str = "ip_geo";

/// A table that was given, read and checked.
#[derive(Debug, Clone)]
pub struct Input {
    pub name: String,
    /// The file name of the copy in the evidence.
    pub file: String,
    pub sha256: String,
    pub rows: u64,
    columns: Vec<String>,
    bytes: Vec<u8>,
    table: Arc<dyn TableProvider>,
}

/// An input as the evidence records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    pub name: String,
    /// Its copy in the folder.
    pub file: String,
    pub sha256: String,
    pub rows: u64,
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Csv,
    Ndjson,
    Parquet,
}

/// One value as a file writes it.
enum Cell {
    Null,
    Text(String),
}

/// A function that returns the addresses in the log.
pub type Addresses<'a> = &'a dyn Fn() -> Result<Vec<String>>;

impl Input {
    /// Reads `path` as the table `name`. Errors with [`Kind::Usage`].
    pub fn read(name: &str, path: &Path, conventions: &Conventions, addresses: Addresses<'_>) -> Result<Input> {
        let bytes = fs::read(path)
            .context(Kind::Usage, || format!("cannot read the input `{name}` from {}", path.display()))?;
        if path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("mmdb")) {
            let wrong = |why: &str| Error::usage(format!("cannot use {} as the input `{name}`: {why}", path.display()));
            if name != PLACES {
                return Err(wrong("it is a database of places").hint(format!("it is an input `{PLACES}`")));
            }
            let csv = geo::places(&bytes, &addresses()?).map_err(|why| wrong(&why))?;
            return Input::parse(name, Path::new("places.csv"), csv, conventions);
        }
        Input::parse(name, path, bytes, conventions)
    }

    /// Parses `bytes`, the content of `path`, whose suffix tells their form.
    pub fn parse(name: &str, path: &Path, bytes: Vec<u8>, conventions: &Conventions) -> Result<Input> {
        let known = || conventions.list().filter(|view| !view.columns.is_empty()).map(|view| view.name.as_str());
        let Some(view) = conventions.view(name).filter(|view| !view.columns.is_empty()) else {
            let error = Error::usage(format!("there is no input `{name}`"));
            return Err(match nearest(name, known()) {
                Some(near) => error.hint(format!("did you mean `{near}`? `auditlake report inputs` lists them")),
                None => error.hint(format!("the inputs are {}", known().collect::<Vec<_>>().join(", "))),
            });
        };
        let place = Place { name, path, columns: &view.columns };
        let form = Form::of(path).ok_or_else(|| {
            place
                .wrong("its suffix tells no form")
                .hint("name it .csv, .ndjson (also .jsonl, .json) or .parquet; a database of places .mmdb")
        })?;
        let rows = match form {
            Form::Csv => place.csv(&bytes)?,
            Form::Ndjson => place.ndjson(&bytes)?,
            Form::Parquet => place.parquet(&bytes)?,
        };
        let batch = place.batch(&rows)?;
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])
            .context(Kind::Internal, || format!("cannot use the input `{name}`"))?;
        Ok(Input {
            name: name.to_string(),
            file: format!("input-{name}.{}", form.suffix()),
            sha256: hash(&bytes),
            rows: rows.len() as u64,
            columns: view.columns.iter().map(|column| column.name.clone()).collect(),
            bytes,
            table: Arc::new(table),
        })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the table as a session takes it.
    pub fn given(&self) -> (String, Arc<dyn TableProvider>) {
        (self.name.clone(), self.table.clone())
    }

    pub fn recorded(&self) -> InputFile {
        InputFile {
            name: self.name.clone(),
            file: self.file.clone(),
            sha256: self.sha256.clone(),
            rows: self.rows,
            columns: self.columns.clone(),
        }
    }
}

impl Form {
    fn of(path: &Path) -> Option<Form> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Form::Csv),
            "ndjson" | "jsonl" | "json" => Some(Form::Ndjson),
            "parquet" => Some(Form::Parquet),
            _ => None,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Form::Csv => "csv",
            Form::Ndjson => "ndjson",
            Form::Parquet => "parquet",
        }
    }
}

/// A row of a file: its position there, and a value for each column.
type Row = (usize, Vec<Cell>);

/// The file that is read, for messages.
struct Place<'a> {
    name: &'a str,
    path: &'a Path,
    columns: &'a [InputColumn],
}

impl Place<'_> {
    fn wrong(&self, why: &str) -> Error {
        Error::usage(format!("cannot use {} as the input `{}`: {why}", self.path.display(), self.name))
    }

    fn needs(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        format!("it has the columns {}, and no others", names.join(", "))
    }

    /// Finds the position of each column in the file.
    fn places(&self, found: &[String]) -> Result<Vec<usize>> {
        for (place, name) in found.iter().enumerate() {
            if self.columns.iter().all(|column| column.name != *name) {
                let error = self.wrong(&format!("there is no column `{name}` in it"));
                let near = nearest(name, self.columns.iter().map(|column| column.name.as_str()));
                return Err(match near {
                    _ if found.len() == 1 && name.contains(';') => error.hint("separate the columns by commas"),
                    Some(near) => error.hint(format!("did you mean `{near}`? {}", self.needs())),
                    None => error.hint(self.needs()),
                });
            }
            if found[..place].contains(name) {
                return Err(self.wrong(&format!("it has the column `{name}` twice")));
            }
        }
        let place = |column: &InputColumn| {
            let place = found.iter().position(|name| *name == column.name);
            place.ok_or_else(|| self.wrong(&format!("the column `{}` is missing", column.name)).hint(self.needs()))
        };
        self.columns.iter().map(place).collect()
    }

    fn csv(&self, bytes: &[u8]) -> Result<Vec<Row>> {
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong("it is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(text.as_bytes());
        let broken = |error: csv::Error| self.wrong(&error.to_string());
        let header: Vec<String> =
            reader.headers().map_err(broken)?.iter().map(|name| name.trim().to_string()).collect();
        let places = self.places(&header)?;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let line = record.position().map_or(0, |position| position.line() as usize);
            let cell = |place: &usize| Cell::of(record.get(*place).unwrap_or_default());
            rows.push((line, places.iter().map(cell).collect()));
        }
        Ok(rows)
    }

    fn ndjson(&self, bytes: &[u8]) -> Result<Vec<Row>> {
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong("it is not UTF-8"))?;
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = number + 1;
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)
                .map_err(|error| self.wrong(&format!("line {number} is no JSON object of one line: {error}")))?;
            let names: Vec<String> = object.keys().cloned().collect();
            self.places(&names).map_err(|error| {
                let hint = error.hint_text().unwrap_or_default().to_string();
                Error::usage(format!("{error} (line {number})")).hint(hint)
            })?;
            let cell = |column: &InputColumn| match &object[&column.name] {
                serde_json::Value::Null => Ok(Cell::Null),
                serde_json::Value::String(text) => Ok(Cell::of(text)),
                serde_json::Value::Number(number) => Ok(Cell::of(&number.to_string())),
                other => Err(self.wrong(&format!("line {number}: `{}` cannot be {other}", column.name))),
            };
            rows.push((number, self.columns.iter().map(cell).collect::<Result<_>>()?));
        }
        Ok(rows)
    }

    fn parquet(&self, bytes: &[u8]) -> Result<Vec<Row>> {
        let broken = |why: String| self.wrong(&format!("it is no Parquet file that can be read: {why}"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes));
        let reader = reader.map_err(|error| broken(error.to_string()))?;
        let header: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        let places = self.places(&header)?;
        let mut rows: Vec<Row> = Vec::new();
        for batch in reader.build().map_err(|error| broken(error.to_string()))? {
            let batch = batch.map_err(|error| broken(error.to_string()))?;
            let texts: Vec<ArrayRef> = places
                .iter()
                .zip(self.columns)
                .map(|(place, column)| self.texts(batch.column(*place), column))
                .collect::<Result<_>>()?;
            for row in 0..batch.num_rows() {
                let cell = |column: &ArrayRef| {
                    if column.is_null(row) { Cell::Null } else { Cell::of(column.as_string::<i32>().value(row)) }
                };
                rows.push((rows.len() + 1, texts.iter().map(cell).collect()));
            }
        }
        Ok(rows)
    }

    /// Returns the values of a stored column as they would be written; a time without a zone is UTC.
    fn texts(&self, column: &ArrayRef, wanted: &InputColumn) -> Result<ArrayRef> {
        let wrong = || self.wrong(&format!("the column `{}` is {}", wanted.name, column.data_type()));
        let cast = |to: &DataType| arrow::compute::cast(column, to).map_err(|_| wrong());
        match column.data_type() {
            DataType::Timestamp(..) => {
                let times = cast(&DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None))?;
                let times = times.as_primitive::<TimestampMicrosecondType>();
                // Milliseconds are as fine as the log is.
                let written = times.iter().map(|time| time.map(|time_us| written(time_us.div_euclid(1000))));
                Ok(Arc::new(written.collect::<arrow::array::StringArray>()))
            }
            DataType::Date32 => {
                let days = column.as_primitive::<Date32Type>();
                let written = days.iter().map(|day| day.map(|day| written(i64::from(day) * 86_400_000)));
                Ok(Arc::new(written.collect::<arrow::array::StringArray>()))
            }
            kind if kind.is_nested() || kind.is_binary() => Err(wrong()),
            _ => cast(&DataType::Utf8),
        }
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = (0..self.columns.len()).map(|at| self.column(at, rows)).collect::<Result<_>>()?;
        let fields: Vec<arrow::datatypes::Field> = self.columns.iter().map(InputColumn::field).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .context(Kind::Internal, || format!("cannot use the input `{}`", self.name))
    }

    fn column(&self, at: usize, rows: &[Row]) -> Result<ArrayRef> {
        let column = &self.columns[at];
        let wrong = |line: usize, text: &str, what: &str| {
            self.wrong(&format!("line {line}: `{}` has the type {what}, not `{text}`", column.name))
        };
        let texts = rows.iter().map(|(line, cells)| match &cells[at] {
            Cell::Null => (*line, None),
            Cell::Text(text) => (*line, Some(text.as_str())),
        });
        Ok(match column.ty {
            InputType::String => {
                let mut builder = StringBuilder::new();
                texts.for_each(|(_, text)| builder.append_option(text));
                Arc::new(builder.finish())
            }
            InputType::Timestamp => {
                let mut builder = TimestampMicrosecondBuilder::new().with_timezone("UTC");
                for (line, text) in texts {
                    let time = text.map(|text| {
                        parse_time(text).map(|time| time.micros()).map_err(|error| {
                            wrong(line, text, "timestamp").hint(error.hint_text().unwrap_or_default().to_string())
                        })
                    });
                    builder.append_option(time.transpose()?);
                }
                Arc::new(builder.finish())
            }
            InputType::Double => {
                let mut builder = Float64Builder::new();
                for (line, text) in texts {
                    let number = text.map(|text| {
                        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                        number.ok_or_else(|| wrong(line, text, "double").hint("write a number, with a decimal point"))
                    });
                    builder.append_option(number.transpose()?);
                }
                Arc::new(builder.finish())
            }
            InputType::Bigint => {
                let mut builder = Int64Builder::new();
                for (line, text) in texts {
                    let number = text
                        .map(|text| text.parse().map_err(|_| wrong(line, text, "bigint").hint("write a whole number")));
                    builder.append_option(number.transpose()?);
                }
                Arc::new(builder.finish())
            }
        })
    }
}

impl Cell {
    fn of(text: &str) -> Cell {
        match text.trim() {
            "" => Cell::Null,
            text => Cell::Text(text.to_string()),
        }
    }
}

/// Writes a time so that [`parse_time`] reads it back.
fn written(time_ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(time_ms);
    time.map_or_else(|| time_ms.to_string(), |time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Reads all inputs of a run: those of the command win over those of the configuration.
pub fn read_all(
    given: &[(String, PathBuf)],
    conventions: &Conventions,
    addresses: Addresses<'_>,
) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for (place, (name, path)) in given.iter().enumerate() {
        if given[..place].iter().any(|(other, _)| other == name) {
            return Err(Error::usage(format!("the input `{name}` is given twice")));
        }
        inputs.push(Input::read(name, path, conventions, addresses)?);
    }
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, file: &str, text: &str) -> Result<Input> {
        Input::parse(name, Path::new(file), text.as_bytes().to_vec(), &Conventions::load().unwrap())
    }

    fn wrong(name: &str, file: &str, text: &str) -> String {
        let error = read(name, file, text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        format!("{error} | {}", error.hint_text().unwrap_or_default())
    }

    #[test]
    fn a_table_is_read_from_each_form_as_people_write_it() {
        let csv =
            "\u{feff}left_time, email\r\n2026-01-31, ann@a.example \r\n\"2026-01-31 12:00\",\r\n1767225600000,x\r\n";
        let json = "{\"email\":\"ann@a.example\",\"left_time\":\"2026-01-31\"}\n\n\
                    {\"left_time\":\"2026-01-31T12:00:00Z\",\"email\":null}\n{\"email\":\"x\",\"left_time\":1767225600000}\n";
        let inputs = [read("leavers", "a.csv", csv).unwrap(), read("leavers", "b/a.JSONL", json).unwrap()];
        assert_eq!((inputs[0].rows, inputs[1].rows), (3, 3));
        assert_eq!((inputs[0].file.as_str(), inputs[1].file.as_str()), ("input-leavers.csv", "input-leavers.ndjson"));
        assert_eq!(inputs[0].sha256, hash(csv.as_bytes()));
        let batch = |text: &str, file: &str| {
            let conventions = Conventions::load().unwrap();
            let place = Place {
                name: "leavers",
                path: Path::new(file),
                columns: &conventions.view("leavers").unwrap().columns,
            };
            let rows = if file == "csv" { place.csv(text.as_bytes()) } else { place.ndjson(text.as_bytes()) };
            place.batch(&rows.unwrap()).unwrap()
        };
        assert_eq!(batch(csv, "csv"), batch(json, "json"));
        let times = batch(csv, "csv").column(1).as_primitive::<TimestampMicrosecondType>().values().to_vec();
        assert_eq!(times, [1_769_817_600_000_000, 1_769_860_800_000_000, 1_767_225_600_000_000]);

        // A stored table comes back from one.
        let mut parquet = Vec::new();
        let rows = batch(csv, "csv");
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut parquet, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let conventions = Conventions::load().unwrap();
        let place =
            Place { name: "leavers", path: Path::new("p"), columns: &conventions.view("leavers").unwrap().columns };
        assert_eq!(place.batch(&place.parquet(&parquet).unwrap()).unwrap(), rows);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        let needs = "it has the columns email, left_time, and no others";
        let at = "cannot use a.csv as the input `leavers`: ";
        assert_eq!(
            wrong("leaver", "a.csv", ""),
            "there is no input `leaver` | did you mean `leavers`? `auditlake report inputs` lists them"
        );
        assert_eq!(
            wrong("leavers", "a.csv", "mail,left_time\n"),
            format!("{at}there is no column `mail` in it | did you mean `email`? {needs}")
        );
        assert_eq!(wrong("leavers", "a.csv", "email\n"), format!("{at}the column `left_time` is missing | {needs}"));
        assert_eq!(wrong("leavers", "a.csv", "email,email\n"), format!("{at}it has the column `email` twice | "));
        assert!(wrong("leavers", "a.csv", "email;left_time\n").ends_with("separate the columns by commas"));
        assert_eq!(
            wrong("leavers", "a.csv", "email,left_time\na,2026-01-31\nb,31.01.2026\n").split(" | ").next().unwrap(),
            format!("{at}line 3: `left_time` has the type timestamp, not `31.01.2026`")
        );
        assert!(wrong("leavers", "a.txt", "").contains("its suffix tells no form"));
        assert!(wrong("leavers", "a.json", "[1]").contains("line 1 is no JSON object"));
        assert!(wrong("leavers", "a.json", "{\"email\":\"a\"}").contains("`left_time` is missing (line 1)"));
        assert!(wrong("ip_geo", "a.csv", "ip,country,city,lat,long\n1.1.1.1,DE,,\"52,5\",13\n").contains("not `52,5`"));
        assert!(wrong("leavers", "a.parquet", "x").contains("it is no Parquet file"));
        assert!(read("leavers", "a.csv", "email,left_time\n").unwrap().rows == 0);
    }
}
