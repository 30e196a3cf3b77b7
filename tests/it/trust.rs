//! Everything found in a lake's folder needs a witness: files that were deleted, put back, swapped or added are found,
//! and nothing is silently answered wrongly.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::env::{Env, SMALL, lines};
use crate::soundness::{assert_sound, files, in_parallel, names, sha256};

/// Makes a lake of four entries, and copies of its folder after the second and the third.
fn grown() -> (Env, Vec<String>) {
    let env = Env::new();
    env.write("auditlake.toml", "[redact]\nenabled = false\n");
    for (run, part) in [&SMALL[..3], &SMALL[3..4], &SMALL[4..]].iter().enumerate() {
        env.write("part.ndjson", lines(part));
        env.ok(["ingest", "part.ndjson", "-q", "--lake", "lake"]);
        copy(&env.path("lake"), &env.path(&format!("after-{}", run + 1)));
    }
    (env, ["after-1", "after-2"].map(str::to_string).to_vec())
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to)
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn export(env: &Env, lake: &str) -> (Option<i32>, Vec<String>, String) {
    let output = env.command(["export", "-q", "--lake", lake]).output().unwrap();
    let mut events: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect();
    events.sort();
    (output.status.code(), events, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn count(env: &Env, lake: &str) -> (Option<i32>, String, String) {
    let query = "select count(*) from event where coalesce(actor_uid, '') <> 'nobody'";
    let output = env.command(["sql", "-q", "--lake", lake, "--csv", "--no-header", "-c", query]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Reads, ingests one more event, and reads again. Every answer is right, or says that the data is damaged.
fn right_or_six(env: &Env, lake: &str, what: &str) {
    let all = |more: usize| {
        let mut events: Vec<String> = export(env, "untouched").1;
        assert_eq!(events.len(), SMALL.len());
        if more > 0 {
            events.push(MORE.to_string());
        }
        events.sort();
        events
    };
    let read = |more: usize| {
        let (code, found, error) = count(env, lake);
        assert!(
            code == Some(6) || (code, found.as_str()) == (Some(0), &(SMALL.len() + more).to_string()),
            "{what}: {found} {error}"
        );
        let (code, events, error) = export(env, lake);
        assert!(code == Some(6) || (code == Some(0) && events == all(more)), "{what}: {code:?} {error}\n{events:#?}");
        code
    };
    read(0);
    let output = env.command(["ingest", "more.ndjson", "-q", "--lake", lake]).output().unwrap();
    match output.status.code() {
        Some(0) => {
            if read(1) == Some(0) {
                assert_sound(&env.path(lake));
            }
        }
        Some(6) => {
            read(0);
        }
        code => panic!("{what}: ingest ends with {code:?}: {}", env.text(&output)),
    }
}

const MORE: &str = r#"{"time":1769904002000,"class_uid":3002,"activity_id":2,"metadata":{"uid":"more"}}"#;

#[test]
fn every_file_that_is_deleted_or_put_back_is_found_or_does_not_matter() {
    let (env, copies) = grown();
    env.write("more.ndjson", format!("{MORE}\n"));
    copy(&env.path("lake"), &env.path("untouched"));
    let mut jobs: Vec<(String, Option<String>)> = Vec::new();
    for file in files(&env.path("lake")) {
        // Writing needs the key; a user who lost it is told so.
        if file == "_key" {
            continue;
        }
        for old in &copies {
            let (then, now) = (env.path(old).join(&file), env.path("lake").join(&file));
            if then.exists() && fs::read(then).unwrap() != fs::read(now).unwrap() {
                jobs.push((file.clone(), Some(old.clone())));
            }
        }
        jobs.push((file, None));
    }
    assert!(jobs.len() > 20, "{jobs:?}");
    in_parallel(jobs.into_iter().enumerate().collect(), |(number, (file, old))| {
        let name = format!("lake-{number}");
        let lake = env.path(&name);
        copy(&env.path("lake"), &lake);
        match &old {
            None => fs::remove_file(lake.join(&file)).unwrap(),
            Some(old) => drop(fs::copy(env.path(old).join(&file), lake.join(&file)).unwrap()),
        }
        right_or_six(&env, &name, &format!("{file}: {}", old.as_deref().unwrap_or("deleted")));
        fs::remove_dir_all(lake).unwrap();
    });
}

#[test]
fn every_folder_that_is_deleted_or_put_back_is_found_or_does_not_matter() {
    let (env, copies) = grown();
    env.write("more.ndjson", format!("{MORE}\n"));
    copy(&env.path("lake"), &env.path("untouched"));
    let folders: Vec<String> =
        names(&env.path("lake")).into_iter().filter(|name| env.path("lake").join(name).is_dir()).collect();
    let logs = folders.iter().filter(|name| !name.starts_with('_')).map(|name| format!("{name}/_delta_log"));
    let folders: Vec<String> = folders.iter().cloned().chain(logs).collect();
    let mut jobs: Vec<(String, Option<String>)> = Vec::new();
    for folder in folders {
        jobs.extend(copies.iter().map(|old| (folder.clone(), Some(old.clone()))));
        // Without the ledger it is not a lake; that has a test of its own.
        if folder != "_ledger" {
            jobs.push((folder, None));
        }
    }
    in_parallel(jobs.into_iter().enumerate().collect(), |(number, (folder, old))| {
        let name = format!("lake-{number}");
        let lake = env.path(&name);
        copy(&env.path("lake"), &lake);
        fs::remove_dir_all(lake.join(&folder)).unwrap();
        if let Some(old) = &old
            && env.path(old).join(&folder).is_dir()
        {
            copy(&env.path(old).join(&folder), &lake.join(&folder));
        }
        right_or_six(&env, &name, &format!("{folder}/: {}", old.as_deref().unwrap_or("deleted")));
        fs::remove_dir_all(lake).unwrap();
    });
}

#[test]
fn a_ledger_with_a_gap_or_behind_its_tables_or_gone_is_no_younger_lake() {
    let (env, _) = grown();
    env.write("more.ndjson", format!("{MORE}\n"));
    let entry = |sequence: u64| env.path(&format!("lake/_ledger/{sequence:020}.json"));
    let bytes: Vec<Vec<u8>> = (0..4).map(|sequence| fs::read(entry(sequence)).unwrap()).collect();
    let count = ["sql", "--lake", "lake", "-c", "select count(*) from event"];

    fs::remove_file(entry(1)).unwrap();
    assert_snapshot!(env.run(count), @r"
    ------- stderr -------
    error: ledger entry 1 is missing, and entry 2 is there
    hint: restore `_ledger/` from a backup; nothing was written
    [exit status: 6]
    ");
    assert!(env.run(["ingest", "more.ndjson", "--lake", "lake"]).contains("[exit status: 6]"));
    fs::write(entry(1), &bytes[1]).unwrap();

    fs::remove_file(entry(3)).unwrap();
    let text = env.run(count);
    assert!(text.contains("is ahead of the ledger") && text.contains("[exit status: 6]"), "{text}");
    let text = env.run(["ingest", "more.ndjson", "--lake", "lake"]);
    assert!(text.contains("is ahead of the ledger") && text.contains("[exit status: 6]"), "{text}");
    assert!(!entry(3).exists(), "nothing was written");
    // A look at the past needs nothing that came after.
    assert!(!env.run(["sql", "--lake", "lake", "--as-of", "1", "-c", "select 1"]).contains("exit status"));
    fs::write(entry(3), &bytes[3]).unwrap();
    assert_sound(&env.path("lake"));

    (0..4).for_each(|sequence| fs::remove_file(entry(sequence)).unwrap());
    for command in [&count[..], &["ingest", "more.ndjson", "--lake", "lake"]] {
        let text = env.run(command);
        assert!(text.contains("the ledger of") && text.contains("is gone") && text.contains("status: 6"), "{text}");
    }
}

#[test]
fn what_something_else_wrote_into_a_delta_log_is_found() {
    let (env, _) = grown();
    let log = env.path("lake/authentication/_delta_log");
    let first: Value = fs::read_to_string(log.join("00000000000000000001.json"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|action| action["add"].is_object())
        .unwrap();
    let remove = json!({"remove": {"path": first["add"]["path"], "dataChange": true, "deletionTimestamp": 1}});
    let foreign = log.join("00000000000000000002.json");
    fs::write(&foreign, format!("{remove}\n")).unwrap();
    for command in [&["status"][..], &["sql", "-c", "select 1"], &["ingest", "part.ndjson"]] {
        let text = env.run(command.iter().chain(&["--lake", "lake"]));
        assert!(text.contains("is ahead of the ledger") && text.contains("[exit status: 6]"), "{text}");
    }
    fs::remove_file(foreign).unwrap();
    // The newest version itself was changed: one file less.
    let newest = log.join("00000000000000000001.json");
    let text = fs::read_to_string(&newest).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"add\"")).collect();
    fs::write(&newest, lines(&without)).unwrap();
    let text = env.run(["status", "--lake", "lake"]);
    assert!(text.contains("does not add the files of ledger entry 1") && text.contains("status: 6"), "{text}");
}

#[test]
fn a_file_that_was_swapped_is_an_error_and_never_other_rows() {
    let env = Env::new();
    env.write("auditlake.toml", "[redact]\nenabled = false\n");
    let event = |uid: &str, who: &str| {
        format!(r#"{{"metadata":{{"uid":"{uid}"}},"class_uid":3002,"time":1767225600000,"user":{{"uid":"{who}"}}}}"#)
    };
    for (lake, who) in [("lake", "mallory"), ("other", "alice01")] {
        env.write("in.ndjson", lines(&[event("e1", who), event("e2", "bob")]));
        env.ok(["ingest", "in.ndjson", "-q", "--lake", lake]);
    }
    let data = |lake: &str| {
        let file = files(&env.path(lake)).into_iter().find(|file| file.ends_with(".parquet")).unwrap();
        env.path(lake).join(file)
    };
    let (mine, other) = (data("lake"), data("other"));
    let (before, mut bytes) = (fs::read(&mine).unwrap(), fs::read(other).unwrap());
    bytes.resize(before.len(), 0);
    fs::write(&mine, &bytes).unwrap();
    let who = ["sql", "--lake", "lake", "-c", "select user.uid from authentication order by 1"];
    for command in [
        &who[..],
        &["export", "--lake", "lake"],
        &["report", "run", "auth-outcome-summary", "--period", "2026-01", "--lake", "lake"],
    ] {
        let text = env.run(command);
        assert!(text.contains("is not the file that the ledger records"), "{text}");
        assert!(text.contains("[exit status: 6]"), "{text}");
        assert!(!text.contains("alice01"), "{text}");
    }
    fs::remove_file(&mine).unwrap();
    let text = env.run(who);
    assert!(text.contains("is missing, and the ledger names it") && text.contains("[exit status: 6]"), "{text}");
    fs::write(&mine, &before[..before.len() / 2]).unwrap();
    assert!(env.run(who).contains("[exit status: 6]"));
    fs::write(&mine, before).unwrap();
    assert!(env.run(who).contains("mallory"));
}

/// A page has no checksum of its own: of 25 bytes that were changed in place, 11 once silently gave other rows.
#[test]
fn a_byte_that_was_changed_in_place_is_in_no_export_and_no_evidence() {
    let env = Env::with_small();
    let path =
        files(&env.path("auditlake-data")).into_iter().find(|file| file.starts_with("authentication/event")).unwrap();
    let place = env.path("auditlake-data").join(path);
    let whole = fs::read(&place).unwrap();
    // Pages are at the beginning; every reader compares the footer.
    for at in (4..whole.len() / 2).step_by(whole.len() / 12) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&place, bytes).unwrap();
        for command in [
            &["export", "authentication"][..],
            &["export", "authentication", "--where", "activity_id = 1"],
            &["report", "run", "auth-outcome-summary", "--period", "2026-01", "-o", "out"],
        ] {
            let text = env.run(command);
            assert!(text.contains("is not the file that the ledger records"), "{at}: {text}");
            assert!(text.contains("[exit status: 6]") && !text.contains("\"metadata\""), "{at}: {text}");
        }
        assert!(!env.path("out").join("auth-outcome-summary").exists());
    }
    fs::write(&place, whole).unwrap();
    env.ok(["export", "authentication"]);
}

#[test]
fn an_empty_or_foreign_newest_entry_is_told_and_what_was_before_it_can_be_read() {
    let (env, _) = grown();
    let head = env.path("lake/_ledger/00000000000000000003.json");
    fs::write(&head, "").unwrap();
    assert_snapshot!(env.run(["status", "--lake", "lake"]), @r"
    ------- stderr -------
    error: cannot read ledger entry _ledger/00000000000000000003.json: the file is empty
    hint: restore the file from a backup; `--as-of 2` reads the lake as it was before
    [exit status: 6]
    ");
    assert_snapshot!(env.run(["sql", "--lake", "lake", "--as-of", "2", "-c", "select count(*) as n from event"]), @r"
    ┌───┐
    │ n │
    ├───┤
    │ 4 │
    └───┘
    ------- stderr -------
    warning: cannot read ledger entry _ledger/00000000000000000003.json: the file is empty; continuing with the lake as it was after entry 2
    ");
}

/// Appends an entry to a lake's ledger as another program would.
fn append(lake: &Path, entry: Value) {
    let mut entries = names(&lake.join("_ledger")).into_iter().filter(|name| name.len() == 25);
    let last = entries.next_back().unwrap();
    let previous = sha256(&fs::read(lake.join("_ledger").join(&last)).unwrap());
    let sequence = last[..20].parse::<u64>().unwrap() + 1;
    let text = fs::read_to_string(lake.join("_ledger").join(&last)).unwrap();
    let time_ms = serde_json::from_str::<Value>(&text).unwrap()["time_ms"].clone();
    let mut whole = json!({"sequence": sequence, "previous": previous, "time_ms": time_ms,
        "writer": "auditlake 9.9.9", "writer_id": "00".repeat(16)});
    whole.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    fs::write(lake.join(format!("_ledger/{sequence:020}.json")), format!("{whole}\n")).unwrap();
}

#[test]
fn an_older_program_meets_a_newer_lake_and_says_so() {
    let env = Env::with_small();
    let lake = env.path("auditlake-data");
    let counts = json!({"read": 0, "accepted": 0, "duplicate": 0, "revised": 0, "rejected": 0, "blank": 0});
    append(
        &lake,
        json!({"kind": "ingest", "sources": [], "counts": counts, "files": [], "format": 3, "reads_from": 2}),
    );
    // It is newer, but its additions may be skipped: it can be read but not written.
    assert_eq!(env.number("select count(*) from event"), 6);
    env.write("more.ndjson", format!("{MORE}\n"));
    assert_snapshot!(env.run(["ingest", "more.ndjson"]), @r"
    ------- stderr -------
    error: cannot write to the lake: it was written by auditlake 9.9.9; this is auditlake 0.1.0
    hint: upgrade this program
    [exit status: 3]
    ");
    append(&lake, json!({"kind": "split", "added": [], "removed": [], "format": 3, "reads_from": 3}));
    for command in [&["status"][..], &["export"], &["sql", "-c", "select 1"], &["ingest", "more.ndjson"]] {
        let text = env.run(command);
        assert!(text.contains("it was written by auditlake 9.9.9; this is auditlake 0.1.0"), "{text}");
        assert!(text.contains("[exit status: 3]"), "{text}");
    }
}

#[test]
fn a_lake_without_a_format_is_refused_with_one_sentence() {
    let env = Env::new();
    let entry = r#"{"sequence":0,"time_ms":1,"writer":"auditlake 0.1.0","kind":"create","lake_id":"a","partition":"month","ocsf_version":"1.6.0"}"#;
    env.write("auditlake-data/_ledger/00000000000000000000.json", format!("{entry}\n"));
    env.write("auditlake-data/_key", "0123456789abcdef".repeat(4));
    env.write("more.ndjson", format!("{MORE}\n"));
    for command in [&["status"][..], &["ingest", "more.ndjson"]] {
        let text = env.run(command);
        assert!(text.contains("cannot read the lake: it is older than the first fixed format of auditlake"), "{text}");
        assert!(text.contains("[exit status: 3]"), "{text}");
    }
}

#[test]
fn any_name_that_a_file_system_allows_is_a_name() {
    let env = Env::new();
    env.write("one.ndjson", lines(&SMALL[..3]));
    env.write("two.ndjson", lines(&SMALL[3..]));
    // Neighbours whose names are the same once something decodes them too often.
    let folders =
        ["job%2Fmain", "job", "100%41", "a b", "a%20b", "#1", "q?", "[1]", "back\\slash", "ü", "x%zz", "it's"];
    in_parallel(folders.to_vec(), |folder| {
        let lake = format!("{folder}/lake");
        env.ok(["ingest", "one.ndjson", "-q", "--lake", &lake]);
        env.ok(["ingest", "two.ndjson", "-q", "--lake", &lake]);
        let found = env.ok(["sql", "-q", "--csv", "--no-header", "--lake", &lake, "-c", "select count(*) from event"]);
        assert_eq!(found.trim(), "6", "{folder}");
        assert_eq!(assert_sound(&env.path(&lake)).entries.len(), 3, "{folder}");
    });
    assert_snapshot!(env.run(["ingest", "one.ndjson", "--lake", "line\nbreak/lake"]), @r#"
    ------- stderr -------
    error: cannot create a lake at "[DIR]/line\nbreak/lake": its path holds a line break or another control character
    hint: readers of Delta Lake could not open its tables; name another directory with `--lake DIR`
    [exit status: 2]
    "#);
    assert!(!env.path("line\nbreak").exists());
}

#[test]
fn a_new_lake_has_all_its_tables_and_connect_opens_those_without_rows() {
    let env = Env::new();
    env.write("in.ndjson", format!("{MORE}\n"));
    env.ok(["ingest", "in.ndjson", "-q", "--lake", "run[1]"]);
    let tables: Vec<String> = names(&env.path("run[1]")).into_iter().filter(|name| !name.starts_with('_')).collect();
    assert_eq!(tables.len(), 9, "{tables:?}");
    for table in &tables {
        let log = env.path("run[1]").join(table).join("_delta_log");
        let first = fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
        let metadata: Value = serde_json::from_str(first.lines().nth(2).unwrap()).unwrap();
        let schema: Value = serde_json::from_str(metadata["metaData"]["schemaString"].as_str().unwrap()).unwrap();
        assert!(schema["fields"].as_array().unwrap().len() > 10, "{table}");
        let has_rows = if table == "authentication" { 1 } else { 0 };
        assert_eq!(names(&log).len(), 1 + has_rows, "{table}");
    }
    // A table without rows is opened like the others: Delta gives its columns.
    for library in ["polars", "duckdb"] {
        let text = env.run(["connect", "--for", library, "--table", "group_management", "--lake", "run[1]"]);
        assert!(text.contains("(\"[DIR]/run[1]/group_management\")") && !text.contains("exit status"), "{text}");
    }
}

#[test]
fn rows_of_a_class_without_a_schema_are_not_left_out_without_a_word() {
    let env = Env::with_small();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/schemas");
    env.write("in.ndjson", "{\"class_uid\":6005,\"time\":1767225600000,\"metadata\":{\"uid\":\"d1\"}}\n");
    env.ok(["ingest", "in.ndjson", "-q", "--schemas", schemas]);
    let warning = "warning: the table `datastore_activity` has 1 rows, but no schema of that name is loaded";
    let run = |command: &[&str], code: i32| {
        let output = env.command(command).output().unwrap();
        let text = env.text(&output);
        assert!(text.contains(warning), "{command:?}: {text}");
        assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
        text
    };
    run(&["sql", "-c", "select count(*) from event"], 4);
    run(&["sql", "-c", "select count(*) from authentication"], 0);
    run(&["export"], 4);
    run(&["report", "run", "auth-outcome-summary", "--period", "2026-01", "-o", "rep"], 4);
    assert!(run(&["status"], 0).contains("datastore_activity"));
    run(&["connect", "--for", "pandas", "--table", "datastore_activity"], 0);
    let text = env.run(["export", "--schemas", schemas]);
    assert!(text.contains("d1") && !text.contains("warning") && !text.contains("exit status"), "{text}");
    // A named table is whole.
    assert!(!env.run(["export", "authentication"]).contains("exit status"));
}
