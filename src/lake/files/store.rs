//! The durable object store of a lake on a local disk.
//!
//! `object_store`'s own local store never calls fsync: after a power cut its acknowledged writes can be gone. This one
//! writes to a temporary file, syncs it, links or renames it into place and syncs the directory and each parent it
//! made, before it answers. Reads are delegated. Delta's commits and checkpoints go through it too.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::layout::{Access, set_aside};
use super::upload::Upload;
use super::whole::{STORE, blocking, generic, write};
use crate::disk::remove;

/// Bytes that are read at once, on the calling thread: about a tenth of a millisecond of a disk's work.
const SMALL_READ: u64 = 256 * 1024;
/// Files below one directory, each write on the disk when its call returns.
#[derive(Debug)]
pub struct Durable {
    pub(in crate::lake) root: Arc<PathBuf>,
    inner: LocalFileSystem,
    /// The accounts that may read written files; only the owner until a call says otherwise.
    access: OnceLock<Access>,
}

impl fmt::Display for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Durable({})", self.root.display())
    }
}

impl Durable {
    /// Opens the store at `root`, which must exist.
    pub fn new(root: &FsPath) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(root)?;
        Ok(Durable { root: Arc::new(root.to_path_buf()), inner, access: OnceLock::new() })
    }

    /// Sets who may read files that are written from here on: entry 0 decides it, and reading that takes a store.
    pub fn open_to(&self, access: Access) {
        self.access.get_or_init(|| access);
    }

    pub(in crate::lake) fn access(&self) -> Access {
        self.access.get().copied().unwrap_or_default()
    }

    pub(in crate::lake) fn place(&self, path: &Path) -> Result<PathBuf> {
        self.inner.path_to_filesystem(path)
    }
}

#[async_trait]
impl ObjectStore for Durable {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let create = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "conditional update".into(),
                    implementer: STORE.into(),
                });
            }
        };
        let place = self.place(location)?;
        let (root, name, access) = (self.root.clone(), location.to_string(), self.access());
        blocking(move || write((&root, access), &name, &place, &payload, create)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let upload = Upload {
            root: self.root.clone(),
            access: self.access(),
            name: location.to_string(),
            place: self.place(location)?,
            parts: Default::default(),
        };
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match (self.inner.get_opts(location, options.clone()).await, set_aside(location)) {
            // It left its table, and somebody reads an older state.
            (Err(Error::NotFound { .. }), Some(aside)) => self.inner.get_opts(&aside, options).await,
            (got, _) => got,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        // A query over many small files would otherwise wake another thread for each of them, to copy a few pages.
        if ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum::<u64>() > SMALL_READ {
            return match (self.inner.get_ranges(location, ranges).await, set_aside(location)) {
                (Err(Error::NotFound { .. }), Some(aside)) => self.inner.get_ranges(&aside, ranges).await,
                (got, _) => got,
            };
        }
        let from = |location: &Path| {
            let place = self.place(location)?;
            read(&place, ranges).map_err(|error| generic(location.as_ref(), error))
        };
        match (from(location), set_aside(location)) {
            (Err(Error::NotFound { .. }), Some(aside)) => from(&aside),
            (got, _) => got,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let inner = self.inner.clone();
        locations
            .then(move |location| {
                let inner = inner.clone();
                async move {
                    let location = location?;
                    let place = inner.path_to_filesystem(&location)?;
                    let name = location.to_string();
                    blocking(move || remove(&place).map_err(|e| generic(&name, e))).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list(prefix))
    }

    // The trait's default stats every file before it drops those that come before the offset: Delta logs are long.
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    // Nobody copies or renames through the store: [`Durable::rename_all`] moves files.
    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".into(), implementer: STORE.into() })
    }
}

fn read(place: &FsPath, ranges: &[Range<u64>]) -> io::Result<Vec<bytes::Bytes>> {
    let mut file = File::open(place)?;
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        let length = range.end.saturating_sub(range.start);
        // The memory is not cleared before: that took as long as the reading.
        let mut bytes = Vec::with_capacity(length as usize);
        file.seek(io::SeekFrom::Start(range.start))?;
        (&file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        all.push(bytes.into());
    }
    Ok(all)
}

/// Sorts objects by name, which readers of Delta logs expect from every store except a local disk.
fn sorted(found: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let all = async move {
        let mut all: Vec<ObjectMeta> = found.try_collect().await?;
        all.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
    };
    stream::once(all).try_flatten().boxed()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use object_store::ObjectStoreExt;

    use super::super::layout::STAGING;
    use super::*;

    #[tokio::test]
    async fn create_refuses_a_name_that_is_taken_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let store = Durable::new(dir.path()).unwrap();
        let path = Path::from("a/b/x.json");
        let options = || PutOptions::from(PutMode::Create);
        store.put_opts(&path, "one".into(), options()).await.unwrap();
        let again = store.put_opts(&path, "two".into(), options()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })));
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "one");
        store.put(&path, "three".into()).await.unwrap();
        assert_eq!(fs::read(dir.path().join("a/b/x.json")).unwrap(), b"three");
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(dir.path().join(STAGING)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn moving_twice_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        let store = Durable::new(dir.path()).unwrap();
        let (from, to) = (Path::from("_staging/f"), Path::from("t/m=1/f"));
        store.put_all(vec![(from.clone(), "x".into())]).await.unwrap();
        for _ in 0..2 {
            assert!(store.rename_all(vec![(from.clone(), to.clone())]).await.unwrap().is_empty());
        }
        let gone = Path::from("t/m=1/gone");
        assert_eq!(store.rename_all(vec![(Path::from("_staging/gone"), gone.clone())]).await.unwrap(), [gone]);
        assert_eq!(store.get(&to).await.unwrap().bytes().await.unwrap(), "x");
    }

    #[tokio::test]
    async fn a_multipart_upload_appears_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let store = Durable::new(dir.path()).unwrap();
        let path = Path::from("up");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("ab".into()).await.unwrap();
        upload.put_part("cd".into()).await.unwrap();
        assert!(!dir.path().join("up").exists());
        upload.complete().await.unwrap();
        assert_eq!(fs::read(dir.path().join("up")).unwrap(), b"abcd");
    }
}
