//! The folder of fingerprints: found, read, added to, thinned, and rid of what is no more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::super::files::file::FileEntry;
use super::super::files::layout::{FINGERPRINTS, fingerprints_path, fingerprints_rows};
use super::super::files::store::Durable;
use super::super::identity::Hasher;
use super::Fingerprints;
use super::coding::{self, Place};
use crate::error::{Context, Kind, Result};
use crate::failpoint;
use crate::typed::Hash32;

/// Bytes of a file that are read at first: the header of all but the largest.
const FIRST_READ: u64 = 64 << 10;
/// Bytes between two sections that are read along rather than jumped over.
const GAP: u64 = 64 << 10;
/// Files of one size that are merged into one.
const FAN: usize = 8;
/// Rows of the smallest files that count as of another size than those that a batch adds.
const LEAST_ROWS: u64 = 4096;
/// A file of more rows is merged no further: it would be copied whole for little.
const MOST_ROWS: u64 = 1 << 20;

/// The fingerprints of one data file.
pub type Section = (Hash32, Fingerprints);

/// The folder as it was when it was looked at, as far as it was asked for.
pub struct Folder {
    store: Arc<dyn ObjectStore>,
    seal: Hasher,
    files: Vec<Path>,
    /// By data file, the number of the file of fingerprints, and the place in it.
    places: HashMap<Hash32, (usize, Place)>,
}

impl Folder {
    /// Looks which of these data files have fingerprints. What cannot be read or is not sealed by this lake counts as
    /// missing.
    pub async fn open(store: &Arc<dyn ObjectStore>, seal: Hasher, wanted: impl Iterator<Item = Hash32>) -> Folder {
        let mut listed = match listed(store).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(%error, "looking into data files instead of their fingerprints");
                Vec::new()
            }
        };
        // The newest are in small files, and most batches ask for no others.
        listed.sort_by_key(|object| object.size);
        let mut left: HashSet<Hash32> = wanted.collect();
        let mut folder = Folder { store: store.clone(), seal, files: Vec::new(), places: HashMap::new() };
        for object in listed {
            if left.is_empty() {
                break;
            }
            folder.add(object, |data| left.remove(data)).await;
        }
        folder
    }

    /// All sections of some files.
    async fn of(store: &Arc<dyn ObjectStore>, seal: Hasher, listed: Vec<ObjectMeta>) -> Folder {
        let mut folder = Folder { store: store.clone(), seal, files: Vec::new(), places: HashMap::new() };
        for object in listed {
            folder.add(object, |_| true).await;
        }
        folder
    }

    async fn add(&mut self, object: ObjectMeta, mut is_wanted: impl FnMut(&Hash32) -> bool) {
        let header = header(&self.store, &object).await;
        let Some(places) = header.and_then(|header| coding::sealed_places(&header, &self.seal)) else {
            tracing::warn!(path = %object.location, "passing over fingerprints that are not whole");
            return;
        };
        let number = self.files.len();
        let wanted = places.into_iter().filter(|place| is_wanted(&place.data));
        self.places.extend(wanted.map(|place| (place.data, (number, place))));
        self.files.push(object.location);
    }

    /// Whether there are fingerprints of a data file, as far as the folder says.
    pub fn has(&self, file: &FileEntry) -> bool {
        self.places.get(&file.sha256).is_some_and(|(_, place)| place.rows == file.rows)
    }

    /// The fingerprints of some data files, of each file that has them.
    pub async fn read(&self, files: &[Arc<FileEntry>]) -> HashMap<Hash32, Fingerprints> {
        self.sections(files.iter().filter(|file| self.has(file)).map(|file| file.sha256)).await
    }

    pub(super) async fn sections(&self, wanted: impl Iterator<Item = Hash32>) -> HashMap<Hash32, Fingerprints> {
        let mut by_file: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
        for (number, place) in wanted.filter_map(|data| self.places.get(&data)) {
            by_file.entry(*number).or_default().push(*place);
        }
        let mut found = HashMap::new();
        for (number, mut places) in by_file {
            places.sort_unstable_by_key(|place| place.offset);
            let path = &self.files[number];
            let ranges = ranges(&places);
            let read = match self.store.get_ranges(path, &ranges).await {
                Ok(read) => read,
                // It was merged into another one meanwhile.
                Err(StoreError::NotFound { .. }) => continue,
                Err(error) => {
                    tracing::warn!(%error, %path, "looking into data files instead of their fingerprints");
                    continue;
                }
            };
            for place in places {
                let of_place = ranges.iter().zip(&read).find_map(|(range, bytes)| within(&place, range, bytes));
                match of_place.and_then(|bytes| place.decode(&bytes, &self.seal)) {
                    Some(prints) => drop(found.insert(place.data, prints)),
                    None => tracing::warn!(%path, data = %place.data, "passing over fingerprints that are not whole"),
                }
            }
        }
        found
    }
}

