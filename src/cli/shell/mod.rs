//! The backend of the shell: it runs statements on the engine and commands on the program.
//!
//! ```text
//! statement -> Session -> rows -> Renderer -> screen (pager) | file (temporary, synced, renamed)
//! ```

mod bar;
mod describe;
mod engine;
mod explain;
mod meaning;
mod names;
mod outside;
mod pager;
mod program;
mod show;
mod statement;
mod token;
mod voice;
mod words;

use std::cell::{OnceCell, RefCell};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempPath;

use super::access::Access;
use super::terminal::signal::{Interrupts, Which};
use super::{App, command_names};
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::Lake;
use crate::redact::{Counts, Policy};
use crate::render::{self, Format, Renderer};
use crate::repl::{Backend, Candidate, Listing, Settings, Typed, Wanted};
use crate::report::Catalog;
use crate::sql::{Horizon, Options, Params, Rows, Session, parse_param};
use bar::QueryBar;
use engine::{Engine, cancelled};
use names::{Names, Shelf};
use pager::Pager;

/// The limit in lines of a list of ours, which is read page by page.
const LONG: usize = 100_000;

/// The engine behind the shell and behind `-c`, `-f` and stdin.
pub struct Shell<'a> {
    app: &'a App,
    lake: Lake,
    session: Arc<Session>,
    options: Options,
    /// Values of `:name` in statements, from the command line.
    params: Params,
    policy: Arc<Policy>,
    /// Names for completion: collected when TAB is first pressed; a one-shot query does without.
    names: OnceCell<Names>,
    shelf: Arc<Shelf>,
    pager: Option<Pager>,
    /// Workbooks that a spreadsheet may still read; they are removed with the shell.
    opened: RefCell<Vec<TempPath>>,
    /// Whether the shell is interactive.
    is_interactive: bool,
    engine: Engine,
    /// The log of reads, where reads are logged.
    access: Access,
}

impl<'a> Shell<'a> {
    /// Opens the shell. `interrupts` says which ^C abandons the running statement. On a terminal each does that and no
    /// more; in a batch run the second one ends the process, since the first asks the statement to stop, which may take
    /// a while.
    pub fn open(
        app: &'a App,
        lake: Lake,
        options: Options,
        params: Params,
        is_safe: bool,
        interrupts: Which,
    ) -> Result<Shell<'a>> {
        let engine = Engine::new(Interrupts::of(&app.signals, interrupts))?;
        let (policy, _) = app.policy_of_reader(&lake)?;
        let access = Access::of(app, &lake)?;
        let session = Arc::new(bind(app, &lake, &options)?);
        // A pager is a program, and most of them start others.
        let pager = if is_safe { None } else { Pager::from_env() };
        Ok(Shell {
            app,
            lake,
            session,
            options,
            params,
            policy,
            names: OnceCell::new(),
            shelf: Arc::default(),
            pager,
            opened: RefCell::default(),
            is_interactive: false,
            engine,
            access,
        })
    }

    /// Makes the shell interactive: hints name commands instead of flags.
    pub fn interactive(self) -> Shell<'a> {
        Shell { is_interactive: true, ..self }
    }

    /// Returns [`Session::left_out`].
    pub fn left_out(&self) -> &[(String, u64)] {
        self.session.left_out()
    }

    /// Returns [`Session::is_short`].
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

    /// Returns the parameters of the command line, and those that were set in the shell, which win.
    fn params(&self, settings: &Settings) -> Result<Params> {
        let mut params = self.params.clone();
        for (name, value) in &settings.parameters {
            let (name, value) = parse_param(&format!("{name}={value}"))?;
            params.retain(|(known, _)| *known != name);
            params.push((name, value));
        }
        Ok(params)
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            // The commands report a catalogue that cannot be read.
            let catalog = Catalog::load(self.app.config.reports());
            let reports = catalog.map(|catalog| catalog.list().iter().map(|report| report.id.clone()).collect());
            let handle = self.app.runtime.handle().clone();
            Names::new(&self.session, handle, self.shelf.clone(), reports.unwrap_or_default())
        })
    }
}

