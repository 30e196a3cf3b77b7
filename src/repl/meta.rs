//! The shell's own commands: psql's backslash and DuckDB's dot spelling of the same things.

use std::path::PathBuf;
use std::time::Duration;

use super::help::unknown;
use super::settings::{Expanded, Pager, switch};
use super::variables::Variables;
use super::words::{Arguments, number, words};
use crate::error::{Error, Result};
use crate::render::Format;

/// A line for the shell, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Quit(u8),
    /// Commands whose line contains the text.
    Help(Option<String>),
    Functions(Option<String>),
    Tables {
        pattern: Option<String>,
        is_verbose: bool,
    },
    Describe(String),
    /// The file, and whether its name is relative to the running script.
    Read(PathBuf, bool),
    /// Where results go from now on; `None` is stdout.
    Output(Option<PathBuf>),
    Once(PathBuf),
    /// Runs the last statement again.
    Go(Go),
    /// The last statement with all its rows.
    Last,
    /// The statement, or a file, in an editor.
    Edit(Option<PathBuf>),
    Reset,
    Refresh,
    Setting(Setting),
    /// Name and value; `None` lists them.
    Set(Option<(String, String)>),
    Unset(String),
    Parameter(Parameter),
    History,
    Echo(String),
    /// A command of the system's shell; `None` starts one.
    System(Option<String>),
    /// A command line of the program.
    Program(Vec<String>),
}

/// A setting that is changed; an inner `None` turns a switch over.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    List,
    Format(Option<Format>),
    /// Between the table and this format.
    Toggle(Format),
    Expanded(Option<Expanded>),
    Timing(Option<bool>),
    Header(Option<bool>),
    Footer(Option<bool>),
    /// Rows alone: neither header nor footer.
    TuplesOnly(Option<bool>),
    Null(String),
    Separator(String),
    CsvSeparator(String),
    Pager(Option<Pager>),
    /// The outer `None` shows the limit, the inner one lifts it.
    MaxRows(Option<Option<usize>>),
    /// The width that tables are cut to; 0 is the terminal's.
    Columns(usize),
}

/// What `.parameter` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parameter {
    List,
    Set(String, String),
    Unset(String),
    Clear,
}

/// How a statement is run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Go {
    Show {
        is_expanded: bool,
        file: Option<PathBuf>,
    },
    /// Sets variables, whose names begin with the text.
    Variables(String),
    /// Again and again, with a pause; so many times, or until ^C.
    Watch {
        pause: Duration,
        times: Option<u32>,
    },
}

impl Default for Go {
    fn default() -> Self {
        Go::Show { is_expanded: false, file: None }
    }
}

/// psql's pause.
const PAUSE: Duration = Duration::from_secs(2);

