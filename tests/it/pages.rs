//! The index by control, months of a period, reviews that are signed off, and packages that are checked without us.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::env::Env;
use crate::soundness::names;

fn run(env: &Env, args: &[&str]) -> String {
    let text = env.run([&["report", "run"], args].concat());
    assert!(!text.contains("[exit status"), "{text}");
    text
}

fn json_of(env: &Env, name: &str) -> Value {
    serde_json::from_str(&env.read(name)).unwrap()
}

fn control(summary: &Value, framework: &str, id: &str) -> Value {
    let frameworks = summary["frameworks"].as_array().unwrap();
    let framework = frameworks.iter().find(|one| one["id"] == framework).unwrap();
    framework["controls"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
}

#[test]
fn controls_of_a_framework_are_listed_with_and_without_reports() {
    let env = Env::new();
    let text = env.ok(["report", "list", "--framework", "PCI DSS", "--format", "csv"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "control,title,reports");
    assert!(lines.contains(&"7.2.5,Application and system accounts are managed,service-account-review"), "{text}");
    assert!(lines.contains(&"10.7.3,Failures of security controls are responded to,"), "{text}");
    assert_snapshot!(env.run(["report", "list", "--framework", "sox"]), @r"
    ------- stderr -------
    error: no framework `sox`
    hint: it is one of soc2, iso, nist, csf, pci, hipaa, gdpr, cis
    [exit status: 2]
    ");
}

/// An officer opens the index and sees where each control stands, and what came since the month before.
#[test]
fn the_index_stands_control_by_control_and_says_what_changed() {
    let env = Env::with_events(3_000);
    let ids = ["brute-force-by-user", "password-spray-by-ip", "auth-outcome-summary"];
    let period = ["--period", "2026-01", "-o"];
    run(&env, &[&ids[..], &["--param", "threshold=12"], &period, &["before"]].concat());
    run(&env, &[&ids[..], &period, &["now", "--compare", "before"]].concat());
    let summary = json_of(&env, "now/summary.json");
    let found = &summary["reports"][0];
    // Another threshold makes other episodes: the one of before is gone.
    let numbers = [&found["findings"], &found["change"]["new"], &found["change"]["gone"]].map(Value::as_u64);
    assert_eq!(numbers, [Some(2), Some(2), Some(1)]);
    let lockouts = control(&summary, "pci", "8.3.4");
    assert_eq!(lockouts["standing"], "findings");
    assert_eq!(lockouts["change"]["new"], 2);
    assert_eq!(control(&summary, "soc2", "CC6.8")["standing"], "no report");
    assert_eq!(control(&summary, "pci", "8.2.6")["standing"], "not run");
    let page = env.read("now/index.html");
    assert!(page.contains("<strong>Findings: 1 high</strong>"), "no headline by severity");
    assert!(page.find("By control").unwrap() < page.find("By report").unwrap());
    assert!(page.contains("<b>8.3.4</b> Accounts lock after ten failures at the latest"));
    assert!(page.contains("2 new, 1 gone") && page.contains("Compared with"));
    let text = env.read("now/index.md");
    assert!(text.contains("| CC6.8 | Unauthorised software is prevented or found | no report |"), "{text}");
    env.ok(["report", "verify", "now"]);
    assert_snapshot!(env.run(["report", "run", ids[0], "--period", "2026-01", "-o", "x", "--compare", "nowhere"]), @r"
    ------- stderr -------
    error: cannot compare with nowhere: it holds no run of these reports
    hint: name the directory of an earlier `report run -o DIR`
    [exit status: 2]
    ");
}

/// A quarter once left the monthly summary out, and asked for a subject that nobody could mean.
#[test]
fn a_quarter_runs_a_monthly_report_for_each_of_its_months() {
    let env = Env::with_events(3_000);
    let ids = ["monthly-executive-summary", "auth-outcome-summary"];
    run(&env, &[&ids[..], &["--period", "2026-Q1", "-o", "out"]].concat());
    for month in ["2026-01", "2026-02", "2026-03"] {
        let evidence = json_of(&env, &format!("out/monthly-executive-summary.{month}/evidence.json"));
        assert_eq!(evidence["period"]["text"], month);
        assert!(env.read("out/index.html").contains(&format!("Monthly executive summary, {month}</a>")));
    }
    assert_eq!(json_of(&env, "out/summary.json")["reports"].as_array().unwrap().len(), 4);
    env.ok(["report", "verify", "out"]);
    // Alone too, and nothing where no month is whole.
    run(&env, &["monthly-executive-summary", "--period", "2026-Q1", "-o", "alone"]);
    assert_eq!(json_of(&env, "alone/summary.json")["reports"].as_array().unwrap().len(), 3);
    let text = env.run(["report", "run", ids[0], "--period", "2026-01-10..2026-01-20", "-o", "short"]);
    assert!(text.contains("is about one month") && text.contains("[exit status: 2]"), "{text}");

    let text = run(&env, &["--controls", "NIST AU-7", "--period", "2026-01", "-o", "batch"]);
    assert!(text.contains("actor-timeline: no part of this run: it is about one subject"), "{text}");
    assert!(!env.read("batch/summary.json").contains("actor-timeline\",\n      \"title"), "it is no part of it");
}

#[test]
fn a_review_is_signed_off_row_by_row_and_stays_checked() {
    let env = Env::with_events(3_000);
    let id = "user-provisioning-log";
    run(&env, &[id, "auth-outcome-summary", "--period", "2026-01", "-o", "out"]);
    let folder = format!("out/{id}");
    let attest = |args: &[&str]| env.run([&["report", "attest", &folder], args].concat());
    let said = attest(&["--template", "open.csv"]);
    assert!(!said.contains("exit status"), "{said}");
    let template = env.read("open.csv");
    assert!(template.starts_with("finding,decision,reason,reviewer,date,time,outcome,"), "{template}");
    let keys: Vec<&str> = template.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(keys.len(), 4);
    let file = |lines: &[String]| format!("finding,decision,reason,reviewer,date\n{}\n", lines.join("\n"));
    let mut lines: Vec<String> = keys.iter().map(|key| format!("{key},keep,needed,Ann,2026-02-03")).collect();
    lines[1] = format!("{},revoke,left the team <b>,Ann,2026-02-03", keys[1]);

    env.write("short.csv", file(&lines[1..]));
    let said = attest(&["--decisions", "short.csv", "--by", "Ann"]);
    assert!(said.contains("cannot attest: 1 row without a decision") && said.contains("[exit status: 2]"), "{said}");
    env.write("other.csv", file(&[&lines[..], &["nobody,keep,,Ann,2026-02-03".to_string()]].concat()));
    let said = attest(&["--decisions", "other.csv", "--by", "Ann"]);
    assert!(said.contains("the report has no row `nobody`") && said.contains("[exit status: 2]"), "{said}");
    env.write("twice.csv", file(&[&lines[..], &lines[..1]].concat()));
    let said = attest(&["--decisions", "twice.csv", "--by", "Ann"]);
    assert!(said.contains("has a decision already") && said.contains("[exit status: 2]"), "{said}");
    assert!(!names(&env.path(&folder)).iter().any(|name| name.starts_with("attestation")));

    env.write("done.csv", file(&lines));
    let said = attest(&["--decisions", "done.csv", "--by", "Ann Auditor"]);
    assert!(said.contains("reviewed by Ann Auditor: 3 keep, 1 revoke"), "{said}");
    let page = env.read(&format!("{folder}/review-1.html"));
    assert!(page.contains("left the team &lt;b&gt;") && page.contains("Ann Auditor"));
    assert!(env.read("out/index.html").contains("reviewed by Ann Auditor: 3 keep, 1 revoke"));
    let verify = || env.run(["report", "verify", "out"]);
    let said = verify();
    assert!(said.contains("note: reviewed by Ann Auditor") && !said.contains("exit status"), "{said}");

    // A second one follows the first, and neither can be changed or taken away.
    assert!(attest(&["--by", "Bo"]).contains("reviewed by Bo: no row decided on its own"));
    assert!(!verify().contains("exit status"));
    for (name, from, to) in
        [("attestation-1.json", "revoke", "keep  "), ("review-1.html", "left the team", "is still here")]
    {
        let path = env.path(&format!("{folder}/{name}"));
        let intact = fs::read_to_string(&path).unwrap();
        fs::write(&path, intact.replace(from, to)).unwrap();
        assert!(verify().contains("[exit status: 6]"), "{name} was changed");
        let said = attest(&["--by", "Cleo"]);
        assert!(said.contains("[exit status: 6]"), "{said}");
        fs::remove_file(&path).unwrap();
        assert!(verify().contains("[exit status: 6]"), "{name} was taken away");
        fs::write(&path, intact).unwrap();
    }
    assert!(!verify().contains("exit status"));
    // Whoever takes the last one away leaves the manifest.
    fs::remove_file(env.path(&format!("{folder}/attestation-2.json"))).unwrap();
    fs::remove_file(env.path(&format!("{folder}/review-2.html"))).unwrap();
    assert!(verify().contains("attestation-2.json is missing"));
}

/// Runs the commands of the text in a package as they are written; returns whether they succeeded, and their output.
fn check(env: &Env, folder: &str) -> (bool, String) {
    let text = env.read(&format!("{folder}/CHECK.txt"));
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands.len() > 5, "{text}");
    let script = format!("set -e\n{}\n", commands.join("\n"));
    let output = Command::new("sh").arg("-c").arg(script).current_dir(env.path(folder)).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn unpack(env: &Env, package: &str, into: &str) {
    let file = fs::File::open(env.path(package)).unwrap();
    zip::ZipArchive::new(file).unwrap().extract(env.path(into)).unwrap();
}

#[test]
fn a_package_is_checked_by_the_commands_of_its_text() {
    let env = Env::with_events(3_000);
    env.ok(["key", "signing", "create", "signing.key"]);
    env.write("auditlake.toml", "[signing]\nkey = { file = \"signing.key\" }\n");
    let ids = ["brute-force-by-user", "user-provisioning-log"];
    run(&env, &[&ids[..], &["--period", "2026-01", "-o", "out", "--xlsx"]].concat());
    env.ok(["report", "attest", "out/user-provisioning-log", "--by", "Ann"]);
    let said = env.run(["report", "pack", "out"]);
    assert!(said.contains("out.zip: ") && said.contains(" files, signed"), "{said}");
    unpack(&env, "out.zip", "away");
    let (is_fine, said) = check(&env, "away/out");
    assert!(is_fine && said.trim() == "Signature Verified Successfully", "{said}");
    let packed = names(&env.path("away/out"));
    for name in
        ["CHECK.txt", "SHA256SUMS", "SHA256SUMS.sig", "index.html", "manifest.json", "public-key.pem", "workbook.xlsx"]
    {
        assert!(packed.contains(&name.to_string()), "{packed:?}");
    }
    assert!(names(&env.path("away/out/user-provisioning-log")).contains(&"attestation-1.json".to_string()));
    // The same evidence gives the same package, and what was unpacked is the evidence still.
    env.ok(["report", "pack", "out", "-o", "again.zip"]);
    assert!(fs::read(env.path("out.zip")).unwrap() == fs::read(env.path("again.zip")).unwrap());
    assert!(env.run(["report", "pack", "out"]).contains("is there already"));

    // What is changed or missing is found by each of the steps.
    let harm = |what: &dyn Fn()| {
        fs::remove_dir_all(env.path("away")).unwrap();
        unpack(&env, "out.zip", "away");
        what();
        let (is_fine, said) = check(&env, "away/out");
        assert!(!is_fine || said.contains("is missing or was changed"), "{said}");
        said
    };
    let csv = env.path("away/out/brute-force-by-user/result.csv");
    let said = harm(&|| fs::write(&csv, "nothing\n").unwrap());
    assert!(said.contains("result.csv: FAILED"), "{said}");
    let sums = env.path("away/out/SHA256SUMS");
    let said = harm(&|| {
        fs::write(&csv, "nothing\n").unwrap();
        let text = fs::read_to_string(&sums).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.ends_with("result.csv")).collect();
        fs::write(&sums, kept.join("\n") + "\n").unwrap();
    });
    assert!(said.contains("Signature Verification Failure"), "{said}");

    // What is not as its run wrote it is not packed.
    let page = env.path("out/brute-force-by-user/report.html");
    fs::write(&page, "No finding").unwrap();
    let said = env.run(["report", "pack", "out", "-o", "bad.zip"]);
    assert!(said.contains("report.html was changed") && said.contains("[exit status: 6]"), "{said}");
    assert!(!env.path("bad.zip").exists());
}

#[test]
fn an_unsigned_package_says_so_and_names_the_hash_to_compare() {
    let env = Env::with_events(3_000);
    run(&env, &["brute-force-by-user", "--period", "2026-01", "-o", "out"]);
    let said = env.run(["report", "pack", "out/brute-force-by-user", "-o", "one.zip"]);
    let told = said.split("has the sha256 ").nth(1).unwrap().split(':').next().unwrap().to_string();
    unpack(&env, "one.zip", "away");
    let (is_fine, said) = check(&env, "away/brute-force-by-user");
    assert!(is_fine, "{said}");
    let sums = fs::read(env.path("away/brute-force-by-user/SHA256SUMS")).unwrap();
    assert!(told == "[SHA256]" || told == crate::soundness::sha256(&sums));
    assert!(said.contains(&crate::soundness::sha256(&sums)), "{said}");
    assert!(env.read("away/brute-force-by-user/CHECK.txt").contains("The package is not signed"));
}

/// Rows of a page come by severity, and a number as people write it.
#[test]
fn a_page_shows_severe_rows_first_and_the_rest_of_a_row_in_its_detail() {
    let env = Env::with_events(3_000);
    run(&env, &["brute-force-by-user", "auth-outcome-summary", "--period", "2026-01", "-o", "out"]);
    let page = env.read("out/brute-force-by-user/report.html");
    let heads: Vec<&str> =
        page.split("<button type=\"button\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(heads[..4], ["severity", "subject", "failures", "success time"]);
    assert!(page.contains("<summary>more</summary><p><b>subject uid</b> "), "no detail");
    assert!(page.contains("<h2>How to read this, and its limits</h2>"));
    assert!(page.contains("@bottom-left { content: \"brute-force-by-user 2026-01 "), "no foot on paper");
    let page = env.read("out/auth-outcome-summary/report.html");
    assert!(page.contains(" %</td>") && !page.contains(">0.0"), "a rate is no percentage");
}

/// Every report of the catalogue runs over a lake, in one run, and its page says how to read it.
#[test]
fn all_reports_run_at_once_and_each_says_how_to_read_it() {
    let env = Env::with_events(3_000);
    let text = env.run(["report", "run", "--all", "--period", "2026-01", "-o", "out", "--fail-on", "critical"]);
    assert!(!text.contains("error:") && !text.contains("[exit status: 3]"), "{text}");
    let summary = json_of(&env, "out/summary.json");
    let reports = summary["reports"].as_array().unwrap();
    assert_eq!(reports.len(), 51, "all but the one about a subject");
    for report in reports {
        let id = report["id"].as_str().unwrap();
        assert_eq!(report["state"], "done", "{report}");
        assert!(env.read(&format!("out/{id}/report.html")).contains("How to read this, and its limits"), "{id}");
    }
    let standings = |framework: &Value| -> Vec<String> {
        let controls = framework["controls"].as_array().unwrap();
        controls.iter().map(|control| control["standing"].as_str().unwrap().to_string()).collect()
    };
    for framework in summary["frameworks"].as_array().unwrap() {
        let all = standings(framework);
        assert!(all.iter().any(|one| one == "no report") && all.iter().any(|one| one == "findings"), "{framework}");
    }
}
