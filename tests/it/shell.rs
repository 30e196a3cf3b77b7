//! The interactive shell as a user meets it: keys in, screen out. Every row of the specification has its tests here.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::env::Env;
use crate::terminal::{CTRL_C, CTRL_D, Terminal, UP, typed};

/// The requirements of the shell, row by row, and the tests that show them (here, in `sql` and in `results`).
const ROWS: &[(&str, &[&str])] = &[
    ("quit", &["every_way_to_leave_leaves"]),
    ("help", &["help_lists_the_commands", "a_function_is_explained"]),
    ("list tables", &["tables_are_listed_by_pattern_and_with_sizes"]),
    (
        "describe",
        &["columns_are_described_with_how_often_they_are_filled", "how_often_a_column_is_filled_is_what_counting_says"],
    ),
    ("run file", &["files_are_run_from_the_prompt_and_from_the_command_line"]),
    (
        "output to file",
        &["results_go_to_files_in_the_format_of_their_suffix", "a_failed_statement_leaves_the_file_alone"],
    ),
    ("format", &["formats_are_switched_in_all_spellings"]),
    ("expanded rows", &["rows_are_expanded_on_demand_and_when_too_wide"]),
    ("timing", &["timing_tells_what_was_read_and_pruned"]),
    ("null text", &["null_is_shown_as_told"]),
    ("row limit on screen", &["the_screen_shows_so_many_rows_and_last_all"]),
    ("pager", &["what_is_longer_than_the_screen_goes_to_the_pager"]),
    ("repeat", &["a_statement_is_watched_while_rows_come_in"]),
    ("variables", &["variables_parameters_and_conditions"]),
    ("edit buffer", &["the_statement_is_edited_and_run"]),
    ("history", &["lines_come_back_and_secrets_do_not", "a_broken_history_does_not_keep_the_shell_from_starting"]),
    ("shell", &["the_system_is_reached_unless_the_shell_is_safe"]),
    ("init file", &["the_init_file_is_read_by_people_only"]),
    ("one-shot", &["statements_and_files_run_in_the_order_given"]),
    ("script", &["statements_come_from_arguments_files_and_stdin"]),
    ("quiet / no header", &["quiet_and_bare_output"]),
    ("csv/json flags", &["short_flags_name_formats"]),
    ("stop on error", &["an_error_stops_the_script_unless_asked_to_go_on", "a_wrong_command_in_a_script_is_a_failure"]),
    ("safe/read-only", &["only_queries_are_run", "the_system_is_reached_unless_the_shell_is_safe"]),
    (
        "^C",
        &[
            "an_interrupt_ends_a_query_and_not_the_shell",
            "an_interrupt_while_planning_is_heard_within_a_second",
            "an_interrupt_while_spilling_is_heard_within_a_second",
            "a_second_interrupt_ends_a_batch_at_once",
        ],
    ),
    ("multi-line", &["a_statement_over_several_lines_is_answered"]),
    ("prompt continuation", &["a_statement_over_several_lines_is_answered"]),
];

/// The shell's specification, which is beside the source where this program is written.
const SPECIFICATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/SHELL.md");

#[test]
fn every_row_of_the_specification_has_a_test() {
    let sources = [include_str!("shell.rs"), include_str!("results.rs"), include_str!("sql.rs")].concat();
    for (row, tests) in ROWS {
        assert!(!tests.is_empty(), "{row}");
        for test in *tests {
            assert!(sources.contains(&format!("#[test]\nfn {test}()")), "{row}: there is no test `{test}`");
        }
    }
    let Ok(text) = fs::read_to_string(SPECIFICATION) else { return };
    let cells = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    let wanted: Vec<&str> = cells.filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
    let known: BTreeMap<&str, ()> = ROWS.iter().map(|(row, _)| (*row, ())).collect();
    assert!(wanted.len() > 20, "the table was not found");
    for row in &wanted {
        assert!(known.contains_key(row), "no test for the row `{row}`");
    }
    assert_eq!(wanted.len(), ROWS.len());
}

