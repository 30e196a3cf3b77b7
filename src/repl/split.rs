//! Splits text into statements and shell commands.
//!
//! A statement ends at a `;` (or `\g`, `\gx`, `\G`) that is not inside a string, a quoted name, a dollar-quoted text
//! or a comment. A shell command is a line of its own that begins with `\`, with `.` and a letter, or with a command's
//! plain name, such as `quit`.

use super::commands::{find, is_go};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unit<'a> {
    /// SQL without its end.
    Statement(&'a str, End<'a>),
    /// A line for the shell.
    Command(&'a str),
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End<'a> {
    Semicolon,
    /// `\g [file]`, `\gx [file]`, `\G`, `\gset`, `\watch`: the whole rest of the line.
    Go(&'a str),
    /// The text ended between two words.
    Open,
    /// The text ended inside a string, a quoted name or a comment.
    Quoted,
    /// Another shell command began on a line of its own.
    Command,
}

/// Returns the statements of `text`, which holds no shell commands; pieces without any word are left out.
pub fn split_statements(text: &str) -> Vec<String> {
    let statement = |unit| match unit {
        Unit::Statement(sql, _) => Some(sql.to_owned()),
        Unit::Command(_) => None,
    };
    Units { text, at: 0, first: 0, has_commands: false }.filter_map(statement).collect()
}

/// Returns the statements and commands of `text`.
pub(super) fn units(text: &str) -> Units<'_> {
    Units { text, at: 0, first: 0, has_commands: true }
}

pub(super) struct Units<'a> {
    text: &'a str,
    at: usize,
    /// The place of the first word of the latest unit.
    first: usize,
    has_commands: bool,
}

impl<'a> Iterator for Units<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        loop {
            let rest = &self.text[self.at..];
            self.at += rest.len() - rest.trim_start().len();
            let rest = &self.text[self.at..];
            if rest.is_empty() {
                return None;
            }
            if self.has_commands && is_command(rest, self.is_line_start(self.at)) {
                let line = line(rest);
                self.first = self.at;
                self.at += line.len();
                return Some(Unit::Command(line.trim_end()));
            }
            if let Some(unit) = self.statement() {
                return Some(unit);
            }
        }
    }
}

impl<'a> Units<'a> {
    /// Returns the line, counted from one, on which the latest unit begins; comments before it do not count.
    pub(super) fn line(&self) -> usize {
        self.text[..self.first].matches('\n').count() + 1
    }

    /// Reads up to the end of a statement; `None` when there was no word before it.
    fn statement(&mut self) -> Option<Unit<'a>> {
        let (text, start) = (self.text, self.at);
        let mut at = start;
        let mut has_words = false;
        while let Some(c) = text[at..].chars().next() {
            let (step, is_closed) = match skip(text, at) {
                Some(skipped) => skipped,
                None => (c.len_utf8(), true),
            };
            if !is_closed {
                if !has_words {
                    self.first = at;
                }
                self.at = text.len();
                return Some(Unit::Statement(text[start..].trim_end(), End::Quoted));
            }
            if c == ';' {
                self.at = at + 1;
                return has_words.then(|| Unit::Statement(text[start..at].trim_end(), End::Semicolon));
            }
            if c == '\\' && self.has_commands {
                let line = line(&text[at..]);
                if ends_statement(line) {
                    self.at = at + line.len();
                    // Without words it means the previous statement, which the shell remembers.
                    let end = line.trim_end();
                    if !has_words {
                        self.first = at;
                    }
                    return Some(if has_words {
                        Unit::Statement(text[start..at].trim_end(), End::Go(end))
                    } else {
                        Unit::Command(end)
                    });
                }
                if self.is_line_start(at) {
                    self.at = at;
                    return has_words.then(|| Unit::Statement(text[start..at].trim_end(), End::Command));
                }
            }
            let is_comment = step > 1 && matches!(c, '-' | '/');
            if !has_words && !c.is_whitespace() && !is_comment {
                has_words = true;
                self.first = at;
            }
            at += step;
            // A comment or blanks before a command are not the beginning of a statement.
            if !has_words && self.has_commands && is_command(&text[at..], self.is_line_start(at)) {
                self.at = at;
                return None;
            }
        }
        self.at = text.len();
        has_words.then(|| Unit::Statement(text[start..].trim_end(), End::Open))
    }

    fn is_line_start(&self, at: usize) -> bool {
        let before = &self.text[..at];
        before[before.rfind('\n').map_or(0, |newline| newline + 1)..].trim().is_empty()
    }
}

/// Returns whether `rest`, where no statement has begun, is a line for the shell.
fn is_command(rest: &str, is_line_start: bool) -> bool {
    let mut characters = rest.chars();
    match characters.next() {
        Some('\\') => true,
        Some('.') => is_line_start && characters.next().is_some_and(|c| c.is_ascii_alphabetic()),
        // `quit`, `exit 3`, `help`, `?`, `clear`: no statement begins like one of them.
        Some(_) if is_line_start => {
            let word = line(rest).split_whitespace().next().unwrap_or_default().trim_end_matches(';');
            !word.is_empty() && find(word).is_some()
        }
        _ => false,
    }
}

/// Returns whether a backslash command runs the statement before it.
fn ends_statement(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default().trim_end_matches(';');
    is_go(word)
}

fn line(text: &str) -> &str {
    &text[..text.find('\n').unwrap_or(text.len())]
}

