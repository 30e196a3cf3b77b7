//! An ingest as a person at a terminal sees it, and the effect of ^C; through a pseudo-terminal that `script` makes.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::env::{Env, SMALL, lines, values};
use crate::soundness::assert_sound;

/// A command in a terminal that reads from a pipe, which the test fills.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts it; returns `None` where `script` of util-linux does not exist.
    fn start(env: &Env, line: &str, fail_point: &str) -> Option<Terminal> {
        let is_there = |tool: &str| Command::new(tool).arg("--version").output().is_ok_and(|out| out.status.success());
        if !is_there("script") || !is_there("mkfifo") {
            eprintln!("skipped: there is no `script` of util-linux, or no `mkfifo`");
            return None;
        }
        assert!(env.settle(Command::new("mkfifo").arg("pipe")).status().unwrap().success());
        let line = format!("stty cols 100 rows 50; exec {line}");
        let mut command = Command::new("script");
        env.settle(command.args(["-qec", &line, "/dev/null"])).env("TERM", "xterm").env("SHELL", "/bin/sh");
        if !fail_point.is_empty() {
            command.env("AUDITLAKE_FAIL_POINT", fail_point);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = channel();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Terminal { child, keyboard, screen, shown: String::new(), reader })
    }

    /// Waits until the screen has shown `text`.
    fn wait_for(&mut self, text: &str) {
        while !self.shown.contains(text) {
            match self.screen.recv_timeout(Duration::from_secs(60)) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without `{text}`:\n{}", self.shown),
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill().unwrap();
                    panic!("no `{text}`:\n{}", self.shown);
                }
            }
        }
    }

    fn interrupt(&mut self) {
        self.keyboard.write_all(b"\x03").unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end; returns everything that was shown, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_secs(60)) {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        (self.shown, code)
    }
}

#[test]
fn an_interrupt_finishes_the_batch_and_says_how_to_go_on() {
    let env = Env::new();
    let Some(mut terminal) = Terminal::start(&env, "auditlake ingest pipe", "") else { return };
    // Nothing else comes, and nobody closes the pipe: the run waits for its source.
    let mut pipe = OpenOptions::new().write(true).open(env.path("pipe")).unwrap();
    pipe.write_all(lines(&SMALL).as_bytes()).unwrap();
    terminal.wait_for("6 entries");
    terminal.interrupt();
    terminal.wait_for("stopping after this batch; ^C again stops at once");
    let (shown, code) = terminal.end();
    drop(pipe);
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("read 6 = accepted 6 + duplicate 0 + revised 0 + rejected 0 + blank 0"), "{shown}");
    assert!(shown.contains("run the same command to continue"), "{shown}");
    // The bar has bytes, rate and rejects.
    assert!(shown.contains("985 B") && shown.contains("/s, 0 rejected"), "{shown}");
    assert_eq!(assert_sound(&env.path("auditlake-data")).count("accepted"), 6);

    fs::remove_file(env.path("pipe")).unwrap();
    env.write("pipe", lines(&SMALL));
    // A pipe has no place to continue at; its events are known, whatever way they come.
    let summary = env.ingest(["pipe"]);
    assert_eq!((&summary["counts"]["accepted"], &summary["counts"]["duplicate"]), (&0.into(), &6.into()));
}

#[test]
fn a_second_interrupt_stops_at_once() {
    if auditlake::failpoint::POINTS.is_empty() {
        return;
    }
    let env = Env::new();
    let line = "auditlake ingest pipe --progress none";
    let Some(mut terminal) = Terminal::start(&env, line, "stage.begin:1:wait") else { return };
    let mut pipe = OpenOptions::new().write(true).open(env.path("pipe")).unwrap();
    pipe.write_all(lines(&SMALL).as_bytes()).unwrap();
    // The batch has begun, and will never end.
    drop(pipe);
    terminal.interrupt();
    terminal.wait_for("stopping after this batch");
    // Within a second it is still the first.
    terminal.interrupt();
    std::thread::sleep(Duration::from_millis(1100));
    terminal.interrupt();
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!shown.contains("accepted"), "{shown}");

    fs::remove_file(env.path("pipe")).unwrap();
    env.write("pipe", lines(&SMALL));
    assert_eq!(env.ingest(["pipe"])["counts"]["accepted"], 6);
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn a_signal_to_the_process_and_to_its_group_is_one() {
    let env = Env::new();
    if !env.settle(Command::new("mkfifo").arg("pipe")).status().is_ok_and(|status| status.success()) {
        return eprintln!("skipped: there is no `mkfifo`");
    }
    let mut command = env.command(["ingest", "pipe", "--progress", "json"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = OpenOptions::new().write(true).open(env.path("pipe")).unwrap();
    pipe.write_all(lines(&SMALL).as_bytes()).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("\"entries\":6") {
        assert!(said.read_line(&mut text).unwrap() > 0, "{text}");
    }
    // `timeout` does it this way.
    let kill = format!("kill -TERM {0}; kill -TERM {0}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    said.read_to_string(&mut text).unwrap();
    drop(pipe);
    assert_eq!(child.wait().unwrap().code(), Some(143), "{text}");
    assert!(text.contains("accepted 6"), "{text}");
    assert_eq!(assert_sound(&env.path("auditlake-data")).count("accepted"), 6);
}

#[test]
fn json_progress_ends_with_all_there_was() {
    let env = Env::new();
    let text = lines(&[SMALL[0], "no event", SMALL[1]]);
    env.write("in.ndjson", &text);
    let output = env.command(["ingest", "in.ndjson", "--progress", "json", "--quiet"]).output().unwrap();
    let told = values(&String::from_utf8(output.stderr).unwrap());
    let last = told.last().unwrap();
    for (name, expected) in [("bytes", text.len()), ("total", text.len()), ("entries", 3), ("rejects", 1)] {
        assert_eq!(last[name], expected, "{name} in {last}");
    }
    assert!(last["rate"].is_u64() && last["seconds_left"].as_f64() == Some(0.0), "{last}");
    let names: Vec<&String> = last.as_object().unwrap().keys().collect();
    assert_eq!(names, ["bytes", "entries", "rate", "rejects", "seconds", "seconds_left", "source", "total"]);

    // Nobody knows how much stdin will deliver.
    let mut command = env.command(["ingest", "-", "--progress", "json", "--quiet"]);
    let output = crate::env::feed(&mut command, text.as_bytes());
    let told = values(&String::from_utf8(output.stderr).unwrap());
    assert!(told.iter().all(|line| line["total"] == Value::Null && line["seconds_left"] == Value::Null), "{told:?}");
    // Neither bar nor JSON where nobody asked for it.
    assert_eq!(env.run(["ingest", "in.ndjson", "--quiet"]), "");
}
