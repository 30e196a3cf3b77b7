//! A statement on its way to the backend: variables, the destination of the result, and how often it is run.

use std::time::Duration;

use super::Backend;
use super::command::{Go, Listing};
use super::settings::{Expanded, Output, Settings, Target};
use super::shell::Shell;
use super::variables::is_name;
use crate::error::{Error, Kind, Result};

impl Shell<'_> {
    /// Runs a statement as the words after it say.
    pub(super) fn go(&mut self, backend: &mut dyn Backend, sql: &str, go: Go) -> Result<()> {
        let sql = &self.variables.substitute(sql)?;
        match go {
            Go::Show { is_expanded, target } => {
                if self.is_safe && target.is_some() {
                    return Err(Error::usage("`\\g FILE` is off in safe mode"));
                }
                self.deliver(target, |settings| {
                    if is_expanded {
                        settings.expanded = Expanded::On;
                    }
                    match habit(sql) {
                        Some(Habit::Tables) => backend.tables(settings, &Listing::default()),
                        Some(Habit::Describe(name)) => backend.describe(settings, name, false),
                        Some(Habit::DescribeQuery(query)) => backend.describe_query(settings, query),
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

    /// Repeats a statement; ^C between two runs ends it and is not a failure: no other way to end it exists.
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
            // A person wants to know how old the numbers are; a program gets rows only.
            if self.settings.format().is_for_people() {
                let time = backend.time();
                self.answer(&format!("{time} (every {} s)\n", pause.as_secs_f64()))?;
            }
            self.deliver(None, |settings| backend.execute(sql, settings))?;
        }
        Ok(())
    }

    /// Runs a statement or command with a result, with settings that know its destination.
    pub(super) fn deliver(
        &mut self,
        target: Option<Target>,
        run: impl FnOnce(&mut Settings) -> Result<()>,
    ) -> Result<()> {
        let once = self.once.take();
        let mut settings = self.settings.clone();
        let target = target.or(once);
        let is_elsewhere = target.is_some();
        if let Some(target) = target {
            settings.output = Some(Output::new(self.target_at_home(target)));
        }
        run(&mut settings)?;
        // A failed result left the file as it was.
        if let Some(output) = self.settings.output.as_mut().filter(|_| !is_elsewhere) {
            output.is_append = true;
        }
        Ok(())
    }
}

/// Statements of other shells that the engine answers less well than the shell does.
enum Habit<'a> {
    Tables,
    Describe(&'a str),
    /// The columns of a query's result.
    DescribeQuery(&'a str),
}

fn habit(sql: &str) -> Option<Habit<'_>> {
    let sql = sql.trim();
    let (first, rest) = sql.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    let is = |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(first, &["show"]) && is(rest, &["tables"]) {
        return Some(Habit::Tables);
    }
    if !is(first, &["describe", "desc"]) {
        return None;
    }
    let next = rest.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    if is_name(rest) {
        Some(Habit::Describe(rest))
    } else if is(next, &["select", "with", "from", "values"]) {
        Some(Habit::DescribeQuery(rest))
    } else {
        None
    }
}
