//! Names of columns, told from the text of a view: before it is planned.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement as Sql,
    TableFactor, WildcardAdditionalOptions,
};

use super::super::conventions::Conventions;
use super::members::members;
use super::template::is_called;
use crate::schema::Ocsf;

/// The columns of a view that it does not name itself but takes with a `*`: a statement's own `*` leaves them out.
pub fn unlisted(view: &Sql, conventions: &Conventions, ocsf: &Ocsf) -> Vec<String> {
    let Some(select) = outermost(view) else { return Vec::new() };
    let listed: Vec<String> = select.projection.iter().filter_map(named).collect();
    let mut all = columns(select, conventions, ocsf);
    all.retain(|column| !listed.contains(column));
    all
}

fn outermost(statement: &Sql) -> Option<&Select> {
    match statement {
        Sql::Query(query) => body(query),
        _ => None,
    }
}

fn body(query: &Query) -> Option<&Select> {
    match query.body.as_ref() {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => body(query),
        _ => None,
    }
}

/// The columns of a `select` over one relation, which is all that the views of `event` are.
fn columns(select: &Select, conventions: &Conventions, ocsf: &Ocsf) -> Vec<String> {
    let below = || match select.from.first().map(|from| &from.relation) {
        Some(TableFactor::Derived { subquery, .. }) => {
            body(subquery).map(|select| columns(select, conventions, ocsf)).unwrap_or_default()
        }
        Some(TableFactor::Table { name, .. }) => {
            let view = conventions.view(&name.to_string());
            let select = view.and_then(|view| outermost(&view.statement));
            select.map(|select| columns(select, conventions, ocsf)).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let mut found: Vec<String> = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                let excluded = excluded(options);
                found.extend(below().into_iter().filter(|column| !excluded.contains(column)));
            }
            SelectItem::UnnamedExpr(Expr::Function(function)) if is_called(function, "members") => {
                let names: Vec<String> = members(ocsf).into_iter().map(|member| member.name).collect();
                let new: Vec<String> = names.into_iter().filter(|name| !found.contains(name)).collect();
                found.extend(new);
            }
            item => found.extend(named(item)),
        }
    }
    found
}

fn named(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(written(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(written(ident)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(idents)) => idents.last().map(written),
        _ => None,
    }
}

fn excluded(options: &WildcardAdditionalOptions) -> Vec<String> {
    let name = |name: &ObjectName| match name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => Some(written(ident)),
        _ => None,
    };
    match &options.opt_exclude {
        None => Vec::new(),
        Some(ExcludeSelectItem::Single(one)) => name(one).into_iter().collect(),
        Some(ExcludeSelectItem::Multiple(many)) => many.iter().filter_map(name).collect(),
    }
}

/// A name as the engine reads it.
pub fn written(ident: &Ident) -> String {
    if ident.quote_style.is_none() { ident.value.to_lowercase() } else { ident.value.clone() }
}
