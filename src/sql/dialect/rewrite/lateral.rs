//! Names that a `select` defines, used by what follows them: `select count(*) as n, n / 7 as daily`, `where n > 5`.
//!
//! A column of the tables wins over a defined name, and only the planner knows the columns. So it plans first, and
//! where it finds no column of a name, the name is replaced by its expression and it plans again. DuckDB reads the
//! same; PostgreSQL refuses both.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Select, SelectItem, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::super::labels::folded;
use super::own::own;

/// Replaces the name at `place` by the expression that it stands for; returns false when no such name was defined
/// before it.
pub fn lateral<T: VisitMut>(statement: &mut T, place: Location) -> bool {
    statement.visit(&mut Lateral { place }).is_break()
}

struct Lateral {
    place: Location,
}

impl VisitorMut for Lateral {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for at in 0..select.projection.len() {
            let (before, rest) = select.projection.split_at_mut(at);
            if let Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = rest.first_mut()
                && self.is_put(before, expr)
            {
                return ControlFlow::Break(());
            }
        }
        if let Some(condition) = &mut select.selection
            && self.is_put(&select.projection, condition)
        {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl Lateral {
    fn is_put(&self, given: &[SelectItem], expr: &mut Expr) -> bool {
        let put = |expr: &mut Expr| match expr {
            Expr::Identifier(name) if name.span.start == self.place => match meant(given, name) {
                Some(meant) => {
                    *expr = Expr::Nested(Box::new(meant.clone()));
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        };
        own(expr, put).is_break()
    }
}

fn meant<'a>(given: &'a [SelectItem], name: &Ident) -> Option<&'a Expr> {
    given.iter().find_map(|item| match item {
        // Only a name that the user typed counts: one from `labels` has no place in the text.
        SelectItem::ExprWithAlias { expr, alias } if alias.span.start.line > 0 && folded(alias) == folded(name) => {
            Some(expr)
        }
        _ => None,
    })
}
