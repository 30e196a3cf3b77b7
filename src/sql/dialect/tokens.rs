//! Tokens that the parser does not read, or reads differently from what people mean.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Whitespace, Word};

use super::parse::at;
use crate::error::Result;

/// Gives tokens the form in which the parser reads them as they are meant.
pub fn respelled(sql: &str, tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    unknown_shapes(sql, &tokens)?;
    let mut tokens = filters(without_hints(tokens));
    literals(sql, &mut tokens)?;
    operators(&mut tokens);
    Ok(tokens)
}

/// Rewrites numbers and texts: without the escapes, prefixes and underscores that the planner does not know.
fn literals(sql: &str, tokens: &mut [TokenWithSpan]) -> Result<()> {
    for place in 0..tokens.len() {
        let (start, end) = (tokens[place].span.start, tokens[place].span.end);
        let made = match &tokens[place].token {
            Token::Number(digits, long) => {
                let next = tokens.get(place + 1);
                if next.is_some_and(|next| next.span.start == end && matches!(next.token, Token::Word(_))) {
                    // Otherwise `0b11` is a zero that is named b11.
                    return Err(at(sql, Some(start), "a number ends in letters")
                        .hint("write a blank between a number and a name"));
                }
                Token::Number(digits.replace('_', ""), *long)
            }
            Token::HexStringLiteral(digits) if letter(sql, start) == Some('0') => {
                match i64::from_str_radix(&digits.replace('_', ""), 16) {
                    Ok(number) => Token::Number(number.to_string(), false),
                    Err(_) => return Err(at(sql, Some(start), "the number is out of the range of bigint")),
                }
            }
            Token::EscapedStringLiteral(text)
            | Token::UnicodeStringLiteral(text)
            | Token::NationalStringLiteral(text) => Token::SingleQuotedString(text.clone()),
            _ => continue,
        };
        tokens[place].token = made;
    }
    Ok(())
}

fn letter(sql: &str, location: Location) -> Option<char> {
    let line = sql.split('\n').nth(usize::try_from(location.line.checked_sub(1)?).ok()?)?;
    line.chars().nth(usize::try_from(location.column.checked_sub(1)?).ok()?)
}

/// Words after which an expression begins; after any other word one may have ended.
const BEFORE_EXPRESSIONS: [Keyword; 28] = [
    Keyword::ALL,
    Keyword::AND,
    Keyword::ANY,
    Keyword::AS,
    Keyword::BETWEEN,
    Keyword::BY,
    Keyword::CASE,
    Keyword::DISTINCT,
    Keyword::ELSE,
    Keyword::FROM,
    Keyword::HAVING,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::IS,
    Keyword::JOIN,
    Keyword::LIKE,
    Keyword::LIMIT,
    Keyword::NOT,
    Keyword::OFFSET,
    Keyword::ON,
    Keyword::OR,
    Keyword::QUALIFY,
    Keyword::SELECT,
    Keyword::THEN,
    Keyword::USING,
    Keyword::VALUES,
    Keyword::WHEN,
    Keyword::WHERE,
];

/// Gives operators the tokens that the parser expects: `?` after an expression is not a parameter, `**` is `^`.
fn operators(tokens: &mut [TokenWithSpan]) {
    let mut is_behind_expression = false;
    for at in 0..tokens.len() {
        let is_next_mul = tokens.get(at + 1).is_some_and(|next| next.token == Token::Mul);
        let token = &mut tokens[at].token;
        match token {
            Token::Whitespace(_) => continue,
            Token::Placeholder(text) if text == "?" && is_behind_expression => *token = Token::Question,
            Token::Mul if is_next_mul && is_behind_expression => {
                *token = Token::Caret;
                tokens[at + 1].token = Token::Whitespace(Whitespace::Space);
                is_behind_expression = false;
                continue;
            }
            _ => {}
        }
        is_behind_expression = match token {
            Token::Word(word) => word.quote_style.is_some() || !BEFORE_EXPRESSIONS.contains(&word.keyword),
            Token::RParen | Token::RBracket | Token::RBrace | Token::Number(..) | Token::SingleQuotedString(_) => true,
            Token::Placeholder(_) => true,
            _ => false,
        };
    }
}

