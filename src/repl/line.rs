//! The line editor: one line with its history.

use std::cell::RefCell;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustyline::completion::FilenameCompleter;
use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History, SearchDirection};
use rustyline::{CompletionType, Config, Editor, Helper};

use super::complete::Completion;
use super::{Backend, Prompt};
use crate::error::{Context, Error, Kind, Result};

/// Lines that are remembered, as many as DuckDB's shell keeps.
const HISTORY: usize = 1000;

/// Input from the terminal.
pub(super) enum Input {
    Line(String),
    /// ^C: the line is dropped.
    Interrupted,
    /// ^D, or the terminal went away.
    End,
}

pub(super) struct LineEditor<'a> {
    editor: Editor<Completion<'a>, FileHistory>,
    history: Option<PathBuf>,
    prompt: Prompt,
}

impl<'a> LineEditor<'a> {
    /// Starts with the history in `history`, which need not exist.
    pub(super) fn new(
        backend: Rc<RefCell<&'a mut dyn Backend>>,
        history: Option<PathBuf>,
        prompt: Prompt,
    ) -> Result<LineEditor<'a>> {
        // Signals stay with the process: at the prompt the terminal is raw and ^C is a key.
        let config = Config::builder()
            .history_ignore_space(true)
            .history_ignore_dups(true)
            .and_then(|config| config.max_history_size(HISTORY))
            .context(Kind::Internal, || "cannot set up the line editor")?
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .auto_add_history(false)
            .enable_signals(false)
            .build();
        let mut editor = Editor::with_config(config).context(Kind::Unavailable, || "cannot open the terminal")?;
        let mut history = history;
        if let Some(path) = history.take_if(|path| path.exists() && editor.load_history(path).is_err()) {
            // An unreadable history is not a reason to run without a shell, nor to overwrite it.
            let error = Error::new(Kind::Unavailable, format!("cannot read the history {}", path.display()))
                .hint("history is kept for this run only; move the file away to begin a new one");
            backend.borrow_mut().show_error(&error);
        }
        editor.set_helper(Some(Completion {
            backend,
            files: FilenameCompleter::new(),
            begun: String::new(),
            variables: Vec::new(),
            parameters: Vec::new(),
        }));
        Ok(LineEditor { editor, history, prompt })
    }

    /// Sets the names that completion offers besides those of the lake.
    pub(super) fn know(&mut self, variables: Vec<String>, parameters: Vec<String>) {
        if let Some(helper) = self.editor.helper_mut() {
            (helper.variables, helper.parameters) = (variables, parameters);
        }
    }

    /// Reads a line after `begun`, the lines of a statement so far.
    pub(super) fn read(&mut self, begun: &str) -> Result<Input> {
        if let Some(helper) = self.editor.helper_mut() {
            begun.clone_into(&mut helper.begun);
        }
        let prompt = if begun.is_empty() { &self.prompt.first } else { &self.prompt.continued };
        match self.editor.readline(prompt) {
            Ok(line) => Ok(Input::Line(line)),
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Ok(Input::Interrupted),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(error).context(Kind::Unavailable, || "cannot read from the terminal"),
        }
    }

    /// Remembers `text`, also on disk at once: a shell that is killed loses nothing.
    pub(super) fn remember(&mut self, text: &str) -> Result<()> {
        let is_new = self.editor.add_history_entry(text.trim_end()).context(Kind::Internal, || "cannot keep a line")?;
        let Some(path) = self.history.as_deref().filter(|_| is_new) else { return Ok(()) };
        append(&mut self.editor, path).inspect_err(|_| self.history = None)
    }

    /// Returns the lines of the history, oldest first.
    pub(super) fn history(&self) -> Vec<String> {
        entries(self.editor.history())
    }
}

fn entries(history: &FileHistory) -> Vec<String> {
    let entry = |index| history.get(index, SearchDirection::Forward).ok().flatten();
    (0..history.len()).filter_map(entry).map(|found| found.entry.into_owned()).collect()
}

/// Appends the history to its file, which rustyline gives the mode 0600 each time it writes.
fn append<H: Helper>(editor: &mut Editor<H, FileHistory>, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        // The XDG specification asks for this mode.
        builder.mode(0o700);
        builder
            .create(folder)
            .context(Kind::Unavailable, || format!("cannot create the folder {}", folder.display()))?;
    }
    editor.append_history(path).context(Kind::Unavailable, || format!("cannot write the history {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn history_is_private_and_keeps_statements_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/auditlake/history");
        let config = || Config::builder().history_ignore_space(true).build();
        let mut editor = Editor::<(), FileHistory>::with_config(config()).unwrap();
        for line in ["select 1\nfrom t;", " select 'secret';", "\\dt"] {
            if editor.add_history_entry(line).unwrap() {
                append(&mut editor, &path).unwrap();
            }
        }
        let mut next = Editor::<(), FileHistory>::with_config(config()).unwrap();
        next.load_history(&path).unwrap();
        assert_eq!(entries(next.history()), ["select 1\nfrom t;", "\\dt"]);
        let mode = std::fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
