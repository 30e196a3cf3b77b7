//! Tables that learn how many rows are wanted from them, and in what order.
//!
//! The engine tells a table about a `limit`, but not about `order by time desc limit 20`. A table that finds rows
//! before it reads them then reads everything that the filters leave, to keep twenty.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::late::{First, Telling, of_engine};

/// The most rows to look for one by one. Beyond that, reading whole files is faster.
pub const MOST: usize = 10_000;

/// Rows that can learn which of them come first, as a table, and what it has learned.
#[derive(Debug)]
pub struct Told {
    table: Arc<dyn Telling>,
    first: Option<First>,
}

impl Told {
    /// Makes a table that has learned nothing yet.
    pub fn nothing(table: Arc<dyn Telling>) -> Told {
        Told { table, first: None }
    }

    /// Returns the same table, which now knows; `None` when it already knew.
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
