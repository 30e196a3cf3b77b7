//! Programs that are told of a run: its JSON on their stdin.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use crate::error::{Context, Error, Kind, Result};

/// Runs a command of the shell.
pub fn shell(command: &str, json: &str) -> Result<()> {
    let mut run = Command::new("sh");
    run.arg("-c").arg(command);
    feed(run, command, json)
}

/// Runs a program with its arguments.
pub fn program(words: &[String], json: &str) -> Result<()> {
    let Some((name, arguments)) = words.split_first() else { return Ok(()) };
    let mut run = Command::new(name);
    run.args(arguments);
    feed(run, &words.join(" "), json)
}

fn feed(mut run: Command, name: &str, json: &str) -> Result<()> {
    let cannot = || format!("cannot run `{name}`");
    // What it prints is talk: stdout belongs to our own results.
    let mut child = run.stdin(Stdio::piped()).stdout(std::io::stderr()).spawn().context(Kind::Unavailable, cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(json.as_bytes()) {
            // A program may have seen enough, or may not want it.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.context(Kind::Unavailable, cannot)?,
        }
    }
    let status = child.wait().context(Kind::Unavailable, cannot)?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::new(Kind::Unavailable, format!("`{name}` ended with {status}"))
            .hint("the reports are done; only this command failed")),
    }
}
