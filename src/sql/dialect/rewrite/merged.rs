//! Rewrites the merged column of `full join ... using (k)` as the value of whichever side has it.
//!
//! The engine takes the left side's, which is null where only the right one has a row (apache/datafusion#22881). So the
//! join is written with `on`, and `k` becomes its meaning: `coalesce(a.k, b.k)` for a full join, `b.k` for a right one.
//!
//! For `*` over an inner or a left join it takes the column of the table whose name comes first in the alphabet, which
//! is null in `select * from b left join a using (k)` (not reported); there `*` becomes `b.*, a.* exclude (k)`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableWithJoins,
    VisitorMut, WildcardAdditionalOptions,
};

use super::super::grammar::call;
use super::super::labels::{alias, folded, tables};
use super::column::{Column, and, equal, qualified, quoted};
use super::own::own;
use super::series;
use crate::error::{Error, Result};

pub struct Merged;

impl VisitorMut for Merged {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        let order = match &mut query.order_by {
            Some(order) => match &mut order.kind {
                OrderByKind::Expressions(order) => order.as_mut_slice(),
                OrderByKind::All(_) => &mut [],
            },
            None => &mut [],
        };
        spelled(select, order)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        // These belong to set operations, which have no `order by` of their own; the others were already visited.
        spelled(select, &mut [])
    }
}

fn spelled(select: &mut Select, order: &mut [OrderByExpr]) -> ControlFlow<Error> {
    let is_star = is_star(select);
    let mut columns = series::columns(&select.from);
    for table in &mut select.from {
        match merge(table, is_star) {
            Ok(found) => columns.extend(found),
            Err(error) => return ControlFlow::Break(error),
        }
    }
    if columns.is_empty() {
        ControlFlow::Continue(())
    } else {
        match replace(select, order, &columns) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn is_star(select: &Select) -> bool {
    select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)))
}

/// Returns whether the engine would take a merged column of `*` from the wrong side: names of tables are out of order.
fn is_out_of_order(table: &TableWithJoins) -> Result<bool> {
    let mut left = tables(&[TableWithJoins { relation: table.relation.clone(), joins: Vec::new() }]);
    for Join { relation, join_operator, .. } in &table.joins {
        let right = alias(relation);
        let is_before = right.as_ref().is_some_and(|right| left.iter().any(|left| left > right));
        match constraint(join_operator) {
            Some(JoinConstraint::Using(_)) if is_before => return Ok(true),
            Some(JoinConstraint::Natural) if is_before => {
                return Err(Error::input(
                    "`select *` over a natural join is supported only where names of tables are in order",
                )
                .hint("write using (column), or name the columns"));
            }
            _ => {}
        }
        left.extend(right);
    }
    Ok(false)
}

/// Writes the joins of a table with `on` where one of them has two sides that may miss, or `*` would be read wrongly.
fn merge(table: &mut TableWithJoins, is_star: bool) -> Result<Vec<Column>> {
    let misses = |operator: &JoinOperator| {
        let (JoinOperator::FullOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)) = operator
        else {
            return false;
        };
        matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
    };
    let may_miss = table.joins.iter().any(|join| misses(&join.join_operator));
    if !(may_miss || is_star && is_out_of_order(table)?) {
        // The engine takes the `k` of the second join for that of any table before it.
        let mut tried = table.clone();
        return match is_chain(table).then(|| with_conditions(&mut tried, may_miss)) {
            Some(Ok(columns)) => {
                *table = tried;
                Ok(columns)
            }
            _ => Ok(Vec::new()),
        };
    }
    with_conditions(table, may_miss)
}

/// Returns whether a column is merged more than once.
fn is_chain(table: &TableWithJoins) -> bool {
    let mut seen = HashSet::new();
    let merged = table.joins.iter().filter_map(|join| match constraint(&join.join_operator) {
        Some(JoinConstraint::Using(names)) => Some(names),
        _ => None,
    });
    merged.flatten().any(|name| !seen.insert(name.to_string().to_lowercase()))
}

fn with_conditions(table: &mut TableWithJoins, may_miss: bool) -> Result<Vec<Column>> {
    let mut left =
        tables(std::slice::from_ref(&TableWithJoins { relation: table.relation.clone(), joins: Vec::new() }));
    let mut columns: Vec<Column> = Vec::new();
    for Join { relation, join_operator, .. } in &mut table.joins {
        let right = alias(relation);
        if let Some(constraint) = constraint(join_operator) {
            let names = match constraint {
                JoinConstraint::Using(names) => names.iter().map(single).collect::<Result<Vec<_>>>()?,
                JoinConstraint::Natural => {
                    return Err(Error::input(
                        "`natural` is not supported beside a full or right join, or one with `using`",
                    )
                    .hint("write using (column)"));
                }
                _ => Vec::new(),
            };
            let mut conditions = Vec::new();
            for name in names {
                let right = right.clone().ok_or_else(nameless)?;
                let known = columns.iter().position(|column| column.name == name);
                let old = match (known, left.as_slice()) {
                    (Some(at), _) => columns[at].expr.clone(),
                    (None, [only]) => qualified(only, &name),
                    (None, _) => {
                        return Err(Error::input(format!("cannot tell which table `{name}` is of before the join"))
                            .hint(format!("write on a.{name} = b.{name}")));
                    }
                };
                let new = qualified(&right, &name);
                conditions.push(equal(old.clone(), new.clone()));
                let merged = match join_operator_kind(join_operator) {
                    Side::Left => old,
                    Side::Right => new,
                    Side::Both => call("coalesce", vec![old, new]),
                };
                match known {
                    Some(at) => {
                        columns[at].expr = merged;
                        columns[at].tables.push(right);
                    }
                    None => {
                        let tables = left.iter().cloned().chain([right]).collect();
                        columns.push(Column { name, expr: merged, tables, may_miss });
                    }
                }
            }
            if let Some(condition) = conditions.into_iter().reduce(and)
                && let Some(constraint) = constraint_of(join_operator)
            {
                *constraint = JoinConstraint::On(condition);
            }
        }
        // A table of a semi or an anti join gives no columns.
        if !is_semi(join_operator) {
            left.extend(right);
        }
    }
    Ok(columns)
}

