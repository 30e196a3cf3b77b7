//! Tests of a growing ledger.

use super::*;

/// Makes an entry of five files in five tables, which is typical of a batch of a busy workspace.
fn busy(sequence: u64, now_ms: i64) -> Body {
    let tables = ["account_change", "authentication", "entity_management", "group_management", "user_access"];
    let file = |(part, table): (usize, &&str)| {
        let home = Home { table, column: "event_month", partition: &Partition::Month.value(now_ms * 1000) };
        let random = Hash32::sha256(format!("{sequence} {part}").as_bytes());
        let name = FileName { sequence, part: part as u32, nonce: [1, 2, 3, 4, 0, 1] };
        let mut bytes = random.0.to_vec();
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"PAR1");
        let digest = RowDigest::from(u128::from_be_bytes(random.0[..16].try_into().unwrap()));
        FileEntry::of(home, name, &bytes, 20, (now_ms * 1000, now_ms * 1000 + 9), digest).unwrap()
    };
    let source = SourceRange {
        kind: "file".into(),
        name: format!("/var/log/audit/part-{sequence}.ndjson"),
        head: Some(Head { bytes: 4096, sha256: Hash32::sha256(&sequence.to_le_bytes()).to_string() }),
        to: Mark { offset: 200_000, line: 100, blake3: Hash32::sha256(&sequence.to_be_bytes()) },
        state: "complete".into(),
        ..SourceRange::default()
    };
    let counts = Counts { read: 100, accepted: 100, ..Counts::default() };
    let files = tables.iter().enumerate().map(file).collect();
    Body::Ingest(Ingest { sources: vec![source], counts, files, ..Ingest::default() })
}

/// Appends entries like a writer; returns bytes of all entries, of all checkpoints ever, and of those that are left.
async fn grow(store: Arc<dyn ObjectStore>, ledger: &mut Ledger, entries: u64) -> (u64, u64, u64) {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    let folder = Path::from("_ledger");
    let mut written = 0;
    for _ in 0..entries {
        let (sequence, now_ms) = (ledger.state().sequence + 1, ledger.state().time_ms + 60_000);
        let has_checkpoint = ledger.checkpoint_if_due().await;
        let moment = ledger.moment(now_ms);
        ledger.append("0".repeat(32).as_str(), moment, busy(sequence, now_ms)).await.unwrap();
        if has_checkpoint {
            written += ledger.checkpoint_bytes();
            let there: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
            let listing = Listing::of(there.iter().map(|object| object.location.filename().unwrap().to_string()));
            for name in listing.surplus_checkpoints(sequence).map(str::to_string).collect::<Vec<_>>() {
                store.delete(&folder.clone().join(name)).await.unwrap();
            }
        }
    }
    let there: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
    let is_entry =
        |object: &&object_store::ObjectMeta| layout::entry_sequence(object.location.filename().unwrap()).is_some();
    let entries: u64 = there.iter().filter(is_entry).map(|object| object.size).sum();
    let all: u64 = there.iter().map(|object| object.size).sum();
    (entries, written, all - entries)
}

fn first_entry() -> Entry {
    Entry {
        sequence: 0,
        previous: None,
        time_ms: 1_700_000_000_000,
        skew_ms: None,
        writer: WRITER.into(),
        writer_id: "0".repeat(32),
        format: Some(FIRST),
        checkpoint: None,
        body: Body::Create(LakeInfo {
            lake_id: "1".repeat(32),
            partition: Partition::Month,
            ocsf_version: "1.6.0".into(),
            key_check: "2".repeat(32),
            access: layout::Access::Owner,
        }),
        signature: None,
    }
}

/// Twice as many commits cost twice as much. `tests/bench/ledger` measures a hundred thousand, on a disk.
#[tokio::test]
async fn a_ledger_twice_as_long_takes_twice_the_bytes_and_opens_from_a_few_files() {
    let mut sums = Vec::new();
    for entries in [400, 800] {
        let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        let mut ledger = Ledger::begin(store.clone(), first_entry(), &Signing::default()).await.unwrap().unwrap();
        let (of_entries, written, left) = grow(store.clone(), &mut ledger, entries).await;
        assert!(left <= of_entries, "{entries} entries of {of_entries} bytes, checkpoints of {left}");
        let named = ledger.state().checkpoint.unwrap();
        assert!(named.sequence > entries / 2, "{named:?}");
        sums.push(of_entries + written);
        // The state and the streams are the sum of all entries.
        let names: Vec<String> = (0..=entries).map(|sequence| format!("{sequence:020}.json")).collect();
        let mut opened = Ledger::open(store, &Listing::of(names), None).await.unwrap().unwrap();
        assert_eq!(opened.state().tables, ledger.state().tables);
        assert_eq!(opened.state().totals, ledger.state().totals);
        assert_eq!(opened.streams().await.unwrap().all(), ledger.streams().await.unwrap().all());
    }
    assert!(sums[1] < sums[0] * 5 / 2, "{sums:?}");
}

/// Makes the lake that `tests/bench/ledger` measures: `AUDITLAKE_LEDGER=FOLDER:ENTRIES`. Files are not synced.
#[tokio::test]
#[ignore = "makes a large lake where AUDITLAKE_LEDGER says"]
async fn a_large_ledger() {
    let wanted = std::env::var("AUDITLAKE_LEDGER").expect("AUDITLAKE_LEDGER=FOLDER:ENTRIES");
    let (folder, entries) = wanted.rsplit_once(':').unwrap();
    let root = PathBuf::from(folder);
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join(layout::KEY_FILE), "0123456789abcdef".repeat(4)).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::local::LocalFileSystem::new_with_prefix(&root).unwrap());
    let mut ledger = Ledger::begin(store.clone(), first_entry(), &Signing::default()).await.unwrap().unwrap();
    let (of_entries, written, left) = grow(store.clone(), &mut ledger, entries.parse().unwrap()).await;
    // Only what opening looks at in the tables.
    let state = ledger.state().clone();
    let (entry, hash) = ledger.entry(state.sequence).await.unwrap();
    let Body::Ingest(ingest) = &entry.body else { panic!("an entry of files") };
    for file in &ingest.files {
        let path = layout::delta_path(file.table(), state.tables[file.table()].commits);
        let bytes = super::tables::commit::commit(&state.lake, &EntryRef::of(&entry, &hash), file.table(), &[file]);
        object_store::ObjectStoreExt::put(&store, &path, bytes.into()).await.unwrap();
    }
    let figures =
        format!("{{\"entries\": {of_entries}, \"checkpoints_written\": {written}, \"checkpoints_left\": {left}}}\n");
    fs::write(root.join("figures.json"), figures).unwrap();
}
