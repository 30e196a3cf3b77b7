//! Carries out statements and commands, one after the other.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::Backend;
use super::meta::{self, Command, Go};
use super::settings::{Expanded, Output, Settings, on_off};
use super::split::{End, Unit, units};
use crate::error::{Context, Error, Kind, Result};
use crate::render::{self, Format};

/// Scripts inside scripts: one that reads itself is a mistake, not a loop.
const DEEPEST: usize = 16;

pub(super) struct Shell<'a> {
    settings: &'a mut Settings,
    /// Where the answers of the shell's own commands go.
    out: &'a mut dyn Write,
    /// Where it says what it has done.
    talk: &'a mut dyn Write,
    is_interactive: bool,
    /// Failures are shown and do not stop the rest.
    keep_going: bool,
    pub(super) failures: usize,
    /// What was typed so far, for `\s`.
    pub(super) history: Vec<String>,
    /// For the next statement only.
    once: Option<PathBuf>,
    last: Option<String>,
    is_reset: bool,
    depth: usize,
}

impl<'a> Shell<'a> {
    pub(super) fn interactive(settings: &'a mut Settings, out: &'a mut dyn Write, talk: &'a mut dyn Write) -> Self {
        Shell { is_interactive: true, ..Shell::script(settings, out, talk, true) }
    }

    pub(super) fn script(
        settings: &'a mut Settings,
        out: &'a mut dyn Write,
        talk: &'a mut dyn Write,
        keep_going: bool,
    ) -> Self {
        Shell {
            settings,
            out,
            talk,
            is_interactive: false,
            keep_going,
            failures: 0,
            history: Vec::new(),
            once: None,
            last: None,
            is_reset: false,
            depth: 0,
        }
    }

    /// Whether `\r` was given since the last call.
    pub(super) fn take_reset(&mut self) -> bool {
        std::mem::take(&mut self.is_reset)
    }

