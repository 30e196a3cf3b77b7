//! `auditlake export`: rows written back as the OCSF JSON that came in, or as Parquet.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::App;
use super::access::{Access, Read};
use super::terminal::output::Output;
use super::terminal::value::{check_period, when};
use crate::decode::Encoder;
use crate::disk::Draft;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{FileCheck, Lake, TableFile, rows};
use crate::sql::{Horizon, Params, Session};
use crate::typed::{When, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tables to export; all event tables when none is named
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// The file to write, one event per line [default: stdout]; of several tables as Parquet the folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// One JSON event per line, or Parquet with the columns of the lake's own files: one file per table
    #[arg(long, value_enum, default_value_t = Form::Ndjson)]
    format: Form,
    /// Events from this time on
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Events before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Events that meet this condition of SQL, which every exported table must understand
    #[arg(long = "where", value_name = "SQL")]
    condition: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Ndjson,
    Parquet,
}

/// The condition on the rows of each table to export; `None` for all rows.
struct Choice(Option<String>);

impl Choice {
    fn of(app: &App, args: &Args) -> Result<Choice> {
        let now_ms = app.clock.now_ms();
        let millis = |when: Option<When>| when.map(|when| when.millis(now_ms)).transpose();
        let (since_ms, until_ms) = (millis(args.since)?, millis(args.until)?);
        check_period(since_ms, until_ms)?;
        let time =
            |ms: i64| format!("arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')", ms.saturating_mul(1000));
        let mut all = Vec::new();
        all.extend(since_ms.map(|ms| format!("time >= {}", time(ms))));
        all.extend(until_ms.map(|ms| format!("time < {}", time(ms))));
        // The condition has a line of its own: a comment at its end ends there.
        all.extend(args.condition.as_ref().map(|condition| format!("({condition}\n)")));
        Ok(Choice((!all.is_empty()).then(|| all.join(" and "))))
    }

    fn statement(&self, table: &str) -> Option<String> {
        self.0.as_ref().map(|condition| format!("select * from \"{table}\" where {condition} order by time"))
    }
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    for table in &args.tables {
        if !lake.ocsf().classes().iter().any(|class| class.name == *table) {
            return Err(Error::input(format!("no event table `{table}`")).hint("`auditlake schema` lists them"));
        }
    }
    let mut access = Access::of(app, &lake)?;
    let mut place = Place::begin(app, &args)?;
    // A table that was named is never left out.
    let left_out = if args.tables.is_empty() { lake.unknown_tables() } else { Vec::new() };
    let choice = Choice::of(app, &args)?;
    let classes = lake.ocsf().classes().iter().map(|class| class.name.clone());
    let tables: Vec<String> = classes.filter(|name| args.tables.is_empty() || args.tables.contains(name)).collect();
    let statements: Vec<String> = tables.iter().filter_map(|table| choice.statement(table)).collect();
    if statements.is_empty() {
        access.begin(app, &Read::Export { tables: &args.tables }, lake.state().sequence)?
    } else {
        let sql = statements.join("; ");
        access.begin(app, &Read::Query { sql: &sql, parameters: &[] }, lake.state().sequence)?;
    }
    let (options, is_named) = (app.config.sql(), !args.tables.is_empty());
    let exported = app.wait(async move {
        let session = if statements.is_empty() { None } else { Some(Session::new(&lake, &options).await?) };
        let mut events = 0;
        for (at, table) in tables.iter().enumerate() {
            // As Parquet, a table without rows is a file of columns only; it is written only when the table was named.
            let has_rows = lake.state().tables.get(table).is_some_and(|table| table.rows() > 0);
            if !(has_rows || is_named && place.is_parquet) {
                continue;
            }
            let mut sink = place.sink(&lake, table)?;
            events += match &session {
                None => whole(&lake, table, &mut sink).await?,
                Some(session) => chosen(session, table, &statements[at], &mut sink).await?,
            };
            sink.finish()?;
        }
        place.finish().map(|()| events)
    });
    access.end(app, exported.as_ref().map(|events| *events))?;
    access.close(app)?;
    let exported = exported?;
    app.screen.say(format!("{} events", count(exported)));
    app.warn_of_left_out(&left_out);
    Ok(if left_out.is_empty() { 0 } else { Kind::Incomplete.exit_code() })
}