/// The name of the command that a line begins with, and the rest of the line.
pub(super) fn split_name(line: &str) -> (&str, &str) {
    let line = line.trim();
    // psql takes `\!ls` for `\! ls`.
    if let Some(rest) = line.strip_prefix("\\!") {
        return ("\\!", rest.trim());
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (name.trim_end_matches(';'), rest.trim())
}

/// Understands one line. `programs` are the names of the program's commands.
pub(super) fn parse(line: &str, programs: &[String], variables: &Variables) -> Result<Command> {
    let (name, rest) = split_name(line);
    let lower = name.to_ascii_lowercase();
    // What goes to the system is its own to split.
    if matches!(lower.as_str(), "\\!" | ".shell" | ".system") {
        return Ok(Command::System(Some(rest.to_owned()).filter(|rest| !rest.is_empty())));
    }
    // Who ends a command like a statement is understood, but a separator may be a semicolon.
    let is_text =
        matches!(lower.as_str(), "\\pset" | "\\set" | "\\f" | ".separator" | ".nullvalue" | "\\echo" | ".print");
    let words = words(if is_text { rest } else { rest.trim_end_matches(';') }, variables)?;
    let arguments = Arguments { name, words: &words };
    if let Some(setting) = setting(name, &lower, &arguments) {
        return setting.map(Command::Setting);
    }
    match lower.as_str() {
        "" => Err(Error::usage("a command is missing").hint("`\\?` lists the commands")),
        "\\g" | "\\gx" | "\\gset" | "\\watch" => go(name, &arguments).map(Command::Go),
        "\\q" | ".quit" | ".exit" | "quit" | "exit" => {
            arguments.optional(|code| number(code).map(Command::Quit)).map(|quit| quit.unwrap_or(Command::Quit(0)))
        }
        "\\?" | ".help" | "help" => {
            // sqlite3 and DuckDB list all their commands with `-all`; here they always are.
            arguments.text().map(|text| Command::Help(text.filter(|text| text != "-all")))
        }
        "\\h" | "\\df" | ".functions" => arguments.text().map(Command::Functions),
        "\\d" | "\\d+" | ".schema" | ".inspect" | ".describe" => Ok(match arguments.text()? {
            Some(table) => Command::Describe(table),
            None => Command::Tables { pattern: None, is_verbose: name.ends_with('+') },
        }),
        "\\dt" | "\\dt+" | ".tables" | ".tables+" => {
            Ok(Command::Tables { pattern: arguments.text()?, is_verbose: name.ends_with('+') })
        }
        "\\i" | ".read" => Ok(Command::Read(arguments.required("a file")?.into(), false)),
        "\\ir" => Ok(Command::Read(arguments.required("a file")?.into(), true)),
        "\\o" | "\\out" | ".output" => {
            Ok(Command::Output(arguments.path()?.filter(|path| path.as_os_str() != "stdout")))
        }
        ".once" => match arguments.path()? {
            Some(path) => Ok(Command::Once(path)),
            None => Err(arguments.missing("a file")),
        },
        ".last" => arguments.none(Command::Last),
        "\\e" | ".edit" => arguments.text().map(|file| Command::Edit(file.map(PathBuf::from))),
        "\\r" | ".clear" => arguments.none(Command::Reset),
        "\\c" | ".refresh" => arguments.none(Command::Refresh),
        "\\set" => Ok(Command::Set(words.split_first().map(|(name, values)| (name.clone(), values.concat())))),
        "\\unset" => Ok(Command::Unset(arguments.required("a name")?)),
        ".parameter" | ".param" => parameter(&arguments).map(Command::Parameter),
        "\\s" | ".history" => arguments.none(Command::History),
        "\\echo" | ".print" => Ok(Command::Echo(words.join(" "))),
        _ => match name.strip_prefix('.') {
            Some(program) if programs.iter().any(|known| known == program) => {
                Ok(Command::Program(std::iter::once(program.to_owned()).chain(words).collect()))
            }
            _ => Err(unknown(name, programs)),
        },
    }
}

/// Understands what follows a statement: `\g`, `\gx`, `\G`, `\gset` or `\watch`.
pub(super) fn parse_go(line: &str, variables: &Variables) -> Result<Go> {
    match parse(line, &[], variables)? {
        Command::Go(go) => Ok(go),
        _ => Err(Error::usage(format!("cannot end a statement with `{line}`"))),
    }
}

fn go(name: &str, arguments: &Arguments<'_>) -> Result<Go> {
    match name {
        "\\gset" => Ok(Go::Variables(arguments.text()?.unwrap_or_default())),
        "\\watch" => watch(arguments),
        _ => Ok(Go::Show { is_expanded: name != "\\g", file: arguments.path()? }),
    }
}

/// `\watch 5`, `\watch i=5 c=3`.
fn watch(arguments: &Arguments<'_>) -> Result<Go> {
    let (mut pause, mut times) = (PAUSE, None);
    for word in arguments.words {
        if let Some(count) = word.strip_prefix("c=") {
            times = Some(number(count)?);
            continue;
        }
        let seconds: f64 = number(word.strip_prefix("i=").unwrap_or(word))?;
        pause = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::usage(format!("`{word}` is no pause in seconds")))?;
    }
    Ok(Go::Watch { pause, times })
}

fn parameter(arguments: &Arguments<'_>) -> Result<Parameter> {
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    // sqlite3 binds `:name`, `$name` and `@name`.
    let plain = |name: &str| name.trim_start_matches([':', '$', '@']).to_owned();
    match words.as_slice() {
        [] | ["list"] => Ok(Parameter::List),
        ["clear" | "init"] => Ok(Parameter::Clear),
        ["set", name, value] => Ok(Parameter::Set(plain(name), (*value).to_owned())),
        ["unset", name] => Ok(Parameter::Unset(plain(name))),
        _ => Err(Error::usage(format!("cannot understand `{} {}`", arguments.name, words.join(" ")))
            .hint("`.parameter set name value`, `unset name`, `clear` or `list`")),
    }
}

/// A command that changes how results are shown; nothing for other commands.
fn setting(name: &str, lower: &str, arguments: &Arguments<'_>) -> Option<Result<Setting>> {
    // Of backslash commands the case counts: `\G` runs a statement, `\H` is a format.
    let setting = match name {
        "\\G" => return None,
        "\\a" => return Some(no_argument(arguments, Setting::Toggle(Format::List))),
        "\\H" => return Some(no_argument(arguments, Setting::Toggle(Format::Html))),
        _ => lower,
    };
    Some(match setting {
        "\\pset" => pset(arguments.words),
        ".mode" => arguments.optional(str::parse).map(Setting::Format),
        "\\x" => arguments.optional(expanded).map(Setting::Expanded),
        "\\timing" | ".timer" => arguments.optional(switch).map(Setting::Timing),
        ".headers" | ".header" => arguments.optional(switch).map(Setting::Header),
        "\\t" => arguments.optional(switch).map(Setting::TuplesOnly),
        ".nullvalue" => arguments.text().map(|text| Setting::Null(text.unwrap_or_default())),
        ".separator" => arguments.required("a text").map(Setting::Separator),
        "\\f" => arguments.required("a text").map(Setting::Separator),
        ".pager" => arguments.optional(str::parse).map(Setting::Pager),
        ".maxrows" => arguments
            .optional(number)
            .map(|rows| Setting::MaxRows(rows.map(|rows: usize| Some(rows).filter(|rows| *rows > 0)))),
        _ => return None,
    })
}

