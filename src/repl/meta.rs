//! The shell's own commands: psql's backslash and DuckDB's dot spelling of the same things.

use std::path::PathBuf;

use super::settings::{Expanded, switch};
use crate::error::{Error, Result};
use crate::render::Format;

/// A line for the shell, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Reset,
    Settings,
    Format(Option<Format>),
    /// `None` turns it over, here and below.
    Expanded(Option<Expanded>),
    Timing(Option<bool>),
    Header(Option<bool>),
    Null(Option<String>),
    /// The outer `None` shows the limit, the inner one lifts it.
    MaxRows(Option<Option<usize>>),
    History,
    Echo(String),
    /// A command line of the program.
    Program(Vec<String>),
}

/// What follows `\g`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Go {
    pub is_expanded: bool,
    pub file: Option<PathBuf>,
}

/// Every command: its spellings, what follows, what it does. The first word of a spelling is the name.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("\\q .quit .exit quit exit", "[code]", "leave the shell (also ^D)"),
    ("\\? .help help", "[text]", "list these commands"),
    ("\\h \\df .functions", "[name]", "list the SQL functions, or explain one"),
    ("\\d \\dt .tables", "[pattern]", "list the tables; \\dt+ with rows, files, bytes and times"),
    ("\\d .schema .inspect .describe", "name", "list the columns of a table, nested ones as dotted paths"),
    ("\\i \\ir .read", "file", "run the statements of a file; \\ir relative to the running one"),
    ("\\o .output", "[file]", "send results to a file (format from its suffix), or back to the terminal"),
    (".once", "file", "send the next result to a file"),
    ("\\g", "[file]", "run the statement, or the last one again; into a file"),
    ("\\gx \\G", "[file]", "the same, one line per value"),
    (".last", "", "run the last statement again and show all its rows"),
    ("\\r .clear", "", "drop the statement that is being typed"),
    ("\\pset", "[name [value]]", "show or change format, expanded, null, tuples_only"),
    (".mode", "[format]", "table, csv, tsv, json, ndjson, markdown, line"),
    ("\\x", "[on|off|auto]", "show one line per value; auto when the table is too wide"),
    ("\\timing .timer", "[on|off]", "show how long statements take"),
    ("\\t .headers", "[on|off]", "show column names"),
    (".nullvalue", "text", "show NULL as this text"),
    (".maxrows", "[rows]", "show so many rows of a table; 0 shows all"),
    ("\\s .history", "", "list what was typed"),
    ("\\echo .print", "text", "print the text"),
    (".COMMAND", "[argument]...", "run a command of the program, such as .status"),
];

/// Commands of other shells that users try; better told than guessed at.
const ABSENT: &[&str] =
    &["\\!", "\\e", "\\set", "\\watch", "\\copy", "\\c", ".shell", ".edit", ".open", ".import", ".pager"];

