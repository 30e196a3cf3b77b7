//! Builders of expressions.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, ObjectName, OrderByExpr, OrderByOptions, UnaryOperator, Value,
};

pub fn renamed_function(function: &Function, name: &str) -> Function {
    let mut made = function.clone();
    rename(&mut made, name);
    made
}

pub fn renamed(function: &Function, name: &str) -> Expr {
    Expr::Function(renamed_function(function, name))
}

pub fn with_arguments(function: &Function, name: &str, arguments: Vec<Expr>) -> Expr {
    let mut made = renamed_function(function, name);
    set_arguments(&mut made, arguments.into_iter().map(plain).collect());
    Expr::Function(made)
}

pub fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

pub fn plain(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

pub fn set_arguments(function: &mut Function, arguments: Vec<FunctionArg>) {
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = arguments;
    }
}

pub fn add_filter(function: &mut Function, condition: Expr) {
    function.filter = Some(Box::new(match function.filter.take() {
        Some(old) => and(Expr::Nested(old), Expr::Nested(Box::new(condition))),
        None => condition,
    }));
}

/// Orders the arguments, or the window that the function runs over.
pub fn order_by(function: &mut Function, expr: Expr, is_ascending: bool) {
    let options = OrderByOptions { asc: Some(is_ascending), nulls_first: Some(false) };
    let by = OrderByExpr { expr, options, with_fill: None };
    if let FunctionArguments::List(list) = &mut function.args {
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![by]));
    }
}

pub fn is_not_null(expr: Expr) -> Expr {
    Expr::IsNotNull(Box::new(expr))
}

pub fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}

pub fn minus(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Minus, right: Box::new(right) }
}

pub fn plus(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Plus, right: Box::new(right) }
}

/// Multiplies an interval such as `1 day`.
pub fn times(count: Expr, interval: &str) -> Expr {
    let unit = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(text(interval)),
        data_type: DataType::Interval { fields: None, precision: None },
        array: false,
        format: None,
    };
    Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(count))),
        op: BinaryOperator::Multiply,
        right: Box::new(unit),
    }
}

pub fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

pub fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_string()).into())
}

pub fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_string(), false).into())
}
