//! Tests that every file and folder that a command writes for its user is either complete or absent: after a failure,
//! after a kill at each step, through a link.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use auditlake::failpoint::POINTS;

use crate::env::Env;
use crate::soundness::in_parallel;

/// A command and the file that it writes.
struct Case {
    name: &'static str,
    command: &'static [&'static str],
    file: &'static str,
}

const fn case(name: &'static str, command: &'static [&'static str], file: &'static str) -> Case {
    Case { name, command, file }
}

const REPORT: &str = "auth-outcome-summary";

/// Every command that writes a file for the user.
const CASES: [Case; 11] = [
    case("export", &["export", "--output", "out/a.ndjson"], "out/a.ndjson"),
    case("gen", &["gen", "50", "--out", "out/g.ndjson"], "out/g.ndjson"),
    case("ingest", &["ingest", "small.ndjson", "--summary-json", "out/s.json"], "out/s.json"),
    case("dry", &["ingest", "small.ndjson", "--dry-run", "--summary-json", "out/s.json"], "out/s.json"),
    case("sql", &["sql", "-o", "out/r.csv", "-c", "select * from event"], "out/r.csv"),
    case("rows", &["report", "run", REPORT, "--period", "2026-01", "-o", "out/r.csv"], "out/r.csv"),
    case("xlsx", &["report", "run", REPORT, "--period", "2026-01", "-o", "out/r.xlsx"], "out/r.xlsx"),
    case("junit", &["report", "run", REPORT, "--period", "2026-01", "--junit", "out/j.xml"], "out/j.xml"),
    case("sarif", &["report", "run", REPORT, "--period", "2026-01", "--sarif", "out/j.sarif"], "out/j.sarif"),
    case("metrics", &["report", "run", REPORT, "--period", "2026-01", "--metrics", "out/m.prom"], "out/m.prom"),
    case("summary", &["report", "run", REPORT, "--period", "2026-01", "--summary-json", "out/s.json"], "out/s.json"),
];

const OLD: &str = "old, and precious\n";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns whether a file is a whole result of its kind; times and durations in it differ from run to run.
fn is_whole(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    match path.extension().unwrap().to_str().unwrap() {
        "json" | "sarif" => serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(),
        "ndjson" => text.ends_with("}\n"),
        "xml" => text.trim_end().ends_with("</testsuites>"),
        // The directory of a ZIP archive is at its end.
        "xlsx" => bytes.windows(4).any(|four| four == b"PK\x05\x06"),
        _ => !text.is_empty() && text.ends_with('\n') && text != OLD,
    }
}

#[test]
fn a_file_is_replaced_whole_and_through_its_link() {
    let env = Env::with_small();
    in_parallel(CASES.iter().collect(), |case| {
        let lake = format!("lake-{}", case.name);
        copy(&env.path("auditlake-data"), &env.path(&lake));
        let folder = format!("linked-{}", case.name);
        env.write(&format!("{folder}/real"), OLD);
        let file = Path::new(case.file).file_name().unwrap().to_str().unwrap();
        let (link, real) = (env.path(&format!("{folder}/{file}")), env.path(&format!("{folder}/real")));
        fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        let target = format!("{folder}/{file}");
        let command = case.command.iter().map(|word| if *word == case.file { target.as_str() } else { *word });
        env.ok(command.chain(["-q", "--lake", &lake]));
        assert!(link.is_symlink(), "{}: the link is gone", case.name);
        assert!(is_whole(&link), "{}", case.name);
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640, "{}", case.name);
        assert_eq!(names(&env.path(&folder)).len(), 2, "{}", case.name);
    });
}

#[test]
fn a_kill_at_any_step_leaves_the_old_file_or_the_new_one() {
    if POINTS.is_empty() {
        return;
    }
    let env = Env::with_small();
    // The first question about events writes facts; all runs begin alike.
    env.ok(["sql", "-q", "-c", "select time from event_row"]);
    let mut jobs = Vec::new();
    // All short texts of a report are written like the first.
    let is_like_another = |case: &&Case| ["sarif", "metrics", "summary", "dry"].contains(&case.name);
    for case in CASES.iter().filter(|case| !is_like_another(case)) {
        let hits = hits(&env, case.command, &format!("{}.log", case.name), "write.");
        assert!(hits.len() >= 7, "{}: {hits:?}", case.name);
        fs::remove_dir_all(env.path("out")).unwrap();
        jobs.extend(hits.into_iter().flat_map(|(point, hits)| (1..=hits).map(move |hit| (case, point.clone(), hit))));
    }
    in_parallel(jobs, |(case, point, hit)| {
        let what = format!("{} killed at {point}, hit {hit}", case.name);
        let folder = what.replace([' ', ','], "-");
        let file = Path::new(case.file).file_name().unwrap().to_str().unwrap();
        let target = format!("{folder}/{file}");
        env.write(&target, OLD);
        copy(&env.path("auditlake-data"), &env.path(&format!("{folder}-lake")));
        let run = |point: Option<String>| {
            let command = case.command.iter().map(|word| if *word == case.file { target.as_str() } else { *word });
            let mut command = env.command(command.chain(["-q", "--lake", &format!("{folder}-lake")]));
            if let Some(point) = point {
                command.env("AUDITLAKE_FAIL_POINT", point);
            }
            command.output().unwrap().status.code()
        };
        assert_eq!(run(Some(format!("{point}:{hit}"))), Some(137), "{what}: it was not");
        let there = fs::read(env.path(&target)).unwrap();
        assert!(there == OLD.as_bytes() || is_whole(&env.path(&target)), "{what}: neither old nor new");
        assert_eq!(run(None), Some(0), "{what}: run again");
        assert!(is_whole(&env.path(&target)), "{what}");
        assert_eq!(names(&env.path(&folder)), [file], "{what}: the next run clears nothing away");
        fs::remove_dir_all(env.path(&folder)).unwrap();
        fs::remove_dir_all(env.path(&format!("{folder}-lake"))).unwrap();
    });
}

