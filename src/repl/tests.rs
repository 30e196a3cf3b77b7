//! Tests of the shell with a backend that only takes notes.

use std::fs;

use super::*;
use crate::error::Kind;
use crate::render::Format;

/// A backend that records its calls; statements that begin with `fail` fail.
#[derive(Default)]
struct Fake {
    calls: Vec<String>,
    settings: Vec<Settings>,
    errors: Vec<String>,
    /// The texts that went to the pager.
    pages: String,
    /// The text that the editor returns.
    edited: String,
}

impl Backend for Fake {
    fn execute(&mut self, sql: &str, settings: &Settings) -> Result<()> {
        self.calls.push(sql.to_owned());
        self.settings.push(settings.clone());
        match sql {
            "fail cancelled" => Err(Error::new(Kind::Cancelled, "cancelled")),
            _ if sql.contains("fail") => Err(Error::input(format!("cannot {sql}"))),
            _ => Ok(()),
        }
    }

    fn tables(&mut self, _: &Settings, listing: &Listing) -> Result<()> {
        self.calls.push(format!("tables {:?} {}", listing.pattern, listing.is_verbose));
        Ok(())
    }

    fn describe(&mut self, _: &Settings, name: &str, _: bool) -> Result<()> {
        self.calls.push(format!("describe {name}"));
        Ok(())
    }

    fn describe_query(&mut self, _: &Settings, sql: &str) -> Result<()> {
        self.calls.push(format!("describe query {sql}"));
        Ok(())
    }

    fn define(&mut self, _: &Settings, name: &str) -> Result<()> {
        self.calls.push(format!("define {name}"));
        Ok(())
    }

    fn connection(&self) -> String {
        "lake here\n".to_owned()
    }

    fn time(&self) -> String {
        "2026-01-31T12:00:00Z".to_owned()
    }

    fn write(&mut self, path: &Path, text: &str) -> Result<()> {
        self.calls.push(format!("write {} {text:?}", path.display()));
        Ok(())
    }

    fn prepare(&self, _: &str) {}

    fn columns(&self) -> Option<usize> {
        None
    }

    fn functions(&mut self, _: &Settings, name: Option<&str>) -> Result<()> {
        self.calls.push(format!("functions {name:?}"));
        Ok(())
    }

    fn row(&mut self, sql: &str, _: &Settings) -> Result<Vec<(String, Option<String>)>> {
        self.calls.push(format!("row {sql}"));
        Ok(vec![("n".to_owned(), Some("7".to_owned())), ("gone".to_owned(), None)])
    }

    fn refresh(&mut self) -> Result<()> {
        self.calls.push("refresh".to_owned());
        Ok(())
    }

    fn pause(&mut self, time: Duration) -> Result<()> {
        self.calls.push(format!("pause {time:?}"));
        match time.as_secs() {
            9 => Err(Error::new(Kind::Cancelled, "cancelled")),
            _ => Ok(()),
        }
    }

    fn system(&mut self, command: Option<&str>) -> Result<()> {
        self.calls.push(format!("system {command:?}"));
        Ok(())
    }

    fn edit(&mut self, text: &str, file: Option<&Path>) -> Result<String> {
        self.calls.push(format!("edit {text:?} {file:?}"));
        Ok(self.edited.clone())
    }

    fn page(&mut self, text: &str, _: &Settings) -> Result<()> {
        self.pages.push_str(text);
        Ok(())
    }

    fn command(&mut self, arguments: &[String]) -> Result<()> {
        self.calls.push(format!("command {arguments:?}"));
        Ok(())
    }

    fn commands(&self) -> Vec<String> {
        vec!["ingest".to_owned(), "status".to_owned()]
    }

    fn complete(&self, _: Wanted, _: &Typed<'_>) -> Vec<Candidate> {
        Vec::new()
    }

    fn is_secret(&self, _: &str) -> bool {
        false
    }

    fn show_error(&mut self, error: &Error) {
        self.errors.push(error.to_string());
    }
}

/// Runs a script and returns its calls, the settings at its end, and its result.
fn script(text: &str) -> (Fake, Settings, Result<Outcome>) {
    scripts(&[text], false)
}

fn scripts(texts: &[&str], keep_going: bool) -> (Fake, Settings, Result<Outcome>) {
    let mut fake = Fake::default();
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut shell = Shell::script(Options::default(), &mut out, &mut talk, keep_going);
    let mut exit = None;
    for text in texts {
        match shell.script_of(&mut fake, &Script { text: (*text).to_owned(), file: None }) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(code)) => {
                exit = Some(code);
                break;
            }
            Err(error) => return (fake, shell.settings, Err(error)),
        }
    }
    let (settings, failures) = (shell.settings.clone(), shell.failures);
    fake.pages.push_str(&String::from_utf8(out).unwrap());
    (fake, settings, Ok(Outcome { exit, failures }))
}