#[test]
fn every_way_to_leave_leaves() {
    let env = Env::with_small();
    for (keys, expected) in [
        ("\\q\r", 0),
        (".quit\r", 0),
        (".exit 3\r", 3),
        ("quit\r", 0),
        ("exit;\r", 0),
        (CTRL_D, 0),
        ("select 1,\r\\q\r", 0),
    ] {
        let mut terminal = Terminal::run(&env, "auditlake sql");
        terminal.ready().keys(keys);
        let (screen, status) = terminal.end();
        assert_eq!(status, expected, "{keys:?}: {screen}");
    }
}

#[test]
fn a_statement_over_several_lines_is_answered() {
    let env = Env::with_small();
    let lines =
        ["select actor.user.uid as who,", "  count(*) as n -- no end; yet", "from authentication", "group by all;"];
    let screen = typed(&env, &lines);
    assert!(screen.contains("\\? for help"), "{screen}");
    assert!(screen.contains("\n       -> from authentication"), "{screen}");
    assert!(screen.contains("│ who │ n │") && screen.contains("│ ann │ 1 │"), "{screen}");
    assert!(screen.contains("1 row, "), "{screen}");
}

#[test]
fn help_lists_the_commands() {
    let env = Env::with_small();
    let screen = typed(&env, &["\\?", ".help watch", "help"]);
    assert!(screen.contains("leave the shell") && screen.contains("list the tables"), "{screen}");
    assert_eq!(screen.matches("again and again").count(), 3, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 100), "{screen}");
}

#[test]
fn a_function_is_explained() {
    let env = Env::with_small();
    let screen = typed(&env, &["\\h cidr_match", "\\h ocsf", "\\h nonsens", "\\h array_agg"]);
    assert!(screen.contains("cidr_match(address, network)") && screen.contains("network in CIDR notation"), "{screen}");
    assert!(screen.contains("│ ocsf_caption │ scalar │"), "{screen}");
    assert!(screen.contains("error: no function `nonsens`"), "{screen}");
    assert!(screen.contains("(aggregate function)"), "{screen}");
}

#[test]
fn tables_are_listed_by_pattern_and_with_sizes() {
    let env = Env::with_small();
    let screen = typed(&env, &["\\d", "show tables;", ".tables user%", "\\dt *_change", "\\dt+ auth"]);
    let rows = |name: &str| screen.lines().filter(|line| line.starts_with(&format!("│ {name} "))).count();
    assert!(rows("event") == 2 && rows("group_management") == 2, "{screen}");
    assert_eq!((rows("user_access"), rows("account_change")), (3, 3), "{screen}");
    assert!(!screen.contains("information_schema"), "{screen}");
    assert!(screen.contains("│ rows │ files │") && screen.contains("│ authentication  │    1 │     1 │"), "{screen}");
    assert!(screen.contains("2026-01-01T00:00:00Z"), "{screen}");
}

#[test]
fn columns_are_described_with_how_often_they_are_filled() {
    let env = Env::with_small();
    env.write("more.ndjson", "{\"metadata\":{\"uid\":\"z\"},\"class_uid\":3002,\"time\":1767225699000}\n");
    env.ok(["ingest", "more.ndjson"]);
    let screen = typed(&env, &["\\d authentication", ".schema user_access", "\\d reject", "\\d no_such"]);
    // A column that cannot be read or is left out cannot be found.
    for path in ["actor.user.email_addr", "src_endpoint.ip", "metadata.logged_time", "_event_uid"] {
        assert!(screen.contains(&format!("│ {path} ")), "no {path}:\n{screen}");
    }
    let line = |path: &str| screen.lines().find(|line| line.contains(&format!("│ {path} "))).unwrap().to_string();
    let cells = |path: &str| line(path).split('│').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
    assert_eq!(cells("class_uid")[2..5], ["bigint", "required", "100%"], "{screen}");
    assert_eq!(cells("actor.user.email_addr")[4], "50%", "{screen}");
    assert_eq!(cells("src_endpoint.port")[4], "", "{screen}");
    assert_eq!(cells("privileges[]")[4], "100%", "{screen}");
    assert!(line("activity_id").contains("0 Unknown"), "{screen}");
    assert!(screen.contains("error: no table `no_such`"), "{screen}");
}

