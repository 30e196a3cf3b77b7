//! Executes statements and commands, one after the other.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::command::{self, Branch, Command, Go, Parameter};
use super::condition::Conditions;
use super::help::help;
use super::settings::{Output, Settings, Target};
use super::split::{End, Unit, units};
use super::variables::{Variables, is_name};
use super::{Backend, Options};
use crate::error::{Context, Error, Kind, Result};
use crate::render;
use crate::typed::visible_lines;

pub(super) struct Shell<'a> {
    pub(super) settings: Settings,
    pub(super) variables: Variables,
    pub(super) is_safe: bool,
    home: Option<PathBuf>,
    /// The destination of the answers of the shell's own commands.
    out: &'a mut dyn Write,
    /// The destination of notices about what the shell has done.
    pub(super) talk: &'a mut dyn Write,
    pub(super) is_interactive: bool,
    /// Failures are shown and do not stop the rest.
    pub(super) keep_going: bool,
    pub(super) failures: usize,
    pub(super) conditions: Conditions,
    /// The lines typed so far, for `\s`.
    pub(super) history: Vec<String>,
    /// The lines of an unfinished statement, for `\e`.
    pub(super) begun: String,
    /// The text from the editor, to be run as if it had been typed.
    pub(super) edited: Option<String>,
    /// The target of the next statement only.
    pub(super) once: Option<Target>,
    last: Option<String>,
    pub(super) is_reset: bool,
    pub(super) depth: usize,
}

impl<'a> Shell<'a> {
    pub(super) fn interactive(options: Options, out: &'a mut dyn Write, talk: &'a mut dyn Write) -> Self {
        Shell { is_interactive: true, ..Shell::script(options, out, talk, true) }
    }

    pub(super) fn script(options: Options, out: &'a mut dyn Write, talk: &'a mut dyn Write, keep_going: bool) -> Self {
        Shell {
            settings: options.settings,
            variables: options.variables,
            is_safe: options.is_safe,
            home: options.home,
            out,
            talk,
            is_interactive: false,
            keep_going,
            failures: 0,
            conditions: Conditions::default(),
            history: Vec::new(),
            begun: String::new(),
            edited: None,
            once: None,
            last: None,
            is_reset: false,
            depth: 0,
        }
    }

    /// Returns whether `\r` was given since the last call.
    pub(super) fn take_reset(&mut self) -> bool {
        std::mem::take(&mut self.is_reset)
    }

    /// Leaves all conditions after ^C at the prompt, as psql does.
    pub(super) fn interrupt(&mut self) {
        self.conditions.truncate(0);
    }