/// Runs a terminal session with these lines; returns backend, stdout, stderr, exit code.
fn session(lines: &[&str]) -> (Fake, String, String, Option<u8>) {
    session_with(Options::default(), lines)
}

fn session_with(options: Options, lines: &[&str]) -> (Fake, String, String, Option<u8>) {
    let mut fake = Fake { edited: "select 'edited';\n".to_owned(), ..Fake::default() };
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut shell = Shell::interactive(options, &mut out, &mut talk);
    let mut pending = Pending::default();
    let mut exit = None;
    let mut lines: std::collections::VecDeque<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    while let Some(line) = lines.pop_front() {
        if line == "^C" {
            pending.clear();
            shell.interrupt();
            continue;
        }
        let Some(text) = pending.push(&line) else { continue };
        shell.history.push(text.trim().to_owned());
        shell.begun = pending.text().to_owned();
        if let ControlFlow::Break(code) = shell.run(&mut fake, &text, None).unwrap() {
            exit = Some(code);
            break;
        }
        if let Some(text) = shell.edited.take() {
            pending.clear();
            lines.push_front(text.trim_end().to_owned());
        }
        if shell.take_reset() {
            pending.clear();
        }
    }
    let out = String::from_utf8(out).unwrap() + &fake.pages;
    (fake, out, String::from_utf8(talk).unwrap(), exit)
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
        footer: false,
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
    assert_eq!(outcome.unwrap_err().message(), "the statement before this command has no end");
}

#[test]
fn keep_going_counts_but_a_cancelled_run_ends() {
    let (fake, _, outcome) = scripts(&["fail a; select 1;\n\\zz\nselect 2; \\q", "select 'never'"], true);
    assert_eq!(outcome.unwrap(), Outcome { exit: Some(0), failures: 2 });
    assert_eq!(fake.calls, ["fail a", "select 1", "select 2"]);
    assert_eq!(fake.errors, ["cannot fail a", "no command `\\zz`"]);
    let (_, _, cancelled) = scripts(&["fail cancelled; select 3;"], true);
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
            let output = settings.output.as_ref().map(|o| (o.target.to_string(), o.is_append));
            (settings.format(), output)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Format::Csv, Some(("all.csv".to_owned(), false))),
            (Format::Json, Some(("one.json".to_owned(), false))),
            (Format::Csv, Some(("all.csv".to_owned(), true))),
            (Format::Markdown, Some(("two.md".to_owned(), false))),
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

    write("outside.sql", "-- a comment\n\nselect 1;\n\\ir bad.sql\n");
    let (fake, ..) = session(&[&format!("\\i '{}'", path("outside.sql")), "select 'next';"]);
    let calls = ["-- a comment\n\nselect 1", "fail in file", "select 'next'"];
    assert_eq!(fake.calls, calls, "the file stops, the shell does not");
    assert_eq!(fake.errors, [format!("{}:1: cannot fail in file", path("bad.sql"))]);
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
    assert_eq!(talk, "expanded is auto: on when a result is too wide for a table\ntiming is on\n");
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
    assert!(out.starts_with("csv\nformat        csv\nexpanded      auto\n"), "{out}");
    assert!(out.contains("how long they take") && out.contains("leave the shell"));
    assert_eq!(exit, None);
}

#[test]
fn results_for_a_file_are_not_cut() {
    let mut settings = Settings { expanded: Expanded::Auto, ..Settings::default() };
    let shown = settings.render_options(Some((80, 25)));
    assert_eq!((shown.width, shown.height), (Some(80), Some(25)));
    assert_eq!((shown.max_rows, shown.is_terminal, shown.line_if_wide), (Some(40), true, true));
    settings.output = Some(Output::file("x.txt".into()));
    let written = settings.render_options(Some((80, 25)));
    assert_eq!((written.width, written.max_rows, written.is_terminal), (None, None, false));
}

