//! The choke point: decides which statements may run at all.
//!
//! Statements are read only and of a size that can be planned. Clauses that the engine would read and drop are refused,
//! and those that it reads differently from what people mean are rewritten (`dialect`).

use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{SetExpr, Statement as Sql};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::super::dialect::{self, AuditDialect, Role};
use super::super::error::{Known, read_only};
use crate::error::{Error, Result};

/// Bytes of one statement.
const MAX_BYTES: usize = 256 * 1024;
/// Operators: each may become a level of recursion.
const MAX_OPERATORS: usize = 2_000;
/// Parentheses within one another.
const MAX_DEPTH: usize = 100;

/// Returns options that allow no DDL, no DML, no `SET`, `PREPARE` or transaction.
pub fn options() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// Admits one statement: small enough to be planned, alone, a query, and in the engine's own terms.
///
/// Anything that is not a query is refused before the engine sees it: its planner would rather complain about column
/// counts.
pub fn admit(sql: &str, known: &Known) -> Result<Statement> {
    check(sql)?;
    let mut statements = dialect::parse(sql)?;
    if let Some(other) = statements.iter().find(|statement| !is_query(statement)) {
        return Err(not_a_query(other));
    }
    let mut statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => statement,
        (Some(_), false) => return Err(Error::input("there are several statements; one at a time can be run")),
        (None, _) => return Err(Error::input("there is no statement")),
    };
    if let Some(inner) = inner(&mut statement) {
        let state = known.context.state();
        let role = |name: &str| match name {
            _ if state.aggregate_functions().contains_key(name) => Role::Other,
            _ if state.window_functions().contains_key(name) => Role::Window,
            _ if state.scalar_functions().contains_key(name) => Role::Scalar,
            _ => Role::Other,
        };
        dialect::check(inner, &role)?;
        dialect::rewrite(sql, inner)?;
    }
    Ok(statement)
}

/// Returns the statement within an `explain`, or the statement itself.
pub fn inner(statement: &mut Statement) -> Option<&mut Sql> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => inner(&mut explain.statement),
        _ => None,
    }
}

/// Returns whether it is a query or the explanation of one, not a question about tables in general.
pub fn is_plain(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(statement.as_ref(), Sql::Query(_) | Sql::Explain { .. }),
        Statement::Explain(explain) => is_plain(&explain.statement),
        _ => false,
    }
}

/// Returns the error for a statement that is not a query: some would write, others set something.
fn not_a_query(statement: &Statement) -> Error {
    let Statement::Statement(sql) = statement else { return read_only() };
    let settings = || Error::input("only queries can be run here");
    match sql.as_ref() {
        Sql::Set(_) | Sql::Reset(_) => settings()
            .hint("times of a zone are written `time at time zone 'Europe/Berlin'`; the shell's `\\pset` sets how results look"),
        Sql::ShowViews { .. } | Sql::ShowSchemas { .. } | Sql::ShowDatabases { .. } => settings().hint("`\\d` lists the tables and views"),
        Sql::Pragma { .. } | Sql::Use(_) | Sql::Call(_) | Sql::Load { .. } => {
            settings().hint("`\\d` lists the tables and views, `\\h` the functions")
        }
        Sql::Prepare { .. } | Sql::Execute { .. } | Sql::Deallocate { .. } => {
            settings().hint("values are put in with :name, and --param name=value")
        }
        _ => read_only(),
    }
}

fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            Sql::Query(query) => !writes(&query.body),
            Sql::ExplainTable { .. }
            | Sql::ShowTables { .. }
            | Sql::ShowColumns { .. }
            | Sql::ShowFunctions { .. }
            | Sql::ShowVariable { .. }
            | Sql::ShowCreate { .. } => true,
            Sql::Explain { statement, .. } => matches!(statement.as_ref(), Sql::Query(query) if !writes(&query.body)),
            _ => false,
        },
        Statement::Explain(explain) => is_query(&explain.statement),
        _ => false,
    }
}

/// Returns whether a body writes: `with x as (...) insert ...` is a query to the parser.
fn writes(body: &SetExpr) -> bool {
    match body {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => true,
        SetExpr::Query(query) => writes(&query.body),
        SetExpr::SetOperation { left, right, .. } => writes(left) || writes(right),
        _ => false,
    }
}

/// Refuses a text that is too large to be planned safely.
pub fn check(sql: &str) -> Result<()> {
    if sql.len() > MAX_BYTES {
        return Err(Error::input(format!("the statement has {} bytes; the limit is {MAX_BYTES}", sql.len())));
    }
    // The parser explains a text that cannot be split into tokens.
    let Ok(tokens) = Tokenizer::new(&AuditDialect, sql).tokenize() else { return Ok(()) };
    let (mut operators, mut depth, mut deepest) = (0_usize, 0_usize, 0_usize);
    for token in &tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Word(word) if word.quote_style.is_none() => {
                let joins = ["AND", "OR", "NOT", "UNION", "INTERSECT", "EXCEPT", "CASE", "JOIN", "DISTINCT"];
                operators += usize::from(joins.iter().any(|name| word.value.eq_ignore_ascii_case(name)));
            }
            Token::Whitespace(_) | Token::Comma | Token::Period | Token::Number(..) | Token::Word(_) => {}
            Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::SemiColon | Token::Placeholder(_) => {}
            _ => operators += 1,
        }
    }
    if operators > MAX_OPERATORS {
        return Err(Error::input(format!("the statement has {operators} operators; the limit is {MAX_OPERATORS}"))
            .hint("use `in (...)` for a long list of values"));
    }
    if deepest > MAX_DEPTH {
        return Err(Error::input(format!("the statement nests {deepest} levels deep; the limit is {MAX_DEPTH}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::Ocsf;
    use datafusion::prelude::SessionContext;

    #[test]
    fn a_chain_of_operators_is_refused_and_a_long_list_is_not() {
        assert!(check(&format!("select {}1", "1+".repeat(10_000))).is_err());
        assert!(check(&format!("select {}1{}", "(".repeat(200), ")".repeat(200))).is_err());
        let list = (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(check(&format!("select 1 where 1 in ({list})")).is_ok());
    }

    #[test]
    fn only_queries_pass() {
        let known = Known {
            ocsf: Arc::new(Ocsf::load(None).unwrap()),
            tables: Vec::new(),
            unknown: Vec::new(),
            sql: String::new(),
            place: None,
            memory_limit: None,
            context: SessionContext::new(),
        };
        for sql in [
            "select 1",
            "with x as (select 1) select * from x",
            "explain select 1",
            "explain analyze select 1",
            "show tables",
            "describe t",
            "values (1)",
        ] {
            assert!(admit(sql, &known).is_ok(), "{sql}");
        }
        for sql in [
            "insert into t values (1)",
            "with x as (select 1) insert into t select * from x",
            "begin",
            "explain copy (select 1) to 'x'",
            "explain analyze copy (select 1) to 'x'",
            "explain insert into t values (1)",
            "set a = 1",
            "prepare p as select 1",
            "execute p",
            "create external table x stored as csv location '/etc/passwd'",
            "select 1; drop table t",
            "select 1; select 2",
            "",
        ] {
            assert!(admit(sql, &known).is_err(), "{sql}");
        }
    }
}