impl Backend for Shell<'_> {
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()> {
        self.logged(sql, settings, |shell| shell.run(sql, settings))
    }

    fn row(&mut self, sql: &str, settings: &Settings) -> Result<Vec<(String, Option<String>)>> {
        let mut row = Vec::new();
        self.logged(sql, settings, |shell| {
            row = shell.one_row(sql, settings)?;
            Ok(1)
        })?;
        Ok(row)
    }

    fn tables(&mut self, settings: &Settings, listing: &Listing) -> Result<()> {
        let is_brief = settings.output.is_none() && self.app.screen.is_terminal();
        let batch = describe::tables(&self.session, listing, is_brief)?;
        self.show_list(&batch, settings)
    }

    fn describe(&mut self, settings: &Settings, name: &str, is_verbose: bool) -> Result<()> {
        let width = settings.render_options(self.app.screen.terminal()).width;
        let described = describe::columns(self.app, &self.lake, &self.session, (name, is_verbose), width)?;
        let settings = &show::for_list(settings);
        let mut options = settings.render_options(self.app.screen.terminal());
        options.width = options.width.filter(|_| !described.is_cut);
        options.height = options.height.map(|_| LONG);
        let columns = &described.columns;
        let definition =
            described.definition.filter(|_| settings.output.is_none() && settings.format().is_for_people());
        let Some(definition) = definition else {
            return self.emit(settings, columns.schema(), options, |out| out.write(columns)).map(|_| ());
        };
        let mut text = Vec::new();
        let mut renderer = Renderer::new(settings.format(), columns.schema(), options, &mut text);
        renderer.write(columns)?;
        renderer.finish()?;
        let columns = String::from_utf8_lossy(&text);
        self.page(&format!("{columns}\n{}", self.folded(definition.trim_end())), settings)
    }

    fn describe_query(&mut self, settings: &Settings, sql: &str) -> Result<()> {
        let schema = self.start(sql, settings)?.schema.clone();
        self.show_list(&describe::result_columns(&schema)?, settings)
    }

    fn define(&mut self, settings: &Settings, name: &str) -> Result<()> {
        let definition = describe::definition(&self.session, name)?;
        if settings.output.is_none() && settings.format().is_for_people() {
            return self.page(&self.folded(definition.trim_end()), settings);
        }
        let column = super::terminal::rows::Column::Text(vec![Some(definition)]);
        self.show_batch(&super::terminal::rows::batch(vec![("definition", column)])?, settings)
    }

    fn connection(&self) -> String {
        let state = self.session.state();
        let time = chrono::DateTime::from_timestamp_millis(state.time_ms).map(|time| time.to_rfc3339());
        format!(
            "lake {} ({}), OCSF {}\nledger entry {} of {}\nsha256 {}\n",
            self.lake.root().display(),
            state.lake.partition.column(),
            state.lake.ocsf_version,
            state.sequence,
            time.unwrap_or_default(),
            state.hash
        )
    }

    fn time(&self) -> String {
        let now = chrono::DateTime::from_timestamp_millis(self.app.clock.now_ms());
        now.map(|now| now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default()
    }

    fn functions(&mut self, settings: &Settings, name: Option<&str>) -> Result<()> {
        match describe::functions(&self.session, name)? {
            describe::Functions::One(text) => self.page(&self.folded(&text), settings),
            describe::Functions::Many(batch) => self.show_batch(&batch, &show::for_list(settings)),
        }
    }

    fn refresh(&mut self) -> Result<()> {
        self.lake = self.app.open_lake()?;
        self.session = Arc::new(bind(self.app, &self.lake, &self.options)?);
        self.names = OnceCell::new();
        Ok(())
    }

    fn pause(&mut self, time: Duration) -> Result<()> {
        self.engine.pause(time)
    }

    fn command(&mut self, arguments: &[String]) -> Result<()> {
        outside::command(self.app, arguments)?;
        // The next statement must see what the command wrote.
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

    fn write(&mut self, path: &Path, text: &str) -> Result<()> {
        disk::write(path, text.as_bytes())
    }

    fn complete(&self, wanted: Wanted, typed: &Typed<'_>) -> Vec<Candidate> {
        let names = self.names();
        match wanted {
            Wanted::Sql => words::sql(names, typed),
            Wanted::Text => words::text(names, typed),
            Wanted::Table => words::tables(names, typed.word),
            Wanted::View => words::views(names, typed.word),
            Wanted::Function => words::functions(names, typed.word),
            Wanted::Program => program::complete(names, typed.before, typed.word),
        }
    }

    fn columns(&self) -> Option<usize> {
        self.app.screen.width()
    }

    fn prepare(&self, statement: &str) {
        words::prepare(self.names(), statement);
    }

    fn is_secret(&self, text: &str) -> bool {
        self.policy.text(text, &mut Counts::default()).is_some()
    }

    fn show_error(&mut self, error: &Error) {
        if self.is_interactive {
            self.app.screen.error_as(error, voice::spoken);
        } else {
            self.app.screen.error(error);
        }
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
        let rows = session.query(&sql, &params, Horizon::All).await?;
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
