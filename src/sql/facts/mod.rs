//! Facts: what one event alone says, worked out once and kept as narrow Parquet files.
//!
//! ```text
//! data file --event_row, as the catalogue has it--> _facts/<sha256 of the data file>-<definition>.parquet
//!                                                   one row an event, flat columns, the same for all classes
//! ```
//!
//! Row by row, facts are those of the events of the data file. So they also find events: what only the tables of classes
//! have is read of the rows that facts name (`event::found`).
//!
//! A question about events reads some forty flat columns in place of ten tables with two hundred and fifty nested ones
//! each, and its plan has one scan. The SQL of `event_row` is the only definition: facts are its rows.
//!
//! They are a cache and never a source. A file is named after the data file that it was made of and after everything that
//! decides what is in it, and says so itself; one that is missing, torn or of another definition is made anew by the
//! first reader. Where the lake cannot be written they are kept in a folder for caches, and where there is none the
//! tables of classes answer. The data files are compared with the ledger all the same, as far as a scan of them would.

mod check;
mod definition;
mod encode;
mod open;
mod place;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, exec_err};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;

use super::engine::fact::Fact;
use super::engine::footers::Footers;
use super::engine::late::physical;
use super::event::Rows;
use super::tables::table::LakeTable;
use crate::lake::{FileEntry, State};
use crate::schema::EventClass;

pub use check::WrongFacts;
pub use open::open;

use definition::Definition;
use encode::Encoder;
use place::{Place, Places};

/// The view whose rows facts are.
pub const EVENTS: &str = "event_row";
/// Rows of small files that one plan reads.
const ROWS_OF_A_RUN: u64 = 8 << 10;
/// Plans that derive at the same time.
const DERIVED_AT_ONCE: usize = 2;
/// Files that are looked at at the same time.
const LOOKED_AT_ONCE: usize = 16;

/// The facts of a session.
pub struct Facts {
    definition: Definition,
    places: Places,
    store: Arc<dyn ObjectStore>,
    state: Arc<State>,
    footers: Arc<Footers>,
    /// Data files whose footers are those of the ledger.
    sound: Mutex<HashMap<String, ()>>,
    deriving: tokio::sync::Mutex<()>,
}

impl Facts {
    pub fn new(
        definition: Definition,
        state: Arc<State>,
        places: Places,
        (store, footers): (Arc<dyn ObjectStore>, Arc<Footers>),
    ) -> Facts {
        Facts {
            definition,
            places,
            store,
            state,
            footers,
            sound: Mutex::default(),
            deriving: tokio::sync::Mutex::default(),
        }
    }

    /// Whether facts are the rows of this query.
    pub fn are_of(&self, view: &Sql) -> bool {
        self.definition.is_of(view)
    }

    /// The data files of a class.
    pub fn files(&self, class: &str) -> &[Arc<FileEntry>] {
        self.state.tables.get(class).map(|table| table.files.as_slice()).unwrap_or_default()
    }

    /// Data files of a class as its table.
    pub fn data(&self, class: &EventClass, files: Vec<Arc<FileEntry>>) -> LakeTable {
        LakeTable::new(class.arrow.clone(), self.state.lake.partition.column(), files, self.footers.clone())
    }

    /// Data files of any classes as a table that has the columns of facts, to be asked which of them may match.
    pub fn candidates(&self, schema: SchemaRef, files: Vec<Arc<FileEntry>>) -> LakeTable {
        LakeTable::new(schema, self.state.lake.partition.column(), files, self.footers.clone())
    }

    /// The facts of these data files, which are made where they are not there, if they may be; `None` when they can be
    /// kept nowhere.
    pub async fn of_files(
        &self,
        state: &SessionState,
        schema: &SchemaRef,
        files: &[Arc<FileEntry>],
        rows: &Rows,
        may_make: bool,
    ) -> Result<Option<Made>> {
        self.check(files).await?;
        let lake = std::iter::once(self.places.lake());
        // Only where the lake takes none is the other place opened.
        for place in lake.chain(std::iter::once_with(|| self.places.elsewhere()).flatten()) {
            let mut found = self.there(place, files).await?;
            if found.is_none() && may_make && place.may_be_written() {
                found = self.derive(place, state, schema, files, rows).await?;
            }
            if let Some(facts) = found {
                return Ok(Some(Made { facts, schema: schema.clone(), footers: place.footers().clone() }));
            }
        }
        Ok(None)
    }

    /// Compares the data files with the ledger, each once in a session.
    async fn check(&self, files: &[Arc<FileEntry>]) -> Result<()> {
        let unknown: Vec<Arc<FileEntry>> = {
            let sound = self.sound.lock().unwrap_or_else(PoisonError::into_inner);
            files.iter().filter(|file| !sound.contains_key(&file.path())).cloned().collect()
        };
        let checks = unknown.into_iter().map(|file| {
            let store = self.store.clone();
            SpawnedTask::spawn(async move {
                file.footer().check(&store, &file.data_path(), file.bytes).await.map(|()| file.path())
            })
        });
        let mut checks =
            stream::iter(checks.collect::<Vec<_>>()).map(SpawnedTask::join_unwind).buffered(LOOKED_AT_ONCE);
        while let Some(checked) = checks.next().await {
            let checked = checked.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
            let path = checked.map_err(|error| DataFusionError::External(Box::new(error)))?;
            self.sound.lock().unwrap_or_else(PoisonError::into_inner).insert(path, ());
        }
        Ok(())
    }

