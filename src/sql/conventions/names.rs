//! Names in a statement: tables and views, which are then read under other names, and views that it looks values up in.
//!
//! A common table expression hides a view of its name, from its own place on: in `with event as (select * from event)
//! select * from event` the inner one is the view, the outer one is not.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, JoinConstraint, JoinOperator,
    ObjectName, ObjectNamePart, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, TableAlias, TableFactor,
    TableFunctionArgs, TypedString, Value, VisitMut, VisitorMut, WildcardAdditionalOptions, With,
};

use crate::error::{Error, Result};
use crate::typed::parse_time;

/// Decides how the names in a statement are replaced.
pub trait Naming {
    /// Returns the table to read in place of the written one; `None` leaves it as it is.
    fn table(
        &mut self,
        schema: Option<&str>,
        name: &str,
        arguments: Option<&TableFunctionArgs>,
    ) -> Result<Option<Other>>;

    /// Returns the function to call in place of `lookup('view', 'column', key)`; `result` is its type.
    fn lookup(&mut self, view: &str, column: &str, result: DataType) -> Result<String>;
}

/// A table that replaces another one.
#[derive(Debug, Clone)]
pub struct Other {
    pub schema: Option<&'static str>,
    pub table: String,
    /// Columns that `*` does not include.
    pub unlisted: Vec<String>,
}

/// Replaces the tables and functions that a statement names; columns stay named after the written text.
pub fn replace<T: VisitMut>(statement: &mut T, naming: &mut dyn Naming) -> Result<()> {
    let mut replacer = Replacer { naming, hidden: Vec::new(), taken: Vec::new() };
    match statement.visit(&mut replacer) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Replacer<'a> {
    naming: &'a mut dyn Naming,
    /// Names of common table expressions, one list for each enclosing query.
    hidden: Vec<Vec<String>>,
    /// The `with` of each enclosing query, which is visited before the query itself.
    taken: Vec<Option<With>>,
}

impl Replacer<'_> {
    fn is_hidden(&self, name: &str) -> bool {
        self.hidden.iter().flatten().any(|hidden| hidden == name)
    }

    /// Visits the common table expressions in order: each sees those before it, and itself only if it may recur.
    fn with(&mut self, with: &mut With) -> ControlFlow<Error> {
        for cte in &mut with.cte_tables {
            let name = written(&cte.alias.name);
            if with.recursive {
                self.hide(&name);
            }
            cte.query.visit(self)?;
            self.hide(&name);
        }
        ControlFlow::Continue(())
    }

    fn hide(&mut self, name: &str) {
        if let Some(names) = self.hidden.last_mut() {
            names.push(name.to_string());
        }
    }

    fn table(&mut self, factor: &mut TableFactor) -> Result<Option<Other>> {
        let TableFactor::Table { name, alias, args, .. } = factor else { return Ok(None) };
        let Some((schema, table)) = parts(name) else { return Ok(None) };
        if schema.is_none() && args.is_none() && self.is_hidden(&table) {
            return Ok(None);
        }
        let Some(other) = self.naming.table(schema.as_deref(), &table, args.as_ref())? else { return Ok(None) };
        *args = None;
        let ident = |text: &str| ObjectNamePart::Identifier(Ident::with_quote('"', text));
        *name = ObjectName(other.schema.iter().copied().chain([other.table.as_str()]).map(ident).collect());
        alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: Ident::with_quote('"', table),
            columns: Vec::new(),
            at: None,
        });
        Ok(Some(other))
    }

    /// Renames the relations of one `select`, and determines which columns its `*` does not include.
    fn select(&mut self, select: &mut Select) -> Result<()> {
        let mut short: Vec<(String, Vec<String>)> = Vec::new();
        let mut all = Vec::new();
        let mut is_merged = false;
        for from in &mut select.from {
            let joins = from.joins.iter().map(|join| constraint(&join.join_operator));
            is_merged |= joins.flatten().any(|on| matches!(on, JoinConstraint::Using(_) | JoinConstraint::Natural));
            let relations = std::iter::once(&mut from.relation).chain(from.joins.iter_mut().map(|j| &mut j.relation));
            for relation in relations {
                let other = self.table(relation)?;
                let alias = alias(relation);
                if let (Some(other), Some(alias)) = (other, &alias)
                    && !other.unlisted.is_empty()
                {
                    short.push((alias.clone(), other.unlisted));
                }
                all.push(alias);
            }
        }
        if short.is_empty() {
            return Ok(());
        }
        let all: Option<Vec<String>> = all.into_iter().collect();
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match (item, &all) {
                // With merged columns `*` is not the concatenation of the stars of its relations.
                (SelectItem::Wildcard(options), Some(all)) if options.opt_exclude.is_none() => match all.as_slice() {
                    [_] => items.push(SelectItem::Wildcard(without(options, &short[0].1))),
                    _ if is_merged => items.push(SelectItem::Wildcard(options)),
                    all => items.extend(all.iter().map(|alias| star(alias, options.clone(), &short))),
                },
                (SelectItem::Wildcard(options), _) => {
                    match (all.as_ref().map(Vec::len), options.opt_exclude.as_ref()) {
                        (Some(1), Some(exclude)) => {
                            let mut unlisted = short[0].1.clone();
                            unlisted.retain(|column| !names(exclude).contains(column));
                            items.push(SelectItem::Wildcard(without(options, &unlisted)));
                        }
                        _ => items.push(SelectItem::Wildcard(options)),
                    }
                }
                (SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options), _) => {
                    let known = parts(&name).and_then(|(schema, table)| schema.is_none().then_some(table));
                    match known.filter(|_| options.opt_exclude.is_none()) {
                        Some(alias) => items.push(star(&alias, options, &short)),
                        None => items.push(SelectItem::QualifiedWildcard(
                            SelectItemQualifiedWildcardKind::ObjectName(name),
                            options,
                        )),
                    }
                }
                (item, _) => items.push(item),
            }
        }
        select.projection = items;
        Ok(())
    }
}

