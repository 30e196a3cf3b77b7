//! The shell as a user sees it for an hour: wide rows, single events, plans, lists, hints, completion.

use std::fs;
use std::time::{Duration, Instant};

use crate::env::{Env, PROGRAM};
use crate::terminal::{CTRL_C, Terminal, typed};

/// One logon with nested members, and members that a log adds beyond OCSF.
const LOGON: &str = r#"{"metadata":{"uid":"Vq8xh8qkT3BIGedT9rKve","version":"1.6.0"},"class_uid":3002,"class_name":"Authentication","activity_id":1,"activity_name":"Logon","severity_id":1,"time":1767225600123,"status_id":2,"status":"Failure","actor":{"user":{"uid":"Cjc5q3JgScCXqlIOWOQe","email_addr":"sakura.tanaka@acme.example","type_id":1}},"user":{"uid":"Cjc5q3JgScCXqlIOWOQe","email_addr":"sakura.tanaka@acme.example"},"src_endpoint":{"ip":"2001:db8:e555:991e:d731:9dd1:0:1"},"unmapped":{"region":"eu-central-1","trace":{"id":7,"spans":[1.10,2]}}}"#;

fn with_logon() -> Env {
    let env = Env::new();
    env.write("logon.ndjson", format!("{LOGON}\n{}\n", LOGON.replace("Vq8x", "Wq8x")));
    env.ok(["ingest", "logon.ndjson"]);
    env
}

