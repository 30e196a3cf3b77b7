//! The configuration file: which one is in force, and whether it is trusted.
//!
//! A file that the user named is read whoever owns it. Nobody named the one in the working directory: anybody who can
//! put a file where we happen to be could send our key elsewhere, so that one must be ours, or root's, and nobody else
//! may be able to write it. Commands are run from such a file only, named or not.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::error::{Context, Error, Kind, Result};

/// Read from the working directory when no file is named.
const LOCAL_FILE: &str = "auditlake.toml";

/// The origin of options that differ from the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No file exists.
    Default,
    /// `--config` or the environment named it.
    Named(PathBuf),
    /// It is in the working directory, and is the user's own.
    Local(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "the program's defaults; there is no ./{LOCAL_FILE}"),
            Origin::Named(path) => write!(f, "{}", path.display()),
            Origin::Local(path) => write!(f, "./{}, found in the working directory", path.display()),
        }
    }
}

impl Origin {
    /// Returns the file in force, and its text.
    pub(super) fn find(named: Option<&Path>) -> Result<(Origin, String)> {
        if let Some(path) = named {
            let text = std::fs::read_to_string(path).context(Kind::Usage, || cannot_read(path))?;
            return Ok((Origin::Named(path.to_path_buf()), text));
        }
        let path = PathBuf::from(LOCAL_FILE);
        if path.symlink_metadata().is_err() {
            return Ok((Origin::Default, String::new()));
        }
        let mut file = disk::open_own(&path, WHAT).map_err(|error| {
            let hint = error.hint_text().unwrap_or_default().to_string();
            let named = format!("or name it, if you trust it: --config {LOCAL_FILE}");
            error.hint(if hint.is_empty() { named } else { format!("{hint}; {named}") })
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text).context(Kind::Usage, || cannot_read(&path))?;
        Ok((Origin::Local(path), text))
    }

    /// Errors unless the file is the user's own: its key `what` would run a command.
    pub(super) fn may_run_commands(&self, what: &str) -> Result<()> {
        let Origin::Named(path) = self else { return Ok(()) };
        disk::open_own(path, WHAT).map(drop).map_err(|error| {
            let hint = error.hint_text().unwrap_or_default().to_string();
            Error::usage(format!("{what} would run a command from {}: {error}", path.display())).hint(hint)
        })
    }
}

const WHAT: &str = "the configuration";

fn cannot_read(path: &Path) -> String {
    format!("cannot read the configuration {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_named_file_is_read_and_runs_commands_only_when_it_is_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        fs::write(&path, "[sql]\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
        let (origin, text) = Origin::find(Some(&path)).unwrap();
        assert_eq!((&origin, text.as_str()), (&Origin::Named(path.clone()), "[sql]\n"));
        let error = origin.may_run_commands("source `prod`").unwrap_err();
        assert!(error.to_string().starts_with("source `prod` would run a command from "), "{error}");
        assert!(error.to_string().contains("others may write it"), "{error}");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        origin.may_run_commands("source `prod`").unwrap();
    }
}
