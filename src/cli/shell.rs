//! What the shell asks for, done: statements on the engine, commands on the program.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;

use super::screen::count;
use super::{App, command_names, rows, schema, status};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::Lake;
use crate::redact::{Counts, Policy};
use crate::render::{self, Format, Renderer};
use crate::repl::{Backend, Settings};
use crate::sql::{Options, Params, Rows, Session};

/// The engine behind the shell and behind `-c`, `-f` and stdin.
pub struct Shell<'a> {
    app: &'a App,
    lake: Lake,
    session: Arc<Session>,
    options: Options,
    /// Values of `:name` in statements.
    params: Params,
    policy: Arc<Policy>,
    /// Tables, columns and dotted paths, for completion.
    words: Vec<String>,
}

impl<'a> Shell<'a> {
    pub fn open(app: &'a App, lake: Lake, options: Options, params: Params) -> Result<Shell<'a>> {
        // From here on ^C is ours to answer: it ends a query, not the program.
        let _guard = app.runtime.enter();
        #[cfg(unix)]
        let _listener = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
            .context(Kind::Unavailable, || "cannot listen for ^C")?;
        let (policy, _) = app.policy(&lake)?;
        let session = Arc::new(bind(app, &lake, &options)?);
        let words = words(&session);
        Ok(Shell { app, lake, session, options, params, policy, words })
    }

    pub fn greeting(&self) -> String {
        let (sequence, _) = self.session.entry();
        format!("auditlake {}, ledger entry {sequence}. \\? for help, \\q to quit.", env!("CARGO_PKG_VERSION"))
    }

    fn print(&self, batch: &RecordBatch, settings: &Settings) -> Result<()> {
        let options = settings.render_options(self.app.screen.width());
        rows::print(&self.app.screen, batch, settings.format(), options)
    }

    /// Plans on a thread of the runtime; ^C gives it up.
    fn start(&self, sql: &str) -> Result<Rows> {
        let (session, sql, params) = (self.session.clone(), sql.to_string(), self.params.clone());
        let task = self.app.runtime.spawn(async move { session.query(&sql, &params).await });
        let abort = task.abort_handle();
        self.app.runtime.block_on(async {
            tokio::select! {
                planned = task => planned.context(Kind::Internal, || "the planner stopped")?,
                () = interrupt() => {
                    abort.abort();
                    Err(cancelled())
                }
            }
        })
    }

    fn write(&self, rows: &mut Rows, settings: &Settings) -> Result<u64> {
        let screen = &self.app.screen;
        let (out, width): (Box<dyn Write>, _) = match &settings.output {
            None => (Box::new(screen.stdout()), screen.width()),
            Some(output) => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).append(output.is_append).truncate(!output.is_append);
                let file = options
                    .open(&output.path)
                    .context(Kind::Unavailable, || format!("cannot write {}", output.path.display()))?;
                (Box::new(std::io::BufWriter::new(file)), None)
            }
        };
        let mut options = settings.render_options(width);
        options.is_terminal = settings.output.is_none() && screen.is_terminal();
        let mut renderer = Renderer::new(settings.format(), rows.schema.clone(), options, out);
        self.app.runtime.block_on(async {
            loop {
                let batch = tokio::select! {
                    batch = rows.next() => batch?,
                    () = interrupt() => return Err(cancelled()),
                };
                match batch {
                    Some(batch) => renderer.write(&batch)?,
                    None => return Ok(()),
                }
            }
        })?;
        renderer.finish()
    }
}

