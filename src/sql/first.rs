//! Tables that are told how many rows are wanted of them, and in what order.
//!
//! The engine tells a table of a `limit`, and not of `order by time desc limit 20`. A table that finds rows before it
//! reads them then reads all that the filters leave, to keep twenty.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, SortExpr, TableProviderFilterPushDown, TableType, ident};
use datafusion::physical_plan::ExecutionPlan;

use super::event::Rows;
use super::late::{Late, of_engine};

/// The first rows in an order of columns. A table that is asked for them may give more.
#[derive(Debug, Clone, PartialEq)]
pub struct First {
    pub keys: Vec<Key>,
    pub count: usize,
}

/// A column of the table, and how it is ordered by.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub column: String,
    pub asc: bool,
    pub nulls_first: bool,
}

impl First {
    /// Of the rows of a plan.
    pub fn of(&self, plan: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let keys = self.keys.iter().map(|key| SortExpr::new(ident(&key.column), key.asc, key.nulls_first));
        plan.sort_with_limit(keys.collect::<Vec<_>>(), Some(self.count))
    }
}

/// A table of events that need not give all its rows.
#[derive(Debug)]
pub struct FirstRows {
    table: Arc<dyn TableProvider>,
    first: First,
}

impl FirstRows {
    /// `None` of tables that make nothing of it.
    pub fn new(table: Arc<dyn TableProvider>, first: First) -> Option<FirstRows> {
        let any = table.as_ref() as &dyn Any;
        (any.is::<Late>() || any.is::<Rows>()).then_some(FirstRows { table, first })
    }
}

#[async_trait]
impl TableProvider for FirstRows {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    fn statistics(&self) -> Option<Statistics> {
        None
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.table.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (engine, table) = (of_engine(state)?, self.table.as_ref() as &dyn Any);
        if let Some(late) = table.downcast_ref::<Late>() {
            return late.scanned(engine, projection, filters, limit, Some(&self.first)).await;
        }
        match table.downcast_ref::<Rows>() {
            Some(rows) => rows.scanned(engine, projection, filters, limit, Some(&self.first)).await,
            None => self.table.scan(state, projection, filters, limit).await,
        }
    }
}
