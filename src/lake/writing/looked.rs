//! By what events are excluded from files, without a look at their rows.

use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::super::files::file::FileEntry;
use super::super::fingerprints::{Fingerprints, Folder};
use super::super::reading::read::{self, Excluding};
use super::indexed::{Candidate, Rows};
use crate::error::{Context, Error, Kind, Result};

/// Files that are looked at together, and the rows that they have at most.
const TOGETHER_FILES: usize = 8192;
const TOGETHER_ROWS: u64 = 1 << 19;

/// Files whose filters one task reads, and tasks that are at it.
const FILES_A_TASK: usize = 32;
const TASKS: usize = 4;

/// The knowledge about one file.
#[derive(Debug)]
pub enum Looked {
    Outside(Excluding),
    Printed(Fingerprints),
    Inside(Rows),
}

impl Looked {
    /// Whether the file may have a row of the candidate's uid or, without one, of its line.
    pub fn may_hold(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Looked::Outside(excluding) => excluding.may_hold(candidate.uid),
            Looked::Printed(fingerprints) => fingerprints.may_hold(candidate.key.uid),
            Looked::Inside(_) => true,
        }
    }

    pub fn memory_size(&self) -> usize {
        match self {
            Looked::Outside(excluding) => excluding.memory_size(),
            Looked::Printed(fingerprints) => fingerprints.memory_size(),
            Looked::Inside(rows) => rows.memory_size(),
        }
    }
}

/// Reads by what uids are excluded from files, in the order of the files: fingerprints, and filters where there are none.
pub fn looks(
    store: &Arc<dyn ObjectStore>,
    folder: Folder,
    files: Vec<Arc<FileEntry>>,
) -> impl Stream<Item = Result<(Arc<FileEntry>, Looked)>> + Unpin + use<> {
    let (store, folder) = (store.clone(), Arc::new(folder));
    let pieces = together(files).into_iter().map(move |files| {
        let (store, folder) = (store.clone(), folder.clone());
        async move { Ok::<_, Error>(futures::stream::iter(look(&store, &folder, files).await?.into_iter().map(Ok))) }
    });
    futures::stream::iter(pieces).then(|piece| piece).try_flatten().boxed()
}

async fn look(
    store: &Arc<dyn ObjectStore>,
    folder: &Folder,
    files: Vec<Arc<FileEntry>>,
) -> Result<Vec<(Arc<FileEntry>, Looked)>> {
    let mut printed = folder.read(&files).await;
    let others = files.iter().filter(|file| !printed.contains_key(&file.sha256)).cloned().collect();
    let mut others = excluding(store, others);
    let mut looked = Vec::with_capacity(files.len());
    for file in files {
        let look = match printed.remove(&file.sha256) {
            Some(fingerprints) => Looked::Printed(fingerprints),
            None => match others.try_next().await? {
                Some((_, excluding)) => Looked::Outside(excluding),
                None => return Err(Error::new(Kind::Internal, format!("{file} was not looked at"))),
            },
        };
        looked.push((file, look));
    }
    Ok(looked)
}

/// The files, in pieces that take little memory.
fn together(files: Vec<Arc<FileEntry>>) -> Vec<Vec<Arc<FileEntry>>> {
    let mut pieces: Vec<Vec<Arc<FileEntry>>> = Vec::new();
    let mut rows = 0;
    for file in files {
        rows += file.rows;
        match pieces.last_mut() {
            Some(piece) if piece.len() < TOGETHER_FILES && rows <= TOGETHER_ROWS => piece.push(file),
            _ => {
                rows = file.rows;
                pieces.push(vec![file]);
            }
        }
    }
    pieces
}

/// Reads the filters or fingerprints that exclude uids from files, in their order, in several tasks.
fn excluding(
    store: &Arc<dyn ObjectStore>,
    files: Vec<Arc<FileEntry>>,
) -> impl Stream<Item = Result<(Arc<FileEntry>, Excluding)>> + Unpin + use<> {
    let store = store.clone();
    let some: Vec<Vec<Arc<FileEntry>>> = files.chunks(FILES_A_TASK).map(<[_]>::to_vec).collect();
    let tasks = some.into_iter().map(move |files| {
        let store = store.clone();
        let task = async move {
            let mut read = Vec::with_capacity(files.len());
            for file in files {
                let excluding = read::excluding(&store, &file).await?;
                read.push(Ok((file, excluding)));
            }
            Ok::<_, Error>(futures::stream::iter(read))
        };
        async move { tokio::spawn(task).await.context(Kind::Internal, || "a task that reads filters stopped")? }
    });
    futures::stream::iter(tasks).buffered(TASKS).try_flatten().boxed()
}
