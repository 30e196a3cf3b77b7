//! Every command of the shell in one table: its names, arguments, purpose, constructor and an example.
//!
//! Parsing, help and completion read it, and so does the test that runs all examples.

use super::command::{Branch, Command, Go, Listing};
use super::setting::{Setting, expanded, pset};
use super::settings::{Target, switch};
use super::spec::{
    EXPANDED, Kind, Line, PAGER, SWITCH, Spec, condition, max_rows, parameter, row, show, watch, with_line,
};
use super::words::number;
use crate::render::Format;

pub(super) const COMMANDS: &[Spec] = &[
    row(
        &["\\q", "\\quit", ".quit", ".exit", "quit", "exit"],
        "[code]",
        &[Kind::Text],
        "leave the shell (also ^D)",
        "\\q",
        |a| a.optional(number).map(|code| Command::Quit(code.unwrap_or(0))),
    ),
    row(
        &["\\?", ".help", "help", "?"],
        "[text|-all]",
        &[Kind::Command],
        "list these commands, or those that match; -all with examples",
        "\\? timing",
        |a| a.text().map(Command::Help),
    ),
    row(
        &["\\h", "\\df", ".functions"],
        "[name]",
        &[Kind::Function],
        "list the SQL functions, or explain one",
        "\\df cidr%",
        |a| a.text().map(Command::Functions),
    ),
    row(
        &["\\d", "\\dt", ".tables", "\\d+", "\\dt+", ".tables+"],
        "[pattern]",
        &[Kind::Table],
        "list the tables; with + rows, files, bytes and times",
        "\\dt+ user%",
        |a| {
            let is_verbose = a.name.ends_with('+');
            match a.text()? {
                // `\d NAME` describes a table, `\dt NAME` lists it.
                Some(name) if a.name.starts_with("\\d") && !a.name.starts_with("\\dt") => {
                    Ok(Command::Describe { name, is_verbose })
                }
                pattern => Ok(Command::Tables(Listing { pattern, is_views: false, is_verbose })),
            }
        },
    ),
    row(&["\\dv", "\\dv+"], "[pattern]", &[Kind::View], "list the views", "\\dv api%", |a| {
        let is_verbose = a.name.ends_with('+');
        Ok(Command::Tables(Listing { pattern: a.text()?, is_views: true, is_verbose }))
    }),
    row(
        &[".schema", ".inspect", ".describe"],
        "[name]",
        &[Kind::Table],
        "describe a table: columns as dotted paths; also \\d NAME",
        "\\d authentication",
        |a| {
            Ok(match a.text()? {
                Some(name) => Command::Describe { name, is_verbose: false },
                None => Command::Tables(Listing::default()),
            })
        },
    ),
    row(&["\\sv"], "view", &[Kind::View], "show the SQL that defines a view", "\\sv logon", |a| {
        a.required("a view").map(Command::Definition)
    }),
    row(&["\\conninfo", ".databases"], "", &[], "show which lake is open, and which state of it", "\\conninfo", |a| {
        a.none(Command::Connection)
    }),
    row(&["\\i", ".read"], "file", &[Kind::File], "run the statements of a file", "\\i example.sql", |a| {
        Ok(Command::Read(a.required("a file")?.into(), false))
    }),
    row(&["\\ir"], "file", &[Kind::File], "the same, relative to the file that is running", "\\ir example.sql", |a| {
        Ok(Command::Read(a.required("a file")?.into(), true))
    }),
    with_line(
        Line::Target,
        row(
            &["\\o", "\\out", ".output"],
            "[file or |program]",
            &[Kind::File],
            "send results to a file (format from its suffix) or a program, or back to the terminal",
            "\\o example.csv",
            |a| Ok(Command::Output(a.target()?.filter(|target| *target != Target::File("stdout".into())))),
        ),
    ),
    with_line(
        Line::Target,
        row(
            &[".once"],
            "file, |program, -x or -e",
            &[Kind::File],
            "send the next result to a file or a program, to a spreadsheet (-x) or to an editor (-e)",
            ".once example.json",
            |a| match a.words.first().map(String::as_str) {
                Some("-x") => Ok(Command::Once(Target::Spreadsheet)),
                Some("-e") => Ok(Command::Once(Target::Editor)),
                _ => a.target()?.map(Command::Once).ok_or_else(|| a.missing("a file")),
            },
        ),
    ),
    row(&[".excel"], "", &[], "open the next result in a spreadsheet", ".excel", |a| {
        a.none(Command::Once(Target::Spreadsheet))
    }),
    with_line(
        Line::Target,
        row(
            &["\\g"],
            "[file or |program]",
            &[Kind::File],
            "run the statement, or the last one again; its result into a file or a program",
            "select 1 as one \\g example.csv",
            |a| show(a, false),
        ),
    ),
    with_line(
        Line::Target,
        row(
            &["\\gx", "\\G"],
            "[file or |program]",
            &[Kind::File],
            "the same, one line per value: the way to read one event",
            "select * from event order by time limit 1 \\gx",
            |a| show(a, true),
        ),
    ),
    row(
        &["\\gset"],
        "[prefix]",
        &[Kind::Text],
        "run the statement and set a variable for each column of its one row",
        "select count(*) as events from event \\gset",
        |a| Ok(Command::Go(Go::Variables(a.text()?.unwrap_or_default()))),
    ),
    row(
        &["\\watch"],
        "[seconds] [c=times]",
        &[Kind::Text],
        "run the statement again and again on the newest state of the lake, until ^C",
        "select count(*) from event \\watch 0.1 c=2",
        watch,
    ),
    row(&[".last"], "", &[], "run the last statement again and show all its rows", ".last", |a| a.none(Command::Last)),
    row(
        &["\\e", ".edit"],
        "[file]",
        &[Kind::File],
        "edit the statement, or a file, in $EDITOR and run it",
        "\\e",
        |a| Ok(Command::Edit(a.text()?.map(Into::into))),
    ),
    row(&["\\p"], "", &[], "show the statement that is being typed, or the last one", "\\p", |a| {
        a.none(Command::Print)
    }),
    row(&["\\w"], "file", &[Kind::File], "write that statement to a file", "\\w example.sql", |a| {
        Ok(Command::Write(a.required("a file")?.into()))
    }),
    row(&["\\r", ".clear"], "", &[], "drop the statement that is being typed", "\\r", |a| a.none(Command::Reset)),
    row(&["clear"], "", &[], "clear the screen (also ^L)", "clear", |a| a.none(Command::Clear)),
    row(&["\\c", ".refresh"], "", &[], "see the newest state of the lake", "\\c", |a| a.none(Command::Refresh)),
    with_line(
        Line::Text,
        row(
            &["\\pset", ".show"],
            "[name [value]]",
            &[Kind::Setting],
            "show all settings, or change one",
            "\\pset null (none)",
            |a| pset(a.words).map(Command::Setting),
        ),
    ),
    row(
        &[".mode"],
        "[format]",
        &[Kind::Format],
        "table, csv, tsv, json, ndjson, markdown, line, html, list; to files parquet, arrow, xlsx",
        ".mode csv",
        |a| a.optional(str::parse).map(Setting::Format).map(Command::Setting),
    ),
    row(&["\\a"], "", &[], "switch between table and list", "\\a", |a| {
        a.none(Command::Setting(Setting::Toggle(Format::List)))
    }),
    row(&["\\H"], "", &[], "switch between table and HTML", "\\H", |a| {
        a.none(Command::Setting(Setting::Toggle(Format::Html)))
    }),
    row(
        &["\\x"],
        "[on|off|auto]",
        &[EXPANDED],
        "show one line per value; auto: what is too wide for a table and short enough to read",
        "\\x auto",
        |a| a.optional(expanded).map(Setting::Expanded).map(Command::Setting),
    ),
    row(&["\\t"], "[on|off]", &[SWITCH], "show rows only, without column names and row count", "\\t on", |a| {
        a.optional(switch).map(Setting::TuplesOnly).map(Command::Setting)
    }),
    row(&[".headers", ".header"], "[on|off]", &[SWITCH], "show column names", ".headers on", |a| {
        a.optional(switch).map(Setting::Header).map(Command::Setting)
    }),
    row(
        &["\\timing", ".timer"],
        "[on|off]",
        &[SWITCH],
        "show what statements read and how long they take",
        "\\timing on",
        |a| a.optional(switch).map(Setting::Timing).map(Command::Setting),
    ),
    with_line(
        Line::Text,
        row(&[".nullvalue"], "text", &[Kind::Text], "show NULL as this text", ".nullvalue (none)", |a| {
            Ok(Command::Setting(Setting::Null(a.text()?.unwrap_or_default())))
        }),
    ),
    with_line(
        Line::Text,
        row(
            &["\\f", ".separator"],
            "text",
            &[Kind::Text],
            "put this text between the values of a list",
            "\\f ;",
            |a| a.required("a text").map(Setting::Separator).map(Command::Setting),
        ),
    ),
    row(
        &[".maxrows"],
        "[rows]",
        &[Kind::Text],
        "show at most this many rows of a table; 0 shows all",
        ".maxrows 100",
        |a| a.optional(number).map(max_rows).map(Command::Setting),
    ),
    row(&[".width"], "[columns]", &[Kind::Text], "fit tables to this width; 0: to the terminal's", ".width 120", |a| {
        Ok(Command::Setting(Setting::Columns(a.optional(number)?.unwrap_or(0))))
    }),
    row(&[".pager"], "[on|off|always]", &[PAGER], "show what is longer than the screen in $PAGER", ".pager off", |a| {
        a.optional(str::parse).map(Setting::Pager).map(Command::Setting)
    }),
    with_line(
        Line::Text,
        row(
            &["\\set"],
            "[name [value...]]",
            &[Kind::Variable, Kind::Text],
            "set a variable, or list them: :name, :'text' and :\"column\" stand for it",
            "\\set day '2026-01-01'",
            |a| {
                let named = a.words.split_first();
                Ok(Command::Set(named.map(|(name, values)| (name.clone(), values.concat()))))
            },
        ),
    ),
    row(&["\\unset"], "name", &[Kind::Variable], "forget a variable", "\\unset day", |a| {
        a.required("a name").map(Command::Unset)
    }),
    row(
        &[".parameter", ".param"],
        "[set name value|unset name|clear|list]",
        &[Kind::OneOf(&["clear", "list", "set", "unset"]), Kind::Parameter],
        "the values of $name and :name, with types",
        ".parameter set day:timestamp 2026-01-01",
        parameter,
    ),
    condition(&["\\if"], "condition", "run what follows only if the condition is true", "\\if true", Branch::If),
    condition(&["\\elif"], "condition", "otherwise, if another condition is true", "\\elif false", Branch::ElseIf),
    condition(&["\\else"], "", "otherwise", "\\else", Branch::Else),
    condition(&["\\endif"], "", "end the conditional part", "\\endif", Branch::End),
    row(&["\\s", ".history"], "", &[], "list what was typed", "\\s", |a| a.none(Command::History)),
    with_line(
        Line::Text,
        row(&["\\echo", ".print"], "text", &[Kind::Text], "print the text", "\\echo done", |a| {
            Ok(Command::Echo(a.words.join(" ")))
        }),
    ),
    with_line(
        Line::Raw,
        row(
            &["\\!", ".shell", ".system"],
            "[command]",
            &[Kind::File],
            "run a command of the system's shell",
            "\\! date",
            |a| Ok(Command::System(Some(a.rest.to_owned()).filter(|rest| !rest.is_empty()))),
        ),
    ),
];

/// Commands of the program, for the help: they are not rows, since this module does not know them.
pub(super) const PROGRAM: (&str, &str) =
    (".COMMAND [argument]...", "run a command of the program, such as .status or .report list");

/// Finds the command of this name. Case counts only where two commands differ in nothing else: `\h` and `\H`, `\g` and
/// `\G`.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    let named = |name: &str| COMMANDS.iter().find(|spec| spec.names.contains(&name));
    named(name).or_else(|| named(&name.to_ascii_lowercase()))
}

/// Returns all spellings of all commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().flat_map(|spec| spec.names.iter().copied())
}

/// Returns whether a command runs the statement before it.
pub(super) fn is_go(name: &str) -> bool {
    matches!(name, "\\g" | "\\gx" | "\\G" | "\\gset" | "\\watch")
}
