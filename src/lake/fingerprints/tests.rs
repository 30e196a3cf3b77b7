//! Fingerprints on the disk: found, merged, forgotten, torn and put back.

use std::fs;
use std::sync::Arc;

use object_store::ObjectStore;
use proptest::prelude::*;

use super::super::files::store::Durable;
use super::coding::{encode, header_length, places, sealed_places};
use super::*;
use crate::typed::Hash32;

fn seal() -> Hasher {
    Hasher::new([7; 32])
}

fn data(number: u64) -> Hash32 {
    Hash32::sha256(&number.to_le_bytes())
}

/// So many fingerprints of a data file, which follow from its number.
fn prints(number: u64, rows: u64) -> Fingerprints {
    Fingerprints::of((0..rows).map(|row| number * 1_000_003 + row * 7))
}

struct Disk {
    _dir: tempfile::TempDir,
    store: Arc<Durable>,
}

impl Disk {
    fn new() -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Durable::new(dir.path()).unwrap());
        Disk { _dir: dir, store }
    }

    async fn add(&self, numbers: impl IntoIterator<Item = u64>, rows: u64) {
        let sections: Vec<Section> = numbers.into_iter().map(|number| (data(number), prints(number, rows))).collect();
        add(&self.store, &seal(), &sections).await.unwrap();
        thin(&self.store, seal(), |_| true).await.unwrap();
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let folder = self.store.root.join("_fingerprints");
        fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    }

    /// Which of these data files have fingerprints, each of which is checked.
    async fn found(&self, numbers: std::ops::Range<u64>, rows: u64) -> Vec<u64> {
        let objects: Arc<dyn ObjectStore> = self.store.clone();
        let folder = Folder::open(&objects, seal(), numbers.clone().map(data)).await;
        let found = folder.sections(numbers.clone().map(data)).await;
        let has = |number: &u64| match found.get(&data(*number)) {
            None => false,
            Some(there) => {
                assert_eq!(there, &prints(*number, rows), "{number}");
                true
            }
        };
        numbers.filter(has).collect()
    }
}

#[tokio::test]
async fn a_thousand_batches_leave_a_few_files_that_have_all_fingerprints() {
    let mut counts = Vec::new();
    for batches in [250, 500] {
        let disk = Disk::new();
        for batch in 0..batches {
            disk.add([batch * 2, batch * 2 + 1], 40).await;
        }
        assert_eq!(disk.found(0..batches * 2, 40).await.len() as u64, batches * 2);
        counts.push(disk.files().len());
    }
    assert!(counts.iter().all(|files| *files < 24), "{counts:?}");
}

#[tokio::test]
async fn what_leaves_the_lake_is_forgotten_with_the_key_and_without_it() {
    for key in [Some(seal()), None] {
        let disk = Disk::new();
        for number in 0..6 {
            disk.add([number * 2, number * 2 + 1], 10).await;
        }
        let gone = Gone([4, 7].iter().map(|number| data(*number).to_string()[..Gone::DIGITS].to_string()).collect());
        for _ in 0..2 {
            forget(&disk.store, |data| gone.has(data), || key).await.unwrap();
            let left = disk.found(0..12, 10).await;
            let expected: Vec<u64> = match key {
                Some(_) => (0..12).filter(|number| ![4, 7].contains(number)).collect(),
                // Nobody can seal the others anew: they are looked up in their files until somebody makes them again.
                None => [0, 1, 2, 3, 8, 9, 10, 11].to_vec(),
            };
            assert_eq!(left, expected, "{key:?}");
        }
        let bytes: Vec<u8> = disk.files().iter().flat_map(|path| fs::read(path).unwrap()).collect();
        assert!(!bytes.windows(32).any(|window| window == data(4).0), "the data file is named still");
        let print = prints(4, 10).0[3].to_le_bytes();
        assert!(!bytes.windows(8).any(|window| window == print), "a fingerprint is there still");
    }
}

#[tokio::test]
async fn merging_leaves_out_what_is_of_no_file() {
    let disk = Disk::new();
    for number in 0..7 {
        disk.add([number], 10).await;
    }
    add(&disk.store, &seal(), &[(data(7), prints(7, 10))]).await.unwrap();
    thin(&disk.store, seal(), |one| *one != data(3)).await.unwrap();
    assert_eq!(disk.files().len(), 1);
    assert_eq!(disk.found(0..8, 10).await, [0, 1, 2, 4, 5, 6, 7]);
}

#[tokio::test]
async fn fingerprints_of_another_key_are_passed_over() {
    let disk = Disk::new();
    add(&disk.store, &Hasher::new([8; 32]), &[(data(1), prints(1, 10))]).await.unwrap();
    disk.add([2], 10).await;
    assert_eq!(disk.found(0..3, 10).await, [2]);
}

#[tokio::test]
async fn an_older_folder_that_is_put_back_says_nothing_wrong() {
    let disk = Disk::new();
    disk.add(0..3, 10).await;
    let folder = disk.store.root.join("_fingerprints");
    let before: Vec<(std::path::PathBuf, Vec<u8>)> =
        disk.files().into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    for number in 3..12 {
        disk.add([number], 10).await;
    }
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    assert_eq!(disk.found(0..12, 10).await, [0, 1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bytes become of a file: a section is the one that was written, or it is missing.
    #[test]
    fn no_damage_changes_a_fingerprint(
        sizes in prop::collection::vec(0_u64..40, 1..6),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let sections: Vec<Section> =
            sizes.iter().zip(0..).map(|(rows, number)| (data(number), prints(number, *rows))).collect();
        let whole = encode(&sections, &seal());
        let mut bytes = whole.clone();
        match cut {
            Some(cut) => bytes.truncate(cut.index(whole.len())),
            None => {
                let at = at.index(whole.len());
                bytes[at] ^= flip;
            }
        }
        let header = header_length(&bytes).and_then(|length| bytes.get(..length as usize));
        if let Some(places) = header.and_then(|header| sealed_places(header, &seal())) {
            for (place, (data, prints)) in places.iter().zip(&sections) {
                prop_assert_eq!(place.data, *data);
                let range = place.offset as usize..(place.offset + place.bytes()) as usize;
                let read = bytes.get(range).and_then(|bytes| place.decode(bytes, &seal()));
                prop_assert!(read.is_none_or(|read| read == *prints));
            }
        }
        // Undamaged it is all there.
        let length = header_length(&whole).unwrap() as usize;
        prop_assert_eq!(places(&whole[..length]).unwrap().len(), sections.len());
        for (place, (_, prints)) in sealed_places(&whole[..length], &seal()).unwrap().iter().zip(&sections) {
            let range = place.offset as usize..(place.offset + place.bytes()) as usize;
            prop_assert_eq!(&place.decode(&whole[range], &seal()).unwrap(), prints);
        }
    }

    #[test]
    fn random_bytes_are_no_header(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Some(length) = header_length(&bytes).and_then(|length| usize::try_from(length).ok()) {
            prop_assert!(bytes.get(..length).and_then(|header| sealed_places(header, &seal())).is_none());
        }
        prop_assert!(places(&bytes).is_none() || bytes.starts_with(b"ALPRINT1"));
    }
}
