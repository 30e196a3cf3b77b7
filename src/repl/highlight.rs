//! Colours for typed text. The characters stay as they are: only colours are put between them.

use super::keywords::KEYWORDS;
use super::split::skip;

const KEYWORD: &str = "\x1b[1;34m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[33m";
const COMMENT: &str = "\x1b[2m";
const VARIABLE: &str = "\x1b[35m";
const COMMAND: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

/// Longer lines are not coloured: a line is examined again at every key.
const MAX_BYTES: usize = 16 * 1024;

/// Colours `line`, after the lines of a statement that have `begun`.
pub(super) fn highlight(begun: &str, line: &str) -> String {
    if begun.len() + line.len() > MAX_BYTES {
        return line.to_owned();
    }
    if begun.is_empty() && is_command(line) {
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        return format!("{COMMAND}{}{PLAIN}{}", &line[..end], &line[end..]);
    }
    let text = format!("{begun}{line}");
    let mut out = String::with_capacity(2 * line.len());
    let mut at = 0;
    while at < text.len() {
        let (length, colour) = piece(&text, at);
        // A string may have begun on an earlier line.
        let visible = &text[(at.max(begun.len())).min(at + length)..at + length];
        match colour {
            Some(colour) if !visible.is_empty() => out.extend([colour, visible, PLAIN]),
            _ => out.push_str(visible),
        }
        at += length;
    }
    out
}

fn is_command(line: &str) -> bool {
    let mut characters = line.trim_start().chars();
    match characters.next() {
        Some('\\') => true,
        Some('.') => characters.next().is_some_and(|c| c.is_ascii_alphabetic()),
        _ => false,
    }
}

/// Returns the length of the token at `at`, and its colour.
fn piece(text: &str, at: usize) -> (usize, Option<&'static str>) {
    let rest = &text[at..];
    if let Some((length, _)) = skip(text, at) {
        return match rest.as_bytes()[0] {
            b'-' | b'/' => (length, Some(COMMENT)),
            b'\'' | b'$' => (length, Some(TEXT)),
            _ => (length, None),
        };
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = |from: usize| rest[from..].find(|c| !is_word(c)).map_or(rest.len(), |end| from + end);
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        ':' | '$' if !rest.starts_with("::") && word(1) > 1 => (word(1), Some(VARIABLE)),
        ':' if rest.starts_with("::") => (2, None),
        '\\' => (word(1), Some(COMMAND)),
        c if c.is_ascii_digit() => {
            let end = rest.find(|c: char| !(is_word(c) || c == '.')).unwrap_or(rest.len());
            (end, Some(NUMBER))
        }
        c if is_word(c) => {
            let end = word(0);
            let name = rest[..end].to_ascii_lowercase();
            // `actor.group` and `group.uid` are paths.
            let is_path = text[..at].ends_with('.') || rest[end..].starts_with('.');
            (end, (!is_path && KEYWORDS.binary_search(&name.as_str()).is_ok()).then_some(KEYWORD))
        }
        c => (c.len_utf8(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the line with colours as letters in brackets.
    fn shown(begun: &str, line: &str) -> String {
        let mut text = highlight(begun, line);
        for (colour, name) in
            [(KEYWORD, "k"), (TEXT, "t"), (NUMBER, "n"), (COMMENT, "c"), (VARIABLE, "v"), (COMMAND, "m")]
        {
            text = text.replace(colour, &format!("<{name}:"));
        }
        text.replace(PLAIN, ">")
    }

    #[test]
    fn words_have_the_colour_of_their_kind() {
        assert_eq!(
            shown("", "select group.uid, 'é' from t where n = 1.5 and x = :v::text -- why"),
            "<k:select> group.uid, <t:'é'> <k:from> t <k:where> n = <n:1.5> <k:and> x = <v::v>::text <c:-- why>"
        );
        assert_eq!(shown("", "\\d event"), "<m:\\d> event");
        assert_eq!(shown("", ".5"), ".<n:5>");
        assert_eq!(shown("select 'a\n", "b' , 1"), "<t:b'> , <n:1>");
        assert_eq!(shown("select /* a\n", "b"), "<c:b>");
    }

    proptest::proptest! {
        #[test]
        fn no_character_is_lost(begun in "[a'\"$:\\\\. \n1é-]{0,20}", line in "[a'\"$:\\\\. 1é-]{0,20}") {
            let mut text = highlight(&begun, &line);
            for colour in [KEYWORD, TEXT, NUMBER, COMMENT, VARIABLE, COMMAND, PLAIN] {
                text = text.replace(colour, "");
            }
            proptest::prop_assert_eq!(text, line);
        }
    }
}
