//! `auditlake export`: rows back as the OCSF JSON that came in.

use std::io::Write;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::App;
use super::access::{Access, Read};
use super::output::Output;
use super::value::{check_period, when};
use crate::decode::Encoder;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{FileCheck, Lake, rows};
use crate::sql::{Horizon, Params, Session};
use crate::typed::{When, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tables to export; all event tables when none is named
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// The file to write, one event per line [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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

/// What is exported of a table; none for all of it.
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
        // On a line of its own: a comment at its end ends there.
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
    let mut out = Output::begin(app, args.output.as_deref())?;
    // Of the tables that were named none is left out.
    let left_out = if args.tables.is_empty() { lake.unknown_tables() } else { Vec::new() };
    let choice = Choice::of(app, &args)?;
    let classes = lake.ocsf().classes().iter().map(|class| class.name.clone());
    let tables: Vec<String> = classes.filter(|name| args.tables.is_empty() || args.tables.contains(name)).collect();
    let statements: Vec<String> = tables.iter().filter_map(|table| choice.statement(table)).collect();
    match statements.is_empty() {
        true => access.begin(app, &Read::Export { tables: &args.tables }, lake.state().sequence)?,
        false => {
            let sql = statements.join("; ");
            access.begin(app, &Read::Query { sql: &sql, parameters: &[] }, lake.state().sequence)?;
        }
    }
    let options = app.config.sql();
    let exported = app.wait(async move {
        let events = match statements.is_empty() {
            true => export(&lake, &args.tables, &mut out).await?,
            false => {
                let session = Session::new(&lake, &options).await?;
                let mut events = 0;
                for (table, statement) in tables.iter().zip(&statements) {
                    events += chosen(&lake, &session, table, statement, &mut out).await?;
                }
                events
            }
        };
        out.finish().map(|()| events)
    });
    access.end(app, exported.as_ref().map(|events| *events))?;
    access.close(app)?;
    let exported = exported?;
    app.screen.say(format!("{} events", count(exported)));
    app.warn_of_left_out(&left_out);
    Ok(if left_out.is_empty() { 0 } else { Kind::Incomplete.exit_code() })
}

/// The events of one table that a statement chooses.
async fn chosen(
    lake: &Lake,
    session: &Session,
    table: &str,
    statement: &str,
    out: &mut (dyn Write + Send),
) -> Result<u64> {
    let Some(class) = lake.ocsf().by_name(table) else { return Ok(0) };
    let encoder = Encoder::new(class);
    session.check_files(&[table.to_string()]).await?;
    let mut found = session.query(statement, &Params::default(), Horizon::All).await?;
    let mut exported = 0;
    while let Some(batch) = found.next().await? {
        exported += write_lines(&encoder, &batch, out)?;
    }
    Ok(exported)
}

/// Writes each row as the line that it was; says how many they are.
fn write_lines(encoder: &Encoder, batch: &RecordBatch, out: &mut (dyn Write + Send)) -> Result<u64> {
    let mut line = Vec::new();
    for row in 0..batch.num_rows() {
        line.clear();
        encoder.write(batch, row, &mut line)?;
        line.push(b'\n');
        out.write_all(&line).context(Kind::Unavailable, || "cannot write the events")?;
    }
    Ok(batch.num_rows() as u64)
}

async fn export(lake: &Lake, tables: &[String], out: &mut (dyn Write + Send)) -> Result<u64> {
    let (mut exported, files) = (0, FileCheck::of(lake));
    for class in lake.ocsf().classes() {
        if !tables.is_empty() && !tables.contains(&class.name) {
            continue;
        }
        let encoder = Encoder::new(class);
        let Some(table) = lake.state().tables.get(&class.name) else { continue };
        // What is exported stands for the lake elsewhere.
        files.check(&table.files).await?;
        for file in &table.files {
            let mut batches = rows(&lake.store(), file).await?;
            while let Some(batch) = batches.next().await {
                exported += write_lines(&encoder, &batch?, out)?;
            }
        }
    }
    Ok(exported)
}
