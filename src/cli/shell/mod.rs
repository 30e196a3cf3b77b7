//! What the shell asks for, done: statements on the engine, commands on the program.
//!
//! ```text
//! statement -> Session -> rows -> Renderer -> screen (pager) | file (temporary, synced, renamed)
//! ```

mod bar;
mod describe;
mod engine;
mod outside;
mod pager;
mod words;

use std::cell::OnceCell;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::signal::{Interrupts, Which};
use super::{App, command_names};
use crate::disk::Whole;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::Lake;
use crate::redact::{Counts, Policy};
use crate::render::{self, Format, Renderer};
use crate::repl::{self, Backend, Candidate, Settings, Wanted};
use crate::sql::{Options, Params, Reading, Rows, Session, parse_param};
use crate::typed::{bytes, count};
use bar::QueryBar;
use engine::{Engine, cancelled};
use pager::{Paged, Pager};
use words::Words;

/// The engine behind the shell and behind `-c`, `-f` and stdin.
pub struct Shell<'a> {
    app: &'a App,
    lake: Lake,
    session: Arc<Session>,
    options: Options,
    /// Values of `:name` in statements, from the command line.
    params: Params,
    policy: Arc<Policy>,
    /// For completion: collected when TAB is first pressed, a one-shot query does without.
    words: OnceCell<Words>,
    pager: Option<Pager>,
    engine: Engine,
}

/// A renderer whose output goes wherever the result goes.
type Out<'a> = Renderer<Box<dyn Write + 'a>>;

