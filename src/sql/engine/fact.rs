//! One file of facts, and the check that it is what its name says.

use std::ops::Range;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Context, Error, Kind, Result};
use crate::lake::FileEntry;

/// The key in the footers of facts: the data file and the definition that they were made from.
pub const MADE_OF: &str = "auditlake.facts";

/// The end of a file that is read first: footers of forty columns are some kilobytes per row group.
const TAIL: u64 = 32 << 10;
/// The length of the metadata and the magic number after them.
const TRAILER: usize = 8;

/// A file of facts.
#[derive(Debug)]
pub struct Fact {
    /// The data file that it was made from.
    pub entry: Arc<FileEntry>,
    pub path: Path,
    pub bytes: u64,
    /// The class of all its events; `None` where they are of several classes.
    pub class_uid: Option<i64>,
}

/// Returns the text in a file of facts that says what it was made from.
pub fn made_of(entry: &FileEntry, definition: &str) -> String {
    format!("{} {definition}", entry.sha256)
}

impl Fact {
    /// Reads its footer. Errors when it is not complete, or not of this data file and this definition.
    pub async fn footer(&self, store: &Arc<dyn ObjectStore>) -> Result<ParquetMetaData> {
        let cannot = || format!("cannot read the facts in {}", self.path);
        let read = async |range: Range<u64>| {
            let bytes = store.get_ranges(&self.path, std::slice::from_ref(&range)).await;
            let bytes = bytes.context(Kind::Unavailable, cannot)?.into_iter().next();
            bytes.ok_or_else(|| Error::new(Kind::Unavailable, cannot()))
        };
        let torn = || Error::new(Kind::Integrity, format!("{}: it has no footer", cannot()));
        let mut tail = read(self.bytes.saturating_sub(TAIL)..self.bytes).await?;
        let trailer = tail.last_chunk::<TRAILER>().ok_or_else(torn)?;
        let length = u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]) as usize + TRAILER;
        if !trailer.ends_with(b"PAR1") || length as u64 > self.bytes {
            return Err(torn());
        }
        if length > tail.len() {
            tail = read(self.bytes - length as u64..self.bytes).await?;
        }
        let metadata = &tail[tail.len() - length..tail.len() - TRAILER];
        let footer = ParquetMetaDataReader::decode_metadata(metadata).context(Kind::Integrity, cannot)?;
        let pairs = footer.file_metadata().key_value_metadata().into_iter().flatten();
        let said = pairs.filter(|pair| pair.key == MADE_OF).find_map(|pair| pair.value.as_deref());
        let definition = self.path.filename().and_then(|name| name.strip_suffix(".parquet")?.rsplit('-').next());
        let wanted = definition.map(|definition| made_of(&self.entry, definition));
        if said != wanted.as_deref() || footer.file_metadata().num_rows() != self.entry.rows as i64 {
            return Err(Error::new(Kind::Integrity, format!("{}: they are of something else", cannot())));
        }
        Ok(footer)
    }
}
