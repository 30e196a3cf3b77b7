//! The list of commands, and the answer to one that does not exist.

use super::commands::{COMMANDS, PROGRAM, find, names};
use crate::error::Error;
use crate::typed::nearest;

/// Columns of the names and arguments; longer ones have a line of their own.
const NAMES: usize = 40;
/// Columns of a line: what most terminals have.
const LINE: usize = 100;
/// On narrower terminals purposes are on lines of their own, this far in.
const INDENTATION: usize = 6;

/// Commands of other shells, and their counterparts here.
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

/// Returns the help text for a terminal of this width: all commands, or those that contain `text`.
pub(super) fn help(text: Option<&str>, columns: Option<usize>) -> String {
    let line = columns.unwrap_or(LINE).min(LINE);
    let at = if line < LINE { INDENTATION } else { NAMES };
    let is_all = text == Some("-all");
    let wanted = text.filter(|_| !is_all).unwrap_or_default().to_lowercase();
    // The name of a command means that command alone.
    let named = text.and_then(find);
    let specs = COMMANDS.iter().filter(|spec| named.is_none_or(|named| std::ptr::eq(*spec, named)));
    let rows = specs.map(|spec| {
        let usage = if spec.usage.is_empty() { String::new() } else { format!(" {}", spec.usage) };
        (format!("{}{usage}", spec.names.join(" ")), spec.purpose, spec.example)
    });
    let program = (PROGRAM.0.to_owned(), PROGRAM.1, ".status");
    let rows = rows.chain(named.is_none().then_some(program));
    let is_wanted = |(names, purpose, _): &(String, &str, &str)| {
        named.is_some() || format!("{names} {purpose}").to_lowercase().contains(&wanted)
    };
    let matching: Vec<_> = rows.filter(is_wanted).collect();
    if matching.is_empty() {
        return format!("no command matches `{wanted}`\n");
    }
    // If the user asked for few commands, an example helps more than brevity.
    let has_examples = is_all || text.is_some() && matching.len() <= 3;
    let mut help = String::new();
    for (names, purpose, example) in matching {
        let mut lines = broken(purpose, line.saturating_sub(at + 3).max(20));
        lines.extend(has_examples.then(|| format!("example: {example}")));
        let is_beside = at == NAMES && names.chars().count() <= at;
        let head = if is_beside { lines.remove(0) } else { String::new() };
        help.push_str(format!("  {names:<at$} {head}").trim_end());
        help.push('\n');
        for line in lines {
            help.push_str(&format!("  {:at$} {line}\n", ""));
        }
    }
    help
}

/// Breaks the text into lines of at most `room` characters.
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

/// Builds the answer to a command that does not exist.
pub(super) fn unknown(name: &str, programs: &[String]) -> Error {
    let error = Error::usage(format!("no command `{name}`"));
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        return error.hint(*instead);
    }
    let dotted = programs.iter().map(|program| format!(".{program}"));
    let known = names().map(str::to_owned).chain(dotted);
    let known: Vec<String> = known.collect();
    let plain = |name: &str| name.trim_start_matches(['\\', '.']).to_owned();
    let wanted = plain(name);
    let bare: Vec<String> = known.iter().map(|known| plain(known)).collect();
    // The sigil says little: in short names it would count too much.
    let is_known = bare.contains(&wanted);
    let meant = if is_known { Some(wanted.as_str()) } else { nearest(&wanted, bare.iter().map(String::as_str)) };
    // Of two spellings of a name, the one that begins like the wrong one is suggested.
    let spellings = known.iter().filter(|known| meant == Some(plain(known).as_str()));
    match spellings.min_by_key(|known| known.chars().next() != name.chars().next()) {
        Some(known) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint("`\\?` lists the commands"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_the_terminal() {
        for columns in [None, Some(100), Some(200), Some(60)] {
            let help = help(None, columns);
            let widest = help.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns.unwrap_or(100), "{columns:?} {widest}:\n{help}");
            assert!(help.lines().count() >= COMMANDS.len());
        }
        assert!(help(Some("TIMING"), None).contains("example: \\timing on"));
        assert!(help(Some("\\d"), None).lines().count() <= 3);
        assert_eq!(help(Some("-all"), None).matches("example: ").count(), COMMANDS.len() + 1);
        assert_eq!(help(Some("zzz"), None), "no command matches `zzz`\n");
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