impl VisitorMut for Replacer<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let mut with = query.with.take();
        self.hidden.push(Vec::new());
        if let Some(with) = &mut with {
            self.with(with)?;
        }
        self.taken.push(with);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.hidden.pop();
        query.with = self.taken.pop().flatten();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        match self.select(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    /// Visits relations that are in no list of a `select`: within parentheses.
    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match self.table(factor) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let result = match function.name.to_string().to_lowercase().as_str() {
            "lookup" => DataType::Utf8,
            "lookup_double" => DataType::Float64,
            _ => return ControlFlow::Continue(()),
        };
        let wrong =
            || Error::input("lookup() takes a view, a column of it and a key: lookup('identity', 'label', uid)");
        let FunctionArguments::List(list) = &mut function.args else { return ControlFlow::Break(wrong()) };
        let text = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
                Value::SingleQuotedString(text) => Some(text.clone()),
                _ => None,
            },
            _ => None,
        };
        let named = list.args.first().and_then(text).zip(list.args.get(1).and_then(text));
        let (Some((view, column)), 3) = (named, list.args.len()) else { return ControlFlow::Break(wrong()) };
        match self.naming.lookup(&view, &column, result) {
            Ok(name) => {
                list.args.drain(..2);
                function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', name))]);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// Builds `alias.*` without the columns that `*` does not include.
fn star(alias: &str, options: WildcardAdditionalOptions, short: &[(String, Vec<String>)]) -> SelectItem {
    let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName(vec![ObjectNamePart::Identifier(
        Ident::with_quote('"', alias),
    )]));
    match short.iter().find(|(known, _)| known == alias) {
        Some((_, unlisted)) => SelectItem::QualifiedWildcard(kind, without(options, unlisted)),
        None => SelectItem::QualifiedWildcard(kind, options),
    }
}

/// Adds columns to leave out to the options.
fn without(mut options: WildcardAdditionalOptions, columns: &[String]) -> WildcardAdditionalOptions {
    let quoted = |column: &String| ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', column))]);
    let mut all: Vec<ObjectName> = match options.opt_exclude.take() {
        None => Vec::new(),
        Some(ExcludeSelectItem::Single(name)) => vec![name],
        Some(ExcludeSelectItem::Multiple(names)) => names,
    };
    all.extend(columns.iter().map(quoted));
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(all));
    options
}

fn names(exclude: &ExcludeSelectItem) -> BTreeSet<String> {
    let all = match exclude {
        ExcludeSelectItem::Single(name) => std::slice::from_ref(name),
        ExcludeSelectItem::Multiple(names) => names.as_slice(),
    };
    all.iter().filter_map(parts).map(|(_, name)| name).collect()
}

/// Returns the qualifier of a relation's columns.
fn alias(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(written(&alias.name)),
            None => parts(name).map(|(_, table)| table),
        },
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| written(&alias.name)),
        _ => None,
    }
}

fn constraint(join: &JoinOperator) -> Option<&JoinConstraint> {
    match join {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on)
        | JoinOperator::LeftSemi(on)
        | JoinOperator::RightSemi(on)
        | JoinOperator::LeftAnti(on)
        | JoinOperator::RightAnti(on) => Some(on),
        _ => None,
    }
}

/// Splits a name of one or two words into schema and table.
fn parts(name: &ObjectName) -> Option<(Option<String>, String)> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(table)] => Some((None, written(table))),
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(table)] => {
            Some((Some(written(schema)), written(table)))
        }
        _ => None,
    }
}

/// Returns a name as the engine reads it: in lower case unless it is quoted.
fn written(ident: &Ident) -> String {
    if ident.quote_style.is_none() { ident.value.to_lowercase() } else { ident.value.clone() }
}

/// Returns the one argument of a convention, microseconds.
pub fn as_of(view: &str, arguments: &TableFunctionArgs) -> Result<Option<i64>> {
    let wrong = || {
        Error::input(format!("`{view}()` takes one time, as text"))
            .hint(format!("{view}('2026-03-01'), or {view} alone for all events"))
    };
    let value = match arguments.args.as_slice() {
        [] => return Ok(None),
        [
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
            | FunctionArg::Named { arg: FunctionArgExpr::Expr(value), .. },
        ] => value,
        _ => return Err(wrong()),
    };
    match value {
        Expr::Value(value) | Expr::TypedString(TypedString { value, .. }) => match &value.value {
            Value::SingleQuotedString(text) => parse_time(text).map(|time| Some(time.micros())),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}
