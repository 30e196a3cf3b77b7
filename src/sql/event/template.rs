//! One query becomes that of a class: `from event_class` is its table, and paths that it does not have are null. A member
//! that has no column because the class leaves it out is read from `_extra`.
//!
//! Within that `select` these are not functions of the engine:
//! * `class_name()` and `class_number()`: the table's name, and the class's uid (`class_uid` where events of several are);
//! * `class_has(a, b)`: whether the class has one of the attributes;
//! * `event_json()`: the event as it came, secrets redacted;
//! * `members()`: the attributes that classes share.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Select,
    SelectItem, Statement as Sql, TableFactor, TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut,
    visit_expressions_mut,
};

use super::super::dialect::{expression, rewrite_view};
use super::columns::written;
use super::members::{arrow_type, attribute, members, null_type};
use crate::error::{self, Result};
use crate::schema::{EventClass, Kind, OWN_COLUMNS, Ocsf};

/// The table of the template.
pub const CLASS: &str = "event_class";

/// A query over each class, its parameters put in.
#[derive(Debug, Clone)]
pub struct Template {
    pub statement: Sql,
    /// The only class, and a list of it that rows have as well.
    pub list: Option<(String, String)>,
}

impl Template {
    /// The query of one class.
    pub fn instance(&self, class: &EventClass, ocsf: &Ocsf) -> Result<Sql> {
        let mut statement = self.statement.clone();
        let list = self.list.as_ref().map(|(_, list)| list.as_str());
        match VisitMut::visit(&mut statement, &mut Instance { class, ocsf, list }) {
            ControlFlow::Continue(()) => rewrite_view(&mut statement).map(|()| statement),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

impl Template {
    /// The columns that the template names itself, where it reads the table.
    pub fn named(&self) -> HashSet<String> {
        let mut named = Named(HashSet::new());
        let _: ControlFlow<()> = Visit::visit(&self.statement, &mut named);
        named.0
    }
}

struct Named(HashSet<String>);

impl Visitor for Named {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let is_of_class = |from: &TableWithJoins| matches!(&from.relation, TableFactor::Table { name, .. } if name.to_string() == CLASS);
        if select.from.iter().any(is_of_class) {
            let name = |item: &SelectItem| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(written(alias)),
                SelectItem::UnnamedExpr(expr) => last_name(expr).map(|name| written(&name)),
                _ => None,
            };
            self.0.extend(select.projection.iter().filter_map(name));
        }
        ControlFlow::Continue(())
    }
}

struct Instance<'a> {
    class: &'a EventClass,
    ocsf: &'a Ocsf,
    list: Option<&'a str>,
}

impl VisitorMut for Instance<'_> {
    type Break = error::Error;

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        match self.select(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Instance<'_> {
    fn select(&self, select: &mut Select) -> Result<()> {
        let [from] = select.from.as_mut_slice() else { return Ok(()) };
        let TableFactor::Table { name, .. } = &mut from.relation else { return Ok(()) };
        if name.to_string() != CLASS {
            return Ok(());
        }
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', &self.class.name))]);
        let mut items = Vec::new();
        for mut item in std::mem::take(&mut select.projection) {
            if let SelectItem::UnnamedExpr(Expr::Function(function)) = &item
                && is_called(function, "members")
            {
                items.extend(self.members(&items)?);
                continue;
            }
            // What is put in place of a path keeps its name.
            if let SelectItem::UnnamedExpr(expr) = &item
                && let Some(alias) = last_name(expr)
            {
                item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
            if let ControlFlow::Break(error) = visit_expressions_mut(&mut item, |expr| match self.replace(expr) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }) {
                return Err(error);
            }
            items.push(item);
        }
        if let Some(list) = self.list {
            // Under a name of its own: the template may have made something else of the list.
            let alias = Ident::with_quote('"', format!("@{list}"));
            items.push(SelectItem::ExprWithAlias { expr: expression(&quoted(list))?, alias });
        }
        select.projection = items;
        Ok(())
    }

    /// Puts what the class has in place of what the template asks for. Called from the inside out.
    fn replace(&self, expr: &mut Expr) -> Result<()> {
        let path = match expr {
            Expr::Identifier(ident) => written(ident),
            Expr::CompoundIdentifier(idents) => idents.iter().map(written).collect::<Vec<_>>().join("."),
            Expr::Function(function) => {
                if let Some(replaced) = self.called(function)? {
                    *expr = replaced;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        if !OWN_COLUMNS.contains(&path.as_str()) && attribute(self.class, &path).is_none() {
            let parent = path.rsplit_once('.').and_then(|(parent, _)| attribute(self.class, parent));
            *expr = match null_type(self.ocsf, &path) {
                // Members without a column of their own are in `_extra`, by their JSON pointer.
                "Utf8" if parent.is_some_and(|parent| matches!(parent.kind, Kind::Object(_)) && !parent.is_list) => {
                    expression(&format!("json_as_text(_extra, '/{}')", path.replace('.', "/")))?
                }
                null => expression(&format!("arrow_cast(null, '{null}')"))?,
            };
        }
        Ok(())
    }

    fn called(&self, function: &Function) -> Result<Option<Expr>> {
        let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_string()).into());
        Ok(Some(match function.name.to_string().as_str() {
            "class_name" => text(&self.class.name),
            "class_number" => match self.class.uid {
                Some(uid) => Expr::Value(Value::Number(uid.to_string(), false).into()),
                None => expression("class_uid")?,
            },
            // Arguments are visited before the function: what the class does not have is null by now.
            "class_has" => {
                let FunctionArguments::List(list) = &function.args else { return Ok(None) };
                let is_path = |argument: &FunctionArg| {
                    let path = |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                    matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if path(expr))
                };
                Expr::Value(Value::Boolean(list.args.iter().any(is_path)).into())
            }
            "event_json" => {
                let columns = self.class.arrow.fields().iter();
                let members: Vec<String> =
                    columns.map(|field| format!("'{0}', {1}", field.name(), quoted(field.name()))).collect();
                expression(&format!("event_json('{}', named_struct({}))", self.class.name, members.join(", ")))?
            }
            _ => return Ok(None),
        }))
    }

    /// The shared attributes but for those that the template names itself.
    fn members(&self, named: &[SelectItem]) -> Result<Vec<SelectItem>> {
        let is_named = |name: &str| {
            named.iter().any(|item| {
                matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == name)
                    || matches!(item, SelectItem::UnnamedExpr(Expr::Identifier(ident)) if ident.value == name)
            })
        };
        let mut items = Vec::new();
        for member in members(self.ocsf).into_iter().filter(|member| !is_named(&member.name)) {
            let expr = match arrow_type(self.class, &member.name) {
                found if found == member.arrow_type => expression(&quoted(&member.name))?,
                found => {
                    let source = if found.is_empty() { "null".to_string() } else { quoted(&member.name) };
                    expression(&format!("arrow_cast({source}, '{}')", member.arrow_type.replace('\'', "''")))?
                }
            };
            items.push(SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', member.name) });
        }
        Ok(items)
    }
}

fn last_name(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident.clone()),
        Expr::CompoundIdentifier(idents) => idents.last().cloned(),
        _ => None,
    }
}

pub fn is_called(function: &Function, name: &str) -> bool {
    function.name.to_string() == name
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