#[test]
fn every_example_of_the_help_is_run() {
    let env = Env::with_small();
    let help = env.ok(["sql", "-c", ".help -all"]);
    let examples: Vec<&str> = help.lines().filter_map(|line| line.trim_start().strip_prefix("example: ")).collect();
    assert!(examples.len() > 45, "{help}");
    env.write("example.sql", "select 'from a file' as f;\n");
    // The desktop's program for opening workbooks.
    env.write("bin/xdg-open", "#!/bin/sh\nhead -c 2 \"$1\"; echo ' is open'\n");
    let opener = env.path("bin/xdg-open");
    fs::set_permissions(&opener, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let programs = std::path::Path::new(PROGRAM).parent().unwrap().display();
    let path = format!("{programs}:{}:/usr/bin:/bin", env.path("bin").display());
    let mut terminal = Terminal::run_with(&env, "auditlake sql", &[("PATH", path.as_str()), ("EDITOR", "true")]);
    terminal.types(&["select 40 + 2 as answer;"]);
    // The last of them, which is the first in the list, leaves the shell.
    for example in examples.iter().filter(|example| **example != "\\q") {
        terminal.types(&[example]);
        if [".once", ".excel"].iter().any(|name| example.starts_with(name)) {
            terminal.types(&["select 'once' as o;"]);
        }
    }
    terminal.types(&["\\o", "select 'end' as e;"]);
    let screen = terminal.leave();
    assert!(!screen.contains("error: "), "{screen}");
    assert!(screen.contains("PK is open") && screen.contains("│ from a file │"), "{screen}");
    assert!(env.path("example.csv").exists() && env.path("example.json").exists(), "{screen}");
}

#[test]
fn the_examples_of_table_functions_are_run() {
    let env = Env::with_small();
    let listed = crate::env::values(&env.ok(["sql", "--ndjson", "-c", "\\df"]));
    let of_kind = |kind: &str| -> Vec<String> {
        let functions = listed.iter().filter(|row| row["kind"] == kind);
        functions.map(|row| row["function"].as_str().unwrap().to_string()).collect()
    };
    let tables = of_kind("table");
    assert!(tables.contains(&"account_state".to_string()) && tables.len() > 20, "{tables:?}");
    // All are explained; those of a few are run, each of which is planned from the start.
    let script: String = tables.iter().map(|name| format!("\\h {name}\n")).collect();
    let told = env.run_with_stdin(["sql"], script.as_bytes());
    assert!(!told.contains("error: ") && told.matches("(table function)").count() == tables.len(), "{told}");
    let examples = told.lines().map(str::trim).filter(|line| line.starts_with("select * from "));
    let chosen: Vec<&str> = examples
        .filter(|line| ["logon(", "account_state(", "identity("].iter().any(|name| line.contains(name)))
        .collect();
    assert_eq!(chosen.len(), 3, "{told}");
    for example in chosen {
        env.ok(["sql", "-c", example]);
    }
}

#[test]
fn a_wide_result_keeps_the_columns_that_answer() {
    let env = with_logon();
    let screen = typed(&env, &["select * from authentication;", "select * from event;"]);
    // Both ids of the row and its times are whole, or absent.
    assert!(screen.contains("│ time ") && screen.contains("│ 2026-01-01T00:00:00Z │"), "{screen}");
    assert!(screen.contains("│ sakura.tanaka@acme.example │") && !screen.contains("sakura.tanaka@a…"), "{screen}");
    assert!(screen.contains("2 rows; 63 columns, ") && screen.contains(" shown; `\\gx` shows rows whole"), "{screen}");
    let outcomes = screen.lines().filter(|line| line.contains("│ failure │")).count();
    assert_eq!(outcomes, 2, "{screen}");
    assert!(!screen.lines().any(|line| line.starts_with('┌') && line.chars().count() > 100), "{screen}");
    assert!(!screen.contains("_batch") && !screen.contains("{\""), "{screen}");
}

#[test]
fn one_event_can_be_read() {
    let env = with_logon();
    let screen = typed(
        &env,
        &[
            "select * from authentication limit 1;",
            "select severity_id, class_uid, activity_id, observables from authentication limit 1 \\gx",
            "\\pset nulls on",
            "\\gx",
        ],
    );
    for line in [
        "class_uid             | 3002  Authentication",
        "activity_id           | 1  Logon",
        "status_id             | 2  Failure",
        "actor.user.email_addr | sakura.tanaka@acme.example",
        "actor.user.type_id    | 1  User",
        "unmapped              | {",
        "                      |   \"region\": \"eu-central-1\",",
        "                      |     \"id\": 7,",
        "                      |       1.10,",
    ] {
        assert!(screen.contains(&format!("\n{line}\n")), "no {line:?}:\n{screen}");
    }
    assert!(screen.contains("severity_id | 1  Informational"), "{screen}");
    assert_eq!(screen.matches("\nobservables |\n").count(), 1, "only the last record shows NULL:\n{screen}");
}

#[test]
fn a_plan_is_a_tree_with_what_was_read() {
    let env = Env::with_small();
    let screen = typed(
        &env,
        &[
            "explain select actor.user.uid, count(*) from authentication where time > '2025-12-01' group by 1 order by 2;",
            "explain analyze select count(*) from event where time < '2026-01-15';",
            "explain verbose select 1;",
        ],
    );
    assert!(screen.contains("Sort\n") && screen.contains("└─ Scan authentication\n"), "{screen}");
    assert!(screen.contains("where time > 2025-12-01T00:00:00Z"), "{screen}");
    assert!(screen.contains("1 of 1 files, ") && screen.contains("reads 4 of 6 files, "), "{screen}");
    assert!(!screen.contains("file_groups") && !screen.contains("\\n"), "{screen}");
    assert!(screen.contains("physical_plan"), "the engine answers what has options in its own words:\n{screen}");
    // For programs the rows are the engine's own.
    let rows = crate::env::values(&env.ok(["sql", "--ndjson", "-c", "explain select 1"]));
    assert_eq!(rows[0]["plan_type"], "logical_plan");
}

#[test]
fn every_table_is_listed_with_what_it_is_for() {
    let env = Env::with_small();
    let screen = typed(&env, &["\\d", "\\dt *.*", ".maxrows 3", "show tables;", "\\dv logon"]);
    let tables = crate::env::values(&env.ok(["sql", "--ndjson", "-c", "\\d"]));
    assert!(tables.len() > 45, "{tables:?}");
    for table in &tables {
        let name = table["table"].as_str().unwrap();
        let rows = screen.lines().filter(|line| line.starts_with(&format!("│ {name} "))).count();
        assert_eq!(rows, if name == "logon" { 4 } else { 3 }, "{name}:\n{screen}");
        assert!(!table["what it is"].as_str().unwrap().is_empty(), "{name} does not say what it is for");
    }
    assert!(!screen.contains("│ ·"), "{screen}");
    let kinds: Vec<&str> = tables.iter().map(|table| table["kind"].as_str().unwrap()).collect();
    let mut groups = kinds.clone();
    groups.dedup();
    assert_eq!(groups, ["view", "class", "report view", "ledger"]);
}

#[test]
fn views_show_what_they_mean() {
    let env = Env::with_small();
    let screen = typed(&env, &["\\d logon", "\\sv logn", "\\sv authentication", "\\d+ authentication"]);
    assert!(screen.contains("│ outcome ") && screen.contains("│ how it ended: success, failure"), "{screen}");
    assert!(screen.contains("-- view: logon"), "{screen}");
    assert!(screen.contains("no view `logn`\nhint: did you mean `logon`?"), "{screen}");
    assert!(screen.contains("`authentication` is a table, not a view"), "{screen}");
    let verbose = screen.split("\\d+ authentication").nth(1).unwrap();
    assert!(verbose.contains("│ captions ") && verbose.contains("│ 0 Unknown, 1 Logon, "), "{screen}");
    assert!(!verbose.contains("…  ") && !verbose.contains("Utf8"), "captions are whole:\n{screen}");
    let types =
        env.ok(["sql", "--csv", "-c", "describe select time, actor.user.uid as uid, privileges from user_access"]);
    assert_eq!(types, "column,type\ntime,timestamptz\nuid,text\nprivileges,text[]\n");
    for table in ["event", "authentication", "logon"] {
        let types = env.ok(["sql", "--csv", "-t", "-c", &format!("\\d {table}")]);
        assert!(!types.to_lowercase().contains("utf8") && !types.contains("with time zone"), "{types}");
    }
}

#[test]
fn times_keep_the_zone_that_they_were_asked_in() {
    let env = Env::with_small();
    let sql = "select time at time zone 'Europe/Berlin' as t, max(time) over () - min(time) over () as span \
               from authentication";
    assert_eq!(env.ok(["sql", "--csv", "-t", "-c", sql]), "2026-01-01T01:00:00+01:00,00:00:00\n");
    assert_eq!(env.rows(sql)[0]["t"], "2026-01-01T01:00:00+01:00");
    let span = env.ok(["sql", "-tAc", "select max(time) - min(time) from event"]);
    assert_eq!(span, "31 days 00:00:01\n");
    let screen = typed(
        &env,
        &["\\pset tz Asia/Tokyo", "select time, time at time zone 'UTC' as u from authentication;", "\\pset tz Mars"],
    );
    assert!(screen.contains("│ 2026-01-01T09:00:00+09:00 │"), "{screen}");
    assert!(screen.contains("`Mars` is not a time zone"), "{screen}");
    assert!(env.ok(["sql", "-tAc", "select now()"]).trim().ends_with('Z'), "now() is an instant");
}

#[test]
fn every_column_of_every_view_has_a_meaning() {
    let env = Env::with_small();
    let listed = env.ok(["sql", "-t", "--format", "tsv", "-c", "\\d"]);
    let views = listed.lines().filter(|line| line.split('\t').nth(1).is_some_and(|kind| kind.ends_with("view")));
    let names: Vec<&str> = views.filter_map(|line| line.split('\t').next()).collect();
    assert!(names.len() > 40, "{listed}");
    let script: String = names.iter().map(|name| format!("\\echo == {name}\n\\d {name}\n")).collect();
    env.write("describe.sql", &script);
    let text = env.ok(["sql", "--format", "csv", "-f", "describe.sql"]);
    let (mut view, mut columns, mut lacking) = ("", 0, Vec::new());
    for line in text.lines() {
        let cells: Vec<&str> = line.splitn(3, ',').collect();
        match (line.strip_prefix("== "), cells.as_slice()) {
            (Some(name), _) => view = name,
            (None, [column, _, meaning]) if column.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c)) => {
                columns += 1;
                if meaning.is_empty() {
                    lacking.push(format!("{view}.{column}"));
                }
            }
            _ => {}
        }
    }
    assert!(columns > 500, "{text}");
    assert!(lacking.is_empty(), "without a meaning: {}", lacking.join(", "));
}