    /// Runs `text`, which came from `file` or was typed; breaks with an exit code.
    pub(super) fn run(
        &mut self,
        backend: &mut dyn Backend,
        text: &str,
        file: Option<&Path>,
    ) -> Result<ControlFlow<u8>> {
        let mut units = units(text);
        while let Some(unit) = units.next() {
            let error = match self.unit(backend, unit, file) {
                Ok(ControlFlow::Continue(())) => continue,
                Ok(done) => return Ok(done),
                Err(error) => match file {
                    Some(file) => error.at(format!("{}:{}", super::script::name(file), units.line())),
                    None => error,
                },
            };
            let is_cancelled = error.kind() == Kind::Cancelled;
            if !self.keep_going || render::is_closed_pipe(&error) || is_cancelled && !self.is_interactive {
                return Err(error);
            }
            self.failures += 1;
            backend.show_error(&error);
            // ^C is meant for everything that was pasted, not for one statement of it.
            if is_cancelled {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn unit(&mut self, backend: &mut dyn Backend, unit: Unit<'_>, file: Option<&Path>) -> Result<ControlFlow<u8>> {
        if let Unit::Command(line) = unit
            && let Some(done) = self.condition(line)
        {
            return done.map(|()| ControlFlow::Continue(()));
        }
        if !self.conditions.is_active() {
            self.notice("not run: a condition is false here; `\\endif` or ^C ends it")?;
            return Ok(ControlFlow::Continue(()));
        }
        match unit {
            Unit::Statement(sql, end) => {
                let go = match end {
                    End::Go(line) => command::parse_go(line, &self.variables)?,
                    End::Command => {
                        return Err(Error::usage("the statement before this command has no end")
                            .hint("end statements with `;`"));
                    }
                    End::Semicolon | End::Open | End::Quoted => Go::default(),
                };
                self.last = Some(sql.to_owned());
                self.go(backend, sql, go)?;
            }
            Unit::Command(line) => {
                let command = command::parse(line, &backend.commands(), &self.variables)?;
                self.check_safe(line, &command)?;
                return self.command(backend, command, file);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Follows `\if` and its kin; returns `None` for other commands.
    fn condition(&mut self, line: &str) -> Option<Result<()>> {
        let (_, rest) = command::split_name(line);
        let variables = &self.variables;
        let value = || super::words::words(rest, variables).map(|words| words.join(" "));
        Some(match command::branch(line)? {
            Branch::If => self.conditions.begin(value),
            Branch::ElseIf => self.conditions.otherwise_if(value),
            Branch::Else => self.conditions.otherwise(),
            Branch::End => self.conditions.end(),
        })
    }

    /// Checks safe mode, which reads and writes nothing but the lake and the terminal, and starts no program.
    fn check_safe(&self, line: &str, command: &Command) -> Result<()> {
        let is_outside = match command {
            Command::System(_) | Command::Edit(_) | Command::Program(_) => true,
            Command::Read(..) | Command::Once(_) | Command::Write(_) => true,
            Command::Output(target) => target.is_some(),
            _ => false,
        };
        let (name, _) = command::split_name(line);
        if self.is_safe && is_outside {
            return Err(Error::usage(format!("`{name}` is off in safe mode"))
                .hint("start the shell without `--safe` to use files and programs"));
        }
        Ok(())
    }

    fn command(&mut self, backend: &mut dyn Backend, command: Command, file: Option<&Path>) -> Result<ControlFlow<u8>> {
        match command {
            Command::Quit(code) => return Ok(ControlFlow::Break(code)),
            Command::Help(text) => {
                let text = help(text.as_deref(), backend.columns());
                backend.page(&text, &self.settings)?;
            }
            Command::Functions(name) => {
                self.deliver(None, |settings| backend.functions(settings, name.as_deref()))?;
            }
            Command::Tables(listing) => self.deliver(None, |settings| backend.tables(settings, &listing))?,
            Command::Describe { name, is_verbose } => {
                self.deliver(None, |settings| backend.describe(settings, &name, is_verbose))?;
            }
            Command::Definition(name) => self.deliver(None, |settings| backend.define(settings, &name))?,
            Command::Connection => {
                let text = backend.connection();
                self.answer(&text)?;
            }
            Command::Read(path, is_relative) => return self.read(backend, path, file.filter(|_| is_relative)),
            Command::Output(target) => {
                self.notice(&match &target {
                    Some(target) => format!("results go to {target}"),
                    None => "results go to the terminal".to_owned(),
                })?;
                self.settings.output = target.map(|target| Output::new(self.target_at_home(target)));
            }
            Command::Once(target) => self.once = Some(target),
            Command::Go(go) => {
                let sql = self.last_statement()?;
                self.go(backend, &sql, go)?;
            }
            Command::Last => {
                let sql = self.last_statement()?;
                let max_rows = self.settings.max_rows.take();
                let result = self.go(backend, &sql, Go::default());
                self.settings.max_rows = max_rows;
                result?;
            }
            Command::Edit(path) => self.edit(backend, path.as_deref())?,
            Command::Print => {
                let text = self.statement()?;
                self.answer(&format!("{text}\n"))?;
            }
            Command::Write(path) => {
                let text = self.statement()?;
                backend.write(&self.at_home(path), &format!("{text};\n"))?;
            }
            Command::Reset => self.is_reset = true,
            Command::Clear => self.clear()?,
            Command::Refresh => backend.refresh()?,
            Command::Set(None) => {
                let list: String = self.variables.iter().map(|(name, value)| format!("{name} = '{value}'\n")).collect();
                self.answer(&list)?;
            }
            Command::Set(Some((name, value))) => self.variables.set(&name, value)?,
            Command::Unset(name) => self.variables.unset(&name),
            Command::Parameter(change) => self.parameter(change)?,
            Command::History => {
                let list: String = self.history.iter().map(|entry| format!("{entry}\n")).collect();
                backend.page(&visible_lines(&list), &self.settings)?;
            }
            Command::Echo(text) => self.answer(&format!("{text}\n"))?,
            Command::System(command) => backend.system(command.as_deref())?,
            Command::Program(arguments) => backend.command(&arguments)?,
            Command::Setting(setting) => match setting.apply(&mut self.settings) {
                super::setting::Told::Answer(text) => self.answer(&text)?,
                super::setting::Told::Notice(text) => self.notice(&text)?,
            },
        }
        Ok(ControlFlow::Continue(()))
    }

    fn parameter(&mut self, change: Parameter) -> Result<()> {
        let parameters = &mut self.settings.parameters;
        match change {
            Parameter::Set(name, _) if !is_name(name.split_once(':').map_or(name.as_str(), |(name, _)| name)) => {
                return Err(Error::usage(format!("`{name}` cannot be the name of a parameter")));
            }
            Parameter::Set(name, value) => {
                let plain = name.split(':').next().unwrap_or_default();
                parameters.retain(|known, _| known.split(':').next() != Some(plain));
                parameters.insert(name, value);
            }
            Parameter::Unset(name) => parameters.retain(|known, _| known.split(':').next() != Some(name.as_str())),
            Parameter::Clear => parameters.clear(),
            Parameter::List => {
                let list: String = parameters.iter().map(|(name, value)| format!(":{name} = '{value}'\n")).collect();
                self.answer(&list)?;
            }
        }
        Ok(())
    }

    /// Opens the editor. The caller runs the resulting text as if it had been typed.
    fn edit(&mut self, backend: &mut dyn Backend, path: Option<&Path>) -> Result<()> {
        if !self.is_interactive {
            return Err(Error::usage("an editor needs a terminal").hint("`\\i FILE` runs a file"));
        }
        let text = match (self.begun.trim_end(), &self.last) {
            ("", Some(last)) => format!("{last};\n"),
            (begun, _) => format!("{begun}\n"),
        };
        let path = path.map(|path| self.at_home(path.to_owned()));
        self.edited = Some(backend.edit(&text, path.as_deref())?);
        Ok(())
    }

    /// Returns the statement that is being typed, or the last one.
    fn statement(&self) -> Result<String> {
        match self.begun.trim_end() {
            "" => self.last_statement(),
            begun => Ok(begun.to_owned()),
        }
    }

    /// Returns the target, `~/` being the user's home.
    pub(super) fn target_at_home(&self, target: Target) -> Target {
        match target {
            Target::File(path) => Target::File(self.at_home(path)),
            other => other,
        }
    }

    /// Returns the path, `~/` being the user's home.
    pub(super) fn at_home(&self, path: PathBuf) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path,
        }
    }

    fn last_statement(&self) -> Result<String> {
        self.last.clone().ok_or_else(|| Error::usage("no statement was run yet"))
    }

    /// Empties the screen of a terminal.
    fn clear(&mut self) -> Result<()> {
        if !self.is_interactive {
            return Ok(());
        }
        // This bypasses `talk`, which escapes the codes that move a cursor.
        let mut terminal = std::io::stderr();
        let cleared = terminal.write_all(b"\x1b[H\x1b[2J").and_then(|()| terminal.flush());
        cleared.context(Kind::Unavailable, || "cannot write to the terminal")
    }

    pub(super) fn answer(&mut self, text: &str) -> Result<()> {
        // A variable may hold text from a log.
        self.out
            .write_all(visible_lines(text).as_bytes())
            .and_then(|()| self.out.flush())
            .context(Kind::Unavailable, || "cannot write to the terminal")
    }

    /// Tells a person what was done.
    fn notice(&mut self, text: &str) -> Result<()> {
        if !self.is_interactive || self.depth > 0 {
            return Ok(());
        }
        writeln!(self.talk, "{text}").context(Kind::Unavailable, || "cannot write to the terminal")
    }
}
