//! The durable object store of a lake on a local disk.
//!
//! `object_store`'s own local store never calls fsync: after a power cut its acknowledged writes can be gone. This one
//! writes to a temporary file, syncs it, links or renames it into place and syncs the directory and each parent it
//! made, before it answers. Reads are delegated. Delta's commits and checkpoints go through it too.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode, Result, UploadPart,
};

use crate::failpoint;

const STORE: &str = "local disk";
/// Bytes that are read at once, on the thread that asks: what a disk gives in about a tenth of a millisecond.
const SMALL_READ: u64 = 256 * 1024;
/// Begins the name of a file that is being written. It cannot occur in an object path, so no listing shows the file.
pub const TEMPORARY_PREFIX: &str = "#";

/// Files below one directory, each write on the disk when its call returns.
#[derive(Debug)]
pub struct Durable {
    root: Arc<PathBuf>,
    inner: LocalFileSystem,
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
        Ok(Durable { root: Arc::new(root.to_path_buf()), inner })
    }

    fn place(&self, path: &Path) -> Result<PathBuf> {
        self.inner.path_to_filesystem(path)
    }

    /// Writes several new files and syncs their directory once; none may exist.
    pub async fn put_all(&self, files: Vec<(Path, bytes::Bytes)>) -> Result<()> {
        let mut places = Vec::with_capacity(files.len());
        for (path, bytes) in files {
            places.push((path.to_string(), self.place(&path)?, bytes));
        }
        let root = self.root.clone();
        blocking(move || {
            let mut parents = Vec::new();
            let mut written = Vec::with_capacity(places.len());
            for (name, place, bytes) in places {
                let parent = parent_of(&place);
                ensure_dir(&root, &parent).map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.begin");
                let mut file =
                    OpenOptions::new().write(true).create_new(true).open(&place).map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.opened");
                file.write_all(&bytes).map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.written");
                written.push((name, file));
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            // All are written before the first is synced: a journal takes the others along.
            for (name, file) in written {
                file.sync_all().map_err(|e| generic(&name, e))?;
                failpoint::reached("stage.synced");
            }
            parents.iter().try_for_each(|parent| sync_dir(parent).map_err(|e| generic("directory", e)))?;
            failpoint::reached("stage.named");
            Ok(())
        })
        .await
    }

    /// Syncs directories, those that are there: names in them may be the work of a process that died before its sync.
    pub async fn sync_dirs(&self, dirs: Vec<Path>) -> Result<()> {
        let places: Vec<PathBuf> = dirs.iter().map(|dir| self.root.join(dir.as_ref())).collect();
        blocking(move || {
            for place in places.iter().filter(|place| place.is_dir()) {
                sync_dir(place).map_err(|e| generic(&place.to_string_lossy(), e))?;
            }
            Ok(())
        })
        .await
    }

    /// The names in a directory, without looking at what they name; none when it is not there.
    pub async fn names(&self, dir: &Path) -> Result<Vec<String>> {
        let place = self.root.join(dir.as_ref());
        blocking(move || {
            let failed = |error| generic(&place.to_string_lossy(), error);
            let entries = match fs::read_dir(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries.map_err(failed)?,
            };
            // A name that is no text is none of ours.
            let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
            entries.filter_map(|entry| name(entry).transpose()).collect::<io::Result<_>>().map_err(failed)
        })
        .await
    }

    /// Removes files; one that is gone is fine.
    pub async fn remove_all(&self, paths: Vec<Path>) -> Result<()> {
        for path in paths {
            match self.delete(&path).await {
                Err(Error::NotFound { .. }) => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    /// Moves several files and syncs each directory once; gives those that are neither here nor there. A file that
    /// already moved is fine: moving is repeatable.
    pub async fn rename_all(&self, moves: Vec<(Path, Path)>) -> Result<Vec<Path>> {
        let mut places = Vec::with_capacity(moves.len());
        for (from, to) in moves {
            places.push((to.clone(), self.place(&from)?, self.place(&to)?));
        }
        let root = self.root.clone();
        blocking(move || {
            let (mut parents, mut missing) = (Vec::new(), Vec::new());
            for (path, from, to) in places {
                let parent = parent_of(&to);
                ensure_dir(&root, &parent).map_err(|e| generic(path.as_ref(), e))?;
                failpoint::reached("move.begin");
                match fs::rename(&from, &to) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        if !to.exists() {
                            missing.push(path);
                            continue;
                        }
                    }
                    Err(error) => return Err(generic(path.as_ref(), error)),
                }
                failpoint::reached("move.moved");
                for parent in [parent, parent_of(&from)] {
                    if !parents.contains(&parent) {
                        parents.push(parent);
                    }
                }
            }
            let parents = parents.iter().filter(|parent| parent.is_dir());
            parents.into_iter().try_for_each(|parent| sync_dir(parent).map_err(|e| generic("directory", e)))?;
            failpoint::reached("move.synced");
            Ok(missing)
        })
        .await
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
        let (root, name) = (self.root.clone(), location.to_string());
        blocking(move || write(&root, &name, &place, &payload, create)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let upload = Upload {
            root: self.root.clone(),
            name: location.to_string(),
            place: self.place(location)?,
            parts: Default::default(),
        };
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        // A query over many small files would wake another thread for each of them, to copy a few pages.
        if ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum::<u64>() > SMALL_READ {
            return self.inner.get_ranges(location, ranges).await;
        }
        let place = self.place(location)?;
        read(&place, ranges).map_err(|error| generic(location.as_ref(), error))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (root, inner) = (self.root.clone(), self.inner.clone());
        locations
            .then(move |location| {
                let (root, inner) = (root.clone(), inner.clone());
                async move {
                    let location = location?;
                    let place = inner.path_to_filesystem(&location)?;
                    let name = location.to_string();
                    blocking(move || {
                        failpoint::reached("delete.begin");
                        fs::remove_file(&place).map_err(|e| generic(&name, e))?;
                        failpoint::reached("delete.removed");
                        sync_dir(place.parent().unwrap_or(&root)).map_err(|e| generic(&name, e))?;
                        failpoint::reached("delete.synced");
                        Ok(())
                    })
                    .await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    // The trait's own default stats every file before it drops those that come before the offset: Delta logs are long.
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (source, place) = (self.place(from)?, self.place(to)?);
        let (root, name) = (self.root.clone(), to.to_string());
        let create = options.mode == CopyMode::Create;
        blocking(move || {
            let bytes = fs::read(&source).map_err(|e| generic(&name, e))?;
            write(&root, &name, &place, &PutPayload::from(bytes), create)
        })
        .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if options.target_mode == RenameTargetMode::Create && self.place(to)?.exists() {
            return Err(exists(to.as_ref()));
        }
        match self.rename_all(vec![(from.clone(), to.clone())]).await?.is_empty() {
            true => Ok(()),
            false => Err(generic(from.as_ref(), io::ErrorKind::NotFound.into())),
        }
    }
}

/// A multipart upload, kept in memory until it is complete: only Delta's checkpoints could take this way.
#[derive(Debug)]
struct Upload {
    root: Arc<PathBuf>,
    name: String,
    place: PathBuf,
    parts: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.push(data);
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let payload = self.parts.drain(..).flatten().collect::<PutPayload>();
        let (root, name, place) = (self.root.clone(), self.name.clone(), self.place.clone());
        blocking(move || write(&root, &name, &place, &payload, false)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        Ok(())
    }
}

/// How often a file is written again whose temporary file somebody cleared away.
const ATTEMPTS: u32 = 5;

/// Writes one file so that it is on the disk, whole, under its name, or not there at all.
///
/// Somebody who takes us for dead may clear our temporary file away: then it is written again.
fn write(root: &FsPath, name: &str, place: &FsPath, payload: &PutPayload, create: bool) -> Result<()> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match write_once(root, name, place, payload, create) {
            Err(error @ Error::NotFound { .. }) => last = Some(error),
            written => return written,
        }
    }
    Err(last.expect("an attempt failed"))
}

fn write_once(root: &FsPath, name: &str, place: &FsPath, payload: &PutPayload, create: bool) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let parent = parent_of(place);
    ensure_dir(root, &parent).map_err(|e| generic(name, e))?;
    failpoint::reached("write.begin");
    // A name that is there may be another link of a file that a process with our id wrote: it must not be truncated.
    let (temporary, mut file) = loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = parent.join(format!("{TEMPORARY_PREFIX}{}-{number}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => break (temporary, file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(generic(name, error)),
        }
    };
    failpoint::reached("write.opened");
    let written: io::Result<()> = (|| {
        for bytes in payload {
            file.write_all(bytes)?;
        }
        failpoint::reached("write.written");
        file.sync_all()?;
        failpoint::reached("write.synced");
        // A link fails when the name is taken, a rename replaces it: both are atomic.
        if create {
            fs::hard_link(&temporary, place)?
        } else {
            fs::rename(&temporary, place)?
        }
        failpoint::reached("write.named");
        Ok(())
    })();
    let cleaned = if create || written.is_err() { remove_if_there(&temporary) } else { Ok(()) };
    failpoint::reached("write.cleaned");
    match written {
        // Whoever hears that the name is taken builds on it: it must be on the disk, although another wrote it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            sync_dir(&parent).map_err(|e| generic(name, e))?;
            return Err(exists(name));
        }
        Err(error) => return Err(generic(name, error)),
        Ok(()) => {}
    }
    cleaned.and_then(|()| sync_dir(&parent)).map_err(|e| generic(name, e))?;
    failpoint::reached("write.done");
    Ok(())
}

fn remove_if_there(place: &FsPath) -> io::Result<()> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read(place: &FsPath, ranges: &[Range<u64>]) -> io::Result<Vec<bytes::Bytes>> {
    let mut file = File::open(place)?;
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        let length = range.end.saturating_sub(range.start);
        // Into memory that is not cleared before: that took as long as the reading.
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

/// Makes a directory, with missing parents, so that it is there after a power cut.
pub fn make_dir(dir: &FsPath) -> io::Result<()> {
    ensure_dir(FsPath::new("/"), &std::path::absolute(dir)?)
}

/// Makes a directory and its missing parents below `root`, and syncs the parent of each one it made.
fn ensure_dir(root: &FsPath, dir: &FsPath) -> io::Result<()> {
    if dir == root || dir.is_dir() {
        return Ok(());
    }
    let parent = parent_of(dir);
    ensure_dir(root, &parent)?;
    failpoint::reached("directory.begin");
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    failpoint::reached("directory.made");
    sync_dir(&parent)?;
    failpoint::reached("directory.synced");
    Ok(())
}

pub(super) fn sync_dir(dir: &FsPath) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent_of(place: &FsPath) -> PathBuf {
    place.parent().map(FsPath::to_path_buf).unwrap_or_default()
}

fn generic(name: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: name.into(), source: error.into() },
        io::ErrorKind::AlreadyExists => exists(name),
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: name.into(), source: error.into() },
        _ => Error::Generic { store: STORE, source: format!("{name}: {error}").into() },
    }
}

fn exists(name: &str) -> Error {
    Error::AlreadyExists { path: name.into(), source: "the name is taken".into() }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Generic { store: STORE, source: error.into() }),
    }
}

#[cfg(test)]
mod tests {
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