#[test]
fn a_statement_that_finds_nothing_says_why_it_could_not() {
    let env = Env::with_small();
    for (sql, note) in [
        (
            "select 1 from event where outcome = 'Failure'",
            "note: `outcome` is never 'Failure'; did you mean 'failure'?",
        ),
        ("select 1 from event where class = 'Authentication'", "did you mean 'authentication'?"),
        ("select 1 from event where _event_uid = 'Cjc5q3J…'", "note: 'Cjc5q3J…' ends as a cell that was cut does"),
        // What counts and sums give of nothing is nothing too.
        ("select count(*), sum(severity_id) from event where outcome = 'failed'", "did you mean 'failure'?"),
        ("select count(*) from event where time >= '2031-01-01'", "note: the newest event is of 20"),
        ("select count(*) from authentication where time < '2001-01-01'", "note: the oldest event is of 20"),
    ] {
        let text = env.run(["sql", "-t", "-c", sql]);
        assert!(text.contains(note), "{text}");
    }
    let text = env.run(["sql", "-t", "-c", "select 1 from event where outcome = 'failure' and class = 'user_access'"]);
    assert!(!text.contains("note: "), "{text}");
}

#[test]
fn a_failure_in_a_script_has_a_place() {
    let env = Env::with_small();
    env.write("f.sql", "-- one\nselect 1;\n\nselect nothing;\n");
    env.write("outer.sql", "\\ir f.sql\n");
    env.write(".auditlakerc", "\\timing off\n\\nonsense\n");
    assert!(env.run(["sql", "-f", "f.sql"]).contains("error: f.sql:4: no column `nothing`"));
    assert!(env.run(["sql", "outer.sql"]).contains("error: f.sql:4: no column"));
    let text = env.run_with_stdin(["sql"], b"select 1;\nselect nothing;\n");
    assert!(text.contains("error: stdin:2: no column"), "{text}");
    assert!(env.run(["sql", "-c", "select nothing"]).contains("error: no column"));
    let screen = typed(&env, &["\\i f.sql", "select nothing;"]);
    assert!(screen.contains(".auditlakerc:2: no command `\\nonsense`"), "{screen}");
    assert!(screen.contains("error: f.sql:4: no column") && screen.contains("\nerror: no column"), "{screen}");
}

