//! Turns a line for the shell into a command: the kinds of commands, and how a line is understood.
//!
//! Names, arguments and purposes are in [`COMMANDS`](super::commands::COMMANDS); a new command has its row there and
//! its implementation in `shell`.

use std::path::PathBuf;
use std::time::Duration;

use super::commands::find;
use super::help::unknown;
use super::setting::Setting;
use super::settings::Target;
use super::spec::{Line, Make};
use super::variables::Variables;
use super::words::{Arguments, words};
use crate::error::{Error, Result};

/// A line for the shell, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Quit(u8),
    /// Commands whose line contains the text.
    Help(Option<String>),
    Functions(Option<String>),
    Tables(Listing),
    Describe {
        name: String,
        is_verbose: bool,
    },
    /// The SQL that defines a view.
    Definition(String),
    /// The lake that is open, and its state.
    Connection,
    /// The file, and whether its name is relative to the running script.
    Read(PathBuf, bool),
    /// The destination of results from now on; `None` is the terminal.
    Output(Option<Target>),
    Once(Target),
    /// Runs the last statement again.
    Go(Go),
    /// The last statement with all its rows.
    Last,
    /// Opens the statement, or a file, in an editor.
    Edit(Option<PathBuf>),
    /// Shows the statement that is being typed, or the last one.
    Print,
    /// Writes the same into a file.
    Write(PathBuf),
    Reset,
    /// Clears the screen.
    Clear,
    Refresh,
    Setting(Setting),
    /// Sets a variable by name and value; `None` lists them.
    Set(Option<(String, String)>),
    Unset(String),
    Parameter(Parameter),
    History,
    Echo(String),
    /// Runs a command of the system's shell; `None` starts one.
    System(Option<String>),
    /// Runs a command line of the program.
    Program(Vec<String>),
}

/// The selection of tables to list, and the form of the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// `%` and `*` stand for any text, `_` and `?` for a character; without them a part of the name is enough.
    pub pattern: Option<String>,
    /// Whether only views are listed.
    pub is_views: bool,
    /// Whether rows, files, bytes and times are shown.
    pub is_verbose: bool,
}

/// The parts of a condition; they are followed even where other commands are not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    If,
    ElseIf,
    Else,
    End,
}

/// The forms of `.parameter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parameter {
    List,
    Set(String, String),
    Unset(String),
    Clear,
}

/// The ways to run a statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Go {
    Show {
        is_expanded: bool,
        target: Option<Target>,
    },
    /// Sets variables, whose names begin with the text.
    Variables(String),
    /// Repeats it with a pause, a number of times or until ^C.
    Watch {
        pause: Duration,
        times: Option<u32>,
    },
}

impl Default for Go {
    fn default() -> Self {
        Go::Show { is_expanded: false, target: None }
    }
}

