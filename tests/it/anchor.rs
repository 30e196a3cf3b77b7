//! Heads of the ledger that a command of the operator records elsewhere, and how `verify` and `doctor` judge them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::env::{Env, SMALL, lines, values};
use crate::trust::copy;

/// A notary: records each head, and answers with a token that only it can make.
const RECORD: &str =
    "read -r head; echo \"$head\" >> notary; printf 'token %s\\000' \"$(printf 'secret%s' \"$head\" | sha256sum)\"";
const JUDGE: &str = "read -r head; cat > told; printf 'token %s\\000' \"$(printf 'secret%s' \"$head\" | sha256sum)\" > right; cmp -s told right";

fn config(command: &str, more: &str) -> String {
    let words = |script: &str| serde_json::to_string(&["sh", "-c", script]).unwrap().replace("\\u0000", "");
    format!("[anchor]\ncommand = {}\nverify = {}\n{more}", words(command), words(JUDGE))
}

fn recorded() -> Env {
    let env = Env::new();
    env.write("auditlake.toml", config(RECORD, ""));
    env.write("a.ndjson", lines(&SMALL[..3]));
    env.write("b.ndjson", lines(&SMALL[3..]));
    env.ok(["ingest", "a.ndjson"]);
    env
}

fn code(env: &Env, args: &[&str]) -> (Option<i32>, String, String) {
    let output = env.command(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn anchors(env: &Env) -> Vec<Value> {
    values(&env.ok(["ledger", "anchors", "--format", "ndjson"]))
}

#[test]
fn a_head_is_recorded_after_a_commit_and_its_answer_kept() {
    let env = recorded();
    let head = env.ok(["ledger", "head"]);
    assert_eq!(env.read("notary"), head);
    assert_eq!(head.split(' ').count(), 3, "{head}");
    // An hour has not passed yet.
    env.ok(["ingest", "b.ndjson"]);
    assert_eq!(env.read("notary"), head);
    env.ok(["ledger", "anchor"]);
    let next = env.ok(["ledger", "head"]);
    assert_eq!(env.read("notary"), format!("{head}{next}"));
    let (_, _, told) = code(&env, &["ledger", "anchor"]);
    assert!(told.contains("is recorded already: anchor 2"), "{told}");
    let kept = anchors(&env);
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1]["sha256"].as_str(), next.split(' ').nth(1));
    let answer = env.command(["ledger", "anchors", "--answer", "2"]).output().unwrap().stdout;
    assert!(answer.starts_with(b"token ") && answer.ends_with(b"\0"), "{answer:?}");
    for level in ["0", "1", "2", "3"] {
        let (status, out, error) = code(&env, &["verify", "--level", level]);
        assert_eq!(status, Some(0), "{out}{error}");
        assert!(out.trim_end().ends_with("; 2 of 2 anchors agree"), "{out}");
    }
    let found: Value = serde_json::from_str(&env.ok(["verify", "--json"])).unwrap();
    assert_eq!((&found["anchors"]["kept"], &found["anchors"]["agree"]), (&2.into(), &2.into()));
    // A backup has them too, and is as sound.
    env.ok(["backup", "copy"]);
    assert!(env.ok(["verify", "--lake", "copy"]).contains("2 of 2 anchors agree"));
    assert!(env.ok(["doctor"]).contains("well  anchors: the last one is of ledger entry"));
}

#[test]
fn a_lake_that_was_put_back_behind_an_anchor_is_found_at_every_level() {
    let env = recorded();
    copy(&env.path("auditlake-data"), &env.path("old"));
    env.ok(["ingest", "b.ndjson"]);
    env.ok(["ledger", "anchor"]);
    fs::remove_dir_all(env.path("old/_anchors")).unwrap();
    copy(&env.path("auditlake-data/_anchors"), &env.path("old/_anchors"));
    for level in ["0", "1", "2", "3"] {
        let (status, out, error) = code(&env, &["verify", "--lake", "old", "--level", level]);
        assert_eq!(status, Some(6), "{out}{error}");
        assert!(out.contains("anchor 2: the ledger ends here, and entry"), "{out}");
        assert!(error.contains("; 1 of 2 anchors agree"), "{error}");
    }
    let (status, _, error) = code(&env, &["ledger", "anchor", "--lake", "old"]);
    assert_eq!(status, Some(6), "{error}");
    // With no anchor left in it, the head that was written down elsewhere finds it.
    fs::remove_dir_all(env.path("old/_anchors")).unwrap();
    let (status, out, _) = code(&env, &["verify", "--lake", "old", "--anchor", "notary"]);
    assert_eq!(status, Some(6), "{out}");
}

