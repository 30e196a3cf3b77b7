//! Measures a statement before anything plans it.
//!
//! The engine plans by recursion and copies: a chain of operators becomes a tower of calls, and every mention of a name
//! from `with` becomes a copy of its query, so that a page of text can mean a million joins. So the parsed tree is
//! measured, each mention counted with everything that it stands for.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Select, SetExpr, Statement as Sql, Visit, Visitor};

use crate::error::{Error, Result};

/// Expressions within one another. Two thousand fit the stack that plans several times that many.
const MAX_DEPTH: usize = 2_000;
/// Set operations within one another, and selects in total.
const MAX_SELECTS: u64 = 2_000;
/// Tables read, each mention of a query counted with the tables within. PostgreSQL begins to guess at a dozen.
const MAX_TABLES: u64 = 400;
/// Expressions, counted in the same way.
const MAX_EXPRESSIONS: u64 = 200_000;
/// Queries that define names for queries that define names: the engine visits each twice at every level.
const MAX_WITHS: usize = 8;

/// The size of a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    selects: u64,
    tables: u64,
    expressions: u64,
}

impl Size {
    fn add(&mut self, other: Size) {
        self.selects = self.selects.saturating_add(other.selects);
        self.tables = self.tables.saturating_add(other.tables);
        self.expressions = self.expressions.saturating_add(other.expressions);
    }
}

/// Refuses a statement that is too large to be planned in reasonable time and memory.
pub fn check(statement: &Statement) -> Result<()> {
    let mut measure = Measure { queries: vec![Scope::default()], ..Measure::default() };
    let broken = match sql(statement) {
        Some(sql) => sql.visit(&mut measure),
        None => ControlFlow::Continue(()),
    };
    if let ControlFlow::Break(error) = broken {
        return Err(error);
    }
    let size = measure.queries.first().map(|scope| scope.size).unwrap_or_default();
    let too = |count: u64, limit: u64, what: &str| {
        Error::input(format!("the statement comes to {count} {what}; the limit is {limit}"))
    };
    if size.tables > MAX_TABLES {
        return Err(too(size.tables, MAX_TABLES, "tables, each mention of a query counted with those within")
            .hint("read fewer tables, or run it in several statements"));
    }
    if size.selects > MAX_SELECTS {
        return Err(
            too(size.selects, MAX_SELECTS, "queries, each mention counted").hint("run it in several statements")
        );
    }
    if size.expressions > MAX_EXPRESSIONS {
        return Err(too(
            size.expressions,
            MAX_EXPRESSIONS,
            "expressions, each mention of a query counted with its own",
        )
        .hint("run it in several statements"));
    }
    Ok(())
}

/// Returns the statement within an `explain`.
fn sql(statement: &Statement) -> Option<&Sql> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => sql(&explain.statement),
        _ => None,
    }
}

/// A query that is being measured, and the names that it defines.
#[derive(Debug, Default)]
struct Scope {
    size: Size,
    names: HashMap<String, Size>,
}

#[derive(Debug, Default)]
struct Measure {
    queries: Vec<Scope>,
    /// Queries that define a name, by their position.
    defining: HashMap<usize, String>,
    depth: usize,
    withs: usize,
}

