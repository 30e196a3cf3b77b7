//! Facts compared with the data files that they were made of.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::engine::late::physical;
use super::super::event::Rows;
use super::{Facts, encode, over};
use crate::error::{Context, Kind, Result as OurResult};
use crate::lake::{FACTS, FileEntry, fact_path};

/// A fault of a file of facts. None of them loses anything: the file can be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongFacts {
    /// Below the lake's folder.
    pub path: String,
    pub fault: &'static str,
    /// Nobody reads it.
    pub is_left_over: bool,
}

impl Facts {
    /// Compares all facts in the lake with what the tables of classes say.
    pub async fn check_all(&self, state: &SessionState, rows: &Rows) -> Result<Vec<WrongFacts>> {
        let mut expected = std::collections::HashMap::new();
        for table in self.state.tables.keys() {
            let Some((_, definition)) = self.definition.of_table(table) else { continue };
            for file in self.files(table) {
                let path = fact_path(&file.sha256, &definition);
                expected.insert(path, (file.clone(), definition.clone()));
            }
        }
        let mut wrong = Vec::new();
        for path in listed(&self.store).await.map_err(external)? {
            let (fault, is_left_over) = match expected.get(&path) {
                None => (Some("facts of another definition, or of a data file that is no more"), true),
                Some((file, definition)) => (self.fault(state, rows, &path, file, definition).await?, false),
            };
            wrong.extend(fault.map(|fault| WrongFacts { path: path.to_string(), fault, is_left_over }));
        }
        Ok(wrong)
    }

    /// Removes files of facts; those that are needed are made anew when somebody asks.
    pub async fn remove(&self, wrong: &[WrongFacts]) -> OurResult<()> {
        for WrongFacts { path, .. } in wrong {
            match self.store.delete(&Path::from(path.as_str())).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error).context(Kind::Unavailable, || format!("cannot remove {path}")),
            }
        }
        Ok(())
    }

    async fn fault(
        &self,
        state: &SessionState,
        rows: &Rows,
        path: &Path,
        file: &Arc<FileEntry>,
        definition: &str,
    ) -> Result<Option<&'static str>> {
        let (class, plan) = rows.recipe(state, file.table()).await?;
        let plan = physical(state, &over(&plan, std::slice::from_ref(file), &class, self)?).await?;
        let stream = execute_stream(plan, state.task_ctx())?;
        let Some(schema) = rows.schema_of_facts() else { return Ok(None) };
        let made = Bytes::from(encode::encode(stream, &schema, file, definition).await?);
        let found = async { self.store.get(path).await?.bytes().await };
        let found = match found.await {
            Ok(found) => found,
            // Somebody has removed it meanwhile.
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(DataFusionError::from(error)),
        };
        Ok(if found == made || same_rows(&found, &made) {
            None
        } else {
            Some("these facts are not what the tables of classes say")
        })
    }
}

/// Whether two files have the same rows, however they are encoded.
fn same_rows(found: &Bytes, made: &Bytes) -> bool {
    let rows = |bytes: &Bytes| {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).ok()?.with_batch_size(8192).build().ok()?;
        reader.collect::<std::result::Result<Vec<_>, _>>().ok()
    };
    matches!((rows(found), rows(made)), (Some(found), Some(made)) if found == made)
}

async fn listed(store: &Arc<dyn ObjectStore>) -> OurResult<Vec<Path>> {
    let mut paths = Vec::new();
    let mut objects = store.list(Some(&Path::from(FACTS)));
    while let Some(object) = objects.next().await {
        paths.push(object.context(Kind::Unavailable, || format!("cannot list `{FACTS}`"))?.location);
    }
    Ok(paths)
}

fn external(error: crate::error::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
