//! The names that completion knows at once: tables and functions, and columns of classes from the schema.
//!
//! The columns of a view are known only when it is planned, which may take a second. That happens in the background,
//! for the views that a statement names, and nobody waits for it longer than [`PATIENCE`]: until it is done, completion
//! offers the names that are already known.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::schema::{Captions, EventClass, Ocsf};
use crate::sql::Session;

/// The longest that a key may wait.
const PATIENCE: Duration = Duration::from_millis(60);

/// A leaf, its path dotted; `[]` marks lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub path: String,
    pub captions: Option<Arc<Captions>>,
}

pub type Columns = Arc<Vec<Column>>;

/// The columns of views as far as they are known; it outlives a session, since the next one has the same views.
#[derive(Debug, Default)]
pub struct Shelf {
    columns: Mutex<HashMap<String, Option<Columns>>>,
    arrived: Condvar,
}

impl Shelf {
    /// Returns whether the columns of a view are asked for the first time, and so must be looked up.
    fn is_new(&self, name: &str) -> bool {
        let Ok(mut columns) = self.columns.lock() else { return false };
        let is_new = !columns.contains_key(name);
        if is_new {
            columns.insert(name.to_string(), None);
        }
        is_new
    }

    fn put(&self, name: &str, found: Vec<Column>) {
        if let Ok(mut columns) = self.columns.lock() {
            columns.insert(name.to_string(), Some(Arc::new(found)));
        }
        self.arrived.notify_all();
    }

    /// Returns the columns, if they are known by the deadline.
    fn wait(&self, name: &str, deadline: Instant) -> Option<Columns> {
        let mut columns = self.columns.lock().ok()?;
        loop {
            if let Some(Some(found)) = columns.get(name) {
                return Some(found.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            columns = self.arrived.wait_timeout(columns, left).ok()?.0;
        }
    }
}

/// A session's names.
pub struct Names {
    pub ocsf: Arc<Ocsf>,
    /// Tables in the order of the session.
    pub tables: Vec<String>,
    pub views: Vec<String>,
    pub functions: Vec<String>,
    pub reports: Vec<String>,
    classes: Mutex<HashMap<String, Columns>>,
    lookup: Option<Lookup>,
}

/// The session in which columns of views are looked up.
struct Lookup {
    session: Arc<Session>,
    handle: Handle,
    shelf: Arc<Shelf>,
}

impl Names {
    pub fn new(session: &Arc<Session>, handle: Handle, shelf: Arc<Shelf>, reports: Vec<String>) -> Names {
        let tables = session.tables();
        let views = tables.iter().filter(|table| table.kind.ends_with("view")).map(|table| table.name.clone());
        Names {
            ocsf: session.ocsf().clone(),
            views: views.collect(),
            tables: tables.into_iter().map(|table| table.name).collect(),
            functions: session.functions().into_iter().map(|function| function.name).collect(),
            reports,
            classes: Mutex::default(),
            lookup: Some(Lookup { session: session.clone(), handle, shelf }),
        }
    }

    pub fn is_table(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table == name)
    }

    /// Returns whether the columns of a view are being looked up, so that they will be known soon.
    pub fn is_looked_up(&self, table: &str) -> bool {
        self.lookup.is_some() && self.ocsf.by_name(table).is_none()
    }

    /// Begins to look up the columns of a view, if that was not done yet.
    pub fn prepare(&self, table: &str) {
        let Some(Lookup { session, handle, shelf }) = &self.lookup else { return };
        if self.ocsf.by_name(table).is_some() || !self.is_table(table) || !shelf.is_new(table) {
            return;
        }
        let (session, shelf, table) = (session.clone(), shelf.clone(), table.to_string());
        handle.spawn(async move {
            // A view that cannot be planned is still offered by name; a statement that reads it will say why.
            let columns = session.columns(&table).await.unwrap_or_default();
            shelf.put(&table, columns.into_iter().map(|column| Column { path: column.path, captions: None }).collect());
        });
    }

    /// Returns the columns of tables that are known now or very soon.
    pub fn columns(&self, tables: &[&str]) -> Vec<Option<Columns>> {
        tables.iter().for_each(|table| self.prepare(table));
        let deadline = Instant::now() + PATIENCE;
        let of_view = |table: &str| self.lookup.as_ref()?.shelf.wait(table, deadline);
        let columns = |table: &&str| match self.ocsf.by_name(table) {
            Some(class) => self.of_class(class),
            None => of_view(table),
        };
        tables.iter().map(columns).collect()
    }

    fn of_class(&self, class: &Arc<EventClass>) -> Option<Columns> {
        let mut classes = self.classes.lock().ok()?;
        let columns = classes.entry(class.name.clone()).or_insert_with(|| {
            let leaves = class.describe().into_iter().filter(|field| field.is_leaf);
            Arc::new(leaves.map(|field| Column { path: field.path, captions: field.captions }).collect())
        });
        Some(columns.clone())
    }
}

#[cfg(test)]
impl Names {
    /// Returns the names of a schema without a lake.
    pub fn of_schema(ocsf: Ocsf) -> Names {
        let classes = ocsf.classes().iter().map(|class| class.name.clone());
        Names {
            tables: classes.chain(["event".to_string(), "logon".to_string()]).collect(),
            views: vec!["event".to_string(), "logon".to_string()],
            functions: vec!["cidr_match".to_string(), "count".to_string()],
            reports: vec!["brute-force-by-user".to_string()],
            ocsf: Arc::new(ocsf),
            classes: Mutex::default(),
            lookup: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_columns_that_do_not_come() {
        let shelf = Arc::new(Shelf::default());
        assert!(shelf.is_new("slow") && !shelf.is_new("slow"));
        let begun = Instant::now();
        assert_eq!(shelf.wait("slow", begun + Duration::from_millis(20)), None);
        let writer = shelf.clone();
        let thread = std::thread::spawn(move || writer.put("slow", Vec::new()));
        assert_eq!(shelf.wait("slow", begun + Duration::from_secs(60)), Some(Arc::new(Vec::new())));
        thread.join().unwrap();
    }
}