/// The destination of the events: one file for all of them, or a folder with a file for each table.
struct Place {
    to: To,
    is_parquet: bool,
}

enum To {
    One(Output),
    Folder(Draft),
}

impl Place {
    fn begin(app: &App, args: &Args) -> Result<Place> {
        let is_parquet = args.format == Form::Parquet;
        let path = args.output.as_deref();
        let to = if is_parquet && args.tables.len() != 1 {
            To::Folder(folder(path)?.known_to(&app.unfinished))
        } else {
            To::One(Output::begin(app, path)?)
        };
        Ok(Place { to, is_parquet })
    }

    /// Begins the events of a table.
    fn sink(&mut self, lake: &Lake, table: &str) -> Result<Sink<'_>> {
        let out: Box<dyn Write + Send + '_> = match &mut self.to {
            To::One(out) => Box::new(out),
            To::Folder(draft) => Box::new(BufWriter::new(draft.file(&format!("{table}.parquet"))?)),
        };
        if self.is_parquet {
            return Ok(Sink::Parquet(Box::new(TableFile::begin(lake, table, out)?)));
        }
        let class = lake.ocsf().by_name(table).ok_or_else(|| Error::input(format!("no event table `{table}`")))?;
        Ok(Sink::Lines(Encoder::new(class), out))
    }

    fn finish(self) -> Result<()> {
        match self.to {
            To::One(out) => out.finish(),
            To::Folder(draft) => draft.finish().map(drop),
        }
    }
}

/// Creates a new folder; an existing one stays as it is.
fn folder(path: Option<&Path>) -> Result<Draft> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        return Err(Error::usage("several tables as Parquet are several files").hint(
            "name their folder with --output DIR, or one table: `auditlake export authentication --format parquet`",
        ));
    };
    if path.exists() {
        return Err(Error::usage(format!("{} already exists", path.display()))
            .hint("several tables as Parquet go into a new folder: name another one"));
    }
    Draft::begin(path, false)
}

/// Receives the events of one table.
enum Sink<'a> {
    Lines(Encoder, Box<dyn Write + Send + 'a>),
    Parquet(Box<TableFile<Box<dyn Write + Send + 'a>>>),
}

impl Sink<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<u64> {
        match self {
            Sink::Lines(encoder, out) => write_lines(encoder, batch, out)?,
            Sink::Parquet(file) => file.write(batch)?,
        }
        Ok(batch.num_rows() as u64)
    }

    fn finish(self) -> Result<()> {
        match self {
            Sink::Lines(..) => Ok(()),
            Sink::Parquet(file) => file.finish(),
        }
    }
}

/// Writes each row as the line that it was.
fn write_lines(encoder: &Encoder, batch: &RecordBatch, out: &mut (dyn Write + Send)) -> Result<()> {
    let mut line = Vec::new();
    for row in 0..batch.num_rows() {
        line.clear();
        encoder.write(batch, row, &mut line)?;
        line.push(b'\n');
        out.write_all(&line).context(Kind::Unavailable, || "cannot write the events")?;
    }
    Ok(())
}

/// Writes the events of one table that a statement chooses.
async fn chosen(session: &Session, table: &str, statement: &str, sink: &mut Sink<'_>) -> Result<u64> {
    session.check_files(&[table.to_string()]).await?;
    let mut found = session.query(statement, &Params::default(), Horizon::All).await?;
    let mut exported = 0;
    while let Some(batch) = found.next().await? {
        exported += sink.write(&batch)?;
    }
    Ok(exported)
}

/// Writes all events of one table.
async fn whole(lake: &Lake, table: &str, sink: &mut Sink<'_>) -> Result<u64> {
    let (mut exported, files) = (0, lake.state().tables.get(table).map_or(&[][..], |table| &table.files));
    // The exported copy stands for the lake elsewhere.
    FileCheck::of(lake).check(files).await?;
    for file in files {
        let mut batches = rows(&lake.store(), file).await?;
        while let Some(batch) = batches.next().await {
            exported += sink.write(&batch?)?;
        }
    }
    Ok(exported)
}
