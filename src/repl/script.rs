//! Texts that are run as a whole: scripts, scripts that they read, and the user's own file.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::shell::Shell;
use super::{Backend, Script};
use crate::error::{Context, Error, Kind, Result};

/// The limit of scripts inside scripts: one that reads itself is a mistake, not a loop.
const DEEPEST: usize = 16;

impl Shell<'_> {
    /// Runs the user's own file before the first prompt, which comes whatever happens in it.
    pub(super) fn init(&mut self, backend: &mut dyn Backend, script: &Script) -> Result<ControlFlow<u8>> {
        self.depth = 1;
        let is_interactive = std::mem::replace(&mut self.is_interactive, false);
        let done = self.run_whole(backend, &script.text, script.file.as_deref());
        (self.depth, self.is_interactive) = (0, is_interactive);
        done.or_else(|error| {
            backend.show_error(&error);
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Runs a script; a condition that is left open at its end is a failure like others.
    pub(super) fn script_of(&mut self, backend: &mut dyn Backend, script: &Script) -> Result<ControlFlow<u8>> {
        let done = self.run_whole(backend, &script.text, script.file.as_deref());
        match done {
            Err(error) if self.keep_going && error.kind() == Kind::Usage => {
                self.failures += 1;
                backend.show_error(&error);
                Ok(ControlFlow::Continue(()))
            }
            done => done,
        }
    }

    /// Runs a text as a file, which must end all conditions that it begins.
    pub(super) fn run_whole(
        &mut self,
        backend: &mut dyn Backend,
        text: &str,
        file: Option<&Path>,
    ) -> Result<ControlFlow<u8>> {
        let depth = self.conditions.depth();
        let done = self.run(backend, text.trim_start_matches('\u{feff}'), file);
        let is_open = self.conditions.depth() > depth;
        self.conditions.truncate(depth);
        match done? {
            ControlFlow::Continue(()) if is_open => {
                Err(Error::usage("`\\if` without `\\endif`").hint("close a condition in the text that opens it"))
            }
            done => Ok(done),
        }
    }

    pub(super) fn read(
        &mut self,
        backend: &mut dyn Backend,
        path: PathBuf,
        script: Option<&Path>,
    ) -> Result<ControlFlow<u8>> {
        let path = self.at_home(path);
        let path = script.and_then(Path::parent).map_or(path.clone(), |folder| folder.join(&path));
        let cannot = || format!("cannot read the script {}", path.display());
        if self.depth == DEEPEST {
            return Err(Error::input(cannot()).hint("scripts are nested more than 16 deep: one of them reads itself"));
        }
        let text = std::fs::read_to_string(&path).context(Kind::Input, cannot)?;
        // A script stops at its first failure, even one that was called from the prompt.
        let keep_going = self.keep_going;
        self.keep_going = keep_going && !self.is_interactive;
        self.depth += 1;
        let result = self.run_whole(backend, &text, Some(&path));
        self.depth -= 1;
        self.keep_going = keep_going;
        result
    }
}

/// Returns the script's name as errors show it.
pub(super) fn name(file: &Path) -> String {
    if file.as_os_str() == "-" { "stdin".to_owned() } else { file.display().to_string() }
}
