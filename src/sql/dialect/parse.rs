//! Parses a text into statements.

use std::collections::VecDeque;

use datafusion::common::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Statement as Sql};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::grammar::AuditDialect;
use super::tokens::respelled;
use super::{measure, summary};
use crate::error::{Context, Error, Kind, Result};

/// The stack for parsing and for walking over a tree that nobody has measured yet. Its memory is taken as it is used.
const STACK: usize = 256 << 20;

/// The parser's limit of levels, which is above the limit of parentheses.
const RECURSION: usize = 150;

/// Reads the statements of a text, each of a size that can be planned.
pub fn parse(sql: &str) -> Result<VecDeque<Statement>> {
    deep(|| {
        let statements = read(sql)?;
        // A tree that is too deep is also dropped here, where the stack is deep enough for it.
        statements.iter().try_for_each(measure::check)?;
        Ok(statements)
    })?
}

/// Reads a query of ours: one statement.
pub fn view(sql: &str) -> Result<Sql> {
    let mut statements = parse(sql)?;
    match (statements.pop_front(), statements.pop_front()) {
        (Some(Statement::Statement(statement)), None) => Ok(*statement),
        _ => Err(Error::new(Kind::Internal, "it is not one query")),
    }
}

/// Reads one expression whose text is ours.
pub fn expression(sql: &str) -> Result<Expr> {
    let parser = Parser::new(&AuditDialect).try_with_sql(sql);
    parser
        .and_then(|mut parser| parser.parse_expr())
        .context(Kind::Internal, || format!("cannot make an expression of {sql}"))
}

/// Runs work that may need a deep stack.
fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("parse".to_string()).stack_size(STACK);
        let thread = thread.spawn_scoped(scope, work).context(Kind::Unavailable, || "cannot start a thread")?;
        thread.join().map_err(|_| Error::new(Kind::Internal, "the parser stopped"))
    })
}

fn read(sql: &str) -> Result<VecDeque<Statement>> {
    let tokens = Tokenizer::new(&AuditDialect, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| at(sql, Some(error.location), &error.message))?;
    let (tokens, asks) = summary::taken_off(respelled(sql, tokens)?);
    let wrong = |error| from_parser(sql, error);
    let mut parser = DFParserBuilder::new("").with_dialect(&AuditDialect).build().map_err(wrong)?;
    let inner = Parser::new(&AuditDialect).with_recursion_limit(RECURSION);
    parser.parser = inner.with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(wrong)?;
    if asks {
        statements.iter_mut().for_each(summary::wrap);
    }
    Ok(statements)
}

/// Returns the parser's error with the place where it arose.
fn from_parser(sql: &str, error: DataFusionError) -> Error {
    let text = match error.find_root() {
        DataFusionError::SQL(parser, _) => match parser.as_ref() {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => {
                return Error::input(format!("the statement nests more than {RECURSION} levels deep"))
                    .hint("take parts out of it into a `with`");
            }
        },
        other => other.to_string(),
    };
    let (text, location) = match text.rsplit_once(" at Line: ") {
        Some((text, place)) => (text.to_string(), location(place)),
        None => (text, None),
    };
    let location = location.or_else(|| text.ends_with("found: EOF").then(|| end(sql)));
    let message = match text.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) {
        Some((expected, found)) => match found.trim() {
            "EOF" => format!("the statement ends where {} is expected", named(expected)),
            found => format!("expected {}, found `{found}`", named(expected)),
        },
        None => text,
    };
    let error = at(sql, location, &format!("cannot parse the statement: {message}"));
    match location.and_then(|location| advice(sql, location)) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn named(expected: &str) -> &str {
    match expected.trim() {
        "an expression" | "an expression:" => "an expression",
        "identifier" => "a name",
        other => other,
    }
}

/// Returns the place after the last letter.
fn end(sql: &str) -> Location {
    let text = sql.trim_end();
    let (line, last) = text.split('\n').enumerate().last().unwrap_or((0, ""));
    Location { line: line as u64 + 1, column: last.chars().count() as u64 + 1 }
}

fn location(place: &str) -> Option<Location> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
}

