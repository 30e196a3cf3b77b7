//! `auditlake sql`: statements from the command line, files and stdin.

use insta::assert_snapshot;

use crate::env::Env;
use crate::soundness::files;

#[test]
fn a_nested_path_needs_no_quotes() {
    let env = Env::with_small();
    let text = env.ok(["sql", "--format", "csv", "-t", "-c", "select actor.user.uid from authentication"]);
    assert_eq!(text, "ann\n");
    assert_snapshot!(env.run(["sql", "-c", "select a.actor.user.email_addr as who, a.time from authentication a"]), @r"
    ┌──────────────────┬──────────────────────┐
    │ who              │ time                 │
    ├──────────────────┼──────────────────────┤
    │ ann@corp.example │ 2026-01-01T00:00:00Z │
    └──────────────────┴──────────────────────┘
    ");
}

#[test]
fn the_event_view_holds_every_class() {
    let env = Env::with_small();
    let sql = "select time, class, actor_uid, action, target_uid, outcome from event order by time";
    assert_snapshot!(env.run(["sql", "-c", sql]), @r"
    ┌──────────────────────┬───────────────────┬───────────┬───────────────────┬────────────┬─────────┐
    │ time                 │ class             │ actor_uid │ action            │ target_uid │ outcome │
    ├──────────────────────┼───────────────────┼───────────┼───────────────────┼────────────┼─────────┤
    │ 2026-01-01T00:00:00Z │ authentication    │ ann       │ Logon             │ ann        │ success │
    │ 2026-01-01T00:00:01Z │ account_change    │ ann       │ Create            │ bob        │ success │
    │ 2026-01-01T00:00:02Z │ entity_management │           │ Read              │ x          │ unknown │
    │ 2026-01-01T00:00:03Z │ user_access       │           │ Assign Privileges │ bob        │ unknown │
    │ 2026-02-01T00:00:00Z │ group_management  │           │ Add User          │ bob        │ unknown │
    │ 2026-02-01T00:00:01Z │ other_event       │           │                   │            │ unknown │
    └──────────────────────┴───────────────────┴───────────┴───────────────────┴────────────┴─────────┘
    ");
}

#[test]
fn the_ingest_log_tells_what_came_when() {
    let env = Env::with_small();
    let sql = "select sequence, kind, source, state, read, accepted, duplicate, rejected, blank, files from ingest_log order by sequence";
    assert_snapshot!(env.run(["sql", "-c", sql]), @r"
    ┌──────────┬────────┬──────────────┬──────────┬──────┬──────────┬───────────┬──────────┬───────┬───────┐
    │ sequence │ kind   │ source       │ state    │ read │ accepted │ duplicate │ rejected │ blank │ files │
    ├──────────┼────────┼──────────────┼──────────┼──────┼──────────┼───────────┼──────────┼───────┼───────┤
    │        0 │ create │              │          │      │          │           │          │       │       │
    │        1 │ ingest │ small.ndjson │ complete │    6 │        6 │         0 │        0 │     0 │     6 │
    └──────────┴────────┴──────────────┴──────────┴──────┴──────────┴───────────┴──────────┴───────┴───────┘
    ");
}

#[test]
fn rejects_are_a_table() {
    let env = Env::new();
    env.write("in.ndjson", "no json\n");
    assert_eq!(env.try_ingest(["in.ndjson"]).0, 4);
    assert_snapshot!(env.run(["sql", "-c", "select _source, line, byte_offset, reason, excerpt from reject"]), @r"
    ┌───────────┬──────┬─────────────┬────────┬─────────┐
    │ _source   │ line │ byte_offset │ reason │ excerpt │
    ├───────────┼──────┼─────────────┼────────┼─────────┤
    │ in.ndjson │    1 │           0 │ syntax │ no json │
    └───────────┴──────┴─────────────┴────────┴─────────┘
    ");
}

#[test]
fn every_format_writes_the_same_rows() {
    let env = Env::with_small();
    let sql = "select time, _event_uid as uid, class_uid, privileges, case when class_uid = 1 then 'a' end as nothing, 'x, \"y\"' as text, 0.5 as share from user_access";
    assert_snapshot!(env.run(["sql", "--format", "csv", "-c", sql]), @r#"
    time,uid,class_uid,privileges,nothing,text,share
    2026-01-01T00:00:03Z,e4,3005,"[""admin"",""reader""]",,"x, ""y""",0.5
    "#);
    assert_snapshot!(env.run(["sql", "--format", "json", "-c", sql]), @r#"[{"time":"2026-01-01T00:00:03Z","uid":"e4","class_uid":3005,"privileges":["admin","reader"],"nothing":null,"text":"x, \"y\"","share":0.5}]"#);
    assert_snapshot!(env.run(["sql", "--format", "ndjson", "-c", sql]), @r#"{"time":"2026-01-01T00:00:03Z","uid":"e4","class_uid":3005,"privileges":["admin","reader"],"nothing":null,"text":"x, \"y\"","share":0.5}"#);
    assert_snapshot!(env.run(["sql", "--format", "markdown", "-c", sql]), @r#"
    | time | uid | class_uid | privileges | nothing | text | share |
    | --- | --- | ---: | --- | --- | --- | ---: |
    | 2026-01-01T00:00:03Z | e4 | 3005 | \["admin","reader"\] |  | x, "y" | 0.5 |
    "#);
    assert_snapshot!(env.run(["sql", "--format", "table", "-c", sql]), @r#"
    ┌──────────────────────┬─────┬───────────┬────────────────────┬─────────┬────────┬───────┐
    │ time                 │ uid │ class_uid │ privileges         │ nothing │ text   │ share │
    ├──────────────────────┼─────┼───────────┼────────────────────┼─────────┼────────┼───────┤
    │ 2026-01-01T00:00:03Z │ e4  │      3005 │ ["admin","reader"] │         │ x, "y" │   0.5 │
    └──────────────────────┴─────┴───────────┴────────────────────┴─────────┴────────┴───────┘
    "#);
    assert_snapshot!(env.run(["sql", "--format", "yaml", "-c", sql]), @r"
    ------- stderr -------
    error: invalid value 'yaml' for '--format <FORMAT>'
      [possible values: table, csv, tsv, json, ndjson, markdown, line, html, list, parquet, arrow, xlsx]

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn an_empty_result_still_has_its_columns() {
    let env = Env::with_small();
    let sql = "select time, actor.user.uid as who from authentication where false";
    assert_snapshot!(env.run(["sql", "--format", "csv", "-c", sql]), @"time,who");
    assert_snapshot!(env.run(["sql", "--format", "json", "-c", sql]), @"[]");
    assert_snapshot!(env.run(["sql", "--format", "ndjson", "-c", sql]), @"");
    assert_snapshot!(env.run(["sql", "--format", "markdown", "-c", sql]), @r"
    | time | who |
    | --- | --- |
    ");
    assert_snapshot!(env.run(["sql", "--format", "table", "-c", sql]), @r"
    ┌──────┬─────┐
    │ time │ who │
    ├──────┼─────┤
    └──────┴─────┘
    ");
}

#[test]
fn statements_come_from_arguments_files_and_stdin() {
    let env = Env::with_small();
    env.write("q.sql", "-- two\nselect 1 as a;\nselect 2 as b;\n");
    assert_snapshot!(env.run(["sql", "--format", "csv", "-c", "select 1 as x", "-c", "select 2 as y"]), @r"
    x
    1
    y
    2
    ");
    assert_snapshot!(env.run(["sql", "--format", "csv", "-f", "q.sql"]), @r"
    a
    1
    b
    2
    ");
    assert_snapshot!(env.run_with_stdin(["sql", "--format", "csv"], b"select 3 as c;\nselect 4 as d"), @r"
    c
    3
    d
    4
    ");
    assert_snapshot!(env.run_with_stdin(["sql", "--format", "csv", "-f", "-"], b"select 5 as e"), @r"
    e
    5
    ");
}

#[test]
fn results_go_to_a_file_whose_suffix_names_the_format() {
    let env = Env::with_small();
    let sql = "select class, count(*) as n from event group by class order by class";
    for (name, start) in [("o.csv", "class,n\n"), ("o.json", "["), ("o.ndjson", "{\"class\""), ("o.md", "| class")] {
        assert_eq!(env.ok(["sql", "-q", "-c", sql, "-o", name]), "");
        let text = env.read(name);
        assert!(text.starts_with(start), "{name}: {text}");
    }
    assert_snapshot!(env.run(["sql", "-c", sql, "-o", "o.what"]), @r"
    ------- stderr -------
    error: cannot tell a format from o.what
    hint: use a suffix such as .csv, or pass --format
    [exit status: 2]
    ");
    assert_eq!(env.ok(["sql", "-c", sql, "-o", "o.what", "--format", "csv"]), "");
    assert_eq!(env.read("o.what"), env.read("o.csv"));
}

#[test]
fn only_queries_are_run() {
    let env = Env::with_small();
    env.write("own.csv", "a\n1\n");
    let lake = env.path("auditlake-data");
    let before = files(&lake);
    for sql in [
        "create table x (a int)",
        "create view x as select 1",
        "create or replace view event as select 1",
        "create external table x stored as csv location '/etc/passwd'",
        "insert into authentication select * from authentication",
        "insert into authentication values (1)",
        "update authentication set time = null",
        "delete from authentication",
        "truncate table authentication",
        "copy authentication to 'out.csv'",
        "copy (select 1) to 'out.csv' stored as csv",
        "set datafusion.execution.batch_size = 1",
        "reset datafusion.execution.batch_size",
        "drop table authentication",
        "drop view event",
        "prepare x as select 1",
        "begin",
        "attach 'x.db' as x",
        "install httpfs",
        "explain analyze insert into authentication select * from authentication",
        "with x as (select 1) insert into authentication select * from x",
        "select 1; drop table authentication",
        "select * from '/etc/passwd'",
        "select * from 'file:///etc/passwd'",
        "select * from 'own.csv'",
        "select * from \"own.csv\"",
        "select * from read_csv('/etc/passwd')",
        "select * from read_csv_auto('own.csv')",
        "select * from read_parquet('/etc/passwd')",
        "select * from read_json('own.csv')",
        "select * from parquet_scan('auditlake-data/_key')",
        "select * from parquet_metadata('/etc/passwd')",
        "select read_text('/etc/passwd')",
        "select * from glob('*')",
        "copy (select 1) to 'file:///tmp/auditlake-out.parquet'",
        "copy authentication from '/etc/passwd'",
        "explain analyze copy (select 1) to 'out.csv'",
        "explain copy (select 1) to 'out.csv'",
        "explain create table x as select 1",
        "prepare x(int) as insert into authentication select $1",
        "execute x",
        "deallocate x",
        "set time zone 'Europe/Berlin'",
        "use other",
        "call x()",
        "pragma version",
        "load 'x'",
        "export database 'out'",
        "create function f() returns int return 1",
        "select * from 's3://bucket/x.parquet'",
        "select * from 'http://127.0.0.1:1/x.csv'",
        "select * from read_text('/etc/passwd')",
        "select * from arrow_scan('/etc/passwd')",
        "table '/etc/passwd'",
        "with x as (select * from '/etc/passwd') select * from x",
    ] {
        let text = env.run(["sql", "-c", sql]);
        assert!(text.contains("error: ") && text.ends_with("[exit status: 3]\n"), "{sql}: {text}");
        assert!(!text.contains("root:"), "{sql}: {text}");
    }
    assert_eq!(files(&lake), before);
    assert!(!env.path("out.csv").exists());
    assert_snapshot!(env.run(["sql", "-c", "drop table authentication"]), @r"
    ------- stderr -------
    error: the lake is read only: only queries can be run
    hint: write results to a file with `-o FILE`; `auditlake ingest` adds events
    [exit status: 3]
    ");
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["sql", "-c", "select * from authentification"]), @r"
    ------- stderr -------
    error: no table `authentification`
    line 1: select * from authentification
                          ^
    hint: did you mean `authentication`?
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "-c", "select tme from authentication"]), @r"
    ------- stderr -------
    error: no column `tme`
    line 1: select tme from authentication
                   ^
    hint: did you mean `time`?
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "-c", "select actor.user.emial_addr from authentication"]), @r"
    ------- stderr -------
    error: no field `emial_addr`
    line 1: select actor.user.emial_addr from authentication
                              ^
    hint: did you mean `actor.user.email_addr`?
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "-c", "select whatever from authentication"]), @r"
    ------- stderr -------
    error: no column `whatever`
    line 1: select whatever from authentication
                   ^
    hint: `\d TABLE` lists the columns
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "-c", "selekt 1"]), @r"
    ------- stderr -------
    error: cannot parse the statement: expected an SQL statement, found `selekt`
    line 1: selekt 1
            ^
    hint: did you mean `select`?
    [exit status: 3]
    ");
}

#[test]
fn a_huge_statement_is_refused_and_not_a_crash() {
    let env = Env::with_small();
    let sum = format!("select {}1", "1+".repeat(10_000));
    assert_snapshot!(env.run(["sql", "-c", &sum]), @r"
    ------- stderr -------
    error: the statement has 10000 operators; the limit is 2000
    hint: use `in (...)` for a long list of values
    [exit status: 3]
    ");
    let deep = format!("select {}1{}", "(".repeat(3_000), ")".repeat(3_000));
    assert_snapshot!(env.run(["sql", "-c", &deep]), @r"
    ------- stderr -------
    error: the statement nests 3000 levels deep; the limit is 100
    [exit status: 3]
    ");
    let not = format!("select {}true", "not ".repeat(5_000));
    assert_snapshot!(env.run(["sql", "-c", &not]), @r"
    ------- stderr -------
    error: the statement has 5000 operators; the limit is 2000
    hint: use `in (...)` for a long list of values
    [exit status: 3]
    ");
    let cases = format!("select {}1{}", "case when true then ".repeat(1_500), " end".repeat(1_500));
    assert!(env.run(["sql", "-c", &cases]).contains("[exit status: 3]"));
    let unions = vec!["select 1"; 1_900].join(" union all ");
    let text = env.run(["sql", "-q", "--format", "csv", "-c", &unions]);
    assert!(!text.contains("signal"), "{}", &text[text.len().saturating_sub(300)..]);
    let list = (0..20_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let text = env.run([
        "sql",
        "--format",
        "csv",
        "-c",
        &format!("select count(*) as n from event where class_uid in ({list})"),
    ]);
    assert_eq!(text, "n\n6\n");
}

#[test]
fn an_error_stops_the_script_unless_asked_to_go_on() {
    let env = Env::with_small();
    env.write("q.sql", "select 1 as a;\nselect nothing;\nselect 2 as b;\n");
    assert_snapshot!(env.run(["sql", "--format", "csv", "-f", "q.sql"]), @r"
    a
    1
    ------- stderr -------
    error: q.sql:2: no column `nothing`
    line 1: select nothing
                   ^
    hint: `\d TABLE` lists the columns
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "--format", "csv", "--keep-going", "-f", "q.sql"]), @r"
    a
    1
    b
    2
    ------- stderr -------
    error: q.sql:2: no column `nothing`
    line 1: select nothing
                   ^
    hint: `\d TABLE` lists the columns
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "--format", "csv", "-c", "select nothing", "-c", "select 2"]), @r"
    ------- stderr -------
    error: no column `nothing`
    line 1: select nothing
                   ^
    hint: `\d TABLE` lists the columns
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "--format", "csv", "--keep-going", "-c", "select nothing", "-c", "select 2 as b"]), @r"
    b
    2
    ------- stderr -------
    error: no column `nothing`
    line 1: select nothing
                   ^
    hint: `\d TABLE` lists the columns
    [exit status: 3]
    ");
}

#[test]
fn an_older_state_can_be_asked() {
    let env = Env::with_small();
    env.write("more.ndjson", "{\"metadata\":{\"uid\":\"z\"},\"class_uid\":3002,\"time\":1767225699000}\n");
    env.ok(["ingest", "more.ndjson"]);
    let count =
        |args: &[&str]| env.ok([&["sql", "--format", "csv", "-t", "-c", "select count(*) from event"], args].concat());
    assert_eq!(count(&[]), "7\n");
    assert_eq!(count(&["--as-of", "1"]), "6\n");
    assert_eq!(count(&["--as-of", "0"]), "0\n");
    assert_snapshot!(env.run(["sql", "--as-of", "9", "-c", "select 1"]), @r"
    ------- stderr -------
    error: no ledger entry 9
    hint: the last one is 2
    [exit status: 3]
    ");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let env = Env::with_small();
    let sql = "select a.value, b.value from generate_series(1, 2000) a, generate_series(1, 500) b";
    let line = format!("auditlake sql --format csv -c '{sql}' | head -n 2; echo \"${{PIPESTATUS[0]}}\"");
    let output = env.settle(std::process::Command::new("bash").arg("-c").arg(line)).output().unwrap();
    let text = env.text(&output);
    assert!(text.ends_with("\n0\n") && !text.contains("error"), "{text}");
}

#[test]
fn hostile_text_does_not_reach_a_spreadsheet_as_a_formula() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["sql", "--format", "csv", "-c", "select '=1+1' as a, '@x' as b, '-5' as c, -5 as d"]), @r"
    a,b,c,d
    '=1+1,'@x,-5,-5
    ");
}

#[test]
fn what_would_allocate_without_limit_is_refused() {
    let env = Env::with_small();
    for call in [
        "repeat('x', 2000000000)",
        "lpad('x', 2000000000, 'y')",
        "rpad('x', 2000000000, 'y')",
        "range(0, 9000000000)",
        "range(9000000000)",
        "generate_series(timestamp '1900-01-01', timestamp '2100-01-01', interval '1 millisecond')",
        "array_resize([1], 2000000000)",
        "array_repeat('abc', 2000000000)",
        "replace(repeat('a', 1000000), 'a', repeat('b', 1000000))",
        "repeat(_event_uid, 1000000000)",
    ] {
        let text = env.run(["sql", "-c", &format!("select length(cast({call} as varchar)) as n from authentication")]);
        assert!(text.contains("would make more than") || text.contains("would be made for each row"), "{call}: {text}");
    }
    let small =
        "select repeat('ab', 2), lpad('x', 3, 'y'), range(0, 3), array_repeat('a', 2), replace('aa', 'a', 'bc')";
    assert_snapshot!(env.run(["sql", "--format", "csv", "-t", "-c", small]), @r#"abab,yyx,"[0,1,2]","[""a"",""a""]",bcbc"#);
    // The table function makes its rows as they are requested.
    assert_eq!(env.number("select count(*) from (select * from generate_series(1, 5000000) limit 10)"), 10);
}

/// The first rows by time were once those of some files: a limit removed the order of a scan.
#[test]
fn the_first_rows_by_time_are_those_of_all_files() {
    let env = Env::new();
    for day in 1..=8 {
        let time = 1_767_225_600_000_i64 + day * 3 * 86_400_000;
        let event = format!(r#"{{"metadata":{{"uid":"m{day}"}},"class_uid":3002,"time":{time},"activity_id":1}}"#);
        env.write(&format!("{day}.ndjson"), event);
        env.ok(["ingest", "-q", &format!("{day}.ndjson")]);
    }
    for (facts, table) in
        [("true", "authentication"), ("false", "authentication"), ("true", "event"), ("false", "event")]
    {
        env.write("auditlake.toml", format!("[sql]\nfacts = {facts}\n"));
        let first = format!("select metadata.uid from {table} where time >= '2026-01-05' order by time limit 3");
        let all = std::iter::repeat_n(["-c", first.as_str()], 20).flatten();
        let told = env.ok(["sql", "--format", "csv", "-t"].into_iter().chain(all));
        assert_eq!(told.trim(), ["m2\nm3\nm4"; 20].join("\n"), "{table} with facts = {facts}");
    }
}

#[test]
fn a_statement_that_takes_too_long_is_stopped() {
    let env = Env::with_small();
    let endless =
        "select count(*) from generate_series(1, 100000000) a, generate_series(1, 100000000) b where a.value < b.value";
    assert_snapshot!(env.run(["sql", "--timeout", "200ms", "-c", endless]), @r"
    ------- stderr -------
    error: the statement took longer than 200ms
    hint: narrow it with `--since` and `--until`, or give it more time with `--timeout`
    [exit status: 130]
    ");
    // The next one has its full time again.
    assert!(
        env.run(["sql", "--timeout", "200ms", "--keep-going", "-c", "select nothing", "-c", "select 1 as a"])
            .starts_with("┌")
    );
}

#[test]
fn a_query_that_does_not_fit_fails_alone() {
    let env = Env::with_events(2_000);
    let large = "select array_agg(a.value order by a.value) from generate_series(1, 3000000) a";
    let text = env.run([
        "sql",
        "--memory-limit",
        "8MiB",
        "--format",
        "csv",
        "--keep-going",
        "-c",
        large,
        "-c",
        "select 1 as a",
    ]);
    assert!(text.starts_with("a\n1\n"), "{text}");
    assert!(text.contains("error: the query needs more than the 8 MiB it may hold"), "{text}");
    assert!(text.contains("hint: narrow it") && text.contains("--memory-limit"), "{text}");
    // Operators that can spill do so.
    let sort =
        "select max(place) from (select row_number() over (order by -value) as place from generate_series(1, 2000000))";
    assert_eq!(env.ok(["sql", "--memory-limit", "16MiB", "--format", "csv", "-t", "-c", sort]), "2000000\n");
    env.write("auditlake.toml", "[sql]\nspill = \"1MiB\"\n");
    let text = env.run(["sql", "--memory-limit", "16MiB", "-c", sort]);
    assert!(text.contains("error: the query spills more to the disk than it may"), "{text}");
    assert!(text.contains("[exit status: 3]"), "{text}");
    env.write("no-folder", "");
    env.write("auditlake.toml", format!("[sql]\nspill_folder = {:?}\n", env.path("no-folder")));
    let text = env.run(["sql", "--memory-limit", "16MiB", "-c", sort]);
    assert!(text.contains("error: cannot spill to ") && text.contains("hint: name a folder"), "{text}");
}

#[test]
fn ctrl_c_stops_a_query_and_the_program() {
    use std::process::Stdio;
    let env = Env::with_small();
    let endless = "select 1 as begun; select count(*) from generate_series(1, 100000000) a, generate_series(1, 100000000) b where a.value < b.value";
    let mut command = env.command(["sql", "--format", "csv", "-c", endless]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first answer says that the second statement is on its way.
    let mut begun = *b"........";
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(env.text(&output), "------- stderr -------\nerror: cancelled\n[exit status: 130]\n");
}

#[test]
fn a_period_and_a_past_state_narrow_every_table() {
    let env = Env::with_small();
    let count = |flags: &[&str]| {
        env.ok([&["sql", "--format", "csv", "-t", "-c", "select count(*) from event"], flags].concat())
    };
    assert_eq!(count(&["--since", "2026-01-01T00:00:02Z"]), "4\n");
    assert_eq!(count(&["--until", "2026-01-01T00:00:02Z"]), "2\n");
    assert_eq!(count(&["--since", "2026-02-01", "--until", "2026-03-01"]), "2\n");
    assert_eq!(count(&["--as-of", "2100-01-01"]), "6\n");
    assert_snapshot!(env.run(["sql", "--as-of", "1999-01-01", "-c", "select 1"]), @r"
    ------- stderr -------
    error: the lake did not exist yet at that time
    hint: it was made at [NOW]
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["sql", "--since", "2026-02-01", "--until", "2026-01-01", "-c", "select 1"]), @r"
    ------- stderr -------
    error: the period is empty: --since must be before --until
    hint: --until is the first instant after the period
    [exit status: 2]
    ");
    let text = env.run(["sql", "--since", "soon", "-c", "select 1"]);
    assert!(
        text.contains("invalid value 'soon' for '--since <TIME>': write 2026-01-31")
            && text.ends_with("[exit status: 2]\n"),
        "{text}"
    );
}

#[test]
fn errors_say_how_it_is_spelt_here() {
    let env = Env::with_small();
    for (sql, message, hint) in [
        (
            "select time > 5 from authentication",
            "cannot compare a time with a number",
            "write a time as text: '2026-01-31', or as ago('7d')",
        ),
        (
            "select actor = 'ann' from authentication",
            "cannot compare a struct with text",
            "name one of its members, as in actor.user.uid; `\\d TABLE` lists them",
        ),
        (
            "select privileges = 'admin' from user_access",
            "cannot compare a list with text",
            "use array_has(list, value), or one item: list[1]",
        ),
        (
            "select 1 from authentication where time = 'soon'",
            "cannot read the time 'soon'",
            "write '2026-01-31', '2026-01-31 12:00' or '2026-01-31T12:00:00Z'",
        ),
        ("select outcom from event", "no column `outcom`", "did you mean `outcome`?"),
        ("select a.actor.usr.uid from authentication a", "no field `usr`", "did you mean `actor.user.uid`?"),
        ("select lenght('a')", "no function `lenght`", "did you mean `length`?"),
        ("select zzzzzz('a')", "no function `zzzzzz`", "`\\h` lists the functions"),
        (
            "select cidr_match('a')",
            "`cidr_match` cannot be called like this",
            "it is cidr_match(address, network); `\\h cidr_match` tells more",
        ),
        ("select ago('soon')", "ago(): cannot read the duration `soon`", "write 30s, 15m, 1.5h"),
        ("select * from account_stat", "no table `account_stat`", "did you mean `account_state`?"),
        ("select :x", "the statement needs a value for `:x`", "pass --param x=value"),
        ("select 1; select 2 union", "", ""),
    ] {
        let text = env.run(["sql", "-c", sql]);
        assert!(text.contains(&format!("error: {message}")), "{sql}: {text}");
        assert!(text.contains(hint), "{sql}: {text}");
    }
    for item in ["resources[1]['name']", "resources[1].name"] {
        assert_eq!(env.rows(&format!("select {item} as name from user_access"))[0]["name"], serde_json::Value::Null);
    }
}

#[test]
fn a_needle_that_is_nowhere_reads_no_file() {
    let env = Env::with_events(3_000);
    let plan = |sql: &str| env.ok(["sql", "--format", "csv", "-c", &format!("explain {sql}")]);
    for column in [
        "metadata.uid",
        "actor.user.uid",
        "actor.user.email_addr",
        "actor.session.uid",
        "\"user\".uid",
        "src_endpoint.ip",
        "device.ip",
    ] {
        // It lies between existing values, so that minimum and maximum do not exclude it.
        let sql = format!(
            "select time from authentication where {column} = (select min({column}) || '~' from authentication)"
        );
        let nowhere = env.rows(&sql.replace("select time", "select count(*)"))[0].as_object().unwrap().clone();
        assert_eq!(nowhere.values().next().unwrap(), 0, "{column}");
        let value = env.rows(&format!("select min({column}) || '~' as v from authentication"))[0]["v"]
            .as_str()
            .unwrap()
            .to_string();
        let text = plan(&format!("select time from authentication where {column} = '{value}'"));
        assert!(text.contains("EmptyExec") && !text.contains("DataSourceExec"), "{column}: {text}");
    }
    let text = plan("select time from authentication where actor.user.uid is not null");
    assert!(text.contains("DataSourceExec"), "{text}");
}

/// DataFusion let `min` and `max` of a column skip rows that another aggregate beside them needed.
#[test]
fn an_aggregate_of_an_expression_beside_a_minimum_sees_every_row() {
    let env = Env::with_events(3_000);
    let limit = "timestamp '2026-01-04T23:00:00Z'";
    let beside = format!(
        "select min(time) as a, max(time) as b, max(case when time < {limit} then time end) as latest from event"
    );
    let alone = format!("select max(time) as latest from event where time < {limit}");
    for _ in 0..3 {
        assert_eq!(env.rows(&beside)[0]["latest"], env.rows(&alone)[0]["latest"]);
    }
}
