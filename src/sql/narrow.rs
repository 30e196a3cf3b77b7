//! A smaller view `event` for statements that say which columns they mean.
//!
//! The view has twenty columns over six classes; planning them all takes longer than most statements run, and nearly
//! all are thrown away at the end. So a statement without `*` gets the view with only those columns whose names stand
//! somewhere in its text. That may be too many, which costs a little; it cannot be too few unless the statement is wrong.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, Query, Select, SelectFlavor, SelectItem, Statement as Sql, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::conventions::replace;
use super::guard;
use super::views::EVENT;

/// A statement that reads `table`, which is the view with the columns among `words`.
pub struct Narrow {
    pub statement: Statement,
    pub table: String,
    columns: Vec<&'static str>,
}

impl Narrow {
    /// `None` for a statement that does not read the view, or may mean columns that it does not name.
    pub fn new(sql: &str, statement: &Statement, all: Vec<&'static str>) -> Option<Narrow> {
        let words = words(sql)?;
        if !words.contains(EVENT) || !guard::is_plain(statement) {
            return None;
        }
        let mut statement = statement.clone();
        let inner: &mut Sql = guard::inner(&mut statement)?;
        if inner.visit(&mut Unnamed).is_break() {
            return None;
        }
        let columns: Vec<&'static str> = all.into_iter().filter(|column| words.contains(*column)).collect();
        let table = format!("{EVENT}@{}", columns.join(","));
        let mut is_named = false;
        let replaced = replace(inner, &mut |name, arguments| {
            let is_it = name == EVENT && arguments.is_none();
            is_named |= is_it;
            Ok(is_it.then(|| table.clone()))
        });
        (replaced.is_ok() && is_named).then_some(Narrow { statement, table, columns })
    }

    pub fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }
}

/// All words of a text in lower case.
fn words(sql: &str) -> Option<BTreeSet<String>> {
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize().ok()?;
    let words = tokens.into_iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.value.to_lowercase()),
        _ => None,
    });
    Some(words.collect())
}

/// Breaks at whatever takes columns without naming them, and at another thing of the view's name.
struct Unnamed;

impl Visitor for Unnamed {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut tables = query.with.iter().flat_map(|with| &with.cte_tables);
        match tables.any(|table| table.alias.name.value.eq_ignore_ascii_case(EVENT)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let is_wild = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        let mut joins = select.from.iter().flat_map(|from| &from.joins);
        let is_natural = joins.any(|join| constraint(&join.join_operator) == Some(&JoinConstraint::Natural));
        let is_unsaid = select.flavor != SelectFlavor::Standard || is_natural || select.projection.iter().any(is_wild);
        if is_unsaid { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn constraint(join: &JoinOperator) -> Option<&JoinConstraint> {
    match join {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}
