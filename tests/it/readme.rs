//! The commands of README, CONTRIBUTING and the book, as a newcomer types them: each page in an empty directory.

use std::fs;
use std::process::Command;

use crate::docs::{pages, read};
use crate::env::Env;

/// Returns the lines of every `sh` block below a line `<!-- run -->`. A line that ends in `\` continues on the next
/// one, and a here document ends with `END`.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "<!-- run -->" {
            continue;
        }
        let fence = lines.by_ref().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert_eq!(fence.trim(), "```sh", "`<!-- run -->` is above a block of shell");
        let mut command = String::new();
        for line in lines.by_ref().take_while(|line| line.trim() != "```") {
            let is_document = command.contains("<<") || line.contains("<<");
            match line.strip_suffix('\\') {
                Some(head) if !is_document => command.push_str(head),
                _ if is_document && line != "END" => {
                    command.push_str(line);
                    command.push('\n');
                }
                _ => {
                    command.push_str(line);
                    commands.push(std::mem::take(&mut command));
                }
            }
        }
        assert!(command.is_empty(), "a command has no end: {command}");
    }
    commands.retain(|command| !command.trim().is_empty() && !command.trim().starts_with('#'));
    commands
}

fn run(page: &str) {
    let env = Env::new();
    for command in commands(&read(page)) {
        let output = env.settle(Command::new("sh").arg("-c").arg(&command)).output().unwrap();
        assert!(output.status.success(), "{page}: $ {command}\n{}", env.text(&output));
    }
}

/// One test per page, so that they run side by side and a failure names its page.
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[test]
            fn $name() {
                run($path);
            }
        )*

        const RUN: &[&str] = &[$($path),*];
    };
}

pages! {
    every_command_of_the_readme_works: "README.md",
    configuration_works: "docs/src/configuration.md",
    exit_codes_work: "docs/src/exit-codes.md",
    ingest_works: "docs/src/ingest.md",
    keeping_works: "docs/src/keeping.md",
    notebooks_work: "docs/src/notebooks.md",
    pull_works: "docs/src/pull.md",
    report_pages_work: "docs/src/report-pages.md",
    reports_work: "docs/src/reports.md",
    schedules_work: "docs/src/schedules.md",
    serve_works: "docs/src/serve.md",
    shell_works: "docs/src/shell.md",
    sql_works: "docs/src/sql.md",
    tour_works: "docs/src/tour.md",
}

#[test]
fn every_page_with_commands_is_run() {
    for page in pages() {
        let has_commands = !commands(&read(&page)).is_empty();
        assert_eq!(has_commands, RUN.contains(&page.as_str()), "{page}: name it in `pages!` if it has commands");
    }
    assert!(RUN.iter().all(|page| fs::exists(crate::docs::top().join(page)).unwrap()));
}

#[test]
fn blocks_are_read_line_by_line() {
    let text = "a\n<!-- run -->\n```sh\n# no\none \\\n  two\n\nthree\n```\n```sh\nnot this\n```\n<!-- run -->\n\n```sh\nfour\n\
                cat > x <<'END'\na \\\nb\nEND\nfive\n```\n";
    assert_eq!(commands(text), ["one   two", "three", "four", "cat > x <<'END'\na \\\nb\nEND", "five"]);
}
