//! The tar of an archive: plain files in a row, written and read block by block.
//!
//! Only headers that [`header`] makes are read again: no links, no folders, no long names, no gaps. So nothing can hide
//! in an archive that `tar` would unpack and a check would not see.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path as FsPath;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error as StoreError, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tar::{EntryType, Header};

use super::super::super::files::whole::generic;
use super::super::faults::Faults;
use crate::error::{Context, Error, Kind, Result};

pub const BLOCK: u64 = 512;
/// The end of a tar.
pub const END: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];
/// Bytes of a long member that are read at once.
const CHUNK: u64 = 1 << 20;

/// Builds the header of a member. The same path, size and time give the same bytes.
pub fn header(path: &str, bytes: u64, time_ms: i64) -> Result<[u8; BLOCK as usize]> {
    let mut header = Header::new_ustar();
    header.set_path(path).context(Kind::Usage, || format!("cannot put {path} into an archive: tar cannot name it"))?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(time_ms.div_euclid(1000)).unwrap_or_default());
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// Returns the zeros between the end of a member and the next block.
pub fn padding(bytes: u64) -> &'static [u8] {
    &END[..(bytes.next_multiple_of(BLOCK) - bytes) as usize]
}

/// The place of a member.
#[derive(Debug, Clone)]
pub struct Member {
    pub header: [u8; BLOCK as usize],
    pub bytes: u64,
    at: u64,
}

/// A tar whose members can be read by their paths below the folder that all of them are in.
#[derive(Debug)]
pub struct Tape {
    file: File,
    name: String,
    /// The folder, from the first member.
    pub folder: String,
    /// Paths below the folder, in their order.
    pub order: Vec<String>,
    members: HashMap<String, Member>,
}

impl Tape {
    /// Reads all headers. A member that we would not have written is a fault.
    pub fn open(path: &FsPath, faults: &mut Faults) -> Result<Tape> {
        let name = path.display().to_string();
        let cannot = || format!("cannot read {name}");
        let found = std::fs::metadata(path).context(Kind::Usage, cannot)?;
        if !found.is_file() {
            return Err(Error::usage(format!("{name} is not a file"))
                .hint("name the file that `auditlake archive` wrote; `auditlake verify --lake DIR` checks a lake"));
        }
        let mut file = File::open(path).context(Kind::Usage, cannot)?;
        let length = file.seek(SeekFrom::End(0)).context(Kind::Unavailable, cannot)?;
        let mut tape =
            Tape { file, name: name.clone(), folder: String::new(), order: Vec::new(), members: HashMap::new() };
        let mut at = 0;
        while let Some(next) = tape.member(at, length, faults).context(Kind::Unavailable, cannot)? {
            at = next;
        }
        if tape.order.is_empty() {
            Err(Error::new(Kind::Integrity, format!("{name} is not an archive of auditlake"))
                .hint("`auditlake archive` makes one; `auditlake verify --lake DIR` checks a lake"))
        } else {
            Ok(tape)
        }
    }

