//! The interactive shell, typed into through a pseudo-terminal that util-linux's `script` makes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use regex::Regex;

use crate::env::Env;

/// A prompt that waits: text that ends with it, cursor movements apart.
const PROMPTS: [&str; 2] = ["auditlake> ", "-> "];

/// What the screen showed, without colours and cursor movements; `None` where there is no `script`.
///
/// Each of the keys is typed when the prompt is there; what one of them ends with is pressed together with it.
fn typed(env: &Env, keys: &[&str]) -> Option<String> {
    let is_there = Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: there is no `script` of util-linux here");
        return None;
    }
    let line = "stty cols 100 rows 50; exec auditlake sql";
    let mut command = Command::new("script");
    env.settle(command.args(["-qec", line, "/dev/null"])).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = screen.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    let (mut shown, mut since) = (Vec::new(), 0);
    let mut keys = keys.iter();
    // Ends when the shell does and the screen closes.
    loop {
        match receiver.recv_timeout(Duration::from_secs(30)) {
            Ok(bytes) => shown.extend(bytes),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the shell waits for more:\n{}", plain(&shown));
            }
        }
        // An escape sequence may follow the prompt; what was typed is shown behind it.
        if PROMPTS.iter().any(|prompt| plain(&shown[since..]).ends_with(prompt))
            && let Some(key) = keys.next()
        {
            keyboard.write_all(key.as_bytes()).unwrap();
            keyboard.flush().unwrap();
            since = shown.len();
        }
    }
    reader.join().unwrap();
    let status = child.wait().unwrap();
    let text = plain(&shown);
    assert!(status.success(), "{text}\n[{status}]");
    Some(text)
}

fn plain(shown: &[u8]) -> String {
    let text = String::from_utf8_lossy(shown).replace('\r', "");
    Regex::new(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]").unwrap().replace_all(&text, "").into_owned()
}

#[test]
fn a_statement_over_several_lines_is_answered() {
    let env = Env::with_small();
    let keys =
        ["select actor.user.uid as who,\r", "  count(*) as n\r", "from authentication\r", "group by all;\r", "\\q\r"];
    let Some(screen) = typed(&env, &keys) else { return };
    assert!(screen.contains("\\? for help"), "{screen}");
    assert!(screen.contains("│ who │ n │") && screen.contains("│ ann │ 1 │"), "{screen}");
    assert!(screen.contains("1 row"), "{screen}");
}

#[test]
fn tables_and_columns_are_described() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, &["\\d\r", "\\d authentication\r", "\\q\r"]) else { return };
    assert!(screen.contains("│ authentication") && screen.contains("│ event"), "{screen}");
    // A column that cannot be read or is left out cannot be found.
    for path in ["actor.user.email_addr", "src_endpoint.ip", "metadata.logged_time", "_event_uid"] {
        assert!(screen.contains(&format!("│ {path} ")), "no {path}:\n{screen}");
    }
}

#[test]
fn help_lists_the_commands() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, &["\\?\r", "\\q\r"]) else { return };
    assert!(screen.contains("leave the shell") && screen.contains("list the tables"), "{screen}");
}

#[test]
fn an_error_does_not_end_the_shell() {
    let env = Env::with_small();
    let keys = ["\\nonsense\r", "select nothing;\r", "select 40 + 2 as answer;\r", "\\q\r"];
    let Some(screen) = typed(&env, &keys) else { return };
    assert!(
        screen.contains("no command `\\nonsense`") && screen.contains("hint: `\\?` lists the commands"),
        "{screen}"
    );
    assert!(screen.contains("no column `nothing`"), "{screen}");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn the_end_of_input_leaves_the_shell() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, &["select 1 as one;\r", "\u{4}"]) else { return };
    assert!(screen.contains("│ one │"), "{screen}");
}

#[test]
fn an_interrupt_drops_the_statement_that_is_typed() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, &["select 1,\r", "\u{3}", "select 7 as seven;\r", "\\q\r"]) else { return };
    assert!(screen.contains("│     7 │"), "{screen}");
}

#[test]
fn a_program_command_runs_in_the_shell_and_its_rows_are_seen() {
    let env = Env::with_small();
    env.write("more.ndjson", "{\"metadata\":{\"uid\":\"z\"},\"class_uid\":3002,\"time\":1767225699000}\n");
    let keys = [".ingest more.ndjson\r", "select count(*) as events from event;\r", "\\q\r"];
    let Some(screen) = typed(&env, &keys) else { return };
    assert!(screen.contains("read 1 = accepted 1"), "{screen}");
    assert!(screen.contains("│      7 │"), "{screen}");
}

#[test]
fn a_secret_is_not_kept_in_the_history() {
    let env = Env::with_small();
    let secret = "sk_0123456789abcdef0123456789abcdef0123456789abcdef";
    let keys = [&format!("select '{secret}' as x;\r"), "select 'harmless' as y;\r", "\\q\r"];
    let Some(_) = typed(&env, &keys) else { return };
    let history = env.read(".local/state/auditlake/history");
    assert!(history.contains("harmless") && !history.contains(secret), "{history}");
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, &["select 1 as one;\rselect 2 as two;\r\\q\r", "\\q\r"]) else { return };
    assert!(screen.contains("│ one │") && screen.contains("│ two │"), "{screen}");
}