fn is_semi(operator: &JoinOperator) -> bool {
    use JoinOperator::{Anti, LeftAnti, LeftSemi, Semi};
    matches!(operator, Semi(_) | LeftSemi(_) | Anti(_) | LeftAnti(_))
}

fn nameless() -> Error {
    Error::input("a query in a join with `using` needs a name").hint("write (select ...) as name")
}

/// The side that a join's merged column comes from.
enum Side {
    Left,
    Right,
    Both,
}

fn join_operator_kind(operator: &JoinOperator) -> Side {
    match operator {
        JoinOperator::FullOuter(_) => Side::Both,
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Side::Right,
        _ => Side::Left,
    }
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

fn single(name: &ObjectName) -> Result<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Ok(folded(ident)),
        _ => Err(Error::input(format!("`using ({name})` names no column")).hint("write on a.x.y = b.x.y")),
    }
}

/// Replaces the names of merged columns by their expressions.
fn replace(select: &mut Select, order: &mut [OrderByExpr], columns: &[Column]) -> Result<()> {
    let mut names = tables(&select.from);
    let is_test = |join: &&Join| constraint(&join.join_operator).is_none() && is_semi(&join.join_operator);
    let tests = select.from.iter().flat_map(|table| table.joins.iter().filter(is_test));
    let tested: Vec<String> = tests.filter_map(|join| alias(&join.relation)).collect();
    names.retain(|name| !tested.contains(name));
    let mut items = Vec::new();
    let mut given: Vec<String> = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::Wildcard(options) if columns.iter().any(|column| !column.tables.is_empty()) => {
                if options != WildcardAdditionalOptions::default() {
                    return Err(Error::input(
                        "`* exclude` and `* replace` are not supported over this join with `using`",
                    )
                    .hint("name the columns, or write on a.x = b.x"));
                }
                given.extend(columns.iter().map(|column| column.name.clone()));
                items.extend(wildcard(&names, columns));
            }
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) if known(&ident, columns).is_some() => {
                given.push(folded(&ident));
                items.push(SelectItem::ExprWithAlias { expr: Expr::Identifier(ident.clone()), alias: ident });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                given.push(folded(&alias));
                items.push(SelectItem::ExprWithAlias { expr, alias });
            }
            other => items.push(other),
        }
    }
    let mut replace = |expr: &mut Expr| {
        if let Expr::Identifier(ident) = expr
            && let Some(merged) = known(ident, columns)
        {
            *expr = merged.clone();
        }
        ControlFlow::Continue(())
    };
    for item in &mut items {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            let _ = own(expr, &mut replace);
        }
    }
    select.projection = items;
    for join in select.from.iter_mut().flat_map(|table| &mut table.joins) {
        if let Some(JoinConstraint::On(condition)) = constraint_of(&mut join.join_operator) {
            let _ = own(condition, &mut replace);
        }
    }
    for part in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten() {
        let _ = own(part, &mut replace);
    }
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        let _ = own(groups, &mut replace);
    }
    let _ = own(&mut select.named_window, &mut replace);
    for by in order {
        // A result of that name is meant first.
        let is_result = matches!(&by.expr, Expr::Identifier(ident) if given.contains(&folded(ident)));
        if !is_result {
            let _ = own(&mut by.expr, &mut replace);
        }
    }
    Ok(())
}

fn known<'a>(ident: &Ident, columns: &'a [Column]) -> Option<&'a Expr> {
    let name = folded(ident);
    columns.iter().find(|column| column.name == name).map(|column| &column.expr)
}

/// Expands `*` as `using` requires: the merged columns, then the others of each table; or the columns of the first
/// table in place.
fn wildcard(names: &[String], columns: &[Column]) -> Vec<SelectItem> {
    let merged = columns
        .iter()
        .filter(|column| column.may_miss)
        .map(|column| SelectItem::ExprWithAlias { expr: column.expr.clone(), alias: quoted(&column.name) });
    let others = names.iter().map(|table| {
        let is_kept = |column: &&Column| !column.may_miss && column.tables.first() == Some(table);
        let theirs = columns.iter().filter(|column| column.tables.contains(table) && !is_kept(column));
        let exclude: Vec<ObjectName> = theirs.map(|column| ObjectName::from(vec![quoted(&column.name)])).collect();
        let options = WildcardAdditionalOptions {
            opt_exclude: (!exclude.is_empty()).then_some(ExcludeSelectItem::Multiple(exclude)),
            ..WildcardAdditionalOptions::default()
        };
        let name = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![quoted(table)]));
        SelectItem::QualifiedWildcard(name, options)
    });
    merged.chain(others).collect()
}
