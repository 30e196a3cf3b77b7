//! A kill at every step of the commit protocol: at each named point (`src/failpoint`), the first times it is reached.
//!
//! `AUDITLAKE_POINT_HITS=10` asks for the first ten hits instead of the first one; `tests/fault/points` does.
//! `AUDITLAKE_POINT_SCENARIO=compact` runs one scenario alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use auditlake::failpoint::POINTS;

use crate::env::Env;
use crate::soundness::{assert_recoverable, assert_sound, in_parallel, left_over, stored};

/// A chunk, and so a batch, for every line.
const SMALL_STEPS: &str = "[ingest]\nbatch = \"52\"\nthreads = 1\n\n[redact]\nenabled = false\n\n[compact]\nautomatic = false\n\n\
                           [retain]\nclass = { authentication = \"1d\" }\n";
/// A configuration with which the repairing run commits everything at once.
const ONE_STEP: &str = "[ingest]\nthreads = 1\n\n[redact]\nenabled = false\n\n[compact]\nautomatic = false\n\n\
                        [retain]\nclass = { authentication = \"1d\" }\n";
/// Lines beyond 200 bytes are rejects.
const SHORT_LINES: &str = "[ingest]\nbatch = \"52\"\nmax_line = \"209\"\nthreads = 1\n\n[redact]\nenabled = false\n";

/// A command on a prepared lake, and what must be in the lake once it has run to its end.
struct Scenario {
    name: &'static str,
    /// The lake to copy for each run; `None` means that no lake exists.
    template: Option<&'static str>,
    command: Vec<&'static str>,
    expected: Vec<String>,
    /// Events that were accepted and that the command removes.
    removed: u64,
}

