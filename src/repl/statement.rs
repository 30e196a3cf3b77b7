//! A statement on its way to the backend: variables, where the result goes, and how often it is run.

use std::path::PathBuf;
use std::time::Duration;

use super::Backend;
use super::meta::Go;
use super::settings::{Expanded, Output, Settings};
use super::shell::Shell;
use super::variables::is_name;
use crate::error::{Error, Kind, Result};

impl Shell<'_> {
    /// Runs a statement as the words behind it say.
    pub(super) fn go(&mut self, backend: &mut dyn Backend, sql: &str, go: Go) -> Result<()> {
        let sql = &self.variables.substitute(sql)?;
        match go {
            Go::Show { is_expanded, file } => {
                if self.is_safe && file.is_some() {
                    return Err(Error::usage("`\\g FILE` is off in safe mode"));
                }
                self.deliver(file, |settings| {
                    if is_expanded {
                        settings.expanded = Expanded::On;
                    }
                    match habit(sql) {
                        Some(Habit::Tables) => backend.tables(settings, None, false),
                        Some(Habit::Describe(name)) => backend.describe(settings, name),
                        None => backend.execute(sql, settings),
                    }
                })
            }
            Go::Variables(prefix) => {
                for (name, value) in backend.row(sql, &self.settings)? {
                    let name = format!("{prefix}{name}");
                    match value {
                        Some(value) => self.variables.set(&name, value)?,
                        None => self.variables.unset(&name),
                    }
                }
                Ok(())
            }
            Go::Watch { pause, times } => self.watch(backend, sql, pause, times),
        }
    }

    /// ^C between two runs ends it and is no failure: there is no other way to end it.
    fn watch(&mut self, backend: &mut dyn Backend, sql: &str, pause: Duration, times: Option<u32>) -> Result<()> {
        let mut round = 0;
        while times.is_none_or(|times| round < times) {
            if round > 0 {
                match backend.pause(pause) {
                    Err(error) if error.kind() == Kind::Cancelled && self.is_interactive => return Ok(()),
                    paused => paused?,
                }
                backend.refresh()?;
            }
            round += 1;
            self.deliver(None, |settings| backend.execute(sql, settings))?;
        }
        Ok(())
    }

    /// Runs what has a result, with settings that know where it goes.
    pub(super) fn deliver(
        &mut self,
        file: Option<PathBuf>,
        run: impl FnOnce(&mut Settings) -> Result<()>,
    ) -> Result<()> {
        let once = self.once.take();
        let mut settings = self.settings.clone();
        let file = file.or(once);
        let is_elsewhere = file.is_some();
        if let Some(path) = file {
            settings.output = Some(Output::new(self.at_home(path)));
        }
        run(&mut settings)?;
        // A result that failed left the file as it was.
        if let Some(output) = self.settings.output.as_mut().filter(|_| !is_elsewhere) {
            output.is_append = true;
        }
        Ok(())
    }
}

/// Statements that other shells have and the engine answers less well than the shell.
enum Habit<'a> {
    Tables,
    Describe(&'a str),
}

fn habit(sql: &str) -> Option<Habit<'_>> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    match words.as_slice() {
        [show, tables] if show.eq_ignore_ascii_case("show") && tables.eq_ignore_ascii_case("tables") => {
            Some(Habit::Tables)
        }
        [describe, name] if is_name(name) => ["describe", "desc"]
            .iter()
            .any(|known| describe.eq_ignore_ascii_case(known))
            .then_some(Habit::Describe(name)),
        _ => None,
    }
}
