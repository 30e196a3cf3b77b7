//! One statement, run and shown, with a line about it in the lake's access log where one exists.

use std::cell::Cell;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;

use super::super::access::{Access, Read};
use super::{Shell, explain, show};
use crate::error::{Error, Result};
use crate::render;
use crate::repl::Settings;

impl Shell<'_> {
    /// Commits the log of reads; it is in the lake when this returns.
    pub fn close(&mut self) -> Result<()> {
        std::mem::replace(&mut self.access, Access::none()).close(self.app)
    }

    /// Runs a read, with a line about it in the log before and after it.
    pub(super) fn logged(
        &mut self,
        sql: &str,
        settings: &Settings,
        run: impl FnOnce(&mut Self) -> Result<u64>,
    ) -> Result<()> {
        let parameters: Vec<(String, String)> =
            self.params(settings)?.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        let read = Read::Query { sql, parameters: &parameters };
        self.access.begin(self.app, &read, self.session.entry().0)?;
        let done = run(self);
        self.access.end(self.app, done.as_ref().map(|rows| *rows))?;
        done.map(drop)
    }

    /// Runs one statement and shows its result; returns the rows that were shown.
    pub(super) fn run(&mut self, sql: &str, settings: &Settings) -> Result<u64> {
        let is_for_people = settings.output.is_none() && settings.format().is_for_people();
        if settings.output.is_none() {
            settings.format().check_stdout(self.app.screen.is_terminal())?;
        }
        if let Some(asked) = explain::asked(sql).filter(|_| is_for_people) {
            return self.explain(asked, settings).map(|()| 0);
        }
        let started = Instant::now();
        let mut rows = self.start(sql, settings)?;
        let is_plan = rows.schema.fields().iter().map(|field| field.name().as_str()).eq(["plan_type", "plan"]);
        if is_plan && is_for_people {
            return self.show_plans(rows, settings).map(|()| 0);
        }
        let options = self.render_options(settings, sql);
        let gauge = rows.gauge();
        // The time in a pager is the reader's, not the statement's.
        let took = Cell::new(Duration::ZERO);
        let says_something = Cell::new(true);
        let emitted = self.emit(settings, rows.schema.clone(), options, |out| {
            let fed = self.feed(&mut rows, out, settings);
            took.set(started.elapsed());
            says_something.set(!matches!(fed, Ok(false)));
            fed.map(|_| ())
        });
        drop(rows);
        let shown = emitted.inspect_err(|error| self.engine.leave_behind(error))?;
        let is_table = settings.output.is_some() || settings.format().is_for_people();
        let is_told = settings.is_timing_on || (is_table && settings.footer && self.app.screen.is_terminal());
        let Some(shown) = shown else { return Ok(0) };
        let shown_rows = shown.rows;
        if is_told {
            self.app.screen.say(show::footer(shown, took.get(), gauge.read(), settings));
        }
        if !says_something.get() {
            self.doubt(sql);
        }
        Ok(shown_rows)
    }

    pub(super) fn one_row(&mut self, sql: &str, settings: &Settings) -> Result<Vec<(String, Option<String>)>> {
        let mut rows = self.start(sql, settings)?;
        let schema = rows.schema.clone();
        let mut found: Vec<RecordBatch> = Vec::new();
        while let Some(batch) =
            self.engine.next(&mut rows, || {}).inspect_err(|error| self.engine.leave_behind(error))?
        {
            found.push(batch);
            if found.iter().map(RecordBatch::num_rows).sum::<usize>() > 1 {
                return Err(Error::input("the statement gave more than one row, and `\\gset` takes one")
                    .hint("add `limit 1`, or aggregate"));
            }
        }
        let Some(batch) = found.iter().find(|batch| batch.num_rows() > 0) else {
            return Err(Error::input("the statement gave no row, and `\\gset` needs one"));
        };
        let names = schema.fields().iter().map(|field| field.name().clone());
        Ok(names.zip(render::row_texts(batch, 0)?).collect())
    }
}
