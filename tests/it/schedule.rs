//! `auditlake report due` and `schedule`: each schedule runs once, in order, and is recorded.

use std::fs;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::Value;

use crate::env::{Env, lines};
use crate::soundness::names;

const CONFIG: &str = r#"
[[schedule]]
name = "weekly"
reports = ["brute-force-by-user", "auth-outcome-summary"]
period = "last-week"
calendar = "Mon *-*-* 06:00"
time_zone = "Europe/Berlin"
output = "evidence"
since = "2026-01-10"
"#;

fn with(config: &str) -> Env {
    let env = Env::with_events(3_000);
    env.write("auditlake.toml", config);
    env
}

fn due(env: &Env, now: &str, more: &[&str]) -> String {
    env.run([&["report", "due", "--now", now], more].concat())
}

/// Returns the bodies of the run log, without parts that change from run to run.
fn runs(env: &Env) -> Vec<Value> {
    let dir = env.path("auditlake-data/_runs");
    let files = names(&dir).into_iter().filter(|name| name.ends_with(".json"));
    files.map(|name| serde_json::from_str(&fs::read_to_string(dir.join(name)).unwrap()).unwrap()).collect()
}

#[test]
fn missed_weeks_are_caught_up_in_order_and_run_once() {
    let env = with(CONFIG);
    assert_snapshot!(due(&env, "2026-01-20T12:00Z", &["--dry-run"]), @r"
    2026-01-12T05:00Z weekly
    2026-01-19T05:00Z weekly
    ");
    let text = due(&env, "2026-01-20T12:00Z", &["--metrics", "m.prom"]);
    assert!(!text.contains("exit status"), "{text}");
    assert_eq!(names(&env.path("evidence/weekly")), ["2026-01-05..2026-01-12", "2026-01-12..2026-01-19"]);
    let found: Vec<String> = runs(&env).iter().map(|run| run["due_ms"].to_string()).collect();
    // 06:00 in Berlin is 05:00 UTC in winter.
    assert_eq!(found, ["1768194000000", "1768798800000"]);
    // The log is checked with the lake, and has the same access.
    let first = env.path("auditlake-data/_runs/00000000000000000001.json");
    let whole = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    let text = env.run(["verify", "--level", "0"]);
    assert!(text.contains("_runs: the run log is broken at") && text.contains("[exit status: 6]"), "{text}");
    fs::write(&first, whole).unwrap();
    env.ok(["verify", "--level", "0"]);
    assert!(!env.run(["doctor"]).contains("act   modes"));
    let evidence = env.read("evidence/weekly/2026-01-05..2026-01-12/auth-outcome-summary/evidence.json");
    assert!(evidence.contains("2026-01-04T23:00:00Z") && evidence.contains("Europe/Berlin"), "{evidence}");
    let metrics = env.read("m.prom");
    assert!(
        metrics.contains(
            "auditlake_report_last_success_timestamp_seconds{schedule=\"weekly\",report=\"brute-force-by-user\"} 1768910400\n"
        ),
        "{metrics}"
    );
    assert_eq!(metrics.matches("severity=\"high\"").count(), 2, "one line a report: {metrics}");
    // Again at once: nothing.
    assert_eq!(due(&env, "2026-01-20T12:01Z", &[]), "");
    assert_eq!(runs(&env).len(), 2);
    assert!(due(&env, "2026-01-26T05:00Z", &[]).contains("weekly of 2026-01-26T05:00Z"));
    env.ok(["report", "verify", "evidence/weekly/2026-01-19..2026-01-26"]);
    // The runs are in one chain: a missing or replaced folder is noticed.
    let runs = || env.run(["report", "verify", "--runs"]);
    let text = runs();
    assert!(text.contains("evidence/weekly/2026-01-19..2026-01-26: 2 reports, as entry"), "{text}");
    assert!(!text.contains("exit status"), "{text}");
    let folder = env.path("evidence/weekly/2026-01-19..2026-01-26");
    let hidden = env.path("hidden");
    std::fs::rename(&folder, &hidden).unwrap();
    let text = runs();
    assert!(text.contains("/evidence.json is missing") && text.contains("[exit status: 6]"), "{text}");
    std::fs::rename(&hidden, &folder).unwrap();
    assert!(!runs().contains("exit status"));
    let list = env.ok(["schedule", "--format", "csv"]);
    assert!(list.starts_with("schedule,period,calendar,time_zone,due,last_done,next\nweekly,last-week,"), "{list}");
    assert!(list.contains(",2026-01-26T05:00:00Z,"), "{list}");
}

#[test]
fn a_run_waits_for_the_log_up_to_its_limit() {
    let config = CONFIG.replace("since = \"2026-01-10\"", "wait = \"P2D\"");
    let env = with(&config);
    // The log ends with January, and the week is the second of February.
    let text = due(&env, "2026-02-16T06:00Z", &[]);
    assert!(text.contains("waiting: the log does not cover 100 %") && !text.contains("exit status"), "{text}");
    assert!(!env.path("evidence").exists() && runs(&env).is_empty());
    let status = Command::new("cp").arg("-r").args([env.path("auditlake-data"), env.path("copy")]).status().unwrap();
    assert!(status.success());
    // An event each half day, to the Monday after: nothing is missing any more.
    let event = |number: i64| {
        let time_ms = 1_769_947_200_000 + number * 43_200_000;
        format!(
            r#"{{"metadata":{{"uid":"l{number}"}},"class_uid":3002,"time":{time_ms},"activity_id":1,"status_id":1}}"#
        )
    };
    env.write("late.ndjson", lines(&(0..30).map(event).collect::<Vec<_>>()));
    env.ok(["ingest", "late.ndjson"]);
    let text = due(&env, "2026-02-16T06:00Z", &[]);
    assert!(text.contains("done, entry 1") && !text.contains("waiting"), "{text}");
    // Without them it runs when the limit is reached, and says how complete it is.
    let text = due(&env, "2026-02-18T04:59Z", &["--lake", "copy"]);
    assert!(text.contains("waiting"), "{text}");
    let text = due(&env, "2026-02-18T05:00Z", &["--lake", "copy"]);
    assert!(text.contains("brute-force-by-user: no finding, but not assessable ("), "{text}");
}

#[test]
fn two_at_once_do_nothing_twice() {
    let env = with(CONFIG);
    fs::create_dir(env.path("auditlake-data/_runs")).unwrap();
    let path = env.path("auditlake-data/_runs/_lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    lock.lock().unwrap();
    assert_snapshot!(due(&env, "2026-01-12T12:00Z", &[]), @r"
    ------- stderr -------
    error: another `report due` is running
    hint: it runs what is due; there is nothing else to do
    [exit status: 5]
    ");
    drop(lock);
    assert!(due(&env, "2026-01-12T12:00Z", &[]).contains("done, entry 1"));
}

#[test]
fn what_runs_afterwards_gets_the_run_and_is_repeated_until_it_is_fine() {
    let config = format!("{CONFIG}afterwards = [\"sh\", \"-c\", \"cat > told.json; test -e ready\"]\n");
    let env = with(&config);
    let text = due(&env, "2026-01-12T12:00Z", &["--hook", "cat >> hooks.json"]);
    assert!(text.contains("ended with exit status: 1") && text.contains("[exit status: 3]"), "{text}");
    let told: Value = serde_json::from_str(&env.read("told.json")).unwrap();
    assert_eq!(told["schedule"], "weekly");
    assert_eq!(told["reports"].as_array().unwrap().len(), 2);
    fs::remove_file(env.path("told.json")).unwrap();
    env.write("ready", "");
    // The evidence is there and is not made again.
    let before = env.read("evidence/weekly/2026-01-05..2026-01-12/summary.json");
    let text = due(&env, "2026-01-12T13:00Z", &["--hook", "cat >> hooks.json"]);
    assert_eq!(text, "");
    assert_eq!(serde_json::from_str::<Value>(&env.read("told.json")).unwrap(), told);
    assert_eq!(env.read("evidence/weekly/2026-01-05..2026-01-12/summary.json"), before);
    fs::remove_file(env.path("told.json")).unwrap();
    assert_eq!(due(&env, "2026-01-12T14:00Z", &["--hook", "cat >> hooks.json"]), "");
    assert!(!env.path("told.json").exists());
    let kinds: Vec<String> = runs(&env).iter().map(|run| run["kind"].as_str().unwrap().to_string()).collect();
    assert_eq!(kinds, ["done", "afterwards", "afterwards"]);
}

#[test]
fn a_run_that_was_cut_short_begins_again() {
    let env = with(CONFIG);
    // This is the state after a kill after the first report.
    let dir = "evidence/weekly/2026-01-05..2026-01-12";
    due(&env, "2026-01-12T12:00Z", &[]);
    fs::remove_dir_all(env.path("auditlake-data/_runs")).unwrap();
    fs::remove_dir_all(env.path(&format!("{dir}/auth-outcome-summary"))).unwrap();
    fs::create_dir(env.path(&format!("{dir}/.auth-outcome-summary.0123456789abcdef.tmp"))).unwrap();
    fs::remove_file(env.path(&format!("{dir}/index.html"))).unwrap();
    let text = due(&env, "2026-01-12T12:00Z", &[]);
    assert!(text.contains("done, entry 1"), "{text}");
    assert_eq!(names(&env.path("evidence/weekly")), ["2026-01-05..2026-01-12"]);
    assert!(names(&env.path(dir)).contains(&"index.html".to_string()));
    assert!(!names(&env.path(dir)).iter().any(|name| name.ends_with(".tmp")));
    env.ok(["report", "verify", dir]);
}

#[test]
fn a_schedule_that_cannot_be_read_stops_everything() {
    let wrong = [
        ("calendar = \"Mon *-*-* 06:00\"", "calendar = \"sometimes\"", "`sometimes` is not a calendar"),
        ("Europe/Berlin", "Europe/Atlantis", "no time zone `Europe/Atlantis`"),
        ("last-week", "last-moon", "`last-moon` is no period"),
        ("name = \"weekly\"", "name = \"../weekly\"", "is no name of a schedule"),
        ("since = \"2026-01-10\"", "wait = \"2 days\"", "cannot read the duration `2 days`; write 30s"),
        ("since = \"2026-01-10\"", "sinse = \"2026-01-10\"", "unknown field `sinse`"),
        ("\"brute-force-by-user\"", "\"brute-farce\"", "no report `brute-farce`"),
    ];
    let env = with("");
    assert!(due(&env, "2026-01-12T12:00Z", &[]).contains("there is no schedule"));
    for (from, to, said) in wrong {
        env.write("auditlake.toml", CONFIG.replacen(from, to, 1));
        let text = due(&env, "2026-01-12T12:00Z", &[]);
        assert!(text.contains(said) && text.contains("[exit status: 2]"), "{to}: {text}");
        assert!(!env.path("evidence").exists());
    }
    env.write("auditlake.toml", format!("{CONFIG}{CONFIG}"));
    assert!(due(&env, "2026-01-12T12:00Z", &[]).contains("two schedules are called `weekly`"));
}

#[test]
fn a_watcher_does_what_is_due_and_ends_when_told() {
    let env = with(&CONFIG.replace("since = \"2026-01-10\"", ""));
    let mut child = env.command(["schedule", "--watch"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said.push_str(&line.unwrap());
        said.push('\n');
        if said.contains("next: ") {
            break;
        }
    }
    assert!(said.contains("done, entry 1 of the run log"), "{said}");
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(runs(&env).len(), 1);
}
