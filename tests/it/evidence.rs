//! `auditlake report run -o DIR`, `verify`, `diff`: evidence that an auditor can check.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use parquet::file::reader::FileReader;
use serde_json::{Value, json};

use crate::env::{Env, lines};
use crate::soundness::{names, sha256};

const FILES: [&str; 6] = ["evidence.json", "report.html", "report.md", "result.csv", "result.json", "result.parquet"];

/// Makes a lake of January 2026 without a gap, with stories that detections find.
fn month() -> Env {
    Env::with_events(3_000)
}

fn run(env: &Env, args: &[&str]) -> String {
    env.run([&["report", "run"], args].concat())
}

fn json_of(env: &Env, name: &str) -> Value {
    serde_json::from_str(&env.read(name)).unwrap()
}

#[test]
fn a_run_leaves_a_folder_a_report_and_an_index() {
    let env = month();
    let ids = ["brute-force-by-user", "auth-outcome-summary", "user-provisioning-log"];
    let text = run(&env, &[&ids[..], &["--period", "2026-01", "-o", "out", "--xlsx"]].concat());
    assert_snapshot!(text, @r"
    ------- stderr -------
    ledger entry 1, sha256 [SHA256]
    brute-force-by-user: 2 findings, worst high
    auth-outcome-summary: 31 rows
    user-provisioning-log: 4 rows
    page: out/index.html
    ");
    let mut expected: Vec<&str> = ids.to_vec();
    expected.extend(["index.html", "index.md", "manifest.json", "summary.json", "workbook.xlsx"]);
    expected.sort_unstable();
    assert_eq!(names(&env.path("out")), expected);
    for id in ids {
        let mut files = FILES.to_vec();
        files.push("result.xlsx");
        assert_eq!(names(&env.path(&format!("out/{id}"))), files);
        let evidence = json_of(&env, &format!("out/{id}/evidence.json"));
        let rows: Vec<Value> = serde_json::from_str(&env.read(&format!("out/{id}/result.json"))).unwrap();
        assert_eq!(evidence["tally"]["rows"], rows.len(), "{id}");
        assert_eq!(evidence["ledger"]["sequence"], 1);
        assert_eq!(evidence["ledger"]["read"], 3_000);
        assert_eq!(evidence["facts"]["coverage"]["share"], 1.0);
        let file = fs::File::open(env.path(&format!("out/{id}/result.parquet"))).unwrap();
        let parquet = parquet::file::reader::SerializedFileReader::new(file).unwrap();
        assert_eq!(parquet.metadata().file_metadata().num_rows(), rows.len() as i64);
        let in_tables: u64 = evidence["tables"].as_array().unwrap().iter().map(|t| t["rows"].as_u64().unwrap()).sum();
        assert_eq!(in_tables, 3_000);
        // The screen shows what the folder has.
        let shown = env.ok(["report", "run", id, "--period", "2026-01", "--format", "csv", "-q"]);
        assert_eq!(shown, env.read(&format!("out/{id}/result.csv")));
    }
    let summary = json_of(&env, "out/summary.json");
    assert_eq!(summary["reports"].as_array().unwrap().len(), 3);
    assert_eq!(summary["findings"], json_of(&env, "out/brute-force-by-user/evidence.json")["tally"]["findings"]);
    let index = env.read("out/index.html");
    assert!(ids.iter().all(|id| index.contains(&format!("href=\"{id}/report.html\""))));
}

#[test]
fn the_same_entry_gives_the_same_bytes_and_events_that_come_later_change_nothing() {
    let env = month();
    let args = ["brute-force-by-user", "auth-outcome-summary", "--period", "2026-01", "--xlsx", "-o"];
    run(&env, &[&args[..], &["one"]].concat());
    env.write("late.ndjson", lines(&crate::env::SMALL));
    env.ok(["ingest", "late.ndjson"]);
    run(&env, &[&args[..], &["two", "--as-of", "1"]].concat());
    for id in ["brute-force-by-user", "auth-outcome-summary"] {
        for file in ["result.csv", "result.json", "result.parquet", "result.xlsx"] {
            let read = |run: &str| fs::read(env.path(&format!("{run}/{id}/{file}"))).unwrap();
            assert!(read("one") == read("two"), "{id}/{file}");
        }
    }
    env.ok(["report", "verify", "one"]);
    env.ok(["report", "verify", "two"]);
    // Nothing of a run can be taken away, added or exchanged.
    let harmed = |said: &str| {
        let text = env.run(["report", "verify", "two", "--files-only"]);
        assert!(text.contains(said) && text.contains("[exit status: 6]"), "{text}");
    };
    fs::create_dir(env.path("two/extra")).unwrap();
    harmed("two: extra was added");
    fs::remove_dir(env.path("two/extra")).unwrap();
    env.write("two/index.html", "No finding");
    harmed("two: index.html was changed");
    fs::copy(env.path("one/index.html"), env.path("two/index.html")).unwrap();
    fs::remove_dir_all(env.path("two/brute-force-by-user")).unwrap();
    harmed("two: brute-force-by-user/evidence.json is missing");
}

/// Covers the files beside the folders and in each of them: those that a manifest names, and no others.
#[test]
fn a_manifest_seals_the_whole_run_and_verify_looks_at_all_of_it() {
    let env = month();
    let ids = ["auth-outcome-summary", "brute-force-by-user", "user-provisioning-log"];
    run(&env, &[&ids[..], &["--period", "2026-01", "-o", "out"]].concat());
    let manifest = json_of(&env, "out/manifest.json");
    let mut found: Vec<(String, u64, String)> = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        let text = |key: &str| file[key].as_str().unwrap().to_string();
        found.push((text("name"), file["bytes"].as_u64().unwrap(), text("sha256")));
    }
    found.sort();
    let mut expected: Vec<String> = ids.iter().map(|id| format!("{id}/evidence.json")).collect();
    expected.extend(["index.html", "index.md", "summary.json", "workbook.xlsx"].map(str::to_string));
    expected.sort();
    let expected: Vec<(String, u64, String)> = expected
        .into_iter()
        .map(|name| {
            let bytes = fs::read(env.path(&format!("out/{name}"))).unwrap();
            (name, bytes.len() as u64, sha256(&bytes))
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(manifest["seal"].as_str().unwrap().len(), 64);
    let verify = || env.run(["report", "verify", "out"]);
    let intact = verify();
    for id in ids {
        assert!(intact.contains(&format!("out/{id}: 6 files, as ledger entry 1 gives it")), "{intact}");
    }

    // The last one is checked like the first, and a wrong one does not hide the others.
    let forged = "out/user-provisioning-log/result.csv";
    let csv = env.read(forged);
    env.write(forged, csv.replacen("2026", "2025", 1));
    let text = verify();
    assert!(text.contains("out/user-provisioning-log: result.csv was changed"), "{text}");
    assert!(text.contains("out/brute-force-by-user: 6 files") && text.contains("[exit status: 6]"), "{text}");
    env.write(forged, csv);
    assert!(!verify().contains("exit status"));

    // An attacker who corrects the hash in the manifest too does not have the lake's key.
    let (index, list) = (env.read("out/index.html"), env.read("out/manifest.json"));
    let lie = index.replace("findings", "finding");
    assert_ne!(lie, index);
    env.write("out/index.html", &lie);
    env.write("out/manifest.json", list.replace(&sha256(index.as_bytes()), &sha256(lie.as_bytes())));
    replace(&env.path("out/manifest.json"), &format!(": {},", index.len()), &format!(": {},", lie.len()));
    let text = verify();
    assert!(text.contains("out: manifest.json was changed: its seal is not of this content"), "{text}");
    assert!(text.contains("[exit status: 6]") && !text.contains("index.html was changed"), "{text}");
}

/// A run's index, workbook and manifest once knew nothing of a report that was run again.
#[test]
fn a_report_that_is_run_again_stays_one_of_its_run() {
    let env = month();
    let ids = ["brute-force-by-user", "auth-outcome-summary"];
    run(&env, &[&ids[..], &["--period", "2026-01", "-o", "out"]].concat());
    let old = json_of(&env, "out/summary.json");
    let evidence = |id: &str| env.read(&format!("out/{id}/evidence.json"));
    let (changed, stays) = (evidence(ids[0]), evidence(ids[1]));
    let again = ["--period", "2026-01", "-o", "out", "--replace"];
    let text = run(&env, &[&ids[..1], &["--param", "threshold=12"], &again[..]].concat());
    assert!(!text.contains("exit status"), "{text}");
    assert!(evidence(ids[0]) != changed && evidence(ids[1]) == stays);
    let new = json_of(&env, "out/summary.json");
    let report = |summary: &Value, at: usize| summary["reports"][at].clone();
    assert_eq!(report(&new, 1), report(&old, 1));
    assert_eq!((&report(&old, 0)["findings"], &report(&new, 0)["findings"]), (&json!(2), &json!(1)));
    assert_eq!((new["reports"].as_array().unwrap().len(), &new["findings"]), (2, &json!(1)));
    assert!(env.read("out/index.html").contains("<strong>Findings: 1 high</strong>"));
    env.ok(["report", "verify", "out"]);
    // Another one joins them.
    run(&env, &["user-provisioning-log", "--period", "2026-01", "-o", "out"]);
    let index = env.read("out/index.html");
    assert!(ids.iter().chain(&["user-provisioning-log"]).all(|id| index.contains(&format!("{id}/report.html"))));
    env.ok(["report", "verify", "out"]);

    // A changed report gets no seal this way, unless it is the one that is run again.
    let intact = env.read("out/auth-outcome-summary/evidence.json");
    env.write("out/auth-outcome-summary/evidence.json", intact.replacen("\"user\": \"", "\"user\": \"x", 1));
    let before = evidence(ids[0]);
    let text = run(&env, &[&ids[..1], &again[..]].concat());
    assert!(text.contains("auth-outcome-summary/evidence.json was changed"), "{text}");
    assert!(text.contains("[exit status: 6]") && evidence(ids[0]) == before, "{text}");
    assert!(!run(&env, &[&ids[1..], &again[..]].concat()).contains("exit status"));
    env.ok(["report", "verify", "out"]);

    // One index over two entries or two periods would be wrong.
    env.write("late.ndjson", lines(&crate::env::SMALL));
    env.ok(["ingest", "late.ndjson"]);
    assert_snapshot!(run(&env, &[&ids[..1], &again[..]].concat()), @r"
    ------- stderr -------
    ledger entry 2, sha256 [SHA256]
    error: out holds a run over ledger entry 1, period 2026-01, UTC; this would be one over ledger entry 2, period 2026-01, UTC
    hint: say `--as-of 1` and the same period, or name another directory
    [exit status: 2]
    ");
    let text = run(&env, &[ids[0], "--period", "2026-02", "--as-of", "1", "-o", "out", "--replace"]);
    assert!(text.contains("this would be one over ledger entry 1, period 2026-02, UTC"), "{text}");
    assert!(!run(&env, &[&ids[..1], &again[..], &["--as-of", "1"]].concat()).contains("exit status"));
    env.ok(["report", "verify", "out"]);
    // If all of its reports are run again, it is a new run.
    run(&env, &[&ids[..], &["user-provisioning-log"], &again[..]].concat());
    assert_eq!(json_of(&env, "out/summary.json")["ledger_sequence"], 2);
    env.ok(["report", "verify", "out"]);
}

#[test]
fn evidence_holds_wherever_it_is_moved() {
    let env = month();
    run(&env, &["brute-force-by-user", "--period", "2026-01", "-o", "out", "--xlsx"]);
    env.write("late.ndjson", lines(&crate::env::SMALL));
    env.ok(["ingest", "late.ndjson"]);
    fs::create_dir_all(env.path("elsewhere/deep")).unwrap();
    fs::rename(env.path("out/brute-force-by-user"), env.path("elsewhere/deep/renamed")).unwrap();
    fs::rename(env.path("auditlake-data"), env.path("moved-lake")).unwrap();
    let text = env.run(["report", "verify", "elsewhere/deep/renamed", "--lake", "moved-lake"]);
    assert_snapshot!(text, @"elsewhere/deep/renamed: 7 files, as ledger entry 1 gives it; unsigned: detects accidents, not insiders");
}

/// Copies the folder, changes the copy, and returns what `verify` says.
fn after(env: &Env, harm: impl Fn(&Path)) -> String {
    let copy = env.path("copy");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    for name in names(&env.path("out/brute-force-by-user")) {
        fs::copy(env.path("out/brute-force-by-user").join(&name), copy.join(&name)).unwrap();
    }
    harm(&copy);
    env.run(["report", "verify", "copy"])
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn whatever_is_changed_in_a_folder_is_found() {
    let env = month();
    run(&env, &["brute-force-by-user", "--period", "2026-01", "-o", "out"]);
    assert!(!after(&env, |_| ()).contains("exit status"));
    for name in FILES.iter().filter(|name| **name != "evidence.json") {
        let text = after(&env, |copy| {
            let mut bytes = fs::read(copy.join(name)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(copy.join(name), bytes).unwrap();
        });
        assert!(text.contains(&format!("copy: {name} was changed")) && text.contains("[exit status: 6]"), "{text}");
        let text = after(&env, |copy| fs::remove_file(copy.join(name)).unwrap());
        assert!(text.contains(&format!("copy: {name} is missing")) && text.contains("[exit status: 6]"), "{text}");
    }
    let text = after(&env, |copy| fs::write(copy.join("result (1).csv"), "x").unwrap());
    assert!(text.contains("result (1).csv was added") && text.contains("[exit status: 6]"), "{text}");

    // An attacker who knows the form corrects the hash too: the seal reveals it.
    let forge = |copy: &Path| {
        replace(&copy.join("result.csv"), "@acme.example", "@evil.example");
        let evidence = copy.join("evidence.json");
        let value: Value = serde_json::from_str(&fs::read_to_string(&evidence).unwrap()).unwrap();
        let file = value["files"].as_array().unwrap().iter().find(|file| file["name"] == "result.csv").unwrap();
        let new = sha256(&fs::read(copy.join("result.csv")).unwrap());
        replace(&evidence, file["sha256"].as_str().unwrap(), &new);
    };
    let text = after(&env, forge);
    assert!(text.contains("its seal is not of this content") && !text.contains("when run again"), "{text}");
    assert!(text.contains("[exit status: 6]"), "{text}");
    // A verdict is not covered by any other file's hash.
    let text = after(&env, |copy| replace(&copy.join("evidence.json"), "\"user\": \"", "\"user\": \"x"));
    assert!(text.contains("its seal is not of this content") && text.contains("[exit status: 6]"), "{text}");
}

#[test]
fn a_lake_that_is_not_what_it_was_is_found() {
    let env = month();
    run(&env, &["brute-force-by-user", "--period", "2026-01", "-o", "out"]);
    let verify = || env.run(["report", "verify", "out"]);
    let entry = env.path("auditlake-data/_ledger/00000000000000000001.json");
    let intact = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, intact.replace("\"read\":3000", "\"read\":3001")).unwrap();
    let text = verify();
    // The tables know the newest entry by its hash, so that nobody gets as far as the evidence.
    assert!(text.contains("a ledger entry 1 with other content") && text.contains("[exit status: 6]"), "{text}");
    fs::write(&entry, &intact).unwrap();
    assert!(!verify().contains("exit status"));

    let data = crate::soundness::files(&env.path("auditlake-data/authentication"));
    let data = data.iter().find(|name| name.ends_with(".parquet") && !name.contains("_delta_log")).unwrap();
    let path = env.path("auditlake-data/authentication").join(data);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let text = verify();
    assert!(text.contains("was changed in the lake") && text.contains("[exit status: 6]"), "{text}");

    // Damage of the lake is not a reason to doubt the files.
    assert!(!env.run(["report", "verify", "out", "--files-only"]).contains("exit status"));
    // Another lake proves nothing, and the files alone can still be checked.
    env.write("small.ndjson", lines(&crate::env::SMALL));
    env.ok(["ingest", "small.ndjson", "--lake", "other"]);
    let text = env.run(["report", "verify", "out", "--lake", "other"]);
    assert!(text.contains("is another lake") && text.contains("[exit status: 2]"), "{text}");
    assert!(!env.run(["report", "verify", "out", "--files-only"]).contains("exit status"));
}

#[test]
fn evidence_is_not_written_over_unless_asked() {
    let env = month();
    let args = ["auth-outcome-summary", "--period", "2026-01", "-o", "out"];
    run(&env, &args);
    let first = env.read("out/auth-outcome-summary/evidence.json");
    assert_snapshot!(run(&env, &args), @r"
    ------- stderr -------
    ledger entry 1, sha256 [SHA256]
    error: out/auth-outcome-summary already exists
    hint: evidence is never overwritten: choose another directory, or pass --replace
    [exit status: 2]
    ");
    assert_eq!(env.read("out/auth-outcome-summary/evidence.json"), first);
    run(&env, &[&args[..], &["--replace"]].concat());
    assert_ne!(env.read("out/auth-outcome-summary/evidence.json"), first);
    assert_eq!(names(&env.path("out")), ["auth-outcome-summary"]);
}

#[test]
fn nothing_found_over_a_hole_is_no_pass() {
    let env = month();
    let verdict = |period: &str, more: &[&str]| {
        let text = run(&env, &[&["brute-force-by-user", "--period", period, "-q"], more].concat());
        text.lines().filter(|line| line.starts_with('[')).collect::<String>()
    };
    let fail = ["--fail-on", "low", "--format", "csv"];
    assert_eq!(verdict("2026-01", &[]), "");
    assert_eq!(verdict("2026-01", &fail), "[exit status: 1]");
    assert_eq!(verdict("2026-01", &["--fail-on", "critical", "--format", "csv"]), "");
    assert_eq!(verdict("2026-03", &fail), "[exit status: 4]");
    assert_eq!(verdict("2026-03", &[]), "");
    // A fortnight in, the log ends: half of the period is missing.
    run(&env, &["brute-force-by-user", "--period", "2026-01-31..2026-02-04", "-o", "out"]);
    let evidence = json_of(&env, "out/brute-force-by-user/evidence.json");
    assert_eq!(evidence["verdict"], "not assessable");
    let share = evidence["facts"]["coverage"]["share"].as_f64().unwrap();
    assert!((0.2..0.3).contains(&share), "{share}");
    assert_eq!(evidence["facts"]["coverage"]["gaps"][0]["kind"], "trailing");
    let page = env.read("out/brute-force-by-user/report.html");
    assert!(page.contains("No finding, but not assessable (7"), "{page}");
    assert!(!page.contains(">No finding<"));
    // A quiet period that the log covers.
    run(&env, &["brute-force-by-user", "--period", "2026-01-20..2026-01-22", "-o", "quiet"]);
    assert_eq!(json_of(&env, "quiet/brute-force-by-user/evidence.json")["verdict"], "none");
}

#[test]
fn continuous_integration_gets_each_finding() {
    let env = month();
    let text = run(
        &env,
        &[
            "brute-force-by-user",
            "auth-outcome-summary",
            "--period",
            "2026-01",
            "-o",
            "out",
            "--junit",
            "ci/j.xml",
            "--fail-on",
            "high",
        ],
    );
    // A missing directory is not created for a file.
    assert!(text.contains("cannot write ci/j.xml") && text.contains("[exit status: 3]"), "{text}");
    run(
        &env,
        &[
            "brute-force-by-user",
            "auth-outcome-summary",
            "--period",
            "2026-01",
            "-o",
            "out",
            "--replace",
            "--junit",
            "j.xml",
            "--sarif",
            "s.json",
            "--summary-json",
            "r.json",
            "--metrics",
            "m.prom",
        ],
    );
    let rows: Vec<Value> = serde_json::from_str(&env.read("out/brute-force-by-user/result.json")).unwrap();
    let junit = env.read("j.xml");
    assert_eq!(junit.matches("<failure ").count(), rows.len());
    assert!(junit.contains("<testsuite name=\"auth-outcome-summary\" tests=\"1\" failures=\"0\""), "{junit}");
    let sarif = json_of(&env, "s.json");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), rows.len());
    assert_eq!(results[0]["partialFingerprints"]["findingKey/v1"], rows[0]["finding_key"]);
    assert_eq!(json_of(&env, "r.json")["reports"][0]["findings"], rows.len());
    let metrics = env.read("m.prom");
    assert!(metrics.contains("auditlake_report_coverage_ratio{schedule=\"\",report=\"auth-outcome-summary\"} 1\n"));
}

#[test]
fn a_finding_that_is_explained_stays_in_the_result_and_leaves_the_verdict() {
    let env = month();
    run(&env, &["brute-force-by-user", "--period", "2026-01", "-o", "before"]);
    let rows: Vec<Value> = serde_json::from_str(&env.read("before/brute-force-by-user/result.json")).unwrap();
    let mut file = String::new();
    let mut add = |finding: &str, expires: &str| {
        file.push_str(&format!(
            "[[suppression]]\nfinding = {}\nreason = \"a <test> of ours\"\nowner = \"sec@corp.example\"\nexpires = \"{expires}\"\n",
            json!(finding)
        ));
    };
    for row in &rows {
        add(row["finding_key"].as_str().unwrap(), "2999-12-31");
    }
    add("brute-force-by-user|nobody|1", "2999-12-31");
    add("brute-force-by-user|gone|1", "2020-12-31");
    env.write("s.toml", file);
    let text = run(
        &env,
        &["brute-force-by-user", "--period", "2026-01", "-o", "after", "--suppressions", "s.toml", "--fail-on", "low"],
    );
    assert!(
        text.contains(&format!("no finding, {} suppressed, 2 suppressions expired or unused", rows.len())),
        "{text}"
    );
    assert!(!text.contains("exit status"), "{text}");
    let evidence = json_of(&env, "after/brute-force-by-user/evidence.json");
    assert_eq!(evidence["verdict"], "none");
    assert_eq!(evidence["suppressions"]["unused"], json!(["brute-force-by-user|nobody|1"]));
    assert_eq!(evidence["suppressions"]["expired"][0]["finding"], "brute-force-by-user|gone|1");
    let read = |run: &str| env.read(&format!("{run}/brute-force-by-user/result.csv"));
    assert_eq!(read("before"), read("after"));
    assert!(env.read("after/brute-force-by-user/report.html").contains("a &lt;test&gt; of ours"));
    env.ok(["report", "verify", "after"]);
}

#[test]
fn two_runs_are_compared_by_finding() {
    let env = month();
    for (period, name) in [("2026-01-01..2026-01-15", "a"), ("2026-01", "b")] {
        run(&env, &["brute-force-by-user", "--period", period, "-o", name]);
    }
    let keys = |name: &str| -> Vec<String> {
        let rows: Vec<Value> =
            serde_json::from_str(&env.read(&format!("{name}/brute-force-by-user/result.json"))).unwrap();
        rows.iter().map(|row| row["finding_key"].as_str().unwrap().to_string()).collect()
    };
    let diff = |args: &[&str]| env.run([&["report", "diff"], args].concat());
    let (a, b) = ("a/brute-force-by-user", "b/brute-force-by-user");
    let text = diff(&[a, b]);
    let (before, after) = (keys("a"), keys("b"));
    let new = after.iter().filter(|key| !before.contains(key)).count();
    let gone = before.iter().filter(|key| !after.contains(key)).count();
    assert!(text.contains(&format!("{new} new, {gone} gone, {} unchanged", before.len() - gone)), "{text}");
    assert!(diff(&[a, a]).contains("0 new, 0 gone") && !diff(&[a, a]).contains("exit status"));
    // In the other direction the new findings are gone.
    assert!(diff(&[b, a]).contains(&format!("{gone} new, {new} gone")), "{}", diff(&[b, a]));
    let only = env.command(["report", "diff", b, a, "--new-only", "-q"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&only.stdout).lines().count(), gone);
    run(&env, &["auth-outcome-summary", "--period", "2026-01", "-o", "c"]);
    assert!(diff(&[a, "c/auth-outcome-summary"]).contains("cannot compare"));
}

#[test]
fn a_selection_runs_what_it_can_and_says_what_it_cannot() {
    let env = month();
    env.write("own/about-one.sql", crate::evidence::OWN);
    env.write("auditlake.toml", "[report]\ndirectory = \"own\"\n");
    let text = run(&env, &["--all", "--period", "2026-01", "-o", "out"]);
    assert!(
        text.contains("about-one: no part of this run: it is about one subject; run it alone with `actor`"),
        "{text}"
    );
    assert!(!text.contains("exit status"), "{text}");
    let summary = json_of(&env, "out/summary.json");
    let of =
        |id: &str| summary["reports"].as_array().unwrap().iter().find(|report| report["id"] == id).unwrap().clone();
    assert_eq!(of("brute-force-by-user")["state"], "done");
    assert!(!env.path("out/about-one").exists() && !summary["reports"].to_string().contains("about-one"));
    // A user who names it among others means it, and learns what it lacks.
    let text = run(&env, &["about-one", "brute-force-by-user", "--period", "2026-01", "-o", "two"]);
    assert!(text.contains("about-one: not run: it needs parameter `actor`"), "{text}");
    assert_eq!(json_of(&env, "two/summary.json")["reports"][0]["state"], "skipped");
    let text = run(&env, &["--controls", "SOC2 CC1.*", "--period", "2026-01", "-o", "cc1", "--param", "actor=x"]);
    assert!(text.contains("about-one: "), "{text}");
    assert_eq!(names(&env.path("cc1")), ["about-one"]);
    let text = run(&env, &["--all", "--period", "2026-01"]);
    assert!(text.contains("reports cannot share one output") && text.contains("[exit status: 2]"), "{text}");
    let text = run(&env, &["--all", "--period", "2026-01", "-o", "x", "--param", "nobody=1"]);
    assert!(text.contains("none of the reports has a parameter `nobody`"), "{text}");
}

/// A report of the user's own: it needs a parameter, and names a control that no other report does.
pub const OWN: &str = "--- report\n-- id = \"about-one\"\n-- title = \"About one\"\n-- question = \"?\"\n\
    -- kind = \"evidence listing\"\n-- order = \"time, event_uid\"\n-- [controls]\n-- soc2 = [\"CC1.1\"]\n\
    -- [parameters]\n-- from = { type = \"timestamp\" }\n-- to = { type = \"timestamp\" }\n-- actor = { type = \"string\" }\n\
    -- [columns]\n-- time = \"timestamp\"\n-- event_uid = \"string\"\n---\n\
    select time, event_uid from event where actor_uid = $actor and time >= $from and time < $to order by time, event_uid\n";

#[test]
fn periods_follow_the_time_zone() {
    let env = month();
    let args = ["auth-outcome-summary", "--period", "2026-01-10", "--tz", "Europe/Berlin", "-o", "out"];
    run(&env, &args);
    let evidence = json_of(&env, "out/auth-outcome-summary/evidence.json");
    let value = |name: &str| {
        let all = evidence["parameters"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["value"].as_str().unwrap().to_string()
    };
    assert_eq!(value("from"), "2026-01-09T23:00:00Z");
    assert_eq!(value("to"), "2026-01-10T23:00:00Z");
    assert_eq!(value("tz"), "Europe/Berlin");
    assert!(
        run(&env, &["auth-outcome-summary", "--period", "2026-01", "--tz", "Berlin"]).contains("no time zone `Berlin`")
    );
}

/// Events whose people, addresses and privileges are code to somebody, and a report that shows all of it.
const HOSTILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hostile");

#[test]
fn hostile_content_is_text_in_every_form() {
    let env = Env::new();
    for (from, to) in [("events.ndjson", "hostile.ndjson"), ("hostile.sql", "own/hostile.sql")] {
        env.write(to, fs::read(format!("{HOSTILE}/{from}")).unwrap());
    }
    env.ok(["ingest", "hostile.ndjson"]);
    env.write("auditlake.toml", "[report]\ndirectory = \"own\"\n");
    let period = ["--period", "2026-01-01", "--param", "note=</script><b>", "--xlsx"];
    run(&env, &[&["hostile", "-o", "out"], &period[..]].concat());
    let page = env.read("out/hostile/report.html");
    // One script and one style, which are ours, and a policy that names just these.
    for tag in ["<script", "</script", "<style", "</style", "<main", "</main", "<table class=\"result cards\""] {
        assert_eq!(page.matches(tag).count(), 1, "{tag}");
    }
    for forbidden in ["<img", "onerror=alert(1)>", "<svg onload", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-") && !page.contains("unsafe"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\\u{202e}gpj.exe"));
    let csv = env.read("out/hostile/result.csv");
    assert!(csv.contains("\"'=HYPERLINK(") && csv.contains("'@SUM("), "{csv}");
    let rows: Vec<Value> = serde_json::from_str(&env.read("out/hostile/result.json")).unwrap();
    let formula = "=HYPERLINK(\"http://evil.example\",\"x\")";
    assert_eq!(rows[3]["privilege"], formula, "JSON has the value as it is");
    // What is escaped is text.
    let markdown = env.read("out/hostile/report.md").replace(r"\]", "").replace(r"\<", "");
    assert!(!markdown.contains("](") && !markdown.contains("<script") && !markdown.contains("http://"), "{markdown}");
    let junit = ["--junit", "-", "-o", "rows.csv"];
    let text = env.ok([&["report", "run", "hostile", "-q"], &period[..4], &junit[..]].concat());
    assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
    env.ok(["report", "verify", "out"]);
}

/// A projection above the sort once let the engine give the rows in pieces.
#[test]
fn a_hundred_thousand_rows_come_in_their_order_and_the_page_says_what_it_shows() {
    let env = Env::with_small();
    env.write("own/many.sql", fs::read(format!("{HOSTILE}/many.sql")).unwrap());
    env.write("auditlake.toml", "[report]\ndirectory = \"own\"\n");
    run(&env, &["many", "-o", "out"]);
    let csv = env.read("out/many/result.csv");
    let numbers: Vec<u64> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=100_000).collect::<Vec<_>>());
    let page = env.read("out/many/report.html");
    assert!(page.contains("5,000 of 100,000 rows, the most severe first") && page.len() < 8 << 20);
    assert_eq!(page.matches("<tr><td class=\"v ").count(), 5_000);
}

#[test]
fn a_report_of_ones_own_is_started_checked_and_run() {
    let env = month();
    let text = env.run(["report", "new", "noisy-addresses", "--dir", "own"]);
    assert!(!text.contains("exit status"), "{text}");
    assert!(!env.run(["report", "check", "own"]).contains("exit status"));
    assert_snapshot!(env.run(["report", "check", "own"]), @"own/noisy-addresses.sql: fine");
    env.write("auditlake.toml", "[report]\ndirectory = \"own\"\n");
    let rows = env.ok(["report", "run", "noisy-addresses", "--period", "2026-01", "-q", "--format", "ndjson"]);
    assert!(rows.lines().count() > 0);
    assert!(env.run(["report", "new", "noisy-addresses", "--dir", "own"]).contains("is there already"));
    assert!(env.run(["report", "new", "brute-force-by-user", "--dir", "own"]).contains("already"));

    let good = env.read("own/noisy-addresses.sql");
    let breaks = [
        ("CC7.2", "CC99", "`CC99` is not a control of soc2"),
        ("soc2 =", "sox =", "no framework `sox`"),
        ("-- last_time = \"timestamp\"", "-- latest = \"timestamp\"", "is not what its head says: columns"),
        ("-- last_time = \"timestamp\"", "-- last_time = \"string\"", "is not what its head says: column `last_time`"),
        ("x = \"src_ip\"", "x = \"source\"", "the chart names `source`, which is not a column of the report"),
        ("answers = [\"src_ip\"", "answers = [\"source\"", "line 9: `answers` names `source`, which is not a column"),
        ("from logon", "from logons", "logons"),
        ("$at_least\n", "$at_most\n", "`$at_most` is no parameter"),
        ("id = \"noisy-addresses\"", "id = \"brute-force-by-user\"", "is taken"),
        ("kind = \"detection\"", "kind = \"detective\"", "line 6"),
    ];
    for (from, to, said) in breaks {
        assert!(good.contains(from), "{from}");
        env.write("own/noisy-addresses.sql", good.replacen(from, to, 1));
        let text = env.run(["report", "check", "own"]);
        assert!(text.contains(said) && text.contains("[exit status: 1]"), "{from} -> {to}: {text}");
    }
}
