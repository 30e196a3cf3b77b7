//! Tables that are told how many rows are wanted of them, and in what order.
//!
//! The engine tells a table of a `limit`, and not of `order by time desc limit 20`. A table that finds rows before it
//! reads them then reads all that the filters leave, to keep twenty.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::late::{First, Telling, of_engine};

/// Rows that are looked for at most, to be read one by one. Of more, reading whole files is faster.
pub const MOST: usize = 10_000;

/// Rows that can be told which of them come first, as a table, and what it was told.
#[derive(Debug)]
pub struct Told {
    table: Arc<dyn Telling>,
    first: Option<First>,
}

impl Told {
    /// A table that was told nothing yet.
    pub fn nothing(table: Arc<dyn Telling>) -> Told {
        Told { table, first: None }
    }

    /// The same table, which now knows; `None` when it knew already.
    pub fn first(&self, first: First) -> Option<Told> {
        self.first.is_none().then(|| Told { table: self.table.clone(), first: Some(first) })
    }
}

#[async_trait]
impl TableProvider for Told {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.table.scanned(of_engine(state)?, projection, filters, limit, self.first.as_ref()).await
    }
}
