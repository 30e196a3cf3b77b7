//! Pages of entries as JSON, and the caches that make the next one fast.
//!
//! Rows come from segments, pieces of a row group that are decoded once. Footers, orders and segments are kept up to a
//! bound in bytes; files never change, so nothing that is kept can be wrong.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use arrow::array::StringArray;
use futures::future::try_join_all;
use object_store::ObjectStore;
use tokio::sync::Semaphore;

use super::cache::Cache;
use super::cursor::Position;
use super::entry::{Forms, Segment};
use super::follow::View;
use super::part::{Part, text_at};
use super::search::{Hit, Search};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{DataFile, FileEntry};
use crate::schema::Ocsf;
use crate::typed::Hash32;

/// The approximate decoded bytes of a segment, and its maximum of rows. A page takes few rows of a small class, and
/// decoding must not be felt; on the other hand each segment decompresses the file's pages, of up to 20,000 rows, anew.
const SEGMENT_BYTES: u64 = 4 << 20;
const SEGMENT_ROWS: usize = 1024;
/// A page is cut where it grows beyond this: one line may be megabytes long.
const PAGE_BYTES: usize = 8 << 20;

/// A row group; files are named by their hash.
type GroupKey = (Hash32, usize);
/// A segment of it, by number.
type SegmentKey = (GroupKey, usize);

fn group_key(file: &DataFile, group: usize) -> GroupKey {
    (file.entry().sha256, group)
}

/// Reads pages from the lake, and caches what it read.
pub struct Entries {
    forms: Forms,
    store: Arc<dyn ObjectStore>,
    files: Cache<Hash32, DataFile>,
    parts: Cache<GroupKey, Part>,
    texts: Cache<(GroupKey, &'static str), StringArray>,
    segments: Cache<SegmentKey, Segment>,
    /// Decoding keeps a core busy: more at once would only take turns.
    decoders: Arc<Semaphore>,
}

/// A page: the entries as JSON, separated by commas.
#[derive(Debug, Default)]
pub struct Page {
    pub json: Vec<u8>,
    pub count: usize,
    pub newest_ms: Option<i64>,
    pub oldest_ms: Option<i64>,
    /// The start of the next page; `None` when there is none.
    pub next: Option<Position>,
}

/// Size and use of the caches, for the metrics.
#[derive(Debug, Clone, Copy)]
pub struct CacheFigures {
    pub name: &'static str,
    pub bytes: usize,
    pub hits: u64,
    pub misses: u64,
}

impl Entries {
    pub fn new(ocsf: Arc<Ocsf>, store: Arc<dyn ObjectStore>, cache_bytes: usize, threads: usize) -> Entries {
        Entries {
            forms: Forms::new(ocsf),
            store,
            files: Cache::new(cache_bytes / 8),
            parts: Cache::new(cache_bytes / 4),
            texts: Cache::new(cache_bytes / 8),
            segments: Cache::new(cache_bytes / 2),
            decoders: Arc::new(Semaphore::new(threads.max(1))),
        }
    }

    pub async fn page(self: &Arc<Self>, view: &View, search: &Search<'_>) -> Result<Page> {
        let (hits, next) = self.search(view, search).await?;
        let segments = self.segments_of(&hits).await?;
        self.look_ahead(&hits);
        let mut page = Page { next, ..Page::default() };
        for hit in &hits {
            if page.json.len() > PAGE_BYTES {
                page.next = Some(hit.position());
                break;
            }
            let (at, row) = place_of(hit);
            let segment = segments.get(&at).ok_or_else(|| Error::new(Kind::Internal, "a segment is missing"))?;
            if page.count > 0 {
                page.json.push(b',');
            }
            segment.write(row, hit.served, &mut page.json)?;
            let time_ms = hit.key().time_us.div_euclid(1000);
            page.newest_ms.get_or_insert(time_ms);
            page.oldest_ms = Some(time_ms);
            page.count += 1;
        }
        Ok(page)
    }

    async fn segments_of(&self, hits: &[Hit]) -> Result<HashMap<SegmentKey, Arc<Segment>>> {
        let mut wanted: HashMap<SegmentKey, &Arc<Part>> = HashMap::new();
        for hit in hits {
            wanted.entry(place_of(hit).0).or_insert(&hit.part);
        }
        let load = async |(at, part): (SegmentKey, &Arc<Part>)| {
            let segment = self.segment(part, at.1).await?;
            Ok::<_, Error>((at, segment))
        };
        Ok(try_join_all(wanted.into_iter().map(load)).await?.into_iter().collect())
    }

