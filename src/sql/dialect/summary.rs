//! `summarize TABLE` and `summarize select ...`: one row for each column, down to the members.
//!
//! The word is removed before parsing; the query after it is put into another whose `from` has a name that nobody
//! types, by which `relations` recognises it when the columns are known.

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Ident, Query, SetExpr, Statement as Sql, TableAlias, TableFactor};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::grammar::AuditDialect;
use super::labels::MARK;

/// Returns the alias of the query that is summarized.
pub fn alias() -> String {
    format!("summarize{MARK}")
}

/// Returns the tokens of the query after `summarize`, if a text begins with it.
pub fn taken_off(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, bool) {
    let is_blank = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_));
    let Some(first) = tokens.iter().position(|token| !is_blank(token)) else { return (tokens, false) };
    let asks = matches!(&tokens[first].token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("summarize"));
    if !asks {
        return (tokens, false);
    }
    let span = tokens[first].span;
    let mut rest: Vec<TokenWithSpan> = tokens[first + 1..].to_vec();
    let is_query = rest.iter().find(|token| !is_blank(token)).is_some_and(|token| match &token.token {
        Token::LParen => true,
        Token::Word(Word { keyword, .. }) => {
            matches!(keyword, Keyword::SELECT | Keyword::WITH | Keyword::FROM | Keyword::VALUES)
        }
        _ => false,
    });
    if !is_query {
        let word = |text: &str| TokenWithSpan { token: Token::make_keyword(text), span };
        rest.splice(0..0, [word("SELECT"), TokenWithSpan { token: Token::Mul, span }, word("FROM")]);
    }
    (rest, true)
}

/// Puts the query into one that asks for its summary.
pub fn wrap(statement: &mut Statement) {
    let Statement::Statement(sql) = statement else { return };
    let Sql::Query(query) = sql.as_mut() else { return };
    if let Some(mut around) = template() {
        std::mem::swap(query, &mut around);
        // `around` is now the query that the user asked about.
        if let Some(place) = subquery(query) {
            *place = around;
        }
    }
}

fn template() -> Option<Box<Query>> {
    let text = format!("select * from (select 1) as \"{}\"", alias());
    match Parser::parse_sql(&AuditDialect, &text).ok()?.pop()? {
        Sql::Query(query) => Some(query),
        _ => None,
    }
}

fn subquery(query: &mut Query) -> Option<&mut Box<Query>> {
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    match &mut select.from.first_mut()?.relation {
        TableFactor::Derived { subquery, .. } => Some(subquery),
        _ => None,
    }
}

/// Returns whether a table factor is a query to summarize.
pub fn is_asked(alias_of: Option<&TableAlias>) -> bool {
    alias_of.is_some_and(|alias_of| matches!(&alias_of.name, Ident { value, .. } if *value == alias()))
}
