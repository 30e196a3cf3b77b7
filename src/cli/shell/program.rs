//! Completion of a command line of the program: its commands, flags and known values.

use clap::{Arg, CommandFactory};

use crate::repl::{Candidate, starting};

use super::names::Names;

/// Returns the candidates for a word after `before`, the words of the line so far without the dot.
pub fn complete(names: &Names, before: &str, word: &str) -> Vec<Candidate> {
    let mut command = super::super::Cli::command();
    let mut path: Vec<String> = Vec::new();
    let mut flag: Option<String> = None;
    let mut given = 0;
    for typed in before.split_whitespace() {
        if flag.take().is_some() {
            continue;
        }
        if let Some(inner) = command.find_subcommand(typed) {
            command = inner.clone();
            path.push(typed.to_string());
        } else if typed.starts_with('-') {
            let takes_value = argument(&command, typed).is_some_and(|arg| arg.get_action().takes_values());
            flag = takes_value.then(|| typed.to_string());
        } else {
            given += 1;
        }
    }
    let plain = |texts: Vec<String>| starting(texts.into_iter().map(Candidate::plain), word);
    if let Some(flag) = flag {
        return argument(&command, &flag).map_or(Vec::new(), |arg| plain(values(names, &path, arg)));
    }
    if word.starts_with('-') {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long);
        return plain(shown.map(|flag| format!("--{flag}")).collect());
    }
    let mut found: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_string()).collect();
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    if let Some(arg) = positionals.get(given).or(positionals.last()) {
        found.extend(values(names, &path, arg));
    }
    plain(found)
}

fn argument<'a>(command: &'a clap::Command, flag: &str) -> Option<&'a Arg> {
    let is_meant = |arg: &&Arg| match flag.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| flag[1..] == *short.to_string()),
    };
    command.get_arguments().find(is_meant)
}

/// Returns the known values of an argument: those that it allows, ids of reports, names of classes.
fn values(names: &Names, path: &[String], arg: &Arg) -> Vec<String> {
    let allowed: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_string()).collect();
    if !allowed.is_empty() {
        return allowed;
    }
    match (path.first().map(String::as_str), arg.get_id().as_str()) {
        (Some("report"), "id" | "ids") if path.last().is_none_or(|action| action != "new") => names.reports.clone(),
        (Some("schema"), "class") => names.ocsf.classes().iter().map(|class| class.name.clone()).collect(),
        (_, "table") => names.tables.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Ocsf;

    #[test]
    fn commands_flags_and_known_values_are_offered() {
        let names = Names::of_schema(Ocsf::load(None).unwrap());
        let texts = |line: &str| {
            let start = line.rfind(' ').map_or(0, |at| at + 1);
            let found = complete(&names, &line[..start], &line[start..]);
            found.into_iter().map(|candidate| candidate.text).collect::<Vec<_>>()
        };
        assert!(texts("report ").contains(&"run".to_string()));
        assert_eq!(texts("report sho"), ["show"]);
        assert!(texts("ingest --dry").contains(&"--dry-run".to_string()));
        assert!(texts("ingest x").is_empty());
        assert_eq!(texts("report run "), ["brute-force-by-user"]);
        assert_eq!(texts("report run --period 2026-01 brute"), ["brute-force-by-user"]);
        assert_eq!(texts("report list --format cs"), ["csv"]);
        assert_eq!(texts("schema user"), ["user_access"]);
        assert!(texts("report run --period ").is_empty());
    }
}
