//! The lake's own access log: who read it with `sql`, `export` and `report`.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::env::{Env, SMALL, lines, values};
use crate::soundness::assert_sound;

const LOGGED: &str = "select api.operation as what, status, actor.user.uid as who, unmapped->>'rows' as rows, \
     unmapped->>'ledger_entry' as entry, unmapped->>'statement' as statement from api_activity \
     where metadata.log_name = 'access log' order by time, what, statement";

fn logged(env: &Env) -> Vec<Value> {
    // Read without a line of its own.
    env.write("off.toml", "[access]\nlog = false\n");
    values(&env.ok(["sql", "--config", "off.toml", "--format", "ndjson", "-c", LOGGED]))
}

#[test]
fn reads_by_people_are_in_the_lake() {
    let env = Env::with_small();
    env.write("auditlake.toml", "[access]\nlog = true\n");
    env.ok(["sql", "-c", "select * from authentication", "-c", "select 1 where 1 = :a", "--param", "a=2"]);
    env.run(["sql", "-c", "select nothing from authentication"]);
    let secret = "hunter2hunter2";
    env.ok(["sql", "-c", &format!("select count(*) from event where message = 'password={secret}'")]);
    env.ok(["export", "authentication"]);
    env.ok(["report", "run", "auth-outcome-summary", "--period", "2026-01", "-o", "out"]);
    let rows = logged(&env);
    let told: Vec<_> =
        rows.iter().map(|row| (row["what"].as_str().unwrap(), row["status"].as_str().unwrap())).collect();
    let expected = [
        ("Query", "Success"),
        ("Query", "Success"),
        ("Query", "Failure"),
        ("Query", "Success"),
        ("Export", "Success"),
        ("RunReport", "Success"),
    ];
    assert_eq!(told, expected, "{rows:?}");
    assert_eq!((&rows[0]["rows"], &rows[0]["statement"]), (&json!("1"), &json!("select * from authentication")));
    assert_eq!((&rows[1]["rows"], &rows[4]["rows"]), (&json!("0"), &json!("1")));
    // Each saw the entry that those before it had made.
    let entries: Vec<u64> = rows.iter().map(|row| row["entry"].as_str().unwrap().parse().unwrap()).collect();
    assert!(entries.is_sorted() && entries[0] == 1 && entries[5] > entries[1], "{entries:?}");
    let who = rows[0]["who"].as_str().unwrap();
    assert!(who.parse::<u32>().is_ok(), "{who}");
    assert!(rows[3]["statement"].as_str().unwrap().contains("[REDACTED:"), "{}", rows[3]);
    for file in crate::soundness::files(&env.path("auditlake-data")) {
        let bytes = fs::read(env.path("auditlake-data").join(&file)).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{file}");
    }
    assert!(fs::read_dir(env.path("auditlake-data/_access")).unwrap().next().is_none());
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn a_read_that_is_killed_was_logged_before() {
    let env = Env::with_small();
    env.write("auditlake.toml", "[access]\nlog = true\n");
    let slow =
        "select count(*) from generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y) where x + y = 7";
    let mut command = env.command(["sql", "-c", slow]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = env.path("auditlake-data/_access");
    let is_there = || {
        let files = fs::read_dir(&folder).into_iter().flatten().filter_map(|entry| entry.ok());
        files.into_iter().any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.ends_with('\n')))
    };
    let begun = Instant::now();
    while !is_there() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_there());
    // The next one takes it in.
    env.ok(["sql", "-c", "select 1"]);
    let rows = logged(&env);
    let told: Vec<_> = rows.iter().map(|row| (&row["status"], row["statement"] == slow)).collect();
    assert_eq!(told, [(&json!("Unknown"), true), (&json!("Success"), false)], "{rows:?}");
}

#[test]
fn a_read_that_cannot_be_logged_does_not_happen() {
    let env = Env::with_small();
    env.write("auditlake.toml", "[access]\nlog = true\n");
    env.write("auditlake-data/_access", "");
    let text = env.run(["sql", "-c", "select * from authentication"]);
    assert!(text.contains("cannot log this read, so nothing was read") && text.contains("[exit status: 3]"), "{text}");
    assert!(!text.contains("e1"), "{text}");
}

#[test]
fn lakes_that_accounts_share_are_logged_and_others_are_not() {
    let env = Env::with_small();
    env.ok(["sql", "-c", "select 1"]);
    assert!(logged(&env).is_empty() && !env.path("auditlake-data/_access").exists());
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("auditlake.toml", "[lake]\naccess = \"group\"\n");
    env.ok(["ingest", "small.ndjson"]);
    env.ok(["sql", "-c", "select 2"]);
    assert_eq!(logged(&env).len(), 1);
    env.write("auditlake.toml", "[access]\nlog = \"sometimes\"\n");
    assert!(env.run(["status"]).contains("`log` is true, false or \"shared\""));
}