    /// Runs `text`, which came from `file` or was typed; breaks with an exit code.
    pub(super) fn run(
        &mut self,
        backend: &mut dyn Backend,
        text: &str,
        file: Option<&Path>,
    ) -> Result<ControlFlow<u8>> {
        for unit in units(text) {
            let error = match self.unit(backend, unit, file) {
                Ok(ControlFlow::Continue(())) => continue,
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let is_cancelled = error.kind() == Kind::Cancelled;
            if !self.keep_going || render::is_closed_pipe(&error) || is_cancelled && !self.is_interactive {
                return Err(error);
            }
            self.failures += 1;
            backend.show_error(&error);
            // ^C is meant for all that was pasted, not for one statement of it.
            if is_cancelled {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn unit(&mut self, backend: &mut dyn Backend, unit: Unit<'_>, file: Option<&Path>) -> Result<ControlFlow<u8>> {
        match unit {
            Unit::Statement(sql, end) => {
                let go = match end {
                    End::Go(line) => meta::parse_go(line)?,
                    End::Command => {
                        return Err(Error::usage("a statement is not ended before the next command")
                            .hint("end statements with `;`"));
                    }
                    End::Semicolon | End::Open | End::Quoted => Go::default(),
                };
                self.last = Some(sql.to_owned());
                self.execute(backend, sql, go)?;
            }
            Unit::Command(line) => {
                let command = meta::parse(line, &backend.commands())?;
                return self.command(backend, command, file);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn execute(&mut self, backend: &mut dyn Backend, sql: &str, go: Go) -> Result<()> {
        let once = self.once.take();
        let mut settings = self.settings.clone();
        if let Some(path) = go.file.or(once) {
            settings.output = Some(Output { path, is_append: false });
        } else if let Some(output) = &mut self.settings.output {
            // Also when it fails: part of a result may be in the file.
            output.is_append = true;
        }
        if go.is_expanded {
            settings.expanded = Expanded::On;
        }
        backend.execute(sql, &settings)
    }

    fn command(&mut self, backend: &mut dyn Backend, command: Command, file: Option<&Path>) -> Result<ControlFlow<u8>> {
        match command {
            Command::Quit(code) => return Ok(ControlFlow::Break(code)),
            Command::Help(text) => self.answer(&meta::help(text.as_deref()))?,
            Command::Functions(name) => backend.functions(name.as_deref())?,
            Command::Tables { pattern, is_verbose } => backend.tables(self.settings, pattern.as_deref(), is_verbose)?,
            Command::Describe(name) => backend.describe(self.settings, &name)?,
            Command::Read(path, is_relative) => return self.read(backend, path, file.filter(|_| is_relative)),
            Command::Output(path) => {
                self.notice(&match &path {
                    Some(path) => format!("results go to {}", path.display()),
                    None => "results go to the terminal".to_owned(),
                })?;
                self.settings.output = path.map(|path| Output { path, is_append: false });
            }
            Command::Once(path) => self.once = Some(path),
            Command::Go(go) => {
                let sql = self.last_statement()?;
                self.execute(backend, &sql, go)?;
            }
            Command::Last => {
                let sql = self.last_statement()?;
                let max_rows = self.settings.max_rows.take();
                let result = self.execute(backend, &sql, Go::default());
                self.settings.max_rows = max_rows;
                result?;
            }
            Command::Reset => self.is_reset = true,
            Command::History => {
                self.answer(&self.history.iter().map(|entry| format!("{entry}\n")).collect::<String>())?
            }
            Command::Echo(text) => self.answer(&format!("{text}\n"))?,
            Command::Program(arguments) => backend.command(&arguments)?,
            setting => self.set(setting)?,
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Changes or shows a setting.
    fn set(&mut self, command: Command) -> Result<()> {
        let settings = &mut *self.settings;
        let notice = match command {
            Command::Format(None) => return self.answer(&format!("{}\n", self.settings.format)),
            Command::Format(Some(format)) => {
                // Who asks for a format wants to see it, whatever `\x` was.
                settings.expanded = if format == Format::Table { settings.expanded } else { Expanded::Off };
                settings.format = format;
                format!("format is {format}")
            }
            Command::Expanded(expanded) => {
                let toggled = if settings.expanded == Expanded::Off { Expanded::On } else { Expanded::Off };
                settings.expanded = expanded.unwrap_or(toggled);
                match settings.expanded {
                    Expanded::Off => "expanded is off".to_owned(),
                    Expanded::On => "expanded is on".to_owned(),
                    Expanded::Auto => "expanded is auto: on when a table is too wide".to_owned(),
                }
            }
            Command::Timing(is_on) => {
                settings.is_timing_on = is_on.unwrap_or(!settings.is_timing_on);
                format!("timing is {}", on_off(settings.is_timing_on))
            }
            Command::Header(is_on) => {
                settings.header = is_on.unwrap_or(!settings.header);
                format!("header is {}", on_off(settings.header))
            }
            Command::Null(text) => {
                settings.null = text;
                format!("null is '{}'", settings.null.as_deref().unwrap_or_default())
            }
            Command::MaxRows(None) => {
                let rows = settings.max_rows.unwrap_or(0);
                return self.answer(&format!("{rows}\n"));
            }
            Command::MaxRows(Some(rows)) => {
                settings.max_rows = rows;
                rows.map_or("all rows are shown".to_owned(), |rows| format!("{rows} rows are shown"))
            }
            _ => return self.answer(&self.settings.list()),
        };
        self.notice(&notice)
    }

    fn last_statement(&self) -> Result<String> {
        self.last.clone().ok_or_else(|| Error::usage("no statement was run yet"))
    }

    fn read(&mut self, backend: &mut dyn Backend, path: PathBuf, script: Option<&Path>) -> Result<ControlFlow<u8>> {
        let path = script.and_then(Path::parent).map_or(path.clone(), |folder| folder.join(&path));
        let cannot = || format!("cannot read the script {}", path.display());
        if self.depth == DEEPEST {
            return Err(Error::input(cannot()).hint("scripts read each other more than 16 deep: one reads itself"));
        }
        let text = std::fs::read_to_string(&path).context(Kind::Input, cannot)?;
        // A script stops at its first failure, also one that was called from the prompt.
        let keep_going = self.keep_going;
        self.keep_going = keep_going && !self.is_interactive;
        self.depth += 1;
        let result = self.run(backend, text.trim_start_matches('\u{feff}'), Some(&path));
        self.depth -= 1;
        self.keep_going = keep_going;
        result
    }

    fn answer(&mut self, text: &str) -> Result<()> {
        self.out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            .context(Kind::Unavailable, || "cannot write to the terminal")
    }

    /// Says what was done, to a person.
    fn notice(&mut self, text: &str) -> Result<()> {
        if !self.is_interactive {
            return Ok(());
        }
        writeln!(self.talk, "{text}").context(Kind::Unavailable, || "cannot write to the terminal")
    }
}

/// Lines that are not yet a whole statement.
#[derive(Default)]
pub(super) struct Pending {
    text: String,
}

impl Pending {
    pub(super) fn is_begun(&self) -> bool {
        !self.text.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    /// Adds a line; returns what can be run now.
    ///
    /// A backslash command in the middle of a statement (`\x`, `\q`) is run at once and the statement is kept.
    pub(super) fn push(&mut self, line: &str) -> Option<String> {
        let begun = self.text.len();
        self.text.push_str(line);
        self.text.push('\n');
        let is_interruption = begun > 0
            && line.trim_start().starts_with('\\')
            && units(&self.text).any(|unit| matches!(unit, Unit::Statement(_, End::Command)));
        if is_interruption {
            self.text.truncate(begun);
            return Some(line.to_owned());
        }
        let is_open = matches!(units(&self.text).last(), Some(Unit::Statement(_, End::Open | End::Quoted)));
        if is_open { None } else { Some(std::mem::take(&mut self.text)) }
    }
}
