//! Batches are looked up by fingerprints, whatever becomes of the folder that they are in.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

fn folder(fixture: &Fixture) -> PathBuf {
    fixture.root.join("_fingerprints")
}

/// The files of fingerprints with their bytes.
fn kept(fixture: &Fixture) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder(fixture)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn put_back(fixture: &Fixture, files: &[(PathBuf, Vec<u8>)]) {
    let _ = fs::remove_dir_all(folder(fixture));
    fs::create_dir(folder(fixture)).unwrap();
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

/// An event a day, of an hour that tells batches apart.
fn spread(fixture: &Fixture, name: &str, days: i64) -> Batch {
    let names: Vec<String> = (0..days).map(|day| format!("{name}-{day}")).collect();
    let rows: Vec<(&str, i64, i64)> =
        names.iter().zip(0..).map(|(uid, day)| (uid.as_str(), JANUARY + day * DAY, day * 10)).collect();
    batch(&fixture.ocsf, &rows)
}

async fn compact(fixture: &Fixture) {
    let keeper = Keeper::new(fixture.lake().await, Clock::Real);
    keeper.unwrap().compact(&CompactOptions::default(), true).await.unwrap();
}

async fn left_over(fixture: &Fixture) -> Vec<(Path, &'static str)> {
    let lake = fixture.lake().await;
    let live = lake.files().map(|file| file.sha256).collect();
    fingerprints::left_over(&lake.store(), &live).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_over_all_of_time_looks_into_no_file_however_many_there_are() {
    for batches in [10, 20] {
        let fixture = Fixture::new();
        let mut writer = fixture.writer().await;
        for number in 0..batches {
            writer.commit(spread(&fixture, &format!("b{number}"), 3)).await.unwrap();
        }
        let mut writer = fixture.writer().await;
        let counts = writer.commit(spread(&fixture, "new", 3)).await.unwrap().counts;
        assert_eq!((counts.accepted, writer.files_looked_up()), (3, 0), "{batches} batches");
        // What is there already is found, in the files that have it and in no other.
        let mut writer = fixture.writer().await;
        let counts = writer.commit(spread(&fixture, "b4", 3)).await.unwrap().counts;
        assert_eq!((counts.accepted, counts.duplicate, writer.files_looked_up()), (0, 3, 1), "{batches} batches");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_the_fingerprints_of_what_it_merges_and_makes_those_that_are_missing() {
    let fixture = Fixture::new();
    for number in 0..5 {
        fixture.writer().await.commit(spread(&fixture, &format!("b{number}"), 40)).await.unwrap();
    }
    compact(&fixture).await;
    assert_eq!(left_over(&fixture).await, []);
    for is_lost in [false, true] {
        if is_lost {
            fs::remove_dir_all(folder(&fixture)).unwrap();
            let mut writer = fixture.writer().await;
            assert_eq!(writer.commit(spread(&fixture, "lost", 40)).await.unwrap().counts.accepted, 40);
            assert!(writer.files_looked_up() > 0);
            compact(&fixture).await;
        }
        let mut writer = fixture.writer().await;
        let counts = writer.commit(spread(&fixture, &format!("new {is_lost}"), 40)).await.unwrap().counts;
        assert_eq!((counts.accepted, writer.files_looked_up()), (40, 0), "lost: {is_lost}");
        let counts = fixture.writer().await.commit(spread(&fixture, "b3", 40)).await.unwrap().counts;
        assert_eq!((counts.accepted, counts.duplicate), (0, 40), "lost: {is_lost}");
    }
    // A folder that lies between two states of the lake has fingerprints of files that are no more: verify tells, and the
    // next compaction removes them.
    let before = kept(&fixture);
    compact(&fixture).await;
    put_back(&fixture, &before);
    assert!(!left_over(&fixture).await.is_empty());
    let counts = fixture.writer().await.commit(spread(&fixture, "b2", 40)).await.unwrap().counts;
    assert_eq!((counts.accepted, counts.duplicate), (0, 40));
    compact(&fixture).await;
    assert_eq!(left_over(&fixture).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_makes_damaged_fingerprints_anew() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(spread(&fixture, "b", 40)).await.unwrap();
    let (path, mut bytes) = kept(&fixture).remove(0);
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
    for files in [1, 0] {
        let mut writer = fixture.writer().await;
        let counts = writer.commit(spread(&fixture, &format!("new {files}"), 40)).await.unwrap().counts;
        assert_eq!((counts.accepted, writer.files_looked_up()), (40, files));
        compact(&fixture).await;
    }
}

/// Something that happens to a lake.
#[derive(Debug, Clone)]
enum Step {
    /// Some events, by their numbers, in this order.
    Take(Vec<u8>),
    Compact,
    /// The folder is gone.
    Lost,
    /// A byte of a file is another one.
    Torn(prop::sample::Index, u8),
    /// A file is shorter.
    Cut(prop::sample::Index),
    /// The folder is what it was some steps ago.
    PutBack(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0_u8..24, 1..12).prop_map(Step::Take),
        1 => Just(Step::Compact),
        1 => Just(Step::Lost),
        1 => (any::<prop::sample::Index>(), 1_u8..).prop_map(|(at, flip)| Step::Torn(at, flip)),
        1 => any::<prop::sample::Index>().prop_map(Step::Cut),
        1 => any::<prop::sample::Index>().prop_map(Step::PutBack),
    ]
}

/// Whatever the order, the splitting, and the state of the folder: each event is in the lake once.
#[test]
fn no_state_of_the_folder_hides_an_event() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let steps = prop::collection::vec(step(), 4..14);
    runner.run(&steps, |steps| runtime.block_on(take(steps))).unwrap();
}

async fn take(steps: Vec<Step>) -> std::result::Result<(), TestCaseError> {
    let fixture = Fixture::new();
    let (mut known, mut states) = (BTreeSet::new(), vec![Vec::new()]);
    for step in steps {
        let files = kept(&fixture);
        match &step {
            Step::Take(numbers) => {
                let names: Vec<String> = numbers.iter().map(|number| format!("e{number}")).collect();
                // Every third event has the uid of the others of its kind, and a time of its own.
                let row = |(number, name): (&u8, &'_ String)| -> (String, i64, i64) {
                    let uid = if number % 3 == 2 { "shared".to_string() } else { name.clone() };
                    (uid, JANUARY + i64::from(*number) * DAY, i64::from(*number) * 10)
                };
                let rows: Vec<(String, i64, i64)> = numbers.iter().zip(&names).map(row).collect();
                let rows: Vec<(&str, i64, i64)> = rows.iter().map(|row| (row.0.as_str(), row.1, row.2)).collect();
                let before = known.len();
                known.extend(numbers.iter().copied());
                let counts = fixture.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap().counts;
                let new = (known.len() - before) as u64;
                prop_assert_eq!((counts.accepted, counts.duplicate), (new, numbers.len() as u64 - new));
            }
            Step::Compact if known.is_empty() => {}
            Step::Compact => compact(&fixture).await,
            Step::Lost => drop(fs::remove_dir_all(folder(&fixture))),
            // Where there is no lake yet nothing can be put back.
            Step::PutBack(_) if known.is_empty() => {}
            Step::PutBack(at) => put_back(&fixture, &states[at.index(states.len())]),
            Step::Torn(..) | Step::Cut(_) if files.is_empty() => {}
            Step::Torn(at, flip) => {
                let (path, mut bytes) = files[at.index(files.len())].clone();
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
                fs::write(path, bytes).unwrap();
            }
            Step::Cut(at) => {
                let (path, bytes) = &files[at.index(files.len())];
                fs::write(path, &bytes[..at.index(bytes.len())]).unwrap();
            }
        }
        states.push(kept(&fixture));
    }
    let rows = fixture.lake().await.state().tables.get("authentication").map_or(0, TableState::rows);
    prop_assert_eq!(rows, known.len() as u64);
    Ok(())
}
