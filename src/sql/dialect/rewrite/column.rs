//! Columns and the expressions they stand for, and the conditions that are written with them.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Ident};

/// A column of both sides, its expression, and the tables that have it.
pub struct Column {
    pub name: String,
    pub expr: Expr,
    /// The tables; none for a column that only has a second name, which `*` does not include.
    pub tables: Vec<String>,
    /// Whether it may be null in the first of them.
    pub may_miss: bool,
}

pub fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

pub fn qualified(table: &str, column: &str) -> Expr {
    Expr::CompoundIdentifier(vec![quoted(table), quoted(column)])
}

pub fn equal(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Eq, right: Box::new(right) }
}

pub fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}
