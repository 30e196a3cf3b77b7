//! Programs that are told of a run: its JSON on their stdin, and an environment without our keys.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use super::super::App;
use crate::error::{Context, Error, Kind, Result};

/// Runs a command of the shell.
pub fn shell(app: &App, command: &str, json: &str) -> Result<()> {
    let mut run = Command::new("sh");
    run.arg("-c").arg(command);
    feed(app, run, command, json)
}

/// Runs a program with its arguments.
pub fn program(app: &App, words: &[String], json: &str) -> Result<()> {
    let Some((name, arguments)) = words.split_first() else { return Ok(()) };
    let mut run = Command::new(name);
    run.args(arguments);
    feed(app, run, &words.join(" "), json)
}

fn feed(app: &App, mut run: Command, name: &str, json: &str) -> Result<()> {
    let cannot = || format!("cannot run `{name}`");
    run.env_clear().envs(app.command_environment());
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
