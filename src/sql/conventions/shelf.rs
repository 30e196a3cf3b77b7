//! The tables that were made for statements, by the name of their content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use tokio::sync::OnceCell;

use super::super::event::Rows;
use super::kept::Kept;

/// A schema that finds its tables and lists none: users do not name them.
#[derive(Debug, Default)]
pub struct Shelf {
    tables: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
    /// The tables whose rows are kept.
    kept: Mutex<HashMap<String, Arc<Kept>>>,
    /// The events of all classes, as far as statements asked for them.
    rows: Mutex<Option<Arc<Rows>>>,
    /// One cell for each name, so that of two statements one makes what both need.
    making: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
}

impl Shelf {
    pub fn making(&self, name: &str) -> Arc<OnceCell<()>> {
        lock(&self.making).entry(name.to_string()).or_default().clone()
    }

    pub fn put(&self, name: &str, table: Arc<dyn TableProvider>) {
        lock(&self.tables).insert(name.to_string(), table);
    }

    pub fn keep(&self, name: &str, rows: Arc<Kept>) {
        lock(&self.kept).insert(name.to_string(), rows);
    }

    /// Returns the kept rows of this name; `None` where there are no rows.
    pub fn kept(&self, name: &str) -> Option<Arc<Kept>> {
        lock(&self.kept).get(name).cloned()
    }

    pub fn of_events(&self) -> Option<Arc<Rows>> {
        lock(&self.rows).clone()
    }

    pub fn keep_events(&self, rows: Arc<Rows>) {
        *lock(&self.rows) = Some(rows);
    }

    pub fn get(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        lock(&self.tables).get(name).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl SchemaProvider for Shelf {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.get(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Returns a table that has columns and is never read: for `describe` and the information schema.
pub fn declared(schema: SchemaRef) -> Arc<dyn TableProvider> {
    Arc::new(Declared { schema })
}

#[derive(Debug)]
struct Declared {
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for Declared {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(DataFusionError::Plan("a view is named alone, without a catalog before it".to_string()))
    }
}
