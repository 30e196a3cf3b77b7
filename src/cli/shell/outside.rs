//! Programs that the shell starts: commands of ours, the system's shell, an editor.
//!
//! They share our terminal and our process group, so ^C is theirs; our own handler keeps the shell alive.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::NamedTempFile;

use super::super::App;
use super::{cancelled, pager};
use crate::error::{Context, Error, Kind, Result};

/// Runs a command line of the program; exit code 1, which means that a check found something, is its result and not a
/// failure.
pub fn command(app: &App, arguments: &[String]) -> Result<()> {
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    let status = app.line(arguments)?.status().context(Kind::Unavailable, || format!("cannot run `.{name}`"))?;
    let kind = match status.code() {
        Some(0) => return Ok(()),
        Some(1) => {
            app.screen.say("[exit status: 1]");
            return Ok(());
        }
        Some(2) => Kind::Usage,
        Some(4) => Kind::Incomplete,
        Some(5) => Kind::Locked,
        Some(6) => Kind::Integrity,
        Some(130) => return Err(cancelled()),
        _ if is_interrupted(status) => return Err(cancelled()),
        _ => Kind::Unavailable,
    };
    Err(Error::new(kind, format!("`.{name}` failed: {status}")))
}

/// Runs a command of the system's shell, or that shell until the user leaves it.
pub fn system(app: &App, command: Option<&str>) -> Result<()> {
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "sh".to_string());
    let mut process = Command::new(&shell);
    if let Some(command) = command {
        process.arg("-c").arg(command);
    }
    let status = process.status().context(Kind::Unavailable, || format!("cannot run `{shell}`"))?;
    if !status.success() {
        app.screen.say(format!("[{status}]"));
    }
    Ok(())
}

/// Starts a program of the system's shell that reads a result.
pub fn reader(line: &str) -> Result<Child> {
    let spawned = Command::new("sh").arg("-c").arg(line).stdin(Stdio::piped()).spawn();
    spawned.context(Kind::Unavailable, || format!("cannot run `{line}`"))
}

/// Opens a workbook in the desktop's program for it, which runs on its own.
pub fn spreadsheet(file: &Path) -> Result<()> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let cannot = || format!("cannot open a spreadsheet with `{opener}`");
    let instead = "`.once result.xlsx` writes the next result to a file";
    let spawned = Command::new(opener).arg(file).stdin(Stdio::null()).status();
    match spawned {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::new(Kind::Unavailable, format!("{}: {status}", cannot())).hint(instead)),
        Err(error) => Err(Error::new(Kind::Unavailable, cannot()).caused_by(error).hint(instead)),
    }
}

/// Lets the user edit `text`, or the file, and returns the result.
pub fn edit(text: &str, file: Option<&Path>) -> Result<String> {
    let Some(file) = file else {
        let scratch = scratch(text)?;
        pager::edit(scratch.path())?;
        return read(scratch.path());
    };
    pager::edit(file)?;
    read(file)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).context(Kind::Input, || format!("cannot read {}", file.display()))
}

/// Makes a file for the editor that nobody else can read; it is removed with the value.
fn scratch(text: &str) -> Result<NamedTempFile> {
    let cannot = || "cannot write a file for the editor";
    let file = tempfile::Builder::new().prefix("auditlake-").suffix(".sql").tempfile();
    let mut file = file.context(Kind::Unavailable, cannot)?;
    file.write_all(text.as_bytes()).context(Kind::Unavailable, cannot)?;
    Ok(file)
}

fn is_interrupted(status: ExitStatus) -> bool {
    status.signal() == Some(2)
}