/// Returns what was probably meant at a place: a keyword with letters swapped, here or just before.
fn advice(sql: &str, location: Location) -> Option<String> {
    const KEYWORDS: [&str; 22] = [
        "select",
        "from",
        "where",
        "group",
        "order",
        "having",
        "limit",
        "join",
        "union",
        "with",
        "distinct",
        "between",
        "inner",
        "left",
        "using",
        "values",
        "offset",
        "explain",
        "describe",
        "qualify",
        "intersect",
        "except",
    ];
    let tokens = Tokenizer::new(&AuditDialect, sql).tokenize_with_location().ok()?;
    if let Some(hint) = instead(&tokens, location) {
        return Some(hint.to_string());
    }
    let words = tokens.iter().filter_map(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some((token.span.start, word.value.to_lowercase())),
        _ => None,
    });
    let is_near = |start: &Location| (start.line, start.column) <= (location.line, location.column);
    let near: Vec<String> = words.filter(|(start, _)| is_near(start)).map(|(_, word)| word).collect();
    near.iter().rev().take(2).find_map(|word| {
        if KEYWORDS.contains(&word.as_str()) || word.len() < 4 {
            return None;
        }
        let close = KEYWORDS
            .iter()
            .find(|keyword| keyword.len().abs_diff(word.len()) <= 1 && strsim::damerau_levenshtein(word, keyword) == 1);
        close.map(|keyword| format!("did you mean `{keyword}`?"))
    })
}

/// Returns what to write for an operator of PostgreSQL that ends before or begins at a place.
fn instead(tokens: &[TokenWithSpan], location: Location) -> Option<&'static str> {
    let at = tokens.iter().position(|token| token.span.start == location)?;
    match (&tokens[at].token, at.checked_sub(1).map(|before| &tokens[before].token)) {
        (Token::Overlap, _) => Some("write array_has_any(a, b) to ask whether two lists share a member"),
        (Token::Eq, Some(Token::ShiftLeft | Token::ShiftRight)) => {
            Some("write cidr_match(address, '10.0.0.0/8') to ask whether a network has an address")
        }
        _ => None,
    }
}

/// A position in a text: the line, and the column in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

/// Returns an error with the line it is about, and a caret under the place.
pub fn at(sql: &str, location: Option<Location>, message: &str) -> Error {
    match location.and_then(|location| place(sql, Place { line: location.line, column: location.column })) {
        Some(shown) => Error::input(format!("{message}\n{shown}")),
        None => Error::input(message),
    }
}

/// Returns the line of a place with a caret under it; long lines are cut on both sides.
pub fn place(sql: &str, place: Place) -> Option<String> {
    const WIDTH: usize = 72;
    let line = sql.split('\n').nth(usize::try_from(place.line.checked_sub(1)?).ok()?)?;
    // A tab is one character to the parser, and of any width on the screen.
    let letters: Vec<char> = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let column = usize::try_from(place.column.checked_sub(1)?).ok()?.min(letters.len());
    let begin = if letters.len() <= WIDTH { 0 } else { column.saturating_sub(WIDTH / 2) };
    let end = letters.len().min(begin + WIDTH);
    let head = format!("line {}: {}", place.line, if begin > 0 { "..." } else { "" });
    let text: String = letters[begin..end].iter().collect();
    let tail = if end < letters.len() { "..." } else { "" };
    let blanks = " ".repeat(head.chars().count() + column - begin);
    Some(format!("{head}{text}{tail}\n{blanks}^"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sql: &str) -> String {
        let error = parse(sql).unwrap_err();
        match error.hint_text() {
            Some(hint) => format!("{error}\n{hint}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn a_wrong_statement_is_shown_with_a_caret_under_the_place() {
        assert_eq!(
            said("selct 1"),
            "cannot parse the statement: expected an SQL statement, found `selct`\n\
             line 1: selct 1\n        ^\ndid you mean `select`?"
        );
        for (sql, function) in [("select [1] && [2]", "array_has_any"), ("select a <<= '10.0.0.0/8'", "cidr_match")] {
            assert!(said(sql).contains(function), "{}", said(sql));
        }
        let text = said("select *\nform authentication\nwhere true");
        assert!(text.contains("line 2: form authentication") && text.ends_with("did you mean `from`?"), "{text}");
        let text = said("select (1 + 2");
        assert!(text.contains("the statement ends where") && text.contains("line 1: select (1 + 2"), "{text}");
        assert!(said("select ‘x’").ends_with("text stands in straight single quotes: 'text'"));
        assert!(said("pivot t on x using count(*)").contains("filter (where"));
        assert!(said("select * from t using sample 10").contains("random()"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let sql = format!("{} x", "a ".repeat(100));
        let shown = place(&sql, Place { line: 1, column: 101 }).unwrap();
        let (line, caret) = shown.split_once('\n').unwrap();
        assert!(line.starts_with("line 1: ...") && line.ends_with("...") && line.chars().count() < 90, "{shown}");
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('a'), "{shown}");
    }

    #[test]
    fn advice_on_materializing_is_read_over() {
        for sql in [
            "with a as materialized (select 1) select * from a",
            "with a as not materialized (select 1) select * from a",
            "with a as  MATERIALIZED\n(select 1) select * from a",
        ] {
            assert!(parse(sql).is_ok(), "{sql}");
        }
        // Elsewhere it is an ordinary word.
        assert!(parse("select materialized from t where not materialized").is_ok());
    }
}