#[test]
fn a_kill_at_any_step_leaves_the_old_folder_or_the_new_one() {
    if POINTS.is_empty() {
        return;
    }
    let env = Env::with_small();
    let run = |folder: &str, period: &str, point: Option<String>| {
        let mut command = env.command(["report", "run", REPORT, "--period", period, "-o", folder, "--replace", "-q"]);
        if let Some(point) = point {
            command.env("AUDITLAKE_FAIL_POINT", point);
        }
        command.output().unwrap().status.code()
    };
    let period = |folder: &str| {
        let evidence: serde_json::Value =
            serde_json::from_str(&env.read(&format!("{folder}/{REPORT}/evidence.json"))).unwrap();
        evidence["period"]["text"].as_str().unwrap().to_string()
    };
    assert_eq!(run("logged", "2026-01", None), Some(0));
    let command = ["report", "run", REPORT, "--period", "2026-02", "-o", "logged", "--replace"];
    let hits = hits(&env, &command, "folder.log", "folder.");
    assert_eq!(hits.len(), POINTS.iter().filter(|point| point.starts_with("folder.")).count(), "{hits:?}");
    in_parallel(hits.into_keys().collect(), |point| {
        let folder = format!("killed-at-{point}");
        assert_eq!(run(&folder, "2026-01", None), Some(0));
        assert_eq!(run(&folder, "2026-02", Some(format!("{point}:1"))), Some(137), "{point}");
        let is_new = matches!(point.as_str(), "folder.named" | "folder.cleaned");
        assert_eq!(period(&folder), if is_new { "2026-02" } else { "2026-01" }, "{point}");
        // Never files of both.
        env.ok(["report", "verify", &format!("{folder}/{REPORT}")]);
        assert_eq!(run(&folder, "2026-02", None), Some(0), "{point}: run again");
        assert_eq!(names(&env.path(&folder)), [REPORT], "{point}: the next run clears nothing away");
    });
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let env = Env::with_events(500);
    env.write("keep.ndjson", OLD);
    // A wrong option is found when the file is already open.
    let text = env.run(["gen", "100", "--users", "3", "--out", "keep.ndjson"]);
    assert!(text.contains("[exit status: 2]"), "{text}");
    assert_eq!(env.read("keep.ndjson"), OLD);
    // Damage is found when half of the events are written.
    let files = crate::soundness::files(&env.path("auditlake-data"));
    let last = files.iter().rfind(|file| file.ends_with(".parquet") && file.starts_with("user_access")).unwrap();
    let path = env.path("auditlake-data").join(last);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let text = env.run(["export", "--output", "keep.ndjson"]);
    assert!(text.contains("error: ") && text.contains("[exit status: "), "{text}");
    assert_eq!(env.read("keep.ndjson"), OLD);
    assert!(!names(&env.path(".")).iter().any(|name| name.ends_with(".tmp")));
}

#[test]
fn a_key_that_somebody_planted_is_not_used() {
    let env = Env::with_small();
    let key = env.path("auditlake-data/_key");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let text = env.run(["ingest", "small.ndjson"]);
    assert!(text.contains("others may read or write it (mode 0644)"), "{text}");
    assert!(text.contains("hint: chmod 600") && text.contains("[exit status: 2]"), "{text}");
    // The same holds in a lake that does not exist yet: nothing of it exists afterwards.
    env.write("planted/_key", "0".repeat(64));
    let text = env.run(["ingest", "small.ndjson", "--lake", "planted"]);
    assert!(text.contains("others may read or write it"), "{text}");
    assert!(!env.path("planted/_ledger").exists());
}

/// Counts how often a command reaches each point whose name begins this way, when nobody kills it. It starts with
/// [`OLD`] in `out/`.
fn hits(env: &Env, command: &[&str], log: &str, beginning: &str) -> BTreeMap<String, u64> {
    if let Some(file) = command.iter().find(|word| word.starts_with("out/")) {
        env.write(file, OLD);
    }
    let mut run = env.command(command);
    let output = run.arg("-q").env("AUDITLAKE_FAIL_POINT", format!("log:{log}")).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let mut hits = BTreeMap::new();
    for point in env.read(log).lines().filter(|point| point.starts_with(beginning)) {
        *hits.entry(point.to_string()).or_default() += 1;
    }
    hits
}

fn copy(from: &Path, to: &Path) {
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
