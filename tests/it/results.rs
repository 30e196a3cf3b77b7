//! Results of statements in files and pipes: formats, flags, and what is left when something fails.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::env::{Env, feed};

/// A row of values that are difficult for formats.
const ROW: &str = "select timestamp '2026-01-02T03:04:05.678Z' as at, 9007199254740993 as big, 7 as n, 0.1 as share, \
                   '=1+1' as formula, 'http://x.example/' as link, 'a\"b,c' as text, null as nothing, [1, 2] as list";

#[test]
fn results_go_to_files_in_the_format_of_their_suffix() {
    let env = Env::with_small();
    for (name, start) in [
        ("o.csv", &b"at,big"[..]),
        ("o.tsv", b"at\tbig"),
        ("o.json", b"[{"),
        ("o.ndjson", b"{\"at\""),
        ("o.md", b"| at |"),
        ("o.html", b"<!doctype html>"),
        ("o.parquet", b"PAR1"),
        ("o.arrow", b"ARROW1"),
        ("o.xlsx", b"PK"),
    ] {
        env.ok(["sql", "-q", "-c", ROW, "-o", name]);
        let flag = fs::read(env.path(name)).unwrap();
        assert!(flag.starts_with(start), "{name}");
        // The shell's own ways lead to the same bytes.
        for (way, script) in [
            ("g", format!("{ROW} \\g g-{name}\n")),
            ("once", format!(".once once-{name}\n{ROW};\n")),
            ("out", format!("\\o out-{name}\n{ROW};\n\\o\n")),
            ("output", format!(".output output-{name}\n{ROW};\n.output stdout\nselect 'screen' as s;")),
        ] {
            env.run_with_stdin(["sql"], script.as_bytes());
            assert_eq!(fs::read(env.path(&format!("{way}-{name}"))).unwrap(), flag, "{way} {name}");
        }
    }
    assert!(env.read("o.csv").contains(",'=1+1,"), "a formula in {}", env.read("o.csv"));
    assert!(env.read("o.html").contains("a&quot;b,c"));
    let hidden: Vec<_> = fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!hidden.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{hidden:?}");
}

#[test]
fn several_results_follow_each_other_in_a_text_file() {
    let env = Env::with_small();
    let script = b"\\o all.csv\nselect 1 as a;\nselect nothing;\nselect 2 as b;\n\\dt authent\n\\o one.parquet\nselect nothing;\nselect 3 as c;\nselect 4 as d;\n";
    let text = env.run_with_stdin(["sql", "--keep-going"], script);
    assert_eq!(
        env.read("all.csv"),
        "a\n1\nb\n2\ntable,kind,rows,what it is\nauthentication,class,1,OCSF Authentication events (class_uid 3002)\n"
    );
    assert!(text.contains("one.parquet holds a result, and parquet holds only one"), "{text}");
    assert!(env.path("one.parquet").exists());
    // A new run replaces the file.
    env.ok(["sql", "-q", "-c", "select 5 as e", "-o", "all.csv"]);
    assert_eq!(env.read("all.csv"), "e\n5\n");
}