#[test]
fn variables_are_replaced_in_statements_and_commands() {
    let (fake, _, outcome) = scripts(
        &[
            "\\set day '2026-01-01'\n\\set file all .csv\nselect * from t where d = :'day' and x::text = ':day';\n\\d :day\n\
             \\set\n\\unset day\nselect :day",
            "\\echo :file \\set\n",
        ],
        false,
    );
    assert_eq!(outcome.unwrap(), Outcome::default());
    assert_eq!(
        fake.calls,
        ["select * from t where d = '2026-01-01' and x::text = ':day'", "describe 2026-01-01", "select :day"]
    );
    assert_eq!(fake.pages, "day = '2026-01-01'\nfile = 'all.csv'\nall.csv \\set\n");
}

#[test]
fn a_row_becomes_variables_and_conditions_choose() {
    let text = "select 1 as n \\gset my_\n\\if :{?my_n}\nselect :my_n;\n\\elif nonsense\nselect 'elif';\n\\else\n\
                fail;\n.nonsense\n\\if true\nselect 'nested';\n\\endif\n\\endif\n\\if 0\nselect 'no';\n\\else\n\
                select 'yes';\n\\endif\nselect :'my_gone'";
    let (fake, _, outcome) = script(text);
    assert_eq!(fake.calls, ["row select 1 as n", "select 7", "select 'yes'"]);
    assert_eq!(outcome.unwrap_err().message(), "no variable `my_gone`");
    assert_eq!(script("\\if 1\nselect 1;").2.unwrap_err().message(), "`\\if` without `\\endif`");
    assert_eq!(script("\\if perhaps\n").2.unwrap_err().message(), "`perhaps` is neither true nor false");
    let (fake, _, talk, _) = session(&["\\if off", "select 1;", "^C", "select 2;"]);
    assert_eq!(fake.calls, ["select 2"]);
    assert!(talk.contains("not run"), "{talk}");
}

#[test]
fn parameters_are_kept_for_the_backend() {
    let (fake, settings, _) = script(
        ".parameter set :who ann\n.param set day:timestamp 2026-01-01\n.param set n:int 5\n.param set n 6\n\
         .parameter list\n.param unset who\nselect :n",
    );
    assert_eq!(fake.pages, ":day:timestamp = '2026-01-01'\n:n = '6'\n:who = 'ann'\n");
    assert_eq!(settings.parameters.keys().collect::<Vec<_>>(), ["day:timestamp", "n"]);
    assert_eq!(fake.calls, ["select :n"]);
    assert!(script(".parameter set a").2.unwrap_err().hint_text().unwrap().contains("set name value"));
}

#[test]
fn a_statement_is_watched_on_new_states() {
    let (fake, _, outcome) = script("select 1 \\watch 0.5 c=3");
    assert_eq!(outcome.unwrap(), Outcome::default());
    assert_eq!(fake.pages, "2026-01-31T12:00:00Z (every 0.5 s)\n".repeat(3));
    assert_eq!(script(".mode csv\nselect 1 \\watch 0.5 c=3").0.pages, "", "a program reads rows only");
    let round = ["pause 500ms", "refresh", "select 1"];
    assert_eq!(fake.calls, [&["select 1"][..], &round, &round].concat());
    let (fake, _, _, _) = session(&["select 1;", "\\watch i=9", "select 2;"]);
    assert_eq!(fake.calls, ["select 1", "select 1", "pause 9s", "select 2"]);
    assert_eq!(fake.errors, [""; 0], "^C is how a watch ends");
    assert!(script("select 1 \\watch soon").2.is_err());
}

#[test]
fn what_comes_from_the_editor_is_run() {
    let (fake, ..) = session(&["select typo", "\\e", "select 2;", ".edit a.sql"]);
    assert_eq!(
        fake.calls,
        [
            "edit \"select typo\\n\" None",
            "select 'edited'",
            "select 2",
            "edit \"select 2;\\n\" Some(\"a.sql\")",
            "select 'edited'"
        ]
    );
    assert_eq!(script("\\e").2.unwrap_err().message(), "an editor needs a terminal");
}

#[test]
fn safe_mode_uses_no_files_and_starts_no_programs() {
    let options = || Options { is_safe: true, ..Options::default() };
    for line in [
        "\\! ls",
        ".shell ls",
        "\\e",
        ".ingest x",
        "\\i x.sql",
        "\\o x.csv",
        ".once x.csv",
        "select 1 \\g x.csv",
        "\\g x",
        "\\g |cat",
        "\\o |cat",
        ".once -x",
        "\\w x.sql",
    ] {
        let (fake, ..) = session_with(options(), &["select 0;", line, "select 1 as one;"]);
        assert_eq!(fake.calls, ["select 0", "select 1 as one"], "{line}");
        assert_eq!(fake.errors.len(), 1, "{line}");
    }
    let (fake, ..) = session_with(options(), &["\\!  ls -l 'a b'", "\\d", "\\o"]);
    assert_eq!(fake.calls, ["tables None false"]);
    let (fake, ..) = session(&["\\!  ls -l 'a b' :x; pwd", "\\!ls", ".system"]);
    assert_eq!(fake.calls, ["system Some(\"ls -l 'a b' :x; pwd\")", "system Some(\"ls\")", "system None"]);
}