/// Adds the `where` that the parser expects to `count(*) filter (x > 1)`, which DuckDB accepts without it.
fn filters(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_));
    let mut made: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for (place, token) in tokens.iter().enumerate() {
        let mut before = made.iter().rev().filter(solid);
        let is_filter = token.token == Token::LParen
            && before
                .next()
                .is_some_and(|token| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::FILTER))
            && before.next().is_some_and(|token| token.token == Token::RParen);
        made.push(token.clone());
        let next = tokens[place + 1..].iter().find(solid);
        if is_filter
            && !next.is_some_and(|next| matches!(&next.token, Token::Word(word) if word.keyword == Keyword::WHERE))
        {
            made.push(TokenWithSpan { token: Token::make_keyword("where"), span: token.span });
        }
    }
    made
}

/// Removes `as materialized (` and `as not materialized (`, which change no answer and which the parser reads in one
/// dialect only.
fn without_hints(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is = |token: Option<&&TokenWithSpan>, keyword| matches!(token, Some(TokenWithSpan { token: Token::Word(Word { keyword: found, .. }), .. }) if *found == keyword);
    let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for (place, token) in tokens.iter().enumerate() {
        let mut after = tokens[place..].iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let mut before = kept.iter().rev().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let is_behind_as = is(before.next().as_ref(), Keyword::AS);
        let first = after.next();
        let (second, third) = (after.next(), after.next());
        let opens = |token: Option<&TokenWithSpan>| token.is_some_and(|token| token.token == Token::LParen);
        let is_hint = is_behind_as
            && !matches!(token.token, Token::Whitespace(_))
            && ((is(first.as_ref(), Keyword::MATERIALIZED) && opens(second))
                || (is(first.as_ref(), Keyword::NOT) && is(second.as_ref(), Keyword::MATERIALIZED) && opens(third)));
        if is_hint {
            kept.push(TokenWithSpan { token: Token::Whitespace(Whitespace::Space), span: token.span })
        } else {
            kept.push(token.clone())
        }
    }
    kept
}

/// Kinds of joins of other systems. The parser takes the word for the name of the table before it, and so for a plain join.
const OTHER_JOINS: [&str; 7] = ["all", "any", "array", "global", "lookup", "paste", "positional"];

