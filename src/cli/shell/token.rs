//! The words of an unfinished statement: enough to see which tables it names, and what is compared with what.

use crate::repl::{KEYWORDS, skip};

/// Returns words, operators and whole strings; comments are left out.
pub fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let is_operator = |c: char| matches!(c, '=' | '<' | '>' | '!');
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let skipped = skip(text, at);
        let length = match (skipped, first) {
            (Some((length, _)), '-' | '/') => {
                at += length;
                continue;
            }
            (Some((length, _)), _) => length,
            (None, c) if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            (None, c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            (None, c) if is_operator(c) => rest.find(|c| !is_operator(c)).unwrap_or(rest.len()),
            (None, c) => c.len_utf8(),
        };
        found.push(&rest[..length]);
        at += length;
    }
    found
}

/// Returns whether a word is one of the known ones, whatever its case.
pub fn is_one_of(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(word))
}

pub fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word.to_lowercase().as_str()).is_ok()
}

/// Returns whether a token can be the path of a column: `actor.user.uid`.
pub fn is_path(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_') && !is_keyword(word)
}

/// Returns the text of a string, without its quotes.
pub fn text(word: &str) -> Option<String> {
    let inner = word.strip_prefix('\'')?.strip_suffix('\'').filter(|_| word.len() > 1)?;
    Some(inner.replace("''", "'"))
}

/// Returns the tables that a statement names, with their aliases in it. `is_table` tells which names are tables.
pub fn named<'a>(words: &[&'a str], is_table: impl Fn(&str) -> bool) -> Vec<(String, Option<&'a str>)> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_place = index > 0 && (is_one_of(words[index - 1], &["from", "join"]) || words[index - 1] == ",");
        let name = word.to_lowercase();
        if !is_place || !is_table(&name) {
            continue;
        }
        let mut rest = &words[index + 1..];
        // `account_state('2026-03-01') a`
        if rest.first() == Some(&"(") {
            let close = rest.iter().position(|word| *word == ")");
            rest = close.map_or(&[][..], |close| &rest[close + 1..]);
        }
        if rest.first().is_some_and(|word| word.eq_ignore_ascii_case("as")) {
            rest = &rest[1..];
        }
        let alias = rest.first().copied().filter(|word| is_path(word) && !word.contains('.'));
        found.push((name, alias));
    }
    found
}

/// Returns the path that the next word is compared with: `a.b = `, `a.b in (1, `.
pub fn compared<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (last, rest) = words.split_last()?;
    let path = |word: Option<&&'a str>| word.copied().filter(|word| is_path(word));
    if matches!(*last, "=" | "==" | "!=" | "<>") {
        return path(rest.last());
    }
    if is_one_of(last, &["like", "ilike"]) {
        let is_not = rest.last().is_some_and(|word| word.eq_ignore_ascii_case("not"));
        return path(rest[..rest.len() - usize::from(is_not)].last());
    }
    // Goes back over the values of a list.
    let is_value = |word: &str| word == "," || word.starts_with('\'') || word.parse::<i64>().is_ok();
    let open = words.iter().rposition(|word| !is_value(word))?;
    let is_list = words[open] == "(" && matches!(*last, "(" | ",");
    let (keyword, before) = words[..open].split_last().filter(|_| is_list)?;
    if !keyword.eq_ignore_ascii_case("in") {
        return None;
    }
    let is_not = before.last().is_some_and(|word| word.eq_ignore_ascii_case("not"));
    path(before[..before.len() - usize::from(is_not)].last())
}

/// Returns every comparison of a path with a string: `outcome = 'Failure'`, `class in ('a', 'b')`.
pub fn comparisons<'a>(words: &[&'a str]) -> Vec<(&'a str, String)> {
    let compared = |at: usize| {
        let value = text(words[at])?;
        let before = &words[..at];
        // Nobody knows what a pattern matches.
        let is_pattern = before.last().is_some_and(|word| is_one_of(word, &["like", "ilike"]));
        let is_denied = before.last().is_some_and(|word| matches!(*word, "!=" | "<>"));
        compared(before).filter(|_| !is_pattern && !is_denied).map(|path| (path, value))
    };
    (0..words.len()).filter_map(compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_whole_and_comments_are_left_out() {
        let words = tokens("select a.b, 'it''s' -- no\nfrom \"T\" /* no */ where x<>'y'");
        assert_eq!(words, ["select", "a.b", ",", "'it''s'", "from", "\"T\"", "where", "x", "<>", "'y'"]);
        assert_eq!(text("'it''s'").as_deref(), Some("it's"));
        assert_eq!(text("'"), None);
    }

    #[test]
    fn tables_are_named_with_their_aliases() {
        let named = |sql| named(&tokens(sql), |name| ["a", "b"].contains(&name));
        assert_eq!(
            named("select 1 from a x join B as y on x.n = y.n"),
            [("a".into(), Some("x")), ("b".into(), Some("y"))]
        );
        assert_eq!(named("from a('2026-03-01') z where"), [("a".to_string(), Some("z"))]);
        assert_eq!(named("select b from c where a"), []);
        assert_eq!(named("from a where"), [("a".to_string(), None)]);
    }

    #[test]
    fn what_is_compared_with_a_text_is_found() {
        let words = tokens("where outcome = 'x' and a.class in ('y', 'z') and not b <> 'n' and c like 'p' and 'q' = d");
        let found: Vec<(&str, String)> = comparisons(&words);
        let expected = [("outcome", "x"), ("a.class", "y"), ("a.class", "z")];
        assert_eq!(found, expected.map(|(path, value)| (path, value.to_string())));
        assert_eq!(compared(&tokens("where a.activity_id not in (1, ")), Some("a.activity_id"));
        assert_eq!(compared(&tokens("where f(1, ")), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_words(text in "[a('\",=.* é\n1-]{0,30}") {
            let words = tokens(&text);
            comparisons(&words);
            named(&words, |_| true);
        }
    }
}
