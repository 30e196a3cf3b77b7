//! `verify`, `repair`, `doctor` and `ledger head`; and who may read a lake, and what that needs.
//!
//! `AUDITLAKE_DAMAGES=2000` asks for that many random damages; `tests/fault/damage` does.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;

use crate::env::{Env, SMALL, lines};
use crate::soundness::{files, in_parallel};
use crate::trust::copy;

const PLAIN: &str = "[redact]\nenabled = false\n";

/// Makes a lake of several entries, with a reject and a revision.
fn grown() -> Env {
    let env = Env::new();
    env.write("auditlake.toml", PLAIN);
    let revised = SMALL[0].replacen("\"class_uid\"", "\"message\":\"said otherwise\",\"class_uid\"", 1);
    for part in [&SMALL[..3], &SMALL[3..4], &SMALL[4..], &["not an event", &revised]] {
        env.write("part.ndjson", lines(part));
        env.command(["ingest", "part.ndjson", "-q", "--lake", "lake"]).output().unwrap();
    }
    env
}

fn code(env: &Env, args: &[&str]) -> (Option<i32>, String, String) {
    let output = env.command(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn verify(env: &Env, lake: &str) -> (Option<i32>, Value) {
    let (code, out, error) = code(env, &["verify", "--level", "3", "--json", "--lake", lake]);
    (code, serde_json::from_str(&out).unwrap_or(Value::String(error)))
}

#[test]
fn a_sound_lake_is_sound_at_every_level() {
    let env = grown();
    for level in ["0", "1", "2", "3"] {
        let (code, out, error) = code(&env, &["verify", "--level", level, "--lake", "lake"]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
        assert!(out.starts_with(&format!("sound at level {level}: 5 entries")), "{out}");
    }
    let (code, found) = verify(&env, "lake");
    assert_eq!(code, Some(0), "{found}");
    assert_eq!((found["entries"].as_u64(), found["level"].as_u64()), (Some(5), Some(3)), "{found}");
    assert_eq!(found["rows"].as_u64(), Some(SMALL.len() as u64 + 2), "{found}");
}

/// Returns a random number that is the same in every run.
fn random(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) as usize
}

/// Damages a file in one of several ways; returns a description.
fn damage(lake: &Path, file: &str, seed: &mut u64) -> Option<String> {
    let place = lake.join(file);
    let bytes = fs::read(&place).unwrap();
    let what = match random(seed) % 6 {
        0 => {
            if bytes.is_empty() {
                return None;
            }
            let (at, bit) = (random(seed) % bytes.len(), random(seed) % 8);
            let mut other = bytes.clone();
            other[at] ^= 1 << bit;
            fs::write(&place, other).unwrap();
            format!("bit {bit} of byte {at} of {} flipped", bytes.len())
        }
        1 => {
            let length = random(seed) % bytes.len().max(1);
            fs::write(&place, &bytes[..length]).unwrap();
            format!("cut to {length} of {}", bytes.len())
        }
        2 => {
            fs::write(&place, "").unwrap();
            "emptied".to_string()
        }
        3 => {
            fs::remove_file(&place).unwrap();
            "deleted".to_string()
        }
        4 => {
            fs::rename(&place, place.with_extension("bak")).unwrap();
            "renamed".to_string()
        }
        _ => {
            let others: Vec<String> = damageable(lake).into_iter().filter(|other| other != file).collect();
            let other = &others[random(seed) % others.len()];
            let theirs = fs::read(lake.join(other)).unwrap();
            if theirs == bytes {
                return None;
            }
            fs::write(&place, theirs).unwrap();
            fs::write(lake.join(other), bytes).unwrap();
            format!("swapped with {other}")
        }
    };
    Some(format!("{file}: {what}"))
}

/// Returns the files of the lake, except its own, copies of the ledger, and fingerprints, whose seals are checked when they
/// are used.
fn damageable(lake: &Path) -> Vec<String> {
    let own = ["_key", "_lock", "_ledger/checkpoint-", "_pull/", "_serve/", "_staging/", "_fingerprints/"];
    files(lake).into_iter().filter(|file| !own.iter().any(|own| file.starts_with(own))).collect()
}

#[test]
fn every_damage_is_found() {
    let env = grown();
    let rounds = std::env::var("AUDITLAKE_DAMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    in_parallel((0..rounds).collect(), |round: u64| {
        let mut seed = 0x9e37_79b9_7f4a_7c15 ^ (round + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
        let name = format!("damaged-{round}");
        let lake = env.path(&name);
        copy(&env.path("lake"), &lake);
        let there = damageable(&lake);
        let file = there[random(&mut seed) % there.len()].clone();
        if let Some(what) = damage(&lake, &file, &mut seed) {
            let (code, out, error) = code(&env, &["verify", "--level", "3", "--lake", &name]);
            assert_eq!(code, Some(6), "round {round}: {what}: {out}{error}");
        }
        fs::remove_dir_all(lake).unwrap();
    });
}

#[test]
fn verify_lists_all_faults_and_names_their_files() {
    let env = grown();
    let data: Vec<String> =
        files(&env.path("lake")).into_iter().filter(|file| file.ends_with(".parquet")).take(3).collect();
    fs::remove_file(env.path("lake").join(&data[0])).unwrap();
    let mut bytes = fs::read(env.path("lake").join(&data[1])).unwrap();
    bytes[20] ^= 1;
    fs::write(env.path("lake").join(&data[1]), bytes).unwrap();
    env.write("lake/authentication/event_month=2026-01/added.parquet", "x");
    let (code, found) = verify(&env, "lake");
    assert_eq!(code, Some(6));
    let faults = found["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 3, "{faults:?}");
    for path in [data[0].as_str(), data[1].as_str(), "authentication/event_month=2026-01/added.parquet"] {
        assert!(faults.iter().any(|fault| fault["path"] == path), "{path}: {faults:?}");
    }
}

#[test]
fn a_lake_that_was_put_back_as_a_whole_is_found_with_its_head() {
    let env = grown();
    copy(&env.path("lake"), &env.path("old"));
    env.write("more.ndjson", lines(&[r#"{"time":1769904002000,"class_uid":3002,"metadata":{"uid":"more"}}"#]));
    env.ok(["ingest", "more.ndjson", "-q", "--lake", "lake"]);
    for json in [&["--json"][..], &[]] {
        let args = [&["ledger", "head", "--lake", "lake"], json].concat();
        env.write("head", code(&env, &args).1);
        assert_eq!(code(&env, &["verify", "--lake", "lake", "--anchor", "head"]).0, Some(0));
        assert_eq!(code(&env, &["verify", "--lake", "old"]).0, Some(0), "of itself it is sound");
        let (status, out, _) = code(&env, &["verify", "--lake", "old", "--anchor", "head"]);
        assert!(status == Some(6) && out.contains("it was put back"), "{out}");
    }
    // Rewritten from the older state: the same number of entries, but others.
    env.write("other.ndjson", lines(&[r#"{"time":1769904002000,"class_uid":3002,"metadata":{"uid":"other"}}"#]));
    env.ok(["ingest", "other.ndjson", "-q", "--lake", "old"]);
    let (status, out, _) = code(&env, &["verify", "--lake", "old", "--anchor", "head"]);
    assert!(status == Some(6) && out.contains("not the entry that was written down"), "{out}");
    env.write("head", "nonsense");
    assert_eq!(code(&env, &["verify", "--lake", "lake", "--anchor", "head"]).0, Some(2));
}

#[test]
fn repair_writes_tables_anew_from_the_ledger() {
    let env = grown();
    let log = |table: &str, version: u64| format!("lake/{table}/_delta_log/{version:020}.json");
    fs::remove_file(env.path(&log("authentication", 1))).unwrap();
    env.write(&log("authentication", 0), "nonsense");
    fs::remove_dir_all(env.path("lake/reject/_delta_log")).unwrap();
    env.write("lake/_staging/authentication-0000000001-0000-00000000000a-0011223344556677.parquet", "x");
    copy(&env.path("lake"), &env.path("dry"));
    assert_eq!(verify(&env, "lake").0, Some(6));
    let (status, dry, _) = code(&env, &["repair", "--dry-run", "--lake", "dry"]);
    assert_eq!(status, Some(0), "{dry}");
    assert_eq!(verify(&env, "dry").0, Some(6), "a dry run repairs nothing");
    let (status, done, error) = code(&env, &["repair", "--lake", "lake"]);
    assert_eq!(status, Some(0), "{done}{error}");
    assert_eq!(dry, done);
    assert!(done.contains("written anew from ledger entry") && done.contains("_staging/"), "{done}");
    assert_eq!(verify(&env, "lake").0, Some(0));
    let (status, done, error) = code(&env, &["repair", "--lake", "lake"]);
    assert_eq!((status, done.as_str(), error.as_str()), (Some(0), "", "nothing to repair\n"));
}

#[test]
fn an_incomplete_newest_entry_is_stepped_back_only_when_asked_for() {
    let env = grown();
    let newest = "lake/_ledger/00000000000000000004.json";
    let entry: Value = serde_json::from_str(&env.read(newest)).unwrap();
    for file in entry["files"].as_array().unwrap() {
        let (table, path) = (file["table"].as_str().unwrap(), file["path"].as_str().unwrap());
        fs::remove_file(env.path(&format!("lake/{table}/{path}"))).unwrap();
    }
    let (status, _, error) = code(&env, &["repair", "--lake", "lake"]);
    assert!(status == Some(6) && error.contains("--drop-incomplete"), "{error}");
    assert!(env.path(newest).exists());
    let (status, out, error) = code(&env, &["repair", "--drop-incomplete", "--lake", "lake"]);
    assert!(status == Some(0) && error.contains("lost: entry 4: 2 lines were read"), "{out}{error}");
    assert_eq!(verify(&env, "lake").0, Some(0));
    // Its lines are ingested again.
    env.command(["ingest", "part.ndjson", "-q", "--lake", "lake"]).output().unwrap();
    let (status, found) = verify(&env, "lake");
    assert_eq!((status, found["rows"].as_u64()), (Some(0), Some(SMALL.len() as u64 + 2)), "{found}");

    // An entry that cannot be read at all.
    env.write(newest, "");
    let (status, _, error) = code(&env, &["repair", "--drop-incomplete", "--lake", "lake"]);
    // Its files are recognised by their names.
    assert!(status == Some(0) && error.contains("it cannot be read"), "{error}");
    let (status, found) = verify(&env, "lake");
    assert_eq!((status, found["rows"].as_u64()), (Some(0), Some(SMALL.len() as u64)), "{found}");
}

#[test]
fn a_ledger_that_is_damaged_is_not_repaired() {
    let env = grown();
    let place = "lake/_ledger/00000000000000000002.json";
    let text = env.read(place);
    env.write(place, text.replacen("\"read\":", "\"read\" :", 1));
    let (status, _, error) = code(&env, &["repair", "--drop-incomplete", "--lake", "lake"]);
    assert!(status == Some(6) && error.contains("cannot repair"), "{error}");
}

#[test]
fn reading_needs_no_key_and_writing_says_that_it_does() {
    let env = grown();
    env.ok(["report", "run", "failed-admin-actions", "--period", "2026-01", "-o", "evidence", "-q", "--lake", "lake"]);
    copy(&env.path("lake"), &env.path("copy"));
    fs::remove_file(env.path("copy/_key")).unwrap();
    let reading: [&[&str]; 9] = [
        &["sql", "-c", "select count(*) from event"],
        &["export"],
        &["status"],
        &["verify", "--level", "3"],
        &["connect", "--for", "polars"],
        &["ledger", "head"],
        &["reject", "list"],
        &["report", "run", "failed-admin-actions", "--period", "2026-01", "-o", "evidence-of-copy"],
        &["report", "verify", "evidence"],
    ];
    for args in reading {
        let (status, out, error) = code(&env, &[args, &["--lake", "copy"]].concat());
        assert_eq!(status, Some(0), "{args:?}: {out}{error}");
    }
    assert!(!env.path("copy/_key").exists(), "nobody made a key");
    let (status, out, error) = code(&env, &["report", "verify", "evidence-of-copy", "--lake", "copy"]);
    assert!(status == Some(0) && error.contains("seals are not checked"), "{out}{error}");
    // The owner of the key does not believe what anybody could have written.
    let (status, out, error) = code(&env, &["report", "verify", "evidence-of-copy", "--lake", "lake"]);
    assert!(status == Some(6) && out.contains("evidence.json has no seal"), "{out}{error}");
    for args in [&["ingest", "part.ndjson"][..], &["key", "list"]] {
        let (status, out, error) = code(&env, &[args, &["--lake", "copy"]].concat());
        assert!(status == Some(3) && error.contains("needs the lake's key"), "{args:?}: {status:?} {out}{error}");
    }
    // Commands that need the key refuse that of another lake, and the others ignore it.
    env.command(["ingest", "part.ndjson", "-q", "--lake", "other"]).output().unwrap();
    fs::copy(env.path("other/_key"), env.path("copy/_key")).unwrap();
    let (status, _, error) = code(&env, &["ingest", "part.ndjson", "--lake", "copy"]);
    assert!(status == Some(6) && error.contains("the key is that of another lake"), "{status:?} {error}");
    assert_eq!(code(&env, &["sql", "-c", "select count(*) from event", "--lake", "copy"]).0, Some(0));
}

#[test]
fn the_key_may_lie_elsewhere() {
    let env = Env::new();
    env.write("part.ndjson", lines(&SMALL));
    env.write("lake.key", "0123456789abcdef".repeat(4));
    fs::set_permissions(env.path("lake.key"), fs::Permissions::from_mode(0o600)).unwrap();
    env.write("auditlake.toml", "[lake]\nkey = { file = \"lake.key\" }\n");
    env.ok(["ingest", "part.ndjson", "-q", "--lake", "lake"]);
    assert!(!env.path("lake/_key").exists());
    // The same key from a program, and from the environment.
    env.write("auditlake.toml", "[lake]\nkey = { command = [\"cat\", \"lake.key\"] }\n");
    env.ok(["reject", "retry", "-q", "--lake", "lake"]);
    env.write("auditlake.toml", "[lake]\nkey = { env = \"LAKE_KEY\" }\n");
    let retry = |key: Option<String>| {
        let mut command = env.command(["reject", "retry", "-q", "--lake", "lake"]);
        key.map(|key| command.env("LAKE_KEY", key));
        command.output().unwrap().status.code()
    };
    assert_eq!(retry(Some("0123456789abcdef".repeat(4))), Some(0));
    assert_eq!(retry(Some("0123456789abcdee".repeat(4))), Some(6));
    assert_eq!(retry(None), Some(2));
    fs::set_permissions(env.path("lake.key"), fs::Permissions::from_mode(0o644)).unwrap();
    env.write("auditlake.toml", "[lake]\nkey = { file = \"lake.key\" }\n");
    let (status, _, error) = code(&env, &["reject", "retry", "--lake", "lake"]);
    assert!(status == Some(2) && error.contains("chmod 600"), "{error}");
}

#[test]
fn a_lake_is_its_owners_unless_it_was_made_for_others() {
    for (access, umask, folder, file) in
        [("owner", "000", 0o700, 0o600), ("group", "077", 0o750, 0o640), ("world", "077", 0o755, 0o644)]
    {
        let env = Env::new();
        env.write("auditlake.toml", format!("[lake]\naccess = \"{access}\"\n"));
        env.write("part.ndjson", lines(&SMALL));
        let command = env.command(["ingest", "part.ndjson", "-q", "--lake", "lake"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), crate::env::PROGRAM]);
        shell.args(command.get_args());
        env.settle(&mut shell);
        assert!(shell.output().unwrap().status.success());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&env.path("lake")), folder, "{access}");
        for name in files(&env.path("lake")) {
            let path = env.path("lake").join(&name);
            let own = name == "_key" || name == "_lock";
            assert_eq!(mode(&path), if own { 0o600 } else { file }, "{access}: {name}");
            assert_eq!(mode(path.parent().unwrap()), folder, "{access}: the folder of {name}");
        }
    }
}

#[test]
fn doctor_says_what_is_well_and_what_is_not() {
    let env = grown();
    env.write("auditlake.toml", "");
    let (status, out, error) = code(&env, &["doctor", "--lake", "lake"]);
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    for what in
        ["well  verify: sound", "well  key: ", "well  modes: ", "note  rejects: 1 lines", "note  revisions: 1 events"]
    {
        assert!(out.contains(what), "{what}: {out}");
    }
    fs::set_permissions(env.path("lake/_key"), fs::Permissions::from_mode(0o644)).unwrap();
    let data = files(&env.path("lake")).into_iter().find(|file| file.ends_with(".parquet")).unwrap();
    fs::remove_file(env.path("lake").join(data)).unwrap();
    let (status, out, _) = code(&env, &["doctor", "--json", "--lake", "lake"]);
    assert_eq!(status, Some(1), "{out}");
    let found: Vec<Value> = serde_json::from_str(&out).unwrap();
    for what in ["verify", "key", "modes"] {
        let is_told = |finding: &&Value| finding["what"] == what && finding["state"] == "act";
        let told = found.iter().find(is_told).unwrap_or_else(|| panic!("{what}: {out}"));
        assert!(told["advice"].is_string(), "{told}");
    }
}