#[test]
fn how_often_a_column_is_filled_is_what_counting_says() {
    let env = Env::with_events(3000);
    let described = env.ok(["sql", "--ndjson", "-c", "\\d user_access"]);
    let columns = crate::env::values(&described);
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_string();
    let paths: Vec<String> =
        columns.iter().map(|row| text(row, "column")).filter(|path| !path.contains("[]")).collect();
    let quoted = |path: &str| path.split('.').map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(".");
    let counts: Vec<String> = paths.iter().map(|path| format!("count({}) as \"{path}\"", quoted(path))).collect();
    let counted = &env.rows(&format!("select count(*) as n, {} from user_access", counts.join(", ")))[0];
    let (rows, mut partly) = (counted["n"].as_u64().unwrap(), 0);
    for row in columns.iter().filter(|row| !text(row, "column").contains("[]")) {
        let filled = counted[text(row, "column")].as_u64().unwrap();
        let expected = match 100 * filled / rows {
            _ if filled == 0 => String::new(),
            0 => "<1%".to_string(),
            percent => format!("{percent}%"),
        };
        assert_eq!(text(row, "filled"), expected, "{row}");
        partly += usize::from(filled > 0 && filled < rows);
    }
    assert!(paths.len() > 150 && partly > 5, "{} {partly}", paths.len());
    let lists = env.number("select count(*) from user_access where array_length(resources) > 0");
    let row = columns.iter().find(|row| text(row, "column") == "resources[].uid").unwrap();
    assert_eq!(text(row, "filled"), format!("{}%", 100 * lists / rows), "{row}");
}

#[test]
fn files_are_run_from_the_prompt_and_from_the_command_line() {
    let env = Env::with_small();
    env.write("sub/outer.sql", "select 'outer' as x;\n\\ir inner.sql\n");
    env.write("sub/inner.sql", "select 'inner' as y;\n");
    env.write("bad.sql", "select nothing;\nselect 'never' as z;\n");
    let screen = typed(&env, &["\\i sub/outer.sql", ".read sub/inner.sql", "\\i bad.sql", "\\i missing.sql"]);
    assert!(screen.contains("│ outer │") && screen.matches("│ inner │").count() == 2, "{screen}");
    assert!(screen.contains("no column `nothing`") && !screen.contains("never"), "{screen}");
    assert!(screen.contains("cannot read the script missing.sql"), "{screen}");
    let rows = "x\nouter\ny\ninner\n";
    assert_eq!(env.ok(["sql", "--csv", "-f", "sub/outer.sql"]), rows);
    assert_eq!(env.ok(["sql", "--csv", "sub/outer.sql", "sub/inner.sql"]), format!("{rows}y\ninner\n"));
}

#[test]
fn formats_are_switched_in_all_spellings() {
    let env = Env::with_small();
    let screen = typed(
        &env,
        &[
            "select 1 as a, 'x' as b \\g",
            "\\pset format csv",
            "\\g",
            ".mode json",
            "\\g",
            "\\a",
            "\\g",
            "\\t",
            "\\pset fieldsep ;",
            "\\g",
            "\\a",
            "\\t off",
            "\\H",
            "\\g",
            ".mode md",
            "\\g",
            ".mode parquet",
            "\\g",
            ".mode cvs",
            "\\pset",
        ],
    );
    for shown in [
        "│ 1 │ x │",
        "a,b\n1,x\n",
        "[{\"a\":1,\"b\":\"x\"}]",
        "a|b\n1|x\n",
        "\n1;x\n",
        "<td align=\"right\">1</td><td>x</td>",
        "| ---: | --- |",
        "error: parquet is written to a file only",
        "hint: did you mean `csv`?",
        "tuples_only   off",
    ] {
        assert!(screen.contains(shown), "no {shown:?} in\n{screen}");
    }
}

