//! The line editor: history, completion, and lines that are collected until a statement ends.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::ValueEnum;
use rustyline::completion::{Completer, FilenameCompleter};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, History, SearchDirection};
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context as Cursor, Editor, Helper};

use super::meta;
use super::{Backend, Prompt};
use crate::error::{Context, Kind, Result};
use crate::render::Format;

/// Lines that are remembered, as many as DuckDB's shell keeps.
const HISTORY: usize = 1000;

/// What came from the terminal.
pub(super) enum Input {
    Line(String),
    /// ^C: the line is dropped.
    Interrupted,
    /// ^D, or the terminal went away.
    End,
}

pub(super) struct LineEditor<'a> {
    editor: Editor<Words<'a>, FileHistory>,
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
            .auto_add_history(false)
            .enable_signals(false)
            .build();
        let mut editor = Editor::with_config(config).context(Kind::Unavailable, || "cannot open the terminal")?;
        editor.set_helper(Some(Words { backend, files: FilenameCompleter::new() }));
        if let Some(path) = history.as_deref().filter(|path| path.exists()) {
            editor
                .load_history(path)
                .context(Kind::Unavailable, || format!("cannot read the history {}", path.display()))?;
        }
        Ok(LineEditor { editor, history, prompt })
    }

    /// Reads a line; `is_continued` when a statement has begun.
    pub(super) fn read(&mut self, is_continued: bool) -> Result<Input> {
        let prompt = if is_continued { &self.prompt.continued } else { &self.prompt.first };
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

    /// What was typed, oldest first.
    pub(super) fn history(&self) -> Vec<String> {
        entries(self.editor.history())
    }
}

fn entries(history: &FileHistory) -> Vec<String> {
    let entry = |index| history.get(index, SearchDirection::Forward).ok().flatten();
    (0..history.len()).filter_map(entry).map(|found| found.entry.into_owned()).collect()
}

/// rustyline gives the file mode 0600 each time it writes.
fn append<H: Helper>(editor: &mut Editor<H, FileHistory>, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .context(Kind::Unavailable, || format!("cannot create the folder {}", folder.display()))?;
    }
    editor.append_history(path).context(Kind::Unavailable, || format!("cannot write the history {}", path.display()))
}

/// Completes commands, file names, and what the backend knows.
struct Words<'a> {
    backend: Rc<RefCell<&'a mut dyn Backend>>,
    files: FilenameCompleter,
}

impl Completer for Words<'_> {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, cursor: &Cursor<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        if takes_file(typed) {
            let (start, files) = self.files.complete(line, position, cursor)?;
            return Ok((start, files.into_iter().map(|file| file.replacement).collect()));
        }
        let backend = self.backend.borrow();
        let start = word_start(typed);
        let candidates = if start == 0 && typed.starts_with(['\\', '.']) {
            let programs = backend.commands().into_iter().map(|program| format!(".{program}"));
            meta::names().map(str::to_owned).chain(programs).collect()
        } else if typed.starts_with(".mode ") || typed.starts_with("\\pset format ") {
            Format::value_variants().iter().map(Format::to_string).collect()
        } else {
            backend.complete(line, position)
        };
        Ok((start, matching(candidates, &typed[start..])))
    }
}

/// After a command that reads or writes a file, and after every command of the program.
fn takes_file(typed: &str) -> bool {
    let command = typed.trim_start().split_once(char::is_whitespace).map_or("", |(command, _)| command);
    matches!(command, "\\i" | "\\ir" | "\\o" | "\\g" | "\\gx" | ".read" | ".output" | ".once")
        || command.starts_with('.') && !meta::names().any(|name| name == command)
}

/// Where the word under the cursor begins; a dotted path is one word.
fn word_start(typed: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '\\' | '?');
    typed.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(typed.len(), |(at, _)| at)
}

fn matching(mut candidates: Vec<String>, word: &str) -> Vec<String> {
    let begins =
        |candidate: &String| candidate.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word));
    candidates.retain(begins);
    candidates.sort();
    candidates.dedup();
    candidates
}

impl Hinter for Words<'_> {
    type Hint = String;
}
impl Highlighter for Words<'_> {}
impl Validator for Words<'_> {}
impl Helper for Words<'_> {}

#[cfg(test)]
mod tests {
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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn words_are_completed_where_they_stand() {
        assert_eq!(word_start("select actor.us"), 7);
        assert_eq!(word_start("\\ti"), 0);
        assert_eq!(word_start("select "), 7);
        let candidates = vec!["user".to_owned(), "User_access".to_owned(), "é".to_owned(), "user".to_owned()];
        assert_eq!(matching(candidates, "us"), ["User_access", "user"]);
        assert!(
            takes_file("\\i rep")
                && takes_file(".read ")
                && takes_file(".ingest x")
                && !takes_file("\\i")
                && !takes_file("\\d x")
        );
    }
}