fn no_argument(arguments: &Arguments<'_>, setting: Setting) -> Result<Setting> {
    arguments.none(Command::Setting(setting.clone())).map(|_| setting)
}

fn pset(words: &[String]) -> Result<Setting> {
    let Some((name, values)) = words.split_first() else { return Ok(Setting::List) };
    let value = Arguments { name: &format!("\\pset {name}"), words: values };
    let text = || value.text().map(Option::unwrap_or_default);
    match name.as_str() {
        "format" => value.optional(str::parse).map(Setting::Format),
        "expanded" | "x" => value.optional(expanded).map(Setting::Expanded),
        "null" => text().map(Setting::Null),
        "tuples_only" | "t" => value.optional(switch).map(Setting::TuplesOnly),
        "footer" => value.optional(switch).map(Setting::Footer),
        "fieldsep" => text().map(Setting::Separator),
        "csv_fieldsep" => text().map(Setting::CsvSeparator),
        "pager" => value.optional(str::parse).map(Setting::Pager),
        "columns" => value.optional(number).map(|columns| Setting::Columns(columns.unwrap_or(0))),
        _ => Err(Error::usage(format!("no setting `{name}`")).hint(
            "settings are format, expanded, null, tuples_only, footer, fieldsep, csv_fieldsep, pager and columns",
        )),
    }
}

fn expanded(text: &str) -> Result<Expanded> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Expanded::Auto);
    }
    let is_on = switch(text).map_err(|_| Error::usage(format!("`{text}` is none of on, off and auto")))?;
    Ok(if is_on { Expanded::On } else { Expanded::Off })
}

#[cfg(test)]
mod tests {
    use super::super::help::{COMMANDS, help, names};
    use super::*;

    fn parse(line: &str, programs: &[String]) -> Result<Command> {
        super::parse(line, programs, &Variables::default())
    }

    fn show(is_expanded: bool, file: Option<&str>) -> Command {
        Command::Go(Go::Show { is_expanded, file: file.map(PathBuf::from) })
    }

    fn understood(line: &str) -> Command {
        parse(line, &["ingest".to_owned(), "export".to_owned()]).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let same: &[(&[&str], Command)] = &[
            (&["\\q", ".quit", ".exit", "quit", "exit;", "QUIT"], Command::Quit(0)),
            (&[".exit 3"], Command::Quit(3)),
            (&["\\?", ".help", "help"], Command::Help(None)),
            (&["\\h ago", "\\df ago"], Command::Functions(Some("ago".into()))),
            (&["\\d", "\\dt", ".tables", ".schema"], Command::Tables { pattern: None, is_verbose: false }),
            (&["\\dt+ user%", ".tables+ 'user%'"], Command::Tables { pattern: Some("user%".into()), is_verbose: true }),
            (&["\\d event", "\\d+ event;", ".schema event", ".inspect event"], Command::Describe("event".into())),
            (&["\\i 'a b.sql'", ".read \"a b.sql\""], Command::Read("a b.sql".into(), false)),
            (&["\\ir c.sql"], Command::Read("c.sql".into(), true)),
            (&["\\o", ".output", ".output stdout"], Command::Output(None)),
            (&["\\o C:\\x.csv"], Command::Output(Some("C:\\x.csv".into()))),
            (&[".once x.json"], Command::Once("x.json".into())),
            (&["\\g"], show(false, None)),
            (&["\\gx f", "\\G f"], show(true, Some("f"))),
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
            (&[".maxrows 7"], Command::Setting(Setting::MaxRows(Some(Some(7))))),
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
        assert!(told("\\copy t").contains("this shell does not"));
        assert_eq!(told("\\watch soon"), "`soon` is not a number that fits here | ");
        assert!(told("\\pset border 2").contains("settings are format"));
        assert_eq!(told(".mode cvs"), "no output format `cvs` | did you mean `csv`?");
        assert_eq!(told("\\timing maybe"), "`maybe` is neither on nor off | ");
        assert_eq!(told("\\i"), "`\\i` needs a file | ");
        assert_eq!(
            told("\\o |less"),
            "cannot send results to `|less` | name a file, such as result.csv or result.xlsx"
        );
        assert_eq!(told("\\d 'a"), "a closing ' is missing | ");
        assert_eq!(told(".exit 256"), "`256` is not a number that fits here | ");
        assert!(told("\\d a b").starts_with("`\\d` takes one argument"));
    }

    #[test]
    fn every_listed_command_exists() {
        for name in names().filter(|name| !matches!(*name, "\\if" | "\\elif" | "\\else" | "\\endif")) {
            let with_argument = parse(&format!("{name} x"), &[]);
            let known = parse(name, &[]).is_ok() || with_argument.is_ok();
            assert!(known, "{name}");
        }
        assert!(help(Some("TIMING")).starts_with("  \\timing .timer"));
        assert!(help(None).lines().count() >= COMMANDS.len());
    }
}
