//! The place for query data that does not fit into memory: files without a name. The readers and the writer of one
//! share it: each gives its position.
//!
//! The engine's own spill files are removed by whoever drops them last. An abandoned statement may still hold its own
//! when the program ends, and a killed program removes nothing: gigabytes stayed behind. The system frees a file
//! without a name with the process, however that ends.

use std::env;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::{Stream, stream};

use super::super::error::CANNOT_SPILL;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// Makes the spill files of a session, whose total size is limited.
pub struct Spills {
    folder: PathBuf,
    used: Arc<Used>,
}

struct Used {
    bytes: AtomicU64,
    limit: u64,
}

impl Spills {
    /// Makes it. `folder`: `None` is the system's for temporary files; it is created when needed. `limit` in bytes,
    /// `None` is no limit.
    pub fn new(folder: Option<PathBuf>, limit: Option<u64>) -> Spills {
        let used = Used { bytes: AtomicU64::new(0), limit: limit.unwrap_or(u64::MAX) };
        Spills { folder: folder.unwrap_or_else(env::temp_dir), used: Arc::new(used) }
    }
}

impl TempFileFactory for Spills {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let made = std::fs::create_dir_all(&self.folder).and_then(|()| tempfile::tempfile_in(&self.folder));
        let file = made.map_err(|error| {
            let folder = self.folder.display();
            DataFusionError::ResourcesExhausted(format!("{CANNOT_SPILL} {folder}: {error} ({description})"))
        })?;
        let file = Nameless { file, bytes: AtomicU64::new(0), used: self.used.clone() };
        Ok(Arc::new(Spilled(Arc::new(file))))
    }
}

/// The file, for as long as anybody reads or writes it.
struct Nameless {
    file: File,
    bytes: AtomicU64,
    used: Arc<Used>,
}

impl Nameless {
    fn read(&self, position: u64) -> io::Result<Bytes> {
        let mut bytes = vec![0; CHUNK];
        let length = self.file.read_at(&mut bytes, position)?;
        bytes.truncate(length);
        Ok(bytes.into())
    }
}

impl Drop for Nameless {
    fn drop(&mut self) {
        self.used.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

struct Spilled(Arc<Nameless>);

impl SpillFile for Spilled {
    fn size(&self) -> Option<u64> {
        Some(self.0.bytes.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let chunks = stream::try_unfold((self.0.clone(), 0), |(file, position)| async move {
            let reader = file.clone();
            let read = SpawnedTask::spawn_blocking(move || reader.read(position)).join_unwind().await;
            let bytes = read.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            let next = position + bytes.len() as u64;
            Ok((!bytes.is_empty()).then_some((bytes, (file, next))))
        });
        Ok(Box::pin(chunks))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer(self.0.clone())))
    }
}

struct Writer(Arc<Nameless>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (file, length) = (&self.0, bytes.len() as u64);
        let used = file.used.bytes.fetch_add(length, Ordering::Relaxed) + length;
        // The bytes counted here are returned when the file is dropped, even if it cannot be written.
        let position = file.bytes.fetch_add(length, Ordering::Relaxed);
        if used > file.used.limit {
            let text = format!("spilled more than {} bytes of disk space", file.used.limit);
            return Err(io::Error::other(DataFusionError::ResourcesExhausted(text)));
        }
        file.file.write_all_at(bytes, position)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_and_leaves_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let spills = Spills::new(Some(dir.path().join("made")), None);
        let file = spills.create_temp_file("a sort").unwrap();
        let bytes: Vec<u8> = (0..3 * CHUNK + 5).map(|at| (at % 251) as u8).collect();
        for part in bytes.chunks(1000) {
            file.open_writer().unwrap().write_all(part).unwrap();
        }
        for _ in 0..2 {
            let read: Vec<Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
            assert_eq!(read.concat(), bytes);
        }
        assert_eq!(file.size(), Some(bytes.len() as u64));
        assert_eq!(std::fs::read_dir(dir.path().join("made")).unwrap().count(), 0);
    }

    #[test]
    fn all_files_share_the_limit_and_give_back_what_they_held() {
        let dir = tempfile::tempdir().unwrap();
        let spills = Spills::new(Some(dir.path().to_path_buf()), Some(100));
        let (one, other) = (spills.create_temp_file("one").unwrap(), spills.create_temp_file("other").unwrap());
        one.open_writer().unwrap().write_all(&[0; 60]).unwrap();
        let error = other.open_writer().unwrap().write_all(&[0; 60]).unwrap_err();
        assert!(error.to_string().contains("disk space"), "{error}");
        drop((one, other));
        spills.create_temp_file("third").unwrap().open_writer().unwrap().write_all(&[0; 100]).unwrap();
    }
}
