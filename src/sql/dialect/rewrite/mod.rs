//! Rewrites what the engine's planner does not read into forms that it reads.
//!
//! ```text
//! from t                               -> from t select *                       shapes
//! order by lower(x), order by all      -> order by 2                            order
//! a.actor.user.uid within a subquery   -> a.actor['user']['uid']                members
//! count_if(x), arg_max(x, y) ...       -> count(*) filter (where x) ...         calls
//! a full join b using (k)              -> on a.k = b.k, coalesce(a.k, b.k)      merged
//! (a, b) in (select x, y from t)      -> exists (...)                           row_in
//! g of generate_series(1, 3) g         -> g.value                               series
//! group by rollup(1, 2)                -> group by rollup(class, outcome)       shapes
//! select count(*) n, n / 7             -> count(*) n, (count(*)) / 7            lateral (once the planner misses `n`)
//! ```

mod aggregates;
mod calls;
mod column;
mod lateral;
mod members;
mod merged;
mod order;
mod own;
mod row_in;
mod series;
mod shapes;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, Select, Statement, VisitMut, VisitorMut};

use super::labels;
use crate::error::{Error, Result};

pub use calls::REWRITTEN;
pub use lateral::lateral;

/// Rewrites a statement; its columns are named after its text `sql`.
pub fn rewrite(sql: &str, statement: &mut Statement) -> Result<()> {
    walk(statement, &mut row_in::RowIn)?;
    walk(statement, &mut shapes::Shapes::default())?;
    walk(statement, &mut Within { depth: 0 })?;
    if let Some(query) = query(statement) {
        labels::outermost(sql, query);
    }
    expressions(statement)
}

/// Rewrites the statement of a view, whose columns keep the names that it gives them.
pub fn rewrite_view(statement: &mut Statement) -> Result<()> {
    walk(statement, &mut row_in::RowIn)?;
    walk(statement, &mut shapes::Shapes::default())?;
    walk(statement, &mut Within { depth: 0 })?;
    expressions(statement)
}

fn expressions(statement: &mut Statement) -> Result<()> {
    walk(statement, &mut order::Order)?;
    walk(statement, &mut members::Members::default())?;
    walk(statement, &mut aggregates::Aggregates)?;
    walk(statement, &mut calls::Calls)?;
    walk(statement, &mut merged::Merged)
}

/// Returns the query of a statement, even of one that is only explained.
fn query(statement: &mut Statement) -> Option<&mut Query> {
    match statement {
        Statement::Query(query) => Some(query),
        Statement::Explain { statement, .. } => query(statement),
        _ => None,
    }
}

fn walk<T: VisitMut, V: VisitorMut<Break = Error>>(tree: &mut T, visitor: &mut V) -> Result<()> {
    match tree.visit(visitor) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Names the columns of queries within the outermost one.
struct Within {
    depth: usize,
}

impl VisitorMut for Within {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if self.depth > 1 {
            labels::within(select);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