    async fn segment(&self, part: &Arc<Part>, number: usize) -> Result<Arc<Segment>> {
        let (file, group, form) = (part.file.clone(), part.group, self.forms.of(part.file.entry().table())?);
        let size = segment_rows(&file, group);
        let rows = number * size..((number + 1) * size).min(part.len());
        let key = (group_key(&file, group), number);
        let make = || self.decode(async move { Segment::new(form, file.rows(group, rows).await?) });
        self.segments.get(&key, Segment::memory_size, make).await
    }

    /// Decodes what a client that pages on will need, while nobody else waits for a decoder.
    fn look_ahead(self: &Arc<Self>, hits: &[Hit]) {
        let mut ahead: HashMap<SegmentKey, &Arc<Part>> = HashMap::new();
        for hit in hits {
            let ((group, number), row) = place_of(hit);
            // Halfway through a segment there is time enough for the next one.
            if number > 0 && row * 2 < segment_rows(&hit.part.file, hit.part.group) {
                ahead.insert((group, number - 1), &hit.part);
            }
        }
        for (key, part) in ahead {
            if self.decoders.available_permits() > 0 && !self.segments.has(&key) {
                let (entries, part) = (self.clone(), part.clone());
                // If anything is wrong with it, the page that needs it will say so.
                tokio::spawn(async move { entries.segment(&part, key.1).await.map(|_| ()) });
            }
        }
    }

    pub(super) async fn file(&self, entry: Arc<FileEntry>) -> Result<Arc<DataFile>> {
        let make = || self.decode(DataFile::open(self.store.clone(), entry.clone()));
        self.files.get(&entry.sha256, DataFile::memory_size, make).await
    }

    pub(super) async fn part(&self, file: &Arc<DataFile>, group: usize) -> Result<Arc<Part>> {
        let make = || self.decode(Part::load(file.clone(), group));
        self.parts.get(&group_key(file, group), Part::memory_size, make).await
    }

    /// Returns one text column of a row group; all null where the class has no such column.
    pub(super) async fn text(
        &self,
        file: &Arc<DataFile>,
        group: usize,
        path: &'static str,
    ) -> Result<Arc<StringArray>> {
        let make = || {
            let file = file.clone();
            self.decode(async move {
                let batch = file.columns(group, &["time", path]).await?;
                Ok(text_at(&batch, path).unwrap_or_else(|| StringArray::new_null(batch.num_rows())))
            })
        };
        let key = (group_key(file, group), path);
        self.texts.get(&key, arrow::array::Array::get_array_memory_size, make).await
    }

    /// Does work that takes milliseconds of computing where it does not delay requests that need none.
    async fn decode<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let permit = self.decoders.clone().acquire_owned().await.context(Kind::Internal, || "no decoder")?;
        let runtime = tokio::runtime::Handle::current();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            runtime.block_on(work)
        });
        done.await.context(Kind::Internal, || "a decoder stopped")?
    }

    pub fn cache_figures(&self) -> [CacheFigures; 4] {
        fn of<K: Clone + Eq + std::hash::Hash, V>(name: &'static str, cache: &Cache<K, V>) -> CacheFigures {
            let (hits, misses) = cache.uses();
            CacheFigures { name, bytes: cache.bytes(), hits, misses }
        }
        [
            of("footers", &self.files),
            of("orders", &self.parts),
            of("filters", &self.texts),
            of("segments", &self.segments),
        ]
    }
}

/// Returns the segment that a row is in, and its place there.
fn place_of(hit: &Hit) -> (SegmentKey, usize) {
    let (file, group, row) = (&hit.part.file, hit.part.group, hit.row());
    let size = segment_rows(file, group);
    ((group_key(file, group), row / size), row % size)
}

fn segment_rows(file: &DataFile, group: usize) -> usize {
    let Some(group) = file.groups().get(group) else { return SEGMENT_ROWS };
    let row_bytes = (group.bytes / group.rows.max(1) as u64).max(1);
    ((SEGMENT_BYTES / row_bytes) as usize).clamp(1, SEGMENT_ROWS)
}
