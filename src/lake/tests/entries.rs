//! Entries of the ledger and the tables beside them, whatever stores, clocks and writers do.

use super::*;

#[tokio::test]
async fn an_entry_whose_writer_died_is_finished_by_the_next_reader() {
    let fixture = Fixture::new();
    fixture.writer().await.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    fixture.writer().await.commit(batch(&fixture.ocsf, &[("b", JANUARY + 1, 10)])).await.unwrap();
    // This looks as if the process had died right after the entry: files staged, tables behind, no note.
    let table = fixture.root.join("authentication");
    let state = fixture.lake().await.state().clone();
    let last = state.tables["authentication"].files.last().unwrap().clone();
    let staged = fixture.root.join(last.staging_path().as_ref());
    fs::create_dir_all(staged.parent().unwrap()).unwrap();
    fs::rename(table.join(last.path()), &staged).unwrap();
    fs::remove_file(table.join("_delta_log/00000000000000000002.json")).unwrap();
    // An attempt that never committed left a file of a taken sequence; a living process has one of the next.
    let of = |sequence| {
        layout::staging_path("authentication", &FileName { sequence, ..last.name() }.with_hash(&last.sha256))
    };
    fs::write(fixture.root.join(of(1).as_ref()), "dead").unwrap();
    fs::write(fixture.root.join(of(3).as_ref()), "alive").unwrap();
    assert_eq!(fixture.adds("authentication"), 1);

    fixture.lake().await.settle().await.unwrap();
    assert!(table.join(last.path()).exists());
    assert_eq!(fixture.adds("authentication"), 2);
    assert_eq!(fs::read_dir(fixture.root.join("_staging")).unwrap().count(), 1);
    assert!(fixture.root.join(of(3).as_ref()).exists());
    fixture.lake().await.settle().await.unwrap();
    assert_eq!(fixture.adds("authentication"), 2);
}

#[tokio::test]
async fn delta_takes_an_entry_in_once_however_often_it_is_applied() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    let lake = fixture.lake().await;
    let state = lake.state();
    let file = &state.tables["authentication"].files[0];
    let (entry, hash) = lake.entry(1).await.unwrap();
    let commit = || TableCommit { table: "authentication", version: 1, files: vec![file.as_ref()] };
    for _ in 0..2 {
        lake.projection().apply(&commit(), &EntryRef::of(&entry, &hash)).await.unwrap();
    }
    assert_eq!(fixture.adds("authentication"), 1);
    // A version of another entry is not taken for it, and none is put where one before it is missing.
    let other = EntryRef { hash: "00".repeat(32), ..EntryRef::of(&entry, &hash) };
    let far = TableCommit { version: 5, ..commit() };
    for error in [lake.projection().apply(&commit(), &other).await, lake.projection().apply(&far, &other).await] {
        assert_eq!(error.unwrap_err().kind(), Kind::Integrity);
    }
}

#[tokio::test]
async fn nothing_cleans_the_delta_log_up() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    for n in 0..25 {
        writer.commit(batch(&fixture.ocsf, &[(&format!("u{n}"), JANUARY + n, n)])).await.unwrap();
    }
    let log = fixture.root.join("authentication/_delta_log");
    let first = fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
    assert!(first.contains("\"delta.enableExpiredLogCleanup\":\"false\""), "{first}");
    // Delta's own hint tells a process that knows no checkpoint.
    writer.lake().projection().checkpoint_if_due("authentication", 25).await.unwrap();
    assert!(log.join("00000000000000000020.checkpoint.parquet").exists() && log.join("_last_checkpoint").exists());
    assert_eq!(fixture.adds("authentication"), 25);
}

#[tokio::test]
async fn of_two_writers_of_one_sequence_one_wins_and_the_other_looks_again() {
    let fixture = Fixture::new();
    fixture.writer().await;
    let store: Arc<dyn ObjectStore> = Arc::new(Durable::new(&fixture.root).unwrap());
    let mut first = fixture.ledger(store.clone()).await.unwrap();
    let mut second = fixture.ledger(store).await.unwrap();
    append(&mut first, "first", LATER).await.unwrap();
    assert_eq!(append(&mut second, "second", LATER).await.unwrap(), Appended::Lost);
    second.refresh().await.unwrap();
    assert_ne!(append(&mut second, "second", LATER).await.unwrap(), Appended::Lost);
    assert_eq!(second.state().sequence, 2);
}