/// Adds the fingerprints of new data files, in a file of their own.
pub async fn add(store: &Arc<Durable>, seal: &Hasher, sections: &[Section]) -> Result<Option<Path>> {
    if sections.is_empty() {
        return Ok(None);
    }
    let bytes = coding::encode(sections, seal);
    let rows = sections.iter().map(|(_, prints)| prints.rows()).sum();
    let path = fingerprints_path(rows, seal.hash(&bytes) as u64);
    store.put(&path, bytes.into()).await.context(Kind::Unavailable, || format!("cannot write {path}"))?;
    failpoint::reached("prints.added");
    Ok(Some(path))
}

/// Merges files where there are many of one size, and leaves out what is of no data file of the lake.
pub async fn thin(store: &Arc<Durable>, seal: Hasher, is_live: impl Fn(&Hash32) -> bool) -> Result<()> {
    let objects: Arc<dyn ObjectStore> = store.clone();
    loop {
        let mut sizes: BTreeMap<u32, Vec<ObjectMeta>> = BTreeMap::new();
        for object in listed(&objects).await? {
            let rows = object.location.filename().and_then(fingerprints_rows).unwrap_or_default();
            if rows < MOST_ROWS {
                sizes.entry(size_class(rows)).or_default().push(object);
            }
        }
        let Some(many) = sizes.into_values().find(|files| files.len() >= FAN) else { return Ok(()) };
        let inputs: Vec<Path> = many.iter().map(|object| object.location.clone()).collect();
        let folder = Folder::of(&objects, seal, many).await;
        rewrite(store, &folder, inputs, &is_live).await?;
    }
}

/// The files of one class are not larger than eight times one another.
fn size_class(rows: u64) -> u32 {
    rows.checked_div(LEAST_ROWS).and_then(|many| many.checked_ilog(FAN as u64)).map_or(0, |class| class + 1)
}

/// Writes the sections that are live in one file, and removes the files that they came from.
async fn rewrite(
    store: &Arc<Durable>,
    folder: &Folder,
    inputs: Vec<Path>,
    is_live: impl Fn(&Hash32) -> bool,
) -> Result<()> {
    let mut places: Vec<&(usize, Place)> = folder.places.values().filter(|(_, place)| is_live(&place.data)).collect();
    places.sort_unstable_by_key(|(number, place)| (*number, place.offset));
    let mut found = folder.sections(places.iter().map(|(_, place)| place.data)).await;
    let sections: Vec<Section> = places.iter().filter_map(|(_, place)| found.remove_entry(&place.data)).collect();
    let made = add(store, &folder.seal, &sections).await?;
    failpoint::reached("prints.merged");
    let old = inputs.into_iter().filter(|path| Some(path) != made.as_ref()).collect();
    store.remove_all(old).await.context(Kind::Unavailable, || format!("cannot thin `{FINGERPRINTS}`"))
}

/// Data files that leave the lake, by the first digits of their SHA-256, which their names end in.
#[derive(Debug, Default)]
pub struct Gone(pub BTreeSet<String>);

impl Gone {
    pub const DIGITS: usize = 16;

    pub fn has(&self, data: &Hash32) -> bool {
        data.to_string().get(..Gone::DIGITS).is_some_and(|digits| self.0.contains(digits))
    }
}

