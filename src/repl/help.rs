//! The list of commands, and the answer to one that does not exist.

use super::commands::{COMMANDS, PROGRAM, names};
use crate::error::Error;

/// Columns of the names and arguments; longer ones have a line of their own.
const NAMES: usize = 40;
/// Columns of a line: what a terminal of 100 columns shows without wrapping.
const LINE: usize = 100;

/// Commands of other shells, and what does their work here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("\\copy", "`\\g FILE` writes a result to a file, `.ingest FILE` adds events"),
    (".import", "`.ingest FILE` adds events"),
    (".open", "another lake is opened with `--lake`; `\\conninfo` shows this one"),
    (".attach", "another lake is opened with `--lake`; `\\conninfo` shows this one"),
    (".dump", "`.export` writes events as they came in"),
    (".save", "`\\g FILE` writes a result to a file"),
    ("\\l", "`\\conninfo` shows which lake is open, `\\d` its tables"),
    (".log", "`\\s` lists what was typed"),
    ("\\gdesc", "`describe select ...` shows the columns of a result"),
];

/// The help text: all commands, or those that contain `text`.
pub(super) fn help(text: Option<&str>) -> String {
    let wanted = text.unwrap_or_default().to_lowercase();
    let rows = COMMANDS.iter().map(|spec| {
        let usage = if spec.usage.is_empty() { String::new() } else { format!(" {}", spec.usage) };
        (format!("{}{usage}", spec.names.join(" ")), spec.purpose, spec.example)
    });
    let rows = rows.chain([(PROGRAM.0.to_owned(), PROGRAM.1, ".status")]);
    let is_wanted =
        |(names, purpose, _): &(String, &str, &str)| format!("{names} {purpose}").to_lowercase().contains(&wanted);
    let matching: Vec<_> = rows.filter(is_wanted).collect();
    if matching.is_empty() {
        return format!("no command matches `{wanted}`\n");
    }
    // Few commands were asked for by name: then an example helps more than brevity.
    let has_examples = text.is_some() && matching.len() <= 3;
    let mut help = String::new();
    for (names, purpose, example) in matching {
        let lines = broken(purpose, LINE - NAMES - 3);
        let (head, rest) = if names.chars().count() > NAMES {
            (None, lines.as_slice())
        } else {
            lines.split_first().map_or((None, [].as_slice()), |(head, rest)| (Some(head), rest))
        };
        match head {
            Some(head) => help.push_str(&format!("  {names:<NAMES$} {head}\n")),
            None => help.push_str(&format!("  {names}\n")),
        }
        for line in rest {
            help.push_str(&format!("  {:<NAMES$} {line}\n", ""));
        }
        if has_examples {
            help.push_str(&format!("  {:<NAMES$} example: {example}\n", ""));
        }
    }
    help
}

/// The text in lines of at most `room` characters.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines.last().is_some_and(|line| !line.is_empty() && line.len() + 1 + word.len() > room);
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The answer to a command that does not exist.
pub(super) fn unknown(name: &str, programs: &[String]) -> Error {
    let error = Error::usage(format!("no command `{name}`"));
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        return error.hint(*instead);
    }
    let dotted = programs.iter().map(|program| format!(".{program}"));
    let known = names().map(str::to_owned).chain(dotted);
    let plain = |name: &str| name.trim_start_matches(['\\', '.']).to_lowercase();
    // Short names are alike by chance: `.width` and `\watch`. What is meant differs in a letter or two.
    let mistakes = |known: &str| strsim::osa_distance(&plain(name), &plain(known));
    let is_like = |(mistakes, known): &(usize, String)| mistakes * 3 <= plain(known).len();
    let best = known.map(|known| (mistakes(&known), known)).filter(is_like).min_by_key(|(mistakes, known)| {
        // Of two spellings of a name the one that begins as the wrong one does.
        (*mistakes, known.chars().next() != name.chars().next())
    });
    match best {
        Some((_, known)) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint("`\\?` lists the commands"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_terminal_of_100_columns() {
        for text in [None, Some("watch")] {
            let help = help(text);
            let widest = help.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= LINE, "{widest}:\n{help}");
        }
        assert!(help(Some("TIMING")).contains("example: \\timing on"));
        assert!(help(None).lines().count() >= COMMANDS.len());
        assert_eq!(help(Some("zzz")), "no command matches `zzz`\n");
    }

    #[test]
    fn what_is_named_instead_exists() {
        for (name, instead) in ELSEWHERE {
            assert!(!names().any(|known| known == *name), "{name} exists");
            for command in instead.split('`').skip(1).step_by(2).filter(|word| word.starts_with(['\\', '.'])) {
                let command = command.split(' ').next().unwrap();
                let is_program = [".ingest", ".export"].contains(&command);
                assert!(is_program || names().any(|known| known == command), "{command} does not exist");
            }
        }
    }
}
