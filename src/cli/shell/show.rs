//! Results on their way to the screen, a file, a program or a spreadsheet, and what is told about them.

use std::io::{BufWriter, Write};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::array_value_to_string;

use super::bar::QueryBar;
use super::pager::{self, Paged};
use super::{LONG, Shell, meaning, outside, token};
use crate::disk::Whole;
use crate::error::{Context, Error, Kind, Result};
use crate::render::{self, Captions, Format, Renderer, Shown};
use crate::repl::{self, Expanded, Output, Settings, Target};
use crate::sql::{Reading, Rows, TableInfo};
use crate::typed::{bytes, count};

/// A renderer whose output goes wherever the result goes.
pub(super) type Out<'a> = Renderer<Box<dyn Write + 'a>>;

impl Shell<'_> {
    /// How the result of a statement is shown.
    pub(super) fn render_options(&self, settings: &Settings, sql: &str) -> render::Options {
        let ocsf = self.session.ocsf();
        let is_class = |name: &str| ocsf.by_name(name).is_some();
        let classes = token::named(&token::tokens(sql), is_class).into_iter().map(|(class, _)| class);
        let captions = Captions::new(ocsf.clone(), classes.collect());
        render::Options { captions: Some(captions), ..settings.render_options(self.app.screen.terminal()) }
    }

    /// Renders a result to where the settings send it; a file changes only when all of it is there. Returns what was
    /// shown, unless the user left the pager, or the program ended, before the last row.
    pub(super) fn emit(
        &self,
        settings: &Settings,
        schema: SchemaRef,
        options: render::Options,
        feed: impl FnOnce(&mut Out<'_>) -> Result<()>,
    ) -> Result<Option<Shown>> {
        match &settings.output {
            None => self.emit_to_screen(settings, schema, options, feed),
            Some(output) => self.emit_to(output, settings.format(), schema, options, feed),
        }
    }

    fn emit_to_screen(
        &self,
        settings: &Settings,
        schema: SchemaRef,
        mut options: render::Options,
        feed: impl FnOnce(&mut Out<'_>) -> Result<()>,
    ) -> Result<Option<Shown>> {
        let (screen, format) = (&self.app.screen, settings.format());
        options.is_terminal = screen.is_terminal();
        options.is_stream = true;
        format.check_stdout(options.is_terminal)?;
        let mut out = self.paged(settings);
        let mut renderer = Renderer::new(format, schema, options, Box::new(&mut out) as Box<dyn Write + '_>);
        let fed = feed(&mut renderer).and_then(|()| renderer.finish());
        let is_paging = out.is_paging();
        let closed = out.close();
        match fed {
            // Somebody who leaves the pager has seen enough.
            Err(error) if is_paging && render::is_closed_pipe(&error) => closed.map(|()| None),
            fed => fed.and_then(|shown| closed.map(|()| Some(shown))),
        }
    }

    fn emit_to(
        &self,
        output: &Output,
        format: Format,
        schema: SchemaRef,
        mut options: render::Options,
        feed: impl FnOnce(&mut Out<'_>) -> Result<()>,
    ) -> Result<Option<Shown>> {
        match &output.target {
            Target::File(path) => {
                if output.is_append && format.is_bytes() {
                    return Err(Error::usage(format!(
                        "{} holds a result, and {format} holds only one",
                        path.display()
                    ))
                    .hint("name another file: `\\g FILE` or `\\o FILE`"));
                }
                let file = if output.is_append { Whole::append(path) } else { Whole::begin(path) };
                let mut file = file?.known_to(&self.app.unfinished);
                let shown = render_to(Box::new(&mut file), format, schema, options, feed)?;
                file.finish()?;
                Ok(Some(shown))
            }
            Target::Program(line) => {
                options.is_stream = true;
                let mut child = outside::reader(line)?;
                let stdin = child.stdin.take().ok_or_else(|| Error::new(Kind::Internal, "a program has no stdin"))?;
                let shown = render_to(Box::new(BufWriter::new(stdin)), format, schema, options, feed);
                let status = child.wait().context(Kind::Unavailable, || format!("cannot wait for `{line}`"))?;
                if !status.success() {
                    self.app.screen.say(format!("[{status}]"));
                }
                match shown {
                    // The program has read enough.
                    Err(error) if render::is_closed_pipe(&error) => Ok(None),
                    shown => shown.map(Some),
                }
            }
            Target::Spreadsheet | Target::Editor => {
                let suffix = if output.target == Target::Spreadsheet { ".xlsx" } else { ".txt" };
                let cannot = || "cannot write a temporary file";
                let mut builder = tempfile::Builder::new();
                let file = builder.prefix("auditlake-").suffix(suffix).tempfile();
                let mut file = file.context(Kind::Unavailable, cannot)?;
                let writer: Box<dyn Write + '_> = Box::new(BufWriter::new(file.as_file_mut()));
                let shown = render_to(writer, format, schema, options, feed)?;
                let path = file.into_temp_path();
                if output.target == Target::Editor {
                    pager::edit(&path)?;
                } else {
                    outside::spreadsheet(&path)?;
                    self.opened.borrow_mut().push(path);
                }
                Ok(Some(shown))
            }
        }
    }

    /// A small result of our own.
    pub(super) fn show_batch(&self, batch: &RecordBatch, settings: &Settings) -> Result<()> {
        let options = settings.render_options(self.app.screen.terminal());
        self.emit(settings, batch.schema(), options, |out| out.write(batch)).map(|_| ())
    }

    /// A list of ours: all its rows, its texts wrapped rather than cut.
    pub(super) fn show_list(&self, batch: &RecordBatch, settings: &Settings) -> Result<()> {
        let settings = &for_list(settings);
        let mut options = settings.render_options(self.app.screen.terminal());
        options.height = options.height.map(|_| LONG);
        self.emit(settings, batch.schema(), options, |out| out.write(batch)).map(|_| ())
    }

    pub(super) fn paged(&self, settings: &Settings) -> Paged {
        let pager = self.pager.clone().filter(|_| settings.pager != repl::Pager::Off);
        let is_always = settings.pager == repl::Pager::Always;
        Paged::new(pager, self.app.screen.size(), is_always, Box::new(self.app.screen.stdout()))
    }

    /// Passes rows on as they come; ^C ends it. Tells whether they say anything.
    pub(super) fn feed(&self, rows: &mut Rows, out: &mut Out<'_>, settings: &Settings) -> Result<bool> {
        let mut says_something = false;
        let gauge = rows.gauge();
        let mut bar = QueryBar::new(&self.app.screen);
        // Rows on the screen and a bar there do not go together; a table with a limit is printed at its end.
        let is_held = settings.format() == Format::Table && settings.max_rows.is_some();
        let is_printed = settings.output.is_none() && !is_held;
        loop {
            let Some(batch) = self.engine.next(rows, || bar.show(Some(gauge.read())))? else {
                return Ok(says_something);
            };
            says_something |= batch.num_rows() > 1 || (batch.num_rows() == 1 && !is_nothing(&batch));
            if is_printed {
                bar.end();
            }
            out.write(&batch)?;
        }
    }

    /// A text whose lines fit the terminal.
    pub(super) fn folded(&self, text: &str) -> String {
        let width = self.app.screen.width();
        text.lines().map(|line| width.map_or_else(|| format!("{line}\n"), |width| folded(line, width))).collect()
    }

    /// Says why a statement may have found nothing.
    pub(super) fn doubt(&self, sql: &str) {
        let tables: Vec<String> = self.session.tables().into_iter().map(|table| table.name).collect();
        let is_table = |name: &str| tables.iter().any(|table| table == name);
        let mut notes = meaning::doubts(self.session.ocsf(), is_table, sql);
        if let (Some(oldest), Some(newest)) = self.times(sql) {
            notes.extend(meaning::outside(oldest, newest, chrono::Utc::now().timestamp_micros(), sql));
        }
        for note in notes {
            self.app.screen.say(format!("note: {note}"));
        }
    }

    /// The times of the oldest and the newest event in the classes that a statement names, or in all when it names none.
    fn times(&self, sql: &str) -> (Option<i64>, Option<i64>) {
        let ocsf = self.session.ocsf();
        let named = token::named(&token::tokens(sql), |name| ocsf.by_name(name).is_some());
        let is_asked = |table: &&TableInfo| {
            ocsf.by_name(&table.name).is_some()
                && (named.is_empty() || named.iter().any(|(name, _)| *name == table.name))
        };
        let tables = self.session.tables();
        let asked = || tables.iter().filter(is_asked);
        (asked().filter_map(|table| table.min_time_us).min(), asked().filter_map(|table| table.max_time_us).max())
    }
}

/// One row of noughts and nulls: what counts and sums give where there is no row.
fn is_nothing(row: &RecordBatch) -> bool {
    let is_nought =
        |column: &ArrayRef| column.is_null(0) || array_value_to_string(column, 0).is_ok_and(|value| value == "0");
    row.columns().iter().all(is_nought)
}

fn render_to<'w>(
    writer: Box<dyn Write + 'w>,
    format: Format,
    schema: SchemaRef,
    options: render::Options,
    feed: impl FnOnce(&mut Out<'_>) -> Result<()>,
) -> Result<Shown> {
    let mut renderer = Renderer::new(format, schema, options, writer);
    feed(&mut renderer)?;
    renderer.finish()
}

/// A line in lines of at most `width` columns, of which the later ones are a step further in.
fn folded(line: &str, width: usize) -> String {
    let indentation = line.len() - line.trim_start_matches(' ').len();
    let step = (indentation + 2).min(width / 2);
    let lines = match render::wrapped(line, width) {
        whole if whole.len() == 1 => whole,
        _ => render::wrapped(line, width - step),
    };
    let indented = |(at, line): (usize, &String)| format!("{:1$}{line}\n", "", if at == 0 { 0 } else { step });
    lines.iter().enumerate().map(indented).collect()
}

/// The settings for a list of ours, which is one came for: all of it, as a table.
pub(super) fn for_list(settings: &Settings) -> Settings {
    let expanded = if settings.expanded == Expanded::Auto { Expanded::Off } else { settings.expanded };
    Settings { max_rows: None, expanded, ..settings.clone() }
}

/// The last line of a result: rows, hidden columns, time, and the amount that was read for it.
pub(super) fn footer(shown: Shown, elapsed: Duration, reading: Reading, settings: &Settings) -> String {
    let rows = shown.rows;
    let mut text = format!("{} row{}", count(rows), if rows == 1 { "" } else { "s" });
    let is_cut = settings.format() == Format::Table && settings.output.is_none();
    if let Some(limit) = settings.max_rows.filter(|limit| is_cut && rows > *limit as u64) {
        text.push_str(&format!(" ({} shown, `.last` shows all)", count(limit as u64)));
    }
    if let Some((all, some)) = shown.columns {
        text.push_str(&format!("; {} columns, {some} shown", count(all as u64)));
        if rows > 0 {
            text.push_str("; `\\gx` shows rows whole");
        }
    }
    match settings.output.as_ref().map(|output| &output.target) {
        Some(Target::File(path)) => text.push_str(&format!(" written to {}", path.display())),
        Some(Target::Program(line)) => text.push_str(&format!(" sent to {line}")),
        _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_continues_a_step_further_in() {
        assert_eq!(folded("  select a", 20), "  select a\n");
        assert_eq!(folded("  when 1 then 2 when 3 then 4", 20), "  when 1 then 2\n    when 3 then 4\n");
    }
}