/// Removes the fingerprints of data files that are gone, and what is no file of fingerprints. Doing it twice changes nothing.
///
/// Without the lake's key nothing can be sealed anew, so the other sections of the same files go with them.
pub async fn forget(
    store: &Arc<Durable>,
    is_gone: impl Fn(&Hash32) -> bool,
    seal: impl FnOnce() -> Option<Hasher>,
) -> Result<()> {
    let objects: Arc<dyn ObjectStore> = store.clone();
    let mut touched = Vec::new();
    for object in listed(&objects).await? {
        let places = header(&objects, &object).await.and_then(|header| coding::places(&header));
        if places.is_none_or(|places| places.iter().any(|place| is_gone(&place.data))) {
            touched.push(object);
        }
    }
    if touched.is_empty() {
        return Ok(());
    }
    let inputs: Vec<Path> = touched.iter().map(|object| object.location.clone()).collect();
    match seal() {
        Some(seal) => {
            let folder = Folder::of(&objects, seal, touched).await;
            rewrite(store, &folder, inputs, |data| !is_gone(data)).await?;
        }
        None => {
            let removed = store.remove_all(inputs).await;
            removed.context(Kind::Unavailable, || format!("cannot clear `{FINGERPRINTS}`"))?;
        }
    }
    failpoint::reached("prints.forgotten");
    Ok(())
}

/// Removes files whose sections are not all what was sealed; those who make what is missing make them anew.
pub async fn remove_damaged(store: &Arc<Durable>, seal: Hasher) -> Result<()> {
    let objects: Arc<dyn ObjectStore> = store.clone();
    let mut damaged = Vec::new();
    for object in listed(&objects).await? {
        let path = object.location.clone();
        let folder = Folder::of(&objects, seal, vec![object]).await;
        let whole = folder.sections(folder.places.keys().copied()).await;
        if folder.files.is_empty() || whole.len() < folder.places.len() {
            damaged.push(path);
        }
    }
    store.remove_all(damaged).await.context(Kind::Unavailable, || format!("cannot clear `{FINGERPRINTS}`"))
}

/// Files of fingerprints that nobody uses, or that have some of data files that are no more; no key is needed to tell.
pub async fn left_over(store: &Arc<dyn ObjectStore>, live: &HashSet<Hash32>) -> Result<Vec<(Path, &'static str)>> {
    let mut wrong = Vec::new();
    for object in listed(store).await? {
        let places = header(store, &object).await.and_then(|header| coding::places(&header));
        match places {
            None => wrong.push((object.location, "these fingerprints are not whole; nobody uses them")),
            Some(places) if places.iter().any(|place| !live.contains(&place.data)) => {
                wrong.push((object.location, "it has fingerprints of a data file that is no more"));
            }
            Some(_) => {}
        }
    }
    Ok(wrong)
}

async fn listed(store: &Arc<dyn ObjectStore>) -> Result<Vec<ObjectMeta>> {
    let found = store.list(Some(&Path::from(FINGERPRINTS))).try_collect::<Vec<_>>().await;
    found.context(Kind::Unavailable, || format!("cannot list `{FINGERPRINTS}`"))
}

/// The header of a file; none when it has none, or cannot be read.
async fn header(store: &Arc<dyn ObjectStore>, object: &ObjectMeta) -> Option<Bytes> {
    let read = async |range: Range<u64>| match store.get_ranges(&object.location, &[range]).await {
        Ok(read) => read.into_iter().next(),
        Err(error) => {
            tracing::debug!(%error, path = %object.location, "cannot read fingerprints");
            None
        }
    };
    let first = read(0..object.size.min(FIRST_READ)).await?;
    let length = coding::header_length(&first)?;
    match length {
        length if length <= first.len() as u64 => Some(first.slice(..length as usize)),
        length if length <= object.size => read(0..length).await,
        _ => None,
    }
}

/// The ranges that are read for some places, which ascend.
fn ranges(places: &[Place]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for place in places {
        let end = place.offset + place.bytes();
        match ranges.last_mut() {
            Some(last) if place.offset <= last.end + GAP => last.end = last.end.max(end),
            _ => ranges.push(place.offset..end),
        }
    }
    ranges
}

fn within(place: &Place, range: &Range<u64>, bytes: &Bytes) -> Option<Bytes> {
    let from = usize::try_from(place.offset.checked_sub(range.start)?).ok()?;
    let to = from.checked_add(usize::try_from(place.bytes()).ok()?)?;
    (to <= bytes.len()).then(|| bytes.slice(from..to))
}
