//! Hints in the language of the shell: a user at its prompt has no flags to pass, but commands to type.

use std::sync::LazyLock;

use regex::Regex;

/// Hints of the command line, and their wording in the shell.
static SPOKEN: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        (r"(?:pass )?`?--param (\S+?)=([^\s,`;]+)`?", "`.parameter set $1 $2`"),
        (r"`?(?:--output|-o) (\S+?)`", "`\\g $1`"),
        (r"`auditlake sql`", "the shell"),
        (r"`auditlake (\w[^`]*)`", "`.$1`"),
        (
            r"name the folder with its class file: --schemas DIR",
            "start the shell with `--schemas DIR`, the folder with its class file",
        ),
        (r"narrow it with `--since` and `--until`", "narrow it by `time`, as in `where time >= ago('7d')`"),
        (
            r"(?:or )?(raise|give it more time with) `(--memory-limit|--timeout)`",
            "or start the shell with a larger `$2`",
        ),
    ];
    let compiled = patterns.into_iter().filter_map(|(pattern, spoken)| Some((Regex::new(pattern).ok()?, spoken)));
    compiled.collect()
});

/// Rewrites a hint in the shell's words.
pub fn spoken(hint: &str) -> String {
    let mut text = hint.to_string();
    for (pattern, spoken) in SPOKEN.iter() {
        text = pattern.replace_all(&text, *spoken).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_what_can_be_typed_at_the_prompt() {
        assert_eq!(SPOKEN.len(), 7, "a pattern does not compile");
        for (hint, said) in [
            ("pass --param day=value", "`.parameter set day value`"),
            (
                "write --param name=text, or --param name:int=5",
                "write `.parameter set name text`, or `.parameter set name:int 5`",
            ),
            (
                "write results to a file with `-o FILE`; `auditlake ingest` adds events",
                "write results to a file with `\\g FILE`; `.ingest` adds events",
            ),
            ("`\\d` lists the tables", "`\\d` lists the tables"),
        ] {
            assert_eq!(spoken(hint), said);
        }
    }

    /// Hints of a statement must not send a user at the prompt to the command line.
    #[test]
    fn no_hint_of_a_statement_names_a_flag_in_the_shell() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
        let mut files = vec![folder];
        let mut seen = 0;
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for hint in text.split(".hint(").skip(1) {
                let hint = hint.split('"').nth(1).unwrap_or_default();
                // `-- ` begins a comment of SQL.
                let hint = hint.replace("-- ", "");
                if hint.contains("--") || hint.contains("-o ") {
                    seen += 1;
                    let said = spoken(&hint.replace("{name}", "name").replace("{text}", "text"));
                    let is_start = said.contains("start the shell with");
                    assert!(is_start || !said.contains("--") && !said.contains("-o "), "{}: {said}", path.display());
                }
            }
        }
        assert!(seen > 3, "the hints were not found");
    }
}