#[test]
fn habits_are_answered_by_the_shell() {
    let (fake, ..) = script("show tables; SHOW  TABLES; describe event; desc event; describe select 1; \\d");
    assert_eq!(
        fake.calls,
        [
            "tables None false",
            "tables None false",
            "describe event",
            "describe event",
            "describe query select 1",
            "tables None false"
        ]
    );
}

#[test]
fn formats_and_rows_only_are_switched_as_in_psql() {
    let formats = |text: &str| {
        let (_, settings, outcome) = script(text);
        outcome.unwrap();
        (settings.format(), settings.header, settings.footer)
    };
    assert_eq!(formats("\\a"), (Format::List, true, true));
    assert_eq!(formats("\\a\n\\a"), (Format::Table, true, true));
    assert_eq!(formats("\\H\n\\t"), (Format::Html, false, false));
    assert_eq!(formats("\\t\n\\t"), (Format::Table, true, true));
    assert_eq!(formats("\\pset tuples_only on\n\\pset format unaligned"), (Format::List, false, false));
    assert_eq!(formats(".headers off\n\\pset footer off"), (Format::Table, false, false));
    let (_, settings, _) =
        script("\\pset fieldsep ;\n\\a\n\\pset columns 60\n\\pset pager always\n\\pset csv_fieldsep '\t'");
    assert_eq!(settings.render_options(Some((80, 25))).width, Some(60));
    assert_eq!((settings.pager, settings.separator.as_deref()), (Pager::Always, Some(";")));
}

#[test]
fn the_first_file_may_fail_and_the_shell_starts() {
    let mut fake = Fake::default();
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut shell = Shell::interactive(Options::default(), &mut out, &mut talk);
    let init = Script { text: "\\timing on\n.nonsense\n\\set x 1\n\\if 1\n".to_owned(), file: None };
    assert_eq!(shell.init(&mut fake, &init).unwrap(), ControlFlow::Continue(()));
    assert!(shell.settings.is_timing_on);
    let _ = shell.run(&mut fake, "select :x;\n", None).unwrap();
    assert_eq!(fake.calls, ["select 1"]);
    assert_eq!(fake.errors, ["no command `.nonsense`", "`\\if` without `\\endif`"]);
    assert_eq!(talk, b"", "what it sets is not told");
}

#[test]
fn a_tilde_is_the_home_and_answers_are_printable() {
    let options = || Options { home: Some("/home/ann".into()), ..Options::default() };
    let (fake, ..) = session_with(options(), &["select 1 \\g ~/a.csv", "\\o ~/b.csv", "select 2;", "select 3 \\g x~y"]);
    let paths: Vec<_> = fake.settings.iter().map(|settings| settings.output.clone().unwrap().target).collect();
    assert_eq!(paths, ["/home/ann/a.csv", "/home/ann/b.csv", "x~y"].map(|path| Target::File(path.into())));
    let (_, out, ..) = session(&["\\set x 'a\u{1b}[2Jé'", "\\echo :x", "\\set"]);
    assert_eq!(out, "a\\u{1b}[2Jé\nx = 'a\\u{1b}[2Jé'\n");
}

#[test]
fn the_statement_is_printed_and_written() {
    let (fake, out, ..) = session(&["\\p", "select 1;", "\\p", "select 2,", "\\p", "\\w a.sql", "3;", "\\conninfo"]);
    assert_eq!(fake.errors, ["no statement was run yet"]);
    assert_eq!(fake.calls, ["select 1", "write a.sql \"select 2,;\\n\"", "select 2,\n3"]);
    assert_eq!(out, "select 1\nselect 2,\nlake here\n");
}

#[test]
fn a_place_in_a_script_is_named() {
    let mut fake = Fake::default();
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut shell = Shell::script(Options::default(), &mut out, &mut talk, true);
    let text = "select 1;\n\\zz\n/* two\nlines */ fail a;\n".to_owned();
    let _ = shell.script_of(&mut fake, &Script { text, file: Some("-".into()) }).unwrap();
    assert_eq!(fake.errors, ["stdin:2: no command `\\zz`", "stdin:4: cannot /* two\nlines */ fail a"]);
}
