//! The shell with a backend that only takes notes.

use std::fs;

use super::*;
use crate::error::Kind;
use crate::render::Format;

/// Writes down what it is asked for; statements that begin with `fail` fail.
#[derive(Default)]
struct Fake {
    calls: Vec<String>,
    settings: Vec<Settings>,
    errors: Vec<String>,
}

impl Backend for Fake {
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()> {
        self.calls.push(sql.to_owned());
        self.settings.push(settings.clone());
        match sql {
            "fail cancelled" => Err(Error::new(Kind::Cancelled, "cancelled")),
            _ if sql.starts_with("fail") => Err(Error::input(format!("cannot {sql}"))),
            _ => Ok(()),
        }
    }

    fn tables(&mut self, _: &Settings, pattern: Option<&str>, is_verbose: bool) -> Result<()> {
        self.calls.push(format!("tables {pattern:?} {is_verbose}"));
        Ok(())
    }

    fn describe(&mut self, _: &Settings, name: &str) -> Result<()> {
        self.calls.push(format!("describe {name}"));
        Ok(())
    }

    fn functions(&mut self, name: Option<&str>) -> Result<()> {
        self.calls.push(format!("functions {name:?}"));
        Ok(())
    }

    fn command(&mut self, arguments: &[String]) -> Result<()> {
        self.calls.push(format!("command {arguments:?}"));
        Ok(())
    }

    fn commands(&self) -> Vec<String> {
        vec!["ingest".to_owned(), "status".to_owned()]
    }

    fn complete(&self, _: &str, _: usize) -> Vec<String> {
        Vec::new()
    }

    fn is_secret(&self, _: &str) -> bool {
        false
    }

    fn show_error(&mut self, error: &Error) {
        self.errors.push(error.to_string());
    }
}

fn script(text: &str) -> (Fake, Settings, Result<Outcome>) {
    let (mut fake, mut settings) = (Fake::default(), Settings::default());
    let outcome = run_script(&mut fake, &mut settings, text, false);
    (fake, settings, outcome)
}

/// What a terminal session does with these lines: backend, stdout, stderr, exit code.
fn session(lines: &[&str]) -> (Fake, String, String, Option<u8>) {
    let (mut fake, mut settings) = (Fake::default(), Settings::default());
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut shell = Shell::interactive(&mut settings, &mut out, &mut talk);
    let mut pending = Pending::default();
    let mut exit = None;
    for line in lines {
        let Some(text) = pending.push(line) else { continue };
        shell.history.push(text.trim().to_owned());
        if let ControlFlow::Break(code) = shell.run(&mut fake, &text, None).unwrap() {
            exit = Some(code);
            break;
        }
        if shell.take_reset() {
            pending.clear();
        }
    }
    (fake, String::from_utf8(out).unwrap(), String::from_utf8(talk).unwrap(), exit)
}

#[test]
fn script_runs_statements_and_commands_in_order() {
    let (fake, settings, outcome) = script(
        "-- a report\nselect 1; select ';' as a;\n.mode csv\n\\dt+ user%\n\\d event\n\\h ago\n.ingest 'a b.ndjson' -v\n\
         \\timing on\n\\pset null (none)\n.maxrows 5\n\\t\nselect\n  2 -- two\n",
    );
    assert_eq!(outcome.unwrap(), Outcome::default());
    let calls = [
        "-- a report\nselect 1",
        "select ';' as a",
        "tables Some(\"user%\") true",
        "describe event",
        "functions Some(\"ago\")",
        "command [\"ingest\", \"a b.ndjson\", \"-v\"]",
        "select\n  2 -- two",
    ];
    assert_eq!(fake.calls, calls);
    assert_eq!(fake.settings[0], Settings::default());
    let last = Settings {
        format: Format::Csv,
        is_timing_on: true,
        null: Some("(none)".to_owned()),
        max_rows: Some(5),
        header: false,
        ..Settings::default()
    };
    assert_eq!((&fake.settings[2], &settings), (&last, &last));
}

#[test]
fn script_stops_at_the_first_failure() {
    let (fake, _, outcome) = script("select 1; fail a; select 2;");
    assert_eq!(outcome.unwrap_err().message(), "cannot fail a");
    assert_eq!(fake.calls, ["select 1", "fail a"]);
    assert_eq!(script(".timr\nselect 1;").2.unwrap_err().hint_text(), Some("did you mean `.timer`?"));
    let (fake, _, outcome) = script("select 1\n.mode csv;\nselect 2\n\\x\n");
    assert_eq!(fake.calls, ["select 1\n.mode csv"]);
    assert_eq!(outcome.unwrap_err().message(), "a statement is not ended before the next command");
}

