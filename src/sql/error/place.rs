//! Where in a statement a name stands.

use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::Known;
use crate::error::Error;
use crate::sql::dialect::{AuditDialect, Place, place};

impl Known {
    /// An error about a name, with the line in which it stands and a caret under it.
    pub fn at(&self, name: &str, message: &str) -> Error {
        match self.find(name).and_then(|found| place(&self.sql, found)) {
            Some(shown) => Error::input(format!("{message}\n{shown}")),
            None => Error::input(message),
        }
    }

    /// Where a name, a path or a text stands: where the engine says that it does, else where it stands first.
    fn find(&self, name: &str) -> Option<Place> {
        let words: Vec<String> = name.split('.').map(str::to_lowercase).collect();
        let tokens = Tokenizer::new(&AuditDialect, &self.sql).tokenize_with_location().ok()?;
        if let Some(place) = self.place {
            let told = tokens.iter().find(|token| {
                let start = token.span.start;
                (start.line, start.column) == (place.line, place.column)
            });
            // The engine's place may be that of what a rewrite made of a name.
            if told.is_some_and(
                |told| matches!(&told.token, Token::Word(word) if words.contains(&word.value.to_lowercase())),
            ) {
                return Some(place);
            }
        }
        let is = |token: &Token, word: &str| match token {
            Token::Word(found) => found.value.to_lowercase() == word,
            Token::SingleQuotedString(found) => found.to_lowercase() == word,
            _ => false,
        };
        let starts = |at: usize, words: &[String]| {
            words.iter().enumerate().all(|(step, word)| {
                let here = tokens.get(at + 2 * step).is_some_and(|token| is(&token.token, word));
                let dot = step == 0 || tokens.get(at + 2 * step - 1).is_some_and(|token| token.token == Token::Period);
                here && dot
            })
        };
        let neighbour = |at: usize, step: isize| {
            let mut at = at as isize + step;
            while let Some(token) = usize::try_from(at).ok().and_then(|at| tokens.get(at)) {
                if !matches!(token.token, Token::Whitespace(_)) {
                    return Some(&token.token);
                }
                at += step;
            }
            None
        };
        // A name that stands alone rather than as a member, a function or a name that is given.
        let oddness = |at: &usize| {
            let (before, behind) = (neighbour(*at, -1), neighbour(*at, 1));
            let is_given = matches!(before, Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("as"));
            usize::from(before == Some(&Token::Period))
                + usize::from(behind == Some(&Token::LParen))
                + usize::from(is_given)
        };
        let first = |words: &[String]| (0..tokens.len()).filter(|at| starts(*at, words)).min_by_key(oddness);
        // The engine names a table that the statement did not, or says a path by its last word alone.
        let last = words.last().filter(|_| words.len() > 1).map(|last| vec![last.clone()]);
        let at = first(&words).or_else(|| last.and_then(|last| first(&last)))?;
        let start = tokens.get(at)?.span.start;
        Some(Place { line: start.line, column: start.column })
    }

    /// The path that stands before a text in a comparison: `severity_id` in `severity_id = 'high'`.
    pub fn compared_with(&self, text: &str) -> Option<String> {
        let tokens = Tokenizer::new(&AuditDialect, &self.sql).tokenize().ok()?;
        let tokens: Vec<Token> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
        let at = tokens.iter().position(|token| matches!(token, Token::SingleQuotedString(found) if found == text))?;
        let mut before = tokens[..at].iter().rev().skip_while(|token| {
            matches!(token, Token::LParen | Token::Comma | Token::SingleQuotedString(_) | Token::Eq | Token::Neq | Token::Lt)
                || matches!(token, Token::LtEq | Token::Gt | Token::GtEq)
                || matches!(token, Token::Word(word) if ["in", "not", "between", "and", "is", "distinct", "from"].contains(&word.value.to_lowercase().as_str()))
        });
        let mut path = Vec::new();
        while let Some(Token::Word(word)) = before.next() {
            path.push(word.value.to_lowercase());
            if !matches!(before.next(), Some(Token::Period)) {
                break;
            }
        }
        path.reverse();
        // Behind `select` or `cast(` nothing is compared.
        let is_name = path.len() > 1 || path.first().is_some_and(|word| !is_keyword(word));
        (!path.is_empty() && is_name).then(|| path.join("."))
    }

    /// Whether the statement gives the name to a column.
    pub fn is_given(&self, name: &str) -> bool {
        let words: Vec<String> = self.sql.to_lowercase().split_whitespace().map(str::to_string).collect();
        words.windows(2).any(|pair| pair[0] == "as" && pair[1].trim_end_matches([',', ')', ';']) == name.to_lowercase())
    }

    /// Whether the statement has the name in double quotes.
    pub fn is_quoted(&self, name: &str) -> bool {
        self.sql.contains(&format!("\"{name}\""))
    }
}

/// Words that stand before a text and are no columns.
fn is_keyword(word: &str) -> bool {
    let keywords =
        ["select", "where", "on", "having", "when", "then", "else", "case", "or", "cast", "try_cast", "by", "distinct"];
    keywords.contains(&word)
}
