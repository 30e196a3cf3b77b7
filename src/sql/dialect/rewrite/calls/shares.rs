//! Quantiles, the first of several rows, and paths into JSON text.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, LimitClause,
    OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, Value, ValueWithSpan,
};

use super::super::super::grammar::call;
use super::build::{add_filter, cast, is_not_null, number, order_by, plain, renamed_function, set_arguments, text};
use crate::error::{Error, Result};

/// Returns one result, or a list of results for a list of shares.
pub fn each(share: &Expr, one: impl Fn(&Expr) -> Expr) -> Expr {
    match share {
        Expr::Array(array) => call("make_array", array.elem.iter().map(one).collect()),
        share => one(share),
    }
}

/// Sorts the values, and takes the one at the share of their number.
pub fn discrete(function: &Function, value: &Expr, share: &Expr, is_ascending: bool) -> Expr {
    let mut values = renamed_function(function, "array_agg");
    values.within_group.clear();
    set_arguments(&mut values, vec![plain(value.clone())]);
    add_filter(&mut values, is_not_null(value.clone()));
    order_by(&mut values, value.clone(), is_ascending);
    let mut count = renamed_function(function, "count");
    count.within_group.clear();
    set_arguments(&mut count, vec![plain(value.clone())]);
    let product = Expr::BinaryOp {
        left: Box::new(cast(Expr::Nested(Box::new(share.clone())), DataType::DoublePrecision)),
        op: BinaryOperator::Multiply,
        right: Box::new(Expr::Function(count)),
    };
    let at = cast(call("ceil", vec![product]), DataType::BigInt(None));
    let index = call("greatest", vec![number("1"), at]);
    // A subscript would become an aggregate that takes constants only.
    call("array_element", vec![Expr::Function(values), index])
}

/// Rewrites `(select x from t order by y limit 1)` as `(select first_value(x order by y) from t)`, which the engine
/// turns into a join even where it names columns of the query around it.
pub fn first_of(query: &mut Query) {
    let Query { with: None, body, order_by: Some(order_by), limit_clause: Some(limit), .. } = query else { return };
    let LimitClause::LimitOffset { limit: Some(Expr::Value(one)), offset: None, .. } = limit else { return };
    let OrderByKind::Expressions(order) = &order_by.kind else { return };
    let (SetExpr::Select(select), Value::Number(digits, _)) = (body.as_mut(), &one.value) else { return };
    let is_plain = select.distinct.is_none() && select.having.is_none() && select.qualify.is_none();
    let is_ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    if digits != "1" || !is_plain || !is_ungrouped {
        return;
    }
    let (value, name) = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(value)] => (value.clone(), None),
        [SelectItem::ExprWithAlias { expr, alias }] => (expr.clone(), Some(alias.clone())),
        _ => return,
    };
    let order = order.iter().map(|by| {
        let is_value = match &by.expr {
            Expr::Value(ValueWithSpan { value: Value::Number(place, _), .. }) => place == "1",
            Expr::Identifier(ident) => Some(ident) == name.as_ref(),
            _ => false,
        };
        OrderByExpr { expr: if is_value { value.clone() } else { by.expr.clone() }, ..by.clone() }
    });
    let order: Vec<OrderByExpr> = order.collect();
    let mut first = call("first_value", vec![value]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut first {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    select.projection = vec![match name {
        Some(alias) => SelectItem::ExprWithAlias { expr: first, alias },
        None => SelectItem::UnnamedExpr(first),
    }];
    query.order_by = None;
    query.limit_clause = None;
}

/// Returns the arguments of a JSON function, from a path such as `$.a.b[0]`.
pub fn steps(name: &str, json: &Expr, path: &Expr) -> Result<Vec<Expr>> {
    let wrong = || {
        Error::input(format!("`{name}` takes a path as text, such as '$.trace.id'"))
            .hint("a computed key stands behind ->>: unmapped->>key")
    };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(path), .. }) = path else { return Err(wrong()) };
    let mut arguments = vec![json.clone()];
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    if !path.starts_with('$') {
        // DuckDB and psql allow a key alone.
        arguments.push(text(path));
        return Ok(arguments);
    }
    while !rest.is_empty() {
        let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']').ok_or_else(wrong)?;
            let index = index.trim();
            match index.strip_prefix(['\'', '"']).and_then(|index| index.strip_suffix(['\'', '"'])) {
                Some(key) => (text(key), after),
                None if !index.is_empty() && index.chars().all(|c| c.is_ascii_digit()) => (number(index), after),
                None => return Err(wrong()),
            }
        } else {
            let inner = rest.strip_prefix('.').ok_or_else(wrong)?;
            match inner.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
                Some((key, after)) => (text(key), after),
                None => {
                    let end = inner.find(['.', '[']).unwrap_or(inner.len());
                    if end == 0 || inner.starts_with('*') {
                        return Err(wrong());
                    }
                    (text(&inner[..end]), &inner[end..])
                }
            }
        };
        arguments.push(step);
        rest = after;
    }
    Ok(arguments)
}
