//! Views that another module defines: `report` has the catalogue's conventions, and stands above this module.
//!
//! They are made when a statement names them, plainly (`account_state`: with all events the session sees) or as a
//! function of a time (`account_state('2026-03-01')`: with no event after it). The trait has one implementation; it is
//! here so that SQL users get the very definitions that reports use without a second copy of them below.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, TableAlias, TableFactor, TableFunctionArgs,
    TypedString, Value, VisitMut, VisitorMut,
};

use crate::error::{Error, Result};
use crate::typed::parse_time;

/// The views of another module.
#[async_trait]
pub trait Conventions: Debug + Send + Sync {
    /// Name and purpose of each view.
    fn list(&self) -> Vec<(String, String)>;

    /// The view over the tables of `context`, with no event after `as_of_us`.
    async fn make(&self, name: &str, as_of_us: Option<i64>, context: &SessionContext)
    -> Result<Arc<dyn TableProvider>>;
}

/// A convention that a statement names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    pub view: String,
    pub as_of_us: Option<i64>,
}

impl Named {
    /// The name under which it is registered: the view's own, or one that nobody types.
    pub fn table(&self) -> String {
        match self.as_of_us {
            Some(time_us) => format!("{}@{time_us}", self.view),
            None => self.view.clone(),
        }
    }
}

/// Puts other tables in place of those that a statement names; columns stay named after what was written.
///
/// `other` gets the name and the arguments, if it is called as a function, and gives the name of the table to take.
pub fn replace<T: VisitMut>(statement: &mut T, other: &mut Replace<'_>) -> Result<()> {
    match statement.visit(&mut Replacer { other }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

pub type Replace<'a> = dyn FnMut(&str, Option<&TableFunctionArgs>) -> Result<Option<String>> + 'a;

struct Replacer<'a, 'b> {
    other: &'a mut Replace<'b>,
}

impl VisitorMut for Replacer<'_, '_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, args, .. } = factor else { return ControlFlow::Continue(()) };
        let Some(written) = single(name) else { return ControlFlow::Continue(()) };
        match (self.other)(&written, args.as_ref()) {
            Err(error) => return ControlFlow::Break(error),
            Ok(None) => {}
            Ok(Some(table)) => {
                *args = None;
                *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', table))]);
                alias.get_or_insert_with(|| TableAlias {
                    explicit: true,
                    name: Ident::with_quote('"', written),
                    columns: Vec::new(),
                    at: None,
                });
            }
        }
        ControlFlow::Continue(())
    }
}

/// The name, when it is one word.
fn single(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] if ident.quote_style.is_none() => Some(ident.value.to_lowercase()),
        [ObjectNamePart::Identifier(ident)] => Some(ident.value.clone()),
        _ => None,
    }
}

/// The one argument of a convention, microseconds.
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
