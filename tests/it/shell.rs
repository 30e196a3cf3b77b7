//! The interactive shell, typed into through a pseudo-terminal that util-linux's `script` makes.

use std::process::Command;

use regex::Regex;

use crate::env::{Env, feed};

/// What the screen showed, without colours and cursor movements; `None` where there is no `script`.
fn typed(env: &Env, keys: &str) -> Option<String> {
    let is_there = Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: there is no `script` of util-linux here");
        return None;
    }
    let line = "stty cols 100 rows 50; exec auditlake sql";
    let mut command = Command::new("script");
    env.settle(command.args(["-qec", line, "/dev/null"])).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let output = feed(&mut command, keys.as_bytes());
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let text = Regex::new(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]").unwrap().replace_all(&text, "").into_owned();
    assert!(output.status.success(), "{text}\n[{}]", output.status);
    Some(text)
}

#[test]
fn a_statement_over_several_lines_is_answered() {
    let env = Env::with_small();
    let Some(screen) =
        typed(&env, "select actor.user.uid as who,\n  count(*) as n\nfrom authentication\ngroup by all;\n\\q\n")
    else {
        return;
    };
    assert!(screen.contains("\\? for help"), "{screen}");
    assert!(screen.contains("│ who │ n │") && screen.contains("│ ann │ 1 │"), "{screen}");
    assert!(screen.contains("1 row"), "{screen}");
}

#[test]
fn tables_and_columns_are_described() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, "\\d\n\\d authentication\n\\q\n") else { return };
    assert!(screen.contains("│ authentication") && screen.contains("│ event"), "{screen}");
    assert!(screen.contains("actor.user.email_addr") && screen.contains("timestamp"), "{screen}");
}

#[test]
fn help_lists_the_commands() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, "\\?\n\\q\n") else { return };
    assert!(screen.contains("leave the shell") && screen.contains("list the tables"), "{screen}");
}

#[test]
fn an_error_does_not_end_the_shell() {
    let env = Env::with_small();
    let keys = "\\nonsense\nselect nothing;\nselect 40 + 2 as answer;\n\\q\n";
    let Some(screen) = typed(&env, keys) else { return };
    assert!(screen.contains("nonsense") && screen.contains("error:"), "{screen}");
    assert!(screen.contains("no column `nothing`"), "{screen}");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn the_end_of_input_leaves_the_shell() {
    let env = Env::with_small();
    let Some(screen) = typed(&env, "select 1 as one;\n\u{4}") else { return };
    assert!(screen.contains("│ one │"), "{screen}");
}

#[test]
fn a_program_command_runs_in_the_shell_and_its_rows_are_seen() {
    let env = Env::with_small();
    env.write("more.ndjson", "{\"metadata\":{\"uid\":\"z\"},\"class_uid\":3002,\"time\":1767225699000}\n");
    let Some(screen) = typed(&env, ".ingest more.ndjson\nselect count(*) as events from event;\n\\q\n") else { return };
    assert!(screen.contains("read 1 = accepted 1"), "{screen}");
    assert!(screen.contains("│      7 │"), "{screen}");
}

#[test]
fn a_secret_is_not_kept_in_the_history() {
    let env = Env::with_small();
    let secret = "sk_0123456789abcdef0123456789abcdef0123456789abcdef";
    let Some(_) = typed(&env, &format!("select '{secret}' as x;\nselect 'harmless' as y;\n\\q\n")) else { return };
    let history = env.read(".local/state/auditlake/history");
    assert!(history.contains("harmless") && !history.contains(secret), "{history}");
}