#[test]
fn rows_are_expanded_on_demand_and_when_too_wide() {
    let env = Env::with_small();
    let wide = "select 'narrow' as a, repeat('w', 120) as b;";
    let screen = typed(
        &env,
        &[
            "\\x auto",
            "select 'short' as a;",
            wide,
            "\\x off",
            wide,
            "select 5 as five \\gx",
            "select 6 as six \\G",
            "\\x",
            "select 7 as seven;",
        ],
    );
    assert!(screen.contains("│ short │") && screen.contains("expanded is auto"), "{screen}");
    // Expanded a value is broken at the edge, in a table it may be cut.
    assert!(screen.contains(&format!("b | {}", "w".repeat(96))), "{screen}");
    for line in ["five | 5", "six | 6", "seven | 7"] {
        assert!(screen.contains(line), "{screen}");
    }
}

#[test]
fn timing_tells_what_was_read_and_pruned() {
    let env = Env::with_small();
    let screen = typed(
        &env,
        &["\\timing on", "select actor_uid from event where time < '2026-01-15';", ".timer off", "select 1 as one;"],
    );
    assert!(screen.contains("timing is on"), "{screen}");
    let told = screen.lines().find(|line| line.contains("; read ")).unwrap_or_else(|| panic!("{screen}"));
    assert!(told.contains("of 6 files") && told.contains("; pruned 2 files, "), "{told}");
    assert_eq!(screen.matches("; read ").count(), 1, "{screen}");
}

#[test]
fn null_is_shown_as_told() {
    let env = Env::with_small();
    let screen = typed(
        &env,
        &[
            "\\pset null (none)",
            "select null as n;",
            ".nullvalue <nil>",
            "select null as n;",
            ".mode csv",
            "select null as n, 1 as x;",
        ],
    );
    assert!(screen.contains("│ (none) │") && screen.contains("│ <nil> │") && screen.contains("<nil>,1"), "{screen}");
    assert_eq!(env.ok(["sql", "--csv", "-t", "-c", "select null as n, 1 as x"]), ",1\n");
}

#[test]
fn the_screen_shows_so_many_rows_and_last_all() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql --maxrows 4");
    terminal.types(&["select value as v from generate_series(101, 120);", ".last", ".maxrows 2", "\\g"]);
    let screen = terminal.leave();
    assert!(screen.contains("20 rows (4 shown, `.last` shows all)"), "{screen}");
    assert_eq!(screen.matches("│ 101 │").count(), 3, "{screen}");
    assert_eq!(screen.matches("│ 110 │").count(), 1, "only `.last` shows the middle:\n{screen}");
}

#[test]
fn what_is_longer_than_the_screen_goes_to_the_pager() {
    let env = Env::with_small();
    let mut terminal = Terminal::run_with(&env, "auditlake sql --maxrows 0", &[("PAGER", "sed 's/^/P:/'")]);
    terminal.types(&[
        "select value as short from generate_series(1, 3);",
        "select value as long from generate_series(1, 60);",
        "\\pset pager off",
        "select value as plain from generate_series(1, 60);",
        "\\pset pager always",
        "select 1 as always;",
        "\\?",
    ]);
    let screen = terminal.leave();
    assert!(screen.contains("\n│ short │") && screen.contains("P:│ long │"), "{screen}");
    assert!(screen.contains("\n│ plain │") && screen.contains("P:│ always │"), "{screen}");
    assert!(screen.contains("P:  \\q \\quit .quit"), "{screen}");
    // A user who leaves the pager has seen enough, and a missing pager is reported.
    for (pager, told) in [("head -n 2", " v │"), ("no-such-pager", "error: cannot run the pager `no-such-pager`")] {
        let mut terminal = Terminal::run_with(&env, "auditlake sql --maxrows 0", &[("PAGER", pager)]);
        terminal.types(&["select value as v from generate_series(1, 300000);", "select 'after' as x;"]);
        let screen = terminal.leave();
        assert!(screen.contains(told) && screen.contains("│ after │"), "{screen}");
        assert_eq!(screen.contains("error"), pager.starts_with("no-such"), "{screen}");
    }
}