#[tokio::test]
async fn an_error_after_the_entry_is_there_is_a_commit_and_one_before_it_is_an_error() {
    let fixture = Fixture::new();
    fixture.writer().await;
    let inner = Arc::new(Durable::new(&fixture.root).unwrap());
    let store = Arc::new(Lying { inner, writes_first: AtomicBool::new(true) });
    let mut ledger = fixture.ledger(store.clone()).await.unwrap();
    assert_ne!(append(&mut ledger, "a", LATER).await.unwrap(), Appended::Lost);
    store.writes_first.store(false, Ordering::Relaxed);
    append(&mut ledger, "a", LATER).await.unwrap_err();
    assert_eq!(fixture.ledger(store).await.unwrap().state().sequence, 1);
}

#[tokio::test]
async fn a_changed_entry_breaks_the_chain_and_a_damaged_checkpoint_does_not() {
    let fixture = Fixture::new();
    fixture.writer().await;
    let store: Arc<dyn ObjectStore> = Arc::new(Durable::new(&fixture.root).unwrap());
    let mut ledger = fixture.ledger(store.clone()).await.unwrap();
    for n in 0..40 {
        ledger.checkpoint_if_due().await;
        append(&mut ledger, "a", LATER + n).await.unwrap();
    }
    let named = ledger.state().checkpoint.unwrap();
    assert_eq!(named.sequence, 32);
    let checkpoint = fixture.root.join(checkpoint_path(&named).as_ref());
    assert!(checkpoint.exists());
    assert_eq!(ledger.state_at(35).await.unwrap().time_ms, LATER + 34);
    let same = |one: &State, other: &State| State { weight: 0, ..one.clone() } == State { weight: 0, ..other.clone() };
    assert!(same(fixture.ledger(store.clone()).await.unwrap().state(), ledger.state()));
    fs::write(&checkpoint, "{}").unwrap();
    assert!(same(fixture.ledger(store.clone()).await.unwrap().state(), ledger.state()));

    let entry = fixture.root.join(layout::entry_path(7).as_ref());
    let text = fs::read_to_string(&entry).unwrap();
    let changed = text.replace(&format!("\"time_ms\":{}", LATER + 6), &format!("\"time_ms\":{}", LATER + 7));
    assert_ne!(text, changed);
    fs::write(&entry, changed).unwrap();
    let error = fixture.ledger(store).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
}

#[tokio::test]
async fn a_foreign_directory_is_refused_and_left_alone() {
    let fixture = Fixture::new();
    fs::create_dir_all(&fixture.root).unwrap();
    fs::write(fixture.root.join("thesis.tex"), "x").unwrap();
    let made = Lake::open_or_create(&fixture.root, &Options::default(), fixture.ocsf.clone(), Clock::Real).await;
    assert_eq!(made.unwrap_err().kind(), Kind::Usage);
    assert_eq!(fs::read_dir(&fixture.root).unwrap().count(), 1);
}

/// A store whose writes report an error, after or instead of the write.
#[derive(Debug)]
struct Lying {
    inner: Arc<Durable>,
    writes_first: AtomicBool,
}

impl fmt::Display for Lying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lying")
    }
}

