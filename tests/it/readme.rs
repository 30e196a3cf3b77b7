//! The commands of the README, as a newcomer types them.

use std::process::Command;

use crate::env::Env;

/// The lines of every `sh` block below a line `<!-- run -->`; a line that ends in `\` goes on.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "<!-- run -->" {
            continue;
        }
        let fence = lines.by_ref().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert_eq!(fence.trim(), "```sh", "`<!-- run -->` stands above a block of shell");
        let mut command = String::new();
        for line in lines.by_ref().take_while(|line| line.trim() != "```") {
            match line.strip_suffix('\\') {
                Some(head) => command.push_str(head),
                None => {
                    command.push_str(line);
                    commands.push(std::mem::take(&mut command));
                }
            }
        }
    }
    commands.retain(|command| !command.trim().is_empty() && !command.trim().starts_with('#'));
    commands
}

#[test]
fn every_command_of_the_readme_works() {
    let Ok(text) = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")) else { return };
    let env = Env::new();
    for command in commands(&text) {
        let output = env.settle(Command::new("sh").arg("-c").arg(&command)).output().unwrap();
        assert!(output.status.success(), "$ {command}\n{}", env.text(&output));
    }
}

#[test]
fn blocks_are_read_line_by_line() {
    let text = "a\n<!-- run -->\n```sh\n# no\none \\\n  two\n\nthree\n```\n```sh\nnot this\n```\n<!-- run -->\n\n```sh\nfour\n```\n";
    assert_eq!(commands(text), ["one   two", "three", "four"]);
}