#[test]
fn a_statement_is_watched_while_rows_come_in() {
    let env = Env::with_small();
    env.write("more.ndjson", "{\"metadata\":{\"uid\":\"z\"},\"class_uid\":3002,\"time\":1767225699000}\n");
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys("select 'n' || count(*) as events from event \\watch 0.1\r");
    terminal.sees("│ n6 ").sees("1 row");
    env.ok(["ingest", "more.ndjson"]);
    terminal.sees("│ n7 ").keys(CTRL_C);
    terminal.types(&["select 'after' as x \\watch 0.01 c=2"]);
    let screen = terminal.leave();
    assert_eq!(screen.matches("│ after │").count(), 2, "{screen}");
}

#[test]
fn variables_parameters_and_conditions() {
    let env = Env::with_small();
    let screen = typed(
        &env,
        &[
            "\\set who 'O''Neil'",
            "\\set t authentication",
            "select :'who' as name, count(*) as n from :t;",
            "select count(*) as events from event \\gset",
            "\\if :{?events}",
            "\\echo there are :events",
            "\\else",
            "\\echo none",
            "\\endif",
            ".parameter set day 2026-01-01",
            "select count(*) as that_day from event where time::date = :day;",
            "\\unset t",
            "\\set",
        ],
    );
    assert!(screen.contains("│ O'Neil │ 1 │") && screen.contains("\nthere are 6\n"), "{screen}");
    assert!(!screen.contains("\nnone\n"), "{screen}");
    assert!(screen.contains("│        4 │"), "{screen}");
    assert!(screen.contains("\nevents = '6'\n") && !screen.contains("\nt = "), "{screen}");
    let line = ["sql", "--csv", "-t", "-v", "n=5", "--param", "k:int=2", "-c", "\\set m :n", "-c", "select :m * :k"];
    assert_eq!(env.ok(line), "10\n");
}

#[test]
fn the_statement_is_edited_and_run() {
    let env = Env::with_small();
    env.write("file.sql", "select 'of 41' as f\n");
    let mut terminal = Terminal::run_with(&env, "auditlake sql", &[("EDITOR", "sed -i s/41/42/")]);
    terminal.types(&["select 'answer 41' as x;", "\\e", "select 'begun 41'", "\\e", "as y;", ".edit file.sql", ";"]);
    let screen = terminal.leave();
    for shown in ["│ answer 42 │", "│ begun 42 │", "│ of 42 │"] {
        assert!(screen.contains(shown), "no {shown}:\n{screen}");
    }
    assert_eq!(env.read("file.sql"), "select 'of 42' as f\n");
    let mut terminal = Terminal::run_with(&env, "auditlake sql", &[("EDITOR", "no-such-editor")]);
    terminal.types(&["\\e", "select 'after' as x;"]);
    let screen = terminal.leave();
    assert!(screen.contains("the editor `no-such-editor` failed") && screen.contains("│ after │"), "{screen}");
}

