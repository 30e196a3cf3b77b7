//! Shapes of statements: `from t` alone, `fetch first`, semi joins, lists in `from`, and places in grouping sets.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause,
    ObjectName, ObjectNamePart, Query, Select, SelectFlavor, SelectItem, TableAlias, TableAliasColumnDef, TableFactor,
    TableWithJoins, Value, VisitorMut, WildcardAdditionalOptions,
};

use super::super::grammar::call;
use super::super::labels::is_wildcard;
use crate::error::Error;

#[derive(Default)]
pub struct Shapes {
    /// The number of queries in `from` that had no name.
    unnamed: usize,
}

impl VisitorMut for Shapes {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        // `with ties` and `percent` were already refused, and so was a limit beside it.
        if let Some(Fetch { quantity, .. }) = query.fetch.take() {
            let limit = Some(quantity.unwrap_or_else(|| Expr::Value(Value::Number("1".to_string(), false).into())));
            let offset = match query.limit_clause.take() {
                Some(LimitClause::LimitOffset { offset, .. }) => offset,
                _ => None,
            };
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: Vec::new() });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if select.flavor == SelectFlavor::FromFirstNoSelect {
            select.projection = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
            select.flavor = SelectFlavor::FromFirst;
        }
        select.from.iter_mut().for_each(|table| self.name_merged(table));
        lists_of(&mut select.from);
        for table in &mut select.from {
            for join in &mut table.joins {
                let operator = std::mem::replace(&mut join.join_operator, JoinOperator::CrossApply);
                join.join_operator = match operator {
                    JoinOperator::Semi(constraint) => JoinOperator::LeftSemi(constraint),
                    JoinOperator::Anti(constraint) => JoinOperator::LeftAnti(constraint),
                    other => other,
                };
            }
            nest(table);
        }
        places(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        as_unnest(factor);
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            self.name_merged(table_with_joins);
        }
        ControlFlow::Continue(())
    }
}

/// Groups `rollup(1, 2)` by the selected expressions, as `group by 1, 2` does; the engine would group by the numbers.
fn places(select: &mut Select) -> ControlFlow<Error> {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return ControlFlow::Continue(()) };
    for key in keys {
        let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = key else { continue };
        for member in sets.iter_mut().flatten() {
            let Expr::Value(value) = &*member else { continue };
            let Value::Number(number, _) = &value.value else { continue };
            let place = number.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            let items = place.and_then(|place| select.projection.get(..=place)).unwrap_or_default();
            *member = match items.last() {
                Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. })
                    if !items.iter().any(is_wildcard) =>
                {
                    expr.clone()
                }
                _ => {
                    return ControlFlow::Break(
                        Error::input(format!("`group by` says place {number}, where no expression is selected"))
                            .hint("name the column"),
                    );
                }
            };
        }
    }
    ControlFlow::Continue(())
}

impl Shapes {
    /// Gives names to queries without one that share columns: the engine merges columns of tables that have names.
    fn name_merged(&mut self, table: &mut TableWithJoins) {
        if !table.joins.iter().any(is_merged) {
            return;
        }
        let factors = std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation));
        for factor in factors {
            if let TableFactor::Derived { alias: alias @ None, .. } = factor {
                // The name sorts after all others: of two that share a column the engine takes the first.
                let name = Ident::with_quote('"', format!("~query{}", self.unnamed));
                *alias = Some(TableAlias { name, ..named("") });
                self.unnamed += 1;
            }
        }
    }
}

/// Returns whether a join is `natural` or `using`.
fn is_merged(join: &Join) -> bool {
    use JoinOperator::{Anti, FullOuter, Inner, Join, Left, LeftAnti, LeftOuter, LeftSemi, Right, RightOuter, Semi};
    match &join.join_operator {
        Join(on) | Inner(on) | Left(on) | LeftOuter(on) | Right(on) | RightOuter(on) | FullOuter(on) | Semi(on)
        | LeftSemi(on) | Anti(on) | LeftAnti(on) => matches!(on, JoinConstraint::Using(_) | JoinConstraint::Natural),
        _ => false,
    }
}