/// Returns the length of the string, quoted name, dollar quote or comment at `at`, and whether it is closed.
pub fn skip(text: &str, at: usize) -> Option<(usize, bool)> {
    let rest = &text[at..];
    let found = |end: Option<usize>| Some((end.unwrap_or(rest.len()), end.is_some()));
    match rest.as_bytes()[0] {
        b'\'' => found(quoted(rest, '\'', has_escapes(&text[..at]))),
        b'"' => found(quoted(rest, '"', false)),
        b'`' => found(quoted(rest, '`', false)),
        b'-' if rest.starts_with("--") => Some((line(rest).len(), true)),
        b'/' if rest.starts_with("/*") => found(block_comment(rest)),
        // `$from` and `$1` are parameters; after a letter `$` belongs to a name.
        b'$' if !ends_in_word(&text[..at]) => {
            let name = rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_'))? + 1;
            if rest.as_bytes()[name] != b'$' || rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            let tag = &rest[..=name];
            found(rest[tag.len()..].find(tag).map(|end| end + 2 * tag.len()))
        }
        _ => None,
    }
}

/// Returns where the text that `quote` opens ends; a doubled quote stands for itself.
fn quoted(rest: &str, quote: char, has_escapes: bool) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && has_escapes {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// Returns whether a backslash escapes, which it does only after a lone E: `E'it\'s'`.
fn has_escapes(before: &str) -> bool {
    before.strip_suffix(['e', 'E']).is_some_and(|before| !ends_in_word(before))
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
}

/// Returns the length of a block comment; comments nest, as in the SQL standard.
fn block_comment(rest: &str) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    loop {
        let next = at + rest[at..].find(['/', '*'])?;
        at = next + 1;
        if rest[next..].starts_with("/*") {
            (depth, at) = (depth + 1, next + 2);
        } else if rest[next..].starts_with("*/") {
            (depth, at) = (depth - 1, next + 2);
            if depth == 0 {
                return Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_that_end_nothing() {
        for whole in [
            "select ';'",
            "select 'it''s;'",
            r"select E'it\';s'",
            r#"select ";" as "a"";b""#,
            "select `a;b`",
            "select $$a;b$$",
            "select $t$ ; $$ ; $t$",
            "select 1 -- a;b",
            "select /* a; /* b; */ c; */ 1",
        ] {
            assert_eq!(split_statements(&format!("{whole}\n;select 2")), [whole, "select 2"], "{whole}");
        }
    }

    #[test]
    fn semicolons_that_end() {
        let cases = [
            (r"select 'C:\'; select 2", vec![r"select 'C:\'", "select 2"]),
            ("select $1;select $from", vec!["select $1", "select $from"]),
            ("select a$b$ from t; select c$b$", vec!["select a$b$ from t", "select c$b$"]),
            ("select 1-1; select 2/2", vec!["select 1-1", "select 2/2"]),
            (";; -- nothing\n; /* nothing */ ;", vec![]),
            ("-- who\nselect 1;\n\n", vec!["-- who\nselect 1"]),
            ("select 'é';select '😀'", vec!["select 'é'", "select '😀'"]),
            ("select $", vec!["select $"]),
            ("select \\ ; .5", vec!["select \\", ".5"]),
        ];
        for (text, statements) in cases {
            assert_eq!(split_statements(text), statements, "{text}");
        }
    }

    #[test]
    fn commands_stand_on_their_own_lines() {
        use Unit::*;
        let text = "-- rc\n\\timing on\nselect 1\n  \\gx out.csv\n.mode csv\nselect\n.5;\nquit;\nselect a from exit";
        let expected = [
            Command("\\timing on"),
            Statement("select 1", End::Go("\\gx out.csv")),
            Command(".mode csv"),
            Statement("select\n.5", End::Semicolon),
            Command("quit;"),
            Statement("select a from exit", End::Open),
        ];
        assert_eq!(units(text).collect::<Vec<_>>(), expected);
        assert_eq!(
            units("select 1 \\G\n\\g").collect::<Vec<_>>(),
            [Statement("select 1", End::Go("\\G")), Command("\\g")]
        );
        assert_eq!(units("select 1\n\\x\n").collect::<Vec<_>>(), [Statement("select 1", End::Command), Command("\\x")]);
    }

    #[test]
    fn plain_names_of_commands_are_commands() {
        use Unit::*;
        let text = "exit 3\n?\nclear\nhelp timing\nselect\nexit;\nhelpful";
        let expected = [
            Command("exit 3"),
            Command("?"),
            Command("clear"),
            Command("help timing"),
            Statement("select\nexit", End::Semicolon),
            Statement("helpful", End::Open),
        ];
        assert_eq!(units(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_unit_knows_its_line() {
        let mut units = units("-- head\n\nselect 1;\n\\x\n/* a\nb */ select\n2;\n\\g\n");
        let mut lines = Vec::new();
        while units.next().is_some() {
            lines.push(units.line());
        }
        assert_eq!(lines, [3, 4, 6, 8]);
    }

    #[test]
    fn open_text_is_told_from_quoted() {
        let end = |text| match units(text).last() {
            Some(Unit::Statement(_, end)) => end,
            other => panic!("{other:?}"),
        };
        assert_eq!(end("select 1"), End::Open);
        for text in ["select 'a;", "select \"a;\n\\q", "select /* ;", "select $$ ;", "select 1; /* ;"] {
            assert_eq!(end(text), End::Quoted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_split_without_loss(text in "[a'\"$;\\\\.\n /*gé-]{0,40}") {
            let pieces: usize = units(&text).map(|unit| match unit {
                Unit::Statement(sql, _) => sql.len(),
                Unit::Command(line) => line.len(),
            }).sum();
            proptest::prop_assert!(pieces <= text.len());
            for statement in split_statements(&text) {
                proptest::prop_assert!(text.contains(&statement));
            }
        }
    }
}