    /// The facts of data files in one place, those that were missing with them; `None` when one cannot be written there.
    async fn derive(
        &self,
        place: &Arc<Place>,
        state: &SessionState,
        schema: &SchemaRef,
        files: &[Arc<FileEntry>],
        rows: &Rows,
    ) -> Result<Option<Vec<Arc<Fact>>>> {
        // Two statements that miss the same facts: the second waits for the first, and finds them.
        let _turn = self.deriving.lock().await;
        let there = self.look(place, files).await?;
        let missing: Vec<&Arc<FileEntry>> =
            files.iter().zip(&there).filter(|(_, fact)| fact.is_none()).map(|(file, _)| file).collect();
        let mut work = Vec::new();
        for files in runs(missing) {
            let Some(first) = files.first() else { continue };
            let (class, plan) = rows.recipe(state, first.table()).await?;
            let definition = self.definition.of(&class);
            let plan = over(&plan, &files, &class, self)?;
            let (state, schema, place) = (state.clone(), schema.clone(), place.clone());
            work.push(async move { make(&state, &plan, &files, (&schema, &definition), &place).await });
        }
        let mut done =
            stream::iter(work).map(SpawnedTask::spawn).map(SpawnedTask::join_unwind).buffered(DERIVED_AT_ONCE);
        while let Some(one) = done.next().await {
            let is_kept = one.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            if !is_kept {
                return Ok(None);
            }
        }
        self.there(place, files).await
    }

    /// The facts of data files, when all of them are there.
    async fn there(&self, place: &Arc<Place>, files: &[Arc<FileEntry>]) -> Result<Option<Vec<Arc<Fact>>>> {
        Ok(self.look(place, files).await?.into_iter().collect())
    }

    async fn look(&self, place: &Arc<Place>, files: &[Arc<FileEntry>]) -> Result<Vec<Option<Arc<Fact>>>> {
        let looks = files.iter().map(|file| {
            let (place, file, definition) = (place.clone(), file.clone(), self.definition.of_table(file.table()));
            async move {
                match definition {
                    Some((class_uid, definition)) => place.look(&file, class_uid, &definition).await,
                    None => Ok(None),
                }
            }
        });
        stream::iter(looks.collect::<Vec<_>>()).buffered(LOOKED_AT_ONCE).try_collect().await
    }
}

/// Facts that are there.
pub struct Made {
    pub facts: Vec<Arc<Fact>>,
    schema: SchemaRef,
    footers: Arc<Footers>,
}

impl Made {
    pub fn table(&self) -> LakeTable {
        self.of(self.facts.clone())
    }

    /// Some of them.
    pub fn of(&self, facts: Vec<Arc<Fact>>) -> LakeTable {
        LakeTable::of_facts(self.schema.clone(), facts, self.footers.clone())
    }
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Facts")
    }
}

/// Files that are read by one plan: planning takes longer than making the facts of some dozen rows. All are of one class,
/// in the order in which a scan reads them.
fn runs(mut files: Vec<&Arc<FileEntry>>) -> Vec<Vec<Arc<FileEntry>>> {
    files.sort_by_key(|file| (file.table(), file.min_time_us, file.max_time_us));
    let mut runs: Vec<Vec<Arc<FileEntry>>> = Vec::new();
    let mut rows = 0;
    for file in files {
        rows += file.rows;
        match runs.last_mut() {
            Some(run) if run[0].table() == file.table() && rows <= ROWS_OF_A_RUN => run.push(file.clone()),
            _ => {
                rows = file.rows;
                runs.push(vec![file.clone()]);
            }
        }
    }
    runs
}

/// Makes and keeps the facts of data files that one plan reads one after another; `false` when they cannot be kept.
async fn make(
    state: &SessionState,
    plan: &LogicalPlan,
    files: &[Arc<FileEntry>],
    (schema, definition): (&SchemaRef, &str),
    place: &Place,
) -> Result<bool> {
    let plan = physical(state, plan).await?;
    let mut rows = execute_stream(plan, state.task_ctx())?;
    let mut rest: Option<RecordBatch> = None;
    for file in files {
        let mut encoder = Encoder::new(schema, file, definition)?;
        while encoder.missing() > 0 {
            let batch = match rest.take() {
                Some(batch) => batch,
                None => match rows.try_next().await? {
                    Some(batch) => batch,
                    None => break,
                },
            };
            let count = encoder.missing().min(batch.num_rows());
            encoder.write(&batch.slice(0, count))?;
            rest = (count < batch.num_rows()).then(|| batch.slice(count, batch.num_rows() - count));
        }
        if !place.put(file, definition, encoder.finish()?).await {
            return Ok(false);
        }
    }
    while let Some(batch) = rows.try_next().await? {
        if batch.num_rows() > 0 {
            return exec_err!("more facts were made than there are events");
        }
    }
    Ok(true)
}

/// The plan over data files in place of the class's table, which are read one after another.
fn over(plan: &LogicalPlan, files: &[Arc<FileEntry>], class: &EventClass, facts: &Facts) -> Result<LogicalPlan> {
    over_table(plan, facts.data(class, files.to_vec()).in_order())
}

/// The plan over these rows in place of the class's table.
pub fn over_table(plan: &LogicalPlan, table: LakeTable) -> Result<LogicalPlan> {
    let source = provider_as_source(Arc::new(table));
    let swapped = plan.clone().transform_up(|node| {
        Ok(match node {
            LogicalPlan::TableScan(mut scan) => {
                scan.source = source.clone();
                Transformed::yes(LogicalPlan::TableScan(scan))
            }
            node => Transformed::no(node),
        })
    })?;
    Ok(swapped.data)
}
