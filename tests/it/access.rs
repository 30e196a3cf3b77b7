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
    // This read has no line of its own.
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
    // Each sees the entry that those before it made.
    let entries: Vec<u64> = rows.iter().map(|row| row["entry"].as_str().unwrap().parse().unwrap()).collect();
    assert!(entries.is_sorted() && entries[0] == 1 && entries[5] > entries[1], "{entries:?}");
    let who = rows[0]["who"].as_str().unwrap();
    assert!(who.parse::<u32>().is_ok(), "{who}");
    assert!(rows[3]["statement"].as_str().unwrap().contains("[REDACTED:"), "{}", rows[3]);
    for file in crate::soundness::files(&env.path("auditlake-data")) {
        let bytes = fs::read(env.path("auditlake-data").join(&file)).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{file}");
    }
    let files = fs::read_dir(env.path("auditlake-data/_access")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["record.log"]);
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
        files.into_iter().any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains("began 1 ")))
    };
    let begun = Instant::now();
    while !is_there() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_there());
    // The next command ingests it.
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

/// Makes a lake with a read that was killed, whose line waits in `_access/`.
fn killed() -> Env {
    let env = Env::with_small();
    env.write("auditlake.toml", "[access]\nlog = true\n");
    env.ok(["sql", "-c", "select 1"]);
    let slow =
        "select count(*) from generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y) where x + y = 7";
    let mut command = env.command(["sql", "-c", slow]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let is_there = || {
        let record = fs::read_to_string(env.path("auditlake-data/_access/record.log")).unwrap();
        record.contains("began 2 ")
    };
    while !is_there() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_there());
    env
}

fn piece(env: &Env) -> std::path::PathBuf {
    let files = fs::read_dir(env.path("auditlake-data/_access")).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| !path.ends_with("record.log")).unwrap()
}

fn verified(env: &Env) -> (Option<i32>, String) {
    let output = env.command(["verify", "--level", "0"]).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn reads_by_people_are_numbered_in_one_chain() {
    let env = killed();
    assert_eq!(verified(&env).0, Some(0));
    env.ok(["export", "authentication"]);
    env.ok(["sql", "-c", "select 3"]);
    assert_eq!(verified(&env).0, Some(0));
    env.write("off.toml", "[access]\nlog = false\n");
    let sql =
        "select metadata.sequence as n, status from api_activity where metadata.log_name = 'access log' order by 1";
    let rows = values(&env.ok(["sql", "--config", "off.toml", "--format", "ndjson", "-c", sql]));
    let told: Vec<_> = rows.iter().map(|row| (row["n"].as_u64().unwrap(), row["status"].as_str().unwrap())).collect();
    assert_eq!(told, [(1, "Success"), (2, "Unknown"), (3, "Success"), (4, "Success")]);
}

#[test]
fn a_read_by_people_that_is_taken_away_is_missed_until_the_lake_says_so() {
    let env = killed();
    fs::remove_file(piece(&env)).unwrap();
    let (status, out) = verified(&env);
    assert_eq!(status, Some(6), "{out}");
    assert!(out.contains("read 2 is not in it, and not in the lake: it was changed or taken away"), "{out}");
    // Other reads continue, and hide nothing.
    env.ok(["sql", "-c", "select 3"]);
    assert_eq!(verified(&env).0, Some(6));
    assert!(env.ok(["repair"]).contains("_access: the reads 2 are lost; an event of the lake says so"));
    assert_eq!(verified(&env).0, Some(0));
    assert_eq!(logged(&env).iter().filter(|row| row["what"] == "MissReads").count(), 1);
}

#[test]
fn a_read_by_people_that_is_edited_is_found_and_stays_found() {
    let env = killed();
    let place = piece(&env);
    let text = fs::read_to_string(&place).unwrap();
    assert!(text.contains("generate_series"));
    fs::write(&place, text.replace("generate_series", "nothing_at_all_")).unwrap();
    let (status, out) = verified(&env);
    assert_eq!(status, Some(6), "{out}");
    assert!(out.contains("a line is not as it was written"), "{out}");
    let told = env.run(["sql", "-c", "select 3"]);
    assert!(told.contains("a line of the access log is not as it was written"), "{told}");
    let (status, out) = verified(&env);
    assert_eq!(status, Some(6), "{out}");
    assert!(out.contains("_access/damaged-"), "{out}");
}