/// Makes an event of one of five classes; every fourth has no uid, so that only its place keeps it from being doubled.
fn event(number: usize, more: &str) -> String {
    let class = [3001, 3002, 3004, 3005, 3006][number % 5];
    let uid = if number % 4 == 3 { String::new() } else { format!(r#""metadata":{{"uid":"u{number}"}},"#) };
    let time = 1_767_225_600_000 + number * 86_400_000;
    format!(r#"{{{uid}"class_uid":{class},"time":{time},"message":"{number}{more}"}}"#)
}

/// Returns the events that stay when authentications are kept for a day.
fn kept(events: &[String]) -> Vec<String> {
    events.iter().filter(|event| !event.contains("\"class_uid\":3002")).cloned().collect()
}

fn scenarios(env: &Env) -> Vec<Scenario> {
    env.write("small.toml", SMALL_STEPS);
    env.write("one.toml", ONE_STEP);
    env.write("short.toml", SHORT_LINES);
    let told = |events: &[String]| {
        env.write("expected.ndjson", crate::env::lines(events));
        env.ok(["ingest", "expected.ndjson", "--lake", "told", "--config", "one.toml", "-q"]);
        let told = stored(&env.path("told"));
        fs::remove_dir_all(env.path("told")).unwrap();
        told
    };
    let ingest = |input, lake, config| {
        env.ok(["ingest", input, "--lake", lake, "--config", config, "-q"]);
    };

    let events: Vec<String> = (0..12).map(|number| event(number, "")).collect();
    let expected = told(&events);
    let with_reject =
        [&events[..6], &["no event, but a line that is as long as one: it is a reject".to_string()], &events[6..]];
    env.write("events.ndjson", crate::env::lines(&with_reject.concat()));

    // The tables lag behind, down to a missing one; attempts that were never committed left files of both kinds.
    ingest("events.ndjson", "lagging", "small.toml");
    fs::remove_dir_all(env.path("lagging/authentication/_delta_log")).unwrap();
    for number in 0..11 {
        // These sequences are already taken: the process that staged the files is dead, or lost the race for them.
        let name = format!("authentication-{:010}-0000-{number:012x}-0011223344556677.parquet", number % 8 + 1);
        env.write(&format!("lagging/_staging/{name}"), "x");
        env.write(&format!("lagging/_staging/#{number}"), "x");
    }

    // The next entry is the 32nd, which brings a checkpoint.
    let many: Vec<String> = (0..31).map(|number| event(number, "")).collect();
    env.write("many.ndjson", crate::env::lines(&many));
    ingest("many.ndjson", "old", "small.toml");
    let all: Vec<String> = (0..34).map(|number| event(number, "")).collect();
    env.write("more.ndjson", crate::env::lines(&all));

    // Every line is a reject until the limit is raised.
    let long: Vec<String> = (0..12).map(|number| event(number, &"x".repeat(200))).collect();
    env.write("long.ndjson", crate::env::lines(&long));
    // Exit code 4 reports a file without any row.
    let rejected = ["ingest", "long.ndjson", "--lake", "rejected", "--config", "short.toml", "-q"];
    assert_eq!(env.command(rejected).output().unwrap().status.code(), Some(4));
    assert_eq!(assert_sound(&env.path("rejected")).count("rejected"), 12);

    let all = told(&all);
    let long = told(&long);
    let scenario = |name, template, command: &[&'static str], expected: &[String], removed| Scenario {
        name,
        template,
        command: command.to_vec(),
        expected: expected.to_vec(),
        removed,
    };
    let lasting: Vec<String> = told(&kept(&many));
    let many = told(&many);
    let gone = (many.len() - lasting.len()) as u64;
    vec![
        scenario("new", None, &["ingest", "events.ndjson"], &expected, 0),
        scenario("lagging", Some("lagging"), &["ingest", "events.ndjson"], &expected, 0),
        scenario("old", Some("old"), &["ingest", "more.ndjson"], &all, 0),
        scenario("retry", Some("rejected"), &["reject", "retry"], &long, 0),
        // Files are merged, and the replaced ones are removed at once.
        scenario("compact", Some("old"), &["compact", "--grace", "0s"], &many, 0),
        scenario("retain", Some("old"), &["retain", "--yes"], &lasting, gone),
    ]
}

#[test]
fn a_kill_at_any_point_loses_nothing_and_doubles_nothing() {
    if POINTS.is_empty() {
        return;
    }
    let first: u64 = std::env::var("AUDITLAKE_POINT_HITS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let env = Env::new();
    let only = std::env::var("AUDITLAKE_POINT_SCENARIO").ok();
    let mut scenarios = scenarios(&env);
    scenarios.retain(|scenario| only.as_deref().is_none_or(|only| only == scenario.name));
    let mut jobs = Vec::new();
    let mut never: Vec<&str> = POINTS.to_vec();
    for scenario in &scenarios {
        let hits = hits(&env, scenario);
        never.retain(|point| !hits.contains_key(*point));
        for (point, times) in hits {
            jobs.extend((1..=times.min(first)).map(|hit| (scenario, point.clone(), hit)));
        }
    }
    // `whole` kills reports at those.
    never.retain(|point| !point.starts_with("folder."));
    assert!(only.is_some() || never.is_empty(), "no scenario reaches {never:?}");
    eprintln!("{} points, {} kills", POINTS.len(), jobs.len());
    in_parallel(jobs, |(scenario, point, hit)| kill(&env, scenario, &point, hit));
}

/// Counts how often the command reaches each point when nobody kills it.
fn hits(env: &Env, scenario: &Scenario) -> BTreeMap<String, u64> {
    let log = format!("{}.log", scenario.name);
    let lake = prepare(env, scenario, "logged");
    let status = run(env, scenario, "logged", "small.toml", Some(&format!("log:{log}")));
    assert_eq!(status, Some(0), "{}", scenario.name);
    check(scenario, &lake, scenario.name);
    fs::remove_dir_all(lake).unwrap();
    let mut hits = BTreeMap::new();
    for point in env.read(&log).lines() {
        *hits.entry(point.to_string()).or_default() += 1;
    }
    hits
}

fn kill(env: &Env, scenario: &Scenario, point: &str, hit: u64) {
    let what = format!("{} killed at {point}, hit {hit}", scenario.name);
    let name = what.replace([' ', ','], "-");
    let lake = prepare(env, scenario, &name);
    let status = run(env, scenario, &name, "small.toml", Some(&format!("{point}:{hit}")));
    assert_eq!(status, Some(137), "{what}: it was not");
    if lake.join("_ledger/00000000000000000000.json").exists() {
        assert_recoverable(&lake);
    }
    assert_eq!(run(env, scenario, &name, "one.toml", None), Some(0), "{what}: run again");
    check(scenario, &lake, &what);
    // Once more: there is nothing left to do.
    let entries = assert_sound(&lake).entries.len();
    assert_eq!(run(env, scenario, &name, "one.toml", None), Some(0), "{what}: run a third time");
    assert_eq!(assert_sound(&lake).entries.len(), entries, "{what}: a run with nothing to do wrote an entry");
    fs::remove_dir_all(lake).unwrap();
}

fn check(scenario: &Scenario, lake: &Path, what: &str) {
    let ledger = assert_sound(lake);
    assert_eq!(ledger.count("accepted") - scenario.removed, scenario.expected.len() as u64, "{what}");
    assert!(stored(lake) == scenario.expected, "{what}: the events differ");
    let left = left_over(lake);
    assert!(left.is_empty(), "{what}: nobody clears away {left:?}");
}

fn prepare(env: &Env, scenario: &Scenario, name: &str) -> std::path::PathBuf {
    let lake = env.path(name);
    if let Some(template) = scenario.template {
        copy(&env.path(template), &lake);
    }
    lake
}

fn run(env: &Env, scenario: &Scenario, lake: &str, config: &str, point: Option<&str>) -> Option<i32> {
    let mut command = env.command(&scenario.command);
    command.args(["--lake", lake, "--config", config, "-q"]);
    if scenario.command[0] == "retain" {
        // A folder of its own, so that each run makes it.
        command.args(["--receipts", &format!("{lake}.receipts")]);
    }
    if let Some(point) = point {
        command.env("AUDITLAKE_FAIL_POINT", point);
    }
    let output = command.output().unwrap();
    if !matches!(output.status.code(), Some(0 | 137)) {
        eprintln!("{}", env.text(&output));
    }
    output.status.code()
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

#[test]
fn a_fail_point_that_is_not_there_is_an_error() {
    if POINTS.is_empty() {
        return;
    }
    let env = Env::new();
    let mut command = env.command(["schema"]);
    let text = env.text(&command.env("AUDITLAKE_FAIL_POINT", "commit.stagd:1").output().unwrap());
    assert!(text.contains("cannot use the fail point") && text.contains("[exit status: 2]"), "{text}");
}
