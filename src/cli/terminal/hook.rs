//! Programs of the operator, run in an environment without our keys: hooks that get a run's JSON on their stdin, and
//! programs that answer.

use std::io::{ErrorKind, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::App;
use crate::error::{Context, Error, Kind, Result};
use crate::source::Environment;
use crate::typed::{bytes, span};

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
    // Its output is talk: stdout belongs to our own results.
    let mut child = run.stdin(Stdio::piped()).stdout(std::io::stderr()).spawn().context(Kind::Unavailable, cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(json.as_bytes()) {
            // A program may have seen enough, or may not want it.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written.context(Kind::Unavailable, cannot)?,
        }
    }
    let status = child.wait().context(Kind::Unavailable, cannot)?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(Kind::Unavailable, format!("`{name}` ended with {status}"))
            .hint("the reports are done; only this command failed"))
    }
}

/// A program that must answer.
pub struct Asked<'a> {
    /// The program and its arguments.
    pub words: &'a [String],
    pub input: &'a [u8],
    /// The most bytes of an answer; more are an error.
    pub most: usize,
    pub timeout: Duration,
}

/// Runs a program without a shell; returns how it ended, and everything that it printed. It blocks, and must not be
/// called on a thread that serves tasks.
pub fn ask(asked: &Asked<'_>, environment: &Environment) -> Result<(ExitStatus, Vec<u8>)> {
    let Some((program, arguments)) = asked.words.split_first() else {
        return Err(Error::usage("cannot run a command that is empty"));
    };
    let name = asked.words.join(" ");
    let cannot = || format!("cannot run `{name}`");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(Kind::Unavailable, cannot)?.block_on(async {
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context(Kind::Unavailable, cannot)?;
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let feed = async move {
            if let Some(stdin) = &mut stdin {
                match stdin.write_all(asked.input).await {
                    // It may have seen enough, or may not want it.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                    written => written?,
                }
            }
            drop(stdin);
            Ok::<_, std::io::Error>(())
        };
        let read = async {
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(asked.most as u64 + 1).read_to_end(&mut answer).await?;
            }
            Ok(answer)
        };
        let run = async {
            let ((), answer) = tokio::try_join!(feed, read)?;
            // A program that prints without end would not end otherwise.
            if answer.len() > asked.most {
                return Ok(None);
            }
            Ok::<_, std::io::Error>(Some((child.wait().await?, answer)))
        };
        let trouble = |why: String| Err(Error::new(Kind::Unavailable, format!("`{name}` {why}")));
        match tokio::time::timeout(asked.timeout, run).await {
            Err(_) => trouble(format!("ran for more than {}", span(asked.timeout))),
            Ok(ended) => match ended.context(Kind::Unavailable, cannot)? {
                None => trouble(format!("printed more than {}", bytes(asked.most as u64))),
                Some(answered) => Ok(answered),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_in_time_and_bounded() {
        let environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let ask = |script: &str| {
            let words = ["sh", "-c", script].map(str::to_string);
            let asked = Asked { words: &words, input: b"head\n", most: 100, timeout: Duration::from_secs(5) };
            ask(&asked, &environment)
        };
        let (status, answer) = ask("cat; printf '\\000\\377'").unwrap();
        assert!(status.success());
        assert_eq!(answer, b"head\n\x00\xff");
        assert_eq!(ask("exit 3").unwrap().0.code(), Some(3));
        assert!(ask("yes").unwrap_err().to_string().contains("printed more than"));
        let words = ["sleep", "60"].map(str::to_string);
        let slow = Asked { words: &words, input: b"", most: 1, timeout: Duration::from_millis(50) };
        assert!(super::ask(&slow, &environment).unwrap_err().to_string().contains("ran for more than"));
        let none = Asked { words: &["no-such-program-here".to_string()], ..slow };
        assert!(super::ask(&none, &environment).unwrap_err().to_string().starts_with("cannot run"));
    }
}
