//! The columns of `event_row` that facts have.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::Expr;

use super::super::engine::late::Memory;
use super::super::facts::Facts;
use super::members::members;
use super::template::Template;
use crate::schema::Ocsf;

/// Columns of the template that facts do not keep: the event as it came, and its time as text, which is long and
/// says what `time` says.
const NOT_KEPT: [&str; 2] = ["raw", "time_dt"];

/// Rows that are there as facts.
pub struct Flat {
    pub facts: Arc<Facts>,
    /// The columns that facts have, by their places.
    pub columns: Vec<usize>,
    pub schema: SchemaRef,
    /// How the facts of a class are made.
    pub recipes: Memory,
}

impl Flat {
    pub fn new(facts: Arc<Facts>, columns: Vec<usize>, all: &Schema) -> Flat {
        let fields: Vec<_> = columns.iter().map(|&at| all.fields()[at].clone()).collect();
        Flat { facts, columns, schema: Arc::new(Schema::new(fields)), recipes: Memory::default() }
    }

    /// Whether facts have every column of a filter.
    pub fn has_all_of(&self, filter: &Expr) -> bool {
        filter.column_refs().iter().all(|column| self.schema.index_of(&column.name).is_ok())
    }
}

/// Where columns are among others; `None` when one is not among them.
pub fn places(columns: &[usize], among: &[usize]) -> Option<Vec<usize>> {
    columns.iter().map(|at| among.iter().position(|column| column == at)).collect()
}

/// The columns of facts: what the template makes of an event, and of what classes share the numbers and times. Texts as
/// they came and the event as JSON stay where they are.
pub fn columns(schema: &Schema, template: &Template, ocsf: &Ocsf) -> Vec<usize> {
    let named = template.named();
    let as_they_came: Vec<String> = members(ocsf).into_iter().map(|member| member.name).collect();
    let is_own =
        |name: &String| !NOT_KEPT.contains(&name.as_str()) && (named.contains(name) || !as_they_came.contains(name));
    let fields = schema.fields().iter().enumerate();
    let is_flat = |field: &Field| match field.data_type() {
        DataType::Utf8 => is_own(field.name()),
        DataType::List(item) => *item.data_type() == DataType::Utf8 && is_own(field.name()),
        // The digests of rows are a third of what facts would weigh, and no question is about them.
        DataType::Struct(_) | DataType::Binary | DataType::FixedSizeBinary(_) => false,
        _ => true,
    };
    fields.filter(|(_, field)| is_flat(field)).map(|(at, _)| at).collect()
}