#[test]
fn lines_come_back_and_secrets_do_not() {
    let env = Env::with_small();
    let secret = "sk_0123456789abcdef0123456789abcdef0123456789abcdef";
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.types(&[&format!("select '{secret}' as x;"), " select 'blank' as b;", "select 'harmless'", "as y;"]);
    terminal.ready().keys(UP).sees("harmless").keys("\r").sees("│ harmless │");
    // ^R looks for what was typed.
    terminal.ready().keys("\u{12}harm").sees("harmless").keys("\r").sees("│ harmless │");
    terminal.types(&["\\s"]);
    let screen = terminal.leave();
    assert!(screen.contains("\nselect 'harmless'\nas y;\n"), "{screen}");
    let file = ".local/state/auditlake/history";
    let history = env.read(file);
    assert!(history.contains("harmless") && !history.contains(secret) && !history.contains("blank"), "{history}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(env.path(file)).unwrap().permissions().mode() & 0o777, 0o600);
    // The next shell has them too.
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys(&format!("{UP}{UP}{UP}")).sees("harmless").keys("\r").sees("│ harmless │");
    terminal.leave();
}

#[test]
fn a_broken_history_does_not_keep_the_shell_from_starting() {
    let env = Env::with_small();
    env.write(".local/state/auditlake/history", [0xff, 0xfe, 0x00, 0x80]);
    let screen = typed(&env, &["select 'here' as x;"]);
    assert!(screen.contains("cannot read the history") && screen.contains("│ here │"), "{screen}");
    assert_eq!(fs::read(env.path(".local/state/auditlake/history")).unwrap(), [0xff, 0xfe, 0x00, 0x80]);
}

#[test]
fn the_system_is_reached_unless_the_shell_is_safe() {
    let env = Env::with_small();
    env.write("x.sql", "select 1;");
    let screen = typed(&env, &["\\! echo a$((1+1))b", ".shell exit 3"]);
    assert!(screen.contains("\na2b\n") && screen.contains("[exit status: 3]"), "{screen}");
    let mut terminal = Terminal::run_with(&env, "auditlake sql --safe", &[("PAGER", "touch paged; cat")]);
    terminal.types(&[
        "\\! touch made",
        ".status",
        "\\e",
        "\\i x.sql",
        "\\o out.csv",
        "\\?",
        "select 1 as one \\g out.csv",
        "\\d",
    ]);
    let screen = terminal.leave();
    assert_eq!(screen.matches("off in safe mode").count(), 6, "{screen}");
    for name in ["made", "out.csv", "paged"] {
        assert!(!env.path(name).exists(), "{name}");
    }
}

#[test]
fn the_init_file_is_read_by_people_only() {
    let env = Env::with_small();
    env.write(".auditlakerc", "\\set x 5\n\\pset null (rc)\nselect nothing;\n\\timing on\n");
    let screen = typed(&env, &["select null as n, :x as x;"]);
    assert!(screen.contains("│ (rc) │ 5 │") && screen.contains("no column `nothing`"), "{screen}");
    let mut terminal = Terminal::run(&env, "auditlake sql --no-rc");
    terminal.types(&["select null as n, 6 as x;"]);
    let screen = terminal.leave();
    assert!(!screen.contains("(rc)"), "{screen}");
    assert_eq!(env.run(["sql", "--csv", "-c", "select null as n, 1 as x"]), "n,x\n,1\n");
    assert_eq!(env.run_with_stdin(["sql", "--csv"], b"select null as n, 1 as x"), "n,x\n,1\n");
}

#[test]
fn an_interrupt_ends_a_query_and_not_the_shell() {
    let env = Env::with_small();
    let endless = "select sum(a.value * b.value) from generate_series(1, 1000000) a, generate_series(1, 1000000) b;";
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.types(&["select 1,"]);
    terminal.ready().keys(CTRL_C).ready().keys(&format!("{endless}\r"));
    // Its progress is shown, so it runs.
    terminal.sees("computing").keys(CTRL_C).sees("error: cancelled");
    terminal.types(&["select 7 as seven;"]);
    let screen = terminal.leave();
    assert!(screen.contains("│     7 │"), "{screen}");
    let mut terminal = Terminal::run(&env, &format!("auditlake sql -c '{endless}' -c 'select 8 as eight'"));
    terminal.sees("computing").keys(CTRL_C);
    let (screen, status) = terminal.end();
    assert_eq!(status, 130, "{screen}");
    assert!(!screen.contains("eight │"), "{screen}");
}

/// Measures how long a running statement takes to end after ^C: the best of three, since others use the machine as well.
fn interrupted_in(terminal: &mut Terminal, sql: &str, is_at_it: impl Fn(&mut Terminal)) -> Duration {
    let tries = (0..3).map(|_| {
        terminal.ready().keys(&format!("{sql}\r"));
        is_at_it(terminal);
        let pressed = Instant::now();
        terminal.keys(CTRL_C).sees("error: cancelled");
        pressed.elapsed()
    });
    tries.min().unwrap_or_default()
}

#[test]
fn an_interrupt_while_planning_is_heard_within_a_second() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    // Each step plans the one before it twice: 256 times six classes.
    let steps = (1..=8).map(|step| format!("s{step} as (select * from s{0} union all select * from s{0})", step - 1));
    let sql =
        format!("with s0 as (select * from event), {} select count(*) from s8;", steps.collect::<Vec<_>>().join(", "));
    let waited = interrupted_in(&mut terminal, &sql, |terminal| {
        terminal.sees("planning");
    });
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    terminal.types(&["select 7 as seven;"]);
    assert!(terminal.leave().contains("│     7 │"));
}