impl Measure {
    fn too_deep(&self) -> ControlFlow<Error> {
        if self.depth <= MAX_DEPTH {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(
            Error::input(format!("the statement nests more than {MAX_DEPTH} levels deep"))
                .hint("use `in (...)` for a long list of values"),
        )
    }

    fn here(&mut self) -> &mut Size {
        let last = self.queries.len() - 1;
        &mut self.queries[last].size
    }
}

impl Visitor for Measure {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if let Some(with) = &query.with {
            self.withs += 1;
            if self.withs > MAX_WITHS {
                return ControlFlow::Break(
                    Error::input(format!("`with` stands within `with` more than {MAX_WITHS} levels deep"))
                        .hint("define all names in one `with`"),
                );
            }
            for cte in &with.cte_tables {
                self.defining.insert(address(&cte.query), cte.alias.name.value.to_lowercase());
            }
        }
        self.depth += chain(&query.body);
        self.too_deep()?;
        self.queries.push(Scope::default());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        self.depth -= chain(&query.body);
        self.withs -= usize::from(query.with.is_some());
        let scope = self.queries.pop().unwrap_or_default();
        match self.defining.remove(&address(query)) {
            Some(name) => {
                if let Some(around) = self.queries.last_mut() {
                    around.names.insert(name, scope.size);
                }
            }
            None => self.here().add(scope.size),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<Error> {
        self.here().selects += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Error> {
        let name = relation.to_string().to_lowercase();
        let known = self.queries.iter().rev().find_map(|scope| scope.names.get(&name));
        let size = known.copied().unwrap_or(Size { selects: 0, tables: 1, expressions: 1 });
        self.here().add(size);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
        self.depth += 1;
        self.here().expressions += 1;
        self.too_deep()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query) as usize
}

/// Counts set operations within one another, along the side that grows.
fn chain(body: &SetExpr) -> usize {
    let (mut length, mut body) = (0, body);
    while let SetExpr::SetOperation { left, right, .. } = body {
        length += 1;
        body = if matches!(left.as_ref(), SetExpr::SetOperation { .. }) { left } else { right };
    }
    length
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;

    fn refused(sql: &str) -> Option<String> {
        parse(sql).err().map(|error| error.message().to_string())
    }

    #[test]
    fn every_chain_is_counted_whatever_it_is_made_of() {
        for (head, link, tail) in [
            ("select 1", " is null", ""),
            ("select 1", " is not true", ""),
            ("select 1", " notnull", ""),
            ("select 1", " in (1)", ""),
            ("select 1", " between 1 and 2", ""),
            ("select 'a'", " like 'b'", ""),
            ("select x", " at time zone 'utc'", " from t"),
            ("select x", "::int", " from t"),
            ("select x", "->'k'", " from t"),
            ("select x", " ? 'k'", " from t"),
            ("select 1", " + 1", ""),
            ("select 1", " union all select 1", ""),
            ("select 1 from t0", ", t", ""),
            ("select 1 from t0", " join t on true", ""),
        ] {
            let of = |links: usize| format!("{head}{}{tail}", link.repeat(links));
            assert_eq!(refused(&of(50)), None, "{link}");
            for links in [5_000, 12_000] {
                let message = refused(&of(links)).unwrap_or_else(|| panic!("{links} x `{link}` passed"));
                assert!(message.contains("limit") || message.contains("levels"), "{link}: {message}");
            }
        }
    }

    #[test]
    fn a_name_counts_as_what_it_stands_for() {
        let doubled = |levels: usize| {
            let names: Vec<String> =
                (1..=levels).map(|n| format!("a{n} as (select a.x from a{p} a, a{p} b)", p = n - 1)).collect();
            format!("with a0 as (select 1 x from t), {} select count(*) from a{levels}", names.join(", "))
        };
        assert_eq!(refused(&doubled(4)), None);
        let message = refused(&doubled(20)).unwrap();
        assert!(message.contains("1048576 tables"), "{message}");
        // A name means the nearest query of that name, and only where it is visible.
        assert_eq!(
            refused("with a as (select 1 from t) select * from (with a as (select 2) select * from a), a"),
            None
        );
        let chain: Vec<String> = (1..6_000).map(|n| format!("a{n} as (select * from a{})", n - 1)).collect();
        let chain = format!("with a0 as (select 1), {} select * from a5999", chain.join(", "));
        assert!(refused(&chain).unwrap().contains("queries"), "{:?}", refused(&chain));
        let nested = format!("{}select 1{}", "with a as (".repeat(20), ") select * from a".repeat(20));
        assert!(refused(&nested).unwrap().contains("`with`"), "{:?}", refused(&nested));
    }
}