#[async_trait]
impl ObjectStore for Lying {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        if self.writes_first.load(Ordering::Relaxed) {
            self.inner.put_opts(path, payload, options).await?;
        }
        Err(object_store::Error::Generic { store: "lying", source: "the connection broke".into() })
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn times_never_fall_along_the_ledger_whatever_clocks_do() {
    let fixture = Fixture::new();
    let at =
        |day: i64| Clock::Fixed(chrono::DateTime::from_timestamp_millis(1_767_225_600_000 + day * 86_400_000).unwrap());
    let lake = Lake::open_or_create(&fixture.root, &Options::default(), fixture.ocsf.clone(), at(0)).await.unwrap();
    drop(lake);
    // One writer's clock is forty days ahead, another's a day behind.
    for (number, day) in [1, 40, 2, -1, 3, 41].into_iter().enumerate() {
        let mut writer = Writer::new(fixture.lake().await, at(day), 2, restore()).unwrap();
        let uid = format!("u{number}");
        let receipt = writer.commit(batch(&fixture.ocsf, &[(&uid, JANUARY, 10)])).await.unwrap();
        let expected = [None, None, Some(38), Some(41), Some(37), None][number];
        assert_eq!(receipt.skew_ms, expected.map(|days: i64| days * 86_400_000), "{number}");
    }
    let lake = fixture.lake().await;
    let mut times = Vec::new();
    let tell = |entry: Entry, _| {
        times.push((entry.time_ms - 1_767_225_600_000) / 86_400_000);
        Ok(())
    };
    lake.entries(0, lake.state().sequence, tell).await.unwrap();
    assert_eq!(times, [0, 1, 40, 40, 40, 40, 41]);
    // An entry that was rewritten with an earlier time is found, whatever its hashes.
    let mut state = lake.state_at(2).await.unwrap();
    let (mut entry, hash) = lake.entry(3).await.unwrap();
    entry.time_ms -= 1;
    assert_eq!(state.apply(&entry, hash).unwrap_err().kind(), Kind::Integrity);
}

#[tokio::test]
async fn files_say_who_wrote_them_and_what_their_rows_are() {
    let fixture = Fixture::new();
    let rows = [("a", JANUARY, 10), ("b", JANUARY + 40 * DAY, 20), ("c", JANUARY + DAY, 30)];
    fixture.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    let lake = fixture.lake().await;
    let (entry, _) = lake.entry(1).await.unwrap();
    let Body::Ingest(ingest) = &entry.body else { panic!() };
    assert_eq!(ingest.files.len(), 2);
    for file in &ingest.files {
        assert!(entry.writer_id.starts_with(&hex(&file.name().nonce[..4])), "{file} {}", entry.writer_id);
        let stored: Vec<RecordBatch> = rows_of(&lake, file).await;
        assert_eq!(row_digest(&stored).unwrap(), file.digest, "{file}");
        let bytes = fs::read(fixture.root.join(file.data_path().as_ref())).unwrap();
        assert_eq!(Hash32::sha256(&bytes), file.sha256);
        assert_eq!(Hash32::sha256(&bytes[bytes.len() - file.footer().bytes as usize..]), file.footer().sha256);
    }
    // Files of another writer have other names, whatever is in them.
    let first: Vec<String> = ingest.files.iter().map(FileEntry::path).collect();
    let other = Fixture::new();
    other.writer().await.commit(batch(&fixture.ocsf, &rows)).await.unwrap();
    let lake = other.lake().await;
    assert!(lake.files().all(|file| !first.contains(&file.path())));
}

#[tokio::test]
async fn a_writer_whose_staged_files_are_gone_puts_them_again() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    writer.commit(batch(&fixture.ocsf, &[("a", JANUARY, 10)])).await.unwrap();
    // This looks as if somebody had cleared `_staging/` between the entry and the moving.
    let lake = fixture.lake().await;
    let file = lake.state().tables["authentication"].files[0].clone();
    let place = fixture.root.join(file.data_path().as_ref());
    let bytes = fs::read(&place).unwrap();
    fs::remove_file(&place).unwrap();
    assert_eq!(lake.place(&[file.as_ref().clone()]).await.unwrap(), [file.data_path()]);
    let made = Made { file: file.as_ref().clone(), bytes: bytes.clone().into(), fingerprints: None };
    writer.lake().put_again(&[&made]).await.unwrap();
    assert_eq!(fs::read(&place).unwrap(), bytes);
    // A process without the bytes says what is missing.
    fs::remove_file(&place).unwrap();
    let entry = EntryRef {
        sequence: 1,
        hash: String::new(),
        time_ms: 0,
        writer: String::new(),
        operation: super::tables::commit::Operation::Write,
        replaced: Arc::default(),
    };
    let body = Body::Ingest(Ingest { files: vec![file.as_ref().clone()], ..Ingest::default() });
    let error = lake.apply(&lake.projection(), &entry, &body, |_| 1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains("neither in place nor staged"), "{error}");
}

#[tokio::test]
async fn a_delta_log_is_written_anew_from_the_ledger_and_its_checkpoints_are_thinned() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer().await;
    for n in 0..100 {
        writer.commit(batch(&fixture.ocsf, &[(&format!("u{n}"), JANUARY + n, n)])).await.unwrap();
    }
    let log = fixture.root.join("authentication/_delta_log");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&log).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let checkpoints = names().iter().filter(|name| name.contains(".checkpoint")).count();
    assert!((1..=5).contains(&checkpoints), "{:?}", names());
    assert!(fixture.lake().await.table_problems().await.unwrap().is_empty());
    let version = |n: u64| log.join(format!("{n:020}.json"));
    let before = fs::read(version(50)).unwrap();
    fs::remove_file(version(50)).unwrap();
    fs::remove_file(version(100)).unwrap();
    assert_eq!(fixture.lake().await.table_problems().await.unwrap().len(), 2);
    fixture.lake().await.settle().await.unwrap();
    assert_eq!(fs::read(version(50)).unwrap(), before);
    assert!(fixture.lake().await.table_problems().await.unwrap().is_empty());
}