#[test]
fn keep_going_counts_but_a_cancelled_run_ends() {
    let (mut fake, mut settings) = (Fake::default(), Settings::default());
    let outcome = run_script(&mut fake, &mut settings, "fail a; select 1;\n\\zz\nselect 2; \\q", true);
    assert_eq!(outcome.unwrap(), Outcome { exit: Some(0), failures: 2 });
    assert_eq!(fake.calls, ["fail a", "select 1", "select 2"]);
    assert_eq!(fake.errors, ["cannot fail a", "no command `\\zz`"]);
    let cancelled = run_script(&mut fake, &mut settings, "fail cancelled; select 3;", true);
    assert_eq!(cancelled.unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(script("select 1;\n.exit 7\nselect 2;").2.unwrap().exit, Some(7));
}

#[test]
fn results_go_where_they_were_sent() {
    let (fake, ..) = script(
        "\\o all.csv\nselect 1;\nselect 2 \\g one.json\nselect 3;\n.once two.md\nselect 4;\n.output\nselect 5 \\gx\n\\g\n",
    );
    let seen: Vec<_> = fake
        .settings
        .iter()
        .map(|settings| {
            let output = settings.output.as_ref().map(|o| (o.path.to_str().unwrap(), o.is_append));
            (settings.format(), output)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Format::Csv, Some(("all.csv", false))),
            (Format::Json, Some(("one.json", false))),
            (Format::Csv, Some(("all.csv", true))),
            (Format::Markdown, Some(("two.md", false))),
            (Format::Line, None),
            (Format::Table, None),
        ]
    );
    assert_eq!(fake.calls.last().unwrap(), "select 5");
}

#[test]
fn files_are_read_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("outer.sql", "\u{feff}select 'outer';\n\\ir inner.sql\nselect 'after';");
    write("inner.sql", "select 'inner';\n");
    write("loop.sql", "\\ir loop.sql\n");
    write("bad.sql", "fail in file; select 'never';");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (fake, _, outcome) = script(&format!("\\i '{}'", path("outer.sql")));
    assert_eq!(outcome.unwrap(), Outcome::default());
    assert_eq!(fake.calls, ["select 'outer'", "select 'inner'", "select 'after'"]);
    assert!(script(&format!(".read '{}'", path("loop.sql"))).2.unwrap_err().hint_text().unwrap().contains("16 deep"));
    let missing = script("\\i no-such-file.sql").2.unwrap_err();
    assert_eq!(missing.message(), "cannot read the script no-such-file.sql");

    let (fake, ..) = session(&[&format!("\\i '{}'", path("bad.sql")), "select 'next';"]);
    assert_eq!(fake.calls, ["fail in file", "select 'next'"], "the file stops, the shell does not");
    assert_eq!(fake.errors, ["cannot fail in file"]);
}

#[test]
fn session_collects_lines_until_a_statement_ends() {
    let (fake, out, talk, exit) = session(&[
        "select ';",
        "' as a,",
        "\\x auto",
        "2",
        "; select 3;",
        "select 4; -- note",
        "/* open",
        "select 5; */ select 6;",
        "select typo",
        "\\r",
        ".timer on",
        "select 7",
        "\\G",
        "\\s",
        "select never",
        "\\q",
    ]);
    assert_eq!(fake.errors, [""; 0]);
    assert_eq!(
        fake.calls,
        ["select ';\n' as a,\n2", "select 3", "select 4", "/* open\nselect 5; */ select 6", "select 7"]
    );
    assert_eq!(fake.settings[0].expanded, Expanded::Auto);
    assert_eq!(fake.settings[4].expanded, Expanded::On);
    assert_eq!(talk, "expanded is auto: on when a table is too wide\ntiming is on\n");
    assert!(out.starts_with("\\x auto\nselect ';\n' as a,\n2\n; select 3;\n"), "{out}");
    assert_eq!(exit, Some(0));
}

#[test]
fn session_survives_mistakes_and_paste() {
    let (fake, out, _, exit) = session(&[
        "\\zz",
        "\\g",
        "select 1;\nfail a;\n.mode csv\nselect 2;",
        "fail cancelled; select 'not run';",
        ".mode",
        "\\pset",
        ".last",
        "\\? timing",
        "help",
    ]);
    assert_eq!(fake.calls, ["select 1", "fail a", "select 2", "fail cancelled", "fail cancelled"]);
    assert_eq!(fake.settings[4].max_rows, None, "`.last` shows all rows");
    assert_eq!(
        fake.errors,
        ["no command `\\zz`", "no statement was run yet", "cannot fail a", "cancelled", "cancelled",]
    );
    assert!(out.starts_with("csv\nformat    csv\nexpanded  off\n"), "{out}");
    assert!(out.contains("how long statements take") && out.contains("leave the shell"));
    assert_eq!(exit, None);
}

#[test]
fn results_for_a_file_are_not_cut() {
    let mut settings = Settings { expanded: Expanded::Auto, ..Settings::default() };
    let shown = settings.render_options(Some(80));
    assert_eq!((shown.width, shown.max_rows, shown.is_terminal, shown.line_if_wide), (Some(80), Some(40), true, true));
    settings.output = Some(Output { path: "x.txt".into(), is_append: false });
    let written = settings.render_options(Some(80));
    assert_eq!((written.width, written.max_rows, written.is_terminal), (None, None, false));
}
