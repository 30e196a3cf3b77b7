//! Every command of the shell in one table: its spellings, what follows, what it does.

use crate::error::Error;
use crate::typed::nearest;

/// The first word of a spelling is the name.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("\\q .quit .exit quit exit", "[code]", "leave the shell (also ^D)"),
    ("\\? .help help", "[text]", "list these commands, or those that say the text"),
    ("\\h \\df .functions", "[name]", "list the SQL functions, or explain one"),
    ("\\d \\dt .tables", "[pattern]", "list the tables; \\dt+ with rows, files, bytes and times"),
    ("\\d .schema .inspect .describe", "name", "list the columns of a table, nested ones as dotted paths"),
    ("\\i .read", "file", "run the statements of a file"),
    ("\\ir", "file", "the same, relative to the file that is running"),
    ("\\o .output", "[file]", "send results to a file (format from its suffix), or back to the terminal"),
    (".once", "file", "send the next result to a file"),
    ("\\g", "[file]", "run the statement, or the last one again; into a file"),
    ("\\gx \\G", "[file]", "the same, one line per value"),
    ("\\gset", "[prefix]", "run the statement and set a variable for each column of its one row"),
    ("\\watch", "[seconds] [c=times]", "run the statement again and again on the newest state of the lake, until ^C"),
    (".last", "", "run the last statement again and show all its rows"),
    ("\\e .edit", "[file]", "edit the statement, or a file, in $EDITOR and run it"),
    ("\\r .clear", "", "drop the statement that is being typed"),
    ("\\c .refresh", "", "see the newest state of the lake"),
    ("\\pset", "[name [value]]", "show or change a setting: \\pset lists them"),
    (".mode", "[format]", "table, csv, tsv, json, ndjson, markdown, line, html, list; to files parquet, arrow, xlsx"),
    ("\\a", "", "switch between table and list"),
    ("\\H", "", "switch between table and HTML"),
    ("\\x", "[on|off|auto]", "show one line per value; auto when the table is too wide"),
    ("\\t", "[on|off]", "show rows only, without column names and row count"),
    (".headers", "[on|off]", "show column names"),
    ("\\timing .timer", "[on|off]", "show what statements read and how long they take"),
    (".nullvalue", "text", "show NULL as this text"),
    ("\\f .separator", "text", "put this text between the values of a list"),
    (".maxrows", "[rows]", "show so many rows of a table; 0 shows all"),
    (".pager", "[on|off|always]", "show what is longer than the screen in $PAGER"),
    ("\\set", "[name [value...]]", "set a variable, or list them: :name, :'text' and :\"column\" stand for it"),
    ("\\unset", "name", "forget a variable"),
    (".parameter .param", "[set name value|unset name|clear|list]", "the values of $name and :name, with types"),
    ("\\if \\elif", "condition", "run what follows only if the condition is true"),
    ("\\else \\endif", "", "otherwise; the end of it"),
    ("\\s .history", "", "list what was typed"),
    ("\\echo .print", "text", "print the text"),
    ("\\! .shell .system", "[command]", "run a command of the system's shell"),
    (".COMMAND", "[argument]...", "run a command of the program, such as .status or .report list"),
];

/// Commands of other shells that users try; better told than guessed at.
const ABSENT: &[&str] = &["\\copy", ".open", ".import", ".attach", ".excel", ".dump", ".save", "\\l", "\\w", "\\p"];

/// The spellings of all commands, for completion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let spelt = COMMANDS.iter().flat_map(|(names, ..)| names.split(' ')).filter(|name| *name != ".COMMAND");
    spelt.chain(["\\dt+", "\\d+"])
}

/// The help text: all commands, or those whose line contains `text`.
pub(super) fn help(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().to_lowercase();
    let lines = COMMANDS.iter().map(|(names, arguments, purpose)| (format!("{names} {arguments}"), purpose));
    let matching = lines.filter(|(names, purpose)| format!("{names} {purpose}").to_lowercase().contains(&text));
    let mut help: String = matching
        .map(|(names, purpose)| match names.trim_end() {
            names if names.len() > 42 => format!("  {names}\n  {:<42} {purpose}\n", ""),
            names => format!("  {names:<42} {purpose}\n"),
        })
        .collect();
    if help.is_empty() {
        help = format!("no command says `{text}`\n");
    }
    help
}

/// The answer to a command that there is not.
pub(super) fn unknown(name: &str, programs: &[String]) -> Error {
    let error = Error::usage(format!("no command `{name}`"));
    if ABSENT.contains(&name) {
        return error.hint("psql or DuckDB has it, this shell does not; `\\?` lists the commands");
    }
    let dotted = programs.iter().map(|program| format!(".{program}"));
    let known = names().map(str::to_owned).chain(dotted);
    let known: Vec<String> = known.collect();
    // The sigil says little: in short names it would count for too much.
    let plain = |text: &str| text.trim_start_matches(['\\', '.']).to_owned();
    let (wanted, bare) = (plain(name), known.iter().map(|known| plain(known)).collect::<Vec<_>>());
    let meant = bare.iter().position(|bare| *bare == wanted);
    let meant = meant.or_else(|| {
        let near = nearest(&wanted, bare.iter().map(String::as_str))?;
        bare.iter().position(|bare| bare == near)
    });
    match meant {
        Some(at) => error.hint(format!("did you mean `{}`?", known[at])),
        None => error.hint("`\\?` lists the commands"),
    }
}
