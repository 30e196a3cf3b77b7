//! EXPLAIN as a tree that people read: the steps that rows pass, and beside each scan what it reads and what it skips.

use crate::error::Result;
use crate::lake::State;
use crate::render;
use crate::repl::{Backend, Settings};
use crate::sql::{PlanNode, Reading, Rows, Scan};
use crate::typed::{bytes, count, visible_lines};

use super::Shell;
use super::bar::QueryBar;
use super::token::{is_one_of, tokens};

/// A statement to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    pub sql: &'a str,
    /// Whether the statement is run, and its rows and times are counted.
    pub is_analyzed: bool,
}

/// Returns the statement after `explain` or `explain analyze`; `None` for other statements, and for `explain` with
/// options, which the engine answers in its own words.
pub fn asked(sql: &str) -> Option<Asked<'_>> {
    let words = tokens(sql);
    let (first, rest) = words.split_first()?;
    if !is_one_of(first, &["explain"]) {
        return None;
    }
    let is_analyzed = rest.first().is_some_and(|word| is_one_of(word, &["analyze"]));
    let begin = rest.get(usize::from(is_analyzed))?;
    let is_query = is_one_of(begin, &["select", "with", "from", "values"]);
    // The words are slices of the statement, so their distance is the position of the query.
    let at = begin.as_ptr() as usize - sql.as_ptr() as usize;
    is_query.then(|| Asked { sql: &sql[at..], is_analyzed })
}

impl Shell<'_> {
    /// Explains a statement as a tree; `explain analyze` runs it first.
    pub(super) fn explain(&mut self, asked: Asked<'_>, settings: &Settings) -> Result<()> {
        let mut rows = self.start(asked.sql, settings)?;
        let gauge = rows.gauge();
        if asked.is_analyzed {
            let mut bar = QueryBar::new(&self.app.screen);
            let run = loop {
                match self.engine.next(&mut rows, || bar.show(Some(gauge.read()))) {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            drop(bar);
            run.inspect_err(|error| self.engine.leave_behind(error))?;
        }
        let width = settings.render_options(self.app.screen.terminal()).width;
        let tree = if asked.is_analyzed { gauge.tree() } else { gauge.tree().unmeasured() };
        let text = draw(&tree, gauge.read(), self.session.state(), width);
        self.page(&text, settings)
    }

    /// Shows the engine's own explanation, which has line breaks in its cells.
    pub(super) fn show_plans(&mut self, mut rows: Rows, settings: &Settings) -> Result<()> {
        let mut text = String::new();
        while let Some(batch) =
            self.engine.next(&mut rows, || {}).inspect_err(|error| self.engine.leave_behind(error))?
        {
            for row in 0..batch.num_rows() {
                let cells = render::row_texts(&batch, row)?;
                for cell in cells.into_iter().flatten() {
                    text.push_str(&visible_lines(cell.trim_end()));
                    text.push('\n');
                }
            }
        }
        self.page(&text, settings)
    }
}

/// Returns the tree as text, in lines of at most `width` columns.
fn draw(tree: &PlanNode, reading: Reading, state: &State, width: Option<usize>) -> String {
    let mut text = String::new();
    let mut drawing = Drawing { state, width, out: &mut text };
    drawing.node(tree, "", "");
    if reading.files > 0 {
        text.push_str(&format!(
            "\nreads {} of {} files, {} of {}\n",
            count(reading.files_planned),
            count(reading.files),
            bytes(reading.bytes_planned),
            bytes(reading.bytes)
        ));
    }
    text
}

struct Drawing<'a> {
    state: &'a State,
    width: Option<usize>,
    out: &'a mut String,
}

impl Drawing<'_> {
    /// Draws a node after `head`, and its children after `rest`.
    fn node(&mut self, node: &PlanNode, head: &str, rest: &str) {
        let mut title = node.name.clone();
        if let Some(scan) = &node.scan {
            title.push_str(&format!(" {}", scan.table));
        }
        let mut facts = Vec::new();
        if let Some(scan) = &node.scan {
            facts.extend(self.facts(scan));
        }
        facts.extend(node.rows.map(|rows| format!("{} row{}", count(rows), if rows == 1 { "" } else { "s" })));
        facts.extend(node.time.filter(|time| time.as_micros() >= 100).map(|time| format!("{:.1?}", time)));
        let below = if node.inputs.is_empty() { "  " } else { "│ " };
        self.lines(&title, head, rest);
        if !node.detail.is_empty() {
            self.lines(&node.detail, &format!("{rest}{below}"), &format!("{rest}{below}"));
        }
        if !facts.is_empty() {
            self.lines(&format!("▸ {}", facts.join(", ")), &format!("{rest}{below}"), &format!("{rest}{below}"));
        }
        for (index, input) in node.inputs.iter().enumerate() {
            let is_last = index + 1 == node.inputs.len();
            let (branch, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(input, &format!("{rest}{branch}"), &format!("{rest}{trunk}"));
        }
    }

    /// Describes the part of its table that a scan reads.
    fn facts(&self, scan: &Scan) -> Vec<String> {
        let table = self.state.tables.get(&scan.table);
        let (files, size) = table.map_or((scan.files, scan.bytes), |table| (table.files.len() as u64, table.bytes()));
        let mut facts = vec![format!("{} of {} files", count(scan.files), count(files.max(scan.files)))];
        facts.push(match scan.bytes_read {
            Some(read) => format!("{} of {} fetched", bytes(read), bytes(size.max(scan.bytes))),
            None => format!("{} of {}", bytes(scan.bytes), bytes(size.max(scan.bytes))),
        });
        if !scan.pruned.is_empty() {
            facts.push(format!("pruned {}", scan.pruned.join(" and ")));
        }
        facts
    }

    fn lines(&mut self, text: &str, head: &str, rest: &str) {
        let room = self.width.map(|width| width.saturating_sub(rest.chars().count() + 1).max(20));
        let shown = visible_lines(text);
        let lines = match room {
            Some(room) => render::wrapped(&shown, room),
            None => vec![shown],
        };
        for (index, line) in lines.iter().enumerate() {
            let prefix = if index == 0 { head } else { rest };
            self.out.push_str(&format!("{prefix}{line}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_explain_is_ours() {
        assert_eq!(asked("explain select 1"), Some(Asked { sql: "select 1", is_analyzed: false }));
        assert_eq!(
            asked("-- x\nEXPLAIN  ANALYZE\n with a as (select 1) from a").map(|asked| asked.is_analyzed),
            Some(true)
        );
        for other in
            ["explain verbose select 1", "explain format tree select 1", "select 1", "explain", "explain event"]
        {
            assert_eq!(asked(other), None, "{other}");
        }
    }
}