/// Refuses syntax that DuckDB reads and this parser does not, in words instead of by the unexpected token.
fn unknown_shapes(sql: &str, tokens: &[TokenWithSpan]) -> Result<()> {
    let words: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let word = |at: usize| match words.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_lowercase(),
        _ => String::new(),
    };
    let is = |place: usize, token: &Token| words.get(place).is_some_and(|found| found.token == *token);
    let refuse = |place: usize, message: &str, hint: &str| {
        let location = words.get(place).map(|token| token.span.start);
        Err(at(sql, location, message).hint(hint))
    };
    match word(0).as_str() {
        "pivot" => {
            return refuse(
                0,
                "`pivot` is not a statement here",
                "write select * from TABLE pivot (count(*) for outcome in ('success', 'failure')), \
                 or count(*) filter (where outcome = 'success') as success",
            );
        }
        "unpivot" => {
            return refuse(0, "`unpivot` is not a statement here", "write one select for each column, with union all");
        }
        _ => {}
    }
    for place in 0..words.len() {
        let is_named = place > 0 && word(place - 1) == "as";
        match (word(place).as_str(), word(place + 1).as_str()) {
            ("using", "sample") => {
                return refuse(place, "samples are not taken here", "write order by random() limit 100");
            }
            ("asof", "join") => {
                return refuse(
                    place,
                    "`asof join` is not supported",
                    "join on times, and keep the newest with row_number() over (partition by ... order by time desc)",
                );
            }
            (kind, "join") if OTHER_JOINS.contains(&kind) && !is_named => {
                let message = format!("`{kind} join` is not supported");
                return refuse(place, &message, "join on a condition; a table is named with `as`");
            }
            ("columns", _) if is(place + 1, &Token::LParen) => {
                return refuse(place, "`columns()` is not supported", "name the columns, or write * exclude (...)");
            }
            ("in", _) if is(place + 1, &Token::LBracket) => {
                return refuse(place, "`in` takes values in parentheses", "write x in (1, 2), or contains(list, x)");
            }
            ("glob", _)
                if place > 0
                    && matches!(
                        words.get(place + 1),
                        Some(TokenWithSpan { token: Token::SingleQuotedString(_), .. })
                    ) =>
            {
                return refuse(place, "`glob` is not supported", "write like 'a%', or ~ '^a.*'");
            }
            ("for", _) if is_comprehension(&words, place) => {
                return refuse(
                    place,
                    "a list is not made by `for` here",
                    "write list_transform(list, x -> x + 1), and list_filter(list, x -> x > 1)",
                );
            }
            _ => {}
        }
        if let Some(TokenWithSpan { token: Token::Char(quote @ ('‘' | '’' | '“' | '”')), .. }) = words.get(place)
        {
            let message = format!("{quote} is not a quote of SQL");
            return refuse(place, &message, "text stands in straight single quotes: 'text'");
        }
    }
    Ok(())
}

/// Returns whether the words are `[x + 1 for x in list]`.
fn is_comprehension(words: &[&TokenWithSpan], place: usize) -> bool {
    let mut depth = 0_usize;
    let is_in = words
        .get(place + 2)
        .is_some_and(|token| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::IN));
    for token in words[..place].iter().rev() {
        match token.token {
            Token::RBracket | Token::RParen => depth += 1,
            Token::LBracket if depth == 0 => return is_in,
            Token::LBracket | Token::LParen => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;

    fn said(sql: &str) -> String {
        match parse(sql) {
            Ok(statements) => statements.iter().map(ToString::to_string).collect(),
            Err(error) => format!("error: {}", error.message().lines().next().unwrap_or_default()),
        }
    }

    #[test]
    fn numbers_and_texts_are_read_as_postgres_reads_them() {
        assert_eq!(said("select 1_000, 0x1F, 0xff_ff"), "SELECT 1000, 31, 65535");
        for sql in ["select 0b11", "select 1abc", "select 0o17", "select 0xffffffffffffffffff"] {
            assert!(said(sql).starts_with("error"), "{sql}: {}", said(sql));
        }
        assert_eq!(said(r"select E'a\tb', U&'\00e4', N'x'"), "SELECT 'a\tb', 'ä', 'x'");
        assert_eq!(said("select 'a'\n  'b'"), "SELECT 'ab'");
        // Words that begin with these letters are names.
        assert_eq!(said("select e, u, x from t"), "SELECT e, u, x FROM t");
    }

    #[test]
    fn a_question_mark_behind_any_column_is_an_operator() {
        for sql in ["select unmapped ? 'k'", "select time ? 'k'", "select x::jsonb ? 'k'", "select \"where\" ? 'k'"] {
            assert!(!said(sql).starts_with("error"), "{sql}: {}", said(sql));
        }
    }

    #[test]
    fn a_kind_of_join_is_not_the_name_of_a_table() {
        for kind in ["positional", "any", "global", "asof"] {
            let text = said(&format!("select 1 from a {kind} join b on true"));
            assert_eq!(text, format!("error: `{kind} join` is not supported"));
        }
        assert!(!said("select 1 from a as positional join b on true").starts_with("error"));
        assert!(said("select [x for x in [1, 2]]").contains("`for`"));
        assert!(said("select 1 in [1]").contains("`in`"));
    }
}