/// Rewrites `unnest(list) as t(item)`, which the parser takes for a table function.
fn as_unnest(factor: &mut TableFactor) -> bool {
    let (name, args, alias) = match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => (name, &args.args, alias),
        TableFactor::Function { name, args, alias, .. } => (name, &*args, alias),
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality: false, .. } => {
            if array_exprs.len() == 1 {
                name_item(alias, "unnest", None);
            }
            return true;
        }
        TableFactor::UNNEST { .. } => return true,
        _ => return false,
    };
    if is_series(name, args) {
        // The engine's table has steps of whole numbers, and of times in nanoseconds.
        let list = match factor {
            TableFactor::Table { name, args: Some(args), .. } => call_of(name, &args.args),
            TableFactor::Function { name, args, .. } => call_of(name, args),
            _ => None,
        };
        let Some(list) = list else { return false };
        let (TableFactor::Table { alias, .. } | TableFactor::Function { alias, .. }) = factor else { return false };
        let mut alias = alias.take();
        // The engine's name for it.
        name_item(&mut alias, "value", Some("value"));
        *factor = TableFactor::UNNEST {
            alias,
            array_exprs: vec![list],
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        };
        return true;
    }
    if !is_unnest(name) {
        return false;
    }
    let lists: Option<Vec<Expr>> = args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect();
    let Some(array_exprs) = lists else { return false };
    let mut alias = alias.take();
    if array_exprs.len() == 1 {
        name_item(&mut alias, "unnest", None);
    }
    *factor =
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality: false };
    true
}

/// Names the one column of a list: `column`, or the name of the table, which is `table` unless an alias says otherwise.
/// The engine would name it after its own expression.
fn name_item(alias: &mut Option<TableAlias>, table: &str, column: Option<&str>) {
    let alias = alias.get_or_insert_with(|| named(table));
    if alias.columns.is_empty() {
        let name = column.map_or_else(|| alias.name.clone(), Ident::new);
        alias.columns.push(TableAliasColumnDef { name, data_type: None });
    }
}

/// Returns whether it is a series with a bound that is not a literal number.
fn is_series(name: &ObjectName, args: &[FunctionArg]) -> bool {
    let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return false };
    let is_number = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => match expr {
            Expr::UnaryOp { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
            expr => matches!(expr, Expr::Value(_)),
        },
        _ => true,
    };
    ["range", "generate_series"].contains(&ident.value.to_lowercase().as_str()) && !args.iter().all(is_number)
}

fn call_of(name: &ObjectName, args: &[FunctionArg]) -> Option<Expr> {
    let args: Option<Vec<Expr>> = args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect();
    Some(call(&name.to_string().to_lowercase(), args?))
}

fn named(name: &str) -> TableAlias {
    TableAlias { explicit: false, name: Ident::new(name), columns: Vec::new(), at: None }
}

fn is_unnest(name: &ObjectName) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value.eq_ignore_ascii_case("unnest"))
}

/// Handles `from a, b, unnest(a.list)`: a list may name the tables before it.
fn lists_of(from: &mut Vec<TableWithJoins>) {
    let Some(last) = from.iter_mut().skip(1).rposition(|table| as_unnest(&mut table.relation)) else { return };
    let mut tables = std::mem::take(from).into_iter();
    let Some(mut all) = tables.next() else { return };
    for (place, table) in tables.by_ref().enumerate() {
        let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
        match table {
            TableWithJoins { relation: relation @ TableFactor::UNNEST { .. }, joins } => {
                all.joins.push(Join { relation, global: false, join_operator });
                all.joins.extend(joins);
            }
            TableWithJoins { relation, joins } if joins.is_empty() => {
                all.joins.push(Join { relation, global: false, join_operator });
            }
            table => {
                let relation = TableFactor::NestedJoin { table_with_joins: Box::new(table), alias: None };
                all.joins.push(Join { relation, global: false, join_operator });
            }
        }
        if place == last {
            break;
        }
    }
    *from = std::iter::once(all).chain(tables).collect();
}

/// Puts each list with the tables before it into parentheses, where `relations` finds them together.
fn nest(table: &mut TableWithJoins) {
    let mut at = 0;
    while at < table.joins.len() {
        if !as_unnest(&mut table.joins[at].relation) {
            at += 1;
            continue;
        }
        let rest = table.joins.split_off(at + 1);
        let relation = std::mem::replace(&mut table.relation, empty());
        let inner = TableWithJoins { relation, joins: std::mem::take(&mut table.joins) };
        table.relation = TableFactor::NestedJoin { table_with_joins: Box::new(inner), alias: None };
        table.joins = rest;
        at = 0;
    }
}

fn empty() -> TableFactor {
    TableFactor::UNNEST {
        alias: None,
        array_exprs: Vec::new(),
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }
}