#[test]
fn hints_at_the_prompt_name_commands_of_the_shell() {
    let env = Env::with_small();
    let screen = typed(&env, &["select :x;", "create table t (a int);", ".widht 3", "\\copy t"]);
    assert!(screen.contains("hint: `.parameter set x value`"), "{screen}");
    assert!(screen.contains("hint: did you mean `.width`?"), "{screen}");
    assert!(!screen.contains("--param") && !screen.contains("-o FILE"), "{screen}");
    assert!(env.run(["sql", "-c", "select :x"]).contains("hint: pass --param x=value"));
}

#[test]
fn what_hints_suggest_exists() {
    let env = Env::with_small();
    let help = env.ok(["sql", "-c", ".help -all"]);
    let programs = env.ok(["--help"]);
    let is_known = |name: &str| {
        let is_listed = help.split_whitespace().any(|word| word == name);
        let program = name.strip_prefix('.').filter(|name| programs.lines().any(|line| line.trim().starts_with(*name)));
        is_listed || program.is_some()
    };
    // In a source a backslash is written twice.
    let command = regex::Regex::new(r"`(\\\\[a-zA-Z?]+\+?|\.[a-z]+)").unwrap();
    let mut files = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for hint in text.split(".hint(").skip(1) {
            let literal = hint.split("\n").take(3).collect::<Vec<_>>().join(" ");
            for found in command.captures_iter(&literal) {
                let name = found[1].replace("\\\\", "\\");
                seen += 1;
                assert!(is_known(&name), "{} suggests {name}:\n{literal}", path.display());
            }
        }
    }
    assert!(seen > 10, "the hints were not found");
}

#[test]
fn results_go_to_programs_spreadsheets_and_editors() {
    let env = Env::with_small();
    let mut terminal = Terminal::run_with(&env, "auditlake sql", &[("EDITOR", "sed s/one/seen/")]);
    terminal.types(&[
        "select 'to cat' as t \\g | tr a-z A-Z",
        ".mode csv",
        "\\o |sed 's/^/P:/'",
        "select 'sed' as s;",
        "\\o",
        ".once -e",
        "select 'one' as e;",
        "select 1 as n \\g |exit 3",
        "select 2 as last;",
    ]);
    let screen = terminal.leave();
    assert!(screen.contains("│ TO CAT │") && screen.contains("P:sed"), "{screen}");
    assert!(screen.contains("\nseen\n") && screen.contains("[exit status: 3]"), "{screen}");
    assert!(screen.contains("last\n2"), "{screen}");
}

