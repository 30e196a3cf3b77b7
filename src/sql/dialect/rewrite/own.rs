//! The expressions of a part of a statement that are its own, and not those of subqueries within it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, VisitMut, VisitorMut};

/// Calls `each` with the own expressions of `tree`, inner ones first, until it breaks.
pub fn own<T: VisitMut>(tree: &mut T, each: impl FnMut(&mut Expr) -> ControlFlow<()>) -> ControlFlow<()> {
    tree.visit(&mut Own { depth: 0, each })
}

struct Own<F> {
    /// Subqueries around what is visited: names within one are its own affair.
    depth: usize,
    each: F,
}

impl<F: FnMut(&mut Expr) -> ControlFlow<()>> VisitorMut for Own<F> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0 { (self.each)(expr) } else { ControlFlow::Continue(()) }
    }
}