impl<'a> Shell<'a> {
    /// `interrupts` says which ^C gives up the statement that runs. On a terminal each does that and no more; in a batch
    /// run the second one ends the process, since the first asks the statement to stop, which may take its time.
    pub fn open(
        app: &'a App,
        lake: Lake,
        options: Options,
        params: Params,
        is_safe: bool,
        interrupts: Which,
    ) -> Result<Shell<'a>> {
        let engine = Engine::new(Interrupts::of(&app.signals, interrupts))?;
        let (policy, _) = app.policy(&lake)?;
        let session = Arc::new(bind(app, &lake, &options)?);
        // A pager is a program, and most of them start others.
        let pager = if is_safe { None } else { Pager::from_env() };
        Ok(Shell { app, lake, session, options, params, policy, words: OnceCell::new(), pager, engine })
    }

    /// As in [`Session::left_out`].
    pub fn left_out(&self) -> &[(String, u64)] {
        self.session.left_out()
    }

    /// As in [`Session::is_short`].
    pub fn is_short(&self) -> bool {
        self.session.is_short()
    }

    pub fn greeting(&self) -> String {
        let (sequence, _) = self.session.entry();
        format!("auditlake {}, ledger entry {sequence}. \\? for help, \\q to quit.", env!("CARGO_PKG_VERSION"))
    }

    fn start(&mut self, sql: &str, settings: &Settings) -> Result<Rows> {
        let params = self.params(settings)?;
        let mut bar = QueryBar::new(&self.app.screen);
        self.engine.plan(&self.session, sql, params, || bar.show(None))
    }

    /// The parameters of the command line, and those that were set in the shell, which win.
    fn params(&self, settings: &Settings) -> Result<Params> {
        let mut params = self.params.clone();
        for (name, value) in &settings.parameters {
            let (name, value) = parse_param(&format!("{name}={value}"))?;
            params.retain(|(known, _)| *known != name);
            params.push((name, value));
        }
        Ok(params)
    }

    /// Renders a result to where the settings send it; a file changes only when all of it is there. Returns the rows,
    /// unless the user left the pager before the last.
    fn emit(
        &self,
        settings: &Settings,
        schema: SchemaRef,
        mut options: render::Options,
        feed: impl FnOnce(&mut Out<'_>) -> Result<()>,
    ) -> Result<Option<u64>> {
        let (screen, format) = (&self.app.screen, settings.format());
        let Some(output) = &settings.output else {
            format.check_stdout()?;
            options.is_terminal = screen.is_terminal();
            let mut out = self.paged(settings);
            let mut renderer = Renderer::new(format, schema, options, Box::new(&mut out) as Box<dyn Write + '_>);
            let fed = feed(&mut renderer).and_then(|()| renderer.finish());
            let is_paging = out.is_paging();
            let closed = out.close();
            return match fed {
                // Who leaves the pager has seen enough.
                Err(error) if is_paging && render::is_closed_pipe(&error) => closed.map(|()| None),
                fed => fed.and_then(|rows| closed.map(|()| Some(rows))),
            };
        };
        if output.is_append && format.is_file_only() {
            return Err(Error::usage(format!("{} holds a result, and {format} holds only one", output.path.display()))
                .hint("name another file: `\\g FILE` or `\\o FILE`"));
        }
        let file = if output.is_append { Whole::append(&output.path) } else { Whole::begin(&output.path) };
        let mut file = file?.known_to(&self.app.unfinished);
        let mut renderer = Renderer::new(format, schema, options, Box::new(&mut file) as Box<dyn Write + '_>);
        feed(&mut renderer)?;
        let rows = renderer.finish()?;
        file.finish()?;
        Ok(Some(rows))
    }

    /// A small result of our own.
    fn show_batch(&self, batch: &RecordBatch, settings: &Settings) -> Result<()> {
        let options = settings.render_options(self.app.screen.width());
        self.emit(settings, batch.schema(), options, |out| out.write(batch)).map(|_| ())
    }

    fn paged(&self, settings: &Settings) -> Paged {
        let pager = self.pager.clone().filter(|_| settings.pager != repl::Pager::Off);
        let is_always = settings.pager == repl::Pager::Always;
        Paged::new(pager, self.app.screen.size(), is_always, Box::new(self.app.screen.stdout()))
    }

    /// Passes rows on as they come; ^C ends it.
    fn feed(&self, rows: &mut Rows, out: &mut Out<'_>, settings: &Settings) -> Result<()> {
        let gauge = rows.gauge();
        let mut bar = QueryBar::new(&self.app.screen);
        // Rows on the screen and a bar there do not go together; a table with a limit is printed at its end.
        let is_held = settings.format() == Format::Table && settings.max_rows.is_some();
        let is_printed = settings.output.is_none() && !is_held;
        loop {
            let Some(batch) = self.engine.next(rows, || bar.show(Some(gauge.read())))? else { return Ok(()) };
            if is_printed {
                bar.end();
            }
            out.write(&batch)?;
        }
    }

    fn words(&self) -> &Words {
        self.words.get_or_init(|| describe::words(self.app, &self.session))
    }

    /// What a result's last line says: rows, time, and what was read for it.
    fn footer(&self, rows: u64, elapsed: Duration, reading: Reading, settings: &Settings) -> String {
        let mut text = format!("{} row{}", count(rows), if rows == 1 { "" } else { "s" });
        let is_cut = settings.format() == Format::Table && settings.output.is_none();
        if let Some(limit) = settings.max_rows.filter(|limit| is_cut && rows > *limit as u64) {
            text.push_str(&format!(" ({} shown, `.last` shows all)", count(limit as u64)));
        }
        if let Some(output) = &settings.output {
            text.push_str(&format!(" written to {}", output.path.display()));
        }
        text.push_str(&format!(", {:.3} s", elapsed.as_secs_f64()));
        if settings.is_timing_on && reading.files > 0 {
            text.push_str(&format!(
                "; read {} of {} files, {} of {}; pruned {} files, {}",
                count(reading.files_planned),
                count(reading.files),
                bytes(reading.bytes_read),
                bytes(reading.bytes),
                count(reading.files.saturating_sub(reading.files_planned)),
                bytes(reading.bytes.saturating_sub(reading.bytes_read)),
            ));
        }
        text
    }
}

impl Backend for Shell<'_> {
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()> {
        if settings.output.is_none() {
            settings.format().check_stdout()?;
        }
        let started = Instant::now();
        let mut rows = self.start(sql, settings)?;
        let options = settings.render_options(self.app.screen.width());
        let gauge = rows.gauge();
        let emitted = self.emit(settings, rows.schema.clone(), options, |out| self.feed(&mut rows, out, settings));
        drop(rows);
        let shown = emitted.inspect_err(|error| self.engine.leave_behind(error))?;
        let is_table = settings.output.is_some() || matches!(settings.format(), Format::Table | Format::Line);
        let is_told = settings.is_timing_on || (is_table && settings.footer && self.app.screen.is_terminal());
        if let Some(shown) = shown.filter(|_| is_told) {
            self.app.screen.say(self.footer(shown, started.elapsed(), gauge.read(), settings));
        }
        Ok(())
    }

    fn row(&mut self, sql: &str, settings: &Settings) -> Result<Vec<(String, Option<String>)>> {
        let mut rows = self.start(sql, settings)?;
        let schema = rows.schema.clone();
        let mut found: Vec<RecordBatch> = Vec::new();
        while let Some(batch) =
            self.engine.next(&mut rows, || {}).inspect_err(|error| self.engine.leave_behind(error))?
        {
            found.push(batch);
            if found.iter().map(RecordBatch::num_rows).sum::<usize>() > 1 {
                return Err(Error::input("the statement has more than one row, which `\\gset` cannot take")
                    .hint("add `limit 1`, or aggregate"));
            }
        }
        let Some(batch) = found.iter().find(|batch| batch.num_rows() > 0) else {
            return Err(Error::input("the statement has no row, and `\\gset` needs one"));
        };
        let names = schema.fields().iter().map(|field| field.name().clone());
        Ok(names.zip(render::row_texts(batch, 0)?).collect())
    }

    fn tables(&mut self, settings: &Settings, pattern: Option<&str>, is_verbose: bool) -> Result<()> {
        let is_brief = settings.output.is_none() && self.app.screen.is_terminal();
        let batch = describe::tables(&self.session, pattern, is_verbose, is_brief)?;
        self.show_batch(&batch, settings)
    }

    fn describe(&mut self, settings: &Settings, name: &str) -> Result<()> {
        // The paths are what one came for: all of them, and whole.
        let settings = &Settings { max_rows: None, ..settings.clone() };
        let width = settings.render_options(self.app.screen.width()).width;
        let (batch, is_whole) = describe::columns(self.app, &self.lake, &self.session, name, width)?;
        let mut options = settings.render_options(self.app.screen.width());
        options.width = options.width.filter(|_| !is_whole);
        self.emit(settings, batch.schema(), options, |out| out.write(&batch)).map(|_| ())
    }

    fn functions(&mut self, settings: &Settings, name: Option<&str>) -> Result<()> {
        match describe::functions(&self.session, name)? {
            describe::Functions::One(text) => self.page(&text, settings),
            describe::Functions::Many(batch) => {
                self.show_batch(&batch, &Settings { max_rows: None, ..settings.clone() })
            }
        }
    }

    fn refresh(&mut self) -> Result<()> {
        self.lake = self.app.open_lake()?;
        self.session = Arc::new(bind(self.app, &self.lake, &self.options)?);
        self.words = OnceCell::new();
        Ok(())
    }

    fn pause(&mut self, time: Duration) -> Result<()> {
        self.engine.pause(time)
    }

    fn command(&mut self, arguments: &[String]) -> Result<()> {
        outside::command(self.app, arguments)?;
        // What the command wrote is to be seen by the next statement.
        self.refresh()
    }

    fn commands(&self) -> Vec<String> {
        command_names()
    }

    fn system(&mut self, command: Option<&str>) -> Result<()> {
        outside::system(self.app, command)
    }

    fn edit(&mut self, text: &str, file: Option<&Path>) -> Result<String> {
        outside::edit(text, file)
    }

    fn page(&mut self, text: &str, settings: &Settings) -> Result<()> {
        let mut out = self.paged(settings);
        let written = out.write_all(text.as_bytes()).context(Kind::Unavailable, || "cannot write to the terminal");
        let is_paging = out.is_paging();
        let closed = out.close();
        match written {
            Err(error) if is_paging && render::is_closed_pipe(&error) => closed,
            written => written.and(closed),
        }
    }

    fn complete(&self, wanted: Wanted, before: &str, after: &str) -> Vec<Candidate> {
        match wanted {
            Wanted::Sql => self.words().sql(before, after),
            Wanted::Table => self.words().tables(before),
            Wanted::Function => self.words().functions(before),
            Wanted::Program => words::program(before),
        }
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