#[test]
fn a_failed_statement_leaves_the_file_alone() {
    let env = Env::with_small();
    env.write("kept.csv", "before\n");
    // It fails after its first rows.
    let late = "select case when value < 100000 then value else (1 / (value - value)) end as v from generate_series(1, 100001)";
    for sql in ["select nothing", late] {
        let text = env.run(["sql", "-c", sql, "-o", "kept.csv"]);
        assert!(text.contains("error: ") && text.ends_with("[exit status: 3]\n"), "{text}");
        assert_eq!(env.read("kept.csv"), "before\n");
    }
    let text = env.run(["sql", "-c", "select 1", "-o", "no/such/folder.csv"]);
    assert!(text.contains("hint: the directory must exist"), "{text}");
    let left: Vec<_> = fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn a_device_is_written_and_not_replaced() {
    let env = Env::with_small();
    assert_eq!(env.ok(["sql", "--csv", "-c", "select 1 as a", "-o", "/dev/stdout"]), "a\n1\n");
    env.ok(["sql", "--csv", "-c", "select 1 as a", "-o", "/dev/null"]);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn files_of_bytes_do_not_go_to_a_pipe() {
    let env = Env::with_small();
    for format in ["parquet", "xlsx"] {
        let text = env.run(["sql", "--format", format, "-c", "select 1"]);
        assert!(text.contains(&format!("error: {format} is written to a file only")), "{text}");
        let text = env.run(["status", "--format", format]);
        assert!(text.contains("to a file only"), "{text}");
    }
}

#[test]
fn statements_and_files_run_in_the_order_given() {
    let env = Env::with_small();
    env.write("b.sql", "select :x as b;");
    env.write("d.sql", "select 'd' as d;");
    let line =
        ["sql", "--csv", "-c", "\\set x 1", "-f", "b.sql", "-c", "select 'c' as c", "d.sql", "-c", "select 'e' as e"];
    assert_eq!(env.ok(line), "b\n1\nc\nc\nd\nd\ne\ne\n");
    let text = env.run(["sql", "select 1"]);
    assert!(
        text.contains("cannot read select 1") && text.contains("hint: to run a statement, put `-c` before it"),
        "{text}"
    );
}

#[test]
fn quiet_and_bare_output() {
    let env = Env::with_small();
    let sql = "select 1 as a, 'x' as b";
    assert_eq!(env.run(["sql", "-q", "-t", "-A", "-c", sql]), "1|x\n");
    assert_eq!(env.run(["sql", "-tAc", sql]), "1|x\n");
    assert_eq!(env.run(["sql", "--no-header", "--csv", "-c", sql]), "1,x\n");
    assert_eq!(env.run(["sql", "-x", "-c", sql]), "-[ RECORD 1 ]-\na | 1\nb | x\n");
    assert_eq!(env.run(["sql", "-q", "-c", "\\timing on", "-A", "-c", sql]), "a|b\n1|x\n");
    assert!(env.run(["sql", "-c", "\\timing on", "-A", "-c", sql]).contains("1 row, "));
}

#[test]
fn short_flags_name_formats() {
    let env = Env::with_small();
    let sql = "select 1 as a";
    for (flag, format) in [("--csv", "csv"), ("--json", "json"), ("--ndjson", "ndjson"), ("--md", "markdown")] {
        assert_eq!(env.ok(["sql", flag, "-c", sql]), env.ok(["sql", "--format", format, "-c", sql]), "{flag}");
    }
    let text = env.run(["sql", "--csv", "--json", "-c", sql]);
    assert!(text.contains("cannot be used with") && text.ends_with("[exit status: 2]\n"), "{text}");
    // A flag wins over the suffix of the file's name.
    env.ok(["sql", "--json", "-c", sql, "-o", "x.csv"]);
    assert_eq!(env.read("x.csv"), "[{\"a\":1}]\n");
}

#[test]
fn a_wrong_command_in_a_script_is_a_failure() {
    let env = Env::with_small();
    for script in ["\\nonsense\nselect 1;", "\\if 1\nselect 1;", "select :'unset';", "\\watch", ".parquet"] {
        let text = env.run_with_stdin(["sql"], script.as_bytes());
        assert!(text.contains("error: ") && text.ends_with("[exit status: 3]\n"), "{script}: {text}");
    }
    let text = env.run_with_stdin(["sql", "--csv", "--keep-going"], b"\\nonsense\nselect 1 as a;\n\\if 1\n");
    assert!(text.starts_with("a\n1\n") && text.ends_with("[exit status: 3]\n"), "{text}");
    assert!(text.contains("`\\if` without `\\endif`"), "{text}");
}

#[test]
fn rows_come_while_the_statement_runs() {
    let env = Env::with_small();
    let endless = "select a.value as v from generate_series(1, 1000000000) a";
    for format in ["--csv", "--json", "--ndjson"] {
        let mut command: Command = env.command(["sql", format, "-c", endless]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut rows = [0; 65_536];
        child.stdout.take().unwrap().read_exact(&mut rows).unwrap();
        // Its reader is gone: it ends without complaint.
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", env.text(&output));
    }
}

#[test]
fn a_program_command_in_a_script_fails_it() {
    let env = Env::with_small();
    let output =
        feed(&mut env.command(["sql", "--csv"]), b".status --format csv\nselect 1 as a;\n.ingest missing\nselect 2;\n");
    let text = env.text(&output);
    assert!(text.contains("authentication,1,1,") && text.contains("a\n1\n"), "{text}");
    assert!(text.contains("`.ingest` failed") && !text.contains("\n2\n"), "{text}");
    assert_ne!(output.status.code(), Some(0));
}