#[test]
fn arrow_goes_to_a_pipe_and_not_to_a_terminal() {
    let env = Env::with_small();
    let sql = "select 7 as n, 'x' as t union all select 8, 'y'";
    let output = env.command(["sql", "--format", "arrow", "-c", sql]).output().unwrap();
    let reader = arrow::ipc::reader::StreamReader::try_new(output.stdout.as_slice(), None).unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
    let screen = typed(&env, &[".mode arrow", "select 1;"]);
    assert!(screen.contains("error: arrow is written to a file or a pipe only"), "{screen}");
}

#[test]
fn a_watch_tells_the_time() {
    let env = Env::with_small();
    let screen = typed(&env, &["select 5 as five \\watch 0.01 c=2"]);
    assert_eq!(screen.matches("Z (every 0.01 s)").count(), 2, "{screen}");
}

#[test]
fn plain_words_are_understood() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.types(&["?", "clear", "select 6 * 7 as answer;"]);
    terminal.sees("42");
    assert!(terminal.raw().contains("\u{1b}[H\u{1b}[2J"), "{:?}", terminal.raw());
    terminal.types(&["\\conninfo", "\\p", "exit 3"]);
    let (screen, status) = terminal.end();
    assert_eq!(status, 3, "{screen}");
    assert!(screen.contains("leave the shell") && screen.contains("ledger entry 1"), "{screen}");
}

#[test]
fn no_key_waits_for_a_plan() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    // The first TAB offers every name that is already known.
    let pressed = Instant::now();
    terminal.ready().keys("select act\t").sees("activity_id").sees("actor.");
    let first = pressed.elapsed();
    terminal.keys(CTRL_C);
    // The columns of a view that takes long to plan come soon, but not at once.
    let pressed = Instant::now();
    terminal.ready().keys("select * from privileged_span where subj\t").sees("subj");
    let second = pressed.elapsed();
    // A busy machine gets ten times as long as a key may take; planning all views took two hundred times.
    assert!(first < Duration::from_secs(2) && second < Duration::from_secs(2), "{first:?} {second:?}");
    terminal.insists("\t", "subject_uid").keys(CTRL_C);
    terminal.leave();
}

#[test]
fn completion_knows_strings_words_reports_and_functions() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys("select 1 from event where outcome = 'su\t").sees("outcome = 'success'").keys(CTRL_C);
    terminal
        .ready()
        .keys("select 1 from event where class in ('user_access', 'authen\t")
        .sees("'authentication'")
        .keys(CTRL_C);
    terminal.ready().keys("select 1 from event order b\t").sees("order by").keys(CTRL_C);
    // In the middle of a word its rest is replaced.
    let left = "\u{1b}[D".repeat(" from authentication".len());
    terminal
        .ready()
        .keys(&format!("select actor.user from authentication{left}\u{1b}[D\u{1b}[D\t"))
        .sees("actor.user. from")
        .keys(CTRL_C);
    terminal.ready().keys(".report run brute-force-by-u\t").sees("brute-force-by-user").keys(CTRL_C);
    terminal.ready().keys("\\pset tz Berl\t").sees("Europe/Berlin").keys(CTRL_C);
    terminal
        .ready()
        .keys("select account from account_state('2026-01-31') where account_s")
        .insists("\t", "account_state")
        .keys(CTRL_C);
    terminal.leave();
}

#[test]
fn progress_leaves_nothing_behind() {
    let env = Env::with_small();
    let slow =
        "select count(*) from authentication a, generate_series(1, 1000000000) b where a.activity_id + b.value > 0;";
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys(&format!("{slow}\r")).sees("computing");
    // The cursor waits at the beginning of the line: what `^C` writes goes with it.
    terminal.keys(CTRL_C).sees("error: cancelled");
    let raw = terminal.raw();
    assert!(!raw.contains(" 0 s left"), "{raw}");
    let cleared = raw.rfind("\r\u{1b}[K\r").unwrap_or_else(|| panic!("{raw:?}"));
    assert!(cleared > raw.rfind("computing").unwrap(), "{raw:?}");
    terminal.leave();
}
