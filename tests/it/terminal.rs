//! A pseudo-terminal with the shell in it, made by util-linux's `script`: keys in, screen out.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::env::Env;

/// A prompt that waits: text that ends with it, cursor movements apart.
const PROMPTS: [&str; 2] = ["auditlake> ", "-> "];

/// The longest that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub const CTRL_C: &str = "\u{3}";
pub const CTRL_D: &str = "\u{4}";
pub const UP: &str = "\u{1b}[A";

/// A terminal as a typing user sees it.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    receiver: Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
    shown: Vec<u8>,
    /// The length of the output when the last key was pressed.
    since: usize,
}

impl Terminal {
    /// Runs a command line on a terminal of 100 columns and 50 rows.
    pub fn run(env: &Env, line: &str) -> Terminal {
        Terminal::run_with(env, line, &[])
    }

    pub fn run_with(env: &Env, line: &str, variables: &[(&str, &str)]) -> Terminal {
        let line = format!("stty cols 100 rows 50; exec {line}");
        let mut command = Command::new("script");
        env.settle(command.args(["-qec", &line, "/dev/null"])).env("TERM", "xterm").env("SHELL", "/bin/sh");
        // Without it `less` would wait for keys.
        command.env("PAGER", "").envs(variables.iter().copied()).env_remove("COLUMNS");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.expect("`script` of util-linux makes the terminal");
        let (keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, receiver) = channel();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keyboard, receiver, reader, shown: Vec::new(), since: 0 }
    }

    /// Returns the screen since the last key.
    fn now(&self) -> String {
        plain(&self.shown[self.since..])
    }

    /// Reads on until the screen is as expected.
    fn until(&mut self, what: &str, is_there: impl Fn(&str) -> bool) {
        while !is_there(&self.now()) {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(error) => {
                    let _ = self.child.kill();
                    let why = if error == RecvTimeoutError::Timeout { "does not come" } else { "never came" };
                    panic!("{what} {why}:\n{}", plain(&self.shown));
                }
            }
        }
    }

    /// Waits for a text that comes after the last key.
    pub fn sees(&mut self, text: &str) -> &mut Terminal {
        self.until(&format!("`{text}`"), |screen| screen.contains(text));
        self
    }

    /// Waits for the prompt.
    pub fn ready(&mut self) -> &mut Terminal {
        self.until("the prompt", |screen| PROMPTS.iter().any(|prompt| screen.ends_with(prompt)));
        self
    }

    /// Presses keys, whatever is on the screen.
    pub fn keys(&mut self, keys: &str) -> &mut Terminal {
        self.since = self.shown.len();
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        self
    }

    /// Presses a key again and again until it has the effect: a program that is just starting misses the first.
    pub fn insists(&mut self, key: &str, effect: &str) -> &mut Terminal {
        for _ in 0..60 {
            self.keys(key);
            // Progress never stops: the wait has a limit, whatever comes.
            let until = Instant::now() + Duration::from_secs(2);
            while let Ok(bytes) = self.receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                self.shown.extend(bytes);
                if self.now().contains(effect) {
                    return self;
                }
            }
        }
        panic!("{key:?} does not lead to `{effect}`:\n{}", plain(&self.shown));
    }

    /// Presses a key repeatedly until the program has ended: two signals that come before the first is handled count as
    /// one.
    pub fn ends_by(mut self, key: &str) -> (String, i32) {
        for _ in 0..30 {
            // The program may already be gone.
            let _ = self.keyboard.write_all(key.as_bytes()).and_then(|()| self.keyboard.flush());
            let until = Instant::now() + Duration::from_secs(2);
            loop {
                match self.receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(bytes) => self.shown.extend(bytes),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return self.end(),
                }
            }
        }
        self.end()
    }

    /// Types lines, each when the prompt waits for it.
    pub fn types(&mut self, lines: &[&str]) -> &mut Terminal {
        for line in lines {
            self.ready().keys(&format!("{line}\r"));
        }
        self
    }

    /// Waits for the end; returns the whole screen, and the exit status.
    pub fn end(mut self) -> (String, i32) {
        loop {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("the program does not end:\n{}", plain(&self.shown));
                }
            }
        }
        self.reader.join().unwrap();
        let status = self.child.wait().unwrap();
        (plain(&self.shown), status.code().unwrap_or(-1))
    }

    /// Returns everything that was shown, including colours.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Leaves the shell, which must succeed.
    pub fn leave(mut self) -> String {
        self.types(&["\\q"]);
        let (screen, status) = self.end();
        assert_eq!(status, 0, "{screen}");
        screen
    }
}

/// Returns the screen of a shell that was left after these lines.
pub fn typed(env: &Env, lines: &[&str]) -> String {
    let mut terminal = Terminal::run(env, "auditlake sql");
    terminal.types(lines);
    terminal.leave()
}

/// Returns lines as they were last drawn, without colours and cursor movements.
fn plain(shown: &[u8]) -> String {
    static CONTROL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07").unwrap());
    let text = String::from_utf8_lossy(shown).replace('\u{7}', "");
    let text = CONTROL.replace_all(&text, "");
    // With every key a line is drawn again from its beginning.
    let last = |line: &str| line.split('\r').rfind(|drawn| !drawn.is_empty()).unwrap_or_default().to_string();
    text.split('\n').map(last).collect::<Vec<_>>().join("\n")
}