impl Backend for Shell<'_> {
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()> {
        let started = Instant::now();
        let mut rows = self.start(sql)?;
        let shown = self.write(&mut rows, settings)?;
        let is_table = matches!(settings.format(), Format::Table | Format::Line);
        if settings.is_timing_on || (is_table && self.app.screen.is_terminal()) {
            let plural = if shown == 1 { "" } else { "s" };
            let elapsed = started.elapsed();
            self.app.screen.say(format!("{} row{plural}, {:.3} s", count(shown), elapsed.as_secs_f64()));
        }
        Ok(())
    }

    fn tables(&mut self, settings: &Settings, pattern: Option<&str>, is_verbose: bool) -> Result<()> {
        let mut tables = self.session.tables();
        if let Some(pattern) = pattern {
            let wanted = pattern.replace(['%', '*'], "");
            tables.retain(|table| table.name.contains(&wanted));
        }
        if is_verbose {
            return self.print(&status::table(&tables)?, settings);
        }
        let batch = rows::batch(vec![
            ("table", rows::Column::Text(tables.iter().map(|table| Some(table.name.clone())).collect())),
            ("kind", rows::Column::Text(tables.iter().map(|table| Some(table.kind.to_string())).collect())),
        ])?;
        self.print(&batch, settings)
    }

    fn describe(&mut self, settings: &Settings, name: &str) -> Result<()> {
        // The paths are what one came for: all of them, and whole.
        let settings = &Settings { max_rows: None, ..settings.clone() };
        if let Some(class) = self.lake.ocsf().classes().iter().find(|class| class.name == name) {
            let options = settings.render_options(None);
            let columns = schema::brief_columns(class, self.app.screen.width())?;
            return rows::print_whole(&self.app.screen, &columns, settings.format(), options);
        }
        let (session, name) = (self.session.clone(), name.to_string());
        let columns = self.app.wait(async move { session.columns(&name).await })?;
        let batch = rows::batch(vec![
            ("column", rows::Column::Text(columns.iter().map(|column| Some(column.path.clone())).collect())),
            ("type", rows::Column::Text(columns.iter().map(|column| Some(column.data_type.clone())).collect())),
        ])?;
        self.print(&batch, settings)
    }

    fn functions(&mut self, name: Option<&str>) -> Result<()> {
        let filter = name.map(|name| format!(" where routine_name ilike '%{}%'", name.replace('\'', "''")));
        let sql = format!(
            "select distinct routine_name as function, function_type as kind, description \
             from information_schema.routines{} order by 1",
            filter.unwrap_or_default()
        );
        self.execute(&sql, &Settings { max_rows: None, ..Settings::default() })
    }

    fn command(&mut self, arguments: &[String]) -> Result<()> {
        let code = self.app.run_line(arguments)?;
        // What the command wrote is to be seen by the next statement.
        self.lake = self.app.open_lake()?;
        self.session = Arc::new(bind(self.app, &self.lake, &self.options)?);
        if code != 0 {
            self.app.screen.say(format!("[exit status: {code}]"));
        }
        Ok(())
    }

    fn commands(&self) -> Vec<String> {
        command_names()
    }

    fn complete(&self, line: &str, position: usize) -> Vec<String> {
        let head = &line[..position];
        let start = head.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).map_or(0, |at| at + 1);
        let word = &head[start..];
        self.words.iter().filter(|candidate| candidate.starts_with(word)).cloned().collect()
    }

    fn is_secret(&self, text: &str) -> bool {
        self.policy.text(text, &mut Counts::default()).is_some()
    }

    fn show_error(&mut self, error: &Error) {
        self.app.screen.error(error);
    }
}

fn bind(app: &App, lake: &Lake, options: &Options) -> Result<Session> {
    let (lake, options) = (lake.clone(), options.clone());
    app.wait(async move { Session::new(&lake, &options).await })
}

fn words(session: &Session) -> Vec<String> {
    let mut words: Vec<String> = session.tables().into_iter().map(|table| table.name).collect();
    for class in session.ocsf().classes() {
        words.extend(class.describe().into_iter().map(|field| field.path.replace("[]", "")));
    }
    words.extend(
        ["select", "from", "where", "group by", "order by", "limit", "count(*)", "having", "with", "join"]
            .map(str::to_string),
    );
    words.sort();
    words.dedup();
    words
}

async fn interrupt() {
    // If signals cannot be had, ^C keeps its default effect.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "cancelled")
}

/// Runs one query to its end and shows it as a table.
pub fn show(app: &App, session: &Arc<Session>, sql: &str, params: Params) -> Result<()> {
    let (session, sql) = (session.clone(), sql.to_string());
    let batches = app.wait(async move {
        let rows = session.query(&sql, &params).await?;
        let schema = rows.schema.clone();
        Ok((schema, rows.collect().await?))
    })?;
    let (schema, batches) = batches;
    let options = render::Options { width: app.screen.width(), ..render::Options::default() };
    let mut renderer = Renderer::new(Format::Table, schema, options, app.screen.stdout());
    for batch in &batches {
        renderer.write(batch)?;
    }
    renderer.finish().map(|_| ())
}