/// Understands one line. `programs` are the names of the program's commands.
pub(super) fn parse(line: &str, programs: &[String]) -> Result<Command> {
    let line = line.trim().trim_end_matches(';');
    let words = words(line)?;
    let Some((name, arguments)) = words.split_first() else {
        return Err(Error::usage("a command is missing").hint("`\\?` lists the commands"));
    };
    let arguments = Arguments { name, words: arguments };
    match name.to_ascii_lowercase().as_str() {
        _ if name == "\\G" => Ok(Command::Go(Go { is_expanded: true, file: arguments.path()? })),
        "\\q" | ".quit" | ".exit" | "quit" | "exit" => {
            arguments.optional(|code| number(code).map(Command::Quit)).map(|quit| quit.unwrap_or(Command::Quit(0)))
        }
        "\\?" | ".help" | "help" => arguments.text().map(Command::Help),
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
        "\\g" => Ok(Command::Go(Go { is_expanded: false, file: arguments.path()? })),
        "\\gx" => Ok(Command::Go(Go { is_expanded: true, file: arguments.path()? })),
        ".last" => arguments.none(Command::Last),
        "\\r" | ".clear" => arguments.none(Command::Reset),
        "\\pset" => pset(arguments.words),
        ".mode" => arguments.optional(str::parse).map(Command::Format),
        "\\x" => arguments.optional(expanded).map(Command::Expanded),
        "\\timing" | ".timer" => arguments.optional(switch).map(Command::Timing),
        ".headers" | ".header" => arguments.optional(switch).map(Command::Header),
        // psql's "tuples only" says it the other way round.
        "\\t" => arguments.optional(switch).map(|only| Command::Header(only.map(|only| !only))),
        ".nullvalue" => Ok(Command::Null(Some(arguments.text()?.unwrap_or_default()))),
        ".maxrows" => arguments
            .optional(number)
            .map(|rows| Command::MaxRows(rows.map(|rows: usize| Some(rows).filter(|rows| *rows > 0)))),
        "\\s" | ".history" => arguments.none(Command::History),
        "\\echo" | ".print" => Ok(Command::Echo(arguments.words.join(" "))),
        _ => match name.strip_prefix('.') {
            Some(program) if programs.iter().any(|known| known == program) => Ok(Command::Program(
                std::iter::once(program.to_owned()).chain(arguments.words.iter().cloned()).collect(),
            )),
            _ => Err(unknown(name, programs)),
        },
    }
}

/// Understands what follows a statement: `\g`, `\gx` or `\G`.
pub(super) fn parse_go(line: &str) -> Result<Go> {
    match parse(line, &[])? {
        Command::Go(go) => Ok(go),
        _ => Err(Error::usage(format!("cannot end a statement with `{line}`"))),
    }
}

/// The spellings of all commands, for completion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().flat_map(|(names, ..)| names.split(' ')).filter(|name| *name != ".COMMAND")
}

/// The help text: all commands, or those whose line contains `text`.
pub(super) fn help(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().to_lowercase();
    let lines = COMMANDS.iter().map(|(names, arguments, purpose)| (format!("{names} {arguments}"), purpose));
    let matching = lines.filter(|(names, purpose)| format!("{names} {purpose}").to_lowercase().contains(&text));
    let mut help: String = matching.map(|(names, purpose)| format!("  {names:<42} {purpose}\n")).collect();
    if help.is_empty() {
        help = format!("no command says `{text}`\n");
    }
    help
}

struct Arguments<'a> {
    name: &'a str,
    words: &'a [String],
}

impl Arguments<'_> {
    fn text(&self) -> Result<Option<String>> {
        match self.words {
            [] => Ok(None),
            [word] => Ok(Some(word.clone())),
            _ => {
                Err(Error::usage(format!("`{}` takes one argument", self.name))
                    .hint("quote an argument that holds blanks"))
            }
        }
    }

    fn required(&self, what: &str) -> Result<String> {
        self.text()?.ok_or_else(|| self.missing(what))
    }

    fn missing(&self, what: &str) -> Error {
        Error::usage(format!("`{}` needs {what}", self.name))
    }

    fn optional<T>(&self, read: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        self.text()?.map(|word| read(&word)).transpose()
    }

    fn none(&self, command: Command) -> Result<Command> {
        match self.words {
            [] => Ok(command),
            _ => Err(Error::usage(format!("`{}` takes no argument", self.name))),
        }
    }

    /// A file that results go to. psql pipes into `|command`, sqlite3 opens programs with `-e` and `-x`: we do neither.
    fn path(&self) -> Result<Option<PathBuf>> {
        match self.words.first() {
            Some(word) if word.starts_with(['|', '-']) => {
                Err(Error::usage(format!("cannot send results to `{word}`")).hint("name a file"))
            }
            _ => Ok(self.text()?.map(PathBuf::from)),
        }
    }
}

