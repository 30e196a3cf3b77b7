//! The grammar: DuckDB's, with PostgreSQL's precedence of operators.
//!
//! The parser's own DuckDB dialect binds `->>`, `->` and `
//! ` the wrong way round (`unmapped->>'k' = 'v'` compares first), reads `name -> ...` as a lambda everywhere, and takes
//! everything after `is distinct from` for its right side.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, LambdaFunction,
    LambdaFunctionParameter, LambdaSyntax, ObjectName, OneOrManyWithParens,
};
use datafusion::sql::sqlparser::dialect::{Dialect, DuckDbDialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Functions whose argument may be a lambda; elsewhere `x -> y` is the JSON operator.
pub const TAKE_LAMBDAS: [&str; 16] = [
    "all_match",
    "any_match",
    "apply",
    "array_any_match",
    "array_apply",
    "array_filter",
    "array_first",
    "array_transform",
    "filter",
    "list_any_match",
    "list_apply",
    "list_filter",
    "list_first",
    "list_transform",
    "none_match",
    "transform",
];

/// The dialect of every statement.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditDialect;

const BASE: DuckDbDialect = DuckDbDialect {};
const RANKS: PostgreSqlDialect = PostgreSqlDialect {};

impl Dialect for AuditDialect {
    // The parser checks the type for a few features that have no method.
    fn dialect(&self) -> std::any::TypeId {
        BASE.dialect()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        BASE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        BASE.is_identifier_part(ch)
    }

    fn supports_trailing_commas(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    // `count_if(outcome = 'failure')` compares.
    fn supports_named_fn_args_with_eq_operator(&self) -> bool {
        false
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn supports_dictionary_syntax(&self) -> bool {
        true
    }

    fn support_map_literal_syntax(&self) -> bool {
        true
    }

    // We read lambdas ourselves (`lambda`): the parser would take `unmapped -> 'key'` for one.
    fn supports_lambda_functions(&self) -> bool {
        false
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_explain_with_utility_options(&self) -> bool {
        true
    }

    fn supports_load_extension(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_from_first_select(&self) -> bool {
        true
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_install(&self) -> bool {
        true
    }

    fn supports_detach(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    // `1_000`, `E'a\nb'` and `U&'\00e4'` are read like PostgreSQL's: else each is a value followed by a name.
    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation_with_newline(&self) -> bool {
        true
    }

    // `from t window w as (...)`, `limit 5, 10` and trailing commas are read like DuckDB's; the rest is its own.
    fn prec_value(&self, precedence: Precedence) -> u8 {
        RANKS.prec_value(precedence)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            // A subscript is part of the expression before it.
            Token::LBracket => None,
            _ => RANKS.get_next_precedence(parser),
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        is_lambda(parser).then(|| lambda(parser))
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Word(word) if word.keyword == Keyword::IS => distinct(parser, left, precedence),
            _ => None,
        }
    }
}

/// Parses `a is [not] distinct from b`, whose right side ends before `and`.
fn distinct(parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
    const FROM: [Keyword; 3] = [Keyword::IS, Keyword::DISTINCT, Keyword::FROM];
    const NOT_FROM: [Keyword; 4] = [Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM];
    let is_negated = match (parser.parse_keywords(&FROM), ()) {
        (true, ()) => false,
        _ if parser.parse_keywords(&NOT_FROM) => true,
        _ => return None,
    };
    Some(parser.parse_subexpr(precedence).map(|right| {
        let (left, right) = (Box::new(left.clone()), Box::new(right));
        if is_negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }
    }))
}

/// Builds the call of a function with plain arguments.
pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Returns whether `x -> ...`, `(x, y) -> ...` or `lambda x: ...` follows, as an argument of a function that takes one.
fn is_lambda(parser: &Parser) -> bool {
    let token = |n: usize| &parser.peek_nth_token_ref(n).token;
    let is_shaped = match token(0) {
        Token::Word(word) if word.keyword == Keyword::LAMBDA => matches!(token(1), Token::Word(_)),
        Token::Word(_) => *token(1) == Token::Arrow,
        Token::LParen => {
            let mut at = 1;
            while matches!(token(at), Token::Word(_)) && *token(at + 1) == Token::Comma {
                at += 2;
            }
            matches!(token(at), Token::Word(_)) && *token(at + 1) == Token::RParen && *token(at + 2) == Token::Arrow
        }
        _ => false,
    };
    is_shaped && is_argument_of_one(parser)
}

/// Returns whether the next token begins an argument of one of [`TAKE_LAMBDAS`].
fn is_argument_of_one(parser: &Parser) -> bool {
    // The current token is the last one read; blanks are tokens too.
    let before = (0..=parser.get_current_index()).rev().map(|at| &parser.token_at(at).token);
    let mut before = before.filter(|token| !matches!(token, Token::Whitespace(_)));
    // The first argument is the list itself, which may be a member of a JSON text.
    if !matches!(before.next(), Some(Token::Comma)) {
        return false;
    }
    let mut depth = 0_usize;
    while let Some(token) = before.next() {
        match token {
            Token::RParen | Token::RBracket | Token::RBrace => depth += 1,
            Token::LParen if depth == 0 => {
                return matches!(before.next(), Some(Token::Word(word))
                    if TAKE_LAMBDAS.contains(&word.value.to_lowercase().as_str()));
            }
            Token::LParen | Token::LBracket | Token::LBrace if depth == 0 => return false,
            Token::LParen | Token::LBracket | Token::LBrace => depth -= 1,
            _ => {}
        }
    }
    false
}

fn lambda(parser: &mut Parser) -> Result<Expr, ParserError> {
    let parameter = |name: Ident| LambdaFunctionParameter { name, data_type: None };
    let has_keyword = parser.parse_keyword(Keyword::LAMBDA);
    let mut names = Vec::new();
    let is_many = if has_keyword { false } else { parser.consume_token(&Token::LParen) };
    loop {
        names.push(parameter(parser.parse_identifier()?));
        if !((is_many || has_keyword) && parser.consume_token(&Token::Comma)) {
            break;
        }
    }
    if is_many {
        parser.expect_token(&Token::RParen)?;
    }
    parser.expect_token(if has_keyword { &Token::Colon } else { &Token::Arrow })?;
    let params = match names.len() {
        1 => OneOrManyWithParens::One(names.remove(0)),
        _ => OneOrManyWithParens::Many(names),
    };
    let body = Box::new(parser.parse_expr()?);
    // The engine knows one of the two spellings.
    Ok(Expr::Lambda(LambdaFunction { params, body, syntax: LambdaSyntax::Arrow }))
}

#[cfg(test)]
mod tests {
    use super::*;

    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::super::tokens::respelled;

    fn parsed(text: &str) -> Expr {
        let tokens = Tokenizer::new(&AuditDialect, text).tokenize_with_location().unwrap();
        let mut parser = Parser::new(&AuditDialect).with_tokens_with_locations(respelled(text, tokens).unwrap());
        let expr = parser.parse_expr().unwrap();
        assert_eq!(parser.peek_token_ref().token, Token::EOF, "{text}");
        expr
    }

    fn read(text: &str) -> String {
        shape(&parsed(text))
    }

    /// Returns the expression with every operation in parentheses.
    fn shape(expr: &Expr) -> String {
        match expr {
            Expr::BinaryOp { left, op, right } => format!("({} {op} {})", shape(left), shape(right)),
            Expr::Nested(inner) => shape(inner),
            Expr::IsNull(inner) => format!("({} is null)", shape(inner)),
            Expr::IsNotNull(inner) => format!("({} is not null)", shape(inner)),
            Expr::IsDistinctFrom(left, right) => format!("({} differs {})", shape(left), shape(right)),
            Expr::IsNotDistinctFrom(left, right) => format!("({} same {})", shape(left), shape(right)),
            Expr::UnaryOp { op, expr } => format!("({op} {})", shape(expr)),
            Expr::Like { expr, pattern, .. } => format!("({} like {})", shape(expr), shape(pattern)),
            Expr::InList { expr, list, .. } => {
                format!("({} in {})", shape(expr), list.iter().map(shape).collect::<Vec<_>>().join(","))
            }
            Expr::Between { expr, low, high, .. } => {
                format!("({} between {} and {})", shape(expr), shape(low), shape(high))
            }
            Expr::Lambda(lambda) => format!("[{} => {}]", lambda.params, shape(&lambda.body)),
            other => other.to_string(),
        }
    }

    #[test]
    fn json_operators_bind_as_in_psql() {
        for (text, tree) in [
            ("u->>'k' = 'v'", "((u ->> 'k') = 'v')"),
            ("a = 1 and u->>'k' = 'v' or b", "(((a = 1) AND ((u ->> 'k') = 'v')) OR b)"),
            ("u->'a'->>'b'", "((u -> 'a') ->> 'b')"),
            ("u->>'a' || '/' || (u->>'n')", "(((u ->> 'a') || '/') || (u ->> 'n'))"),
            ("u->>'k' in ('v', 'w')", "((u ->> 'k') in 'v','w')"),
            ("u->>'k' like 'v%'", "((u ->> 'k') like 'v%')"),
            ("u->>'k' is null", "((u ->> 'k') is null)"),
            ("not u->>'k' is not null", "(NOT ((u ->> 'k') is not null))"),
            ("u->>'n' between '1' and '3'", "((u ->> 'n') between '1' and '3')"),
            ("u ? 'k' and x", "((u ? 'k') AND x)"),
            ("'a' || 1 + 2", "('a' || (1 + 2))"),
            ("u->'l'->0", "((u -> 'l') -> 0)"),
            ("t.u->'k'", "(t.u -> 'k')"),
        ] {
            assert_eq!(read(text), tree, "{text}");
        }
    }

    #[test]
    fn distinct_from_ends_before_and() {
        assert_eq!(read("a is distinct from 'x' and b > 1"), "((a differs 'x') AND (b > 1))");
        assert_eq!(read("a is not distinct from b or c"), "((a same b) OR c)");
        assert_eq!(read("not a is distinct from b + 1"), "(NOT (a differs (b + 1)))");
        assert_eq!(read("a is not null and b"), "((a is not null) AND b)");
    }

    #[test]
    fn a_lambda_is_an_argument_of_a_function_that_takes_one() {
        assert_eq!(read("list_filter([1, 2], x -> x > 1 and x < 3)"), "list_filter([1, 2], x -> x > 1 AND x < 3)");
        let argument = |text: &str| match parsed(text) {
            Expr::Function(Function { args: FunctionArguments::List(list), .. }) => match list.args.last().unwrap() {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => shape(expr),
                other => other.to_string(),
            },
            other => other.to_string(),
        };
        assert_eq!(argument("list_filter(l, x -> x > 1 and x < 3)"), "[x => ((x > 1) AND (x < 3))]");
        assert_eq!(argument("list_filter(l, x -> x->>'k' = 'v')"), "[x => ((x ->> 'k') = 'v')]");
        assert_eq!(argument("array_transform( l , (x, y) -> x + y)"), "[(x, y) => (x + y)]");
        assert_eq!(argument("list_transform(l, lambda x: x + 1)"), "[x => (x + 1)]");
        assert_eq!(argument("coalesce(u, u -> 'k')"), "(u -> 'k')");
        assert_eq!(argument("list_filter(u -> 'l')"), "(u -> 'l')");
        assert_eq!(argument("list_transform(l, x -> coalesce(x -> 'k'))"), "[x => coalesce(x -> 'k')]");
    }

    #[test]
    fn powers_are_powers() {
        assert_eq!(read("2 ** 3 * 4"), "((2 ^ 3) * 4)");
        assert_eq!(read("2 ^ 3 + 1"), "((2 ^ 3) + 1)");
        assert_eq!(read("2 * x"), "(2 * x)");
        assert_eq!(read("count(*)"), "count(*)");
    }
}