/// Splits a line into the name of its command and the rest.
pub(super) fn split_name(line: &str) -> (&str, &str) {
    let line = line.trim();
    // psql takes `\!ls` for `\! ls`.
    if let Some(rest) = line.strip_prefix("\\!") {
        return ("\\!", rest.trim());
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (name.trim_end_matches(';'), rest.trim())
}

/// Returns the condition that a line is a part of.
pub(super) fn branch(line: &str) -> Option<Branch> {
    match find(split_name(line).0)?.make {
        Make::Branch(branch) => Some(branch),
        Make::Command(_) => None,
    }
}

/// Understands one line. `programs` are the names of the program's commands.
pub(super) fn parse(line: &str, programs: &[String], variables: &Variables) -> Result<Command> {
    let (name, rest) = split_name(line);
    if name.is_empty() {
        return Err(Error::usage("a command is missing").hint("`\\?` lists the commands"));
    }
    let Some(spec) = find(name) else {
        let program = name.strip_prefix('.').filter(|name| programs.iter().any(|known| known == name));
        let Some(program) = program else { return Err(unknown(name, programs)) };
        let words = words(rest.trim_end_matches(';'), variables)?;
        return Ok(Command::Program(std::iter::once(program.to_owned()).chain(words).collect()));
    };
    let words = match spec.line {
        // A command that ends like a statement is understood, but a separator may be a semicolon.
        Line::Words => words(rest.trim_end_matches(';'), variables)?,
        Line::Text => words(rest, variables)?,
        // The system's shell splits its line itself, and so does a program that reads a result.
        Line::Raw => Vec::new(),
        Line::Target if rest.starts_with('|') => vec![rest.to_owned()],
        Line::Target => words(rest.trim_end_matches(';'), variables)?,
    };
    match spec.make {
        Make::Command(make) => make(&Arguments { name, words: &words, rest }),
        Make::Branch(_) => Err(Error::usage(format!("`{name}` cannot stand here"))),
    }
}

/// Understands a command that follows a statement: `\g`, `\gx`, `\G`, `\gset` or `\watch`.
pub(super) fn parse_go(line: &str, variables: &Variables) -> Result<Go> {
    match parse(line, &[], variables)? {
        Command::Go(go) => Ok(go),
        _ => Err(Error::usage(format!("cannot end a statement with `{line}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::commands::{COMMANDS, names};
    use super::super::settings::Expanded;
    use super::super::spec::PAUSE;
    use super::*;
    use crate::render::Format;

    fn parse(line: &str, programs: &[String]) -> Result<Command> {
        super::parse(line, programs, &Variables::default())
    }

    fn file(path: &str) -> Target {
        Target::File(path.into())
    }

    fn show(is_expanded: bool, target: Option<Target>) -> Command {
        Command::Go(Go::Show { is_expanded, target })
    }

    fn listing(pattern: Option<&str>, is_views: bool, is_verbose: bool) -> Command {
        Command::Tables(Listing { pattern: pattern.map(str::to_owned), is_views, is_verbose })
    }

    fn describe(name: &str, is_verbose: bool) -> Command {
        Command::Describe { name: name.to_owned(), is_verbose }
    }

    fn understood(line: &str) -> Command {
        parse(line, &["ingest".to_owned(), "export".to_owned()]).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let same: &[(&[&str], Command)] = &[
            (&["\\q", "\\quit", ".quit", ".exit", "quit", "exit;", "QUIT"], Command::Quit(0)),
            (&[".exit 3", "exit 3"], Command::Quit(3)),
            (&["\\?", ".help", "help", "?"], Command::Help(None)),
            (&["\\h ago", "\\df ago"], Command::Functions(Some("ago".into()))),
            (&["\\d", "\\dt", ".tables", ".schema"], listing(None, false, false)),
            (&["\\dt+ user%", ".tables+ 'user%'"], listing(Some("user%"), false, true)),
            (&["\\dv api"], listing(Some("api"), true, false)),
            (&["\\d event", ".schema event", ".inspect event;"], describe("event", false)),
            (&["\\d+ event"], describe("event", true)),
            (&["\\sv logon"], Command::Definition("logon".into())),
            (&["\\i 'a b.sql'", ".read \"a b.sql\""], Command::Read("a b.sql".into(), false)),
            (&["\\ir c.sql"], Command::Read("c.sql".into(), true)),
            (&["\\o", ".output", ".output stdout"], Command::Output(None)),
            (&["\\o C:\\x.csv"], Command::Output(Some(file("C:\\x.csv")))),
            (&["\\o |tee 'a b' x;"], Command::Output(Some(Target::Program("tee 'a b' x".into())))),
            (&[".once x.json"], Command::Once(file("x.json"))),
            (&[".once -x", ".excel"], Command::Once(Target::Spreadsheet)),
            (&[".once -e"], Command::Once(Target::Editor)),
            (&["\\g | cat"], show(false, Some(Target::Program("cat".into())))),
            (&["\\g"], show(false, None)),
            (&["\\gx f", "\\G f"], show(true, Some(file("f")))),
            (&["\\gset p_"], Command::Go(Go::Variables("p_".into()))),
            (&["\\watch"], Command::Go(Go::Watch { pause: PAUSE, times: None })),
            (&["\\e a.sql", ".edit a.sql"], Command::Edit(Some("a.sql".into()))),
            (&["\\! ls -l;", ".shell ls -l;", ".system ls -l;"], Command::System(Some("ls -l;".into()))),
            (&["\\pset format markdown", ".mode md"], Command::Setting(Setting::Format(Some(Format::Markdown)))),
            (&["\\x", "\\pset x"], Command::Setting(Setting::Expanded(None))),
            (&["\\x auto", "\\pset expanded auto"], Command::Setting(Setting::Expanded(Some(Expanded::Auto)))),
            (&["\\timing", ".timer"], Command::Setting(Setting::Timing(None))),
            (&["\\timing on", ".timer ON"], Command::Setting(Setting::Timing(Some(true)))),
            (&["\\t on", "\\pset tuples_only on"], Command::Setting(Setting::TuplesOnly(Some(true)))),
            (&[".headers off"], Command::Setting(Setting::Header(Some(false)))),
            (&["\\pset null (null)", ".nullvalue (null)"], Command::Setting(Setting::Null("(null)".into()))),
            (&["\\pset null ''", ".nullvalue"], Command::Setting(Setting::Null(String::new()))),
            (&[".maxrows 0"], Command::Setting(Setting::MaxRows(Some(None)))),
            (&[".maxrows 7", "\\pset maxrows 7"], Command::Setting(Setting::MaxRows(Some(Some(7))))),
            (&[".width 60", "\\pset columns 60"], Command::Setting(Setting::Columns(60))),
            (&["\\pset nulls on"], Command::Setting(Setting::Nulls(Some(true)))),
            (&["\\pset tz Europe/Berlin"], Command::Setting(Setting::Zone(Some(chrono_tz::Europe::Berlin)))),
            (&["\\pset", ".show"], Command::Setting(Setting::List)),
            (&["\\p"], Command::Print),
            (&["\\w a.sql"], Command::Write("a.sql".into())),
            (&["\\conninfo", ".databases"], Command::Connection),
            (&["clear"], Command::Clear),
            (&[".ingest 'a b' --dry"], Command::Program(vec!["ingest".into(), "a b".into(), "--dry".into()])),
        ];
        for (lines, command) in same {
            for line in *lines {
                assert_eq!(understood(line), *command, "{line}");
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        let programs = ["status".to_owned()];
        let told = |line: &str| {
            let error = parse(line, &programs).unwrap_err();
            format!("{} | {}", error.message(), error.hint_text().unwrap_or_default())
        };
        assert_eq!(told(".timr on"), "no command `.timr` | did you mean `.timer`?");
        assert_eq!(told("\\timng"), "no command `\\timng` | did you mean `\\timing`?");
        assert_eq!(told(".statsu"), "no command `.statsu` | did you mean `.status`?");
        assert_eq!(told("\\zz"), "no command `\\zz` | `\\?` lists the commands");
        assert_eq!(told(".widht"), "no command `.widht` | did you mean `.width`?");
        assert_eq!(told(".wat"), "no command `.wat` | did you mean `\\watch`?");
        assert!(told("\\copy t").contains("`\\g FILE`"));
        assert_eq!(told("\\watch soon"), "`soon` is not a number, or it is out of range | ");
        assert!(told("\\pset border 2").contains("the settings are format"));
        assert_eq!(told(".mode cvs"), "no output format `cvs` | did you mean `csv`?");
        assert_eq!(told("\\timing maybe"), "`maybe` is not on or off | ");
        assert_eq!(told("\\i"), "`\\i` needs a file | ");
        assert_eq!(told("\\o |"), "`\\o` needs a program | ");
        assert!(told("\\pset tz Mars").contains("not a time zone"));
        assert_eq!(told("\\d 'a"), "a closing ' is missing | ");
        assert_eq!(told(".exit 256"), "`256` is not a number, or it is out of range | ");
        assert!(told("\\d a b").starts_with("`\\d` takes one argument"));
    }

    #[test]
    fn no_name_is_given_twice_and_every_example_is_understood() {
        let mut all: Vec<&str> = names().collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
        for spec in COMMANDS {
            let command = spec.example.find(spec.names[0]).or(spec.example.find('\\')).or(spec.example.find('.'));
            let line = &spec.example[command.unwrap_or(0)..];
            let is_condition = branch(line).is_some();
            assert!(is_condition || parse(line, &[]).is_ok(), "{line}: {:?}", parse(line, &[]));
        }
    }
}
