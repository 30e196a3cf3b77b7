//! The column of `generate_series(1, 3) g` is also called `g`, as in PostgreSQL, and `generate_series` without an
//! alias, as in DuckDB; to the engine it is `value` alone.

use datafusion::sql::sqlparser::ast::{Expr, ObjectName, ObjectNamePart, TableFactor, TableWithJoins};

use super::super::labels::folded;
use super::column::{Column, qualified, quoted};

/// Returns the second names of the columns of series.
pub fn columns(from: &[TableWithJoins]) -> Vec<Column> {
    from.iter().flat_map(of_table).collect()
}

fn of_table(table: &TableWithJoins) -> Vec<Column> {
    let joined = table.joins.iter().map(|join| &join.relation);
    let factors = std::iter::once(&table.relation).chain(joined);
    let columns = factors.map(|factor| match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } => of_table(table_with_joins),
        factor => column(factor).into_iter().collect(),
    });
    columns.flatten().collect()
}

fn column(factor: &TableFactor) -> Option<Column> {
    let (function, alias) = match factor {
        TableFactor::Table { name, args: Some(_), alias, .. } => {
            (name, alias.as_ref().filter(|alias| alias.columns.is_empty()))
        }
        // A series whose bounds are expressions; its alias names `value` too.
        TableFactor::UNNEST { array_exprs, alias: Some(alias), .. } => match array_exprs.as_slice() {
            [Expr::Function(function)] if alias.columns.iter().all(|column| folded(&column.name) == "value") => {
                (&function.name, Some(alias))
            }
            _ => return None,
        },
        _ => return None,
    };
    let function = series(function)?;
    let (name, expr) = match alias {
        Some(alias) => {
            let table = folded(&alias.name);
            let expr = qualified(&table, "value");
            // The name of a series of expressions that has none.
            (if table == "value" { function } else { table }, expr)
        }
        None if matches!(factor, TableFactor::Table { alias: Some(_), .. }) => return None,
        None => (function, Expr::Identifier(quoted("value"))),
    };
    Some(Column { name, expr, tables: Vec::new(), may_miss: false })
}

fn series(name: &ObjectName) -> Option<String> {
    let [ObjectNamePart::Identifier(function)] = name.0.as_slice() else { return None };
    Some(folded(function)).filter(|function| ["range", "generate_series"].contains(&function.as_str()))
}