    /// Reads the header at a place; returns where the next one is, if there is one.
    fn member(&mut self, at: u64, length: u64, faults: &mut Faults) -> io::Result<Option<u64>> {
        let mut stop = |fault: String| {
            faults.add(&self.name, fault);
            Ok(None)
        };
        if length < at + BLOCK {
            return stop(format!("it is cut off at byte {length}: its end is missing"));
        }
        let mut block = [0; BLOCK as usize];
        self.file.read_exact_at(&mut block, at)?;
        if block == [0; BLOCK as usize] {
            let mut end = Vec::new();
            self.file.seek(SeekFrom::Start(at))?;
            (&self.file).take(END.len() as u64 + 1).read_to_end(&mut end)?;
            return if end == END { Ok(None) } else { stop(format!("it does not end as it should at byte {at}")) };
        }
        let header = Header::from_byte_slice(&block);
        // The sum is over the header with blanks in place of the sum.
        let sum: u32 =
            block.iter().enumerate().map(|(n, byte)| if (148..156).contains(&n) { 32 } else { u32::from(*byte) }).sum();
        if header.cksum().ok() != Some(sum) {
            return stop(format!("the header at byte {at} is damaged: what follows cannot be read"));
        }
        let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        let Some(end) = header.entry_size().ok().and_then(|size| at.checked_add(BLOCK)?.checked_add(size)) else {
            return stop(format!("the size of {path} cannot be read"));
        };
        let next = end.checked_next_multiple_of(BLOCK).filter(|next| *next <= length);
        let Some(next) = next else { return stop(format!("it is cut off in {path}")) };
        let mut rest = vec![0; (next - end) as usize];
        self.file.read_exact_at(&mut rest, end)?;
        let entry_type = header.entry_type();
        let bytes = end - at - BLOCK;
        let (folder, below) = path.split_once('/').unwrap_or((path.as_str(), ""));
        if self.order.is_empty() {
            self.folder = folder.to_string();
        }
        if entry_type != EntryType::Regular {
            faults.add(&path, "it is a link, a folder or a note of tar: an archive has plain files only");
        } else if folder != self.folder || !is_below(folder) || !below.split('/').all(is_below) {
            faults.add(&path, "it lies outside the archive's folder: do not unpack this archive");
        } else if self.members.contains_key(below) {
            faults.add(below, "it is in the archive twice, and `tar` unpacks the later one");
        } else {
            if rest.iter().any(|byte| *byte != 0) {
                faults.add(below, "there are bytes between its end and the next member");
            }
            self.order.push(below.to_string());
            self.members.insert(below.to_string(), Member { header: block, bytes, at: at + BLOCK });
        }
        Ok(Some(next))
    }

    pub fn get(&self, path: &str) -> Option<&Member> {
        self.members.get(path)
    }

    /// Reads the bytes of a small member.
    pub fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let Some(member) = self.get(path) else { return Ok(None) };
        let bytes = self.range(member, 0..member.bytes);
        bytes.map(Some).context(Kind::Unavailable, || format!("cannot read {path} of {}", self.name))
    }

    fn range(&self, member: &Member, range: Range<u64>) -> io::Result<Bytes> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, member.at + range.start)?;
        Ok(bytes.into())
    }
}

/// Returns whether a name stays in the folder that it is in.
fn is_below(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".."
}

impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({})", self.name)
    }
}

/// The members as readable objects.
#[derive(Debug, Clone)]
pub struct Members(pub Arc<Tape>);

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Members {
    fn no<T>(operation: &str) -> object_store::Result<T> {
        Err(StoreError::NotImplemented { operation: operation.into(), implementer: "an archive".into() })
    }

    fn meta(location: Path, member: &Member) -> ObjectMeta {
        let last_modified = DateTime::<Utc>::UNIX_EPOCH;
        ObjectMeta { location, last_modified, size: member.bytes, e_tag: None, version: None }
    }
}

#[async_trait]
impl ObjectStore for Members {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        Members::no("put")
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Members::no("put")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let name = location.as_ref();
        let Some(member) = self.0.get(name) else { return Err(generic(name, io::ErrorKind::NotFound.into())) };
        let meta = Members::meta(location.clone(), member);
        options.check_preconditions(&meta)?;
        let range = match options.range {
            None => 0..member.bytes,
            Some(range) => range.as_range(member.bytes).map_err(|error| generic(name, io::Error::other(error)))?,
        };
        let (tape, member, name) = (self.0.clone(), member.clone(), name.to_string());
        let chunks = stream::iter(range.clone().step_by(CHUNK as usize).map({
            let end = range.end;
            move |from| {
                let chunk = tape.range(&member, from..end.min(from + CHUNK));
                chunk.map_err(|error| generic(&name, error))
            }
        }));
        Ok(GetResult {
            payload: GetResultPayload::Stream(chunks.boxed()),
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        stream::iter([Members::no("delete")]).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let below = |path: &Path| prefix.is_none_or(|prefix| path.prefix_matches(prefix));
        let paths = self.0.order.iter().map(|name| (Path::from(name.as_str()), name));
        let found = paths.filter(|(path, _)| below(path)).filter_map(|(path, name)| {
            let member = self.0.get(name)?;
            Some(Ok(Members::meta(path, member)))
        });
        stream::iter(found.collect::<Vec<_>>()).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> object_store::Result<ListResult> {
        Members::no("list folders")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> object_store::Result<()> {
        Members::no("copy")
    }
}