#[test]
fn an_anchor_that_was_edited_is_found() {
    let env = recorded();
    env.ok(["ingest", "b.ndjson"]);
    env.ok(["ledger", "anchor"]);
    let place = |number: u64| format!("auditlake-data/_anchors/{number:020}.json");
    let whole = [env.read(&place(1)), env.read(&place(2))];
    let is_found = |what: &str| {
        let (status, out, error) = code(&env, &["verify", "--level", "0"]);
        assert_eq!(status, Some(6), "{what}: {out}{error}");
        env.write(&place(1), &whole[0]);
        env.write(&place(2), &whole[1]);
        out
    };
    let answer = |text: &str| {
        let kept: Value = serde_json::from_str(text).unwrap();
        kept["answer"].as_str().unwrap().to_string()
    };
    // The chain detects changes before its end, the notary's command changes at its end.
    env.write(&place(1), whole[0].replace("\"time_ms\":1", "\"time_ms\":2"));
    assert!(is_found("a time").contains("the chain of anchors is broken"));
    fs::remove_file(env.path(&place(1))).unwrap();
    assert!(is_found("one that is missing").contains("it is missing, and there are later entries"));
    env.write(&place(2), whole[1].replace(&answer(&whole[1]), &answer(&whole[0])));
    assert!(is_found("another answer").contains("its answer is none to ledger entry"));
    let (status, out, _) = code(&env, &["verify"]);
    assert_eq!(status, Some(0), "{out}");
}

#[test]
fn a_command_that_fails_costs_no_ingest_and_is_told_counted_and_tried_again() {
    let env = Env::new();
    env.write("auditlake.toml", config("exit 3", ""));
    env.write("a.ndjson", lines(&SMALL));
    let (status, _, told) = code(&env, &["ingest", "a.ndjson", "--quiet"]);
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("warning: ledger entry 1 was not recorded elsewhere: `sh -c exit 3` ended with"), "{told}");
    let (status, _, told) = code(&env, &["ledger", "anchor"]);
    assert_eq!(status, Some(3), "{told}");
    let failing: Value = serde_json::from_str(&env.read("auditlake-data/_anchors/failing.json")).unwrap();
    assert_eq!(failing["attempts"], 2);
    let (status, out, _) = code(&env, &["doctor"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("act   anchors: 2 attempts failed since"), "{out}");
    let (status, out, _) = code(&env, &["verify"]);
    assert_eq!((status, out.contains("anchor")), (Some(0), false), "{out}");
    // A command that hangs does not delay anybody for long.
    env.write("auditlake.toml", config("exec sleep 100", "timeout = \"1s\"\n"));
    let (status, _, told) = code(&env, &["ledger", "anchor"]);
    assert_eq!(status, Some(3), "{told}");
    assert!(told.contains("ran for more than 1 s"), "{told}");
    env.write("auditlake.toml", config(RECORD, ""));
    env.ok(["ledger", "anchor"]);
    assert!(!env.path("auditlake-data/_anchors/failing.json").exists());
    // Nobody is anchored any more.
    env.write("auditlake.toml", "");
    let (_, out, _) = code(&env, &["doctor"]);
    assert!(out.contains("act   anchors: heads are no longer recorded elsewhere"), "{out}");
    assert!(env.run(["ledger", "anchor"]).contains("[exit status: 2]"));
}

#[test]
fn anchors_are_made_only_by_a_file_that_is_ours_alone_and_without_our_keys() {
    let env = Env::new();
    env.write("other.toml", config("printenv SECRET HOME; exit 0", ""));
    env.write("a.ndjson", lines(&SMALL));
    fs::set_permissions(env.path("other.toml"), Permissions::from_mode(0o646)).unwrap();
    let text = env.run(["ingest", "a.ndjson", "--config", "other.toml"]);
    assert!(text.contains("`[anchor]` would run a command from") && text.contains("[exit status: 2]"), "{text}");
    fs::set_permissions(env.path("other.toml"), Permissions::from_mode(0o600)).unwrap();
    let output =
        env.command(["ingest", "a.ndjson", "--config", "other.toml"]).env("SECRET", "hunter2").output().unwrap();
    assert!(output.status.success());
    let answer = env.ok(["ledger", "anchors", "--answer", "1"]);
    assert_eq!(answer.trim_end(), env.path("").to_str().unwrap().trim_end_matches('/'));
}
