//! Members of structs where the engine does not look for them.
//!
//! `resources[1].name` is `resources[1]['name']`, and `r -> r.name` is `r -> r['name']`. In a subquery a path may begin
//! in the query around it, where the engine finds columns and no members: `a.actor.user.uid` becomes
//! `a.actor['user']['uid']`, which is a column and then members.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, LambdaFunction, OneOrManyWithParens, Query, Select, SetExpr, Subscript, Value, VisitorMut,
};

use super::super::labels::{folded, tables};
use crate::error::Error;

#[derive(Default)]
pub struct Members {
    /// The number of queries within one another.
    depth: usize,
    /// The number of `exists`, `in` and scalar subqueries around the visited node.
    subqueries: usize,
    /// Whether each query is within one of them.
    is_within: Vec<bool>,
    /// Names of tables, and the depth at which they are known.
    known: Vec<(usize, Vec<String>)>,
    /// The names of the parameters of each lambda around the visited node.
    parameters: Vec<Vec<String>>,
}

impl VisitorMut for Members {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        // `order by` is not within the `select` that it orders.
        let names = match query.body.as_ref() {
            SetExpr::Select(select) => tables(&select.from),
            _ => Vec::new(),
        };
        self.known.push((self.depth, names));
        self.is_within.push(self.subqueries > 0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        self.is_within.pop();
        self.known.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.known.push((self.depth, tables(&select.from)));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<Error> {
        self.known.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.subqueries += usize::from(is_subquery(expr));
        if let Expr::Lambda(lambda) = expr {
            self.parameters.push(parameters(lambda));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.subqueries -= usize::from(is_subquery(expr));
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } => {
                let is_column = matches!(root.as_ref(), Expr::Identifier(name) if !self.is_parameter(name));
                subscripts(access_chain, is_column);
            }
            Expr::CompoundIdentifier(idents) if idents.first().is_some_and(|first| self.is_parameter(first)) => {
                let access_chain = idents[1..].iter().map(named).collect();
                *expr = Expr::CompoundFieldAccess { root: Box::new(Expr::Identifier(idents[0].clone())), access_chain };
            }
            Expr::Lambda(_) => {
                self.parameters.pop();
            }
            Expr::CompoundIdentifier(idents) if self.is_within.last() == Some(&true) => {
                if let Some(made) = self.outer(idents) {
                    *expr = made;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Members {
    fn is_parameter(&self, name: &Ident) -> bool {
        let name = folded(name);
        self.parameters.iter().flatten().any(|known| *known == name)
    }

    /// Returns a path in a form that is found in the query around as well.
    fn outer(&self, idents: &[Ident]) -> Option<Expr> {
        let first = folded(idents.first()?);
        let level = self.known.iter().rev().find(|(_, names)| names.contains(&first)).map(|(level, _)| *level);
        let columns = match level {
            // A table of this query: the engine finds its members.
            Some(level) if level == self.depth => return None,
            Some(_) => 2,
            None => 1,
        };
        if idents.len() <= columns {
            return None;
        }
        let mut access_chain: Vec<AccessExpr> =
            idents[1..columns].iter().map(|ident| AccessExpr::Dot(Expr::Identifier(ident.clone()))).collect();
        access_chain.extend(idents[columns..].iter().map(named));
        Some(Expr::CompoundFieldAccess { root: Box::new(Expr::Identifier(idents[0].clone())), access_chain })
    }
}

fn parameters(lambda: &LambdaFunction) -> Vec<String> {
    match &lambda.params {
        OneOrManyWithParens::One(one) => vec![folded(&one.name)],
        OneOrManyWithParens::Many(many) => many.iter().map(|parameter| folded(&parameter.name)).collect(),
    }
}

/// Turns dots after the first subscript, and after anything that is not a column, into subscripts.
fn subscripts(chain: &mut [AccessExpr], mut is_column: bool) {
    for access in chain {
        match access {
            AccessExpr::Dot(Expr::Identifier(ident)) if !is_column => *access = named(ident),
            AccessExpr::Dot(_) => {}
            AccessExpr::Subscript(_) => is_column = false,
        }
    }
}

fn named(ident: &Ident) -> AccessExpr {
    let index = Expr::Value(Value::SingleQuotedString(folded(ident)).into());
    AccessExpr::Subscript(Subscript::Index { index })
}

fn is_subquery(expr: &Expr) -> bool {
    match expr {
        Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Subquery(_) => true,
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => matches!(right.as_ref(), Expr::Subquery(_)),
        _ => false,
    }
}