#[test]
fn an_interrupt_while_spilling_is_heard_within_a_second() {
    let env = Env::with_small();
    fs::create_dir(env.path("spill")).unwrap();
    env.write("auditlake.toml", format!("[sql]\nspill_folder = {:?}\n", env.path("spill")));
    let mut terminal = Terminal::run(&env, "auditlake sql --memory-limit 64MiB");
    let sql = "select max(place) from (select row_number() over (order by -value) as place \
               from generate_series(1, 1000000000));";
    // Spilled files have no name: who has one open can be seen, where the system shows it.
    let folder = env.path("spill");
    let is_spilling = || {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let open =
            processes.flat_map(|process| fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten());
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|path| path.starts_with(&folder))
    };
    let waited = interrupted_in(&mut terminal, sql, |terminal| {
        terminal.sees("computing");
        if cfg!(not(target_os = "linux")) {
            return std::thread::sleep(Duration::from_secs(3));
        }
        let begun = Instant::now();
        while !is_spilling() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is spilled");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    terminal.types(&["select 7 as seven;"]);
    assert!(terminal.leave().contains("│     7 │"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "what was spilled is left behind");
    assert!(!is_spilling());
}

#[test]
fn a_second_interrupt_ends_a_batch_at_once() {
    let env = Env::with_small();
    env.write("s.sql", "\\! trap 'echo heard' INT; echo waiting; while :; do sleep 0.1; done\n");
    let mut terminal = Terminal::run(&env, "auditlake sql -f s.sql");
    terminal.sees("waiting").keys(CTRL_C).sees("heard");
    let (screen, status) = terminal.ends_by(CTRL_C);
    assert_eq!(status, 130, "{screen}");
}

#[test]
fn progress_counts_the_bytes_of_the_plan() {
    let env = Env::with_small();
    let slow = "select count(*) from authentication a, generate_series(1, 1000000000) b \
                where a.activity_id + b.value > 0;";
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys(&format!("{slow}\r")).sees("computing").keys(CTRL_C).sees("error: cancelled");
    let raw = terminal.raw();
    assert!(raw.contains(" kB of "), "{raw:?}");
    terminal.leave();
}

#[test]
fn an_error_does_not_end_the_shell() {
    let env = Env::with_small();
    let screen = typed(&env, &["\\nonsense", "select nothing;", "select 40 + 2 as answer;"]);
    assert!(
        screen.contains("no command `\\nonsense`") && screen.contains("hint: `\\?` lists the commands"),
        "{screen}"
    );
    assert!(screen.contains("no column `nothing`"), "{screen}");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn a_program_command_runs_in_the_shell_and_its_rows_are_seen() {
    let env = Env::with_small();
    env.write("more.ndjson", "{\"metadata\":{\"uid\":\"z\"},\"class_uid\":3002,\"time\":1767225699000}\n");
    let lines =
        [".ingest more.ndjson", "select count(*) as events from event;", ".report list", ".ingest missing.ndjson"];
    let screen = typed(&env, &lines);
    assert!(screen.contains("read 1 = accepted 1"), "{screen}");
    assert!(screen.contains("│      7 │"), "{screen}");
    assert!(screen.contains("auth-outcome-summary"), "{screen}");
    assert!(screen.contains("error: `.ingest` failed: exit status: "), "{screen}");
}

#[test]
fn an_interrupt_ends_a_program_command_and_not_the_shell() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys(".ingest -\r").sees(".ingest -\n").insists(CTRL_C, "error: cancelled");
    terminal.types(&["select 'after' as x;"]);
    assert!(terminal.leave().contains("│ after │"));
}

#[test]
fn names_are_completed() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal
        .ready()
        .keys("select count(*) as n from authen\t where activity_id = \t")
        .sees("1  Logon")
        .sees("2  Logoff");
    terminal.keys("logof\t;\r").sees("activity_id = 2;").sees("│ n │");
    terminal.ready().keys("select actor.user.\t").sees("actor.user.email_addr").keys(CTRL_C);
    terminal.ready().keys("\\d user_acc\t").sees("user_access").keys(CTRL_C);
    terminal.ready().keys(".sta\t").sees(".status").keys(CTRL_C);
    terminal.ready().keys(".report ru\t").sees(".report run").keys(CTRL_C);
    terminal.ready().keys("\\pset format mark\t").sees("markdown").keys(CTRL_C);
    terminal.ready();
    // On the second line of a statement the first still counts.
    terminal.types(&["select 1 from user_access"]);
    terminal.ready().keys("where privil\t").sees("privileges").keys(CTRL_C);
    terminal.leave();
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let env = Env::with_small();
    let shown = |variables: &[(&str, &str)]| {
        let mut terminal = Terminal::run_with(&env, "auditlake sql", variables);
        terminal.types(&["select 'x' as y;"]);
        terminal.ready();
        let raw = terminal.raw();
        assert!(terminal.leave().contains("│ x │"));
        raw.contains("\u{1b}[1;34mselect")
    };
    assert!(shown(&[]));
    assert!(!shown(&[("NO_COLOR", "1")]));
    assert!(!shown(&[("TERM", "dumb")]));
}

#[test]
fn any_text_can_be_typed_and_pasted() {
    let env = Env::with_small();
    let long = "ä".repeat(6_000);
    let mut terminal = Terminal::run(&env, "auditlake sql --maxrows 0");
    terminal.types(&[
        "select 'é😀日本' as größe;",
        "select $$a;'b$$ as dollar, $t$ $$;\\q $t$ as tag;",
        "/* ; */ select 'c;' as c; -- d;",
    ]);
    terminal
        .ready()
        .keys(&format!("\u{1b}[200~select '{long}' as l,\nlength('{long}') as n;\nselect 'two' as t;\n\u{1b}[201~\r"));
    terminal.sees("│ two │");
    let screen = terminal.leave();
    for shown in ["│ é😀日本 │", "│ a;'b   │", "$$;\\q", "│ c; │", "\nn | 6000\n"] {
        assert!(screen.contains(shown), "no {shown}:\n{screen}");
    }
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let env = Env::with_small();
    let mut terminal = Terminal::run(&env, "auditlake sql");
    terminal.ready().keys("select 1 as one;\rselect 2 as two;\r\\q\r");
    let (screen, _) = terminal.end();
    assert!(screen.contains("│ one │") && screen.contains("│ two │"), "{screen}");
}

#[test]
fn a_table_fits_the_terminal_also_after_it_was_resized() {
    let env = Env::with_small();
    let widest =
        |screen: &str| screen.lines().filter(|line| line.starts_with('┌')).map(|line| line.chars().count()).max();
    let wide = "select * from authentication;";
    let before = typed(&env, &["\\x off", wide]);
    assert!(widest(&before).is_some_and(|width| (70..=100).contains(&width)), "{before}");
    let after = typed(&env, &["\\x off", "\\! stty cols 60", wide]);
    assert!(widest(&after).is_some_and(|width| (30..=60).contains(&width)), "{after}");
}

#[test]
fn hostile_values_do_not_reach_the_terminal() {
    let env = Env::with_small();
    for format in ["table", "csv", "list", "line", "json", "md", "html"] {
        let mut terminal = Terminal::run(&env, &format!("auditlake sql --format {format}"));
        terminal.types(&["select 'a' || chr(27) || '[31m' || chr(8238) || 'b' as x;"]);
        terminal.ready();
        let raw = terminal.raw();
        assert!(!raw.contains("\u{1b}[31m") && !raw.contains('\u{202e}'), "{format}: {raw:?}");
        terminal.leave();
    }
}