fn pset(words: &[String]) -> Result<Command> {
    let Some((name, value)) = words.split_first() else { return Ok(Command::Settings) };
    let value = Arguments { name, words: value };
    match name.as_str() {
        "format" => value.optional(str::parse).map(Command::Format),
        "expanded" | "x" => value.optional(expanded).map(Command::Expanded),
        "null" => Ok(Command::Null(Some(value.text()?.unwrap_or_default()))),
        "tuples_only" | "t" => value.optional(switch).map(|only| Command::Header(only.map(|only| !only))),
        _ => {
            Err(Error::usage(format!("no setting `{name}`"))
                .hint("settings are format, expanded, null and tuples_only"))
        }
    }
}

fn expanded(text: &str) -> Result<Expanded> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Expanded::Auto);
    }
    let is_on = switch(text).map_err(|_| Error::usage(format!("`{text}` is none of on, off and auto")))?;
    Ok(if is_on { Expanded::On } else { Expanded::Off })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::usage(format!("`{text}` is not a number that fits here")))
}

fn unknown(name: &str, programs: &[String]) -> Error {
    let error = Error::usage(format!("no command `{name}`"));
    if ABSENT.contains(&name) {
        return error.hint("psql or DuckDB has it, this shell does not; `\\?` lists the commands");
    }
    let dotted = programs.iter().map(|program| format!(".{program}"));
    let known = names().map(str::to_owned).chain(dotted);
    // The sigil counts for the likeness of short names only if it differs, so compare what follows it first.
    let likeness =
        |known: &str| strsim::jaro_winkler(name.trim_start_matches(['\\', '.']), known.trim_start_matches(['\\', '.']));
    match known.map(|known| (likeness(&known), known)).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, known)) if likeness > 0.75 => error.hint(format!("did you mean `{known}`?")),
        _ => error.hint("`\\?` lists the commands"),
    }
}

/// Splits at blanks outside of quotes. A backslash is a character like another: paths of Windows hold them.
fn words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        return Err(Error::usage(format!("a closing {quote} is missing")));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (&["\\g"], Command::Go(Go::default())),
            (&["\\gx f", "\\G f"], Command::Go(Go { is_expanded: true, file: Some("f".into()) })),
            (&["\\pset format markdown", ".mode md"], Command::Format(Some(Format::Markdown))),
            (&["\\x", "\\pset x"], Command::Expanded(None)),
            (&["\\x auto", "\\pset expanded auto"], Command::Expanded(Some(Expanded::Auto))),
            (&["\\timing", ".timer"], Command::Timing(None)),
            (&["\\timing on", ".timer ON"], Command::Timing(Some(true))),
            (&["\\t on", ".headers off"], Command::Header(Some(false))),
            (&["\\pset null (null)", ".nullvalue (null)"], Command::Null(Some("(null)".into()))),
            (&["\\pset null ''", ".nullvalue"], Command::Null(Some(String::new()))),
            (&[".maxrows 0"], Command::MaxRows(Some(None))),
            (&[".maxrows 7"], Command::MaxRows(Some(Some(7)))),
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
        assert!(told("\\watch 5").contains("this shell does not"));
        assert_eq!(told(".mode cvs"), "no output format `cvs` | did you mean `csv`?");
        assert_eq!(told("\\timing maybe"), "`maybe` is neither on nor off | ");
        assert_eq!(told("\\i"), "`\\i` needs a file | ");
        assert_eq!(told("\\o |less"), "cannot send results to `|less` | name a file");
        assert_eq!(told("\\d 'a"), "a closing ' is missing | ");
        assert_eq!(told(".exit 256"), "`256` is not a number that fits here | ");
        assert!(told("\\d a b").starts_with("`\\d` takes one argument"));
    }

    #[test]
    fn every_listed_command_exists() {
        for name in names() {
            let with_argument = parse(&format!("{name} x"), &[]);
            let known = parse(name, &[]).is_ok() || with_argument.is_ok();
            assert!(known, "{name}");
        }
        assert!(help(Some("TIMING")).starts_with("  \\timing .timer"));
        assert_eq!(help(None).lines().count(), COMMANDS.len());
    }
}
